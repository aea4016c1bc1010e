//! The benchmarks of `optimize`.

mod bottleneck;
mod oee;
mod process;
mod stock;
mod route;
mod schedule;

use crate::Bench;

/// Every benchmark of `optimize`, in the order in which they are run.
pub const ALL: &[Bench] = &[
    Bench {
        name: "oee",
        about: "OEE: the worked example of InfluxDB Flux, and time accounting at scale",
        run: oee::run,
    },
    Bench {
        name: "bottleneck",
        about: "bottlenecks: methods on random lines with a known answer",
        run: bottleneck::run,
    },
    Bench { name: "process", about: "process map: a real event log, and speed", run: process::run },
    Bench {
        name: "stock",
        about: "inventory: textbook oracles, and spares on car parts",
        run: stock::run,
    },
];
pub const ALL: &[Bench] = &[schedule::JOB_SHOP, schedule::PROOFS, schedule::FLEXIBLE];
    schedule::JOB_SHOP,
    schedule::PROOFS,
    schedule::FLEXIBLE,
    route::CAPACITY,
    route::THOUSAND,
    route::SOLOMON,
];
