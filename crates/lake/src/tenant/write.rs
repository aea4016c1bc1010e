//! Rows of the buffer as data files, and what the two tables look like.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, Date32Array, RecordBatch, UInt32Array};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use deltalake::kernel::{Add, DataType as DeltaType, PrimitiveType, StructField};
use signal::Flag;

use super::{Place, View};
use crate::Error;
use crate::calendar::partition_of;
use crate::data_file::DataFileWriter;
use crate::rollup::Rollup;
use crate::samples_file::{BATCH_ROWS, Row, batch_of, rows_of, settle};
use crate::table::Definition;

/// Files that wait for their commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) n_rows: usize,
    pub(crate) adds: Vec<Add>,
    pub(crate) mixed_days: BTreeSet<i32>,
}

/// Leaves out what the table already holds: a flush that was interrupted between its commits.
pub(super) fn newer_than(batches: Vec<RecordBatch>, lsn: u64) -> Result<Vec<RecordBatch>, Error> {
    batches
        .into_iter()
        .map(|batch| rows_after(&batch, lsn))
        .filter(|batch| !is_empty(batch))
        .collect()
}

fn is_empty(batch: &Result<RecordBatch, Error>) -> bool {
    batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0)
}

/// The rows of a buffer chunk that lie after a log position.
pub(crate) fn rows_after(batch: &RecordBatch, lsn: u64) -> Result<RecordBatch, Error> {
    let lsns = batch.column(batch.num_columns() - 1).as_primitive::<Int64Type>();
    let lsn = lsn as i64;
    if lsns.values().iter().all(|other| *other > lsn) {
        return Ok(batch.clone());
    }
    let keep: BooleanArray = lsns.values().iter().map(|other| Some(*other > lsn)).collect();
    filter_record_batch(batch, &keep).map_err(|error| Error::table("select buffered rows", error))
}

/// Days of samples that the cleaning step called late or replaced: there may be another row of the same time.
pub(crate) fn mixed_days(batches: &[RecordBatch]) -> BTreeSet<i32> {
    let rows = batches.iter().flat_map(rows_of);
    rows.filter(may_replace).map(|row| partition_of(row.time_us)).collect()
}

/// Whether the cleaning step saw a row of the same or a later time before this one.
pub(crate) fn may_replace(row: &Row) -> bool {
    row.quality & (Flag::Late as i32 | Flag::Replaced as i32) != 0
}

pub(super) fn write_samples(
    place: &Place,
    view: &View,
    batches: &[RecordBatch],
) -> io::Result<Written> {
    let mut rows: Vec<Row> = batches.iter().flat_map(rows_of).collect();
    let n_rows = rows.len();
    settle(&mut rows);
    let mut by_day: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_day.entry(partition_of(row.time_us)).or_default().push(row);
    }
    let mut written = Written { n_rows, ..Written::default() };
    for (day, rows) in by_day {
        if is_doubled(place, view, day, &rows) {
            written.mixed_days.insert(day);
        }
        let schema = wal::samples_schema();
        let mut file = DataFileWriter::create(&place.table, place.rollups.as_deref(), day, schema)?;
        for rows in rows.chunks(BATCH_ROWS) {
            file.write(&batch_of(rows))?;
        }
        written.adds.push(file.finish()?);
    }
    Ok(written)
}

/// Whether a day's files may hold a row at the place of one of `rows` (sorted).
fn is_doubled(place: &Place, view: &View, day: i32, rows: &[Row]) -> bool {
    let late: Vec<&Row> = rows.iter().filter(|row| may_replace(row)).collect();
    let (Some(table), false) = (&view.samples, late.is_empty()) else { return false };
    let mut files = table.files.iter().filter(|file| file.day == day);
    files.any(|file| {
        let rollup = place.rollup_of(&file.path).map(|path| Rollup::open(&path));
        // Without a roll-up it could.
        let Some(Ok(rollup)) = rollup else { return true };
        late.iter().any(|row| {
            rollup
                .entry(row.signal)
                .is_some_and(|entry| (entry.first_us..=entry.last.time_us).contains(&row.time_us))
        })
    })
}

pub(super) fn write_events(place: &Place, batches: &[RecordBatch]) -> io::Result<Written> {
    let mut written = Written::default();
    let Some(all) = sorted_events(batches)? else { return Ok(written) };
    written.n_rows = all.num_rows();
    let times_us = all.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let mut start = 0;
    for of_day in times_us.chunk_by(|a, b| partition_of(*a) == partition_of(*b)) {
        let day = partition_of(of_day[0]);
        let mut file = DataFileWriter::create(&place.table, None, day, all.schema())?;
        file.write(&all.slice(start, of_day.len()))?;
        written.adds.push(file.finish()?);
        start += of_day.len();
    }
    Ok(written)
}

/// One batch in the order of time; none when there is no row.
pub(crate) fn sorted_events(batches: &[RecordBatch]) -> io::Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), batches).map_err(io::Error::other)?;
    let times_us = all.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    order.sort_by_key(|row| times_us[*row as usize]);
    take_record_batch(&all, &UInt32Array::from(order)).map(Some).map_err(io::Error::other)
}

/// Adds the partition column.
pub(crate) fn with_day(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let times = batch
        .column_by_name("time")
        .expect("both tables have a time")
        .as_primitive::<TimestampMicrosecondType>();
    let days = times.values().iter().map(|time_us| partition_of(*time_us));
    let mut fields: Vec<Field> =
        batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("day", DataType::Date32, false));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Date32Array::from_iter_values(days)));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::table("add the day to rows", error))
}

fn field(name: &str, kind: PrimitiveType, nullable: bool) -> StructField {
    StructField::new(name.to_owned(), DeltaType::Primitive(kind), nullable)
}

pub(super) fn samples_definition() -> Definition {
    Definition {
        name: "samples",
        columns: vec![
            field("signal", PrimitiveType::Integer, false),
            field("time", PrimitiveType::Timestamp, false),
            field("value", PrimitiveType::Double, false),
            field("quality", PrimitiveType::Integer, false),
            field("lsn", PrimitiveType::Long, false),
            field("day", PrimitiveType::Date, false),
        ],
    }
}

pub(super) fn events_definition() -> Definition {
    Definition {
        name: "events",
        columns: vec![
            field("time", PrimitiveType::Timestamp, false),
            field("kind", PrimitiveType::String, false),
            field("asset", PrimitiveType::Integer, true),
            field("signal", PrimitiveType::Integer, true),
            field("body", PrimitiveType::String, false),
            field("lsn", PrimitiveType::Long, false),
            field("day", PrimitiveType::Date, false),
        ],
    }
}
