//! Which reason costs most, and what it would bring to have less of it.

use std::collections::HashMap;

use super::buckets::Episode;
use super::facts::{Shift, State};
use super::{Report, ShiftOee};
use crate::statistics::half_width_of_mean;
use crate::{Gain, Recommendation};

/// Time lost to one reason.
#[derive(Debug, Clone, PartialEq)]
pub struct ReasonLoss {
    /// The reason, or the state where nobody gave one.
    pub reason: String,
    /// What the machine did.
    pub state: State,
    /// Stretches with this reason that touch a shift.
    pub n_stops: usize,
    /// Microseconds in each shift, in the order of the shifts.
    pub per_shift_us: Vec<i64>,
}

impl ReasonLoss {
    /// Microseconds in all shifts.
    pub fn total_us(&self) -> i64 {
        self.per_shift_us.iter().sum()
    }
}

/// Time in set-up and unplanned stops by reason, largest first. Cost: O(episodes + shifts).
pub(super) fn pareto(shifts: &[Shift], episodes: &[Episode]) -> Vec<ReasonLoss> {
    let mut found: Vec<ReasonLoss> = Vec::new();
    let mut places: HashMap<(State, &str), usize> = HashMap::new();
    for episode in episodes.iter().filter(|e| matches!(e.state, State::Setup | State::Down)) {
        let first = shifts.partition_point(|shift| shift.to_us <= episode.from_us);
        let touched = shifts.iter().enumerate().skip(first);
        let touched: Vec<_> =
            touched.take_while(|(_, shift)| shift.from_us < episode.to_us).collect();
        if touched.is_empty() {
            continue;
        }
        let reason = episode.reason.unwrap_or(match episode.state {
            State::Setup => "set-up",
            _ => "no reason given",
        });
        let place = *places.entry((episode.state, reason)).or_insert_with(|| {
            let per_shift_us = vec![0; shifts.len()];
            found.push(ReasonLoss {
                reason: reason.into(),
                state: episode.state,
                n_stops: 0,
                per_shift_us,
            });
            found.len() - 1
        });
        found[place].n_stops += 1;
        for (idx, shift) in touched {
            found[place].per_shift_us[idx] += episode.overlap_us(shift);
        }
    }
    found.sort_by_key(|loss| std::cmp::Reverse(loss.total_us()));
    found
}

/// Proposes to lose `share_percent` less to the costliest reason, and says what that brings in good pieces.
///
/// The gain is time won × good pieces per running hour; its 90 % interval is Student's t over the shifts. A single
/// shift says nothing of others: there stops count as rare events, with 1.645 ÷ √stops either way. The bound is the
/// unproductive time that is left if the whole reason went. `None` if no time is lost to a reason, nothing good was
/// counted, or the share is not above 0 and at most 100.
///
/// ```
/// use optimize::oee::{Count, Facts, Shift, State, StateChange, oee, recommend};
/// const HOUR_US: i64 = 3_600_000_000;
/// // 6 h of 8 ran and made 60 pieces; the belt broke for 2 h. Half of that is 1 h, or 10 pieces.
/// let facts = Facts {
///     shifts: &[Shift { name: "early".into(), from_us: 0, to_us: 8 * HOUR_US }],
///     states: &[StateChange::new(0, State::Running), StateChange::new(6 * HOUR_US, State::Down)],
///     known_until_us: 8 * HOUR_US,
///     counts: &[Count { good: 60.0, ..Count::at(6 * HOUR_US) }],
///     minor_stop_us: 0,
/// };
/// let advice = recommend(&oee(&facts)?, 50.0, 0).expect("time was lost");
/// assert_eq!((advice.gain.expected, advice.gain.low, advice.gain.high), (10.0, 0.0, 20.0)); // one stop
/// assert_eq!(advice.evidence.window_us, Some((0, 8 * HOUR_US)));
/// # Ok::<(), optimize::oee::Error>(())
/// ```
pub fn recommend(
    report: &Report,
    share_percent: f64,
    valid_until_us: i64,
) -> Option<Recommendation> {
    let worst = report.reasons.first().filter(|loss| loss.total_us() > 0)?;
    let good: f64 = report.shifts.iter().filter_map(|s| s.pieces).map(|pieces| pieces.good).sum();
    let hours =
        |part: fn(&ShiftOee) -> i64| report.shifts.iter().map(part).sum::<i64>() as f64 / 3.6e9;
    let running_h = hours(|shift| shift.buckets.running_us());
    let is_share = share_percent > 0.0 && share_percent <= 100.0;
    if good <= 0.0 || running_h <= 0.0 || !is_share {
        return None;
    }
    let (share, total_h) = (share_percent / 100.0, worst.total_us() as f64 / 3.6e9);
    let pieces_per_lost_h = share * good / running_h;
    let half = half_width_h(worst).min(total_h);
    let planned_h = hours(|shift| shift.buckets.planned_us());
    let lost_h = planned_h - hours(|shift| shift.buckets.productive_us);
    let [low, expected, high] =
        [total_h - half, total_h, total_h + half].map(|hours| pieces_per_lost_h * hours);
    let summary = format!(
        "{total_h:.1} h in {} shifts went to {}: {share_percent:.0} % less would bring {expected:.0} good pieces",
        report.shifts.len(),
        worst.reason
    );
    let now = format!("{total_h:.1} h in {} stops", worst.n_stops);
    Some(
        Recommendation::new(summary, Gain::likely(expected, low, high, "{piece}"), valid_until_us)
            .step(&worst.reason, Some(now), format!("{:.1} h", total_h * (1.0 - share)))
            .constraint(
                "time won fits into planned time, in hours",
                planned_h - running_h - share * total_h,
            )
            .window(report.window_us)
            .input("shifts", report.shifts.len())
            .input("good pieces per running hour", format!("{:.3}", good / running_h))
            .bounds(lost_h - share * total_h, Some(lost_h - total_h)),
    )
}

/// Half the width of the 90 % interval of a reason's hours in as many shifts like these.
fn half_width_h(loss: &ReasonLoss) -> f64 {
    let lost_h: Vec<f64> = loss.per_shift_us.iter().map(|us| *us as f64 / 3.6e9).collect();
    let n = lost_h.len() as f64;
    half_width_of_mean(&lost_h).map_or_else(
        || 1.645 * lost_h.iter().sum::<f64>() / (loss.n_stops as f64).sqrt(),
        |half| n * half,
    )
}
