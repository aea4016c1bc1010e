//! CSV and Parquet as rows of text.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;

use super::mapping::Mapping;

/// Rows of a file as text, whatever its format.
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    rows: Box<dyn Iterator<Item = anyhow::Result<Vec<String>>>>,
    /// Bytes that were read so far, where the format tells.
    pub(crate) read_bytes: Option<Arc<AtomicU64>>,
}

impl Iterator for Table {
    type Item = anyhow::Result<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

/// Counts what is read through it.
struct Counting {
    file: File,
    bytes: Arc<AtomicU64>,
}

impl Read for Counting {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n_bytes = self.file.read(buffer)?;
        self.bytes.fetch_add(n_bytes as u64, Ordering::Relaxed);
        Ok(n_bytes)
    }
}

/// Whether a file is Parquet, by its name.
pub(crate) fn is_parquet(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// Opens a file; its rows come as text in the order of `header`.
pub(crate) fn open(file: &Path, mapping: &Mapping) -> anyhow::Result<Table> {
    if is_parquet(file) {
        let (header, rows) = lake::read_parquet(file)?;
        let rows = Box::new(rows.map(|row| row.map_err(Into::into)));
        return Ok(Table { header, rows, read_bytes: None });
    }
    let delimiter = mapping.delimiter.bytes().next().unwrap_or(b',');
    let handle = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let bytes = Arc::new(AtomicU64::new(0));
    let handle = Counting { file: handle, bytes: bytes.clone() };
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(handle);
    let header = reader
        .headers()
        .with_context(|| format!("cannot read the header of {}", file.display()))?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    let name = file.display().to_string();
    let rows = reader.into_records().map(move |record| {
        let record = record.with_context(|| format!("{name}: a row cannot be read"))?;
        Ok(record.iter().map(str::to_owned).collect())
    });
    Ok(Table { header, rows: Box::new(rows), read_bytes: Some(bytes) })
}
