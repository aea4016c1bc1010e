//! Experiments, one after the other: ask, try in the plant, tell.

use super::acquisition::{Belief, maximize};
use super::gaussian::Gaussian;
use super::search::latin_hypercube;
use super::{Error, Knob, Limit, check_knobs, check_row};
use crate::random::Random;

/// Standard deviations by which a safe study stays away from every limit, with many trials and with few: scales
/// fitted to three trials are hardly known, and the process is too sure of itself.
const SAFE_MARGIN: f64 = 3.0;
const SAFE_MARGIN_EXTRA: f64 = 20.0;
/// Trials spread evenly before the process is asked, plus one for each knob.
const N_FIRST: usize = 3;

/// How careful a study is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Trials may break limits on outcomes; the best that is proposed does not.
    Free,
    /// Every trial must be expected to keep each limit with some standard deviations to spare,
    /// 3 and more while trials are few; begins at a known point.
    Safe,
}

/// Set-points that were tried, with what came out.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// One value per knob, in its own unit.
    pub settings: Vec<f64>,
    /// What should be as large as possible.
    pub objective: f64,
    /// One value per limit.
    pub outcomes: Vec<f64>,
}

/// A search for the best set-points, one experiment at a time.
///
/// Source: expected improvement (Jones et al. 1998) in logarithms (Ament et al. 2023) times the probability that the
/// limits hold (Gardner et al. 2014); safety after Sui et al. (2015). Same seed and trials, same questions.
///
/// ```
/// use optimize::setpoint::{Knob, Limit, Mode, Study, Trial};
/// // Yield rises with temperature, but so does waste, which must stay below 4.
/// let knobs = vec![Knob::new("temperature", 0.0, 10.0)];
/// let mut study = Study::new(knobs, vec![Limit { name: "waste".into(), most: 4.0 }], Mode::Free, 1)?;
/// for _ in 0..12 {
///     let settings = study.ask()?;
///     let t = settings[0];
///     study.tell(Trial { settings, objective: t, outcomes: vec![t * t / 9.0] })?;
/// }
/// let best = study.best().expect("some trial kept the limit");
/// assert!(best.settings[0] > 5.9 && best.outcomes[0] <= 4.0); // the best is at 6
/// # Ok::<(), optimize::setpoint::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Study {
    pub(super) knobs: Vec<Knob>,
    pub(super) limits: Vec<Limit>,
    pub(super) mode: Mode,
    pub(super) seed: u64,
    pub(super) trials: Vec<Trial>,
}

impl Study {
    /// A study without trials.
    ///
    /// # Errors
    /// If there is no knob, or one has an empty range or a step of 0.
    pub fn new(knobs: Vec<Knob>, limits: Vec<Limit>, mode: Mode, seed: u64) -> Result<Self, Error> {
        check_knobs(&knobs)?;
        Ok(Self { knobs, limits, mode, seed, trials: Vec::new() })
    }

    /// Adds what a trial gave; any settings, also ones that nobody asked for.
    ///
    /// # Errors
    /// If a value is missing or not finite.
    pub fn tell(&mut self, trial: Trial) -> Result<(), Error> {
        check_row("settings", &trial.settings, self.knobs.len())?;
        check_row("outcomes", &trial.outcomes, self.limits.len())?;
        check_row("objective", &[trial.objective], 1)?;
        self.trials.push(trial);
        Ok(())
    }

    /// Trials so far.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The trial with the largest objective that kept all limits; `None` if none did, and [`Self::unmet`] says why.
    pub fn best(&self) -> Option<&Trial> {
        let kept = self.trials.iter().filter(|trial| self.keeps(trial));
        kept.max_by(|a, b| a.objective.total_cmp(&b.objective))
    }

    /// Settings to try next, within engineering limits and the largest step from the trial before.
    ///
    /// Cost: O(n³) for n trials, some 10 ms for 30.
    ///
    /// # Errors
    /// In a safe study, if no trial within all limits has been told.
    pub fn ask(&self) -> Result<Vec<f64>, Error> {
        if self.mode == Mode::Safe && self.best().is_none() {
            return Err(Error::NoSafePoint);
        }
        let n_first = N_FIRST + self.knobs.len();
        let mut random =
            Random::new(self.seed.wrapping_add(self.trials.len() as u64 * 0x5851_f42d));
        if self.mode == Mode::Free && self.trials.len() < n_first {
            let plan = latin_hypercube(&mut Random::new(self.seed), n_first, self.knobs.len());
            return Ok(self.values(&self.reachable(&plan[self.trials.len()])));
        }
        let belief = self.belief(&mut random);
        let chosen = self.choose(&belief, &mut random);
        // Where nothing new is safe and in reach, the best so far is tried again.
        Ok(self.values(&chosen.unwrap_or_else(|| self.reachable(&self.incumbent()))))
    }

    fn choose(&self, belief: &Belief, random: &mut Random) -> Option<Vec<f64>> {
        let margin = SAFE_MARGIN + SAFE_MARGIN_EXTRA / self.trials.len().max(1) as f64;
        let is_safe = |at: &[f64]| self.mode == Mode::Free || belief.margin(at) >= margin;
        let allowed = |at: &[f64]| self.is_in_reach(at) && is_safe(at);
        let best = self.best().map(|_| belief.objective.predict(&self.incumbent()).0);
        let promise = |at: &[f64]| match best {
            Some(best) => belief.log_improvement(at, best) + belief.log_feasible(at),
            // As long as no trial keeps the limits, look for one that does.
            None => belief.log_feasible(at),
        };
        let anchors = if self.trials.is_empty() { Vec::new() } else { vec![self.incumbent()] };
        maximize(self.knobs.len(), &anchors, random, &allowed, &promise)
    }

    pub(super) fn belief(&self, random: &mut Random) -> Belief {
        let points: Vec<Vec<f64>> =
            self.trials.iter().map(|trial| self.scaled(&trial.settings)).collect();
        let objectives: Vec<f64> = self.trials.iter().map(|trial| trial.objective).collect();
        let objective = Gaussian::fit(&points, &objectives, random);
        let limits = self.limits.iter().enumerate().map(|(idx, limit)| {
            let outcomes: Vec<f64> = self.trials.iter().map(|trial| trial.outcomes[idx]).collect();
            (Gaussian::fit(&points, &outcomes, random), limit.most)
        });
        Belief { limits: limits.collect(), objective }
    }

    fn keeps(&self, trial: &Trial) -> bool {
        trial.outcomes.iter().zip(&self.limits).all(|(outcome, limit)| *outcome <= limit.most)
    }

    /// The best trial in the unit cube; the first, if none keeps the limits.
    fn incumbent(&self) -> Vec<f64> {
        let trial = self.best().or(self.trials.first());
        trial.map_or_else(|| vec![0.5; self.knobs.len()], |trial| self.scaled(&trial.settings))
    }

    pub(super) fn scaled(&self, settings: &[f64]) -> Vec<f64> {
        self.knobs
            .iter()
            .zip(settings)
            .map(|(knob, value)| knob.scaled(*value).clamp(0.0, 1.0))
            .collect()
    }

    fn values(&self, scaled: &[f64]) -> Vec<f64> {
        self.knobs.iter().zip(scaled).map(|(knob, value)| knob.value(*value)).collect()
    }

    /// Range that each knob can reach from the last trial, in the unit cube.
    fn reach(&self) -> Vec<(f64, f64)> {
        let last = self.trials.last();
        let one = |(idx, knob): (usize, &Knob)| match (last, knob.max_step) {
            (Some(trial), Some(step)) => {
                let (at, step) = (knob.scaled(trial.settings[idx]), step / (knob.high - knob.low));
                ((at - step).clamp(0.0, 1.0), (at + step).clamp(0.0, 1.0))
            }
            _ => (0.0, 1.0),
        };
        self.knobs.iter().enumerate().map(one).collect()
    }

    fn is_in_reach(&self, at: &[f64]) -> bool {
        at.iter().zip(self.reach()).all(|(at, (low, high))| (low..=high).contains(at))
    }

    /// The point in reach that is nearest.
    fn reachable(&self, at: &[f64]) -> Vec<f64> {
        at.iter().zip(self.reach()).map(|(at, (low, high))| at.clamp(low, high)).collect()
    }

    /// A smallest set of limits that no trial has kept together, by name; empty if some trial kept all.
    ///
    /// ```
    /// use optimize::setpoint::{Knob, Limit, Mode, Study, Trial};
    /// let limits = ["heat", "waste"].map(|name| Limit { name: name.into(), most: 1.0 }).to_vec();
    /// let mut study = Study::new(vec![Knob::new("speed", 0.0, 9.0)], limits, Mode::Free, 1)?;
    /// study.tell(Trial { settings: vec![5.0], objective: 2.0, outcomes: vec![0.5, 3.0] })?;
    /// assert_eq!(study.unmet(), ["waste"]); // that is why there is no best
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn unmet(&self) -> Vec<&str> {
        let mut holds = vec![true; self.limits.len()];
        let is_kept = |holds: &[bool]| {
            let kept = |trial: &Trial| {
                let outcomes = trial.outcomes.iter().zip(&self.limits).zip(holds);
                outcomes
                    .into_iter()
                    .all(|((outcome, limit), holds)| !holds || *outcome <= limit.most)
            };
            self.trials.iter().any(kept)
        };
        if self.trials.is_empty() || is_kept(&holds) {
            return Vec::new();
        }
        for limit in 0..holds.len() {
            holds[limit] = false;
            holds[limit] = is_kept(&holds);
        }
        let named = self.limits.iter().zip(holds).filter(|(_, holds)| *holds);
        named.map(|(limit, _)| limit.name.as_str()).collect()
    }
}
