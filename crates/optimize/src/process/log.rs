//! An event log with its cases in order.

use std::collections::HashMap;

/// Farthest time from 1970, so that no difference overflows.
const FAR_US: u64 = 1 << 60;

/// One line of an event log as it comes from a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row<'a> {
    /// What moves through the process: an order, a lot, a batch.
    pub case: &'a str,
    /// What was done.
    pub activity: &'a str,
    /// Begin in microseconds since 1970; the end, where only that was recorded.
    pub start_us: i64,
    /// End in microseconds since 1970.
    pub end_us: i64,
}

/// One line with names replaced by numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// Number of the case.
    pub case: u32,
    /// Number of the activity.
    pub activity: u32,
    /// Begin in microseconds since 1970.
    pub start_us: i64,
    /// End in microseconds since 1970.
    pub end_us: i64,
}

/// Events by case, each case in order of start, then end, then rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Log {
    cases: Vec<String>,
    activities: Vec<String>,
    events: Vec<Event>,
}

/// A row that cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An activity ends before it begins.
    #[error(
        "row {row}: {activity} of {case} ends at {end_us} µs before its begin at {start_us} µs; correct its times"
    )]
    Reversed {
        /// Row from 0.
        row: usize,
        /// Its case.
        case: String,
        /// Its activity.
        activity: String,
        /// Begin.
        start_us: i64,
        /// End.
        end_us: i64,
    },
    /// A time is so far away that lengths of time cannot be told.
    #[error("event {event} is at {at_us} µs, more than 30,000 years from 1970; correct the clock")]
    Far {
        /// Event from 0.
        event: usize,
        /// Its begin or end.
        at_us: i64,
    },
    /// An event names a case or activity that is not in the lists.
    #[error(
        "event {event} names {what} {number}, but there are {n}; number them from 0 in the order of the list"
    )]
    Unknown {
        /// Event from 0.
        event: usize,
        /// "case" or "activity".
        what: &'static str,
        /// What it names.
        number: u32,
        /// How many there are.
        n: usize,
    },
}

impl Log {
    /// Numbers cases and activities in the order in which the rows first name them.
    ///
    /// # Errors
    /// If an activity ends before it begins, or a time is beyond all calendars.
    pub fn new<'a>(rows: impl IntoIterator<Item = Row<'a>>) -> Result<Self, Error> {
        let (mut cases, mut activities) = (Names::default(), Names::default());
        let number = |row: Row<'a>| Event {
            case: cases.number(row.case),
            activity: activities.number(row.activity),
            start_us: row.start_us,
            end_us: row.end_us,
        };
        let events: Vec<Event> = rows.into_iter().map(number).collect();
        Self::from_events(cases.names, activities.names, events)
    }

    /// The same from columns that are numbers already, as a store keeps them.
    ///
    /// Cost: O(n), and O(k log k) more for each case of k events that is not in order.
    ///
    /// # Errors
    /// If an activity ends before it begins, a time is beyond all calendars, or a number has no name.
    pub fn from_events(
        cases: Vec<String>,
        activities: Vec<String>,
        events: Vec<Event>,
    ) -> Result<Self, Error> {
        for (idx, event) in events.iter().enumerate() {
            let numbers =
                [("case", event.case, cases.len()), ("activity", event.activity, activities.len())];
            if let Some((what, number, n)) =
                numbers.into_iter().find(|(_, number, n)| *number as usize >= *n)
            {
                return Err(Error::Unknown { event: idx, what, number, n });
            }
            if let Some(at_us) =
                [event.start_us, event.end_us].into_iter().find(|at| at.unsigned_abs() > FAR_US)
            {
                return Err(Error::Far { event: idx, at_us });
            }
            if event.end_us < event.start_us {
                let Event { case, activity, start_us, end_us } = *event;
                let (case, activity) =
                    (cases[case as usize].clone(), activities[activity as usize].clone());
                return Err(Error::Reversed { row: idx, case, activity, start_us, end_us });
            }
        }
        Ok(Self { events: by_case(events, cases.len()), cases, activities })
    }

    /// Names of the cases by number.
    pub fn case_names(&self) -> &[String] {
        &self.cases
    }

    /// Names of the activities by number.
    pub fn activities(&self) -> &[String] {
        &self.activities
    }

    /// First begin and last end of all events; `None` without events.
    pub fn window_us(&self) -> Option<(i64, i64)> {
        let begin_us = self.events.iter().map(|event| event.start_us).min()?;
        Some((begin_us, self.events.iter().map(|event| event.end_us).max()?))
    }

    /// The events of each case in order of start; cases without events are left out.
    pub fn cases(&self) -> impl Iterator<Item = &[Event]> {
        self.events.chunk_by(|a, b| a.case == b.case)
    }
}

/// Groups by case with a counting sort, which keeps the order of rows, then sorts cases that need it.
fn by_case(events: Vec<Event>, n_cases: usize) -> Vec<Event> {
    let order = |event: &Event| (event.case, event.start_us, event.end_us);
    if events.is_sorted_by_key(order) {
        return events;
    }
    let mut places = vec![0; n_cases + 1];
    for event in &events {
        places[event.case as usize + 1] += 1;
    }
    for idx in 0..n_cases {
        places[idx + 1] += places[idx];
    }
    let mut sorted = events.clone();
    for event in events {
        let place = &mut places[event.case as usize];
        sorted[*place] = event;
        *place += 1;
    }
    for case in sorted.chunk_by_mut(|a, b| a.case == b.case) {
        let time = |event: &Event| (event.start_us, event.end_us);
        if !case.is_sorted_by_key(time) {
            case.sort_by_key(time);
        }
    }
    sorted
}

#[derive(Default)]
struct Names<'a> {
    names: Vec<String>,
    numbers: HashMap<&'a str, u32>,
}

impl<'a> Names<'a> {
    fn number(&mut self, name: &'a str) -> u32 {
        *self.numbers.entry(name).or_insert_with(|| {
            self.names.push(name.to_owned());
            (self.names.len() - 1) as u32
        })
    }
}
