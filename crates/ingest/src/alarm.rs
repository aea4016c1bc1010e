//! The record of alarms: which condition of which rule holds on which asset, and what people did about it.
//!
//! States and overlays are `analytics::alarm` (ISA-18.2 / IEC 62682); this module adds identity, words,
//! numbering and the record. Every transition becomes an [`Event`](signal::Event) whose body is the alarm as it was
//! after it, so that the [`Book`] can be rebuilt from the log.

mod book;
mod command;

use analytics::alarm::{Machine, Overlay, Snapshot, State};
use serde::{Deserialize, Serialize};
use signal::{AssetId, Quality, SignalId};

use crate::health::{Contribution, Diagnosis};

pub(crate) use book::{Book, Change, Key};
pub use command::{AlarmCommand, CommandError, MAX_SHELVE_MINUTES};

/// One alarm: one rule on one asset, with its present state. Never deleted, only normal again.
///
/// This is also the form in which it is sent to screens and written to the record; a new field needs a default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Alarm {
    /// Identity.
    pub id: u32,
    /// The asset it concerns.
    pub asset: AssetId,
    /// Path of that asset.
    pub asset_path: String,
    /// The signal it concerns, if one.
    pub signal: Option<SignalId>,
    /// `limit:<rule>`, `anomaly`, `lost`.
    pub rule: String,
    /// What a person calls it.
    pub title: String,
    /// 1 (most urgent) to 4.
    pub priority: u8,
    /// ISA-18.2 state.
    pub state: AlarmState,
    /// What keeps it from ringing, if anything.
    pub overlay: Option<AlarmOverlay>,
    /// Needs a reset after it returned to normal.
    pub latched: bool,
    /// When the present state began.
    pub since_us: i64,
    /// Who acknowledged it.
    pub acked_by: Option<String>,
    /// When.
    pub acked_us: Option<i64>,
    /// The value that raised it, in `unit`.
    pub value: Option<f64>,
    /// The limit that it broke, in `unit`.
    pub limit: Option<f64>,
    /// UCUM unit of value and limit.
    pub unit: String,
    /// Quality of the value.
    pub quality: Quality,
    /// What happened, in one sentence.
    pub message: String,
    /// What makes it happen.
    pub cause: String,
    /// What happens if nobody acts.
    pub consequence: String,
    /// What to do.
    pub response: String,
    /// How long there is to do it.
    pub minutes_to_respond: u32,
    /// When that time is over.
    pub respond_by_us: Option<i64>,
    /// Which signals speak for it, largest first.
    pub contributions: Vec<Contribution>,
    /// Known faults that look like it, most likely first.
    pub diagnosis: Vec<Diagnosis>,
    /// Alarms of one upset share the number of the first of them.
    pub group: Option<u32>,
    /// Whether it is the first of its group.
    pub first_out: bool,
    /// When it rings again by itself.
    pub shelved_until_us: Option<i64>,
    /// Why it was shelved or taken out of service.
    pub overlay_reason: Option<String>,
    /// By whom.
    pub overlay_by: Option<String>,
    /// Grows by one with every change of any alarm.
    pub seq: u64,
    /// How often it has rung since it exists.
    pub count: u64,
    /// The newest comment of a person.
    #[serde(default)]
    pub comment: Option<String>,
}

/// ISA-18.2 alarm states.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmState {
    /// Nothing to do.
    Normal,
    /// Active, nobody has seen it.
    Unack,
    /// Active, somebody knows.
    Acked,
    /// Gone before anybody saw it.
    RtnUnack,
}

/// What hides an alarm without stopping its evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlarmOverlay {
    /// By an operator, for a limited time.
    Shelved,
    /// By design.
    Suppressed,
    /// By maintenance.
    OutOfService,
}

/// The words and numbers with which a condition rings.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Words {
    pub(crate) title: String,
    pub(crate) priority: u8,
    pub(crate) value: Option<f64>,
    pub(crate) limit: Option<f64>,
    pub(crate) unit: String,
    pub(crate) quality: Quality,
    pub(crate) message: String,
    pub(crate) cause: String,
    pub(crate) consequence: String,
    pub(crate) response: String,
    pub(crate) minutes_to_respond: u32,
    pub(crate) contributions: Vec<Contribution>,
    pub(crate) diagnosis: Vec<Diagnosis>,
}

/// The body of an alarm event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// State before, such as `normal` or `acked (shelved)`.
    pub from: String,
    /// State after.
    pub to: String,
    /// `system` or the name of the user.
    pub actor: String,
    /// Why, in the actor's words.
    pub reason: String,
    /// The alarm after the transition.
    pub alarm: Alarm,
}

impl Record {
    /// Reads the body of an alarm event.
    ///
    /// # Errors
    /// When the body is not such a record.
    pub fn parse(body: &str) -> Result<Record, serde_json::Error> {
        serde_json::from_str(body)
    }
}

impl Alarm {
    /// Whether its condition holds.
    pub fn is_active(&self) -> bool {
        matches!(self.state, AlarmState::Unack | AlarmState::Acked)
    }

    /// Whether a person has something to do about it now.
    pub fn calls(&self) -> bool {
        self.overlay.is_none() && self.state != AlarmState::Normal
    }

    fn put_words(&mut self, words: Words) {
        self.title = words.title;
        self.priority = words.priority;
        self.value = words.value.filter(|value| value.is_finite());
        self.limit = words.limit;
        self.unit = words.unit;
        self.quality = words.quality;
        self.message = words.message;
        self.cause = words.cause;
        self.consequence = words.consequence;
        self.response = words.response;
        self.minutes_to_respond = words.minutes_to_respond;
        self.contributions = words.contributions;
        self.diagnosis = words.diagnosis;
    }

    fn put_machine(&mut self, machine: &Machine) {
        let snapshot = machine.snapshot();
        self.state = snapshot.state.into();
        self.overlay = snapshot.overlay.map(overlay_of);
        self.latched = snapshot.latched;
        self.shelved_until_us = match snapshot.overlay {
            Some(Overlay::Shelved { until_us }) => Some(until_us),
            _ => None,
        };
        if self.overlay.is_none() {
            self.overlay_reason = None;
            self.overlay_by = None;
        }
    }
}

impl From<State> for AlarmState {
    fn from(state: State) -> AlarmState {
        match state {
            State::Normal => AlarmState::Normal,
            State::Unack => AlarmState::Unack,
            State::Acked => AlarmState::Acked,
            State::RtnUnack => AlarmState::RtnUnack,
        }
    }
}

fn overlay_of(overlay: Overlay) -> AlarmOverlay {
    match overlay {
        Overlay::Shelved { .. } => AlarmOverlay::Shelved,
        Overlay::Suppressed => AlarmOverlay::Suppressed,
        Overlay::OutOfService => AlarmOverlay::OutOfService,
    }
}

fn machine_of(alarm: &Alarm) -> Machine {
    let state = match alarm.state {
        AlarmState::Normal => State::Normal,
        AlarmState::Unack => State::Unack,
        AlarmState::Acked => State::Acked,
        AlarmState::RtnUnack => State::RtnUnack,
    };
    let overlay = alarm.overlay.map(|overlay| match overlay {
        AlarmOverlay::Shelved => {
            Overlay::Shelved { until_us: alarm.shelved_until_us.unwrap_or(alarm.since_us) }
        }
        AlarmOverlay::Suppressed => Overlay::Suppressed,
        AlarmOverlay::OutOfService => Overlay::OutOfService,
    });
    // No alarm of a limit or a model waits for a reset.
    Machine::restore(Snapshot { state, overlay, latched: alarm.latched }, false)
}

fn new_alarm(id: u32, key: &Key, place: (&str, Option<SignalId>), time_us: i64) -> Alarm {
    Alarm {
        id,
        asset: key.asset,
        asset_path: place.0.to_owned(),
        signal: place.1,
        rule: key.rule.clone(),
        title: String::new(),
        priority: 4,
        state: AlarmState::Normal,
        overlay: None,
        latched: false,
        since_us: time_us,
        acked_by: None,
        acked_us: None,
        value: None,
        limit: None,
        unit: String::new(),
        quality: Quality::GOOD,
        message: String::new(),
        cause: String::new(),
        consequence: String::new(),
        response: String::new(),
        minutes_to_respond: 0,
        respond_by_us: None,
        contributions: Vec::new(),
        diagnosis: Vec::new(),
        group: None,
        first_out: true,
        shelved_until_us: None,
        overlay_reason: None,
        overlay_by: None,
        seq: 0,
        count: 0,
        comment: None,
    }
}

fn state_name(state: AlarmState, overlay: Option<AlarmOverlay>) -> String {
    let state = match state {
        AlarmState::Normal => "normal",
        AlarmState::Unack => "unack",
        AlarmState::Acked => "acked",
        AlarmState::RtnUnack => "rtn_unack",
    };
    match overlay {
        None => state.to_owned(),
        Some(AlarmOverlay::Shelved) => format!("{state} (shelved)"),
        Some(AlarmOverlay::Suppressed) => format!("{state} (suppressed)"),
        Some(AlarmOverlay::OutOfService) => format!("{state} (out of service)"),
    }
}
