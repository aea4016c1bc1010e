//! When to kill: at any time, while starting, or between two steps of what runs in the background.

use std::path::Path;
use std::time::{Duration, Instant};

use rand::Rng;
use rand::rngs::StdRng;

use super::left;

/// How often the disk is looked at.
const LOOK_EVERY: Duration = Duration::from_micros(500);
/// A file that has not come by then does not come.
const WAIT_AT_MOST: Duration = Duration::from_secs(4);

/// The moment of a kill.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Moment {
    /// So long after the start of the process, ready or not.
    Starting(Duration),
    /// So long after it was ready.
    Running(Duration),
    /// When a data file has appeared in the lake: written, and most often not committed.
    DataFile(Duration),
    /// When a commit has appeared: the log still holds its rows.
    Commit(Duration),
    /// When the log begins a new segment.
    Segment(Duration),
}

impl Moment {
    pub(crate) fn any(random: &mut StdRng) -> Moment {
        let kind = random.random_range(0..10);
        // A file may come in the middle of its writing as well as just after it.
        let soon = Duration::from_micros(random.random_range(0..30_000));
        match kind {
            0 => Moment::Starting(Duration::from_millis(random.random_range(0..600))),
            1..=4 => Moment::Running(Duration::from_millis(random.random_range(20..2500))),
            5 | 6 => Moment::DataFile(soon),
            7 | 8 => Moment::Commit(soon),
            _ => Moment::Segment(soon),
        }
    }

    /// Such as `while starting`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Moment::Starting(_) => "while starting",
            Moment::Running(_) => "at any time",
            Moment::DataFile(_) => "at a data file",
            Moment::Commit(_) => "at a commit",
            Moment::Segment(_) => "at a new segment",
        }
    }

    /// Returns when it has come.
    pub(crate) async fn come(self, lake_dir: &Path, log_dir: &Path) {
        match self {
            Moment::Starting(after) | Moment::Running(after) => tokio::time::sleep(after).await,
            Moment::DataFile(after) => after_new(lake_dir, "parquet", after).await,
            Moment::Commit(after) => after_new(lake_dir, "json", after).await,
            Moment::Segment(after) => after_new(log_dir, "wal", after).await,
        }
    }
}

/// Waits until another file of that kind is below `dir`, and then a little.
async fn after_new(dir: &Path, extension: &str, after: Duration) {
    // The first file is there at once; the second comes while others are merged.
    let newest = newest_name(dir, extension);
    let deadline = Instant::now() + WAIT_AT_MOST;
    while !left(deadline).is_zero() && newest_name(dir, extension) <= newest {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    tokio::time::sleep(after).await;
}

/// Names of data files, commits and segments all grow with time.
fn newest_name(dir: &Path, extension: &str) -> Option<std::ffi::OsString> {
    let mut newest = None;
    for entry in std::fs::read_dir(dir).ok()?.map_while(Result::ok) {
        let path = entry.path();
        let name = match entry.file_type() {
            Ok(kind) if kind.is_dir() => newest_name(&path, extension),
            _ if path.extension().is_some_and(|other| other == extension) => {
                Some(entry.file_name())
            }
            _ => None,
        };
        newest = newest.max(name);
    }
    newest
}
