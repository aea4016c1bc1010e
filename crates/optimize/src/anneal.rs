//! What every annealing search shares: threads, the pace of cooling, and one curve for the caller who watches.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use crate::random::Random;
use crate::{Control, Progress, Stop};

/// Steps between two looks at the clock and the caller.
pub(crate) const ASK_EVERY: u64 = 64;

/// Runs one search per thread of `control`; gives what they found, by thread.
pub(crate) fn on_threads<T: Send>(control: &Control<'_>, run: impl Fn(u64) -> T + Sync) -> Vec<T> {
    let run = &run;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (1..control.n_threads() as u64)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        let mut found = vec![run(0)];
        for thread in threads {
            found.push(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        }
        found
    })
}

/// The curve of all threads together: what the caller sees of it never gets worse.
pub(crate) struct Curve<'a> {
    control: &'a Control<'a>,
    bound: f64,
    started: Instant,
    /// The best so far of any thread, and the iterations of all.
    seen: Mutex<(f64, u64)>,
    is_ended: AtomicBool,
}

impl<'a> Curve<'a> {
    /// `bound`: no solution is better, in the unit of what [`Pace::goes_on`] is told.
    pub(crate) fn new(control: &'a Control<'a>, bound: f64) -> Self {
        Self {
            control,
            bound,
            started: Instant::now(),
            seen: Mutex::new((f64::INFINITY, 0)),
            is_ended: AtomicBool::new(false),
        }
    }

    /// Notes the best of one thread and asks the caller, one thread at a time.
    pub(crate) fn ask(&self, best: f64, n_new: u64) -> Option<Stop> {
        let mut seen = self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *seen = (seen.0.min(best), seen.1 + n_new);
        let now = Progress { best: seen.0, n_iterations: seen.1, bound: self.bound };
        self.control.interruption(now)
    }
}

/// The pace of one thread: its random numbers, its iterations, and when it must end.
pub(crate) struct Pace<'a> {
    pub(crate) random: Random,
    pub(crate) n_iterations: u64,
    n_told: u64,
    curve: &'a Curve<'a>,
    stop: Option<Stop>,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(curve: &'a Curve<'a>, thread: u64) -> Self {
        let seed = curve.control.seed.wrapping_add(thread.wrapping_mul(0x9e37));
        Self { random: Random::new(seed), n_iterations: 0, n_told: 0, curve, stop: None }
    }

    /// How much of the time, of the iterations or of the caller's budget is over, 0 to 1; whichever is further.
    pub(crate) fn share_done(&self) -> f64 {
        let control = self.curve.control;
        let by_count = self.n_iterations as f64 / control.max_iterations.max(1) as f64;
        let by_time = control.deadline.map_or(0.0, |deadline| {
            let total = deadline.saturating_duration_since(self.curve.started).as_secs_f64();
            self.curve.started.elapsed().as_secs_f64() / total.max(1e-9)
        });
        let by_budget = control.budget.map_or(0.0, |used| used());
        by_count.max(by_time).max(by_budget).min(1.0)
    }

    /// A temperature between two, if it is time for a new one: it falls by as large a share in every share of time.
    pub(crate) fn temperature(&self, (hot, cold): (f64, f64)) -> Option<f64> {
        let is_time = self.n_iterations.is_multiple_of(ASK_EVERY);
        is_time.then(|| hot * (cold / hot.max(f64::MIN_POSITIVE)).powf(self.share_done()))
    }

    /// Whether this thread goes on; `best` is its own best, infinite while it has none that is feasible.
    pub(crate) fn goes_on(&mut self, best: f64) -> bool {
        if self.stop.is_some() {
            return false;
        }
        let (curve, control) = (self.curve, self.curve.control);
        if self.n_iterations >= control.max_iterations {
            self.tell(best);
            self.stop = Some(Stop::Iterations);
        } else if self.n_iterations.is_multiple_of(ASK_EVERY) {
            if best <= curve.bound {
                self.tell(best);
                self.stop = Some(Stop::Optimal);
            } else if let Some(stop) = self.tell(best) {
                // What ends one thread ends all. Its own optimum or count does not: that would be a matter of luck.
                curve.is_ended.store(true, Ordering::Release);
                self.stop = Some(stop);
            } else if curve.is_ended.load(Ordering::Acquire) {
                self.stop = Some(Stop::Deadline);
            }
        }
        self.stop.is_none()
    }

    pub(crate) fn stop(&self) -> Stop {
        self.stop.unwrap_or(Stop::Iterations)
    }

    fn tell(&mut self, best: f64) -> Option<Stop> {
        let n_new = self.n_iterations - self.n_told;
        self.n_told = self.n_iterations;
        self.curve.ask(best, n_new)
    }
}
