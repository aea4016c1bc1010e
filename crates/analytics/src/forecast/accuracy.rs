//! How good a forecast was. Pairs with a missing value on either side are left out; nothing to compare gives NaN.

/// Mean absolute error: Σ |y − f| / n.
///
/// ```
/// use analytics::forecast::accuracy::{mae, mse};
/// assert_eq!(mae(&[1.0, 2.0, f64::NAN], &[1.0, 5.0, 9.0]), 1.5);
/// assert_eq!(mse(&[1.0, 2.0, f64::NAN], &[1.0, 5.0, 9.0]), 4.5);
/// assert!(mae(&[], &[]).is_nan());
/// ```
pub fn mae(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(pairs(actual, forecast).map(|(y, f)| (y - f).abs()))
}

/// Mean squared error: Σ (y − f)² / n.
pub fn mse(actual: &[f64], forecast: &[f64]) -> f64 {
    mean(pairs(actual, forecast).map(|(y, f)| (y - f).powi(2)))
}

/// Symmetric mean absolute percentage error as in the M competitions, 0 to 200 %: 200 |y − f| / (|y| + |f|).
///
/// Two zeros agree. Source: Makridakis & Hibon (2000), appendix A.
///
/// ```
/// use analytics::forecast::accuracy::smape_percent;
/// assert_eq!(smape_percent(&[100.0, 0.0], &[300.0, 0.0]), 50.0); // 100 % and 0 %
/// ```
pub fn smape_percent(actual: &[f64], forecast: &[f64]) -> f64 {
    // Halves, because the sum of the largest numbers is infinite.
    mean(pairs(actual, forecast).map(|(y, f)| match 0.5 * y.abs() + 0.5 * f.abs() {
        0.0 => 0.0,
        size => 200.0 * ((0.5 * y - 0.5 * f).abs() / size),
    }))
}

/// Mean absolute error over that of the seasonal naive forecast inside `training`: below 1 beats it.
///
/// NaN where the training values repeat exactly or are shorter than a season.
/// Source: Hyndman & Koehler (2006), eq. 6 with a seasonal scale.
///
/// ```
/// use analytics::forecast::accuracy::mase;
/// // "As before" errs by 1 in the training values, the forecast by 2.
/// assert_eq!(mase(&[6.0], &[4.0], &[1.0, 2.0, 3.0], 1), 2.0);
/// ```
pub fn mase(actual: &[f64], forecast: &[f64], training: &[f64], period: usize) -> f64 {
    let lagged = training.get(period.max(1)..).unwrap_or_default();
    let scale = mae(lagged, &training[..lagged.len()]);
    if scale > 0.0 { mae(actual, forecast) / scale } else { f64::NAN }
}

/// Share of the actual values that lie within `half_width` of the forecast, in percent.
///
/// ```
/// use analytics::forecast::accuracy::coverage_percent;
/// assert_eq!(coverage_percent(&[1.0, 5.0], &[2.0, 2.0], &[1.0, 1.0]), 50.0);
/// ```
pub fn coverage_percent(actual: &[f64], forecast: &[f64], half_width: &[f64]) -> f64 {
    let inside = actual.iter().zip(forecast).zip(half_width);
    mean(
        inside
            .filter(|((y, f), _)| (*y - *f).is_finite())
            .map(|((y, f), width)| if (y - f).abs() <= *width { 100.0 } else { 0.0 }),
    )
}

fn pairs<'a>(a: &'a [f64], b: &'a [f64]) -> impl Iterator<Item = (f64, f64)> + 'a {
    let both = a.iter().copied().zip(b.iter().copied());
    both.filter(|(x, y)| x.is_finite() && y.is_finite())
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, n) = values.fold((0.0, 0usize), |(sum, n), x| (sum + x, n + 1));
    if n == 0 { f64::NAN } else { sum / n as f64 }
}
