//! A depot at a corner of each of many rings of stops that lie far apart, with windows in the order of the ring.
//!
//! A ring is the border of a rectangle, distances go along streets (|dx| + |dy|), and there are stops at its corners.
//! A round trip that sees all corners drives the width and the height of the rectangle twice: its border, which is the
//! planted tour. Stops of a ring may also be shared by tours from other depots, but driving to another ring and back is
//! longer than all borders together.

use optimize::route::{Job, Matrix, Stop, Task, Vehicle};

use super::{Draft, Planted, delivery, shares, van};
use crate::random::Random;

const STOPS_PER_RING: usize = 16;
const SERVICE: i64 = 5;
/// Chance in a hundred that a stop has a window.
const WINDOWS: usize = 60;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let mut draft = Draft::new();
    let mut places: Vec<(i64, i64)> = Vec::new();
    let mut least = 0;
    for (ring, n_stops) in shares(n_jobs, (n_jobs / STOPS_PER_RING).max(2)).into_iter().enumerate()
    {
        let (width, height) = (random.whole(50, 200), random.whole(50, 200));
        let border = 2 * (width + height);
        least += border;
        let mut at: Vec<i64> = (3..n_stops).map(|_| random.whole(1, border - 1)).collect();
        at.extend([width, width + height, 2 * width + height]);
        at.sort_unstable();
        let far = ring as i64 * 1_000_000;
        let depot = places.len();
        places.push((far, 0));
        let mut route = Vec::new();
        for (number, &along) in (0..).zip(&at) {
            let (x, y) = corner_of(along, width, height);
            places.push((far + x, y));
            let mut windows = Vec::new();
            if random.below(100) < WINDOWS {
                let arrival = along + SERVICE * number;
                windows
                    .push(((arrival - random.whole(0, 40)).max(0), arrival + random.whole(0, 40)));
            }
            let task = Task::Delivery(Stop { place: places.len() - 1, service: SERVICE, windows });
            route.push((draft.job(Job { task, ..delivery(0, 1) }), 0));
        }
        let shift = (0, border + SERVICE * route.len() as i64 + 60);
        let vehicle = Vehicle { start: depot, end: Some(depot), shift, ..van(route.len() as i64) };
        draft.drive(vehicle, route);
    }
    let row = |a: &(i64, i64)| {
        places.iter().map(|b| (a.0 - b.0).abs() + (a.1 - b.1).abs()).collect::<Vec<i64>>()
    };
    let rows: Vec<Vec<i64>> = places.iter().map(row).collect();
    let matrix = Matrix::new(&rows).expect("rings are less than a million wide and few");
    draft.finish(matrix, random, least as f64)
}

/// The point so far along the border, from the corner at (0, 0).
fn corner_of(along: i64, width: i64, height: i64) -> (i64, i64) {
    if along <= width {
        return (along, 0);
    }
    if along <= width + height {
        return (width, along - width);
    }
    if along <= 2 * width + height {
        return (2 * width + height - along, height);
    }
    (0, 2 * (width + height) - along)
}
