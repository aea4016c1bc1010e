//! Who is subscribed to what: sessions, subscriptions, retained messages, queues of absent clients.

mod queue;
mod retained;
mod tree;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mqtt_protocol_core::mqtt::packet::{Property, Qos, RetainHandling, StorePacket, SubOpts};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{Counters, matches};
pub(crate) use queue::Queue;
use retained::{Kept, Retained};
pub(crate) use tree::shared;
use tree::{Node, Subscription, Wants};

/// Sessions of absent clients; the one absent for longest goes first.
const MAX_ABSENT: usize = 10_000;
/// What a message takes beside its topic and payload, about.
const MESSAGE_BYTES: usize = 128;

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

/// A message for one client, as its subscription wants it.
#[derive(Clone, Debug)]
pub(crate) struct Outgoing {
    pub(crate) message: Arc<Message>,
    pub(crate) qos: Qos,
    pub(crate) retain: bool,
    /// Subscription identifiers (MQTT 5).
    pub(crate) identifiers: Vec<u32>,
}

/// What a connection holds of its session.
pub(crate) struct Attached {
    pub(crate) queue: Arc<Queue>,
    /// Another connection has taken over.
    pub(crate) kicked: CancellationToken,
    /// Whether there was a session to go on with.
    pub(crate) present: bool,
    /// What the session left unacknowledged.
    pub(crate) stored: Vec<StorePacket>,
    /// QoS 2 messages that were received and not released.
    pub(crate) received: Vec<u16>,
    /// The will of a session that ended before its delay was over: due now (MQTT 5 §3.1.3.2.2).
    pub(crate) will: Option<Arc<Message>>,
    number: u64,
}

/// How a connection leaves its session behind.
pub(crate) struct Left {
    /// For how long the session lives on; none: not at all.
    pub(crate) keep: Option<Duration>,
    pub(crate) stored: Vec<StorePacket>,
    pub(crate) received: Vec<u16>,
    /// The will, if it is due so much later; never without `keep`.
    pub(crate) will: Option<(Duration, Arc<Message>)>,
}

/// What the broker tells of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    pub(crate) sessions: usize,
    pub(crate) subscriptions: usize,
    pub(crate) retained: usize,
    pub(crate) waiting_bytes: usize,
}

struct Owner {
    number: u64,
    kicked: CancellationToken,
    gone: CancellationToken,
}

struct Session {
    owner: Option<Owner>,
    subscriptions: HashMap<String, Subscription>,
    queue: Arc<Queue>,
    stored: Vec<StorePacket>,
    received: Vec<u16>,
    /// When it ends, once its client is gone.
    ends: Option<Instant>,
    absent_since: Option<Instant>,
    /// When its will is due.
    will: Option<(Instant, Arc<Message>)>,
}

#[derive(Default)]
struct State {
    sessions: HashMap<String, Session>,
    tree: Node,
    retained: Retained,
    next_number: u64,
}

/// The meeting place of all connections.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// Whether anybody is subscribed to anything: a plant that only publishes pays nothing for routing.
    has_subscribers: AtomicBool,
    /// Topic filters of what nobody may read.
    not_readable: Vec<String>,
    /// Bytes of all queues.
    waiting_bytes: Arc<AtomicUsize>,
    /// Rung when something retained has changed.
    pub(crate) changed: Notify,
    /// Number of the last change of a retained message that is in the file; none: they are not kept in a file.
    pub(crate) kept: Option<watch::Sender<u64>>,
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

    /// About how much memory it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + MESSAGE_BYTES
    }

    /// Whether nobody wants it any more.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Whether the broker speaks of itself.
    pub(crate) fn is_system(&self) -> bool {
        is_system(&self.topic)
    }
}

/// Whether only the broker itself may publish there.
pub(crate) fn is_system(topic: &str) -> bool {
    topic.strip_prefix("$SYS").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

impl Outgoing {
    fn bytes(&self) -> usize {
        self.message.bytes()
    }
}

impl Hub {
    /// A hub that hands out nothing that matches `not_readable`. `keeps`: somebody writes retained messages down.
    pub(crate) fn new(not_readable: Vec<String>, keeps: bool) -> Hub {
        Hub {
            state: Mutex::default(),
            has_subscribers: AtomicBool::new(false),
            not_readable,
            waiting_bytes: Arc::default(),
            changed: Notify::new(),
            kept: keeps.then(|| watch::Sender::new(0)),
        }
    }

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
        let now = Instant::now();
        let is_over = |session: &Session| session.ends.is_some_and(|ends| ends <= now);
        let mut will = None;
        if clean || state.sessions.get(client).is_some_and(is_over) {
            will = state.forget(client);
        }
        state.drop_oldest_absent();
        let present = state.sessions.contains_key(client);
        state.next_number += 1;
        let number = state.next_number;
        let waiting_bytes = &self.waiting_bytes;
        let session = state
            .sessions
            .entry(client.to_owned())
            .or_insert_with(|| Session::new(Queue::new(waiting_bytes.clone())));
        session.queue = Arc::new(session.queue.hand_over());
        let kicked = CancellationToken::new();
        session.owner =
            Some(Owner { number, kicked: kicked.clone(), gone: CancellationToken::new() });
        session.ends = None;
        session.absent_since = None;
        session.will = None;
        Attached {
            queue: session.queue.clone(),
            kicked,
            present,
            stored: std::mem::take(&mut session.stored),
            received: std::mem::take(&mut session.received),
            will,
            number,
        }
    }

    /// Gives the session back when the connection has ended.
    pub(crate) fn detach(&self, client: &str, attached: &Attached, left: Left) {
        let mut state = self.lock();
        let Some(session) = state.sessions.get_mut(client) else { return };
        let Some(owner) = session.owner.take_if(|owner| owner.number == attached.number) else {
            return;
        };
        match left.keep {
            Some(keep) => {
                let now = Instant::now();
                session.stored = left.stored;
                session.received = left.received;
                session.ends = now.checked_add(keep);
                session.absent_since = Some(now);
                session.will = left.will.map(|(delay, will)| (now + delay.min(keep), will));
                session.queue.drop_at_most_once();
            }
            None => {
                state.forget(client);
            }
        }
        self.has_subscribers.store(!state.tree.is_empty(), Ordering::Release);
        owner.gone.cancel();
    }

    /// Ends what is over; returns the wills that are due.
    pub(crate) fn sweep(&self, now: Instant) -> Vec<Arc<Message>> {
        let mut state = self.lock();
        state.retained.sweep(now);
        let is_over = |session: &Session| {
            session.owner.is_none() && session.ends.is_some_and(|ends| ends <= now)
        };
        let over: Vec<String> = state
            .sessions
            .iter()
            .filter(|(_, session)| is_over(session))
            .map(|(client, _)| client.clone())
            .collect();
        let mut wills: Vec<Arc<Message>> =
            over.iter().filter_map(|client| state.forget(client)).collect();
        let due = state
            .sessions
            .values_mut()
            .filter_map(|session| session.will.take_if(|(due, _)| *due <= now));
        wills.extend(due.map(|(_, will)| will));
        self.has_subscribers.store(!state.tree.is_empty(), Ordering::Release);
        drop(state);
        self.changed.notify_one();
        wills
    }

    /// Whether a filter may be subscribed to: some topic that matches it may be read.
    pub(crate) fn may_subscribe(&self, filter: &str) -> bool {
        let filter = shared(filter).map_or(filter, |(_, filter)| filter);
        !self.not_readable.iter().any(|hidden| covers(hidden, filter))
    }

    fn is_readable(&self, topic: &str) -> bool {
        !self.not_readable.iter().any(|hidden| matches(hidden, topic))
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
            // MQTT 5 §4.8.2: shared subscriptions get no retained messages.
            _ if shared(filter).is_some() => return Vec::new(),
            RetainHandling::DoNotSendRetained => return Vec::new(),
            RetainHandling::SendRetainedIfNotExists if !is_new => return Vec::new(),
            _ => {}
        }
        let wanted = state
            .retained
            .iter()
            .filter(|message| matches(filter, &message.topic) && self.is_readable(&message.topic));
        wanted
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

    /// Whether a message that is not retained would reach anybody; a plant that only publishes need not make it.
    pub(crate) fn has_subscribers(&self) -> bool {
        self.has_subscribers.load(Ordering::Acquire)
    }

    /// Sends a message to everybody who wants it. `from`: its publisher, for "no local".
    ///
    /// Returns the number that [`Hub::kept`] must reach before a retained message is durable; 0 for others.
    pub(crate) fn publish(
        &self,
        message: &Arc<Message>,
        from: Option<&str>,
        counters: &Counters,
    ) -> u64 {
        if !message.retain && !self.has_subscribers() {
            return 0;
        }
        let mut state = self.lock();
        let number = if message.retain { self.retain(&mut state, message) } else { 0 };
        if self.is_readable(&message.topic) {
            let n_dropped = state.route(message, from);
            counters.dropped.fetch_add(n_dropped, Ordering::Relaxed);
        }
        number
    }

    fn retain(&self, state: &mut State, message: &Arc<Message>) -> u64 {
        match state.retained.keep(message) {
            Kept::Change(number) => {
                self.changed.notify_one();
                if self.kept.is_some() { number } else { 0 }
            }
            Kept::Nothing => 0,
            Kept::Full => {
                let topic = &message.topic;
                tracing::warn!(
                    topic,
                    "passed on but not retained, there are too many retained messages"
                );
                0
            }
        }
    }

    /// Puts back the retained messages that the file held.
    pub(crate) fn restore(&self, messages: Vec<Message>) {
        self.lock().retained.restore(messages);
    }

    /// Retained messages that have changed since the last call, and the number of the last change.
    pub(crate) fn take_changes(&self) -> (Vec<Arc<Message>>, u64) {
        self.lock().retained.take_changes()
    }

    /// All retained messages but those of the broker itself.
    pub(crate) fn all_retained(&self) -> Vec<Arc<Message>> {
        self.lock().retained.iter().filter(|message| !message.is_system()).cloned().collect()
    }

    /// How much there is of everything.
    pub(crate) fn sizes(&self) -> Sizes {
        let state = self.lock();
        Sizes {
            sessions: state.sessions.len(),
            subscriptions: state.sessions.values().map(|session| session.subscriptions.len()).sum(),
            retained: state.retained.len(),
            waiting_bytes: self.waiting_bytes.load(Ordering::Relaxed),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Session {
    fn new(queue: Queue) -> Session {
        Session {
            owner: None,
            subscriptions: HashMap::new(),
            queue: Arc::new(queue),
            stored: Vec::new(),
            received: Vec::new(),
            ends: None,
            absent_since: None,
            will: None,
        }
    }

    /// False when the message had to be dropped.
    fn deliver(&self, outgoing: Outgoing) -> bool {
        let is_for_nobody = self.owner.is_none() && outgoing.qos == Qos::AtMostOnce;
        is_for_nobody || self.queue.push(outgoing)
    }
}

impl State {
    /// Puts a message into the queues of those who want it; returns how many had no room.
    fn route(&self, message: &Arc<Message>, from: Option<&str>) -> u64 {
        let mut wanted: HashMap<&str, Outgoing> = HashMap::new();
        let mut n_dropped = 0;
        let levels: Vec<&str> = message.topic.split('/').collect();
        self.tree.visit(&levels, message.topic.starts_with('$'), &mut |wants| match wants {
            Wants::One(client, subscription) => {
                if subscription.options.nl() && from == Some(client) {
                    return;
                }
                let Some((client, _)) = self.sessions.get_key_value(client) else { return };
                let this = outgoing(message, subscription);
                // Overlapping subscriptions: one message, at the highest of their qualities.
                wanted
                    .entry(client)
                    .and_modify(|known| {
                        known.qos = known.qos.max(this.qos);
                        known.retain |= this.retain;
                        known.identifiers.extend(&this.identifiers);
                    })
                    .or_insert(this);
            }
            Wants::OneOf(group) => {
                let members = || {
                    group.in_turn().filter_map(|(client, subscription)| {
                        Some((self.sessions.get(client)?, subscription))
                    })
                };
                let connected = members().find(|(session, _)| session.owner.is_some());
                if let Some((session, subscription)) = connected.or_else(|| members().next()) {
                    let is_in = session.deliver(outgoing(message, subscription));
                    n_dropped += u64::from(!is_in);
                }
            }
        });
        for (client, outgoing) in wanted {
            let is_in = self.sessions.get(client).is_none_or(|session| session.deliver(outgoing));
            n_dropped += u64::from(!is_in);
        }
        n_dropped
    }

    /// Ends a session; returns its will if that still waits.
    fn forget(&mut self, client: &str) -> Option<Arc<Message>> {
        let session = self.sessions.remove(client)?;
        for filter in session.subscriptions.keys() {
            self.tree.remove(filter, client);
        }
        session.will.map(|(_, will)| will)
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

fn outgoing(message: &Arc<Message>, subscription: &Subscription) -> Outgoing {
    Outgoing {
        message: message.clone(),
        qos: message.qos.min(subscription.options.qos()),
        retain: message.retain && subscription.options.rap(),
        identifiers: subscription.identifier.into_iter().collect(),
    }
}

/// Whether every topic that `inner` matches is matched by `outer` as well.
fn covers(outer: &str, inner: &str) -> bool {
    let mut inner_levels = inner.split('/');
    // MQTT 5 §4.7.2: wildcards at the front and topics that begin with $ never meet.
    if inner.starts_with('$') != outer.starts_with('$') {
        return false;
    }
    for level in outer.split('/') {
        let other = inner_levels.next();
        match (level, other) {
            ("#", _) => return true,
            ("+", Some(other)) if other != "#" => {}
            (level, Some(other)) if level == other => {}
            _ => return false,
        }
    }
    inner_levels.next().is_none()
}

#[cfg(test)]
mod tests;
