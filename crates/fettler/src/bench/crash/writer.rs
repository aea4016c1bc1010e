//! A device that counts: it sends 0, 1, 2, … and knows which of them were acknowledged.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

use crate::bench::device;

/// Unacknowledged MQTT messages of one writer.
const WINDOW: usize = 500;
/// Most lines in one body.
const BODY_LINES: usize = 500;
/// How often a writer looks whether it is time for more.
const TICK: Duration = Duration::from_millis(5);
/// A new signal after so many values: signals are registered under load as well.
pub(crate) const CHUNK: u64 = 4000;
/// The evening of 1 January 2026: after 72,000 values the next day begins.
const T0_MS: i64 = 1_767_308_400_000;
const STEP_MS: i64 = 50;
/// A connection that breaks must have been killed: by then the writer has been told.
const TOLD_WITHIN: Duration = Duration::from_secs(5);

/// How a writer sends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Door {
    /// MQTT 3.1.1, QoS 1, many on their way.
    Mqtt,
    /// Bodies of many lines, one after the other.
    LineProtocol,
}

/// What a reader may know of a writer at any time.
#[derive(Default)]
pub(crate) struct Tally {
    sent: AtomicU64,
    acked: AtomicU64,
}

impl Tally {
    /// Values that were sent at least once.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Values that were acknowledged.
    pub(crate) fn acked(&self) -> u64 {
        self.acked.load(Ordering::SeqCst)
    }
}

/// See the module.
pub(crate) struct Writer {
    number: usize,
    door: Door,
    /// Values per second.
    rate: f64,
    next: u64,
    /// Sent and not acknowledged.
    waiting: BTreeSet<u64>,
    n_again: u64,
    tally: Arc<Tally>,
}

/// Sends new values at a rate, counted from one moment.
struct Pace {
    started: Instant,
    n_begun: u64,
}

impl Writer {
    /// `rate`: values per second.
    pub(crate) fn new(number: usize, door: Door, rate: f64) -> Writer {
        let (waiting, tally) = (BTreeSet::new(), Arc::default());
        Writer { number, door, rate, next: 0, waiting, n_again: 0, tally }
    }

    /// Which one it is.
    pub(crate) fn number(&self) -> usize {
        self.number
    }

    /// Values that were sent more than once, counted each time.
    pub(crate) fn n_again(&self) -> u64 {
        self.n_again
    }

    /// Its counts, also while it writes.
    pub(crate) fn tally(&self) -> Arc<Tally> {
        self.tally.clone()
    }

    /// Sends until the connection breaks, which is no error when `stop` says so; comes back with what it knows.
    pub(crate) async fn write(
        mut self,
        web: SocketAddr,
        mqtt: SocketAddr,
        stop: CancellationToken,
    ) -> anyhow::Result<Writer> {
        let pace = Some(Pace { started: Instant::now(), n_begun: 0 });
        match self.send(web, mqtt, pace).await {
            Err(error) if is_broken(&error) => {
                let told = tokio::time::timeout(TOLD_WITHIN, stop.cancelled()).await;
                told.map(|()| self).map_err(|_| error.context("the connection of a writer broke"))
            }
            Err(error) => Err(error),
            Ok(()) => Err(anyhow!("a writer cannot end by itself")),
        }
    }

    /// Sends again what was not acknowledged, until it is.
    pub(crate) async fn settle(
        mut self,
        web: SocketAddr,
        mqtt: SocketAddr,
    ) -> anyhow::Result<Writer> {
        self.send(web, mqtt, None).await?;
        Ok(self)
    }

    async fn send(
        &mut self,
        web: SocketAddr,
        mqtt: SocketAddr,
        pace: Option<Pace>,
    ) -> anyhow::Result<()> {
        let again: VecDeque<u64> = self.waiting.iter().copied().collect();
        self.n_again += again.len() as u64;
        match self.door {
            Door::Mqtt => self.send_mqtt(mqtt, again, pace).await,
            Door::LineProtocol => self.send_lines(web, again, pace).await,
        }
    }

    async fn send_mqtt(
        &mut self,
        broker: SocketAddr,
        mut again: VecDeque<u64>,
        mut pace: Option<Pace>,
    ) -> anyhow::Result<()> {
        let mut socket = device::connect(broker, &format!("crash-{}", self.number)).await?;
        let mut in_flight: HashMap<u16, u64> = HashMap::with_capacity(WINDOW);
        let (mut inbox, mut buffer) = (Vec::new(), vec![0; 4096]);
        loop {
            let mut out = Vec::new();
            while in_flight.len() < WINDOW
                && let Some(n) = again.pop_front().or_else(|| self.begin(&mut pace))
            {
                let packet_id = (n % 65_000 + 1) as u16;
                in_flight.insert(packet_id, n);
                out.extend(self.publish(n, packet_id)?);
            }
            if in_flight.is_empty() && pace.is_none() {
                return Ok(());
            }
            socket.write_all(&out).await?;
            match tokio::time::timeout(TICK, socket.read(&mut buffer)).await {
                Ok(Ok(0)) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(n_bytes) => inbox.extend_from_slice(&buffer[..n_bytes?]),
                Err(_) => continue,
            }
            // Every PUBACK of 3.1.1 is four bytes: 0x40 0x02 and the packet identifier.
            let whole = inbox.len() / 4 * 4;
            for ack in inbox.drain(..whole).as_slice().chunks_exact(4) {
                ensure!(ack[0] == 0x40, "expected PUBACK, got {ack:?}");
                let n = in_flight.remove(&u16::from_be_bytes([ack[2], ack[3]]));
                self.acknowledged(n.context("a PUBACK that nobody waits for")?);
            }
        }
    }

    async fn send_lines(
        &mut self,
        web: SocketAddr,
        mut again: VecDeque<u64>,
        mut pace: Option<Pace>,
    ) -> anyhow::Result<()> {
        let http = reqwest::Client::new();
        let url = format!("http://{web}/api/v2/write?bucket=b&org=o&precision=ms");
        loop {
            let mut numbers = Vec::new();
            while numbers.len() < BODY_LINES
                && let Some(n) = again.pop_front().or_else(|| self.begin(&mut pace))
            {
                numbers.push(n);
            }
            if numbers.is_empty() {
                if pace.is_none() {
                    return Ok(());
                }
                tokio::time::sleep(TICK).await;
                continue;
            }
            let answer = http.post(&url).body(self.lines(&numbers)).send().await?;
            let status = answer.status();
            ensure!(status == 204, "a body was answered with {status}: {}", answer.text().await?);
            for n in numbers {
                self.acknowledged(n);
            }
        }
    }

    /// The next new number, when it is time for it.
    fn begin(&mut self, pace: &mut Option<Pace>) -> Option<u64> {
        let pace = pace.as_mut()?;
        if pace.n_begun as f64 > pace.started.elapsed().as_secs_f64() * self.rate {
            return None;
        }
        pace.n_begun += 1;
        let n = self.next;
        self.next += 1;
        self.waiting.insert(n);
        self.tally.sent.store(self.next, Ordering::SeqCst);
        Some(n)
    }

    fn acknowledged(&mut self, n: u64) {
        self.waiting.remove(&n);
        self.tally.acked.store(self.next - self.waiting.len() as u64, Ordering::SeqCst);
    }

    /// Every second pair of writers sends its values a little out of order.
    fn time_ms(&self, n: u64) -> i64 {
        let place = if self.number % 4 < 2 { n } else { n ^ 7 };
        T0_MS + place as i64 * STEP_MS
    }

    fn publish(&self, n: u64, packet_id: u16) -> anyhow::Result<Vec<u8>> {
        let topic = format!("crash/w{}/s{}", self.number, n / CHUNK);
        let payload = format!("{{\"t\":{},\"v\":{n}}}", self.time_ms(n));
        device::publish(&topic, payload, packet_id)
    }

    fn lines(&self, numbers: &[u64]) -> String {
        let mut body = String::new();
        for n in numbers {
            let (number, chunk) = (self.number, n / CHUNK);
            let _ = writeln!(body, "crash,a=w{number},b=s{chunk} v={n} {}", self.time_ms(*n));
        }
        body
    }
}

/// Whether the other end has gone, as opposed to saying something wrong.
fn is_broken(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| cause.is::<io::Error>() || cause.is::<reqwest::Error>())
}
