//! Pickup and delivery on the way out and on the way back, by drivers with skills, without a minute to spare.
//!
//! Tours drive to the end of every line and back, which is the least distance and what the plan drives: it loads and
//! unloads as it passes. Each driver alone has the skill for one line and just the time for it.

use optimize::route::{Job, Task, Vehicle};

use super::{Draft, Lines, Planted, delivery, shares, stop, van};
use crate::random::Random;

const PAIRS_PER_LINE: usize = 5;
const CAPACITY: i64 = 2;
const SERVICE: i64 = 3;

pub(super) fn plant(n_jobs: usize, random: &mut Random) -> Planted {
    let (mut draft, mut lines) = (Draft::new(), Lines::new());
    let mut least = 0;
    for (line, n_pairs) in shares(n_jobs, (n_jobs / PAIRS_PER_LINE).max(1)).into_iter().enumerate()
    {
        let length = random.whole(100, 300);
        least += 2 * length;
        let ways = ways(n_pairs, length, random);
        let skill = format!("line {line}");
        let jobs: Vec<usize> = (0..n_pairs)
            .map(|pair| {
                let mut at = |second: usize| {
                    let known = ways.iter().find(|it| it.0 == (pair, second)).map_or(0, |it| it.1);
                    // What is past the end is on the way back.
                    stop(lines.place(line, length - (known - length).abs()), SERVICE)
                };
                let task = Task::Shipment(at(0), at(1));
                draft.job(Job { task, skills: vec![skill.clone()], ..delivery(0, 1) })
            })
            .collect();
        let route: Vec<(usize, usize)> =
            ways.iter().map(|&((pair, second), _)| (jobs[pair], second)).collect();
        let shift = (0, 2 * length + SERVICE * route.len() as i64);
        draft.drive(Vehicle { shift, skills: vec![skill], ..van(CAPACITY) }, route);
    }
    let matrix = lines.matrix();
    draft.finish(matrix, random, least as f64)
}

/// Both stops of every pair in the order in which they are made, with how far the vehicle has come by then; one of them
/// is at the end of the line.
fn ways(n_pairs: usize, length: i64, random: &mut Random) -> Vec<((usize, usize), i64)> {
    let mut along: Vec<i64> = (1..2 * n_pairs).map(|_| random.whole(1, 2 * length - 1)).collect();
    along.push(length);
    along.sort_unstable();
    let (mut next, mut on_board, mut ways) = (0, Vec::new(), Vec::new());
    for along in along {
        let is_full = on_board.len() as i64 == CAPACITY || next == n_pairs;
        if is_full || (!on_board.is_empty() && random.below(2) == 0) {
            ways.push(((on_board.swap_remove(random.below(on_board.len())), 1), along));
        } else {
            on_board.push(next);
            ways.push(((next, 0), along));
            next += 1;
        }
    }
    ways
}
