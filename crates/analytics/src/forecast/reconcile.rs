//! Forecasts of lines, halls and plant made to add up.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::Error;

/// How far each forecast may be moved.
#[derive(Clone, Debug, PartialEq)]
pub enum Weights {
    /// All alike (ordinary least squares).
    Equal,
    /// In proportion to how many parts a sum has (structural scaling).
    Structural,
    /// In proportion to the variance of its past errors, one per series.
    Variances(Vec<f64>),
    /// By past errors and how they go together: one list per series of one-step errors, all of the same length,
    /// shrunk towards independence (minimum trace).
    Errors(Vec<Vec<f64>>),
}

/// The forecasts closest to `base` that add up.
///
/// `sums`: per series, the summands among the b lowest ones, as a row of b numbers (a lowest one has a single 1);
/// the lowest series come last and in order. `base`: one forecast per series.
/// Cost: O(n·b² + b³), with [`Weights::Errors`] also O(n³).
///
/// Source: Wickramasuriya, Athanasopoulos & Hyndman (2019), "Optimal forecast reconciliation … through trace
/// minimization", eq. 9; shrinkage of correlations after Schäfer & Strimmer (2005).
///
/// # Errors
/// If lengths differ, a forecast is not finite, a variance is not above 0, or the sums leave a series undetermined.
///
/// ```
/// use analytics::forecast::{Weights, reconcile};
/// // A plant of two lines: 10 was foreseen for it, 4 and 3 for the lines.
/// let sums = [vec![1.0, 1.0], vec![1.0, 0.0], vec![0.0, 1.0]];
/// let found = reconcile(&sums, &[10.0, 4.0, 3.0], &Weights::Equal).unwrap();
/// // The gap of 3 is shared alike: plant −1, lines +1.
/// let expected = [9.0, 5.0, 4.0];
/// assert!(found.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9));
/// ```
pub fn reconcile(sums: &[Vec<f64>], base: &[f64], weights: &Weights) -> Result<Vec<f64>, Error> {
    let n = sums.len();
    let n_lowest = sums.first().map_or(0, Vec::len);
    let ragged = |what, found, expected| Err(Error::Ragged { what, found, expected });
    if base.len() != n {
        return ragged("base", base.len(), n);
    }
    if let Some(row) = sums.iter().find(|row| row.len() != n_lowest) {
        return ragged("a row of sums", row.len(), n_lowest);
    }
    if n_lowest == 0 || base.iter().any(|x| !x.is_finite()) {
        return Err(Error::NotFinite);
    }
    let summing = Mat::from_fn(n, n_lowest, |i, j| sums[i][j]);
    let base = Mat::from_fn(n, 1, |i, _| base[i]);
    let covariance = covariance(sums, weights)?;
    let cholesky = covariance.llt(Side::Lower).map_err(|_| Error::Singular)?;
    let weighted = cholesky.solve(&summing);
    let normal = summing.transpose() * &weighted;
    let right = weighted.transpose() * &base;
    let lowest = normal.llt(Side::Lower).map_err(|_| Error::Singular)?.solve(&right);
    let found = &summing * &lowest;
    let found: Vec<f64> = (0..n).map(|i| found[(i, 0)]).collect();
    if found.iter().all(|x| x.is_finite()) { Ok(found) } else { Err(Error::Singular) }
}

fn covariance(sums: &[Vec<f64>], weights: &Weights) -> Result<Mat<f64>, Error> {
    let n = sums.len();
    let diagonal = |values: Vec<f64>| {
        if values.len() != n {
            return Err(Error::Ragged { what: "the weights", found: values.len(), expected: n });
        }
        match values.iter().find(|value| !(**value > 0.0 && value.is_finite())) {
            Some(value) => {
                let range = "the numbers above 0";
                Err(Error::OutOfRange { name: "variance", value: *value, range })
            }
            None => Ok(Mat::from_fn(n, n, |i, j| if i == j { values[i] } else { 0.0 })),
        }
    };
    match weights {
        Weights::Equal => diagonal(vec![1.0; n]),
        Weights::Structural => diagonal(sums.iter().map(|row| row.iter().sum()).collect()),
        Weights::Variances(values) => diagonal(values.clone()),
        Weights::Errors(errors) => shrunk(errors, n),
    }
}

/// Covariance of errors about 0 with correlations shrunk by λ = Σ Var(r) / Σ r².
fn shrunk(errors: &[Vec<f64>], n: usize) -> Result<Mat<f64>, Error> {
    let length = errors.first().map_or(0, Vec::len);
    if errors.len() != n {
        return Err(Error::Ragged { what: "the errors", found: errors.len(), expected: n });
    }
    if let Some(of) = errors.iter().find(|of| of.len() != length) {
        return Err(Error::Ragged {
            what: "errors of a series",
            found: of.len(),
            expected: length,
        });
    }
    if length < 3 {
        return Err(Error::TooShort { found: length, least: 3 });
    }
    let t = length as f64;
    let scale: Vec<f64> =
        errors.iter().map(|of| (of.iter().map(|x| x * x).sum::<f64>() / t).sqrt()).collect();
    if scale.iter().any(|x| !(*x > 0.0 && x.is_finite())) {
        return Err(Error::Singular);
    }
    let (mut noise, mut signal) = (0.0, 0.0);
    let mut correlations = Mat::<f64>::identity(n, n);
    for i in 0..n {
        for j in 0..i {
            let products =
                errors[i].iter().zip(&errors[j]).map(|(a, b)| a * b / (scale[i] * scale[j]));
            let (sum, squares) = products.fold((0.0, 0.0), |(s, q), x| (s + x, q + x * x));
            let mean = sum / t;
            noise += (squares / t - mean * mean) / (t - 1.0);
            signal += mean * mean;
            (correlations[(i, j)], correlations[(j, i)]) = (mean, mean);
        }
    }
    let shrinkage = if signal > 0.0 { (noise / signal).clamp(0.0, 1.0) } else { 1.0 };
    let kept = |i: usize, j: usize| if i == j { 1.0 } else { 1.0 - shrinkage };
    Ok(Mat::from_fn(n, n, |i, j| correlations[(i, j)] * kept(i, j) * scale[i] * scale[j]))
}
