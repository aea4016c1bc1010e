//! CONNECT and DISCONNECT: who may come in, which session goes on, what happens when it ends.

use std::sync::Arc;
use std::time::Duration;

use mqtt_protocol_core::mqtt::packet::{
    AssignedClientIdentifier, Property, SessionExpiryInterval, TopicAliasMaximum, v3_1_1, v5_0,
};
use mqtt_protocol_core::mqtt::result_code::{
    ConnectReasonCode, ConnectReturnCode, DisconnectReasonCode,
};

use super::super::hub::Message;
use super::publish::travelling;
use super::{Client, End};
use crate::mqtt::{SESSION_LIVES, now_us};

/// Topic aliases that a client may use (MQTT 5).
const TOPIC_ALIASES: u16 = 100;

/// What others hear when a client is gone.
pub(super) struct Will {
    pub(super) message: Arc<Message>,
    /// How long the client has to come back before they do (MQTT 5 §3.1.3.2.2).
    pub(super) delay: Duration,
}

impl Client {
    fn may_connect(&self, user: Option<&str>, password: Option<&[u8]>) -> bool {
        match (user, &self.shared.options.auth) {
            (Some(user), Some(auth)) if auth(user, password.unwrap_or_default()) => true,
            _ => self.shared.options.allow_anonymous,
        }
    }

    pub(super) async fn on_connect_v3(&mut self, connect: &v3_1_1::Connect) {
        let refuse =
            |code| v3_1_1::Connack::builder().session_present(false).return_code(code).build();
        if !self.may_connect(connect.user_name(), connect.password()) {
            self.send_built(refuse(ConnectReturnCode::NotAuthorized));
            return;
        }
        if connect.client_id().is_empty() && !connect.clean_session() {
            self.send_built(refuse(ConnectReturnCode::IdentifierRejected));
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
            delay: Duration::ZERO,
        });
        self.keep = (!connect.clean_session()).then_some(SESSION_LIVES);
        self.is_greeted(connect.keep_alive());
        let present = self.attach(connect.client_id(), connect.clean_session()).await;
        let connack = v3_1_1::Connack::builder()
            .session_present(present)
            .return_code(ConnectReturnCode::Accepted)
            .build();
        self.send_built(connack);
    }

    pub(super) async fn on_connect_v5(&mut self, connect: &v5_0::Connect) {
        if !self.may_connect(connect.user_name(), connect.password()) {
            let code = ConnectReasonCode::NotAuthorized;
            self.send_built(
                v5_0::Connack::builder().session_present(false).reason_code(code).build(),
            );
            return;
        }
        self.will = will_v5(connect);
        let expiry_s = session_expiry_s(connect.props());
        self.keep = keep_for(expiry_s.unwrap_or(0));
        self.is_greeted(connect.keep_alive());
        let present = self.attach(connect.client_id(), connect.clean_start()).await;
        let mut props: Vec<Property> = Vec::new();
        props.extend(TopicAliasMaximum::new(TOPIC_ALIASES).ok().map(Property::from));
        let expiry = expiry_s.and_then(|seconds| SessionExpiryInterval::new(seconds).ok());
        props.extend(expiry.map(Property::from));
        if connect.client_id().is_empty() {
            props.extend(AssignedClientIdentifier::new(&self.name).ok().map(Property::from));
        }
        let connack = v5_0::Connack::builder()
            .session_present(present)
            .reason_code(ConnectReasonCode::Success)
            .props(props)
            .build();
        self.send_built(connack);
    }

    pub(super) fn on_disconnect_v5(&mut self, disconnect: &v5_0::Disconnect) {
        let wants_will =
            disconnect.reason_code() == Some(DisconnectReasonCode::DisconnectWithWillMessage);
        if !wants_will {
            self.will = None;
        }
        if let Some(seconds) = disconnect.props().as_ref().and_then(|it| session_expiry_s(it)) {
            self.keep = keep_for(seconds);
        }
        self.end = Some(if wants_will { End::Broken } else { End::Orderly });
    }

    /// The deadline for CONNECT is over; with keep-alive 0 there is no other.
    fn is_greeted(&mut self, keep_alive_s: u16) {
        if keep_alive_s == 0 {
            self.deadline = None;
        }
    }

    /// Joins the hub; true when an old session goes on.
    async fn attach(&mut self, client: &str, clean: bool) -> bool {
        self.name =
            if client.is_empty() { format!("auto-{:016x}", unique()) } else { client.to_owned() };
        let mut attached = self.shared.hub.attach(&self.name, clean).await;
        self.shared.counters.client_came();
        let stored = std::mem::take(&mut attached.stored);
        self.in_flight = stored.len();
        self.protocol.restore_packets(stored);
        self.protocol.restore_qos2_publish_handled(attached.received.drain(..).collect());
        let (present, will) = (attached.present, attached.will.take());
        self.attached = Some(attached);
        if let Some(will) = will {
            self.publish_will(&will).await;
        }
        present
    }
}

fn will_v5(connect: &v5_0::Connect) -> Option<Will> {
    let topic = connect.will_topic()?;
    let (props, expires) = travelling(connect.will_props());
    let delay_s = connect.will_props().iter().find_map(|prop| match prop {
        Property::WillDelayInterval(delay) => Some(delay.val()),
        _ => None,
    });
    let message = Message {
        topic: topic.to_owned(),
        payload: connect.will_payload().unwrap_or_default().into(),
        qos: connect.will_qos(),
        retain: connect.will_retain(),
        props,
        expires,
    };
    let delay = Duration::from_secs(u64::from(delay_s.unwrap_or(0)));
    Some(Will { message: Arc::new(message), delay })
}

fn session_expiry_s(props: &[Property]) -> Option<u32> {
    props.iter().find_map(|prop| match prop {
        Property::SessionExpiryInterval(interval) => Some(interval.val()),
        _ => None,
    })
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
fn unique() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_i64(now_us());
    hasher.finish()
}
