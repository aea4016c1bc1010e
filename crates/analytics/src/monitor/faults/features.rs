//! What the last rows look like: level, variation and residual of every column.

use serde::{Deserialize, Serialize};

use crate::monitor::Relation;

/// Over so many of the last rows.
const WINDOWS: [usize; 3] = [5, 20, MOST_ROWS];
/// Rows that are remembered.
pub(super) const MOST_ROWS: usize = 50;
/// A residual below this says nothing; it keeps the logarithm finite.
const QUIET: f64 = 0.1;

/// The last rows, as standardized values and squared residuals.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Recent {
    /// Ring of rows of 2 · d values.
    #[serde(with = "crate::saved")]
    rows: Vec<f64>,
    newest: usize,
}

/// Where the residuals over the longest window lie among the features of d columns.
pub(super) fn longest_residuals(features: &[f64]) -> &[f64] {
    let n_columns = features.len() / (3 * WINDOWS.len());
    &features[features.len() - n_columns..]
}

/// Sums over the rows of a window, one per column: of values, of their squares, and of squared residuals.
#[derive(Debug, Default)]
pub(super) struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
    residuals: Vec<f64>,
}

impl Sums {
    fn clear(&mut self, d: usize) {
        for sums in [&mut self.values, &mut self.squares, &mut self.residuals] {
            sums.clear();
            sums.resize(d, 0.0);
        }
    }

    /// Takes in d values and d squared residuals.
    fn add(&mut self, row: &[f64]) {
        let d = self.values.len();
        for column in 0..d {
            self.values[column] += row[column];
            self.squares[column] += row[column] * row[column];
            self.residuals[column] += row[d + column];
        }
    }
}

impl Recent {
    /// Takes the next row.
    pub(super) fn push(&mut self, relation: &Relation, window: &mut Vec<f64>, row: &[f64]) {
        let d = relation.n_columns();
        let n_rows = self.rows.len() / (2 * d);
        if n_rows < MOST_ROWS {
            self.newest = n_rows;
            self.rows.resize((n_rows + 1) * 2 * d, 0.0);
        } else {
            self.newest = (self.newest + 1) % MOST_ROWS;
        }
        let slot = &mut self.rows[self.newest * 2 * d..(self.newest + 1) * 2 * d];
        let (values, squares) = slot.split_at_mut(d);
        relation.push(window, row, squares);
        squares.iter_mut().for_each(|residual| *residual *= *residual);
        for (column, value) in values.iter_mut().enumerate() {
            *value = relation.standardize(column, row[column]);
        }
    }

    /// Writes 9 · d features of d columns: for each window the means, the standard deviations, and the logarithms of the
    /// root mean square residuals. Fewer rows are used while there are no more.
    pub(super) fn features(&self, d: usize, sums: &mut Sums, features: &mut Vec<f64>) {
        let n_rows = self.rows.len() / (2 * d);
        features.clear();
        sums.clear(d);
        let mut n = 0;
        for rows in WINDOWS {
            while n < rows.min(n_rows) {
                let slot = (self.newest + n_rows - n) % n_rows;
                sums.add(&self.rows[slot * 2 * d..(slot + 1) * 2 * d]);
                n += 1;
            }
            let count = n as f64;
            let mean = |sum: &f64| sum / count;
            features.extend(sums.values.iter().map(mean));
            let spread = sums.values.iter().zip(&sums.squares);
            features.extend(spread.map(|(s, q)| (q / count - (s / count).powi(2)).max(0.0).sqrt()));
            features.extend(sums.residuals.iter().map(|sum| (mean(sum).sqrt() + QUIET).ln()));
        }
    }
}
