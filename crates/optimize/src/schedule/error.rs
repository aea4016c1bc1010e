//! What can be wrong with a problem as it was given.

use thiserror::Error;

use crate::range::RangeError;

/// What is malformed in a problem.
#[derive(Debug, Error, PartialEq)]
pub enum ProblemError {
    /// A machine that is not there.
    #[error("{order}, {operation}: there is no machine {machine}; there are {n_machines}")]
    Machine {
        /// Name of the order.
        order: String,
        /// Name of the operation.
        operation: String,
        /// The index given.
        machine: usize,
        /// How many there are.
        n_machines: usize,
    },
    /// A number that makes no sense.
    #[error(transparent)]
    Value(#[from] RangeError),
    /// A set-up table that lacks a family.
    #[error("{machine}: its set-ups lack family {family}; give a square table with all families")]
    Family {
        /// Name of the machine.
        machine: String,
        /// The family that is missing.
        family: usize,
    },
    /// A frozen operation that is not one of the first of its order.
    #[error(
        "order {order}: operation {operation} is frozen, and one before it is not or does not exist"
    )]
    Frozen {
        /// Index of the order.
        order: usize,
        /// Index of the operation.
        operation: usize,
    },
    /// An operation of the plan in force that does not exist.
    #[error(
        "the plan in force has an operation {operation} of order {order}, which does not exist"
    )]
    Previous {
        /// Index of the order.
        order: usize,
        /// Index of the operation.
        operation: usize,
    },
    /// Something that an event or the plan in force names and that is not there.
    #[error("there is no {what} {idx}; there are {n}")]
    Unknown {
        /// Machine, worker or order.
        what: &'static str,
        /// The index given.
        idx: usize,
        /// How many there are.
        n: usize,
    },
}
