//! Energy: baselines with a known saving, a steel plant out of sample, and dispatch with a known optimum.

mod meters;
mod steel;
mod tariff;

use crate::{Bench, Options, Table};

pub(crate) const BENCH: Bench = Bench {
    name: "energy",
    about: "energy: baselines with a known saving, a steel plant, dispatch with a known optimum",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![
        meters::table(options)?,
        steel::table(options)?,
        tariff::optimum(options)?,
        tariff::rolling(options)?,
    ])
}
