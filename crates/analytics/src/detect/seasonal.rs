//! What is unusual for this time of the day or week.

use serde::{Deserialize, Serialize};

use super::ewma::RobustEwma;

/// Robust level and spread for each phase of a period, such as the 24 hours of a day.
///
/// Source: seasonal means of Holt (1957) and Winters (1960) without trend, each a [`RobustEwma`]; the residual is
/// standardized by its own robust spread over all phases, so that a phase seen twice is not overconfident.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeasonalResidual {
    phases: Vec<RobustEwma>,
    residual: RobustEwma,
}

impl SeasonalResidual {
    /// `n_phases` phases (at least 1); `weight` of the newest period in the level of a phase.
    pub fn new(n_phases: usize, weight: f64) -> SeasonalResidual {
        let n_phases = n_phases.max(1);
        SeasonalResidual {
            phases: vec![RobustEwma::new(weight); n_phases],
            residual: RobustEwma::new(weight / n_phases as f64),
        }
    }

    /// Distance of `value` from what is usual in `phase` (taken modulo the number of phases), in standard
    /// deviations; NaN in the first period.
    ///
    /// ```
    /// use analytics::detect::seasonal::SeasonalResidual;
    /// let mut day = SeasonalResidual::new(2, 0.2);
    /// for n in 0..40 {
    ///     day.push(n, if n % 2 == 0 { 10.0 } else { 90.0 } + 0.1 * (n % 3) as f64);
    /// }
    /// assert!(day.push(40, 10.1).abs() < 3.0);
    /// assert!(day.push(41, 10.1).abs() > 100.0); // as usual by night, but it is day
    /// ```
    pub fn push(&mut self, phase: usize, value: f64) -> f64 {
        let n_phases = self.phases.len();
        let phase = &mut self.phases[phase % n_phases];
        let usual = phase.level();
        phase.push(value);
        self.residual.push(value - usual)
    }

    /// What is usual in a phase; NaN when it was never seen.
    pub fn usual(&self, phase: usize) -> f64 {
        self.phases[phase % self.phases.len()].level()
    }
}
