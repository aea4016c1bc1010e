//! Limits with deadband and delays, and what they would have done.

use serde::{Deserialize, Serialize};

/// A limit on one signal; deadband and delays as in ANSI/ISA-18.2-2016, clause 10.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// Broken above this value.
    #[serde(default, with = "crate::saved")]
    pub above: Option<f64>,
    /// Broken below this value.
    #[serde(default, with = "crate::saved")]
    pub below: Option<f64>,
    /// How far the value must come back, in the signal's unit.
    #[serde(with = "crate::saved")]
    pub deadband: f64,
    /// How long it must be broken, µs.
    pub on_delay_us: i64,
    /// How long it must be back, µs.
    pub off_delay_us: i64,
}

/// A limit with its timers.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limit {
    spec: LimitSpec,
    condition: bool,
    /// Since when the value speaks against the condition.
    turning_since_us: Option<i64>,
}

impl Limit {
    /// A limit that is not broken.
    pub fn new(spec: LimitSpec) -> Limit {
        Limit { spec, condition: false, turning_since_us: None }
    }

    /// Takes a value and says whether the condition holds. NaN says nothing, the delays go on.
    ///
    /// ```
    /// use analytics::alarm::{Limit, LimitSpec};
    /// let spec = LimitSpec { above: Some(10.0), deadband: 1.0, on_delay_us: 2, ..LimitSpec::default() };
    /// let mut limit = Limit::new(spec);
    /// assert!(!limit.update(0, 11.0));
    /// assert!(limit.update(2, 11.0));
    /// assert!(limit.update(3, 9.5)); // inside the deadband
    /// assert!(!limit.update(4, 9.0));
    /// ```
    #[inline]
    pub fn update(&mut self, time_us: i64, value: f64) -> bool {
        if value.is_nan() {
            return self.tick(time_us);
        }
        let turns = if self.condition { self.is_back(value) } else { self.is_broken(value) };
        if turns {
            self.turning_since_us.get_or_insert(time_us);
        } else {
            self.turning_since_us = None;
        }
        self.tick(time_us)
    }

    /// Lets a delay run out without a new value; a value holds until the next one.
    #[inline]
    pub fn tick(&mut self, time_us: i64) -> bool {
        if let Some(since_us) = self.turning_since_us {
            let delay_us =
                if self.condition { self.spec.off_delay_us } else { self.spec.on_delay_us };
            if time_us.saturating_sub(since_us) >= delay_us {
                self.condition = !self.condition;
                self.turning_since_us = None;
            }
        }
        self.condition
    }

    #[inline]
    fn is_broken(&self, value: f64) -> bool {
        self.spec.above.is_some_and(|above| value > above)
            || self.spec.below.is_some_and(|below| value < below)
    }

    #[inline]
    fn is_back(&self, value: f64) -> bool {
        let deadband = self.spec.deadband;
        self.spec.above.is_none_or(|above| value <= above - deadband)
            && self.spec.below.is_none_or(|below| value >= below + deadband)
    }
}

/// What an alarm would have done with other settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BackTest {
    /// How often it would have rung.
    pub rings: usize,
    /// How long it would have been active, µs.
    pub active_us: i64,
    /// Which of the events it would have missed, by index.
    pub missed: Vec<usize>,
}

/// Runs a [`Limit`] over recorded values, as if it had been there.
///
/// `times_us`, `values`: n samples in time order, NaN is missing. `events`: half-open spans in which it should
/// have rung at least once.
///
/// ```
/// use analytics::alarm::{LimitSpec, back_test};
/// let (times_us, values) = ([0, 1, 2, 3, 4, 5, 6], [9.0, 11.0, 9.0, 11.0, 11.0, 11.0, 8.0]);
/// let nervous = LimitSpec { above: Some(10.0), ..LimitSpec::default() };
/// assert_eq!(back_test(nervous, &times_us, &values, &[]).rings, 2); // at 1 and at 3
/// let calm = back_test(LimitSpec { on_delay_us: 2, ..nervous }, &times_us, &values, &[(3, 6), (0, 2)]);
/// assert_eq!((calm.rings, calm.active_us, calm.missed), (1, 1, vec![1])); // from 5 to 6
/// ```
///
/// Cost: O(n + events · log rings).
pub fn back_test(
    spec: LimitSpec,
    times_us: &[i64],
    values: &[f64],
    events: &[(i64, i64)],
) -> BackTest {
    let mut limit = Limit::new(spec);
    let mut spans: Vec<(i64, i64)> = Vec::new();
    let mut was = false;
    for (&time_us, &value) in times_us.iter().zip(values) {
        let is = limit.update(time_us, value);
        if is && !was {
            spans.push((time_us, i64::MAX));
        } else if was
            && !is
            && let Some(span) = spans.last_mut()
        {
            span.1 = time_us;
        }
        was = is;
    }
    let end_us = times_us.last().copied().unwrap_or(0);
    let is_missed = |(start_us, stop_us): &(i64, i64)| {
        let first = spans.partition_point(|(_, end_us)| end_us <= start_us);
        spans.get(first).is_none_or(|(begin_us, _)| begin_us >= stop_us)
    };
    BackTest {
        rings: spans.len(),
        active_us: spans.iter().map(|(start_us, stop_us)| (*stop_us).min(end_us) - start_us).sum(),
        missed: (0..events.len()).filter(|idx| is_missed(&events[*idx])).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    #[test]
    fn delays_survive_times_at_both_ends() {
        let spec = LimitSpec { above: Some(1.0), on_delay_us: 5, ..LimitSpec::default() };
        let mut limit = Limit::new(spec);
        assert!(!limit.update(i64::MIN, 2.0));
        assert!(limit.update(i64::MAX, 2.0));
    }

    #[test]
    fn a_deadband_and_a_delay_calm_a_chattering_limit() {
        let mut noise = Noise::new(5);
        let n = 100_000;
        let times_us: Vec<i64> = (0..n).map(|n| n * 1_000_000).collect();
        let events = [(20_000_000_000, 21_000_000_000), (70_000_000_000, 71_000_000_000)];
        let level = |time_us: i64| {
            if events.iter().any(|(from, to)| (*from..*to).contains(&time_us)) { 20.0 } else { 9.0 }
        };
        let values: Vec<f64> =
            times_us.iter().map(|time_us| level(*time_us) + 0.5 * noise.normal()).collect();
        let nervous = back_test(
            LimitSpec { above: Some(10.0), ..LimitSpec::default() },
            &times_us,
            &values,
            &events,
        );
        let calm = LimitSpec {
            above: Some(10.0),
            deadband: 0.8,
            on_delay_us: 20_000_000,
            ..LimitSpec::default()
        };
        let calm = back_test(calm, &times_us, &values, &events);
        assert!(nervous.rings > 1000, "{}", nervous.rings);
        assert_eq!((calm.rings, calm.missed.len()), (2, 0));
    }
}
