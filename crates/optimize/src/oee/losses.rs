//! Which reason costs most, and what it would bring to have less of it.

use std::collections::HashMap;

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::buckets::Episode;
use super::facts::{Shift, State};
use super::{Report, ShiftOee};
use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

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
/// The gain is time won × good pieces per running hour; its 90 % interval is Student's t over the shifts (one shift
/// gives 0 to twice the expected gain). `None` if no time is lost to a reason or nothing good was counted.
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
    if good <= 0.0 || running_h <= 0.0 {
        return None;
    }
    let lost_h: Vec<f64> = worst.per_shift_us.iter().map(|us| *us as f64 / 3.6e9).collect();
    let total_h: f64 = lost_h.iter().sum();
    let pieces_per_lost_h = share_percent / 100.0 * good / running_h;
    let half = half_width(&lost_h).unwrap_or(total_h).min(total_h);
    let planned_h = hours(|shift| shift.buckets.planned_us());
    let left_h =
        planned_h - hours(|shift| shift.buckets.productive_us) - share_percent / 100.0 * total_h;
    Some(Recommendation {
        summary: format!(
            "{:.1} h in {} shifts went to {}: {share_percent:.0} % less would bring {:.0} good pieces",
            total_h,
            report.shifts.len(),
            worst.reason,
            pieces_per_lost_h * total_h
        ),
        steps: vec![Step {
            what: worst.reason.clone(),
            now: Some(format!("{total_h:.1} h in {} stops", worst.n_stops)),
            proposed: format!("{:.1} h", total_h * (1.0 - share_percent / 100.0)),
        }],
        gain: Gain {
            expected: pieces_per_lost_h * total_h,
            low: pieces_per_lost_h * (total_h - half),
            high: pieces_per_lost_h * (total_h + half),
            confidence_percent: 90.0,
            unit: "{piece}".into(),
        },
        constraints: vec![Constraint {
            what: "time won fits into planned time, in hours".into(),
            slack: planned_h - running_h - share_percent / 100.0 * total_h,
        }],
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("shifts".into(), report.shifts.len().to_string()),
                ("good pieces per running hour".into(), format!("{:.3}", good / running_h)),
            ],
            seed: 0,
        },
        valid_until_us,
        bounds: Bounds { objective: left_h, bound: Some(0.0) },
    })
}

/// Half the width of the 90 % interval of the sum over shifts like these; `None` below two shifts.
fn half_width(per_shift: &[f64]) -> Option<f64> {
    let n = per_shift.len() as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.95);
    let mean = per_shift.iter().sum::<f64>() / n;
    let variance = per_shift.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(t * (variance * n).sqrt())
}
