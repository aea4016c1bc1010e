//! Many steps ahead at once by one linear map of the last values, in closed form.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

use super::Error;

/// Windows gathered before they are added to the normal equations.
const BLOCK: usize = 1024;

/// A linear map from the last `n_lags` values to the next `horizon` ones, both about the mean of the former.
///
/// This is what the transformers of the long-horizon benchmarks are measured against, and equal to.
/// Source: Toner & Darlow (2024), "An analysis of linear time series forecasting models", eq. 14 (closed form with
/// instance normalization).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ridge {
    n_lags: usize,
    horizon: usize,
    /// horizon × n_lags, row-major.
    #[serde(with = "crate::saved")]
    weights: Vec<f64>,
}

impl Ridge {
    /// Learns from all windows of `series`, which may be several of the same kind.
    ///
    /// Windows with a missing value are left out. `penalty` is relative: times the mean square of the lags about their
    /// window's mean and times the number of windows. Cost: O(windows · n_lags²), O(n_lags²) memory.
    ///
    /// # Errors
    /// If no series has a whole window without missing values, or the penalty is negative or too small to solve.
    ///
    /// ```
    /// use analytics::forecast::Ridge;
    /// let wave: Vec<f64> = (0..200).map(|i| 5.0 + (f64::from(i) * 0.5).sin()).collect();
    /// let model = Ridge::fit(&[&wave[..]], 24, 8, 1e-8).unwrap();
    /// let ahead = model.predict(&wave[..100]).unwrap();
    /// assert!(ahead.iter().zip(&wave[100..]).all(|(a, b)| (a - b).abs() < 1e-3));
    /// ```
    pub fn fit(
        series: &[&[f64]],
        n_lags: usize,
        horizon: usize,
        penalty: f64,
    ) -> Result<Ridge, Error> {
        let mut found = Ridge::fit_each(series, n_lags, horizon, &[penalty])?;
        found.pop().ok_or(Error::Singular)
    }

    /// As [`Ridge::fit`], for several penalties at little more than the cost of one: to choose among them by validation.
    ///
    /// # Errors
    /// As for [`Ridge::fit`].
    pub fn fit_each(
        series: &[&[f64]],
        n_lags: usize,
        horizon: usize,
        penalties: &[f64],
    ) -> Result<Vec<Ridge>, Error> {
        if n_lags < 2 || horizon == 0 {
            let (name, value) =
                if horizon == 0 { ("horizon", 0.0) } else { ("n_lags", n_lags as f64) };
            return Err(Error::OutOfRange {
                name,
                value,
                range: "the numbers from 2 (horizon from 1)",
            });
        }
        if let Some(penalty) = penalties.iter().find(|penalty| !(0.0..=f64::MAX).contains(*penalty))
        {
            let range = "0 and the positive numbers";
            return Err(Error::OutOfRange { name: "penalty", value: *penalty, range });
        }
        let mut sums = Sums::new(n_lags, horizon);
        for values in series {
            sums.add(values);
        }
        penalties.iter().map(|penalty| sums.solve(*penalty)).collect()
    }

    /// The next `horizon` values after `history`, of which the last `n_lags` count.
    ///
    /// # Errors
    /// If the history is too short or a value that counts is missing.
    pub fn predict(&self, history: &[f64]) -> Result<Vec<f64>, Error> {
        let found = history.len();
        let from = found.checked_sub(self.n_lags);
        let window = &history[from.ok_or(Error::TooShort { found, least: self.n_lags })?..];
        let mean = window.iter().sum::<f64>() / self.n_lags as f64;
        if !mean.is_finite() {
            return Err(Error::NotFinite);
        }
        let ahead = |row: &[f64]| {
            mean + row.iter().zip(window).map(|(weight, x)| weight * (x - mean)).sum::<f64>()
        };
        Ok(self.weights.chunks_exact(self.n_lags).map(ahead).collect())
    }

    /// Steps ahead.
    pub fn horizon(&self) -> usize {
        self.horizon
    }
}

/// The normal equations, gathered window by window.
struct Sums {
    n_lags: usize,
    horizon: usize,
    n_windows: usize,
    squares: Mat<f64>,
    products: Mat<f64>,
}

impl Sums {
    fn new(n_lags: usize, horizon: usize) -> Sums {
        let (squares, products) = (Mat::zeros(n_lags, n_lags), Mat::zeros(n_lags, horizon));
        Sums { n_lags, horizon, n_windows: 0, squares, products }
    }

    fn add(&mut self, values: &[f64]) {
        let length = self.n_lags + self.horizon;
        let mut block: Vec<(&[f64], f64)> = Vec::with_capacity(BLOCK);
        for window in values.windows(length) {
            let mean = window[..self.n_lags].iter().sum::<f64>() / self.n_lags as f64;
            if window.iter().all(|x| x.is_finite()) {
                block.push((window, mean));
            }
            if block.len() == BLOCK {
                self.add_block(&block);
                block.clear();
            }
        }
        self.add_block(&block);
    }

    fn add_block(&mut self, block: &[(&[f64], f64)]) {
        if block.is_empty() {
            return;
        }
        let n = self.n_lags;
        let lags = Mat::from_fn(block.len(), n, |row, j| block[row].0[j] - block[row].1);
        let ahead =
            Mat::from_fn(block.len(), self.horizon, |row, j| block[row].0[n + j] - block[row].1);
        self.squares += lags.transpose() * &lags;
        self.products += lags.transpose() * &ahead;
        self.n_windows += block.len();
    }

    fn solve(&self, penalty: f64) -> Result<Ridge, Error> {
        let (n_lags, horizon) = (self.n_lags, self.horizon);
        if self.n_windows == 0 {
            return Err(Error::TooShort { found: 0, least: n_lags + horizon });
        }
        let mean_square = (0..n_lags).map(|i| self.squares[(i, i)]).sum::<f64>() / n_lags as f64;
        // The smallest addition at which the equations can be solved at all: lags about their mean are dependent.
        let add = (penalty.max(1e-12) * mean_square).max(f64::MIN_POSITIVE);
        let mut squares = self.squares.clone();
        (0..n_lags).for_each(|i| squares[(i, i)] += add);
        let cholesky = squares.llt(Side::Lower).map_err(|_| Error::Singular)?;
        let found = cholesky.solve(&self.products);
        let weights: Vec<f64> = (0..horizon)
            .flat_map(|h| (0..n_lags).map(move |i| (i, h)))
            .map(|at| found[at])
            .collect();
        if weights.iter().any(|x| !x.is_finite()) {
            return Err(Error::Singular);
        }
        Ok(Ridge { n_lags, horizon, weights })
    }
}
