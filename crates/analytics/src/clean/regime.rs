//! Finds the machine states in a signal that shows them, such as current or speed, where no state is sent.

use serde::{Deserialize, Serialize};

/// Most states looked for.
const MAX_STATES: usize = 4;
/// k levels must leave less than this share of the 1/k² of the variance that they leave of evenly spread values.
const MAX_LEFT: f64 = 0.6;
/// Rounds of Lloyd's algorithm.
const ROUNDS: usize = 30;
/// Every state holds at least this share of the rows.
const MIN_SHARE: f64 = 0.02;
/// One row in so many is left out at either end, the lowest and the highest ones: a quarter of the smallest state.
const TRIMMED: usize = 200;
/// Of fewer rows none is left out.
const LEAST_TRIMMED: usize = 50;

/// Levels of a signal, with hysteresis and a least time between changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regimes {
    /// Center of each state, ascending.
    #[serde(with = "crate::saved")]
    levels: Vec<f64>,
    min_rows: u32,
    state: Option<usize>,
    candidate: usize,
    n_candidate: u32,
}

impl Regimes {
    /// Learns up to four levels from recorded values; a signal without clear levels has one state.
    ///
    /// A state must last `min_rows` rows to be believed. Values that are not finite are ignored.
    ///
    /// Outliers make no level and move none: of fifty rows or more, half a percent at either end is left out, at least
    /// one.
    ///
    /// Source: one-dimensional k-means (Lloyd (1957), eq. 3: each level is the mean of the values nearest to it), trimmed
    /// as in Cuesta-Albertos, Gordaliza & Matrán (1997), "Trimmed k-means", with a fixed share per side. It starts both
    /// evenly over the range and at evenly spaced quantiles, and keeps what leaves less variance: the first finds rare
    /// levels far apart, the second common ones that are near each other. The smallest k is taken that leaves less than 0.6
    /// of the variance that it would leave of evenly spread values; of a sine two levels leave 19 %, of normal values
    /// 36 %, and both are refused (limit 15 %). Noise of a fifth of the distance between two states is still told apart.
    /// Cost: O(n log n) for sorting, O(k · rounds · log n) for the levels.
    ///
    /// ```
    /// use analytics::clean::Regimes;
    /// let current: Vec<f64> = (0..100).map(|n| if n % 50 < 25 { 0.1 } else { 30.0 } + 0.01 * (n % 3) as f64).collect();
    /// let mut regimes = Regimes::learn(&current, 2);
    /// assert_eq!(regimes.n_states(), 2);
    /// assert_eq!([0.1, 30.0, 30.0, 0.1].map(|value| regimes.push(value)), [0, 0, 1, 1]);
    /// ```
    pub fn learn(values: &[f64], min_rows: u32) -> Regimes {
        let mut sorted: Vec<f64> =
            values.iter().copied().filter(|value| value.is_finite()).collect();
        sorted.sort_unstable_by(f64::total_cmp);
        let known = Sorted::trimmed(&sorted);
        let one = vec![known.mean(0, known.values.len())];
        let error = known.within(&one);
        let fits = |levels: &Vec<f64>| {
            let n = levels.len() as f64;
            known.within(levels) < MAX_LEFT / (n * n) * error
                && known.smallest_share(levels) >= MIN_SHARE
        };
        let moves = error > 0.0 && error.is_finite();
        let n_levels = 2..=if moves { MAX_STATES } else { 0 };
        let levels = n_levels.map(|n| known.levels(n)).find(fits).unwrap_or(one);
        Regimes { levels, min_rows: min_rows.max(1), state: None, candidate: 0, n_candidate: 0 }
    }

    /// The state after a value; a change counts once it has lasted. A value that is not finite changes nothing.
    pub fn push(&mut self, value: f64) -> usize {
        if !value.is_finite() {
            return self.state.unwrap_or(0);
        }
        let seen = nearest(&self.levels, value);
        let Some(state) = self.state else {
            self.state = Some(seen);
            return seen;
        };
        if seen == state {
            self.n_candidate = 0;
            return state;
        }
        self.n_candidate = if seen == self.candidate { self.n_candidate + 1 } else { 1 };
        self.candidate = seen;
        if self.n_candidate >= self.min_rows {
            self.state = Some(seen);
            self.n_candidate = 0;
        }
        self.state.unwrap_or(seen)
    }

    /// How many states there are, at least one.
    pub fn n_states(&self) -> usize {
        self.levels.len()
    }
}

fn nearest(levels: &[f64], value: f64) -> usize {
    levels.windows(2).take_while(|pair| value > 0.5 * (pair[0] + pair[1])).count()
}

/// Ascending values without the outermost ones, with running sums, so that a part of them costs nothing to sum up.
struct Sorted<'a> {
    values: &'a [f64],
    n_left_out: usize,
    /// Subtracted from all values in the sums, so that no digits are lost.
    center: f64,
    sums: Vec<f64>,
    squares: Vec<f64>,
}

impl Sorted<'_> {
    fn trimmed(sorted: &[f64]) -> Sorted<'_> {
        let n = sorted.len();
        let trimmed = if n < LEAST_TRIMMED { 0 } else { (n / TRIMMED).max(1) };
        let values = &sorted[trimmed..n - trimmed];
        let center = values.get(values.len() / 2).copied().unwrap_or(0.0);
        let (mut sums, mut squares) = (vec![0.0], vec![0.0]);
        let (mut sum, mut square) = (0.0, 0.0);
        for value in values {
            sum += value - center;
            square += (value - center).powi(2);
            sums.push(sum);
            squares.push(square);
        }
        Sorted { values, n_left_out: 2 * trimmed, center, sums, squares }
    }

    /// Mean of values `from` up to, not including, `to`; the center for none.
    fn mean(&self, from: usize, to: usize) -> f64 {
        self.center + (self.sums[to] - self.sums[from]) / (to - from).max(1) as f64
    }

    /// Where the part of each level ends: halfway to the next one.
    fn ends(&self, levels: &[f64]) -> Vec<usize> {
        let middles = levels.windows(2).map(|pair| 0.5 * pair[0] + 0.5 * pair[1]);
        let end = |middle| self.values.partition_point(|value| *value <= middle);
        middles.map(end).chain([self.values.len()]).collect()
    }

    /// Calls `visit` with the index of each level and the values that belong to it, from and to.
    fn each_part(&self, levels: &[f64], mut visit: impl FnMut(usize, usize, usize)) {
        let mut from = 0;
        for (level, to) in self.ends(levels).into_iter().enumerate() {
            visit(level, from, to);
            from = to;
        }
    }

    /// Sum of squared distances from the nearest level.
    fn within(&self, levels: &[f64]) -> f64 {
        let mut sum = 0.0;
        self.each_part(levels, |level, from, to| {
            let (n, apart) = ((to - from) as f64, levels[level] - self.center);
            let (first, second) =
                (self.sums[to] - self.sums[from], self.squares[to] - self.squares[from]);
            sum += (second - 2.0 * apart * first + n * apart * apart).max(0.0);
        });
        sum
    }

    /// Of all values; those left out belong to nobody.
    fn smallest_share(&self, levels: &[f64]) -> f64 {
        let mut least = usize::MAX;
        self.each_part(levels, |_, from, to| least = least.min(to - from));
        // The lowest and the highest level have lost what was left out at their end.
        (least + self.n_left_out / 2) as f64 / (self.values.len() + self.n_left_out).max(1) as f64
    }

    /// The better of the levels from both starts; there is at least one value.
    fn levels(&self, n_levels: usize) -> Vec<f64> {
        let last = self.values.len() - 1;
        let (low, high) = (self.values[0], self.values[last]);
        let share = |level: usize| (level as f64 + 0.5) / n_levels as f64;
        let evenly = (0..n_levels).map(|level| low + (high - low) * share(level)).collect();
        let quantiles =
            (0..n_levels).map(|level| self.values[(share(level) * last as f64) as usize]).collect();
        let (evenly, quantiles) = (self.settled(evenly), self.settled(quantiles));
        if self.within(&quantiles) < self.within(&evenly) { quantiles } else { evenly }
    }

    /// Levels moved to the means of their parts until they stay.
    fn settled(&self, mut levels: Vec<f64>) -> Vec<f64> {
        for _ in 0..ROUNDS {
            let before = levels.clone();
            self.each_part(&before, |level, from, to| {
                if to > from {
                    levels[level] = self.mean(from, to);
                }
            });
            if levels == before {
                break;
            }
        }
        levels
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    /// `shares` of 2000 rows at levels 0, 10, 20, … with noise of 1, and `outliers` among them.
    fn n_states(shares: &[f64], outliers: &[f64]) -> usize {
        let mut noise = Noise::new(1);
        let mut values = outliers.to_vec();
        for (level, share) in shares.iter().enumerate() {
            values.extend(
                (0..(2000.0 * share) as usize).map(|_| 10.0 * level as f64 + noise.normal()),
            );
        }
        Regimes::learn(&values, 3).n_states()
    }

    /// One reading of a million used to hide all states, as every level but one was spent on it.
    #[test]
    fn outliers_hide_no_state_and_make_none() {
        let few: Vec<f64> = (0..9).map(|n| 1e6 * f64::from(n - 4)).collect();
        for outliers in [&[][..], &[1e6], &[-1e6], &[1e300, -1e300], &few] {
            assert_eq!(n_states(&[0.5, 0.5], outliers), 2, "{outliers:?}");
            assert_eq!(n_states(&[0.9, 0.06, 0.04], outliers), 3, "{outliers:?}");
            assert_eq!(n_states(&[0.3, 0.2, 0.2, 0.3], outliers), 4, "{outliers:?}");
            assert_eq!(n_states(&[1.0], outliers), 1, "{outliers:?}");
        }
        assert_eq!(n_states(&[0.9, 0.1], &[]), 2);
        assert_eq!(n_states(&[0.995, 0.005], &[]), 1, "too rare for a state");
    }

    #[test]
    fn outliers_move_no_level() {
        let mut noise = Noise::new(2);
        let mut values: Vec<f64> =
            (0..1000).map(|n| 30.0 * f64::from(n % 2) + noise.normal()).collect();
        values[500..504].copy_from_slice(&[1e9, -1e9, 1e7, 3e8]);
        let found = Regimes::learn(&values, 1);
        let near = found.levels.iter().zip([0.0, 30.0]).all(|(a, b)| (a - b).abs() < 0.5);
        assert!(found.levels.len() == 2 && near, "{:?}", found.levels);
    }
}
