//! Mean and spread of the last rows, as columns for another detector.

use crate::Frame;

/// For every column its mean and its standard deviation over the last `window` rows (fewer at the start).
///
/// Gives 2 · d columns, the means first, and as many rows as there were. NaN is left out; a window without a value
/// gives NaN. Cost: O(n · d · window).
///
/// ```
/// use analytics::{Frame, detect::rolling::mean_and_spread};
/// let rolled = mean_and_spread(&Frame::from_rows(1, &[1.0, 3.0, 3.0]), 2);
/// assert_eq!(rolled.columns, [vec![1.0, 2.0, 3.0], vec![0.0, 1.0, 0.0]]);
/// ```
pub fn mean_and_spread(frame: &Frame, window: usize) -> Frame {
    let (mut means, mut spreads) = (Vec::new(), Vec::new());
    for column in &frame.columns {
        let (mean, spread): (Vec<f64>, Vec<f64>) = (0..column.len())
            .map(|end| mean_and_deviation(&column[(end + 1).saturating_sub(window.max(1))..=end]))
            .unzip();
        means.push(mean);
        spreads.push(spread);
    }
    means.append(&mut spreads);
    Frame { times_us: frame.times_us.clone(), columns: means }
}

fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    let finite = || values.iter().filter(|value| value.is_finite());
    let n = finite().count() as f64;
    let mean = finite().sum::<f64>() / n;
    let variance = finite().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
    (mean, variance.sqrt())
}
