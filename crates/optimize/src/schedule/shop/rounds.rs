//! Several threads that give the same plan every time: they search by themselves, and share what they found only
//! after rounds of a fixed number of moves.

use std::cell::Cell;

use super::ShopPlan;
use super::graph::{Graph, Layout};
use super::pool::Pool;
use super::race::{PATIENCE, Race, start};
use super::tabu::{Tabu, Watch};
use crate::Stop;
use crate::random::Random;

/// Moves of one thread in a round.
const ROUND: u64 = 50_000;

/// Searches until the moves of all threads are used up, the bound is met, or the caller ends it.
pub(super) fn in_rounds(race: &Race<'_>, graph: &Graph<'_>, n_threads: usize) -> ShopPlan {
    let share = race.control.max_iterations / n_threads as u64;
    let mut seekers: Vec<Seeker<'_>> = (0..n_threads as u64)
        .map(|thread| Seeker::new(race.control.seed.wrapping_add(thread * 0x9e37), graph, share))
        .collect();
    let mut pool = Pool::default();
    let mut best = graph.layout();
    while best.makespan > race.bound() && seekers.iter().any(|seeker| seeker.left > 0) {
        std::thread::scope(|scope| {
            for seeker in &mut seekers {
                seeker.pool = pool.clone();
                scope.spawn(move || seeker.round(race));
            }
        });
        for found in seekers.iter_mut().flat_map(|seeker| seeker.found.drain(..)) {
            if found.makespan < best.makespan {
                best.clone_from(&found);
            }
            pool.offer(found);
        }
        if race.tell(0).is_some() {
            break;
        }
    }
    race.end(if best.makespan <= race.bound() { Stop::Optimal } else { Stop::Iterations });
    race.plan_of(&best)
}

/// One thread with its own memory.
struct Seeker<'a> {
    tabu: Tabu<'a>,
    random: Random,
    pool: Pool,
    /// Plans of this round.
    found: Vec<Layout>,
    /// Moves left in all rounds.
    left: u64,
}

impl<'a> Seeker<'a> {
    fn new(seed: u64, graph: &Graph<'a>, left: u64) -> Self {
        Self {
            tabu: Tabu::new(graph.clone()),
            random: Random::new(seed),
            pool: Pool::default(),
            found: Vec::new(),
            left,
        }
    }

    fn round(&mut self, race: &Race<'_>) {
        let turn = Turn { race, left: Cell::new(self.left.min(ROUND)) };
        let before = turn.left.get();
        while turn.left.get() > 0 && race.tell(0).is_none() {
            let between = self.pool.pair(&mut self.random);
            let between = between.map(|(from, to)| (from.clone(), to.clone()));
            let start = start(race.shop, between, &mut self.random);
            let found = self.tabu.run(&start, (PATIENCE, race.bound()), &mut self.random, &turn);
            race.offer(&found);
            self.pool.offer(found.clone());
            let is_optimal = found.makespan <= race.bound();
            self.found.push(found);
            if is_optimal {
                break;
            }
        }
        self.left -= before - turn.left.get();
    }
}

/// The moves that a thread may still make in this round.
struct Turn<'a> {
    race: &'a Race<'a>,
    left: Cell<u64>,
}

impl Watch for Turn<'_> {
    fn goes_on(&self, n_moves: u64) -> bool {
        self.left.set(self.left.get().saturating_sub(n_moves));
        self.race.tell(n_moves).is_none() && self.left.get() > 0
    }
}
