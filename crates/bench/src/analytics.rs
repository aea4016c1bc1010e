//! The benchmarks of `analytics`.

mod profile;
mod nab;
mod plant;
pub mod skab;
mod cmapss;
mod rul;
mod tep;
mod vibration;

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[tep::BENCH, vibration::BENCH, profile::BENCH];
pub const ALL: &[Bench] = &[
    Bench {
        name: "tep",
        about: "process monitoring: Tennessee Eastman, detection and diagnosis",
        run: tep::run,
    },
    Bench {
        name: "skab",
        about: "SKAB: outlier F1, false- and missed-alarm rates of the product's detector",
        run: skab::run,
    },
    Bench { name: "nab", about: "NAB, standard profile: one signal at a time", run: nab::run },
    Bench {
        name: "plant",
        about: "the simulated plant: false alarms in 30 days, time until each fault is found",
        run: plant::run,
    },
    Bench { name: "rul", about: "remaining useful life on C-MAPSS", run: rul::run },
];
