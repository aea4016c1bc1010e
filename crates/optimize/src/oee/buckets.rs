//! Every microsecond of a shift in exactly one bucket.

use super::facts::{Count, Facts, Shift, State};
use super::kpi::{Pieces, ShiftOee};

/// Where the time of one shift went, in microseconds; the sum is the length of the shift.
///
/// The six big losses (Nakajima 1988) are `breakdown`, `setup`, `minor_stop`, `reduced_speed`, `startup_reject`
/// and `production_reject`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Buckets {
    /// Breaks, no orders, planned maintenance: not part of planned time.
    pub planned_stop_us: i64,
    /// Unplanned stops of the minor-stop limit or longer.
    pub breakdown_us: i64,
    /// Set-up and adjustment.
    pub setup_us: i64,
    /// Unplanned stops shorter than the limit.
    pub minor_stop_us: i64,
    /// Running slower than the ideal cycle.
    pub reduced_speed_us: i64,
    /// Making rejects at a start-up, at the ideal cycle.
    pub startup_reject_us: i64,
    /// Making rejects in production, at the ideal cycle.
    pub production_reject_us: i64,
    /// Making good pieces, at the ideal cycle.
    pub productive_us: i64,
    /// Running, but pieces or their ideal cycle are unknown, so it cannot be divided further.
    pub undivided_us: i64,
    /// Nobody knows what the machine did.
    pub unknown_us: i64,
}

impl Buckets {
    /// The length of the shift.
    pub fn total_us(&self) -> i64 {
        self.planned_us() + self.planned_stop_us
    }

    /// Planned busy time (PBT): the shift without planned stops.
    pub fn planned_us(&self) -> i64 {
        self.production_us() + self.breakdown_us + self.setup_us + self.unknown_us
    }

    /// Actual production time (APT): running, minor stops included, which count against performance.
    pub fn production_us(&self) -> i64 {
        self.running_us() + self.minor_stop_us
    }

    /// Time in the state running.
    pub fn running_us(&self) -> i64 {
        let rejects_us = self.startup_reject_us + self.production_reject_us;
        self.productive_us + rejects_us + self.reduced_speed_us + self.undivided_us
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            planned_stop_us: self.planned_stop_us + other.planned_stop_us,
            breakdown_us: self.breakdown_us + other.breakdown_us,
            setup_us: self.setup_us + other.setup_us,
            minor_stop_us: self.minor_stop_us + other.minor_stop_us,
            reduced_speed_us: self.reduced_speed_us + other.reduced_speed_us,
            startup_reject_us: self.startup_reject_us + other.startup_reject_us,
            production_reject_us: self.production_reject_us + other.production_reject_us,
            productive_us: self.productive_us + other.productive_us,
            undivided_us: self.undivided_us + other.undivided_us,
            unknown_us: self.unknown_us + other.unknown_us,
        }
    }
}

/// A stretch of one state; for unplanned stops `whole_us` is the length of the whole stop, whatever reasons it had.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Episode<'a> {
    pub(super) from_us: i64,
    pub(super) to_us: i64,
    pub(super) state: State,
    pub(super) reason: Option<&'a str>,
    pub(super) is_minor: bool,
    /// False where an unplanned stop merely changes its reason.
    pub(super) is_new_stop: bool,
}

impl Episode<'_> {
    pub(super) fn overlap_us(&self, shift: &Shift) -> i64 {
        (self.to_us.min(shift.to_us) - self.from_us.max(shift.from_us)).max(0)
    }
}

/// The state stream as stretches; states without length are dropped.
pub(super) fn episodes<'a>(facts: &Facts<'a>) -> Vec<Episode<'a>> {
    let ends_us = facts.states.iter().skip(1).map(|next| next.at_us);
    let ends_us = ends_us.chain([facts.known_until_us]).map(|end| end.min(facts.known_until_us));
    let stretches =
        facts.states.iter().zip(ends_us).filter(|(change, to_us)| *to_us > change.at_us);
    let mut found: Vec<Episode> = stretches
        .map(|(change, to_us)| Episode {
            from_us: change.at_us,
            to_us,
            state: change.state,
            reason: change.reason.as_deref(),
            is_minor: false,
            is_new_stop: true,
        })
        .collect();
    mark_stops(&mut found, facts.minor_stop_us);
    found
}

/// Joins neighboring unplanned stops into one and decides by its whole length whether it is minor.
fn mark_stops(episodes: &mut [Episode], minor_stop_us: i64) {
    for stop in episodes.chunk_by_mut(|a, b| a.state == State::Down && b.state == State::Down) {
        // The last state may hold until the end of time.
        let lengths_us = stop.iter().map(|part| part.to_us.saturating_sub(part.from_us));
        let length_us = lengths_us.fold(0_i64, i64::saturating_add);
        for (idx, part) in stop.iter_mut().enumerate() {
            part.is_minor = part.state == State::Down && length_us < minor_stop_us;
            part.is_new_stop = idx == 0;
        }
    }
}

/// Divides one shift.
pub(super) fn divide(shift: &Shift, episodes: &[Episode], counts: &[Count]) -> ShiftOee {
    let first = episodes.partition_point(|episode| episode.to_us <= shift.from_us);
    let inside = episodes[first..].iter().take_while(|episode| episode.from_us < shift.to_us);
    let mut buckets = Buckets::default();
    let (mut running_us, mut known_us, mut n_breakdowns) = (0, 0, 0);
    for episode in inside {
        let length_us = episode.overlap_us(shift);
        known_us += length_us;
        match episode.state {
            State::Running => running_us += length_us,
            State::PlannedStop => buckets.planned_stop_us += length_us,
            State::Setup => buckets.setup_us += length_us,
            State::Down if episode.is_minor => buckets.minor_stop_us += length_us,
            State::Down => buckets.breakdown_us += length_us,
            State::Unknown => buckets.unknown_us += length_us,
        }
        let begins_here = episode.from_us >= shift.from_us && episode.is_new_stop;
        n_breakdowns +=
            usize::from(episode.state == State::Down && !episode.is_minor && begins_here);
    }
    buckets.unknown_us += shift.to_us - shift.from_us - known_us;
    let pieces = pieces_of(shift, counts);
    divide_running(&mut buckets, running_us, pieces);
    ShiftOee { name: shift.name.clone(), buckets, pieces, n_breakdowns }
}

fn pieces_of(shift: &Shift, counts: &[Count]) -> Option<Pieces> {
    let first = counts.partition_point(|count| count.at_us <= shift.from_us);
    let last = counts.partition_point(|count| count.at_us <= shift.to_us);
    (first < last).then(|| Pieces::of(&counts[first..last]))
}

/// Divides running time by the ideal time of the pieces; what is left is reduced speed.
///
/// Where the pieces need more time than the machine ran, the ideal cycle is too long; the parts then shrink in
/// proportion so that the time still adds up, and performance is above 1, which shows it.
fn divide_running(buckets: &mut Buckets, running_us: i64, pieces: Option<Pieces>) {
    let Some((pieces, ideal_us)) = pieces.and_then(|p| Some((p, 1e6 * p.ideal_s?))) else {
        buckets.undivided_us = running_us;
        return;
    };
    let scale = if ideal_us > running_us as f64 { running_us as f64 / ideal_us } else { 1.0 };
    let mut left_us = running_us;
    let mut take = |seconds: f64| {
        let part_us = ((1e6 * seconds * scale).round() as i64).clamp(0, left_us);
        left_us -= part_us;
        part_us
    };
    buckets.startup_reject_us = take(pieces.startup_reject_s);
    buckets.production_reject_us = take(pieces.production_reject_s);
    buckets.productive_us =
        take(ideal_us / 1e6 - pieces.startup_reject_s - pieces.production_reject_s);
    buckets.reduced_speed_us = left_us;
}
