//! The benchmarks of `optimize`.

mod oee;

use crate::Bench;

/// Every benchmark of `optimize`, in the order in which they are run.
pub const ALL: &[Bench] = &[Bench {
    name: "oee",
    about: "OEE: the worked example of InfluxDB Flux, and time accounting at scale",
    run: oee::run,
}];
