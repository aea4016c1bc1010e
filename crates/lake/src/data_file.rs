//! Writes one Parquet file of a day and says what Delta must know about it.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use arrow::array::{AsArray, RecordBatch};
use arrow::compute::{max, min};
use arrow::datatypes::{DataType, Int32Type, Int64Type, SchemaRef, TimestampMicrosecondType};
use deltalake::kernel::Add;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use serde_json::{Value, json};

use crate::calendar::{day_name, iso};
use crate::rollup;
use crate::samples_file::rows_of;

/// Small enough that statistics skip most of a day for one signal, large enough to compress.
const ROW_GROUP_ROWS: usize = 256 * 1024;
/// Rows of a page; the least that is decoded for one sample.
const PAGE_ROWS: usize = 16 * 1024;

static N_FILES: AtomicU64 = AtomicU64::new(0);

/// One file that is being written. Rows must come in the order of the table.
pub(crate) struct DataFileWriter {
    writer: ArrowWriter<File>,
    rollup: Option<rollup::Writer>,
    table: PathBuf,
    /// Below the folder of the table.
    path: String,
    day: i32,
    n_rows: u64,
    ranges: BTreeMap<String, (i64, i64)>,
    schema: SchemaRef,
}

impl DataFileWriter {
    /// A file in the table's folder; the roll-up goes to `rollups`, if the rows are samples.
    pub(crate) fn create(
        table: &Path,
        rollups: Option<&Path>,
        day: i32,
        schema: SchemaRef,
    ) -> io::Result<DataFileWriter> {
        let folder = format!("day={}", day_name(day));
        fs::create_dir_all(table.join(&folder))?;
        let name = unused_name();
        let rollup = match rollups {
            Some(rollups) => {
                fs::create_dir_all(rollups)?;
                Some(rollup::Writer::create(&rollups.join(&name).with_extension("roll"))?)
            }
            None => None,
        };
        let path = format!("{folder}/{name}");
        let file = File::create_new(table.join(&path))?;
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties()))
            .map_err(io::Error::other)?;
        Ok(DataFileWriter {
            writer,
            rollup,
            table: table.to_owned(),
            path,
            day,
            n_rows: 0,
            ranges: BTreeMap::new(),
            schema,
        })
    }

    /// Appends rows.
    pub(crate) fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        self.n_rows += batch.num_rows() as u64;
        for (field, column) in self.schema.fields().iter().zip(batch.columns()) {
            let range = match field.data_type() {
                DataType::Int32 => {
                    let column = column.as_primitive::<Int32Type>();
                    min(column).zip(max(column)).map(|(low, high)| (low.into(), high.into()))
                }
                DataType::Int64 => {
                    let column = column.as_primitive::<Int64Type>();
                    min(column).zip(max(column))
                }
                DataType::Timestamp(..) => {
                    let column = column.as_primitive::<TimestampMicrosecondType>();
                    min(column).zip(max(column))
                }
                _ => None,
            };
            if let Some((low, high)) = range {
                let known = self.ranges.entry(field.name().clone()).or_insert((low, high));
                *known = (known.0.min(low), known.1.max(high));
            }
        }
        if let Some(rollup) = &mut self.rollup {
            for row in rows_of(batch) {
                rollup.push(row)?;
            }
        }
        self.writer.write(batch).map_err(io::Error::other)
    }

    /// Makes the file durable; what a commit must say to add it.
    pub(crate) fn finish(self) -> io::Result<Add> {
        let stats = self.stats().to_string();
        let file = self.writer.into_inner().map_err(io::Error::other)?;
        file.sync_all()?;
        let size = file.metadata()?.len() as i64;
        let full_path = self.table.join(&self.path);
        for folder in full_path.ancestors().skip(1).take(2) {
            File::open(folder)?.sync_all()?;
        }
        if let Some(rollup) = self.rollup {
            rollup.finish()?;
        }
        Ok(Add {
            path: self.path,
            partition_values: HashMap::from([("day".to_owned(), Some(day_name(self.day)))]),
            size,
            modification_time: now_us() / 1000,
            data_change: true,
            stats: Some(stats),
            ..Add::default()
        })
    }

    /// Delta's statistics of a file (Delta protocol, "Per-file statistics").
    fn stats(&self) -> Value {
        let (mut lowest, mut highest) = (serde_json::Map::new(), serde_json::Map::new());
        for field in self.schema.fields() {
            let Some(&(low, high)) = self.ranges.get(field.name()) else { continue };
            if !matches!(field.data_type(), DataType::Timestamp(..)) {
                lowest.insert(field.name().clone(), low.into());
                highest.insert(field.name().clone(), high.into());
            } else if let (Some(low), Some(high)) = (iso(low), iso(high)) {
                lowest.insert(field.name().clone(), low.into());
                highest.insert(field.name().clone(), high.into());
            }
        }
        json!({ "numRecords": self.n_rows, "minValues": lowest, "maxValues": highest })
    }
}

fn properties() -> WriterProperties {
    let level = ZstdLevel::try_new(3).expect("3 is a level");
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(level))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_data_page_row_count_limit(PAGE_ROWS)
        .set_write_batch_size(PAGE_ROWS)
        .set_created_by("fettler".to_owned())
        // Sorted by signal and time, so most steps are the same and most positions near each other.
        .set_column_dictionary_enabled(ColumnPath::from("time"), false)
        .set_column_encoding(ColumnPath::from("time"), Encoding::DELTA_BINARY_PACKED)
        .set_column_dictionary_enabled(ColumnPath::from("lsn"), false)
        .set_column_encoding(ColumnPath::from("lsn"), Encoding::DELTA_BINARY_PACKED)
        .build()
}

/// A name that no other file has: microseconds since 1970, process, count.
fn unused_name() -> String {
    let count = N_FILES.fetch_add(1, Ordering::Relaxed);
    format!("part-{:x}-{:x}-{count:x}.parquet", now_us(), std::process::id())
}

pub(crate) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
