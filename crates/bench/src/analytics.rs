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
mod ai4i;
mod cmapss;
mod quality;
mod rul;
pub mod skab;
mod tep;
mod vibration;
mod trees;

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
    Bench {
        name: "tep",
        about: "process monitoring: Tennessee Eastman, detection and diagnosis",
        run: tep::run,
    },
    Bench {
        name: "trees",
        about: "gradient boosting beside LightGBM, ONNX in onnxruntime",
        run: trees::run,
    },
    Bench {
        name: "quality",
        about: "control charts' run lengths, failures of AI4I",
        run: quality::run,
    },
    Bench { name: "rul", about: "remaining useful life on C-MAPSS", run: rul::run },
];
