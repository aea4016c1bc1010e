//! Small shifts that last: exponentially weighted means of all columns, judged against how such means vary when all is well.
//!
//! ```text
//! e ← e + λ (z − e),   T² = Σ (u·e)² / (s v) / k,   v = variance of u·e in normal rows
//! ```
//!
//! Lowry, Woodall, Champ & Rigdon (1992), "A multivariate exponentially weighted moving average control chart",
//! eq. 1–3. There v is λ/(2 − λ), as neighboring rows are thought independent; here it is measured, because
//! neighboring rows are alike, and alike in another way whenever rows come in another rhythm. Until it is known, v
//! is 1, which no series of any memory exceeds. s widens the limit along directions in which the rows of this
//! rhythm have hardly varied yet: they are worth few independent rows. Where the trends of normal operation have
//! heavier tails than normal ones, their largest ones set the limit.

use serde::{Deserialize, Serialize};

use super::extremes::Extremes;
use super::model::{Model, OUTLYING, quadratic};
use super::relations::spread_of_new_rows;
use crate::stats::dot;

/// Weight of a new row in the trend.
const WEIGHT: f64 = 0.05;
/// Rows of one rhythm before the variance of trends in it is known.
const MIN_ROWS: f64 = 10.0 / WEIGHT;
/// Rows after which the oldest fade from what is known.
const MAX_ROWS: f64 = 50_000.0;
/// The matrix is made anew after this share of the rows that count.
const REFRESH_SHARE: f64 = 0.1;
/// Means of blocks of consecutive rows that are kept; when they are full, neighbors are merged.
const MAX_BLOCKS: usize = 80;
/// Trends of real machines have heavier tails than their middle shows, by about this factor.
const TAILS: f64 = 1.25;
/// Fewer blocks do not tell how far their means wander.
const MIN_BLOCKS: usize = 5;

/// How trends of one regime vary when all is well.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Trend {
    /// Rows learned from; of them the last [`MAX_ROWS`] count.
    #[serde(with = "crate::saved")]
    n_rows: f64,
    /// d × d, row-major: mean of e·eᵀ.
    #[serde(with = "crate::saved")]
    products: Vec<f64>,
    /// d × d, row-major: the matrix of T².
    #[serde(with = "crate::saved")]
    m: Vec<f64>,
    #[serde(with = "crate::saved")]
    next_refresh: f64,
    blocks: Blocks,
    extremes: Extremes,
    /// What T² passes once in the budget.
    #[serde(with = "crate::saved")]
    limit: f64,
}

/// Means of consecutive blocks of standardized rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Blocks {
    /// One block after another, d values each.
    #[serde(with = "crate::saved")]
    means: Vec<f64>,
    length: u64,
    #[serde(with = "crate::saved")]
    sum: Vec<f64>,
    n_in_sum: u64,
}

impl Trend {
    /// Knows nothing yet: trends are judged as single rows are.
    pub(super) fn new(model: &Model, d: usize, seed: u64) -> Trend {
        let mut trend = Trend {
            n_rows: 0.0,
            products: vec![0.0; d * d],
            m: vec![0.0; d * d],
            next_refresh: MIN_ROWS,
            blocks: Blocks::new(d),
            extremes: Extremes::new(seed),
            limit: f64::INFINITY,
        };
        trend.refresh(model);
        trend
    }

    /// Learns from consecutive rows; gives the trend with which they end in `level`.
    pub(super) fn learn_rows(&mut self, model: &Model, rows: &[f64], level: &mut [f64]) {
        let mut z = vec![0.0; level.len()];
        level.fill(0.0);
        for row in rows.chunks_exact(level.len()) {
            if model.standardize(row, &mut z) {
                follow(level, &z);
                self.learn(model, &z, level);
            }
        }
        self.refresh(model);
    }

    /// Learns from a normal row and the trend it leads to. Cost: O(d²), seldom O(d³); no allocation.
    pub(super) fn learn(&mut self, model: &Model, z: &[f64], level: &[f64]) {
        self.n_rows += 1.0;
        let n_rows = self.n_rows.min(MAX_ROWS);
        for (row, a) in self.products.chunks_exact_mut(level.len()).zip(level) {
            for (product, b) in row.iter_mut().zip(level) {
                *product += (a * b - *product) / n_rows;
            }
        }
        self.blocks.push(z);
        if self.n_rows >= self.next_refresh {
            self.refresh(model);
        }
        if self.n_rows >= MIN_ROWS && self.extremes.push(self.index(level)) {
            self.set_limit(model);
        }
    }

    /// T² over the number of directions.
    fn index(&self, level: &[f64]) -> f64 {
        quadratic(&self.m, level)
    }

    /// T² over what it passes once in the budget.
    pub(super) fn score(&self, level: &[f64]) -> f64 {
        self.index(level) / self.limit
    }

    /// What the score usually is, at most.
    pub(super) fn usual(&self) -> f64 {
        1.0 / self.limit
    }

    /// Follows the budget of the model.
    pub(super) fn set_limit(&mut self, model: &Model) {
        let seen = self.extremes.passed_once_in(model.rows_per_false_alarm).unwrap_or(0.0);
        self.limit = model.trend_limit.max(TAILS * seen);
    }

    /// Rows come in another rhythm: what is known no longer holds.
    pub(super) fn forget(&mut self, model: &Model) {
        self.n_rows = 0.0;
        self.products.fill(0.0);
        self.blocks.clear();
        self.extremes.clear();
        self.refresh(model);
    }

    /// Goes over to a newer model of the same regime.
    pub(super) fn follow_model(&mut self, old: &Model, new: &Model) {
        if !old.uses_columns_of(new) {
            self.forget(new);
            return;
        }
        let d = self.m.len().isqrt();
        for i in 0..d {
            let (factor_i, offset_i) = old.moved(new, i);
            for j in 0..d {
                let (factor_j, offset_j) = old.moved(new, j);
                let product = &mut self.products[i * d + j];
                *product = factor_i * factor_j * *product + offset_i * offset_j;
            }
            self.blocks.means.iter_mut().skip(i).step_by(d).for_each(|mean| {
                *mean = factor_i * *mean + offset_i;
            });
        }
        self.refresh(new);
    }

    fn refresh(&mut self, model: &Model) {
        let n_rows = self.n_rows.min(MAX_ROWS);
        self.next_refresh = (self.n_rows + REFRESH_SHARE * n_rows).max(MIN_ROWS);
        let (products, blocks) = (&self.products, &self.blocks);
        model.fill_matrix(&mut self.m, |vector, spread| {
            if n_rows < MIN_ROWS {
                return spread;
            }
            // A variance from few independent trends may be too small by about this much.
            let doubt = (1.0 + 1.0 / (n_rows * WEIGHT / 2.0).sqrt()).max(TAILS);
            let variance =
                (quadratic(products, vector) * doubt).clamp(WEIGHT / (2.0 - WEIGHT), 1.0);
            variance * spread.max(spread_of_new_rows(n_rows / blocks.memory_rows(vector)))
        });
        self.set_limit(model);
    }
}

impl Blocks {
    fn new(d: usize) -> Blocks {
        Blocks {
            means: Vec::with_capacity(MAX_BLOCKS * d),
            length: 1,
            sum: vec![0.0; d],
            n_in_sum: 0,
        }
    }

    fn push(&mut self, z: &[f64]) {
        self.means.reserve_exact(MAX_BLOCKS * z.len() - self.means.len());
        for (sum, z) in self.sum.iter_mut().zip(z) {
            *sum += z.clamp(-OUTLYING, OUTLYING);
        }
        self.n_in_sum += 1;
        if self.n_in_sum < self.length {
            return;
        }
        self.means.extend(self.sum.iter().map(|sum| sum / self.length as f64));
        self.sum.fill(0.0);
        self.n_in_sum = 0;
        if self.means.len() >= MAX_BLOCKS * z.len() {
            self.merge(z.len());
        }
    }

    fn merge(&mut self, d: usize) {
        for block in 0..MAX_BLOCKS / 2 {
            for column in 0..d {
                let pair = 2 * block * d + column;
                self.means[block * d + column] = 0.5 * (self.means[pair] + self.means[pair + d]);
            }
        }
        self.means.truncate(MAX_BLOCKS / 2 * d);
        self.length *= 2;
    }

    /// How many rows tell as much as one independent row along a direction in which rows have variance 1.
    fn memory_rows(&self, vector: &[f64]) -> f64 {
        let mut largest: f64 = 1.0;
        let d = vector.len();
        let mut n_merged = 1;
        while self.means.len() / d / n_merged >= MIN_BLOCKS {
            let along = self.means.chunks_exact(n_merged * d).map(|blocks| {
                blocks.chunks_exact(d).map(|mean| dot(vector, mean)).sum::<f64>() / n_merged as f64
            });
            let (n, squares) =
                along.fold((0.0, 0.0), |(n, squares), mean| (n + 1.0, squares + mean * mean));
            largest = largest.max(squares / n * (self.length * n_merged as u64) as f64);
            n_merged *= 2;
        }
        largest
    }

    fn clear(&mut self) {
        self.means.clear();
        self.length = 1;
        self.sum.fill(0.0);
        self.n_in_sum = 0;
    }
}

/// Moves a trend on by one standardized row; an outlier counts as a large value only.
pub(super) fn follow(level: &mut [f64], z: &[f64]) {
    for (level, z) in level.iter_mut().zip(z) {
        *level += WEIGHT * (z.clamp(-OUTLYING, OUTLYING) - *level);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matrix_is_made_anew_now_and_then_however_many_rows_there_were() {
        let rows: Vec<f64> = (0..400).map(|n| f64::from((n * 37) % 101) / 50.0 - 1.0).collect();
        let model = Model::fit(&rows, 2, 1e6).expect("both columns vary");
        let mut trend = Trend::new(&model, 2, 1);
        trend.n_rows = 2.0 * MAX_ROWS;
        trend.refresh(&model);
        let mut n_refreshed = 0;
        for row in rows.chunks_exact(2) {
            let before = trend.next_refresh;
            trend.learn(&model, row, row);
            n_refreshed += usize::from(trend.next_refresh != before);
        }
        assert_eq!((n_refreshed, trend.next_refresh), (0, 2.0 * MAX_ROWS + 0.1 * MAX_ROWS));
    }
}
