//! What made-up holes teach about a column.

use std::ops::Range;

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::{Basis, Kind, distance_class};

/// Made-up values that one regression learns from and is checked on, at most.
const MAX_SAMPLES: usize = 1500;
/// With fewer than these there is none.
const MIN_SAMPLES: usize = 40;
/// Other columns that are used, those that go with the column most closely.
const MAX_OTHERS: usize = 12;
/// Rows on either side that make a local mean.
const LOCAL: usize = 8;
/// Rows on either side over which the other columns are smoothed.
const SMOOTH: usize = 4;
/// Stretches of time of which every other one checks.
const STRETCHES: usize = 12;
/// Relative to the number of samples, with features of variance 1.
const PENALTIES: [f64; 3] = [1e-4, 1e-2, 0.3];
/// Features that come from the column itself.
const N_OWN: usize = 4;
/// Features of each other column.
const N_EACH: usize = 4;

/// One column, and those that may explain it.
pub(super) struct Source<'a> {
    columns: &'a [Vec<f64>],
    column: usize,
    /// Usual value at each place of the season; empty without one.
    pattern: Vec<f64>,
    others: Vec<usize>,
}

impl<'a> Source<'a> {
    pub(super) fn new(columns: &'a [Vec<f64>], column: usize, pattern: Vec<f64>) -> Source<'a> {
        let mut others: Vec<(f64, usize)> = (0..columns.len())
            .filter(|other| *other != column)
            .map(|other| (correlation(&columns[column], &columns[other]), other))
            .filter(|(r, _)| *r > 0.0)
            .collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let others = others.into_iter().take(MAX_OTHERS).map(|(_, other)| other).collect();
        Source { columns, column, pattern, others }
    }

    pub(super) fn column(&self) -> usize {
        self.column
    }

    pub(super) fn own(&self) -> &'a [f64] {
        &self.columns[self.column]
    }

    /// The other columns with a value at that row.
    pub(super) fn at_hand(&self, row_idx: usize) -> Vec<usize> {
        let is_there = |other: &usize| self.columns[*other][row_idx].is_finite();
        self.others.iter().copied().filter(is_there).collect()
    }

    /// The line between the neighbors of the hole; with one of them its value, without any NaN.
    pub(super) fn line(
        &self,
        hole: Range<usize>,
        row_idx: usize,
        has_left: bool,
        has_right: bool,
    ) -> f64 {
        let left = if has_left { self.own()[hole.start - 1] } else { f64::NAN };
        let right = if has_right { self.own()[hole.end] } else { f64::NAN };
        across(left, right, &hole, row_idx)
    }

    /// What is known of row `row_idx` in `hole`: [`N_OWN`] figures of the column, then [`N_EACH`] of each other one.
    fn features(&self, hole: &Range<usize>, row_idx: usize, kind: &Kind, line: f64) -> Vec<f64> {
        let mut features = Vec::with_capacity(N_OWN + N_EACH * kind.others.len());
        let local = self.local_line(self.column, hole, row_idx, kind.has_left, kind.has_right);
        features.extend([line, local]);
        let usual = |row_idx: usize| self.pattern.get(row_idx % self.pattern.len().max(1));
        let now = usual(row_idx).copied().unwrap_or(0.0);
        let edge = |row_idx: Option<usize>| row_idx.and_then(usual).copied().unwrap_or(f64::NAN);
        let left = edge(hole.start.checked_sub(1).filter(|_| kind.has_left));
        let right = edge(Some(hole.end).filter(|_| kind.has_right));
        let pattern_line = across(left, right, hole, row_idx);
        features.extend([now, now - if pattern_line.is_nan() { now } else { pattern_line }]);
        for other in &kind.others {
            let values = &self.columns[*other];
            let now = values[row_idx];
            let known = |x: f64| if x.is_finite() { x } else { now };
            let left = hole.start.checked_sub(1).map_or(f64::NAN, |at| values[at]);
            let right = values.get(hole.end).copied().unwrap_or(f64::NAN);
            let line = known(across(left, right, hole, row_idx));
            let local = known(self.local_line(*other, hole, row_idx, true, true));
            let from = row_idx.saturating_sub(SMOOTH);
            let smooth = known(mean(&values[from..(row_idx + SMOOTH + 1).min(values.len())]));
            features.extend([now, now - line, local, smooth]);
        }
        features
    }

    /// The line between the local means on both sides of the hole.
    fn local_line(
        &self,
        column: usize,
        hole: &Range<usize>,
        row_idx: usize,
        has_left: bool,
        has_right: bool,
    ) -> f64 {
        let values = &self.columns[column];
        let left = &values[hole.start.saturating_sub(LOCAL)..hole.start];
        let right = &values[hole.end.min(values.len())..(hole.end + LOCAL).min(values.len())];
        let left = if has_left { mean(left) } else { f64::NAN };
        let right = if has_right { mean(right) } else { f64::NAN };
        across(left, right, hole, row_idx)
    }
}

/// The line through a value before the hole and one after it; one of them if the other is missing.
fn across(left: f64, right: f64, hole: &Range<usize>, row_idx: usize) -> f64 {
    match (left.is_finite(), right.is_finite()) {
        (true, true) => {
            let share = (row_idx + 1 - hole.start) as f64 / (hole.len() + 1) as f64;
            left * (1.0 - share) + right * share
        }
        (true, false) => left,
        (false, true) => right,
        (false, false) => f64::NAN,
    }
}

/// Mean of the finite values; NaN without any.
fn mean(values: &[f64]) -> f64 {
    let (sum, n) =
        values.iter().filter(|x| x.is_finite()).fold((0.0, 0.0), |(s, n), x| (s + x, n + 1.0));
    sum / n
}

/// Size of the correlation over rows where both are known, of at most some thousand rows; 0 where nothing moves.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let stride = a.len().div_ceil(5000).max(1);
    let pairs = || a.iter().zip(b).step_by(stride).filter(|(x, y)| x.is_finite() && y.is_finite());
    let n = pairs().count() as f64;
    let (mean_a, mean_b) =
        (pairs().map(|(x, _)| x / n).sum::<f64>(), pairs().map(|(_, y)| y / n).sum::<f64>());
    let (mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0);
    for (x, y) in pairs() {
        aa += (x - mean_a).powi(2);
        bb += (y - mean_b).powi(2);
        ab += (x - mean_a) * (y - mean_b);
    }
    let r = (ab / (aa * bb).sqrt()).abs();
    if r.is_finite() { r } else { 0.0 }
}

/// One value in a made-up hole.
struct Sample {
    features: Vec<f64>,
    line: f64,
    value: f64,
    stretch: usize,
}

/// A fitted regression, and how far it was off where it had not learned.
pub(super) struct Regression {
    kind: Kind,
    /// None: the plain line is as good.
    weights: Option<Weights>,
    basis: Basis,
    sigma: f64,
}

impl Regression {
    /// None if there are too few places for a made-up hole of this kind.
    pub(super) fn learn(source: &Source<'_>, kind: &Kind) -> Option<Regression> {
        let samples = samples(source, kind);
        if samples.len() < MIN_SAMPLES {
            return None;
        }
        let n_features = samples[0].features.len();
        let mut best = (checked(&samples, 0, 0.0)?, 0, 0.0, Basis::Line);
        let sizes = [(N_OWN, Basis::Own), (n_features, Basis::Others)];
        let n_sizes = if n_features == N_OWN { 1 } else { 2 };
        for (n_used, basis) in sizes.into_iter().take(n_sizes) {
            for penalty in PENALTIES {
                if let Some(error) = checked(&samples, n_used, penalty)
                    && error < best.0
                {
                    best = (error, n_used, penalty, basis);
                }
            }
        }
        let (error, n_used, penalty, basis) = best;
        let all: Vec<&Sample> = samples.iter().collect();
        let weights = if n_used == 0 { None } else { Weights::fit(&all, n_used, penalty) };
        let basis = if weights.is_some() { basis } else { Basis::Line };
        Some(Regression { kind: kind.clone(), weights, basis, sigma: error.sqrt() })
    }

    /// Value, standard deviation and basis at a row of a hole whose line there is `line`.
    pub(super) fn value(
        &self,
        source: &Source<'_>,
        hole: Range<usize>,
        row_idx: usize,
        line: f64,
    ) -> (f64, f64, Basis) {
        let features = source.features(&hole, row_idx, &self.kind, line);
        match &self.weights {
            Some(weights) => {
                let value = line + weights.apply(&features);
                // A neighbor without finite surroundings, or numbers beyond all bounds.
                if value.is_finite() {
                    (value, self.sigma, self.basis)
                } else {
                    (line, self.sigma, Basis::Line)
                }
            }
            None => (line, self.sigma, Basis::Line),
        }
    }
}

/// Places spread evenly, but without a rhythm of their own, over all where the column is known.
fn samples(source: &Source<'_>, kind: &Kind) -> Vec<Sample> {
    const GOLDEN: f64 = 0.618_033_988_749_894_9;
    let values = source.own();
    let Some(room) = values.len().checked_sub(kind.n_rows + 2).filter(|room| *room > 0) else {
        return Vec::new();
    };
    let inside: Vec<usize> = (0..kind.n_rows)
        .filter(|at| {
            distance_class(&(0..kind.n_rows), *at, kind.has_left, kind.has_right) == kind.distance
        })
        .collect();
    if inside.is_empty() {
        return Vec::new();
    }
    let mut samples = Vec::new();
    for n in 0..(room + 1).min(2 * MAX_SAMPLES) {
        let start = 1 + (((n as f64 * GOLDEN).fract() * (room + 1) as f64) as usize).min(room);
        let hole = start..start + kind.n_rows;
        let row_idx = start + inside[n % inside.len()];
        let line = source.line(hole.clone(), row_idx, kind.has_left, kind.has_right);
        let are_there = kind.others.iter().all(|other| source.columns[*other][row_idx].is_finite());
        if !values[row_idx].is_finite() || !line.is_finite() || !are_there {
            continue;
        }
        let features = source.features(&hole, row_idx, kind, line);
        let stretch = start * STRETCHES / values.len();
        if features.iter().all(|x| x.is_finite()) {
            samples.push(Sample { features, line, value: values[row_idx], stretch });
        }
        if samples.len() == MAX_SAMPLES {
            break;
        }
    }
    samples
}

/// Mean squared error of weights on the stretches of time that they were not learned from; `n_used` 0: of the line.
fn checked(samples: &[Sample], n_used: usize, penalty: f64) -> Option<f64> {
    let mut sum = 0.0;
    for half in 0..2 {
        let (learned, held): (Vec<&Sample>, Vec<&Sample>) =
            samples.iter().partition(|sample| sample.stretch % 2 == half);
        let weights =
            if n_used == 0 { None } else { Some(Weights::fit(&learned, n_used, penalty)?) };
        for sample in held {
            let added = weights.as_ref().map_or(0.0, |weights| weights.apply(&sample.features));
            sum += (sample.line + added - sample.value).powi(2);
        }
    }
    let error = sum / samples.len() as f64;
    error.is_finite().then_some(error)
}

/// What to add to the line.
struct Weights {
    constant: f64,
    centers: Vec<f64>,
    of: Vec<f64>,
}

impl Weights {
    fn fit(samples: &[&Sample], n_used: usize, penalty: f64) -> Option<Weights> {
        let n = samples.len();
        if n < MIN_SAMPLES / 4 {
            return None;
        }
        let (centers, scales): (Vec<f64>, Vec<f64>) =
            (0..n_used).map(|i| center_and_scale(samples, i)).unzip();
        let constant = samples.iter().map(|of| of.value - of.line).sum::<f64>() / n as f64;
        let x =
            Mat::from_fn(n, n_used, |row, i| (samples[row].features[i] - centers[i]) * scales[i]);
        let y = Mat::from_fn(n, 1, |row, _| samples[row].value - samples[row].line - constant);
        let mut squares = x.transpose() * &x;
        (0..n_used).for_each(|i| squares[(i, i)] += penalty * n as f64);
        let found = squares.llt(Side::Lower).ok()?.solve(x.transpose() * &y);
        let of: Vec<f64> = (0..n_used).map(|i| found[(i, 0)] * scales[i]).collect();
        of.iter().all(|x| x.is_finite()).then_some(Weights { constant, centers, of })
    }

    fn apply(&self, features: &[f64]) -> f64 {
        let parts = self.of.iter().zip(features.iter().zip(&self.centers));
        self.constant + parts.map(|(weight, (x, center))| weight * (x - center)).sum::<f64>()
    }
}

/// Mean and one over the standard deviation; 0 where nothing moves.
fn center_and_scale(samples: &[&Sample], feature: usize) -> (f64, f64) {
    let n = samples.len() as f64;
    let center = samples.iter().map(|of| of.features[feature] / n).sum::<f64>();
    let square = samples.iter().map(|of| (of.features[feature] - center).powi(2) / n).sum::<f64>();
    let moves = square.is_finite() && square.sqrt() > 1e-12 * center.abs();
    (center, if moves { 1.0 / square.sqrt() } else { 0.0 })
}
