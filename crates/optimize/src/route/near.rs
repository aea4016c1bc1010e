//! What is near what: the order of stops in memory, and the stops that a job is looked at beside.

use super::Problem;
use super::model::{Node, Square};

/// How many of the nearest stops a job is looked at behind, and as many before.
///
/// Weighing the wait between two stops into this, as hybrid genetic searches do, was tried: on R2_10_1 a weight of
/// 0.2 made tours 1 % longer and a weight of 1 some 8 %.
const N_BESIDE: usize = 24;

/// A stop that another one may come right before or behind, and the way between them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Beside {
    pub(super) stop: u32,
    pub(super) leg: i32,
    pub(super) ride: i32,
}

/// The nearest stops that one can come from, and those that one can go on to, in time if no other stop counts.
#[derive(Debug, Clone, Default)]
pub(super) struct Besides {
    pub(super) before: Vec<Beside>,
    pub(super) after: Vec<Beside>,
}

impl Besides {
    pub(super) fn of(nodes: &[Node], distance: &Square, duration: &Square, node: u32) -> Self {
        let leg = |from: u32, to: u32| {
            let ride = duration.get(from, to);
            let earliest = nodes[from as usize].open + nodes[from as usize].service + ride;
            (earliest <= nodes[to as usize].close).then(|| (distance.get(from, to), ride))
        };
        let nearest = |way: &dyn Fn(u32) -> Option<(i32, i32)>| {
            let others = (0..nodes.len() as u32).filter(|&other| other != node);
            let beside = |stop| way(stop).map(|(leg, ride)| Beside { stop, leg, ride });
            let mut list: Vec<Beside> = others.filter_map(beside).collect();
            list.sort_by_key(|beside| beside.leg);
            list.truncate(N_BESIDE);
            list
        };
        Self {
            before: nearest(&|other| leg(other, node)),
            after: nearest(&|other| leg(node, other)),
        }
    }
}

/// For every stop all stops, nearest first.
pub(super) fn near(distance: &Square, n_stops: usize) -> Vec<Vec<u32>> {
    let sorted = |node: u32| {
        let row = distance.from(node);
        let mut near: Vec<u32> = (0..n_stops as u32).collect();
        near.sort_by_key(|&other| (other != node, row[other as usize]));
        near
    };
    (0..n_stops as u32).map(sorted).collect()
}

/// Jobs in an order in which neighbors are near each other, so that what is looked at together is together in memory:
/// with 1,000 stops that makes half as many steps again.
pub(super) fn chain(problem: &Problem) -> Vec<usize> {
    let place = |job: usize| problem.jobs[job].task.stops()[0].place;
    let mut left: Vec<usize> = (0..problem.jobs.len()).collect();
    let mut order = Vec::with_capacity(left.len());
    let mut next = 0;
    while !left.is_empty() {
        let job = left.swap_remove(next);
        order.push(job);
        let away = |other: usize| problem.distance.get(place(job), place(other));
        next = (0..left.len()).min_by_key(|&idx| away(left[idx])).unwrap_or(0);
    }
    order
}
