//! Taking the season out of a series, and putting it back.

use super::Error;

/// A season taken out of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct Seasonality {
    /// The series without season.
    pub adjusted: Vec<f64>,
    /// One factor (or summand) per place in the season, beginning with the place of the first value of the series.
    pub indices: Vec<f64>,
    /// Whether `indices` multiply (mean 1) or are added (mean 0).
    pub is_multiplicative: bool,
}

impl Seasonality {
    /// Puts the season back on what follows the series, in place.
    pub fn restore(&self, forecast: &mut [f64]) {
        let n = self.adjusted.len();
        for (step, value) in forecast.iter_mut().enumerate() {
            let index = self.indices[(n + step) % self.indices.len()];
            *value = if self.is_multiplicative { *value * index } else { *value + index };
        }
    }
}

/// Takes a season of `period` steps out by classical decomposition: ratios (or differences) to the centered moving
/// average, averaged per place.
///
/// `is_multiplicative` needs values above 0. Missing values stay missing and count nowhere. A place that is never seen has
/// the index of no season. Cost: O(n·period).
/// Source: Makridakis, Wheelwright & Hyndman (1998), §3.4.
///
/// # Errors
/// If there are fewer than two whole seasons, or ratios are asked for of values that are not above 0.
///
/// ```
/// use analytics::forecast::deseasonalize;
/// let season = deseasonalize(&[11.0, 9.0, 11.0, 9.0, 11.0, 9.0, 11.0, 9.0], 2, false).unwrap();
/// assert_eq!(season.indices, [1.0, -1.0]);
/// assert!(season.adjusted.iter().all(|value| *value == 10.0));
/// ```
pub fn deseasonalize(
    series: &[f64],
    period: usize,
    is_multiplicative: bool,
) -> Result<Seasonality, Error> {
    super::check(series, 1)?;
    if period < 2 {
        let range = "the numbers from 2";
        return Err(Error::OutOfRange { name: "period", value: period as f64, range });
    }
    if series.len() < 2 * period {
        return Err(Error::TooShort { found: series.len(), least: 2 * period });
    }
    if is_multiplicative && series.iter().any(|x| *x <= 0.0) {
        return Err(Error::NotPositive);
    }
    let (mut sums, mut counts) = (vec![0.0; period], vec![0usize; period]);
    for (i, trend) in moving_average(series, period).into_iter().enumerate() {
        let apart = if is_multiplicative { series[i] / trend } else { series[i] - trend };
        if apart.is_finite() {
            sums[i % period] += apart;
            counts[i % period] += 1;
        }
    }
    let none = if is_multiplicative { 1.0 } else { 0.0 };
    let mean = |(sum, n): (&f64, &usize)| if *n == 0 { none } else { sum / *n as f64 };
    let mut indices: Vec<f64> = sums.iter().zip(&counts).map(mean).collect();
    let level = indices.iter().sum::<f64>() / period as f64;
    let remove =
        |value: f64, index: f64| if is_multiplicative { value / index } else { value - index };
    indices.iter_mut().for_each(|index| *index = remove(*index, level));
    let adjusted =
        series.iter().enumerate().map(|(i, x)| remove(*x, indices[i % period])).collect();
    Ok(Seasonality { adjusted, indices, is_multiplicative })
}

/// Mean over one period about each value, with half weight on both ends of an even one; NaN near the ends. Missing
/// values are left out of it.
fn moving_average(series: &[f64], period: usize) -> Vec<f64> {
    let half = period / 2;
    let at = |i: usize| {
        if i < half || i + half >= series.len() {
            return f64::NAN;
        }
        let (mut sum, mut weights) = (0.0, 0.0);
        for (k, value) in series[i - half..=i + half].iter().enumerate() {
            let is_end = period.is_multiple_of(2) && (k == 0 || k == 2 * half);
            let weight = if is_end { 0.5 } else { 1.0 };
            if value.is_finite() {
                (sum, weights) = (sum + weight * value, weights + weight);
            }
        }
        sum / weights
    };
    (0..series.len()).map(at).collect()
}

/// Whether values one period apart go together more than chance would have it, at the 10 % level.
///
/// Series shorter than three seasons are never seasonal. Missing values count as the mean. Cost: O(n·period).
/// Source: Fiorucci et al. (2016), "Models for optimising the theta method", §4.1 (the test of Assimakopoulos &
/// Nikolopoulos): |r_m| > 1.645 √((1 + 2 Σ_{k<m} r_k²) / n).
///
/// ```
/// use analytics::forecast::is_seasonal;
/// let weeks: Vec<f64> = (0..70).map(|day| if day % 7 < 5 { 8.0 } else { 0.0 }).collect();
/// assert!(is_seasonal(&weeks, 7) && !is_seasonal(&weeks[..20], 7)); // less than three weeks
/// assert!(!is_seasonal(&[8.0; 70], 7));
/// ```
pub fn is_seasonal(series: &[f64], period: usize) -> bool {
    let n = series.len();
    if period < 2 || n < 3 * period {
        return false;
    }
    let good: Vec<f64> = series.iter().copied().filter(|x| x.is_finite()).collect();
    let mean = good.iter().sum::<f64>() / good.len() as f64;
    let centered: Vec<f64> =
        series.iter().map(|x| if x.is_finite() { x - mean } else { 0.0 }).collect();
    let power: f64 = centered.iter().map(|x| x * x).sum();
    let correlation =
        |lag: usize| centered.iter().zip(&centered[lag..]).map(|(a, b)| a * b).sum::<f64>() / power;
    let before: f64 = (1..period).map(|lag| correlation(lag).powi(2)).sum();
    correlation(period).abs() > 1.645 * ((1.0 + 2.0 * before) / n as f64).sqrt()
}
