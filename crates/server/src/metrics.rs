//! Numbers for Prometheus (text exposition format 0.0.4). Labels never grow with signals or users.

use std::fmt::Write;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::App;

/// Every metric that there is.
#[derive(Clone, Copy)]
enum Metric {
    RowsAccepted,
    RowsStored,
    RowsRejected,
    RowsDropped,
    RowsInFlight,
    ReadOnly,
    WalBytes,
    WalSegments,
    WalFsyncP99,
    BufferRows,
    BufferBytes,
    LakeRows,
    LakeFiles,
    LakeBytes,
    Alarms,
    Assets,
    Signals,
    StartTime,
}

impl Metric {
    /// Name, kind and meaning.
    fn describe(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Metric::RowsAccepted => {
                ("fettler_rows_accepted_total", "counter", "Rows that sources have offered")
            }
            Metric::RowsStored => ("fettler_rows_stored_total", "counter", "Rows that are durable"),
            Metric::RowsRejected => {
                ("fettler_rows_rejected_total", "counter", "Rows refused, and the sender told")
            }
            Metric::RowsDropped => {
                ("fettler_rows_dropped_total", "counter", "Rows left out on purpose")
            }
            Metric::RowsInFlight => {
                ("fettler_rows_in_flight", "gauge", "Rows offered and not decided yet")
            }
            Metric::ReadOnly => ("fettler_read_only", "gauge", "1 while writes are refused"),
            Metric::WalBytes => ("fettler_wal_bytes", "gauge", "Size of the log"),
            Metric::WalSegments => ("fettler_wal_segments", "gauge", "Files of the log"),
            Metric::WalFsyncP99 => {
                ("fettler_wal_fsync_p99_seconds", "gauge", "99th percentile of an fsync")
            }
            Metric::BufferRows => {
                ("fettler_buffer_rows", "gauge", "Rows in memory, not in the lake yet")
            }
            Metric::BufferBytes => ("fettler_buffer_bytes", "gauge", "Memory of those rows"),
            Metric::LakeRows => ("fettler_lake_rows", "gauge", "Rows in the tables"),
            Metric::LakeFiles => ("fettler_lake_files", "gauge", "Files of the tables"),
            Metric::LakeBytes => ("fettler_lake_bytes", "gauge", "Size of the tables"),
            Metric::Alarms => {
                ("fettler_alarms_active", "gauge", "Alarms whose condition holds, by priority")
            }
            Metric::Assets => ("fettler_assets", "gauge", "Assets in the plant model"),
            Metric::Signals => ("fettler_signals", "gauge", "Signals in the plant model"),
            Metric::StartTime => {
                ("fettler_start_time_seconds", "gauge", "When this process began to serve")
            }
        }
    }
}

/// The page as it grows.
#[derive(Default)]
struct Page(String);

impl Page {
    fn put(&mut self, metric: Metric, rows: &[(String, f64)]) {
        let (name, kind, help) = metric.describe();
        let _ = writeln!(self.0, "# HELP {name} {help}.\n# TYPE {name} {kind}");
        for (labels, value) in rows {
            let _ = writeln!(self.0, "{name}{labels} {value}");
        }
    }

    fn one(&mut self, metric: Metric, value: f64) {
        self.put(metric, &[(String::new(), value)]);
    }
}

pub(crate) fn routes() -> Router<Arc<App>> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(app): State<Arc<App>>) -> Response {
    let mut page = Page::default();
    balance(&app, &mut page).await;
    storage(&app, &mut page).await;
    plant(&app, &mut page);
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page.0).into_response()
}

async fn balance(app: &App, page: &mut Page) {
    let sources = app.state.metastore.sources(app.state.ingest.tenant()).await.unwrap_or_default();
    let books: Vec<(String, connect::Counts)> = app
        .state
        .ingest
        .balance()
        .snapshot()
        .into_iter()
        .map(|(id, counts)| {
            let known = sources.iter().find(|source| source.id == id);
            (known.map_or_else(|| id.to_string(), |source| source.name.clone()), counts)
        })
        .collect();
    let by_source = |value: fn(&connect::Counts) -> u64| -> Vec<(String, f64)> {
        books
            .iter()
            .map(|(name, counts)| (format!("{{source=\"{name}\"}}"), value(counts) as f64))
            .collect()
    };
    page.put(Metric::RowsAccepted, &by_source(|counts| counts.accepted));
    page.put(Metric::RowsStored, &by_source(|counts| counts.stored));
    page.put(Metric::RowsInFlight, &by_source(|counts| counts.in_flight));
    let mut rejected = Vec::new();
    let mut dropped = Vec::new();
    for (name, counts) in &books {
        let label = |reason: &str| format!("{{source=\"{name}\",reason=\"{reason}\"}}");
        rejected.extend(counts.rejected.iter().map(|(reason, n)| (label(reason), *n as f64)));
        dropped.extend(counts.dropped.iter().map(|(reason, n)| (label(reason), *n as f64)));
    }
    page.put(Metric::RowsRejected, &rejected);
    page.put(Metric::RowsDropped, &dropped);
}

async fn storage(app: &App, page: &mut Page) {
    let status = app.state.ingest.status();
    page.one(Metric::ReadOnly, f64::from(u8::from(status.read_only.is_some())));
    page.one(Metric::WalBytes, status.wal.bytes as f64);
    page.one(Metric::WalSegments, status.wal.segments as f64);
    page.one(Metric::WalFsyncP99, status.wal.fsync_p99_us as f64 / 1e6);
    let (rows, bytes) = app.state.buffer.size();
    page.one(Metric::BufferRows, rows as f64);
    page.one(Metric::BufferBytes, bytes as f64);
    let lake = app.state.lake.stats(app.state.ingest.tenant()).await;
    page.one(Metric::LakeRows, lake.rows as f64);
    page.one(Metric::LakeFiles, lake.files as f64);
    page.one(Metric::LakeBytes, lake.bytes as f64);
}

fn plant(app: &App, page: &mut Page) {
    let model = app.state.ingest.model();
    let alarms = app.state.ingest.alarms();
    let active = |priority: u8| {
        alarms.iter().filter(|alarm| alarm.is_active() && alarm.priority == priority).count()
    };
    let rows: Vec<(String, f64)> = (1..=4)
        .map(|priority| (format!("{{priority=\"{priority}\"}}"), active(priority) as f64))
        .collect();
    page.put(Metric::Alarms, &rows);
    page.one(Metric::Assets, model.assets.len() as f64);
    page.one(Metric::Signals, model.all_signals().count() as f64);
    page.one(Metric::StartTime, app.started_us as f64 / 1e6);
}
