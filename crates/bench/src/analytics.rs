//! The benchmarks of `analytics`.

mod budget;
mod cleaning;
mod cmapss;
mod drift;
mod kernel;
mod forecast;
mod nab;
mod noise;
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
    budget::BENCH,
    kernel::BENCH,
    drift::BENCH,
    cleaning::BENCH,
    rul::BENCH,
    vibration::BENCH,
    profile::BENCH,
    forecast::BENCH,
];
