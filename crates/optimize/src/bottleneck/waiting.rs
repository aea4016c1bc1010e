//! Blocked and starved times, and what follows from them.

use super::largest;
use super::observed::{Activity, Observed};

/// What one machine did with the observed time, in microseconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Waiting {
    /// Working on parts.
    pub working_us: i64,
    /// Broken.
    pub down_us: i64,
    /// Waiting to get rid of a part.
    pub blocked_us: i64,
    /// Waiting for a part.
    pub starved_us: i64,
}

/// Sums per machine. Cost: O(n).
pub fn waiting(line: &Observed) -> Vec<Waiting> {
    let sum = |machine| {
        let mut sum = Waiting::default();
        for stretch in line.stretches(machine) {
            let length_us = stretch.to_us - stretch.from_us;
            match stretch.activity {
                Activity::Working => sum.working_us += length_us,
                Activity::Down => sum.down_us += length_us,
                Activity::Blocked => sum.blocked_us += length_us,
                Activity::Starved => sum.starved_us += length_us,
            }
        }
        sum
    };
    (0..line.names().len()).map(sum).collect()
}

/// The machine that waits least; `None` for a line without machines.
pub fn least_waiting(waiting: &[Waiting]) -> Option<usize> {
    largest(waiting.iter().map(|own| -((own.blocked_us + own.starved_us) as f64)))
}

/// The machine that works and repairs most; `None` for a line without machines.
pub fn most_utilized(waiting: &[Waiting]) -> Option<usize> {
    largest(waiting.iter().map(|own| (own.working_us + own.down_us) as f64))
}

/// The machine where waiting turns from blocked to starved: before it machines are blocked, after it starved.
///
/// With several such places, or none, the one that waits least. `None` for a line without machines.
/// Source: Li, Chang, Ni (2009), "Data driven bottleneck detection of manufacturing systems".
pub fn turning_point(waiting: &[Waiting]) -> Option<usize> {
    let is_blocked = |own: &Waiting| own.blocked_us > own.starved_us;
    let waits_us = |idx: usize| waiting[idx].blocked_us + waiting[idx].starved_us;
    let last = waiting.len().checked_sub(1)?;
    let mut places: Vec<usize> = Vec::new();
    if !is_blocked(&waiting[0]) {
        places.push(0);
    }
    for idx in 0..last {
        if is_blocked(&waiting[idx]) && !is_blocked(&waiting[idx + 1]) {
            places.push(if waits_us(idx) < waits_us(idx + 1) { idx } else { idx + 1 });
        }
    }
    if is_blocked(&waiting[last]) {
        places.push(last);
    }
    places.into_iter().min_by_key(|idx| waits_us(*idx)).or_else(|| least_waiting(waiting))
}
