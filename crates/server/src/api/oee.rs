//! Where does the plant lose its time? Overall equipment effectiveness by ISO 22400-2.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use metastore::OeeSettings;
use optimize::oee::{Buckets, Factor, Partial, Planned, Report, ShiftOee, recommend};
use serde::{Deserialize, Serialize};
use signal::model::Asset;
use signal::{AssetId, DAY_US, HOUR_US, TenantId, TimeRange};
use utoipa::{IntoParams, ToSchema};

use super::assets;
use crate::auth::{Engineer, Reader};
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::{Body, Query};
use crate::losses::{Work, calendar};
use crate::plant::Plant;
use crate::{App, shapes};

/// Machines that are read at the same time.
const AT_ONCE: usize = 4;
/// Most machines that are told at once.
const MAX_MACHINES: usize = 200;
const MAX_DAYS: i64 = 366;
/// Reasons that are told per machine.
const MAX_REASONS: usize = 10;
/// How much less of the costliest reason advice proposes, in percent.
const PROPOSED_PERCENT: f64 = 50.0;

/// Which machines, and when.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Which {
    /// A machine, a line, a site; everything by default.
    asset: Option<u32>,
    /// Seven days ago by default; taken to the full hour before.
    from_us: Option<i64>,
    /// Now by default.
    to_us: Option<i64>,
}

/// Where time went.
#[derive(Serialize, ToSchema)]
pub(crate) struct Oee {
    from_us: i64,
    to_us: i64,
    /// Machines together, with the ratios of the sums: those that count parts; all where none does.
    total: Effect,
    /// How many machines are in it.
    total_of: usize,
    /// By name of the place, those without a state left out.
    machines: Vec<MachineOee>,
}

/// One machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct MachineOee {
    asset: u32,
    name: String,
    path: String,
    total: Effect,
    /// One entry per shift, in time order.
    shifts: Vec<ShiftEffect>,
    /// Time lost in set-ups and unplanned stops, largest first.
    reasons: Vec<Reason>,
    /// Ideal seconds per piece; null where nobody knows, and performance with it.
    cycle_s: Option<f64>,
    /// Somebody declared it; otherwise the machine has kept it in the fastest twentieth of its time.
    cycle_is_declared: bool,
    /// What less of the costliest reason would bring; null where nothing was lost or counted.
    advice: Option<Advice>,
}

/// Ratios and times of one machine or several. A ratio is null where nobody can know it.
#[derive(Serialize, ToSchema)]
pub(crate) struct Effect {
    availability: Option<f64>,
    performance: Option<f64>,
    quality: Option<f64>,
    /// Product of those that are known; null when none is.
    oee: Option<f64>,
    /// Factors that are not in it.
    #[schema(value_type = Vec<String>)]
    missing: Vec<&'static str>,
    times: Times,
    good: Option<f64>,
    scrap: Option<f64>,
    breakdowns: usize,
    /// Mean running time between failures.
    mtbf_h: Option<f64>,
    /// Mean time to restoration.
    mttr_h: Option<f64>,
}

/// Every second of the shifts in exactly one of them.
#[derive(Serialize, ToSchema)]
pub(crate) struct Times {
    productive_s: i64,
    reduced_speed_s: i64,
    minor_stop_s: i64,
    startup_reject_s: i64,
    production_reject_s: i64,
    /// Running, but nobody knows how well.
    undivided_s: i64,
    breakdown_s: i64,
    setup_s: i64,
    planned_stop_s: i64,
    unknown_s: i64,
}

/// One shift of one machine.
#[derive(Serialize, ToSchema)]
pub(crate) struct ShiftEffect {
    name: String,
    availability: Option<f64>,
    performance: Option<f64>,
    quality: Option<f64>,
    oee: Option<f64>,
    is_partial: bool,
    planned_s: i64,
}

/// Time lost to one reason.
#[derive(Serialize, ToSchema)]
pub(crate) struct Reason {
    /// The state's name.
    reason: String,
    stops: usize,
    seconds: i64,
}

/// What less of the costliest reason would bring.
#[derive(Serialize, ToSchema)]
pub(crate) struct Advice {
    reason: String,
    /// So much less of it.
    less_percent: f64,
    /// Good pieces in a span like this one, and their 90 % interval.
    pieces: f64,
    low: f64,
    high: f64,
}

#[utoipa::path(get, path = "/api/v1/oee", tag = "performance", params(Which), responses(
    (status = 200, body = Oee), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// OEE and losses of all machines below an asset.
pub(crate) async fn oee(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(which): Query<Which>,
) -> Result<Json<Oee>> {
    let to_us = which.to_us.unwrap_or_else(|| app.now_us());
    let from_us = which.from_us.unwrap_or(to_us - 7 * DAY_US);
    let range = super::range(from_us.div_euclid(HOUR_US) * HOUR_US, to_us)?;
    if range.len_us() > MAX_DAYS * DAY_US {
        return Err(ApiError::invalid("from_us", format!("at most {MAX_DAYS} days")));
    }
    let plant = app.plant.of(&app.state.ingest.model());
    let members = members(&plant, which.asset.map(AssetId))?;
    let settings = app.state.metastore.oee_settings(caller.tenant).await?;
    let (zone, calendar) = calendar(&settings)?;
    let planned = calendar
        .between(&zone, range.start_us, range.end_us)
        .map_err(|error| ApiError::invalid("from_us", error.to_string()))?;
    let question = Question { app: &app, tenant: caller.tenant, plant: &plant, range };
    let mut asked: Vec<BoxFuture<'_, Result<Option<Found>>>> = Vec::with_capacity(members.len());
    for asset in &members {
        asked.push(question.machine(asset, &planned, &settings).boxed());
    }
    let found: Vec<Option<Found>> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let (machines, mut totals): (Vec<MachineOee>, Vec<ShiftOee>) =
        found.into_iter().flatten().unzip();
    if totals.iter().any(|total| total.pieces.is_some()) {
        totals.retain(|total| total.pieces.is_some());
    }
    let total = effect(&ShiftOee::total("all", &totals));
    let total_of = totals.len();
    Ok(Json(Oee { from_us: range.start_us, to_us: range.end_us, total, total_of, machines }))
}

/// Machines at and below an asset: what tells a state.
fn members(plant: &Plant, asset: Option<AssetId>) -> Result<Vec<Arc<Asset>>> {
    let below = match asset {
        Some(id) if plant.model.asset(id).is_none() => {
            return Err(assets::unknown(id).field("asset"));
        }
        Some(id) => plant.subtree(id),
        None => plant.model.assets.values().map(|asset| asset.id).collect(),
    };
    let tells = below.into_iter().filter(|id| plant.state_signal(*id).is_some());
    let mut members: Vec<Arc<Asset>> =
        tells.filter_map(|id| plant.model.asset(id).cloned()).collect();
    members.sort_by(|one, other| one.path.cmp(&other.path));
    if members.len() > MAX_MACHINES {
        let message = format!("{} machines, more than {MAX_MACHINES}", members.len());
        return Err(ApiError::invalid("asset", message).hint("name a line"));
    }
    Ok(members)
}

/// A machine as it is told, and its time for the sum of all.
type Found = (MachineOee, ShiftOee);

/// What is asked of each machine.
struct Question<'a> {
    app: &'a App,
    tenant: TenantId,
    plant: &'a Plant,
    range: TimeRange,
}

impl Question<'_> {
    async fn machine(
        &self,
        asset: &Asset,
        planned: &Planned,
        settings: &OeeSettings,
    ) -> Result<Option<Found>> {
        let Question { app, tenant, plant, range } = *self;
        let Some(work) = Work::read(app, tenant, plant, asset.id, settings, range).await? else {
            return Ok(None);
        };
        let report = work.report(planned, settings.minor_stop_s)?;
        let total = ShiftOee::total(&asset.name, &report.shifts);
        let machine = MachineOee {
            asset: asset.id.0,
            name: asset.name.clone(),
            path: asset.path.clone(),
            total: effect(&total),
            shifts: report.shifts.iter().map(shift_effect).collect(),
            reasons: reasons(&report),
            cycle_s: work.cycle.map(|cycle| cycle.seconds),
            cycle_is_declared: work.cycle.is_some_and(|cycle| cycle.is_declared),
            advice: advice(&report, range.end_us + DAY_US),
        };
        Ok(Some((machine, total)))
    }
}

fn effect(shift: &ShiftOee) -> Effect {
    let oee = shift.oee();
    Effect {
        availability: shift.availability(),
        performance: shift.performance(),
        quality: shift.quality(),
        oee: known(&oee),
        missing: oee.missing.into_iter().map(factor_name).collect(),
        times: times(&shift.buckets),
        good: shift.pieces.map(|pieces| pieces.good),
        scrap: shift.pieces.map(|pieces| pieces.scrap),
        breakdowns: shift.n_breakdowns,
        mtbf_h: shift.mtbf_h(),
        mttr_h: shift.mttr_h(),
    }
}

fn known(oee: &Partial) -> Option<f64> {
    (oee.missing.len() < 3).then_some(oee.value)
}

fn factor_name(factor: Factor) -> &'static str {
    match factor {
        Factor::Availability => "availability",
        Factor::Performance => "performance",
        Factor::Quality => "quality",
    }
}

fn times(buckets: &Buckets) -> Times {
    let seconds = |us: i64| us / signal::SECOND_US;
    Times {
        productive_s: seconds(buckets.productive_us),
        reduced_speed_s: seconds(buckets.reduced_speed_us),
        minor_stop_s: seconds(buckets.minor_stop_us),
        startup_reject_s: seconds(buckets.startup_reject_us),
        production_reject_s: seconds(buckets.production_reject_us),
        undivided_s: seconds(buckets.undivided_us),
        breakdown_s: seconds(buckets.breakdown_us),
        setup_s: seconds(buckets.setup_us),
        planned_stop_s: seconds(buckets.planned_stop_us),
        unknown_s: seconds(buckets.unknown_us),
    }
}

fn shift_effect(shift: &ShiftOee) -> ShiftEffect {
    let oee = shift.oee();
    ShiftEffect {
        name: shift.name.clone(),
        availability: shift.availability(),
        performance: shift.performance(),
        quality: shift.quality(),
        oee: known(&oee),
        is_partial: !oee.missing.is_empty(),
        planned_s: shift.buckets.planned_us() / signal::SECOND_US,
    }
}

fn reasons(report: &Report) -> Vec<Reason> {
    let lost = report.reasons.iter().take(MAX_REASONS);
    lost.map(|loss| Reason {
        reason: loss.reason.clone(),
        stops: loss.n_stops,
        seconds: loss.total_us() / signal::SECOND_US,
    })
    .collect()
}

/// A day later there are other facts.
fn advice(report: &Report, valid_until_us: i64) -> Option<Advice> {
    let found = recommend(report, PROPOSED_PERCENT, valid_until_us)?;
    let reason = found.steps.first()?.what.clone();
    let (pieces, low, high) = (found.gain.expected, found.gain.low, found.gain.high);
    Some(Advice { reason, less_percent: PROPOSED_PERCENT, pieces, low, high })
}

#[utoipa::path(get, path = "/api/v1/oee/settings", tag = "performance", responses(
    (status = 200, body = shapes::OeeSettings)))]
/// When the plant works and what its states mean.
pub(crate) async fn settings(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
) -> Result<Json<OeeSettings>> {
    Ok(Json(app.state.metastore.oee_settings(caller.tenant).await?))
}

#[utoipa::path(put, path = "/api/v1/oee/settings", tag = "performance", request_body = shapes::OeeSettings, responses(
    (status = 200, body = shapes::OeeSettings), (status = 400, body = ErrorBody), (status = 404, body = ErrorBody)))]
/// Replaces the settings; what is left out takes its default.
pub(crate) async fn set(
    State(app): State<Arc<App>>,
    Engineer(caller): Engineer,
    Body(settings): Body<OeeSettings>,
) -> Result<Json<OeeSettings>> {
    calendar(&settings)?;
    let model = app.state.ingest.model();
    for cycle in &settings.cycles {
        if model.asset(cycle.asset).is_none() {
            return Err(assets::unknown(cycle.asset).field("cycles"));
        }
        if !cycle.seconds.is_finite() || cycle.seconds <= 0.0 {
            let message =
                format!("{} s per piece of asset {} is not above zero", cycle.seconds, cycle.asset);
            return Err(ApiError::invalid("cycles", message));
        }
    }
    app.state.metastore.set_oee_settings(caller.tenant, &settings).await?;
    Ok(Json(settings))
}
