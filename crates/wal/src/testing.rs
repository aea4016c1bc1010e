//! A disk that fails on purpose, and rows to put on it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use signal::{
    AssetId, Event, EventKind, Quality, Rows, Sample, SampleColumns, SignalId, SourceId, TenantId,
};

use crate::disk::Disk;
use crate::log::{AppendError, Log, Options};

/// What a simulated file holds: what a power cut leaves, and what a process sees.
#[derive(Clone, Default)]
struct SimFile {
    durable: Vec<u8>,
    visible: Vec<u8>,
}

#[derive(Default)]
struct SimState {
    files: BTreeMap<String, SimFile>,
    open: Option<String>,
    /// Bytes that still fit.
    room: u64,
    /// Fail the next write after so many bytes.
    tear_next_write: Option<usize>,
    fail_next_sync: bool,
    fail_next_truncate: bool,
}

/// A disk in memory whose faults a test decides. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct SimDisk(Arc<Mutex<SimState>>);

impl SimDisk {
    pub(crate) fn new(room: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(SimState { room, ..SimState::default() })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut SimState) -> T) -> T {
        f(&mut self.0.lock().expect("tests do not panic while holding it"))
    }

    /// The power fails: of what was not synced, only the first `kept` bytes of the open file's news survive.
    fn crash(&self, kept: usize) {
        self.with(|state| {
            for file in state.files.values_mut() {
                let news = file.visible.len().saturating_sub(file.durable.len()).min(kept);
                let known = file.durable.len().min(file.visible.len());
                file.visible.truncate(known + news);
                file.durable = file.visible.clone();
            }
            state.open = None;
            state.tear_next_write = None;
            state.fail_next_sync = false;
            state.fail_next_truncate = false;
        });
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        Ok(self.with(|state| state.files.keys().cloned().collect()))
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        Ok(self.with(|state| state.files[name].visible.clone()))
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| {
            state.files.insert(name.to_owned(), SimFile::default());
            state.open = Some(name.to_owned());
        });
        Ok(())
    }

    fn reopen(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| state.open = Some(name.to_owned()));
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|state| {
            let torn = state.tear_next_write.take().unwrap_or(usize::MAX);
            let fits = bytes.len().min(torn).min(state.room as usize);
            let name = state.open.clone().expect("open");
            let file = state.files.get_mut(&name).expect("open files exist");
            assert_eq!(file.visible.len() as u64, offset, "the log only appends");
            file.visible.extend_from_slice(&bytes[..fits]);
            state.room -= fits as u64;
            if fits == bytes.len() { Ok(()) } else { Err(io::ErrorKind::StorageFull.into()) }
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state| {
            if std::mem::take(&mut state.fail_next_sync) {
                return Err(io::Error::other("input/output error"));
            }
            let name = state.open.clone().expect("open");
            let file = state.files.get_mut(&name).expect("open files exist");
            file.durable = file.visible.clone();
            Ok(())
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|state| {
            if std::mem::take(&mut state.fail_next_truncate) {
                return Err(io::Error::other("input/output error"));
            }
            let name = state.open.clone().expect("open");
            let file = state.files.get_mut(&name).expect("open files exist");
            state.room += file.visible.len() as u64 - len;
            file.visible.truncate(len as usize);
            file.durable = file.visible.clone();
            Ok(())
        })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| {
            if let Some(file) = state.files.remove(name) {
                state.room += file.visible.len() as u64;
            }
        });
        Ok(())
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        Ok(self.with(|state| (state.room, 1 << 40)))
    }
}

/// Numbers that a seed repeats: xorshift64 (Marsaglia 2003), plus a constant so that small seeds differ soon.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

fn any_sample() -> impl Strategy<Value = Sample> {
    (
        0u32..50,
        prop_oneof![-5i64..5_000_000, any::<i64>()],
        any::<f64>(),
        prop_oneof![Just(0u32), any::<u32>()],
    )
        .prop_map(|(signal, time_us, value, quality)| Sample {
            signal: SignalId(signal),
            time_us,
            value,
            quality: Quality(quality),
        })
}

fn any_event() -> impl Strategy<Value = Event> {
    let kinds = [EventKind::Text, EventKind::Alarm, EventKind::Source, EventKind::Note];
    (
        any::<i64>(),
        prop::sample::select(kinds.to_vec()),
        prop::option::of(0u32..9),
        prop::option::of(0u32..9),
        ".{0,20}",
    )
        .prop_map(|(time_us, kind, asset, signal, body)| Event {
            time_us,
            kind,
            asset: asset.map(AssetId),
            signal: signal.map(SignalId),
            body,
        })
}

/// Rows of any shape.
pub(crate) fn any_rows() -> impl Strategy<Value = Rows> {
    (
        1u32..4,
        0u32..4,
        prop::collection::vec(any_sample(), 0..20),
        prop::collection::vec(any_event(), 0..3),
    )
        .prop_map(|(tenant, source, samples, events)| {
            let mut columns = SampleColumns::default();
            samples.into_iter().for_each(|sample| columns.push(sample));
            Rows { tenant: TenantId(tenant), source: SourceId(source), samples: columns, events }
        })
}

/// One row that can be told from every other.
fn numbered(n: u64) -> Rows {
    let mut samples = SampleColumns::default();
    samples.push(Sample {
        signal: SignalId(1),
        time_us: n as i64,
        value: n as f64,
        quality: Quality::GOOD,
    });
    Rows { tenant: TenantId::FIRST, source: SourceId(1), samples, events: Vec::new() }
}

fn small() -> Options {
    Options { segment_bytes: 400, keep_free_bytes: 0, keep_free_percent: 0 }
}

fn open(disk: &SimDisk) -> (Log, Vec<u64>) {
    let (log, replay) =
        Log::on(Box::new(disk.clone()), small()).expect("the simulated disk can be read");
    (log, replay.entries.iter().map(|(_, rows)| rows.samples.get(0).value as u64).collect())
}

#[derive(Clone, Debug)]
enum Op {
    Append(usize),
    TornAppend(usize, usize),
    FailedSync(usize),
    FailedWriteAndCut(usize, usize),
    Crash(usize),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        5 => (1usize..5).prop_map(Op::Append),
        1 => (1usize..5, 0usize..200).prop_map(|(n, torn)| Op::TornAppend(n, torn)),
        1 => (1usize..5).prop_map(Op::FailedSync),
        1 => (1usize..5, 0usize..200).prop_map(|(n, torn)| Op::FailedWriteAndCut(n, torn)),
        2 => (0usize..300).prop_map(Op::Crash),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    /// Whatever the disk does: what was acknowledged is there exactly once and in order, and what was
    /// refused is not there, unless the disk died in the middle of saying so.
    #[test]
    fn nothing_acknowledged_is_lost_or_doubled(ops in prop::collection::vec(any_op(), 1..60)) {
        let disk = SimDisk::new(1 << 30);
        let (mut log, _) = open(&disk);
        let mut acknowledged: Vec<u64> = Vec::new();
        let mut unsure: Vec<u64> = Vec::new();
        let mut n = 0;
        for op in ops {
            let (n_rows, clean) = match op {
                Op::Append(n_rows) => (n_rows, true),
                Op::TornAppend(n_rows, torn) => {
                    disk.with(|state| state.tear_next_write = Some(torn));
                    (n_rows, true)
                }
                Op::FailedSync(n_rows) => {
                    disk.with(|state| state.fail_next_sync = true);
                    (n_rows, true)
                }
                Op::FailedWriteAndCut(n_rows, torn) => {
                    disk.with(|state| {
                        state.tear_next_write = Some(torn);
                        state.fail_next_truncate = true;
                    });
                    (n_rows, false)
                }
                Op::Crash(kept) => {
                    disk.crash(kept);
                    let (reopened, found) = open(&disk);
                    log = reopened;
                    let sure: Vec<u64> = found.iter().copied().filter(|n| !unsure.contains(n)).collect();
                    prop_assert_eq!(&sure, &acknowledged);
                    let mut once = found.clone();
                    once.dedup();
                    prop_assert_eq!(once, found);
                    continue;
                }
            };
            let rows: Vec<Rows> = (n..n + n_rows as u64).map(numbered).collect();
            let ids = n..n + n_rows as u64;
            n += n_rows as u64;
            match log.append(&rows.iter().collect::<Vec<_>>()) {
                Ok(_) => acknowledged.extend(ids),
                Err(AppendError::Poisoned(_)) if !clean => unsure.extend(ids),
                Err(_) => {}
            }
            disk.with(|state| {
                state.tear_next_write = None;
                state.fail_next_sync = false;
                state.fail_next_truncate = false;
            });
        }
    }
}

#[test]
fn a_log_torn_at_every_byte_keeps_all_frames_before() {
    let disk = SimDisk::new(1 << 30);
    let (mut log, _) = open(&disk);
    for n in 0..6 {
        log.append(&[&numbered(n)]).expect("room");
    }
    let whole = disk.with(|state| state.files.clone());
    let (last, file) = whole.iter().next_back().expect("a segment");
    for cut in 8..file.visible.len() {
        let torn = SimDisk::new(1 << 30);
        torn.with(|state| {
            state.files = whole.clone();
            let file = state.files.get_mut(last).expect("the last one");
            file.visible.truncate(cut);
            file.durable = file.visible.clone();
        });
        let (mut log, found) = open(&torn);
        assert_eq!(found, (0..found.len() as u64).collect::<Vec<_>>(), "cut at {cut}");
        log.append(&[&numbered(99)]).expect("goes on after the cut");
        let (_, again) = open(&torn);
        assert_eq!(again.last(), Some(&99), "cut at {cut}");
        assert_eq!(again.len(), found.len() + 1, "cut at {cut}");
    }
}

#[test]
fn damage_in_the_middle_costs_only_the_frame_it_hits() {
    let disk = SimDisk::new(1 << 30);
    let (mut log, _) = open(&disk);
    for n in 0..3 {
        log.append(&[&numbered(n)]).expect("room");
    }
    disk.with(|state| {
        let file = state.files.values_mut().next().expect("a segment");
        let frame_bytes = (file.visible.len() - 8) / 3;
        file.visible[8 + frame_bytes + 30] ^= 1;
        file.durable = file.visible.clone();
    });
    let (_, replay) = Log::on(Box::new(disk.clone()), small()).expect("readable");
    let found: Vec<f64> =
        replay.entries.iter().map(|(_, rows)| rows.samples.get(0).value).collect();
    assert_eq!(found, [0.0, 2.0]);
    assert_eq!((replay.damage.len(), replay.damage[0].at_end), (1, false));
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself_without_ghosts() {
    let disk = SimDisk::new(500);
    let options = Options { keep_free_bytes: 200, ..small() };
    let (mut log, _) = Log::on(Box::new(disk.clone()), options).expect("readable");
    let mut stored = Vec::new();
    let mut refused = 0;
    for n in 0..10 {
        match log.append(&[&numbered(n)]) {
            Ok(_) => stored.push(n),
            Err(AppendError::ReadOnly { .. }) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0 && !stored.is_empty());
    disk.with(|state| state.room += 1_000);
    log.append(&[&numbered(50)]).expect("room again");
    stored.push(50);
    assert_eq!(open(&disk).1, stored);
}

#[test]
fn segments_go_when_all_of_them_lies_in_the_lake() {
    let disk = SimDisk::new(1 << 30);
    let (mut log, _) = open(&disk);
    for n in 0..40 {
        log.append(&[&numbered(n)]).expect("room");
    }
    let before = log.stats();
    assert!(before.segments > 3);
    log.truncate_before(30).expect("can be deleted");
    assert!(log.stats().segments < before.segments);
    let found = open(&disk).1;
    assert!(found.contains(&29), "position 30 holds number 29 and must stay");
    assert_eq!(found.last(), Some(&39));
    assert_eq!(log.append(&[&numbered(1)]).expect("room").start, 41);
}

#[test]
fn a_second_process_is_refused_and_the_real_disk_replays() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = Options { keep_free_bytes: 0, keep_free_percent: 0, ..Options::default() };
    let (mut log, _) = Log::open(dir.path(), options).expect("opens");
    log.append(&[&numbered(1), &numbered(2)]).expect("room");
    assert!(Log::open(dir.path(), options).is_err());
    drop(log);
    let (_, replay) = Log::open(dir.path(), options).expect("opens again");
    assert_eq!(replay.entries.iter().map(|(lsn, _)| *lsn).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(crate::inspect(dir.path()).expect("readable")[0].frames, 2);
}
