//! What the rest of the house asks of the tables, as plain values.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Int32Type, Int64Type, TimeUnit};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::errors::ParquetError;
use signal::{AssetId, Event, EventKind, Flag, Quality, Sample, SignalId, TimeRange};

use crate::calendar::{day_name, partition_of};
use crate::samples_file::Row;
use crate::scan::{self, Day, Moment, Room, each, ids};
use crate::tenant::Tenant;
use crate::{Error, query};

/// Days that are read before looking whether there are enough samples.
const DAYS_AT_ONCE: usize = 8;
/// How far before a range a state is looked for.
const LOOK_BACK_US: i64 = 2 * signal::DAY_US;
/// Most states that are told at once.
const MAX_SPANS: usize = 100_000;

/// Which events are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct EventFilter {
    /// Only of this asset.
    pub asset: Option<AssetId>,
    /// Only of this signal.
    pub signal: Option<SignalId>,
    /// Only of this kind.
    pub kind: Option<EventKind>,
    /// Only in this time.
    pub range: TimeRange,
    /// At most so many, the newest.
    pub limit: usize,
}

/// A state that lasted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// When it began, or the start of the range.
    pub from_us: i64,
    /// When the next one began, or the end of the range.
    pub to_us: i64,
    /// Its number.
    pub code: f64,
}

/// Verdicts of the cleaning step on one signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QualityRow {
    /// The signal.
    pub signal: SignalId,
    /// All samples.
    pub total: u64,
    /// Of uncertain quality.
    pub uncertain: u64,
    /// Of bad quality.
    pub bad: u64,
    /// Per reason, in the order of [`Flag::ALL`].
    pub by_flag: [u64; Flag::ALL.len()],
}

/// A table that a query can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableInfo {
    /// Its name.
    pub name: String,
    /// Name, type and meaning of its columns.
    pub columns: Vec<(String, String, String)>,
}

/// `AND time >= … AND time < … AND day …`, so that days outside are not even opened.
fn in_range(range: TimeRange) -> String {
    let (first, last) =
        (partition_of(range.start_us), partition_of(range.end_us.saturating_sub(1)));
    format!(
        "time >= to_timestamp_micros({}) AND time < to_timestamp_micros({}) \
         AND day >= DATE '{}' AND day <= DATE '{}'",
        range.start_us,
        range.end_us,
        day_name(first),
        day_name(last)
    )
}

fn longs(batch: &RecordBatch, column: usize) -> Result<Vec<i64>, Error> {
    let column = batch.column(column);
    let kind = match column.data_type() {
        // A cast from seconds or nanoseconds would not be in µs.
        DataType::Timestamp(_, zone) => DataType::Timestamp(TimeUnit::Microsecond, zone.clone()),
        _ => DataType::Int64,
    };
    let column = converted(column, &kind)?;
    let column = converted(&column, &DataType::Int64)?;
    let column = column.as_primitive::<Int64Type>();
    Ok((0..column.len())
        .map(|row| if column.is_null(row) { 0 } else { column.value(row) })
        .collect())
}

fn optional_ids(batch: &RecordBatch, column: usize) -> Result<Vec<Option<u32>>, Error> {
    let column = converted(batch.column(column), &DataType::Int32)?;
    Ok(column.as_primitive::<Int32Type>().iter().map(|id| id.map(|id| id as u32)).collect())
}

fn texts(batch: &RecordBatch, column: usize) -> Result<Vec<String>, Error> {
    let column = converted(batch.column(column), &DataType::Utf8)?;
    Ok(column.as_string::<i32>().iter().map(|text| text.unwrap_or_default().to_owned()).collect())
}

fn converted(column: &ArrayRef, kind: &DataType) -> Result<ArrayRef, Error> {
    cast(column, kind).map_err(|error| Error::table("read a result column", error))
}

pub(crate) async fn samples(
    tenant: &Arc<Tenant>,
    signals: &[SignalId],
    range: TimeRange,
    limit: usize,
) -> Result<Vec<Sample>, Error> {
    let moment = Moment::of(tenant).await?;
    let mut samples = Vec::new();
    // Some days at a time, until there are enough.
    let mut days = moment.days(tenant, &ids(signals), range).into_iter();
    while samples.len() < limit {
        let next: Vec<Day> = days.by_ref().take(DAYS_AT_ONCE).collect();
        if next.is_empty() {
            break;
        }
        let mut rows: Vec<Row> = each(tenant, next, |day| day.rows(&Room::unlimited()))
            .await?
            .into_iter()
            .flatten()
            .collect();
        rows.sort_by_key(|row| (row.time_us, row.signal));
        samples.extend(rows.iter().map(sample_of));
    }
    samples.truncate(limit);
    Ok(samples)
}

fn sample_of(row: &Row) -> Sample {
    Sample {
        signal: SignalId(row.signal as u32),
        time_us: row.time_us,
        value: row.value,
        quality: Quality(row.quality as u32),
    }
}

pub(crate) async fn states(
    tenant: &Arc<Tenant>,
    signal: SignalId,
    range: TimeRange,
) -> Result<Vec<Span>, Error> {
    // The value before the range says how the range begins.
    let wanted = TimeRange { start_us: range.start_us.saturating_sub(LOOK_BACK_US), ..range };
    let days = Moment::of(tenant).await?.days(tenant, &ids(&[signal]), wanted);
    let mut spans: Vec<Span> = Vec::new();
    for row in each(tenant, days, Day::changes).await?.into_iter().flatten() {
        let from_us = row.time_us.max(range.start_us);
        if let Some(last) = spans.last_mut() {
            if last.code == row.value {
                continue;
            }
            last.to_us = from_us;
        }
        spans.push(Span { from_us, to_us: range.end_us, code: row.value });
    }
    spans.retain(|span| span.to_us > span.from_us);
    spans.truncate(MAX_SPANS);
    Ok(spans)
}

pub(crate) async fn last_values(tenant: &Arc<Tenant>) -> Result<Vec<Sample>, Error> {
    let moment = Moment::of(tenant).await?;
    Ok(scan::newest(tenant, &moment).await?.iter().map(sample_of).collect())
}

pub(crate) async fn extent(tenant: &Arc<Tenant>) -> Result<Option<TimeRange>, Error> {
    let moment = Moment::of(tenant).await?;
    let extent = scan::extent(tenant, &moment).await?;
    Ok(extent.map(|(first, last)| TimeRange { start_us: first, end_us: last.saturating_add(1) }))
}

pub(crate) async fn events(tenant: &Arc<Tenant>, filter: EventFilter) -> Result<Vec<Event>, Error> {
    let mut query = format!(
        "SELECT time, kind, asset, signal, body FROM events WHERE {}",
        in_range(filter.range)
    );
    if let Some(asset) = filter.asset {
        query.push_str(&format!(" AND asset = {asset}"));
    }
    if let Some(signal) = filter.signal {
        query.push_str(&format!(" AND signal = {signal}"));
    }
    if let Some(kind) = filter.kind {
        query.push_str(&format!(" AND kind = '{}'", kind.name()));
    }
    query.push_str(&format!(" ORDER BY time DESC LIMIT {}", filter.limit));
    let mut events = Vec::new();
    for batch in query::ours(tenant, query).await? {
        let (times_us, kinds) = (longs(&batch, 0)?, texts(&batch, 1)?);
        let (assets, signals, bodies) =
            (optional_ids(&batch, 2)?, optional_ids(&batch, 3)?, texts(&batch, 4)?);
        for (row, body) in bodies.into_iter().enumerate() {
            events.push(Event {
                time_us: times_us[row],
                kind: kind_of(&kinds[row]),
                asset: assets[row].map(AssetId),
                signal: signals[row].map(SignalId),
                body,
            });
        }
    }
    Ok(events)
}

fn kind_of(name: &str) -> EventKind {
    let kinds = [EventKind::Text, EventKind::Alarm, EventKind::Source, EventKind::Note];
    kinds.into_iter().find(|kind| kind.name() == name).unwrap_or(EventKind::Note)
}

pub(crate) async fn quality(
    tenant: &Arc<Tenant>,
    range: TimeRange,
) -> Result<Vec<QualityRow>, Error> {
    // Few combinations of flags exist, so the flags are taken apart here and not in the engine.
    let query = format!(
        "SELECT signal, quality, count(*) FROM samples WHERE {} GROUP BY signal, quality",
        in_range(range)
    );
    let mut rows: BTreeMap<SignalId, QualityRow> = BTreeMap::new();
    for batch in query::ours(tenant, query).await? {
        let (signals, qualities, counts) =
            (longs(&batch, 0)?, longs(&batch, 1)?, longs(&batch, 2)?);
        for row in 0..batch.num_rows() {
            let signal = SignalId(signals[row] as u32);
            let quality = Quality(qualities[row] as u32);
            let count = counts[row] as u64;
            let sum = rows.entry(signal).or_insert(QualityRow {
                signal,
                total: 0,
                uncertain: 0,
                bad: 0,
                by_flag: [0; Flag::ALL.len()],
            });
            sum.total += count;
            sum.uncertain += if quality.is_uncertain() { count } else { 0 };
            sum.bad += if quality.is_bad() { count } else { 0 };
            for (slot, flag) in sum.by_flag.iter_mut().zip(Flag::ALL) {
                *slot += if quality.has(flag) { count } else { 0 };
            }
        }
    }
    Ok(rows.into_values().collect())
}

pub(crate) async fn tables(tenant: &Arc<Tenant>) -> Vec<TableInfo> {
    let Ok(ctx) = query::session(tenant).await else { return Vec::new() };
    let mut tables = Vec::new();
    for name in ["samples", "readings", "latest", "events", "signals", "assets"] {
        let Ok(provider) = ctx.table_provider(name).await else { continue };
        let schema = provider.schema();
        let column = |field: &Arc<arrow::datatypes::Field>| {
            (field.name().clone(), field.data_type().to_string(), comment(field.name()).to_owned())
        };
        tables.push(TableInfo {
            name: name.to_owned(),
            columns: schema.fields().iter().map(column).collect(),
        });
    }
    tables
}

fn comment(column: &str) -> &'static str {
    match column {
        "time" => "when it was measured, UTC",
        "value" => "in the signal's unit; the number of the state for state signals",
        "quality" => {
            "OPC UA status code and our flags; 0 is good, see is_good() and quality_flags()"
        }
        "signal" => "signals.id",
        "asset" => "assets.id",
        "day" => "day of the time, UTC; a condition on it makes queries faster",
        "kind" => {
            "of a signal: gauge, counter, state, set_point, text; of an event: text, alarm, source, note"
        }
        "body" => "text, or JSON for alarms",
        "unit" => "UCUM code",
        "path" => "full name",
        "asset_path" => "full name of the asset",
        "normal_low" | "normal_high" => "edge of the normal band",
        _ => "",
    }
}

/// A row of a file as text.
type TextRow = Result<Vec<String>, Error>;

/// Names and rows of a Parquet file, every value as text and a missing one as empty text.
///
/// # Errors
/// When the file cannot be read.
pub fn read_parquet(
    path: &Path,
) -> Result<(Vec<String>, impl Iterator<Item = TextRow> + 'static), Error> {
    let doing = format!("read {}", path.display());
    let failed = |error: ParquetError| Error::table(doing.clone(), error);
    let file = File::open(path).map_err(|error| Error::table(doing.clone(), error))?;
    let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(failed)?;
    let header = builder.schema().fields().iter().map(|field| field.name().clone()).collect();
    let reader = builder.build().map_err(failed)?;
    let rows = reader.flat_map(move |batch| {
        let batch = batch.map_err(|error| Error::table(doing.clone(), error));
        match batch.and_then(|batch| text_rows(&batch)) {
            Ok(rows) => rows.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        }
    });
    Ok((header, rows))
}

fn text_rows(batch: &RecordBatch) -> Result<Vec<Vec<String>>, Error> {
    let mut rows = vec![Vec::with_capacity(batch.num_columns()); batch.num_rows()];
    for column in 0..batch.num_columns() {
        for (row, text) in rows.iter_mut().zip(texts(batch, column)?) {
            row.push(text);
        }
    }
    Ok(rows)
}
