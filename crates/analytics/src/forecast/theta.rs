//! The theta method and its optimized dynamic form.

use super::decompose::{deseasonalize, is_seasonal};
use super::search::lowest;
use super::{Error, check};

/// Forecast by the theta method: exponential smoothing plus half the slope of the line through the series.
///
/// A season of `period` steps is taken out first where the 10 % test finds one (as factors, or as summands where a
/// value is not above 0), and put back. Missing values are filled by interpolation. Cost: O(n) per step of the search.
/// Source: Assimakopoulos & Nikolopoulos (2000), in the form of Hyndman & Billah (2003), eq. 8.
///
/// # Errors
/// If there are fewer than 4 finite values, or an infinite one.
///
/// ```
/// use analytics::forecast::theta;
/// let line: Vec<f64> = (0..20).map(f64::from).collect();
/// // Half the slope is kept: smoothing follows the line, the drift adds half a step per step.
/// let ahead = theta(&line, 1, 3).unwrap();
/// assert!((ahead[2] - ahead[1] - 0.5).abs() < 1e-9);
/// ```
pub fn theta(series: &[f64], period: usize, horizon: usize) -> Result<Vec<f64>, Error> {
    adjusted(series, period, horizon, |values| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let center = (n - 1.0) / 2.0;
        let pairs = values.iter().enumerate();
        let slope = pairs.map(|(i, y)| (i as f64 - center) * (y - mean)).sum::<f64>()
            / (n * (n * n - 1.0) / 12.0);
        let smooth = |alpha: f64| {
            let (mut level, mut squares) = (values[0], 0.0);
            for value in &values[1..] {
                squares += (value - level).powi(2);
                level += alpha * (value - level);
            }
            (level, squares)
        };
        let (found, _) = lowest([0.5], 0.2, 1e-8, 60, |point| smooth(0.01 + 0.98 * point[0]).1);
        let alpha = 0.01 + 0.98 * found[0];
        let level = smooth(alpha).0;
        let behind = (1.0 - (1.0 - alpha).powf(n)) / alpha;
        (0..horizon).map(|step| level + slope / 2.0 * (step as f64 + behind)).collect()
    })
}

/// Forecast by the dynamic optimized theta model: level, smoothing and theta are searched, and the line follows the
/// series.
///
/// Seasons and missing values as in [`theta`]. Cost: O(n) per step of the search, about 200 steps.
/// Source: Fiorucci, Pellegrini, Louzada, Petropoulos & Koehler (2016), "Models for optimising the theta method and
/// their relationship to state space models", eqs. 10–16 (DOTM).
///
/// ```
/// use analytics::forecast::dynamic_theta;
/// // What rests goes on resting, what rises goes on rising.
/// let flat = dynamic_theta(&[7.0; 20], 1, 3).unwrap();
/// assert!(flat.iter().all(|x| (x - 7.0).abs() < 1e-6));
/// let line: Vec<f64> = (0..20).map(f64::from).collect();
/// let ahead = dynamic_theta(&line, 1, 3).unwrap();
/// assert!(ahead[0] > 19.0 && ahead[0] < ahead[1] && ahead[1] < ahead[2] && ahead[2] < 22.5);
/// ```
///
/// # Errors
/// If there are fewer than 4 finite values, or an infinite one.
pub fn dynamic_theta(series: &[f64], period: usize, horizon: usize) -> Result<Vec<f64>, Error> {
    adjusted(series, period, horizon, |values| {
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let spread = values.iter().map(|y| (y - mean).abs()).fold(0.0, f64::max).max(1e-12);
        // From the unit cube: start level about the first value, smoothing 0.1 to 0.99, theta 1 to ∞ by its inverse.
        let model = |point: &[f64; 3]| Dynamic {
            level: values[0] + (point[0] - 0.5) * 4.0 * spread,
            alpha: 0.1 + 0.89 * point[1],
            tilt: 1.0 - (0.02 + 0.98 * point[2]),
            ..Dynamic::default()
        };
        let start = [0.5, 0.45, 0.5];
        let (found, _) = lowest(start, 0.2, 1e-7, 220, |point| model(point).run(values));
        let mut fitted = model(&found);
        fitted.run(values);
        let next = |_| {
            let forecast = fitted.forecast();
            fitted.push(forecast);
            forecast
        };
        (0..horizon).map(next).collect()
    })
}

/// State of the dynamic model after `n` values.
#[derive(Default)]
struct Dynamic {
    level: f64,
    alpha: f64,
    /// 1 − 1/θ.
    tilt: f64,
    n: f64,
    mean: f64,
    /// Slope of the line through the values so far.
    slope: f64,
    /// (1 − α)ⁿ.
    memory: f64,
}

impl Dynamic {
    /// Sum of squared one-step errors, from the third on.
    fn run(&mut self, values: &[f64]) -> f64 {
        self.memory = 1.0;
        let mut squares = 0.0;
        for (i, value) in values.iter().enumerate() {
            if i >= 3 {
                squares += (value - self.forecast()).powi(2);
            }
            self.push(*value);
        }
        squares
    }

    fn forecast(&self) -> f64 {
        let intercept = self.mean - (self.n + 1.0) / 2.0 * self.slope;
        let rest = (1.0 - self.memory * (1.0 - self.alpha)) / self.alpha;
        self.level + self.tilt * (self.memory * intercept + rest * self.slope)
    }

    fn push(&mut self, value: f64) {
        self.level += self.alpha * (value - self.level);
        let n = self.n + 1.0;
        if n >= 2.0 {
            self.slope = ((n - 2.0) * self.slope + 6.0 / n * (value - self.mean)) / (n + 1.0);
        }
        self.mean += (value - self.mean) / n;
        self.n = n;
        self.memory *= 1.0 - self.alpha;
    }
}

/// Forecasts without season and with it put back.
fn adjusted(
    series: &[f64],
    period: usize,
    horizon: usize,
    forecast: impl Fn(&[f64]) -> Vec<f64>,
) -> Result<Vec<f64>, Error> {
    check(series, 4)?;
    let filled = interpolated(series);
    if !is_seasonal(&filled, period) {
        return Ok(forecast(&filled));
    }
    let is_multiplicative = filled.iter().all(|x| *x > 0.0);
    let season = deseasonalize(&filled, period, is_multiplicative)?;
    let mut ahead = forecast(&season.adjusted);
    debug_assert_eq!(ahead.len(), horizon);
    season.restore(&mut ahead);
    Ok(ahead)
}

/// The series with holes bridged by lines, and its ends continued flat; it holds a finite value.
fn interpolated(series: &[f64]) -> Vec<f64> {
    let known: Vec<usize> = (0..series.len()).filter(|&i| series[i].is_finite()).collect();
    let at = |i: usize| {
        let after = known.partition_point(|&k| k < i);
        match (after.checked_sub(1).map(|k| known[k]), known.get(after).copied()) {
            (Some(a), Some(b)) => {
                series[a] + (series[b] - series[a]) * (i - a) as f64 / (b - a) as f64
            }
            (Some(a), None) => series[a],
            (None, Some(b)) => series[b],
            (None, None) => f64::NAN,
        }
    };
    (0..series.len()).map(|i| if series[i].is_finite() { series[i] } else { at(i) }).collect()
}
