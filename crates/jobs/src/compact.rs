//! Merges the small files that frequent flushes leave behind.

use std::time::Instant;

use crate::House;
use crate::flush::chain;

pub(crate) async fn once(house: &House) {
    let started = Instant::now();
    match house.lake.compact(house.tenant).await {
        Ok(0) => {}
        Ok(files) => {
            let elapsed_ms = started.elapsed().as_millis() as u64;
            tracing::info!(tenant = %house.tenant, files, elapsed_ms, "merged");
        }
        Err(error) => {
            let error = chain(&error);
            tracing::warn!(tenant = %house.tenant, error, "files could not be merged; queries are slower until they are");
        }
    }
}
