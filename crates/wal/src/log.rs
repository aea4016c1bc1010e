//! The durable log: append, replay, let go.

mod segment;

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use signal::Rows;

use crate::disk::{Disk, Folder};
use crate::frame;
pub use segment::{SegmentView, inspect};
use segment::{scan, segment_name, segment_names};

/// How many fsync times are remembered for [`Stats`].
const REMEMBERED: usize = 1024;
/// Positions are `Int64` in the buffer and in the tables.
const MAX_LSN: u64 = i64::MAX as u64 - 1;

/// How the log behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// A new segment is begun when the present one is longer than this.
    pub segment_bytes: u64,
    /// Writes are refused while less than this is free …
    pub keep_free_bytes: u64,
    /// … or less than this share of the disk, whichever is more, but never more than 16 GiB.
    pub keep_free_percent: u8,
}

impl Default for Options {
    fn default() -> Options {
        Options { segment_bytes: 64 << 20, keep_free_bytes: 1 << 30, keep_free_percent: 5 }
    }
}

/// A share of a very large disk is more than anybody needs to keep free.
const MAX_KEEP_FREE_BYTES: u64 = 16 << 30;

/// The log cannot be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot open the log in {path}")]
pub struct OpenError {
    path: String,
    #[source]
    source: io::Error,
}

/// Rows were not stored. None of them is visible, also not after a restart; only [`Poisoned`](Self::Poisoned)
/// leaves open whether they come back then, because the disk could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk or the quota is (nearly) full. Ends by itself when there is room again.
    #[error(
        "only {} MB are free on the disk and {} MB are kept free: delete files or move the data directory",
        free_bytes / 1_000_000,
        keep_bytes / 1_000_000
    )]
    ReadOnly {
        /// What is free; 0 when the disk refused the write.
        free_bytes: u64,
        /// What is kept free.
        keep_bytes: u64,
    },
    /// The disk failed while writing, and what was written could be taken back.
    #[error("the disk refused a write to the log")]
    Io(#[source] io::Error),
    /// The disk failed in a way that leaves the log's end unknown. Ends with a restart.
    #[error("the log is closed since the disk failed ({0}): check the disk, then restart Fettler")]
    Poisoned(String),
}

/// The log cannot be shortened.
#[derive(Debug, thiserror::Error)]
#[error("cannot delete segment {segment}")]
pub struct TruncateError {
    segment: String,
    #[source]
    source: io::Error,
}

/// Bytes of a segment that are no frame.
#[derive(Clone, Debug, PartialEq)]
pub struct Damage {
    /// Name of the segment.
    pub segment: String,
    /// Where.
    pub bytes: Range<usize>,
    /// Whether this is the end of the last segment: a write that was cut off, and never acknowledged.
    pub at_end: bool,
}

/// What was found when the log was opened.
#[derive(Debug, Default)]
pub struct Replay {
    /// Every stored entry in order, with its position.
    pub entries: Vec<(u64, Rows)>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// The state of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Stats {
    /// Length of all segments.
    pub bytes: u64,
    /// Number of segments.
    pub segments: usize,
    /// Position of the next entry.
    pub next_lsn: u64,
    /// Median time of the last fsyncs.
    pub fsync_p50_us: u64,
    /// 99th percentile of them.
    pub fsync_p99_us: u64,
}

struct Segment {
    name: String,
    last_lsn: u64,
    bytes: u64,
}

impl Segment {
    /// Whether it has no frame.
    fn is_empty(&self) -> bool {
        self.bytes <= frame::SEGMENT_MAGIC.len() as u64
    }
}

/// The write-ahead log. One owner, one thread.
pub struct Log {
    disk: Box<dyn Disk>,
    options: Options,
    /// Oldest first; the last one is written.
    segments: Vec<Segment>,
    next_lsn: u64,
    poisoned: Option<String>,
    scratch: Vec<u8>,
    fsync_us: Vec<u64>,
    n_fsyncs: usize,
}

impl Log {
    /// Opens or makes the log in `dir` and reads what is in it.
    ///
    /// A cut-off last frame is removed; damage before good frames is reported and left as it is. What is
    /// replayed is durable, also where a process was killed between write and fsync.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or another process has it open.
    pub fn open(dir: &Path, options: Options) -> Result<(Log, Replay), OpenError> {
        let error = |source| OpenError { path: dir.display().to_string(), source };
        let disk = Folder::open(dir).map_err(error)?;
        Log::on(Box::new(disk), options).map_err(error)
    }

    pub(crate) fn on(disk: Box<dyn Disk>, options: Options) -> io::Result<(Log, Replay)> {
        let mut log = Log {
            disk,
            options,
            segments: Vec::new(),
            next_lsn: 1,
            poisoned: None,
            scratch: Vec::new(),
            fsync_us: Vec::new(),
            n_fsyncs: 0,
        };
        let replay = log.read_segments()?;
        log.resume(&replay)?;
        Ok((log, replay))
    }

    fn read_segments(&mut self) -> io::Result<Replay> {
        let mut replay = Replay::default();
        let names = segment_names(self.disk.list()?);
        for (idx, (first_lsn, name)) in names.iter().enumerate() {
            let bytes = self.disk.read(name)?;
            let is_last = idx + 1 == names.len();
            // A position that was there before comes back only from a file that should be gone.
            let first_lsn = self.next_lsn.max(*first_lsn);
            let mut last_lsn = first_lsn - 1;
            let end = scan(name, &bytes, first_lsn, is_last, &mut replay.damage, |lsn, rows| {
                last_lsn = lsn;
                replay.entries.push((lsn, rows));
            });
            self.next_lsn = last_lsn + 1;
            self.segments.push(Segment { name: name.clone(), last_lsn, bytes: end as u64 });
        }
        Ok(replay)
    }

    /// Goes on where the last segment can be read no further.
    fn resume(&mut self, replay: &Replay) -> io::Result<()> {
        if let Some(cut) = replay.damage.iter().find(|damage| damage.at_end) {
            let (segment, n_bytes) = (&cut.segment, cut.bytes.len());
            tracing::warn!(
                segment,
                from = cut.bytes.start,
                n_bytes,
                "removed a write that was cut off"
            );
        }
        let Some(empty) = self.segments.pop_if(|segment| segment.is_empty()) else {
            return self.resume_last();
        };
        // The fsync that should have made its name durable may have failed, and a second one would lie:
        // begin under another name, at the cost of one position.
        self.next_lsn += 1;
        self.begin_segment().map_err(io::Error::other)?;
        self.disk.remove(&empty.name)?;
        self.disk.sync_folder()
    }

    fn resume_last(&mut self) -> io::Result<()> {
        let Some(segment) = self.segments.last() else {
            return self.begin_segment().map_err(io::Error::other);
        };
        self.disk.reopen(&segment.name)?;
        self.disk.truncate(segment.bytes)
    }

    /// Makes `entries` durable, all or none: one write, one fsync.
    ///
    /// Returns their positions, one per entry. Positions begin at 1 and only grow.
    ///
    /// # Errors
    /// See [`AppendError`]; nothing was stored.
    pub fn append(&mut self, entries: &[&Rows]) -> Result<Range<u64>, AppendError> {
        if let Some(reason) = &self.poisoned {
            return Err(AppendError::Poisoned(reason.clone()));
        }
        if entries.iter().any(|rows| frame::max_bytes(rows) > frame::MAX_PAYLOAD_BYTES) {
            let error = "an entry is larger than 1 GiB, send fewer rows at once";
            return Err(AppendError::Io(io::Error::new(io::ErrorKind::InvalidInput, error)));
        }
        let first = self.next_lsn;
        let mut bytes = std::mem::take(&mut self.scratch);
        bytes.clear();
        bytes.reserve(entries.iter().map(|rows| frame::max_bytes(rows)).sum());
        for (lsn, rows) in (first..).zip(entries) {
            frame::encode(lsn, rows, &mut bytes);
        }
        let result = self.write(&bytes);
        self.scratch = bytes;
        // One huge entry must not keep its memory for ever.
        if self.scratch.capacity() > 64 << 20 {
            self.scratch = Vec::new();
        }
        result?;
        self.next_lsn += entries.len() as u64;
        self.segment().last_lsn = self.next_lsn - 1;
        Ok(first..self.next_lsn)
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), AppendError> {
        self.check_space(bytes.len() as u64)?;
        let segment_bytes = self.options.segment_bytes;
        if self.segment().bytes >= segment_bytes && !self.segment().is_empty() {
            self.begin_segment()?;
        }
        let offset = self.segment().bytes;
        if let Err(error) = self.disk.write_at(offset, bytes) {
            // Part of it may be there: take it back, or it comes alive at the next start.
            if let Err(cut) = self.disk.truncate(offset) {
                return Err(self.poison(&format!("{error}; then {cut}")));
            }
            return Err(self.refusal(error));
        }
        let started = Instant::now();
        if let Err(error) = self.disk.sync() {
            // The kernel may have thrown the pages away and a second fsync would lie (fsyncgate, 2018).
            let _ = self.disk.truncate(offset);
            return Err(self.poison(&error.to_string()));
        }
        self.remember(started.elapsed().as_micros() as u64);
        self.segment().bytes += bytes.len() as u64;
        Ok(())
    }

    fn check_space(&self, n_bytes: u64) -> Result<(), AppendError> {
        let (free_bytes, total_bytes) = self.disk.space().map_err(AppendError::Io)?;
        let keep_bytes = self.keep_bytes(total_bytes);
        if free_bytes < keep_bytes.saturating_add(n_bytes) {
            return Err(AppendError::ReadOnly { free_bytes, keep_bytes });
        }
        Ok(())
    }

    fn keep_bytes(&self, total_bytes: u64) -> u64 {
        let share = total_bytes / 100 * u64::from(self.options.keep_free_percent);
        self.options.keep_free_bytes.max(share.min(MAX_KEEP_FREE_BYTES))
    }

    /// What a write that failed, and left nothing behind, means to the sender.
    fn refusal(&self, error: io::Error) -> AppendError {
        if !matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded) {
            return AppendError::Io(error);
        }
        let total_bytes = self.disk.space().map_or(0, |(_, total_bytes)| total_bytes);
        AppendError::ReadOnly { free_bytes: 0, keep_bytes: self.keep_bytes(total_bytes) }
    }

    fn poison(&mut self, reason: &str) -> AppendError {
        tracing::error!(reason, "the log is closed, nothing more is acknowledged");
        self.poisoned = Some(reason.to_owned());
        AppendError::Poisoned(reason.to_owned())
    }

    /// Makes a segment for what comes next; after an error the one before is written on.
    fn begin_segment(&mut self) -> Result<(), AppendError> {
        let name = segment_name(self.next_lsn);
        let header = frame::SEGMENT_MAGIC;
        if let Err(error) = self.disk.create(&name).and_then(|()| self.disk.write_at(0, header)) {
            // What stays of the file has no frame; the next start or the next try clears it.
            let _ = self.disk.remove(&name);
            if let Some(segment) = self.segments.last()
                && let Err(reopen) = self.disk.reopen(&segment.name)
            {
                return Err(self.poison(&format!("{error}; then {reopen}")));
            }
            return Err(self.refusal(error));
        }
        if let Err(error) = self.disk.sync().and_then(|()| self.disk.sync_folder()) {
            return Err(self.poison(&error.to_string()));
        }
        let (last_lsn, bytes) = (self.next_lsn - 1, header.len() as u64);
        self.segments.push(Segment { name, last_lsn, bytes });
        Ok(())
    }

    fn segment(&mut self) -> &mut Segment {
        self.segments.last_mut().expect("there is always one")
    }

    fn remember(&mut self, fsync_us: u64) {
        if self.fsync_us.len() < REMEMBERED {
            self.fsync_us.push(fsync_us);
        } else {
            self.fsync_us[self.n_fsyncs % REMEMBERED] = fsync_us;
        }
        self.n_fsyncs += 1;
    }

    /// Positions from now on lie beyond `lsn`: the tables already hold it, although this log does not know it
    /// (its folder was lost or restored from an old backup).
    ///
    /// # Errors
    /// When the new segment cannot be made; positions are as before.
    pub fn skip_beyond(&mut self, lsn: u64) -> Result<(), AppendError> {
        if self.next_lsn > lsn {
            return Ok(());
        }
        // A gap in the positions lies only between segments: inside one, it would be damage.
        let next_lsn = std::mem::replace(&mut self.next_lsn, lsn + 1);
        self.begin_segment().inspect_err(|_| self.next_lsn = next_lsn)
    }

    /// Deletes the segments that hold nothing at or after `lsn`. The one that is written stays.
    ///
    /// # Errors
    /// When a segment cannot be deleted; the ones after it stay as well.
    pub fn truncate_before(&mut self, lsn: u64) -> Result<(), TruncateError> {
        if self.is_worth_leaving(lsn) {
            // All of it lies in the lake; a fresh segment lets the full one go.
            let segment = self.segment().name.clone();
            self.begin_segment()
                .map_err(|error| TruncateError { segment, source: io::Error::other(error) })?;
        }
        let mut removed = None;
        while self.segments.len() > 1 && self.segments[0].last_lsn < lsn {
            let segment = self.segments[0].name.clone();
            if let Err(source) = self.disk.remove(&segment)
                && source.kind() != io::ErrorKind::NotFound
            {
                return Err(TruncateError { segment, source });
            }
            self.segments.remove(0);
            removed = Some(segment);
        }
        let Some(segment) = removed else { return Ok(()) };
        self.disk.sync_folder().map_err(|source| {
            self.poison(&source.to_string());
            TruncateError { segment, source }
        })
    }

    fn is_worth_leaving(&self, lsn: u64) -> bool {
        let only = match &self.segments[..] {
            [only] if self.poisoned.is_none() => only,
            _ => return false,
        };
        only.last_lsn < lsn && only.bytes >= self.options.segment_bytes / 4 && !only.is_empty()
    }

    /// The state of the log.
    pub fn stats(&self) -> Stats {
        let mut times_us = self.fsync_us.clone();
        times_us.sort_unstable();
        let at = |share: f64| {
            let idx = (times_us.len() as f64 * share) as usize;
            times_us.get(idx.min(times_us.len().saturating_sub(1))).copied().unwrap_or(0)
        };
        Stats {
            bytes: self.segments.iter().map(|segment| segment.bytes).sum(),
            segments: self.segments.len(),
            next_lsn: self.next_lsn,
            fsync_p50_us: at(0.5),
            fsync_p99_us: at(0.99),
        }
    }
}
