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

/// Σ aᵢ bᵢ over the shorter of both, in eight sums side by side, so that the compiler can use vector registers.
#[inline]
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let n = a.len().min(b.len());
    let (a_parts, b_parts) = (a[..n].chunks_exact(8), b[..n].chunks_exact(8));
    let rest: f64 = a_parts.remainder().iter().zip(b_parts.remainder()).map(|(x, y)| x * y).sum();
    for (x, y) in a_parts.zip(b_parts) {
        for lane in 0..8 {
            sums[lane] += x[lane] * y[lane];
        }
    }
    sums.iter().sum::<f64>() + rest
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
        let counted: Vec<f64> = (1..=11).map(f64::from).collect();
        assert_eq!(dot(&counted, &[2.0; 11]), 132.0);
        assert_eq!(dot(&[], &[]), 0.0);
    }
}
