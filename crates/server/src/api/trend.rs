//! How signals behaved: one bucket per pixel column, extremes never lost.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use signal::{AssetId, SignalId};
use utoipa::{IntoParams, ToSchema};

use super::{assets, signals};
use crate::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Query};

/// Most signals of one trend.
const MAX_SIGNALS: usize = 50;
/// Most pixel columns.
const MAX_WIDTH_PX: u32 = 10_000;

/// What to draw.
#[derive(Deserialize, ToSchema)]
pub(crate) struct TrendRequest {
    /// At most 50.
    signals: Vec<u32>,
    from_us: i64,
    to_us: i64,
    /// 1 to 10,000.
    width_px: u32,
}

/// Series for the pixels of a screen.
#[derive(Serialize, ToSchema)]
pub(crate) struct TrendView {
    from_us: i64,
    to_us: i64,
    /// Width of a bucket; 0 when `raw`.
    bucket_us: i64,
    /// Every sample is its own bucket.
    raw: bool,
    series: Vec<SeriesView>,
}

/// One signal: columns of equal length, in time order; null where there is no finite number.
#[derive(Serialize, ToSchema)]
pub(crate) struct SeriesView {
    signal: u32,
    /// Start of each bucket, or the time of each sample when `raw`.
    time_us: Vec<i64>,
    #[schema(value_type = Vec<Option<f64>>)]
    min: Vec<f64>,
    #[schema(value_type = Vec<Option<f64>>)]
    max: Vec<f64>,
    #[schema(value_type = Vec<Option<f64>>)]
    first: Vec<f64>,
    #[schema(value_type = Vec<Option<f64>>)]
    last: Vec<f64>,
    #[schema(value_type = Vec<Option<f64>>)]
    mean: Vec<f64>,
    count: Vec<u32>,
    /// Samples of bad quality.
    bad: Vec<u32>,
    /// The worst status and all reasons of the bucket.
    quality: Vec<u32>,
}

/// Everything that is stored lies in here.
#[derive(Serialize, ToSchema)]
pub(crate) struct Extent {
    /// Null while nothing is stored.
    from_us: Option<i64>,
    /// Just after the newest sample.
    to_us: Option<i64>,
}

/// Whose states, and when.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StatesQuery {
    asset: u32,
    from_us: i64,
    to_us: i64,
}

/// The states of a machine over time.
#[derive(Serialize, ToSchema)]
pub(crate) struct States {
    /// Names in index order.
    states: Vec<String>,
    /// From, to, index of the state.
    segments: Vec<(i64, i64, u32)>,
}

#[utoipa::path(post, path = "/api/v1/trend", tag = "trend", request_body = TrendRequest, responses(
    (status = 200, body = TrendView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// Series for a chart of the given width.
pub(crate) async fn trend(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Body(wanted): Body<TrendRequest>,
) -> Result<Json<TrendView>> {
    let range = super::range(wanted.from_us, wanted.to_us)?;
    if wanted.signals.is_empty() || wanted.signals.len() > MAX_SIGNALS {
        return Err(ApiError::invalid("signals", format!("1 to {MAX_SIGNALS} signals")));
    }
    if !(1..=MAX_WIDTH_PX).contains(&wanted.width_px) {
        return Err(ApiError::invalid("width_px", format!("1 to {MAX_WIDTH_PX}")));
    }
    let model = app.state.ingest.model();
    let ids: Vec<SignalId> = wanted.signals.into_iter().map(SignalId).collect();
    if let Some(missing) = ids.iter().find(|id| model.signal(**id).is_none()) {
        return Err(signals::unknown(*missing).field("signals"));
    }
    let trend = app.state.lake.trend(caller.tenant, &ids, range, wanted.width_px).await?;
    Ok(Json(TrendView {
        from_us: trend.range.start_us,
        to_us: trend.range.end_us,
        bucket_us: trend.bucket_us,
        raw: trend.raw,
        series: trend.series.into_iter().map(series).collect(),
    }))
}

fn series(series: lake::Series) -> SeriesView {
    SeriesView {
        signal: series.signal.0,
        time_us: series.time_us,
        min: series.min,
        max: series.max,
        first: series.first,
        last: series.last,
        mean: series.mean,
        count: series.count,
        bad: series.bad,
        quality: series.quality,
    }
}

#[utoipa::path(get, path = "/api/v1/extent", tag = "trend", responses((status = 200, body = Extent)))]
/// From the oldest to the newest sample.
pub(crate) async fn extent(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Extent>> {
    let extent = app.state.lake.extent(caller.tenant).await?;
    Ok(Json(Extent {
        from_us: extent.map(|extent| extent.start_us),
        to_us: extent.map(|extent| extent.end_us),
    }))
}

#[utoipa::path(get, path = "/api/v1/states", tag = "trend", params(StatesQuery), responses(
    (status = 200, body = States), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// The machine states of an asset; empty when it has no state signal.
pub(crate) async fn states(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(query): Query<StatesQuery>,
) -> Result<Json<States>> {
    let range = super::range(query.from_us, query.to_us)?;
    let plant = app.plant.of(&app.state.ingest.model());
    let asset = AssetId(query.asset);
    if plant.model.asset(asset).is_none() {
        return Err(assets::unknown(asset));
    }
    let signal = plant.state_signal(asset).and_then(|id| plant.model.signal(id));
    let Some(signal) = signal else {
        return Ok(Json(States { states: Vec::new(), segments: Vec::new() }));
    };
    let spans = app.state.lake.states(caller.tenant, signal.id, range).await?;
    Ok(Json(States { states: signal.spec.states.clone(), segments: segments(&spans) }))
}

/// Spans as the wire has them; what is no index of a state is left out.
pub(crate) fn segments(spans: &[lake::Span]) -> Vec<(i64, i64, u32)> {
    let is_idx =
        |span: &&lake::Span| span.code >= 0.0 && span.code.fract() == 0.0 && span.code < 65_536.0;
    spans.iter().filter(is_idx).map(|span| (span.from_us, span.to_us, span.code as u32)).collect()
}
