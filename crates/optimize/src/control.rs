//! How long a search may run, and how its caller watches and ends it.

use std::time::{Duration, Instant};

/// What a running search tells its caller.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Progress {
    /// Iterations so far.
    pub n_iterations: u64,
    /// Objective of the best feasible solution so far, in the search's own unit; smaller is better.
    pub best: f64,
    /// No solution can be better than this; negative infinity while nothing is known.
    pub bound: f64,
}

/// Why a search ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The bound met the best solution.
    Optimal,
    /// The deadline passed, or the caller's budget is used up.
    Deadline,
    /// The iteration limit was reached.
    Iterations,
    /// The caller's callback answered false.
    Canceled,
}

/// Limits and callback of one search.
///
/// With a seed and an iteration limit but no deadline a search gives the same answer every time. With a deadline
/// it gives the best that it has by then.
pub struct Control<'a> {
    /// Seed of every random choice.
    pub seed: u64,
    /// Iterations at most.
    pub max_iterations: u64,
    /// When the search must answer.
    pub deadline: Option<Instant>,
    /// Threads at most, from 1 to 256. 1 is deterministic everywhere.
    pub n_threads: usize,
    /// Share of a budget of the caller's own that is used up, such as processor time: at 1 the search ends as at its
    /// deadline. Asked on the thread that searches.
    pub budget: Option<&'a (dyn Fn() -> f64 + Sync)>,
    /// Called now and then; false ends the search with what it has.
    pub watch: &'a (dyn Fn(Progress) -> bool + Sync),
}

impl Control<'static> {
    /// A search bounded by iterations alone, on one thread.
    pub fn iterations(seed: u64, max_iterations: u64) -> Self {
        Self { seed, max_iterations, deadline: None, n_threads: 1, budget: None, watch: &|_| true }
    }

    /// A search bounded by time alone; not at all by a limit beyond what the clock can tell.
    pub fn time(seed: u64, limit: Duration, n_threads: usize) -> Self {
        let deadline = Instant::now().checked_add(limit);
        Self { seed, max_iterations: u64::MAX, deadline, n_threads, budget: None, watch: &|_| true }
    }
}

impl Control<'_> {
    /// Threads to start, the caller's own among them.
    pub(crate) fn n_threads(&self) -> usize {
        self.n_threads.clamp(1, 256)
    }

    /// Whether something else than the number of iterations and the callback ends the search.
    pub(crate) fn has_clock(&self) -> bool {
        self.deadline.is_some() || self.budget.is_some()
    }

    /// Why the search must end now for a reason from outside: the clock, the budget or the caller.
    pub(crate) fn interruption(&self, now: Progress) -> Option<Stop> {
        let is_late = self.deadline.is_some_and(|deadline| Instant::now() >= deadline);
        if is_late || self.budget.is_some_and(|used| used() >= 1.0) {
            return Some(Stop::Deadline);
        }
        (!(self.watch)(now)).then_some(Stop::Canceled)
    }

    /// Why the search must end now, if it must.
    pub fn stop(&self, now: Progress) -> Option<Stop> {
        if now.best <= now.bound {
            return Some(Stop::Optimal);
        }
        if now.n_iterations >= self.max_iterations {
            return Some(Stop::Iterations);
        }
        self.interruption(now)
    }
}
