//! Moves rows from memory into the tables, and lets the log go of them.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use crate::{House, Schedule};

/// Flushes when there are many rows or old ones.
pub(crate) async fn when_due(house: &House, schedule: Schedule) {
    let is_many = house.buffer.rows(house.tenant) >= schedule.flush_rows;
    let is_old = house.buffer.oldest_us(house.tenant).is_some_and(|oldest_us| {
        let now_us = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_micros() as i64);
        now_us - oldest_us >= schedule.flush_after.as_micros() as i64
    });
    if is_many || is_old {
        once(house).await;
    }
}

/// Flushes whatever is there.
pub(crate) async fn once(house: &House) {
    let started = Instant::now();
    match house.lake.flush(house.tenant).await {
        Ok(Some(flushed)) => {
            let elapsed_ms = started.elapsed().as_millis() as u64;
            tracing::info!(tenant = %house.tenant, rows = flushed.rows, elapsed_ms, "flushed");
            // Whatever is still in memory must stay in the log.
            let keep_from = house.buffer.first_lsn().unwrap_or(flushed.last_lsn + 1);
            house.ingest.truncate_log(keep_from);
        }
        Ok(None) => {}
        Err(error) => {
            let error = chain(&error);
            tracing::error!(tenant = %house.tenant, error, "rows could not be moved to the lake; they stay in memory and log");
        }
    }
}

/// An error with its causes, for one log line.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
