//! Keeps the tables small: merges files, drops replaced rows, old days and files that nobody needs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow::array::RecordBatch;
use deltalake::protocol::DeltaOperation;

use crate::table::{File, Table};
use crate::tenant::{Tenant, View};
use crate::{Error, query};

/// A day is merged when it has more files than this, or holds replaced rows.
const MAX_FILES_PER_DAY: usize = 4;
/// A file of so many rows is not merged again just because others came beside it.
const FULL_ROWS: usize = 8_000_000;
/// Days merged in one pass; the rest waits for the next.
const DAYS_PER_PASS: usize = 10;

impl Tenant {
    pub(crate) async fn compact(self: &Arc<Self>) -> Result<usize, Error> {
        let mut merged = 0;
        for kind in [Kind::Samples, Kind::Events] {
            for day in self.days_to_merge(kind).await? {
                merged += self.merge_day(kind, &day).await?;
            }
        }
        Ok(merged)
    }

    async fn days_to_merge(&self, kind: Kind) -> Result<Vec<String>, Error> {
        let view = self.view().await?;
        let Some(table) = kind.of(&view) else { return Ok(Vec::new()) };
        let mut by_day: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for file in table.files()? {
            by_day.entry(file.day).or_default().push(file.rows);
        }
        let wants = |day: &String, files: &Vec<usize>| {
            let small = files.iter().filter(|rows| **rows < FULL_ROWS).count();
            small > MAX_FILES_PER_DAY || (kind == Kind::Samples && is_mixed(&view, day))
        };
        let days =
            by_day.iter().filter(|(day, files)| wants(day, files)).map(|(day, _)| day.clone());
        Ok(days.take(DAYS_PER_PASS).collect())
    }

    /// Reads a day as queries see it, writes it as one file, and swaps the files in one commit.
    async fn merge_day(self: &Arc<Self>, kind: Kind, day: &str) -> Result<usize, Error> {
        let before = self.view().await?;
        let Some(table) = kind.of(&before) else { return Ok(0) };
        let old: Vec<File> = table.files()?.into_iter().filter(|file| file.day == day).collect();
        let batches = self.read_day(kind, table, day, is_mixed(&before, day)).await?;
        let mut actions = table.write(&batches).await?;

        let _alone = self.writing.lock().await;
        let mut view = self.view().await?;
        let Some(table) = kind.of(&view) else { return Ok(0) };
        // What was flushed meanwhile lies in other files and stays; so does its mark.
        let now: Vec<File> = table.files()?.into_iter().filter(|file| file.day == day).collect();
        let flushed_meanwhile = now.len() != old.len();
        let n_old = old.len();
        actions.extend(old.into_iter().map(|file| file.remove));
        let operation =
            DeltaOperation::Optimize { predicate: Some(format!("day = '{day}'")), target_size: 0 };
        let table = table.commit(actions, operation, None).await?;
        match kind {
            Kind::Samples => view.samples = Some(table),
            Kind::Events => view.events = Some(table),
        }
        if kind == Kind::Samples && !flushed_meanwhile && is_mixed(&view, day) {
            let mut days = (*view.mixed_days).clone();
            days.retain(|number| day_name(*number) != day);
            // After the commit: the mark must outlive the doubled rows.
            self.write_mixed_days(&days)?;
            view.mixed_days = Arc::new(days);
        }
        self.set_view(view).await;
        Ok(n_old)
    }

    async fn read_day(
        self: &Arc<Self>,
        kind: Kind,
        table: &Table,
        day: &str,
        mixed: bool,
    ) -> Result<Vec<RecordBatch>, Error> {
        let stored = format!("SELECT * FROM stored WHERE day = CAST('{day}' AS DATE)");
        let query = match kind {
            Kind::Samples if mixed => format!(
                "SELECT signal, time, value, quality, lsn, day FROM (SELECT *, row_number() OVER \
                 (PARTITION BY signal, time ORDER BY lsn DESC) AS nth FROM ({stored})) WHERE nth = 1 \
                 ORDER BY signal, time"
            ),
            Kind::Samples => {
                format!(
                    "SELECT signal, time, value, quality, lsn, day FROM ({stored}) ORDER BY signal, time, lsn"
                )
            }
            Kind::Events => {
                format!(
                    "SELECT time, kind, asset, signal, body, lsn, day FROM ({stored}) ORDER BY time, lsn"
                )
            }
        };
        query::stored(self, table, query).await
    }

    pub(crate) async fn retain(&self, before_us: i64) -> Result<usize, Error> {
        let limit = day_name(signal::day_of(before_us));
        let _alone = self.writing.lock().await;
        let mut view = self.view().await?;
        let mut deleted = 0;
        for kind in [Kind::Samples, Kind::Events] {
            let Some(table) = kind.of(&view) else { continue };
            // ISO dates sort as text.
            let old: Vec<File> =
                table.files()?.into_iter().filter(|file| file.day < limit).collect();
            if old.is_empty() {
                continue;
            }
            deleted += old.len();
            let operation = DeltaOperation::Delete { predicate: Some(format!("day < '{limit}'")) };
            let table = table
                .commit(old.into_iter().map(|file| file.delete).collect(), operation, None)
                .await?;
            match kind {
                Kind::Samples => view.samples = Some(table),
                Kind::Events => view.events = Some(table),
            }
        }
        self.set_view(view).await;
        Ok(deleted)
    }

    /// Files that are in no present version and older than `keep`; also those of a crash before its commit.
    pub(crate) async fn vacuum(&self, keep: Duration) -> Result<usize, Error> {
        let _alone = self.writing.lock().await;
        let view = self.view().await?;
        let mut deleted = 0;
        for kind in [Kind::Samples, Kind::Events] {
            let Some(table) = kind.of(&view) else { continue };
            let dir = self.dir.join(kind.folder());
            let used: HashSet<String> =
                table.files()?.into_iter().map(|file| file.path.to_string()).collect();
            let delete = move || delete_unused(&dir, &used, keep);
            deleted += self
                .on_cpu(move || {
                    delete()
                        .map_err(|error| Error::table("delete files that are not needed", error))
                })
                .await?;
        }
        Ok(deleted)
    }
}

fn delete_unused(
    dir: &std::path::Path,
    used: &HashSet<String>,
    keep: Duration,
) -> std::io::Result<usize> {
    let mut deleted = 0;
    for partition in std::fs::read_dir(dir)? {
        let partition = partition?;
        let name = partition.file_name().to_string_lossy().into_owned();
        if !name.starts_with("day=") {
            continue;
        }
        for file in std::fs::read_dir(partition.path())? {
            let file = file?;
            let path = format!("{name}/{}", file.file_name().to_string_lossy());
            let age =
                SystemTime::now().duration_since(file.metadata()?.modified()?).unwrap_or_default();
            if !used.iter().any(|used| used.ends_with(&path)) && age > keep {
                std::fs::remove_file(file.path())?;
                deleted += 1;
            }
        }
    }
    Ok(deleted)
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Samples,
    Events,
}

impl Kind {
    fn of(self, view: &View) -> Option<&Table> {
        match self {
            Kind::Samples => view.samples.as_ref(),
            Kind::Events => view.events.as_ref(),
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Kind::Samples => "samples",
            Kind::Events => "events",
        }
    }
}

fn is_mixed(view: &View, day: &str) -> bool {
    view.mixed_days.iter().any(|number| day_name(*number) == day)
}

/// Days since 1970 as `2026-03-01` (proleptic Gregorian; Hinnant (2013), "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
fn day_name(day: i32) -> String {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_the_names_of_the_calendar() {
        for (day, name) in
            [(0, "1970-01-01"), (-1, "1969-12-31"), (19_782, "2024-02-29"), (20_513, "2026-03-01")]
        {
            assert_eq!(day_name(day), name);
        }
    }
}
