//! Overall equipment effectiveness and the six big losses as time (ISO 22400-2).
//!
//! ```text
//! calendar ─► shifts + state stream + counts ──► one bucket for every microsecond of a shift ──► ratios, reasons, advice
//! ```
//!
//! Planned time is the shift without planned stops. Set-ups and breakdowns cost availability, minor stops and
//! reduced speed cost performance, rejects cost quality. Time in which nobody knows what the machine did is a
//! bucket of its own, and a factor that cannot be known is missing, not zero. Start reading at [`oee`].

mod buckets;
mod calendar;
mod counter;
mod cycle;
mod facts;
mod kpi;
mod losses;

pub use buckets::Buckets;
pub use calendar::{Break, Calendar, Planned, WeeklyShift, with_breaks};
pub use counter::{Reading, counts};
pub use cycle::demonstrated_cycle_s;
pub use facts::{Count, Error, Facts, Shift, State, StateChange};
pub use kpi::{Factor, Partial, Pieces, ShiftOee};
pub use losses::{ReasonLoss, recommend};

/// What [`oee`] finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// One entry per shift, in the order of [`Facts::shifts`].
    pub shifts: Vec<ShiftOee>,
    /// Time lost per shift and reason, largest total first.
    pub reasons: Vec<ReasonLoss>,
    /// Pieces counted when no shift was on; they are in none of the entries.
    pub pieces_outside_shifts: f64,
    /// From the begin of the first shift to the end of the last; `None` without shifts.
    pub window_us: Option<(i64, i64)>,
}

/// Divides every shift among its buckets and gives the ratios.
///
/// Cost: O(states · log + shifts + counts), states and counts being sorted.
///
/// # Errors
/// If times are out of order or beyond all calendars, shifts overlap, or a count cannot be: see [`Error`].
///
/// The machine ran 3 of 8 planned hours and made 240 pieces, 4 of them bad, where one takes 30 s:
///
/// ```
/// use optimize::oee::{Count, Facts, Shift, State, StateChange, oee};
///
/// const HOUR_US: i64 = 3_600_000_000;
/// let facts = Facts {
///     shifts: &[Shift { name: "early".into(), from_us: 0, to_us: 8 * HOUR_US }],
///     states: &[StateChange::new(0, State::Running), StateChange::new(3 * HOUR_US, State::Down)],
///     known_until_us: 8 * HOUR_US,
///     counts: &[Count { good: 236.0, scrap: 4.0, ideal_cycle_s: Some(30.0), ..Count::at(3 * HOUR_US) }],
///     minor_stop_us: 0,
/// };
/// let report = oee(&facts)?;
/// let shift = &report.shifts[0];
/// assert_eq!(shift.availability(), Some(0.375)); // 3 h of 8 h
/// assert_eq!(shift.performance(), Some(240.0 * 30.0 / (3.0 * 3600.0)));
/// assert_eq!(shift.quality(), Some(236.0 / 240.0));
/// assert!((shift.oee().value - 236.0 * 30.0 / (8.0 * 3600.0)).abs() < 1e-12);
/// assert_eq!(shift.buckets.total_us(), 8 * HOUR_US);
/// # Ok::<(), optimize::oee::Error>(())
/// ```
pub fn oee(facts: &Facts) -> Result<Report, Error> {
    facts.check()?;
    let episodes = buckets::episodes(facts);
    let shifts: Vec<ShiftOee> =
        facts.shifts.iter().map(|shift| buckets::divide(shift, &episodes, facts.counts)).collect();
    let counted: f64 = shifts.iter().filter_map(|shift| shift.pieces).map(|p| p.produced()).sum();
    let all: f64 = facts.counts.iter().map(Count::produced).sum();
    let reasons = losses::pareto(facts.shifts, &episodes);
    let pieces_outside_shifts = (all - counted).max(0.0);
    let window_us =
        facts.shifts.first().zip(facts.shifts.last()).map(|(a, b)| (a.from_us, b.to_us));
    Ok(Report { shifts, reasons, pieces_outside_shifts, window_us })
}

#[cfg(test)]
mod tests;
