//! Tabu search from one plan: the best move that is not forbidden, again and again.

use super::graph::{Graph, Layout};
use super::moves::Move;
use crate::random::Random;

/// A tabu search with its memory.
pub(super) struct Tabu<'a> {
    pub(super) graph: Graph<'a>,
    /// Until when an operation must not come before the operations of a job on its machine.
    order_until: Vec<u64>,
    /// Until when an operation must not take a choice, by index of the choice in the shop.
    choice_until: Vec<u64>,
    job_of: Vec<u32>,
    now: u64,
    path: Vec<u32>,
    moves: Vec<Move>,
    held: Vec<(i32, u32)>,
}

/// What a run may ask its owner between moves.
pub(super) trait Watch {
    /// Called with the moves since the last call, at least every [`ASK_EVERY`]; false ends the run.
    fn goes_on(&self, n_moves: u64) -> bool;
}

/// Moves between two calls of [`Watch::goes_on`].
pub(super) const ASK_EVERY: u64 = 256;

impl<'a> Tabu<'a> {
    pub(super) fn new(graph: Graph<'a>) -> Self {
        let shop = graph.shop;
        let job_of =
            (0..shop.n_jobs()).flat_map(|job| shop.operations(job).map(move |_| job as u32));
        Self {
            order_until: vec![0; shop.n_operations() * shop.n_jobs()],
            choice_until: vec![0; shop.choices.len()],
            job_of: job_of.collect(),
            now: 0,
            path: Vec::new(),
            moves: Vec::new(),
            held: Vec::new(),
            graph,
        }
    }

    /// Searches from a plan until `patience` moves in a row brought nothing better, the makespan is at most `goal`,
    /// or `watch` ends it. Gives the best plan seen.
    pub(super) fn run(
        &mut self,
        (choice, order): &(Vec<u32>, Vec<u32>),
        (patience, goal): (u64, i32),
        random: &mut Random,
        watch: &impl Watch,
    ) -> Layout {
        self.graph.load(choice, order);
        // What is forbidden from an earlier run is long past.
        self.now += 1_000_000;
        let mut best = self.graph.layout();
        let mut best_at = self.now;
        let mut unasked = 0;
        while self.now - best_at < patience && best.makespan > goal {
            if !self.step(best.makespan, random) {
                break;
            }
            if self.graph.makespan < best.makespan {
                best = self.graph.layout();
                best_at = self.now;
            }
            unasked += 1;
            if unasked == ASK_EVERY {
                unasked = 0;
                if !watch.goes_on(ASK_EVERY) {
                    break;
                }
            }
        }
        // A run counts even if it could not move at all, or a race without moves would never end.
        watch.goes_on(unasked + 1);
        best
    }

    /// Makes one move; false where there is none.
    fn step(&mut self, best: i32, random: &mut Random) -> bool {
        self.now += 1;
        self.graph.critical_path(random, &mut self.path);
        self.graph.moves(&self.path, &mut self.moves);
        if self.moves.is_empty() {
            return false;
        }
        let change = self.choose(best, random);
        self.forbid_return(change, random);
        self.graph.apply(change);
        true
    }

    /// The move with the least estimate among those allowed; any move where none is.
    fn choose(&mut self, best: i32, random: &mut Random) -> Move {
        let mut chosen = None;
        let mut least = i32::MAX - 1;
        let mut n_equal = 0;
        for &change in &self.moves {
            // A forbidden move is worth a look only if it may lead to a new best.
            let limit = if self.is_forbidden(change) { least.min(best - 1) } else { least };
            let estimate = self.graph.estimate(change, limit, &mut self.held);
            if estimate > limit {
                continue;
            }
            n_equal = if estimate < least { 1 } else { n_equal + 1 };
            if n_equal == 1 || random.below(n_equal) == 0 {
                (least, chosen) = (estimate, Some(change));
            }
        }
        chosen.unwrap_or_else(|| self.moves[random.below(self.moves.len())])
    }

    fn order_slot(&self, op: u32, other: u32) -> usize {
        op as usize * self.graph.shop.n_jobs() + self.job_of[other as usize] as usize
    }

    fn is_forbidden(&self, change: Move) -> bool {
        let graph = &self.graph;
        match change {
            Move::Behind { op, last } => {
                let mut at = last;
                while at != op {
                    if self.order_until[self.order_slot(at, op)] > self.now {
                        return true;
                    }
                    at = graph.node(at).before;
                }
                false
            }
            Move::Before { op, first } => {
                let mut at = first;
                while at != op {
                    if self.order_until[self.order_slot(op, at)] > self.now {
                        return true;
                    }
                    at = graph.node(at).after;
                }
                false
            }
            Move::Reassign { op, choice, .. } => {
                self.choice_until[graph.shop.choices_from[op as usize] + choice as usize] > self.now
            }
        }
    }

    /// Forbids for a while what would undo a move.
    fn forbid_return(&mut self, change: Move, random: &mut Random) {
        let until = self.now + self.tenure(random);
        match change {
            Move::Behind { op, last } => {
                let mut at = last;
                while at != op {
                    let slot = self.order_slot(op, at);
                    self.order_until[slot] = until;
                    at = self.graph.node(at).before;
                }
            }
            Move::Before { op, first } => {
                let mut at = first;
                while at != op {
                    let slot = self.order_slot(at, op);
                    self.order_until[slot] = until;
                    at = self.graph.node(at).after;
                }
            }
            Move::Reassign { op, .. } => {
                let from = self.graph.shop.choices_from[op as usize];
                self.choice_until[from + self.graph.choice[op as usize] as usize] = until;
            }
        }
    }

    /// Length of the tabu list after Zhang, Li, Rao & Guan (2008): 10 + n/m, and up to 1.4 or 1.5 times that.
    fn tenure(&self, random: &mut Random) -> u64 {
        let (n_jobs, n_machines) = (self.graph.shop.n_jobs(), self.graph.shop.n_machines());
        let least = 10 + n_jobs / n_machines.max(1);
        let spread = if n_jobs <= 2 * n_machines { 0.4 } else { 0.5 };
        (least + random.below(1 + (spread * least as f64) as usize)) as u64
    }
}
