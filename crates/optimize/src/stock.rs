//! What to keep in stock, when to order and how much.
//!
//! ```text
//! steady demand      ──► lot: economic quantities, Wagner-Whitin
//! random demand      ──► newsvendor, reorder (r, Q), min_max (s, S)
//! several stages     ──► serial (echelon base stock), tree (guaranteed service)
//! intermittent parts ──► intermittent: demand as a distribution over whole pieces
//! failing machines   ──► spares: from remaining useful life to an order
//! any of them        ──► recommend: what is done now → what costs least
//! ```
//!
//! Costs are per unit and per the same unit of time as the demand; lead times are in that unit of time. The
//! notation is that of Snyder & Shen, "Fundamentals of Supply Chain Theory", 2nd edition (2019), whose examples are
//! the oracle of the tests.

mod demand;
pub mod intermittent;
pub mod lot;
pub mod min_max;
pub mod newsvendor;
mod pmf;
pub mod recommend;
pub mod reorder;
pub mod serial;
pub mod spares;
pub mod tree;

pub use demand::Demand;
pub use pmf::Pmf;

/// An input that cannot be.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
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
    /// A stage of a network names a stage that is not there, or the network is no tree.
    #[error("stage {stage} {problem}")]
    Network {
        /// Name of the stage.
        stage: String,
        /// What is wrong and what to do.
        problem: &'static str,
    },
}

/// `value` if it is finite and above zero.
fn positive(what: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(value);
    }
    Err(Error::Number { what, value, must_be: "finite and above 0" })
}

/// `value` if it is finite and not negative.
fn not_negative(what: &'static str, value: f64) -> Result<f64, Error> {
    if value.is_finite() && value >= 0.0 {
        return Ok(value);
    }
    Err(Error::Number { what, value, must_be: "finite and not negative" })
}

/// A stock level, unless shortage is so dear that none is enough.
fn finite_level(level: f64, shortage_cost: f64) -> Result<f64, Error> {
    if level.is_finite() && level.abs() < 1e15 {
        return Ok(level);
    }
    let must_be = "so that a stock of finite size pays; compare it with the holding cost";
    Err(Error::Number { what: "shortage cost", value: shortage_cost, must_be })
}

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;
