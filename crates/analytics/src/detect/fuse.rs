//! One score out of several that are on different scales.

/// Mean of the ranks of each detector's scores, 0 (most usual) to 1.
///
/// `scores`: one vector per detector, all of the same length; NaN is left out of the mean. Empty gives empty.
/// Source: Aggarwal & Sathe (2015), "Theoretical foundations and algorithms for outlier ensembles", averaging, on
/// ranks so that no scale wins. Cost: O(n log n) per detector.
///
/// ```
/// use analytics::detect::fuse::mean_rank;
/// let fused = mean_rank(&[vec![1.0, 2.0, 9.0], vec![0.2, 0.1, 0.3]]);
/// assert_eq!(fused, [0.25, 0.25, 1.0]);
/// ```
///
/// # Panics
/// When the lengths differ.
pub fn mean_rank(scores: &[Vec<f64>]) -> Vec<f64> {
    let Some(first) = scores.first() else { return Vec::new() };
    let mut sums = vec![(0.0, 0u32); first.len()];
    for scores in scores {
        assert_eq!(scores.len(), sums.len());
        for ((sum, count), rank) in sums.iter_mut().zip(ranks(scores)) {
            if !rank.is_nan() {
                *sum += rank;
                *count += 1;
            }
        }
    }
    sums.iter().map(|(sum, count)| sum / f64::from(*count)).collect()
}

/// Ranks from 0 to 1, equal scores share the mean of theirs; NaN stays NaN. Cost: O(n log n).
///
/// ```
/// use analytics::detect::fuse::ranks;
/// assert_eq!(ranks(&[7.0, 1.0, 3.0, 3.0, 9.0]), [0.75, 0.0, 0.375, 0.375, 1.0]);
/// ```
pub fn ranks(scores: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..scores.len()).filter(|idx| !scores[*idx].is_nan()).collect();
    order.sort_unstable_by(|a, b| scores[*a].total_cmp(&scores[*b]));
    let last = order.len().saturating_sub(1).max(1) as f64;
    let mut ranks = vec![f64::NAN; scores.len()];
    let mut start = 0;
    while start < order.len() {
        let score = scores[order[start]];
        let same = order[start..].iter().take_while(|idx| scores[**idx] == score).count();
        let rank = (start + (same - 1) / 2) as f64 + if same % 2 == 0 { 0.5 } else { 0.0 };
        order[start..start + same].iter().for_each(|idx| ranks[*idx] = rank / last);
        start += same;
    }
    ranks
}
