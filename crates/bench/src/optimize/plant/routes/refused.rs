//! Jobs that cannot be served, or that are not worth it, among others that fill all vehicles; and the reason for each.
//!
//! What nobody can do is left out of every plan, at its cost. A job on a line of its own makes tours longer by the way
//! there and back, and leaving it out costs one less than that. All else is as in [`lines`].

use optimize::route::{Job, Reason, Stop, Task};

use super::{Planted, delivery, lines};
use crate::random::Random;

const N_REFUSED: usize = 5;
/// End of all shifts; far behind that of the planted tours.
const END: i64 = 10_000;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let n_served = n_jobs.saturating_sub(N_REFUSED).max(2);
    let (mut draft, mut lines, mut least) = lines::draft(n_served, random);
    draft.vehicles.iter_mut().for_each(|vehicle| vehicle.shift = (0, END));
    let most = draft.vehicles.iter().map(|vehicle| vehicle.capacity[0]).max().unwrap_or(0);
    let vehicles = (0..draft.vehicles.len()).collect();
    let mut at = |out: i64| lines.place(lines.0.len(), out);
    let crane = vec!["crane".to_owned()];
    let unskilled = Job { skills: crane.clone(), ..delivery(at(50), 0) };
    let heavy = delivery(at(50), most + 5);
    let place = at(80);
    let task = Task::Delivery(Stop { place, service: 0, windows: vec![(10, 79)] });
    let early = Job { task, ..delivery(place, 0) };
    let remote = delivery(at(END - 10), 0);
    let aside = random.whole(20, 200);
    let dear = delivery(at(aside), 0);
    let cost = random.whole(10, 500) as f64;
    let refused = [
        (unskilled, cost, Reason::Skills(crane)),
        (heavy, cost, Reason::Load { dimension: 0, load: most + 5, capacity: most }),
        (early, cost, Reason::Window { place, arrival: 80, close: 79 }),
        (remote, cost, Reason::Shift),
        (dear, (2 * aside - 1) as f64, Reason::NotWorth { vehicles }),
    ];
    for (job, unserved_cost, reason) in refused {
        draft.refuse(Job { unserved_cost, ..job }, reason);
        least += unserved_cost;
    }
    let matrix = lines.matrix();
    draft.finish(matrix, random, least)
}
