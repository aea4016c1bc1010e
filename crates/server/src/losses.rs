//! Where a machine's time went: what the lake holds of its states and counters, told to `optimize::oee`.

use std::collections::BTreeMap;

use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;
use metastore::{OeeSettings, StateRole, WorkShift};
use optimize::oee::{self, Calendar, Count, Facts, Planned, StateChange, WeeklyShift};
use signal::{AssetId, DAY_US, HOUR_US, MINUTE_US, SignalId, TenantId, TimeRange};

use crate::App;
use crate::counter::growths;
use crate::error::{ApiError, Result};
use crate::plant::Plant;

/// Where nobody declared an ideal cycle: the one kept in this share of the running time.
const SHOWN_SHARE: f64 = 0.05;

/// What is known of one machine's work.
pub(crate) struct Work {
    states: Vec<StateChange>,
    counts: Vec<Count>,
    known_until_us: i64,
    pub(crate) cycle: Option<Cycle>,
}

/// The ideal cycle that performance is held against.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Cycle {
    pub(crate) seconds: f64,
    /// Declared by somebody, or shown by the machine.
    pub(crate) is_declared: bool,
}

/// The settings as `optimize` understands them.
///
/// # Errors
/// Theirs: the first setting that cannot be used, by its field.
pub(crate) fn calendar(settings: &OeeSettings) -> Result<(TimeZone, Calendar)> {
    let zone = TimeZone::get(&settings.time_zone).map_err(|_| {
        let message = format!("`{}` is not the name of a time zone", settings.time_zone);
        ApiError::invalid("time_zone", message).hint("names are as in Europe/Berlin or UTC")
    })?;
    let shifts: Result<Vec<WeeklyShift>> = settings.shifts.iter().map(weekly).collect();
    let closed = settings.closed.iter().map(|day| {
        day.parse::<Date>().map_err(|_| {
            ApiError::invalid("closed", format!("`{day}` is not a day, such as 2026-12-25"))
        })
    });
    let calendar = Calendar { shifts: shifts?, closed: closed.collect::<Result<_>>()? };
    // Two weeks show every overlap and every break that is out of place.
    calendar
        .between(&zone, 0, 14 * DAY_US)
        .map_err(|error| ApiError::invalid("shifts", error.to_string()))?;
    Ok((zone, calendar))
}

fn weekly(shift: &WorkShift) -> Result<WeeklyShift> {
    let days = shift.days.iter().map(|day| {
        Weekday::from_monday_one_offset(i8::try_from(*day).unwrap_or(0)).map_err(|_| {
            let message = format!("day {day} of shift {} is not 1 to 7", shift.name);
            ApiError::invalid("shifts", message).hint("1 is Monday, 7 is Sunday")
        })
    });
    let at = |text: &String| {
        Time::strptime("%H:%M", text).map_err(|_| {
            let message = format!("`{text}` of shift {} is not a time, such as 06:00", shift.name);
            ApiError::invalid("shifts", message)
        })
    };
    let breaks = shift.breaks.iter().map(|(from, to)| Ok((at(from)?, at(to)?)));
    Ok(WeeklyShift {
        name: shift.name.clone(),
        days: days.collect::<Result<_>>()?,
        from: at(&shift.from)?,
        to: at(&shift.to)?,
        breaks: breaks.collect::<Result<_>>()?,
    })
}

impl Work {
    /// Reads what the lake holds of a machine between `range`; nothing if it has never told a state.
    pub(crate) async fn read(
        app: &App,
        tenant: TenantId,
        plant: &Plant,
        asset: AssetId,
        settings: &OeeSettings,
        range: TimeRange,
    ) -> Result<Option<Work>> {
        let Some(signal) = plant.state_signal(asset).and_then(|id| plant.model.signal(id)) else {
            return Ok(None);
        };
        let spans = app.state.lake.states(tenant, signal.id, range).await?;
        let states: Vec<StateChange> =
            spans.iter().map(|span| change(span, &signal.spec.states, settings)).collect();
        if states.is_empty() {
            return Ok(None);
        }
        let live = app.state.ingest.live();
        let heard = plant.signals_of(asset).iter().filter_map(|id| live.last(*id));
        let heard_us = heard.map(|last| last.time_us).max().unwrap_or(range.start_us);
        let known_until_us = (heard_us + MINUTE_US).min(range.end_us);
        let counts = counts(app, tenant, plant, asset, range).await?;
        let mut work = Work { states, counts, known_until_us, cycle: None };
        work.cycle = match settings.cycles.iter().find(|cycle| cycle.asset == asset) {
            Some(cycle) => Some(Cycle { seconds: cycle.seconds, is_declared: true }),
            None => work.shown_cycle()?,
        };
        let seconds = work.cycle.map(|cycle| cycle.seconds);
        work.counts.iter_mut().for_each(|count| count.ideal_cycle_s = seconds);
        Ok(Some(work))
    }

    fn shown_cycle(&self) -> Result<Option<Cycle>> {
        let facts = self.facts(&self.states, &[], 0);
        let seconds = oee::demonstrated_cycle_s(&facts, SHOWN_SHARE).map_err(contradiction)?;
        Ok(seconds.map(|seconds| Cycle { seconds, is_declared: false }))
    }

    fn facts<'a>(
        &'a self,
        states: &'a [StateChange],
        shifts: &'a [oee::Shift],
        minor_stop_us: i64,
    ) -> Facts<'a> {
        let (known_until_us, counts) = (self.known_until_us, &self.counts);
        Facts { shifts, states, known_until_us, counts, minor_stop_us }
    }

    /// Divides the machine's time. Shifts before it was first heard of are left out.
    pub(crate) fn report(&self, planned: &Planned, minor_stop_s: u32) -> Result<oee::Report> {
        let first_us = self.states.first().map_or(i64::MAX, |change| change.at_us);
        let mut shifts: Vec<oee::Shift> =
            planned.shifts.iter().filter(|shift| shift.to_us > first_us).cloned().collect();
        if let Some(first) = shifts.first_mut() {
            first.from_us = first.from_us.max(first_us);
        }
        let states = oee::with_breaks(&self.states, &planned.breaks);
        let facts = self.facts(&states, &shifts, i64::from(minor_stop_s) * signal::SECOND_US);
        oee::oee(&facts).map_err(contradiction)
    }
}

/// Ours: what is read from the lake is in order.
#[allow(clippy::needless_pass_by_value)] // as `map_err` wants it
fn contradiction(error: oee::Error) -> ApiError {
    ApiError::internal(&error)
}

fn change(span: &lake::Span, names: &[String], settings: &OeeSettings) -> StateChange {
    let is_code = span.code >= 0.0 && span.code.fract() == 0.0;
    let name = is_code.then(|| names.get(span.code as usize)).flatten();
    let role = name.map_or(StateRole::Unknown, |name| {
        settings.states.get(name).copied().unwrap_or_else(|| role_of(name))
    });
    let state = match role {
        StateRole::Running => oee::State::Running,
        StateRole::PlannedStop => oee::State::PlannedStop,
        StateRole::Setup => oee::State::Setup,
        StateRole::Down => oee::State::Down,
        StateRole::Unknown => oee::State::Unknown,
    };
    StateChange { at_us: span.from_us, state, reason: name.cloned() }
}

/// What a state's name says by itself, as in PackML (ISA-TR88.00.02) and common use; a name that says nothing is a stop.
pub(crate) fn role_of(name: &str) -> StateRole {
    match name.to_lowercase().as_str() {
        "running" | "run" | "execute" | "executing" | "producing" | "production" | "busy"
        | "working" => StateRole::Running,
        "stopped" | "off" | "break" | "cleaning" | "maintenance" | "planned" | "no order" => {
            StateRole::PlannedStop
        }
        "setup" | "set-up" | "set up" | "changeover" | "tooling" => StateRole::Setup,
        "unknown" | "offline" | "" => StateRole::Unknown,
        _ => StateRole::Down,
    }
}

/// Pieces per stretch of time, from the machine's counters `good` and `rejects`.
async fn counts(
    app: &App,
    tenant: TenantId,
    plant: &Plant,
    asset: AssetId,
    range: TimeRange,
) -> Result<Vec<Count>> {
    let Some(good) = plant.counter(asset, "good") else { return Ok(Vec::new()) };
    let rejects = plant.counter(asset, "rejects");
    let counters: Vec<SignalId> = [Some(good), rejects].into_iter().flatten().collect();
    let width_us = width_us(range);
    let n_buckets = (range.len_us() / width_us).max(1);
    let trend = app.state.lake.trend(tenant, &counters, range, n_buckets as u32).await?;
    let mut counts: BTreeMap<i64, Count> = BTreeMap::new();
    for series in &trend.series {
        for (time_us, grown) in growths(series) {
            let bucket = time_us.div_euclid(width_us);
            let end_us = ((bucket + 1) * width_us).min(range.end_us);
            let count = counts.entry(end_us).or_insert_with(|| Count::at(end_us));
            if series.signal == good {
                count.good += grown;
            } else {
                count.scrap += grown;
            }
        }
    }
    Ok(counts.into_values().collect())
}

/// Stretches in which pieces are counted; shifts begin and end with one.
fn width_us(range: TimeRange) -> i64 {
    match range.len_us() / DAY_US {
        ..2 => MINUTE_US,
        2..14 => 5 * MINUTE_US,
        14..62 => 15 * MINUTE_US,
        _ => HOUR_US,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(change: impl FnOnce(&mut OeeSettings), expected: &str) {
        let mut settings = OeeSettings::default();
        change(&mut settings);
        let found = match calendar(&settings) {
            Ok((_, calendar)) => format!("{} shifts", calendar.shifts.len()),
            Err(error) => format!(
                "{}: {}",
                error.problem.field.as_deref().unwrap_or_default(),
                error.problem.message
            ),
        };
        assert_eq!(found, expected);
    }

    #[test]
    fn settings_that_cannot_be_used_are_named() {
        check(|_| {}, "3 shifts");
        check(|settings| settings.shifts.clear(), "0 shifts");
        check(
            |settings| settings.time_zone = "Berlin".into(),
            "time_zone: `Berlin` is not the name of a time zone",
        );
        check(
            |settings| settings.closed.push("25.12.".into()),
            "closed: `25.12.` is not a day, such as 2026-12-25",
        );
        check(
            |settings| settings.shifts[0].days.push(8),
            "shifts: day 8 of shift early is not 1 to 7",
        );
        check(
            |settings| settings.shifts[1].to = "24:00".into(),
            "shifts: `24:00` of shift late is not a time, such as 06:00",
        );
        check(
            |settings| settings.shifts[0].breaks.push(("05:00".into(), "05:30".into())),
            "shifts: the break 05:00 to 05:30 is not within shift early; correct the calendar",
        );
    }

    #[test]
    fn names_of_states_mean_what_they_say() {
        for (name, role) in [
            ("Running", StateRole::Running),
            ("stopped", StateRole::PlannedStop),
            ("changeover", StateRole::Setup),
            ("idle", StateRole::Down),
            ("fault", StateRole::Down),
            ("offline", StateRole::Unknown),
        ] {
            assert_eq!(role_of(name), role, "{name}");
        }
    }
}
