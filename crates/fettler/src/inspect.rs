//! `fettler inspect`: what lies on the disk, also while Fettler runs.

use std::sync::Arc;

use anyhow::Context;
use signal::TenantId;

use crate::config::Config;
use crate::serve::{log_dir, print};

pub(crate) async fn command(config: &Config) -> anyhow::Result<()> {
    let dir = log_dir(&config.data_dir);
    let mut text = format!("log {}\n", dir.display());
    for segment in
        wal::inspect(&dir).with_context(|| format!("cannot read the log in {}", dir.display()))?
    {
        let lsns = segment
            .lsns
            .map_or_else(|| "empty".to_owned(), |(first, last)| format!("{first}–{last}"));
        text.push_str(&format!(
            "  {}  {:>12} bytes  {:>8} entries  {:>10} rows  {lsns}\n",
            segment.name, segment.bytes, segment.frames, segment.rows
        ));
        for damage in segment.damage {
            let what = if damage.at_end {
                "a write that was cut off, never acknowledged"
            } else {
                "damaged"
            };
            text.push_str(&format!(
                "    bytes {}–{}: {what}\n",
                damage.bytes.start, damage.bytes.end
            ));
        }
    }
    let lake_dir = config.data_dir.join("lake");
    if lake_dir.is_dir() {
        let lake = lake::Lake::open(&lake_dir, Arc::default(), lake::Options::default())?;
        let stats = lake.stats(TenantId::FIRST).await;
        let committed = lake.committed(TenantId::FIRST).await?;
        text.push_str(&format!(
            "tables {}\n  {} rows in {} files, {} bytes; log position {} (samples), {} (events)\n",
            lake_dir.display(),
            stats.rows,
            stats.files,
            stats.bytes,
            committed.samples_lsn,
            committed.events_lsn
        ));
    }
    print(&text);
    Ok(())
}
