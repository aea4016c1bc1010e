//! What each column should be, given all the others and the rows before.

use serde::{Deserialize, Serialize};

use super::FitError;
use super::fit::{Windows, covariance, eigen};
use crate::Frame;
use crate::stats::dot;

/// Residuals are cut off here, in standard deviations.
const MOST: f64 = 50.0;

/// Predicts every column of a row from its other columns and the rows before it.
///
/// With P the inverse covariance of a standardized window w, the best linear prediction of wᵢ from all the rest leaves
/// (P w)ᵢ / Pᵢᵢ, whose variance is 1/Pᵢᵢ. The residual is that over its standard deviation: about N(0, 1) for rows
/// like the learned ones. It says where a fault sits, whichever way it pushes.
///
/// Source: Whittaker (1990), "Graphical models in applied multivariate statistics", prop. 5.7.3; Mason, Tracy & Young
/// (1995), "Decomposition of T² for multivariate quality control interpretation", conditional terms.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Relation {
    n_columns: usize,
    #[serde(with = "crate::saved")]
    center: Vec<f64>,
    /// 1/standard deviation; 0 for a column that is not used.
    #[serde(with = "crate::saved")]
    weight: Vec<f64>,
    /// For each column its row of P over √Pᵢᵢ, as long as the window.
    #[serde(with = "crate::saved")]
    rows: Vec<f64>,
}

impl Relation {
    /// Learns from rows taken to be normal. The window is a row and the `lags` before it; `shrinkage` is the share of the
    /// identity in its covariance, 0 to 1 and at least a millionth. Missing values count as the mean of their column.
    /// Cost: O(n·D² + D³) for D = d · (lags + 1).
    ///
    /// ```
    /// use analytics::{Frame, monitor::Relation};
    /// // The second column is the first one, give or take: what it should be is what the first one is.
    /// let rows: Vec<f64> = (0..400).flat_map(|n| [f64::from(n % 20), f64::from(n % 20 + n % 3 - 1)]).collect();
    /// let relation = Relation::learn(&Frame::from_rows(2, &rows), 0, 0.0).unwrap();
    /// let mut window = Vec::new();
    /// let mut residuals = [0.0; 2];
    /// relation.push(&mut window, &[19.0, 19.0], &mut residuals);
    /// assert!(residuals[1].abs() < 1.0); // high, but so is the other
    /// relation.push(&mut window, &[2.0, 19.0], &mut residuals);
    /// assert!(residuals[1] > 10.0);
    /// ```
    ///
    /// # Errors
    /// When there are too few rows, nothing moves, or the numbers do not converge.
    pub fn learn(normal: &Frame, lags: usize, shrinkage: f64) -> Result<Relation, FitError> {
        let d = normal.n_columns();
        let dimensions = d * (lags + 1);
        let n_windows = normal.n_rows().saturating_sub(lags);
        if n_windows < 10 || dimensions == 0 {
            return Err(FitError::TooSmall { dimensions, rows: n_windows, components: 0 });
        }
        let windows = Windows::of(normal, lags + 1)?;
        let all = 0..dimensions;
        let shrinkage = shrinkage.clamp(1e-6, 1.0);
        let pairs = eigen(&covariance(&windows.values, all.clone(), all, shrinkage))?;
        let mut rows = Vec::with_capacity(d * dimensions);
        for column in 0..d {
            let row = inverse_row(&pairs, column);
            let scale = 1.0 / row[column].sqrt();
            rows.extend(row.iter().map(|value| value * scale));
        }
        Ok(Relation { n_columns: d, center: windows.center, weight: windows.weight, rows })
    }

    /// How many columns a row has.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Takes the next row of a stream into `window`, which starts empty, and writes a residual per column, in standard
    /// deviations, at most 50. Rows before the first one and missing values count as the mean. Cost: O(d·D).
    ///
    /// # Panics
    /// When `row` or `residuals` has another number of values than the rows it was learned from.
    pub fn push(&self, window: &mut Vec<f64>, row: &[f64], residuals: &mut [f64]) {
        assert_eq!((row.len(), residuals.len()), (self.n_columns, self.n_columns));
        let dimensions = self.rows.len() / self.n_columns;
        window.resize(dimensions, 0.0);
        window.copy_within(..dimensions - self.n_columns, self.n_columns);
        for (column, value) in row.iter().enumerate() {
            window[column] = self.standardize(column, *value);
        }
        for (residual, row) in residuals.iter_mut().zip(self.rows.chunks_exact(dimensions)) {
            *residual = dot(row, window).clamp(-MOST, MOST);
        }
    }

    /// A value in standard deviations from the mean of its column, at most 50 either way; 0 for NaN.
    pub fn standardize(&self, column: usize, value: f64) -> f64 {
        let z = (value - self.center[column]) * self.weight[column];
        if z.is_nan() { 0.0 } else { z.clamp(-MOST, MOST) }
    }
}

/// One row of V Λ⁻¹ Vᵀ.
fn inverse_row(pairs: &[(f64, Vec<f64>)], at: usize) -> Vec<f64> {
    let mut row = vec![0.0; pairs.len()];
    for (value, vector) in pairs {
        let along = vector[at] / value;
        row.iter_mut().zip(vector).for_each(|(sum, x)| *sum += along * x);
    }
    row
}
