//! Coordinates in which normal rows are independent with variance 1.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use crate::stats::dot;

/// A direction that varies less than this, in standard deviations given the ones before it, is a sum of the others.
const LEAST_PIVOT: f64 = 1e-6;

/// L⁻¹ for the covariance L·Lᵀ, the rows of its lower triangle one after another; `None` if the covariance is not clearly
/// positive definite.
///
/// Source: Kessy, Lewin & Strimmer (2018), "Optimal whitening and decorrelation", table 1 (Cholesky, of the covariance itself).
/// Cost: O(d³).
pub(crate) fn whitening(covariance: &Mat<f64>) -> Option<Vec<f64>> {
    let d = covariance.nrows();
    let deviations: Vec<f64> = (0..d).map(|i| covariance[(i, i)].sqrt()).collect();
    let correlation =
        Mat::from_fn(d, d, |i, j| covariance[(i, j)] / (deviations[i] * deviations[j]));
    let factor = correlation.llt(Side::Lower).ok()?;
    let lower = factor.L().to_owned();
    if (0..d).any(|i| lower[(i, i)].is_nan() || lower[(i, i)] < LEAST_PIVOT) {
        return None;
    }
    let inverse = lower.partial_piv_lu().solve(Mat::<f64>::identity(d, d));
    let row = |i: usize| (0..=i).map(move |j| (i, j));
    Some((0..d).flat_map(row).map(|(i, j)| inverse[(i, j)] / deviations[j]).collect())
}

/// Independent values of a row about its center, in standard deviations. Cost: O(d²/2), no allocation.
pub(crate) fn whitened<'a>(whitening: &'a [f64], row: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
    let mut rest = whitening;
    (1..=row.len()).map(move |n| {
        let (weights, after) = rest.split_at(n);
        rest = after;
        dot(weights, &row[..n])
    })
}

/// By how much the squared length of the whitened row would fall if one value were free, for each of its values.
///
/// Source: Alcala & Qin (2009), "Reconstruction-based contribution for process monitoring", eq. 14: (P x)ᵢ² / Pᵢᵢ with
/// P = L⁻ᵀ L⁻¹. Cost: O(d²).
pub(crate) fn reconstructed(whitening: &[f64], row: &[f64]) -> Vec<f64> {
    let mut slopes = vec![(0.0, 0.0); row.len()];
    let mut rest = whitening;
    for (n, z) in (1..).zip(whitened(whitening, row)) {
        let (weights, after) = rest.split_at(n);
        rest = after;
        for ((slope, bend), weight) in slopes.iter_mut().zip(weights) {
            *slope += weight * z;
            *bend += weight * weight;
        }
    }
    slopes.iter().map(|(slope, bend)| slope * slope / bend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(covariance: [[f64; 2]; 2], expected: Option<[f64; 3]>) {
        let found = whitening(&Mat::from_fn(2, 2, |i, j| covariance[i][j]));
        assert_eq!(found.is_some(), expected.is_some(), "{found:?}");
        for (found, expected) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((found - expected).abs() < 1e-12, "{found} instead of {expected}");
        }
    }

    #[test]
    fn the_inverse_factor_can_be_checked_by_hand() {
        // L = [[2, 0], [1, 3]], so L⁻¹ = [[1/2, 0], [−1/6, 1/3]].
        check([[4.0, 2.0], [2.0, 10.0]], Some([0.5, -1.0 / 6.0, 1.0 / 3.0]));
        check([[1.0, 1.0], [1.0, 1.0]], None);
        check([[1.0, 0.0], [0.0, 0.0]], None);
        check([[1.0, 0.0], [0.0, f64::NAN]], None);
        let values: Vec<f64> = whitened(&[0.5, -1.0 / 6.0, 1.0 / 3.0], &[2.0, 4.0]).collect();
        assert!((values[0] - 1.0).abs() < 1e-12 && (values[1] - 1.0).abs() < 1e-12, "{values:?}");
        // Of variances 1 and 4, the row (1, 4) lies 1² + (4 / 2)² away.
        assert_eq!(reconstructed(&[1.0, 0.0, 0.5], &[1.0, 4.0]), [1.0, 4.0]);
    }
}
