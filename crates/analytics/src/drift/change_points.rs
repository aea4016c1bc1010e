//! Where a recorded signal changed its level or its spread.

use crate::stats;

/// What may change at a change point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The mean; the spread is taken as the same throughout.
    Mean,
    /// Mean and variance, of normal values.
    MeanAndVariance,
}

/// Most rows of which every one is tried as the beginning of a segment with a variance of its own.
const MOST_STARTS: usize = 5000;

/// Indices at which a new segment begins, ascending: the segmentation of least cost.
///
/// A change costs `penalty` times ln n; 3 suits independent values, more suits autocorrelated ones. No segment is
/// shorter than `min_rows` (at least 2). Values that are not finite are taken as the value before them.
///
/// For [`Change::Mean`] it is exact and costs about O(n log n), half a second for a million values. For
/// [`Change::MeanAndVariance`] it is exact up to 5000 values, where it costs O(n) when changes are many and O(n²), a quarter of a
/// second, when there is none. Longer records are screened first, in O(n log n): a segment then begins only where
/// a change would earn half its cost within one of the overlapping stretches of length 2, 4, 8, … `min_rows`. That leaves few
/// places, unless changes are many, and the segmentation into these is exact again.
///
/// Source: Killick, Fearnhead & Eckley (2012), "Optimal detection of changepoints with a linear computational cost"
/// (PELT), eq. 4, with normal likelihood, but a start is given up only for one that may itself begin a segment; for
/// [`Change::Mean`] besides the functional pruning of Maidstone, Hocking, Rigaill & Fearnhead (2017), "On optimal multiple
/// changepoint algorithms for large data" (FPOP), §4.2, once a segment is as long as it must be; the stretches are the seeded
/// intervals of Kovács, Bühlmann, Li & Munk (2023), "Seeded binary segmentation", definition 1 with decay 1/2; the variance comes
/// from the median absolute difference of neighbors.
///
/// ```
/// use analytics::drift::change_points::{Change, pelt};
/// let values: Vec<f64> = (0..60).map(|n| f64::from(n % 2) + if n >= 40 { 10.0 } else { 0.0 }).collect();
/// assert_eq!(pelt(&values, Change::Mean, 3.0, 2), [40]);
/// // The same mean, but ten times the spread from 30 on.
/// let values: Vec<f64> = (0..60).map(|n| f64::from(n % 2 * 2 - 1) * if n >= 30 { 10.0 } else { 1.0 }).collect();
/// assert_eq!(pelt(&values, Change::MeanAndVariance, 3.0, 2), [30]);
/// assert!(pelt(&[], Change::Mean, 3.0, 2).is_empty());
/// ```
pub fn pelt(values: &[f64], change: Change, penalty: f64, min_rows: usize) -> Vec<usize> {
    let n = values.len();
    let min_rows = min_rows.max(2);
    if n < 2 * min_rows {
        return Vec::new();
    }
    let sums = Sums::of(values);
    let beta = penalty * (n as f64).ln();
    let places = if change == Change::Mean || n <= MOST_STARTS {
        (min_rows..=n - min_rows).collect()
    } else {
        screened(&sums, beta, min_rows)
    };
    segmented(&sums, change, beta, min_rows, &places)
}

/// The segmentation of least cost of those whose segments begin at some of `places`, ascending and `min_rows` off both ends.
fn segmented(
    sums: &Sums,
    change: Change,
    beta: f64,
    min_rows: usize,
    places: &[usize],
) -> Vec<usize> {
    let n = sums.n_values();
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = -beta;
    let mut previous = vec![0; n + 1];
    let mut candidates: Vec<Candidate> = Vec::new();
    let mut starts = std::iter::once(0).chain(places.iter().copied()).peekable();
    for end in places.iter().copied().chain([n]) {
        while let Some(newest) = starts.next_if(|start| start + min_rows <= end) {
            // What could not win against the newest start, now that it is one, never will.
            if change == Change::Mean {
                compete(&mut candidates, newest, sums, &best);
            } else {
                candidates.retain(|of| {
                    best[of.start] + sums.cost(of.start, newest, change) <= best[newest]
                });
                candidates.push(Candidate::new(newest));
            }
        }
        for &Candidate { start, .. } in &candidates {
            let cost = best[start] + sums.cost(start, end, change) + beta;
            if cost < best[end] {
                best[end] = cost;
                previous[end] = start;
            }
        }
    }
    let mut points = Vec::new();
    let mut end = previous[n];
    while end > 0 {
        points.push(end);
        end = previous[end];
    }
    points.reverse();
    points
}

/// The best place to divide each of the overlapping stretches, where that earns half of `beta`; ascending.
fn screened(sums: &Sums, beta: f64, min_rows: usize) -> Vec<usize> {
    let n = sums.n_values();
    let cost = |from: usize, to: usize| sums.cost(from, to, Change::MeanAndVariance);
    let mut places = Vec::new();
    let mut length = 2 * min_rows;
    loop {
        let length_here = length.min(n);
        for from in (0..=n - length_here).step_by((length_here / 2).max(1)) {
            let to = from + length_here;
            let divided = |at: usize| (cost(from, at) + cost(at, to), at);
            let all = (from + min_rows..=to - min_rows).map(divided);
            let least = all.min_by(|a, b| a.0.total_cmp(&b.0));
            if let Some((least, at)) = least
                && cost(from, to) - least > beta / 2.0
            {
                places.push(at);
            }
        }
        if length >= n {
            break;
        }
        length *= 2;
    }
    places.sort_unstable();
    places.dedup();
    places
}

/// A place where the last segment may begin.
struct Candidate {
    start: usize,
    /// Ascending ranges of means of that segment for which no other start is better; not kept up for the variance.
    means: Vec<(f64, f64)>,
}

impl Candidate {
    fn new(start: usize) -> Candidate {
        Candidate { start, means: vec![(f64::NEG_INFINITY, f64::INFINITY)] }
    }
}

/// Adds a candidate and divides the means between it and the others; what is left with none can never win again.
///
/// Both go through the same values from the newest start on, so what one has ahead at a mean, it keeps for ever.
fn compete(candidates: &mut Vec<Candidate>, newest: usize, sums: &Sums, best: &[f64]) {
    let mut newest = Candidate::new(newest);
    candidates.retain_mut(|older| {
        let ahead = best[newest.start] - best[older.start];
        let Some((low, high)) = sums.means_within(older.start, newest.start, ahead) else {
            return false;
        };
        keep_inside(&mut older.means, low, high);
        keep_outside(&mut newest.means, low, high);
        !older.means.is_empty()
    });
    if !newest.means.is_empty() {
        candidates.push(newest);
    }
}

fn keep_inside(ranges: &mut Vec<(f64, f64)>, low: f64, high: f64) {
    ranges.iter_mut().for_each(|range| *range = (range.0.max(low), range.1.min(high)));
    ranges.retain(|range| range.0 < range.1);
}

fn keep_outside(ranges: &mut Vec<(f64, f64)>, low: f64, high: f64) {
    if let Some(at) = ranges.iter().position(|range| range.0 < low && high < range.1) {
        // It lies within one range, which becomes two.
        let end = std::mem::replace(&mut ranges[at].1, low);
        ranges.insert(at + 1, (high, end));
        return;
    }
    for range in ranges.iter_mut() {
        if low <= range.0 {
            range.0 = range.0.max(high.min(range.1));
        } else {
            range.1 = range.1.min(low.max(range.0));
        }
    }
    ranges.retain(|range| range.0 < range.1);
}

/// Running sums of standardized values and of their squares.
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(values: &[f64]) -> Sums {
        let mut last = values.iter().copied().find(|value| value.is_finite()).unwrap_or(0.0);
        let filled: Vec<f64> = values
            .iter()
            .map(|value| {
                last = if value.is_finite() { value.clamp(-1e100, 1e100) } else { last };
                last
            })
            .collect();
        let center = filled.iter().sum::<f64>() / filled.len() as f64;
        let sigma = neighbor_sigma(&filled);
        let (mut sum, mut square) = (0.0, 0.0);
        let mut sums = Sums { values: vec![0.0], squares: vec![0.0] };
        for value in filled {
            let z = (value - center) / sigma;
            sum += z;
            square += z * z;
            sums.values.push(sum);
            sums.squares.push(square);
        }
        sums
    }

    fn n_values(&self) -> usize {
        self.values.len() - 1
    }

    /// The means about which the squares of a segment sum up to no more than `most`; none where there is no such mean.
    fn means_within(&self, start: usize, end: usize, most: f64) -> Option<(f64, f64)> {
        let n = (end - start) as f64;
        let center = (self.values[end] - self.values[start]) / n;
        let room = most - self.cost(start, end, Change::Mean);
        let reach = (room / n).sqrt();
        (room > 0.0).then_some((center - reach, center + reach))
    }

    /// Twice the negative log likelihood of a segment, up to a constant per value.
    fn cost(&self, start: usize, end: usize, change: Change) -> f64 {
        let n = (end - start) as f64;
        let sum = self.values[end] - self.values[start];
        let spread = (self.squares[end] - self.squares[start] - sum * sum / n).max(0.0);
        match change {
            Change::Mean => spread,
            // A floor keeps a segment that rests from being infinitely likely.
            Change::MeanAndVariance => n * ((spread / n).max(1e-4).ln() + 1.0),
        }
    }
}

/// σ of the noise from differences of neighbors, which a few changes do not disturb; 1 where nothing moves.
pub(super) fn neighbor_sigma(values: &[f64]) -> f64 {
    let mut steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    if steps.is_empty() {
        return 1.0;
    }
    let median = stats::median(&mut steps);
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let sigma =
        if median > 0.0 { stats::MAD_TO_SIGMA * median / std::f64::consts::SQRT_2 } else { mean };
    if sigma > 0.0 && sigma.is_finite() { sigma } else { 1.0 }
}
