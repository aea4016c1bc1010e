//! The plan: where and when everything is done, and what that costs.

use crate::Stop;

/// Where and when one operation is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placement {
    /// Index of the order.
    pub order: usize,
    /// Index of the operation in its order.
    pub operation: usize,
    /// Index of the machine.
    pub machine: usize,
    /// Index of the worker, if it needs one.
    pub worker: Option<usize>,
    /// When its set-up begins, or itself if it needs none.
    pub start: i64,
    /// Length of the set-up.
    pub setup: i64,
    /// When it is done.
    pub end: i64,
}

/// What a plan costs, by part.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// When the last order is finished.
    pub makespan: i64,
    /// Weighted lateness of all orders.
    pub tardiness: f64,
    /// Time of all set-ups.
    pub setup: i64,
    /// Energy, in the currency of the prices.
    pub energy: f64,
    /// Operations moved against the plan in force.
    pub n_changed: usize,
    /// All of it, weighted.
    pub total: f64,
}

/// A plan for a [`Problem`](super::Problem).
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Every operation, by order and operation.
    pub placements: Vec<Placement>,
    /// What it costs.
    pub cost: Cost,
    /// No plan costs less.
    pub bound: f64,
    /// Plans looked at.
    pub n_iterations: u64,
    /// Why the search ended.
    pub stop: Stop,
}
