//! The level of every column by itself: the simplest detector of rows.

use serde::{Deserialize, Serialize};

use super::ewma::RobustEwma;
use crate::Detector;
use crate::detector::shares;

/// A [`RobustEwma`] of each column; the score is the largest distance, in standard deviations.
///
/// It learns on with every row, and sees neither relations nor anything that lasts. Source: as [`RobustEwma`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    levels: Vec<RobustEwma>,
    /// Distances of the last row, without sign.
    #[serde(with = "crate::saved")]
    last: Vec<f64>,
}

impl Levels {
    /// Rows will have `n_columns` values; `weight` of the newest one, 0 to 1.
    pub fn new(n_columns: usize, weight: f64) -> Levels {
        Levels { levels: vec![RobustEwma::new(weight); n_columns], last: vec![f64::NAN; n_columns] }
    }
}

impl Detector for Levels {
    /// NaN where no column says anything, as in the first rows. Cost: O(d), no allocation.
    ///
    /// ```
    /// use analytics::{Detector, detect::levels::Levels};
    /// let mut levels = Levels::new(2, 0.5);
    /// assert!(levels.push(&[10.0, 5.0]).is_nan());
    /// assert!(levels.push(&[12.0, 5.0]).is_nan()); // nothing had moved before
    /// assert!(levels.push(&[1000.0, 5.0]) > 100.0);
    /// assert_eq!(levels.blame(), [1.0, 0.0]);
    /// ```
    fn push(&mut self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.levels.len());
        for ((level, value), last) in self.levels.iter_mut().zip(row).zip(&mut self.last) {
            *last = level.push(*value).abs();
        }
        self.last.iter().copied().fold(f64::NAN, f64::max)
    }

    /// Squares of the distances.
    fn blame(&self) -> Vec<f64> {
        let square = |z: &f64| if z.is_nan() { 0.0 } else { z.min(1e100).powi(2) };
        shares(self.last.iter().map(square).collect())
    }
}
