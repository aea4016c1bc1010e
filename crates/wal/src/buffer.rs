//! Rows that are durable but not yet in the lake, as Arrow, queryable the moment they are pushed.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use signal::{Event, Rows, TenantId};

/// A chunk is closed when it has so many rows; few in tests, so that they meet closed ones.
const CHUNK_ROWS: usize = if cfg!(test) { 64 } else { 128 * 1024 };

/// Schema of samples: `signal, time, value, quality, lsn`.
pub fn samples_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("signal", DataType::Int32, false),
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("value", DataType::Float64, false),
        Field::new("quality", DataType::Int32, false),
        Field::new("lsn", DataType::Int64, false),
    ]))
}

/// Schema of events: `time, kind, asset, signal, body, lsn`.
pub fn events_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("time", DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), false),
        Field::new("kind", DataType::Utf8, false),
        Field::new("asset", DataType::Int32, true),
        Field::new("signal", DataType::Int32, true),
        Field::new("body", DataType::Utf8, false),
        Field::new("lsn", DataType::Int64, false),
    ]))
}

/// Consecutive rows of one tenant.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Position of the first entry in it.
    pub first_lsn: u64,
    /// Position of the last entry in it.
    pub last_lsn: u64,
    /// The rows, in the order in which they came.
    pub batch: RecordBatch,
}

/// What a query sees of the buffer.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Schema [`samples_schema`].
    pub samples: Vec<Chunk>,
    /// Schema [`events_schema`].
    pub events: Vec<Chunk>,
}

/// What a flush takes to the lake. It stays visible until [`Buffer::release`].
#[derive(Clone, Debug)]
pub struct Sealed {
    /// Position of the first entry.
    pub first_lsn: u64,
    /// Position of the last entry.
    pub last_lsn: u64,
    /// Schema [`samples_schema`].
    pub samples: Vec<RecordBatch>,
    /// Schema [`events_schema`].
    pub events: Vec<RecordBatch>,
}

#[derive(Default)]
struct SampleTail {
    signals: Vec<i32>,
    times_us: Vec<i64>,
    values: Vec<f64>,
    qualities: Vec<i32>,
    lsns: Vec<i64>,
}

#[derive(Default)]
struct Shelf {
    samples: Vec<Chunk>,
    events: Vec<Chunk>,
    sample_tail: SampleTail,
    event_tail: Vec<(u64, Event)>,
    /// The tails as chunks, until the next push.
    tail_view: Option<Snapshot>,
    first_lsn: Option<u64>,
    last_lsn: u64,
    /// Position and arrival of the oldest rows and of the first ones after each seal, where a release may end.
    arrivals: VecDeque<(u64, i64)>,
    /// Whether the next push opens a new entry of `arrivals`.
    sealed: bool,
}

/// The buffer of all tenants.
#[derive(Default)]
pub struct Buffer {
    shelves: Mutex<BTreeMap<TenantId, Shelf>>,
}

impl Buffer {
    /// Makes rows visible that were stored at `lsn` and arrived at `received_us`. Positions must only grow.
    pub fn push(&self, lsn: u64, rows: &Rows, received_us: i64) {
        let mut shelves = self.lock();
        let shelf = shelves.entry(rows.tenant).or_default();
        assert!(lsn > shelf.last_lsn, "positions only grow: {lsn} after {}", shelf.last_lsn);
        shelf.first_lsn.get_or_insert(lsn);
        if shelf.arrivals.is_empty() || std::mem::take(&mut shelf.sealed) {
            shelf.arrivals.push_back((lsn, received_us));
        }
        shelf.last_lsn = lsn;
        shelf.tail_view = None;
        let n_after = shelf.sample_tail.signals.len() + rows.samples.len();
        if n_after > CHUNK_ROWS && !shelf.sample_tail.signals.is_empty() {
            shelf.close_tails();
        }
        shelf.sample_tail.push(lsn, rows);
        shelf.event_tail.extend(rows.events.iter().map(|event| (lsn, event.clone())));
        if shelf.sample_tail.signals.len() >= CHUNK_ROWS || shelf.event_tail.len() >= CHUNK_ROWS {
            shelf.close_tails();
        }
    }

    /// Everything of a tenant that is not released yet. Cost: O(rows since the last close), once per push.
    pub fn snapshot(&self, tenant: TenantId) -> Snapshot {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&tenant) else { return Snapshot::default() };
        let tails = shelf.tail_view();
        let mut snapshot =
            Snapshot { samples: shelf.samples.clone(), events: shelf.events.clone() };
        snapshot.samples.extend(tails.samples);
        snapshot.events.extend(tails.events);
        snapshot
    }

    /// Closes what is there, so that it can be written to the lake; none when there is nothing.
    pub fn seal(&self, tenant: TenantId) -> Option<Sealed> {
        let mut shelves = self.lock();
        let shelf = shelves.get_mut(&tenant)?;
        shelf.close_tails();
        let first_lsn = shelf.first_lsn?;
        shelf.sealed = true;
        Some(Sealed {
            first_lsn,
            last_lsn: shelf.last_lsn,
            samples: shelf.samples.iter().map(|chunk| chunk.batch.clone()).collect(),
            events: shelf.events.iter().map(|chunk| chunk.batch.clone()).collect(),
        })
    }

    /// Forgets what lies in the lake up to and including `last_lsn`, which must be the end of a [`Sealed`].
    pub fn release(&self, tenant: TenantId, last_lsn: u64) {
        let mut shelves = self.lock();
        let Some(shelf) = shelves.get_mut(&tenant) else { return };
        shelf.samples.retain(|chunk| chunk.last_lsn > last_lsn);
        shelf.events.retain(|chunk| chunk.last_lsn > last_lsn);
        let starts = [
            shelf.samples.first().map(|chunk| chunk.first_lsn),
            shelf.events.first().map(|chunk| chunk.first_lsn),
            shelf.sample_tail.lsns.first().map(|lsn| *lsn as u64),
            shelf.event_tail.first().map(|(lsn, _)| *lsn),
        ];
        shelf.first_lsn = starts.into_iter().flatten().min();
        match shelf.first_lsn {
            None => shelf.arrivals.clear(),
            Some(first_lsn) => {
                while shelf.arrivals.get(1).is_some_and(|(lsn, _)| *lsn <= first_lsn) {
                    shelf.arrivals.pop_front();
                }
            }
        }
    }

    /// Tenants that have ever sent anything.
    pub fn tenants(&self) -> Vec<TenantId> {
        self.lock().keys().copied().collect()
    }

    /// Samples and events of a tenant that are not released yet.
    pub fn rows(&self, tenant: TenantId) -> u64 {
        self.lock().get(&tenant).map_or(0, Shelf::rows)
    }

    /// Rows of all tenants, and the memory they take in bytes.
    pub fn size(&self) -> (u64, u64) {
        let shelves = self.lock();
        let n_rows: u64 = shelves.values().map(Shelf::rows).sum();
        let n_event_bytes: usize = shelves
            .values()
            .flat_map(|shelf| &shelf.events)
            .map(|chunk| chunk.batch.get_array_memory_size())
            .sum();
        (n_rows, n_rows * 32 + n_event_bytes as u64)
    }

    /// When the oldest row of a tenant arrived.
    pub fn oldest_us(&self, tenant: TenantId) -> Option<i64> {
        self.lock().get(&tenant)?.arrivals.front().map(|(_, received_us)| *received_us)
    }

    /// Position of the oldest row of any tenant; the log must keep it and what follows.
    pub fn first_lsn(&self) -> Option<u64> {
        self.lock().values().filter_map(|shelf| shelf.first_lsn).min()
    }

    /// Position of the newest row of any tenant; 0 when there has been none.
    pub fn last_lsn(&self) -> u64 {
        self.lock().values().map(|shelf| shelf.last_lsn).max().unwrap_or(0)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<TenantId, Shelf>> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SampleTail {
    fn push(&mut self, lsn: u64, rows: &Rows) {
        let samples = &rows.samples;
        if self.signals.is_empty() {
            // Room for a whole chunk at once, which costs no memory until it is written.
            self.reserve(CHUNK_ROWS.max(samples.len()));
        }
        self.signals.extend(samples.signals().iter().map(|signal| signal.0 as i32));
        self.times_us.extend_from_slice(samples.times_us());
        self.values.extend_from_slice(samples.values());
        self.qualities.extend(samples.qualities().iter().map(|quality| quality.0 as i32));
        self.lsns.resize(self.lsns.len() + samples.len(), lsn as i64);
    }

    fn reserve(&mut self, n_rows: usize) {
        self.signals.reserve(n_rows);
        self.times_us.reserve(n_rows);
        self.values.reserve(n_rows);
        self.qualities.reserve(n_rows);
        self.lsns.reserve(n_rows);
    }

    fn chunk(self) -> Option<Chunk> {
        let (first_lsn, last_lsn) = (*self.lsns.first()? as u64, *self.lsns.last()? as u64);
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(self.signals)),
            Arc::new(TimestampMicrosecondArray::from(self.times_us).with_timezone("UTC")),
            Arc::new(Float64Array::from(self.values)),
            Arc::new(Int32Array::from(self.qualities)),
            Arc::new(Int64Array::from(self.lsns)),
        ];
        let batch =
            RecordBatch::try_new(samples_schema(), columns).expect("columns follow the schema");
        Some(Chunk { first_lsn, last_lsn, batch })
    }

    fn copy(&self) -> SampleTail {
        SampleTail {
            signals: self.signals.clone(),
            times_us: self.times_us.clone(),
            values: self.values.clone(),
            qualities: self.qualities.clone(),
            lsns: self.lsns.clone(),
        }
    }
}

fn event_chunk(events: &[(u64, Event)]) -> Option<Chunk> {
    let (first_lsn, last_lsn) = (events.first()?.0, events.last()?.0);
    let times = events.iter().map(|(_, event)| event.time_us);
    let columns: Vec<ArrayRef> = vec![
        Arc::new(TimestampMicrosecondArray::from_iter_values(times).with_timezone("UTC")),
        Arc::new(StringArray::from_iter_values(events.iter().map(|(_, event)| event.kind.name()))),
        Arc::new(Int32Array::from_iter(
            events.iter().map(|(_, event)| event.asset.map(|id| id.0 as i32)),
        )),
        Arc::new(Int32Array::from_iter(
            events.iter().map(|(_, event)| event.signal.map(|id| id.0 as i32)),
        )),
        Arc::new(StringArray::from_iter_values(
            events.iter().map(|(_, event)| event.body.as_str()),
        )),
        Arc::new(Int64Array::from_iter_values(events.iter().map(|(lsn, _)| *lsn as i64))),
    ];
    let batch = RecordBatch::try_new(events_schema(), columns).expect("columns follow the schema");
    Some(Chunk { first_lsn, last_lsn, batch })
}

impl Shelf {
    fn rows(&self) -> u64 {
        let closed = self
            .samples
            .iter()
            .chain(&self.events)
            .map(|chunk| chunk.batch.num_rows())
            .sum::<usize>();
        (closed + self.sample_tail.signals.len() + self.event_tail.len()) as u64
    }

    fn close_tails(&mut self) {
        self.tail_view = None;
        self.samples.extend(std::mem::take(&mut self.sample_tail).chunk());
        self.events.extend(event_chunk(&std::mem::take(&mut self.event_tail)));
    }

    fn tail_view(&mut self) -> Snapshot {
        let (sample_tail, event_tail) = (&self.sample_tail, &self.event_tail);
        let view = self.tail_view.get_or_insert_with(|| Snapshot {
            samples: sample_tail.copy().chunk().into_iter().collect(),
            events: event_chunk(event_tail).into_iter().collect(),
        });
        view.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::Random;
    use crate::testing::any_rows;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

    fn lsns_of(chunks: &[Chunk]) -> Vec<i64> {
        let mut lsns = Vec::new();
        for chunk in chunks {
            let found = lsn_column(&chunk.batch);
            let ends = (found.first().copied(), found.last().copied());
            assert_eq!(ends, (Some(chunk.first_lsn as i64), Some(chunk.last_lsn as i64)));
            lsns.extend(found);
        }
        lsns
    }

    fn lsn_column(batch: &RecordBatch) -> Vec<i64> {
        let column = batch.column_by_name("lsn").expect("both schemas have it");
        column.as_any().downcast_ref::<Int64Array>().expect("Int64").values().to_vec()
    }

    fn lsns(snapshot: &Snapshot) -> Vec<i64> {
        lsns_of(&snapshot.samples)
    }

    proptest! {
        #[test]
        fn every_row_is_seen_once_until_it_is_released(
            batches in prop::collection::vec(any_rows(), 1..40),
            seal_after in 0usize..40,
        ) {
            let buffer = Buffer::default();
            let mut expected = Vec::new();
            let mut sealed = None;
            for (lsn, mut rows) in (1u64..).zip(batches) {
                rows.tenant = TenantId::FIRST;
                buffer.push(lsn, &rows, lsn as i64);
                expected.extend(std::iter::repeat_n(lsn as i64, rows.samples.len()));
                prop_assert_eq!(&lsns(&buffer.snapshot(TenantId::FIRST)), &expected);
                if lsn as usize == seal_after {
                    sealed = buffer.seal(TenantId::FIRST);
                }
            }
            if let Some(sealed) = sealed {
                let taken: usize = sealed.samples.iter().map(RecordBatch::num_rows).sum();
                let upto = expected.iter().filter(|lsn| **lsn as u64 <= sealed.last_lsn).count();
                prop_assert_eq!(taken, upto);
                prop_assert_eq!(&lsns(&buffer.snapshot(TenantId::FIRST)), &expected);
                buffer.release(TenantId::FIRST, sealed.last_lsn);
                prop_assert_eq!(&lsns(&buffer.snapshot(TenantId::FIRST)), &expected[upto..]);
                prop_assert!(buffer.first_lsn().is_none_or(|first| first > sealed.last_lsn));
            }
        }
    }

    /// The age of rows that were long in the lake was given to those that came later, so that under steady
    /// load every look at the clock ended in a flush.
    #[test]
    fn what_is_left_after_a_release_is_as_old_as_it_is() {
        let buffer = Buffer::default();
        let mut rows = Rows { tenant: TenantId::FIRST, ..Rows::default() };
        rows.samples.push(signal::Sample {
            signal: signal::SignalId(1),
            time_us: 0,
            value: 1.0,
            quality: signal::Quality::GOOD,
        });
        buffer.push(1, &rows, 100);
        let sealed = buffer.seal(TenantId::FIRST).expect("a row");
        buffer.push(2, &rows, 200);
        buffer.push(3, &rows, 300);
        assert_eq!(buffer.oldest_us(TenantId::FIRST), Some(100));
        buffer.release(TenantId::FIRST, sealed.last_lsn);
        assert_eq!(buffer.oldest_us(TenantId::FIRST), Some(200));
    }

    /// Entry `lsn` of the test below: so many samples, and an event in every second one.
    fn entry(lsn: u64) -> Rows {
        let mut rows = Rows { tenant: TenantId::FIRST, ..Rows::default() };
        for n in 0..1 + lsn % 5 {
            rows.samples.push(signal::Sample {
                signal: signal::SignalId(n as u32),
                time_us: lsn as i64,
                value: n as f64,
                quality: signal::Quality::GOOD,
            });
        }
        if lsn.is_multiple_of(2) {
            rows.events.push(Event {
                time_us: lsn as i64,
                kind: signal::EventKind::Note,
                asset: None,
                signal: None,
                body: String::new(),
            });
        }
        rows
    }

    /// What the tables of the test hold.
    #[derive(Clone, Default)]
    struct Tables {
        last_lsn: i64,
        samples: Vec<i64>,
        events: Vec<i64>,
    }

    impl Tables {
        fn commit(&mut self, sealed: &Sealed) {
            let newer = |batches: &[RecordBatch]| -> Vec<i64> {
                batches.iter().flat_map(lsn_column).filter(|lsn| *lsn > self.last_lsn).collect()
            };
            let (samples, events) = (newer(&sealed.samples), newer(&sealed.events));
            self.samples.extend(samples);
            self.events.extend(events);
            self.last_lsn = sealed.last_lsn as i64;
        }
    }

    /// Fails unless a query sees all of entries 1 to at least `told`, each row once and in order.
    fn check_query(buffer: &Buffer, tables: &Mutex<Tables>, told: u64, seed: u64) {
        let snapshot = buffer.snapshot(TenantId::FIRST);
        let mut seen = tables.lock().expect("no test panics while holding it").clone();
        let newer = |chunks: &[Chunk], last_lsn| -> Vec<i64> {
            lsns_of(chunks).into_iter().filter(|lsn| *lsn > last_lsn).collect()
        };
        seen.samples.extend(newer(&snapshot.samples, seen.last_lsn));
        seen.events.extend(newer(&snapshot.events, seen.last_lsn));
        let upto = seen.samples.last().map_or(0, |lsn| *lsn as u64);
        assert!(upto >= told, "seed {seed}: entry {told} was pushed, seen up to {upto}");
        let (mut samples, mut events) = (Vec::new(), Vec::new());
        for lsn in 1..=upto {
            let rows = entry(lsn);
            samples.extend(std::iter::repeat_n(lsn as i64, rows.samples.len()));
            events.extend(std::iter::repeat_n(lsn as i64, rows.events.len()));
        }
        assert!(seen.samples == samples, "seed {seed}: samples lost or doubled before {upto}");
        assert!(seen.events == events, "seed {seed}: events lost or doubled before {upto}");
    }

    /// One thread pushes, one flushes (some flushes fail and are tried again), two query.
    fn check_threads(seed: u64) {
        const N_ENTRIES: u64 = 1_500;
        let (buffer, tables) = (Buffer::default(), Mutex::new(Tables::default()));
        let (told, done) = (AtomicU64::new(0), AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for lsn in 1..=N_ENTRIES {
                    buffer.push(lsn, &entry(lsn), lsn as i64);
                    told.store(lsn, Ordering::Release);
                }
                done.store(true, Ordering::Release);
            });
            scope.spawn(|| {
                let mut random = Random(seed);
                while !done.load(Ordering::Acquire) {
                    let Some(sealed) = buffer.seal(TenantId::FIRST) else { continue };
                    if random.below(4) > 0 {
                        tables.lock().expect("no test panics while holding it").commit(&sealed);
                        buffer.release(TenantId::FIRST, sealed.last_lsn);
                    }
                    (0..random.below(300)).for_each(|_| std::thread::yield_now());
                }
            });
            for _ in 0..2 {
                scope.spawn(|| {
                    while !done.load(Ordering::Acquire) {
                        check_query(&buffer, &tables, told.load(Ordering::Acquire), seed);
                    }
                });
            }
        });
        check_query(&buffer, &tables, N_ENTRIES, seed);
        let n_flushed = tables.lock().expect("no test panics while holding it").last_lsn as u64;
        let first_lsn = (n_flushed < N_ENTRIES).then_some(n_flushed + 1);
        assert_eq!(buffer.first_lsn(), first_lsn, "seed {seed}");
        let oldest_us = buffer.oldest_us(TenantId::FIRST);
        assert_eq!(oldest_us.is_some(), first_lsn.is_some(), "seed {seed}");
    }

    #[test]
    fn threads_lose_and_double_nothing() {
        (1..=8).for_each(check_threads);
    }

    #[test]
    fn tenants_do_not_see_each_other() {
        let buffer = Buffer::default();
        let mut rows = Rows { tenant: TenantId(1), ..Rows::default() };
        rows.events.push(Event {
            time_us: 5,
            kind: signal::EventKind::Note,
            asset: None,
            signal: None,
            body: "oil changed".to_owned(),
        });
        buffer.push(1, &rows, 10);
        assert_eq!(buffer.snapshot(TenantId(1)).events.len(), 1);
        assert_eq!(buffer.snapshot(TenantId(2)).events.len(), 0);
        assert_eq!((buffer.rows(TenantId(1)), buffer.oldest_us(TenantId(1))), (1, Some(10)));
    }
}
