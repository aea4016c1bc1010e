//! SUBSCRIBE and UNSUBSCRIBE.

use mqtt_protocol_core::mqtt::packet::{Property, Qos, SubEntry, v3_1_1, v5_0};
use mqtt_protocol_core::mqtt::result_code::{
    SubackReasonCode, SubackReturnCode, UnsubackReasonCode,
};

use super::super::hub::shared;
use super::Client;

impl Client {
    pub(super) fn on_subscribe_v3(&mut self, subscribe: &v3_1_1::Subscribe) {
        let mut codes = Vec::new();
        for entry in subscribe.entries() {
            let code = match self.subscribe_one(entry, None) {
                SubackReasonCode::GrantedQos0 => SubackReturnCode::SuccessMaximumQos0,
                SubackReasonCode::GrantedQos1 => SubackReturnCode::SuccessMaximumQos1,
                SubackReasonCode::GrantedQos2 => SubackReturnCode::SuccessMaximumQos2,
                _ => SubackReturnCode::Failure,
            };
            codes.push(code);
        }
        let suback = v3_1_1::Suback::builder().packet_id(subscribe.packet_id()).return_codes(codes);
        self.send_built(suback.build());
    }

    pub(super) fn on_subscribe_v5(&mut self, subscribe: &v5_0::Subscribe) {
        let identifier = subscribe.props().iter().find_map(|prop| match prop {
            Property::SubscriptionIdentifier(identifier) => Some(identifier.val()),
            _ => None,
        });
        let mut codes = Vec::new();
        for entry in subscribe.entries() {
            codes.push(self.subscribe_one(entry, identifier));
        }
        let suback = v5_0::Suback::builder().packet_id(subscribe.packet_id()).reason_codes(codes);
        self.send_built(suback.build());
    }

    /// The retained messages that match are sent after the SUBACK.
    fn subscribe_one(&mut self, entry: &SubEntry, identifier: Option<u32>) -> SubackReasonCode {
        let (filter, options) = (entry.topic_filter(), entry.sub_opts());
        let plain = if filter.starts_with("$share/") {
            shared(filter).map(|(_, plain)| plain)
        } else {
            Some(filter)
        };
        if !plain.is_some_and(is_filter) {
            return SubackReasonCode::TopicFilterInvalid;
        }
        let hub = &self.shared.hub;
        if !hub.may_subscribe(filter) {
            return SubackReasonCode::NotAuthorized;
        }
        self.greetings.extend(hub.subscribe(&self.name, filter, *options, identifier));
        match options.qos() {
            Qos::AtMostOnce => SubackReasonCode::GrantedQos0,
            Qos::AtLeastOnce => SubackReasonCode::GrantedQos1,
            Qos::ExactlyOnce => SubackReasonCode::GrantedQos2,
        }
    }

    pub(super) fn on_unsubscribe_v3(&mut self, unsubscribe: &v3_1_1::Unsubscribe) {
        for filter in unsubscribe.entries() {
            self.shared.hub.unsubscribe(&self.name, filter.as_str());
        }
        let packet_id = unsubscribe.packet_id();
        self.send_built(v3_1_1::Unsuback::builder().packet_id(packet_id).build());
    }

    pub(super) fn on_unsubscribe_v5(&mut self, unsubscribe: &v5_0::Unsubscribe) {
        let mut codes = Vec::new();
        for filter in unsubscribe.entries() {
            let existed = self.shared.hub.unsubscribe(&self.name, filter.as_str());
            codes.push(if existed {
                UnsubackReasonCode::Success
            } else {
                UnsubackReasonCode::NoSubscriptionExisted
            });
        }
        let packet_id = unsubscribe.packet_id();
        self.send_built(v5_0::Unsuback::builder().packet_id(packet_id).reason_codes(codes).build());
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

#[cfg(test)]
mod tests {
    use super::is_filter;

    #[test]
    fn wildcards_stand_alone_and_the_last_one_last() {
        for good in ["#", "+", "a", "/", "a/+/b", "+/#", "a//b"] {
            assert!(is_filter(good), "{good}");
        }
        for bad in ["", "a#", "a/#/b", "+a", "a/b+"] {
            assert!(!is_filter(bad), "{bad}");
        }
    }
}
