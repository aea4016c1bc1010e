//! The plant on the wire: history in blocks, then live values, over MQTT like any machine.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use serde_json::{Map, Value, json};
use signal::{DAY_US, HOUR_US, SECOND_US};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::MACHINES;
use crate::fault::FaultPlan;
use crate::machine::{Machine, Reading};

/// Rows in one block of history.
const BLOCK_ROWS: usize = 240;
/// Blocks on their way to the broker.
const IN_FLIGHT: u16 = 64;
/// A state is repeated this often, changed or not.
const STATE_EVERY: u32 = 20;
/// For so long after the start all machines run, so that there is something to see.
const BUSY_US: i64 = HOUR_US;

/// What the plant does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to publish.
    pub broker: SocketAddr,
    /// First part of all topics.
    pub site: String,
    /// The same seed gives the same plant.
    pub seed: u64,
    /// Days of history before now.
    pub history_days: u32,
    /// Seconds between rows of history.
    pub history_step_s: u32,
    /// Milliseconds between live values.
    pub live_period_ms: u32,
    /// What breaks, and when.
    pub faults: Vec<FaultPlan>,
}

/// How far the plant has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Samples of history that the broker has acknowledged.
    History {
        /// So far.
        sent: u64,
        /// In the end.
        total: u64,
    },
    /// Live values flow.
    Live,
}

/// The plant had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker is gone.
    #[error("the simulated plant lost its broker")]
    Broker(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Publishes history, then live values until `stop`.
///
/// # Errors
/// When the broker cannot be reached.
pub async fn run(options: Options, stop: CancellationToken, on: impl Fn(Progress)) -> Result<(), Error> {
    let mut mqtt = MqttOptions::new("simulated-plant", options.broker.ip().to_string(), options.broker.port());
    mqtt.set_keep_alive(Duration::from_secs(30));
    mqtt.set_max_packet_size(8 << 20, 8 << 20);
    mqtt.set_inflight(IN_FLIGHT);
    let (client, events) = AsyncClient::new(mqtt, usize::from(IN_FLIGHT));
    let (acked, progress) = watch::channel(0u64);
    let pump = tokio::spawn(pump(events, acked, stop.clone()));

    let published = publish(&options, &client, progress, &stop, on).await;
    // Lets the last messages out.
    let _ = client.disconnect().await;
    stop.cancel();
    let pumped = pump.await.unwrap_or(Ok(()));
    published.and(pumped)
}

async fn pump(mut events: EventLoop, acked: watch::Sender<u64>, stop: CancellationToken) -> Result<(), Error> {
    let mut failures = 0;
    loop {
        let event = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            event = events.poll() => event,
        };
        match event {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                failures = 0;
                acked.send_modify(|acked| *acked += 1);
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
            Ok(_) => {}
            Err(error) => {
                failures += 1;
                if failures > 20 {
                    return Err(Error::Broker(Box::new(error)));
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
    }
}

async fn publish(
    options: &Options,
    client: &AsyncClient,
    mut acked: watch::Receiver<u64>,
    stop: &CancellationToken,
    on: impl Fn(Progress),
) -> Result<(), Error> {
    let start_us = now_us() - i64::from(options.history_days) * DAY_US;
    let step_us = i64::from(options.history_step_s.max(1)) * SECOND_US;
    let live_from_us = now_us();
    let mut machines: Vec<Machine> = MACHINES
        .iter()
        .enumerate()
        .map(|(number, (_, _, kind))| Machine::new(*kind, options.seed, number as u64, start_us))
        .collect();

    let n_rows = ((live_from_us - start_us) / step_us) as usize;
    let total = (n_rows * machines.iter().map(|machine| machine.signals().len() + 1).sum::<usize>()) as u64;
    let mut sent = 0;
    let mut n_messages = 0;
    for block in (0..n_rows).step_by(BLOCK_ROWS) {
        for (number, machine) in machines.iter_mut().enumerate() {
            let rows = (block..(block + BLOCK_ROWS).min(n_rows)).map(|n| start_us + (n as i64 + 1) * step_us);
            let block = history_block(machine, rows, live_from_us);
            sent += block.1;
            send(client, &topic(options, number, None), &block.0, stop).await?;
            n_messages += 1;
        }
        on(Progress::History { sent, total });
    }
    // The history is there when the broker has acknowledged it, not when it was sent.
    while *acked.borrow() < n_messages && !stop.is_cancelled() {
        tokio::select! {
            () = stop.cancelled() => {}
            changed = acked.changed() => if changed.is_err() { break },
        }
    }
    on(Progress::Live);
    live(options, client, &mut machines, stop).await
}

/// Columns of one machine as `{"t": […], "state": […], "hydraulics/pressure": […], …}`.
fn history_block(machine: &mut Machine, times_us: impl Iterator<Item = i64>, live_from_us: i64) -> (String, u64) {
    let names = machine.signals();
    let mut times = Vec::new();
    let mut states = Vec::new();
    let mut columns: Vec<Vec<Value>> = vec![Vec::new(); names.len()];
    let mut counters: [Vec<Value>; 2] = Default::default();
    for time_us in times_us {
        let reading = machine.step(time_us, None, live_from_us - time_us < BUSY_US);
        times.push(Value::from(time_us / 1000));
        states.push(Value::from(reading.state));
        for (column, value) in columns.iter_mut().zip(&reading.values) {
            column.push(number(*value));
        }
        if let Some((good, rejects)) = machine.counters() {
            counters[0].push(Value::from(good));
            counters[1].push(Value::from(rejects));
        }
    }
    let n_samples = times.len() * (names.len() + 1) + counters.iter().map(Vec::len).sum::<usize>();
    let mut block = Map::new();
    block.insert("t".to_owned(), Value::Array(times));
    block.insert("state".to_owned(), Value::Array(states));
    for (name, column) in names.into_iter().zip(columns) {
        block.insert(name.to_owned(), Value::Array(column));
    }
    for (name, column) in ["counters/good", "counters/rejects"].into_iter().zip(counters) {
        if !column.is_empty() {
            block.insert(name.to_owned(), Value::Array(column));
        }
    }
    (Value::Object(block).to_string(), n_samples as u64)
}

/// Steps of the sensor leave long tails of digits; nobody's gateway sends those.
fn number(value: f64) -> Value {
    if value.is_finite() { Value::from((value * 1e4).round() / 1e4) } else { Value::Null }
}

async fn live(
    options: &Options,
    client: &AsyncClient,
    machines: &mut [Machine],
    stop: &CancellationToken,
) -> Result<(), Error> {
    let live_from_us = now_us();
    let mut ticker = tokio::time::interval(Duration::from_millis(u64::from(options.live_period_ms.max(50))));
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut last_states = vec![""; machines.len()];
    let mut last_counters = vec![None; machines.len()];
    for n_ticks in 0u32.. {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = ticker.tick() => {}
        }
        let time_us = now_us() / 1000 * 1000;
        let live_s = (time_us - live_from_us) as f64 / SECOND_US as f64;
        for (number, machine) in machines.iter_mut().enumerate() {
            let plan = options.faults.iter().find(|plan| plan.machine == number && live_s >= plan.starts_after_s);
            let fault = plan.map(|plan| (plan.fault, plan.progress(live_s)));
            let reading = machine.step(time_us, fault, time_us - live_from_us < BUSY_US);
            if reading.state != last_states[number] || n_ticks % STATE_EVERY == 0 {
                last_states[number] = reading.state;
                let payload = json!({"t": time_us / 1000, "v": reading.state}).to_string();
                send(client, &topic(options, number, Some("state")), &payload, stop).await?;
            }
            let counters = machine.counters();
            if counters != last_counters[number] {
                last_counters[number] = counters;
                let (good, rejects) = counters.unwrap_or_default();
                for (name, count) in [("counters/good", good), ("counters/rejects", rejects)] {
                    let payload = json!({"t": time_us / 1000, "v": count}).to_string();
                    send(client, &topic(options, number, Some(name)), &payload, stop).await?;
                }
            }
            send_values(options, client, number, machine, &reading, stop).await?;
        }
    }
    Ok(())
}

async fn send_values(
    options: &Options,
    client: &AsyncClient,
    number_of_machine: usize,
    machine: &Machine,
    reading: &Reading,
    stop: &CancellationToken,
) -> Result<(), Error> {
    for (name, value) in machine.signals().into_iter().zip(&reading.values) {
        if value.is_finite() {
            let payload = json!({"t": reading.time_us / 1000, "v": number(*value)}).to_string();
            send(client, &topic(options, number_of_machine, Some(name)), &payload, stop).await?;
        }
    }
    Ok(())
}

fn topic(options: &Options, number: usize, signal: Option<&str>) -> String {
    let (line, machine, _) = MACHINES[number];
    match signal {
        Some(signal) => format!("{}/{line}/{machine}/{signal}", options.site),
        None => format!("{}/{line}/{machine}", options.site),
    }
}

async fn send(client: &AsyncClient, topic: &str, payload: &str, stop: &CancellationToken) -> Result<(), Error> {
    tokio::select! {
        () = stop.cancelled() => Ok(()),
        sent = client.publish(topic, QoS::AtLeastOnce, false, payload) => {
            sent.map_err(|error| Error::Broker(Box::new(error)))
        }
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
