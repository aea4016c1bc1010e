//! The benchmarks of `analytics`.

mod ai4i;
mod budget;
mod cleaning;
mod cmapss;
mod drift;
mod forecast;
mod kernel;
mod nab;
pub(crate) mod noise;
mod plant;
mod profile;
mod quality;
mod rul;
pub mod skab;
mod tep;
mod trees;
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
    trees::BENCH,
    rul::BENCH,
    quality::BENCH,
    vibration::BENCH,
    profile::BENCH,
    forecast::BENCH,
];
