//! Where the next trial promises most.

use statrs::function::erf::erfc;

use super::gaussian::Gaussian;
use super::search::{climb, point};
use crate::random::Random;

/// Random points looked at before climbing.
const N_LOOKS: usize = 1200;
/// Of which so many are climbed from.
const N_CLIMBS: usize = 8;

/// Processes of objective and limited outcomes, each outcome with its limit.
pub(super) struct Belief {
    pub(super) objective: Gaussian,
    pub(super) limits: Vec<(Gaussian, f64)>,
}

impl Belief {
    /// Logarithm of the probability that all limits hold.
    pub(super) fn log_feasible(&self, at: &[f64]) -> f64 {
        let log = |(process, most): &(Gaussian, f64)| {
            let (mean, sd) = process.predict(at);
            log_cdf((most - mean) / sd)
        };
        self.limits.iter().map(log).sum()
    }

    /// Smallest distance to a limit in standard deviations, noise included.
    pub(super) fn margin(&self, at: &[f64]) -> f64 {
        (0..self.limits.len()).map(|limit| self.margin_of(limit, at)).fold(f64::INFINITY, f64::min)
    }

    /// Distance to one limit in standard deviations, noise included.
    pub(super) fn margin_of(&self, limit: usize, at: &[f64]) -> f64 {
        let (process, most) = &self.limits[limit];
        let (mean, sd) = process.predict(at);
        (most - mean) / sd.hypot(process.noise_sd())
    }

    /// Logarithm of the expected improvement over `best`, which is finite everywhere (Ament et al. 2023).
    pub(super) fn log_improvement(&self, at: &[f64], best: f64) -> f64 {
        let (mean, sd) = self.objective.predict(at);
        let z = (mean - best) / sd;
        let gain = if z > -6.0 {
            (density(z) + z * 0.5 * erfc(-z / std::f64::consts::SQRT_2)).max(1e-300).ln()
        } else {
            -0.5 * z * z - (z * z * (2.0 * std::f64::consts::PI).sqrt()).ln()
        };
        gain + sd.ln()
    }
}

/// Highest point of `f` over those of the unit cube that `allowed` accepts; `None` if it accepts none.
pub(super) fn maximize(
    n_axes: usize,
    anchors: &[Vec<f64>],
    random: &mut Random,
    allowed: &dyn Fn(&[f64]) -> bool,
    f: &dyn Fn(&[f64]) -> f64,
) -> Option<Vec<f64>> {
    let mut looks: Vec<Vec<f64>> = (0..N_LOOKS).map(|_| point(random, n_axes)).collect();
    for anchor in anchors {
        looks.push(anchor.clone());
        for width in [0.3, 0.1, 0.03, 0.01] {
            looks.extend((0..30).map(|_| {
                anchor
                    .iter()
                    .map(|x| (x + width * (2.0 * random.share() - 1.0)).clamp(0.0, 1.0))
                    .collect()
            }));
        }
    }
    let mut height = |at: &[f64]| if allowed(at) { f(at) } else { f64::NEG_INFINITY };
    let mut heights: Vec<(f64, Vec<f64>)> = looks.into_iter().map(|at| (height(&at), at)).collect();
    heights.sort_by(|a, b| b.0.total_cmp(&a.0));
    let starts =
        heights.into_iter().take(N_CLIMBS).filter(|(height, _)| *height > f64::NEG_INFINITY);
    let tops = starts.map(|(_, at)| climb(at, 0.05, 1e-4, &mut height));
    tops.max_by(|a, b| a.1.total_cmp(&b.1)).map(|(at, _)| at)
}

fn density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

fn log_cdf(z: f64) -> f64 {
    if z > -6.0 {
        return (0.5 * erfc(-z / std::f64::consts::SQRT_2)).ln();
    }
    -0.5 * z * z - (-z * (2.0 * std::f64::consts::PI).sqrt()).ln()
}
