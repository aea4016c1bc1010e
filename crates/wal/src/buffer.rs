//! Rows that are durable but not yet in the lake, as Arrow, queryable the moment they are pushed.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow::array::{
    ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
    TimestampMicrosecondArray,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};
use signal::{Event, Rows, TenantId};

/// A chunk is closed when it has so many rows.
const CHUNK_ROWS: usize = 128 * 1024;

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
    oldest_us: Option<i64>,
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
        shelf.oldest_us.get_or_insert(received_us);
        shelf.last_lsn = lsn;
        shelf.tail_view = None;
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
        shelf.oldest_us = shelf.first_lsn.and(shelf.oldest_us);
    }

    /// Tells the buffer that what is left of a tenant arrived at `received_us` or later.
    pub fn set_oldest(&self, tenant: TenantId, received_us: i64) {
        if let Some(shelf) = self.lock().get_mut(&tenant) {
            shelf.oldest_us = shelf.first_lsn.map(|_| received_us);
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
        self.lock().get(&tenant).and_then(|shelf| shelf.oldest_us)
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
        self.signals.extend(samples.signals().iter().map(|signal| signal.0 as i32));
        self.times_us.extend_from_slice(samples.times_us());
        self.values.extend_from_slice(samples.values());
        self.qualities.extend(samples.qualities().iter().map(|quality| quality.0 as i32));
        self.lsns.resize(self.lsns.len() + samples.len(), lsn as i64);
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
    use crate::testing::any_rows;
    use proptest::prelude::*;

    fn lsns(snapshot: &Snapshot) -> Vec<i64> {
        let mut lsns = Vec::new();
        for chunk in &snapshot.samples {
            let column = chunk.batch.column(4).as_any().downcast_ref::<Int64Array>().expect("lsn");
            assert_eq!(column.value(0) as u64, chunk.first_lsn);
            lsns.extend_from_slice(column.values());
        }
        lsns
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
