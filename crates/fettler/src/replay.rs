//! `fettler replay`: publishes a recorded file over MQTT in time order, as the machine did.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};
use rumqttc::{AsyncClient, Event, MqttOptions, Outgoing, Packet, QoS};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::import::{Plan, describe, mapping_for, open};
use crate::serve::print;

/// Messages that may wait for their PUBACK.
const IN_FLIGHT: u16 = 1000;
/// A broker that acknowledges nothing for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(60);

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

/// A row of the recording: when, and topics with their values.
type Row = (i64, Vec<(String, String)>);

pub(crate) async fn command(config: &Config, args: Args) -> anyhow::Result<()> {
    let mapping = mapping_for(&args.file, args.mapping.as_deref(), args.prefix.as_deref())?;
    print(&describe(&args.file, &mapping)?);
    let table = open(&args.file, &mapping)?;
    let plan = Plan::new(&table.header, &mapping)?;
    let (mut rows, mut n_bad): (Vec<Row>, usize) = (Vec::new(), 0);
    for row in table {
        let row = row?;
        let Some((time_us, values)) = plan.row(&row) else {
            n_bad += 1;
            continue;
        };
        let topic = |name: &str| format!("{}/{name}", mapping.prefix);
        rows.push((time_us, values.into_iter().map(|(name, text)| (topic(name), text)).collect()));
    }
    rows.sort_by_key(|(time_us, _)| *time_us);
    let n_rows = rows.len();
    let publisher = Publisher::connect(config.mqtt.listen);
    let clock = Clock::new(rows.first().map_or(0, |(time_us, _)| *time_us), &args);
    let n_messages = publisher.publish(rows, &clock).await?;
    print(&format!("  {n_rows} rows published, {n_messages} values acknowledged\n"));
    if n_bad > 0 {
        print(&format!("  {n_bad} rows have no readable time and were left out\n"));
    }
    Ok(())
}

/// When a row is due, and which time it carries.
struct Clock {
    first_us: i64,
    shift_us: i64,
    speed: f64,
    recorded_times: bool,
    start: tokio::time::Instant,
}

impl Clock {
    fn new(first_us: i64, args: &Args) -> Clock {
        Clock {
            first_us,
            shift_us: if args.recorded_times { 0 } else { connect::now_us() - first_us },
            speed: args.speed,
            recorded_times: args.recorded_times,
            start: tokio::time::Instant::now(),
        }
    }

    /// None: at once.
    fn due(&self, time_us: i64) -> Option<tokio::time::Instant> {
        let after_s = (time_us - self.first_us).max(0) as f64 / 1e6 / self.speed;
        (self.speed > 0.0).then(|| self.start + Duration::from_secs_f64(after_s))
    }

    /// A faster replay compresses the recording, so that it still ends about now.
    fn stamp_us(&self, time_us: i64) -> i64 {
        if self.recorded_times || self.speed <= 0.0 {
            return time_us + self.shift_us;
        }
        self.first_us + self.shift_us + ((time_us - self.first_us) as f64 / self.speed) as i64
    }
}

/// A client and the task that moves its packets.
struct Publisher {
    broker: SocketAddr,
    client: AsyncClient,
    pump: JoinHandle<Result<(), rumqttc::ConnectionError>>,
    acked: watch::Receiver<u64>,
}

impl Publisher {
    fn connect(broker: SocketAddr) -> Publisher {
        let name = format!("fettler-replay-{}", std::process::id());
        let mut options = MqttOptions::new(name, broker.ip().to_string(), broker.port());
        options.set_inflight(IN_FLIGHT);
        let (client, mut events) = AsyncClient::new(options, usize::from(IN_FLIGHT));
        let (count, acked) = watch::channel(0);
        let pump = tokio::spawn(async move {
            loop {
                match events.poll().await? {
                    Event::Outgoing(Outgoing::Disconnect) => return Ok(()),
                    Event::Incoming(Packet::PubAck(_)) => count.send_modify(|n| *n += 1),
                    _ => {}
                }
            }
        });
        Publisher { broker, client, pump, acked }
    }

    /// Publishes all rows; returns how many values the broker has acknowledged, which are all.
    async fn publish(mut self, rows: Vec<Row>, clock: &Clock) -> anyhow::Result<u64> {
        let bar = ProgressBar::new(rows.len() as u64);
        let template = "  {wide_bar} {percent:>3} %  {human_pos} of {human_len} rows, {eta} left";
        bar.set_style(ProgressStyle::with_template(template).expect("a valid template"));
        let mut n_sent = 0;
        for (time_us, values) in rows {
            if let Some(due) = clock.due(time_us) {
                tokio::time::sleep_until(due).await;
            }
            for (topic, text) in values {
                let value = text
                    .parse::<f64>()
                    .map_or_else(|_| serde_json::Value::from(text.as_str()), Into::into);
                let payload = serde_json::json!({"t": clock.stamp_us(time_us), "v": value});
                let sent = self.client.publish(topic, QoS::AtLeastOnce, false, payload.to_string());
                if sent.await.is_err() {
                    return Err(self.why_gone().await);
                }
                n_sent += 1;
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        self.wait_for(n_sent).await?;
        let _ = self.client.disconnect().await;
        self.pump.await.context("the publisher ended early")?.context("cannot say goodbye")?;
        Ok(n_sent)
    }

    /// Waits until everything is acknowledged; the broker may take its time, but not be silent.
    async fn wait_for(&mut self, n_sent: u64) -> anyhow::Result<()> {
        while *self.acked.borrow_and_update() < n_sent {
            match tokio::time::timeout(SILENCE, self.acked.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => {
                    let why = anyhow::anyhow!("the connection to {} broke", self.broker);
                    return Err(why.context("not everything was acknowledged; replay it again"));
                }
                Err(_) => {
                    bail!("{} acknowledges nothing for {SILENCE:?}; replay it again", self.broker)
                }
            }
        }
        Ok(())
    }

    /// The pump ends when the connection does; its error says why.
    async fn why_gone(self) -> anyhow::Error {
        let error = match self.pump.await {
            Ok(Err(error)) => anyhow::Error::new(error),
            _ => anyhow::anyhow!("the connection was closed"),
        };
        error.context(format!("cannot publish to {}; is Fettler running?", self.broker))
    }
}
