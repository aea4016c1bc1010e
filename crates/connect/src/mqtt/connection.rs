//! One client: reads packets, stores what they publish, acknowledges what is durable, sends what it subscribed to.
//!
//! Everything that belongs to one client happens in one task: [`Client::run`] waits for whatever comes next.
//! The children hold one conversation each: [`connect`], [`publish`], [`subscribe`] and [`deliver`].

mod connect;
mod deliver;
mod opening;
mod publish;
mod subscribe;

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::{GenericPacketTrait, Packet, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::DisconnectReasonCode;
use mqtt_protocol_core::mqtt::{Connection, Version, role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::{Attached, Left, Outgoing};
use super::{Shared, now_us};
use crate::decode::Decoder;
use connect::Will;
use opening::{Opened, Opening};
use publish::{Batch, Unacked, next_answer};

/// Bytes read from the socket at once; also the size of a commit of one connection.
const READ_BYTES: usize = 256 * 1024;
/// Largest packet.
const MAX_PACKET_BYTES: u32 = 16 * 1024 * 1024;
/// Batches that wait for their fsync before the connection stops reading.
const MAX_BATCHES: usize = 64;
/// Messages to the client that it has not acknowledged.
const MAX_IN_FLIGHT: usize = 1000;
/// A client that does not say CONNECT within this time is let go.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);
/// A client that takes nothing for so long is let go.
const WRITE_WITHIN: Duration = Duration::from_secs(30);
/// "No deadline", for a timer.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// Why a connection ended.
#[derive(PartialEq)]
enum End {
    /// The client said DISCONNECT: no will.
    Orderly,
    /// Anything else.
    Broken,
}

struct Client {
    shared: Arc<Shared>,
    protocol: Connection<role::Server>,
    decoder: Decoder,
    name: String,
    /// The first packet, until it is whole.
    opening: Option<Opening>,
    attached: Option<Attached>,
    will: Option<Will>,
    /// For how long the session lives on; none: not at all.
    keep: Option<Duration>,
    out: Vec<u8>,
    /// What the present read has published so far.
    batch: Vec<Unacked>,
    /// The retained message that the present read must wait for.
    batch_kept: u64,
    batches: VecDeque<Batch>,
    /// Retained messages of new subscriptions, sent as fast as the client acknowledges.
    greetings: VecDeque<Outgoing>,
    in_flight: usize,
    /// QoS 2 messages that were not stored: their sender must be able to send them again.
    refused: Vec<u16>,
    /// When the client must have said something.
    deadline: Option<Instant>,
    end: Option<End>,
}

/// Serves one client until it goes, is let go, or Fettler stops.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let mut client = Client::new(shared);
    let error = client.run(socket, &stop).await.err();
    let orderly = client.end == Some(End::Orderly);
    tracing::debug!(%peer, client = client.name, orderly, error = error.map(|error| error.to_string()), "client gone");
    client.leave(orderly).await;
}

impl Client {
    fn new(shared: Arc<Shared>) -> Client {
        let options = ConnectionOptions::new().maximum_packet_size_recv(MAX_PACKET_BYTES);
        let mut protocol = Connection::with_options(Version::Undetermined, options);
        protocol.set_auto_ping_response(true);
        let (tenant, source) = (shared.options.tenant, shared.options.source);
        Client {
            protocol,
            decoder: Decoder::new(tenant, source, shared.directory.clone()),
            shared,
            name: String::new(),
            opening: Some(Opening::default()),
            attached: None,
            will: None,
            keep: None,
            out: Vec::new(),
            batch: Vec::new(),
            batch_kept: 0,
            batches: VecDeque::new(),
            greetings: VecDeque::new(),
            in_flight: 0,
            refused: Vec::new(),
            deadline: Some(Instant::now() + CONNECT_WITHIN),
            end: None,
        }
    }

    async fn run(
        &mut self,
        mut socket: TcpStream,
        stop: &CancellationToken,
    ) -> std::io::Result<()> {
        let (mut reader, mut writer) = socket.split();
        let mut buffer = vec![0; 8 * 1024];
        let mut kept = self.shared.hub.kept.as_ref().map(watch::Sender::subscribe);
        // Set anew only when it fires: most packets only move the deadline.
        let timer = tokio::time::sleep_until(Instant::now() + CONNECT_WITHIN);
        tokio::pin!(timer);
        loop {
            if !self.out.is_empty() {
                tokio::time::timeout(WRITE_WITHIN, writer.write_all(&self.out))
                    .await
                    .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
                self.out.clear();
            }
            if self.end.is_some() {
                let _ = writer.shutdown().await;
                return Ok(());
            }
            let reads = self.batches.len() < MAX_BATCHES;
            let sends = self.in_flight < self.send_limit();
            let attached = self.attached.as_ref();
            let queue = attached.map(|attached| attached.queue.clone());
            let kicked = attached.map(|attached| attached.kicked.clone());
            // All arms are safe to cancel: reads and queues take nothing until they return, and a receipt
            // stays in its batch until it is answered. None goes first: a client that is flooded is still heard.
            tokio::select! {
                answer = next_answer(&mut self.batches, &mut kept) => self.acknowledge(&answer),
                () = cancelled(kicked) => self.let_go(DisconnectReasonCode::SessionTakenOver),
                outgoing = deliver::next(&mut self.greetings, queue), if sends => self.send_some(outgoing),
                n_bytes = reader.read(&mut buffer), if reads => {
                    let n_bytes = n_bytes?;
                    if n_bytes == 0 {
                        return Ok(());
                    }
                    self.read(&buffer[..n_bytes]).await;
                    if n_bytes == buffer.len() && buffer.len() < READ_BYTES {
                        // A busy client earns a bigger buffer; an idle one costs little.
                        buffer.resize(buffer.len() * 4, 0);
                    }
                }
                () = &mut timer => {
                    let now = Instant::now();
                    if self.deadline.is_some_and(|deadline| deadline <= now) {
                        self.deadline_over();
                    }
                    timer.as_mut().reset(self.deadline.unwrap_or(now + FAR));
                }
                () = stop.cancelled() => self.let_go(DisconnectReasonCode::ServerShuttingDown),
            }
            if self.deadline.is_some_and(|deadline| deadline < timer.deadline()) {
                timer.as_mut().reset(self.deadline.unwrap_or_else(|| Instant::now() + FAR));
            }
        }
    }

    /// Takes everything that came with one read as one batch.
    async fn read(&mut self, bytes: &[u8]) {
        let Some(opening) = &mut self.opening else { return self.take(bytes).await };
        match opening.push(bytes) {
            Opened::NotYet => {}
            Opened::Bytes(bytes) => {
                self.opening = None;
                self.take(&bytes).await;
            }
            Opened::Never => {
                self.end.get_or_insert(End::Broken);
            }
        }
    }

    async fn take(&mut self, bytes: &[u8]) {
        let mut cursor = Cursor::new(bytes);
        let now_us = now_us();
        while (cursor.position() as usize) < bytes.len() && self.end.is_none() {
            for event in self.protocol.recv(&mut cursor) {
                match event {
                    Event::NotifyPacketReceived(packet) => self.on_packet(packet, now_us).await,
                    Event::NotifyError(error) => {
                        tracing::debug!(client = self.name, ?error, "protocol error");
                        self.end.get_or_insert(End::Broken);
                    }
                    other => self.on_event(other),
                }
            }
        }
        self.close_batch().await;
    }

    async fn on_packet(&mut self, packet: Packet, now_us: i64) {
        match packet {
            Packet::V3_1_1Publish(publish) => self.on_publish_v3(&publish, now_us),
            Packet::V5_0Publish(publish) => self.on_publish_v5(&publish, now_us),
            Packet::V3_1_1Pubrel(pubrel) => {
                self.send_built(v3_1_1::Pubcomp::builder().packet_id(pubrel.packet_id()).build());
            }
            Packet::V5_0Pubrel(pubrel) => {
                self.send_built(v5_0::Pubcomp::builder().packet_id(pubrel.packet_id()).build());
            }
            Packet::V3_1_1Pubrec(pubrec) => {
                self.send_built(v3_1_1::Pubrel::builder().packet_id(pubrec.packet_id()).build());
            }
            Packet::V5_0Pubrec(pubrec)
                if !pubrec.reason_code().is_some_and(|code| code.is_failure()) =>
            {
                self.send_built(v5_0::Pubrel::builder().packet_id(pubrec.packet_id()).build());
            }
            Packet::V3_1_1Connect(connect) => self.on_connect_v3(&connect).await,
            Packet::V5_0Connect(connect) => self.on_connect_v5(&connect).await,
            Packet::V3_1_1Subscribe(subscribe) => self.on_subscribe_v3(&subscribe),
            Packet::V5_0Subscribe(subscribe) => self.on_subscribe_v5(&subscribe),
            Packet::V3_1_1Unsubscribe(unsubscribe) => self.on_unsubscribe_v3(&unsubscribe),
            Packet::V5_0Unsubscribe(unsubscribe) => self.on_unsubscribe_v5(&unsubscribe),
            Packet::V3_1_1Disconnect(_) => {
                self.will = None;
                self.end = Some(End::Orderly);
            }
            Packet::V5_0Disconnect(disconnect) => self.on_disconnect_v5(&disconnect),
            _ => {}
        }
    }

    /// What the protocol wants done.
    fn on_event(&mut self, event: Event) {
        match event {
            Event::RequestSendPacket { packet, .. } => {
                self.out.extend_from_slice(&packet.to_continuous_buffer());
            }
            Event::NotifyPacketIdReleased(_) => self.in_flight = self.in_flight.saturating_sub(1),
            Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                self.deadline = Some(Instant::now() + Duration::from_millis(duration_ms));
            }
            Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.deadline = None,
            // A message that the client said is too large for it (MQTT 5 §3.1.2.11.4): not sent.
            Event::NotifyError(error) => {
                tracing::debug!(client = self.name, ?error, "a packet was not sent");
            }
            Event::RequestClose => {
                self.end.get_or_insert(End::Broken);
            }
            Event::RequestTimerReset { .. }
            | Event::RequestTimerCancel(_)
            | Event::NotifyPacketReceived(_) => {}
        }
    }

    fn send(&mut self, packet: impl Into<Packet>) {
        for event in self.protocol.send(packet.into()) {
            self.on_event(event);
        }
    }

    /// Sends a packet that was built of parts that cannot be wrong: its errors are for callers' mistakes.
    fn send_built<P: Into<Packet>, E: std::fmt::Debug>(&mut self, packet: Result<P, E>) {
        match packet {
            Ok(packet) => self.send(packet),
            Err(error) => {
                tracing::debug!(client = self.name, ?error, "a packet could not be built");
            }
        }
    }

    fn is_v5(&self) -> bool {
        self.protocol.get_protocol_version() == Version::V5_0
    }

    fn deadline_over(&mut self) {
        self.deadline = None;
        if self.attached.is_some() {
            for event in self.protocol.notify_timer_fired(TimerKind::PingreqRecv) {
                self.on_event(event);
            }
        }
        self.end.get_or_insert(End::Broken);
    }

    fn let_go(&mut self, code: DisconnectReasonCode) {
        if self.is_v5() && self.attached.is_some() {
            self.send_built(v5_0::Disconnect::builder().reason_code(code).build());
        }
        self.end.get_or_insert(End::Broken);
    }

    /// Gives the session back, and sends the will if it is due.
    async fn leave(mut self, orderly: bool) {
        self.protocol.notify_closed();
        let Some(attached) = self.attached.take() else { return };
        self.shared.counters.client_left();
        let (stored, received) = match self.keep {
            Some(_) => (self.protocol.get_stored_packets(), self.received()),
            None => (Vec::new(), Vec::new()),
        };
        let will = self.will.take().filter(|_| !orderly);
        let is_delayed = |will: &Will| self.keep.is_some() && !will.delay.is_zero();
        let (later, now) = match will {
            Some(will) if is_delayed(&will) => (Some((will.delay, will.message)), None),
            will => (None, will),
        };
        let left = Left { keep: self.keep, stored, received, will: later };
        self.shared.hub.detach(&self.name, &attached, left);
        if let Some(will) = now {
            self.publish_will(&will.message).await;
        }
    }

    /// QoS 2 messages whose sender knows that they are here.
    fn received(&self) -> Vec<u16> {
        let waiting = self.batches.iter().flat_map(|batch| &batch.unacked).map(|one| one.packet_id);
        let unstored: HashSet<u16> = waiting.chain(self.refused.iter().copied()).collect();
        let handled = self.protocol.get_qos2_publish_handled();
        handled.into_iter().filter(|id| !unstored.contains(id)).collect()
    }
}

async fn cancelled(token: Option<CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
