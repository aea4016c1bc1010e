//! One machine state: a sample of its rows, and what was learned from them.

use serde::{Deserialize, Serialize};

use super::Settings;
use super::model::Model;
use super::trend::Trend;
use crate::random::Random;

/// Rows kept per regime to learn from.
const MAX_ROWS: usize = 4096;
/// A regime is new while fewer rows than `learn_rows` times this have been seen.
const SETTLED_AFTER: u64 = 20;
/// The center of a settled regime may move so far, as a squared length in standard deviations given the other columns.
const MAX_CREEP: f64 = 1.0;
/// No model is fitted to fewer rows.
const MIN_ROWS: usize = 20;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Regime {
    pub(super) code: u32,
    /// Row-major, at most [`MAX_ROWS`], with the number of each row.
    #[serde(with = "crate::saved")]
    rows: Vec<f64>,
    numbers: Vec<u64>,
    pub(super) n_seen: u64,
    next_fit: u64,
    /// Rows seen when a model was last tried.
    #[serde(default)]
    refined_at: u64,
    random: Random,
    pub(super) fitted: Option<Fitted>,
    /// The model with which the regime was settled; later ones must not stray far from it.
    anchor: Option<Model>,
}

/// What was learned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fitted {
    pub(super) model: Model,
    pub(super) trend: Trend,
}

impl Regime {
    pub(super) fn new(code: u32, settings: &Settings) -> Regime {
        Regime {
            code,
            rows: Vec::new(),
            numbers: Vec::new(),
            n_seen: 0,
            next_fit: settings.learn_rows.max(MIN_ROWS) as u64,
            refined_at: 0,
            random: Random::new(settings.seed ^ u64::from(code)),
            fitted: None,
            anchor: None,
        }
    }

    /// Enough has been seen to tell a rare way of working from a fault.
    pub(super) fn is_settled(&self, settings: &Settings) -> bool {
        !settings.refit || self.n_seen >= SETTLED_AFTER * settings.learn_rows as u64
    }

    /// Takes a good row, and fits a model when it is time; a first one sets `level` to the trend of its rows.
    pub(super) fn learn(&mut self, row: &[f64], settings: &Settings, level: &mut [f64]) {
        if settings.refit && self.fitted.is_some() {
            // From here on a row costs no allocation, also after a restart.
            self.rows.reserve_exact(MAX_ROWS * row.len() - self.rows.len());
            self.numbers.reserve_exact(MAX_ROWS - self.numbers.len());
        }
        self.remember(row);
        if self.n_seen < self.next_fit {
            return;
        }
        self.next_fit = self.next_fit.saturating_mul(2);
        self.fit(row.len(), settings, level);
        if !settings.refit {
            self.rows = Vec::new();
            self.numbers = Vec::new();
        }
    }

    /// Fits the model again to what is remembered by now; whether there was something new and it was trusted.
    pub(super) fn refine(&mut self, d: usize, settings: &Settings, level: &mut [f64]) -> bool {
        let is_due = settings.refit && self.fitted.is_some() && self.n_seen > self.refined_at;
        is_due && self.fit(d, settings, level)
    }

    fn fit(&mut self, d: usize, settings: &Settings, level: &mut [f64]) -> bool {
        let rows = self.in_order(d);
        self.refined_at = self.n_seen;
        let Some(model) = Model::fit(&rows, d, settings.rows_per_false_alarm) else { return false };
        if self.anchor.as_ref().is_some_and(|anchor| anchor.distance_to(&model) > MAX_CREEP) {
            // Normal has crept away from what it was: a slow fault is being learned.
            return false;
        }
        if self.anchor.is_none() && settings.refit && self.is_settled(settings) {
            self.anchor = Some(model.clone());
        }
        match &mut self.fitted {
            Some(fitted) => {
                fitted.trend.follow_model(&fitted.model, &model);
                fitted.model = model;
            }
            none => {
                let mut trend = Trend::new(&model, d, self.random.next());
                if self.n_seen <= MAX_ROWS as u64 {
                    trend.learn_rows(&model, &rows, level);
                }
                *none = Some(Fitted { model, trend });
            }
        }
        true
    }

    /// Reservoir sampling (Vitter (1985), algorithm R): every row seen is kept with the same probability.
    fn remember(&mut self, row: &[f64]) {
        self.n_seen += 1;
        if self.numbers.len() < MAX_ROWS {
            self.rows.extend_from_slice(row);
            self.numbers.push(self.n_seen);
            return;
        }
        let slot = self.random.below(self.n_seen as usize);
        if slot < MAX_ROWS {
            self.rows[slot * row.len()..(slot + 1) * row.len()].copy_from_slice(row);
            self.numbers[slot] = self.n_seen;
        }
    }

    fn in_order(&self, d: usize) -> Vec<f64> {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_unstable_by_key(|idx| self.numbers[*idx]);
        order.iter().flat_map(|idx| &self.rows[idx * d..(idx + 1) * d]).copied().collect()
    }
}
