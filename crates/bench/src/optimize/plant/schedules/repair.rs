//! A breakdown under a plan in force, to be repaired with the fewest changes.
//!
//! Nothing can stay that the breakdown hits: it runs on that machine alone, and may not pause. So at least as many
//! steps change as are hit. In the plan only those do: they go behind everything else on their machine, where no other
//! step waits for them.

use optimize::schedule::{Order, Placement, Weights};

use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

const N_MACHINES: usize = 3;
/// The machine that breaks down; steps on it are the last of their orders.
const BROKEN: usize = 2;
const DOWN: i64 = 150;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let mut draft = Draft::default();
    draft.problem.machines = ["saw", "lathe", "mill"].map(machine).to_vec();
    draft.problem.weights = Weights { change: 1.0, ..Weights::default() };
    in_force(&mut draft, n_orders, random);
    draft.problem.previous = draft.placements.clone();
    let on_broken: Vec<usize> = (0..draft.placements.len())
        .filter(|&idx| draft.placements[idx].machine == BROKEN)
        .collect();
    let from = draft.placements[on_broken[on_broken.len() / 3]].start + 5;
    let (now, until) = (from, from + DOWN);
    draft.problem.now = now;
    draft.problem.machines[BROKEN].closed = vec![(from, until)];
    let is_hit = |it: &Placement| it.machine == BROKEN && it.start < until && from < it.end;
    let stays = |it: &&Placement| it.start < now && !is_hit(it);
    draft.problem.frozen = draft.placements.iter().filter(stays).copied().collect();
    let last = on_broken.iter().map(|&idx| draft.placements[idx].end).max().unwrap_or(0);
    let (mut free, mut n_hit) = (last.max(until), 0);
    for placement in draft.placements.iter_mut().filter(|it| is_hit(it)) {
        let length = placement.end - placement.start;
        (placement.start, placement.end) = (free, free + length);
        free += length;
        n_hit += 1;
    }
    draft.finish(random, n_hit as f64, (0.0, n_hit))
}

/// Orders of one or two steps, with idle times between.
fn in_force(draft: &mut Draft, n_orders: usize, random: &mut Random) {
    let mut free = [0; N_MACHINES];
    for idx in 0..n_orders {
        let order = draft.order(Order::default());
        // Something must be there to be hit.
        let first = if idx == 0 { BROKEN } else { random.below(N_MACHINES) };
        // What runs on the machine that breaks down is always a last step.
        let second =
            if first == BROKEN { None } else { Some(first + 1 + random.below(BROKEN - first)) };
        let mut ready = 0;
        for machine in [Some(first), second].into_iter().flatten() {
            let start = ready.max(free[machine]) + random.whole(0, 30);
            let end = start + random.whole(10, 60);
            draft.step(
                order,
                operation("work", vec![mode(machine, end - start)]),
                At { machine, start, end, ..At::default() },
            );
            (free[machine], ready) = (end, end);
        }
    }
}
