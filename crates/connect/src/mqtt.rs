//! The embedded MQTT broker: 3.1.1 and 5 on one port.
//!
//! ```text
//! socket ── connection: protocol (mqtt-protocol-core), decode ──► Inlet ──► log
//!               │                         ◄── PUBACK once the receipt says durable ──┘
//!               └── hub: sessions, subscriptions, retained messages ──► other connections
//! ```
//!
//! A socket read is decoded as a whole and handed over as one batch; its PUBACKs follow when the fsync that
//! covers it is done, while the connection goes on reading. A publisher that was not acknowledged sends again.
//!
//! Retained messages survive a restart in a file of their own; sessions of absent clients do not, so their clients
//! are told "no session" and subscribe again. Everything that waits for a client is bounded in number and in bytes.

mod connection;
mod house;
mod hub;
mod journal;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use signal::{SourceId, TenantId};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::directory::Directory;
use crate::inlet::Inlet;
use hub::{Hub, Message};
use journal::Journal;

/// Most connections at a time.
const MAX_CONNECTIONS: usize = 10_000;
/// For how long the session of an absent 3.1.1 client is kept, if it wanted one.
const SESSION_LIVES: Duration = Duration::from_secs(7 * 24 * 3600);

/// Whether a client may connect with this user name and password.
pub type Auth = Arc<dyn Fn(&str, &[u8]) -> bool + Send + Sync>;

/// How the broker behaves.
#[derive(Clone)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Whether clients may connect without user name.
    pub allow_anonymous: bool,
    /// Topic filters of messages that are passed on but not stored.
    pub not_stored: Vec<String>,
    /// Topic filters of what no client gets to see: what they match is stored, but not passed on, and who
    /// subscribes to nothing else is refused.
    pub not_readable: Vec<String>,
    /// Where retained messages survive a restart; none: they do not.
    pub retained_file: Option<PathBuf>,
    /// Whose data comes in here.
    pub tenant: TenantId,
    /// The source that it counts as.
    pub source: SourceId,
    /// Checks user names and passwords; none: any name is refused unless anonymous clients are allowed.
    pub auth: Option<Auth>,
}

impl Options {
    /// The safe defaults: nobody without a name, everything stored, everything readable.
    pub fn new(listen: SocketAddr, tenant: TenantId, source: SourceId) -> Options {
        Options {
            listen,
            allow_anonymous: false,
            not_stored: Vec::new(),
            not_readable: Vec::new(),
            retained_file: None,
            tenant,
            source,
            auth: None,
        }
    }
}

/// What the broker counts.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    clients: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counters {
    fn client_came(&self) {
        self.clients.fetch_add(1, Ordering::Relaxed);
    }

    fn client_left(&self) {
        self.clients.fetch_sub(1, Ordering::Relaxed);
    }

    fn received(&self) {
        self.received.fetch_add(1, Ordering::Relaxed);
    }

    fn sent(&self) {
        self.sent.fetch_add(1, Ordering::Relaxed);
    }

    fn dropped(&self) {
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }

    fn stats(&self) -> Stats {
        Stats {
            clients: self.clients.load(Ordering::Relaxed),
            received: self.received.load(Ordering::Relaxed),
            sent: self.sent.load(Ordering::Relaxed),
            dropped: self.dropped.load(Ordering::Relaxed),
        }
    }
}

/// The broker's counters at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connected clients.
    pub clients: u64,
    /// Messages from clients since the start.
    pub received: u64,
    /// Messages to clients since the start.
    pub sent: u64,
    /// Messages that a slow or absent subscriber did not get, because its queue was full.
    pub dropped: u64,
}

pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) inlet: Inlet,
    pub(crate) directory: Arc<Directory>,
    pub(crate) hub: Hub,
    pub(crate) counters: Counters,
}

/// A bound broker, ready to run.
pub struct Broker {
    listener: TcpListener,
    shared: Arc<Shared>,
    journal: Option<Journal>,
}

/// For the rest of the house: publish and count.
#[derive(Clone)]
pub struct BrokerHandle {
    shared: Arc<Shared>,
}

/// Binds the port and reads the retained messages; nobody is served before [`Broker::run`].
///
/// # Errors
/// When the address cannot be bound, or the file of retained messages cannot be read.
pub async fn bind(options: Options, inlet: Inlet, directory: Arc<Directory>) -> io::Result<Broker> {
    let listener = TcpListener::bind(options.listen).await?;
    let hub = Hub::new(options.not_readable.clone(), options.retained_file.is_some());
    let mut journal = None;
    if let Some(path) = &options.retained_file {
        let (opened, messages) = Journal::open(path, now_us()).map_err(|error| {
            let message =
                format!("cannot open the retained messages in {}: {error}", path.display());
            io::Error::new(error.kind(), message)
        })?;
        hub.restore(messages);
        journal = Some(opened);
    }
    let shared = Shared { options, inlet, directory, hub, counters: Counters::default() };
    Ok(Broker { listener, shared: Arc::new(shared), journal })
}

impl Broker {
    /// Where it listens.
    ///
    /// # Errors
    /// When the operating system does not tell.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// A handle that stays valid while the broker runs.
    pub fn handle(&self) -> BrokerHandle {
        BrokerHandle { shared: self.shared.clone() }
    }

    /// Serves clients until `stop`, then lets them go.
    pub async fn run(self, stop: CancellationToken) {
        let connections = TaskTracker::new();
        // Connections that wait for a retained message to be kept must be gone before the keeper is.
        let keeper_stop = CancellationToken::new();
        let sweeper = tokio::spawn(house::sweep(self.shared.clone(), stop.clone()));
        let keeper = self.journal.map(|journal| {
            tokio::spawn(house::keep(self.shared.clone(), journal, keeper_stop.clone()))
        });
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((socket, peer)) if connections.len() < MAX_CONNECTIONS => {
                    // Acknowledgements are small and wanted at once.
                    let _ = socket.set_nodelay(true);
                    let serve = connection::serve(socket, peer, self.shared.clone(), stop.clone());
                    connections.spawn(serve);
                }
                Ok((_, peer)) => {
                    tracing::warn!(%peer, "connection refused, {MAX_CONNECTIONS} are open");
                }
                Err(error) => {
                    // Out of file descriptors, most likely: they come back when clients go.
                    tracing::warn!(%error, "cannot accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
        connections.close();
        connections.wait().await;
        keeper_stop.cancel();
        for task in [Some(sweeper), keeper].into_iter().flatten() {
            if let Err(error) = task.await {
                tracing::error!(%error, "a task of the broker ended early");
            }
        }
    }
}

impl BrokerHandle {
    /// Sends a message to all subscribers, at QoS 1; it is not stored as data.
    pub fn publish(&self, topic: &str, payload: &[u8], retain: bool) {
        let message = Message::from_house(topic, payload, retain);
        self.shared.hub.publish(&Arc::new(message), None, &self.shared.counters);
    }

    /// The counters.
    pub fn stats(&self) -> Stats {
        self.shared.counters.stats()
    }
}

/// The wall clock; only the rim reads it.
pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// Whether a topic name matches a filter with `+` and `#` (MQTT 5 §4.7).
///
/// ```
/// use connect::mqtt::matches;
/// assert!(matches("a/+/c", "a/b/c") && matches("a/#", "a") && matches("#", "a/b"));
/// assert!(!matches("a/+", "a/b/c") && !matches("#", "$SYS/x"));
/// ```
pub fn matches(filter: &str, topic: &str) -> bool {
    if topic.starts_with('$') && !filter.starts_with('$') {
        return false;
    }
    let mut names = topic.split('/');
    for level in filter.split('/') {
        match (level, names.next()) {
            ("#", _) => return true,
            ("+", Some(_)) => {}
            (level, Some(name)) if level == name => {}
            _ => return false,
        }
    }
    names.next().is_none()
}
