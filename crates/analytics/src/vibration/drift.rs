//! A band of the spectrum against the machine's own past: wear that begins before the level rises.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::spectrum::spectrum;
use super::{Error, Plans};
use crate::scratch::Scratch;

/// Snapshots before the first score: a scatter of fewer says nothing.
const LEAST_PAST: usize = 4;
/// Scatter of the logarithm of a power that is always there: 1 %.
const LEAST_SCATTER: f64 = 0.01;

/// When a drift is an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DriftSettings {
    /// Snapshots in which a new machine runs in; they teach, but no alarm is raised.
    pub run_in: usize,
    /// The median of so many last scores is judged, at least 1.
    pub window: usize,
    /// Score from which on there is an alarm, in standard deviations of the machine's own past.
    #[serde(with = "crate::saved")]
    pub limit: f64,
}

/// Follows the power of one machine in one band, snapshot by snapshot. Saved and read again it goes on as if never
/// stopped.
///
/// A bearing runs in: its power falls for hours, so that all of its past is the reference, not its first values, and
/// the wide past of a falling power makes the score slow to rise. Score: (x − mean) / scatter of all x before, x the
/// logarithm of the power (Shewhart (1931), with limits that learn on; mean and scatter by Welford (1962)).
/// Cost: O(window · log window + channels) per snapshot, no allocation once the window is full.
///
/// ```
/// use analytics::vibration::{Drift, DriftSettings};
/// let mut drift = Drift::new(DriftSettings { run_in: 4, window: 1, limit: 3.0 });
/// let e = std::f64::consts::E;
/// for power in [1.0, e, 1.0, e] {
///     assert!(drift.push(&[power]).is_nan());
/// }
/// // The logarithms so far are 0, 1, 0, 1: mean 0.5, scatter 0.5. Now 3.
/// let score = drift.push(&[e.powi(3)]);
/// assert!((score - 5.0).abs() < 0.01 && drift.is_alarm());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    settings: DriftSettings,
    n_seen: usize,
    n_past: usize,
    #[serde(with = "crate::saved")]
    mean: f64,
    /// Sum of squares about the mean.
    #[serde(with = "crate::saved")]
    squares: f64,
    #[serde(with = "crate::saved")]
    recent: VecDeque<f64>,
    is_alarm: bool,
    #[serde(skip)]
    sorted: Scratch<Vec<f64>>,
}

impl Drift {
    /// A drift that has seen nothing; a window of 0 counts as 1.
    pub fn new(settings: DriftSettings) -> Drift {
        Drift {
            settings,
            n_seen: 0,
            n_past: 0,
            mean: 0.0,
            squares: 0.0,
            recent: VecDeque::new(),
            is_alarm: false,
            sorted: Scratch::default(),
        }
    }

    /// Takes the powers of one snapshot in the band, one per channel, any unit, always the same channels.
    ///
    /// Gives the median of the last scores; NaN before there are five snapshots and a full window. A snapshot of
    /// which no power is finite and above 0 teaches nothing, scores NaN and is no alarm.
    pub fn push(&mut self, powers: &[f64]) -> f64 {
        self.n_seen += 1;
        self.is_alarm = false;
        let logs = powers.iter().filter(|power| power.is_finite() && **power > 0.0).map(|x| x.ln());
        let (sum, n) = logs.fold((0.0, 0), |(sum, n), x| (sum + x, n + 1));
        if n == 0 {
            return f64::NAN;
        }
        let x = sum / f64::from(n);
        let score = self.score(x);
        self.learn(x);
        self.is_alarm = self.n_seen > self.settings.run_in && score >= self.settings.limit;
        score
    }

    /// Whether the last snapshot is an alarm.
    pub fn is_alarm(&self) -> bool {
        self.is_alarm
    }

    fn score(&mut self, x: f64) -> f64 {
        if self.n_past < LEAST_PAST {
            return f64::NAN;
        }
        let variance = self.squares / self.n_past as f64;
        let score = (x - self.mean) / (variance + LEAST_SCATTER.powi(2)).sqrt();
        let window = self.settings.window.max(1);
        super::remember(&mut self.recent, score, window);
        if self.recent.len() < window {
            return f64::NAN;
        }
        super::median_of(&self.recent, &mut self.sorted)
    }

    fn learn(&mut self, x: f64) {
        self.n_past += 1;
        let step = x - self.mean;
        self.mean += step / self.n_past as f64;
        self.squares += step * (x - self.mean);
    }
}

/// Mean power of `samples` in each of `n_bands` equal bands from 0 Hz to half the rate, in the squared unit of the
/// samples per line of the spectrum; for comparison with the same machine's other snapshots. Cost: O(n log n).
///
/// # Errors
/// As [`spectrum`], and if there are more bands than lines, or none.
///
/// ```
/// use analytics::vibration::{Plans, band_powers};
/// let wave: Vec<f64> = (0..800).map(|i| (i as f64 * 0.3 * std::f64::consts::TAU).sin()).collect();
/// let powers = band_powers(&mut Plans::default(), &wave, 800.0, 4).unwrap();
/// assert!(powers[2] > 1e6 * powers[0]); // 240 Hz lies in the third of the bands of 100 Hz
/// ```
pub fn band_powers(
    plans: &mut Plans,
    samples: &[f64],
    rate_hz: f64,
    n_bands: usize,
) -> Result<Vec<f64>, Error> {
    let lines = spectrum(plans, samples, rate_hz)?.amplitudes;
    if n_bands == 0 || n_bands >= lines.len() {
        let range = "1 to the number of lines of the spectrum";
        return Err(Error::OutOfRange { name: "n_bands", value: n_bands as f64, range });
    }
    let edge = |band: usize| band * (lines.len() - 1) / n_bands;
    let power = |band: usize| {
        let of = &lines[edge(band)..edge(band + 1)];
        of.iter().map(|x| x * x / 2.0).sum::<f64>() / of.len() as f64
    };
    Ok((0..n_bands).map(power).collect())
}
