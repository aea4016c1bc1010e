//! From scores to probabilities that hold whatever the distribution, and to evidence that may be looked at any time.

use serde::{Deserialize, Serialize};

/// Scores of normal rows, against which new ones are ranked.
///
/// Source: Vovk, Gammerman & Shafer (2005), "Algorithmic learning in a random world", eq. 2.20; Laxhammar &
/// Falkman (2014) for anomalies. Exact if new rows are exchangeable with the normal ones.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conformal {
    #[serde(with = "crate::saved")]
    sorted: Vec<f64>,
}

impl Conformal {
    /// From scores of normal rows that the detector was not fitted to; NaN is left out.
    pub fn new(scores: &[f64]) -> Conformal {
        let mut sorted: Vec<f64> = scores.iter().copied().filter(|score| !score.is_nan()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Conformal { sorted }
    }

    /// Probability of a score at least this high, if the row is normal: (1 + #{sᵢ ≥ s}) / (n + 1). NaN gives 1.
    /// Cost: O(log n).
    ///
    /// ```
    /// use analytics::detect::conformal::Conformal;
    /// let normal = Conformal::new(&[1.0, 2.0, 3.0]);
    /// assert_eq!((normal.p_value(2.5), normal.p_value(9.0)), (0.5, 0.25));
    /// ```
    pub fn p_value(&self, score: f64) -> f64 {
        if score.is_nan() {
            return 1.0;
        }
        let n_below = self.sorted.partition_point(|normal| *normal < score);
        (1 + self.sorted.len() - n_below) as f64 / (self.sorted.len() + 1) as f64
    }
}

/// An e-process against "all is normal": evidence that multiplies up row by row and restarts when it has waned.
///
/// Each p-value is bet on with ∫ε p^(ε−1) dε over ε in (0, 1) (Shafer et al. (2011), "Test martingales, Bayes
/// factors and p-values", §5); e-CUSUM after Shin, Ramdas & Rinaldo (2024), "E-detectors", eq. 12. If p-values
/// are valid given the past, an alarm at evidence ≥ B comes falsely not more often than once in B rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct EProcess {
    #[serde(with = "crate::saved")]
    log_evidence: f64,
}

impl Default for EProcess {
    fn default() -> EProcess {
        EProcess { log_evidence: 0.0 }
    }
}

impl EProcess {
    /// Takes a p-value (0 to 1) and gives the logarithm of the evidence; NaN says nothing.
    ///
    /// ```
    /// use analytics::detect::conformal::EProcess;
    /// let mut process = EProcess::default();
    /// assert!(process.push(0.9) < 0.0); // evidence wanes, and counts from 1 again
    /// let evidence: Vec<f64> = (0..4).map(|_| process.push(0.001)).collect();
    /// assert!(evidence[0] < 100f64.ln() * 2.0 && evidence[3] > 1e4f64.ln());
    /// ```
    pub fn push(&mut self, p_value: f64) -> f64 {
        if !p_value.is_nan() {
            self.log_evidence = self.log_evidence.max(0.0) + mixture_bet(p_value).ln();
        }
        self.log_evidence
    }

    /// Begins anew, after an alarm.
    pub fn reset(&mut self) {
        self.log_evidence = 0.0;
    }
}

/// ∫₀¹ ε p^(ε−1) dε = (1 − p + p ln p) / (p ln² p), which is ½ at p = 1.
fn mixture_bet(p_value: f64) -> f64 {
    let p = p_value.clamp(1e-12, 1.0);
    let log = p.ln();
    if log > -1e-3 {
        // Second-order expansion; the closed form loses its digits here.
        return 0.5 - log / 6.0;
    }
    (1.0 - p + p * log) / (p * log * log)
}
