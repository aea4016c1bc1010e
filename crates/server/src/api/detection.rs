//! How eagerly machines are judged.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ingest::{DetectionSettings, DetectorView};
use metastore::DetectionSetting;
use serde::{Deserialize, Serialize};
use signal::AssetId;
use utoipa::ToSchema;

use crate::auth::{Caller, Engineer, Reader};
use crate::error::{ErrorBody, Result};
use crate::extract::{Body, Path};
use crate::{App, shapes};

/// All detectors and the budget of those that have none of their own.
#[derive(Serialize, ToSchema)]
pub(crate) struct Detection {
    days_per_false_alarm: f64,
    #[schema(value_type = Vec<shapes::Detector>)]
    assets: Vec<DetectorView>,
}

/// What is to change; what is left out stays.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangeDetection {
    days_per_false_alarm: Option<f64>,
    #[serde(default)]
    assets: Vec<ChangeDetector>,
}

/// What is to change about one machine.
#[derive(Deserialize, ToSchema)]
pub(crate) struct ChangeDetector {
    asset: u32,
    enabled: bool,
    days_per_false_alarm: f64,
}

#[utoipa::path(get, path = "/api/v1/detection", tag = "alarms", responses((status = 200, body = Detection)))]
/// All detectors.
pub(crate) async fn view(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Detection>> {
    let settings = app.state.metastore.detection_settings(caller.tenant).await?;
    let default = settings.iter().find(|setting| setting.asset.is_none());
    let days_per_false_alarm =
        default.map_or(app.options.days_per_false_alarm, |setting| setting.days_per_false_alarm);
    Ok(Json(Detection { days_per_false_alarm, assets: app.state.ingest.detectors() }))
}

#[utoipa::path(put, path = "/api/v1/detection", tag = "alarms", request_body = ChangeDetection, responses(
    (status = 200, body = Detection), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// Sets the false-alarm budget of all machines, or of some.
pub(crate) async fn change(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(change): Body<ChangeDetection>,
) -> Result<Json<Detection>> {
    let model = app.state.ingest.model();
    if let Some(missing) =
        change.assets.iter().find(|wanted| model.asset(AssetId(wanted.asset)).is_none())
    {
        return Err(super::assets::unknown(AssetId(missing.asset)));
    }
    if let Some(days_per_false_alarm) = change.days_per_false_alarm {
        set(&app, &caller, None, true, days_per_false_alarm).await?;
    }
    for wanted in &change.assets {
        set(
            &app,
            &caller,
            Some(AssetId(wanted.asset)),
            wanted.enabled,
            wanted.days_per_false_alarm,
        )
        .await?;
    }
    view(State(app), Reader(caller)).await
}

async fn set(
    app: &App,
    caller: &Caller,
    asset: Option<AssetId>,
    enabled: bool,
    days: f64,
) -> Result<()> {
    let setting = DetectionSetting { asset, enabled, days_per_false_alarm: days };
    app.state.metastore.set_detection(caller.tenant, setting).await?;
    // An asset without a detector keeps its setting for when it gets one.
    app.state
        .ingest
        .set_detection(asset, DetectionSettings { enabled, days_per_false_alarm: days })
        .await;
    Ok(())
}

#[utoipa::path(post, path = "/api/v1/detection/{asset}/relearn", tag = "alarms", params(("asset" = u32, Path)),
    responses((status = 202), (status = 404, body = ErrorBody)))]
/// Lets a machine's detector begin anew.
pub(crate) async fn relearn(
    State(app): State<Arc<App>>,
    _: Engineer,
    Path(asset): Path<u32>,
) -> Result<StatusCode> {
    if app.state.ingest.relearn(AssetId(asset)).await {
        return Ok(StatusCode::ACCEPTED);
    }
    Err(super::assets::unknown(AssetId(asset))
        .hint("only machines with a detector can learn: GET /api/v1/detection"))
}
