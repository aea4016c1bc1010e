//! How long a chart runs until it signals.

use crate::random::Random;

/// A chart of one standardized quantity.
pub trait Chart: Clone {
    /// Takes the next value; whether the chart signals.
    fn signals(&mut self, z: f64) -> bool;
}

/// A mean over simulated runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Arl {
    /// Values until the first signal, that one included.
    pub mean: f64,
    /// Standard error of the mean.
    pub standard_error: f64,
}

/// Simulates how many values a chart takes until it signals.
///
/// `chart`: as it is before the first value. `shift`: of the mean in standard deviations; 0 gives the time between
/// false alarms. A run ends after a million values at the latest. Cost: `n_runs` × ARL. The same seed gives the
/// same figure. Source: Page (1954), "Continuous inspection schemes", §2 (the average run length).
///
/// ```
/// use analytics::quality::{RuleChart, Rules, average_run_length};
/// // A value leaves 3 σ with probability 0.0027: once in 370.
/// let arl = average_run_length(&RuleChart::new(Rules::SHEWHART), 0.0, 4_000, 1);
/// assert!((arl.mean - 370.4).abs() < 4.0 * arl.standard_error);
/// ```
pub fn average_run_length(chart: &impl Chart, shift: f64, n_runs: usize, seed: u64) -> Arl {
    let mut random = Random::new(seed);
    let (mut sum, mut squares) = (0.0, 0.0);
    for _ in 0..n_runs {
        let mut chart = chart.clone();
        let mut n = 1.0;
        while n < 1e6 && !chart.signals(shift + random.normal()) {
            n += 1.0;
        }
        sum += n;
        squares += n * n;
    }
    let runs = n_runs as f64;
    let mean = sum / runs;
    let variance = (squares / runs - mean * mean).max(0.0);
    Arl { mean, standard_error: (variance / runs).sqrt() }
}
