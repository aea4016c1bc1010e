//! Shifts that are filled to the minute: work that cannot pause, on either of two machines with the same shifts.
//!
//! The two machines are open for just as many minutes, until the plan ends, as all work takes. Before that they are
//! open for fewer, so no plan ends earlier. Which work goes into which shift has to be found.

use optimize::schedule::{Machine, Order, Weights};

use super::hours::Hours;
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

/// Durations are multiples of it.
const STEP: i64 = 5;
/// What a machine does on average between two closed times.
const N_PER_SPAN: usize = 4;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let n_spans = n_orders.div_ceil(2 * N_PER_SPAN).max(1);
    // Closed times at any minute would leave spans that durations of whole steps cannot fill.
    let hours = Hours::shifts(480 * n_spans as i64, random);
    let round = |time: i64| time / STEP * STEP;
    let hours = Hours(hours.0.iter().map(|&(from, to)| (round(from), round(to))).collect());
    let spans: Vec<(i64, i64)> = hours.spans().into_iter().take(n_spans).collect();
    let mut draft = Draft::default();
    let of = |name: &str| Machine { closed: hours.0.clone(), ..machine(name) };
    draft.problem.machines = vec![of("mill 1"), of("mill 2")];
    draft.problem.weights = Weights { makespan: 1.0, ..Weights::default() };
    for (idx, &span) in spans.iter().enumerate() {
        for machine in 0..2 {
            // The numbers of all spans and machines add up to that of the orders.
            let number = 2 * idx + machine;
            let until = |number: usize| number * n_orders / (2 * n_spans);
            let n_pieces = (until(number + 1) - until(number)).max(1);
            for (start, end) in cut(span, n_pieces, STEP, random) {
                let order = draft.order(Order::default());
                let modes = vec![mode(0, end - start), mode(1, end - start)];
                draft.step(
                    order,
                    operation("mill", modes),
                    At { machine, start, end, ..At::default() },
                );
            }
        }
    }
    let least = spans.last().map_or(0, |span| span.1);
    draft.finish(random, least as f64, (0.0, 0))
}

/// A time cut into so many pieces, none shorter than `step`; fewer where it is too short for that.
pub(super) fn cut(
    (from, to): (i64, i64),
    n_pieces: usize,
    step: i64,
    random: &mut Random,
) -> Vec<(i64, i64)> {
    let mut inner: Vec<i64> = (1..(to - from) / step).map(|idx| from + idx * step).collect();
    random.shuffle(&mut inner);
    inner.truncate(n_pieces.saturating_sub(1));
    inner.extend([from, to]);
    inner.sort_unstable();
    inner.windows(2).map(|pair| (pair[0], pair[1])).collect()
}
