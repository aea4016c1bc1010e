//! Limits that people made.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use metastore::StoredRule;
use serde::{Deserialize, Serialize};
use signal::SignalId;
use signal::model::LimitRule;
use utoipa::ToSchema;

use crate::App;
use crate::auth::{Engineer, Reader};
use crate::error::{ErrorBody, Result};
use crate::extract::{Body, Path};

/// A limit on one signal. Without a response it is kept as an alert and never rings.
#[derive(Serialize, Deserialize, ToSchema)]
pub(crate) struct Rule {
    /// Given by the server.
    #[serde(default)]
    id: u32,
    signal: u32,
    #[serde(default = "yes")]
    enabled: bool,
    /// Rings above this value.
    above: Option<f64>,
    /// Rings below this value.
    below: Option<f64>,
    #[serde(default)]
    deadband: f64,
    #[serde(default)]
    on_delay_ms: u64,
    #[serde(default)]
    off_delay_ms: u64,
    /// 1 (most urgent) to 4.
    priority: u8,
    #[serde(default)]
    cause: String,
    #[serde(default)]
    consequence: String,
    #[serde(default)]
    response: String,
    #[serde(default)]
    minutes_to_respond: u32,
    /// Evaluated only in these machine states; empty means always.
    #[serde(default)]
    only_in_states: Vec<String>,
}

fn yes() -> bool {
    true
}

fn view(stored: StoredRule) -> Rule {
    let StoredRule { id, signal, enabled, rule } = stored;
    Rule {
        id,
        signal: signal.0,
        enabled,
        above: rule.above,
        below: rule.below,
        deadband: rule.deadband,
        on_delay_ms: rule.on_delay_ms,
        off_delay_ms: rule.off_delay_ms,
        priority: rule.priority,
        cause: rule.cause,
        consequence: rule.consequence,
        response: rule.response,
        minutes_to_respond: rule.minutes_to_respond,
        only_in_states: rule.only_in_states,
    }
}

pub(crate) fn stored(id: u32, rule: Rule) -> StoredRule {
    StoredRule {
        id,
        signal: SignalId(rule.signal),
        enabled: rule.enabled,
        rule: LimitRule {
            above: rule.above,
            below: rule.below,
            deadband: rule.deadband,
            on_delay_ms: rule.on_delay_ms,
            off_delay_ms: rule.off_delay_ms,
            priority: rule.priority,
            cause: rule.cause,
            consequence: rule.consequence,
            response: rule.response,
            minutes_to_respond: rule.minutes_to_respond,
            only_in_states: rule.only_in_states,
        },
    }
}

#[utoipa::path(get, path = "/api/v1/rules", tag = "alarms", responses((status = 200, body = [Rule])))]
/// All limit rules, besides those of the asset types.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<Vec<Rule>>> {
    let rules = app.state.metastore.limit_rules(caller.tenant).await?;
    Ok(Json(rules.into_iter().map(view).collect()))
}

#[utoipa::path(post, path = "/api/v1/rules", tag = "alarms", request_body = Rule, responses(
    (status = 200, body = Rule), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// Adds a limit rule.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(rule): Body<Rule>,
) -> Result<Json<Rule>> {
    let made = app.state.metastore.create_limit_rule(caller.tenant, &stored(0, rule)).await?;
    app.state.ingest.reload_model().await?;
    Ok(Json(view(made)))
}

#[utoipa::path(put, path = "/api/v1/rules/{id}", tag = "alarms", params(("id" = u32, Path)), request_body = Rule,
    responses((status = 200, body = Rule), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// Replaces a limit rule.
pub(crate) async fn replace(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
    Body(rule): Body<Rule>,
) -> Result<Json<Rule>> {
    let rule = stored(id, rule);
    app.state.metastore.put_limit_rule(caller.tenant, &rule).await?;
    app.state.ingest.reload_model().await?;
    Ok(Json(view(rule)))
}

#[utoipa::path(delete, path = "/api/v1/rules/{id}", tag = "alarms", params(("id" = u32, Path)), responses(
    (status = 204), (status = 404, body = ErrorBody)))]
/// Takes a limit rule away.
pub(crate) async fn remove(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Path(id): Path<u32>,
) -> Result<StatusCode> {
    app.state.metastore.delete_limit_rule(caller.tenant, id).await?;
    app.state.ingest.reload_model().await?;
    Ok(StatusCode::NO_CONTENT)
}
