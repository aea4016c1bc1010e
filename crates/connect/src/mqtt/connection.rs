//! One client: reads packets, stores what they publish, acknowledges what is durable, sends what it subscribed to.

use std::collections::{HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures::FutureExt;
use mqtt_protocol_core::mqtt::common::Cursor;
use mqtt_protocol_core::mqtt::connection::{ConnectionOptions, Event, TimerKind};
use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, GenericPacketTrait, Packet, Property, Qos, SessionExpiryInterval,
    SharedSubscriptionAvailable, SubEntry, SubscriptionIdentifier, TopicAliasMaximum, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode, PubackReasonCode, PubrecReasonCode,
    SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
};
use mqtt_protocol_core::mqtt::{Connection, Version, role};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::hub::{Attached, Message, Outgoing};
use super::{Shared, matches, now_us};
use crate::decode::Decoder;
use crate::inlet::{InletError, Receipt};

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
/// Topic aliases that a client may use (MQTT 5).
const TOPIC_ALIASES: u16 = 100;

/// A publish that waits for its acknowledgement.
#[derive(Clone, Copy)]
struct Unacked {
    packet_id: u16,
    qos: Qos,
}

/// Publishes that are acknowledged together.
struct Batch {
    /// None: nothing of it had to be stored.
    receipt: Option<Receipt>,
    unacked: Vec<Unacked>,
}

/// Why a connection ended.
#[derive(PartialEq)]
enum End {
    /// The client said DISCONNECT: no will.
    Orderly,
    /// Anything else.
    Broken,
}

struct Will {
    message: Arc<Message>,
}

struct Client {
    shared: Arc<Shared>,
    protocol: Connection<role::Server>,
    decoder: Decoder,
    name: String,
    attached: Option<Attached>,
    will: Option<Will>,
    /// For how long the session lives on; none: not at all.
    keep: Option<Duration>,
    out: Vec<u8>,
    batch: Vec<Unacked>,
    batches: VecDeque<Batch>,
    in_flight: usize,
    /// QoS 2 messages that were not stored: their sender must be able to send them again.
    refused: Vec<u16>,
    keep_alive: Option<Instant>,
    end: Option<End>,
}

/// Serves one client until it goes, is let go, or Fettler stops.
pub(crate) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    shared: Arc<Shared>,
    stop: CancellationToken,
) {
    let options = ConnectionOptions::new().maximum_packet_size_recv(MAX_PACKET_BYTES);
    let decoder =
        Decoder::new(shared.options.tenant, shared.options.source, shared.directory.clone());
    let mut client = Client {
        protocol: Connection::with_options(Version::Undetermined, options),
        decoder,
        shared,
        name: String::new(),
        attached: None,
        will: None,
        keep: None,
        out: Vec::new(),
        batch: Vec::new(),
        batches: VecDeque::new(),
        in_flight: 0,
        refused: Vec::new(),
        keep_alive: Some(Instant::now() + CONNECT_WITHIN),
        end: None,
    };
    client.protocol.set_auto_ping_response(true);
    let error = client.run(socket, &stop).await.err();
    let orderly = client.end == Some(End::Orderly);
    tracing::debug!(%peer, client = client.name, orderly, error = error.map(|error| error.to_string()), "client gone");
    client.leave(orderly).await;
}

impl Client {
    async fn run(
        &mut self,
        mut socket: TcpStream,
        stop: &CancellationToken,
    ) -> std::io::Result<()> {
        let (mut reader, mut writer) = socket.split();
        let mut buffer = vec![0; 8 * 1024];
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
            let keep_alive =
                self.keep_alive.unwrap_or_else(|| Instant::now() + Duration::from_secs(3600));
            let (outbox, kicked) = match &mut self.attached {
                Some(attached) => (Some(&mut attached.outbox), Some(attached.kicked.clone())),
                None => (None, None),
            };
            // All arms are safe to cancel: reads and receives take nothing until they return, and a receipt
            // stays in its batch until it is answered.
            tokio::select! {
                biased;
                answer = next_receipt(&mut self.batches) => self.acknowledge(&answer),
                outgoing = receive(outbox), if sends => self.send_some(outgoing),
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
                () = cancelled(kicked) => self.let_go(DisconnectReasonCode::SessionTakenOver),
                () = tokio::time::sleep_until(keep_alive) => self.keep_alive_over(),
                () = stop.cancelled() => self.let_go(DisconnectReasonCode::ServerShuttingDown),
            }
        }
    }

    fn send_limit(&self) -> usize {
        let vacancy = self.protocol.get_receive_maximum_vacancy_for_send();
        vacancy.map_or(MAX_IN_FLIGHT, |vacancy| {
            MAX_IN_FLIGHT.min(self.in_flight + usize::from(vacancy))
        })
    }

    /// Takes everything that came with one read as one batch.
    async fn read(&mut self, bytes: &[u8]) {
        let mut cursor = Cursor::new(bytes);
        let now_us = now_us();
        while (cursor.position() as usize) < bytes.len() && self.end.is_none() {
            for event in self.protocol.recv(&mut cursor) {
                self.on_event(event, now_us).await;
            }
        }
        self.close_batch().await;
    }

    async fn on_event(&mut self, event: Event, now_us: i64) {
        match event {
            Event::NotifyPacketReceived(packet) => self.on_packet(packet, now_us).await,
            other => self.on_plain_event(other),
        }
    }

    /// Events that need no waiting.
    fn on_plain_event(&mut self, event: Event) {
        match event {
            Event::RequestSendPacket { packet, .. } => {
                self.out.extend_from_slice(&packet.to_continuous_buffer());
            }
            Event::NotifyPacketIdReleased(_) => self.in_flight = self.in_flight.saturating_sub(1),
            Event::RequestTimerReset { kind: TimerKind::PingreqRecv, duration_ms } => {
                self.keep_alive = Some(Instant::now() + Duration::from_millis(duration_ms));
            }
            Event::RequestTimerCancel(TimerKind::PingreqRecv) => self.keep_alive = None,
            Event::NotifyError(error) => {
                tracing::debug!(client = self.name, ?error, "protocol error");
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
            self.on_plain_event(event);
        }
    }

    async fn on_packet(&mut self, packet: Packet, now_us: i64) {
        match packet {
            Packet::V3_1_1Publish(publish) => {
                let message = Message {
                    topic: publish.topic_name().to_owned(),
                    payload: publish.payload().as_slice().into(),
                    qos: publish.qos(),
                    retain: publish.retain(),
                    props: Vec::new(),
                    expires: None,
                };
                self.on_publish(message, publish.packet_id(), now_us);
            }
            Packet::V5_0Publish(publish) => {
                let (props, expires) = travelling(publish.props());
                let message = Message {
                    topic: publish.topic_name().to_owned(),
                    payload: publish.payload().as_slice().into(),
                    qos: publish.qos(),
                    retain: publish.retain(),
                    props,
                    expires,
                };
                self.on_publish(message, publish.packet_id(), now_us);
            }
            Packet::V3_1_1Pubrel(pubrel) => {
                if let Ok(pubcomp) =
                    v3_1_1::Pubcomp::builder().packet_id(pubrel.packet_id()).build()
                {
                    self.send(pubcomp);
                }
            }
            Packet::V5_0Pubrel(pubrel) => {
                if let Ok(pubcomp) = v5_0::Pubcomp::builder().packet_id(pubrel.packet_id()).build()
                {
                    self.send(pubcomp);
                }
            }
            Packet::V3_1_1Pubrec(pubrec) => {
                if let Ok(pubrel) = v3_1_1::Pubrel::builder().packet_id(pubrec.packet_id()).build()
                {
                    self.send(pubrel);
                }
            }
            Packet::V5_0Pubrec(pubrec) => {
                let refused = pubrec.reason_code().is_some_and(|code| code.is_failure());
                if !refused
                    && let Ok(pubrel) =
                        v5_0::Pubrel::builder().packet_id(pubrec.packet_id()).build()
                {
                    self.send(pubrel);
                }
            }
            Packet::V3_1_1Connect(connect) => self.on_connect_v3(&connect).await,
            Packet::V5_0Connect(connect) => self.on_connect_v5(&connect).await,
            Packet::V3_1_1Subscribe(subscribe) => self.on_subscribe_v3(&subscribe),
            Packet::V5_0Subscribe(subscribe) => self.on_subscribe_v5(&subscribe),
            Packet::V3_1_1Unsubscribe(unsubscribe) => {
                for filter in unsubscribe.entries() {
                    self.shared.hub.unsubscribe(&self.name, filter.as_str());
                }
                if let Ok(unsuback) =
                    v3_1_1::Unsuback::builder().packet_id(unsubscribe.packet_id()).build()
                {
                    self.send(unsuback);
                }
            }
            Packet::V5_0Unsubscribe(unsubscribe) => {
                let ended = unsubscribe
                    .entries()
                    .iter()
                    .map(|filter| self.shared.hub.unsubscribe(&self.name, filter.as_str()));
                let codes = ended.map(|existed| {
                    if existed {
                        UnsubackReasonCode::Success
                    } else {
                        UnsubackReasonCode::NoSubscriptionExisted
                    }
                });
                let codes: Vec<UnsubackReasonCode> = codes.collect();
                let unsuback = v5_0::Unsuback::builder()
                    .packet_id(unsubscribe.packet_id())
                    .reason_codes(codes)
                    .build();
                if let Ok(unsuback) = unsuback {
                    self.send(unsuback);
                }
            }
            Packet::V3_1_1Disconnect(_) => {
                self.will = None;
                self.end = Some(End::Orderly);
            }
            Packet::V5_0Disconnect(disconnect) => self.on_disconnect_v5(&disconnect),
            _ => {}
        }
    }

    fn on_disconnect_v5(&mut self, disconnect: &v5_0::Disconnect) {
        let wants_will =
            disconnect.reason_code() == Some(DisconnectReasonCode::DisconnectWithWillMessage);
        if !wants_will {
            self.will = None;
        }
        if let Some(props) = disconnect.props() {
            for prop in props {
                if let Property::SessionExpiryInterval(interval) = prop {
                    self.keep = keep_for(interval.val());
                }
            }
        }
        self.end = Some(if wants_will { End::Broken } else { End::Orderly });
    }

    fn on_publish(&mut self, message: Message, packet_id: Option<u16>, now_us: i64) {
        self.shared.counters.received.fetch_add(1, Ordering::Relaxed);
        if message.topic.contains(['+', '#']) {
            // MQTT 5 §3.3.2.1: a topic name holds no wildcards; there is no polite way to say so in 3.1.1.
            tracing::debug!(client = self.name, topic = message.topic, "published to a filter");
            self.end.get_or_insert(End::Broken);
            return;
        }
        self.take_in(&message, now_us);
        if let Some(packet_id) = packet_id {
            self.batch.push(Unacked { packet_id, qos: message.qos });
        }
        self.shared.hub.publish(&Arc::new(message), Some(&self.name), &self.shared.counters);
    }

    /// Decodes what is to be stored.
    fn take_in(&mut self, message: &Message, now_us: i64) {
        let is_stored = !message.topic.starts_with('$')
            && !self.shared.options.not_stored.iter().any(|filter| matches(filter, &message.topic));
        if is_stored {
            self.decoder.read(&message.topic, &message.payload, now_us);
        }
    }

    /// Hands the batch to the inlet; its acknowledgements wait for the receipt.
    async fn close_batch(&mut self) {
        let (rows, refusals) = self.decoder.take().await;
        for refusal in refusals {
            self.shared.inlet.balance().reject(
                self.shared.options.source,
                refusal.reason,
                1,
                &refusal.message,
            );
        }
        let unacked = std::mem::take(&mut self.batch);
        if rows.is_empty() && unacked.is_empty() {
            return;
        }
        let receipt = if rows.is_empty() {
            None
        } else {
            match self.shared.inlet.submit(rows).await {
                Ok(receipt) => Some(receipt),
                Err(error) => {
                    self.refuse(&unacked, &error);
                    return;
                }
            }
        };
        self.batches.push_back(Batch { receipt, unacked });
    }

    /// The fate of the oldest batch is known.
    fn acknowledge(&mut self, answer: &Result<(), InletError>) {
        let Some(batch) = self.batches.pop_front() else { return };
        if let Err(error) = answer {
            self.refuse(&batch.unacked, error);
            return;
        }
        let is_v5 = self.protocol.get_protocol_version() == Version::V5_0;
        for one in batch.unacked {
            match (one.qos, is_v5) {
                (Qos::ExactlyOnce, false) => {
                    if let Ok(pubrec) = v3_1_1::Pubrec::builder().packet_id(one.packet_id).build() {
                        self.send(pubrec);
                    }
                }
                (Qos::ExactlyOnce, true) => {
                    if let Ok(pubrec) = v5_0::Pubrec::builder().packet_id(one.packet_id).build() {
                        self.send(pubrec);
                    }
                }
                (_, false) => {
                    if let Ok(puback) = v3_1_1::Puback::builder().packet_id(one.packet_id).build() {
                        self.send(puback);
                    }
                }
                (_, true) => {
                    if let Ok(puback) = v5_0::Puback::builder().packet_id(one.packet_id).build() {
                        self.send(puback);
                    }
                }
            }
        }
    }

    /// Nothing of it is durable: MQTT 5 can say so, with 3.1.1 only hanging up makes the client send again.
    fn refuse(&mut self, unacked: &[Unacked], error: &InletError) {
        if unacked.is_empty() {
            return;
        }
        if self.protocol.get_protocol_version() != Version::V5_0 {
            tracing::warn!(client = self.name, %error, "connection closed, its messages could not be stored");
            self.refused.extend(unacked.iter().map(|one| one.packet_id));
            self.end.get_or_insert(End::Broken);
            return;
        }
        for one in unacked {
            if one.qos == Qos::ExactlyOnce {
                let code = PubrecReasonCode::QuotaExceeded;
                if let Ok(pubrec) =
                    v5_0::Pubrec::builder().packet_id(one.packet_id).reason_code(code).build()
                {
                    self.send(pubrec);
                }
            } else {
                let code = PubackReasonCode::QuotaExceeded;
                if let Ok(puback) =
                    v5_0::Puback::builder().packet_id(one.packet_id).reason_code(code).build()
                {
                    self.send(puback);
                }
            }
        }
    }

    fn may_connect(&self, user: Option<&str>, password: Option<&[u8]>) -> bool {
        match (user, &self.shared.options.auth) {
            (Some(user), Some(auth)) if auth(user, password.unwrap_or_default()) => true,
            _ => self.shared.options.allow_anonymous,
        }
    }

    async fn on_connect_v3(&mut self, connect: &v3_1_1::Connect) {
        let refuse =
            |code| v3_1_1::Connack::builder().session_present(false).return_code(code).build();
        if !self.may_connect(connect.user_name(), connect.password()) {
            if let Ok(connack) = refuse(ConnectReturnCode::NotAuthorized) {
                self.send(connack);
            }
            return;
        }
        if connect.client_id().is_empty() && !connect.clean_session() {
            if let Ok(connack) = refuse(ConnectReturnCode::IdentifierRejected) {
                self.send(connack);
            }
            return;
        }
        self.will = connect.will_topic().map(|topic| Will {
            message: Arc::new(Message {
                topic: topic.to_owned(),
                payload: connect.will_payload().unwrap_or_default().into(),
                qos: connect.will_qos(),
                retain: connect.will_retain(),
                props: Vec::new(),
                expires: None,
            }),
        });
        self.keep = (!connect.clean_session()).then_some(Duration::from_secs(7 * 24 * 3600));
        self.deadline_is(connect.keep_alive());
        let present = self.attach(connect.client_id(), connect.clean_session()).await;
        let connack = v3_1_1::Connack::builder()
            .session_present(present)
            .return_code(ConnectReturnCode::Accepted)
            .build();
        if let Ok(connack) = connack {
            self.send(connack);
        }
    }

    async fn on_connect_v5(&mut self, connect: &v5_0::Connect) {
        if !self.may_connect(connect.user_name(), connect.password()) {
            let code = ConnectReasonCode::NotAuthorized;
            if let Ok(connack) =
                v5_0::Connack::builder().session_present(false).reason_code(code).build()
            {
                self.send(connack);
            }
            return;
        }
        self.will = connect.will_topic().map(|topic| {
            let (props, expires) = travelling(connect.will_props());
            Will {
                message: Arc::new(Message {
                    topic: topic.to_owned(),
                    payload: connect.will_payload().unwrap_or_default().into(),
                    qos: connect.will_qos(),
                    retain: connect.will_retain(),
                    props,
                    expires,
                }),
            }
        });
        let expiry = connect.props().iter().find_map(|prop| match prop {
            Property::SessionExpiryInterval(interval) => Some(interval.val()),
            _ => None,
        });
        self.keep = keep_for(expiry.unwrap_or(0));
        self.deadline_is(connect.keep_alive());
        let present = self.attach(connect.client_id(), connect.clean_start()).await;
        let mut props: Vec<Property> = Vec::new();
        props.extend(TopicAliasMaximum::new(TOPIC_ALIASES).ok().map(Property::from));
        props.extend(SharedSubscriptionAvailable::new(0).ok().map(Property::from));
        props.extend(
            expiry.and_then(|seconds| SessionExpiryInterval::new(seconds).ok()).map(Property::from),
        );
        if connect.client_id().is_empty() {
            props.extend(AssignedClientIdentifier::new(&self.name).ok().map(Property::from));
        }
        let connack = v5_0::Connack::builder()
            .session_present(present)
            .reason_code(ConnectReasonCode::Success)
            .props(props)
            .build();
        if let Ok(connack) = connack {
            self.send(connack);
        }
    }

    /// The deadline for CONNECT is over; with keep-alive 0 there is no other.
    fn deadline_is(&mut self, keep_alive_s: u16) {
        if keep_alive_s == 0 {
            self.keep_alive = None;
        }
    }

    /// Joins the hub; true when an old session goes on.
    async fn attach(&mut self, client: &str, clean: bool) -> bool {
        self.name =
            if client.is_empty() { format!("auto-{:016x}", fastrand()) } else { client.to_owned() };
        let mut attached = self.shared.hub.attach(&self.name, clean).await;
        self.shared.counters.clients.fetch_add(1, Ordering::Relaxed);
        let stored = std::mem::take(&mut attached.stored);
        self.in_flight = stored.len();
        self.protocol.restore_packets(stored);
        self.protocol.restore_qos2_publish_handled(attached.received.drain(..).collect());
        let present = attached.present;
        self.attached = Some(attached);
        present
    }

    fn on_subscribe_v3(&mut self, subscribe: &v3_1_1::Subscribe) {
        let mut codes = Vec::new();
        let mut retained = Vec::new();
        for entry in subscribe.entries() {
            let options = entry.sub_opts();
            if !self.may_read(entry.topic_filter()) {
                codes.push(SubackReturnCode::Failure);
                continue;
            }
            codes.push(match options.qos() {
                Qos::AtMostOnce => SubackReturnCode::SuccessMaximumQos0,
                Qos::AtLeastOnce => SubackReturnCode::SuccessMaximumQos1,
                Qos::ExactlyOnce => SubackReturnCode::SuccessMaximumQos2,
            });
            retained.extend(self.shared.hub.subscribe(
                &self.name,
                entry.topic_filter(),
                *options,
                None,
            ));
        }
        if let Ok(suback) =
            v3_1_1::Suback::builder().packet_id(subscribe.packet_id()).return_codes(codes).build()
        {
            self.send(suback);
        }
        retained.into_iter().for_each(|outgoing| self.send_one(&outgoing));
    }

    fn on_subscribe_v5(&mut self, subscribe: &v5_0::Subscribe) {
        let identifier = subscribe.props().iter().find_map(|prop| match prop {
            Property::SubscriptionIdentifier(identifier) => Some(identifier.val()),
            _ => None,
        });
        let mut codes = Vec::new();
        let mut retained = Vec::new();
        for entry in subscribe.entries() {
            codes.push(self.subscribe_one(entry, identifier, &mut retained));
        }
        if let Ok(suback) =
            v5_0::Suback::builder().packet_id(subscribe.packet_id()).reason_codes(codes).build()
        {
            self.send(suback);
        }
        retained.into_iter().for_each(|outgoing| self.send_one(&outgoing));
    }

    fn may_read(&self, filter: &str) -> bool {
        is_filter(filter) && !self.shared.options.not_readable.iter().any(|other| other == filter)
    }

    fn subscribe_one(
        &self,
        entry: &SubEntry,
        identifier: Option<u32>,
        retained: &mut Vec<Outgoing>,
    ) -> SubackReasonCode {
        let options = entry.sub_opts();
        if entry.topic_filter().starts_with("$share/") {
            return SubackReasonCode::SharedSubscriptionsNotSupported;
        }
        if !is_filter(entry.topic_filter()) {
            return SubackReasonCode::TopicFilterInvalid;
        }
        if !self.may_read(entry.topic_filter()) {
            return SubackReasonCode::NotAuthorized;
        }
        retained.extend(self.shared.hub.subscribe(
            &self.name,
            entry.topic_filter(),
            *options,
            identifier,
        ));
        match options.qos() {
            Qos::AtMostOnce => SubackReasonCode::GrantedQos0,
            Qos::AtLeastOnce => SubackReasonCode::GrantedQos1,
            Qos::ExactlyOnce => SubackReasonCode::GrantedQos2,
        }
    }

    /// Sends what waits for the client, as much as goes at once.
    fn send_some(&mut self, first: Option<Outgoing>) {
        let mut next = first;
        while let Some(outgoing) = next {
            self.send_one(&outgoing);
            if self.out.len() >= READ_BYTES || self.in_flight >= self.send_limit() {
                return;
            }
            next = self.attached.as_mut().and_then(|attached| attached.outbox.try_recv().ok());
        }
    }

    fn send_one(&mut self, outgoing: &Outgoing) {
        let message = &outgoing.message;
        if message.expires.is_some_and(|expires| expires <= std::time::Instant::now()) {
            return;
        }
        let packet_id = if outgoing.qos == Qos::AtMostOnce {
            None
        } else {
            let Ok(packet_id) = self.protocol.acquire_packet_id() else {
                self.shared.counters.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            };
            self.in_flight += 1;
            Some(packet_id)
        };
        self.shared.counters.sent.fetch_add(1, Ordering::Relaxed);
        if self.protocol.get_protocol_version() == Version::V5_0 {
            let mut props = message.props.clone();
            let identifiers =
                outgoing.identifiers.iter().filter_map(|id| SubscriptionIdentifier::new(*id).ok());
            props.extend(identifiers.map(Property::from));
            let Ok(builder) = v5_0::Publish::builder().topic_name(message.topic.as_str()) else {
                return;
            };
            let publish = builder
                .qos(outgoing.qos)
                .retain(outgoing.retain)
                .packet_id(packet_id)
                .props(props)
                .payload(message.payload.clone())
                .build();
            if let Ok(publish) = publish {
                self.send(publish);
            }
        } else {
            let Ok(builder) = v3_1_1::Publish::builder().topic_name(message.topic.as_str()) else {
                return;
            };
            let publish = builder
                .qos(outgoing.qos)
                .retain(outgoing.retain)
                .packet_id(packet_id)
                .payload(message.payload.clone())
                .build();
            if let Ok(publish) = publish {
                self.send(publish);
            }
        }
    }

    fn keep_alive_over(&mut self) {
        if self.keep_alive.is_none() {
            return;
        }
        self.keep_alive = None;
        if self.attached.is_some() {
            for event in self.protocol.notify_timer_fired(TimerKind::PingreqRecv) {
                self.on_plain_event(event);
            }
        }
        self.end.get_or_insert(End::Broken);
    }

    fn let_go(&mut self, code: DisconnectReasonCode) {
        if self.protocol.get_protocol_version() == Version::V5_0
            && self.attached.is_some()
            && let Ok(disconnect) = v5_0::Disconnect::builder().reason_code(code).build()
        {
            self.send(disconnect);
        }
        self.end.get_or_insert(End::Broken);
    }

    /// Sends the will if it is due, and gives the session back.
    async fn leave(mut self, orderly: bool) {
        self.protocol.notify_closed();
        let Some(attached) = self.attached.take() else { return };
        self.shared.counters.clients.fetch_sub(1, Ordering::Relaxed);
        let (stored, received) = match self.keep {
            Some(_) => {
                let waiting =
                    self.batches.iter().flat_map(|batch| &batch.unacked).map(|one| one.packet_id);
                let unstored: HashSet<u16> = waiting.chain(self.refused.iter().copied()).collect();
                let handled = self.protocol.get_qos2_publish_handled();
                let received = handled.into_iter().filter(|id| !unstored.contains(id)).collect();
                (self.protocol.get_stored_packets(), received)
            }
            None => (Vec::new(), Vec::new()),
        };
        self.shared.hub.detach(&self.name, attached, self.keep, stored, received);
        let Some(will) = self.will.take().filter(|_| !orderly) else { return };
        self.take_in(&will.message, now_us());
        // Nobody waits for the will's acknowledgement; it is stored like any other message.
        self.close_batch().await;
        self.shared.hub.publish(&will.message, Some(&self.name), &self.shared.counters);
    }
}

/// Whether wildcards stand where MQTT 5 §4.7.1 allows them: `#` alone at the end, `+` alone in its level.
fn is_filter(filter: &str) -> bool {
    let mut levels = filter.split('/').peekable();
    let mut is_sound = !filter.is_empty();
    while let Some(level) = levels.next() {
        is_sound &= match level {
            "#" => levels.peek().is_none(),
            "+" => true,
            level => !level.contains(['+', '#']),
        };
    }
    is_sound
}

/// Waits for the receipt of the oldest batch; for ever when there is none.
async fn next_receipt(batches: &mut VecDeque<Batch>) -> Result<(), InletError> {
    match batches.front_mut() {
        Some(Batch { receipt: Some(receipt), .. }) => receipt.await,
        Some(Batch { receipt: None, .. }) => Ok(()),
        None => std::future::pending().await,
    }
}

async fn receive(outbox: Option<&mut tokio::sync::mpsc::Receiver<Outgoing>>) -> Option<Outgoing> {
    match outbox {
        Some(outbox) => match outbox.recv().await {
            Some(outgoing) => Some(outgoing),
            // Taken over: the token says so as well.
            None => std::future::pending().await,
        },
        None => std::future::pending().await,
    }
}

async fn cancelled(token: Option<CancellationToken>) {
    match token {
        Some(token) => token.cancelled().await,
        None => std::future::pending().fuse().await,
    }
}

/// The properties that go on to subscribers (MQTT 5 §3.3.2.3), and when the message expires.
fn travelling(props: &[Property]) -> (Vec<Property>, Option<std::time::Instant>) {
    let mut kept = Vec::new();
    let mut expires = None;
    for prop in props {
        match prop {
            Property::MessageExpiryInterval(interval) => {
                let seconds = Duration::from_secs(u64::from(interval.val()));
                expires = std::time::Instant::now().checked_add(seconds);
                kept.push(prop.clone());
            }
            Property::PayloadFormatIndicator(_)
            | Property::ContentType(_)
            | Property::ResponseTopic(_)
            | Property::CorrelationData(_)
            | Property::UserProperty(_) => kept.push(prop.clone()),
            _ => {}
        }
    }
    (kept, expires)
}

fn keep_for(expiry_s: u32) -> Option<Duration> {
    match expiry_s {
        0 => None,
        // "Does not expire", as far as memory goes.
        u32::MAX => Some(Duration::from_secs(365 * 24 * 3600)),
        seconds => Some(Duration::from_secs(u64::from(seconds))),
    }
}

/// A number for clients that have no name of their own.
fn fastrand() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_i64(now_us());
    hasher.finish()
}
