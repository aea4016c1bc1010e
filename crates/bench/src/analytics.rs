//! The benchmarks of `analytics`.

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[];
