//! Three plain detectors fused by their ranks, with a rule that was written down before any file was judged.
//!
//! Mahalanobis with lags, an isolation forest and the largest robust EWMA learn from the first half of the training
//! rows. Each score is ranked among the detector's scores of the second half; the mean of the three ranks is smoothed
//! by [`WEIGHT`], and rows above the highest value of that second half are in alarm. There is nothing to choose.
//! Source: Aggarwal & Sathe (2015), as `analytics::detect::fuse`, against known normal rows instead of all rows, so that
//! no later row counts.

use analytics::detect::conformal::Conformal;
use analytics::detect::isolation::IsolationForest;
use analytics::detect::levels::Levels;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::{Detector, Frame};

use super::TRAINING_ROWS;

const LAGS: usize = 3;
const SHRINKAGE: f64 = 0.01;
const LEVEL_WEIGHT: f64 = 0.01;
/// Weight of the newest row in the smoothed rank.
const WEIGHT: f64 = 0.1;
const SEED: u64 = 1;

/// In alarm or not after each row; never within the training rows.
pub(super) fn alarms(rows: &[Vec<f64>]) -> Vec<bool> {
    let scores = scores(rows);
    let half = TRAINING_ROWS / 2;
    let end = TRAINING_ROWS.min(rows.len());
    let known: Vec<Conformal> = scores.iter().map(|of| Conformal::new(&of[half..end])).collect();
    let mut smooth = f64::NAN;
    let fused: Vec<f64> = (0..rows.len())
        .map(|row| {
            let ranks = known.iter().zip(&scores).map(|(known, of)| 1.0 - known.p_value(of[row]));
            let mean = ranks.sum::<f64>() / known.len() as f64;
            smooth = if smooth.is_nan() { mean } else { smooth + WEIGHT * (mean - smooth) };
            smooth
        })
        .collect();
    let limit = fused[half..end].iter().copied().fold(0.0, f64::max);
    (0..rows.len()).map(|row| row >= TRAINING_ROWS && fused[row] > limit).collect()
}

/// One list of scores per detector.
fn scores(rows: &[Vec<f64>]) -> [Vec<f64>; 3] {
    let n_columns = rows.first().map_or(0, Vec::len);
    let learned = Frame::from_rows(n_columns, &rows[..TRAINING_ROWS / 2].concat());
    let mut lagged = Mahalanobis::new(LAGS, SHRINKAGE);
    lagged.fit(&learned);
    let mut forest = IsolationForest::new(100, 256, SEED);
    forest.fit(&learned);
    let mut levels = Levels::new(n_columns, LEVEL_WEIGHT);
    let all: [&mut dyn Detector; 3] = [&mut lagged, &mut forest, &mut levels];
    all.map(|detector| rows.iter().map(|row| detector.push(row)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(shift: f64, expected: bool) {
        let wave = |row: usize, period: f64| (row as f64 / period).sin();
        let row = |row: usize| {
            let away = if row >= TRAINING_ROWS + 100 { shift } else { 0.0 };
            vec![wave(row, 3.7) + away, wave(row, 2.3), wave(row, 1.1) - away]
        };
        let rows: Vec<Vec<f64>> = (0..TRAINING_ROWS + 200).map(row).collect();
        let alarms = alarms(&rows);
        assert!(alarms[..TRAINING_ROWS].iter().all(|alarm| !alarm));
        assert_eq!(alarms[TRAINING_ROWS + 110..TRAINING_ROWS + 150].iter().all(|a| *a), expected);
    }

    #[test]
    fn a_shift_is_in_alarm_and_normal_rows_are_not() {
        check(5.0, true);
        check(0.0, false);
    }
}
