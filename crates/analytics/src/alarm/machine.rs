//! The state of one alarm, and what may happen to it.

use serde::{Deserialize, Serialize};

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

    /// What holds after every input.
    fn check(alarm: &mut Machine, condition: bool, now_us: i64, input: Input) {
        let before = alarm.snapshot();
        let result = alarm.apply(now_us, input);
        let after = alarm.snapshot();
        match result {
            Err(_) | Ok(None) => assert_eq!(before, after, "a refusal changes nothing"),
            Ok(Some(transition)) => assert_eq!(transition, Transition { from: before, to: after }),
        }
        assert_eq!(alarm.condition(), condition, "no overlay stops the evaluation");
        let vanished = before.state == State::Unack && after.state == State::Normal;
        assert!(!vanished, "an alarm nobody has seen never vanishes");
        let is_seen =
            matches!(after.state, State::Acked | State::Normal) && before.state != after.state;
        let returns = before.state == State::Acked && input == Input::Condition(false);
        assert!(!is_seen || input == Input::Ack || returns, "only a person acknowledges");
        if before.overlay == Some(Overlay::OutOfService) && after.overlay != before.overlay {
            assert_eq!(input, Input::InService, "only maintenance gives it back");
        }
        if let Some(Overlay::Shelved { until_us }) = after.overlay {
            assert!(input != Input::Tick || now_us < until_us, "no shelving outlives its time");
        }
        assert!(!alarm.annunciates() || (condition && after.overlay.is_none()));
        assert!(!after.latched || alarm.is_latching());
        if before.latched && !after.latched {
            assert!(input == Input::Reset && !condition);
        }
        assert_eq!(Machine::restore(after, alarm.is_latching()), *alarm);
    }

    /// 10⁶ random sequences of one to sixteen inputs, 8.5 million in all: the laws of ISA-18.2 hold after every one.
    #[test]
    fn the_laws_hold_in_a_million_random_sequences() {
        let mut noise = Noise::new(18);
        for run in 0..1_000_000 {
            let mut alarm = Machine::new(run % 3 == 0);
            let mut condition = false;
            for now_us in 0..1 + (noise.uniform() * 16.0) as i64 {
                let input = any_input(&mut noise, now_us);
                if let Input::Condition(holds) = input {
                    condition = holds;
                }
                check(&mut alarm, condition, now_us, input);
            }
        }
    }

    /// Ten thousand inputs to one alarm: what only shows after a long time.
    #[test]
    fn the_laws_hold_in_long_lives() {
        let mut noise = Noise::new(19);
        for run in 0..100 {
            let mut alarm = Machine::new(run % 3 == 0);
            let mut condition = false;
            for now_us in 0..10_000 {
                let input = any_input(&mut noise, now_us);
                condition = if let Input::Condition(holds) = input { holds } else { condition };
                check(&mut alarm, condition, now_us, input);
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
    fn shelving_ends_by_itself() {
        let mut alarm = Machine::new(false);
        alarm.apply(0, Input::Shelve { until_us: 10 }).expect("allowed");
        alarm.apply(1, Input::Condition(true)).expect("allowed");
        assert!(!alarm.annunciates());
        assert_eq!(alarm.apply(9, Input::Tick), Ok(None));
        assert!(alarm.apply(10, Input::Tick).expect("allowed").is_some());
        assert!(alarm.annunciates());
    }
}
