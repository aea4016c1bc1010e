//! Scheduling: which operation runs where, when and by whom.
//!
//! ```text
//! Problem ─► conflicts? ─► Decoder ◄─► annealing ─► Plan ─► violations, Recommendation
//!                └► a plain job shop goes to the kernel: Shop ─► tabu + proof
//! events ─► replan ─► Plan + Changes in words
//! ```
//!
//! Start reading at [`solve`]. [`Problem`] has the terms of a plant: calendars, maintenance, set-ups by sequence,
//! skills, due dates, energy prices, what is frozen. [`Shop`] is the kernel for durations alone.

mod bound;
mod calendar;
mod check;
mod conflict;
mod decode;
mod error;
mod plan;
mod problem;
mod recommend;
mod replan;
mod search;
mod shop;
mod start;
#[cfg(test)]
mod tests;

pub use check::violations;
pub use conflict::{Conflict, SolveError};
pub use error::ProblemError;
pub use plan::{Cost, Placement, Plan};
pub use problem::{FAR, Machine, Mode, Operation, Order, Problem, Weights, Worker};
pub use recommend::recommend;
pub use replan::{Change, Event, Replanned, difference, replan};
pub use search::solve;
pub use shop::{Choice, Placed, Shop, ShopError, ShopPlan, solve as solve_shop};
