//! Records of one signal: values, levels, jumps and daily patterns that go beyond everything seen before.

use serde::{Deserialize, Serialize};

/// Rows of the short mean.
const SHORT_ROWS: usize = 12;
/// Rows of the mean and spread against which one value or one day is held.
const MIDDLE_ROWS: usize = 36;
/// Rows of either side of a jump.
const LONG_ROWS: usize = 72;
/// Values that are remembered.
const RECENT_ROWS: usize = 2 * LONG_ROWS;
/// A record of a derived view counts for so much of one of the signal itself: there are more of them.
const DERIVED: f64 = 0.1;
/// For so many rows after a record only a larger one is told.
const QUIET_ROWS: u64 = 50;

/// How far a signal, and five views of it, go beyond everything they have been so far.
///
/// The views are the mean of 12 rows, the distance from the mean of the 36 rows before, the spread of 36 rows, the
/// step between means of neighboring 72 rows, and the change of the 36-row mean against one season (a day) ago. A
/// record is measured in the range seen so far, so nothing has to be fitted: in a series of like values records
/// become ever rarer, once in n rows after n rows, and ever smaller. Source: Chandler (1952), "The distribution and
/// frequency of record values".
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Records {
    n_seen: u64,
    /// A ring of the newest values.
    #[serde(with = "crate::saved")]
    recent: Vec<f64>,
    /// A ring of the means of one season.
    #[serde(with = "crate::saved")]
    season: Vec<f64>,
    season_rows: usize,
    views: [Extent; 6],
    #[serde(with = "crate::saved")]
    told: f64,
    told_at: u64,
}

/// Lowest and highest value so far.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Extent {
    #[serde(with = "crate::saved")]
    lowest: f64,
    #[serde(with = "crate::saved")]
    highest: f64,
}

impl Extent {
    /// By how much of the range so far `value` goes beyond it, 0 to 1; then learns it. The first value is no record.
    fn push(&mut self, value: f64) -> f64 {
        let beyond = (value - self.highest).max(self.lowest - value).max(0.0);
        let range = self.highest - self.lowest;
        self.lowest = self.lowest.min(value);
        self.highest = self.highest.max(value);
        if beyond == 0.0 || range < 0.0 { 0.0 } else { (beyond / range).min(1.0) }
    }
}

impl Records {
    /// `season_rows`: rows after which the pattern of the signal repeats, such as one day; 0: it has none.
    pub fn new(season_rows: usize) -> Records {
        let nothing = Extent { lowest: f64::INFINITY, highest: f64::NEG_INFINITY };
        Records {
            n_seen: 0,
            recent: vec![0.0; RECENT_ROWS],
            season: vec![0.0; season_rows],
            season_rows,
            views: [nothing; 6],
            told: 0.0,
            told_at: 0,
        }
    }

    /// Size of the record that `value` sets, in ranges seen so far, 0 to 1; 0 when it sets none. Then learns it.
    ///
    /// NaN for a value that is not finite, which changes nothing. After a record, only a larger one is told for 50
    /// rows. Cost: O(1), about 300 additions; no allocation.
    /// ```
    /// use analytics::detect::records::Records;
    /// let mut records = Records::new(0);
    /// for n in 0..200 {
    ///     records.push(f64::from(n % 10));
    /// }
    /// assert_eq!(records.push(5.0), 0.0);
    /// assert_eq!(records.push(13.5), 0.5); // 4.5 beyond a range of 9
    /// assert_eq!(records.push(13.6), 0.0); // told already
    /// ```
    pub fn push(&mut self, value: f64) -> f64 {
        if !value.is_finite() {
            return f64::NAN;
        }
        let before = self.mean(0, MIDDLE_ROWS);
        let slot = (self.n_seen % RECENT_ROWS as u64) as usize;
        self.recent[slot] = value;
        self.n_seen += 1;
        let mut record = self.views[0].push(value);
        let mut derived = |view: &mut Extent, value: Option<f64>| {
            record = record.max(value.map_or(0.0, |value| DERIVED * view.push(value)));
        };
        let level = self.mean(0, MIDDLE_ROWS);
        let jump = self.mean(LONG_ROWS, LONG_ROWS).zip(self.mean(0, LONG_ROWS));
        let (short, spread) = (self.mean(0, SHORT_ROWS), self.spread(level));
        let change = self.change_of_season(level);
        let [_, short_view, distance_view, spread_view, jump_view, season_view] = &mut self.views;
        derived(short_view, short);
        derived(distance_view, before.map(|mean| value - mean));
        derived(spread_view, spread);
        derived(jump_view, jump.map(|(old, new)| new - old));
        derived(season_view, change);
        self.tell(record)
    }

    /// Mean of `n_rows` values, the newest `skip` left out; none while there are not so many.
    fn mean(&self, skip: usize, n_rows: usize) -> Option<f64> {
        let sum: f64 = self.newest(skip, n_rows)?.sum();
        Some(sum / n_rows as f64)
    }

    fn spread(&self, mean: Option<f64>) -> Option<f64> {
        let mean = mean?;
        let squares = self.newest(0, MIDDLE_ROWS)?.map(|value| (value - mean).powi(2));
        Some((squares.sum::<f64>() / MIDDLE_ROWS as f64).sqrt())
    }

    fn newest(&self, skip: usize, n_rows: usize) -> Option<impl Iterator<Item = f64>> {
        let end = usize::try_from(self.n_seen).unwrap_or(usize::MAX);
        (end >= skip + n_rows)
            .then(|| (end - skip - n_rows..end - skip).map(|row| self.recent[row % RECENT_ROWS]))
    }

    /// How much higher the level is than one season ago; remembers it.
    fn change_of_season(&mut self, level: Option<f64>) -> Option<f64> {
        let level = level?;
        if self.season_rows == 0 {
            return None;
        }
        let n_levels = self.n_seen - MIDDLE_ROWS as u64;
        let slot = &mut self.season[(n_levels % self.season_rows as u64) as usize];
        let old = std::mem::replace(slot, level);
        (n_levels >= self.season_rows as u64).then_some(level - old)
    }

    fn tell(&mut self, record: f64) -> f64 {
        let is_quiet = self.told > 0.0 && self.n_seen - self.told_at < QUIET_ROWS;
        if record <= 0.0 || (is_quiet && record <= self.told) {
            return 0.0;
        }
        (self.told, self.told_at) = (record, self.n_seen);
        record
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, wild};
    use proptest::prelude::*;

    /// A day of 48 rows, for `n_days`.
    fn days(n_days: usize, change: impl Fn(usize, f64) -> f64) -> Vec<f64> {
        let mut noise = Noise::new(1);
        (0..48 * n_days)
            .map(|row| {
                let phase = std::f64::consts::TAU * (row % 48) as f64 / 48.0;
                change(row, 10.0 * phase.sin() + 0.1 * noise.normal())
            })
            .collect()
    }

    fn largest(values: &[f64], from: usize) -> f64 {
        let mut records = Records::new(48);
        let scores: Vec<f64> = values.iter().map(|value| records.push(*value)).collect();
        scores[from..].iter().copied().fold(0.0, f64::max)
    }

    #[test]
    fn a_flat_day_is_a_record_though_no_value_is() {
        let usual = largest(&days(30, |_, value| value), 48 * 20);
        let flat_day = |row: usize, value: f64| if row / 48 == 25 { 0.0 } else { value };
        let flat = largest(&days(30, flat_day), 48 * 20);
        assert!(usual < 0.02 && flat > 0.05, "{usual} {flat}");
    }

    #[test]
    fn constants_and_missing_values_set_no_record() {
        let mut records = Records::new(10);
        for _ in 0..500 {
            assert_eq!(records.push(7.0), 0.0);
            assert!(records.push(f64::NAN).is_nan());
            assert!(records.push(f64::INFINITY).is_nan());
        }
        assert_eq!(records.push(7.1), 1.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn any_values_are_survived_and_a_restart_changes_nothing(
            values in wild(0..600),
            saved_after in 0_usize..600,
        ) {
            let mut records = Records::new(7);
            let mut restored = records.clone();
            for (row, value) in values.iter().enumerate() {
                if row == saved_after {
                    let text = serde_json::to_string(&records).expect("serializes");
                    restored = serde_json::from_str(&text).expect("parses");
                }
                let score = records.push(*value);
                prop_assert!(score.is_nan() || (0.0..=1.0).contains(&score));
                if row >= saved_after {
                    prop_assert_eq!(score.to_bits(), restored.push(*value).to_bits());
                }
            }
        }
    }
}
