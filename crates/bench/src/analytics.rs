//! The benchmarks of `analytics`.

mod tep;
mod profile;
mod vibration;

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[Bench {
    name: "tep",
    about: "process monitoring: Tennessee Eastman, detection and diagnosis",
    run: tep::run,
    name: "vibration",
    about: "bearings: which part is damaged (CWRU), how early wear is seen (FEMTO)",
    run: vibration::run,
}];
pub const ALL: &[Bench] = &[
    Bench {
        name: "vibration",
        about: "bearings: which part is damaged (CWRU), how early wear is seen (FEMTO)",
        run: vibration::run,
    },
    Bench {
        name: "profile",
        about: "matrix profile, batch and streaming, beside STUMPY",
        run: profile::run,
    },
];
