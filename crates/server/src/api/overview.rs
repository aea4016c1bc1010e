//! Is anything wrong now on this line, and what is to be done?

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use ingest::{Alarm, Level};
use serde::{Deserialize, Serialize};
use signal::model::{Asset, Signal, SignalKind};
use signal::{AssetId, HOUR_US, SignalId, TenantId, TimeRange};
use utoipa::{IntoParams, ToSchema};

use super::trend::segments;
use super::{assets, finite};
use crate::auth::Reader;
use crate::counter::growths;
use crate::error::{ErrorBody, Result};
use crate::extract::Query;
use crate::plant::Plant;
use crate::{App, shapes};

/// The shift, when nobody says from when.
const SHIFT_US: i64 = 8 * HOUR_US;
/// Buckets in which counters are read, so that a counter that begins anew costs one bucket at most.
const BUCKETS: u32 = 480;
/// Analog bars per machine.
const MAX_BARS: usize = 4;
/// Machines whose states are read at the same time.
const AT_ONCE: usize = 4;
/// Most machines of one line that are told.
const MAX_MACHINES: usize = 200;

/// Which line, and since when.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// The first one by default.
    line: Option<u32>,
    /// Eight hours ago by default.
    from_us: Option<i64>,
}

/// One line at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Overview {
    now_us: i64,
    from_us: i64,
    lines: Vec<Line>,
    /// The line that is told; null while the plant has none.
    line: Option<u32>,
    machines: Vec<Machine>,
    /// What kept machines from running, longest first.
    stops: Vec<Stop>,
}

/// A line of the plant.
#[derive(Serialize, ToSchema)]
pub(crate) struct Line {
    id: u32,
    name: String,
    path: String,
}

/// One machine at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Machine {
    id: u32,
    name: String,
    /// What kind of machine it is.
    title: String,
    state: Option<String>,
    health: Option<f64>,
    #[schema(value_type = shapes::Level)]
    level: Level,
    states: Vec<String>,
    /// From, to, index of the state.
    segments: Vec<(i64, i64, u32)>,
    bars: Vec<Bar>,
    /// Since `from_us`; null when it does not count.
    good: Option<f64>,
    rejects: Option<f64>,
    /// Good parts in the last hour.
    rate_per_h: Option<f64>,
    #[schema(value_type = Option<shapes::Alarm>)]
    alarm: Option<Arc<Alarm>>,
}

/// A value against its normal band.
#[derive(Serialize, ToSchema)]
pub(crate) struct Bar {
    signal: u32,
    name: String,
    unit: String,
    value: Option<f64>,
    time_us: Option<i64>,
    quality: u32,
    normal: (f64, f64),
    range: (f64, f64),
}

/// How often and how long a machine was in a state other than running.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub(crate) struct Stop {
    machine: String,
    reason: String,
    count: u32,
    seconds: i64,
}

#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", params(Which), responses(
    (status = 200, body = Overview), (status = 404, body = ErrorBody)))]
/// One line: its machines, their states, values, parts and most urgent alarms.
pub(crate) async fn overview(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(which): Query<Which>,
) -> Result<Json<Overview>> {
    let now_us = app.now_us();
    let from_us = which.from_us.unwrap_or(now_us - SHIFT_US).min(now_us);
    let range = super::range(from_us, now_us)?;
    let plant = app.plant.of(&app.state.ingest.model());
    let lines = lines(&plant);
    if let Some(line) = which.line.filter(|line| plant.model.asset(AssetId(*line)).is_none()) {
        return Err(assets::unknown(AssetId(line)).field("line"));
    }
    let line = which.line.map(AssetId).or_else(|| lines.first().map(|line| line.id));
    let members: Vec<Arc<Asset>> = line.map_or_else(Vec::new, |line| machines_of(&plant, line));
    let parts = parts(&app, caller.tenant, &plant, &members, range).await?;
    let worst = assets::worst_alarms(&app.state.ingest.alarms());
    let mut asked: Vec<BoxFuture<'_, Result<Machine>>> = Vec::with_capacity(members.len());
    for asset in &members {
        asked.push(machine(&app, caller.tenant, &plant, asset, range, &parts, &worst).boxed());
    }
    let machines: Vec<Machine> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let mut stops: Vec<Stop> = machines.iter().flat_map(stops_of).collect();
    stops.sort_by_key(|stop| std::cmp::Reverse(stop.seconds));
    let line_view = |asset: Arc<Asset>| Line {
        id: asset.id.0,
        name: asset.name.clone(),
        path: asset.path.clone(),
    };
    Ok(Json(Overview {
        now_us,
        from_us,
        lines: lines.into_iter().map(line_view).collect(),
        line: line.map(|line| line.0),
        machines,
        stops,
    }))
}

/// What has machines directly below it: something with signals of its own.
fn lines(plant: &Plant) -> Vec<Arc<Asset>> {
    let has_machines = |asset: &&Arc<Asset>| {
        plant.children_of(Some(asset.id)).iter().any(|child| !plant.signals_of(*child).is_empty())
            && plant.signals_of(asset.id).is_empty()
    };
    let mut lines: Vec<Arc<Asset>> =
        plant.model.assets.values().filter(has_machines).cloned().collect();
    lines.sort_by(|one, two| one.path.cmp(&two.path));
    lines
}

fn machines_of(plant: &Plant, line: AssetId) -> Vec<Arc<Asset>> {
    let below =
        plant.children_of(Some(line)).iter().filter(|child| !plant.signals_of(**child).is_empty());
    below.filter_map(|id| plant.model.asset(*id).cloned()).take(MAX_MACHINES).collect()
}

async fn machine(
    app: &App,
    tenant: TenantId,
    plant: &Plant,
    asset: &Asset,
    range: TimeRange,
    parts: &HashMap<SignalId, Parts>,
    worst: &HashMap<AssetId, Arc<Alarm>>,
) -> Result<Machine> {
    let live = app.state.ingest.live();
    let health = live.health(asset.id).unwrap_or_else(assets::no_health);
    let state_signal = plant.state_signal(asset.id).and_then(|id| plant.model.signal(id));
    let (states, segments) = match state_signal {
        Some(signal) => {
            let spans = app.state.lake.states(tenant, signal.id, range).await?;
            (signal.spec.states.clone(), segments(&spans))
        }
        None => (Vec::new(), Vec::new()),
    };
    let good = plant.counter(asset.id, "good").and_then(|id| parts.get(&id));
    let rejects = plant.counter(asset.id, "rejects").and_then(|id| parts.get(&id));
    Ok(Machine {
        id: asset.id.0,
        name: asset.name.clone(),
        title: plant
            .model
            .type_of(asset.id)
            .map_or_else(|| asset.kind.clone(), |kind| kind.title.clone()),
        state: plant.state_of(asset.id, live),
        health: health.score.map(f64::round),
        level: health.level,
        states,
        segments,
        bars: bars(app, plant, asset.id),
        good: good.map(|parts| parts.total),
        rejects: rejects.map(|parts| parts.total),
        rate_per_h: good.map(|parts| parts.last_hour),
        alarm: worst.get(&asset.id).cloned(),
    })
}

/// The machine's first gauges that have both a range and a normal band.
fn bars(app: &App, plant: &Plant, asset: AssetId) -> Vec<Bar> {
    let live = app.state.ingest.live();
    let bar = |signal: &Arc<Signal>| {
        let (normal, range) = signal.spec.normal.zip(signal.spec.range)?;
        let last = live.last(signal.id);
        Some(Bar {
            signal: signal.id.0,
            name: signal.name.clone(),
            unit: signal.spec.unit.clone(),
            value: last.and_then(|last| finite(last.value)),
            time_us: last.map(|last| last.time_us),
            quality: last.map_or(0, |last| last.quality.0),
            normal,
            range,
        })
    };
    let order = |signal: &&Arc<Signal>| {
        let kind = plant.model.type_of(asset);
        kind.and_then(|kind| kind.signals.iter().position(|template| template.name == signal.name))
            .unwrap_or(usize::MAX)
    };
    let own = plant.signals_of(asset).iter().filter_map(|id| plant.model.signal(*id));
    let mut gauges: Vec<&Arc<Signal>> =
        own.filter(|signal| signal.spec.kind == SignalKind::Gauge).collect();
    gauges.sort_by_key(|signal| (order(signal), signal.id));
    gauges.into_iter().filter_map(bar).take(MAX_BARS).collect()
}

/// What a counter counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Parts {
    total: f64,
    last_hour: f64,
}

/// All part counters of the line, in one query.
async fn parts(
    app: &App,
    tenant: TenantId,
    plant: &Plant,
    machines: &[Arc<Asset>],
    range: TimeRange,
) -> Result<HashMap<SignalId, Parts>> {
    let counters: Vec<SignalId> = machines
        .iter()
        .flat_map(|asset| ["good", "rejects"].map(|name| plant.counter(asset.id, name)))
        .flatten()
        .collect();
    if counters.is_empty() {
        return Ok(HashMap::new());
    }
    let trend = app.state.lake.trend(tenant, &counters, range, BUCKETS).await?;
    Ok(trend
        .series
        .iter()
        .map(|series| (series.signal, counted(series, range.end_us - HOUR_US)))
        .collect())
}

fn counted(series: &lake::Series, hour_from_us: i64) -> Parts {
    let mut parts = Parts::default();
    for (time_us, grown) in growths(series) {
        parts.total += grown;
        if time_us >= hour_from_us {
            parts.last_hour += grown;
        }
    }
    parts
}

/// Every state other than running and idle, by name.
fn stops_of(machine: &Machine) -> Vec<Stop> {
    let mut stops: Vec<Stop> = Vec::new();
    for &(from_us, to_us, state_idx) in &machine.segments {
        let Some(reason) = machine.states.get(state_idx as usize) else { continue };
        if reason == "running" || reason == "idle" {
            continue;
        }
        let seconds = (to_us - from_us) / signal::SECOND_US;
        match stops.iter_mut().find(|stop| stop.reason == *reason) {
            Some(stop) => {
                stop.count += 1;
                stop.seconds += seconds;
            }
            None => {
                stops.push(Stop {
                    machine: machine.name.clone(),
                    reason: reason.clone(),
                    count: 1,
                    seconds,
                });
            }
        }
    }
    stops
}
