//! The plant on the wire: history in blocks, then live values, over MQTT like any machine.
//!
//! A thread computes the history and waits when the broker is slower. What became due while the history was on
//! its way, or while the broker was away, is sent as blocks too, so that there is never a gap.

use std::net::SocketAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rumqttc::{AsyncClient, Event, EventLoop, MqttOptions, Outgoing, Packet, QoS};
use signal::{DAY_US, HOUR_US, SECOND_US, TimeRange};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::calendar::State;
use crate::faults::{FaultPlan, Severity};
use crate::machine::{MACHINES, Machine};
use crate::payload::{Block, live_count, live_number, live_text};

/// Rows in one block of history: six hours at one a minute.
const BLOCK_ROWS: usize = 360;
/// Rows in one block of what became due meanwhile.
const CATCH_UP_ROWS: i64 = 100;
/// More than this is not made up for.
const MOST_CATCH_UP_US: i64 = HOUR_US;
/// Blocks that are computed ahead.
const BLOCKS_AHEAD: usize = 16;
/// Messages on their way to the broker that it has not acknowledged.
const IN_FLIGHT: u16 = 64;
/// A block is far smaller; the broker's answers as well.
const MAX_PACKET_BYTES: usize = 4 << 20;
/// A state is told again so often, changed or not.
const STATE_EVERY_US: i64 = 10 * SECOND_US;
/// Machines that are to break work on an urgent order around the start, so that there is something to see.
const RUSH_BEFORE_US: i64 = 2 * HOUR_US;
const RUSH_AFTER_US: i64 = 6 * HOUR_US;
/// So many failed connections in a row, this far apart, are the end.
const MOST_FAILURES: u32 = 60;
const RETRY_AFTER: Duration = Duration::from_millis(500);
/// What is still unsent at the end gets so long.
const FAREWELL: Duration = Duration::from_secs(2);

/// What the plant does.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where to publish.
    pub broker: SocketAddr,
    /// First part of all topics, such as `hamburg`.
    pub site: String,
    /// The same seed gives the same plant.
    pub seed: u64,
    /// Days of history before now.
    pub history_days: u32,
    /// Seconds between rows of history; at least 1.
    pub history_step_s: u32,
    /// Milliseconds between live values; at least 50.
    pub live_period_ms: u32,
    /// What breaks, and when. Times count from the moment when [`Progress::Live`] is told.
    pub faults: Vec<FaultPlan>,
}

/// How far the plant has got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// History is on its way. `sent == total` comes once, when the broker has acknowledged all of it.
    History {
        /// Samples sent.
        sent: u64,
        /// Samples in the end; an estimate until then.
        total: u64,
    },
    /// Live values flow.
    Live,
}

/// The plant had to stop.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The broker cannot be reached, or has gone and not come back.
    #[error("cannot publish to the broker at {broker}")]
    Broker {
        /// Its address.
        broker: SocketAddr,
        /// The last failure.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A bug: the thread that computes the history has ended early.
    #[error("cannot compute the history of the plant")]
    History,
}

/// Publishes history, then live values until `stop`. Topics are `site/line/machine/signal`; QoS 1.
///
/// # Errors
/// When the broker cannot be reached for half a minute.
pub async fn run(
    options: Options,
    stop: CancellationToken,
    on: impl Fn(Progress),
) -> Result<(), Error> {
    let mut mqtt =
        MqttOptions::new("simulated-plant", options.broker.ip().to_string(), options.broker.port());
    mqtt.set_keep_alive(Duration::from_secs(30));
    mqtt.set_max_packet_size(MAX_PACKET_BYTES, MAX_PACKET_BYTES);
    mqtt.set_inflight(IN_FLIGHT);
    let (client, events) = AsyncClient::new(mqtt, usize::from(IN_FLIGHT));
    let (acked, n_acked) = watch::channel(0);
    // Ends before `stop` when the broker is lost, and after it when all has been said.
    let lost = stop.child_token();
    let mut connection = tokio::spawn(keep_connected(events, acked, options.broker, lost.clone()));
    let mut wire = Wire { client, site: options.site.clone(), n_acked, n_sent: 0, stop: lost };

    let published = publish(&options, &mut wire, on).await;
    if !wire.stop.is_cancelled() || stop.is_cancelled() {
        // May fail when the connection is gone; there is nobody left to tell.
        let _ = wire.client.try_disconnect();
    }
    match tokio::time::timeout(FAREWELL, &mut connection).await {
        Ok(ended) => ended.unwrap_or(Ok(())).and(published),
        Err(_) => {
            connection.abort();
            published
        }
    }
}

/// Keeps the connection going until the farewell has been sent; tells how many messages were acknowledged.
async fn keep_connected(
    mut events: EventLoop,
    acked: watch::Sender<u64>,
    broker: SocketAddr,
    lost: CancellationToken,
) -> Result<(), Error> {
    let mut n_failures = 0;
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Packet::PubAck(_))) => {
                n_failures = 0;
                acked.send_modify(|acked| *acked += 1);
            }
            Ok(Event::Outgoing(Outgoing::Disconnect)) => return Ok(()),
            Ok(_) => {}
            Err(_) if lost.is_cancelled() => return Ok(()),
            Err(error) => {
                n_failures += 1;
                tracing::debug!(%error, n_failures, "the simulated plant has no broker");
                if n_failures > MOST_FAILURES {
                    lost.cancel();
                    return Err(Error::Broker { broker, source: Box::new(error) });
                }
                tokio::time::sleep(RETRY_AFTER).await;
            }
        }
    }
}

async fn publish(options: &Options, wire: &mut Wire, on: impl Fn(Progress)) -> Result<(), Error> {
    let start_us = now_us();
    let machines = publish_history(options, wire, start_us, &on).await?;
    on(Progress::Live);
    let live = Live {
        start_us,
        live_from_us: now_us(),
        period_us: i64::from(options.live_period_ms.max(50)) * 1000,
        faults: options.faults.clone(),
        told: vec![Told::default(); machines.len()],
        machines,
    };
    live.run(wire).await
}

/// Sends the days before `end_us` and returns the machines as they are then.
async fn publish_history(
    options: &Options,
    wire: &mut Wire,
    end_us: i64,
    on: &impl Fn(Progress),
) -> Result<Vec<Machine>, Error> {
    let (blocks, mut ready) = mpsc::channel(BLOCKS_AHEAD);
    let history = History::new(options, end_us);
    let total = history.n_samples();
    let computed: JoinHandle<Vec<Machine>> =
        tokio::task::spawn_blocking(move || history.compute(&blocks));
    let mut sent = 0;
    while let Some(HistoryBlock { machine, json, n_samples }) = ready.recv().await {
        wire.send(&wire.topic(machine, None), json).await?;
        sent += n_samples;
        on(Progress::History { sent: sent.min(total - 1), total });
        if wire.stop.is_cancelled() {
            break;
        }
    }
    drop(ready);
    // It is there when the broker has acknowledged it, not when it was sent.
    wire.settle().await;
    on(Progress::History { sent, total: sent });
    computed.await.map_err(|_| Error::History)
}

struct HistoryBlock {
    machine: usize,
    json: String,
    n_samples: u64,
}

/// The days before now, still to be computed.
struct History {
    range: TimeRange,
    step_us: i64,
    machines: Vec<Machine>,
}

impl History {
    fn new(options: &Options, end_us: i64) -> History {
        let step_us = i64::from(options.history_step_s.max(1)) * SECOND_US;
        let range =
            TimeRange { start_us: end_us - i64::from(options.history_days) * DAY_US, end_us };
        let rush = TimeRange { start_us: end_us - RUSH_BEFORE_US, end_us: end_us + RUSH_AFTER_US };
        let machines = (0..MACHINES.len()).map(|number| {
            let is_to_break = options.faults.iter().any(|plan| plan.machine == number);
            Machine::new(options.seed, number, range.start_us, is_to_break.then_some(rush))
        });
        History { range, step_us, machines: machines.collect() }
    }

    /// Without the few that will be missing.
    fn n_samples(&self) -> u64 {
        let columns = |machine: &Machine| {
            let counters = if machine.kind().makes_parts() { 2 } else { 0 };
            1 + machine.kind().sensors().len() + counters
        };
        let n_rows = (self.range.len_us() / self.step_us) as u64;
        n_rows * self.machines.iter().map(columns).sum::<usize>() as u64 + 1
    }

    /// Hands out blocks in time order, machine by machine, until all are out or nobody wants them.
    fn compute(mut self, blocks: &mpsc::Sender<HistoryBlock>) -> Vec<Machine> {
        let n_rows = self.range.len_us() / self.step_us;
        let mut row = 0;
        while row < n_rows {
            let next = (row + BLOCK_ROWS as i64).min(n_rows);
            for (number, machine) in self.machines.iter_mut().enumerate() {
                let times =
                    (row..next).map(|row| self.range.end_us - (n_rows - 1 - row) * self.step_us);
                let Some((json, n_samples)) = block(machine, times, |_| Severity::NONE) else {
                    continue;
                };
                if blocks.blocking_send(HistoryBlock { machine: number, json, n_samples }).is_err()
                {
                    return self.machines;
                }
            }
            row = next;
        }
        self.machines
    }
}

/// What a machine shows at these times, as one message.
fn block(
    machine: &mut Machine,
    times_us: impl Iterator<Item = i64>,
    severity: impl Fn(i64) -> Severity,
) -> Option<(String, u64)> {
    let mut block = Block::new(machine.kind().sensors());
    for time_us in times_us {
        machine.step(time_us, &severity(time_us));
        block.push(machine);
    }
    block.finish()
}

/// What was last told of a machine.
#[derive(Clone, Default)]
struct Told {
    state: Option<(State, i64)>,
    counters: Option<(u64, u64)>,
}

/// The plant from now on.
struct Live {
    /// The history ends here.
    start_us: i64,
    /// The clock of the faults.
    live_from_us: i64,
    period_us: i64,
    faults: Vec<FaultPlan>,
    machines: Vec<Machine>,
    told: Vec<Told>,
}

impl Live {
    /// Publishes every tick until the end: one by one when in time, as blocks when behind.
    async fn run(mut self, wire: &mut Wire) -> Result<(), Error> {
        let mut done = 0;
        while !wire.stop.is_cancelled() {
            let due = (now_us() - self.start_us).div_euclid(self.period_us);
            match due - done {
                ..=0 => {
                    let wait_us = self.start_us + (done + 1) * self.period_us - now_us();
                    let wait = Duration::from_micros(wait_us.clamp(1000, self.period_us) as u64);
                    tokio::select! {
                        () = wire.stop.cancelled() => {}
                        () = tokio::time::sleep(wait) => {}
                    }
                }
                1 => {
                    done = due;
                    self.publish_tick(wire, self.start_us + done * self.period_us).await?;
                }
                _ => {
                    done = done.max(due - MOST_CATCH_UP_US / self.period_us);
                    let next = due.min(done + CATCH_UP_ROWS);
                    self.catch_up(wire, done + 1..=next).await?;
                    done = next;
                }
            }
        }
        Ok(())
    }

    fn severity(&self, machine: usize, time_us: i64) -> Severity {
        let live_s = (time_us - self.live_from_us) as f64 / SECOND_US as f64;
        Severity::planned(&self.faults, machine, live_s)
    }

    async fn catch_up(
        &mut self,
        wire: &mut Wire,
        ticks: std::ops::RangeInclusive<i64>,
    ) -> Result<(), Error> {
        for number in 0..self.machines.len() {
            let (start_us, period_us, live_from_us) =
                (self.start_us, self.period_us, self.live_from_us);
            let times = ticks.clone().map(|tick| start_us + tick * period_us);
            let faults = &self.faults;
            let severity = |time_us: i64| {
                Severity::planned(
                    faults,
                    number,
                    (time_us - live_from_us) as f64 / SECOND_US as f64,
                )
            };
            if let Some((json, _)) = block(&mut self.machines[number], times, severity) {
                wire.send(&wire.topic(number, None), json).await?;
            }
        }
        Ok(())
    }

    async fn publish_tick(&mut self, wire: &mut Wire, time_us: i64) -> Result<(), Error> {
        for number in 0..self.machines.len() {
            let severity = self.severity(number, time_us);
            self.machines[number].step(time_us, &severity);
            self.publish_state(wire, number, time_us).await?;
            let machine = &self.machines[number];
            for (spec, value) in machine.kind().sensors().iter().zip(machine.values()) {
                if value.is_finite() {
                    let json = live_number(time_us, *value, spec.decimals);
                    wire.send(&wire.topic(number, Some(spec.name)), json).await?;
                }
            }
        }
        Ok(())
    }

    /// The state when it changes and now and then, counters when they change.
    async fn publish_state(
        &mut self,
        wire: &mut Wire,
        number: usize,
        time_us: i64,
    ) -> Result<(), Error> {
        let (machine, told) = (&self.machines[number], &mut self.told[number]);
        let is_known = told.state.is_some_and(|(state, at_us)| {
            state == machine.state() && time_us - at_us < STATE_EVERY_US
        });
        if !is_known {
            told.state = Some((machine.state(), time_us));
            let json = live_text(time_us, machine.state().name());
            wire.send(&wire.topic(number, Some("state")), json).await?;
        }
        let Some((good, rejects)) = machine.counters() else { return Ok(()) };
        let before = told.counters.replace((good, rejects));
        if before.is_none_or(|(before, _)| before != good) {
            wire.send(&wire.topic(number, Some("counters/good")), live_count(time_us, good))
                .await?;
        }
        if before.is_none_or(|(_, before)| before != rejects) {
            wire.send(&wire.topic(number, Some("counters/rejects")), live_count(time_us, rejects))
                .await?;
        }
        Ok(())
    }
}

/// The client's side of the connection.
struct Wire {
    client: AsyncClient,
    site: String,
    n_acked: watch::Receiver<u64>,
    n_sent: u64,
    stop: CancellationToken,
}

impl Wire {
    fn topic(&self, number: usize, signal: Option<&str>) -> String {
        let place = MACHINES[number];
        match signal {
            Some(signal) => format!("{}/{}/{}/{signal}", self.site, place.line, place.machine),
            None => format!("{}/{}/{}", self.site, place.line, place.machine),
        }
    }

    /// Sends one message; waits while too many are on their way. Does nothing once stopped.
    async fn send(&mut self, topic: &str, json: String) -> Result<(), Error> {
        tokio::select! {
            () = self.stop.cancelled() => {}
            // Fails only when the connection has ended, which stops everything with its own error.
            _ = self.client.publish(topic, QoS::AtLeastOnce, false, json) => self.n_sent += 1,
        }
        Ok(())
    }

    /// Waits until all that was sent is acknowledged, or the end.
    async fn settle(&mut self) {
        let n_sent = self.n_sent;
        tokio::select! {
            () = self.stop.cancelled() => {}
            _ = self.n_acked.wait_for(|acked| *acked >= n_sent) => {}
        }
    }
}

fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
