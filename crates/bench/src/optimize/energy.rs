//! Energy: baselines with a known saving, a steel plant out of sample and its peaks, dispatch with a known optimum.

mod hourly;
mod meters;
mod peak;
mod steel;
mod tariff;

use crate::{Bench, Options, Table, peer};

pub(crate) const BENCH: Bench = Bench {
    name: "energy",
    about: "energy: baselines with a known saving, a steel plant, dispatch with a known optimum",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let folder = options.folder()?.join("eemeter_samples");
    let peer = if options.peers {
        Some(peer::run("optimize-energy", &[&folder.to_string_lossy()])?)
    } else {
        None
    };
    Ok(vec![
        meters::table(&folder, peer.as_ref())?,
        hourly::table(&folder, peer.as_ref())?,
        steel::table(options)?,
        peak::table(options)?,
        tariff::optimum(options)?,
        tariff::rolling(options)?,
    ])
}
