//! Alarms after ISA-18.2-2016 / IEC 62682: the state machine, and limits with deadband and delays.
//!
//! ```text
//!             condition                 acknowledge
//!   normal ───────────────► unack ───────────────────► acked
//!     ▲                      │                           │
//!     │ acknowledge          │ condition gone            │ condition gone
//!     └────── rtn_unack ◄────┘          normal ◄─────────┘
//! ```
//! Three overlays hide an alarm without stopping its evaluation: shelved (by an operator, for a time),
//! suppressed (by design), out of service (by maintenance).

mod flood;

use serde::{Deserialize, Serialize};

pub use flood::{Chatter, Flood, STALE_US, is_stale};

/// ISA-18.2 alarm states (§5.4, states A to D).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum State {
    /// The condition does not hold and nothing waits for a person.
    #[default]
    Normal,
    /// The condition holds, nobody has acknowledged it.
    Unack,
    /// The condition holds and is acknowledged.
    Acked,
    /// The condition is gone, nobody has acknowledged it.
    RtnUnack,
}

/// What hides an alarm (ISA-18.2 §5.4, states E to G).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Overlay {
    /// By an operator.
    Shelved {
        /// Until when, µs.
        until_us: i64,
    },
    /// By design.
    Suppressed,
    /// By maintenance.
    OutOfService,
}

/// Everything that can happen to an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// The condition begins or ceases to hold.
    Condition(bool),
    /// A person has seen it.
    Ack,
    /// A person lets go of a latched alarm.
    Reset,
    /// A person hides it for a time.
    Shelve {
        /// Until when, µs.
        until_us: i64,
    },
    /// A person shows it again.
    Unshelve,
    /// A rule hides it.
    Suppress,
    /// The rule no longer does.
    Unsuppress,
    /// Maintenance takes it over.
    OutOfService,
    /// Maintenance gives it back.
    InService,
    /// Time passes.
    Tick,
}

/// State and overlay at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Snapshot {
    /// The state.
    pub state: State,
    /// What hides it.
    pub overlay: Option<Overlay>,
    /// Returned and acknowledged, but to be reset by a person (OPC UA LatchedState).
    pub latched: bool,
}

/// One change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    /// Before.
    pub from: Snapshot,
    /// After.
    pub to: Snapshot,
}

/// The input does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{input:?} does not fit an alarm that is {state:?}")]
pub struct NotAllowed {
    /// What was tried.
    pub input: Input,
    /// The state it does not fit.
    pub state: Snapshot,
}

/// The state machine of one alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Machine {
    now: Snapshot,
    latching: bool,
}

impl Machine {
    /// A normal alarm. `latching`: it needs a reset after it has returned.
    pub fn new(latching: bool) -> Machine {
        Machine { now: Snapshot::default(), latching }
    }

    /// The machine whose snapshot this is. `latching` as in [`Machine::new`]: a snapshot of a latching alarm that is not
    /// latched now looks like that of any other.
    pub fn restore(snapshot: Snapshot, latching: bool) -> Machine {
        Machine { now: snapshot, latching }
    }

    /// Whether it needs a reset after it has returned.
    pub fn is_latching(&self) -> bool {
        self.latching
    }

    /// State and overlay.
    pub fn snapshot(&self) -> Snapshot {
        self.now
    }

    /// Whether the condition holds.
    pub fn condition(&self) -> bool {
        matches!(self.now.state, State::Unack | State::Acked)
    }

    /// Whether it sounds: not seen yet, and nothing hides it.
    pub fn annunciates(&self) -> bool {
        self.now.overlay.is_none() && self.now.state == State::Unack
    }

    /// Applies one input; none when it changes nothing.
    ///
    /// ```
    /// use analytics::alarm::{Input, Machine, State};
    /// let mut alarm = Machine::new(false);
    /// alarm.apply(0, Input::Condition(true)).unwrap();
    /// alarm.apply(1, Input::Condition(false)).unwrap();
    /// assert_eq!(alarm.snapshot().state, State::RtnUnack);
    /// alarm.apply(2, Input::Ack).unwrap();
    /// assert_eq!(alarm.snapshot().state, State::Normal);
    /// assert!(alarm.apply(3, Input::Ack).is_err());
    /// ```
    ///
    /// # Errors
    /// When a person asks for something that does not fit the state.
    pub fn apply(&mut self, now_us: i64, input: Input) -> Result<Option<Transition>, NotAllowed> {
        let from = self.now;
        let refused = Err(NotAllowed { input, state: from });
        match input {
            Input::Condition(holds) => self.condition_is(holds),
            Input::Ack => match from.state {
                State::Unack => self.now.state = State::Acked,
                State::RtnUnack => self.now.state = State::Normal,
                State::Normal | State::Acked => return refused,
            },
            Input::Reset => {
                if !from.latched || self.condition() {
                    return refused;
                }
                self.now.latched = false;
            }
            Input::Shelve { until_us } => {
                if from.overlay.is_some() || until_us <= now_us {
                    return refused;
                }
                self.now.overlay = Some(Overlay::Shelved { until_us });
            }
            Input::Unshelve => match from.overlay {
                Some(Overlay::Shelved { .. }) => self.now.overlay = None,
                _ => return refused,
            },
            Input::Suppress => self.now.overlay = self.now.overlay.or(Some(Overlay::Suppressed)),
            Input::Unsuppress => {
                self.now.overlay = from.overlay.filter(|overlay| *overlay != Overlay::Suppressed);
            }
            Input::OutOfService => {
                if from.overlay == Some(Overlay::OutOfService) {
                    return refused;
                }
                self.now.overlay = Some(Overlay::OutOfService);
            }
            Input::InService => {
                if from.overlay != Some(Overlay::OutOfService) {
                    return refused;
                }
                self.now.overlay = None;
            }
            Input::Tick => {
                if let Some(Overlay::Shelved { until_us }) = from.overlay
                    && until_us <= now_us
                {
                    self.now.overlay = None;
                }
            }
        }
        Ok((self.now != from).then_some(Transition { from, to: self.now }))
    }

    fn condition_is(&mut self, holds: bool) {
        let state = self.now.state;
        self.now.state = match (state, holds) {
            (State::Normal | State::RtnUnack, true) => State::Unack,
            (State::Unack, false) => State::RtnUnack,
            (State::Acked, false) => State::Normal,
            (unchanged, _) => unchanged,
        };
        if holds && self.latching {
            self.now.latched = true;
        }
    }
}

/// A limit on one signal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitSpec {
    /// Broken above this value.
    pub above: Option<f64>,
    /// Broken below this value.
    pub below: Option<f64>,
    /// How far the value must come back, in the signal's unit.
    #[serde(with = "crate::saved::float")]
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

/// Runs a limit over recorded values.
///
/// `times_us`, `values`: n samples in time order, NaN is missing. `events`: half-open spans in which it should
/// have rung at least once. Cost: O(n + events · log rings).
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

/// Alarm load of one operator in a window (ISA-18.2-2016 Table 7; EEMUA 191).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// Most alarms in any ten minutes.
    pub most_in_10_min: usize,
    /// Share of ten-minute periods with more than ten alarms.
    pub flood_share: f64,
    /// Alarms that rang three times or more within one minute, by index of their tag.
    pub chattering: Vec<usize>,
}

/// Measures the load of `rings`: (time µs, tag) in time order, over `[from_us, to_us)`.
pub fn load(rings: &[(i64, usize)], from_us: i64, to_us: i64) -> Load {
    const PERIOD_US: i64 = 600_000_000;
    const MINUTE_US: i64 = 60_000_000;
    let n_periods = ((to_us - from_us).max(0) as usize).div_ceil(PERIOD_US as usize);
    let mut per_period = vec![0usize; n_periods];
    let mut by_tag: std::collections::BTreeMap<usize, Vec<i64>> = std::collections::BTreeMap::new();
    for &(time_us, tag) in rings.iter().filter(|(time_us, _)| (from_us..to_us).contains(time_us)) {
        per_period[((time_us - from_us) / PERIOD_US) as usize] += 1;
        by_tag.entry(tag).or_default().push(time_us);
    }
    let chatters =
        |times_us: &Vec<i64>| times_us.windows(3).any(|three| three[2] - three[0] <= MINUTE_US);
    let floods = per_period.iter().filter(|count| **count > 10).count();
    Load {
        most_in_10_min: per_period.iter().copied().max().unwrap_or(0),
        flood_share: if n_periods == 0 { 0.0 } else { floods as f64 / n_periods as f64 },
        chattering: by_tag
            .iter()
            .filter(|(_, times_us)| chatters(times_us))
            .map(|(tag, _)| *tag)
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    fn any_input(noise: &mut Noise, now_us: i64) -> Input {
        match (noise.uniform() * 11.0) as u32 {
            0 | 1 => Input::Condition(true),
            2 => Input::Condition(false),
            3 => Input::Ack,
            4 => Input::Reset,
            5 => Input::Shelve { until_us: now_us + (noise.uniform() * 20.0) as i64 },
            6 => Input::Unshelve,
            7 => Input::Suppress,
            8 => Input::Unsuppress,
            9 => {
                if noise.uniform() < 0.5 {
                    Input::OutOfService
                } else {
                    Input::InService
                }
            }
            _ => Input::Tick,
        }
    }

    /// 10⁶ random steps: the laws of ISA-18.2 hold after every one of them.
    #[test]
    fn the_laws_hold_in_a_million_random_steps() {
        let mut noise = Noise::new(18);
        for run in 0..1000 {
            let mut alarm = Machine::new(run % 3 == 0);
            let mut condition = false;
            for now_us in 0..1000 {
                let input = any_input(&mut noise, now_us);
                let before = alarm.snapshot();
                let result = alarm.apply(now_us, input);
                let after = alarm.snapshot();
                match result {
                    Err(_) | Ok(None) => assert_eq!(before, after, "a refusal changes nothing"),
                    Ok(Some(transition)) => {
                        assert_eq!(transition, Transition { from: before, to: after });
                    }
                }
                if let Input::Condition(holds) = input {
                    condition = holds;
                }
                assert_eq!(alarm.condition(), condition, "no overlay stops the evaluation");
                if before.state == State::Unack && after.state == State::Normal {
                    panic!("an alarm nobody has seen never vanishes");
                }
                if before.overlay == Some(Overlay::OutOfService) && after.overlay != before.overlay
                {
                    assert_eq!(input, Input::InService, "only maintenance gives it back");
                }
                if alarm.annunciates() {
                    assert!(condition && after.overlay.is_none());
                }
                if before.latched && !after.latched {
                    assert!(input == Input::Reset && !condition);
                }
                assert_eq!(Machine::restore(after, alarm.is_latching()), alarm);
            }
        }
    }

    /// A restart between two alarms used to make a latching alarm an ordinary one: nobody had to reset it any more.
    #[test]
    fn a_latching_alarm_that_was_restored_goes_on_latching() {
        let mut alarm = Machine::restore(Machine::new(true).snapshot(), true);
        alarm.apply(0, Input::Condition(true)).expect("allowed");
        alarm.apply(1, Input::Condition(false)).expect("allowed");
        alarm.apply(2, Input::Ack).expect("allowed");
        assert!(alarm.snapshot().latched);
        assert!(alarm.apply(3, Input::Reset).expect("allowed").is_some());
    }

    #[test]
    fn delays_survive_times_at_both_ends() {
        let spec = LimitSpec { above: Some(1.0), on_delay_us: 5, ..LimitSpec::default() };
        let mut limit = Limit::new(spec);
        assert!(!limit.update(i64::MIN, 2.0));
        assert!(limit.update(i64::MAX, 2.0));
    }

    #[test]
    fn shelving_ends_by_itself() {
        let mut alarm = Machine::new(false);
        alarm.apply(0, Input::Shelve { until_us: 10 }).expect("allowed");
        alarm.apply(1, Input::Condition(true)).expect("allowed");
        assert!(!alarm.annunciates());
        assert_eq!(alarm.apply(9, Input::Tick), Ok(None));
        assert!(alarm.apply(10, Input::Tick).expect("allowed").is_some());
        assert!(alarm.annunciates());
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

    #[test]
    fn floods_and_chatter_are_measured() {
        let rings: Vec<(i64, usize)> =
            (0..12).map(|n| (n * 10_000_000, (n % 2) as usize)).collect();
        let load = load(&rings, 0, 1_200_000_000);
        assert_eq!((load.most_in_10_min, load.flood_share, load.chattering), (12, 0.5, vec![0, 1]));
    }
}
