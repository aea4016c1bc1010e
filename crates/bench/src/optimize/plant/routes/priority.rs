//! More jobs than room, with what it costs to leave each undone.
//!
//! The job at the end of every line must be done, so tours drive to all ends and back. They serve no more jobs than
//! all vehicles hold, and leave out no cheaper ones than the cheapest. The plan does just that: on every line so many
//! jobs are dear as a vehicle holds.

use optimize::route::{Job, Reason};

use super::{Draft, Lines, Planted, delivery, shares, spread, van};
use crate::random::Random;

const STOPS_PER_LINE: usize = 10;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let (mut draft, mut lines) = (Draft::new(), Lines::new());
    let n_lines = (n_jobs / STOPS_PER_LINE).max(1);
    let capacity = (2 * n_jobs / (3 * n_lines)).max(1);
    let mut least = 0;
    for (line, n_stops) in shares(n_jobs, n_lines).into_iter().enumerate() {
        let length = random.whole(100, 500);
        least += 2 * length;
        let mut is_dear: Vec<bool> = (1..n_stops).map(|idx| idx < capacity).collect();
        random.shuffle(&mut is_dear);
        is_dear.push(true);
        let mut route = Vec::new();
        for (idx, out) in spread(n_stops, length, random).into_iter().enumerate() {
            let place = lines.place(line, out);
            if idx + 1 == n_stops {
                route.push((draft.job(delivery(place, 1)), 0));
                continue;
            }
            let cost =
                if is_dear[idx] { random.whole(1_000, 2_000) } else { random.whole(10, 100) };
            let job = Job { unserved_cost: cost as f64, ..delivery(place, 1) };
            if is_dear[idx] {
                route.push((draft.job(job), 0));
            } else {
                least += cost;
                draft.refuse(job, Reason::NotWorth { vehicles: (0..n_lines).collect() });
            }
        }
        draft.drive(van(capacity as i64), route);
    }
    let matrix = lines.matrix();
    draft.finish(matrix, random, least as f64)
}
