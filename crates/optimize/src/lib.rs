//! From what the platform knows to decisions: bottlenecks, schedules, routes, energy, stock, set-points.
//!
//! ```text
//! facts (states, orders, prices, demand) ──► one module per decision ──► Recommendation: now → proposed
//! ```
//!
//! Pure and synchronous: deadlines and seeds are arguments, progress and cancellation go through [`Control`].
//! This crate never opens a file, a socket or a clock of its own accord, and has no `async fn`.

mod anneal;
pub mod bottleneck;
mod control;
pub mod energy;
pub mod oee;
mod plan_basis;
pub mod process;
mod random;
mod range;
mod recommendation;
pub mod route;
pub mod schedule;
pub mod setpoint;
mod statistics;
pub mod stock;

pub use control::{Control, Progress, Stop};
pub use plan_basis::PlanBasis;
pub use range::RangeError;
pub use recommendation::{Basis, Bounds, Constraint, Evidence, Gain, Recommendation, Step};
