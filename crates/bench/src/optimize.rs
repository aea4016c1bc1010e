//! The benchmarks of `optimize`.

use crate::Bench;

/// Every benchmark of `optimize`, in the order in which they are run.
pub const ALL: &[Bench] = &[];
