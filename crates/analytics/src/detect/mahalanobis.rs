//! Distance of the last rows from normal ones, in units of their own covariance.

use faer::Mat;
use serde::{Deserialize, Serialize};

use crate::detector::shares;
use crate::stats::mean_and_sigma;
use crate::whiten::{reconstructed, whitened, whitening};
use crate::{Detector, Frame};

/// Squared Mahalanobis distance of a window of rows, over its length; about 1 for normal rows.
///
/// The window holds the present row and `lags` before it, so that a wrong movement counts as well as a wrong value.
/// Columns are standardized by their mean and standard deviation, the correlation is shrunk toward the identity.
///
/// ```text
/// d² = (x − μ)ᵀ S⁻¹ (x − μ) / D,   S = (1 − s) Σ + s I,   D = columns · (lags + 1)
/// ```
///
/// Source: Mahalanobis (1936); Hotelling (1947), T²; shrinkage after Ledoit & Wolf (2004), with a given intensity.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mahalanobis {
    lags: usize,
    #[serde(with = "crate::saved")]
    shrinkage: f64,
    n_columns: usize,
    #[serde(with = "crate::saved")]
    center: Vec<f64>,
    #[serde(with = "crate::saved")]
    weight: Vec<f64>,
    /// L⁻¹ of the correlation L·Lᵀ, rows of the lower triangle one after another.
    #[serde(with = "crate::saved")]
    whitening: Vec<f64>,
    /// Standardized values, newest row first.
    #[serde(with = "crate::saved")]
    window: Vec<f64>,
    n_seen: usize,
}

impl Mahalanobis {
    /// Looks at the present row and `lags` before it; `shrinkage` is the share of the identity, 0 to 1.
    pub fn new(lags: usize, shrinkage: f64) -> Mahalanobis {
        Mahalanobis {
            lags,
            shrinkage,
            n_columns: 0,
            center: Vec::new(),
            weight: Vec::new(),
            whitening: Vec::new(),
            window: Vec::new(),
            n_seen: 0,
        }
    }

    /// Learns from rows that are taken to be normal; what was learned before is forgotten. NaN counts as the mean.
    ///
    /// With fewer than `lags` + 2 rows it knows nothing. Cost: O(n·D² + D³).
    pub fn fit(&mut self, frame: &Frame) {
        self.n_columns = frame.n_columns();
        self.n_seen = 0;
        self.whitening.clear();
        let dimensions = self.n_columns * (self.lags + 1);
        self.window = vec![0.0; dimensions];
        if frame.n_rows() < self.lags + 2 || dimensions == 0 {
            return;
        }
        (self.center, self.weight) = frame.columns.iter().map(|column| standard(column)).unzip();
        self.whitening = whitening(&self.correlation(frame, dimensions)).unwrap_or_default();
    }

    /// Shrunk correlation of the windows; at least a millionth of the identity, so that it can be inverted.
    fn correlation(&self, frame: &Frame, dimensions: usize) -> Mat<f64> {
        let n_rows = frame.n_rows();
        let mut sum = vec![0.0; dimensions * dimensions];
        let mut window = vec![0.0; dimensions];
        for row_idx in self.lags..n_rows {
            for (idx, z) in window.iter_mut().enumerate() {
                let (lag, column) = (idx / self.n_columns, idx % self.n_columns);
                let value = frame.columns[column][row_idx - lag];
                *z = (value - self.center[column]) * self.weight[column];
                if !z.is_finite() {
                    *z = 0.0;
                }
            }
            for i in 0..dimensions {
                let row = &mut sum[i * dimensions..=i * dimensions + i];
                row.iter_mut().zip(&window).for_each(|(sum, z)| *sum += window[i] * z);
            }
        }
        let shrinkage = self.shrinkage.clamp(1e-6, 1.0);
        let scale = (1.0 - shrinkage) / (n_rows - self.lags) as f64;
        Mat::from_fn(dimensions, dimensions, |i, j| {
            let identity = if i == j { shrinkage } else { 0.0 };
            sum[i.max(j) * dimensions + i.min(j)] * scale + identity
        })
    }
}

impl Detector for Mahalanobis {
    /// Takes the next row; NaN until fitted and until the window is full. NaN values count as usual ones.
    ///
    /// Cost: O(D²/2) for D = columns · (lags + 1), no allocation.
    /// ```
    /// use analytics::{Detector, Frame, detect::mahalanobis::Mahalanobis};
    /// let mut distance = Mahalanobis::new(0, 0.0);
    /// assert!(distance.push(&[1.0]).is_nan());
    /// distance.fit(&Frame::from_rows(1, &[-1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0, -1.0, 1.0]));
    /// assert!((distance.push(&[3.0]) - 9.0).abs() < 1e-9);
    /// ```
    ///
    /// # Panics
    /// When `row` has another number of values than the rows it was fitted to.
    fn push(&mut self, row: &[f64]) -> f64 {
        if self.whitening.is_empty() {
            return f64::NAN;
        }
        assert_eq!(row.len(), self.n_columns);
        let length = self.window.len();
        self.window.copy_within(..length - self.n_columns, self.n_columns);
        let usual = self.center.iter().zip(&self.weight);
        for (slot, (value, (center, weight))) in self.window.iter_mut().zip(row.iter().zip(usual)) {
            let z = (value - center) * weight;
            *slot = if z.is_nan() { 0.0 } else { z.clamp(-1e6, 1e6) };
        }
        self.n_seen += 1;
        if self.n_seen <= self.lags {
            return f64::NAN;
        }
        whitened(&self.whitening, &self.window).map(|z| z * z).sum::<f64>() / length as f64
    }

    /// By how much the distance would fall if a column were free, summed over its lags.
    fn blame(&self) -> Vec<f64> {
        let mut parts = vec![0.0; self.n_columns];
        if !self.whitening.is_empty() && self.n_seen > self.lags {
            let of_window = reconstructed(&self.whitening, &self.window);
            for (idx, part) in of_window.iter().enumerate() {
                parts[idx % self.n_columns] += part;
            }
        }
        shares(parts)
    }
}

/// Mean and one over the standard deviation; weight 0 where nothing moves.
fn standard(column: &[f64]) -> (f64, f64) {
    let (mean, sigma) = mean_and_sigma(column);
    let moves = sigma.is_finite() && sigma > 1e-12 * mean.abs() && sigma > 0.0;
    (mean, if moves { 1.0 / sigma } else { 0.0 })
}
