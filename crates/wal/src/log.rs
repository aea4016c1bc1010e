//! The durable log: append, replay, let go.

use std::io;
use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use signal::Rows;

use crate::disk::{Disk, Folder};
use crate::frame;

/// How many fsync times are remembered for [`Stats`].
const REMEMBERED: usize = 1024;

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

/// Rows were not stored; after any of these, none of them is visible, also not after a restart.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// The disk is (nearly) full. Ends by itself when there is room again.
    #[error(
        "only {} MB are free on the disk and {} MB are kept free: delete files or move the data directory",
        free_bytes / 1_000_000,
        keep_bytes / 1_000_000
    )]
    ReadOnly {
        /// What is free.
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
    /// Whether nothing readable follows: a write that was cut off, and never acknowledged.
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
    /// A cut-off last frame is removed; damage before good frames is reported and left as it is.
    ///
    /// # Errors
    /// When the folder cannot be read or written, or another process has it open.
    pub fn open(dir: &Path, options: Options) -> Result<(Log, Replay), OpenError> {
        let error = |source| OpenError { path: dir.display().to_string(), source };
        let disk = Folder::open(dir).map_err(error)?;
        Log::on(Box::new(disk), options).map_err(error)
    }

    pub(crate) fn on(mut disk: Box<dyn Disk>, options: Options) -> io::Result<(Log, Replay)> {
        let mut replay = Replay::default();
        let mut segments = Vec::new();
        let mut next_lsn = 1;
        let names: Vec<String> =
            disk.list()?.into_iter().filter(|name| name.ends_with(".wal")).collect();
        for (idx, name) in names.iter().enumerate() {
            let bytes = disk.read(name)?;
            let mut last_lsn = first_lsn_of(name).saturating_sub(1);
            let end = scan(name, &bytes, &mut replay.damage, |lsn, rows| {
                last_lsn = last_lsn.max(lsn);
                replay.entries.push((lsn, rows));
            });
            if idx + 1 == names.len() {
                disk.reopen(name)?;
                if end < bytes.len() {
                    disk.truncate(end as u64)?;
                }
            }
            next_lsn = next_lsn.max(last_lsn + 1);
            segments.push(Segment { name: name.clone(), last_lsn, bytes: end as u64 });
        }
        let mut log = Log {
            disk,
            options,
            segments,
            next_lsn,
            poisoned: None,
            scratch: Vec::new(),
            fsync_us: Vec::new(),
            n_fsyncs: 0,
        };
        // A segment whose header was cut off holds nothing: begin it anew.
        if log
            .segments
            .last()
            .is_some_and(|segment| segment.bytes < frame::SEGMENT_MAGIC.len() as u64)
        {
            let segment = log.segments.pop().expect("there is a last one");
            log.disk.remove(&segment.name)?;
        }
        if log.segments.is_empty() {
            log.begin_segment()?;
        }
        Ok((log, replay))
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
        if self.segment().bytes >= self.options.segment_bytes {
            self.begin_segment().map_err(AppendError::Io)?;
        }
        let offset = self.segment().bytes;
        if let Err(error) = self.disk.write_at(offset, bytes) {
            // Part of it may be there: take it back, or it comes alive at the next start.
            if let Err(cut) = self.disk.truncate(offset) {
                return Err(self.poison(&format!("{error}; then {cut}")));
            }
            return Err(AppendError::Io(error));
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
        let share = total_bytes / 100 * u64::from(self.options.keep_free_percent);
        let keep_bytes = self.options.keep_free_bytes.max(share.min(MAX_KEEP_FREE_BYTES));
        if free_bytes < keep_bytes.saturating_add(n_bytes) {
            return Err(AppendError::ReadOnly { free_bytes, keep_bytes });
        }
        Ok(())
    }

    fn poison(&mut self, reason: &str) -> AppendError {
        tracing::error!(reason, "the log is closed, nothing more is acknowledged");
        self.poisoned = Some(reason.to_owned());
        AppendError::Poisoned(reason.to_owned())
    }

    fn begin_segment(&mut self) -> io::Result<()> {
        let name = format!("{:020}.wal", self.next_lsn);
        self.disk.create(&name)?;
        let header = frame::SEGMENT_MAGIC;
        if let Err(error) = self.disk.write_at(0, header).and_then(|()| self.disk.sync()) {
            let _ = self.disk.remove(&name);
            if let Some(segment) = self.segments.last() {
                self.disk.reopen(&segment.name)?;
            }
            return Err(error);
        }
        self.segments.push(Segment {
            name,
            last_lsn: self.next_lsn - 1,
            bytes: header.len() as u64,
        });
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
    /// When the new segment cannot be made.
    pub fn skip_beyond(&mut self, lsn: u64) -> io::Result<()> {
        if self.next_lsn <= lsn {
            self.next_lsn = lsn + 1;
            self.begin_segment()?;
        }
        Ok(())
    }

    /// Deletes the segments that hold nothing at or after `lsn`. The one that is written stays.
    ///
    /// # Errors
    /// When a segment cannot be deleted; the ones after it stay as well.
    pub fn truncate_before(&mut self, lsn: u64) -> Result<(), TruncateError> {
        if self.poisoned.is_none()
            && self.segments.len() == 1
            && self.segments[0].last_lsn < lsn
            && self.segments[0].bytes >= self.options.segment_bytes / 4
        {
            // All of it lies in the lake; a fresh segment lets the full one go.
            self.begin_segment().map_err(|source| TruncateError {
                segment: self.segments[0].name.clone(),
                source,
            })?;
        }
        while self.segments.len() > 1 && self.segments[0].last_lsn < lsn {
            let name = self.segments[0].name.clone();
            self.disk.remove(&name).map_err(|source| TruncateError { segment: name, source })?;
            self.segments.remove(0);
        }
        Ok(())
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

fn first_lsn_of(name: &str) -> u64 {
    name.trim_end_matches(".wal").parse().unwrap_or(1)
}

/// Reads all frames of a segment; returns where its readable part ends.
pub(crate) fn scan(
    name: &str,
    bytes: &[u8],
    damage: &mut Vec<Damage>,
    mut on: impl FnMut(u64, Rows),
) -> usize {
    let mut report = |bytes: Range<usize>, at_end| {
        damage.push(Damage { segment: name.to_owned(), bytes, at_end })
    };
    let mut at = frame::SEGMENT_MAGIC.len();
    if bytes.get(..at) != Some(frame::SEGMENT_MAGIC) {
        report(0..bytes.len().min(at), bytes.len() <= at);
        if bytes.len() < at {
            return 0;
        }
    }
    while at < bytes.len() {
        if let Some(found) = frame::decode(bytes, at) {
            on(found.lsn, found.rows);
            at = found.end;
            continue;
        }
        let mut candidate = frame::next_magic(bytes, at + 1);
        while let Some(next) = candidate
            && frame::decode(bytes, next).is_none()
        {
            candidate = frame::next_magic(bytes, next + 1);
        }
        match candidate {
            Some(next) => {
                report(at..next, false);
                at = next;
            }
            None => {
                report(at..bytes.len(), true);
                break;
            }
        }
    }
    at
}

/// One segment as `fettler inspect` shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct SegmentView {
    /// Its file name.
    pub name: String,
    /// Its length.
    pub bytes: usize,
    /// Sound frames in it.
    pub frames: usize,
    /// Rows in those frames.
    pub rows: usize,
    /// First and last position.
    pub lsns: Option<(u64, u64)>,
    /// What could not be read.
    pub damage: Vec<Damage>,
}

/// Reads a log without changing it, also while Fettler runs.
///
/// # Errors
/// When the folder or a segment cannot be read.
pub fn inspect(dir: &Path) -> io::Result<Vec<SegmentView>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    let mut views = Vec::new();
    for name in names.into_iter().filter(|name| name.ends_with(".wal")) {
        let bytes = std::fs::read(dir.join(&name))?;
        let mut view = SegmentView {
            name,
            bytes: bytes.len(),
            frames: 0,
            rows: 0,
            lsns: None,
            damage: Vec::new(),
        };
        let mut damage = Vec::new();
        scan(&view.name.clone(), &bytes, &mut damage, |lsn, rows| {
            view.frames += 1;
            view.rows += rows.len();
            view.lsns = Some((view.lsns.map_or(lsn, |(first, _)| first), lsn));
        });
        view.damage = damage;
        views.push(view);
    }
    Ok(views)
}
