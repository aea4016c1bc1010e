//! The scheduled path: what happens every so often and not because a sample came in.
//!
//! One file per job. Each is a function that does its work once; [`run`] is the clock.
//! A job that fails says so and is tried again at its next time.

mod compact;
mod flush;
mod refine;
mod retain;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ingest::Handle;
use lake::Lake;
use signal::TenantId;
use tokio_util::sync::CancellationToken;

/// How often flushing is considered.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Seconds of a day.
const DAY_S: u64 = 24 * 3600;
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
    /// Fit the detectors again every day at this hour (UTC).
    pub refine_hour_utc: u8,
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
    let refining = daily(schedule.refine_hour_utc, &stop, || refine::once(&house));
    tokio::join!(flushing, compacting, retaining, refining);
}

/// Flushes what is left, for a clean end.
pub async fn flush_all(house: &House) {
    flush::once(house).await;
}

async fn daily<F: Future<Output = ()>>(
    hour_utc: u8,
    stop: &CancellationToken,
    mut job: impl FnMut() -> F,
) {
    loop {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(until_hour(hour_utc, since_1970)) => job().await,
        }
    }
}

/// How long it is until the next time that the clock shows this full hour.
fn until_hour(hour_utc: u8, since_1970: Duration) -> Duration {
    let now_s = since_1970.as_secs() % DAY_S;
    let hour_s = u64::from(hour_utc) * 3600;
    Duration::from_secs((hour_s + DAY_S - now_s - 1) % DAY_S + 1)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hour_utc: u8, now_s: u64, expected_s: u64) {
        let days = Duration::from_secs(20_000 * DAY_S);
        let wait = until_hour(hour_utc, days + Duration::from_secs(now_s));
        assert_eq!(wait, Duration::from_secs(expected_s), "{hour_utc} h at {now_s} s");
    }

    #[test]
    fn a_daily_job_waits_for_its_hour() {
        check(2, 0, 7200);
        check(2, 7199, 1);
        // It has just run; the next time is tomorrow.
        check(2, 7200, DAY_S);
        check(0, 1, DAY_S - 1);
        check(23, DAY_S - 1, DAY_S - 3599);
    }
}
