//! The plant as a tree, with the health of each machine.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ingest::{Alarm, Health, Level};
use metastore::{AssetPatch, NewAsset};
use serde::{Deserialize, Serialize};
use signal::AssetId;
use signal::model::AssetType;
use utoipa::ToSchema;

use super::signals::{self, SignalNow};
use super::{alarms, nullable};
use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path};
use crate::plant::Plant;
use crate::{App, shapes};

/// A thing in the plant, as it is now.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Asset)]
pub(crate) struct AssetView {
    id: u32,
    parent: Option<u32>,
    name: String,
    path: String,
    kind: String,
    asset_type: Option<String>,
    /// 0 to 100; null while learning or when it has no detector.
    health: Option<f64>,
    /// Name of the machine state.
    state: Option<String>,
    /// 1 (most urgent) to 4; of its own alarms.
    worst_alarm: Option<u8>,
    n_signals: usize,
}

/// One asset with everything about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AssetDetail {
    asset: AssetView,
    breadcrumbs: Vec<Crumb>,
    signals: Vec<SignalNow>,
    #[schema(value_type = shapes::Health)]
    health: Health,
    #[schema(value_type = Vec<shapes::Alarm>)]
    alarms: Vec<Arc<Alarm>>,
}

/// A step from the root to an asset.
#[derive(Serialize, ToSchema)]
pub(crate) struct Crumb {
    id: u32,
    name: String,
}

/// An asset to be added.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateAsset {
    parent: Option<u32>,
    name: String,
    kind: String,
    asset_type: Option<String>,
}

/// What is to change about an asset; null takes parent or type away.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ChangeAsset {
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<u32>)]
    parent: Option<Option<u32>>,
    name: Option<String>,
    kind: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    asset_type: Option<Option<String>>,
}

/// What to say about an asset that does not exist.
pub(crate) fn unknown(id: AssetId) -> ApiError {
    ApiError::not_found("unknown_asset", format!("asset {id} does not exist"))
        .hint("GET /api/v1/assets lists them")
}

/// The most urgent alarm that calls, per asset.
pub(crate) fn worst_alarms(alarms: &[Arc<Alarm>]) -> HashMap<AssetId, Arc<Alarm>> {
    let mut worst: HashMap<AssetId, Arc<Alarm>> = HashMap::new();
    for alarm in alarms.iter().filter(|alarm| alarm.calls()) {
        let entry = worst.entry(alarm.asset).or_insert_with(|| alarm.clone());
        if alarms::urgency(alarm) < alarms::urgency(entry) {
            *entry = alarm.clone();
        }
    }
    worst
}

fn view(
    app: &App,
    plant: &Plant,
    asset: &signal::model::Asset,
    score: Option<f64>,
    worst: &HashMap<AssetId, Arc<Alarm>>,
) -> AssetView {
    AssetView {
        id: asset.id.0,
        parent: asset.parent.map(|parent| parent.0),
        name: asset.name.clone(),
        path: asset.path.clone(),
        kind: asset.kind.clone(),
        asset_type: asset.asset_type.clone(),
        health: score.map(f64::round),
        state: plant.state_of(asset.id, app.state.ingest.live()),
        worst_alarm: worst.get(&asset.id).map(|alarm| alarm.priority),
        n_signals: plant.signals_of(asset.id).len(),
    }
}

/// What an asset without a detector shows.
pub(crate) fn no_health() -> Health {
    Health {
        score: None,
        level: Level::Learning,
        learning: true,
        learned_share: 0.0,
        since_us: 0,
        contributions: Vec::new(),
        diagnosis: Vec::new(),
    }
}

#[utoipa::path(get, path = "/api/v1/assets", tag = "model", responses((status = 200, body = [AssetView])))]
/// The whole tree, parents before children.
pub(crate) async fn list(State(app): State<Arc<App>>, _: Reader) -> Json<Vec<AssetView>> {
    let plant = app.plant.of(&app.state.ingest.model());
    let healths = app.state.ingest.live().healths();
    let worst = worst_alarms(&app.state.ingest.alarms());
    let mut assets: Vec<_> = plant.model.assets.values().collect();
    assets.sort_by(|one, two| one.path.cmp(&two.path));
    let score = |id: AssetId| healths.get(&id).and_then(|health| health.score);
    Json(
        assets
            .into_iter()
            .map(|asset| view(&app, &plant, asset, score(asset.id), &worst))
            .collect(),
    )
}

#[utoipa::path(get, path = "/api/v1/assets/{id}", tag = "model", params(("id" = u32, Path)), responses(
    (status = 200, body = AssetDetail), (status = 404, body = ErrorBody)))]
/// One asset: where it is, what it measures, how it is and why.
pub(crate) async fn detail(
    State(app): State<Arc<App>>,
    _: Reader,
    Path(id): Path<u32>,
) -> Result<Json<AssetDetail>> {
    let id = AssetId(id);
    let plant = app.plant.of(&app.state.ingest.model());
    let asset = plant.model.asset(id).ok_or_else(|| unknown(id))?;
    let health = app.state.ingest.live().health(id);
    let all = app.state.ingest.alarms();
    let mut own: Vec<Arc<Alarm>> = all
        .iter()
        .filter(|alarm| alarm.asset == id && alarm.state != ingest::AlarmState::Normal)
        .cloned()
        .collect();
    own.sort_by_key(|alarm| alarms::urgency(alarm));
    let score = health.as_ref().and_then(|health| health.score);
    let signals = plant.signals_of(id).iter().filter_map(|signal| plant.model.signal(*signal));
    Ok(Json(AssetDetail {
        asset: view(&app, &plant, asset, score, &worst_alarms(&all)),
        breadcrumbs: plant
            .breadcrumbs(id)
            .iter()
            .map(|asset| Crumb { id: asset.id.0, name: asset.name.clone() })
            .collect(),
        signals: signals.map(|signal| signals::now(&app, signal)).collect(),
        health: health.unwrap_or_else(no_health),
        alarms: own,
    }))
}

#[utoipa::path(post, path = "/api/v1/assets", tag = "model", request_body = CreateAsset, responses(
    (status = 200, body = AssetView), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody)))]
/// Adds an asset.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(wanted): Body<CreateAsset>,
) -> Result<Json<AssetView>> {
    let new = NewAsset {
        parent: wanted.parent.map(AssetId),
        name: wanted.name,
        kind: wanted.kind,
        asset_type: wanted.asset_type,
    };
    let asset = app.state.metastore.create_asset(caller.tenant, &new).await?;
    app.state.ingest.reload_model().await?;
    let plant = app.plant.of(&app.state.ingest.model());
    Ok(Json(view(&app, &plant, &asset, None, &HashMap::new())))
}

#[utoipa::path(patch, path = "/api/v1/assets/{id}", tag = "model", params(("id" = u32, Path)),
    request_body = ChangeAsset, responses((status = 200, body = AssetView), (status = 400, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 409, body = ErrorBody)))]
/// Changes name, place, kind or type of an asset; paths below it follow.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
    Body(change): Body<ChangeAsset>,
) -> Result<Json<AssetView>> {
    let patch = AssetPatch {
        parent: change.parent.map(|parent| parent.map(AssetId)),
        name: change.name,
        kind: change.kind,
        asset_type: change.asset_type,
    };
    let asset = app.state.metastore.patch_asset(caller.tenant, AssetId(id), &patch).await?;
    app.state.ingest.reload_model().await?;
    let plant = app.plant.of(&app.state.ingest.model());
    let score = app.state.ingest.live().health(asset.id).and_then(|health| health.score);
    Ok(Json(view(&app, &plant, &asset, score, &worst_alarms(&app.state.ingest.alarms()))))
}

#[utoipa::path(get, path = "/api/v1/asset-types", tag = "model", responses(
    (status = 200, body = [shapes::AssetType])))]
/// Kinds of machines: their signals, limits and known faults.
pub(crate) async fn types(_: Reader) -> Json<&'static [AssetType]> {
    Json(metastore::library())
}
