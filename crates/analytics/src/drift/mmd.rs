//! Do two tables come from one joint distribution? Sees what column by column cannot: changed relations.

use crate::Frame;
use crate::random::Random;

/// What the test says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Discrepancy {
    /// Squared maximum mean discrepancy; may be slightly negative for equal distributions. NaN when it cannot say.
    pub squared: f64,
    /// Probability of one at least as large, if nothing had changed; 1 when it cannot say.
    pub p_value: f64,
}

/// Maximum mean discrepancy with a Gaussian kernel on standardized columns, tested by permutation.
///
/// At most `max_rows` evenly spaced rows of each frame are used, rows with a NaN are left out. Kernel width: the
/// median distance. Cost: O(max_rows² · (d + permutations)).
///
/// Source: Gretton et al. (2012), "A kernel two-sample test", eq. 3 (unbiased), §8 for the median heuristic.
///
/// ```
/// use analytics::{Frame, drift::mmd::discrepancy};
/// // Both columns have the same values before and after, but now they move together.
/// let rows = |step: i32| (0..60).flat_map(|n| [f64::from(n % 10), f64::from(n * step % 10)]).collect::<Vec<_>>();
/// let (old, new) = (Frame::from_rows(2, &rows(7)), Frame::from_rows(2, &rows(1)));
/// assert!(discrepancy(&old, &new, 100, 100, 1).p_value < 0.02);
/// assert!(discrepancy(&old, &old, 100, 100, 1).p_value > 0.1);
/// ```
pub fn discrepancy(
    reference: &Frame,
    recent: &Frame,
    max_rows: usize,
    permutations: usize,
    seed: u64,
) -> Discrepancy {
    let (mut rows, n_old) = standardized(reference, recent, max_rows);
    let n = rows.len();
    if n_old < 2 || n - n_old < 2 {
        return Discrepancy { squared: f64::NAN, p_value: 1.0 };
    }
    let kernel = kernel_matrix(&mut rows);
    let mut is_old: Vec<bool> = (0..n).map(|idx| idx < n_old).collect();
    let squared = statistic(&kernel, &is_old);
    let mut random = Random::new(seed);
    let mut n_larger = 0;
    for _ in 0..permutations {
        (1..n).rev().for_each(|idx| is_old.swap(idx, random.below(idx + 1)));
        n_larger += usize::from(statistic(&kernel, &is_old) >= squared);
    }
    Discrepancy { squared, p_value: (1 + n_larger) as f64 / (1 + permutations) as f64 }
}

/// Complete rows of both frames by mean and standard deviation of the first, and how many are of the first.
fn standardized(reference: &Frame, recent: &Frame, max_rows: usize) -> (Vec<Vec<f64>>, usize) {
    let scales: Vec<(f64, f64)> = reference
        .columns
        .iter()
        .map(|column| {
            let finite = super::distance::sorted(column);
            let mean = finite.iter().sum::<f64>() / finite.len().max(1) as f64;
            (mean, if finite.is_empty() { 1.0 } else { super::distance::deviation(&finite) })
        })
        .collect();
    let pick = |frame: &Frame| -> Vec<Vec<f64>> {
        let n_picked = frame.n_rows().min(max_rows);
        let row = |at: usize| {
            let row_idx = at * frame.n_rows() / n_picked;
            let columns = frame.columns.iter().zip(&scales);
            columns.map(|(column, (mean, sigma))| (column[row_idx] - mean) / sigma).collect()
        };
        let rows = (0..n_picked).map(row);
        rows.filter(|row: &Vec<f64>| row.iter().all(|value| value.is_finite())).collect()
    };
    let mut rows = pick(reference);
    let n_old = rows.len();
    rows.extend(pick(recent));
    (rows, n_old)
}

/// exp(−|x − y|²/2w²), row-major.
fn kernel_matrix(rows: &mut [Vec<f64>]) -> Vec<f64> {
    let n = rows.len();
    let mut squares = vec![0.0; n * n];
    let mut above = Vec::with_capacity(n * (n - 1) / 2);
    for i in 0..n {
        for j in 0..i {
            let square: f64 = rows[i].iter().zip(&rows[j]).map(|(a, b)| (a - b).powi(2)).sum();
            squares[i * n + j] = square;
            squares[j * n + i] = square;
            above.push(square);
        }
    }
    let middle = above.len() / 2;
    let (_, median, _) = above.select_nth_unstable_by(middle, f64::total_cmp);
    let width = median.max(1e-12);
    squares.iter_mut().for_each(|square| *square = (-*square / width).exp());
    squares
}

fn statistic(kernel: &[f64], is_old: &[bool]) -> f64 {
    let n = is_old.len();
    let (mut old, mut new, mut cross) = (0.0, 0.0, 0.0);
    for i in 0..n {
        let row = &kernel[i * n..i * n + i];
        let (mut same, mut other) = (0.0, 0.0);
        for (value, j_is_old) in row.iter().zip(is_old) {
            if *j_is_old == is_old[i] {
                same += value;
            } else {
                other += value;
            }
        }
        cross += other;
        if is_old[i] {
            old += same;
        } else {
            new += same;
        }
    }
    let n_old = is_old.iter().filter(|old| **old).count() as f64;
    let n_new = n as f64 - n_old;
    2.0 * old / (n_old * (n_old - 1.0)) + 2.0 * new / (n_new * (n_new - 1.0))
        - 2.0 * cross / (n_old * n_new)
}
