//! The benchmarks of `analytics`.

mod cmapss;
mod nab;
mod plant;
mod profile;
mod rul;
pub mod skab;
mod tep;
mod vibration;

use crate::Bench;

/// Every benchmark of `analytics`, in the order in which they are run.
pub const ALL: &[Bench] = &[
    skab::BENCH,
    nab::BENCH,
    plant::BENCH,
    tep::BENCH,
    rul::BENCH,
    vibration::BENCH,
    profile::BENCH,
];
