//! Where a recorded signal changed its level or its spread.

/// What may change at a change point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The mean; the spread is taken as the same throughout.
    Mean,
    /// Mean and variance, of normal values.
    MeanAndVariance,
}

/// Indices at which a new segment begins, ascending: the segmentation of least cost, exactly.
///
/// A change costs `penalty` times ln n; 3 suits independent values, more suits autocorrelated ones. No segment is
/// shorter than `min_rows`. Values that are not finite are taken as the value before them. Cost: O(n) when changes
/// are many, O(n²) at worst.
///
/// Source: Killick, Fearnhead & Eckley (2012), "Optimal detection of changepoints with a linear computational cost"
/// (PELT), with normal likelihood; for [`Change::Mean`] the variance comes from the median absolute difference of
/// neighbors.
///
/// ```
/// use analytics::drift::change_points::{Change, pelt};
/// let values: Vec<f64> = (0..60).map(|n| f64::from(n % 2) + if n >= 40 { 10.0 } else { 0.0 }).collect();
/// assert_eq!(pelt(&values, Change::Mean, 3.0, 2), [40]);
/// assert!(pelt(&[], Change::Mean, 3.0, 2).is_empty());
/// ```
pub fn pelt(values: &[f64], change: Change, penalty: f64, min_rows: usize) -> Vec<usize> {
    let n = values.len();
    let min_rows = min_rows.max(2);
    if n < 2 * min_rows {
        return Vec::new();
    }
    let sums = Sums::of(values);
    let beta = penalty * (n as f64).ln();
    let mut best = vec![f64::INFINITY; n + 1];
    best[0] = -beta;
    let mut previous = vec![0; n + 1];
    let mut candidates = Vec::new();
    for end in min_rows..=n {
        let newest = end - min_rows;
        if newest == 0 || newest >= min_rows {
            candidates.push(newest);
        }
        for &start in &candidates {
            let cost = best[start] + sums.cost(start, end, change) + beta;
            if cost < best[end] {
                best[end] = cost;
                previous[end] = start;
            }
        }
        // A start that is already worse by more than a change can never win again.
        candidates.retain(|&start| best[start] + sums.cost(start, end, change) <= best[end]);
    }
    let mut points = Vec::new();
    let mut end = previous[n];
    while end > 0 {
        points.push(end);
        end = previous[end];
    }
    points.reverse();
    points
}

/// Running sums of standardized values and of their squares.
struct Sums {
    values: Vec<f64>,
    squares: Vec<f64>,
}

impl Sums {
    fn of(values: &[f64]) -> Sums {
        let mut last = values.iter().copied().find(|value| value.is_finite()).unwrap_or(0.0);
        let filled: Vec<f64> = values
            .iter()
            .map(|value| {
                last = if value.is_finite() { value.clamp(-1e100, 1e100) } else { last };
                last
            })
            .collect();
        let center = filled.iter().sum::<f64>() / filled.len() as f64;
        let sigma = neighbor_sigma(&filled);
        let (mut sum, mut square) = (0.0, 0.0);
        let mut sums = Sums { values: vec![0.0], squares: vec![0.0] };
        for value in filled {
            let z = (value - center) / sigma;
            sum += z;
            square += z * z;
            sums.values.push(sum);
            sums.squares.push(square);
        }
        sums
    }

    /// Twice the negative log likelihood of a segment, up to a constant per value.
    fn cost(&self, start: usize, end: usize, change: Change) -> f64 {
        let n = (end - start) as f64;
        let sum = self.values[end] - self.values[start];
        let spread = (self.squares[end] - self.squares[start] - sum * sum / n).max(0.0);
        match change {
            Change::Mean => spread,
            // A floor keeps a segment that rests from being infinitely likely.
            Change::MeanAndVariance => n * ((spread / n).max(1e-4).ln() + 1.0),
        }
    }
}

/// σ of the noise from differences of neighbors, which a few changes do not disturb; 1 where nothing moves.
fn neighbor_sigma(values: &[f64]) -> f64 {
    let mut steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    if steps.is_empty() {
        return 1.0;
    }
    let middle = steps.len() / 2;
    let median = *steps.select_nth_unstable_by(middle, f64::total_cmp).1;
    let mean = steps.iter().sum::<f64>() / steps.len() as f64;
    let sigma = if median > 0.0 { 1.4826 * median / std::f64::consts::SQRT_2 } else { mean };
    if sigma > 0.0 && sigma.is_finite() { sigma } else { 1.0 }
}
