//! MQTT 3.1.1 publishers at QoS 1, written by hand so that the generator costs little beside the server.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::task::JoinSet;

use super::{Latency, value_of};

/// A broker that acknowledges nothing for so long is taken for dead.
const SILENCE: Duration = Duration::from_secs(30);
/// Bytes that are written at once.
const WRITE_BYTES: usize = 64 * 1024;

/// What is sent.
#[derive(Clone, Debug)]
pub struct MqttLoad {
    /// The broker.
    pub broker: SocketAddr,
    /// Publishers, each with a connection of its own.
    pub connections: u32,
    /// Messages of one connection.
    pub messages: u64,
    /// Messages of one connection that may wait for their PUBACK, 1 to 65,535.
    pub in_flight: u16,
    /// Messages per second of all connections together; none: as fast as the broker takes them.
    pub rate_per_s: Option<f64>,
    /// Topics are `<prefix>/<connection>/<n>`.
    pub prefix: String,
    /// Topics of one connection, used in turn.
    pub topics: u32,
    /// Time stamp of message 0 in µs; message n is n µs later, so no two of a topic share one.
    pub first_us: i64,
    /// Payloads are filled up to about so many bytes, as real ones carry more than a number.
    pub payload_bytes: usize,
}

impl Default for MqttLoad {
    fn default() -> MqttLoad {
        MqttLoad {
            broker: SocketAddr::from(([127, 0, 0, 1], 1883)),
            connections: 50,
            messages: 10_000,
            in_flight: 20,
            rate_per_s: None,
            prefix: "bench".to_owned(),
            topics: 10,
            first_us: 1_767_225_600_000_000,
            payload_bytes: 100,
        }
    }
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct MqttReport {
    /// Messages that were written to a socket.
    pub sent: u64,
    /// Messages that were acknowledged.
    pub acked: u64,
    /// Acknowledged messages of each connection: its messages 0 to n − 1, as PUBACKs come in order.
    pub acked_by_connection: Vec<u64>,
    /// Why connections ended before their work was done.
    pub errors: Vec<String>,
    /// From the first connection to the last acknowledgement.
    pub elapsed: Duration,
    /// From when a message was due to its PUBACK.
    pub latency: Latency,
}

impl MqttReport {
    /// Acknowledged messages per second.
    pub fn rate_per_s(&self) -> f64 {
        self.acked as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }
}

/// Runs the load to its end; a connection that fails is reported and not tried again.
pub async fn run_mqtt(load: &MqttLoad) -> MqttReport {
    let started = Instant::now();
    let mut publishers = JoinSet::new();
    for connection in 0..load.connections {
        let load = load.clone();
        publishers.spawn(async move {
            let mut publisher = Publisher::new(connection, load);
            let result = publisher.run().await;
            (publisher, result)
        });
    }
    let mut report = MqttReport {
        acked_by_connection: vec![0; load.connections as usize],
        ..MqttReport::default()
    };
    while let Some(finished) = publishers.join_next().await {
        let Ok((publisher, result)) = finished else { continue };
        report.sent += publisher.sent;
        report.acked += publisher.acked;
        report.acked_by_connection[publisher.connection as usize] = publisher.acked;
        report.latency.merge(&publisher.latency);
        if let Err(error) = result {
            report.errors.push(format!("connection {}: {error}", publisher.connection));
        }
    }
    report.elapsed = started.elapsed();
    report
}

struct Publisher {
    connection: u32,
    load: MqttLoad,
    topics: Vec<String>,
    sent: u64,
    acked: u64,
    started: Instant,
    /// When each message in flight was due; slot = number modulo window.
    due: Vec<Instant>,
    latency: Latency,
    out: Vec<u8>,
    payload: Vec<u8>,
}

impl Publisher {
    fn new(connection: u32, load: MqttLoad) -> Publisher {
        let topic = |n| format!("{}/{connection}/{n}", load.prefix);
        Publisher {
            connection,
            topics: (0..load.topics.max(1)).map(topic).collect(),
            due: vec![Instant::now(); usize::from(load.in_flight.max(1))],
            load,
            sent: 0,
            acked: 0,
            started: Instant::now(),
            latency: Latency::default(),
            out: Vec::new(),
            payload: Vec::new(),
        }
    }

    async fn run(&mut self) -> io::Result<()> {
        let mut socket = TcpStream::connect(self.load.broker).await?;
        socket.set_nodelay(true)?;
        let (mut reader, mut writer) = socket.split();
        writer.write_all(&connect_packet(&self.load.prefix, self.connection)).await?;
        expect_connack(&mut reader).await?;
        self.started = Instant::now();
        let mut input = vec![0; 16 * 1024];
        let mut kept = 0;
        while self.acked < self.load.messages {
            self.write_some(&mut writer).await?;
            let wake = self.next_due();
            // Both arms are safe to cancel: a read takes nothing until it returns.
            tokio::select! {
                n_bytes = reader.read(&mut input[kept..]) => {
                    let n_bytes = n_bytes?;
                    if n_bytes == 0 {
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the broker hung up"));
                    }
                    kept = self.acknowledged(&mut input, kept + n_bytes)?;
                }
                () = tokio::time::sleep_until(wake.into()) => {
                    if self.sent > self.acked && wake.elapsed() > SILENCE {
                        return Err(io::Error::new(io::ErrorKind::TimedOut, "no PUBACK"));
                    }
                }
            }
        }
        writer.write_all(&[0xE0, 0]).await
    }

    fn has_room(&self) -> bool {
        self.sent < self.load.messages
            && self.sent - self.acked < u64::from(self.load.in_flight.max(1))
    }

    /// When the next message is due on this connection.
    fn due_at(&self, number: u64) -> Option<Instant> {
        let rate = self.load.rate_per_s? / f64::from(self.load.connections.max(1));
        // Connections take turns, they do not beat together.
        let turn = f64::from(self.connection) / f64::from(self.load.connections.max(1));
        Some(self.started + Duration::from_secs_f64((number as f64 + turn) / rate))
    }

    fn next_due(&self) -> Instant {
        let silent = Instant::now() + SILENCE;
        if self.has_room() { self.due_at(self.sent).unwrap_or(silent) } else { silent }
    }

    async fn write_some(&mut self, writer: &mut WriteHalf<'_>) -> io::Result<()> {
        self.out.clear();
        let now = Instant::now();
        while self.has_room() && self.out.len() < WRITE_BYTES {
            let due = self.due_at(self.sent).unwrap_or(now);
            if due > now {
                break;
            }
            let slot = (self.sent % self.due.len() as u64) as usize;
            self.due[slot] = due;
            self.encode(self.sent);
            self.sent += 1;
        }
        writer.write_all(&self.out).await
    }

    fn encode(&mut self, number: u64) {
        use std::io::Write;
        self.payload.clear();
        let time_us = self.load.first_us + number as i64;
        let value = value_of(self.connection, number);
        let _ = write!(self.payload, "{{\"time\":{time_us},\"value\":{value},\"unit\":\"");
        while self.payload.len() + 2 < self.load.payload_bytes {
            self.payload.push(b'm');
        }
        self.payload.extend_from_slice(b"\"}");
        let topic = &self.topics[(number % self.topics.len() as u64) as usize];
        self.out.push(0x32);
        push_length(&mut self.out, 2 + topic.len() + 2 + self.payload.len());
        push_string(&mut self.out, topic.as_bytes());
        self.out.extend_from_slice(&packet_id(number).to_be_bytes());
        self.out.extend_from_slice(&self.payload);
    }

    /// Takes the PUBACKs out of `input[..len]`; returns how many bytes of an unfinished one stay at its front.
    fn acknowledged(&mut self, input: &mut [u8], len: usize) -> io::Result<usize> {
        let now = Instant::now();
        let mut packets = input[..len].chunks_exact(4);
        for packet in &mut packets {
            let expected = packet_id(self.acked).to_be_bytes();
            if packet[..2] != [0x40, 2] || packet[2..] != expected || self.acked == self.sent {
                let message = format!("expected PUBACK {expected:?}, got {packet:?}");
                return Err(io::Error::new(io::ErrorKind::InvalidData, message));
            }
            let slot = (self.acked % self.due.len() as u64) as usize;
            self.latency.add(now - self.due[slot]);
            self.acked += 1;
        }
        let rest = packets.remainder().len();
        input.copy_within(len - rest..len, 0);
        Ok(rest)
    }
}

fn packet_id(number: u64) -> u16 {
    (number % 65_535) as u16 + 1
}

fn connect_packet(prefix: &str, connection: u32) -> Vec<u8> {
    let client = format!("{prefix}-{connection}");
    let mut packet = vec![0x10];
    push_length(&mut packet, 10 + 2 + client.len());
    push_string(&mut packet, b"MQTT");
    // Version 4, clean session, no keep-alive.
    packet.extend_from_slice(&[4, 2, 0, 0]);
    push_string(&mut packet, client.as_bytes());
    packet
}

async fn expect_connack(reader: &mut ReadHalf<'_>) -> io::Result<()> {
    let mut connack = [0; 4];
    tokio::time::timeout(SILENCE, reader.read_exact(&mut connack)).await??;
    if connack == [0x20, 2, 0, 0] {
        return Ok(());
    }
    let message = format!("the broker refused the connection: {connack:?}");
    Err(io::Error::new(io::ErrorKind::ConnectionRefused, message))
}

/// MQTT 3.1.1 §2.2.3.
fn push_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 128 {
        out.push((length % 128) as u8 | 128);
        length /= 128;
    }
    out.push(length as u8);
}

fn push_string(out: &mut Vec<u8>, text: &[u8]) {
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text);
}
