//! Puts likely values where some are missing. What is filled is an estimate and must be marked as one.

use crate::stats;

/// How a gap is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// The last value before it.
    Hold,
    /// A straight line between its neighbors.
    Linear,
    /// What was usual at this place of a period of so many rows, moved to meet the neighbors.
    Seasonal {
        /// Rows per period.
        period: usize,
    },
}

/// Fills gaps (NaN) of at most `max_rows` rows and says which rows were filled.
///
/// `values`: n values at equal distances. A gap at the start or the end has one neighbor only: it is held, or for
/// seasonal filling moved to meet that one. A gap that is too long, and one without any neighbor, stays. O(n),
/// seasonal O(n + n·log n per period).
///
/// Source: last observation carried forward and interpolation, Little & Rubin (2002), "Statistical analysis with missing
/// data", §4; seasonal: the line is drawn through what the seasonally adjusted neighbors are, Moritz & Bartz-Beielstein
/// (2017), "imputeTS: time series missing value imputation in R", `na_seadec`, with medians as season.
///
/// ```
/// use analytics::clean::{Fill, fill};
/// let mut values = [1.0, f64::NAN, 3.0, f64::NAN, f64::NAN, f64::NAN, 7.0];
/// assert_eq!(fill(&mut values, Fill::Linear, 2), [1]);
/// assert_eq!(values[1], 2.0);
/// assert!(values[4].is_nan()); // longer than two
/// let mut days = [1.0, 9.0, 1.0, 9.0, 1.0, f64::NAN, 1.0, 9.0];
/// fill(&mut days, Fill::Seasonal { period: 2 }, 1);
/// assert_eq!(days[5], 9.0);
/// ```
pub fn fill(values: &mut [f64], how: Fill, max_rows: usize) -> Vec<usize> {
    let pattern = match how {
        Fill::Seasonal { period } => seasonal_pattern(values, period.max(1)),
        Fill::Hold | Fill::Linear => vec![0.0],
    };
    let usual = |row_idx: usize| pattern[row_idx % pattern.len()];
    let mut filled = Vec::new();
    let mut start = 0;
    while start < values.len() {
        if !values[start].is_nan() {
            start += 1;
            continue;
        }
        let length = values[start..].iter().take_while(|value| value.is_nan()).count();
        let end = start + length;
        // What the neighbors have above the pattern is drawn as a line across the gap.
        let before = start.checked_sub(1).map(|row_idx| values[row_idx] - usual(row_idx));
        let after = values.get(end).map(|value| value - usual(end)).filter(|_| how != Fill::Hold);
        let (left, right) = (before.or(after), after.or(before));
        if let (Some(left), Some(right), true) = (left, right, length <= max_rows) {
            for (step, value) in values[start..end].iter_mut().enumerate() {
                let share = (step + 1) as f64 / (length + 1) as f64;
                *value = usual(start + step) + left + (right - left) * share;
            }
            filled.extend(start..end);
        }
        start = end;
    }
    filled
}

/// Median of every place in the period; a place never seen gets the median of all.
pub(super) fn seasonal_pattern(values: &[f64], period: usize) -> Vec<f64> {
    let all = median(values.to_vec());
    let place = |phase: usize| median(values.iter().skip(phase).step_by(period).copied().collect());
    (0..period)
        .map(place)
        .map(|usual| if usual.is_nan() { all } else { usual })
        .map(|usual| if usual.is_nan() { 0.0 } else { usual })
        .collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.retain(|value| value.is_finite());
    if values.is_empty() {
        return f64::NAN;
    }
    stats::median(&mut values)
}
