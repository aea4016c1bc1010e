//! Vehicles of many sizes, each filled by the stops of one line; and dearer ones that are better left at home.
//!
//! Tours drive to the end of every line and back: that is the least distance. The loads add up to what the planted
//! vehicles hold. A fleet that leaves one of them out needs a spare one for it at least, since no spare one holds more
//! than any of them; and every spare one costs more. So their fixed costs are the least.

use optimize::route::Vehicle;

use super::{Draft, Lines, Planted, delivery, shares, spread, van};
use crate::random::Random;

const N_SPARE: usize = 2;
const STOPS_PER_LINE: usize = 8;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let (draft, lines, least) = draft(n_jobs, random);
    draft.finish(lines.matrix(), random, least)
}

/// Jobs, tours and places, with the least cost.
pub(super) fn draft(n_jobs: usize, random: &mut Random) -> (Draft, Lines, f64) {
    let (mut draft, mut lines) = (Draft::new(), Lines::new());
    let (mut least, mut smallest) = (0.0, i64::MAX);
    for (line, n_stops) in shares(n_jobs, (n_jobs / STOPS_PER_LINE).max(2)).into_iter().enumerate()
    {
        let (length, fixed_cost) = (random.whole(100, 500), random.whole(50, 100) as f64);
        let mut capacity = 0;
        let mut route = Vec::new();
        for out in spread(n_stops, length, random) {
            let load = random.whole(1, 20);
            capacity += load;
            route.push((draft.job(delivery(lines.place(line, out), load)), 0));
        }
        draft.drive(Vehicle { fixed_cost, ..van(capacity) }, route);
        smallest = smallest.min(capacity);
        least += fixed_cost + 2.0 * length as f64;
    }
    for _ in 0..N_SPARE {
        let fixed_cost = random.whole(150, 300) as f64;
        draft.drive(Vehicle { fixed_cost, ..van(smallest) }, Vec::new());
    }
    (draft, lines, least)
}
