//! Whether a process stays as it was, fits its tolerance, and which parts will fail.
//!
//! ```text
//! measured values ──RuleChart, Ewma, Cusum──► signals      (one quantity)
//!                 ──T2Chart, Mewma──────────► signals      (several together)
//!                 ──capability──────────────► Cp, Cpk, Pp, Ppk with intervals
//! gauge study     ──gauge_study─────────────► how much of the spread is the gauge's
//! part records    ──predict::train──────────► probability of a defect, and where to stop the line
//! ```
//!
//! Charts take standardized values, `(x − center) / sigma`, one by one, in constant memory and without
//! allocating; they can be saved between two values. How often a chart cries for nothing, and how fast it sees a
//! shift, is [`average_run_length`]. All of this supposes independent values: a chart over an autocorrelated
//! signal alarms far more often, so chart the residuals of a model of it instead.

mod arl;
mod capability;
mod gauge;
mod multivariate;
pub mod predict;
mod rules;
mod smooth;

pub use arl::{Arl, Chart, average_run_length};
pub use capability::{Capability, Index, Tolerance, capability};
pub use gauge::{GaugeStudy, Source, gauge_study};
pub use multivariate::{Mewma, Normal, T2Chart};
pub use rules::{Rule, RuleChart, Rules};
pub use smooth::{Cusum, Ewma};

/// Why a quality figure cannot be computed.
#[derive(Debug, thiserror::Error, PartialEq)]
pub enum Error {
    /// Too few values to say anything.
    #[error("{found} {what} are too few, {needed} are needed")]
    TooFew {
        /// What is counted.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many there must be.
        needed: usize,
    },
    /// Values that never differ have no spread to compare with.
    #[error("{0} never changes")]
    Constant(&'static str),
    /// A value that must be finite, or a list that must be as long as another.
    #[error("{0}")]
    BadInput(&'static str),
}

#[cfg(test)]
#[path = "quality/tests.rs"]
mod tests;
