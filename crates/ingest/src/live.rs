//! What the plant looks like right now: newest value per signal, health per asset, alarms as they happen.
//!
//! The ingest thread writes once per step; screens read what they show and are woken by [`Live::watch`].
//! Values are last-wins and may be skipped by a slow reader, alarms are numbered and may not.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use signal::{AssetId, Flag, Quality, SampleColumns, SignalId};
use tokio::sync::{broadcast, watch};

use crate::alarm::Alarm;
use crate::health::Health;

/// How many alarm changes a reader may lag behind before it must read the list again.
const ALARM_BACKLOG: usize = 4096;

/// The newest value of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Last {
    /// When it was measured.
    pub time_us: i64,
    /// In the signal's unit.
    pub value: f64,
    /// How far to trust it.
    pub quality: Quality,
    /// When it reached us.
    pub received_us: i64,
    /// The step that wrote it; grows without end.
    pub step: u64,
}

/// How many samples of one signal came in since the start, by verdict.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct QualityCounts {
    /// All of them.
    pub total: u64,
    /// Severity uncertain.
    pub uncertain: u64,
    /// Severity bad.
    pub bad: u64,
    /// Per reason, in the order of [`Flag::ALL`].
    pub by_flag: [u64; Flag::ALL.len()],
}

#[derive(Clone, Copy)]
struct Slot {
    last: Last,
    counts: QualityCounts,
    counted_at_us: i64,
    total_then: u64,
    rate_per_s: f64,
}

/// The present state of everything, shared with the screens.
pub struct Live {
    slots: Mutex<Vec<Option<Slot>>>,
    health: Mutex<HashMap<AssetId, Health>>,
    steps: watch::Sender<u64>,
    alarms: broadcast::Sender<AlarmChange>,
}

/// One change of one alarm.
#[derive(Clone, Debug)]
pub struct AlarmChange {
    /// The alarm after it.
    pub alarm: Arc<Alarm>,
    /// Whether people are to be called: it has begun, and nothing hides it.
    pub rings: bool,
}

impl Default for Live {
    fn default() -> Live {
        Live {
            slots: Mutex::default(),
            health: Mutex::default(),
            steps: watch::Sender::new(0),
            alarms: broadcast::Sender::new(ALARM_BACKLOG),
        }
    }
}

impl Live {
    /// The newest value of a signal; none before its first.
    pub fn last(&self, signal: SignalId) -> Option<Last> {
        lock(&self.slots).get(signal.idx()).copied().flatten().map(|slot| slot.last)
    }

    /// Verdict counts and samples per second of a signal; none before its first sample.
    pub fn quality(&self, signal: SignalId) -> Option<(QualityCounts, f64)> {
        lock(&self.slots)
            .get(signal.idx())
            .copied()
            .flatten()
            .map(|slot| (slot.counts, slot.rate_per_s))
    }

    /// Appends to `changed` those of `signals` that were written after step `since`.
    ///
    /// Returns the step to ask from next time. Cost: O(`signals`).
    pub fn changed_since(
        &self,
        signals: &[SignalId],
        since: u64,
        changed: &mut Vec<(SignalId, Last)>,
    ) -> u64 {
        let slots = lock(&self.slots);
        for &signal in signals {
            if let Some(Some(slot)) = slots.get(signal.idx())
                && slot.last.step > since
            {
                changed.push((signal, slot.last));
            }
        }
        *self.steps.borrow()
    }

    /// Wakes whenever a step has written something; the value is the step's number.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.steps.subscribe()
    }

    /// Every alarm change from now on, in order.
    pub fn alarms(&self) -> broadcast::Receiver<AlarmChange> {
        self.alarms.subscribe()
    }

    /// Health of an asset; none when it has no detector.
    pub fn health(&self, asset: AssetId) -> Option<Health> {
        lock(&self.health).get(&asset).cloned()
    }

    /// Health of all assets that have a detector.
    pub fn healths(&self) -> HashMap<AssetId, Health> {
        lock(&self.health).clone()
    }

    /// Takes over what a step stored. Rows older than the newest of their signal only count.
    pub(crate) fn apply(&self, samples: &SampleColumns, received_us: i64, step: u64) {
        let mut slots = lock(&self.slots);
        for sample in samples.iter() {
            if slots.len() <= sample.signal.idx() {
                slots.resize(sample.signal.idx() + 1, None);
            }
            let last = Last {
                time_us: sample.time_us,
                value: sample.value,
                quality: sample.quality,
                received_us,
                step,
            };
            let slot = slots[sample.signal.idx()].get_or_insert(Slot {
                last,
                counts: QualityCounts::default(),
                counted_at_us: received_us,
                total_then: 0,
                rate_per_s: 0.0,
            });
            if sample.time_us >= slot.last.time_us {
                slot.last = last;
            }
            slot.counts.count(sample.quality);
        }
    }

    /// Takes over rows that were stored before the restart; they do not count.
    pub(crate) fn recall(&self, samples: &SampleColumns) {
        for sample in samples.iter() {
            let (time_us, value, quality) = (sample.time_us, sample.value, sample.quality);
            self.restore(
                sample.signal,
                Last { time_us, value, quality, received_us: time_us, step: 0 },
            );
        }
    }

    /// Puts in what the lake knew before the restart.
    pub(crate) fn restore(&self, signal: SignalId, last: Last) {
        let mut slots = lock(&self.slots);
        if slots.len() <= signal.idx() {
            slots.resize(signal.idx() + 1, None);
        }
        let slot = &mut slots[signal.idx()];
        if slot.is_none_or(|slot| slot.last.time_us <= last.time_us) {
            *slot = Some(Slot {
                last,
                counts: QualityCounts::default(),
                counted_at_us: last.received_us,
                total_then: 0,
                rate_per_s: 0.0,
            });
        }
    }

    /// Measures the rates; called about once a second.
    pub(crate) fn measure_rates(&self, now_us: i64) {
        for slot in lock(&self.slots).iter_mut().flatten() {
            let elapsed_us = now_us - slot.counted_at_us;
            if elapsed_us < signal::SECOND_US {
                continue;
            }
            let rate = (slot.counts.total - slot.total_then) as f64 / (elapsed_us as f64 / 1e6);
            slot.rate_per_s =
                if slot.total_then == 0 { rate } else { 0.8 * slot.rate_per_s + 0.2 * rate };
            slot.counted_at_us = now_us;
            slot.total_then = slot.counts.total;
        }
    }

    pub(crate) fn set_health(&self, asset: AssetId, health: Health) {
        lock(&self.health).insert(asset, health);
    }

    pub(crate) fn announce(&self, alarm: Arc<Alarm>, rings: bool) {
        // No receiver means no screen is open; the list still has it.
        let _ = self.alarms.send(AlarmChange { alarm, rings });
    }

    /// Wakes the screens after everything of `step` is in.
    pub(crate) fn publish(&self, step: u64) {
        self.steps.send_replace(step);
    }
}

impl QualityCounts {
    fn count(&mut self, quality: Quality) {
        self.total += 1;
        if quality == Quality::GOOD {
            return;
        }
        self.uncertain += u64::from(quality.is_uncertain());
        self.bad += u64::from(quality.is_bad());
        for (n, flag) in self.by_flag.iter_mut().zip(Flag::ALL) {
            *n += u64::from(quality.has(flag));
        }
    }
}

/// The data behind these locks is plain numbers and stays whole even if a reader panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::Sample;

    fn columns(rows: &[(u32, i64, f64, Quality)]) -> SampleColumns {
        let mut columns = SampleColumns::default();
        for &(signal, time_us, value, quality) in rows {
            columns.push(Sample { signal: SignalId(signal), time_us, value, quality });
        }
        columns
    }

    #[test]
    fn a_late_value_counts_but_does_not_show() {
        let live = Live::default();
        live.apply(&columns(&[(3, 20, 2.0, Quality::GOOD)]), 21, 1);
        live.apply(&columns(&[(3, 10, 1.0, Quality::GOOD.with(Flag::Late))]), 22, 2);
        assert_eq!(live.last(SignalId(3)).map(|last| last.value), Some(2.0));
        let (counts, _) = live.quality(SignalId(3)).expect("counted");
        assert_eq!((counts.total, counts.by_flag[5]), (2, 1));
    }

    #[test]
    fn a_screen_sees_only_what_changed() {
        let live = Live::default();
        live.apply(&columns(&[(1, 1, 1.0, Quality::GOOD), (2, 1, 1.0, Quality::GOOD)]), 1, 1);
        live.publish(1);
        live.apply(&columns(&[(2, 2, 5.0, Quality::GOOD)]), 2, 2);
        live.publish(2);
        let mut changed = Vec::new();
        assert_eq!(
            live.changed_since(&[SignalId(1), SignalId(2), SignalId(9)], 1, &mut changed),
            2
        );
        assert_eq!(changed.len(), 1);
        assert_eq!(changed[0].1.value, 5.0);
    }
}
