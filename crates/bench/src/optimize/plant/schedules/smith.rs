//! Weighted ends on one machine: shortest work per weight first is optimal (Smith 1956).
//!
//! Two neighbors in another order cost less when they are exchanged, so no other order can be the best.

use optimize::schedule::{Order, Weights};

use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let mut jobs: Vec<(i64, i64)> =
        (0..n_orders).map(|_| (random.whole(1, 60), random.whole(1, 9))).collect();
    // The ratio of a is below that of b if a.0 / a.1 < b.0 / b.1.
    jobs.sort_by_key(|&(duration, weight)| duration * 2_520 / weight);
    let mut draft = Draft::default();
    draft.problem.machines = vec![machine("lathe")];
    draft.problem.weights = Weights { tardiness: 1.0, ..Weights::default() };
    let (mut free, mut least) = (0, 0);
    for (duration, weight) in jobs {
        let order = Order { due: Some(0), weight: weight as f64, ..Order::default() };
        let order = draft.order(order);
        let at = At { start: free, end: free + duration, ..At::default() };
        draft.step(order, operation("turn", vec![mode(0, duration)]), at);
        free += duration;
        least += weight * free;
    }
    draft.finish(random, least as f64, (0.0, 0))
}
