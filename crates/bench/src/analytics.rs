//! The benchmarks of `analytics`.

mod tep;

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[Bench {
    name: "tep",
    about: "process monitoring: Tennessee Eastman, detection and diagnosis",
    run: tep::run,
}];
