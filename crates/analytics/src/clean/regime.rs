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

/// Levels of a signal, with hysteresis and a least time between changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Regimes {
    /// Center of each state, ascending.
    #[serde(with = "crate::saved::floats")]
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
    /// Source: one-dimensional k-means (Lloyd (1957)) with the smallest k that leaves less than 0.6 of
    /// the variance that it would leave of evenly spread values; of a sine two levels leave 19 %, of normal values 36 %, and
    /// both are refused (limit 15 %). Noise of a fifth of the distance between two states is still told apart. Cost: O(n + k · rounds · log n) after sorting.
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
        let one = vec![sorted.iter().sum::<f64>() / sorted.len().max(1) as f64];
        let error = within(&sorted, &one);
        let fits = |levels: &Vec<f64>| {
            let n = levels.len() as f64;
            within(&sorted, levels) < MAX_LEFT / (n * n) * error
                && smallest_share(&sorted, levels) >= MIN_SHARE
        };
        let moves = error > 0.0 && error.is_finite();
        let n_levels = 2..=if moves { MAX_STATES } else { 0 };
        let levels = n_levels.map(|n| refine(&sorted, n)).find(fits).unwrap_or(one);
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

/// Sorted values cut halfway between the levels: one slice per level.
fn parts<'a>(sorted: &'a [f64], levels: &[f64]) -> Vec<&'a [f64]> {
    let mut rest = sorted;
    let mut parts = Vec::new();
    for pair in levels.windows(2) {
        let middle = 0.5 * (pair[0] + pair[1]);
        let (part, after) = rest.split_at(rest.partition_point(|value| *value <= middle));
        parts.push(part);
        rest = after;
    }
    parts.push(rest);
    parts
}

fn within(sorted: &[f64], levels: &[f64]) -> f64 {
    let squares = |(part, level): (&[f64], &f64)| {
        part.iter().map(|value| (value - level).powi(2)).sum::<f64>()
    };
    parts(sorted, levels).into_iter().zip(levels).map(squares).sum()
}

fn smallest_share(sorted: &[f64], levels: &[f64]) -> f64 {
    let least = parts(sorted, levels).iter().map(|part| part.len()).min().unwrap_or(0);
    least as f64 / sorted.len().max(1) as f64
}

/// Levels that start evenly over the range and move to the means of their parts.
fn refine(sorted: &[f64], n_levels: usize) -> Vec<f64> {
    let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
    let start = |level: usize| low + (high - low) * (level as f64 + 0.5) / n_levels as f64;
    let mut levels: Vec<f64> = (0..n_levels).map(start).collect();
    for _ in 0..ROUNDS {
        let means = parts(sorted, &levels);
        for (level, part) in levels.iter_mut().zip(means) {
            if !part.is_empty() {
                *level = part.iter().sum::<f64>() / part.len() as f64;
            }
        }
    }
    levels
}
