//! How far predictions of unseen machines were off, by what was predicted.

use serde::{Deserialize, Serialize};

/// Bands of predicted life, each of which has its own quantiles.
const MAX_BANDS: usize = 10;
/// Fewest errors of a band.
const MIN_ERRORS: usize = 100;

/// Errors over the root of their expected size, sorted by the band of predicted life that they came from.
///
/// Machines are not seen evenly along their lives, and far from failure the cap bends the errors. Quantiles by
/// band (Mondrian conformal prediction, Vovk et al. (2005), sec. 4.5) hold in each band, whatever the mix.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Calibration {
    /// Upper end of each band but the last, ascending.
    #[serde(with = "crate::saved")]
    pub(super) edges: Vec<f64>,
    /// Ascending errors of each band.
    #[serde(with = "crate::saved")]
    pub(super) scores: Vec<Vec<f64>>,
}

impl Calibration {
    /// `predicted` and `scores`: n predictions of unseen machines and their errors, n > 0.
    pub(super) fn fit(predicted: &[f64], scores: &[f64]) -> Calibration {
        let mut pairs: Vec<(f64, f64)> =
            predicted.iter().copied().zip(scores.iter().copied()).collect();
        pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
        let n_bands = (pairs.len() / MIN_ERRORS).clamp(1, MAX_BANDS);
        let edge = |k: usize| k * pairs.len() / n_bands;
        let band = |k: usize| {
            let mut band: Vec<f64> =
                pairs[edge(k)..edge(k + 1)].iter().map(|pair| pair.1).collect();
            band.sort_unstable_by(f64::total_cmp);
            band
        };
        Calibration {
            edges: (1..n_bands).map(|k| pairs[edge(k)].0).collect(),
            scores: (0..n_bands).map(band).collect(),
        }
    }

    /// Whether what was read from a file fits together.
    pub(super) fn is_good(&self) -> bool {
        self.scores.len() == self.edges.len() + 1
            && self.scores.iter().all(|band| !band.is_empty() && band.is_sorted())
            && self.edges.is_sorted()
    }

    fn band(&self, predicted: f64) -> &[f64] {
        &self.scores[self.edges.partition_point(|&edge| edge <= predicted)]
    }

    /// The errors between which `coverage` of those near this prediction lie, half of the rest on either side.
    pub(super) fn interval(&self, predicted: f64, coverage: f64) -> (f64, f64) {
        let band = self.band(predicted);
        let tail = (1.0 - coverage) / 2.0;
        // The finite-sample correction (n + 1) of split conformal prediction.
        let n = band.len();
        let below = (tail * (n + 1) as f64).floor() as usize;
        let low = band[below.saturating_sub(1)];
        let high = band[(n - below.min(n)).min(n - 1)];
        (low, high)
    }

    /// Share of the errors near this prediction that are above `score`.
    pub(super) fn share_above(&self, predicted: f64, score: f64) -> f64 {
        let band = self.band(predicted);
        let n_above = band.len() - band.partition_point(|&s| s <= score);
        n_above as f64 / band.len() as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_band_has_its_own_quantiles() {
        // Errors are uniform up to ±1 below a prediction of 50 and up to ±10 above.
        let predicted: Vec<f64> = (0..2000).map(|i| f64::from(i) / 20.0).collect();
        let score =
            |i: u32| (f64::from(i * 617 % 1000) / 500.0 - 1.0) * if i < 1000 { 1.0 } else { 10.0 };
        let scores: Vec<f64> = (0..2000).map(score).collect();
        let calibration = Calibration::fit(&predicted, &scores);
        for (predicted, width) in
            [(0.0, 1.0), (-9.0, 1.0), (44.0, 1.0), (60.0, 10.0), (999.0, 10.0)]
        {
            let (low, high) = calibration.interval(predicted, 0.9);
            assert!((low + 0.9 * width).abs() < 0.1 * width, "{predicted}: {low}");
            assert!((high - 0.9 * width).abs() < 0.1 * width, "{predicted}: {high}");
            assert!((calibration.share_above(predicted, 0.0) - 0.5).abs() < 0.05);
        }
    }

    #[test]
    fn few_errors_give_their_range() {
        let calibration = Calibration::fit(&[1.0, 2.0, 3.0], &[-1.0, 0.0, 2.0]);
        assert_eq!(calibration.interval(2.0, 0.9), (-1.0, 2.0));
        assert_eq!(calibration.share_above(2.0, -1.0), 2.0 / 3.0);
    }
}
