//! What a machine's whole record says about its wear, kept up row by row.

use serde::{Deserialize, Serialize};

use super::Lookback;

/// Rows from which a machine's own normal state is taken.
const BASELINE_ROWS: usize = 15;
/// Rows of the means.
const MEANS: [usize; 4] = [5, 15, 30, 60];
/// Rows of the slopes.
const SLOPES: [usize; 2] = [20, 50];
/// Weights of a new row in the smoothed values.
const SMOOTHING: [f64; 2] = [0.05, 0.15];
/// The longest of [`MEANS`] and [`SLOPES`].
const RECENT_ROWS: usize = 60;

/// How many features a machine with `n_sensors` sensors has.
pub(super) fn count(n_sensors: usize, lookback: Lookback) -> usize {
    match lookback {
        Lookback::Whole => 1 + n_sensors * (3 + MEANS.len() + SLOPES.len() + SMOOTHING.len()),
        Lookback::Rows(_) => n_sensors * (1 + MEANS.len() + SLOPES.len()),
    }
}

/// The record of one machine since its (re)start of life, in constant memory.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct History {
    n_rows: usize,
    sensors: Vec<Sensor>,
}

impl History {
    pub(super) fn new(n_sensors: usize) -> History {
        History { n_rows: 0, sensors: vec![Sensor::default(); n_sensors] }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Takes the next row: one normalized value per sensor, NaN where it is missing.
    pub(super) fn push(&mut self, row: &[f64]) {
        for (sensor, &value) in self.sensors.iter_mut().zip(row) {
            sensor.push(self.n_rows, value);
        }
        self.n_rows += 1;
    }

    /// How far each sensor has moved from the machine's own first rows.
    pub(super) fn deviations(&self, out: &mut [f64]) {
        out.iter_mut().zip(&self.sensors).for_each(|(x, sensor)| *x = sensor.deviation());
    }

    /// Appends the features after the last row to `out`; NaN where the record says nothing yet.
    pub(super) fn features(&self, lookback: Lookback, out: &mut Vec<f64>) {
        if lookback == Lookback::Whole {
            out.push(self.n_rows as f64);
        }
        let limit = if let Lookback::Rows(n_rows) = lookback { n_rows } else { RECENT_ROWS };
        for sensor in &self.sensors {
            out.push(sensor.mean(1));
            out.extend(MEANS.map(|n_rows| sensor.mean(n_rows.min(limit))));
            out.extend(SLOPES.map(|n_rows| sensor.slope(n_rows.min(limit))));
            if lookback == Lookback::Whole {
                out.extend(&sensor.smooth);
                out.push(sensor.life.slope());
                out.push(sensor.deviation());
            }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Sensor {
    /// The last [`RECENT_ROWS`] values, row number modulo their count.
    #[serde(with = "crate::saved")]
    recent: Vec<f64>,
    n_rows: usize,
    #[serde(with = "crate::saved")]
    smooth: Vec<f64>,
    baseline: Line,
    life: Line,
}

impl Default for Sensor {
    fn default() -> Sensor {
        Sensor {
            recent: Vec::with_capacity(RECENT_ROWS),
            n_rows: 0,
            smooth: vec![f64::NAN; SMOOTHING.len()],
            baseline: Line::default(),
            life: Line::default(),
        }
    }
}

impl Sensor {
    fn push(&mut self, row_idx: usize, value: f64) {
        if self.recent.len() < RECENT_ROWS {
            self.recent.push(value);
        } else {
            self.recent[row_idx % RECENT_ROWS] = value;
        }
        self.n_rows = row_idx + 1;
        if value.is_nan() {
            return;
        }
        for (smooth, weight) in self.smooth.iter_mut().zip(SMOOTHING) {
            *smooth = if smooth.is_nan() { value } else { *smooth + weight * (value - *smooth) };
        }
        if row_idx < BASELINE_ROWS {
            self.baseline.push(row_idx as f64, value);
        }
        self.life.push(row_idx as f64, value);
    }

    /// The last `n_rows` values with their row numbers, latest first, without missing ones.
    fn last(&self, n_rows: usize) -> impl Iterator<Item = (f64, f64)> {
        let first = self.n_rows - n_rows.min(self.recent.len());
        let value = |row_idx: usize| (row_idx as f64, self.recent[row_idx % RECENT_ROWS]);
        (first..self.n_rows).rev().map(value).filter(|(_, value)| !value.is_nan())
    }

    fn mean(&self, n_rows: usize) -> f64 {
        let (sum, n) = self.last(n_rows).fold((0.0, 0.0), |(sum, n), (_, x)| (sum + x, n + 1.0));
        sum / n
    }

    fn deviation(&self) -> f64 {
        self.mean(BASELINE_ROWS) - self.baseline.mean()
    }

    fn slope(&self, n_rows: usize) -> f64 {
        let mut line = Line::default();
        self.last(n_rows).for_each(|(t, x)| line.push(t, x));
        line.slope()
    }
}

/// A least-squares line through points that come one by one (Welford (1962), in two dimensions).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Line {
    #[serde(with = "crate::saved")]
    n: f64,
    #[serde(with = "crate::saved")]
    mean_t: f64,
    #[serde(with = "crate::saved")]
    mean_x: f64,
    /// Sums of squares and products about the means.
    #[serde(with = "crate::saved")]
    tt: f64,
    #[serde(with = "crate::saved")]
    tx: f64,
}

impl Line {
    pub(super) fn push(&mut self, t: f64, x: f64) {
        self.n += 1.0;
        let (dt, dx) = (t - self.mean_t, x - self.mean_x);
        self.mean_t += dt / self.n;
        self.mean_x += dx / self.n;
        self.tt += dt * (t - self.mean_t);
        self.tx += dt * (x - self.mean_x);
    }

    /// NaN before the first point.
    pub(super) fn mean(&self) -> f64 {
        if self.n > 0.0 { self.mean_x } else { f64::NAN }
    }

    /// NaN before two points with different `t`.
    pub(super) fn slope(&self) -> f64 {
        if self.tt > 0.0 { self.tx / self.tt } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(values: &[f64], lookback: Lookback) -> Vec<f64> {
        let mut history = History::new(1);
        values.iter().for_each(|&value| history.push(&[value]));
        let mut features = Vec::new();
        history.features(lookback, &mut features);
        assert_eq!(features.len(), count(1, lookback));
        features
    }

    #[test]
    fn a_straight_line_has_its_slope_everywhere() {
        let line: Vec<f64> = (0..100).map(|i| 3.0 + 2.0 * f64::from(i)).collect();
        let features = after(&line, Lookback::Whole);
        // age, last, means over 5, 15, 30, 60, slopes over 20 and 50
        let expected = [100.0, 201.0, 197.0, 187.0, 172.0, 142.0, 2.0, 2.0];
        let close = features.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-9);
        assert!(close, "{features:?}");
        // whole-life slope; mean of rows 85 to 99 less that of rows 0 to 14
        assert!((features[10] - 2.0).abs() < 1e-9 && (features[11] - 170.0).abs() < 1e-9);
    }

    #[test]
    fn short_looks_forget() {
        let mut values: Vec<f64> = (0..200).map(|i| f64::from(i * i)).collect();
        let long = after(&values, Lookback::Rows(30));
        values.drain(..100);
        assert_eq!(long, after(&values, Lookback::Rows(30)));
    }

    #[test]
    fn missing_values_are_passed_over() {
        let features = after(&[f64::NAN, 1.0, f64::NAN, 3.0, f64::NAN], Lookback::Whole);
        assert!(features[1].is_nan(), "the last value is missing");
        assert_eq!(features[2..6], [2.0; 4]);
        assert_eq!(features[6..8], [1.0; 2]);
        assert!(after(&[f64::NAN; 3], Lookback::Whole)[1..].iter().all(|x| x.is_nan()));
        assert!(after(&[], Lookback::Whole)[1..].iter().all(|x| x.is_nan()));
    }
}
