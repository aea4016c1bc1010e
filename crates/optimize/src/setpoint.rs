//! Which set-points to try next, which to run, and how far a batch is from the best ones.
//!
//! ```text
//! Study: ask ──► set-points to try ──► plant ──► tell        few experiments, limits on what comes out
//! History: rows of the historian ──► propose                 no experiment, never beyond what was seen
//! Golden: the best batches ──► band ──► deviation            a running batch against them
//! ```
//!
//! Study and history put a Gaussian process over objective and limited outcomes. Engineering limits and the largest
//! step hold always; a safe study also keeps away from every limit by three standard deviations or more. The process is our own
//! 200 lines: the crate that does this in Rust brings a command line, a signal handler and 270 crates.

mod acquisition;
mod advice;
mod gaussian;
mod golden;
mod history;
mod region;
mod search;
mod study;

pub use golden::{Batch, Deviation, Golden};
pub use history::{History, Proposal};
pub use study::{Mode, Study, Trial};

/// A set-point that may be moved.
#[derive(Debug, Clone, PartialEq)]
pub struct Knob {
    /// Its name in the plant.
    pub name: String,
    /// Lowest value by engineering.
    pub low: f64,
    /// Highest value by engineering.
    pub high: f64,
    /// Largest change from one trial to the next; `None` for any.
    pub max_step: Option<f64>,
}

impl Knob {
    /// A knob that may jump.
    pub fn new(name: &str, low: f64, high: f64) -> Self {
        Self { name: name.to_owned(), low, high, max_step: None }
    }

    /// Moves that the largest step makes of the way from `now` to `then`; 1 where it may jump.
    fn n_moves(&self, now: f64, then: f64) -> f64 {
        // A step that is met by rounding alone is no second one.
        self.max_step.map_or(1.0, |step| ((then - now).abs() / step - 1e-9).ceil().max(1.0))
    }

    fn scaled(&self, value: f64) -> f64 {
        (value - self.low) / (self.high - self.low)
    }

    fn value(&self, scaled: f64) -> f64 {
        (self.low + scaled * (self.high - self.low)).clamp(self.low, self.high)
    }
}

/// An outcome that must not be above a value.
#[derive(Debug, Clone, PartialEq)]
pub struct Limit {
    /// Its name in the plant.
    pub name: String,
    /// Largest value allowed.
    pub most: f64,
}

/// Inputs that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// There is nothing to move.
    #[error("no set-point may be moved; name at least one with its limits")]
    NoKnob,
    /// A range is empty or not finite.
    #[error("{name} has the range {low} to {high}; give finite limits, the lower first")]
    Range {
        /// Name of the set-point.
        name: String,
        /// Lower end.
        low: f64,
        /// Upper end.
        high: f64,
    },
    /// A largest step that allows no move.
    #[error("the largest step of {name} is {step}; give one above 0, or none")]
    Step {
        /// Name of the set-point.
        name: String,
        /// Its largest step.
        step: f64,
    },
    /// A row has not as many values as needed, or one that is not finite.
    #[error("{what} needs {expected} finite values; complete the row or leave it out")]
    Row {
        /// "settings", "outcomes", "signals".
        what: &'static str,
        /// How many there should be.
        expected: usize,
    },
    /// A safe study must begin at a point that is known to be safe.
    #[error(
        "a safe study needs a first trial within all limits; tell the point at which the plant runs now"
    )]
    NoSafePoint,
    /// Too few rows.
    #[error("{n} rows are too few for {what}; give at least {needed}")]
    TooFew {
        /// What was to be made.
        what: &'static str,
        /// Rows given.
        n: usize,
        /// Rows needed.
        needed: usize,
    },
}

/// Values beyond are no readings; their squares would run out of numbers.
const MOST: f64 = 1e100;

fn check_knobs(knobs: &[Knob]) -> Result<(), Error> {
    if knobs.is_empty() {
        return Err(Error::NoKnob);
    }
    for knob in knobs {
        if !(knob.low < knob.high && (knob.high - knob.low).is_finite()) {
            return Err(Error::Range { name: knob.name.clone(), low: knob.low, high: knob.high });
        }
        if let Some(step) = knob.max_step.filter(|step| step.is_nan() || *step <= 0.0) {
            return Err(Error::Step { name: knob.name.clone(), step });
        }
    }
    Ok(())
}

fn check_row(what: &'static str, row: &[f64], expected: usize) -> Result<(), Error> {
    if row.len() == expected && row.iter().all(|value| value.abs() < MOST) {
        return Ok(());
    }
    Err(Error::Row { what, expected })
}

#[cfg(test)]
mod tests;
