//! Samples of some signals from files and buffer, each once, without the query engine.
//!
//! A day is the unit of work: its files are read side by side with other days on the query threads. Files are
//! sorted, so a signal is a few pages of each; whole hours and minutes come from the roll-ups.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use arrow::array::RecordBatch;
use signal::{DAY_US, Quality, TimeRange};

use crate::Error;
use crate::calendar::partition_of;
use crate::rollup::{Bucket, Level, Rollup};
use crate::samples_file::{self, Row, rows_of, settle};
use crate::tenant::{Tenant, View, may_replace, rows_after};

/// What a tenant has at one moment: the tables at one version and what of the buffer they do not hold.
#[derive(Clone)]
pub(crate) struct Moment {
    pub(crate) view: View,
    pub(crate) samples: Vec<RecordBatch>,
    pub(crate) events: Vec<RecordBatch>,
}

impl Moment {
    pub(crate) async fn of(tenant: &Tenant) -> Result<Moment, Error> {
        // The buffer first: what is flushed after this is in the newer version as well as in the snapshot, and the
        // log position tells the copies apart. The other way round it would be in neither.
        let snapshot = tenant.shared.buffer.snapshot(tenant.id);
        let view = tenant.view().await?;
        let committed = view.committed();
        let rest = |chunks: Vec<wal::Chunk>, lsn: u64| {
            chunks
                .into_iter()
                .filter(|chunk| chunk.last_lsn > lsn)
                .map(|chunk| rows_after(&chunk.batch, lsn))
                .collect::<Result<Vec<_>, _>>()
        };
        let samples = rest(snapshot.samples, committed.samples_lsn)?;
        let events = rest(snapshot.events, committed.events_lsn)?;
        Ok(Moment { view, samples, events })
    }

    /// The days of a range that hold something, in order. `signals` must be sorted.
    pub(crate) fn days(&self, tenant: &Tenant, signals: &[i32], range: TimeRange) -> Vec<Day> {
        let place = tenant.place(crate::tenant::Kind::Samples);
        let mut days: BTreeMap<i32, Day> = BTreeMap::new();
        if range.len_us() == 0 || signals.is_empty() {
            return Vec::new();
        }
        let wanted = partition_of(range.start_us)..=partition_of(range.end_us - 1);
        let signals: Arc<[i32]> = signals.into();
        let new_day = |day: i32| Day {
            range: day_range(day, range),
            signals: signals.clone(),
            files: Vec::new(),
            buffered: Vec::new(),
            is_mixed: self.view.mixed_days.contains(&day),
        };
        for file in self.view.samples.iter().flat_map(|table| table.files.iter()) {
            if wanted.contains(&file.day) {
                let path = place.table.join(&file.path);
                let rollup = place.rollup_of(&file.path).unwrap_or_default();
                let day = days.entry(file.day).or_insert_with(|| new_day(file.day));
                day.files.push(FilePair { path, rollup });
            }
        }
        for row in self.samples.iter().flat_map(rows_of) {
            let is_in_range = row.time_us >= range.start_us && row.time_us < range.end_us;
            if is_in_range && signals.binary_search(&row.signal).is_ok() {
                let number = partition_of(row.time_us);
                let day = days.entry(number).or_insert_with(|| new_day(number));
                day.is_mixed |= may_replace(&row);
                day.buffered.push(row);
            }
        }
        days.into_values().collect()
    }

    /// Days in which a sample may be there twice.
    pub(crate) fn mixed_days(&self) -> BTreeSet<i32> {
        let mut days = (*self.view.mixed_days).clone();
        days.extend(crate::tenant::mixed_days(&self.samples));
        days
    }
}

/// The part of a range that lies in a day; the first and last partition reach to the ends of time.
fn day_range(day: i32, range: TimeRange) -> TimeRange {
    let start_us = i64::from(day) * DAY_US;
    let has_own_day = partition_of(start_us - 1) != day && partition_of(start_us + DAY_US) != day;
    if !has_own_day {
        return range;
    }
    TimeRange {
        start_us: range.start_us.max(start_us),
        end_us: range.end_us.min(start_us + DAY_US),
    }
}

/// A data file and where its roll-up is, if it has one.
#[derive(Clone, Debug)]
pub(crate) struct FilePair {
    pub(crate) path: PathBuf,
    pub(crate) rollup: PathBuf,
}

/// What is wanted of one day.
#[derive(Clone, Debug)]
pub(crate) struct Day {
    range: TimeRange,
    signals: Arc<[i32]>,
    files: Vec<FilePair>,
    buffered: Vec<Row>,
    /// Whether two rows may be at the same place.
    is_mixed: bool,
}

impl Day {
    /// All rows by signal and time; none when there are more than `room` allows.
    pub(crate) fn rows(self, room: &Room) -> io::Result<Vec<Row>> {
        let mut rows = self.buffered;
        room.take(rows.len());
        for file in &self.files {
            samples_file::read(&file.path, &self.signals, self.range, |row| {
                rows.push(row);
                room.take(1)
            })?;
        }
        settle(&mut rows);
        Ok(rows)
    }

    /// The rows summed up in buckets, by signal and bucket; with the help of roll-ups of `level` where they fit.
    pub(crate) fn fold(self, bucket_us: i64, level: Option<Level>) -> io::Result<Folded> {
        let mut folded = Folded::new(bucket_us);
        if self.is_mixed {
            for row in self.rows(&Room::unlimited())? {
                folded.add(&row);
            }
            return Ok(folded);
        }
        for row in &self.buffered {
            folded.add(row);
        }
        for file in &self.files {
            let rollup = level.and_then(|level| Some((level, Rollup::open(&file.rollup).ok()?)));
            match rollup {
                Some((level, rollup)) => self.fold_rollup(file, &rollup, level, &mut folded)?,
                None => fold_rows(file, &self.signals, self.range, &mut folded)?,
            }
        }
        Ok(folded)
    }

    /// Whole buckets from the roll-up; the ends of the range, and signals without this level, row by row.
    fn fold_rollup(
        &self,
        file: &FilePair,
        rollup: &Rollup,
        level: Level,
        folded: &mut Folded,
    ) -> io::Result<()> {
        let whole = inner(self.range, level.width_us());
        let (mut rolled, mut plain) = (Vec::new(), Vec::new());
        for signal in self.signals.iter() {
            let Some(entry) = rollup.entry(*signal) else { continue };
            // A damaged block is as good as none.
            let Ok(Some(buckets)) = rollup.buckets(entry, level) else {
                plain.push(*signal);
                continue;
            };
            rolled.push(*signal);
            for (start_us, bucket) in buckets {
                if start_us >= whole.start_us && start_us < whole.end_us {
                    folded.merge(*signal, start_us, &bucket);
                }
            }
        }
        let before = TimeRange { start_us: self.range.start_us, end_us: whole.start_us };
        let after = TimeRange { start_us: whole.end_us, end_us: self.range.end_us };
        fold_rows(file, &plain, self.range, folded)?;
        fold_rows(file, &rolled, before, folded)?;
        fold_rows(file, &rolled, after, folded)
    }

    /// Rows whose value differs from the one before, by signal and time; the first of the day always.
    pub(crate) fn changes(self) -> io::Result<Vec<Row>> {
        let mut rows = self.rows(&Room::unlimited())?;
        rows.dedup_by(|row, before| {
            row.signal == before.signal && row.value.to_bits() == before.value.to_bits()
        });
        Ok(rows)
    }
}

fn fold_rows(
    file: &FilePair,
    signals: &[i32],
    range: TimeRange,
    folded: &mut Folded,
) -> io::Result<()> {
    if signals.is_empty() || range.len_us() <= 0 {
        return Ok(());
    }
    samples_file::read(&file.path, signals, range, |row| {
        folded.add(&row);
        true
    })
}

/// The largest part of a range that begins and ends at multiples of `width_us`; empty at its start when there is none.
fn inner(range: TimeRange, width_us: i64) -> TimeRange {
    let start_us = range.start_us.saturating_add(width_us - 1).div_euclid(width_us) * width_us;
    let end_us = range.end_us.div_euclid(width_us) * width_us;
    if start_us >= end_us {
        return TimeRange { start_us: range.end_us, end_us: range.end_us };
    }
    TimeRange { start_us, end_us }
}

/// How many rows may still be collected.
pub(crate) struct Room {
    taken: AtomicUsize,
    most: usize,
}

impl Room {
    pub(crate) fn new(most: usize) -> Room {
        Room { taken: AtomicUsize::new(0), most }
    }

    pub(crate) fn unlimited() -> Room {
        Room::new(usize::MAX)
    }

    fn take(&self, n_rows: usize) -> bool {
        self.taken.fetch_add(n_rows, Ordering::Relaxed) + n_rows <= self.most
    }

    pub(crate) fn is_exceeded(&self) -> bool {
        self.taken.load(Ordering::Relaxed) > self.most
    }
}

/// Samples summed up per signal and bucket.
#[derive(Debug)]
pub(crate) struct Folded {
    bucket_us: i64,
    /// Signal, number of the bucket, bucket; those of neighbors are together, but not all of one.
    runs: Vec<(i32, i64, Bucket)>,
}

impl Folded {
    fn new(bucket_us: i64) -> Folded {
        Folded { bucket_us, runs: Vec::new() }
    }

    fn slot(&mut self, signal: i32, time_us: i64) -> &mut Bucket {
        let number = time_us.div_euclid(self.bucket_us);
        let is_same = |run: &(i32, i64, Bucket)| run.0 == signal && run.1 == number;
        if !self.runs.last().is_some_and(is_same) {
            self.runs.push((signal, number, Bucket::default()));
        }
        let last = self.runs.last_mut().expect("one was just pushed if there was none");
        &mut last.2
    }

    fn add(&mut self, row: &Row) {
        self.slot(row.signal, row.time_us).add(row.time_us, row.value, Quality(row.quality as u32));
    }

    fn merge(&mut self, signal: i32, start_us: i64, bucket: &Bucket) {
        self.slot(signal, start_us).merge(bucket);
    }

    /// All parts together, by signal and bucket.
    pub(crate) fn join(parts: Vec<Folded>) -> BTreeMap<(i32, i64), Bucket> {
        let mut joined: BTreeMap<(i32, i64), Bucket> = BTreeMap::new();
        for (signal, number, bucket) in parts.into_iter().flat_map(|part| part.runs) {
            joined.entry((signal, number)).or_default().merge(&bucket);
        }
        joined
    }
}

/// Does `work` on each item on the query threads; the results in the same order.
///
/// # Errors
/// The first error of `work`, or [`Error::Timeout`].
pub(crate) async fn each<I: Send + 'static, T: Send + 'static>(
    tenant: &Tenant,
    items: Vec<I>,
    work: impl Fn(I) -> io::Result<T> + Send + Sync + 'static,
) -> Result<Vec<T>, Error> {
    let timeout = tenant.shared.options.timeout;
    let deadline = Instant::now() + timeout;
    let n_threads = tenant.shared.cpu.metrics().num_workers().max(1);
    let mut lanes: Vec<Vec<(usize, I)>> = (0..n_threads).map(|_| Vec::new()).collect();
    for (n, item) in items.into_iter().enumerate() {
        lanes[n % n_threads].push((n, item));
    }
    let work = Arc::new(work);
    let mut tasks = Vec::new();
    for lane in lanes.into_iter().filter(|lane| !lane.is_empty()) {
        let work = work.clone();
        tasks.push(tenant.shared.cpu.spawn_blocking(move || {
            let mut results = Vec::with_capacity(lane.len());
            for (n, item) in lane {
                if Instant::now() > deadline {
                    return Err(Error::Timeout(timeout));
                }
                let result = work(item).map_err(|error| Error::table("read samples", error))?;
                results.push((n, result));
            }
            Ok(results)
        }));
    }
    let mut results = Vec::new();
    for task in tasks {
        results.extend(task.await.map_err(|error| Error::table("finish a query", error))??);
    }
    results.sort_by_key(|(n, _)| *n);
    Ok(results.into_iter().map(|(_, result)| result).collect())
}

/// The newest row of every signal in files and buffer.
pub(crate) async fn newest(tenant: &Tenant, moment: &Moment) -> Result<Vec<Row>, Error> {
    let place = tenant.place(crate::tenant::Kind::Samples);
    let files = moment.view.samples.iter().flat_map(|table| table.files.iter());
    let pairs: Vec<FilePair> = files
        .map(|file| FilePair {
            path: place.table.join(&file.path),
            rollup: place.rollup_of(&file.path).unwrap_or_default(),
        })
        .collect();
    let mut newest: HashMap<i32, Row> = HashMap::new();
    let mut note = |row: Row| {
        let known = newest.entry(row.signal).or_insert(row);
        if (row.time_us, row.lsn) > (known.time_us, known.lsn) {
            *known = row;
        }
    };
    moment.samples.iter().flat_map(rows_of).for_each(&mut note);
    each(tenant, pairs, |file| newest_of(&file)).await?.into_iter().flatten().for_each(&mut note);
    let mut rows: Vec<Row> = newest.into_values().collect();
    rows.sort_by_key(|row| row.signal);
    Ok(rows)
}

fn newest_of(file: &FilePair) -> io::Result<Vec<Row>> {
    if let Ok(rollup) = Rollup::open(&file.rollup) {
        return Ok(rollup.entries().iter().map(|entry| entry.last).collect());
    }
    let mut newest: BTreeMap<i32, Row> = BTreeMap::new();
    for batch in samples_file::read_all(&file.path)? {
        for row in rows_of(&batch.map_err(io::Error::other)?) {
            let known = newest.entry(row.signal).or_insert(row);
            if row.time_us >= known.time_us {
                *known = row;
            }
        }
    }
    Ok(newest.into_values().collect())
}

/// First and last time of everything there is; none when there is nothing.
pub(crate) async fn extent(tenant: &Tenant, moment: &Moment) -> Result<Option<(i64, i64)>, Error> {
    let place = tenant.place(crate::tenant::Kind::Samples);
    let files = moment.view.samples.as_ref().map(|table| table.files.clone()).unwrap_or_default();
    // By day, so only the first and the last one matter.
    let ends = [files.first().map(|file| file.day), files.last().map(|file| file.day)];
    let paths: Vec<PathBuf> = files
        .iter()
        .filter(|file| ends.contains(&Some(file.day)))
        .map(|file| place.table.join(&file.path))
        .collect();
    let of_files = each(tenant, paths, |path| samples_file::extent(&path)).await?;
    let of_buffer = moment.samples.iter().flat_map(rows_of).map(|row| (row.time_us, row.time_us));
    Ok(of_files
        .into_iter()
        .flatten()
        .chain(of_buffer)
        .reduce(|(first, last), (from, to)| (first.min(from), last.max(to))))
}

/// Sorted, each once, as they are stored.
pub(crate) fn ids(signals: &[signal::SignalId]) -> Vec<i32> {
    let mut ids: Vec<i32> = signals.iter().map(|signal| signal.0 as i32).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inner_part_is_whole_buckets() {
        let check = |from, to, expected: (i64, i64)| {
            let inner = inner(TimeRange { start_us: from, end_us: to }, 10);
            assert_eq!((inner.start_us, inner.end_us), expected);
        };
        check(0, 100, (0, 100));
        check(1, 99, (10, 90));
        check(-11, 11, (-10, 10));
        check(1, 9, (9, 9));
        check(11, 19, (19, 19));
    }
}
