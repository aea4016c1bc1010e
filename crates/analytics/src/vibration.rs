//! Machine vibration: how strong it is, what it is made of, and which part of the machine it comes from.
//!
//! ```text
//! samples ─► level      RMS, peak, crest, kurtosis, velocity RMS ──► zones   ISO 20816 zone, change
//!    │       spectrum   by frequency, or by shaft order
//!    ├─► kurtogram      the band in which impulses stand out
//!    ├─► envelope       pre-whitening, squared envelope spectrum
//!    │       └─► evidence   which fault frequency, with the harmonics that prove it ◄── geometry
//!    ├─► trend          a machine against its own quietest time
//!    └─► drift          a band of its spectrum against its own past
//! ```
//!
//! Start reading at [`evidence`]. Samples are evenly spaced, acceleration in g or m/s² as the caller likes; the
//! results are in the same unit. A recording with a hole in it is an [`Error`], never silently bridged.

mod drift;
mod envelope;
mod evidence;
mod geometry;
mod kurtogram;
mod level;
mod spectrum;
mod trend;
mod zones;

pub use drift::{Drift, DriftSettings, band_powers};
pub use envelope::{prewhiten, squared_envelope_spectrum};
pub use evidence::{Candidate, Evidence, Harmonic, Search, evidence};
pub use geometry::{Bearing, BearingOrders, GearPair, Planetary};
pub use kurtogram::{BandKurtosis, kurtogram};
pub use level::{Levels, levels, velocity_rms};
pub use spectrum::{Spectrum, order_spectrum, spectrum};
pub use trend::{Trend, TrendSettings};
pub use zones::{Change, Zone, ZoneLimits};

use std::collections::VecDeque;

use realfft::RealFftPlanner;
use rustfft::FftPlanner;

use crate::scratch::Scratch;
use crate::stats::median;

/// Fewest samples of a recording that is transformed.
const LEAST_SAMPLES: usize = 64;

/// Why a recording cannot be analyzed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// Too few samples for the question.
    #[error("the recording has {found} samples; this needs at least {least}")]
    TooShort {
        /// How many there are.
        found: usize,
        /// How many there must be.
        least: usize,
    },
    /// A hole in the recording. Cut it there, or fill it knowingly.
    #[error("sample {sample_idx} of the recording is {value}")]
    NotFinite {
        /// Which sample.
        sample_idx: usize,
        /// Its value.
        value: f64,
    },
    /// A setting that makes no sense for this recording.
    #[error("{name} is {value}, outside {range}")]
    OutOfRange {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
}

/// Plans of the Fourier transforms made so far; keep one per thread and hand it to every call.
pub struct Plans {
    real: RealFftPlanner<f64>,
    complex: FftPlanner<f64>,
}

impl Default for Plans {
    fn default() -> Plans {
        Plans { real: RealFftPlanner::new(), complex: FftPlanner::new() }
    }
}

impl std::fmt::Debug for Plans {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.write_str("Plans")
    }
}

/// Checks samples and rate, and gives the samples that are transformed: as many as have only the factors 2, 3 and 5.
fn checked(samples: &[f64], rate_hz: f64) -> Result<&[f64], Error> {
    if samples.len() < LEAST_SAMPLES {
        return Err(Error::TooShort { found: samples.len(), least: LEAST_SAMPLES });
    }
    positive("rate_hz", rate_hz)?;
    match samples.iter().position(|x| !x.is_finite()) {
        Some(sample_idx) => Err(Error::NotFinite { sample_idx, value: samples[sample_idx] }),
        None => Ok(&samples[..smooth_at_most(samples.len())]),
    }
}

fn positive(name: &'static str, value: f64) -> Result<(), Error> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(Error::OutOfRange { name, value, range: "the positive numbers" })
}

/// The largest even number of factors 2, 3 and 5 that is not above `n`; `n` is at least 2.
fn smooth_at_most(n: usize) -> usize {
    smooth_numbers(n).filter(|&size| size <= n).max().unwrap_or(2)
}

/// The smallest even number of factors 2, 3 and 5 that is not below `n`.
fn smooth_at_least(n: usize) -> usize {
    smooth_numbers(2 * n.max(2)).filter(|&size| size >= n).min().unwrap_or(n)
}

fn smooth_numbers(limit: usize) -> impl Iterator<Item = usize> {
    let powers = move |from: usize, base: usize| {
        std::iter::successors(Some(from), move |&x| Some(x * base)).take_while(move |&x| x <= limit)
    };
    powers(2, 2).flat_map(move |x| powers(x, 3)).flat_map(move |x| powers(x, 5))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Puts a value behind the others, of which the last `window` are kept.
fn remember(recent: &mut VecDeque<f64>, value: f64, window: usize) {
    while recent.len() >= window {
        recent.pop_front();
    }
    recent.push_back(value);
}

/// The middle value of those remembered, of which there is at least one.
fn median_of(recent: &VecDeque<f64>, Scratch(sorted): &mut Scratch<Vec<f64>>) -> f64 {
    sorted.clear();
    sorted.extend(recent);
    median(sorted)
}

#[cfg(test)]
#[path = "vibration/tests.rs"]
mod tests;
