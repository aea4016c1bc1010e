//! Who is subscribed to what: sessions, subscriptions, retained messages, queues of absent clients.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::{Property, Qos, RetainHandling, StorePacket, SubOpts};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Counters, matches};

/// Messages that wait for one connected client.
const OUTBOX: usize = 20_000;
/// Messages that wait for one absent client.
const MAX_QUEUED: usize = 10_000;
/// Sessions of absent clients; the one absent for longest goes first.
const MAX_ABSENT: usize = 10_000;
/// Retained messages; more are passed on but not kept.
const MAX_RETAINED: usize = 200_000;

/// A message on its way to subscribers.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) topic: String,
    pub(crate) payload: Arc<[u8]>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// MQTT 5 properties that travel with it.
    pub(crate) props: Vec<Property>,
    /// When it is no longer wanted.
    pub(crate) expires: Option<Instant>,
}

impl Message {
    pub(crate) fn from_house(topic: &str, payload: &[u8], retain: bool) -> Message {
        Message {
            topic: topic.to_owned(),
            payload: payload.into(),
            qos: Qos::AtLeastOnce,
            retain,
            props: Vec::new(),
            expires: None,
        }
    }
}

/// A message for one client, as its subscription wants it.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Subscription identifiers (MQTT 5).
    pub(crate) identifiers: Vec<u32>,
}

#[derive(Clone, Debug)]
struct Subscription {
    options: SubOpts,
    identifier: Option<u32>,
}

/// What a connection holds of its session.
pub(crate) struct Attached {
    pub(crate) outbox: mpsc::Receiver<Outgoing>,
    /// Another connection has taken over.
    pub(crate) kicked: CancellationToken,
    /// Whether there was a session to go on with.
    pub(crate) present: bool,
    /// What the session left unacknowledged.
    pub(crate) stored: Vec<StorePacket>,
    /// QoS 2 messages that were received and not released.
    pub(crate) received: Vec<u16>,
    number: u64,
}

struct Owner {
    number: u64,
    outbox: mpsc::Sender<Outgoing>,
    kicked: CancellationToken,
    gone: CancellationToken,
}

#[derive(Default)]
struct Session {
    owner: Option<Owner>,
    subscriptions: HashMap<String, Subscription>,
    queued: VecDeque<Outgoing>,
    stored: Vec<StorePacket>,
    received: Vec<u16>,
    /// When it ends, once its client is gone.
    ends: Option<Instant>,
    absent_since: Option<Instant>,
}

/// Subscriptions by topic level, so that a message visits only what may match.
#[derive(Default)]
struct Node {
    children: HashMap<String, Node>,
    /// Client → subscription that ends here.
    here: HashMap<String, Subscription>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    tree: Node,
    retained: BTreeMap<String, Arc<Message>>,
    next_number: u64,
}

/// The meeting place of all connections.
#[derive(Default)]
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Whether anybody is subscribed to anything: a plant that only publishes pays nothing for routing.
    has_subscribers: AtomicBool,
}

impl Hub {
    /// Takes over or begins the session of `client`; an older connection of the same client is let go first.
    pub(crate) async fn attach(&self, client: &str, clean: bool) -> Attached {
        loop {
            let gone = {
                let mut state = self.lock();
                match state.sessions.get(client).and_then(|session| session.owner.as_ref()) {
                    None => return self.take(&mut state, client, clean),
                    Some(owner) => {
                        owner.kicked.cancel();
                        owner.gone.clone()
                    }
                }
            };
            if tokio::time::timeout(Duration::from_secs(5), gone.cancelled()).await.is_err() {
                // The old connection hangs in a write; its session goes on with the new one.
                if let Some(session) = self.lock().sessions.get_mut(client) {
                    session.owner = None;
                }
            }
        }
    }

    fn take(&self, state: &mut State, client: &str, clean: bool) -> Attached {
        let expired = state
            .sessions
            .get(client)
            .is_some_and(|session| session.ends.is_some_and(|ends| ends <= Instant::now()));
        if clean || expired {
            state.forget(client);
        }
        state.drop_oldest_absent();
        let present = state.sessions.contains_key(client);
        state.next_number += 1;
        let number = state.next_number;
        let (outbox, inbox) = mpsc::channel(OUTBOX);
        let session = state.sessions.entry(client.to_owned()).or_default();
        for outgoing in session.queued.drain(..) {
            // There is room: a queue is shorter than an outbox.
            let _ = outbox.try_send(outgoing);
        }
        let kicked = CancellationToken::new();
        session.owner =
            Some(Owner { number, outbox, kicked: kicked.clone(), gone: CancellationToken::new() });
        session.ends = None;
        session.absent_since = None;
        Attached {
            outbox: inbox,
            kicked,
            present,
            stored: std::mem::take(&mut session.stored),
            received: std::mem::take(&mut session.received),
            number,
        }
    }

    /// Gives the session back when the connection has ended. `keep`: for how long it lives on.
    pub(crate) fn detach(
        &self,
        client: &str,
        mut attached: Attached,
        keep: Option<Duration>,
        stored: Vec<StorePacket>,
        received: Vec<u16>,
    ) {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(client) else { return };
        let Some(owner) = session.owner.take_if(|owner| owner.number == attached.number) else {
            return;
        };
        match keep {
            Some(keep) => {
                session.stored = stored;
                session.received = received;
                session.ends = Instant::now().checked_add(keep);
                session.absent_since = Some(Instant::now());
                while let Ok(outgoing) = attached.outbox.try_recv() {
                    if outgoing.qos != Qos::AtMostOnce {
                        session.queued.push_back(outgoing);
                    }
                }
            }
            None => state.forget(client),
        }
        self.has_subscribers.store(!state.tree.is_empty(), Ordering::Release);
        owner.gone.cancel();
    }

    /// Subscribes, and hands out the retained messages that match.
    pub(crate) fn subscribe(
        &self,
        client: &str,
        filter: &str,
        options: SubOpts,
        identifier: Option<u32>,
    ) -> Vec<Outgoing> {
        let mut state = self.lock();
        let subscription = Subscription { options, identifier };
        let Some(session) = state.sessions.get_mut(client) else { return Vec::new() };
        let is_new =
            session.subscriptions.insert(filter.to_owned(), subscription.clone()).is_none();
        state.tree.insert(filter, client, subscription);
        self.has_subscribers.store(true, Ordering::Release);
        match options.rh() {
            RetainHandling::DoNotSendRetained => return Vec::new(),
            RetainHandling::SendRetainedIfNotExists if !is_new => return Vec::new(),
            _ => {}
        }
        let retained = state.retained.values().filter(|message| matches(filter, &message.topic));
        retained
            .filter(|message| message.expires.is_none_or(|expires| expires > Instant::now()))
            .map(|message| Outgoing {
                message: message.clone(),
                qos: message.qos.min(options.qos()),
                retain: true,
                identifiers: identifier.into_iter().collect(),
            })
            .collect()
    }

    /// Ends a subscription; false when there was none.
    pub(crate) fn unsubscribe(&self, client: &str, filter: &str) -> bool {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(client) else { return false };
        let existed = session.subscriptions.remove(filter).is_some();
        state.tree.remove(filter, client);
        self.has_subscribers.store(!state.tree.is_empty(), Ordering::Release);
        existed
    }

    /// Sends a message to everybody who wants it. `from`: its publisher, for "no local".
    pub(crate) fn publish(&self, message: &Arc<Message>, from: Option<&str>, counters: &Counters) {
        if !message.retain && !self.has_subscribers.load(Ordering::Acquire) {
            return;
        }
        let mut state = self.lock();
        if message.retain {
            state.retain(message);
        }
        let mut wanted: HashMap<String, Outgoing> = HashMap::new();
        let levels: Vec<&str> = message.topic.split('/').collect();
        let tree = std::mem::take(&mut state.tree);
        tree.visit(&levels, message.topic.starts_with('$'), &mut |client, subscription| {
            if subscription.options.nl() && from == Some(client) {
                return;
            }
            let qos = message.qos.min(subscription.options.qos());
            let retain = message.retain && subscription.options.rap();
            let outgoing = wanted.entry(client.to_owned()).or_insert_with(|| Outgoing {
                message: message.clone(),
                qos,
                retain,
                identifiers: Vec::new(),
            });
            // Overlapping subscriptions: one message, at the highest of their qualities.
            outgoing.qos = outgoing.qos.max(qos);
            outgoing.retain |= retain;
            outgoing.identifiers.extend(subscription.identifier);
        });
        state.tree = tree;
        for (client, outgoing) in wanted {
            if !state.deliver(&client, outgoing) {
                counters.dropped.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// False when the message had to be dropped.
    fn deliver(&mut self, client: &str, outgoing: Outgoing) -> bool {
        let Some(session) = self.sessions.get_mut(client) else { return true };
        match &session.owner {
            Some(owner) => owner.outbox.try_send(outgoing).is_ok(),
            None if outgoing.qos == Qos::AtMostOnce => true,
            None if session.queued.len() < MAX_QUEUED => {
                session.queued.push_back(outgoing);
                true
            }
            None => false,
        }
    }

    fn retain(&mut self, message: &Arc<Message>) {
        if message.payload.is_empty() {
            self.retained.remove(&message.topic);
        } else if self.retained.len() < MAX_RETAINED || self.retained.contains_key(&message.topic) {
            self.retained.insert(message.topic.clone(), message.clone());
        } else {
            tracing::warn!(topic = message.topic, "not retained, {MAX_RETAINED} messages are");
        }
    }

    fn forget(&mut self, client: &str) {
        if let Some(session) = self.sessions.remove(client) {
            for filter in session.subscriptions.keys() {
                self.tree.remove(filter, client);
            }
        }
    }

    fn drop_oldest_absent(&mut self) {
        let absent = self.sessions.values().filter(|session| session.owner.is_none()).count();
        if absent < MAX_ABSENT {
            return;
        }
        let oldest = self
            .sessions
            .iter()
            .filter(|(_, session)| session.owner.is_none())
            .min_by_key(|(_, session)| session.absent_since)
            .map(|(client, _)| client.clone());
        if let Some(client) = oldest {
            self.forget(&client);
        }
    }
}

impl Node {
    fn is_empty(&self) -> bool {
        self.children.is_empty() && self.here.is_empty()
    }

    fn insert(&mut self, filter: &str, client: &str, subscription: Subscription) {
        let mut node = self;
        for level in filter.split('/') {
            node = node.children.entry(level.to_owned()).or_default();
        }
        node.here.insert(client.to_owned(), subscription);
    }

    fn remove(&mut self, filter: &str, client: &str) {
        match filter.split_once('/') {
            Some((level, rest)) => self.remove_in(level, |child| child.remove(rest, client)),
            None => self.remove_in(filter, |child| {
                child.here.remove(client);
            }),
        }
    }

    fn remove_in(&mut self, level: &str, f: impl FnOnce(&mut Node)) {
        if let Some(child) = self.children.get_mut(level) {
            f(child);
            if child.is_empty() {
                self.children.remove(level);
            }
        }
    }

    fn visit(&self, levels: &[&str], is_system: bool, on: &mut impl FnMut(&str, &Subscription)) {
        let mut all = |node: &Node| {
            node.here.iter().for_each(|(client, subscription)| on(client, subscription));
        };
        // MQTT 5 §4.7.2: a wildcard at the front does not match topics that begin with $.
        if !is_system && let Some(rest) = self.children.get("#") {
            all(rest);
        }
        let Some((level, deeper)) = levels.split_first() else {
            all(self);
            return;
        };
        if let Some(child) = self.children.get(*level) {
            child.visit(deeper, false, on);
        }
        if !is_system && let Some(child) = self.children.get("+") {
            child.visit(deeper, false, on);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// The tree finds exactly the subscriptions that the rule of §4.7 finds.
        #[test]
        fn the_tree_agrees_with_the_rule(
            filters in prop::collection::vec("(\\$|[ab]|\\+)(/([ab]|\\+)){0,3}(/#)?|#", 1..20),
            topics in prop::collection::vec("[ab$](/[ab]){0,4}", 1..20),
            removed in prop::collection::vec(any::<prop::sample::Index>(), 0..5),
        ) {
            let mut tree = Node::default();
            let subscription = Subscription { options: SubOpts::new(), identifier: None };
            let mut kept: std::collections::BTreeSet<String> = filters.iter().cloned().collect();
            for filter in &kept {
                tree.insert(filter, filter, subscription.clone());
            }
            for at in removed {
                let filter = at.get(&filters);
                tree.remove(filter, filter);
                kept.remove(filter);
            }
            for topic in topics {
                let levels: Vec<&str> = topic.split('/').collect();
                let mut found = std::collections::BTreeSet::new();
                tree.visit(&levels, topic.starts_with('$'), &mut |client, _| {
                    found.insert(client.to_owned());
                });
                let expected: std::collections::BTreeSet<String> =
                    kept.iter().filter(|filter| matches(filter, &topic)).cloned().collect();
                prop_assert_eq!(found, expected, "{}", topic);
            }
        }
    }
}
