//! Is the alarm system healthy? The measures of ISA-18.2-2016 Table 7 over the record of alarms.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use ingest::Record;
use serde::{Deserialize, Serialize};
use signal::{DAY_US, EventKind, HOUR_US, MINUTE_US, TimeRange};
use utoipa::{IntoParams, ToSchema};

use crate::App;
use crate::auth::Reader;
use crate::error::{ApiError, ErrorBody, Result};
use crate::extract::Query;

/// Most transitions that are looked at.
const MAX_EVENTS: usize = 500_000;
/// ISA-18.2 asks for at least 30 days.
const ENOUGH_DAYS: f64 = 30.0;
const PERIOD_US: i64 = 10 * MINUTE_US;

/// Which span of time.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Span {
    /// 30 days ago by default.
    from_us: Option<i64>,
    /// Now by default.
    to_us: Option<i64>,
}

/// How the alarm system did.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Performance {
    days: f64,
    /// At least 30 days, as the standard asks for.
    enough_data: bool,
    kpis: Vec<Kpi>,
    /// The ten alarms that rang most.
    top: Vec<TopAlarm>,
    /// Alarms per hour of the day (UTC), one row per day.
    heat: Vec<Vec<u32>>,
}

/// One measure with its targets; null where the standard gives none.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Kpi {
    name: &'static str,
    value: f64,
    unit: &'static str,
    acceptable: Option<f64>,
    manageable: Option<f64>,
}

/// An alarm that rang often.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TopAlarm {
    title: String,
    asset_path: String,
    count: u32,
    /// Of all alarms, 0 to 1.
    share: f64,
}

#[utoipa::path(get, path = "/api/v1/alarms/performance", tag = "alarms", params(Span), responses(
    (status = 200, body = Performance), (status = 400, body = ErrorBody)))]
/// The alarm system against ISA-18.2 Table 7.
pub(crate) async fn performance(
    State(app): State<Arc<App>>,
    Reader(caller): Reader,
    Query(span): Query<Span>,
) -> Result<Json<Performance>> {
    let to_us = span.to_us.unwrap_or_else(|| app.now_us());
    let range = super::range(span.from_us.unwrap_or(to_us - 30 * DAY_US), to_us)?;
    if range.len_us() > 400 * DAY_US {
        return Err(ApiError::invalid("from_us", "at most 400 days"));
    }
    let filter = lake::EventFilter {
        asset: None,
        signal: None,
        kind: Some(EventKind::Alarm),
        range,
        limit: MAX_EVENTS,
    };
    let events = app.state.lake.events(caller.tenant, filter).await?;
    let extent = app.state.lake.extent(caller.tenant).await?;
    // Days before the first sample say nothing about the alarm system.
    let start_us = extent.map_or(range.start_us, |extent| extent.start_us.max(range.start_us));
    let range = TimeRange { start_us: start_us.min(range.end_us), end_us: range.end_us };
    let mut rings = Vec::new();
    let mut stays = HashMap::new();
    let mut n_stale = 0;
    // The lake gives the newest first.
    for event in events.iter().rev() {
        let Ok(record) = Record::parse(&event.body) else { continue };
        n_stale += u32::from(is_stale(&mut stays, event.time_us, &record));
        if record.to == "unack" && record.from != "unack" {
            rings.push(Ring::new(event.time_us, record));
        }
    }
    n_stale += stays.values().filter(|since_us| range.end_us - **since_us > DAY_US).count() as u32;
    Ok(Json(measure(range, rings, n_stale)))
}

/// Whether the transition ends a stay of more than 24 hours in an active state.
fn is_stale(stays: &mut HashMap<u32, i64>, time_us: i64, record: &Record) -> bool {
    if record.alarm.is_active() {
        stays.entry(record.alarm.id).or_insert(time_us);
        return false;
    }
    stays.remove(&record.alarm.id).is_some_and(|since_us| time_us - since_us > DAY_US)
}

/// An alarm begins to ring.
struct Ring {
    time_us: i64,
    alarm: u32,
    priority: u8,
    title: String,
    asset_path: String,
}

impl Ring {
    fn new(time_us: i64, record: Record) -> Ring {
        let alarm = record.alarm;
        Ring {
            time_us,
            alarm: alarm.id,
            priority: alarm.priority,
            title: alarm.title,
            asset_path: alarm.asset_path,
        }
    }
}

/// The measures over `range`. Source: ANSI/ISA-18.2-2016 Table 7; chattering is three or more in a minute.
fn measure(range: TimeRange, mut rings: Vec<Ring>, n_stale: u32) -> Performance {
    rings.sort_by_key(|ring| ring.time_us);
    let hours = (range.len_us() as f64 / HOUR_US as f64).max(1.0 / 60.0);
    let n = rings.len() as f64;
    let per_hour = buckets(&rings, HOUR_US);
    let per_period = buckets(&rings, PERIOD_US);
    let n_periods = (hours * 6.0).max(1.0);
    let share = |count: usize, of: f64| 100.0 * count as f64 / of.max(1.0);
    let floods = per_period.values().filter(|count| **count > 10).count();
    let top = top_alarms(&rings);
    let mix = |priorities: &[u8]| {
        100.0 * rings.iter().filter(|ring| priorities.contains(&ring.priority)).count() as f64
            / n.max(1.0)
    };
    let kpi = |name, value: f64, unit, acceptable, manageable| Kpi {
        name,
        value,
        unit,
        acceptable,
        manageable,
    };
    let busy_hours = per_hour.values().filter(|count| **count > 30).count();
    let kpis = vec![
        kpi("alarms_per_hour", n / hours, "1/h", Some(6.0), Some(12.0)),
        kpi("alarms_per_10_min", n / n_periods, "1/10min", Some(1.0), Some(2.0)),
        kpi("hours_over_30", share(busy_hours, hours), "%", Some(1.0), None),
        kpi("periods_over_10", share(floods, n_periods), "%", Some(1.0), None),
        kpi(
            "max_in_10_min",
            f64::from(per_period.values().copied().max().unwrap_or(0)),
            "1",
            Some(10.0),
            None,
        ),
        kpi("time_in_flood", share(floods, n_periods), "%", Some(1.0), None),
        kpi(
            "top_10_share",
            100.0 * top.iter().map(|alarm| alarm.share).sum::<f64>(),
            "%",
            Some(5.0),
            None,
        ),
        kpi("chattering", f64::from(chattering(&rings)), "1", Some(0.0), None),
        kpi("stale", f64::from(n_stale), "1", Some(5.0), None),
        kpi("priority_low", mix(&[3, 4]), "%", Some(80.0), None),
        kpi("priority_medium", mix(&[2]), "%", Some(15.0), None),
        kpi("priority_high", mix(&[1]), "%", Some(5.0), None),
    ];
    let days = hours / 24.0;
    Performance { days, enough_data: days >= ENOUGH_DAYS, kpis, top, heat: heat(range, &rings) }
}

fn buckets(rings: &[Ring], width_us: i64) -> HashMap<i64, u32> {
    let mut buckets = HashMap::new();
    for ring in rings {
        *buckets.entry(ring.time_us.div_euclid(width_us)).or_default() += 1;
    }
    buckets
}

fn top_alarms(rings: &[Ring]) -> Vec<TopAlarm> {
    let mut counts: HashMap<u32, (u32, &Ring)> = HashMap::new();
    for ring in rings {
        counts.entry(ring.alarm).or_insert((0, ring)).0 += 1;
    }
    let mut top: Vec<(u32, &Ring)> = counts.into_values().collect();
    top.sort_by_key(|(count, ring)| (std::cmp::Reverse(*count), ring.alarm));
    let share = |count| f64::from(count) / rings.len() as f64;
    let alarm = |(count, ring): (u32, &Ring)| TopAlarm {
        title: ring.title.clone(),
        asset_path: ring.asset_path.clone(),
        count,
        share: share(count),
    };
    top.into_iter().take(10).map(alarm).collect()
}

/// Alarms that rang three times or more within one minute.
fn chattering(rings: &[Ring]) -> u32 {
    let mut times: HashMap<u32, Vec<i64>> = HashMap::new();
    for ring in rings {
        times.entry(ring.alarm).or_default().push(ring.time_us);
    }
    times
        .values()
        .filter(|times| times.windows(3).any(|three| three[2] - three[0] <= MINUTE_US))
        .count() as u32
}

fn heat(range: TimeRange, rings: &[Ring]) -> Vec<Vec<u32>> {
    if range.len_us() == 0 {
        return Vec::new();
    }
    let first = signal::day_of(range.start_us);
    let n_days = (signal::day_of(range.end_us - 1) - first + 1).max(0) as usize;
    let mut heat = vec![vec![0; 24]; n_days];
    for ring in rings {
        let hour = ring.time_us.rem_euclid(DAY_US) / HOUR_US;
        if let Some(day) = usize::try_from(signal::day_of(ring.time_us) - first)
            .ok()
            .and_then(|day| heat.get_mut(day))
        {
            day[hour as usize] += 1;
        }
    }
    heat
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring(minute: i64, alarm: u32, priority: u8) -> Ring {
        let time_us = minute * MINUTE_US;
        Ring {
            time_us,
            alarm,
            priority,
            title: format!("alarm {alarm}"),
            asset_path: "m".to_owned(),
        }
    }

    fn value(performance: &Performance, name: &str) -> f64 {
        performance
            .kpis
            .iter()
            .find(|kpi| kpi.name == name)
            .map(|kpi| kpi.value)
            .expect("a measure")
    }

    #[test]
    fn the_measures_can_be_checked_by_hand() {
        let range = TimeRange { start_us: 0, end_us: 2 * DAY_US };
        // One chattering alarm: 12 times in 4 minutes; and one alarm on the second day.
        let mut rings: Vec<Ring> =
            (0..12).map(|n| Ring { time_us: n * 20_000_000, ..ring(0, 1, 3) }).collect();
        rings.push(ring(24 * 60 + 90, 2, 1));
        let performance = measure(range, rings, 1);
        assert_eq!((performance.days, performance.enough_data), (2.0, false));
        assert!((value(&performance, "alarms_per_hour") - 13.0 / 48.0).abs() < 1e-9);
        assert_eq!(value(&performance, "max_in_10_min"), 12.0);
        assert!((value(&performance, "time_in_flood") - 100.0 / 288.0).abs() < 1e-9);
        assert_eq!(value(&performance, "chattering"), 1.0);
        assert_eq!(value(&performance, "stale"), 1.0);
        assert!((value(&performance, "priority_high") - 100.0 / 13.0).abs() < 1e-9);
        assert_eq!((performance.top[0].count, performance.top.len()), (12, 2));
        assert_eq!(
            (performance.heat.len(), performance.heat[0][0], performance.heat[1][1]),
            (2, 12, 1)
        );
    }

    #[test]
    fn nothing_rang_is_a_good_answer() {
        let performance = measure(TimeRange { start_us: 0, end_us: 0 }, Vec::new(), 0);
        assert!(performance.kpis.iter().all(|kpi| kpi.value == 0.0));
        assert!(performance.heat.is_empty() && performance.top.is_empty());
    }
}
