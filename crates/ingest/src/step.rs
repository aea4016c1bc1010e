//! The synchronous heart: clean → log (fsync) → buffer → live → judge → alarms, for everything that waits.
//!
//! No clock, no task, no lock is held across a call out: `now_us` is an argument, so that a test drives it.

use std::collections::HashSet;
use std::sync::Arc;

use analytics::clean::{Rules, Track, Verdict};
use connect::{Fate, InletError};
use signal::{
    AssetId, Event, EventKind, Flag, Quality, Rows, Sample, SampleColumns, SignalId, SourceId,
    TenantId,
};

use crate::alarm::{Alarm, AlarmCommand, Book, Change, CommandError, Key, Record, Words};
use crate::detect::{self, Detection, DetectionSettings, DetectorView, Learning, Told};
use crate::limits::{self, Limits};
use crate::live::{Last, Live};
use crate::model::{Model, cleaning_rules};

/// How ingest behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Whose data this is.
    pub tenant: TenantId,
    /// The false-alarm budget of every machine until somebody sets its own.
    pub days_per_false_alarm: f64,
    /// How detectors learn.
    pub learning: Learning,
    /// Alarms in data older than this are recorded, but nobody is called.
    pub history_after_us: i64,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            tenant: TenantId::FIRST,
            days_per_false_alarm: 30.0,
            learning: Learning { rows: 600, refit: true },
            history_after_us: 10 * signal::MINUTE_US,
        }
    }
}

/// The hot path of one tenant. Owned by one thread.
pub(crate) struct Ingest {
    options: Options,
    log: wal::Log,
    buffer: Arc<wal::Buffer>,
    live: Arc<Live>,
    model: Arc<Model>,
    tracks: Vec<Track>,
    rules: Vec<Rules>,
    detection: Detection,
    limits: Limits,
    book: Book,
    /// Changes of the present step, to be recorded together.
    changes: Vec<Change>,
    step: u64,
    read_only: Option<String>,
}

impl Ingest {
    pub(crate) fn new(
        options: Options,
        log: wal::Log,
        buffer: Arc<wal::Buffer>,
        live: Arc<Live>,
    ) -> Ingest {
        Ingest {
            options,
            log,
            buffer,
            live,
            model: Arc::default(),
            tracks: Vec::new(),
            rules: Vec::new(),
            detection: Detection::new(options.learning, options.days_per_false_alarm),
            limits: Limits::default(),
            book: Book::default(),
            changes: Vec::new(),
            step: 0,
            read_only: None,
        }
    }

    /// Takes over a changed plant model.
    pub(crate) fn follow(&mut self, model: Arc<Model>) {
        self.rules.clear();
        let rules = |signal: &Option<Arc<signal::model::Signal>>| {
            signal.as_ref().map_or_else(Rules::default, |signal| cleaning_rules(&signal.spec))
        };
        self.rules.extend(model.signals.iter().map(rules));
        self.tracks.resize_with(model.signals.len().max(self.tracks.len()), Track::default);
        self.detection.follow(&model);
        self.limits = Limits::compile(&model, std::mem::take(&mut self.limits));
        self.model = model;
    }

    /// Learns from rows that were stored before the restart what they say about duplicates, alarms and last values.
    pub(crate) fn recall(&mut self, rows: &Rows) {
        for sample in rows.samples.iter() {
            self.judge_one(sample.signal, sample.time_us, sample.time_us, sample.value);
        }
        self.live.recall(&rows.samples);
        for event in rows.events.iter().filter(|event| event.kind == EventKind::Alarm) {
            if let Ok(record) = Record::parse(&event.body) {
                self.book.restore(record.alarm);
            }
        }
    }

    /// The newest stored value of a signal, from the lake.
    pub(crate) fn recall_last(&mut self, sample: signal::Sample) {
        self.judge_one(sample.signal, sample.time_us, sample.time_us, sample.value);
        self.live.restore(
            sample.signal,
            Last {
                time_us: sample.time_us,
                value: sample.value,
                quality: sample.quality,
                received_us: sample.time_us,
                step: 0,
            },
        );
    }

    pub(crate) fn restore_alarm(&mut self, alarm: Alarm) {
        self.book.restore(alarm);
    }

    /// Machines whose newest value is younger than `since_us` are expected to go on talking.
    pub(crate) fn expect_machines(&mut self, since_us: i64, now_us: i64) {
        let model = self.model.clone();
        for signal in model.all_signals() {
            if let (Some(asset), Some(last)) = (signal.asset, self.live.last(signal.id))
                && last.time_us >= since_us
            {
                self.detection.expect(asset, now_us);
            }
        }
    }

    /// Stores `batches` and judges what they say. All are stored, or none.
    ///
    /// The answers go to the senders through `on_stored`, as soon as the rows are durable and before
    /// anything is judged: a sender does not wait for our thoughts.
    pub(crate) fn step(
        &mut self,
        now_us: i64,
        mut batches: Vec<Rows>,
        on_stored: impl FnOnce(Result<Vec<Fate>, InletError>),
    ) {
        let fates: Vec<Fate> = batches.iter_mut().map(|rows| self.clean(now_us, rows)).collect();
        let entries: Vec<&Rows> = batches.iter().filter(|rows| !rows.is_empty()).collect();
        match self.store(now_us, &entries) {
            Ok(()) => {}
            Err(error) => {
                self.forget(&batches);
                on_stored(Err(error));
                return;
            }
        }
        self.step += 1;
        for rows in &entries {
            self.live.apply(&rows.samples, now_us, self.step);
        }
        self.live.publish(self.step);
        on_stored(Ok(fates));
        self.judge(now_us, &entries);
        self.record_changes(now_us);
    }

    /// Judges every sample, flags it, and takes out exact repetitions.
    fn clean(&mut self, now_us: i64, rows: &mut Rows) -> Fate {
        let n_rows = rows.len() as u64;
        let mut keep: Option<Vec<bool>> = None;
        for row_idx in 0..rows.samples.len() {
            let sample = rows.samples.get(row_idx);
            let verdict = self.judge_one(sample.signal, now_us, sample.time_us, sample.value);
            if verdict == Verdict(0) {
                continue;
            }
            if verdict.0 & Verdict::DUPLICATE.0 != 0 {
                keep.get_or_insert_with(|| vec![true; rows.samples.len()])[row_idx] = false;
            } else {
                rows.samples.qualities_mut()[row_idx] = with_verdict(sample.quality, verdict);
            }
        }
        let duplicates = keep.map_or(0, |keep| rows.samples.retain(&keep)) as u64;
        Fate { stored: n_rows - duplicates, duplicates }
    }

    #[inline]
    fn judge_one(&mut self, signal: SignalId, now_us: i64, time_us: i64, value: f64) -> Verdict {
        let idx = signal.idx();
        if idx >= self.tracks.len() {
            self.tracks.resize_with(idx + 1, Track::default);
        }
        if idx >= self.rules.len() {
            self.rules.resize_with(idx + 1, Rules::default);
        }
        self.tracks[idx].judge(&self.rules[idx], now_us, time_us, value)
    }

    /// One write, one fsync; only then are the rows visible to queries.
    fn store(&mut self, now_us: i64, entries: &[&Rows]) -> Result<(), InletError> {
        if entries.is_empty() {
            return Ok(());
        }
        match self.log.append(entries) {
            Ok(lsns) => {
                for (lsn, rows) in lsns.zip(entries) {
                    self.buffer.push(lsn, rows, now_us);
                }
                self.read_only = None;
                Ok(())
            }
            Err(error) => {
                let error = refusal(&error);
                if self.read_only.is_none() {
                    tracing::error!(%error, "writes are refused");
                }
                self.read_only = Some(error.to_string());
                Err(error)
            }
        }
    }

    /// What was judged but not stored was never seen: a sender that tries again is not a repetition.
    fn forget(&mut self, batches: &[Rows]) {
        let signals: HashSet<SignalId> =
            batches.iter().flat_map(|rows| rows.samples.signals().iter().copied()).collect();
        for signal in signals {
            self.tracks[signal.idx()] = Track::default();
        }
    }

    fn judge(&mut self, now_us: i64, entries: &[&Rows]) {
        let history_us = now_us - self.options.history_after_us;
        for rows in entries {
            self.judge_rows(now_us, history_us, &rows.samples);
        }
        let (book, limits) = (&mut self.book, &mut self.limits);
        let (model, changes) = (&self.model, &mut self.changes);
        self.detection
            .judge(now_us, |told| on_told(book, limits, model, changes, told, history_us));
    }

    fn judge_rows(&mut self, now_us: i64, history_us: i64, samples: &SampleColumns) {
        for sample in samples.iter() {
            if self.detection.wants(sample.signal) {
                self.detection.put(sample, now_us, sample.time_us >= history_us);
            }
            if self.limits.watches(sample.signal) {
                let (book, model, changes) = (&mut self.book, &self.model, &mut self.changes);
                let mut on = |watch: &limits::Watch, verdict| {
                    let (time_us, history) = (sample.time_us, sample.time_us < history_us);
                    changes.extend(limit_told(book, model, watch, time_us, verdict, history));
                };
                self.limits.judge(sample, &mut on);
                // Signals that no detector looks at are in no row that would carry the machine state.
                if !self.detection.wants(sample.signal) {
                    let asset = model.signal(sample.signal).and_then(|signal| signal.asset);
                    let state = asset.and_then(|asset| self.detection.state(asset));
                    self.limits.judge_in_state(sample, state, &mut on);
                }
            }
        }
    }

    /// What happens because time passes: delays run out, machines fall silent, shelves end.
    pub(crate) fn tick(&mut self, now_us: i64) {
        let history_us = now_us - self.options.history_after_us;
        let (book, model, changes) = (&mut self.book, &self.model, &mut self.changes);
        self.limits.tick(now_us, |watch, verdict| {
            changes.extend(limit_told(book, model, watch, now_us, verdict, false));
        });
        let limits = &mut self.limits;
        self.detection.tick(now_us, |told| on_told(book, limits, model, changes, told, history_us));
        for (asset, heard_us, lost) in self.detection.silence(now_us) {
            let key = Key { asset, rule: "lost".to_owned() };
            if lost == book.is_active(&key) {
                continue;
            }
            let change = if lost {
                let words = detect::lost_words(model, asset, heard_us, now_us);
                book.raise(now_us, &key, (path_of(model, asset), None), words, false)
            } else {
                book.clear(now_us, &key, false)
            };
            changes.extend(change);
        }
        changes.extend(book.tick(now_us));
        self.record_changes(now_us);
        self.live.measure_rates(now_us);
        for (asset, health) in self.detection.healths() {
            self.live.set_health(asset, health);
        }
    }

    /// A person's command; recorded before it counts.
    pub(crate) fn command(
        &mut self,
        now_us: i64,
        id: u32,
        actor: &str,
        command: &AlarmCommand,
    ) -> Result<Arc<Alarm>, CommandError> {
        let before = self.book.get(id).cloned().ok_or(CommandError::NotFound(id))?;
        let change = self.book.command(now_us, id, actor, command)?;
        let rows = self.rows_of(vec![change.event.clone()]);
        if let Err(error) = self.store(now_us, &[&rows]) {
            self.book.put_back(before);
            return Err(CommandError::NotRecorded(error.to_string()));
        }
        self.live.announce(change.alarm.clone(), change.rings);
        Ok(change.alarm)
    }

    /// Writes the step's alarm changes into the record, then shows them.
    ///
    /// If the log refuses them they are shown all the same, and recorded with the next step that succeeds:
    /// an alarm must ring even when the disk is full.
    fn record_changes(&mut self, now_us: i64) {
        if self.changes.is_empty() {
            return;
        }
        let changes = std::mem::take(&mut self.changes);
        let rows = self.rows_of(changes.iter().map(|change| change.event.clone()).collect());
        if let Err(error) = self.store(now_us, &[&rows]) {
            tracing::error!(%error, n_changes = changes.len(), "alarm changes are shown but not recorded");
        }
        for change in changes {
            tracing::debug!(alarm = change.alarm.id, state = ?change.alarm.state, title = change.alarm.title, "alarm");
            self.live.announce(change.alarm, change.rings);
        }
    }

    fn rows_of(&self, events: Vec<Event>) -> Rows {
        Rows {
            tenant: self.options.tenant,
            source: SourceId(0),
            samples: SampleColumns::default(),
            events,
        }
    }

    pub(crate) fn alarms(&self) -> Vec<Arc<Alarm>> {
        self.book.alarms().cloned().map(Arc::new).collect()
    }

    pub(crate) fn alarm_seq(&self) -> u64 {
        self.book.seq()
    }

    pub(crate) fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    pub(crate) fn wal_stats(&self) -> wal::Stats {
        self.log.stats()
    }

    /// Lets go of the log before `lsn`, which lies in the lake.
    pub(crate) fn truncate_log(&mut self, lsn: u64) {
        if let Err(error) = self.log.truncate_before(lsn) {
            tracing::warn!(%error, lsn, "the log could not be shortened; it grows until the next try");
        }
    }

    pub(crate) fn detectors(&self) -> Vec<DetectorView> {
        self.detection.views()
    }

    pub(crate) fn set_detection(
        &mut self,
        asset: Option<AssetId>,
        settings: DetectionSettings,
    ) -> bool {
        match asset {
            Some(asset) => self.detection.set(asset, settings),
            None => {
                self.detection.set_default(settings.days_per_false_alarm);
                true
            }
        }
    }

    pub(crate) fn relearn(&mut self, asset: AssetId) -> bool {
        self.detection.relearn(asset)
    }

    pub(crate) fn refine(&mut self, asset: AssetId) -> usize {
        self.detection.refine(asset)
    }

    pub(crate) fn save_detectors(&self) -> Vec<(AssetId, String)> {
        self.detection.save()
    }

    pub(crate) fn load_detector(&mut self, asset: AssetId, text: &str) {
        if let Err(error) = self.detection.load(asset, text) {
            tracing::warn!(%asset, %error, "a detector was saved by another version and learns anew");
        }
    }
}

fn with_verdict(quality: Quality, verdict: Verdict) -> Quality {
    let given = Flag::ALL.into_iter().filter(|flag| verdict.0 & (*flag as u16) != 0);
    given.fold(quality, Quality::with)
}

fn refusal(error: &wal::AppendError) -> InletError {
    match error {
        wal::AppendError::ReadOnly { .. } => {
            InletError::ReadOnly { reason: error.to_string(), retry_after_s: 10 }
        }
        _ => InletError::ReadOnly { reason: error.to_string(), retry_after_s: 60 },
    }
}

fn path_of(model: &Model, asset: AssetId) -> &str {
    model.asset(asset).map_or("", |asset| asset.path.as_str())
}

fn on_told(
    book: &mut Book,
    limits: &mut Limits,
    model: &Model,
    changes: &mut Vec<Change>,
    told: Told<'_>,
    history_us: i64,
) {
    match told {
        Told::Row { time_us, state, columns, values } => {
            for ((signal, _), value) in columns.iter().zip(values) {
                if value.is_finite() && limits.watches(*signal) {
                    let sample =
                        Sample { signal: *signal, time_us, value: *value, quality: Quality::GOOD };
                    limits.judge_in_state(sample, state, |watch, verdict| {
                        changes.extend(limit_told(
                            book,
                            model,
                            watch,
                            time_us,
                            verdict,
                            time_us < history_us,
                        ));
                    });
                }
            }
        }
        Told::Episode { asset, time_us, verdict, words } => {
            changes.extend(episode_told(
                book,
                model,
                asset,
                time_us,
                verdict,
                *words,
                time_us < history_us,
            ));
        }
    }
}

fn episode_told(
    book: &mut Book,
    model: &Model,
    asset: AssetId,
    time_us: i64,
    verdict: detect::Verdict,
    words: Words,
    history: bool,
) -> Option<Change> {
    let key = Key { asset, rule: "anomaly".to_owned() };
    match verdict {
        detect::Verdict::Raise => {
            book.raise(time_us, &key, (path_of(model, asset), None), words, history)
        }
        detect::Verdict::Reword => book.reword(time_us, &key, words),
        detect::Verdict::Clear => book.clear(time_us, &key, history),
    }
}

fn limit_told(
    book: &mut Book,
    model: &Model,
    watch: &limits::Watch,
    time_us: i64,
    verdict: limits::Verdict,
    history: bool,
) -> Option<Change> {
    let key = Key { asset: watch.asset, rule: format!("{}@{}", watch.rule, watch.signal) };
    match verdict {
        limits::Verdict::Same => None,
        limits::Verdict::Raise(words) => {
            let place = (path_of(model, watch.asset), Some(watch.signal));
            book.raise(time_us, &key, place, *words, history)
        }
        limits::Verdict::Clear => book.clear(time_us, &key, history),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_flags_are_the_cleaning_steps_bits() {
        for (flag, bit) in [
            (Flag::Range, analytics::clean::Verdict::RANGE),
            (Flag::Rate, analytics::clean::Verdict::RATE),
            (Flag::Spike, analytics::clean::Verdict::SPIKE),
            (Flag::Stuck, analytics::clean::Verdict::STUCK),
            (Flag::AfterGap, analytics::clean::Verdict::AFTER_GAP),
            (Flag::Late, analytics::clean::Verdict::LATE),
            (Flag::NonFinite, analytics::clean::Verdict::NON_FINITE),
            (Flag::Replaced, analytics::clean::Verdict::REPLACED),
            (Flag::Future, analytics::clean::Verdict::FUTURE),
        ] {
            assert_eq!(flag as u16, bit.0, "{}", flag.name());
        }
    }
}
