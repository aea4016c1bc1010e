//! The benchmarks of `optimize`.

mod bottleneck;
mod energy;
mod oee;
mod plant;
mod process;
mod route;
mod schedule;
mod setpoint;
mod stock;

use crate::Bench;

/// Every benchmark of `optimize`, in the order in which they are run.
pub const ALL: &[Bench] = &[
    oee::BENCH,
    bottleneck::BENCH,
    schedule::JOB_SHOP,
    schedule::PROOFS,
    schedule::FLEXIBLE,
    route::CAPACITY,
    route::THOUSAND,
    route::SOLOMON,
    plant::BENCH,
    energy::BENCH,
    stock::BENCH,
    setpoint::BENCH,
    process::BENCH,
];
