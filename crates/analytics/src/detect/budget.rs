//! One false alarm in so many rows, and kept.

use serde::{Deserialize, Serialize};

use crate::tail::Tail;

/// No more episodes than this, too many or too few, are made up for.
const MOST_SURPLUS: f64 = 5.0;

/// A limit on any score that is passed by normal rows about once in `rows_per_false_alarm`.
///
/// It begins with the tail of training scores and then follows what happens: every episode raises the limit,
/// every row without one lowers it a little, in the ratio of the budget, so that in the long run the number of
/// episodes is the budget whatever the distribution and however alike neighboring rows are. What has been overspent
/// is saved again, and the other way around: the steps grow with the episodes too many or too few so far. The limit
/// stays between given shares of the first one, so that a lasting fault is not learned away.
///
/// Source: Gibbs & Candès (2021), "Adaptive conformal inference under distribution shift", eq. 2, in the form of
/// Angelopoulos, Candès & Tibshirani (2023), "Conformal PID control", quantile tracking and error integration
/// (eq. 4 and 5), on the logarithm of the limit and on episodes instead of rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    #[serde(with = "crate::saved")]
    rows_per_false_alarm: f64,
    #[serde(with = "crate::saved")]
    first: f64,
    #[serde(with = "crate::saved")]
    limit: f64,
    #[serde(with = "crate::saved")]
    gain: f64,
    /// Episodes that came beyond those budgeted so far.
    #[serde(with = "crate::saved")]
    surplus: f64,
    #[serde(with = "crate::saved")]
    reach: f64,
    rows_to_end: u32,
    n_calm: u32,
    is_episode: bool,
}

/// What the budget says to a score.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// Below the limit.
    Quiet,
    /// An episode begins with this row.
    Begins,
    /// An episode goes on.
    GoesOn,
}

impl Budget {
    /// `scores`: of normal rows in time order, not used for fitting; what is not finite is left out. An episode ends after
    /// `rows_to_end` rows below the limit. The limit may move by a factor of `reach` (at least 1) either way; 1 fixes it,
    /// as does a limit that is not above 0: scores should be.
    pub fn new(scores: &[f64], rows_per_false_alarm: f64, rows_to_end: u32, reach: f64) -> Budget {
        let limit = episode_limit(scores, rows_per_false_alarm, rows_to_end as usize);
        let gain = gain_of(scores);
        Budget {
            rows_per_false_alarm: rows_per_false_alarm.max(1.0),
            first: limit,
            limit,
            gain,
            surplus: 0.0,
            reach: reach.max(1.0),
            rows_to_end,
            n_calm: 0,
            is_episode: false,
        }
    }

    /// Judges the next score; NaN is quiet and changes nothing. O(1).
    ///
    /// ```
    /// use analytics::detect::budget::{Budget, Call};
    /// let normal: Vec<f64> = (0..1000).map(|n| f64::from(n % 100) / 100.0).collect();
    /// let mut budget = Budget::new(&normal, 1000.0, 2, 1.0);
    /// assert_eq!(budget.push(0.5), Call::Quiet);
    /// assert_eq!([5.0, 0.5, 5.0].map(|score| budget.push(score)), [Call::Begins, Call::GoesOn, Call::GoesOn]);
    /// assert_eq!([0.5, 0.5, 5.0].map(|score| budget.push(score)), [Call::GoesOn, Call::Quiet, Call::Begins]);
    /// ```
    pub fn push(&mut self, score: f64) -> Call {
        if score.is_nan() {
            return if self.is_episode { Call::GoesOn } else { Call::Quiet };
        }
        let is_above = score > self.limit;
        if self.is_episode {
            self.n_calm = if is_above { 0 } else { self.n_calm + 1 };
            self.is_episode = self.n_calm < self.rows_to_end;
            return if self.is_episode { Call::GoesOn } else { Call::Quiet };
        }
        let step = if is_above { 1.0 } else { 0.0 } - 1.0 / self.rows_per_false_alarm;
        self.surplus = (self.surplus + step).clamp(-MOST_SURPLUS, MOST_SURPLUS);
        // More has come than was to be spent: episodes weigh more; less: calm rows do.
        let hurry = 1.0 + (self.surplus * step.signum()).max(0.0);
        let (lowest, highest) = self.bounds();
        self.limit = (self.limit * (self.gain * step * hurry).exp()).clamp(lowest, highest);
        if !is_above {
            return Call::Quiet;
        }
        self.is_episode = true;
        self.n_calm = 0;
        Call::Begins
    }

    /// Between which limits it moves.
    fn bounds(&self) -> (f64, f64) {
        if self.first > 0.0 && self.first.is_finite() {
            (self.first / self.reach, self.first * self.reach)
        } else {
            (self.first, self.first)
        }
    }

    /// The limit now.
    pub fn limit(&self) -> f64 {
        self.limit
    }
}

/// How much the logarithm of the limit moves per episode: as much as makes episodes about twice as rare.
fn gain_of(scores: &[f64]) -> f64 {
    let sorted = sorted(scores);
    if sorted.len() < 20 {
        return 0.1;
    }
    let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
    let (low, high) = (at(0.9), at(0.98));
    // ln 5 in probability between the two quantiles, ln 2 wanted.
    let per_fold = if low > 0.0 { (high / low).ln() / 5f64.ln() } else { 0.1 };
    (per_fold * std::f64::consts::LN_2).clamp(0.01, 0.5)
}

/// The limit that so many rows pass once, from maxima of blocks as long as an episode takes to end.
///
/// Neighboring rows are alike, so exceedances come in clusters: the maximum of a block counts once. The upper half of
/// the maxima is continued as an exponential tail (Coles (2001), "An introduction to statistical modeling of
/// extreme values", §4–5). Infinite for no scores.
fn episode_limit(scores: &[f64], rows_per_false_alarm: f64, rows_to_end: usize) -> f64 {
    let known: Vec<f64> = scores.iter().copied().filter(|score| score.is_finite()).collect();
    let block = rows_to_end.clamp(1, (known.len() / 20).max(1));
    let maxima: Vec<f64> =
        known.chunks(block).map(|block| block.iter().copied().fold(f64::MIN, f64::max)).collect();
    let maxima = sorted(&maxima);
    let Some(last) = maxima.len().checked_sub(1) else { return f64::INFINITY };
    let share = block as f64 / rows_per_false_alarm.max(1.0);
    if share * maxima.len() as f64 >= 10.0 {
        return maxima[((1.0 - share.min(1.0)) * last as f64) as usize];
    }
    let start = maxima.len() - (maxima.len() / 5).clamp(1, 200).max(10.min(maxima.len()));
    let tail = Tail::above(&maxima, start);
    tail.passed((tail.share / share).max(1.0))
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}
