//! Keeps the tables small: merges files, drops replaced rows, old days and files that nobody needs.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;

use crate::Error;
use crate::calendar::{day_name, partition_of};
use crate::data_file::DataFileWriter;
use crate::rollup;
use crate::samples_file::{BATCH_ROWS, Row, batch_of, read_all, rows_of};
use crate::table::{DataFile, Table};
use crate::tenant::{Kind, Place, Tenant, sorted_events};

/// A day is merged when it has more small files than this.
const MAX_SMALL_FILES: usize = 4;
/// A file of so many rows is not merged again just because others came beside it.
const FULL_ROWS: usize = 8_000_000;
/// The newest day, which still grows, is merged as a whole for late samples only while it has fewer rows.
const CHEAP_ROWS: usize = 2_000_000;
/// Days merged in one pass; the rest waits for the next.
const DAYS_PER_PASS: usize = 10;
/// Roll-ups made in one pass for files that have none.
const ROLLUPS_PER_PASS: usize = 20;
/// Files that no commit names are left alone for so long: a merge may be about to commit them.
const KEEP_UNCOMMITTED: Duration = Duration::from_secs(3600);

impl Tenant {
    pub(crate) async fn compact(self: &Arc<Self>) -> Result<usize, Error> {
        let mut merged = 0;
        let mut failed = None;
        for kind in Kind::ALL {
            for (day, files) in self.days_to_merge(kind).await? {
                match self.merge_day(kind, day, files).await {
                    Ok(n_files) => merged += n_files,
                    // One bad file must not keep the other days from being merged.
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
            let view = self.view().await?;
            if let Some(table) = kind.of(&view) {
                let _alone = self.writing.lock().await;
                table.tidy_log().await?;
            }
        }
        self.make_missing_rollups().await?;
        failed.map_or(Ok(merged), Err)
    }

    pub(crate) async fn days_to_merge(
        &self,
        kind: Kind,
    ) -> Result<Vec<(i32, Vec<DataFile>)>, Error> {
        let view = self.view().await?;
        let Some(table) = kind.of(&view) else { return Ok(Vec::new()) };
        let mut by_day: BTreeMap<i32, Vec<DataFile>> = BTreeMap::new();
        for file in table.files.iter() {
            by_day.entry(file.day).or_default().push(file.clone());
        }
        let newest = by_day.keys().next_back().copied();
        let mut days = Vec::new();
        for (day, files) in by_day {
            let is_mixed = kind == Kind::Samples && view.mixed_days.contains(&day);
            let files = files_to_merge(files, is_mixed, Some(day) == newest);
            if !files.is_empty() {
                days.push((day, files));
            }
        }
        days.truncate(DAYS_PER_PASS);
        Ok(days)
    }

    /// Writes some files of a day as one, and swaps them in one commit.
    async fn merge_day(&self, kind: Kind, day: i32, old: Vec<DataFile>) -> Result<usize, Error> {
        let add = self.write_merged(kind, day, &old).await?;
        let paths: HashSet<String> = old.iter().map(|file| file.path.clone()).collect();

        let _alone = self.writing.lock().await;
        let mut view = self.view().await?;
        let Some(table) = kind.of(&view) else { return Ok(0) };
        let n_still_there = table.files.iter().filter(|file| paths.contains(&file.path)).count();
        if n_still_there != old.len() {
            // Deleted meanwhile; what was written is an orphan and will be vacuumed.
            return Ok(0);
        }
        let committed = table.replace(vec![add], &paths, &day_name(day)).await;
        let is_one_file = committed
            .as_ref()
            .is_ok_and(|table| table.files.iter().filter(|file| file.day == day).count() == 1);
        if kind == Kind::Samples && is_one_file && view.mixed_days.contains(&day) {
            let mut days = (*view.mixed_days).clone();
            days.remove(&day);
            // After the commit: the mark must outlive the doubled rows.
            self.write_mixed_days(&days)?;
            view.mixed_days = Arc::new(days);
        }
        self.settle_commit(kind, view, committed).await?;
        Ok(old.len())
    }

    pub(crate) async fn write_merged(
        &self,
        kind: Kind,
        day: i32,
        old: &[DataFile],
    ) -> Result<Add, Error> {
        let place = self.place(kind);
        let inputs: Vec<PathBuf> = old.iter().map(|file| place.table.join(&file.path)).collect();
        let merge = move || match kind {
            Kind::Samples => merge_samples(&place, day, &inputs),
            Kind::Events => merge_events(&place, day, &inputs),
        };
        let doing = format!("merge files of the table {}", kind.name());
        self.on_cpu(move || merge().map_err(|error| Error::table(doing, error))).await
    }

    /// Makes roll-ups that were lost, or never made because somebody else wrote the file.
    async fn make_missing_rollups(&self) -> Result<(), Error> {
        let view = self.view().await?;
        let Some(table) = view.samples else { return Ok(()) };
        let place = self.place(Kind::Samples);
        self.on_cpu(move || {
            let pairs = table.files.iter().filter_map(|file| {
                let rollup = place.rollup_of(&file.path)?;
                (!rollup.exists()).then(|| (place.table.join(&file.path), rollup))
            });
            for (data, rollup) in pairs.take(ROLLUPS_PER_PASS) {
                if let Err(error) = make_rollup(&data, &rollup) {
                    // It is read row by row instead.
                    tracing::debug!(file = %data.display(), %error, "no roll-up could be made");
                }
            }
            Ok(())
        })
        .await
    }

    pub(crate) async fn retain(&self, before_us: i64) -> Result<usize, Error> {
        let limit = partition_of(before_us);
        let _alone = self.writing.lock().await;
        let mut deleted = 0;
        for kind in Kind::ALL {
            let view = self.view().await?;
            let Some(table) = kind.of(&view) else { continue };
            let old: HashSet<String> = table
                .files
                .iter()
                .filter(|file| file.day < limit)
                .map(|file| file.path.clone())
                .collect();
            if old.is_empty() {
                continue;
            }
            let committed = table.delete(&old, format!("day < '{}'", day_name(limit))).await;
            self.settle_commit(kind, view, committed).await?;
            deleted += old.len();
        }
        Ok(deleted)
    }

    /// Deletes files that left the table more than `keep` ago; also those of a crash before its commit.
    pub(crate) async fn vacuum(&self, keep: Duration) -> Result<usize, Error> {
        let _alone = self.writing.lock().await;
        let view = self.view().await?;
        let mut deleted = 0;
        for kind in Kind::ALL {
            let Some(table) = kind.of(&view) else { continue };
            let files = KnownFiles::of(table, keep).await?;
            let place = self.place(kind);
            deleted += self
                .on_cpu(move || {
                    delete_unused(&place, &files, keep)
                        .map_err(|error| Error::table("delete files that are not needed", error))
                })
                .await?;
        }
        Ok(deleted)
    }
}

/// Which of a day's files to write anew as one; empty when it is good as it is.
///
/// Small files are merged when there are too many, a larger one with them only when they are together as large: so a
/// row is written again a few times, not at every pass. Days with replaced rows are merged as a whole.
fn files_to_merge(mut files: Vec<DataFile>, is_mixed: bool, is_newest: bool) -> Vec<DataFile> {
    let n_rows: usize = files.iter().map(|file| file.rows).sum();
    if is_mixed && (!is_newest || n_rows <= CHEAP_ROWS) {
        return files;
    }
    files.retain(|file| file.rows < FULL_ROWS);
    if files.len() <= MAX_SMALL_FILES {
        return Vec::new();
    }
    files.sort_by_key(|file| file.rows);
    let (mut n_taken, mut n_rows) = (0, 0);
    for file in &files {
        let is_larger_than_all = n_taken > 1 && file.rows > n_rows;
        if is_larger_than_all || n_rows >= FULL_ROWS {
            break;
        }
        n_taken += 1;
        n_rows += file.rows;
    }
    files.truncate(if n_taken > MAX_SMALL_FILES { n_taken } else { 0 });
    files
}

/// The rows of one file, in its order.
struct Cursor {
    batches: ParquetRecordBatchReader,
    rows: std::vec::IntoIter<Row>,
}

impl Cursor {
    fn open(path: &Path) -> io::Result<Cursor> {
        Ok(Cursor { batches: read_all(path)?, rows: Vec::new().into_iter() })
    }

    fn next(&mut self) -> io::Result<Option<Row>> {
        loop {
            if let Some(row) = self.rows.next() {
                return Ok(Some(row));
            }
            let Some(batch) = self.batches.next() else { return Ok(None) };
            let batch = batch.map_err(io::Error::other)?;
            self.rows = rows_of(&batch).collect::<Vec<_>>().into_iter();
        }
    }
}

/// Merges sorted files; of rows at the same place the one stored last stays. Memory: one batch per file.
fn merge_samples(place: &Place, day: i32, inputs: &[PathBuf]) -> io::Result<Add> {
    let schema = wal::samples_schema();
    let mut out = DataFileWriter::create(&place.table, place.rollups.as_deref(), day, schema)?;
    let mut cursors = Vec::with_capacity(inputs.len());
    let mut heads = Vec::with_capacity(inputs.len());
    let mut heap = BinaryHeap::new();
    for (idx, path) in inputs.iter().enumerate() {
        let mut cursor = Cursor::open(path)?;
        let head = cursor.next()?;
        if let Some(row) = head {
            heap.push(Reverse((row.signal, row.time_us, row.lsn, idx)));
        }
        cursors.push(cursor);
        heads.push(head);
    }
    let mut rows: Vec<Row> = Vec::with_capacity(BATCH_ROWS);
    while let Some(Reverse((.., idx))) = heap.pop() {
        let Some(row) = heads[idx].take() else { continue };
        match rows.last_mut() {
            // Equal places come by log position.
            Some(last) if last.place() == row.place() => *last = row,
            Some(last) if last.place() > row.place() => {
                return Err(io::Error::other(format!("{} is not sorted", inputs[idx].display())));
            }
            _ => rows.push(row),
        }
        if rows.len() == BATCH_ROWS {
            // The last may still be replaced.
            let last = rows.pop();
            out.write(&batch_of(&rows))?;
            rows.clear();
            rows.extend(last);
        }
        if let Some(next) = cursors[idx].next()? {
            heap.push(Reverse((next.signal, next.time_us, next.lsn, idx)));
            heads[idx] = Some(next);
        }
    }
    out.write(&batch_of(&rows))?;
    out.finish()
}

fn merge_events(place: &Place, day: i32, inputs: &[PathBuf]) -> io::Result<Add> {
    let mut batches: Vec<RecordBatch> = Vec::new();
    for path in inputs {
        for batch in read_all(path)? {
            batches.push(batch.map_err(io::Error::other)?);
        }
    }
    let mut out = DataFileWriter::create(&place.table, None, day, wal::events_schema())?;
    if let Some(all) = sorted_events(&batches)? {
        out.write(&all)?;
    }
    out.finish()
}

fn make_rollup(data: &Path, path: &Path) -> io::Result<()> {
    let mut writer = rollup::Writer::create(path)?;
    let mut cursor = Cursor::open(data)?;
    let mut before: Option<Row> = None;
    while let Some(row) = cursor.next()? {
        if before.is_some_and(|before| before.place() > row.place()) {
            return Err(io::Error::other(format!("{} is not sorted", data.display())));
        }
        writer.push(row)?;
        before = Some(row);
    }
    writer.finish()
}

/// Files that a vacuum must leave alone, or may not.
struct KnownFiles {
    used: HashSet<String>,
    recently_removed: HashSet<String>,
    /// Removed longer ago; may go at once.
    removed: HashSet<String>,
}

impl KnownFiles {
    async fn of(table: &Table, keep: Duration) -> Result<KnownFiles, Error> {
        let recently_removed = table.removed(Some(keep)).await?;
        let removed = table.removed(None).await?;
        let used = table.files.iter().map(|file| file.path.clone()).collect();
        Ok(KnownFiles { used, recently_removed, removed })
    }

    fn may_go(&self, path: &str, age: Duration, keep: Duration) -> bool {
        if self.used.contains(path) || self.recently_removed.contains(path) {
            return false;
        }
        self.removed.contains(path) || age > keep.max(KEEP_UNCOMMITTED)
    }
}

fn delete_unused(place: &Place, files: &KnownFiles, keep: Duration) -> io::Result<usize> {
    let mut deleted = 0;
    for partition in std::fs::read_dir(&place.table)? {
        let partition = partition?;
        let folder = partition.file_name().to_string_lossy().into_owned();
        if !folder.starts_with("day=") {
            continue;
        }
        for file in std::fs::read_dir(partition.path())? {
            let file = file?;
            let path = format!("{folder}/{}", file.file_name().to_string_lossy());
            let written = file.metadata()?.modified()?;
            let age = SystemTime::now().duration_since(written).unwrap_or_default();
            if files.may_go(&path, age, keep) {
                std::fs::remove_file(file.path())?;
                if let Some(rollup) = place.rollup_of(&path) {
                    ignore_missing(std::fs::remove_file(rollup))?;
                }
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(rows: &[usize]) -> Vec<DataFile> {
        let file = |(n, rows): (usize, &usize)| DataFile {
            path: n.to_string(),
            day: 0,
            rows: *rows,
            bytes: 0,
        };
        rows.iter().enumerate().map(file).collect()
    }

    #[test]
    fn files_are_merged_when_it_pays() {
        let check = |rows: &[usize], is_mixed, is_newest, expected: &[usize]| {
            let merged = files_to_merge(files(rows), is_mixed, is_newest);
            assert_eq!(
                merged.iter().map(|file| file.rows).collect::<Vec<_>>(),
                expected,
                "{rows:?}"
            );
        };
        check(&[1, 1, 1, 1], false, true, &[]);
        check(&[1, 1, 1, 1, 1], false, true, &[1, 1, 1, 1, 1]);
        check(&[9, 1, 1, 1, 1, 1], false, true, &[1, 1, 1, 1, 1]);
        check(&[5, 1, 1, 1, 1, 1], false, true, &[1, 1, 1, 1, 1, 5]);
        check(&[40, 20, 1, 1, 1], false, true, &[]);
        check(&[1, 1, 1, 1, FULL_ROWS], false, false, &[]);
        check(&[1, 9], true, true, &[1, 9]);
        check(&[1, FULL_ROWS], true, true, &[]);
        check(&[1, FULL_ROWS], true, false, &[1, FULL_ROWS]);
    }

    #[test]
    fn a_row_is_rewritten_a_few_times_only() {
        let mut day: Vec<DataFile> = Vec::new();
        let (mut n_written, n_flushes, n_rows) = (0, 1000, 10_000);
        for n in 0..n_flushes {
            day.push(DataFile { path: format!("f{n}"), day: 0, rows: n_rows, bytes: 0 });
            let merged = files_to_merge(day.clone(), false, true);
            if merged.is_empty() {
                continue;
            }
            let rows: usize = merged.iter().map(|file| file.rows).sum();
            let gone: HashSet<String> = merged.into_iter().map(|file| file.path).collect();
            day.retain(|file| !gone.contains(&file.path));
            day.push(DataFile { path: format!("m{n}"), day: 0, rows, bytes: 0 });
            n_written += rows;
        }
        assert!(n_written <= 8 * n_flushes * n_rows, "{} times", n_written / n_flushes / n_rows);
        assert!(day.len() <= 12, "{} files", day.len());
    }
}
