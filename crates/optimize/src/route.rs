//! Routing: which vehicle visits whom, in which order and when.
//!
//! ```text
//! Problem ─► Model (one index space, masks) ─► ruin ─► recreate ─► accept? ─► Plan ─► violations, Recommendation
//!                                                └───────◄────────┘            └► unserved jobs with their reasons
//! ```
//!
//! Start reading at [`solve`]. [`Problem`] says what has to be done, [`Plan`] what was decided; [`violations`] checks
//! a plan against the problem and shares no code with the search.

mod bound;
mod check;
mod fleet;
mod look;
mod model;
mod near;
mod pause;
mod problem;
mod reason;
mod recommend;
mod recreate;
mod ruin;
mod search;
mod state;
#[cfg(test)]
mod tests;
mod walk;

pub use check::violations;
pub use problem::{
    Break, Job, Matrix, Plan, Problem, ProblemError, Stop, Task, Tour, Unserved, Vehicle, Visit,
};
pub use reason::Reason;
pub use recommend::recommend;
pub use search::solve;
