//! What every decision looks like to the person who has to agree to it.

use serde::Serialize;

/// What a caller knows of a decision that its numbers do not tell.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Basis<'a> {
    /// The time span of the data that the inputs were made of, in microseconds since 1970; `None` where people gave them.
    pub window_us: Option<(i64, i64)>,
    /// Currency of all costs and prices.
    pub currency: &'a str,
    /// When the facts may have changed too much, in microseconds since 1970.
    pub valid_until_us: i64,
}

/// One change: a thing, its value now and the value proposed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What is changed, in the plant's words: "order 17", "compressor 2 pressure".
    pub what: String,
    /// As it is; `None` where nothing is there yet.
    pub now: Option<String>,
    /// As it should be.
    pub proposed: String,
}

/// What the change brings, with the interval it lies in.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Gain {
    /// Expected gain; positive is good.
    pub expected: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Probability that the gain lies between the two, in percent; 100 for a calculation without chance.
    pub confidence_percent: f64,
    /// UCUM unit or currency code.
    pub unit: String,
}

impl Gain {
    /// The gain of a calculation without chance.
    pub fn certain(gain: f64, unit: &str) -> Gain {
        Gain {
            expected: gain,
            low: gain,
            high: gain,
            confidence_percent: 100.0,
            unit: unit.to_owned(),
        }
    }

    /// A gain that lies between `low` and `high` with 90 %.
    pub(crate) fn likely(expected: f64, low: f64, high: f64, unit: &str) -> Gain {
        Gain { expected, low, high, confidence_percent: 90.0, unit: unit.to_owned() }
    }
}

/// A condition that was checked on the proposed solution.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Constraint {
    /// The condition in words.
    pub what: String,
    /// What is left until it binds, in the condition's own unit; negative would be a breach.
    pub slack: f64,
}

/// What the result rests on, so that it can be repeated.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Evidence {
    /// The time span of the data, in microseconds since 1970, if data were used.
    pub window_us: Option<(i64, i64)>,
    /// Inputs by name and value or version.
    pub inputs: Vec<(String, String)>,
    /// The seed of the search.
    pub seed: u64,
}

/// How far from the best possible the result can be.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bounds {
    /// The objective of the proposal; smaller is better.
    pub objective: f64,
    /// No solution is better than this, if a bound is known.
    pub bound: Option<f64>,
}

impl Bounds {
    /// Distance between objective and bound as a share of the objective, in percent; `None` without a bound.
    ///
    /// ```
    /// let bounds = optimize::Bounds { objective: 110.0, bound: Some(99.0) };
    /// assert_eq!(bounds.gap_percent(), Some(10.0));
    /// ```
    pub fn gap_percent(&self) -> Option<f64> {
        let gap = self.objective - self.bound?;
        Some(if gap <= 0.0 { 0.0 } else { 100.0 * gap / self.objective.abs() })
    }
}

/// A decision to be agreed to: now → proposed, why, and how sure.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recommendation {
    /// One sentence for the person who decides.
    pub summary: String,
    /// The changes, in the order in which they should be made.
    pub steps: Vec<Step>,
    /// What they bring together.
    pub gain: Gain,
    /// Everything that was checked.
    pub constraints: Vec<Constraint>,
    /// What the result rests on.
    pub evidence: Evidence,
    /// When the facts may have changed too much, in microseconds since 1970.
    pub valid_until_us: i64,
    /// How far from optimal it can be.
    pub bounds: Bounds,
}

/// Builds a recommendation line by line, in the order in which it is read.
impl Recommendation {
    pub(crate) fn new(summary: String, gain: Gain, valid_until_us: i64) -> Self {
        Self {
            summary,
            steps: Vec::new(),
            gain,
            constraints: Vec::new(),
            evidence: Evidence::default(),
            valid_until_us,
            bounds: Bounds { objective: f64::NAN, bound: None },
        }
    }

    pub(crate) fn step(
        mut self,
        what: impl Into<String>,
        now: Option<String>,
        proposed: impl Into<String>,
    ) -> Self {
        self.steps.push(Step { what: what.into(), now, proposed: proposed.into() });
        self
    }

    pub(crate) fn constraint(mut self, what: impl Into<String>, slack: f64) -> Self {
        self.constraints.push(Constraint { what: what.into(), slack });
        self
    }

    pub(crate) fn window(mut self, window_us: Option<(i64, i64)>) -> Self {
        self.evidence.window_us = window_us;
        self
    }

    pub(crate) fn input(mut self, name: &str, value: impl std::fmt::Display) -> Self {
        self.evidence.inputs.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn seed(mut self, seed: u64) -> Self {
        self.evidence.seed = seed;
        self
    }

    pub(crate) fn bounds(mut self, objective: f64, bound: Option<f64>) -> Self {
        self.bounds = Bounds { objective, bound };
        self
    }
}
