//! The balance: accepted = stored + rejected + dropped, at every quiet moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::auth::Reader;

/// What happened to every row since the start, and where rows are now.
#[derive(Serialize, ToSchema)]
pub(crate) struct BalanceView {
    accepted: u64,
    stored: u64,
    /// Offered and not decided yet.
    in_flight: u64,
    rejected: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    /// accepted = stored + rejected + dropped + in flight.
    holds: bool,
    since_us: i64,
    /// Why writes are refused, if they are.
    read_only: Option<String>,
    wal: WalView,
    buffer: BufferView,
    lake: LakeView,
}

/// The log.
#[derive(Serialize, ToSchema)]
pub(crate) struct WalView {
    bytes: u64,
    segments: usize,
    fsync_ms_p99: f64,
}

/// Rows in memory that are not in the tables yet.
#[derive(Serialize, ToSchema)]
pub(crate) struct BufferView {
    rows: u64,
    bytes: u64,
}

/// The tables.
#[derive(Serialize, ToSchema)]
pub(crate) struct LakeView {
    rows: u64,
    files: u64,
    bytes: u64,
    last_flush_us: Option<i64>,
}

#[utoipa::path(get, path = "/api/v1/balance", tag = "data", responses((status = 200, body = BalanceView)))]
/// The balance of all sources together.
pub(crate) async fn balance(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Json<BalanceView> {
    let totals = app.state.ingest.balance().totals();
    let status = app.state.ingest.status();
    let (rows, bytes) = app.state.buffer.size();
    let lake = app.state.lake.stats(caller.tenant).await;
    Json(BalanceView {
        accepted: totals.accepted,
        stored: totals.stored,
        in_flight: totals.in_flight,
        holds: totals.holds(),
        rejected: totals.rejected,
        dropped: totals.dropped,
        since_us: app.started_us,
        read_only: status.read_only,
        wal: WalView {
            bytes: status.wal.bytes,
            segments: status.wal.segments,
            fsync_ms_p99: status.wal.fsync_p99_us as f64 / 1e3,
        },
        buffer: BufferView { rows, bytes },
        lake: LakeView {
            rows: lake.rows,
            files: lake.files,
            bytes: lake.bytes,
            last_flush_us: lake.last_flush_us,
        },
    })
}
