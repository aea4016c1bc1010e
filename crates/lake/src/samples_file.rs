//! One Parquet file of samples: sorted by signal and time, so that one signal is a few pages of it.

use std::fs::File;
use std::io;
use std::path::Path;

use arrow::array::{
    ArrayRef, AsArray, Float64Array, Int32Array, Int64Array, RecordBatch, TimestampMicrosecondArray,
};
use arrow::datatypes::{Float64Type, Int32Type, Int64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder, RowSelection, RowSelector,
};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaData};
use parquet::file::page_index::column_index::ColumnIndexMetaData;
use signal::TimeRange;

const SIGNAL: usize = 0;
const TIME: usize = 1;
/// Rows that are decoded and encoded at once.
pub(crate) const BATCH_ROWS: usize = 16 * 1024;

/// One row of `samples` as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) signal: i32,
    pub(crate) time_us: i64,
    pub(crate) value: f64,
    /// The bits of a [`signal::Quality`].
    pub(crate) quality: i32,
    pub(crate) lsn: i64,
}

impl Row {
    /// Order of the rows in a file; of two at the same place the newer one counts.
    pub(crate) fn place(&self) -> (i32, i64) {
        (self.signal, self.time_us)
    }
}

/// Keeps of each (signal, time) the row that was stored last; `rows` may have any order and come back sorted.
pub(crate) fn settle(rows: &mut Vec<Row>) {
    // Mostly a few sorted runs, which the stable sort merges in one pass.
    rows.sort_by_key(|row| (row.signal, row.time_us, row.lsn));
    let mut write = 0;
    for read in 0..rows.len() {
        if write > 0 && rows[write - 1].place() == rows[read].place() {
            rows[write - 1] = rows[read];
        } else {
            rows[write] = rows[read];
            write += 1;
        }
    }
    rows.truncate(write);
}

/// The rows of a batch with the columns of [`wal::samples_schema`] first.
pub(crate) fn rows_of(batch: &RecordBatch) -> impl Iterator<Item = Row> + '_ {
    let signals = batch.column(0).as_primitive::<Int32Type>().values();
    let times_us = batch.column(1).as_primitive::<TimestampMicrosecondType>().values();
    let values = batch.column(2).as_primitive::<Float64Type>().values();
    let qualities = batch.column(3).as_primitive::<Int32Type>().values();
    let lsns = batch.column(4).as_primitive::<Int64Type>().values();
    (0..batch.num_rows()).map(move |idx| Row {
        signal: signals[idx],
        time_us: times_us[idx],
        value: values[idx],
        quality: qualities[idx],
        lsn: lsns[idx],
    })
}

/// Rows as a batch with [`wal::samples_schema`].
pub(crate) fn batch_of(rows: &[Row]) -> RecordBatch {
    let columns: Vec<ArrayRef> = vec![
        std::sync::Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.signal))),
        std::sync::Arc::new(
            TimestampMicrosecondArray::from_iter_values(rows.iter().map(|row| row.time_us))
                .with_timezone("UTC"),
        ),
        std::sync::Arc::new(Float64Array::from_iter_values(rows.iter().map(|row| row.value))),
        std::sync::Arc::new(Int32Array::from_iter_values(rows.iter().map(|row| row.quality))),
        std::sync::Arc::new(Int64Array::from_iter_values(rows.iter().map(|row| row.lsn))),
    ];
    RecordBatch::try_new(wal::samples_schema(), columns).expect("columns follow the schema")
}

/// Calls `each` for the rows of `signals` (sorted) in `range`, by signal and time, until it returns false.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read(
    path: &Path,
    signals: &[i32],
    range: TimeRange,
    mut each: impl FnMut(Row) -> bool,
) -> io::Result<()> {
    let metadata = load(path)?;
    let (row_groups, selection) = select(metadata.metadata(), signals, range);
    if row_groups.is_empty() {
        return Ok(());
    }
    let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(File::open(path)?, metadata)
        .with_row_groups(row_groups)
        .with_row_selection(selection);
    let reader = builder.with_batch_size(BATCH_ROWS).build().map_err(io::Error::other)?;
    for batch in reader {
        let batch = batch.map_err(io::Error::other)?;
        for row in rows_of(&batch) {
            let is_wanted = signals.binary_search(&row.signal).is_ok();
            let is_in_range = row.time_us >= range.start_us && row.time_us < range.end_us;
            if is_wanted && is_in_range && !each(row) {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Every row of a file, batch by batch, in its order.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn read_all(path: &Path) -> io::Result<ParquetRecordBatchReader> {
    let builder =
        ParquetRecordBatchReaderBuilder::try_new(File::open(path)?).map_err(io::Error::other)?;
    builder.with_batch_size(BATCH_ROWS).build().map_err(io::Error::other)
}

/// First and last time in a file, from its footer; none when it holds no row or no statistics.
///
/// # Errors
/// When the file cannot be read.
pub(crate) fn extent(path: &Path) -> io::Result<Option<(i64, i64)>> {
    let metadata = load(path)?;
    let mut extent: Option<(i64, i64)> = None;
    for group in metadata.metadata().row_groups() {
        use parquet::file::statistics::Statistics;
        let Some(Statistics::Int64(times)) = group.column(TIME).statistics() else { continue };
        let (Some(first), Some(last)) = (times.min_opt(), times.max_opt()) else { continue };
        extent =
            Some(extent.map_or((*first, *last), |(from, to)| (from.min(*first), to.max(*last))));
    }
    Ok(extent)
}

fn load(path: &Path) -> io::Result<ArrowReaderMetadata> {
    let options = ArrowReaderOptions::new().with_page_index_policy(PageIndexPolicy::Optional);
    ArrowReaderMetadata::load(&File::open(path)?, options).map_err(io::Error::other)
}

/// Row groups, and rows in them, that may hold what is wanted.
fn select(
    metadata: &ParquetMetaData,
    signals: &[i32],
    range: TimeRange,
) -> (Vec<usize>, RowSelection) {
    let mut row_groups = Vec::new();
    let mut selectors = Vec::new();
    for (idx, group) in metadata.row_groups().iter().enumerate() {
        let n_rows = group.num_rows() as usize;
        let pages = pages(metadata, idx, n_rows, signals, range);
        if pages.iter().all(|page| page.skip) {
            continue;
        }
        row_groups.push(idx);
        selectors.extend(pages);
    }
    (row_groups, RowSelection::from(selectors))
}

/// Which rows of a row group to read, by the smallest and largest signal and time of its pages.
fn pages(
    metadata: &ParquetMetaData,
    group: usize,
    n_rows: usize,
    signals: &[i32],
    range: TimeRange,
) -> Vec<RowSelector> {
    let everything = vec![RowSelector::select(n_rows)];
    let (Some(columns), Some(offsets)) = (metadata.column_index(), metadata.offset_index()) else {
        return everything;
    };
    let (ColumnIndexMetaData::INT32(of_signals), ColumnIndexMetaData::INT64(of_times)) =
        (&columns[group][SIGNAL], &columns[group][TIME])
    else {
        return everything;
    };
    let by_signal = page_rows(offsets[group][SIGNAL].page_locations(), n_rows, |page| {
        let (min, max) = (of_signals.min_values()[page], of_signals.max_values()[page]);
        let next = signals.partition_point(|signal| *signal < min);
        signals.get(next).is_some_and(|signal| *signal <= max)
    });
    let by_time = page_rows(offsets[group][TIME].page_locations(), n_rows, |page| {
        let (min, max) = (of_times.min_values()[page], of_times.max_values()[page]);
        min < range.end_us && max >= range.start_us
    });
    let both = RowSelection::from(by_signal).intersection(&RowSelection::from(by_time));
    let mut selectors: Vec<RowSelector> = both.into();
    // The next row group's selectors follow, so these must cover the whole group.
    let covered: usize = selectors.iter().map(|selector| selector.row_count).sum();
    selectors.push(RowSelector::skip(n_rows - covered));
    selectors
}

fn page_rows(
    locations: &[parquet::file::page_index::offset_index::PageLocation],
    n_rows: usize,
    is_wanted: impl Fn(usize) -> bool,
) -> Vec<RowSelector> {
    let mut selectors = Vec::with_capacity(locations.len());
    for (page, location) in locations.iter().enumerate() {
        let end = locations.get(page + 1).map_or(n_rows, |next| next.first_row_index as usize);
        let len = end - location.first_row_index as usize;
        selectors.push(if is_wanted(page) {
            RowSelector::select(len)
        } else {
            RowSelector::skip(len)
        });
    }
    selectors
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn of_rows_at_one_place_the_newest_stays(places in prop::collection::vec((0i32..3, 0i64..5), 0..60)) {
            let mut rows: Vec<Row> = places
                .iter()
                .enumerate()
                .map(|(lsn, &(signal, time_us))| Row { signal, time_us, value: lsn as f64, quality: 0, lsn: lsn as i64 })
                .collect();
            let mut expected = std::collections::BTreeMap::new();
            for row in &rows {
                expected.insert(row.place(), row.value);
            }
            rows.reverse();
            settle(&mut rows);
            let settled: Vec<_> = rows.iter().map(|row| (row.place(), row.value)).collect();
            prop_assert_eq!(settled, expected.into_iter().collect::<Vec<_>>());
        }
    }
}
