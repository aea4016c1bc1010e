//! From studies, histories and golden batches to decisions.

use super::study::Study;
use super::{Error, Golden, History, Knob, Trial, check_row};
use crate::random::Random;
use crate::{Basis, Gain, Recommendation};

impl Study {
    /// Proposes the best trial instead of `now`, in moves of the largest step; `None` if no trial is better and keeps
    /// all limits.
    ///
    /// The interval of the gain is the 90 % band of the process at both points. Checked are the engineering limits,
    /// the largest step, the limits at the trial itself, and along the way the expected outcomes, in standard
    /// deviations. `basis.currency` is the unit of the objective.
    ///
    /// # Errors
    /// If `now` has not one finite value per knob and limit.
    ///
    /// ```
    /// use optimize::{Basis, setpoint::{Knob, Limit, Mode, Study, Trial}};
    /// let knob = Knob { max_step: Some(0.5), ..Knob::new("speed", 0.0, 10.0) };
    /// let mut study = Study::new(vec![knob], vec![Limit { name: "waste".into(), most: 4.0 }], Mode::Free, 1)?;
    /// let at = |speed: f64| Trial { settings: vec![speed], objective: speed, outcomes: vec![speed / 3.0] };
    /// for speed in [0.0, 3.0, 9.0] { study.tell(at(speed))?; }
    /// let basis = Basis { window_us: Some((0, 9)), currency: "EUR/h", valid_until_us: 0 };
    /// let advice = study.recommend(&at(0.0), &basis)?.expect("9 is better");
    /// assert_eq!(advice.steps[0].proposed, "9.0000 in 18 moves of 0.5000");
    /// let left: Vec<(&str, f64)> = advice.constraints.iter().map(|c| (c.what.as_str(), c.slack)).collect();
    /// assert_eq!(left[..3], [("engineering limits of speed", 1.0), ("largest step of speed", 0.0), ("waste", 1.0)]);
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn recommend(&self, now: &Trial, basis: &Basis) -> Result<Option<Recommendation>, Error> {
        check_row("settings", &now.settings, self.knobs.len())?;
        check_row("outcomes", &now.outcomes, self.limits.len())?;
        check_row("objective", &[now.objective], 1)?;
        let Some(best) = self.best().filter(|best| best.objective > now.objective) else {
            return Ok(None);
        };
        let belief = self.belief(&mut Random::new(self.seed));
        let (from, to) = (self.scaled(&now.settings), self.scaled(&best.settings));
        let sd = |at: &[f64]| belief.objective.predict(at).1.hypot(belief.objective.noise_sd());
        let (gain, half) = (best.objective - now.objective, 1.645 * sd(&to).hypot(sd(&from)));
        let summary = format!(
            "set-points found in {} trials bring {gain:.2} {} more",
            self.trials.len(),
            basis.currency
        );
        let gain = Gain::likely(gain, gain - half, gain + half, basis.currency);
        let advice = Recommendation::new(summary, gain, basis.valid_until_us);
        let mut advice = moves(advice, &self.knobs, &now.settings, &best.settings);
        for (limit, outcome) in self.limits.iter().zip(&best.outcomes) {
            advice = advice.constraint(&limit.name, limit.most - outcome);
        }
        // Ten places on the straight way; the limits are convex more often than not.
        let places = (1..10).map(|place| {
            let share = f64::from(place) / 10.0;
            let at: Vec<f64> = from.iter().zip(&to).map(|(a, b)| a + share * (b - a)).collect();
            belief.margin(&at)
        });
        if !self.limits.is_empty() {
            let least = places.fold(f64::INFINITY, f64::min);
            advice = advice.constraint("limits along the way, in standard deviations", least);
        }
        Ok(Some(
            advice
                .constraint("distance to a trial in the plant, in ranges", 0.0)
                .window(basis.window_us)
                .input("trials", self.trials.len())
                .input("mode", format!("{:?}", self.mode))
                .seed(self.seed)
                .bounds(-best.objective, None),
        ))
    }
}

impl History {
    /// Proposes the settings of [`Self::propose`] instead of `now`; `None` if there are none that promise more.
    ///
    /// The 90 % interval of the gain takes both expectations as independent, which makes it rather too wide.
    /// `basis.currency` is the unit of the objective.
    ///
    /// # Errors
    /// If `now` has not one finite value per knob.
    ///
    /// ```
    /// use optimize::{Basis, setpoint::{History, Knob, Trial}};
    /// let rows: Vec<Trial> = (0..=40).map(|row| 20.0 + f64::from(row) / 4.0)
    ///     .map(|t| Trial { settings: vec![t], objective: t, outcomes: vec![] }).collect();
    /// let history = History::new(vec![Knob::new("temperature", 0.0, 100.0)], &[], &rows, 1)?;
    /// let basis = Basis { window_us: Some((0, 9)), currency: "kg/h", valid_until_us: 0 };
    /// let advice = history.recommend(&[25.0], &basis)?.expect("30 is better");
    /// assert!(advice.gain.expected > 4.5 && advice.gain.expected < 5.5); // one kg/h per degree
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn recommend(&self, now: &[f64], basis: &Basis) -> Result<Option<Recommendation>, Error> {
        let Some(found) = self.propose(now)? else { return Ok(None) };
        let (before, before_sd) = self.belief.objective.predict(&self.scaled(now));
        let (gain, half) = (found.expected - before, 1.645 * found.sd.hypot(before_sd));
        if !(gain > 0.0 && half.is_finite()) {
            return Ok(None);
        }
        let summary = format!(
            "settings like those seen before promise {gain:.2} {} more than the present ones",
            basis.currency
        );
        let gain = Gain::likely(gain, gain - half, gain + half, basis.currency);
        let advice = Recommendation::new(summary, gain, basis.valid_until_us);
        let mut advice = moves(advice, &self.knobs, now, &found.settings);
        let at = self.scaled(&found.settings);
        for (idx, name) in self.limits.iter().enumerate() {
            let what = format!("{name} beyond two standard deviations, in such");
            advice = advice.constraint(what, self.belief.margin_of(idx, &at) - 2.0);
        }
        Ok(Some(
            advice
                .constraint(
                    "region seen, as a share of the distance allowed",
                    1.0 - found.distance_share,
                )
                .window(basis.window_us)
                .input("rows of the model", self.points.len())
                .seed(self.seed)
                .bounds(-found.expected, None),
        ))
    }
}

impl Golden {
    /// Proposes to bring the signals of a running batch that are beyond their band back to its edge, the one that
    /// differs most first; `None` if all are within it.
    ///
    /// The gain is in the score of [`Self::deviation`], without a unit; what a batch is worth the profile does not know.
    ///
    /// # Errors
    /// As for [`Self::deviation`], or if there is not one name per signal.
    ///
    /// ```
    /// use optimize::{Basis, setpoint::{Batch, Golden}};
    /// let batch = |kpi, level: f64| Batch { kpi, phases: vec![vec![vec![level, 5.0]; 3]] };
    /// let golden = Golden::new(&[batch(9.0, 10.0), batch(9.1, 11.0), batch(9.2, 9.0)], 3)?;
    /// // Median 10, median deviation 1: the band is 10 ± 2 × 1.4826.
    /// let basis = Basis { window_us: None, currency: "", valid_until_us: 0 };
    /// let advice = golden.recommend(0, 0.5, &[20.0, 5.0], &["steam", "water"], &basis)?.expect("too much steam");
    /// assert_eq!((advice.steps.len(), advice.steps[0].what.as_str()), (1, "steam"));
    /// assert_eq!(advice.steps[0].proposed, "12.9652");
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn recommend(
        &self,
        phase: usize,
        progress: f64,
        values: &[f64],
        names: &[&str],
        basis: &Basis,
    ) -> Result<Option<Recommendation>, Error> {
        let before = self.deviation(phase, progress, values)?;
        if names.len() != values.len() {
            return Err(Error::Row { what: "names", expected: values.len() });
        }
        let edge = |(signal, value): (usize, &f64)| {
            let band = self.band(phase, progress, signal);
            band.map_or(*value, |(low, high)| value.clamp(low, high))
        };
        let then: Vec<f64> = values.iter().enumerate().map(edge).collect();
        let after = self.deviation(phase, progress, &then)?;
        let mut order: Vec<usize> =
            (0..values.len()).filter(|idx| then[*idx] != values[*idx]).collect();
        order.sort_by(|a, b| before.contributions[*b].total_cmp(&before.contributions[*a]));
        let Some(worst) = order.first().copied() else { return Ok(None) };
        let summary = format!(
            "the batch runs {:.1} half bands from the best ones, {:.0} % of it by {}",
            before.score,
            100.0 * before.contributions[worst],
            names[worst]
        );
        let gain = Gain::certain(before.score - after.score, "1");
        let mut advice = Recommendation::new(summary, gain, basis.valid_until_us);
        for signal in order {
            advice = advice
                .step(
                    names[signal],
                    Some(format!("{:.4}", values[signal])),
                    format!("{:.4}", then[signal]),
                )
                .constraint(format!("band of {}", names[signal]), 0.0);
        }
        Ok(Some(
            advice
                .window(basis.window_us)
                .input("phase", phase)
                .input("progress", progress)
                .bounds(after.score, None),
        ))
    }
}

/// One step per knob, in as many moves as its largest step needs, with the conditions that it keeps.
fn moves(mut advice: Recommendation, knobs: &[Knob], now: &[f64], then: &[f64]) -> Recommendation {
    for (knob, (now, then)) in knobs.iter().zip(now.iter().zip(then)) {
        let n_moves = knob.n_moves(*now, *then);
        let one = (then - now).abs() / n_moves;
        let proposed = match n_moves > 1.0 {
            true => format!("{then:.4} in {n_moves:.0} moves of {one:.4}"),
            false => format!("{then:.4}"),
        };
        let inside = (then - knob.low).min(knob.high - then);
        advice = advice
            .step(&knob.name, Some(format!("{now:.4}")), proposed)
            .constraint(format!("engineering limits of {}", knob.name), inside);
        if let Some(step) = knob.max_step {
            advice = advice.constraint(format!("largest step of {}", knob.name), step - one);
        }
    }
    advice
}
