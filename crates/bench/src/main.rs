//! The benchmarks without the rest of Fettler around them, for whoever works on an algorithm.
//!
//! `cargo run --profile quick-release -p bench -- analytics trees`

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

#[derive(Parser)]
struct Args {
    /// Which crate.
    area: Area,
    /// Which benchmark; all when left out.
    name: Option<String>,
    /// Folder of the unpacked data sets, for benchmarks that read them.
    #[arg(long, env = "FETTLER_DATA")]
    data: Option<PathBuf>,
    /// Seed of every random choice.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, from that one on; the tables of `optimize` show medians over them.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1000))]
    seeds: u64,
    /// Limit per instance, in seconds.
    #[arg(long)]
    seconds: Option<f64>,
    /// Leave the peers out.
    #[arg(long)]
    no_peers: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum Area {
    Analytics,
    Optimize,
}

#[allow(clippy::print_stdout, reason = "the tables are what is asked for")]
fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let benches = match args.area {
        Area::Analytics => bench::analytics::ALL,
        Area::Optimize => bench::optimize::ALL,
    };
    let options = bench::Options {
        data: args.data,
        seed: args.seed,
        n_seeds: args.seeds,
        seconds: args.seconds,
        peers: !args.no_peers,
    };
    bench::run(benches, args.name.as_deref(), &options, |table| println!("{table}"))
}
