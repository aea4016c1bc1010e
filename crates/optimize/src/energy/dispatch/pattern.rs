//! What a load usually is, by hour, kind of day and season, and how far and how long it strays from that.

use std::f64::consts::TAU;

use super::super::Error;

const HOURS_OF_DAY: usize = 24;
/// Workdays and weekends, hour by hour.
const N_CLASSES: usize = 2 * HOURS_OF_DAY;
const HOURS_OF_YEAR: f64 = 8766.0;
/// Below this much history a season cannot be told from a trend.
const SEASON_FROM_H: usize = 300 * HOURS_OF_DAY;
const FEWEST_H: usize = 14 * HOURS_OF_DAY;
/// Pulls the seasonal terms towards none, as many observations as this say.
const RIDGE: f64 = 0.5;
const PERSISTENCE: [f64; 6] = [0.96, 0.97, 0.98, 0.985, 0.99, 0.995];
const GAIN: [f64; 10] = [0.03, 0.05, 0.08, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4];

/// Usual hourly load, and the law of its deviations: `load = usual + deviation + surprise`,
/// `next deviation = persistence · deviation + gain · surprise`.
///
/// The usual load has a mean and one yearly wave for each hour of workdays and of weekends. The deviation is the
/// innovations form of an ARMA(1,1) process (Hyndman et al. 2008, Forecasting with Exponential Smoothing, §11.1), with
/// persistence and gain from a grid by least squares of the surprises.
#[derive(Debug, Clone, PartialEq)]
pub struct Pattern {
    /// Share of a deviation that is left after an hour.
    pub persistence: f64,
    /// Share of a surprise that becomes deviation.
    pub gain: f64,
    /// Equally likely surprises in standard deviations, rising: means of equal parts of those seen.
    pub surprises: Vec<f64>,
    waves: Vec<[f64; 3]>,
    spread_kw: Vec<f64>,
}

impl Pattern {
    /// Fits hourly loads.
    ///
    /// `first_h`: hours from any Monday 00:00 to the first value; the same origin serves [`usual_kw`](Self::usual_kw).
    /// `n_surprises`: how many surprises to tell apart. NaN is left out. Below 300 days of history there is no yearly
    /// wave. Cost: O(n).
    ///
    /// # Errors
    /// If fewer than 14 days of values are left, or some hour of workdays or weekends has none.
    ///
    /// ```
    /// use optimize::energy::dispatch::pattern::Pattern;
    /// // 1 kW by night, 3 kW from 12:00, for four weeks.
    /// let load: Vec<f64> = (0..28 * 24).map(|hour| if hour % 24 < 12 { 1.0 } else { 3.0 }).collect();
    /// let pattern = Pattern::fit(&load, 0, 3)?;
    /// assert!((pattern.usual_kw(28 * 24 + 5) - 1.0).abs() < 1e-9);
    /// assert!(pattern.spread_kw(5) < 1e-9);
    /// # Ok::<(), optimize::energy::Error>(())
    /// ```
    pub fn fit(load_kw: &[f64], first_h: usize, n_surprises: usize) -> Result<Self, Error> {
        let rows: Vec<(usize, f64)> = load_kw
            .iter()
            .enumerate()
            .filter(|(_, load)| load.is_finite())
            .map(|(idx, load)| (first_h + idx, *load))
            .collect();
        if rows.len() < FEWEST_H {
            let what = "the usual load";
            return Err(Error::TooFew { what, n: rows.len(), needed: FEWEST_H });
        }
        let waves = waves(&rows, load_kw.len() >= SEASON_FROM_H)?;
        let mut pattern = Self {
            persistence: 0.0,
            gain: 0.0,
            surprises: Vec::new(),
            waves,
            spread_kw: vec![0.0; HOURS_OF_DAY],
        };
        pattern.learn_persistence(load_kw, first_h);
        pattern.learn_surprises(load_kw, first_h, n_surprises.max(1));
        Ok(pattern)
    }

    /// Usual load of an hour, counted as in [`fit`](Self::fit); never below 0.
    pub fn usual_kw(&self, hour: usize) -> f64 {
        let wave = self.waves[class(hour)];
        season(hour).iter().zip(wave).map(|(term, weight)| term * weight).sum::<f64>().max(0.0)
    }

    /// Standard deviation of the surprise of an hour.
    pub fn spread_kw(&self, hour: usize) -> f64 {
        self.spread_kw[hour % HOURS_OF_DAY]
    }

    /// The deviation to expect after a load was seen. NaN is no news: the deviation fades.
    pub fn next_deviation_kw(&self, deviation_kw: f64, hour: usize, load_kw: f64) -> f64 {
        let surprise = load_kw - self.usual_kw(hour) - deviation_kw;
        let news = if surprise.is_finite() { self.gain * surprise } else { 0.0 };
        self.persistence * deviation_kw + news
    }

    /// Surprises of all hours, and the deviation to expect after the last one.
    fn filter(&self, load_kw: &[f64], first_h: usize) -> (Vec<f64>, f64) {
        let mut deviation = 0.0;
        let mut surprises = Vec::with_capacity(load_kw.len());
        for (idx, load) in load_kw.iter().enumerate() {
            surprises.push(load - self.usual_kw(first_h + idx) - deviation);
            deviation = self.next_deviation_kw(deviation, first_h + idx, *load);
        }
        (surprises, deviation)
    }

    /// The deviation to expect after these loads.
    pub fn deviation_kw(&self, load_kw: &[f64], first_h: usize) -> f64 {
        self.filter(load_kw, first_h).1
    }

    fn learn_persistence(&mut self, load_kw: &[f64], first_h: usize) {
        let residuals: Vec<f64> = load_kw
            .iter()
            .enumerate()
            .map(|(idx, load)| load - self.usual_kw(first_h + idx))
            .collect();
        let mut least = f64::INFINITY;
        for persistence in PERSISTENCE {
            for gain in GAIN {
                let squares = surprise_squares(&residuals, persistence, gain);
                if squares < least {
                    (least, self.persistence, self.gain) = (squares, persistence, gain);
                }
            }
        }
    }

    /// Spread of each hour with its two neighbors, and the surprises that are equally likely.
    fn learn_surprises(&mut self, load_kw: &[f64], first_h: usize, n_surprises: usize) {
        let (surprises, _) = self.filter(load_kw, first_h);
        let hours = surprises.iter().enumerate().map(|(idx, surprise)| (first_h + idx, *surprise));
        let known: Vec<(usize, f64)> = hours.filter(|(_, surprise)| surprise.is_finite()).collect();
        for hour in 0..HOURS_OF_DAY {
            let is_near = |at: usize| (at + 1 + HOURS_OF_DAY - hour) % HOURS_OF_DAY <= 2;
            let near: Vec<f64> =
                known.iter().filter(|(at, _)| is_near(*at)).map(|(_, s)| s * s).collect();
            self.spread_kw[hour] = mean(&near).sqrt();
        }
        let mut scaled: Vec<f64> = known
            .iter()
            .map(|(at, surprise)| surprise / self.spread_kw(*at).max(f64::MIN_POSITIVE))
            .collect();
        scaled.sort_by(f64::total_cmp);
        let edge = |part: usize| part * scaled.len() / n_surprises;
        self.surprises = (0..n_surprises)
            .map(|part| mean(&scaled[edge(part)..edge(part + 1).max(edge(part) + 1)]))
            .collect();
    }
}

fn surprise_squares(residuals: &[f64], persistence: f64, gain: f64) -> f64 {
    let (mut deviation, mut squares) = (0.0, 0.0);
    for residual in residuals {
        let surprise = residual - deviation;
        deviation *= persistence;
        if surprise.is_finite() {
            deviation += gain * surprise;
            squares += surprise * surprise;
        }
    }
    squares
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len().max(1) as f64
}

fn class(hour: usize) -> usize {
    let is_weekend = hour / HOURS_OF_DAY % 7 >= 5;
    hour % HOURS_OF_DAY + if is_weekend { HOURS_OF_DAY } else { 0 }
}

fn season(hour: usize) -> [f64; 3] {
    let angle = TAU * hour as f64 / HOURS_OF_YEAR;
    [1.0, angle.cos(), angle.sin()]
}

/// Mean and yearly wave of each class, by least squares.
fn waves(rows: &[(usize, f64)], has_season: bool) -> Result<Vec<[f64; 3]>, Error> {
    let mut gram = [[[0.0; 3]; 3]; N_CLASSES];
    let mut right = [[0.0; 3]; N_CLASSES];
    for (hour, load) in rows {
        let (class, mut terms) = (class(*hour), season(*hour));
        if !has_season {
            terms = [1.0, 0.0, 0.0];
        }
        for i in 0..3 {
            right[class][i] += terms[i] * load;
            for j in 0..3 {
                gram[class][i][j] += terms[i] * terms[j];
            }
        }
    }
    if gram.iter().any(|sums| sums[0][0] < 1.0) {
        let what = "the usual load of each hour of workdays and weekends";
        return Err(Error::TooFew { what, n: rows.len(), needed: 7 * HOURS_OF_DAY });
    }
    Ok(gram.into_iter().zip(right).map(|(gram, right)| solve(gram, right)).collect())
}

/// Gauss-Jordan elimination of a positive definite system; the ridge keeps it so.
fn solve(mut gram: [[f64; 3]; 3], mut right: [f64; 3]) -> [f64; 3] {
    gram[1][1] += RIDGE;
    gram[2][2] += RIDGE;
    for pivot in 0..3 {
        for row in (0..3).filter(|row| *row != pivot) {
            let share = gram[row][pivot] / gram[pivot][pivot];
            let above = gram[pivot];
            gram[row].iter_mut().zip(above).for_each(|(value, above)| *value -= share * above);
            right[row] -= share * right[pivot];
        }
    }
    [0, 1, 2].map(|idx| right[idx] / gram[idx][idx])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn too_little_history_is_refused() {
        let refused = Pattern::fit(&[1.0; 100], 0, 5).expect_err("four days are too few");
        let words = "100 usable rows are too few for the usual load; give at least 336";
        assert_eq!(refused.to_string(), words);
        assert!(Pattern::fit(&[f64::NAN; 1000], 0, 5).is_err());
    }

    #[test]
    fn a_winter_and_a_lasting_cold_spell_are_seen() {
        let wave = |hour: usize| 3.0 + (TAU * hour as f64 / HOURS_OF_YEAR).cos();
        let load: Vec<f64> = (0..2 * 8760).map(wave).collect();
        let pattern = Pattern::fit(&load, 0, 5).expect("two years");
        assert!((pattern.usual_kw(3 * 8766) - 4.0).abs() < 0.02);
        let cold = pattern.deviation_kw(&[5.0; 48], 3 * 8766);
        assert!((0.7..=1.1).contains(&cold), "{cold}");
        assert!((pattern.next_deviation_kw(1.0, 0, f64::NAN) - pattern.persistence).abs() < 1e-12);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn gaps_never_spoil_a_pattern(
            load in prop::collection::vec(prop_oneof![4 => 0.0..9.0_f64, 1 => Just(f64::NAN)], 336..900),
            first in 0..300_usize,
        ) {
            let Ok(pattern) = Pattern::fit(&load, first, 5) else { return Ok(()) };
            prop_assert_eq!(pattern.surprises.len(), 5);
            prop_assert!(pattern.surprises.windows(2).all(|pair| pair[0] <= pair[1]));
            for hour in first..first + 200 {
                prop_assert!(pattern.usual_kw(hour).is_finite() && pattern.spread_kw(hour) >= 0.0);
            }
            prop_assert!(pattern.deviation_kw(&load, first).is_finite());
        }
    }
}
