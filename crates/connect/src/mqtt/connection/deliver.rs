//! PUBLISH to the client, as fast as it acknowledges.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use mqtt_protocol_core::mqtt::packet::{Property, Qos, SubscriptionIdentifier, v3_1_1, v5_0};

use super::super::hub::{Outgoing, Queue};
use super::{Client, MAX_IN_FLIGHT, READ_BYTES};

/// The next message for the client: retained ones of a new subscription first. Safe to cancel.
pub(super) async fn next(
    greetings: &mut VecDeque<Outgoing>,
    queue: Option<Arc<Queue>>,
) -> Outgoing {
    if let Some(outgoing) = greetings.pop_front() {
        return outgoing;
    }
    match queue {
        Some(queue) => queue.next().await,
        None => std::future::pending().await,
    }
}

impl Client {
    pub(super) fn send_limit(&self) -> usize {
        let vacancy = self.protocol.get_receive_maximum_vacancy_for_send();
        vacancy.map_or(MAX_IN_FLIGHT, |vacancy| {
            MAX_IN_FLIGHT.min(self.in_flight + usize::from(vacancy))
        })
    }

    /// Sends what waits for the client, as much as goes at once.
    pub(super) fn send_some(&mut self, first: Outgoing) {
        let mut next = Some(first);
        while let Some(outgoing) = next {
            self.send_one(&outgoing);
            if self.out.len() >= READ_BYTES || self.in_flight >= self.send_limit() {
                return;
            }
            let queue = self.attached.as_ref().map(|attached| &attached.queue);
            next = self.greetings.pop_front().or_else(|| queue.and_then(|queue| queue.pop()));
        }
    }

    fn send_one(&mut self, outgoing: &Outgoing) {
        if outgoing.message.is_over(Instant::now()) {
            return;
        }
        let packet_id = if outgoing.qos == Qos::AtMostOnce {
            None
        } else {
            let Ok(packet_id) = self.protocol.acquire_packet_id() else {
                self.shared.counters.dropped();
                return;
            };
            self.in_flight += 1;
            Some(packet_id)
        };
        self.shared.counters.sent();
        if self.is_v5() {
            self.send_v5(outgoing, packet_id);
        } else {
            self.send_v3(outgoing, packet_id);
        }
    }

    fn send_v3(&mut self, outgoing: &Outgoing, packet_id: Option<u16>) {
        let message = &outgoing.message;
        let publish =
            v3_1_1::Publish::builder().topic_name(message.topic.as_str()).and_then(|builder| {
                builder
                    .qos(outgoing.qos)
                    .retain(outgoing.retain)
                    .packet_id(packet_id)
                    .payload(message.payload.clone())
                    .build()
            });
        self.send_built(publish);
    }

    fn send_v5(&mut self, outgoing: &Outgoing, packet_id: Option<u16>) {
        let message = &outgoing.message;
        let mut props = message.props.clone();
        let identifiers =
            outgoing.identifiers.iter().filter_map(|id| SubscriptionIdentifier::new(*id).ok());
        props.extend(identifiers.map(Property::from));
        let publish =
            v5_0::Publish::builder().topic_name(message.topic.as_str()).and_then(|builder| {
                builder
                    .qos(outgoing.qos)
                    .retain(outgoing.retain)
                    .packet_id(packet_id)
                    .props(props)
                    .payload(message.payload.clone())
                    .build()
            });
        self.send_built(publish);
    }
}
