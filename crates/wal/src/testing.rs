//! Rows for tests, and the log on a disk that fails.

use proptest::prelude::*;
use signal::{
    AssetId, Event, EventKind, Quality, Rows, Sample, SampleColumns, SignalId, SourceId, TenantId,
};

use crate::log::{AppendError, Log, Options, Replay};
use crate::sim::{Fault, Random, SimDisk};

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

/// Positions and numbers of the rows in the log.
fn entries(replay: &Replay) -> Vec<(u64, u64)> {
    let number = |rows: &Rows| rows.samples.get(0).value as u64;
    replay.entries.iter().map(|(lsn, rows)| (*lsn, number(rows))).collect()
}

fn numbers(replay: &Replay) -> Vec<u64> {
    entries(replay).into_iter().map(|(_, number)| number).collect()
}

fn open(disk: &SimDisk) -> (Log, Vec<u64>) {
    let (log, replay) = open_with(disk, small());
    (log, numbers(&replay))
}

fn open_with(disk: &SimDisk, options: Options) -> (Log, Replay) {
    Log::on(Box::new(disk.clone()), options).expect("the simulated disk can be read")
}

/// A disk with `n` rows in one segment.
fn one_segment(n: u64) -> SimDisk {
    let disk = SimDisk::new(1 << 30);
    let (mut log, _) = open_with(&disk, Options { segment_bytes: 1 << 20, ..small() });
    for n in 0..n {
        log.append(&[&numbered(n)]).expect("room");
    }
    disk
}

/// A log and what its user was told.
struct World {
    disk: SimDisk,
    log: Option<Log>,
    next: u64,
    /// Positions and numbers that were acknowledged.
    stored: Vec<(u64, u64)>,
    /// Refused by a log that could not take them back: they may be there.
    unsure: Vec<u64>,
    /// Positions before this were let go of.
    let_go: u64,
    story: String,
}

impl World {
    fn new(story: String) -> World {
        let disk = SimDisk::new(1 << 30);
        let (stored, unsure) = (Vec::new(), Vec::new());
        World { disk, log: None, next: 0, stored, unsure, let_go: 0, story }
    }

    /// The same plant on a copy of the disk, while no process runs.
    fn copy(&self, story: &str) -> World {
        World {
            disk: self.disk.copy(),
            log: None,
            next: self.next,
            stored: self.stored.clone(),
            unsure: self.unsure.clone(),
            let_go: self.let_go,
            story: format!("{}, {story}", self.story),
        }
    }

    /// Opens the log, after a failure again, and compares it with what was acknowledged.
    fn open(&mut self) {
        let opened = Log::on(Box::new(self.disk.clone()), small()).or_else(|_| {
            self.disk.restart();
            Log::on(Box::new(self.disk.clone()), small())
        });
        let (log, replay) = opened.unwrap_or_else(|error| panic!("{}: {error}", self.story));
        self.log = Some(log);
        self.check(&entries(&replay));
    }

    fn check(&mut self, found: &[(u64, u64)]) {
        let story = &self.story;
        assert!(found.is_sorted_by(|a, b| a.0 < b.0), "{story}: positions {found:?}");
        let expected: Vec<&(u64, u64)> =
            self.stored.iter().filter(|(lsn, _)| *lsn >= self.let_go).collect();
        let sure: Vec<&(u64, u64)> = found
            .iter()
            .filter(|(lsn, n)| *lsn >= self.let_go && !self.unsure.contains(n))
            .collect();
        assert_eq!(sure, expected, "{story}: acknowledged on the right, found on the left");
        let mut ns: Vec<u64> = found.iter().map(|(_, n)| *n).collect();
        ns.sort_unstable();
        ns.dedup();
        assert_eq!(ns.len(), found.len(), "{story}: doubled in {found:?}");
        // What is not there now must not come alive later.
        self.unsure.retain(|n| ns.contains(n));
    }

    fn append(&mut self, n_rows: u64) {
        let ns = self.next..self.next + n_rows;
        self.next = ns.end;
        let rows: Vec<Rows> = ns.clone().map(numbered).collect();
        let log = self.log.as_mut().expect("is open");
        match log.append(&rows.iter().collect::<Vec<_>>()) {
            Ok(lsns) => self.stored.extend(lsns.zip(ns)),
            Err(AppendError::Poisoned(_)) => {
                self.unsure.extend(ns);
                self.restart();
            }
            Err(_) => {}
        }
    }

    fn let_go(&mut self, n_kept: usize) {
        let Some((lsn, _)) = self.stored.iter().rev().nth(n_kept) else { return };
        let lsn = *lsn;
        self.let_go = self.let_go.max(lsn);
        let log = self.log.as_mut().expect("is open");
        // A failure leaves more than was asked for, never less.
        let _ = log.truncate_before(lsn);
    }

    fn restart(&mut self) {
        self.log = None;
        self.disk.restart();
        self.open();
    }

    fn cut_power(&mut self, seed: u64) {
        self.log = None;
        self.disk.cut_power(seed);
        self.open();
    }

    /// A life with everything that happens to a log.
    fn live(&mut self) {
        self.open();
        for n_rows in [1, 3, 2, 4, 1, 2] {
            self.append(n_rows);
        }
        self.let_go(4);
        self.append(2);
        self.restart();
        self.append(3);
        self.let_go(0);
        self.append(1);
        self.let_go(0);
        self.append(2);
    }
}

/// Every operation of a log's life fails once, in each way; then the power fails in several ways.
#[test]
fn no_single_fault_loses_or_doubles_a_row() {
    for fault in Fault::ALL {
        let mut n_faults = 0;
        for nth in 0.. {
            let mut world = World::new(format!("{fault:?} at operation {nth}"));
            world.disk.plan(nth, fault);
            world.live();
            if world.disk.is_waiting() {
                break;
            }
            n_faults += 1;
            world.restart();
            world.log = None;
            for seed in 0..8 {
                let mut world = world.copy(&format!("power cut {seed}"));
                world.cut_power(seed);
                world.append(2);
                world.restart();
                world.append(2);
                world.cut_power(seed + 100);
            }
        }
        assert!(n_faults > 40, "only {n_faults} operations were tried");
    }
}

#[derive(Clone, Debug)]
enum Op {
    Append(u64),
    Plan(usize, Fault),
    LetGo(usize),
    Restart,
    CutPower(u64),
}

fn any_op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => (1u64..5).prop_map(Op::Append),
        3 => (0usize..6, prop::sample::select(Fault::ALL.to_vec())).prop_map(|(nth, fault)| Op::Plan(nth, fault)),
        1 => (0usize..8).prop_map(Op::LetGo),
        1 => Just(Op::Restart),
        2 => any::<u64>().prop_map(Op::CutPower),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]
    /// Whatever the disk does: what was acknowledged is there exactly once and in order, and what was
    /// refused is not there, unless the disk died in the middle of saying so.
    #[test]
    fn nothing_acknowledged_is_lost_or_doubled(ops in prop::collection::vec(any_op(), 1..60)) {
        let mut world = World::new(format!("{ops:?}"));
        world.open();
        for op in ops {
            match op {
                Op::Append(n_rows) => world.append(n_rows),
                Op::Plan(nth, fault) => world.disk.plan(nth, fault),
                Op::LetGo(n_kept) => world.let_go(n_kept),
                Op::Restart => world.restart(),
                Op::CutPower(seed) => world.cut_power(seed),
            }
        }
        world.restart();
    }
}

/// Opens a log whose last segment holds `bytes`, checks that the rows it shares with `whole` are there, and goes on.
fn check_tail(story: &str, bytes: Vec<u8>, whole: &[u8], frame_bytes: usize) {
    let frames =
        whole[8..].chunks(frame_bytes).zip(bytes.get(8..).unwrap_or(&[]).chunks(frame_bytes));
    let n_sound = frames.take_while(|(whole, found)| whole == found).count() as u64;
    let disk = SimDisk::new(1 << 30);
    disk.put("00000000000000000001.wal", bytes);
    let (mut log, found) = open(&disk);
    assert_eq!(found, (0..n_sound).collect::<Vec<_>>(), "{story}");
    log.append(&[&numbered(99)]).expect("goes on after the cut");
    let (_, replay) = open_with(&disk, small());
    let again: Vec<u64> = (0..n_sound).chain([99]).collect();
    assert_eq!((numbers(&replay), &replay.damage), (again, &vec![]), "{story}");
}

#[test]
fn a_log_torn_at_every_byte_keeps_all_frames_before() {
    let (_, bytes) = one_segment(6).files().remove(0);
    let frame_bytes = (bytes.len() - 8) / 6;
    for cut in 0..bytes.len() {
        check_tail(&format!("cut at {cut}"), bytes[..cut].to_vec(), &bytes, frame_bytes);
        let mut zeros = bytes[..cut].to_vec();
        zeros.resize(cut + 4096, 0);
        check_tail(&format!("zeros from {cut}"), zeros, &bytes, frame_bytes);
        let mut garbage = bytes[..cut].to_vec();
        let mut random = Random(cut as u64 + 1);
        garbage.extend((0..300).map(|_| random.below(256) as u8));
        check_tail(&format!("garbage from {cut}"), garbage, &bytes, frame_bytes);
    }
}

#[test]
fn one_flipped_bit_costs_only_the_frame_it_hits_and_is_reported() {
    let (name, bytes) = one_segment(9).files().remove(0);
    let frame_bytes = (bytes.len() - 8) / 9;
    for seed in 1..=1_000 {
        let mut random = Random(seed);
        let (at, bit) = (random.below(bytes.len()), random.below(8));
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << bit;
        let disk = SimDisk::new(1 << 30);
        disk.put(&name, flipped);
        let (_, replay) = open_with(&disk, small());
        let hit = at.checked_sub(8).map(|at| (at / frame_bytes) as u64);
        let expected: Vec<u64> = (0..9).filter(|n| Some(*n) != hit).collect();
        assert_eq!(numbers(&replay), expected, "seed {seed}: bit {bit} of byte {at}");
        assert_eq!(replay.damage.len(), 1, "seed {seed}");
        assert!(replay.damage[0].bytes.contains(&at), "seed {seed}: {:?}", replay.damage);
        assert_eq!(replay.damage[0].at_end, hit == Some(8), "seed {seed}");
    }
}

/// A text that looks like a frame, inside a frame that is damaged.
#[test]
fn a_frame_inside_a_text_is_not_taken_for_ours() {
    let mut forged = Vec::new();
    let mut rows = numbered(666);
    // A forged frame must be UTF-8 to be a text; look for a number that makes it so.
    let body = (0..1_000_000).find_map(|n| {
        rows.samples = SampleColumns::default();
        rows.source = SourceId(n & 0x7f7f_7f7f);
        forged.clear();
        crate::frame::encode(70, &rows, &mut forged);
        String::from_utf8(forged.clone()).ok()
    });
    let event = Event {
        time_us: 0,
        kind: EventKind::Text,
        asset: None,
        signal: None,
        body: body.expect("one in sixteen is UTF-8"),
    };
    let disk = SimDisk::new(1 << 30);
    let (mut log, _) = open_with(&disk, Options { segment_bytes: 1 << 20, ..small() });
    log.append(&[&Rows { events: vec![event], ..numbered(0) }, &numbered(1)]).expect("room");
    let (name, mut bytes) = disk.files().remove(0);
    bytes[8] ^= 1;
    disk.put(&name, bytes);
    assert_eq!(entries(&open_with(&disk, small()).1), [(2, 1)]);
}

#[test]
fn a_full_disk_refuses_and_recovers_by_itself_without_ghosts() {
    let disk = SimDisk::new(500);
    let options = Options { keep_free_bytes: 200, ..small() };
    let (mut log, _) = open_with(&disk, options);
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
    disk.grow(1_000);
    log.append(&[&numbered(50)]).expect("room again");
    stored.push(50);
    assert_eq!(open(&disk).1, stored);
}

/// Somebody else filled the disk between our look and our write.
#[test]
fn a_write_without_room_is_taken_back_and_refused_as_read_only() {
    for nth in 0..20 {
        let disk = one_segment(2);
        let (mut log, _) = open(&disk);
        disk.plan(nth, Fault::Full);
        let mut stored = vec![0, 1];
        for n in 2..12 {
            match log.append(&[&numbered(n)]) {
                Ok(_) => stored.push(n),
                Err(AppendError::ReadOnly { free_bytes: 0, .. } | AppendError::Io(_)) => {}
                // A full disk is no reason to fail an fsync, but if it does, it is believed.
                Err(AppendError::Poisoned(_)) => break,
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(open(&disk).1, stored, "no room at operation {nth}");
    }
}

#[test]
fn a_failed_fsync_closes_the_log_until_it_is_opened_again() {
    let disk = one_segment(2);
    let (mut log, _) = open(&disk);
    // Space, write, fsync.
    disk.plan(2, Fault::Refused);
    assert!(matches!(log.append(&[&numbered(2)]), Err(AppendError::Poisoned(_))));
    assert!(matches!(log.append(&[&numbered(3)]), Err(AppendError::Poisoned(_))));
    let (mut log, found) = open(&disk);
    assert_eq!(found, [0, 1]);
    log.append(&[&numbered(4)]).expect("open again");
    assert_eq!(open(&disk).1, [0, 1, 4]);
}

/// Segments of no length are begun anew with each entry, and never over one another.
#[test]
fn tiny_segments_hold_one_entry_each() {
    let disk = SimDisk::new(1 << 30);
    let options = Options { segment_bytes: 0, ..small() };
    let (mut log, _) = open_with(&disk, options);
    for n in 0..4 {
        log.append(&[&numbered(n)]).expect("room");
    }
    log.truncate_before(1).expect("nothing to delete");
    assert_eq!(log.stats().segments, 4);
    assert_eq!(entries(&open_with(&disk, options).1), [(1, 0), (2, 1), (3, 2), (4, 3)]);
    log.truncate_before(3).expect("can be deleted");
    assert_eq!(log.stats().segments, 2);
    assert_eq!(entries(&open_with(&disk, options).1), [(3, 2), (4, 3)]);
}

#[test]
fn positions_go_on_beyond_what_the_tables_hold() {
    let disk = one_segment(2);
    let (mut log, _) = open(&disk);
    log.skip_beyond(1).expect("nothing to do");
    log.skip_beyond(70).expect("room");
    assert_eq!(log.append(&[&numbered(2)]).expect("room"), 71..72);
    assert_eq!(entries(&open_with(&disk, small()).1), [(1, 0), (2, 1), (71, 2)]);
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

/// What the real disk holds after `damage` was done to a log with two stored rows, and one more row.
fn reopened_after(damage: impl Fn(&std::path::Path)) -> (Vec<u64>, Replay) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let options = Options { segment_bytes: 1 << 20, keep_free_bytes: 0, keep_free_percent: 0 };
    let (mut log, _) = Log::open(dir.path(), options).expect("opens");
    log.append(&[&numbered(1), &numbered(2)]).expect("room");
    drop(log);
    damage(dir.path());
    let (mut log, replay) = Log::open(dir.path(), options).expect("opens after the damage");
    log.append(&[&numbered(3)]).expect("room");
    drop(log);
    let (_, found) = Log::open(dir.path(), options).expect("opens again");
    (found.entries.iter().map(|(_, rows)| rows.samples.get(0).value as u64).collect(), replay)
}

/// A power cut between making a segment and writing its header left an empty file; rows acknowledged after
/// the restart went into that file although it was deleted at the start, and were gone at the next one.
#[test]
fn rows_after_an_empty_segment_are_kept() {
    let empty = |dir: &std::path::Path| {
        std::fs::write(dir.join("00000000000000000003.wal"), b"").expect("writes");
    };
    assert_eq!(reopened_after(empty).0, [1, 2, 3]);
}

/// A file that is not ours must neither be written nor read.
#[test]
fn foreign_files_are_left_alone() {
    let foreign = |dir: &std::path::Path| {
        std::fs::write(dir.join("notes.wal"), b"FTLWAL01").expect("writes");
    };
    let (found, replay) = reopened_after(foreign);
    assert_eq!((found, replay.damage), (vec![1, 2, 3], vec![]));
}

/// The end of a segment that is not the last one was acknowledged, so its loss is damage and is reported so.
#[test]
fn a_cut_in_an_older_segment_is_damage() {
    let cut = |dir: &std::path::Path| {
        let old = dir.join("00000000000000000001.wal");
        let bytes = std::fs::read(&old).expect("reads");
        std::fs::write(&old, &bytes[..bytes.len() - 1]).expect("writes");
        std::fs::write(dir.join("00000000000000000003.wal"), b"FTLWAL01").expect("writes");
    };
    let (found, replay) = reopened_after(cut);
    assert_eq!(found, [1, 3]);
    assert_eq!(replay.damage.iter().map(|damage| damage.at_end).collect::<Vec<_>>(), [false]);
}
