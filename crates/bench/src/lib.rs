//! What the algorithms reach on public data, one table per benchmark: ours, published, trivial, peer.
//!
//! `fettler bench analytics [NAME]` and `fettler bench optimize [NAME]` call [`run`]. The data are read where
//! [`Options::data`] says and never copied; peers are scripts in `bench/`, each of which makes its own Python
//! environment. Start reading at [`analytics::ALL`] and [`optimize::ALL`].

pub mod analytics;
mod clock;
pub mod data;
pub mod optimize;
pub mod peer;
mod random;
mod seeds;
mod split;
mod table;

use std::path::{Path, PathBuf};

use anyhow::Context;

pub use clock::CpuClock;
pub use split::Split;
pub use table::Table;

/// What a benchmark may use.
#[derive(Debug, Clone)]
pub struct Options {
    /// The folder of the unpacked data sets (`FETTLER_DATA`), for benchmarks that read them.
    pub data: Option<PathBuf>,
    /// Seed of every random choice.
    pub seed: u64,
    /// How many seeds, from [`Options::seed`] on; tables of what is random show medians over them.
    pub n_seeds: u64,
    /// Limit per instance in seconds where a benchmark searches; its own default when left out.
    pub seconds: Option<f64>,
    /// Whether to run the peers from PyPI beside us.
    pub peers: bool,
}

impl Options {
    /// The folder of the unpacked data sets.
    pub(crate) fn folder(&self) -> anyhow::Result<&Path> {
        let missing =
            "this benchmark reads public data; name their folder with --data or FETTLER_DATA";
        self.data.as_deref().context(missing)
    }
}

/// One benchmark.
pub struct Bench {
    /// What it is called on the command line.
    pub name: &'static str,
    /// One line for `--help`.
    pub about: &'static str,
    /// Runs it and gives its tables.
    pub run: fn(&Options) -> anyhow::Result<Vec<Table>>,
}

/// Runs those of `benches` that are called `name`, or all, and hands each finished table to `show`.
///
/// # Errors
/// If there is no benchmark of that name, or one fails; those after it are not run.
pub fn run(
    benches: &[Bench],
    name: Option<&str>,
    options: &Options,
    mut show: impl FnMut(&Table),
) -> anyhow::Result<()> {
    let chosen: Vec<&Bench> =
        benches.iter().filter(|bench| name.is_none_or(|name| name == bench.name)).collect();
    if let (true, Some(name)) = (chosen.is_empty(), name) {
        let names: Vec<&str> = benches.iter().map(|bench| bench.name).collect();
        anyhow::bail!("there is no benchmark {name}; choose one of {}", names.join(", "));
    }
    for bench in chosen {
        let tables = (bench.run)(options).with_context(|| format!("benchmark {}", bench.name))?;
        tables.iter().for_each(&mut show);
    }
    Ok(())
}
