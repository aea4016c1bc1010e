//! PUBLISH from the client, up to its acknowledgement.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::{Property, Qos, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{PubackReasonCode, PubrecReasonCode};
use tokio::sync::watch;

use super::super::hub::{self, Message};
use super::super::{matches, now_us};
use super::{Client, End};
use crate::inlet::{InletError, Receipt};

/// A publish that waits for its acknowledgement.
#[derive(Clone, Copy)]
pub(super) struct Unacked {
    pub(super) packet_id: u16,
    qos: Qos,
}

/// What is known of a batch's rows.
enum Fate {
    /// Their fsync is not done.
    Open(Receipt),
    Known(Result<(), InletError>),
}

/// Publishes that are acknowledged together.
pub(super) struct Batch {
    fate: Fate,
    /// Number of the last retained message among them, which is acknowledged when it is in its file; 0: none is.
    kept: u64,
    pub(super) unacked: Vec<Unacked>,
}

impl Client {
    pub(super) fn on_publish_v3(&mut self, publish: &v3_1_1::Publish, now_us: i64) {
        let (topic, payload) = (publish.topic_name(), publish.payload().as_slice());
        if !self.take_in(topic, payload, now_us) {
            return;
        }
        self.note_unacked(publish.packet_id(), publish.qos());
        if self.is_routed(topic, publish.retain()) {
            self.route(Message {
                topic: topic.to_owned(),
                payload: payload.into(),
                qos: publish.qos(),
                retain: publish.retain(),
                props: Vec::new(),
                expires: None,
            });
        }
    }

    pub(super) fn on_publish_v5(&mut self, publish: &v5_0::Publish, now_us: i64) {
        let (topic, payload) = (publish.topic_name(), publish.payload().as_slice());
        if !self.take_in(topic, payload, now_us) {
            return;
        }
        self.note_unacked(publish.packet_id(), publish.qos());
        if self.is_routed(topic, publish.retain()) {
            let (props, expires) = travelling(publish.props());
            self.route(Message {
                topic: topic.to_owned(),
                payload: payload.into(),
                qos: publish.qos(),
                retain: publish.retain(),
                props,
                expires,
            });
        }
    }

    /// Decodes what is to be stored; false when the topic is none, which ends the connection.
    fn take_in(&mut self, topic: &str, payload: &[u8], now_us: i64) -> bool {
        self.shared.counters.received();
        if topic.contains(['+', '#']) {
            // MQTT 5 §3.3.2.1: a topic name holds no wildcards; there is no polite way to say so in 3.1.1.
            tracing::debug!(client = self.name, topic, "published to a filter");
            self.end.get_or_insert(End::Broken);
            return false;
        }
        let is_stored = !topic.starts_with('$')
            && !self.shared.options.not_stored.iter().any(|filter| matches(filter, topic));
        if is_stored {
            self.decoder.read(topic, payload, now_us);
        }
        true
    }

    fn note_unacked(&mut self, packet_id: Option<u16>, qos: Qos) {
        self.batch.extend(packet_id.map(|packet_id| Unacked { packet_id, qos }));
    }

    /// Whether anybody but the log wants it. What clients say in the broker's own name goes nowhere.
    fn is_routed(&self, topic: &str, retain: bool) -> bool {
        (retain || self.shared.hub.has_subscribers()) && !hub::is_system(topic)
    }

    fn route(&mut self, message: Message) {
        let shared = &self.shared;
        let number = shared.hub.publish(&Arc::new(message), Some(&self.name), &shared.counters);
        self.batch_kept = self.batch_kept.max(number);
    }

    /// Hands the batch to the inlet; its acknowledgements wait for the receipt, and for those before it.
    pub(super) async fn close_batch(&mut self) {
        let read = self.decoder.take_counted(self.shared.inlet.balance()).await;
        let unacked = std::mem::take(&mut self.batch);
        let kept = std::mem::take(&mut self.batch_kept);
        let fate = match read {
            Ok(rows) if rows.is_empty() && unacked.is_empty() => return,
            Ok(rows) if rows.is_empty() => Fate::Known(Ok(())),
            Ok(rows) => match self.shared.inlet.submit(rows).await {
                Ok(receipt) => Fate::Open(receipt),
                Err(error) => Fate::Known(Err(error)),
            },
            Err(error) => Fate::Known(Err(error)),
        };
        self.batches.push_back(Batch { fate, kept, unacked });
    }

    /// The fate of the oldest batch is known.
    pub(super) fn acknowledge(&mut self, answer: &Result<(), InletError>) {
        let Some(batch) = self.batches.pop_front() else { return };
        if let Err(error) = answer {
            self.refuse(&batch.unacked, error);
            return;
        }
        let is_v5 = self.is_v5();
        for Unacked { packet_id, qos } in batch.unacked {
            match (qos, is_v5) {
                (Qos::ExactlyOnce, false) => {
                    self.send_built(v3_1_1::Pubrec::builder().packet_id(packet_id).build());
                }
                (Qos::ExactlyOnce, true) => {
                    self.send_built(v5_0::Pubrec::builder().packet_id(packet_id).build());
                }
                (_, false) => {
                    self.send_built(v3_1_1::Puback::builder().packet_id(packet_id).build());
                }
                (_, true) => {
                    self.send_built(v5_0::Puback::builder().packet_id(packet_id).build());
                }
            }
        }
    }

    /// Nothing of it is durable: MQTT 5 can say so, with 3.1.1 only hanging up makes the client send again.
    fn refuse(&mut self, unacked: &[Unacked], error: &InletError) {
        if unacked.is_empty() {
            return;
        }
        if !self.is_v5() {
            tracing::warn!(client = self.name, %error, "connection closed, its messages could not be stored");
            self.refused.extend(unacked.iter().map(|one| one.packet_id));
            self.end.get_or_insert(End::Broken);
            return;
        }
        for Unacked { packet_id, qos } in unacked.iter().copied() {
            if qos == Qos::ExactlyOnce {
                let code = PubrecReasonCode::QuotaExceeded;
                let pubrec = v5_0::Pubrec::builder().packet_id(packet_id).reason_code(code);
                self.send_built(pubrec.build());
            } else {
                let code = PubackReasonCode::QuotaExceeded;
                let puback = v5_0::Puback::builder().packet_id(packet_id).reason_code(code);
                self.send_built(puback.build());
            }
        }
    }

    /// Nobody waits for a will's acknowledgement; it is stored and passed on like any other message.
    pub(super) async fn publish_will(&mut self, will: &Arc<Message>) {
        if self.take_in(&will.topic, &will.payload, now_us()) {
            self.close_batch().await;
            let shared = &self.shared;
            shared.hub.publish(will, Some(&self.name), &shared.counters);
        }
    }
}

/// Waits until the fate of the oldest batch is known; for ever when there is none. Safe to cancel.
pub(super) async fn next_answer(
    batches: &mut VecDeque<Batch>,
    kept: &mut Option<watch::Receiver<u64>>,
) -> Result<(), InletError> {
    let Some(batch) = batches.front_mut() else { return std::future::pending().await };
    if let Fate::Open(receipt) = &mut batch.fate {
        batch.fate = Fate::Known(receipt.await);
    }
    if let (1.., Some(kept)) = (batch.kept, kept) {
        // An error means that the broker has stopped: the connection hears of it in a moment.
        let _ = kept.wait_for(|number| *number >= batch.kept).await;
    }
    match &batch.fate {
        Fate::Known(answer) => answer.clone(),
        Fate::Open(_) => Err(InletError::Closed),
    }
}

/// The properties that go on to subscribers (MQTT 5 §3.3.2.3), and when the message expires.
pub(super) fn travelling(props: &[Property]) -> (Vec<Property>, Option<Instant>) {
    let mut kept = Vec::new();
    let mut expires = None;
    for prop in props {
        match prop {
            Property::MessageExpiryInterval(interval) => {
                let seconds = Duration::from_secs(u64::from(interval.val()));
                expires = Instant::now().checked_add(seconds);
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
