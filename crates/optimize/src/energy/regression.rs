//! Least squares where some coefficients must not be negative, and plain linear systems.

use crate::statistics::dot;

/// Sums of products of columns, from which coefficients follow.
pub(super) struct Normal {
    n_columns: usize,
    gram: Vec<f64>,
    right: Vec<f64>,
    squares: f64,
}

impl Normal {
    /// `columns`: each of the length of `y`, without NaN.
    pub(super) fn new(columns: &[&[f64]], y: &[f64]) -> Self {
        let n_columns = columns.len();
        let mut gram = vec![0.0; n_columns * n_columns];
        for (i, a) in columns.iter().enumerate() {
            for (j, b) in columns.iter().enumerate().take(i + 1) {
                gram[i * n_columns + j] = dot(a, b);
                gram[j * n_columns + i] = gram[i * n_columns + j];
            }
        }
        let right = columns.iter().map(|column| dot(column, y)).collect();
        Self { n_columns, gram, right, squares: dot(y, y) }
    }

    /// Coefficients of least squares, the first free, the others not negative, with the sum of squared errors.
    ///
    /// Coordinate descent, exact for this convex problem in the limit; a column of zeros gets 0.
    pub(super) fn solve(&self) -> (Vec<f64>, f64) {
        let n = self.n_columns;
        let mut x = vec![0.0; n];
        for _ in 0..2000 {
            let mut change = 0.0_f64;
            for i in 0..n {
                let own = self.gram[i * n + i];
                if own <= 0.0 {
                    continue;
                }
                let others: f64 =
                    (0..n).filter(|j| *j != i).map(|j| self.gram[i * n + j] * x[j]).sum();
                let best = (self.right[i] - others) / own;
                let best = if i == 0 { best } else { best.max(0.0) };
                change = change.max((best - x[i]).abs() * own.sqrt());
                x[i] = best;
            }
            if change <= 1e-9 * self.squares.sqrt() {
                break;
            }
        }
        let error = self.error(&x);
        (x, error)
    }

    fn error(&self, x: &[f64]) -> f64 {
        let n = self.n_columns;
        let quadratic: f64 =
            (0..n).map(|i| x[i] * (0..n).map(|j| self.gram[i * n + j] * x[j]).sum::<f64>()).sum();
        let linear: f64 = x.iter().zip(&self.right).map(|(x, r)| x * r).sum();
        (self.squares - 2.0 * linear + quadratic).max(0.0)
    }
}

/// Gauss elimination with pivots; a row without a pivot gets 0.
pub(super) fn eliminate(system: &mut [Vec<f64>]) -> Vec<f64> {
    let n = system.len();
    for column in 0..n {
        let pivot = (column..n)
            .max_by(|a, b| system[*a][column].abs().total_cmp(&system[*b][column].abs()));
        let Some(pivot) = pivot.filter(|row| system[*row][column].abs() > 1e-300) else { continue };
        system.swap(column, pivot);
        let top = system[column].clone();
        for row in system.iter_mut().skip(column + 1) {
            let factor = row[column] / top[column];
            row.iter_mut().zip(&top).for_each(|(own, top)| *own -= factor * top);
        }
    }
    let mut x = vec![0.0; n];
    for row in (0..n).rev() {
        let known: f64 = (row + 1..n).map(|column| system[row][column] * x[column]).sum();
        let pivot = system[row][row];
        x[row] = if pivot.abs() > 1e-300 { (system[row][n] - known) / pivot } else { 0.0 };
    }
    x
}
