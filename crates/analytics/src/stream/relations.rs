//! What few rows can say about how columns belong together, and how much of it can be trusted.
//!
//! Rows that are close in time are alike. A temperature that has wandered up and down twice in 400 rows has been
//! seen four times, not 400 times: its spread and its correlations are little more than guesses. So every series
//! gets the number of independent rows it is worth (variance of block means; Bartlett (1946), "On the theoretical
//! specification of sampling properties of autocorrelated time series"), and correlations and variances are
//! believed only that far.

use faer::{Mat, Side};
use statrs::distribution::{ContinuousCDF, Normal, StudentsT};

use crate::stats::dot;

/// Into how many blocks a series is cut to see whether it wanders.
const BLOCKS: [usize; 4] = [40, 20, 10, 5];
/// A correlation is believed as far as it stands out of so many squared standard errors of none.
const SQUARED_ERRORS: f64 = 4.0;
/// The probability at which a small sample must not be taken for a large one.
const RARE: f64 = 1e-4;
/// Share of variance that the leading directions of a group explain; the rest is noise of the sensors.
const EXPLAINED: f64 = 0.9;

/// Directions in standardized values along which normal rows vary independently.
pub(super) struct Directions {
    /// One after another, each as long as there are columns, scaled so that training rows have variance 1.
    pub(super) vectors: Vec<f64>,
    /// By how much the variance of new rows may be larger than that of the training rows, at least 1.
    pub(super) spreads: Vec<f64>,
}

/// How many rows of `values` tell as much as one independent row, at least 1.
///
/// NaN-free, time order; 1 for a series that is constant or shorter than 10.
/// ```text
/// max over b of  b · var(means of blocks of b rows) / var(rows)
/// ```
pub(super) fn memory_rows(values: &[f64]) -> f64 {
    let variance = variance_of(values.iter().copied());
    if variance <= 0.0 {
        return 1.0;
    }
    let ratio = |n_blocks: usize| {
        let length = values.len() / n_blocks;
        let means = values.chunks_exact(length.max(1)).map(mean_of);
        length as f64 * variance_of(means) / variance
    };
    let fits = |n_blocks: &usize| values.len() >= 2 * n_blocks;
    BLOCKS.into_iter().filter(fits).map(ratio).fold(1.0, f64::max)
}

/// Directions of rows `z` (row-major, standardized, 0 where missing) in the columns `used`; none when they cannot be had.
pub(super) fn directions(z: &[f64], d: usize, used: &[usize]) -> Option<Directions> {
    let n_rows = z.len() / d.max(1);
    let correlation = believed_correlation(z, d, used);
    let sigmas: Vec<f64> = used.iter().map(|column| sigma_of(z, d, *column)).collect();
    let mut vectors = Vec::with_capacity(used.len() * d);
    for group in groups(&correlation) {
        let part = Mat::from_fn(group.len(), group.len(), |i, j| correlation[(group[i], group[j])]);
        let eigen = part.self_adjoint_eigen(Side::Lower).ok()?;
        let variances: Vec<f64> =
            (0..group.len()).map(|idx| eigen.S().column_vector()[idx]).collect();
        let floor = residual_floor(&variances);
        for (idx, variance) in variances.iter().enumerate() {
            let weight = 1.0 / variance.max(floor).max(1e-9).sqrt();
            let mut vector = vec![0.0; d];
            for (i, member) in group.iter().enumerate() {
                vector[used[*member]] = weight * eigen.U()[(i, idx)] / sigmas[*member];
            }
            vectors.extend(vector);
        }
    }
    let spread = |vector: &[f64]| {
        let along: Vec<f64> = z.chunks_exact(d).map(|row| dot(vector, row)).collect();
        spread_of_new_rows(n_rows as f64 / memory_rows(&along))
    };
    let spreads = vectors.chunks_exact(d).map(spread).collect();
    Some(Directions { vectors, spreads })
}

/// How much wider a limit must be when the variance comes from `n_independent` normal rows, as a variance.
///
/// Ratio of the squared quantiles of Student's t with `n_independent` − 1 degrees of freedom and the normal
/// distribution (Student (1908)), at a fixed small probability.
pub(super) fn spread_of_new_rows(n_independent: f64) -> f64 {
    let freedom = (n_independent - 1.0).max(1.0);
    let quantile = 1.0 - RARE / 2.0;
    let (Ok(student), Ok(normal)) = (StudentsT::new(0.0, 1.0, freedom), Normal::new(0.0, 1.0))
    else {
        return f64::INFINITY;
    };
    (student.inverse_cdf(quantile) / normal.inverse_cdf(quantile)).powi(2).max(1.0)
}

/// Correlations of the used columns, each shrunk by how little the rows can say about it: what a pair of unrelated
/// series of the same memory would show is not believed (positive-part shrinkage, James & Stein (1961)).
fn believed_correlation(z: &[f64], d: usize, used: &[usize]) -> Mat<f64> {
    let n_rows = (z.len() / d.max(1)) as f64;
    let series =
        |column: usize| -> Vec<f64> { z.iter().skip(column).step_by(d).copied().collect() };
    let memories: Vec<f64> = used.iter().map(|column| memory_rows(&series(*column))).collect();
    // A little of the identity keeps redundant sensors apart; more of it while rows are few.
    let shrink = (used.len() as f64 / n_rows.max(1.0)).clamp(0.01, 0.5);
    let mut correlation = Mat::<f64>::identity(used.len(), used.len());
    for i in 0..used.len() {
        for j in 0..i {
            let r = correlation_of(z, d, used[i], used[j]);
            let n_independent = n_rows / (memories[i] * memories[j]).sqrt();
            let error = SQUARED_ERRORS * (1.0 - r * r).powi(2) / n_independent.max(1.0);
            let believed = if r * r > error { r * (1.0 - error / (r * r)) } else { 0.0 };
            correlation[(i, j)] = (1.0 - shrink) * believed;
            correlation[(j, i)] = correlation[(i, j)];
        }
    }
    correlation
}

/// Columns that hang together by correlations, as lists of indices.
fn groups(correlation: &Mat<f64>) -> Vec<Vec<usize>> {
    let n = correlation.nrows();
    let mut is_taken = vec![false; n];
    let mut groups = Vec::new();
    for start in 0..n {
        if is_taken[start] {
            continue;
        }
        is_taken[start] = true;
        let mut group = vec![start];
        let mut next = 0;
        while next < group.len() {
            for other in 0..n {
                if !is_taken[other] && correlation[(group[next], other)] != 0.0 {
                    is_taken[other] = true;
                    group.push(other);
                }
            }
            next += 1;
        }
        groups.push(group);
    }
    groups
}

/// Half of the mean variance of the directions that are not needed to explain the group; variances ascend.
fn residual_floor(variances: &[f64]) -> f64 {
    let total: f64 = variances.iter().sum();
    let mut explained = 0.0;
    let mut n_rest = variances.len();
    while n_rest > 0 && explained < EXPLAINED * total {
        n_rest -= 1;
        explained += variances[n_rest];
    }
    let rest: f64 = variances[..n_rest].iter().map(|variance| variance.max(0.0)).sum();
    rest / (2.0 * n_rest.max(1) as f64)
}

fn correlation_of(z: &[f64], d: usize, a: usize, b: usize) -> f64 {
    let mean =
        |column: usize| z.iter().skip(column).step_by(d).sum::<f64>() * d as f64 / z.len() as f64;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for row in z.chunks_exact(d) {
        let (x, y) = (row[a] - mean_a, row[b] - mean_b);
        aa += x * x;
        bb += y * y;
        ab += x * y;
    }
    ab / (aa * bb).sqrt().max(f64::MIN_POSITIVE)
}

fn sigma_of(z: &[f64], d: usize, column: usize) -> f64 {
    variance_of(z.iter().skip(column).step_by(d).copied()).sqrt().max(1e-6)
}

fn mean_of(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

/// Unbiased; 0 for fewer than two values.
fn variance_of(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let n = values.clone().count() as f64;
    if n < 2.0 {
        return 0.0;
    }
    let mean = values.clone().sum::<f64>() / n;
    values.map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn a_wandering_series_is_worth_few_rows() {
        let mut noise = Noise::new(1);
        let white: Vec<f64> = (0..400).map(|_| noise.normal()).collect();
        let mut level = 0.0;
        let walk: Vec<f64> = (0..400)
            .map(|_| {
                level += noise.normal();
                level
            })
            .collect();
        assert!(memory_rows(&white) < 4.0);
        assert!(memory_rows(&walk) > 20.0);
        assert_eq!(memory_rows(&[3.0; 50]), 1.0);
        assert_eq!(memory_rows(&[]), 1.0);
    }

    /// Student's t at 0.99995: 3.906 for 1000 degrees of freedom, 15.544 for 4; the normal quantile is 3.891.
    #[test]
    fn few_independent_rows_widen_the_limit_as_students_t_does() {
        assert!((spread_of_new_rows(1001.0) - (3.906_f64 / 3.891).powi(2)).abs() < 0.01);
        assert!((spread_of_new_rows(5.0) - (15.544_f64 / 3.891).powi(2)).abs() < 0.02);
        assert!(spread_of_new_rows(0.0) > 1e6);
    }

    #[test]
    fn unrelated_columns_stay_apart_and_related_ones_come_together() {
        let mut noise = Noise::new(2);
        let z: Vec<f64> = (0..500)
            .flat_map(|_| {
                let shared = noise.normal();
                [shared + 0.1 * noise.normal(), noise.normal(), shared + 0.1 * noise.normal()]
            })
            .collect();
        let found = groups(&believed_correlation(&z, 3, &[0, 1, 2]));
        assert_eq!(found, [vec![0, 2], vec![1]]);
        let directions = directions(&z, 3, &[0, 1, 2]).expect("there are rows");
        for vector in directions.vectors.chunks_exact(3) {
            let along = z.chunks_exact(3).map(|row| dot(vector, row));
            assert!((0.3..1.2).contains(&variance_of(along)), "{vector:?}");
        }
    }
}
