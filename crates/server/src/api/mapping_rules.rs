//! Rules that turn addresses into places.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metastore::mapping;
use serde::Serialize;
use signal::model::MappingRule;
use utoipa::ToSchema;

use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path};
use crate::{App, shapes};

/// Most places that a preview tells.
const MAX_PREVIEW: usize = 1_000;

/// What a rule would do to one address of the inbox.
#[derive(Serialize, ToSchema)]
pub(crate) struct Preview {
    address: String,
    asset: String,
    signal: String,
    asset_type: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/mapping-rules", tag = "data", responses(
    (status = 200, body = [shapes::MappingRule])))]
/// All rules in the order in which they are tried.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Vec<MappingRule>>> {
    Ok(Json(app.state.metastore.mapping_rules(caller.tenant).await?))
}

#[utoipa::path(post, path = "/api/v1/mapping-rules", tag = "data", request_body = shapes::MappingRule, responses(
    (status = 200, body = shapes::MappingRule), (status = 400, body = ErrorBody)))]
/// Adds a rule and lets it place what waits in the inbox.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(rule): Body<MappingRule>,
) -> Result<Json<MappingRule>> {
    let made = app.state.metastore.create_mapping_rule(caller.tenant, &rule).await?;
    app.state.metastore.apply_rules_to_inbox(caller.tenant).await?;
    app.state.ingest.reload_model().await?;
    Ok(Json(made))
}

#[utoipa::path(post, path = "/api/v1/mapping-rules/preview", tag = "data", request_body = shapes::MappingRule,
    responses((status = 200, body = [Preview]), (status = 400, body = ErrorBody)))]
/// What a rule would do to the inbox, without doing it.
pub(crate) async fn preview(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Body(rule): Body<MappingRule>,
) -> Result<Json<Vec<Preview>>> {
    mapping::check(&rule).map_err(|error| ApiError::invalid(error.field, error.message))?;
    let placed = app.state.metastore.preview_rules(caller.tenant, &[rule], MAX_PREVIEW).await?;
    let preview = |(row, place): (metastore::InboxRow, mapping::Place)| Preview {
        address: row.address,
        asset: place.asset,
        signal: place.signal,
        asset_type: place.asset_type,
    };
    Ok(Json(placed.into_iter().map(preview).collect()))
}

#[utoipa::path(delete, path = "/api/v1/mapping-rules/{id}", tag = "data", params(("id" = u32, Path)), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
/// Takes a rule away; what it has placed stays.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    app.state.metastore.delete_mapping_rule(caller.tenant, id).await?;
    app.state.ingest.reload_model().await?;
    Ok(StatusCode::NO_CONTENT)
}
