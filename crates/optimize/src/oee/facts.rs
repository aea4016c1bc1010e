//! What must be known of a machine before its time can be divided.

/// A span of time in which the machine is meant to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// Its name in the plant: "early", "2026-03-02 N".
    pub name: String,
    /// Begin in microseconds since 1970.
    pub from_us: i64,
    /// End in microseconds since 1970, exclusive.
    pub to_us: i64,
}

/// What a machine does, as far as time accounting needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// It works on pieces.
    Running,
    /// It stands by plan: break, no order, planned maintenance.
    PlannedStop,
    /// It is set up or adjusted for the next order.
    Setup,
    /// It stands unplanned: broken, blocked, starved, nobody there.
    Down,
    /// Nobody knows.
    Unknown,
}

/// From `at_us` on the machine is in `state`, until the next change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateChange {
    /// When, in microseconds since 1970.
    pub at_us: i64,
    /// What it does from then on.
    pub state: State,
    /// Why, in the plant's words, if anybody said so.
    pub reason: Option<String>,
}

impl StateChange {
    /// A change without a reason.
    pub fn new(at_us: i64, state: State) -> Self {
        Self { at_us, state, reason: None }
    }
}

/// Pieces made since the count before.
#[derive(Debug, Clone, PartialEq)]
pub struct Count {
    /// When they were counted, in microseconds since 1970; the count belongs to the shift with `from < at ≤ to`.
    pub at_us: i64,
    /// Pieces that were good at once.
    pub good: f64,
    /// Pieces thrown away.
    pub scrap: f64,
    /// Pieces to be worked on once more.
    pub rework: f64,
    /// Whether they belong to a start-up, whose rejects are a loss of their own.
    pub is_startup: bool,
    /// Seconds that one of them takes at the best; `None` where nobody knows.
    pub ideal_cycle_s: Option<f64>,
}

impl Count {
    /// No pieces at `at_us`, to be filled in.
    pub fn at(at_us: i64) -> Self {
        Self { at_us, good: 0.0, scrap: 0.0, rework: 0.0, is_startup: false, ideal_cycle_s: None }
    }

    /// All pieces, good or not.
    pub fn produced(&self) -> f64 {
        self.good + self.scrap + self.rework
    }
}

/// Everything [`oee`](super::oee) needs.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// Shifts in time order, not overlapping.
    pub shifts: &'a [Shift],
    /// State changes in time order; before the first the state is unknown.
    pub states: &'a [StateChange],
    /// The last state holds until here; from here on the state is unknown.
    pub known_until_us: i64,
    /// Counts in time order. A shift without any has no known performance and quality.
    pub counts: &'a [Count],
    /// An unplanned stop shorter than this is a minor stop, a loss of performance; 0 for none.
    pub minor_stop_us: i64,
}

/// Facts that contradict themselves.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// A shift ends before it begins.
    #[error(
        "shift {name} ends at {to_us} µs, not after its begin at {from_us} µs; correct the calendar"
    )]
    EmptyShift {
        /// Its name.
        name: String,
        /// Begin.
        from_us: i64,
        /// End.
        to_us: i64,
    },
    /// Two shifts overlap or are out of order.
    #[error(
        "shift {name} begins before shift {before} ends; sort the calendar and remove the overlap"
    )]
    Overlap {
        /// The later shift.
        name: String,
        /// The one before.
        before: String,
    },
    /// A break is not within its shift.
    #[error("the break {pause} is not within shift {shift}; correct the calendar")]
    Break {
        /// The shift.
        shift: String,
        /// The break, in local time.
        pause: String,
    },
    /// A moment lies beyond the years that a calendar can tell.
    #[error("{date} is beyond the calendar; ask for the years 1 to 9998")]
    Date {
        /// The day or time.
        date: String,
    },
    /// States or counts are not in time order.
    #[error("{what} {idx} at {at_us} µs is earlier than the one before; sort them by time")]
    Order {
        /// "state change" or "count".
        what: &'static str,
        /// Index from 0.
        idx: usize,
        /// Its time.
        at_us: i64,
    },
    /// A time is so far away that lengths of time cannot be told.
    #[error("{what} at {at_us} µs is more than 30,000 years from 1970; correct the clock")]
    Far {
        /// "shift", "state change" or "count".
        what: &'static str,
        /// Its time.
        at_us: i64,
    },
    /// A count is negative, not a number, or more than any machine makes.
    #[error(
        "count {idx} at {at_us} µs has {value} as {field}; pieces and cycles are finite, and not negative"
    )]
    Number {
        /// Index from 0.
        idx: usize,
        /// Its time.
        at_us: i64,
        /// Which field.
        field: &'static str,
        /// Its value.
        value: f64,
    },
}

/// Farthest time from 1970, so that no difference or sum of lengths overflows.
const FAR_US: i64 = 1 << 60;
/// Most pieces in one count, and longest cycle in seconds: the sum of a million counts is still exact enough.
const MOST: f64 = 1e15;

impl Facts<'_> {
    pub(super) fn check(&self) -> Result<(), Error> {
        check_shifts(self.shifts)?;
        check_order("state change", self.states.iter().map(|change| change.at_us))?;
        check_order("count", self.counts.iter().map(|count| count.at_us))?;
        self.counts.iter().enumerate().try_for_each(|(idx, count)| check_count(idx, count))
    }
}

pub(super) fn check_shifts(shifts: &[Shift]) -> Result<(), Error> {
    for shift in shifts {
        check_near("shift", shift.from_us)?;
        check_near("shift", shift.to_us)?;
        if shift.to_us <= shift.from_us {
            let Shift { name, from_us, to_us } = shift.clone();
            return Err(Error::EmptyShift { name, from_us, to_us });
        }
    }
    for pair in shifts.windows(2) {
        if pair[1].from_us < pair[0].to_us {
            let (name, before) = (pair[1].name.clone(), pair[0].name.clone());
            return Err(Error::Overlap { name, before });
        }
    }
    Ok(())
}

fn check_order(what: &'static str, times_us: impl Iterator<Item = i64>) -> Result<(), Error> {
    let mut before_us = i64::MIN;
    for (idx, at_us) in times_us.enumerate() {
        if at_us < before_us {
            return Err(Error::Order { what, idx, at_us });
        }
        check_near(what, at_us)?;
        before_us = at_us;
    }
    Ok(())
}

fn check_near(what: &'static str, at_us: i64) -> Result<(), Error> {
    if (-FAR_US..=FAR_US).contains(&at_us) {
        return Ok(());
    }
    Err(Error::Far { what, at_us })
}

fn check_count(idx: usize, count: &Count) -> Result<(), Error> {
    let at_us = count.at_us;
    let pieces = [("good", count.good), ("scrap", count.scrap), ("rework", count.rework)];
    for (field, value) in pieces {
        if !(0.0..=MOST).contains(&value) {
            return Err(Error::Number { idx, at_us, field, value });
        }
    }
    match count.ideal_cycle_s {
        Some(value) if !(value > 0.0 && value <= MOST) => {
            Err(Error::Number { idx, at_us, field: "ideal cycle", value })
        }
        _ => Ok(()),
    }
}
