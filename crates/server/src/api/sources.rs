//! The doors that data comes in through.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::App;
use crate::auth::Reader;
use crate::error::Result;

/// A source counts as connected when it has clients, or sent something within this time.
const RECENT_US: i64 = 30 * signal::SECOND_US;

/// A source with its books since the start.
#[derive(Serialize, ToSchema)]
pub(crate) struct SourceView {
    id: u32,
    name: String,
    protocol: String,
    connected: bool,
    /// Null for sources that are not connections.
    clients: Option<u32>,
    rate_per_s: f64,
    /// When it last sent something since the start.
    last_us: Option<i64>,
    accepted: u64,
    stored: u64,
    rejected: BTreeMap<&'static str, u64>,
    dropped: BTreeMap<&'static str, u64>,
    last_error: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/sources", tag = "data", responses((status = 200, body = [SourceView])))]
/// All sources.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Vec<SourceView>>> {
    let balance = app.state.ingest.balance();
    let books: BTreeMap<_, _> = balance.snapshot().into_iter().collect();
    let now_us = app.now_us();
    let sources = app.state.metastore.sources(caller.tenant).await?;
    let view = |source: signal::model::Source| {
        let counts = books.get(&source.id).cloned().unwrap_or_default();
        let rate = app.pulse.rate(source.id);
        let clients = (app.state.clients)(source.id);
        let is_recent = rate.last_us.is_some_and(|last_us| now_us - last_us < RECENT_US);
        SourceView {
            connected: clients.map_or(is_recent, |clients| clients > 0),
            clients,
            rate_per_s: rate.rate_per_s,
            last_us: rate.last_us,
            accepted: counts.accepted,
            stored: counts.stored,
            rejected: counts.rejected,
            dropped: counts.dropped,
            last_error: balance.last_error(source.id),
            id: source.id.0,
            name: source.name,
            protocol: source.protocol,
        }
    };
    Ok(Json(sources.into_iter().map(view).collect()))
}
