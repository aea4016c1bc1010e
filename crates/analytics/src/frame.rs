//! The table that everything learns from and judges: time-ordered rows of f64, one column per signal.

/// `n` rows in time order × `d` columns; NaN is a missing value.
///
/// ```
/// use analytics::Frame;
/// let frame = Frame::from_rows(2, &[1.0, 10.0, 2.0, 20.0, 3.0, f64::NAN]);
/// assert_eq!((frame.n_rows(), frame.n_columns()), (3, 2));
/// assert_eq!(frame.rows(1..3).columns[0], [2.0, 3.0]);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Frame {
    /// Time of each row, µs, not decreasing.
    pub times_us: Vec<i64>,
    /// One vector of `n` values per column.
    pub columns: Vec<Vec<f64>>,
}

impl Frame {
    /// A frame of the same interval between rows, 1 s. `values` is row-major; a rest shorter than a row is ignored.
    pub fn from_rows(n_columns: usize, values: &[f64]) -> Frame {
        let n_rows = values.len() / n_columns.max(1);
        let column = |column: usize| {
            (0..n_rows).map(|row_idx| values[row_idx * n_columns + column]).collect()
        };
        Frame {
            times_us: (0..n_rows as i64).map(|row_idx| row_idx * 1_000_000).collect(),
            columns: (0..n_columns).map(column).collect(),
        }
    }

    /// How many rows there are.
    pub fn n_rows(&self) -> usize {
        self.times_us.len()
    }

    /// How many columns there are.
    pub fn n_columns(&self) -> usize {
        self.columns.len()
    }

    /// Copies row `row_idx` into `row`.
    ///
    /// # Panics
    /// When the row does not exist.
    pub fn copy_row(&self, row_idx: usize, row: &mut Vec<f64>) {
        row.clear();
        row.extend(self.columns.iter().map(|column| column[row_idx]));
    }

    /// A copy of some consecutive rows.
    ///
    /// # Panics
    /// When the range reaches beyond the frame.
    pub fn rows(&self, range: std::ops::Range<usize>) -> Frame {
        Frame {
            times_us: self.times_us[range.clone()].to_vec(),
            columns: self.columns.iter().map(|column| column[range.clone()].to_vec()).collect(),
        }
    }

    /// A copy without some consecutive rows.
    ///
    /// # Panics
    /// When the range reaches beyond the frame.
    pub fn without(&self, range: std::ops::Range<usize>) -> Frame {
        fn cut<T: Copy>(all: &[T], range: &std::ops::Range<usize>) -> Vec<T> {
            all[..range.start].iter().chain(&all[range.end..]).copied().collect()
        }
        Frame {
            times_us: cut(&self.times_us, &range),
            columns: self.columns.iter().map(|column| cut(column, &range)).collect(),
        }
    }
}
