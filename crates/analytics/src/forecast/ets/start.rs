//! Where the states begin: guessed from the series, seen from its end, fitted by least squares.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};

use super::{EtsForm, Noise, Season, State, Trend, Weights, pass};
use crate::forecast::{Error, check, deseasonalize};

/// Seasons up to this length have their start values fitted.
const MAX_FITTED_SEASON: usize = 52;
/// Steps of Gauss & Newton per fit of the start values.
const START_STEPS: usize = 2;

/// Start values: the season by decomposition, level and slope by a line through the first seasons without it.
pub(super) fn start(series: &[f64], period: usize, form: EtsForm) -> Result<State, Error> {
    check(series, 4)?;
    if form.needs_positive() && series.iter().any(|x| *x <= 0.0) {
        return Err(Error::NotPositive);
    }
    if form.season == Season::None {
        let (level, slope) = line(&series[..series.len().min(10)]);
        return Ok(State { level, slope, season: vec![0.0], at: 0 }.without_slope(form));
    }
    let is_multiplicative = form.season == Season::Multiplicative;
    let parts = deseasonalize(series, period, is_multiplicative)?;
    let (level, slope) = line(&parts.adjusted[..series.len().min((2 * period).max(10))]);
    Ok(State { level, slope, season: parts.indices, at: 0 }.without_slope(form))
}

impl State {
    fn without_slope(mut self, form: EtsForm) -> State {
        if form.trend == Trend::None {
            self.slope = 0.0;
        }
        self
    }
}

/// Value one step before the first, and slope, of the least-squares line through the finite values.
fn line(values: &[f64]) -> (f64, f64) {
    let good = || values.iter().enumerate().filter(|(_, x)| x.is_finite());
    let n = good().count().max(1) as f64;
    let center = good().map(|(i, _)| i as f64 + 1.0).sum::<f64>() / n;
    let mean = good().map(|(_, x)| x).sum::<f64>() / n;
    let spread: f64 = good().map(|(i, _)| (i as f64 + 1.0 - center).powi(2)).sum();
    let along: f64 = good().map(|(i, x)| (i as f64 + 1.0 - center) * (x - mean)).sum();
    let slope = if spread > 0.0 { along / spread } else { 0.0 };
    (mean - slope * center, slope)
}

/// Start values as the fitted model sees them from the end backwards.
pub(super) fn backcast(series: &[f64], form: EtsForm, weights: Weights, begin: &State) -> State {
    let mut state = begin.clone();
    pass(series, form, weights, &mut state);
    let backwards: Vec<f64> = series.iter().rev().copied().collect();
    let mut state = state.reversed(weights.phi);
    pass(&backwards, form, weights, &mut state);
    let turned = state.reversed(weights.phi).without_slope(form);
    let is_usable = turned.level.is_finite() && turned.season.iter().all(|x| x.is_finite());
    if is_usable { turned } else { begin.clone() }
}

/// Start values that make the squared errors smallest with these weights, and the loss with them.
///
/// Errors of additive forms are linear in the start values, so that one step of Gauss & Newton finds them; the others take a
/// few. Long seasons are left as they are: their start values are many, and each is seen often enough.
pub(super) fn fit_start(
    series: &[f64],
    form: EtsForm,
    weights: Weights,
    begin: (f64, State),
) -> (f64, State) {
    let mut best = begin;
    if best.1.season.len() > MAX_FITTED_SEASON || best.0.is_infinite() {
        return best;
    }
    for _ in 0..if form.is_linear() { 1 } else { START_STEPS } {
        let Some(step) = start_step(series, form, weights, &best.1) else { break };
        let before = best.0;
        for share in [1.0, 0.5, 0.25] {
            let next = best.1.moved(form, &step, share);
            let loss = pass(series, form, weights, &mut next.clone()).loss;
            if loss < best.0 {
                best = (loss, next);
                break;
            }
        }
        if before - best.0 < 1e-2 {
            break;
        }
    }
    best
}

/// The step of Gauss & Newton in level, slope (where there is a trend) and season (where there is one).
fn start_step(series: &[f64], form: EtsForm, weights: Weights, begin: &State) -> Option<Vec<f64>> {
    let of_season = if form.season == Season::None { 0 } else { begin.season.len() };
    let n = 1 + usize::from(form.trend != Trend::None) + of_season;
    let now = errors(series, form, weights, begin);
    let size = begin.level.abs().max(1e-9);
    let mut columns = Vec::with_capacity(n);
    for i in 0..n {
        let is_factor = form.season == Season::Multiplicative && i >= n - of_season;
        let by = 1e-5 * if is_factor { 1.0 } else { size };
        let mut unit = vec![0.0; n];
        unit[i] = by;
        let moved = errors(series, form, weights, &begin.moved(form, &unit, 1.0));
        columns.push(moved.iter().zip(&now).map(|(a, b)| (a - b) / by).collect::<Vec<f64>>());
    }
    let norms: Vec<f64> = columns
        .iter()
        .map(|column| column.iter().map(|x| x * x).sum::<f64>().sqrt().max(f64::MIN_POSITIVE))
        .collect();
    let slopes = Mat::from_fn(now.len(), n, |row, i| columns[i][row] / norms[i]);
    let left = Mat::from_fn(now.len(), 1, |row, _| -now[row]);
    let mut squares = slopes.transpose() * &slopes;
    // The level can be moved into the season: a hair of ridge chooses.
    (0..n).for_each(|i| squares[(i, i)] += 1e-7);
    let found = squares.llt(Side::Lower).ok()?.solve(slopes.transpose() * &left);
    let step: Vec<f64> = (0..n).map(|i| found[(i, 0)] / norms[i]).collect();
    step.iter().all(|x| x.is_finite()).then_some(step)
}

/// One-step errors, relative ones with multiplicative noise; 0 where a value is missing.
fn errors(series: &[f64], form: EtsForm, weights: Weights, begin: &State) -> Vec<f64> {
    let mut state = begin.clone();
    let next = |value: &f64| {
        let forecast = state.forecast(form.season, weights.phi);
        let error = value - forecast;
        state.step(form.season, weights, error);
        let scale = if form.noise == Noise::Multiplicative { forecast } else { 1.0 };
        if error.is_nan() { 0.0 } else { error / scale }
    };
    series.iter().map(next).collect()
}

impl State {
    fn moved(&self, form: EtsForm, step: &[f64], share: f64) -> State {
        let mut state = self.clone();
        state.level += share * step[0];
        let mut next = 1;
        if form.trend != Trend::None {
            state.slope += share * step[1];
            next = 2;
        }
        for (index, x) in state.season.iter_mut().zip(&step[next..]) {
            *index += share * x;
        }
        state
    }

    /// The state before the first value, seen from one after the last of the reversed series.
    fn reversed(mut self, phi: f64) -> State {
        self.season.rotate_left(self.at);
        self.season.reverse();
        self.at = 0;
        // The last step back came from the first value; one more lies before it.
        self.level += phi * self.slope;
        self.slope = -self.slope;
        self
    }
}
