//! Change points as they happen, with their probability.

use serde::{Deserialize, Serialize};

/// Run lengths less likely than this are forgotten.
const NEGLIGIBLE: f64 = 1e-6;
/// Most run lengths kept.
const MAX_RUNS: usize = 500;

/// Bayesian online change point detection for a normal signal of unknown mean and variance.
///
/// Source: Adams & MacKay (2007), "Bayesian online changepoint detection", algorithm 1, with the normal–gamma
/// conjugate model (Murphy (2007), eq. 86–89) and a constant hazard. Departures: unlikely runs are pruned; values
/// should be roughly standardized, as the prior is centered on the first value with unit spread. Cost: O(runs kept).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct OnlineChangePoints {
    #[serde(with = "crate::saved")]
    hazard: f64,
    #[serde(with = "crate::saved")]
    first: Option<f64>,
    runs: Vec<Run>,
    n_seen: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Run {
    length: u64,
    #[serde(with = "crate::saved")]
    probability: f64,
    #[serde(with = "crate::saved")]
    mean: f64,
    /// Pseudo-counts and scale of the normal–gamma posterior.
    #[serde(with = "crate::saved")]
    kappa: f64,
    #[serde(with = "crate::saved")]
    alpha: f64,
    #[serde(with = "crate::saved")]
    beta: f64,
    /// Γ(α + ½)/Γ(α).
    #[serde(with = "crate::saved")]
    gamma_ratio: f64,
}

impl OnlineChangePoints {
    /// A change is expected once in `rows_per_change` values.
    pub fn new(rows_per_change: f64) -> OnlineChangePoints {
        OnlineChangePoints {
            hazard: 1.0 / rows_per_change.max(2.0),
            first: None,
            runs: Vec::new(),
            n_seen: 0,
        }
    }

    /// Takes a value and gives the most probable number of values since the last change. One that is not
    /// finite is ignored.
    ///
    /// ```
    /// use analytics::drift::online::OnlineChangePoints;
    /// let mut points = OnlineChangePoints::new(100.0);
    /// (0..50).for_each(|n| drop(points.push(0.1 * f64::from(n % 3))));
    /// let lengths: Vec<u64> = (0..5).map(|n| points.push(9.0 + 0.1 * f64::from(n % 3))).collect();
    /// assert!(lengths[4] <= 5);
    /// ```
    pub fn push(&mut self, value: f64) -> u64 {
        if value.is_finite() && value.abs() < 1e100 {
            self.n_seen += 1;
            self.update(value);
        }
        self.likeliest()
    }

    /// Probability that a change lies within the last `n` values.
    pub fn probability_within(&self, n: u64) -> f64 {
        let recent = self.runs.iter().filter(|run| run.length <= n && run.length < self.n_seen);
        recent.map(|run| run.probability).sum()
    }

    fn update(&mut self, value: f64) {
        let center = *self.first.get_or_insert(value);
        let fresh = Run {
            length: 0,
            probability: 1.0,
            mean: center,
            kappa: 0.1,
            alpha: 1.0,
            beta: 0.5,
            gamma_ratio: std::f64::consts::PI.sqrt() / 2.0,
        };
        if self.runs.is_empty() {
            self.runs.push(fresh);
        }
        let mut changed = 0.0;
        for run in &mut self.runs {
            let joint = run.probability * run.predictive(value);
            changed += joint * self.hazard;
            run.probability = joint * (1.0 - self.hazard);
            run.learn(value);
        }
        let mut newborn = Run { probability: changed, ..fresh };
        newborn.learn(value);
        newborn.length = 0;
        self.runs.push(newborn);
        self.prune();
    }

    fn prune(&mut self) {
        let total: f64 = self.runs.iter().map(|run| run.probability).sum();
        if total.is_nan() || total <= 0.0 {
            // Every run finds the value impossible: begin anew at it.
            self.runs.drain(..self.runs.len() - 1);
            self.runs[0].probability = 1.0;
            return;
        }
        self.runs.iter_mut().for_each(|run| run.probability /= total);
        self.runs.retain(|run| run.probability > NEGLIGIBLE);
        if self.runs.len() > MAX_RUNS {
            let least = self
                .runs
                .iter()
                .enumerate()
                .min_by(|a, b| a.1.probability.total_cmp(&b.1.probability));
            if let Some(idx) = least.map(|(idx, _)| idx) {
                self.runs.remove(idx);
            }
        }
    }

    fn likeliest(&self) -> u64 {
        let best = self.runs.iter().max_by(|a, b| a.probability.total_cmp(&b.probability));
        best.map_or(0, |run| run.length)
    }
}

impl Run {
    /// Density of Student's t with 2α degrees of freedom.
    fn predictive(&self, value: f64) -> f64 {
        let freedom = 2.0 * self.alpha;
        let scale = (self.beta * (self.kappa + 1.0) / (self.alpha * self.kappa)).sqrt();
        let t = (value - self.mean) / scale;
        let tail = (-(self.alpha + 0.5) * (t * t / freedom).ln_1p()).exp();
        self.gamma_ratio / ((freedom * std::f64::consts::PI).sqrt() * scale) * tail
    }

    fn learn(&mut self, value: f64) {
        let step = value - self.mean;
        self.beta += 0.5 * self.kappa * step * step / (self.kappa + 1.0);
        self.mean += step / (self.kappa + 1.0);
        self.kappa += 1.0;
        // Γ(α + 1) = α Γ(α) gives the next ratio from this one.
        self.gamma_ratio = self.alpha / self.gamma_ratio;
        self.alpha += 0.5;
        self.length += 1;
    }
}
