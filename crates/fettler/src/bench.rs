//! `fettler bench`: measurements, each with its peer beside it where there is one.

mod crash;
mod demo;
mod device;
mod full;
mod idle;
mod line_protocol;
mod mqtt;
mod pixel;
mod program;
mod server;
mod skab;

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use crate::serve::print;

#[derive(ClapArgs)]
pub(crate) struct Args {
    #[command(subcommand)]
    name: Option<Name>,
}

#[derive(Subcommand)]
enum Name {
    /// Line protocol: rows per server CPU-second, durable and queryable, beside InfluxDB 1.x where it is installed.
    LineProtocol {
        /// Rows of ten fields to send.
        #[arg(long, default_value_t = 1_000_000)]
        rows: usize,
        /// How often; the median is shown.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// MQTT QoS 1: messages per second and PUBACK times, beside mosquitto where it is installed.
    Mqtt {
        /// Ask only for this many connections; without, 50 and 1 as fast as it goes, and 50 at 10,000/s.
        #[arg(long)]
        connections: Option<u32>,
        /// Messages in all.
        #[arg(long, default_value_t = 500_000)]
        messages: u64,
        /// Messages per second in all; without, as fast as it goes.
        #[arg(long)]
        rate: Option<f64>,
        /// How often; the median is shown.
        #[arg(long, default_value_t = 3)]
        rounds: usize,
    },
    /// SKAB through broker, cleaning and detectors; judged by the alarms that were recorded.
    Skab {
        /// Folder with valve1, valve2 and other; FETTLER_DATA/skab/data when left out.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The false-alarm budget that the operator chose.
        #[arg(long, default_value_t = 1.0)]
        days_per_false_alarm: f64,
    },
    /// kill -9 under load, and the log torn at every byte of its end: what was acknowledged is there, once.
    Crash(crash::Args),
    /// The demo as it is first seen: history in time, false alarms in it, the fault's alarm.
    Demo(demo::Args),
    /// A full disk: writes are refused with a reason, nothing refused is seen, and it ends by itself.
    Full,
    /// Memory of an idle Fettler, and the time to ready on an empty directory.
    Idle(idle::Args),
    /// From PUBLISH to a painted number in Chromium; needs Node and the repository.
    Pixel(pixel::Args),
    /// The algorithms of `analytics` on public data, each beside its published, trivial and peer rows.
    Analytics(Algorithms),
    /// The algorithms of `optimize` on public instances, each beside its best known solution and its peer.
    Optimize(Algorithms),
}

#[derive(ClapArgs)]
struct Algorithms {
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
    /// Limit per instance in seconds, where a benchmark searches.
    #[arg(long)]
    seconds: Option<f64>,
    /// Leave out the peers, which are installed from PyPI.
    #[arg(long)]
    no_peers: bool,
}

pub(crate) async fn command(args: Args) -> anyhow::Result<()> {
    match args.name {
        Some(Name::LineProtocol { rows, rounds }) => line_protocol::run(rows, rounds).await,
        Some(Name::Mqtt { connections, messages, rate, rounds }) => {
            mqtt::run(connections, messages, rate, rounds).await
        }
        Some(Name::Skab { data, days_per_false_alarm }) => {
            skab::run(data, days_per_false_alarm).await
        }
        Some(Name::Crash(args)) => crash::run(args).await,
        Some(Name::Demo(args)) => demo::run(args).await,
        Some(Name::Full) => full::run().await,
        Some(Name::Idle(args)) => idle::run(args).await,
        Some(Name::Pixel(args)) => pixel::run(args).await,
        Some(Name::Analytics(args)) => algorithms(bench::analytics::ALL, args),
        Some(Name::Optimize(args)) => algorithms(bench::optimize::ALL, args),
        None => {
            print(
                "fettler bench line-protocol | mqtt | skab | demo | crash | full | idle | pixel | analytics | optimize     (--help for each)\n",
            );
            Ok(())
        }
    }
}

fn algorithms(benches: &[bench::Bench], args: Algorithms) -> anyhow::Result<()> {
    let Algorithms { name, data, seed, seeds, seconds, no_peers } = args;
    let options = bench::Options { data, seed, n_seeds: seeds, seconds, peers: !no_peers };
    bench::run(benches, name.as_deref(), &options, |table| print(&format!("{table}\n")))
}
