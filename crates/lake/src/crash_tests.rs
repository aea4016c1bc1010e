//! Crashes between the steps of a flush and of a merge: nothing lost, nothing doubled.
//!
//! A crash is played by stopping after a step and starting again from the directory with a new buffer, into which the
//! log is replayed as the binary does it.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;
use signal::{
    DAY_US, Event, EventKind, Flag, Quality, Rows, Sample, SampleColumns, SignalId, SourceId,
    TenantId, TimeRange,
};

use crate::tenant::Kind;
use crate::{EventFilter, Lake, Options};

const ONE: TenantId = TenantId(1);
const T0: i64 = 1_767_225_600_000_000;

/// The last step that is done before the power goes.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Seal,
    SamplesWritten,
    SamplesCommitted,
    EventsWritten,
    EventsCommitted,
    Released,
}

#[derive(Clone, Debug)]
enum Act {
    /// Signal, first second, values.
    Push(u32, i64, Vec<u8>),
    Flush,
    Compact,
    Vacuum,
    CrashInFlush(Step),
    CrashInMerge,
}

fn act() -> impl Strategy<Value = Act> {
    let step = prop_oneof![
        Just(Step::Seal),
        Just(Step::SamplesWritten),
        Just(Step::SamplesCommitted),
        Just(Step::EventsWritten),
        Just(Step::EventsCommitted),
        Just(Step::Released),
    ];
    let second = prop_oneof![0i64..60, 86_390i64..86_410];
    prop_oneof![
        6 => (0u32..3, second, prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(signal, second, values)| Act::Push(signal, second, values)),
        3 => Just(Act::Flush),
        2 => Just(Act::Compact),
        1 => Just(Act::Vacuum),
        3 => step.prop_map(Act::CrashInFlush),
        1 => Just(Act::CrashInMerge),
    ]
}

/// The parts of a process that are lost in a crash, and what outlives it.
struct Plant {
    lake: Lake,
    buffer: Arc<wal::Buffer>,
    log: Vec<Rows>,
    newest_us: BTreeMap<u32, i64>,
}

fn open(dir: &Path) -> (Lake, Arc<wal::Buffer>) {
    let buffer = Arc::new(wal::Buffer::default());
    let lake = Lake::open(dir, buffer.clone(), Options::default()).expect("the directory is there");
    (lake, buffer)
}

impl Plant {
    fn push(&mut self, signal: u32, second: i64, values: &[u8]) {
        let mut samples = SampleColumns::default();
        for (n, value) in values.iter().enumerate() {
            let time_us = T0 + (second + n as i64) * 1_000_000;
            let newest_us = self.newest_us.entry(signal).or_insert(i64::MIN);
            let quality = match time_us {
                _ if time_us == *newest_us => Quality::GOOD.with(Flag::Replaced),
                _ if time_us < *newest_us => Quality::GOOD.with(Flag::Late),
                _ => Quality::GOOD,
            };
            *newest_us = time_us.max(*newest_us);
            samples.push(Sample {
                signal: SignalId(signal),
                time_us,
                value: f64::from(*value),
                quality,
            });
        }
        let note = Event {
            time_us: T0,
            kind: EventKind::Note,
            asset: None,
            signal: None,
            body: format!("entry {}", self.log.len()),
        };
        let events = if values[0].is_multiple_of(2) { vec![note] } else { Vec::new() };
        let rows = Rows { tenant: ONE, source: SourceId(1), samples, events };
        self.log.push(rows);
        self.buffer.push(self.log.len() as u64, &self.log[self.log.len() - 1], 0);
    }

    /// Does a flush up to and including a step.
    async fn flush_until(&self, last: Step) {
        let tenant = self.lake.tenant(ONE);
        let Some(sealed) = self.buffer.seal(ONE) else { return };
        let mut parts = [Some(sealed.samples), Some(sealed.events)];
        let mut written = None;
        for step in [
            Step::Seal,
            Step::SamplesWritten,
            Step::SamplesCommitted,
            Step::EventsWritten,
            Step::EventsCommitted,
            Step::Released,
        ] {
            let kind = if step as u8 <= Step::SamplesCommitted as u8 {
                Kind::Samples
            } else {
                Kind::Events
            };
            match step {
                Step::SamplesWritten | Step::EventsWritten => {
                    let batches = parts[usize::from(kind == Kind::Events)].take().expect("once");
                    written = Some(tenant.write(kind, batches).await.expect("room"));
                }
                Step::SamplesCommitted | Step::EventsCommitted => {
                    let written = written.take().expect("written before");
                    tenant.commit(kind, written, sealed.last_lsn).await.expect("room");
                }
                Step::Released => self.buffer.release(ONE, sealed.last_lsn),
                Step::Seal => {}
            }
            if step == last {
                return;
            }
        }
    }

    /// Starts again from what is on the disk, as `fettler serve` does.
    async fn restart(&mut self, dir: &Path) {
        (self.lake, self.buffer) = open(dir);
        let committed = self.lake.committed(ONE).await.expect("opens");
        for (lsn, rows) in (1u64..).zip(&self.log) {
            let is_new = (!rows.samples.is_empty() && lsn > committed.samples_lsn)
                || (!rows.events.is_empty() && lsn > committed.events_lsn);
            if is_new {
                self.buffer.push(lsn, rows, 0);
            }
        }
    }

    async fn check(&self) -> Result<(), TestCaseError> {
        let mut expected: BTreeMap<(u32, i64), f64> = BTreeMap::new();
        for sample in self.log.iter().flat_map(|rows| rows.samples.iter()) {
            expected.insert((sample.signal.0, sample.time_us), sample.value);
        }
        let signals: Vec<SignalId> = (0..3).map(SignalId).collect();
        let all = TimeRange { start_us: T0, end_us: T0 + 3 * DAY_US };
        let samples = self.lake.samples(ONE, &signals, all, 1_000_000).await.expect("reads");
        let seen: BTreeMap<_, _> = samples
            .iter()
            .map(|sample| ((sample.signal.0, sample.time_us), sample.value))
            .collect();
        prop_assert_eq!(samples.len(), seen.len(), "a sample is there twice");
        prop_assert_eq!(&seen, &expected);
        let query = "SELECT count(*), coalesce(sum(value), 0) FROM samples";
        let answer =
            self.lake.sql(ONE, query, 1).await.expect("answers").rows_json().expect("numbers");
        // An empty sum would be -0.0.
        let sum: f64 = expected.values().fold(0.0, |sum, value| sum + value);
        prop_assert_eq!(answer, format!("[[{},{sum:?}]]", expected.len()));
        let filter = EventFilter { asset: None, signal: None, kind: None, range: all, limit: 1000 };
        let events = self.lake.events(ONE, filter).await.expect("reads");
        let bodies: HashSet<&str> = events.iter().map(|event| event.body.as_str()).collect();
        let n_noted: usize = self.log.iter().map(|rows| rows.events.len()).sum();
        prop_assert_eq!((events.len(), bodies.len()), (n_noted, n_noted));
        Ok(())
    }
}

async fn play(acts: Vec<Act>) -> Result<(), TestCaseError> {
    let dir = tempfile::tempdir().expect("a directory");
    let (lake, buffer) = open(dir.path());
    let mut plant = Plant { lake, buffer, log: Vec::new(), newest_us: BTreeMap::new() };
    for act in acts {
        match act {
            Act::Push(signal, second, values) => plant.push(signal, second, &values),
            Act::Flush => {
                plant.lake.flush(ONE).await.expect("room");
            }
            Act::Compact => {
                plant.lake.compact(ONE).await.expect("room");
            }
            Act::Vacuum => {
                plant.lake.vacuum(ONE, std::time::Duration::ZERO).await.expect("room");
            }
            Act::CrashInFlush(step) => {
                plant.flush_until(step).await;
                plant.restart(dir.path()).await;
            }
            Act::CrashInMerge => {
                let tenant = plant.lake.tenant(ONE);
                for kind in Kind::ALL {
                    for (day, files) in tenant.days_to_merge(kind).await.expect("opens") {
                        tenant.write_merged(kind, day, &files).await.expect("room");
                    }
                }
                plant.restart(dir.path()).await;
            }
        }
        plant.check().await?;
    }
    plant.restart(dir.path()).await;
    plant.check().await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_row_is_there_once_after_any_crash(acts in prop::collection::vec(act(), 1..14)) {
        let runtime = tokio::runtime::Runtime::new().expect("threads");
        runtime.block_on(play(acts))?;
    }
}
