//! `fettler replay`: publishes a recorded file over MQTT in time order, as the machine did.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args as ClapArgs;
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, QoS};

use crate::config::Config;
use crate::import::{Plan, mapping_for, open};
use crate::serve::print;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// CSV or Parquet file.
    file: PathBuf,
    /// Mapping file (TOML); without one the columns are guessed.
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// Where the columns belong; first part of the topics.
    #[arg(long)]
    prefix: Option<String>,
    /// How many times faster than it was recorded; 0 is as fast as it goes.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
    /// Keep the recorded times; without this the recording is moved so that it happens now.
    #[arg(long)]
    recorded_times: bool,
}

pub(crate) async fn command(config: &Config, args: Args) -> anyhow::Result<()> {
    let mapping = mapping_for(&args.file, args.mapping.as_deref(), args.prefix.as_deref())?;
    let table = open(&args.file, &mapping)?;
    let plan = Plan::new(&table.header, &mapping)?;
    let mut rows = Vec::new();
    for row in table {
        let row = row?;
        if let Some((time_us, values)) = plan.row(&row) {
            let values: Vec<(String, String)> = values
                .into_iter()
                .map(|(name, text)| (format!("{}/{name}", mapping.prefix), text))
                .collect();
            rows.push((time_us, values));
        }
    }
    rows.sort_by_key(|(time_us, _)| *time_us);
    let n_rows = rows.len();
    publish(config.mqtt.listen, rows, args.speed, args.recorded_times).await?;
    print(&format!("{n_rows} rows published\n"));
    Ok(())
}

/// Publishes rows of (time, [(topic, value)]) and returns when the broker has acknowledged all.
async fn publish(
    broker: std::net::SocketAddr,
    rows: Vec<(i64, Vec<(String, String)>)>,
    speed: f64,
    recorded_times: bool,
) -> anyhow::Result<()> {
    let mut options = MqttOptions::new("fettler-replay", broker.ip().to_string(), broker.port());
    options.set_inflight(1000);
    let (client, mut events) = AsyncClient::new(options, 1000);
    let pump = tokio::spawn(async move {
        loop {
            match events.poll().await {
                Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    });
    let first_us = rows.first().map_or(0, |(time_us, _)| *time_us);
    let start = tokio::time::Instant::now();
    let shift_us = if recorded_times { 0 } else { connect::now_us() - first_us };
    for (time_us, values) in rows {
        if speed > 0.0 {
            let after = Duration::from_secs_f64((time_us - first_us).max(0) as f64 / 1e6 / speed);
            tokio::time::sleep_until(start + after).await;
        }
        // A faster replay compresses the recording, so that it still ends about now.
        let stamp_us = if recorded_times || speed <= 0.0 {
            time_us + shift_us
        } else {
            first_us + shift_us + ((time_us - first_us) as f64 / speed) as i64
        };
        for (topic, text) in values {
            let value = text
                .parse::<f64>()
                .map_or_else(|_| serde_json::Value::from(text.as_str()), Into::into);
            let payload = serde_json::json!({"t": stamp_us, "v": value}).to_string();
            client
                .publish(topic, QoS::AtLeastOnce, false, payload)
                .await
                .context("the broker is gone")?;
        }
    }
    client.disconnect().await.context("the broker is gone")?;
    pump.await
        .context("the publisher ended early")?
        .with_context(|| format!("cannot publish to {broker}"))
}
