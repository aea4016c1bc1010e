//! The benchmarks of `analytics`.

mod profile;
mod tep;
mod vibration;

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[tep::BENCH, vibration::BENCH, profile::BENCH];
