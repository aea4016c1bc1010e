//! Figures of samples that several algorithms need.

/// σ = 1.4826 · MAD for normal noise (Hampel (1974)).
pub(crate) const MAD_TO_SIGMA: f64 = 1.4826;

/// The middle value, the upper one of two; reorders `values`, which are not empty. O(n).
pub(crate) fn median(values: &mut [f64]) -> f64 {
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f64::total_cmp).1
}

/// Mean and standard deviation (over n) of the finite values; 0 and 0 without any.
pub(crate) fn mean_and_sigma(values: &[f64]) -> (f64, f64) {
    let finite = || values.iter().filter(|value| value.is_finite());
    let n = finite().count().max(1) as f64;
    let mean = finite().sum::<f64>() / n;
    (mean, (finite().map(|value| (value - mean).powi(2)).sum::<f64>() / n).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_can_be_checked_by_hand() {
        assert_eq!(median(&mut [5.0, 1.0, 3.0]), 3.0);
        assert_eq!(median(&mut [4.0, 1.0, 3.0, 2.0]), 3.0);
        assert_eq!(mean_and_sigma(&[1.0, f64::NAN, 3.0, f64::INFINITY]), (2.0, 1.0));
        assert_eq!(mean_and_sigma(&[]), (0.0, 0.0));
    }
}
