//! A Gaussian process over the unit cube.

use super::search::{climb, point};
use crate::random::Random;

/// Range of a length scale, in widths of the cube.
const SCALES: (f64, f64) = (0.05, 8.0);
/// Range of the noise variance against that of the signal.
const NOISES: (f64, f64) = (1e-8, 0.5);

/// A fitted process: Matérn 5/2 kernel with a length scale per axis, constant mean, noise.
///
/// Source: Rasmussen & Williams (2006), algorithm 2.1 and equation 4.17; scales by maximum likelihood with a weak
/// prior around half the cube.
#[derive(Debug, Clone)]
pub(super) struct Gaussian {
    points: Vec<Vec<f64>>,
    mean: f64,
    /// Standard deviation of the signal.
    sd: f64,
    scales: Vec<f64>,
    noise: f64,
    /// Lower triangle of the Cholesky factor, row by row.
    factor: Vec<f64>,
    weights: Vec<f64>,
}

impl Gaussian {
    /// `points`: inside the unit cube, at least one. Cost: O(n³) per likelihood, some hundreds of them.
    pub(super) fn fit(points: &[Vec<f64>], values: &[f64], random: &mut Random) -> Self {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let centered: Vec<f64> = values.iter().map(|value| value - mean).collect();
        let n_axes = points[0].len();
        let mut likelihood = |cube: &[f64]| {
            let (scales, noise) = unpack(cube);
            likelihood(points, &centered, &scales, noise)
        };
        let mut best = (vec![0.5; n_axes + 1], f64::NEG_INFINITY);
        for start in 0..5 {
            let mut cube = point(random, n_axes + 1);
            if start < 2 {
                cube = vec![0.45 + 0.2 * f64::from(start); n_axes + 1];
                cube[n_axes] = 0.2;
            }
            let found = climb(cube, 0.15, 0.02, &mut likelihood);
            if found.1 > best.1 {
                best = found;
            }
        }
        let (scales, noise) = unpack(&best.0);
        Self::with(points, &centered, mean, scales, noise)
    }

    fn with(
        points: &[Vec<f64>],
        centered: &[f64],
        mean: f64,
        scales: Vec<f64>,
        noise: f64,
    ) -> Self {
        // Rounding can make the matrix singular; more noise always cures it.
        let mut noise = noise;
        let factor = loop {
            match factor(points, &scales, noise) {
                Some(factor) => break factor,
                None => noise *= 10.0,
            }
        };
        let half = forward(&factor, centered);
        let variance = half.iter().map(|x| x * x).sum::<f64>() / centered.len() as f64;
        let weights = backward(&factor, &half);
        Self {
            points: points.to_vec(),
            mean,
            sd: variance.sqrt().max(1e-12),
            scales,
            noise,
            factor,
            weights,
        }
    }

    /// Mean and standard deviation of the signal, without noise.
    pub(super) fn predict(&self, at: &[f64]) -> (f64, f64) {
        let kernel: Vec<f64> =
            self.points.iter().map(|point| matern(point, at, &self.scales)).collect();
        let mean = self.mean + kernel.iter().zip(&self.weights).map(|(k, w)| k * w).sum::<f64>();
        let half = forward(&self.factor, &kernel);
        let variance = 1.0 - half.iter().map(|x| x * x).sum::<f64>();
        (mean, self.sd * variance.max(1e-12).sqrt())
    }

    /// Standard deviation of the noise.
    pub(super) fn noise_sd(&self) -> f64 {
        self.sd * self.noise.sqrt()
    }
}

fn unpack(cube: &[f64]) -> (Vec<f64>, f64) {
    let between = |share: f64, (low, high): (f64, f64)| low * (high / low).powf(share);
    let (noise, scales) = cube.split_last().expect("one axis at least");
    (scales.iter().map(|share| between(*share, SCALES)).collect(), between(*noise, NOISES))
}

fn likelihood(points: &[Vec<f64>], centered: &[f64], scales: &[f64], noise: f64) -> f64 {
    let Some(factor) = factor(points, scales, noise) else {
        return f64::NEG_INFINITY;
    };
    let n = centered.len();
    let half = forward(&factor, centered);
    let variance = (half.iter().map(|x| x * x).sum::<f64>() / n as f64).max(1e-24);
    let log_diagonal: f64 = (0..n).map(|row| factor[row * (row + 1) / 2 + row].ln()).sum();
    let prior: f64 = scales.iter().map(|scale| 0.5 * ((scale / 0.5).ln() / 1.5).powi(2)).sum();
    -0.5 * n as f64 * variance.ln() - log_diagonal - prior
}

fn matern(a: &[f64], b: &[f64], scales: &[f64]) -> f64 {
    let squares = a.iter().zip(b).zip(scales).map(|((a, b), scale)| ((a - b) / scale).powi(2));
    let r = (5.0 * squares.sum::<f64>()).sqrt();
    (1.0 + r + r * r / 3.0) * (-r).exp()
}

/// Factor of the kernel matrix with noise on the diagonal; `None` if it is not positive definite.
fn factor(points: &[Vec<f64>], scales: &[f64], noise: f64) -> Option<Vec<f64>> {
    cholesky(points.len(), |row, column| {
        let diagonal = if row == column { noise } else { 0.0 };
        matern(&points[row], &points[column], scales) + diagonal
    })
}

/// Lower factor of a symmetric matrix, row by row up to the diagonal; `None` if it is not positive definite.
pub(super) fn cholesky(n: usize, entry: impl Fn(usize, usize) -> f64) -> Option<Vec<f64>> {
    let mut l = vec![0.0; n * (n + 1) / 2];
    for row in 0..n {
        let (above, own) = l.split_at_mut(row * (row + 1) / 2);
        for column in 0..=row {
            let value = entry(row, column);
            let sum =
                |other: &[f64], own: &[f64]| other.iter().zip(own).map(|(a, b)| a * b).sum::<f64>();
            if row == column {
                let square = value - sum(&own[..column], &own[..column]);
                if square <= 1e-14 {
                    return None;
                }
                own[column] = square.sqrt();
            } else {
                let start = column * (column + 1) / 2;
                let other = &above[start..=start + column];
                own[column] = (value - sum(&other[..column], &own[..column])) / other[column];
            }
        }
    }
    Some(l)
}

/// Solves L x = b.
pub(super) fn forward(l: &[f64], b: &[f64]) -> Vec<f64> {
    let mut x: Vec<f64> = Vec::with_capacity(b.len());
    for (row, value) in b.iter().enumerate() {
        let own = &l[row * (row + 1) / 2..];
        let known: f64 = x.iter().zip(own).map(|(x, l)| x * l).sum();
        x.push((value - known) / own[row]);
    }
    x
}

/// Solves Lᵀ x = b.
fn backward(l: &[f64], b: &[f64]) -> Vec<f64> {
    let n = b.len();
    let mut x = b.to_vec();
    for row in (0..n).rev() {
        let own = &l[row * (row + 1) / 2..][..=row];
        x[row] /= own[row];
        let value = x[row];
        x[..row].iter_mut().zip(own).for_each(|(x, l)| *x -= value * l);
    }
    x
}
