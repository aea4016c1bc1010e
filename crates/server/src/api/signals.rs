//! Signals and their newest values.

use std::collections::HashSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use metastore::SignalPatch;
use serde::{Deserialize, Serialize};
use signal::model::{Signal, SignalKind};
use signal::{AssetId, Flag, SignalId};
use utoipa::{IntoParams, ToSchema};

use super::{finite, nullable};
use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path, Query};
use crate::plant::Plant;
use crate::{App, shapes};

/// Signals per page when nobody says how many.
const PAGE: usize = 200;
/// Most signals per page.
const MAX_PAGE: usize = 1_000;

/// A signal with its declaration and newest value.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SignalNow {
    id: u32,
    /// Null while it waits unbound in the inbox.
    asset: Option<u32>,
    name: String,
    path: String,
    #[schema(value_type = shapes::SignalKind)]
    kind: SignalKind,
    /// UCUM code.
    unit: String,
    states: Vec<String>,
    range: Option<(f64, f64)>,
    normal: Option<(f64, f64)>,
    max_rate_per_s: Option<f64>,
    max_gap_ms: Option<u64>,
    stuck_after_ms: Option<u64>,
    spike_sigmas: Option<f64>,
    in_detection: Option<bool>,
    last: Option<LastValue>,
    rate_per_s: f64,
}

/// The newest value of a signal.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct LastValue {
    time_us: i64,
    /// Null when it was not a finite number.
    value: Option<f64>,
    quality: u32,
    /// Names of the reasons to doubt it.
    flags: Vec<&'static str>,
}

/// A page of signals.
#[derive(Serialize, ToSchema)]
pub(crate) struct SignalPage {
    signals: Vec<SignalNow>,
    /// Ask with `after` = this for the next page; null on the last.
    next: Option<u32>,
}

/// Which signals.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// Only of this asset and what is below it.
    asset: Option<u32>,
    /// Only those whose path holds this text.
    q: Option<String>,
    /// Only bound (`false`) or unbound (`true`) ones.
    unbound: Option<bool>,
    /// At most so many, up to 1,000.
    limit: Option<usize>,
    /// Only identities above this one.
    after: Option<u32>,
}

/// What is to change about a signal; null takes a declaration away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeSignal {
    #[schema(value_type = Option<shapes::SignalKind>)]
    kind: Option<SignalKind>,
    unit: Option<String>,
    states: Option<Vec<String>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<(f64, f64)>)]
    range: Option<Option<(f64, f64)>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<(f64, f64)>)]
    normal: Option<Option<(f64, f64)>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    max_rate_per_s: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>)]
    max_gap_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u64>)]
    stuck_after_ms: Option<Option<u64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    spike_sigmas: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<bool>)]
    in_detection: Option<Option<bool>>,
}

/// A signal as it is now.
pub(crate) fn now(app: &App, signal: &Signal) -> SignalNow {
    let live = app.state.ingest.live();
    let spec = &signal.spec;
    SignalNow {
        id: signal.id.0,
        asset: signal.asset.map(|asset| asset.0),
        name: signal.name.clone(),
        path: signal.path.clone(),
        kind: spec.kind,
        unit: spec.unit.clone(),
        states: spec.states.clone(),
        range: spec.range,
        normal: spec.normal,
        max_rate_per_s: spec.max_rate_per_s,
        max_gap_ms: spec.max_gap_ms,
        stuck_after_ms: spec.stuck_after_ms,
        spike_sigmas: spec.spike_sigmas,
        in_detection: spec.in_detection,
        last: last(app, signal.id),
        rate_per_s: live.quality(signal.id).map_or(0.0, |(_, rate)| rate),
    }
}

/// The newest value of a signal.
pub(crate) fn last(app: &App, signal: SignalId) -> Option<LastValue> {
    let last = app.state.ingest.live().last(signal)?;
    let flags =
        Flag::ALL.into_iter().filter(|flag| last.quality.has(*flag)).map(Flag::name).collect();
    Some(LastValue {
        time_us: last.time_us,
        value: finite(last.value),
        quality: last.quality.0,
        flags,
    })
}

/// What to say about a signal that does not exist.
pub(crate) fn unknown(id: SignalId) -> ApiError {
    ApiError::not_found("unknown_signal", format!("signal {id} does not exist"))
        .hint("GET /api/v1/signals lists them")
}

#[utoipa::path(get, path = "/api/v1/signals", tag = "model", params(Which), responses(
    (status = 200, body = SignalPage), (status = 404, body = ErrorBody)))]
/// Signals by identity, page by page.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    _: Reader,
    Query(which): Query<Which>,
) -> Result<Json<SignalPage>> {
    let limit = which.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let plant = app.plant.of(&app.state.ingest.model());
    if let Some(asset) =
        which.asset.map(AssetId).filter(|asset| plant.model.asset(*asset).is_none())
    {
        return Err(super::assets::unknown(asset));
    }
    // A million paths take longer than a socket should wait.
    let search = tokio::task::spawn_blocking(move || find(&plant, &which, limit + 1)).await;
    let mut found = search.map_err(|error| ApiError::internal(&error))?;
    let next = (found.len() > limit).then(|| found[limit - 1].id.0);
    found.truncate(limit);
    Ok(Json(SignalPage { signals: found.iter().map(|signal| now(&app, signal)).collect(), next }))
}

/// At most `limit` signals that are wanted, by identity.
fn find(plant: &Plant, which: &Which, limit: usize) -> Vec<Arc<Signal>> {
    let assets: Option<HashSet<AssetId>> =
        which.asset.map(|asset| plant.subtree(AssetId(asset)).into_iter().collect());
    let text = which.q.as_deref().unwrap_or_default().to_lowercase();
    let fits = |signal: &&Arc<Signal>| {
        which.after.is_none_or(|after| signal.id.0 > after)
            && which.unbound.is_none_or(|unbound| unbound == signal.asset.is_none())
            && assets
                .as_ref()
                .is_none_or(|assets| signal.asset.is_some_and(|asset| assets.contains(&asset)))
            && (text.is_empty() || signal.path.to_lowercase().contains(&text))
    };
    plant.model.all_signals().filter(fits).take(limit).cloned().collect()
}

#[utoipa::path(get, path = "/api/v1/signals/{id}", tag = "model", params(("id" = u32, Path)), responses(
    (status = 200, body = SignalNow), (status = 404, body = ErrorBody)))]
/// One signal.
pub(crate) async fn detail(
    State(app): State<Arc<App>>,
    _: Reader,
    Path(id): Path<u32>,
) -> Result<Json<SignalNow>> {
    let plant = app.plant.of(&app.state.ingest.model());
    let signal = plant.model.signal(SignalId(id)).ok_or_else(|| unknown(SignalId(id)))?;
    Ok(Json(now(&app, signal)))
}

#[utoipa::path(patch, path = "/api/v1/signals/{id}", tag = "model", params(("id" = u32, Path)),
    request_body = ChangeSignal, responses((status = 200, body = SignalNow), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody)))]
/// Changes what is declared about a signal.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
    Body(change): Body<ChangeSignal>,
) -> Result<Json<SignalNow>> {
    let patch = SignalPatch {
        kind: change.kind,
        unit: change.unit,
        states: change.states,
        range: change.range,
        normal: change.normal,
        max_rate_per_s: change.max_rate_per_s,
        max_gap_ms: change.max_gap_ms,
        stuck_after_ms: change.stuck_after_ms,
        spike_sigmas: change.spike_sigmas,
        in_detection: change.in_detection,
    };
    let signal = app.state.metastore.patch_signal(caller.tenant, SignalId(id), patch).await?;
    app.state.ingest.reload_model().await?;
    Ok(Json(now(&app, &signal)))
}
