//! The region that the plant has seen.

use super::gaussian::{cholesky, forward};

/// Neighbors whose distance says how densely a place was seen.
const NEIGHBOR: usize = 3;
/// A knob that was hardly moved counts as moved by this share of its range.
const LEAST_SD: f64 = 1e-3;

/// Points of the cube, measured by their own spread.
///
/// Knobs that were always moved together span a thin region, which distances in ranges of the knobs would make as thick
/// as it is long. Here a distance is one in standard deviations, with correlation taken out (Mahalanobis 1936).
pub(super) struct Region {
    mean: Vec<f64>,
    /// Cholesky factor of the covariance, row by row up to the diagonal.
    factor: Vec<f64>,
    points: Vec<Vec<f64>>,
    /// 95 % of the points have their third neighbor within.
    density: f64,
    /// No point is farther from the mean.
    reach: f64,
}

impl Region {
    /// The region of at least four points. Cost: O(n² · knobs).
    pub(super) fn new(points: &[Vec<f64>]) -> Self {
        let (n, n_knobs) = (points.len() as f64, points[0].len());
        let mean: Vec<f64> = (0..n_knobs)
            .map(|knob| points.iter().map(|point| point[knob]).sum::<f64>() / n)
            .collect();
        let covariance = |a: usize, b: usize| {
            let products = points.iter().map(|at| (at[a] - mean[a]) * (at[b] - mean[b]));
            let least = if a == b { LEAST_SD * LEAST_SD } else { 0.0 };
            products.sum::<f64>() / n + least
        };
        // Rounding may cost a huge, fully correlated region its last axis; each knob then stands for itself.
        let alone = |a: usize, b: usize| if a == b { covariance(a, a) } else { 0.0 };
        let factor = cholesky(n_knobs, covariance).or_else(|| cholesky(n_knobs, alone));
        let factor = factor.expect("every variance is positive");
        let mut region = Self { mean, factor, points: Vec::new(), density: 0.0, reach: 0.0 };
        region.points = points.iter().map(|point| region.measured(point)).collect();
        // Each point is its own nearest neighbor.
        let mut distances: Vec<f64> = region
            .points
            .iter()
            .map(|point| distance(&region.points, point, NEIGHBOR + 1))
            .collect();
        distances.sort_by(f64::total_cmp);
        region.density = distances[(distances.len() - 1) * 95 / 100].max(1e-6);
        region.reach = region.points.iter().map(|point| norm(point)).fold(1e-6, f64::max);
        region
    }

    /// How near a point is to the edge of what was seen: at most 1 within.
    ///
    /// The larger of two shares: its distance to the third nearest point, of that which 95 % of the points have; and its
    /// distance to the mean, of that which the farthest point has.
    pub(super) fn share(&self, at: &[f64]) -> f64 {
        let at = self.measured(at);
        let dense = distance(&self.points, &at, NEIGHBOR) / self.density;
        dense.max(norm(&at) / self.reach)
    }

    /// In standard deviations from the mean, along axes without correlation.
    fn measured(&self, at: &[f64]) -> Vec<f64> {
        let away: Vec<f64> = at.iter().zip(&self.mean).map(|(at, mean)| at - mean).collect();
        forward(&self.factor, &away)
    }
}

fn norm(at: &[f64]) -> f64 {
    at.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// Distance to the k-th nearest point.
fn distance(points: &[Vec<f64>], at: &[f64], k: usize) -> f64 {
    let square = |point: &Vec<f64>| point.iter().zip(at).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut squares: Vec<f64> = points.iter().map(square).collect();
    let k = k.clamp(1, squares.len()) - 1;
    squares.select_nth_unstable_by(k, f64::total_cmp).1.sqrt()
}
