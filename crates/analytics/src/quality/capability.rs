//! Whether a process fits its tolerance.

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal};

use super::Error;

/// Mean of the range of two standard normal values (d₂ for n = 2): 2 / √π.
const D2: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// What a part may measure; at least one side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Lower limit.
    pub low: Option<f64>,
    /// Upper limit.
    pub high: Option<f64>,
}

/// An index with its confidence interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Index {
    /// The estimate.
    pub value: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// How a process fits its tolerance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capability {
    /// Mean of the values.
    pub mean: f64,
    /// Standard deviation between neighbors in time, from their mean moving range: what the process could do.
    pub sigma_within: f64,
    /// Standard deviation of all values: what it did.
    pub sigma_overall: f64,
    /// Width of the tolerance over 6 σ within; `None` with one limit.
    pub cp: Option<Index>,
    /// Distance of the nearer limit over 3 σ within.
    pub cpk: Index,
    /// As `cp` with σ overall.
    pub pp: Option<Index>,
    /// As `cpk` with σ overall.
    pub ppk: Index,
    /// Parts in a million that a normal distribution puts outside the tolerance, with σ overall.
    pub expected_ppm: f64,
}

/// Compares a process with its tolerance.
///
/// `values`: single measurements in time order; NaN are left out, and two values around one are not neighbors.
/// `confidence`: of the intervals, between 0 and 1. The indices suppose a stable, normally distributed process.
/// Source: Montgomery, "Introduction to Statistical Quality Control", ch. 8; the interval of Cp from χ² (eq. 8.19), of
/// Cpk after Bissell (1990) (eq. 8.21); σ within has 0.62 (n − 1) effective degrees of freedom.
///
/// # Errors
/// If there are fewer than two neighbors, all values are equal, or the tolerance has no limit or no width.
///
/// ```
/// use analytics::quality::{Tolerance, capability};
/// // Mean 10, overall σ = √(8/7) = 1.069; the nearer limit is 3 away: Ppk = 3 / (3 × 1.069) = 0.935.
/// let values = [9.0, 11.0, 9.0, 11.0, 11.0, 9.0, 11.0, 9.0];
/// let found = capability(&values, Tolerance { low: Some(7.0), high: Some(15.0) }, 0.95)?;
/// assert!((found.ppk.value - 0.9354).abs() < 1e-4);
/// // Six of seven moving ranges are 2: σ within = 12/7 / 1.128 = 1.519.
/// assert!((found.sigma_within - 1.5193).abs() < 1e-4);
/// assert!(found.ppk.low < 0.6 && found.ppk.high > 1.2, "eight parts prove little");
/// # Ok::<(), analytics::quality::Error>(())
/// ```
pub fn capability(
    values: &[f64],
    tolerance: Tolerance,
    confidence: f64,
) -> Result<Capability, Error> {
    check(tolerance, confidence)?;
    let good: Vec<f64> = values.iter().copied().filter(|x| x.is_finite()).collect();
    let ranges: Vec<f64> =
        values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).filter(|r| r.is_finite()).collect();
    if ranges.is_empty() {
        return Err(Error::TooFew { what: "neighboring values", found: good.len(), needed: 2 });
    }
    let n = good.len() as f64;
    let mean = good.iter().sum::<f64>() / n;
    let sigma_overall = (good.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0)).sqrt();
    let sigma_within = ranges.iter().sum::<f64>() / ranges.len() as f64 / D2;
    if !(mean.is_finite() && sigma_overall.is_finite() && sigma_within.is_finite()) {
        return Err(Error::BadInput("the values are too large for their squares to be numbers"));
    }
    if sigma_overall == 0.0 || sigma_within == 0.0 {
        return Err(Error::Constant("the measured quantity"));
    }
    let within = Spread { sigma: sigma_within, freedom: 0.62 * ranges.len() as f64, n };
    let overall = Spread { sigma: sigma_overall, freedom: n - 1.0, n };
    Ok(Capability {
        mean,
        sigma_within,
        sigma_overall,
        cp: within.width_index(tolerance, confidence),
        cpk: within.nearer_index(tolerance, mean, confidence),
        pp: overall.width_index(tolerance, confidence),
        ppk: overall.nearer_index(tolerance, mean, confidence),
        expected_ppm: 1e6 * share_outside(tolerance, mean, sigma_overall),
    })
}

fn check(tolerance: Tolerance, confidence: f64) -> Result<(), Error> {
    let limits = [tolerance.low, tolerance.high];
    if limits.iter().all(Option::is_none) {
        return Err(Error::BadInput("the tolerance has no limit"));
    }
    if limits.iter().flatten().any(|limit| !limit.is_finite()) {
        return Err(Error::BadInput("a limit of the tolerance is not finite"));
    }
    if matches!((tolerance.low, tolerance.high), (Some(low), Some(high)) if low >= high) {
        return Err(Error::BadInput("the upper limit of the tolerance is not above the lower"));
    }
    if !(0.0..1.0).contains(&confidence) {
        return Err(Error::BadInput("the confidence is not between 0 and 1"));
    }
    Ok(())
}

/// A standard deviation, how well it is known, and from how many values the mean is.
struct Spread {
    sigma: f64,
    freedom: f64,
    n: f64,
}

impl Spread {
    fn width_index(&self, tolerance: Tolerance, confidence: f64) -> Option<Index> {
        let (Some(low), Some(high)) = (tolerance.low, tolerance.high) else { return None };
        let value = (high - low) / (6.0 * self.sigma);
        let at = |share: f64| {
            ChiSquared::new(self.freedom).map_or(f64::NAN, |chi| chi.inverse_cdf(share))
        };
        let end = |share: f64| value * (at(share) / self.freedom).sqrt();
        let tail = (1.0 - confidence) / 2.0;
        Some(Index { value, low: end(tail), high: end(1.0 - tail) })
    }

    fn nearer_index(&self, tolerance: Tolerance, mean: f64, confidence: f64) -> Index {
        let below = tolerance.low.map_or(f64::INFINITY, |low| mean - low);
        let above = tolerance.high.map_or(f64::INFINITY, |high| high - mean);
        let value = below.min(above) / (3.0 * self.sigma);
        let z = Normal::standard().inverse_cdf(f64::midpoint(1.0, confidence));
        let error = (1.0 / (9.0 * self.n) + value * value / (2.0 * self.freedom)).sqrt();
        Index { value, low: value - z * error, high: value + z * error }
    }
}

fn share_outside(tolerance: Tolerance, mean: f64, sigma: f64) -> f64 {
    let normal = Normal::standard();
    let below = tolerance.low.map_or(0.0, |low| normal.cdf((low - mean) / sigma));
    let above = tolerance.high.map_or(0.0, |high| normal.sf((high - mean) / sigma));
    below + above
}
