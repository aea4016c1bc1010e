//! Roll-ups: what years look like, from a few thousand numbers instead of a hundred million.
//!
//! Every data file of samples has one file beside the table with the hours, and where it pays the minutes, of each
//! signal in it. A data file never changes, so neither does its roll-up; it is written in the same pass, is no part
//! of the table, and can be lost: what has no roll-up is read sample by sample.
//!
//! ```text
//! blocks   72 bytes per bucket, per signal first the hours, then the minutes
//! index    80 bytes per signal, by signal
//! trailer  position of the index (8), signals in it (4), CRC-32C of it (4), "FTLROLL1"
//! ```
//! Numbers are little-endian. Each run of buckets has a CRC-32C in the index.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use signal::{HOUR_US, MINUTE_US, Quality};

use crate::samples_file::Row;

const MAGIC: &[u8; 8] = b"FTLROLL1";
const TRAILER_BYTES: u64 = 24;
const ENTRY_BYTES: usize = 80;
const BUCKET_BYTES: usize = 72;
/// Minutes are kept for a signal that has at least so many samples in each.
const MINUTES_PAY_FROM: usize = 30;

/// Width of the buckets of a roll-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    Minute,
    Hour,
}

impl Level {
    pub(crate) fn width_us(self) -> i64 {
        match self {
            Level::Minute => MINUTE_US,
            Level::Hour => HOUR_US,
        }
    }
}

/// How far the values in a bucket can be trusted; only those of the highest trust in it count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Trust {
    /// There is no number.
    #[default]
    None,
    /// Numbers, all of bad quality.
    Bad,
    /// Numbers of good or uncertain quality.
    Usable,
}

/// Some samples of one signal, summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    /// All samples.
    pub(crate) count: u64,
    /// Those of bad quality.
    pub(crate) bad: u64,
    /// The worst quality.
    pub(crate) worst: u32,
    /// Of the values below; `n` of them.
    pub(crate) trust: Trust,
    pub(crate) n: u64,
    pub(crate) min: f64,
    pub(crate) max: f64,
    pub(crate) sum: f64,
    pub(crate) first: f64,
    pub(crate) last: f64,
    pub(crate) first_us: i64,
    pub(crate) last_us: i64,
}

impl Bucket {
    /// Adds one sample.
    pub(crate) fn add(&mut self, time_us: i64, value: f64, quality: Quality) {
        let trust = match () {
            () if value.is_nan() => Trust::None,
            () if quality.is_bad() => Trust::Bad,
            () => Trust::Usable,
        };
        self.merge(&Bucket {
            count: 1,
            bad: u64::from(quality.is_bad()),
            worst: quality.0,
            trust,
            n: 1,
            min: value,
            max: value,
            sum: value,
            first: value,
            last: value,
            first_us: time_us,
            last_us: time_us,
        });
    }

    /// Adds what another bucket holds; the order does not matter.
    pub(crate) fn merge(&mut self, other: &Bucket) {
        self.count += other.count;
        self.bad += other.bad;
        self.worst = self.worst.max(other.worst);
        if other.trust < self.trust || other.trust == Trust::None {
            return;
        }
        if other.trust > self.trust {
            let (count, bad, worst) = (self.count, self.bad, self.worst);
            *self = Bucket { count, bad, worst, ..*other };
            return;
        }
        self.n += other.n;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
        self.sum += other.sum;
        if other.first_us < self.first_us {
            (self.first_us, self.first) = (other.first_us, other.first);
        }
        if other.last_us >= self.last_us {
            (self.last_us, self.last) = (other.last_us, other.last);
        }
    }

    /// Mean of the values that count; NaN when there is none.
    pub(crate) fn mean(&self) -> f64 {
        if self.trust == Trust::None { f64::NAN } else { self.sum / self.n as f64 }
    }

    fn encode(&self, slot: i64, width_us: i64, out: &mut Vec<u8>) {
        // A bucket holds the samples of one file; 4 billion in an hour would be a megahertz.
        let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX).to_le_bytes();
        let start_us = slot * width_us;
        let offset = |time_us: i64| {
            let offset_us = if self.trust == Trust::None { 0 } else { time_us - start_us };
            u32::try_from(offset_us).unwrap_or(u32::MAX).to_le_bytes()
        };
        // Minutes since 1970 pass 2³² in the year 10136.
        out.extend((slot as u32).to_le_bytes());
        out.extend(small(self.count));
        out.extend(small(self.bad));
        out.extend(small(self.n));
        out.extend(self.worst.to_le_bytes());
        out.extend((self.trust as u32).to_le_bytes());
        for value in [self.min, self.max, self.sum, self.first, self.last] {
            out.extend(value.to_le_bytes());
        }
        out.extend(offset(self.first_us));
        out.extend(offset(self.last_us));
    }

    fn decode(bytes: &[u8], width_us: i64) -> (i64, Bucket) {
        let u32_at = |at: usize| u32::from_le_bytes(array(&bytes[at..at + 4]));
        let f64_at = |at: usize| f64::from_le_bytes(array(&bytes[at..at + 8]));
        // Signed again: days before 1970 have negative slots.
        let start_us = i64::from(u32_at(0) as i32) * width_us;
        let trust = match u32_at(20) {
            0 => Trust::None,
            1 => Trust::Bad,
            _ => Trust::Usable,
        };
        let bucket = Bucket {
            count: u64::from(u32_at(4)),
            bad: u64::from(u32_at(8)),
            n: u64::from(u32_at(12)),
            worst: u32_at(16),
            trust,
            min: f64_at(24),
            max: f64_at(32),
            sum: f64_at(40),
            first: f64_at(48),
            last: f64_at(56),
            first_us: start_us + i64::from(u32_at(64)),
            last_us: start_us + i64::from(u32_at(68)),
        };
        (start_us, bucket)
    }
}

fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the slice was cut to this length")
}

/// What a data file knows about one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Entry {
    pub(crate) signal: i32,
    pub(crate) n_rows: u64,
    pub(crate) first_us: i64,
    /// The newest sample.
    pub(crate) last: Row,
    hours: Run,
    minutes: Run,
}

/// Where some buckets lie.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Run {
    at: u64,
    n: u32,
    crc: u32,
}

impl Entry {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend(self.signal.to_le_bytes());
        out.extend(self.last.quality.to_le_bytes());
        out.extend(self.n_rows.to_le_bytes());
        out.extend(self.first_us.to_le_bytes());
        out.extend(self.last.time_us.to_le_bytes());
        out.extend(self.last.value.to_le_bytes());
        out.extend(self.last.lsn.to_le_bytes());
        for run in [self.hours, self.minutes] {
            out.extend(run.at.to_le_bytes());
            out.extend(run.n.to_le_bytes());
            out.extend(run.crc.to_le_bytes());
        }
    }

    fn decode(bytes: &[u8]) -> Entry {
        let i32_at = |at: usize| i32::from_le_bytes(array(&bytes[at..at + 4]));
        let i64_at = |at: usize| i64::from_le_bytes(array(&bytes[at..at + 8]));
        let run_at = |at: usize| Run {
            at: i64_at(at) as u64,
            n: i32_at(at + 8) as u32,
            crc: i32_at(at + 12) as u32,
        };
        let signal = i32_at(0);
        let last = Row {
            signal,
            quality: i32_at(4),
            time_us: i64_at(24),
            value: f64::from_bits(i64_at(32) as u64),
            lsn: i64_at(40),
        };
        Entry {
            signal,
            n_rows: i64_at(8) as u64,
            first_us: i64_at(16),
            last,
            hours: run_at(48),
            minutes: run_at(64),
        }
    }
}

/// Writes the roll-up of one data file while its rows pass by, sorted by signal and time.
pub(crate) struct Writer {
    out: BufWriter<File>,
    at: u64,
    temporary: PathBuf,
    path: PathBuf,
    entries: Vec<Entry>,
    hours: Vec<(i64, Bucket)>,
    minutes: Vec<(i64, Bucket)>,
}

impl Writer {
    pub(crate) fn create(path: &Path) -> io::Result<Writer> {
        let temporary = path.with_extension("new");
        let out = BufWriter::new(File::create(&temporary)?);
        Ok(Writer {
            out,
            at: 0,
            temporary,
            path: path.to_owned(),
            entries: Vec::new(),
            hours: Vec::new(),
            minutes: Vec::new(),
        })
    }

    pub(crate) fn push(&mut self, row: Row) -> io::Result<()> {
        match self.entries.last_mut() {
            Some(entry) if entry.signal == row.signal => {
                entry.n_rows += 1;
                entry.last = row;
            }
            _ => {
                self.close_signal()?;
                self.entries.push(Entry {
                    signal: row.signal,
                    n_rows: 1,
                    first_us: row.time_us,
                    last: row,
                    hours: Run::default(),
                    minutes: Run::default(),
                });
            }
        }
        for (buckets, width_us) in [(&mut self.hours, HOUR_US), (&mut self.minutes, MINUTE_US)] {
            let slot = row.time_us.div_euclid(width_us);
            if buckets.last().is_none_or(|(last, _)| *last != slot) {
                buckets.push((slot, Bucket::default()));
            }
            if let Some((_, bucket)) = buckets.last_mut() {
                bucket.add(row.time_us, row.value, Quality(row.quality as u32));
            }
        }
        Ok(())
    }

    fn close_signal(&mut self) -> io::Result<()> {
        let Some(mut entry) = self.entries.pop() else { return Ok(()) };
        let (hours, mut minutes) =
            (std::mem::take(&mut self.hours), std::mem::take(&mut self.minutes));
        if (entry.n_rows as usize) < minutes.len() * MINUTES_PAY_FROM {
            minutes.clear();
        }
        entry.hours = self.write_run(&hours, HOUR_US)?;
        entry.minutes = self.write_run(&minutes, MINUTE_US)?;
        self.entries.push(entry);
        Ok(())
    }

    fn write_run(&mut self, buckets: &[(i64, Bucket)], width_us: i64) -> io::Result<Run> {
        let mut bytes = Vec::with_capacity(buckets.len() * BUCKET_BYTES);
        for (slot, bucket) in buckets {
            bucket.encode(*slot, width_us, &mut bytes);
        }
        let run = Run { at: self.at, n: buckets.len() as u32, crc: crc32c::crc32c(&bytes) };
        self.out.write_all(&bytes)?;
        self.at += bytes.len() as u64;
        Ok(run)
    }

    /// Gives the roll-up its name. It is not synced: a torn one is recognized and not used.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        self.close_signal()?;
        let mut index = Vec::with_capacity(self.entries.len() * ENTRY_BYTES);
        for entry in &self.entries {
            entry.encode(&mut index);
        }
        self.out.write_all(&index)?;
        self.out.write_all(&self.at.to_le_bytes())?;
        self.out.write_all(&(self.entries.len() as u32).to_le_bytes())?;
        self.out.write_all(&crc32c::crc32c(&index).to_le_bytes())?;
        self.out.write_all(MAGIC)?;
        self.out.flush()?;
        std::fs::rename(&self.temporary, &self.path)
    }
}

/// The roll-up of one data file.
pub(crate) struct Rollup {
    file: File,
    /// By signal.
    entries: Vec<Entry>,
}

impl Rollup {
    /// # Errors
    /// When there is none, or it is damaged.
    pub(crate) fn open(path: &Path) -> io::Result<Rollup> {
        let file = File::open(path)?;
        let n_bytes = file.metadata()?.len();
        let mut trailer = [0; TRAILER_BYTES as usize];
        let trailer_at = n_bytes.checked_sub(TRAILER_BYTES).ok_or_else(damaged)?;
        file.read_exact_at(&mut trailer, trailer_at)?;
        let index_at = u64::from_le_bytes(array(&trailer[0..8]));
        let n_signals = u64::from(u32::from_le_bytes(array(&trailer[8..12])));
        let crc = u32::from_le_bytes(array(&trailer[12..16]));
        let index_bytes = n_signals * ENTRY_BYTES as u64;
        if &trailer[16..24] != MAGIC || index_at.checked_add(index_bytes) != Some(trailer_at) {
            return Err(damaged());
        }
        let mut index = vec![0; index_bytes as usize];
        file.read_exact_at(&mut index, index_at)?;
        if crc32c::crc32c(&index) != crc {
            return Err(damaged());
        }
        let entries = index.chunks_exact(ENTRY_BYTES).map(Entry::decode).collect();
        Ok(Rollup { file, entries })
    }

    pub(crate) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(crate) fn entry(&self, signal: i32) -> Option<&Entry> {
        let idx = self.entries.binary_search_by_key(&signal, |entry| entry.signal).ok()?;
        Some(&self.entries[idx])
    }

    /// The buckets of a signal by their start; none when this level was not worth its bytes.
    pub(crate) fn buckets(
        &self,
        entry: &Entry,
        level: Level,
    ) -> io::Result<Option<Vec<(i64, Bucket)>>> {
        let run = match level {
            Level::Minute => entry.minutes,
            Level::Hour => entry.hours,
        };
        if run.n == 0 {
            return Ok(None);
        }
        let mut bytes = vec![0; run.n as usize * BUCKET_BYTES];
        self.file.read_exact_at(&mut bytes, run.at)?;
        if crc32c::crc32c(&bytes) != run.crc {
            return Err(damaged());
        }
        let decode = |bytes| Bucket::decode(bytes, level.width_us());
        Ok(Some(bytes.chunks_exact(BUCKET_BYTES).map(decode).collect()))
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the roll-up is damaged")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rows_of(values: &[(u8, u16, f64, bool)]) -> Vec<Row> {
        let mut rows: Vec<Row> = values
            .iter()
            .enumerate()
            .map(|(n, &(signal, minute, value, is_bad))| Row {
                signal: i32::from(signal % 3),
                time_us: i64::from(minute) * 7_000_000 - HOUR_US + n as i64,
                value,
                quality: if is_bad { 0x803C_0000_u32 as i32 } else { 0 },
                lsn: n as i64,
            })
            .collect();
        rows.sort_by_key(|row| (row.signal, row.time_us));
        rows
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![8 => -1e6..1e6f64, 1 => Just(f64::NAN), 1 => Just(f64::INFINITY)]
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_back(values in prop::collection::vec((any::<u8>(), any::<u16>(), value(), any::<bool>()), 1..300)) {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("a.roll");
            let rows = rows_of(&values);
            let mut writer = Writer::create(&path).expect("a file");
            for row in &rows {
                writer.push(*row).expect("room");
            }
            writer.finish().expect("room");
            let rollup = Rollup::open(&path).expect("whole");
            for entry in rollup.entries() {
                let mine: Vec<&Row> = rows.iter().filter(|row| row.signal == entry.signal).collect();
                prop_assert_eq!(entry.n_rows as usize, mine.len());
                prop_assert_eq!(entry.last.lsn, mine[mine.len() - 1].lsn);
                let hours = rollup.buckets(entry, Level::Hour).expect("whole").expect("hours are always there");
                for (start_us, bucket) in hours {
                    let mut expected = Bucket::default();
                    for row in mine.iter().filter(|row| row.time_us.div_euclid(HOUR_US) * HOUR_US == start_us) {
                        expected.add(row.time_us, row.value, Quality(row.quality as u32));
                    }
                    prop_assert_eq!((bucket.count, bucket.bad, bucket.n, bucket.trust), (expected.count, expected.bad, if expected.trust == Trust::None { bucket.n } else { expected.n }, expected.trust));
                    if bucket.trust > Trust::None {
                        prop_assert_eq!((bucket.min, bucket.max, bucket.first, bucket.last), (expected.min, expected.max, expected.first, expected.last));
                        prop_assert_eq!((bucket.first_us, bucket.last_us), (expected.first_us, expected.last_us));
                    }
                }
            }
        }

        #[test]
        fn a_damaged_roll_up_is_never_believed(at in 0usize..10_000, bit in 0u8..8) {
            let dir = tempfile::tempdir().expect("a directory");
            let path = dir.path().join("a.roll");
            let mut writer = Writer::create(&path).expect("a file");
            for n in 0..100 {
                writer.push(Row { signal: n / 50, time_us: i64::from(n) * 1_000_000, value: 1.5, quality: 0, lsn: 1 }).expect("room");
            }
            writer.finish().expect("room");
            let mut bytes = std::fs::read(&path).expect("written");
            let n_bytes = bytes.len();
            bytes[at % n_bytes] ^= 1 << bit;
            std::fs::write(&path, &bytes).expect("room");
            let read = Rollup::open(&path).and_then(|rollup| {
                for entry in rollup.entries() {
                    rollup.buckets(entry, Level::Hour)?;
                    rollup.buckets(entry, Level::Minute)?;
                }
                Ok(())
            });
            prop_assert!(read.is_err());
        }
    }
}
