//! Exponential smoothing with level, trend and season in its innovations form.
//!
//! Source: Hyndman, Koehler, Ord & Snyder (2008), "Forecasting with exponential smoothing", tables 2.2 and 2.3,
//! likelihood eq. 5.3, start values §2.6.1, choice by AICc §7.2. Departures: start values are not searched with the
//! smoothing parameters but fitted by least squares between two such searches (from the decomposition, and from a
//! backward pass of the fitted model), which leaves a search over at most four variables; forms with
//! additive noise and multiplicative season are left out, as R leaves them out.

mod start;
mod state;

use serde::{Deserialize, Serialize};

use super::search::lowest;
use super::{Error, check};
use start::{backcast, fit_start, start};
use state::{State, Weights, pass};

/// By so much the AICc of a form with an endless slope must be lower.
const ENDLESS_SLOPE: f64 = 10.0;
/// Level, slope and season of a model that goes on stay below this.
const MOST_STATE: f64 = 1e150;

/// How noise enters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noise {
    /// Of the same size at every level.
    Additive,
    /// In proportion to the forecast, which must be above 0.
    Multiplicative,
}

/// How the level moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trend {
    /// Not by itself.
    None,
    /// By a slope that goes on.
    Linear,
    /// By a slope that fades.
    Damped,
}

/// What returns with every period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Season {
    /// Nothing.
    None,
    /// A summand.
    Additive,
    /// A factor.
    Multiplicative,
}

/// Which exponential smoothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EtsForm {
    /// Noise.
    pub noise: Noise,
    /// Trend.
    pub trend: Trend,
    /// Season.
    pub season: Season,
}

impl EtsForm {
    fn n_searched(self) -> usize {
        let of_trend = match self.trend {
            Trend::None => 0,
            Trend::Linear => 1,
            Trend::Damped => 2,
        };
        1 + of_trend + usize::from(self.season != Season::None)
    }

    /// Parameters, start values and the variance.
    fn n_parameters(self, period: usize) -> usize {
        let starts = 1 + usize::from(self.trend != Trend::None);
        let of_season = if self.season == Season::None { 0 } else { period - 1 };
        self.n_searched() + starts + of_season + 1
    }

    /// Whether its errors are linear in its start values.
    fn is_linear(self) -> bool {
        !self.needs_positive()
    }

    fn needs_positive(self) -> bool {
        self.noise == Noise::Multiplicative || self.season == Season::Multiplicative
    }
}

/// A fitted exponential smoothing, at the end of its series. It can be saved, and goes on with [`Ets::push`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ets {
    /// Which one.
    pub form: EtsForm,
    /// Steps per season; 1 without.
    pub period: usize,
    /// Weight of news in the level, 0 to 1.
    #[serde(with = "crate::saved")]
    pub alpha: f64,
    /// Weight of news in the slope, 0 to `alpha`.
    #[serde(with = "crate::saved")]
    pub beta: f64,
    /// Weight of news in the season, 0 to 1 − `alpha`.
    #[serde(with = "crate::saved")]
    pub gamma: f64,
    /// How much of the slope is left after a step, 0.8 to 0.98; 1 where it does not fade.
    #[serde(with = "crate::saved")]
    pub phi: f64,
    /// Akaike's criterion, corrected for short series; only comparable between forms on one series.
    #[serde(with = "crate::saved")]
    pub aicc: f64,
    /// Standard deviation of one-step errors, relative ones with multiplicative noise.
    #[serde(with = "crate::saved")]
    pub sigma: f64,
    state: State,
}

/// Fits one form to `series` with a season of `period` steps (1 for none).
///
/// Missing values move the state on without news. Cost: about 300 passes over the series. Sources and departures: as the
/// other forms, Hyndman et al. (2008), tables 2.2 and 2.3, eq. 5.3.
///
/// ```
/// use analytics::forecast::{EtsForm, Noise, Season, Trend, ets_of};
/// let form = EtsForm { noise: Noise::Additive, trend: Trend::Linear, season: Season::None };
/// let line: Vec<f64> = (0..20).map(|i| 3.0 * f64::from(i)).collect();
/// let ahead = ets_of(&line, 1, form).unwrap().forecast(2);
/// assert!((ahead[0] - 60.0).abs() < 0.01 && (ahead[1] - 63.0).abs() < 0.01);
/// ```
///
/// # Errors
/// If there are fewer than 4 values, fewer than two seasons where there is a season, an infinite one, or values that are
/// not above 0 for a multiplicative form.
pub fn ets_of(series: &[f64], period: usize, form: EtsForm) -> Result<Ets, Error> {
    let start = start(series, period, form)?;
    Ok(fit(series, period, form, start))
}

/// Fits all forms that suit the series and gives the one with the lowest AICc, where a slope that goes on for ever must be
/// better by 10 than one that fades.
///
/// Forms within 10 of each other are both supported by the series (Burnham & Anderson (2002), "Model selection and
/// multimodel inference", §2.6), and of two such trends the fading one errs less far ahead (Gardner & McKenzie (2011), "Why
/// the damped trend works").
///
/// Multiplicative forms are tried if all values are above 0, seasonal ones if there are two whole seasons.
/// Cost: 15 forms of about 300 passes at most; some 2 ms for 120 months.
///
/// # Errors
/// If there are fewer than 4 values or an infinite one.
///
/// ```
/// use analytics::forecast::{Season, Trend, ets};
/// // Two seasons a year about a rising level.
/// let series: Vec<f64> = (0..40).map(|i| 10.0 + f64::from(i) + if i % 2 == 0 { 3.0 } else { -3.0 }).collect();
/// let model = ets(&series, 2).unwrap();
/// assert!(model.form.season != Season::None && model.form.trend != Trend::None);
/// let ahead = model.forecast(2);
/// assert!((ahead[0] - 53.0).abs() < 0.5 && (ahead[1] - 48.0).abs() < 0.5);
/// ```
pub fn ets(series: &[f64], period: usize) -> Result<Ets, Error> {
    check(series, 4)?;
    let is_positive = series.iter().all(|x| x.is_nan() || *x > 0.0);
    let mut best: Option<Ets> = None;
    for season in [Season::None, Season::Additive, Season::Multiplicative] {
        for trend in [Trend::None, Trend::Linear, Trend::Damped] {
            for noise in [Noise::Additive, Noise::Multiplicative] {
                let form = EtsForm { noise, trend, season };
                let is_unstable = noise == Noise::Additive && season == Season::Multiplicative;
                if is_unstable || (form.needs_positive() && !is_positive) {
                    continue;
                }
                let Ok(start) = start(series, period, form) else { continue };
                let found = fit(series, period, form, start);
                if best.as_ref().is_none_or(|known| found.criterion() < known.criterion()) {
                    best = Some(found);
                }
            }
        }
    }
    best.ok_or(Error::TooShort { found: series.len(), least: 4 })
}

fn fit(series: &[f64], period: usize, form: EtsForm, start: State) -> Ets {
    let mut point = [0.3, 0.1, 0.1, 0.9];
    let mut begin = start;
    let mut best: Option<(f64, [f64; 4], State)> = None;
    for (step, n_evaluations) in [(0.3, 40), (0.1, 30)] {
        let n_evaluations = n_evaluations * form.n_searched();
        let (found, loss) = search(series, form, &begin, point, step, n_evaluations);
        let weights = Weights::of(form, &found);
        let mut fitted = fit_start(series, form, weights, (loss, begin.clone()));
        if best.is_none() && !form.is_linear() {
            // Seen from the end the start may lie in another valley.
            let turned = backcast(series, form, weights, &begin);
            let loss = pass(series, form, weights, &mut turned.clone()).loss;
            let other = fit_start(series, form, weights, (loss, turned));
            fitted = if other.0 < fitted.0 { other } else { fitted };
        }
        begin = fitted.1;
        if best.as_ref().is_none_or(|known| fitted.0 < known.0) {
            best = Some((fitted.0, found, begin.clone()));
        }
        point = found;
    }
    let (_, point, mut state) = best.unwrap_or((f64::INFINITY, point, begin));
    let weights = Weights::of(form, &point);
    let sums = pass(series, form, weights, &mut state);
    let (n, k) = (sums.n as f64, form.n_parameters(period) as f64);
    let room = n - k - 1.0;
    let aicc = if room > 0.0 { sums.loss + 2.0 * k * n / room } else { f64::INFINITY };
    let Weights { alpha, beta, gamma, phi } = weights;
    let sigma = (sums.squares / n).sqrt();
    Ets { form, period, alpha, beta, gamma, phi, aicc, sigma, state }
}

/// Searches those of the four weights that the form has.
fn search(
    series: &[f64],
    form: EtsForm,
    begin: &State,
    point: [f64; 4],
    step: f64,
    n_evaluations: usize,
) -> ([f64; 4], f64) {
    let mut scratch = begin.clone();
    let mut loss = |point: &[f64; 4]| {
        scratch.clone_from(begin);
        pass(series, form, Weights::of(form, point), &mut scratch).loss
    };
    let has_season = form.season != Season::None;
    let axes: &[usize] = match (form.trend, has_season) {
        (Trend::None, false) => &[0],
        (Trend::None, true) => &[0, 2],
        (Trend::Linear, false) => &[0, 1],
        (Trend::Linear, true) => &[0, 1, 2],
        (Trend::Damped, false) => &[0, 1, 3],
        (Trend::Damped, true) => &[0, 1, 2, 3],
    };
    match axes.len() {
        1 => searched::<1>(axes, point, step, n_evaluations, &mut loss),
        2 => searched::<2>(axes, point, step, n_evaluations, &mut loss),
        3 => searched::<3>(axes, point, step, n_evaluations, &mut loss),
        _ => searched::<4>(axes, point, step, n_evaluations, &mut loss),
    }
}

fn searched<const D: usize>(
    axes: &[usize],
    point: [f64; 4],
    step: f64,
    n_evaluations: usize,
    loss: &mut impl FnMut(&[f64; 4]) -> f64,
) -> ([f64; 4], f64) {
    let whole = |part: &[f64; D]| {
        let mut all = point;
        axes.iter().zip(part).for_each(|(axis, value)| all[*axis] = *value);
        all
    };
    let start: [f64; D] = std::array::from_fn(|i| point[axes[i]]);
    let (part, lowest) = lowest(start, step, 1e-6, n_evaluations, |part| loss(&whole(part)));
    (whole(&part), lowest)
}

impl Ets {
    fn criterion(&self) -> f64 {
        let is_endless = self.form.trend == Trend::Linear;
        self.aicc + if is_endless { ENDLESS_SLOPE } else { 0.0 }
    }

    /// The next `horizon` values.
    pub fn forecast(&self, horizon: usize) -> Vec<f64> {
        let mut state = self.state.clone();
        let weights = self.weights();
        let next = |_| {
            let forecast = state.forecast(self.form.season, self.phi);
            state.step(self.form.season, weights, 0.0);
            forecast
        };
        (0..horizon).map(next).collect()
    }

    /// Takes in the next value. The weights stay as they are. Cost: O(1), no allocation.
    ///
    /// NaN moves on without news, and so does a value that would carry level, slope or season beyond 1e150, from where
    /// no later value could call them back.
    ///
    /// ```
    /// use analytics::forecast::{EtsForm, Noise, Season, Trend, ets_of};
    /// let form = EtsForm { noise: Noise::Additive, trend: Trend::None, season: Season::None };
    /// let mut model = ets_of(&[4.0, 5.0, 4.0, 5.0, 4.0, 5.0], 1, form).unwrap();
    /// let before = model.forecast(1)[0];
    /// model.push(before + 10.0);
    /// // The level takes in its share of what is new.
    /// assert!((model.forecast(1)[0] - (before + 10.0 * model.alpha)).abs() < 1e-12);
    /// ```
    pub fn push(&mut self, value: f64) {
        let State { level, slope, at, .. } = self.state;
        let season = self.state.season.get(at).copied();
        let weights = self.weights();
        let error = value - self.state.forecast(self.form.season, self.phi);
        self.state.step(self.form.season, weights, error);
        let State { level: new_level, slope: new_slope, .. } = self.state;
        let now = [new_level, new_slope, self.state.season.get(at).copied().unwrap_or(0.0)];
        if now.iter().all(|part| part.abs() < MOST_STATE) {
            return;
        }
        (self.state.level, self.state.slope, self.state.at) = (level, slope, at);
        if let Some(season) = season {
            self.state.season[at] = season;
        }
        self.state.step(self.form.season, weights, f64::NAN);
    }

    fn weights(&self) -> Weights {
        Weights { alpha: self.alpha, beta: self.beta, gamma: self.gamma, phi: self.phi }
    }
}
