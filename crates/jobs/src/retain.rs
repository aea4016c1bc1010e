//! Deletes days that are older than the retention, and files that no table version needs.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::House;
use crate::flush::chain;

/// Readers from outside may still hold a version of this age.
const KEEP_UNUSED: Duration = Duration::from_secs(24 * 3600);

pub(crate) async fn once(house: &House, keep_days: u32) {
    let now_us = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_micros() as i64);
    if keep_days > 0 {
        let before_us = now_us - i64::from(keep_days) * signal::DAY_US;
        report(house, "old days deleted", house.lake.retain(house.tenant, before_us).await);
    }
    report(house, "unused files deleted", house.lake.vacuum(house.tenant, KEEP_UNUSED).await);
}

fn report(house: &House, done: &'static str, result: Result<usize, lake::Error>) {
    match result {
        Ok(0) => {}
        Ok(files) => tracing::info!(tenant = %house.tenant, files, done),
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(tenant = %house.tenant, error, "old files could not be deleted; the disk fills faster");
        }
    }
}
