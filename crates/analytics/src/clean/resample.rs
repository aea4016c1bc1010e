//! Brings signals with their own times onto common rows.

use crate::Frame;

/// How the samples of one step become one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aggregate {
    /// Mean of the samples in the step.
    Mean,
    /// The last sample in the step.
    Last,
    /// The last sample at or before the step's end, however old up to `max_hold_us`.
    Hold {
        /// Age beyond which it is missing, µs.
        max_hold_us: i64,
    },
}

/// Rows at every multiple of `step_us` from `from_us` up to, not including, `to_us`.
///
/// `signals`: times in µs, not decreasing, and as many values, per column. The row at t covers [t, t + step). NaN values
/// are left out; a step without a value is NaN. Cost: O(samples + rows).
///
/// Source: the aggregates Average and End of OPC UA Part 13 over intervals that hold their start but not their end; holding
/// is that standard's stepped interpolation with a limit of age. Nothing is interpolated between samples.
///
/// ```
/// use analytics::clean::{Aggregate, align};
/// let fast = (vec![0, 1, 2, 3], vec![1.0, 3.0, 5.0, 7.0]);
/// let slow = (vec![0], vec![9.0]);
/// let frame = align(&[(&fast.0, &fast.1), (&slow.0, &slow.1)], 0, 4, 2, Aggregate::Mean);
/// assert_eq!(frame.columns[0], [2.0, 6.0]);
/// assert!(frame.columns[1][1].is_nan());
/// ```
///
/// # Panics
/// When `step_us` is not positive.
pub fn align(
    signals: &[(&[i64], &[f64])],
    from_us: i64,
    to_us: i64,
    step_us: i64,
    aggregate: Aggregate,
) -> Frame {
    assert!(step_us > 0, "a step takes time");
    let n_rows = (to_us.saturating_sub(from_us).max(0) as u64).div_ceil(step_us as u64) as i64;
    let times_us: Vec<i64> = (0..n_rows).map(|row| from_us + row * step_us).collect();
    let columns = signals
        .iter()
        .map(|(times, values)| column(times, values, &times_us, step_us, aggregate))
        .collect();
    Frame { times_us, columns }
}

fn column(
    times: &[i64],
    values: &[f64],
    rows_us: &[i64],
    step_us: i64,
    aggregate: Aggregate,
) -> Vec<f64> {
    let mut next =
        rows_us.first().map_or(0, |from_us| times.partition_point(|time_us| time_us < from_us));
    let mut held = (0..next).rev().find(|idx| !values[*idx].is_nan());
    let row = |row_us: &i64| {
        let (mut sum, mut n, mut last) = (0.0, 0.0, f64::NAN);
        while next < times.len().min(values.len()) && times[next] < row_us + step_us {
            if !values[next].is_nan() {
                sum += values[next];
                n += 1.0;
                last = values[next];
                held = Some(next);
            }
            next += 1;
        }
        match aggregate {
            Aggregate::Mean => sum / n,
            Aggregate::Last => last,
            Aggregate::Hold { max_hold_us } => held
                .filter(|idx| row_us + step_us - 1 - times[*idx] <= max_hold_us)
                .map_or(f64::NAN, |idx| values[idx]),
        }
    };
    rows_us.iter().map(row).collect()
}
