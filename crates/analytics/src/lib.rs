//! What the data says: cleaning, detection, diagnosis, alarms, on plain numbers.
//!
//! ```text
//! samples ──clean──► good samples ──rows──► stream ──► episodes ──diagnose──► known faults
//!                                                          └──► alarm (ISA-18.2)
//! ```
//!
//! Start reading at [`stream`]; [`trees`] holds gradient boosting for tables, [`rul`] remaining life, [`quality`]
//! charts and capability. Times and seeds are arguments, NaN is a missing value. This crate never opens a file, a
//! socket or a clock, knows no tenants, users or tables, and has no `async fn`.

pub mod alarm;
pub mod clean;
pub mod detect;
mod detector;
pub mod diagnose;
pub mod drift;
pub mod forecast;
mod frame;
pub mod monitor;
pub mod profile;
pub mod quality;
mod random;
pub mod rul;
mod saved;
mod scratch;
mod stats;
pub mod stream;
mod tail;
#[cfg(test)]
mod testing;
pub mod trees;
pub mod vibration;
mod whiten;

pub use detector::{Detector, Finding, findings};
pub use frame::Frame;
