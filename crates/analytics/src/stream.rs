//! One detector per machine, fed row by row: it learns what is normal and says when it no longer is, and why.
//!
//! ```text
//! row ──standardize──► z ──┬──► φ(z), smoothed and capped ──────┐
//!                          └──► trend e (EWMA of z) ──► T²(e) ──┴──► larger of both over its limit ──► episode
//! ```
//!
//! Each machine state (regime) has its own model: robust standardization, principal components of the columns that
//! hang together, and the combined index of T² and SPE
//!
//! ```text
//! φ(z) = (T²(z) + SPE_w(z)) / k = zᵀ M z
//! ```
//!
//! (Yue & Qin (2001), "Reconstruction-based fault identification using a combined index", eq. 12, but with each
//! residual direction weighted by its own variance; T² after Hotelling (1947), SPE after Jackson & Mudholkar
//! (1979)). Directions in which the training rows wander slowly have been seen seldom, however many rows there
//! are; they count for less, by Student's t for the number of independent rows. The limit comes from the training
//! rows alone: each of five consecutive blocks is scored by a model of the other four, and the tail of those scores
//! is extrapolated to the chosen false-alarm rate (peaks over threshold, Siffer et al. (2017), with exponential
//! tail). A smoothed index has no heavier tail than a single one, so the chosen rate is an upper bound whatever the
//! sampling interval.
//!
//! Beside it, the multivariate EWMA of the rows finds shifts too small to show in any single row, once the regime is
//! settled: as long as a monitor learns, a new product looks like such a shift.
//! Contributions are reconstruction-based (Alcala & Qin (2009), eq. 14).

mod extremes;
mod model;
mod regime;
mod relations;
#[cfg(test)]
mod tests;
mod trend;

use serde::{Deserialize, Serialize};

use self::model::Model;
use self::regime::{Fitted, Regime};
use crate::Detector;
use crate::detector::shares;
use crate::stats::dot;

/// Weight of a new row in the smoothed index and in what explains it.
const SMOOTHING: f64 = 0.1;
/// One row counts at most so many limits: a single odd row never makes an episode.
const CAP: f64 = 3.0;
/// An episode ends when the score has come down to this share of what began it.
const END_SHARE: f64 = 0.6;

/// How a monitor learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Rows of a regime before its first verdict.
    pub learn_rows: usize,
    /// At most about one false alarm in so many rows.
    #[serde(with = "crate::saved")]
    pub rows_per_false_alarm: f64,
    /// Whether the model is fitted anew as good rows double.
    pub refit: bool,
    /// Seed of the reservoir.
    pub seed: u64,
}

/// What the monitor says after a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The regime of this row has no model yet.
    pub learning: bool,
    /// How much of what it must see it has seen, 0 to 1.
    #[serde(with = "crate::saved")]
    pub learned_share: f64,
    /// 100 is as learned, 50 is at the limit, 0 far beyond; NaN while learning.
    #[serde(with = "crate::saved")]
    pub health: f64,
    /// The larger of smoothed index and trend, over its limit; NaN while learning.
    #[serde(with = "crate::saved")]
    pub score: f64,
    /// An episode is going on.
    pub alarm: bool,
    /// It has begun with this row.
    pub started: bool,
    /// It has ended with this row.
    pub ended: bool,
}

/// What one column has to do with the present score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Its index.
    pub column: usize,
    /// Its share of all contributions, 0 to 1.
    #[serde(with = "crate::saved")]
    pub share: f64,
    /// How far it is from where the other columns say it should be, in its own standard deviations of that.
    #[serde(with = "crate::saved")]
    pub direction: f64,
}

/// The detector of one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssetMonitor {
    n_columns: usize,
    settings: Settings,
    /// In the order in which they were first seen.
    regimes: Vec<Regime>,
    /// Smoothed standardized values and index, over all regimes.
    #[serde(with = "crate::saved")]
    z: Vec<f64>,
    #[serde(with = "crate::saved")]
    smooth: Option<f64>,
    /// Trend of the standardized values since the regime began.
    #[serde(with = "crate::saved")]
    level: Vec<f64>,
    present_idx: usize,
    alarm: bool,
    contributions: Vec<Contribution>,
    #[serde(skip)]
    scratch: Vec<f64>,
}

/// What a row of a known regime shows.
struct Shown {
    is_odd: bool,
    score: f64,
    health: f64,
}

impl AssetMonitor {
    /// A monitor that knows nothing yet. Rows will have `n_columns` values.
    ///
    /// ```
    /// use analytics::stream::{AssetMonitor, Settings};
    /// let settings = Settings { learn_rows: 100, rows_per_false_alarm: 1e4, refit: true, seed: 1 };
    /// let mut monitor = AssetMonitor::new(1, settings);
    /// for n in 0..100 {
    ///     assert!(!monitor.push(&[[9.9, 10.0, 10.1][n % 3]], 0).alarm);
    /// }
    /// let rows_to_alarm = (1..).find(|_| monitor.push(&[12.0], 0).alarm);
    /// assert!(rows_to_alarm < Some(20));
    /// assert_eq!(monitor.contributions()[0].column, 0);
    /// ```
    pub fn new(n_columns: usize, settings: Settings) -> AssetMonitor {
        AssetMonitor {
            n_columns,
            settings,
            regimes: Vec::new(),
            z: vec![0.0; n_columns],
            smooth: None,
            level: vec![0.0; n_columns],
            present_idx: 0,
            alarm: false,
            contributions: Vec::with_capacity(n_columns),
            scratch: Vec::new(),
        }
    }

    /// Judges one row and learns from it. NaN is missing; a row of which more than half is missing says nothing.
    ///
    /// `regime`: the machine state; one that was never seen is learned before it is judged. An episode does not
    /// end because the regime changes. Cost: O(d²), no allocation once the regime has a model, except when it
    /// is fitted anew.
    ///
    /// # Panics
    /// When `row` has not `n_columns` values.
    pub fn push(&mut self, row: &[f64], regime: u32) -> Judgement {
        assert_eq!(row.len(), self.n_columns);
        // A monitor that was read from text has room for what it held, no more.
        self.contributions.reserve(self.n_columns.saturating_sub(self.contributions.len()));
        let idx = self.regime_idx(regime);
        if idx != self.present_idx && !self.alarm {
            // How alike neighboring rows are is another thing in each regime; what began in one is not judged in the other.
            self.level.fill(0.0);
        }
        self.present_idx = idx;
        let before = self.alarm;
        let shown = self.judge(idx, row);
        if let Some(shown) = &shown {
            self.alarm = shown.score > if before { END_SHARE } else { 1.0 };
            if self.alarm || shown.health < 80.0 {
                self.explain(idx);
            }
        }
        self.learn(idx, row, shown.as_ref());
        let regime = &self.regimes[idx];
        Judgement {
            learning: regime.fitted.is_none(),
            learned_share: (regime.n_seen as f64 / self.settings.learn_rows.max(1) as f64).min(1.0),
            health: shown.as_ref().map_or(f64::NAN, |shown| shown.health),
            score: shown.as_ref().map_or(f64::NAN, |shown| shown.score),
            alarm: self.alarm,
            started: self.alarm && !before,
            ended: before && !self.alarm,
        }
    }

    /// Contributions to the present score, largest first; of the last odd row when all is well.
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Changes the false-alarm rate; what was learned stays.
    pub fn set_rows_per_false_alarm(&mut self, rows: f64) {
        self.settings.rows_per_false_alarm = rows;
        for fitted in self.regimes.iter_mut().filter_map(|regime| regime.fitted.as_mut()) {
            fitted.model.set_budget(rows);
            fitted.trend.set_limit(&fitted.model);
        }
    }

    /// Rows will come at another interval: how alike neighboring rows are must be learned anew.
    ///
    /// Until then small lasting shifts are found later, and not more false alarms are raised.
    pub fn change_rhythm(&mut self) {
        for fitted in self.regimes.iter_mut().filter_map(|regime| regime.fitted.as_mut()) {
            fitted.trend.forget(&fitted.model);
        }
    }

    /// Fits every regime again to its remembered good rows, and gives how many models changed.
    ///
    /// Between doublings of the good rows the model stays as it is; this is for a quiet hour. A regime without new
    /// rows, one without a model, and one whose normal would stray too far stay as they are. With
    /// [`Settings::refit`] off it does nothing. Cost: O(4096·d² + d³) per regime.
    pub fn refine(&mut self) -> usize {
        let (d, level) = (self.n_columns, &mut self.level);
        let regimes = self.regimes.iter_mut();
        regimes.filter_map(|regime| regime.refine(d, &self.settings, level).then_some(())).count()
    }

    /// Forgets everything that was learned.
    pub fn relearn(&mut self) {
        *self = AssetMonitor::new(self.n_columns, self.settings);
    }

    fn regime_idx(&mut self, code: u32) -> usize {
        if let Some(idx) = self.regimes.iter().position(|regime| regime.code == code) {
            return idx;
        }
        self.regimes.push(Regime::new(code, &self.settings));
        self.regimes.len() - 1
    }

    /// Moves the smoothed values on; none when the regime has no model, or the row says nothing.
    fn judge(&mut self, idx: usize, row: &[f64]) -> Option<Shown> {
        let Fitted { model, trend } = self.regimes[idx].fitted.as_ref()?;
        self.scratch.resize(row.len(), 0.0);
        if !model.standardize(row, &mut self.scratch) {
            return None;
        }
        for (smooth, z) in self.z.iter_mut().zip(&self.scratch) {
            *smooth += SMOOTHING * (z - *smooth);
        }
        trend::follow(&mut self.level, &self.scratch);
        let single = model.index(&self.scratch) / model.limit;
        let smooth = match self.smooth {
            Some(smooth) => smooth + SMOOTHING * (single.min(CAP) - smooth),
            None => single.min(1.0),
        };
        self.smooth = Some(smooth);
        let is_settled = self.regimes[idx].is_settled(&self.settings);
        let score = if is_settled { smooth.max(trend.score(&self.level)) } else { smooth };
        let usual = (model.median / model.limit).max(trend.usual());
        Some(Shown { is_odd: single > 1.0, score, health: health_of(score, usual) })
    }

    /// Odd rows and the trends of an episode are learned only while the regime is new.
    fn learn(&mut self, idx: usize, row: &[f64], shown: Option<&Shown>) {
        let regime = &mut self.regimes[idx];
        if !self.settings.refit && regime.fitted.is_some() {
            return;
        }
        let is_new = !regime.is_settled(&self.settings);
        if let (Some(_), Some(fitted)) = (shown, &mut regime.fitted)
            && (is_new || !self.alarm)
        {
            fitted.trend.learn(&fitted.model, &self.scratch, &self.level);
        }
        let is_odd = self.alarm || shown.is_some_and(|shown| shown.is_odd);
        if is_new || !is_odd {
            regime.learn(row, &self.settings, &mut self.level);
        }
    }

    /// Reconstruction-based contributions of the smoothed deviation.
    fn explain(&mut self, idx: usize) {
        let Some(Fitted { model: Model { m, .. }, .. }) = &self.regimes[idx].fitted else { return };
        let d = self.n_columns;
        self.contributions.clear();
        let mut sum = 0.0;
        for (column, m) in m.chunks_exact(d).enumerate() {
            if m[column] <= 0.0 {
                continue;
            }
            let along = dot(m, &self.z);
            let share = along * along / m[column];
            sum += share;
            self.contributions.push(Contribution { column, share, direction: along / m[column] });
        }
        for part in &mut self.contributions {
            part.share /= sum.max(f64::MIN_POSITIVE);
        }
        self.contributions
            .sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then(a.column.cmp(&b.column)));
    }
}

/// A machine of one regime, 0: its score is above 1 where an alarm begins.
impl Detector for AssetMonitor {
    fn push(&mut self, row: &[f64]) -> f64 {
        self.push(row, 0).score
    }

    /// The contributions; of the last odd row when all is well.
    fn blame(&self) -> Vec<f64> {
        let mut parts = vec![0.0; self.n_columns];
        self.contributions.iter().for_each(|part| parts[part.column] = part.share);
        shares(parts)
    }
}

/// 100 at the usual score of normal rows, 50 at the limit, 0 at the square of that distance beyond.
fn health_of(score: f64, usual: f64) -> f64 {
    let distance = (score / usual).ln() / (1.0 / usual).ln();
    (100.0 - 50.0 * distance.clamp(0.0, 2.0)).clamp(0.0, 100.0)
}
