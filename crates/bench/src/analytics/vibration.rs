//! Bearings: which part is damaged (CWRU), and how early wear is seen (FEMTO); gears and bearings that are made up.

mod cwru;
mod femto;
mod learned;
mod simulated;

use std::path::Path;

use anyhow::Context;

use crate::{Bench, Options, Table};

pub(crate) const BENCH: Bench = Bench {
    name: "vibration",
    about: "bearings: which part is damaged (CWRU), how early wear is seen (FEMTO)",
    run,
};

/// Runs the benchmark.
fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut tables = cwru::tables(&options.folder()?.join("cwru"))?;
    tables.push(femto::table(&options.folder()?.join("femto"))?);
    tables.extend(simulated::tables(options)?);
    Ok(tables)
}

/// Samples of a file of little-endian 16-bit counts, each times `scale`.
fn counts(path: &Path, scale: f64) -> anyhow::Result<Vec<f64>> {
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let pairs = bytes.chunks_exact(2);
    Ok(pairs.map(|pair| f64::from(i16::from_le_bytes([pair[0], pair[1]])) * scale).collect())
}
