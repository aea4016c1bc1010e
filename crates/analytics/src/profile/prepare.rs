//! What is known of each stretch before stretches are compared.

use super::{MatrixProfile, Neighbor};

/// A stretch, as far as it can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Shape,
    Constant,
    /// With a value that is not finite.
    Broken,
}

/// Per stretch: mean, inverse norm and the terms by which a covariance moves on along its diagonal.
pub(super) struct Prepared {
    pub(super) window: usize,
    /// The series; values that are not finite are 0.
    pub(super) series: Vec<f64>,
    pub(super) mean: Vec<f64>,
    /// 1 / ‖stretch − mean‖; NaN where there is no shape, so that no comparison with it ever wins.
    pub(super) inverse_norm: Vec<f64>,
    /// Half the difference between the value that comes in and the one that goes out; 0 at the first stretch.
    pub(super) half_step: Vec<f64>,
    /// The sum of both about their means; 0 at the first stretch.
    pub(super) center_step: Vec<f64>,
    pub(super) kinds: Vec<Kind>,
}

impl Prepared {
    pub(super) fn new(series: &[f64], window: usize) -> Prepared {
        let kinds: Vec<Kind> = kinds(series, window);
        let series: Vec<f64> =
            series.iter().map(|x| if x.is_finite() { *x } else { 0.0 }).collect();
        let (mut mean, mut inverse_norm) = (Vec::new(), Vec::new());
        for (stretch, kind) in series.windows(window).zip(&kinds) {
            let (center, inverse) = center_and_inverse(stretch, *kind);
            mean.push(center);
            inverse_norm.push(inverse);
        }
        let (mut half_step, mut center_step) = (vec![0.0], vec![0.0]);
        for i in 1..mean.len() {
            let (incoming, outgoing) = (series[i + window - 1], series[i - 1]);
            half_step.push((incoming - outgoing) / 2.0);
            center_step.push((incoming - mean[i]) + (outgoing - mean[i - 1]));
        }
        Prepared { window, series, mean, inverse_norm, half_step, center_step, kinds }
    }

    pub(super) fn n_stretches(&self) -> usize {
        self.mean.len()
    }

    pub(super) fn stretch(&self, i: usize) -> &[f64] {
        &self.series[i..i + self.window]
    }

    /// Sum of products about the means.
    pub(super) fn covariance(&self, i: usize, j: usize) -> f64 {
        let pairs = self.stretch(i).iter().zip(self.stretch(j));
        pairs.map(|(a, b)| (a - self.mean[i]) * (b - self.mean[j])).sum()
    }

    /// Distance of two stretches with a shape, computed from the z-normalized values themselves.
    pub(super) fn distance(&self, i: usize, j: usize) -> f64 {
        let (a, b) = (self.inverse_norm[i], self.inverse_norm[j]);
        let pairs = self.stretch(i).iter().zip(self.stretch(j));
        let apart = |(x, y): (&f64, &f64)| (x - self.mean[i]) * a - (y - self.mean[j]) * b;
        let square: f64 = pairs.map(|pair| apart(pair).powi(2)).sum();
        (square * self.window as f64).sqrt()
    }
}

pub(super) fn center_and_inverse(stretch: &[f64], kind: Kind) -> (f64, f64) {
    let center = stretch.iter().sum::<f64>() / stretch.len() as f64;
    let square: f64 = stretch.iter().map(|x| (x - center).powi(2)).sum();
    (center, if kind == Kind::Shape { 1.0 / square.sqrt() } else { f64::NAN })
}

fn kinds(series: &[f64], window: usize) -> Vec<Kind> {
    // Where the present run of equal values, and the last value that is not finite, lie.
    let (mut equal_since, mut broken_at) = (0, None);
    let mut kinds = Vec::with_capacity(series.len() + 1 - window);
    for i in 0..series.len() {
        if i > 0 && series[i] != series[i - 1] {
            equal_since = i;
        }
        if !series[i].is_finite() {
            broken_at = Some(i);
        }
        let Some(start) = (i + 1).checked_sub(window) else { continue };
        kinds.push(match broken_at {
            Some(at) if at >= start => Kind::Broken,
            _ if equal_since <= start => Kind::Constant,
            _ => Kind::Shape,
        });
    }
    kinds
}

/// Adds the neighbors that the kernel leaves out: constant stretches, to each other at 0, to shapes at √m.
pub(super) fn join_constants(prepared: &Prepared, first: usize, profile: &mut MatrixProfile) {
    let constants: Vec<usize> = of_kind(prepared, Kind::Constant);
    if constants.is_empty() {
        return;
    }
    let shapes = of_kind(prepared, Kind::Shape);
    let far = (prepared.window as f64).sqrt();
    for i in 0..prepared.n_stretches() {
        let to_constant = match prepared.kinds[i] {
            Kind::Broken => continue,
            Kind::Constant => 0.0,
            Kind::Shape => far,
        };
        let mut offers = vec![(&constants, to_constant)];
        if prepared.kinds[i] == Kind::Constant {
            offers.push((&shapes, far));
        }
        for (starts, distance) in offers {
            let (before, after) = around(starts, i, first);
            let offer = |start: Option<usize>| match start {
                Some(_) => Neighbor { distance, start },
                None => Neighbor::NONE,
            };
            profile.left[i] = profile.left[i].nearer(offer(before));
            profile.right[i] = profile.right[i].nearer(offer(after));
        }
    }
}

fn of_kind(prepared: &Prepared, kind: Kind) -> Vec<usize> {
    (0..prepared.n_stretches()).filter(|i| prepared.kinds[*i] == kind).collect()
}

/// The last of `starts` at least `gap` before `i`, and the first at least `gap` after it.
fn around(starts: &[usize], i: usize, gap: usize) -> (Option<usize>, Option<usize>) {
    let before = starts.partition_point(|start| start + gap <= i);
    let after = starts.partition_point(|start| *start < i + gap);
    (before.checked_sub(1).map(|at| starts[at]), starts.get(after).copied())
}
