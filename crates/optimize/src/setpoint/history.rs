//! Better set-points from what the historian has seen, without an experiment.

use super::acquisition::{Belief, maximize};
use super::gaussian::Gaussian;
use super::{Error, Knob, Limit, Trial, check_knobs, check_row};
use crate::random::Random;

/// Rows used at most; more are thinned evenly, as cost grows with their cube.
const MAX_ROWS: usize = 240;
/// Neighbors whose distance says how densely a place was seen.
const NEIGHBOR: usize = 3;

/// A model of a plant from its historian.
pub struct History {
    knobs: Vec<Knob>,
    points: Vec<Vec<f64>>,
    belief: Belief,
    /// Farthest that a proposal may be from what was seen, in widths of the cube.
    support: f64,
    seed: u64,
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
    /// Distance to the rows seen as a share of the distance allowed; at most 1.
    pub distance_share: f64,
}

impl History {
    /// Fits the model. `rows`: settings with objective and outcomes; those with a value that is not finite are left
    /// out, and at most 240, evenly chosen, are used.
    ///
    /// A proposal must be as near to its third-nearest row as 95 % of the rows are to theirs.
    ///
    /// # Errors
    /// If a knob has no range, or fewer than 20 rows are complete.
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
                && row.objective.is_finite()
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
        let limits = limits
            .iter()
            .enumerate()
            .map(|(idx, limit)| (process(&|row| row.outcomes[idx]), limit.most));
        let belief = Belief { limits: limits.collect(), objective };
        let mut distances: Vec<f64> =
            points.iter().map(|point| distance(&points, point, NEIGHBOR + 1)).collect();
        distances.sort_by(f64::total_cmp);
        let support = distances[(distances.len() - 1) * 95 / 100].max(1e-6);
        Ok(Self { knobs, points, belief, support, seed })
    }

    /// The best settings within engineering limits, the largest step from `now`, and the region seen, that keep each
    /// limit with two standard deviations to spare; `None` if there are none.
    ///
    /// # Errors
    /// If `now` has not one finite value per knob.
    pub fn propose(&self, now: &[f64]) -> Result<Option<Proposal>, Error> {
        check_row("settings", now, self.knobs.len())?;
        let here: Vec<f64> =
            self.knobs.iter().zip(now).map(|(knob, value)| knob.scaled(*value)).collect();
        let in_reach = |at: &[f64]| {
            let steps = self.knobs.iter().zip(at).zip(&here);
            steps.into_iter().all(|((knob, at), here)| {
                knob.max_step
                    .is_none_or(|step| (at - here).abs() <= step / (knob.high - knob.low) + 1e-12)
            })
        };
        let seen = |at: &[f64]| distance(&self.points, at, NEIGHBOR) <= self.support;
        let allowed = |at: &[f64]| in_reach(at) && seen(at) && self.belief.margin(at) >= 2.0;
        // One standard deviation below the expectation: what is uncertain is not promised.
        let floor = |at: &[f64]| {
            let (mean, sd) = self.belief.objective.predict(at);
            mean - sd
        };
        let mut anchors = self.points.clone();
        anchors.truncate(40);
        anchors.push(here.iter().map(|at| at.clamp(0.0, 1.0)).collect());
        let found =
            maximize(self.knobs.len(), &anchors, &mut Random::new(self.seed), &allowed, &floor);
        Ok(found.map(|at| {
            let (expected, sd) = self.belief.objective.predict(&at);
            let settings = self.knobs.iter().zip(&at).map(|(knob, at)| knob.value(*at)).collect();
            Proposal {
                settings,
                expected,
                sd,
                distance_share: distance(&self.points, &at, NEIGHBOR) / self.support,
            }
        }))
    }
}

/// Distance to the k-th nearest point.
fn distance(points: &[Vec<f64>], at: &[f64], k: usize) -> f64 {
    let square = |point: &Vec<f64>| point.iter().zip(at).map(|(a, b)| (a - b).powi(2)).sum::<f64>();
    let mut squares: Vec<f64> = points.iter().map(square).collect();
    let k = k.clamp(1, squares.len()) - 1;
    squares.select_nth_unstable_by(k, f64::total_cmp).1.sqrt()
}
