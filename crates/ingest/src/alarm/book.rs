//! All alarms of one tenant, and every way in which one of them changes.

use std::collections::HashMap;
use std::sync::Arc;

use analytics::alarm::{Input, Machine, NotAllowed, Snapshot};
use signal::{AssetId, Event, EventKind, MINUTE_US, SignalId};

use super::command::{AlarmCommand, CommandError, action_of, check, input_of, reason_of};
use super::{Alarm, Record, Words, machine_of, new_alarm, overlay_of, state_name};

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
                    state: state_name(entry.alarm.state, entry.alarm.overlay),
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
