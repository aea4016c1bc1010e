//! `fettler bench`: measurements, each with its peer beside it where there is one.

mod line_protocol;
mod mqtt;
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
    },
    /// MQTT QoS 1: messages per second and PUBACK times, beside mosquitto where it is installed.
    Mqtt {
        /// Connections.
        #[arg(long, default_value_t = 50)]
        connections: usize,
        /// Messages in all.
        #[arg(long, default_value_t = 500_000)]
        messages: usize,
        /// Messages per second in all; 0 is as fast as it goes.
        #[arg(long, default_value_t = 0)]
        rate: u32,
    },
    /// SKAB through broker, cleaning and detectors; judged by the alarms that were recorded.
    Skab {
        /// Folder with valve1, valve2 and other; FETTLER_DATA/skab/data when left out.
        #[arg(long)]
        data: Option<PathBuf>,
        /// The false-alarm budget that the operator chose.
        #[arg(long, default_value_t = 0.01)]
        days_per_false_alarm: f64,
    },
}

pub(crate) async fn command(args: Args) -> anyhow::Result<()> {
    match args.name {
        Some(Name::LineProtocol { rows }) => line_protocol::run(rows).await,
        Some(Name::Mqtt { connections, messages, rate }) => {
            mqtt::run(connections, messages, rate).await
        }
        Some(Name::Skab { data, days_per_false_alarm }) => {
            skab::run(data, days_per_false_alarm).await
        }
        None => {
            print("fettler bench line-protocol | mqtt | skab     (--help for each)\n");
            Ok(())
        }
    }
}
