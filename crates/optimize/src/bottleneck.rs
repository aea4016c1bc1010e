//! Which machine holds the line back, and what it would bring to make it faster.
//!
//! ```text
//! state intervals ──► active periods, waiting times, critical walk ──► which machine
//! trace of parts  ──► replay with one machine faster               ──► how many parts per hour
//! ```
//!
//! From states alone the [`walk`](CriticalPath) is the sharpest: it follows back in time what each machine had
//! to wait for, so its share is the first-order effect of that machine's speed on output. The
//! [`momentary`](Momentary) active periods make the picture that people believe. Where parts are traced and buffer
//! sizes known, [`Trace::what_if`] replays the same days with one machine faster and answers in parts per hour.

mod active;
mod advice;
mod observed;
mod replay;
mod trace;
mod waiting;
mod walk;

pub use active::{Momentary, Segment, average_active_us, momentary};
pub use advice::{recommend, recommend_from_states};
pub use observed::{Activity, Error, Interval, Observed};
pub use replay::{Replay, WhatIf};
pub use trace::{Faster, Service, Trace, TraceError};
pub use waiting::{Waiting, least_waiting, most_utilized, turning_point, waiting};
pub use walk::{CriticalPath, critical_path};

/// Index of the largest value; the first of equals, `None` when empty or all NaN.
pub(crate) fn largest(values: impl IntoIterator<Item = f64>) -> Option<usize> {
    let mut best: Option<(usize, f64)> = None;
    for (idx, value) in values.into_iter().enumerate() {
        if !value.is_nan() && best.is_none_or(|(_, most)| value > most) {
            best = Some((idx, value));
        }
    }
    best.map(|(idx, _)| idx)
}

#[cfg(test)]
mod tests;
