//! Several quantities together: what no single chart sees.

use faer::Mat;
use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::Error;
use crate::whiten::whitening;

/// Independent standardized values beyond this count as it: their squares would overflow.
const LARGEST: f64 = 1e100;

/// The normal state of d quantities: their mean, and a matrix that makes them independent with variance 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normal {
    #[serde(with = "crate::saved")]
    center: Vec<f64>,
    /// Inverse of the Cholesky factor of the covariance, lower triangle row by row.
    #[serde(with = "crate::saved")]
    whiten: Vec<f64>,
    n_rows: usize,
}

impl Normal {
    /// Learns from rows of a process in control.
    ///
    /// `columns`: d quantities of n values each; rows with a NaN are left out.
    ///
    /// # Errors
    /// If there are not more than d + 1 complete rows, or a quantity is constant or a sum of others.
    pub fn fit(columns: &[Vec<f64>]) -> Result<Normal, Error> {
        let d = columns.len();
        let n_all = columns.first().map_or(0, Vec::len);
        if columns.iter().any(|column| column.len() != n_all) {
            return Err(Error::BadInput("the columns differ in length"));
        }
        let rows: Vec<Vec<f64>> = (0..n_all)
            .map(|i| columns.iter().map(|column| column[i]).collect::<Vec<f64>>())
            .filter(|row| row.iter().all(|x| x.is_finite()))
            .collect();
        if d == 0 || rows.len() < d + 2 {
            return Err(Error::TooFew { what: "complete rows", found: rows.len(), needed: d + 2 });
        }
        let n = rows.len() as f64;
        let center: Vec<f64> =
            (0..d).map(|i| rows.iter().map(|row| row[i]).sum::<f64>() / n).collect();
        let product = |i: usize, j: usize| -> f64 {
            rows.iter().map(|row| (row[i] - center[i]) * (row[j] - center[j])).sum()
        };
        let covariance = Mat::from_fn(d, d, |i, j| product(i, j) / (n - 1.0));
        let whiten = whitening(&covariance).ok_or(Error::Constant("a sum of the quantities"))?;
        Ok(Normal { center, whiten, n_rows: rows.len() })
    }

    /// A state that is known: d means, and d × d covariances row by row.
    ///
    /// # Errors
    /// If the lengths do not fit or the covariance is not positive definite.
    pub fn known(center: &[f64], covariance: &[f64]) -> Result<Normal, Error> {
        let d = center.len();
        if covariance.len() != d * d {
            return Err(Error::BadInput("the covariance has not d × d values"));
        }
        let matrix = Mat::from_fn(d, d, |i, j| covariance[i * d + j]);
        let whiten = whitening(&matrix).ok_or(Error::Constant("a sum of the quantities"))?;
        Ok(Normal { center: center.to_vec(), whiten, n_rows: usize::MAX })
    }

    /// Quantities of a row.
    pub fn n_columns(&self) -> usize {
        self.center.len()
    }

    fn check_row(&self, row: &[f64]) {
        assert_eq!(row.len(), self.n_columns(), "one value per quantity");
    }

    /// Independent standardized value `i` of a row.
    fn white(&self, row: &[f64], i: usize) -> f64 {
        let weights = &self.whiten[i * (i + 1) / 2..][..=i];
        weights.iter().zip(row).zip(&self.center).map(|((w, x), center)| w * (x - center)).sum()
    }
}

/// Hotelling's chart: the squared distance of each row from the normal state.
///
/// Source: Hotelling (1947); limit for single future rows after Tracy, Young & Mason (1992), eq. 4.
///
/// ```
/// use analytics::quality::{Normal, T2Chart};
/// // Two independent quantities with variances 1 and 4: (1, 2) lies at 1² + (2/2)² = 2.
/// let chart = T2Chart::new(Normal::known(&[0.0, 0.0], &[1.0, 0.0, 0.0, 4.0])?, 0.0027);
/// assert_eq!(chart.distance(&[1.0, 2.0]), 2.0);
/// assert!((chart.limit() - 11.83).abs() < 0.01); // χ² with 2 degrees of freedom
/// # Ok::<(), analytics::quality::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct T2Chart {
    normal: Normal,
    #[serde(with = "crate::saved")]
    limit: f64,
}

impl T2Chart {
    /// `false_alarm_rate`: share of normal rows beyond the limit, between 0 and 1; 0.0027 is that of 3 σ.
    pub fn new(normal: Normal, false_alarm_rate: f64) -> T2Chart {
        let d = normal.n_columns() as f64;
        // With very many rows F has become χ² / d.
        let n = (normal.n_rows as f64).min(1e7);
        let quantile = |tail: f64| {
            FisherSnedecor::new(d, n - d).map_or(f64::NAN, |f| f.inverse_cdf(1.0 - tail))
        };
        let factor = d * (n + 1.0) * (n - 1.0) / (n * (n - d));
        T2Chart { limit: factor * quantile(false_alarm_rate), normal }
    }

    /// The limit of the squared distance.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Squared distance of a row of d values from the normal state; NaN if one is missing.
    ///
    /// # Panics
    /// If the row has another number of values than the normal state has quantities.
    pub fn distance(&self, row: &[f64]) -> f64 {
        self.normal.check_row(row);
        (0..row.len()).map(|i| self.normal.white(row, i).powi(2)).sum()
    }

    /// Whether a row is beyond the limit; never if a value is missing.
    ///
    /// # Panics
    /// As [`T2Chart::distance`].
    pub fn signals(&self, row: &[f64]) -> bool {
        self.distance(row) > self.limit
    }
}

/// A multivariate exponentially weighted moving average: small shifts in any direction.
///
/// Source: Lowry, Woodall, Champ & Rigdon (1992), with the covariance of the settled average; limits for chosen run
/// lengths in Prabhu & Runger (1997), table 2 (d = 2, weight 0.1: 8.64 gives 200).
///
/// ```
/// use analytics::quality::{Mewma, Normal};
/// let mut chart = Mewma::new(Normal::known(&[0.0], &[1.0])?, 0.5, 6.0);
/// // The average of 0, 2 and 2 is 1.5, its variance 1/3: 1.5² × 3 = 6.75.
/// assert_eq!([0.0, 2.0, 2.0].map(|x| chart.push(&[x])), [false, false, true]);
/// # Ok::<(), analytics::quality::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mewma {
    normal: Normal,
    #[serde(with = "crate::saved")]
    weight: f64,
    #[serde(with = "crate::saved")]
    limit: f64,
    #[serde(with = "crate::saved")]
    average: Vec<f64>,
}

impl Mewma {
    /// `weight`: of a new row, above 0 to 1. `limit`: of the squared distance of the average (h₄).
    pub fn new(normal: Normal, weight: f64, limit: f64) -> Mewma {
        Mewma { average: vec![0.0; normal.n_columns()], normal, weight, limit }
    }

    /// Takes the next row of d values; whether the average is beyond its limit. A row with a value
    /// that is not finite is passed over.
    ///
    /// # Panics
    /// If the row has another number of values than the normal state has quantities.
    pub fn push(&mut self, row: &[f64]) -> bool {
        self.normal.check_row(row);
        if row.iter().all(|x| x.is_finite()) {
            for i in 0..self.average.len() {
                let z = self.normal.white(row, i).clamp(-LARGEST, LARGEST);
                if !z.is_nan() {
                    self.average[i] += self.weight * (z - self.average[i]);
                }
            }
        }
        let squares: f64 = self.average.iter().map(|x| x * x).sum();
        squares * (2.0 - self.weight) / self.weight > self.limit
    }
}
