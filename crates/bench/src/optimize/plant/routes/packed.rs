//! Loads that fill every vehicle to the last piece, from places that all lie in other directions.
//!
//! Every place is on its own line, so whoever goes there drives out and back, together as much in any plan. The loads
//! add up to what the fewest vehicles hold, and every vehicle costs the same. Which loads go together has to be found.

use optimize::route::Vehicle;

use super::{Draft, Lines, Planted, delivery, shares, van};
use crate::random::Random;

const CAPACITY: i64 = 100;
const FIXED_COST: f64 = 200.0;
const N_SPARE: usize = 2;
const LOADS_PER_VEHICLE: usize = 4;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let (mut draft, mut lines) = (Draft::new(), Lines::new());
    let mut least = 0.0;
    let vehicle = Vehicle { fixed_cost: FIXED_COST, ..van(CAPACITY) };
    for n_loads in shares(n_jobs, (n_jobs / LOADS_PER_VEHICLE).max(1)) {
        let mut cuts: Vec<i64> = (1..CAPACITY).collect();
        random.shuffle(&mut cuts);
        cuts.truncate(n_loads - 1);
        cuts.extend([0, CAPACITY]);
        cuts.sort_unstable();
        let mut route = Vec::new();
        for pair in cuts.windows(2) {
            let out = random.whole(20, 200);
            least += 2.0 * out as f64;
            route
                .push((draft.job(delivery(lines.place(lines.0.len(), out), pair[1] - pair[0])), 0));
        }
        draft.drive(vehicle.clone(), route);
        least += FIXED_COST;
    }
    (0..N_SPARE).for_each(|_| draft.drive(vehicle.clone(), Vec::new()));
    let matrix = lines.matrix();
    draft.finish(matrix, random, least)
}
