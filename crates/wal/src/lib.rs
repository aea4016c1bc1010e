//! The write-ahead log and the buffer that queries read.
//!
//! ```text
//! Log::append(rows) ── one write, one fsync ──► durable: the sender may be told
//!        │
//! Buffer::push(lsn, rows) ──► visible to queries ── seal ──► lake ── release ──► Log::truncate_before
//! ```
//!
//! Start reading at [`Log`], then [`Buffer`]. Rows are pushed only after they were appended, so nothing is
//! ever visible that a crash could take back. This crate knows no tables, no queries and no tasks.

mod buffer;
mod disk;
mod frame;
mod log;
#[cfg(test)]
mod sim;
#[cfg(test)]
mod testing;

pub use buffer::{Buffer, Chunk, Sealed, Snapshot, events_schema, samples_schema};
pub use log::{
    AppendError, Damage, Log, OpenError, Options, Replay, SegmentView, Stats, TruncateError,
    inspect,
};
