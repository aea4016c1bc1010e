//! Finds the two maps of a monitor.

use faer::{Mat, Side};

use super::{FitError, Method, Monitor, Options, Rest};
use crate::Frame;

/// Variances below this share of the largest are noise of the arithmetic.
const RANK_FLOOR: f64 = 1e-10;

/// Standardized windows as the rows of a matrix, newest row of each first.
pub(super) struct Windows {
    pub(super) values: Mat<f64>,
    pub(super) center: Vec<f64>,
    pub(super) weight: Vec<f64>,
}

/// Rows of A and of B.
struct Maps {
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
}

pub(super) fn fit(frame: &Frame, options: Options) -> Result<Monitor, FitError> {
    let d = frame.n_columns();
    let window = match options.method {
        Method::Pca { lags, .. } => lags + 1,
        Method::Cva { past, .. } => past.max(1),
    };
    let components = match options.method {
        Method::Pca { components, .. } => components,
        Method::Cva { states, .. } => states,
    };
    let span = match options.method {
        Method::Pca { .. } => window,
        Method::Cva { future, .. } => window + future.max(1),
    };
    let n_windows = (frame.n_rows() + 1).saturating_sub(span);
    let dimensions = window * d;
    if n_windows < 10 || components > dimensions || dimensions == 0 {
        return Err(FitError::TooSmall { dimensions, rows: n_windows, components });
    }
    let windows = Windows::of(frame, span)?;
    let maps = match options.method {
        Method::Pca { .. } => principal(&windows.values, components, options.shrinkage)?,
        Method::Cva { rest, outputs, .. } => {
            let values = windows.with_outputs(dimensions, outputs.unwrap_or(d));
            canonical(&values, dimensions, components, rest, options.shrinkage)?
        }
    };
    let diagonal = |rows: &[Vec<f64>]| {
        (0..dimensions).map(|idx| rows.iter().map(|row| row[idx] * row[idx]).sum()).collect()
    };
    Ok(Monitor {
        options,
        n_columns: d,
        window,
        center: windows.center,
        weight: windows.weight,
        n_a: maps.a.len() * dimensions,
        diagonals: [diagonal(&maps.a), diagonal(&maps.b)],
        maps: maps.a.into_iter().chain(maps.b).flatten().collect(),
    })
}

impl Windows {
    pub(super) fn of(frame: &Frame, span: usize) -> Result<Windows, FitError> {
        let d = frame.n_columns();
        let (center, weight): (Vec<f64>, Vec<f64>) =
            frame.columns.iter().map(|column| center_and_weight(column)).unzip();
        if weight.iter().all(|weight| *weight == 0.0) {
            return Err(FitError::NothingMoves);
        }
        let n_windows = frame.n_rows() + 1 - span;
        let values = Mat::from_fn(n_windows, span * d, |window_idx, idx| {
            let (lag, column) = (idx / d, idx % d);
            let value = frame.columns[column][window_idx + span - 1 - lag];
            let z = (value - center[column]) * weight[column];
            if z.is_finite() { z } else { 0.0 }
        });
        Ok(Windows { values, center, weight })
    }

    /// The windows with only the first `outputs` columns of each row of the future.
    fn with_outputs(&self, past_dimensions: usize, outputs: usize) -> Mat<f64> {
        let n_future = self.values.ncols() - past_dimensions;
        let d = self.center.len();
        let kept: Vec<usize> =
            (0..self.values.ncols()).filter(|idx| *idx >= n_future || idx % d < outputs).collect();
        Mat::from_fn(self.values.nrows(), kept.len(), |row, idx| self.values[(row, kept[idx])])
    }
}

/// Mean and one over the standard deviation of the finite values; weight 0 where nothing moves.
fn center_and_weight(column: &[f64]) -> (f64, f64) {
    let finite = || column.iter().filter(|value| value.is_finite());
    let n = finite().count() as f64;
    if n < 2.0 {
        return (0.0, 0.0);
    }
    let mean = finite().sum::<f64>() / n;
    let variance = finite().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    let sigma = variance.sqrt();
    let moves = sigma.is_finite() && sigma > 1e-12 * mean.abs();
    (mean, if moves { 1.0 / sigma } else { 0.0 })
}

/// (1 − s)·XᵀY/(n − 1), plus s·I where X and Y are the same columns.
pub(super) fn covariance(
    windows: &Mat<f64>,
    rows: std::ops::Range<usize>,
    columns: std::ops::Range<usize>,
    shrinkage: f64,
) -> Mat<f64> {
    let n = windows.nrows();
    let part = |range: &std::ops::Range<usize>| windows.as_ref().subcols(range.start, range.len());
    let mut product = part(&rows).transpose() * part(&columns);
    let scale = (1.0 - shrinkage) / (n as f64 - 1.0).max(1.0);
    let same = rows == columns;
    for j in 0..product.ncols() {
        for i in 0..product.nrows() {
            let identity = if same && i == j { shrinkage } else { 0.0 };
            product[(i, j)] = product[(i, j)] * scale + identity;
        }
    }
    product
}

/// Eigenvectors by falling eigenvalue.
pub(super) fn eigen(matrix: &Mat<f64>) -> Result<Vec<(f64, Vec<f64>)>, FitError> {
    let n = matrix.nrows();
    let eigen = matrix.self_adjoint_eigen(Side::Lower).map_err(|_| FitError::NoConvergence)?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    Ok((0..n)
        .rev()
        .map(|idx| (values[idx], (0..n).map(|row| vectors[(row, idx)]).collect()))
        .collect())
}

/// A = Λ^-½ Pᵀ over the first components, B the other eigenvectors: |B z|² = |z − P Pᵀ z|².
fn principal(windows: &Mat<f64>, components: usize, shrinkage: f64) -> Result<Maps, FitError> {
    let all = 0..windows.ncols();
    let pairs = eigen(&covariance(windows, all.clone(), all, shrinkage))?;
    let floor = pairs[0].0 * RANK_FLOOR;
    let scaled = |(value, vector): &(f64, Vec<f64>)| -> Vec<f64> {
        let weight = if *value > floor { 1.0 / value.sqrt() } else { 0.0 };
        vector.iter().map(|x| x * weight).collect()
    };
    Ok(Maps {
        a: pairs[..components].iter().map(scaled).collect(),
        b: pairs[components..].iter().map(|(_, vector)| vector.clone()).collect(),
    })
}

/// Σ^-½, without the directions that the rows do not have.
fn inverse_root(matrix: &Mat<f64>) -> Result<Mat<f64>, FitError> {
    let pairs = eigen(matrix)?;
    let n = matrix.nrows();
    let floor = pairs[0].0 * RANK_FLOOR;
    let scaled = Mat::from_fn(n, n, |row, idx| {
        let (value, vector) = &pairs[idx];
        if *value > floor { vector[row] / value.sqrt().sqrt() } else { 0.0 }
    });
    Ok(&scaled * scaled.transpose())
}

/// J = Uᵀ Σpp^-½ with U from the singular value decomposition of Σpp^-½ Σpf Σff^-½.
fn canonical(
    windows: &Mat<f64>,
    dimensions: usize,
    states: usize,
    rest: Rest,
    shrinkage: f64,
) -> Result<Maps, FitError> {
    // A window's newest rows are the future.
    let future = 0..windows.ncols() - dimensions;
    let past = future.end..windows.ncols();
    let past_root = inverse_root(&covariance(windows, past.clone(), past.clone(), shrinkage))?;
    let future_root =
        inverse_root(&covariance(windows, future.clone(), future.clone(), shrinkage))?;
    let cross = covariance(windows, past, future, shrinkage);
    let coherence = &past_root * &cross * &future_root;
    // The left singular vectors, all of them: the eigenvectors of C Cᵀ.
    let pairs = eigen(&(&coherence * coherence.transpose()))?;
    let variate = |(_, vector): &(f64, Vec<f64>)| -> Vec<f64> {
        (0..dimensions)
            .map(|column| (0..dimensions).map(|row| vector[row] * past_root[(row, column)]).sum())
            .collect()
    };
    let variates: Vec<Vec<f64>> = pairs.iter().map(variate).collect();
    let (a, others) = variates.split_at(states);
    let b = match rest {
        Rest::Variates => others.to_vec(),
        Rest::Residual => residual(a, dimensions),
    };
    Ok(Maps { a: a.to_vec(), b })
}

/// The rows of I − AᵀA.
fn residual(a: &[Vec<f64>], dimensions: usize) -> Vec<Vec<f64>> {
    let entry = |i: usize, j: usize| {
        let identity = if i == j { 1.0 } else { 0.0 };
        identity - a.iter().map(|row| row[i] * row[j]).sum::<f64>()
    };
    (0..dimensions).map(|i| (0..dimensions).map(|j| entry(i, j)).collect()).collect()
}
