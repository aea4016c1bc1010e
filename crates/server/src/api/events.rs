//! What happened, in words: texts, alarm transitions, notes.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use signal::{AssetId, DAY_US, EventKind};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::Query;

/// Events per answer when nobody says how many.
const PAGE: usize = 500;
/// Most events per answer.
const MAX_PAGE: usize = 10_000;

/// Which events.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this asset.
    asset: Option<u32>,
    /// `text`, `alarm`, `source` or `note`.
    kind: Option<String>,
    /// 24 hours ago by default.
    from_us: Option<i64>,
    /// Now by default.
    to_us: Option<i64>,
    /// At most so many, the newest; up to 10,000.
    limit: Option<usize>,
}

/// Something that happened.
#[derive(Serialize, ToSchema)]
pub(crate) struct EventView {
    time_us: i64,
    kind: &'static str,
    asset: Option<u32>,
    signal: Option<u32>,
    /// A text, or JSON for alarms.
    body: String,
}

#[utoipa::path(get, path = "/api/v1/events", tag = "trend", params(Which), responses(
    (status = 200, body = [EventView]), (status = 400, body = ErrorBody)))]
/// Events, newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(which): Query<Which>,
) -> Result<Json<Vec<EventView>>> {
    let kind = match which.kind.as_deref() {
        None => None,
        Some("text") => Some(EventKind::Text),
        Some("alarm") => Some(EventKind::Alarm),
        Some("source") => Some(EventKind::Source),
        Some("note") => Some(EventKind::Note),
        Some(other) => {
            return Err(ApiError::invalid("kind", format!("`{other}` is not a kind of event")));
        }
    };
    let to_us = which.to_us.unwrap_or_else(|| app.now_us() + DAY_US);
    let filter = lake::EventFilter {
        asset: which.asset.map(AssetId),
        signal: None,
        kind,
        range: super::range(which.from_us.unwrap_or(to_us - 2 * DAY_US), to_us)?,
        limit: which.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE),
    };
    let events = app.state.lake.events(caller.tenant, filter).await?;
    let view = |event: signal::Event| EventView {
        time_us: event.time_us,
        kind: event.kind.name(),
        asset: event.asset.map(|asset| asset.0),
        signal: event.signal.map(|signal| signal.0),
        body: event.body,
    };
    Ok(Json(events.into_iter().map(view).collect()))
}
