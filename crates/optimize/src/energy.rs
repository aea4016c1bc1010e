//! What energy should have been used, where it is wasted, and when to draw it.
//!
//! ```text
//! energy + weather + production ──► baseline, week  ──► expected energy, savings with an interval
//! states, flows, power factors  ──► waste, recommend ──► money lost, and what to do
//! tariff + battery + loads      ──► dispatch        ──► a plan of least cost, re-planned as time goes on
//! ```

pub mod baseline;
pub mod dispatch;
mod quality;
pub mod recommend;
mod regression;
pub mod waste;
pub mod week;

pub use quality::{Limits, Quality, Savings, recommend_savings, savings};

/// Inputs that cannot be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few rows are left after those with missing values.
    #[error("{n} usable rows are too few for {what}; give at least {needed}")]
    TooFew {
        /// What was to be fitted.
        what: &'static str,
        /// Rows without missing values.
        n: usize,
        /// Rows needed.
        needed: usize,
    },
    /// Two columns are not of the same length.
    #[error("{what} has {n} values where there are {expected}; give one for each")]
    Length {
        /// Which column.
        what: &'static str,
        /// Its length.
        n: usize,
        /// The length of the others.
        expected: usize,
    },
    /// A number is out of its range.
    #[error("{what} is {value}, but must be {must_be}; correct it")]
    Number {
        /// Which.
        what: &'static str,
        /// Its value.
        value: f64,
        /// What it must be, in words.
        must_be: &'static str,
    },
    /// No plan meets all conditions.
    #[error("no plan is possible: {conflict}")]
    Infeasible {
        /// The conditions that cannot hold together.
        conflict: String,
    },
    /// The solver gave up.
    #[error("the plan could not be computed: {0}; shorten the horizon or raise the time limit")]
    Solver(String),
}

#[cfg(test)]
mod tests;
