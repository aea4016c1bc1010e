//! How far the rows of a fault usually are from each other.

use serde::{Deserialize, Serialize};

use super::Run;
use super::features::{MOST_ROWS, longest_residuals};
use crate::stats::{MAD_TO_SIGMA, median};

/// Rows of a fault that are kept, evenly spread.
const MAX_ROWS: usize = 500;
/// Rows closer in time than this share much of their windows and are no proof of likeness.
const NEAR: usize = MOST_ROWS / 2;
/// A column's scale is at least this share of the typical one over all columns.
const LEAST_SCALE: f64 = 0.1;

/// The residuals of a fault's rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Typical {
    /// Over scale, row by row.
    #[serde(with = "crate::saved")]
    rows: Vec<f64>,
    /// One over the scale of each column.
    #[serde(with = "crate::saved")]
    weight: Vec<f64>,
    /// Smoothed distance of each row to the nearest one that is not near in time, ascending.
    #[serde(with = "crate::saved")]
    usual: Vec<f64>,
}

impl Typical {
    pub(super) fn of(run: &Run, smoothing: f64) -> Typical {
        let step = run.len().div_ceil(MAX_ROWS);
        let kept: Vec<&[f64]> =
            run.iter().step_by(step).map(|row| longest_residuals(row)).collect();
        let weight = weights(&kept);
        let scaled = |row: &&[f64]| -> Vec<f64> {
            row.iter().zip(&weight).map(|(value, weight)| value * weight).collect()
        };
        let rows: Vec<Vec<f64>> = kept.iter().map(scaled).collect();
        let near = NEAR.div_ceil(step);
        let mut smooth: Option<f64> = None;
        let mut usual: Vec<f64> = (0..rows.len())
            .map(|at| {
                let others = (0..rows.len()).filter(|other| other.abs_diff(at) > near);
                let now = nearest(others.map(|other| square(&rows[at], &rows[other])));
                let before = smooth.unwrap_or(now);
                *smooth.insert(before + smoothing * (now - before))
            })
            .collect();
        usual.sort_unstable_by(f64::total_cmp);
        Typical { rows: rows.concat(), weight, usual }
    }

    /// Distance of a row's residuals to the nearest row of the fault; `scaled` is room to work in.
    pub(super) fn distance(&self, features: &[f64], scaled: &mut Vec<f64>) -> f64 {
        let residuals = longest_residuals(features).iter().zip(&self.weight);
        scaled.clear();
        scaled.extend(residuals.map(|(value, weight)| value * weight));
        nearest(self.rows.chunks_exact(scaled.len()).map(|row| square(row, scaled)))
    }

    /// Share of the fault's own rows that lie at least so far off; never 0.
    pub(super) fn share_beyond(&self, distance: f64) -> f64 {
        let n_below = self.usual.partition_point(|usual| *usual < distance);
        (1 + self.usual.len() - n_below) as f64 / (self.usual.len() + 1) as f64
    }
}

fn nearest(squares: impl Iterator<Item = f64>) -> f64 {
    squares.fold(f64::MAX, f64::min).sqrt()
}

fn square(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum()
}

/// One over 1.4826 times the median absolute deviation of each column, with a floor.
fn weights(rows: &[&[f64]]) -> Vec<f64> {
    let scale = |column: usize| {
        let mut values: Vec<f64> = rows.iter().map(|row| row[column]).collect();
        let center = median(&mut values);
        values.iter_mut().for_each(|value| *value = (*value - center).abs());
        MAD_TO_SIGMA * median(&mut values)
    };
    let scales: Vec<f64> = (0..rows[0].len()).map(scale).collect();
    let floor = LEAST_SCALE * median(&mut scales.clone());
    scales.iter().map(|scale| 1.0 / (scale + floor).max(1e-3)).collect()
}
