//! Sensors that measure the same thing: which of them drifts away from the others?

use serde::{Deserialize, Serialize};

use crate::detect::cusum::{Cusum, Shift};
use crate::detect::ewma::RobustEwma;

/// Weight of a row while the usual offsets are learned; the first rows count equally.
const LEARN_WEIGHT: f64 = 1e-3;
/// No single row counts for more standard deviations than this: a lone outlier is no drift.
const MOST: f64 = 3.0;
/// Neighboring rows are taken to be no more alike than this.
const MOST_ALIKE: f64 = 0.98;

/// Watches sensors that should agree, each against the median of all.
///
/// For `learn_rows` rows the usual offset and spread of each are learned, and how alike the distances of neighboring rows
/// are (φ). From then on they stay as they are, and a CUSUM of what is new in each distance, dₜ − φ dₜ₋₁ in its own
/// standard deviations and cut off at 3, tells a lasting drift from noise. Three sensors or more name the culprit; two
/// only say that one of them drifts, and both are called. A drift is found once it exceeds about
/// slack · √((1 + φ)/(1 − φ)) standard deviations of the distance.
///
/// Source: Page (1954), "Continuous inspection schemes", for the CUSUM; residuals of a first-order autoregression as its
/// input after Lu & Reynolds (2001), "Cusum charts for monitoring an autocorrelated process", §2; the median as
/// reference after Willsky (1976), "A survey of design methods for failure detection in dynamic systems", voting schemes.
/// False calls are rarer than one in exp(2 · slack · limit) rows for normal noise (Siegmund (1985), eq. 2.57).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Redundant {
    learn_rows: u32,
    n_seen: u32,
    usual: Vec<RobustEwma>,
    memory: Vec<Memory>,
    sums: Vec<Cusum>,
    drifting: Vec<Option<Direction>>,
    #[serde(skip)]
    sorted: Vec<f64>,
}

/// Where a sensor drifts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// It reads too high.
    Up,
    /// It reads too low.
    Down,
}

impl Redundant {
    /// `slack`: drifts below twice this many standard deviations of the usual distance are tolerated; `limit`: what the sum
    /// of the rest must pass. 1 and 20 suit rows that are not too alike.
    pub fn new(n_sensors: usize, learn_rows: u32, slack: f64, limit: f64) -> Redundant {
        Redundant {
            learn_rows: learn_rows.max(2),
            n_seen: 0,
            usual: vec![RobustEwma::new(LEARN_WEIGHT); n_sensors],
            memory: vec![Memory::default(); n_sensors],
            sums: vec![Cusum::new(slack, limit); n_sensors],
            drifting: vec![None; n_sensors],
            sorted: Vec::with_capacity(n_sensors),
        }
    }

    /// Takes one row and says which sensors have been found drifting so far; once called, a sensor stays called.
    ///
    /// NaN is left out; a row with fewer than two values says nothing. Cost: O(n log n), no allocation.
    /// ```
    /// use analytics::clean::{Direction, Redundant};
    /// let mut three = Redundant::new(3, 100, 1.0, 20.0);
    /// let noise = |row: i32, sensor: i32| 0.1 * f64::from((7 * row + 3 * sensor) % 5);
    /// for row in 0..200 {
    ///     let called = three.push(&[noise(row, 0), noise(row, 1), noise(row, 2)]);
    ///     assert_eq!(called, [None; 3]);
    /// }
    /// let drifted = |row| noise(row, 1) + 0.01 * f64::from(row - 200);
    /// (200..400).for_each(|row| {
    ///         three.push(&[noise(row, 0), drifted(row), noise(row, 2)]);
    ///     });
    /// assert_eq!(three.drifting(), [None, Some(Direction::Up), None]);
    /// ```
    ///
    /// # Panics
    /// When `row` has another number of values than there are sensors.
    pub fn push(&mut self, row: &[f64]) -> &[Option<Direction>] {
        assert_eq!(row.len(), self.usual.len());
        self.sorted.clear();
        self.sorted.extend(row.iter().filter(|value| value.is_finite()));
        if self.sorted.len() < 2 {
            return &self.drifting;
        }
        self.sorted.sort_unstable_by(f64::total_cmp);
        let middle = self.sorted.len() / 2;
        let even = self.sorted.len().is_multiple_of(2);
        let below = self.sorted[if even { middle - 1 } else { middle }];
        let center = 0.5 * below + 0.5 * self.sorted[middle];
        let is_learning = self.n_seen < self.learn_rows;
        self.n_seen = self.n_seen.saturating_add(1);
        for (sensor, value) in row.iter().enumerate() {
            if is_learning {
                let z = self.usual[sensor].push(value - center);
                self.memory[sensor].learn(z);
            } else {
                self.judge(sensor, value - center);
            }
        }
        &self.drifting
    }

    /// The sensors found drifting so far.
    pub fn drifting(&self) -> &[Option<Direction>] {
        &self.drifting
    }

    fn judge(&mut self, sensor: usize, distance: f64) {
        let usual = &self.usual[sensor];
        let z = (distance - usual.level()) / usual.sigma();
        // A sensor that was never apart from the median gives no scale.
        if !z.is_finite() || self.drifting[sensor].is_some() {
            return;
        }
        let news = self.memory[sensor].news(z);
        self.drifting[sensor] = self.sums[sensor].push(news).map(|shift| match shift {
            Shift::Up => Direction::Up,
            Shift::Down => Direction::Down,
        });
    }
}

/// How alike neighboring distances are, in standard deviations of the distance.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Memory {
    #[serde(with = "crate::saved")]
    before: f64,
    #[serde(with = "crate::saved")]
    n: f64,
    #[serde(with = "crate::saved")]
    squares: f64,
    #[serde(with = "crate::saved")]
    products: f64,
}

impl Memory {
    fn learn(&mut self, z: f64) {
        let z = if z.is_finite() { z.clamp(-MOST, MOST) } else { return };
        self.n += 1.0;
        self.squares += z * z;
        self.products += z * self.before;
        self.before = z;
    }

    /// What the row before did not foretell, in its own standard deviations.
    fn news(&mut self, z: f64) -> f64 {
        let alike = if self.squares > 0.0 { self.products / self.squares } else { 0.0 };
        // One standard error (Bartlett (1946)) up: rows taken for less alike than they are give false calls.
        let error = ((1.0 - alike * alike).max(0.0) / self.n.max(1.0)).sqrt();
        let alike = if alike > error { (alike + error).min(MOST_ALIKE) } else { 0.0 };
        let before = std::mem::replace(&mut self.before, z);
        ((z - alike * before) / (1.0 - alike * alike).sqrt()).clamp(-MOST, MOST)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::{Noise, wild};

    #[test]
    fn the_culprit_is_named_and_nobody_else() {
        let mut noise = Noise::new(1);
        let mut state = 0.0;
        let mut watch = Redundant::new(4, 1000, 1.0, 20.0);
        let mut first = None;
        for row_idx in 0..60_000 {
            state = 0.999 * state + noise.normal();
            let drift = if row_idx >= 50_000 { 0.001 * f64::from(row_idx - 50_000) } else { 0.0 };
            let mut row: [f64; 4] = std::array::from_fn(|_| state + 0.5 * noise.normal());
            row[2] -= drift;
            let called = watch.push(&row).iter().any(Option::is_some);
            first = first.or(called.then_some(row_idx));
        }
        assert_eq!(watch.drifting(), [None, None, Some(Direction::Down), None]);
        assert!(first.is_some_and(|row_idx| (50_000..54_000).contains(&row_idx)), "{first:?}");
    }

    /// It used to call within a few hundred rows wherever a sensor's noise was not white.
    #[test]
    fn rows_that_are_alike_and_outliers_are_no_drift() {
        for alike in [0.0, 0.5, 0.9] {
            let mut noise = Noise::new(2);
            let mut own = [0.0; 3];
            let mut watch = Redundant::new(3, 1000, 1.0, 20.0);
            for row_idx in 0..50_000 {
                own.iter_mut().for_each(|x| *x = alike * *x + noise.normal());
                let read = own.map(|x| x + if noise.uniform() < 0.001 { 50.0 } else { 0.0 });
                assert_eq!(watch.push(&read), [None; 3], "{alike}: row {row_idx}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn any_rows_are_survived_and_saving_changes_nothing(
            values in wild(0..200),
        ) {
            let mut watch = Redundant::new(2, 20, 0.5, 4.0);
            let mut restored = watch.clone();
            for (row_idx, row) in values.chunks_exact(2).enumerate() {
                if row_idx == 30 {
                    let text = serde_json::to_string(&watch).expect("serializes");
                    restored = serde_json::from_str(&text).expect("parses");
                }
                let called = watch.push(row).to_vec();
                if row_idx >= 30 {
                    prop_assert_eq!(restored.push(row), called);
                }
            }
        }
    }
}
