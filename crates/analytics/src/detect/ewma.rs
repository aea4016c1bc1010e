//! Level and spread of one signal that outliers do not drag along.

use serde::{Deserialize, Serialize};

/// E|x − μ| = 0.7979 σ for normal noise.
const MEAN_DEVIATION: f64 = 0.797_884_560_802_865_4;
/// Values beyond this count as it: their distances would overflow.
const LARGEST: f64 = 1e300;
/// Innovations beyond so many standard deviations are pulled in.
const HUBER: f64 = 2.5;

/// Exponentially weighted level and spread, with Huber's ψ on the innovations.
///
/// Source: Roberts (1959), "Control chart tests based on geometric moving averages"; robustified as in Gelper,
/// Fried & Croux (2010), "Robust forecasting with exponential and Holt–Winters smoothing", eq. 7–9, with the mean
/// absolute deviation as spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RobustEwma {
    #[serde(with = "crate::saved")]
    weight: f64,
    #[serde(with = "crate::saved")]
    n_seen: f64,
    #[serde(with = "crate::saved")]
    level: f64,
    #[serde(with = "crate::saved")]
    deviation: f64,
}

impl RobustEwma {
    /// `weight` of the newest value, 0 to 1; the first values count equally.
    pub fn new(weight: f64) -> RobustEwma {
        RobustEwma { weight, n_seen: 0.0, level: f64::NAN, deviation: 0.0 }
    }

    /// Distance of `value` from the level before it, in standard deviations; then learns it. O(1).
    ///
    /// NaN for the first value, for a value that is not finite, and as long as nothing has moved. A value beyond ±1e300
    /// counts as that.
    /// ```
    /// use analytics::detect::ewma::RobustEwma;
    /// let mut ewma = RobustEwma::new(0.5);
    /// assert!(ewma.push(10.0).is_nan());
    /// assert!(ewma.push(12.0).is_nan()); // nothing had moved before
    /// assert_eq!(ewma.level(), 11.0);
    /// assert!(ewma.push(1000.0) > 100.0);
    /// assert!(ewma.level() < 15.0); // the outlier was pulled in
    /// ```
    pub fn push(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        let value = value.clamp(-LARGEST, LARGEST);
        self.n_seen += 1.0;
        if self.level.is_nan() {
            self.level = value;
            return f64::NAN;
        }
        let sigma = self.sigma();
        let innovation = value - self.level;
        let z = if sigma > 0.0 { innovation / sigma } else { f64::NAN };
        let believed =
            if z.is_nan() { innovation } else { innovation.clamp(-HUBER * sigma, HUBER * sigma) };
        let weight = self.weight.max(1.0 / self.n_seen);
        self.level += weight * believed;
        self.deviation += weight * (believed.abs() - self.deviation);
        z
    }

    /// The level; NaN before the first value.
    pub fn level(&self) -> f64 {
        self.level
    }

    /// The spread as a standard deviation.
    pub fn sigma(&self) -> f64 {
        self.deviation / MEAN_DEVIATION
    }
}
