//! Several forecasts made one.

/// The median of `forecasts` at each step; of an even number the mean of the middle two. NaN is left out.
///
/// Combining is the safest known way to a better forecast, and the median forgives one model that runs away.
/// Steps beyond the shortest forecast are dropped; no forecast gives none.
/// Source: Petropoulos & Svetunkov (2020), "A simple combination of univariate models".
///
/// ```
/// use analytics::forecast::combine;
/// assert_eq!(combine(&[vec![1.0, 5.0], vec![2.0, f64::NAN], vec![100.0, 6.0]]), [2.0, 5.5]);
/// ```
pub fn combine(forecasts: &[Vec<f64>]) -> Vec<f64> {
    let n = forecasts.iter().map(Vec::len).min().unwrap_or(0);
    let at = |step: usize| {
        let mut values: Vec<f64> =
            forecasts.iter().map(|of| of[step]).filter(|x| x.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        match values.len() {
            0 => f64::NAN,
            n if n % 2 == 1 => values[n / 2],
            n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
        }
    };
    (0..n).map(at).collect()
}
