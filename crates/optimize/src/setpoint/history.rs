//! Better set-points from what the historian has seen, without an experiment.

use super::acquisition::{Belief, maximize};
use super::gaussian::Gaussian;
use super::region::Region;
use super::{Error, Knob, Limit, Trial, check_knobs, check_row};
use crate::random::Random;

/// Rows used at most; more are thinned evenly, as cost grows with their cube.
const MAX_ROWS: usize = 240;

/// A model of a plant from its historian.
pub struct History {
    pub(super) knobs: Vec<Knob>,
    /// Names of the limits.
    pub(super) limits: Vec<String>,
    pub(super) points: Vec<Vec<f64>>,
    pub(super) belief: Belief,
    region: Region,
    pub(super) seed: u64,
}

/// What to set, and what to expect of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// One value per knob.
    pub settings: Vec<f64>,
    /// Expected objective there.
    pub expected: f64,
    /// Standard deviation of that expectation.
    pub sd: f64,
    /// Distance to the rows seen, or to their mean, as a share of the distance allowed; at most 1.
    pub distance_share: f64,
}

impl History {
    /// Fits the model. `rows`: settings with objective and outcomes; those with a value that is not finite, or with a
    /// setting more than ten ranges away from its range, are left out, and at most 240, evenly chosen, are used.
    ///
    /// A proposal must be as near to its third-nearest row as 95 % of the rows are to theirs, and no farther from their
    /// mean than the farthest of them; both in standard deviations of the rows with correlation taken out, so that knobs
    /// which were always moved together stay together.
    ///
    /// # Errors
    /// If a knob has no range, or fewer than 20 rows are complete.
    ///
    /// ```
    /// use optimize::setpoint::{History, Knob, Trial};
    /// // Yield is the temperature, which the plant ran from 20 to 30: more is better, but 30 is all that was seen.
    /// let rows: Vec<Trial> = (0..=40).map(|row| 20.0 + f64::from(row) / 4.0)
    ///     .map(|t| Trial { settings: vec![t], objective: t, outcomes: vec![] }).collect();
    /// let history = History::new(vec![Knob::new("temperature", 0.0, 100.0)], &[], &rows, 1)?;
    /// let found = history.propose(&[25.0])?.expect("there is room");
    /// assert!(found.settings[0] > 29.5 && found.settings[0] < 30.5);
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn new(
        knobs: Vec<Knob>,
        limits: &[Limit],
        rows: &[Trial],
        seed: u64,
    ) -> Result<Self, Error> {
        check_knobs(&knobs)?;
        let is_complete = |row: &&Trial| {
            let is_sound = check_row("settings", &row.settings, knobs.len()).is_ok();
            is_sound
                && check_row("outcomes", &row.outcomes, limits.len()).is_ok()
                && check_row("objective", &[row.objective], 1).is_ok()
                && is_near(&knobs, &row.settings)
        };
        let rows: Vec<&Trial> = rows.iter().filter(is_complete).collect();
        if rows.len() < 20 {
            return Err(Error::TooFew { what: "a model of the plant", n: rows.len(), needed: 20 });
        }
        let every = rows.len().div_ceil(MAX_ROWS);
        let rows: Vec<&Trial> = rows.into_iter().step_by(every).collect();
        let scaled = |row: &&Trial| {
            knobs.iter().zip(&row.settings).map(|(knob, x)| knob.scaled(*x)).collect()
        };
        let points: Vec<Vec<f64>> = rows.iter().map(scaled).collect();
        let mut random = Random::new(seed);
        let mut process = |value: &dyn Fn(&Trial) -> f64| {
            let values: Vec<f64> = rows.iter().map(|row| value(row)).collect();
            Gaussian::fit(&points, &values, &mut random)
        };
        let objective = process(&|row| row.objective);
        let names = limits.iter().map(|limit| limit.name.clone()).collect();
        let limits = limits
            .iter()
            .enumerate()
            .map(|(idx, limit)| (process(&|row| row.outcomes[idx]), limit.most));
        let belief = Belief { limits: limits.collect(), objective };
        let region = Region::new(&points);
        Ok(Self { knobs, limits: names, points, belief, region, seed })
    }

    /// The best settings within engineering limits, the largest step from `now`, and the region seen, that keep each
    /// limit with two standard deviations to spare; `None` if there are none, and [`Self::conflict`] says why.
    ///
    /// # Errors
    /// If `now` has not one finite value per knob.
    pub fn propose(&self, now: &[f64]) -> Result<Option<Proposal>, Error> {
        check_row("settings", now, self.knobs.len())?;
        // One standard deviation below the expectation: what is uncertain is not promised.
        let floor = |at: &[f64]| {
            let (mean, sd) = self.belief.objective.predict(at);
            mean - sd
        };
        let found = self.highest(now, &vec![true; self.n_conditions()], &floor);
        Ok(found.map(|at| {
            let (expected, sd) = self.belief.objective.predict(&at);
            let settings = self.knobs.iter().zip(&at).map(|(knob, at)| knob.value(*at)).collect();
            let distance_share = self.region.share(&at);
            Proposal { settings, expected, sd, distance_share }
        }))
    }

    /// A smallest set of conditions that leaves no settings from `now` on, in words; empty if there are some.
    ///
    /// Conditions are dropped one after the other as long as nothing becomes possible (deletion filter).
    ///
    /// # Errors
    /// If `now` has not one finite value per knob.
    pub fn conflict(&self, now: &[f64]) -> Result<Vec<String>, Error> {
        check_row("settings", now, self.knobs.len())?;
        let mut holds = vec![true; self.n_conditions()];
        let is_possible = |holds: &[bool]| self.highest(now, holds, &|_| 0.0).is_some();
        if is_possible(&holds) {
            return Ok(Vec::new());
        }
        for condition in 0..holds.len() {
            holds[condition] = false;
            holds[condition] = is_possible(&holds);
        }
        let words = |(condition, _): (usize, &bool)| match condition {
            0 => "the largest step from the present settings".to_owned(),
            1 => "the region that the plant has seen".to_owned(),
            _ => self.limits[condition - 2].clone(),
        };
        Ok(holds.iter().enumerate().filter(|(_, holds)| **holds).map(words).collect())
    }

    /// Largest step, region seen, and the limits.
    fn n_conditions(&self) -> usize {
        2 + self.limits.len()
    }

    /// Highest point of `f` among those that keep the conditions which hold.
    fn highest(&self, now: &[f64], holds: &[bool], f: &dyn Fn(&[f64]) -> f64) -> Option<Vec<f64>> {
        let here = self.scaled(now);
        let in_reach = |at: &[f64]| {
            let steps = self.knobs.iter().zip(at).zip(&here);
            steps.into_iter().all(|((knob, at), here)| {
                knob.max_step
                    .is_none_or(|step| (at - here).abs() <= step / (knob.high - knob.low) + 1e-12)
            })
        };
        let seen = |at: &[f64]| self.region.share(at) <= 1.0;
        let keeps = |at: &[f64]| {
            (0..self.limits.len())
                .all(|limit| !holds[2 + limit] || self.belief.margin_of(limit, at) >= 2.0)
        };
        let allowed =
            |at: &[f64]| (!holds[0] || in_reach(at)) && (!holds[1] || seen(at)) && keeps(at);
        let mut anchors = self.points.clone();
        anchors.truncate(40);
        anchors.push(here.iter().map(|at| at.clamp(0.0, 1.0)).collect());
        maximize(self.knobs.len(), &anchors, &mut Random::new(self.seed), &allowed, f)
    }

    pub(super) fn scaled(&self, settings: &[f64]) -> Vec<f64> {
        self.knobs.iter().zip(settings).map(|(knob, value)| knob.scaled(*value)).collect()
    }
}

/// Whether no setting is more than ten ranges away from its range.
fn is_near(knobs: &[Knob], settings: &[f64]) -> bool {
    knobs.iter().zip(settings).all(|(knob, value)| (-10.0..=11.0).contains(&knob.scaled(*value)))
}
