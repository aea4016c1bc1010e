//! Several forecasts made one.

use super::Error;

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
            n => f64::midpoint(values[n / 2 - 1], values[n / 2]),
        }
    };
    (0..n).map(at).collect()
}

/// How often each of `members` goes into the mean that comes closest to `actual`: a share per member, sum 1.
///
/// `members`: one list of forecasts of the same values per model, `actual`: those values, of a time that no model has
/// learned from. Of `rounds` members, each in turn the one (again, if need be) that lowers the mean squared error of the
/// mean of all so far the most; the best of these means is taken. Few rounds and whole members are what keeps it from
/// learning the noise of `actual`. Pairs with a missing value in any list are left out. Cost: O(m²·n + rounds·m).
///
/// Source: Caruana, Niculescu-Mizil, Crew & Ksikes (2004), "Ensemble selection from libraries of models", §2.1–2.2.
///
/// # Errors
/// If a member has another length than `actual`, there is no member, or nothing to compare.
///
/// ```
/// use analytics::forecast::select;
/// let (high, low, wild) = (vec![2.0, 3.0, 4.0], vec![0.0, 1.0, 2.0], vec![9.0, -9.0, 9.0]);
/// // The first is always 1 too high, the second 1 too low.
/// assert_eq!(select(&[high, low, wild], &[1.0, 2.0, 3.0], 10).unwrap(), [0.5, 0.5, 0.0]);
/// ```
pub fn select(members: &[Vec<f64>], actual: &[f64], rounds: usize) -> Result<Vec<f64>, Error> {
    let m = members.len();
    if let Some(of) = members.iter().find(|of| of.len() != actual.len()) {
        return Err(Error::Ragged { what: "a member", found: of.len(), expected: actual.len() });
    }
    let products = products_of_errors(members, actual);
    if m == 0 || (0..m).all(|i| products[i * m + i].is_nan()) {
        return Err(Error::TooShort { found: 0, least: 1 });
    }
    let mut counts = vec![0.0; m];
    // Products of each member's errors with those of the sum so far, and of that sum with itself.
    let (mut with_sum, mut of_sum) = (vec![0.0; m], 0.0);
    let (mut lowest, mut best) = (f64::INFINITY, Vec::new());
    for round in 1..=rounds.max(1) {
        let after = |i: usize| of_sum + 2.0 * with_sum[i] + products[i * m + i];
        let Some(next) = (0..m).min_by(|&a, &b| after(a).total_cmp(&after(b))) else { break };
        of_sum = after(next);
        (0..m).for_each(|i| with_sum[i] += products[next * m + i]);
        counts[next] += 1.0;
        let n = round as f64;
        if of_sum / (n * n) < lowest || best.is_empty() {
            lowest = of_sum / (n * n);
            best = counts.iter().map(|count| count / n).collect();
        }
    }
    Ok(best)
}

/// Mean over all complete rows of eᵢ·eⱼ, m × m; NaN without one.
fn products_of_errors(members: &[Vec<f64>], actual: &[f64]) -> Vec<f64> {
    let m = members.len();
    let mut products = vec![0.0; m * m];
    let (mut errors, mut n) = (vec![0.0; m], 0.0);
    for (row, y) in actual.iter().enumerate() {
        errors.iter_mut().zip(members).for_each(|(error, of)| *error = of[row] - y);
        if errors.iter().any(|error| !error.is_finite()) {
            continue;
        }
        n += 1.0;
        for (i, error) in errors.iter().enumerate() {
            let into = &mut products[i * m..=i * m + i];
            into.iter_mut().zip(&errors).for_each(|(sum, other)| *sum += error * other);
        }
    }
    for i in 0..m {
        for j in 0..=i {
            products[i * m + j] /= n;
            products[j * m + i] = products[i * m + j];
        }
    }
    products
}
