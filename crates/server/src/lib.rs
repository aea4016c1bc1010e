//! Every wire surface that a browser or an HTTP client sees: the API, the live WebSocket, line protocol, the screens.
//!
//! ```text
//! request ─► guard (Host, Origin, JSON) ─► router ─► extractor names the right ─► handler ─► ingest, lake, metastore
//! browser ─► /api/v1/live ─► Hub: one batch per set of signals and tick, shared by all tabs
//! Telegraf ─► /write ─► connect::line ─► Inlet ─► 204 after the fsync
//! ```
//!
//! The contract is `docs/reference/http-api.md`; `ui/openapi.json` is its machine-readable form and a test
//! holds both equal. Start reading at [`bind`], then `api`: one file per noun.
//!
//! Never here: decisions about samples or alarms (ingest), SQL for relational facts (metastore), Arrow (lake).

mod api;
mod auth;
mod counter;
mod door;
mod error;
mod extract;
mod files;
mod hub;
mod inlets;
mod losses;
mod metrics;
mod openapi;
mod plant;
mod pulse;
mod shapes;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use connect::line::Line;
use metastore::{Metastore, NewNotification};
use signal::SourceId;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;

use door::{Door, Peer};
pub use openapi::document;

/// How long open connections may finish after the stop.
const GRACE: Duration = Duration::from_secs(5);
/// Largest JSON body.
const MAX_JSON_BYTES: usize = 2 << 20;

/// How the server behaves.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Whether programs on this machine may send data without a token.
    pub anonymous_writes_from_loopback: bool,
    /// Names under which browsers reach it, besides addresses, names without a dot and private domains.
    pub hosts: Vec<String>,
    /// A tab that does not take a message within this time is dropped; it comes back and reads anew.
    pub slow_tab_after: Duration,
    /// Connections at the same time; more wait until one ends.
    pub max_connections: usize,
    /// Largest line-protocol body, after unpacking. Bytes.
    pub max_body_bytes: usize,
    /// Bodies that are in memory at the same time; senders wait beyond that. Bytes.
    pub max_bodies_bytes: usize,
    /// Most rows of one SQL answer.
    pub max_sql_rows: usize,
    /// The false-alarm budget of the configuration, which holds until somebody sets another.
    pub days_per_false_alarm: f64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            anonymous_writes_from_loopback: true,
            hosts: Vec::new(),
            slow_tab_after: Duration::from_secs(5),
            max_connections: 10_000,
            max_body_bytes: 32 << 20,
            max_bodies_bytes: 256 << 20,
            max_sql_rows: 100_000,
            days_per_false_alarm: 30.0,
        }
    }
}

/// How many clients a source has at the moment; none for sources that are not connections.
pub type ClientCount = Arc<dyn Fn(SourceId) -> Option<u32> + Send + Sync>;

/// Sends one test message the way an alarm would go; the error is for the person who asked.
pub type TestNotification = Arc<
    dyn Fn(NewNotification) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send>>
        + Send
        + Sync,
>;

/// The running product that the server shows.
#[derive(Clone)]
pub struct AppState {
    /// The hot path.
    pub ingest: ingest::Handle,
    /// Tables and SQL.
    pub lake: Arc<lake::Lake>,
    /// Rows that are not in the tables yet, for the balance page.
    pub buffer: Arc<wal::Buffer>,
    /// Model, rules, people.
    pub metastore: Metastore,
    /// Clients per source.
    pub clients: ClientCount,
    /// How to try out a notification.
    pub test_notification: TestNotification,
}

/// What handlers share.
pub(crate) struct App {
    pub(crate) state: AppState,
    pub(crate) options: Options,
    pub(crate) line: Line,
    pub(crate) hub: hub::Hub,
    pub(crate) pulse: pulse::Pulse,
    pub(crate) plant: plant::Cache,
    pub(crate) believed: auth::Believed,
    pub(crate) tries: auth::Tries,
    /// Room for bodies, in KiB.
    pub(crate) body_room: Semaphore,
    pub(crate) closing: CancellationToken,
    pub(crate) started_us: i64,
}

impl App {
    /// The wall clock; the rim reads it once per call.
    pub(crate) fn now_us(&self) -> i64 {
        now_us()
    }
}

pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// A server that listens but does not answer yet.
pub struct Server {
    listener: TcpListener,
    app: Arc<App>,
}

/// Takes the port.
///
/// # Errors
/// When the address is taken or the source `http` cannot be registered.
pub async fn bind(options: Options, state: AppState) -> io::Result<Server> {
    let listener = TcpListener::bind(options.listen).await?;
    let source = state.ingest.source("http", "http").await.map_err(io::Error::other)?;
    let app = App {
        line: Line::new(state.ingest.tenant(), source, state.ingest.directory()),
        hub: hub::Hub::new(state.ingest.live().clone()),
        pulse: pulse::Pulse::default(),
        plant: plant::Cache::default(),
        believed: auth::Believed::default(),
        tries: auth::Tries::default(),
        body_room: Semaphore::new((options.max_bodies_bytes >> 10).max(1)),
        closing: CancellationToken::new(),
        started_us: now_us(),
        state,
        options,
    };
    Ok(Server { listener, app: Arc::new(app) })
}

impl Server {
    /// Where it listens.
    ///
    /// # Errors
    /// When the operating system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `stop`, then lets open calls finish, at most five seconds.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: CancellationToken) -> io::Result<()> {
        let closing = self.app.closing.clone();
        let pulse = tokio::spawn(pulse::run(self.app.clone()));
        let door = Door::new(self.listener, self.app.options.max_connections);
        let service = router(self.app).into_make_service_with_connect_info::<Peer>();
        let on_stop = {
            let (stop, closing) = (stop.clone(), closing.clone());
            async move {
                stop.cancelled().await;
                closing.cancel();
            }
        };
        let serving = axum::serve(door, service).with_graceful_shutdown(on_stop);
        let too_late = async {
            stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        let result = tokio::select! {
            result = serving => result,
            () = too_late => Ok(()),
        };
        closing.cancel();
        pulse.abort();
        result
    }
}

fn router(app: Arc<App>) -> Router {
    let json = Router::new()
        .nest("/api/v1", api::routes())
        .merge(metrics::routes())
        .layer(DefaultBodyLimit::max(MAX_JSON_BYTES))
        // Speed before size: the viewer is mostly on the plant's own network.
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest));
    json.merge(inlets::routes())
        .fallback(files::serve)
        .layer(middleware::from_fn_with_state(app.clone(), auth::guard))
        .layer(middleware::map_response(files::security_headers))
        .with_state(app)
}
