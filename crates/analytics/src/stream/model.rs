//! What one regime looks like when all is well: center, scale, directions, and how unusual a row may be.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ChiSquared, ContinuousCDF};

use super::relations;
use crate::stats::dot;
use crate::tail::Tail;

/// Blocks of the cross-validation that sets the limit.
const BLOCKS: usize = 5;
/// The tail of the scores begins at this quantile.
const TAIL_FROM: f64 = 0.95;
/// A column of which less than this share of the training rows is there is not used.
const MIN_PRESENT: f64 = 0.5;
/// Fewer rows than this are no model.
const MIN_ROWS: usize = 10;
/// Standard deviations beyond which a value of a training row, or of a trend, says no more.
pub(super) const OUTLYING: f64 = 4.0;
/// Standard deviations beyond which any value says no more.
const LARGEST: f64 = 50.0;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Model {
    #[serde(with = "crate::saved")]
    center: Vec<f64>,
    /// 0 for a column that is not used.
    #[serde(with = "crate::saved")]
    scale: Vec<f64>,
    /// One direction after another, d values each; training rows have variance 1 along each.
    #[serde(with = "crate::saved")]
    directions: Vec<f64>,
    /// What that variance may be in rows to come.
    #[serde(with = "crate::saved")]
    spreads: Vec<f64>,
    /// d × d, row-major: the M of the combined index of a row.
    #[serde(with = "crate::saved")]
    pub(super) m: Vec<f64>,
    #[serde(with = "crate::saved")]
    pub(super) median: f64,
    tail: Tail,
    /// The budget.
    #[serde(with = "crate::saved")]
    pub(super) rows_per_false_alarm: f64,
    /// The index that a row passes once in the budget.
    #[serde(with = "crate::saved")]
    pub(super) limit: f64,
    /// T² that a normally distributed trend passes once in the budget, over the number of directions.
    #[serde(with = "crate::saved")]
    pub(super) trend_limit: f64,
}

/// Tail of the scores, at least so long that a limit beyond it has some room.
fn tail_of(scores: &mut [f64]) -> Tail {
    scores.sort_unstable_by(f64::total_cmp);
    let start = ((scores.len() as f64 * TAIL_FROM) as usize).min(scores.len() - 1);
    let tail = Tail::above(scores, start);
    Tail { mean: tail.mean.max(1e-9 + tail.from * 0.01), ..tail }
}

impl Model {
    /// Fits rows (row-major, time order, NaN missing); none when no column can be used.
    pub(super) fn fit(rows: &[f64], d: usize, limit_rows: f64) -> Option<Model> {
        let n_rows = rows.len() / d.max(1);
        let mut scores = Vec::with_capacity(n_rows);
        let mut z = vec![0.0; d];
        for block in 0..BLOCKS {
            let (from, to) = (n_rows * block / BLOCKS, n_rows * (block + 1) / BLOCKS);
            let mut others = Vec::with_capacity(rows.len());
            others.extend_from_slice(&rows[..from * d]);
            others.extend_from_slice(&rows[to * d..]);
            let model = Model::without_limit(&others, d)?;
            for row in rows[from * d..to * d].chunks_exact(d) {
                if model.standardize(row, &mut z) {
                    scores.push(model.index(&z));
                }
            }
        }
        let mut model = Model::without_limit(rows, d)?;
        if scores.is_empty() {
            return None;
        }
        model.tail = tail_of(&mut scores);
        model.median = scores[scores.len() / 2].max(1e-6);
        model.set_budget(limit_rows);
        Some(model)
    }

    /// Sets the limits so that about one row in `rows` passes them.
    pub(super) fn set_budget(&mut self, rows: f64) {
        self.rows_per_false_alarm = rows;
        self.limit = self.tail.passed((rows.max(1.0) * self.tail.share).max(1.0));
        let freedom = self.spreads.len().max(1) as f64;
        let rare = 1.0 / rows.max(2.0);
        let quantile = ChiSquared::new(freedom).map(|chi| chi.inverse_cdf(1.0 - rare));
        self.trend_limit = quantile.unwrap_or(f64::INFINITY) / freedom;
    }

    fn without_limit(rows: &[f64], d: usize) -> Option<Model> {
        let (center, scale) = (0..d).map(|column| center_and_scale(rows, d, column)).unzip();
        let mut model = Model {
            center,
            scale,
            directions: Vec::new(),
            spreads: Vec::new(),
            m: vec![0.0; d * d],
            median: 1.0,
            tail: Tail { from: 1.0, mean: 1.0, share: 1.0 },
            rows_per_false_alarm: f64::INFINITY,
            limit: f64::INFINITY,
            trend_limit: f64::INFINITY,
        };
        let used: Vec<usize> = (0..d).filter(|column| model.scale[*column] > 0.0).collect();
        let mut standardized = Vec::with_capacity(rows.len());
        let mut z = vec![0.0; d];
        for row in rows.chunks_exact(d) {
            if model.standardize(row, &mut z) {
                standardized.extend(z.iter().map(|z| z.clamp(-OUTLYING, OUTLYING)));
            }
        }
        if used.is_empty() || standardized.len() < MIN_ROWS * d {
            return None;
        }
        let found = relations::directions(&standardized, d, &used)?;
        (model.directions, model.spreads) = (found.vectors, found.spreads);
        let mut m = std::mem::take(&mut model.m);
        model.fill_matrix(&mut m, |_, spread| spread);
        model.m = m;
        Some(model)
    }

    /// M = Σ u uᵀ / v over the k directions u, divided by k; `variance` gives v for a direction and its spread.
    pub(super) fn fill_matrix(&self, m: &mut [f64], variance: impl Fn(&[f64], f64) -> f64) {
        let d = self.center.len();
        m.fill(0.0);
        for (vector, spread) in self.directions.chunks_exact(d).zip(&self.spreads) {
            let weight = 1.0 / (variance(vector, *spread) * self.spreads.len() as f64);
            for (row, u) in m.chunks_exact_mut(d).zip(vector) {
                row.iter_mut().zip(vector).for_each(|(m, v)| *m += weight * u * v);
            }
        }
    }

    /// Standardizes into `z`, missing values at their center; false when more than half is missing.
    pub(super) fn standardize(&self, row: &[f64], z: &mut [f64]) -> bool {
        let mut n_used = 0;
        let mut n_there = 0;
        for (((z, value), center), scale) in
            z.iter_mut().zip(row).zip(&self.center).zip(&self.scale)
        {
            *z = 0.0;
            if *scale > 0.0 {
                n_used += 1;
                if value.is_finite() {
                    n_there += 1;
                    *z = ((value - center) / scale).clamp(-LARGEST, LARGEST);
                }
            }
        }
        2 * n_there >= n_used && n_used > 0
    }

    /// φ(z) = zᵀ M z, about 1 for the rows it was fitted to.
    pub(super) fn index(&self, z: &[f64]) -> f64 {
        quadratic(&self.m, z)
    }

    /// How far the center of another model is from this one's, as the squared length in standard deviations.
    pub(super) fn distance_to(&self, other: &Model) -> f64 {
        let mut z = vec![0.0; self.center.len()];
        self.standardize(&other.center, &mut z);
        self.index(&z) * z.len() as f64
    }

    /// How values standardized by this model are turned into those of `newer`: factor and offset of a column.
    pub(super) fn moved(&self, newer: &Model, column: usize) -> (f64, f64) {
        let scale = newer.scale[column];
        if scale <= 0.0 {
            return (0.0, 0.0);
        }
        (self.scale[column] / scale, (self.center[column] - newer.center[column]) / scale)
    }

    /// Whether both look at the same columns.
    pub(super) fn uses_columns_of(&self, other: &Model) -> bool {
        self.scale.iter().zip(&other.scale).all(|(a, b)| (*a > 0.0) == (*b > 0.0))
    }
}

/// zᵀ M z, not below 0.
pub(super) fn quadratic(m: &[f64], z: &[f64]) -> f64 {
    let sum: f64 = m.chunks_exact(z.len()).zip(z).map(|(row, zi)| zi * dot(row, z)).sum();
    sum.max(0.0)
}

/// A center and a scale that neither outliers nor a resting signal fool; scale 0: not usable.
fn center_and_scale(rows: &[f64], d: usize, column: usize) -> (f64, f64) {
    let mut values: Vec<f64> =
        rows.iter().skip(column).step_by(d).copied().filter(|value| value.is_finite()).collect();
    if (values.len() as f64) < MIN_PRESENT * (rows.len() / d) as f64 || values.len() < MIN_ROWS {
        return (0.0, 0.0);
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let median = at(0.5);
    // Half the width that holds 90 % of normal noise, as standard deviations; the MAD would be 0 for a signal
    // that rests on one value most of the time.
    let scale = (at(0.95) - at(0.05)) / 3.29;
    if scale <= 1e-9 * median.abs() || !scale.is_finite() {
        return (median, 0.0);
    }
    // The median of a coarse sensor lies on one of its steps; a trend needs the mean between them.
    let near = values
        .iter()
        .map(|value| value.clamp(median - OUTLYING * scale, median + OUTLYING * scale));
    (near.sum::<f64>() / values.len() as f64, scale)
}
