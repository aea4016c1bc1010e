//! Segments: their names, and the frames that are sound in them.

use std::io;
use std::path::Path;

use signal::Rows;

use super::{Damage, MAX_LSN};
use crate::frame;

pub(super) fn segment_name(first_lsn: u64) -> String {
    format!("{first_lsn:020}.wal")
}

/// Those of `names` that are segments, with the position they begin at, oldest first.
pub(super) fn segment_names(names: Vec<String>) -> Vec<(u64, String)> {
    let first_lsn = |name: &str| {
        name.strip_suffix(".wal")?.parse().ok().filter(|lsn| (1..=MAX_LSN).contains(lsn))
    };
    let mut segments: Vec<(u64, String)> =
        names.into_iter().filter_map(|name| Some((first_lsn(&name)?, name))).collect();
    segments.retain(|(lsn, name)| *name == segment_name(*lsn));
    segments.sort_unstable();
    segments
}

/// Reads all frames of a segment that begins at `first_lsn`; returns where its readable part ends, 0 when there
/// is neither a header nor a frame.
pub(super) fn scan(
    name: &str,
    bytes: &[u8],
    first_lsn: u64,
    is_last: bool,
    damage: &mut Vec<Damage>,
    mut on: impl FnMut(u64, Rows),
) -> usize {
    let has_header = bytes.starts_with(frame::SEGMENT_MAGIC);
    let mut at = if has_header { frame::SEGMENT_MAGIC.len() } else { 0 };
    let mut next_lsn = first_lsn;
    while at < bytes.len() {
        let found = frame::decode(bytes, at, &(next_lsn..=MAX_LSN));
        let found = found.map(|found| (at, found)).or_else(|| resync(bytes, at, next_lsn));
        let start = found.as_ref().map_or(bytes.len(), |(start, _)| *start);
        if start > at {
            let at_end = is_last && found.is_none();
            damage.push(Damage { segment: name.to_owned(), bytes: at..start, at_end });
        }
        let Some((_, found)) = found else { break };
        on(found.lsn, found.rows);
        next_lsn = found.lsn + 1;
        at = found.end;
    }
    at
}

/// The first sound frame after damage at `at`. Its position must be one that the damaged bytes leave room for, so
/// that a frame inside a text somebody sent is not taken for ours.
fn resync(bytes: &[u8], at: usize, next_lsn: u64) -> Option<(usize, frame::Found)> {
    let mut candidate = at;
    loop {
        candidate = frame::next_magic(bytes, candidate + 1)?;
        let n_lost = ((candidate - at) / frame::MIN_FRAME_BYTES) as u64;
        if let Some(found) = frame::decode(bytes, candidate, &(next_lsn..=next_lsn + n_lost)) {
            return Some((candidate, found));
        }
    }
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
    let names = segment_names(names);
    let mut views = Vec::new();
    for (idx, (first_lsn, name)) in names.iter().enumerate() {
        let bytes = match std::fs::read(dir.join(name)) {
            Ok(bytes) => bytes,
            // Fettler let it go while we looked.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(error),
        };
        views.push(view(name, &bytes, *first_lsn, idx + 1 == names.len()));
    }
    Ok(views)
}

fn view(name: &str, bytes: &[u8], first_lsn: u64, is_last: bool) -> SegmentView {
    let (mut frames, mut rows, mut lsns, mut damage) = (0, 0, None, Vec::new());
    scan(name, bytes, first_lsn, is_last, &mut damage, |lsn, found| {
        frames += 1;
        rows += found.len();
        lsns = Some((lsns.map_or(lsn, |(first, _)| first), lsn));
    });
    SegmentView { name: name.to_owned(), bytes: bytes.len(), frames, rows, lsns, damage }
}
