//! Puts likely values where some are missing, from the other signals and from the signal's own neighbors.
//!
//! ```text
//! hole in column j, rows a..b ──► made-up holes of that length, where j is known ──► regression of j on
//!                                                                                     its own edges, its season,
//!                                                                                     the other columns
//! ```

mod regression;

use std::collections::BTreeMap;
use std::ops::Range;

use super::fill::seasonal_pattern;
use crate::Frame;
use regression::{Regression, Source};

/// Rows from the nearest edge up to which the same weights hold; beyond the last one it is all the same.
const DISTANCES: [usize; 5] = [1, 3, 10, 30, 100];

/// One value put in for a missing one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Which column.
    pub column: usize,
    /// Which row.
    pub row_idx: usize,
    /// The value, in the unit of the column.
    pub value: f64,
    /// Standard deviation of the value, in the unit of the column, as seen in made-up holes that the regression had not
    /// learned from. NaN where there were too few of them.
    pub sigma: f64,
    /// What it rests on.
    pub basis: Basis,
}

/// What an estimate rests on: the quality mark of a filled value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// What the other columns say at that row, and the column's own neighbors.
    Others,
    /// The column's own neighbors and its season; the others were missing too, or said nothing.
    Own,
    /// The straight line between the neighbors, because nothing better was found.
    Line,
}

/// Fills holes (NaN) of at most `max_rows` rows by their conditional mean, and says of every value how sure it is.
///
/// `frame`: rows at equal distances. `period`: rows per season, if there is one. A value is estimated from the line
/// between the neighbors of its hole, the line between their local means, the season, and the other columns at that row:
/// as they are and as they stand above their own lines. The weights are a ridge regression learned from made-up
/// holes of the same length elsewhere in the column; the second half of every stretch of time checks what the first
/// half learned, and the reverse. What wins there is used: all of it, the column alone, or the plain line. Where
/// others are missing at the same rows, it is learned without them. Measured values never change, and estimates are
/// never evidence for others. A hole at the start or the end has one neighbor only; a hole without neighbors stays.
/// Infinite values are no evidence and are not filled.
///
/// Cost: per length of hole (rounded up to 1, 2, 3, 4, 6, 8, 12, …), distance from the edge and set of columns at hand
/// some 10 ms, O(n · d) besides.
///
/// Source: the conditional mean of jointly normal values, Whittaker (1990), "Graphical models in applied multivariate
/// statistics", prop. 5.5.1, with regularization as Schneider (2001), "Analysis of incomplete climate data", eq. 6;
/// departure: learned for each kind of hole, so that neighbors in time count as far as they are near.
///
/// ```
/// use analytics::{Frame, clean::{Basis, estimate}};
/// // The second signal is ten times the first one, which jumps up and down.
/// let first = |n: i32| f64::from(n * n * 7 % 31);
/// let rows: Vec<f64> = (0..400).flat_map(|n| [first(n), 10.0 * first(n)]).collect();
/// let mut frame = Frame::from_rows(2, &rows);
/// frame.columns[1][200] = f64::NAN;
/// let found = estimate(&mut frame, None, 10);
/// assert_eq!((found[0].column, found[0].row_idx, found[0].basis), (1, 200, Basis::Others));
/// assert!((found[0].value - 10.0 * first(200)).abs() < 1.0 && found[0].sigma < 1.0);
/// ```
pub fn estimate(frame: &mut Frame, period: Option<usize>, max_rows: usize) -> Vec<Estimate> {
    let mut found = Vec::new();
    for column in 0..frame.n_columns() {
        let holes = holes(&frame.columns[column], max_rows);
        if !holes.is_empty() {
            let mut filler = Filler::new(frame, column, period);
            holes.into_iter().for_each(|hole| filler.fill(hole, &mut found));
        }
    }
    for of in &found {
        frame.columns[of.column][of.row_idx] = of.value;
    }
    found
}

/// Runs of NaN with a finite neighbor.
fn holes(values: &[f64], max_rows: usize) -> Vec<Range<usize>> {
    let mut holes = Vec::new();
    let mut start = 0;
    while start < values.len() {
        let length = values[start..].iter().take_while(|value| value.is_nan()).count();
        let end = start + length;
        let has_neighbor = (start > 0 && values[start - 1].is_finite())
            || values.get(end).is_some_and(|value| value.is_finite());
        if (1..=max_rows).contains(&length) && has_neighbor {
            holes.push(start..end);
        }
        start = end + 1;
    }
    holes
}

/// What has been learned for one column.
struct Filler<'a> {
    source: Source<'a>,
    learned: BTreeMap<Kind, Option<Regression>>,
}

/// Holes that share a regression.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Kind {
    n_rows: usize,
    distance: usize,
    has_left: bool,
    has_right: bool,
    others: Vec<usize>,
}

impl<'a> Filler<'a> {
    fn new(frame: &'a Frame, column: usize, period: Option<usize>) -> Filler<'a> {
        let pattern = match period {
            Some(period) if period > 1 => seasonal_pattern(&frame.columns[column], period),
            _ => Vec::new(),
        };
        Filler { source: Source::new(&frame.columns, column, pattern), learned: BTreeMap::new() }
    }

    fn fill(&mut self, hole: Range<usize>, found: &mut Vec<Estimate>) {
        let values = self.source.own();
        let has_left = hole.start > 0 && values[hole.start - 1].is_finite();
        let has_right = values.get(hole.end).is_some_and(|value| value.is_finite());
        for row_idx in hole.clone() {
            let kind = Kind {
                n_rows: rounded(hole.len()),
                distance: distance_class(&hole, row_idx, has_left, has_right),
                has_left,
                has_right,
                others: self.source.at_hand(row_idx),
            };
            let source = &self.source;
            let learned =
                self.learned.entry(kind).or_insert_with_key(|kind| Regression::learn(source, kind));
            let line = source.line(hole.clone(), row_idx, has_left, has_right);
            let (value, sigma, basis) = match learned {
                Some(learned) => learned.value(source, hole.clone(), row_idx, line),
                None => (line, f64::NAN, Basis::Line),
            };
            found.push(Estimate { column: source.column(), row_idx, value, sigma, basis });
        }
    }
}

/// The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, …, so that few lengths need a regression of their own.
fn rounded(n_rows: usize) -> usize {
    let half = n_rows.next_power_of_two() / 4 * 3;
    if half >= n_rows { half } else { n_rows.next_power_of_two() }
}

fn distance_class(hole: &Range<usize>, row_idx: usize, has_left: bool, has_right: bool) -> usize {
    let left = if has_left { row_idx + 1 - hole.start } else { usize::MAX };
    let right = if has_right { hole.end - row_idx } else { usize::MAX };
    DISTANCES.partition_point(|most| *most < left.min(right))
}

#[cfg(test)]
mod tests;
