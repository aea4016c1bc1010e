//! The alarm desk: what needs a response, and what people did about it (ISA-18.2).

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use ingest::{Alarm, AlarmCommand, AlarmOverlay, AlarmState, CommandError, Record};
use serde::{Deserialize, Serialize};
use signal::{DAY_US, EventKind, TimeRange};
use utoipa::{IntoParams, ToSchema};

use crate::auth::{Operator, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Path, Query};
use crate::{App, shapes};

/// How far the history of one alarm reaches back.
const HISTORY_US: i64 = 90 * DAY_US;
/// Most transitions that are read to find those of one alarm.
const MAX_EVENTS: usize = 20_000;
/// Most transitions of one alarm that are told, newest first.
const MAX_HISTORY: usize = 200;

/// Which alarms.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// `active` (the default), `shelved`, `suppressed`, `out_of_service` or `all`.
    view: Option<String>,
}

/// Alarms, most urgent first.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlarmList {
    #[schema(value_type = Vec<shapes::Alarm>)]
    alarms: Vec<Arc<Alarm>>,
    /// Number of the newest change; the WebSocket goes on from here.
    seq: u64,
    counts: AlarmCounts,
    /// Alarms that began to ring in the last hour.
    rate_per_h: f64,
    /// More than ten in the last ten minutes (ISA-18.2).
    flood: bool,
}

/// How many alarms there are in each view.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct AlarmCounts {
    active: usize,
    unack: usize,
    shelved: usize,
    suppressed: usize,
    out_of_service: usize,
}

/// One alarm with what happened to it.
#[derive(Serialize, ToSchema)]
pub(crate) struct AlarmDetail {
    #[schema(value_type = shapes::Alarm)]
    alarm: Arc<Alarm>,
    /// Newest first.
    history: Vec<Transition>,
}

/// A change of an alarm's state, or words about it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Transition {
    time_us: i64,
    from: String,
    to: String,
    actor: String,
    reason: String,
    value: Option<f64>,
    limit: Option<f64>,
    quality: u32,
}

/// What an action needs; see the table in docs/reference/http-api.md.
#[derive(Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Action {
    /// `shelve`: 1 to 480.
    minutes: Option<u32>,
    /// `shelve`, `out_of_service`.
    reason: Option<String>,
    /// `out_of_service`.
    work_order: Option<String>,
    /// `comment`.
    text: Option<String>,
}

/// Sorts the most urgent alarm first: nobody has seen it, its priority, the time left, how long it has been there.
pub(crate) fn urgency(alarm: &Alarm) -> (bool, u8, i64, i64) {
    let is_seen = !matches!(alarm.state, AlarmState::Unack | AlarmState::RtnUnack);
    (is_seen, alarm.priority, alarm.respond_by_us.unwrap_or(i64::MAX), alarm.since_us)
}

#[utoipa::path(get, path = "/api/v1/alarms", tag = "alarms", params(Which), responses(
    (status = 200, body = AlarmList), (status = 400, body = ErrorBody)))]
/// Alarms of one view.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    _: Reader,
    Query(which): Query<Which>,
) -> Result<Json<AlarmList>> {
    let view = which.view.as_deref().unwrap_or("active");
    let overlay = match view {
        "active" | "all" => None,
        "shelved" => Some(AlarmOverlay::Shelved),
        "suppressed" => Some(AlarmOverlay::Suppressed),
        "out_of_service" => Some(AlarmOverlay::OutOfService),
        _ => return Err(ApiError::invalid("view", format!("`{view}` is not a view"))),
    };
    let seq = app.state.ingest.alarm_seq();
    let all = app.state.ingest.alarms();
    let counts = count(&all);
    let shows = |alarm: &Arc<Alarm>| match view {
        "all" => true,
        "active" => alarm.calls(),
        _ => alarm.overlay == overlay,
    };
    let mut alarms: Vec<Arc<Alarm>> = all.into_iter().filter(shows).collect();
    alarms.sort_by_key(|alarm| urgency(alarm));
    let (rate_per_h, flood) = app.pulse.ringing(app.now_us());
    Ok(Json(AlarmList { alarms, seq, counts, rate_per_h, flood }))
}

fn count(alarms: &[Arc<Alarm>]) -> AlarmCounts {
    let mut counts = AlarmCounts::default();
    for alarm in alarms {
        match alarm.overlay {
            Some(AlarmOverlay::Shelved) => counts.shelved += 1,
            Some(AlarmOverlay::Suppressed) => counts.suppressed += 1,
            Some(AlarmOverlay::OutOfService) => counts.out_of_service += 1,
            None => {
                counts.active += usize::from(alarm.calls());
                counts.unack +=
                    usize::from(matches!(alarm.state, AlarmState::Unack | AlarmState::RtnUnack));
            }
        }
    }
    counts
}

#[utoipa::path(get, path = "/api/v1/alarms/{id}", tag = "alarms", params(("id" = u32, Path)), responses(
    (status = 200, body = AlarmDetail), (status = 404, body = ErrorBody)))]
/// One alarm and its record of the last 90 days.
pub(crate) async fn detail(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Path(id): Path<u32>,
) -> Result<Json<AlarmDetail>> {
    let alarm = app.state.ingest.alarm(id).ok_or_else(|| unknown(id))?;
    let now_us = app.now_us();
    let filter = lake::EventFilter {
        asset: Some(alarm.asset),
        signal: None,
        kind: Some(EventKind::Alarm),
        range: TimeRange { start_us: now_us - HISTORY_US, end_us: now_us + DAY_US },
        limit: MAX_EVENTS,
    };
    let events = app.state.lake.events(caller.tenant, filter).await?;
    let mut history: Vec<(u64, Transition)> = events
        .iter()
        .filter_map(|event| Some((event.time_us, Record::parse(&event.body).ok()?)))
        .filter(|(_, record)| record.alarm.id == id)
        .map(|(time_us, record)| (record.alarm.seq, transition(time_us, record)))
        .collect();
    history.sort_by_key(|(seq, _)| std::cmp::Reverse(*seq));
    history.truncate(MAX_HISTORY);
    Ok(Json(AlarmDetail {
        alarm,
        history: history.into_iter().map(|(_, transition)| transition).collect(),
    }))
}

fn transition(time_us: i64, record: Record) -> Transition {
    Transition {
        time_us,
        from: record.from,
        to: record.to,
        actor: record.actor,
        reason: record.reason,
        value: record.alarm.value,
        limit: record.alarm.limit,
        quality: record.alarm.quality.0,
    }
}

fn unknown(id: u32) -> ApiError {
    ApiError::not_found("unknown_alarm", format!("alarm {id} does not exist"))
        .hint("GET /api/v1/alarms?view=all")
}

#[utoipa::path(post, path = "/api/v1/alarms/{id}/{action}", tag = "alarms", request_body = Action,
    params(("id" = u32, Path), ("action" = String, Path,
    description = "ack, shelve, unshelve, out_of_service, in_service, reset or comment")), responses(
    (status = 200, body = shapes::Alarm), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody),
    (status = 409, body = ErrorBody), (status = 503, body = ErrorBody)))]
/// Does something about an alarm; recorded when this answers.
pub(crate) async fn act(
    State(app): State<Arc<App>>,
    Operator(caller): Operator,
    Path((id, action)): Path<(u32, String)>,
    body: Option<Body<Action>>,
) -> Result<Json<Arc<Alarm>>> {
    let Body(given) = body.unwrap_or(Body(Action::default()));
    let command = command(&action, given)?;
    let done = app.state.ingest.command(id, &caller.name, command).await;
    done.map(Json).map_err(|error| refusal(&app, id, &error))
}

fn command(action: &str, given: Action) -> Result<AlarmCommand> {
    let needed = |field: &'static str, value: Option<String>| {
        value.ok_or_else(|| ApiError::invalid(field, format!("`{field}` is missing")))
    };
    match action {
        "ack" => Ok(AlarmCommand::Ack),
        "shelve" => {
            let minutes = given
                .minutes
                .ok_or_else(|| ApiError::invalid("minutes", "`minutes` is missing"))?;
            Ok(AlarmCommand::Shelve { minutes, reason: needed("reason", given.reason)? })
        }
        "unshelve" => Ok(AlarmCommand::Unshelve),
        "out_of_service" => Ok(AlarmCommand::OutOfService {
            reason: needed("reason", given.reason)?,
            work_order: needed("work_order", given.work_order)?,
        }),
        "in_service" => Ok(AlarmCommand::InService),
        "reset" => Ok(AlarmCommand::Reset),
        "comment" => Ok(AlarmCommand::Comment { text: needed("text", given.text)? }),
        _ => Err(ApiError::not_found(
            "unknown_action",
            format!("`{action}` is not an action on alarms"),
        )
        .hint("ack, shelve, unshelve, out_of_service, in_service, reset, comment")),
    }
}

fn refusal(app: &App, id: u32, error: &CommandError) -> ApiError {
    let message = error.to_string();
    match error {
        CommandError::NotFound(id) => unknown(*id),
        CommandError::NotAllowed { .. } => {
            let mut error = ApiError::new(StatusCode::CONFLICT, "not_in_this_state", message);
            error.problem.present =
                app.state.ingest.alarm(id).and_then(|alarm| serde_json::to_value(&*alarm).ok());
            error
        }
        CommandError::Invalid(_) => {
            let field = ["reason", "work_order", "text", "minutes"]
                .into_iter()
                .find(|name| message.contains(name));
            ApiError::invalid(field.unwrap_or("body"), message)
        }
        CommandError::NotRecorded(_) => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "read_only", message).retry_after(10)
        }
        CommandError::Stopping => {
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "stopping", message).retry_after(5)
        }
    }
}
