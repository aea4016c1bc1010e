//! Drivers with a break, stops with one or two windows, and no minute to lose.
//!
//! Tours drive to the end of every line and back, and serve every stop. All shifts without their breaks add up to just
//! that time, so every driver is needed and takes a break. No plan drives or works less than this one, and in this one
//! nobody waits.

use optimize::route::{Break, Job, Stop, Task, Vehicle};

use super::{Draft, Lines, Planted, delivery, shares, spread, van};
use crate::random::Random;

const STOPS_PER_LINE: usize = 10;
const PAUSE: i64 = 30;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let (mut draft, mut lines) = (Draft::new(), Lines::new());
    let mut least = 0;
    for (line, n_stops) in shares(n_jobs, (n_jobs / STOPS_PER_LINE).max(1)).into_iter().enumerate()
    {
        let length = random.whole(100, 300);
        let begin = random.whole(0, 100);
        let n_before = random.below(n_stops);
        let (mut now, mut at, mut pause) = (begin, 0, begin);
        let mut route = Vec::new();
        for (idx, out) in spread(n_stops, length, random).into_iter().enumerate() {
            if idx == n_before {
                pause = now;
                now += PAUSE;
            }
            now += out - at;
            let service = random.whole(1, 10);
            let place = lines.place(line, out);
            let task = Task::Delivery(Stop { place, service, windows: windows(now, random) });
            route.push((draft.job(Job { task, ..delivery(0, 1) }), 0));
            (now, at) = (now + service, out);
        }
        let shift = (begin, now + length);
        let pause = Break {
            from: (pause - random.whole(0, 20)).max(begin),
            to: pause + random.whole(0, 20),
            duration: PAUSE,
        };
        let vehicle =
            Vehicle { shift, breaks: vec![pause], time_cost: 1.0, ..van(route.len() as i64) };
        draft.drive(vehicle, route);
        draft.routes[line].1 = n_before;
        // What is driven costs, and so does the time of it all.
        least += 2 * length + (shift.1 - shift.0);
    }
    let matrix = lines.matrix();
    draft.finish(matrix, random, least as f64)
}

/// None, or one or two of which the last one holds `arrival`.
fn windows(arrival: i64, random: &mut Random) -> Vec<(i64, i64)> {
    let open = arrival - random.whole(0, 25);
    let around = (open.max(0), arrival + random.whole(0, 25));
    match random.below(3) {
        1 => vec![around],
        2 if open > 20 => vec![(open - 20, open - 10), around],
        _ => Vec::new(),
    }
}
