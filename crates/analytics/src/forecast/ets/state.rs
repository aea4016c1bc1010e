//! The state that smoothing carries from step to step, and one pass of it over a series.

use serde::{Deserialize, Serialize};

use super::{EtsForm, Noise, Season, Trend};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct State {
    #[serde(with = "crate::saved")]
    pub(super) level: f64,
    #[serde(with = "crate::saved")]
    pub(super) slope: f64,
    /// Season of the next steps, from `at` on, around the end.
    #[serde(with = "crate::saved")]
    pub(super) season: Vec<f64>,
    pub(super) at: usize,
}

#[derive(Clone, Copy)]
pub(super) struct Weights {
    pub(super) alpha: f64,
    pub(super) beta: f64,
    pub(super) gamma: f64,
    pub(super) phi: f64,
}

impl Weights {
    /// From the unit cube to the usual region of the parameters, eq. 10.1 ff.: 0 < β < α < 1, 0 < γ < 1 − α.
    pub(super) fn of(form: EtsForm, point: &[f64; 4]) -> Weights {
        let open = |x: f64| 1e-4 + x * (1.0 - 2e-4);
        let alpha = open(point[0]);
        let has_trend = form.trend != Trend::None;
        let has_season = form.season != Season::None;
        Weights {
            alpha,
            beta: if has_trend { alpha * open(point[1]) } else { 0.0 },
            gamma: if has_season { (1.0 - alpha) * open(point[2]) } else { 0.0 },
            phi: if form.trend == Trend::Damped { 0.8 + 0.18 * point[3] } else { 1.0 },
        }
    }
}

impl State {
    pub(super) fn forecast(&self, season: Season, phi: f64) -> f64 {
        let base = self.level + phi * self.slope;
        match season {
            Season::None => base,
            Season::Additive => base + self.season[self.at],
            Season::Multiplicative => base * self.season[self.at],
        }
    }

    /// Moves on by one step whose forecast missed by `error`; NaN moves on without news.
    pub(super) fn step(&mut self, season: Season, weights: Weights, error: f64) {
        let error = if error.is_nan() { 0.0 } else { error };
        let base = self.level + weights.phi * self.slope;
        let (mut news, at) = (error, self.at);
        match season {
            Season::None => {}
            Season::Additive => self.season[at] += weights.gamma * error,
            Season::Multiplicative => {
                news = error / self.season[at];
                self.season[at] += weights.gamma * error / base;
            }
        }
        self.level = base + weights.alpha * news;
        self.slope = weights.phi * self.slope + weights.beta * news;
        self.at = if at + 1 >= self.season.len() { 0 } else { at + 1 };
    }
}

/// Sums of one pass over the series.
pub(super) struct Pass {
    /// Minus twice the log-likelihood, without constants; infinite where a forecast is not above 0 and must be.
    pub(super) loss: f64,
    pub(super) n: usize,
    pub(super) squares: f64,
}

pub(super) fn pass(series: &[f64], form: EtsForm, weights: Weights, state: &mut State) -> Pass {
    let is_relative = form.noise == Noise::Multiplicative;
    let (mut squares, mut n, mut logs, mut product) = (0.0, 0usize, 0.0, 1.0f64);
    for value in series {
        let forecast = state.forecast(form.season, weights.phi);
        let error = value - forecast;
        if !error.is_nan() {
            n += 1;
            if is_relative {
                if forecast <= 0.0 {
                    return Pass { loss: f64::INFINITY, n, squares: f64::INFINITY };
                }
                squares += (error / forecast).powi(2);
                product *= forecast;
                if !(1e-100..1e100).contains(&product) {
                    logs += product.ln();
                    product = 1.0;
                }
            } else {
                squares += error * error;
            }
        }
        state.step(form.season, weights, error);
    }
    logs += product.ln();
    // A perfect fit has no likelihood; this floor keeps it finite.
    let loss = n as f64 * (squares.max(1e-300)).ln() + 2.0 * logs;
    Pass { loss, n, squares }
}
