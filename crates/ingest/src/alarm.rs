//! The book of alarms: which condition of which rule holds on which asset, and what people did about it.
//!
//! States and overlays are `analytics::alarm` (ISA-18.2 / IEC 62682); this module adds identity, words,
//! numbering and the record. Every transition becomes an [`Event`] whose body is the alarm as it was
//! after it, so that the book can be rebuilt from the log.

use std::collections::HashMap;
use std::sync::Arc;

use analytics::alarm::{Input, Machine, NotAllowed, Overlay, Snapshot, State};
use serde::{Deserialize, Serialize};
use signal::{AssetId, Event, EventKind, MINUTE_US, Quality, SignalId};

use crate::health::{Contribution, Diagnosis};

/// Longest time for which an alarm may be shelved, in minutes (ISA-18.2 asks for a limit; UI.md says 8 h).
pub const MAX_SHELVE_MINUTES: u32 = 480;

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

/// What a person does to an alarm.
#[derive(Clone, Debug, PartialEq)]
pub enum AlarmCommand {
    /// I have seen it.
    Ack,
    /// Not now.
    Shelve {
        /// For how long, at most [`MAX_SHELVE_MINUTES`].
        minutes: u32,
        /// Why.
        reason: String,
    },
    /// Ring again.
    Unshelve,
    /// Maintenance works on it.
    OutOfService {
        /// Why.
        reason: String,
        /// Number of the work order.
        work_order: String,
    },
    /// Maintenance is done.
    InService,
    /// Let go of a latched alarm.
    Reset,
    /// Say something about it.
    Comment {
        /// What.
        text: String,
    },
}

/// Why a command had no effect.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum CommandError {
    /// There is no such alarm.
    #[error("alarm {0} does not exist")]
    NotFound(u32),
    /// The command does not fit the alarm's state.
    #[error("{action} does not fit an alarm that is {state}")]
    NotAllowed {
        /// What was asked.
        action: &'static str,
        /// The present state.
        state: String,
    },
    /// A part of the command is missing or out of bounds.
    #[error("{0}")]
    Invalid(String),
    /// The change could not be recorded, so it was not made.
    #[error("the change could not be recorded: {0}")]
    NotRecorded(String),
    /// Fettler is stopping.
    #[error("Fettler is stopping")]
    Stopping,
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

/// Which alarm is meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) asset: AssetId,
    pub(crate) rule: String,
}

/// A change that waits to be recorded; screens see it only after it is.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    pub(crate) alarm: Arc<Alarm>,
    pub(crate) event: Event,
    /// Whether people are called: a new alarm that no overlay hides and that is not history.
    pub(crate) rings: bool,
}

struct Entry {
    machine: Machine,
    alarm: Alarm,
}

/// All alarms of one tenant.
#[derive(Default)]
pub(crate) struct Book {
    entries: Vec<Entry>,
    by_key: HashMap<Key, usize>,
    by_id: HashMap<u32, usize>,
    seq: u64,
    next_id: u32,
}

impl Book {
    /// Takes over an alarm from the record; a newer one replaces an older one.
    pub(crate) fn restore(&mut self, alarm: Alarm) {
        self.seq = self.seq.max(alarm.seq);
        self.next_id = self.next_id.max(alarm.id);
        let entry = Entry { machine: machine_of(&alarm), alarm };
        match self.by_id.get(&entry.alarm.id) {
            Some(&idx) if self.entries[idx].alarm.seq <= entry.alarm.seq => {
                self.entries[idx] = entry;
            }
            Some(_) => {}
            None => {
                self.add(entry);
            }
        }
    }

    fn add(&mut self, entry: Entry) -> usize {
        let idx = self.entries.len();
        let key = Key { asset: entry.alarm.asset, rule: entry.alarm.rule.clone() };
        self.by_key.insert(key, idx);
        self.by_id.insert(entry.alarm.id, idx);
        self.entries.push(entry);
        idx
    }

    /// All alarms that have ever rung, in no order.
    pub(crate) fn alarms(&self) -> impl Iterator<Item = &Alarm> {
        self.entries.iter().map(|entry| &entry.alarm)
    }

    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    pub(crate) fn is_active(&self, key: &Key) -> bool {
        self.by_key.get(key).is_some_and(|&idx| self.entries[idx].machine.condition())
    }

    /// The condition of `key` began to hold at `time_us`. `history`: nobody is called, it counts as seen.
    pub(crate) fn raise(
        &mut self,
        time_us: i64,
        key: &Key,
        place: (&str, Option<SignalId>),
        words: Words,
        history: bool,
    ) -> Option<Change> {
        let idx = match self.by_key.get(key) {
            Some(&idx) => idx,
            None => {
                self.next_id += 1;
                let alarm = new_alarm(self.next_id, key, place, time_us);
                self.add(Entry { machine: Machine::new(false), alarm })
            }
        };
        let group = self.group_of(key.asset, time_us, idx);
        let entry = &mut self.entries[idx];
        entry.alarm.asset_path = place.0.to_owned();
        let transition = entry.machine.apply(time_us, Input::Condition(true)).ok().flatten()?;
        if history {
            let _ = entry.machine.apply(time_us, Input::Ack);
        }
        entry.alarm.put_words(words);
        entry.alarm.since_us = time_us;
        entry.alarm.count += 1;
        entry.alarm.acked_by = history.then(|| "history".to_owned());
        entry.alarm.acked_us = history.then_some(time_us);
        entry.alarm.respond_by_us = (!history && entry.alarm.minutes_to_respond > 0)
            .then(|| time_us + i64::from(entry.alarm.minutes_to_respond) * MINUTE_US);
        entry.alarm.first_out = group.is_none();
        entry.alarm.group = Some(group.unwrap_or(entry.alarm.id));
        let rings = !history && entry.machine.annunciates();
        Some(self.changed(idx, time_us, transition.from, "system", "", rings))
    }

    /// The first active alarm of the same asset that began in the last minute: the upset this one belongs to.
    fn group_of(&self, asset: AssetId, time_us: i64, except: usize) -> Option<u32> {
        let candidates = self.entries.iter().enumerate().filter(|(idx, entry)| {
            *idx != except
                && entry.alarm.asset == asset
                && entry.machine.condition()
                && (time_us - entry.alarm.since_us).abs() <= MINUTE_US
        });
        candidates.map(|(_, entry)| entry.alarm.group.unwrap_or(entry.alarm.id)).min()
    }

    /// The condition of `key` no longer holds.
    pub(crate) fn clear(&mut self, time_us: i64, key: &Key, history: bool) -> Option<Change> {
        let &idx = self.by_key.get(key)?;
        let entry = &mut self.entries[idx];
        let transition = entry.machine.apply(time_us, Input::Condition(false)).ok().flatten()?;
        if history {
            let _ = entry.machine.apply(time_us, Input::Ack);
        }
        entry.alarm.since_us = time_us;
        entry.alarm.respond_by_us = None;
        Some(self.changed(idx, time_us, transition.from, "system", "", false))
    }

    /// New evidence for an alarm that is active: its words change, its state does not.
    pub(crate) fn reword(&mut self, time_us: i64, key: &Key, words: Words) -> Option<Change> {
        let &idx = self.by_key.get(key)?;
        let entry = &mut self.entries[idx];
        if !entry.machine.condition() {
            return None;
        }
        let from = entry.machine.snapshot();
        entry.alarm.put_words(words);
        Some(self.changed(idx, time_us, from, "system", "new evidence", false))
    }

    /// What a person asked for.
    pub(crate) fn command(
        &mut self,
        now_us: i64,
        id: u32,
        actor: &str,
        command: &AlarmCommand,
    ) -> Result<Change, CommandError> {
        let &idx = self.by_id.get(&id).ok_or(CommandError::NotFound(id))?;
        check(command)?;
        let entry = &mut self.entries[idx];
        let from = entry.machine.snapshot();
        if let Some(input) = input_of(command, now_us) {
            let done = entry.machine.apply(now_us, input);
            if matches!(done, Err(NotAllowed { .. }) | Ok(None)) {
                return Err(CommandError::NotAllowed {
                    action: action_of(command),
                    state: describe(&entry.alarm),
                });
            }
        }
        entry.alarm.take(command, now_us, actor);
        let reason = reason_of(command);
        Ok(self.changed(idx, now_us, from, actor, &reason, false))
    }

    /// Shelved alarms whose time is over ring again.
    pub(crate) fn tick(&mut self, now_us: i64) -> Vec<Change> {
        let mut changes = Vec::new();
        for idx in 0..self.entries.len() {
            let entry = &mut self.entries[idx];
            if entry.alarm.shelved_until_us.is_none_or(|until_us| until_us > now_us) {
                continue;
            }
            if let Ok(Some(transition)) = entry.machine.apply(now_us, Input::Tick) {
                let rings = entry.machine.annunciates();
                changes.push(self.changed(
                    idx,
                    now_us,
                    transition.from,
                    "system",
                    "shelving time is over",
                    rings,
                ));
            }
        }
        changes
    }

    /// Undoes what was not recorded: puts back the alarm as it was before.
    pub(crate) fn put_back(&mut self, before: Alarm) {
        if let Some(&idx) = self.by_id.get(&before.id) {
            self.entries[idx] = Entry { machine: machine_of(&before), alarm: before };
        }
    }

    pub(crate) fn get(&self, id: u32) -> Option<&Alarm> {
        self.by_id.get(&id).map(|&idx| &self.entries[idx].alarm)
    }

    fn changed(
        &mut self,
        idx: usize,
        time_us: i64,
        from: Snapshot,
        actor: &str,
        reason: &str,
        rings: bool,
    ) -> Change {
        self.seq += 1;
        let entry = &mut self.entries[idx];
        entry.alarm.seq = self.seq;
        entry.alarm.put_machine(&entry.machine);
        let alarm = Arc::new(entry.alarm.clone());
        let record = Record {
            from: state_name(from.state.into(), from.overlay.map(overlay_of)),
            to: state_name(alarm.state, alarm.overlay),
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            alarm: (*alarm).clone(),
        };
        let event = Event {
            time_us,
            kind: EventKind::Alarm,
            asset: Some(alarm.asset),
            signal: alarm.signal,
            body: serde_json::to_string(&record)
                .expect("an alarm has no keys that are not strings"),
        };
        Change { alarm, event, rings }
    }
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

    fn take(&mut self, command: &AlarmCommand, now_us: i64, actor: &str) {
        match command {
            AlarmCommand::Ack => {
                self.acked_by = Some(actor.to_owned());
                self.acked_us = Some(now_us);
                self.respond_by_us = None;
            }
            AlarmCommand::Shelve { .. } | AlarmCommand::OutOfService { .. } => {
                self.overlay_reason = Some(reason_of(command));
                self.overlay_by = Some(actor.to_owned());
            }
            AlarmCommand::Comment { text } => self.comment = Some(text.clone()),
            AlarmCommand::Unshelve | AlarmCommand::InService | AlarmCommand::Reset => {}
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

fn check(command: &AlarmCommand) -> Result<(), CommandError> {
    let missing = |what: &str| {
        Err(CommandError::Invalid(format!("{what} is missing: say why, in a few words")))
    };
    match command {
        AlarmCommand::Shelve { minutes, .. } if *minutes == 0 || *minutes > MAX_SHELVE_MINUTES => {
            Err(CommandError::Invalid(format!(
                "an alarm can be shelved for 1 to {MAX_SHELVE_MINUTES} minutes, not {minutes}"
            )))
        }
        AlarmCommand::Shelve { reason, .. } if reason.trim().is_empty() => missing("reason"),
        AlarmCommand::OutOfService { reason, .. } if reason.trim().is_empty() => missing("reason"),
        AlarmCommand::OutOfService { work_order, .. } if work_order.trim().is_empty() => {
            missing("work_order")
        }
        AlarmCommand::Comment { text } if text.trim().is_empty() => missing("text"),
        _ => Ok(()),
    }
}

fn input_of(command: &AlarmCommand, now_us: i64) -> Option<Input> {
    match command {
        AlarmCommand::Ack => Some(Input::Ack),
        AlarmCommand::Shelve { minutes, .. } => {
            Some(Input::Shelve { until_us: now_us + i64::from(*minutes) * MINUTE_US })
        }
        AlarmCommand::Unshelve => Some(Input::Unshelve),
        AlarmCommand::OutOfService { .. } => Some(Input::OutOfService),
        AlarmCommand::InService => Some(Input::InService),
        AlarmCommand::Reset => Some(Input::Reset),
        AlarmCommand::Comment { .. } => None,
    }
}

fn action_of(command: &AlarmCommand) -> &'static str {
    match command {
        AlarmCommand::Ack => "acknowledging",
        AlarmCommand::Shelve { .. } => "shelving",
        AlarmCommand::Unshelve => "unshelving",
        AlarmCommand::OutOfService { .. } => "taking out of service",
        AlarmCommand::InService => "putting back into service",
        AlarmCommand::Reset => "resetting",
        AlarmCommand::Comment { .. } => "commenting",
    }
}

fn reason_of(command: &AlarmCommand) -> String {
    match command {
        AlarmCommand::Shelve { reason, .. } => reason.clone(),
        AlarmCommand::OutOfService { reason, work_order } => {
            format!("{reason} (work order {work_order})")
        }
        AlarmCommand::Comment { text } => text.clone(),
        _ => String::new(),
    }
}

fn describe(alarm: &Alarm) -> String {
    state_name(alarm.state, alarm.overlay)
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
