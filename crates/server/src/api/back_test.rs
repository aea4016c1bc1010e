//! What a limit would have done with what is stored, before anybody is rung up by it.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ingest::Record;
use serde::{Deserialize, Serialize};
use signal::model::LimitRule;
use signal::{AssetId, DAY_US, Event, EventKind, SignalId, TenantId, TimeRange};
use utoipa::{IntoParams, ToSchema};

use super::{rules, signals};
use crate::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Query};

/// Most samples that are looked at: half a year at 1 Hz.
const MAX_SAMPLES: usize = 16_000_000;
const MAX_DAYS: u32 = 366;
/// Most transitions that are looked at.
const MAX_EVENTS: usize = 100_000;
/// The rule under which detectors raise their alarms.
const ANOMALY: &str = "anomaly";

/// How far back.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Back {
    /// 1 to 366; 30 when left out.
    days: Option<u32>,
}

/// What the limit would have done.
#[derive(Serialize, ToSchema)]
pub(crate) struct BackTest {
    from_us: i64,
    to_us: i64,
    /// Recorded samples of the signal in this time.
    samples: u64,
    /// The limit as it is asked for.
    asked: Outcome,
    /// The same limit without deadband and delays.
    bare: Outcome,
    /// Episodes that the detector of the machine has found in this time.
    episodes: u32,
}

/// One run over the record.
#[derive(Serialize, ToSchema)]
pub(crate) struct Outcome {
    /// How often it would have rung.
    rings: u64,
    /// Of the time, 0 to 1, how much it would have been active.
    active_share: f64,
    /// In how many of the episodes it would not have been active.
    missed: u32,
}

#[utoipa::path(post, path = "/api/v1/rules/back-test", tag = "alarms", params(Back), request_body = rules::Rule,
    responses((status = 200, body = BackTest), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// What a limit rule would have done with the samples that are stored.
pub(crate) async fn back_test(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(back): Query<Back>,
    Body(rule): Body<rules::Rule>,
) -> Result<Json<BackTest>> {
    let days = back.days.unwrap_or(30);
    if !(1..=MAX_DAYS).contains(&days) {
        return Err(ApiError::invalid("days", format!("1 to {MAX_DAYS} days")));
    }
    let stored = rules::stored(0, rule);
    metastore::check_limit(&stored.rule)?;
    let model = app.state.ingest.model();
    let signal = model.signal(stored.signal).ok_or_else(|| signals::unknown(stored.signal))?;
    let now_us = app.now_us();
    let range = TimeRange { start_us: now_us - i64::from(days) * DAY_US, end_us: now_us };
    let lake = &app.state.lake;
    let samples = lake.samples(caller.tenant, &[signal.id], range, MAX_SAMPLES + 1).await?;
    if samples.len() > MAX_SAMPLES {
        let message = format!("more than {MAX_SAMPLES} samples in {days} days");
        return Err(ApiError::invalid("days", message).hint("ask for fewer days"));
    }
    let spans = spans(&app, caller.tenant, signal.asset, &stored.rule, range).await?;
    let episodes = match signal.asset {
        Some(asset) => episodes(&app, caller.tenant, asset, range).await?,
        None => Vec::new(),
    };
    let work = move || {
        let bare =
            LimitRule { deadband: 0.0, on_delay_ms: 0, off_delay_ms: 0, ..stored.rule.clone() };
        let run = |rule: &LimitRule| {
            let outcome = ingest::back_test(rule, &samples, &spans, &episodes);
            Outcome {
                rings: outcome.rings as u64,
                active_share: outcome.active_us as f64 / range.len_us().max(1) as f64,
                missed: outcome.missed.len() as u32,
            }
        };
        BackTest {
            from_us: range.start_us,
            to_us: range.end_us,
            samples: samples.len() as u64,
            asked: run(&stored.rule),
            bare: run(&bare),
            episodes: episodes.len() as u32,
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    Ok(Json(done.map_err(|error| ApiError::internal(&error))?))
}

/// When the machine was in a state in which the rule holds.
async fn spans(
    app: &App,
    tenant: TenantId,
    asset: Option<AssetId>,
    rule: &LimitRule,
    range: TimeRange,
) -> Result<Vec<(i64, i64)>> {
    let plant = app.plant.of(&app.state.ingest.model());
    let state = asset.and_then(|asset| plant.state_signal(asset));
    let state = state.and_then(|id: SignalId| plant.model.signal(id));
    let (Some(state), false) = (state, rule.only_in_states.is_empty()) else {
        return Ok(vec![(range.start_us, range.end_us)]);
    };
    let holds = |span: &lake::Span| {
        let name = state.spec.states.get(span.code as usize);
        span.code >= 0.0 && name.is_some_and(|name| rule.only_in_states.contains(name))
    };
    let mut spans: Vec<(i64, i64)> = Vec::new();
    for span in
        app.state.lake.states(tenant, state.id, range).await?.iter().filter(|one| holds(one))
    {
        match spans.last_mut() {
            Some((_, end_us)) if *end_us == span.from_us => *end_us = span.to_us,
            _ => spans.push((span.from_us, span.to_us)),
        }
    }
    Ok(spans)
}

/// From when to when the detector of a machine was in alarm.
async fn episodes(
    app: &App,
    tenant: TenantId,
    asset: AssetId,
    range: TimeRange,
) -> Result<Vec<(i64, i64)>> {
    let filter = lake::EventFilter {
        asset: Some(asset),
        signal: None,
        kind: Some(EventKind::Alarm),
        range,
        limit: MAX_EVENTS,
    };
    let events = app.state.lake.events(tenant, filter).await?;
    Ok(spans_of(events.iter().rev(), range.end_us))
}

/// Spans in which a detector's alarm was active; `events` oldest first, what still is active ends at `end_us`.
fn spans_of<'a>(events: impl Iterator<Item = &'a Event>, end_us: i64) -> Vec<(i64, i64)> {
    let mut open: HashMap<u32, i64> = HashMap::new();
    let mut spans = Vec::new();
    for event in events {
        let Ok(record) = Record::parse(&event.body) else { continue };
        if record.alarm.rule != ANOMALY {
            continue;
        }
        if record.alarm.is_active() {
            open.entry(record.alarm.id).or_insert(event.time_us);
        } else if let Some(start_us) = open.remove(&record.alarm.id) {
            spans.push((start_us, event.time_us));
        }
    }
    spans.extend(open.into_values().map(|start_us| (start_us, end_us)));
    spans
}
