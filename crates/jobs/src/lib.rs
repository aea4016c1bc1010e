//! The scheduled path: what happens every so often and not because a sample came in.
//!
//! One file per job. Each is a function that does its work once; [`run`] is the clock.
//! A job that fails says so and is tried again at its next time.

mod compact;
mod flush;
mod retain;

use std::sync::Arc;
use std::time::Duration;

use ingest::Handle;
use lake::Lake;
use signal::TenantId;
use tokio_util::sync::CancellationToken;

/// How often flushing is considered.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How often old days and unused files are looked for.
const RETAIN_EVERY: Duration = Duration::from_secs(3600);

/// When jobs run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    /// Flush when a tenant holds more rows in memory than this.
    pub flush_rows: u64,
    /// Flush when its oldest row is older than this.
    pub flush_after: Duration,
    /// Merge files this often.
    pub compact_every: Duration,
    /// Delete rows older than this many days; 0 keeps everything.
    pub keep_days: u32,
}

/// What jobs work on.
#[derive(Clone)]
pub struct House {
    /// The hot path.
    pub ingest: Handle,
    /// The tables.
    pub lake: Arc<Lake>,
    /// The rows between them.
    pub buffer: Arc<wal::Buffer>,
    /// Whose.
    pub tenant: TenantId,
}

/// Runs all jobs by their schedule until `stop`.
pub async fn run(house: House, schedule: Schedule, stop: CancellationToken) {
    let flushing = every(LOOK_EVERY, &stop, || flush::when_due(&house, schedule));
    let compacting = every(schedule.compact_every, &stop, || compact::once(&house));
    let retaining = every(RETAIN_EVERY, &stop, || retain::once(&house, schedule.keep_days));
    tokio::join!(flushing, compacting, retaining);
}

/// Flushes what is left, for a clean end.
pub async fn flush_all(house: &House) {
    flush::once(house).await;
}

async fn every<F: Future<Output = ()>>(
    period: Duration,
    stop: &CancellationToken,
    mut job: impl FnMut() -> F,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(period) => job().await,
        }
    }
}
