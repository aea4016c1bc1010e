//! Remaining useful life: how long a machine runs on, how sure that is, and why.
//!
//! ```text
//! record since start of life ──conditions──► deviations ──History──► features ──bag of forests──► RUL
//!                                                                        └──spread forests──► interval, survival
//! ```
//!
//! The features compare a machine with itself: its own first rows, its whole trend since the start, its age, not
//! only a short window. That is worth more than the kind of model, and it is also the condition: the record must
//! reach back to the start of life or the last overhaul. Everything is causal: features after row t use rows up
//! to t, and [`Tracker`] computes them row by row with the same code that training uses.
//!
//! Labels are capped ([`Params::cap`]): a healthy machine's remaining life cannot be read off its sensors, so the
//! model says "at least so long" there. Intervals are conformal: residuals of machines that a forest had not
//! seen, divided by their expected size (Lei et al. (2018), "Distribution-free predictive inference for
//! regression", sec. 5.2, with folds as in CV+, Barber et al. (2021)). Where fewer than
//! [`MIN_FAILURES`] failures are known, [`HealthIndex`] extrapolates a trend instead. Start reading at [`train`].

mod conditions;
mod features;
mod health;
mod interval;
mod model;
mod save;
mod wear;

pub use health::{HealthIndex, Outlook};
pub use model::{Estimate, LearningTable, Model, Tracker, learning_table, train};

/// Failures that a learnt model needs; below it [`HealthIndex`] is all there is.
pub const MIN_FAILURES: usize = 10;

/// One machine from its (re)start of life on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Run {
    /// What is asked of the machine (load, speed, altitude, recipe): k columns of n values in time order, NaN is
    /// missing. May be empty.
    pub settings: Vec<Vec<f64>>,
    /// What it answers: d columns of n values.
    pub sensors: Vec<Vec<f64>>,
    /// The machine failed right after the last row; otherwise it still runs, and only rows at least
    /// [`Params::cap`] before the last have a known (capped) remaining life.
    pub has_failed: bool,
}

impl Run {
    /// Rows of the record, in operating cycles.
    pub fn n_rows(&self) -> usize {
        self.sensors.first().map_or(0, Vec::len)
    }

    /// The first `n_rows` rows, as of a machine that still runs.
    pub fn truncated(&self, n_rows: usize) -> Run {
        let cut = |columns: &[Vec<f64>]| -> Vec<Vec<f64>> {
            columns.iter().map(|column| column[..n_rows.min(column.len())].to_vec()).collect()
        };
        let has_failed = self.has_failed && n_rows >= self.n_rows();
        Run { settings: cut(&self.settings), sensors: cut(&self.sensors), has_failed }
    }
}

/// How far back features may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Lookback {
    /// To the start of life.
    Whole,
    /// Over so many rows at most, for machines whose start of life nobody recorded.
    Rows(usize),
}

/// How a model learns.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// Longest remaining life that is told apart, in rows.
    pub cap: f64,
    /// How far back features look.
    pub lookback: Lookback,
    /// Forests of the bag; each leaves out one fold of the machines. At least 2.
    pub n_folds: usize,
    /// Trees of each forest of the bag.
    pub n_trees: usize,
    /// Share of the machines' labels that an interval shall hold, between 0 and 1.
    pub coverage: f64,
    /// Seed of folds, samples and clusters.
    pub seed: u64,
    /// Threads to train with; they change the time, never the result.
    pub n_threads: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            cap: 125.0,
            lookback: Lookback::Whole,
            n_folds: 5,
            n_trees: 250,
            coverage: 0.9,
            seed: 1,
            n_threads: 1,
        }
    }
}

/// Why a model cannot be trained or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too few failures to learn from; [`HealthIndex`] needs none.
    #[error(
        "{found} failures are known, {MIN_FAILURES} are needed; use the health index until then"
    )]
    TooFewFailures {
        /// How many there are.
        found: usize,
    },
    /// A record that does not fit the first one.
    #[error("{what} of machine {machine_idx} has {found} instead of {expected}")]
    Ragged {
        /// What differs: `settings`, `sensors`, or a column.
        what: &'static str,
        /// Which record.
        machine_idx: usize,
        /// Its columns or rows.
        found: usize,
        /// Those of the first record or column.
        expected: usize,
    },
    /// No sensor changes in any operating condition.
    #[error("no sensor ever changes: nothing can be learnt from these records")]
    NothingChanges,
    /// A parameter out of its range.
    #[error("parameter {name} is out of its range")]
    BadParameter {
        /// The field of [`Params`].
        name: &'static str,
    },
    /// The forests could not be trained or read.
    #[error("cannot train or read a forest of the bag")]
    Trees(#[from] crate::trees::Error),
    /// The text is not a model of a version known here.
    #[error("cannot read the model")]
    Json(#[from] serde_json::Error),
    /// The text is JSON, but not a model.
    #[error("the model is damaged: {0}")]
    Damaged(&'static str),
}

/// Checks that all records have the same columns and that each is rectangular.
fn check_runs(runs: &[Run]) -> Result<(), Error> {
    let Some(first) = runs.first() else { return Ok(()) };
    for (machine_idx, run) in runs.iter().enumerate() {
        let ragged = |what, found: usize, expected: usize| {
            if found == expected {
                return Ok(());
            }
            Err(Error::Ragged { what, machine_idx, found, expected })
        };
        ragged("number of settings", run.settings.len(), first.settings.len())?;
        ragged("number of sensors", run.sensors.len(), first.sensors.len())?;
        for column in run.settings.iter().chain(&run.sensors) {
            ragged("a column", column.len(), run.n_rows())?;
        }
    }
    Ok(())
}

#[cfg(test)]
#[path = "rul/tests.rs"]
mod tests;
