//! What all detectors of rows have in common, and what is found with them.

use std::ops::Range;

use crate::Frame;

/// Says of each row of a stream how unusual it is, and which columns make it so.
///
/// How it learns what is usual is its own affair: some are fitted to a table before ([`Mahalanobis::fit`],
/// [`IsolationForest::fit`], [`Watch::new`]), others learn from the rows that they judge.
/// What it says of a row may depend on the rows before it. None panics on any numbers; NaN is a missing value.
///
/// [`Mahalanobis::fit`]: crate::detect::mahalanobis::Mahalanobis::fit
/// [`IsolationForest::fit`]: crate::detect::isolation::IsolationForest::fit
/// [`Watch::new`]: crate::monitor::Watch::new
pub trait Detector {
    /// The score of the next row, larger is more unusual; NaN where it cannot say.
    ///
    /// # Panics
    /// When `row` has another number of values than the rows that it knows.
    fn push(&mut self, row: &[f64]) -> f64;

    /// Each column's share in the score of the row pushed last: d values, not negative, sum 1; all 0, or none at all, where it
    /// cannot say.
    fn blame(&self) -> Vec<f64>;

    /// Appends one score per row.
    fn score(&mut self, frame: &Frame, scores: &mut Vec<f64>) {
        let mut row = Vec::new();
        for row_idx in 0..frame.n_rows() {
            frame.copy_row(row_idx, &mut row);
            scores.push(self.push(&row));
        }
    }
}

/// Rows that follow each other and are all unusual.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Which rows.
    pub rows: Range<usize>,
    /// Time of the first of them, µs.
    pub began_us: i64,
    /// Time of the last of them, µs.
    pub ended_us: i64,
    /// The highest score of these rows, over the limit.
    pub strength: f64,
    /// What the detector blamed for it, strongest first: column and share, those without a share left out.
    pub columns: Vec<(usize, f64)>,
}

/// What `detector` finds in `frame`: one finding per run of rows whose scores lie above `limit`, in time order.
///
/// NaN scores are not above it and end a finding. Cost: that of the scores, and of one [`Detector::blame`] for each row that
/// is the strongest of its run so far.
///
/// ```
/// use analytics::{Detector, Frame, detect::mahalanobis::Mahalanobis, findings};
/// // Two sensors that take the values −1 and 1, each as often with either value of the other.
/// let normal: Vec<f64> = (0..40).flat_map(|n| [n % 2, n / 2 % 2].map(|bit| f64::from(2 * bit - 1))).collect();
/// let mut detector = Mahalanobis::new(0, 0.0);
/// detector.fit(&Frame::from_rows(2, &normal));
/// let rows = [1.0, 1.0, 1.0, 4.0, 1.0, 7.0, 1.0, -1.0];
/// let found = findings(&mut detector, &Frame::from_rows(2, &rows), 5.0);
/// assert_eq!((found.len(), found[0].rows.clone(), found[0].began_us), (1, 1..3, 1_000_000));
/// assert!((found[0].strength - 5.0).abs() < 1e-3); // (1² + 7²) / 2 over 5
/// assert_eq!(found[0].columns[0].0, 1);
/// assert!((found[0].columns[0].1 - 0.98).abs() < 1e-3); // 7² of 1² + 7²
/// ```
///
/// # Panics
/// As [`Detector::push`].
pub fn findings(detector: &mut dyn Detector, frame: &Frame, limit: f64) -> Vec<Finding> {
    let mut found: Vec<Finding> = Vec::new();
    let mut row = Vec::new();
    for (row_idx, &time_us) in frame.times_us.iter().enumerate() {
        frame.copy_row(row_idx, &mut row);
        let strength = detector.push(&row) / limit;
        if strength.is_nan() || strength <= 1.0 {
            continue;
        }
        match found.last_mut().filter(|last| last.rows.end == row_idx) {
            Some(last) => {
                (last.rows.end, last.ended_us) = (row_idx + 1, time_us);
                if strength > last.strength {
                    (last.strength, last.columns) = (strength, ranked(&detector.blame()));
                }
            }
            None => found.push(Finding {
                rows: row_idx..row_idx + 1,
                began_us: time_us,
                ended_us: time_us,
                strength,
                columns: ranked(&detector.blame()),
            }),
        }
    }
    found
}

fn ranked(shares: &[f64]) -> Vec<(usize, f64)> {
    let mut columns: Vec<(usize, f64)> =
        shares.iter().copied().enumerate().filter(|(_, share)| *share > 0.0).collect();
    columns.sort_by(|a, b| b.1.total_cmp(&a.1));
    columns
}

/// Parts that are not negative to shares that sum up to 1; all 0 where there is nothing to share.
pub(crate) fn shares(mut parts: Vec<f64>) -> Vec<f64> {
    let sum: f64 = parts.iter().sum();
    let scale = if sum > 0.0 && sum.is_finite() { 1.0 / sum } else { 0.0 };
    parts.iter_mut().for_each(|part| *part *= scale);
    parts
}
