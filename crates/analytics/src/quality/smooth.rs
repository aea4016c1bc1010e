//! Charts that remember: small shifts add up.

use serde::{Deserialize, Serialize};

use super::arl::Chart;
use crate::detect;

/// Values beyond this count as it: their differences would overflow.
const LARGEST: f64 = 1e300;

/// An exponentially weighted moving average.
///
/// Source: Roberts (1959); limits after Lucas & Saccucci (1990), with the variance of the settled average.
///
/// ```
/// use analytics::quality::Ewma;
/// // With half of the weight on the new value the average of 0, 2 and 2 is 0, 1, 1.5; its σ is √(1/3).
/// let mut chart = Ewma::new(0.5, 2.5);
/// assert_eq!([0.0, 2.0, 2.0].map(|z| chart.push(z)), [false, false, true]);
/// assert_eq!(chart.average(), 1.5);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ewma {
    #[serde(with = "crate::saved")]
    weight: f64,
    #[serde(with = "crate::saved")]
    limit: f64,
    #[serde(with = "crate::saved")]
    average: f64,
}

impl Ewma {
    /// `weight`: of a new value, above 0 to 1. `n_sigmas`: limit in standard deviations of the average.
    pub fn new(weight: f64, n_sigmas: f64) -> Ewma {
        Ewma { weight, limit: n_sigmas * (weight / (2.0 - weight)).sqrt(), average: 0.0 }
    }

    /// The average so far, in standard deviations of a value.
    pub fn average(&self) -> f64 {
        self.average
    }

    /// Takes the next standardized value; whether the average is beyond its limit. A value that is not finite is
    /// passed over.
    pub fn push(&mut self, z: f64) -> bool {
        if z.is_finite() {
            let z = z.clamp(-LARGEST, LARGEST);
            self.average += self.weight * (z - self.average);
        }
        self.average.abs() > self.limit
    }
}

impl Chart for Ewma {
    fn signals(&mut self, z: f64) -> bool {
        self.push(z)
    }
}

/// A two-sided tabular cumulative sum.
///
/// Source: Page (1954); Montgomery, "Introduction to Statistical Quality Control", eqs. 9.2 and 9.3.
///
/// ```
/// use analytics::quality::Cusum;
/// // Values of 2 each add 2 − 0.5 = 1.5: 1.5, 3, 4.5, 6.
/// let mut chart = Cusum::new(0.5, 5.0);
/// assert_eq!([2.0; 4].map(|z| chart.push(z)), [false, false, false, true]);
/// assert_eq!(chart.sums(), (6.0, 0.0));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Cusum(detect::cusum::Cusum);

impl Cusum {
    /// `slack` (k): half of the shift to be found; `limit` (h): both in standard deviations.
    pub fn new(slack: f64, limit: f64) -> Cusum {
        Cusum(detect::cusum::Cusum::new(slack, limit))
    }

    /// The sums upward and downward, both positive.
    pub fn sums(&self) -> (f64, f64) {
        self.0.sums()
    }

    /// Takes the next standardized value; whether a sum is beyond its limit. A value that is not finite is passed over.
    ///
    /// Unlike [`detect::cusum::Cusum::push`], sums beyond the limit go on: the chart signals until the process is back.
    pub fn push(&mut self, z: f64) -> bool {
        if z.is_finite() {
            self.0.add(z.clamp(-LARGEST, LARGEST));
        }
        self.0.shift().is_some()
    }
}

impl Chart for Cusum {
    fn signals(&mut self, z: f64) -> bool {
        self.push(z)
    }
}
