//! From counters that only grow to pieces made in between.

use super::facts::Count;

/// What a machine's counters showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// All pieces since the counter was last set to zero.
    pub produced: f64,
    /// Bad pieces since then.
    pub bad: f64,
}

/// The pieces between each reading and the one before, which came at the reading's time.
///
/// A counter that shows less than before was set to zero in between, and has counted from there. A reading that is
/// not finite is left out. Where a reading shows more bad pieces than pieces, all are bad.
///
/// ```
/// use optimize::oee::{Reading, counts};
/// let readings = [(1, 1200.0, 10.0), (2, 1240.0, 14.0), (3, 5.0, 1.0)];
/// let readings = readings.map(|(at_us, produced, bad)| Reading { at_us, produced, bad });
/// let made: Vec<(f64, f64)> = counts(&readings, Some(30.0)).iter().map(|c| (c.good, c.scrap)).collect();
/// assert_eq!(made, [(36.0, 4.0), (4.0, 1.0)]);
/// ```
pub fn counts(readings: &[Reading], ideal_cycle_s: Option<f64>) -> Vec<Count> {
    let is_finite = |reading: &&Reading| reading.produced.is_finite() && reading.bad.is_finite();
    let readings: Vec<&Reading> = readings.iter().filter(is_finite).collect();
    let step = |before: f64, now: f64| if now < before { now.max(0.0) } else { now - before };
    let pairs = readings.windows(2);
    pairs
        .map(|pair| {
            let produced = step(pair[0].produced, pair[1].produced);
            let scrap = step(pair[0].bad, pair[1].bad).min(produced);
            Count { good: produced - scrap, scrap, ideal_cycle_s, ..Count::at(pair[1].at_us) }
        })
        .collect()
}
