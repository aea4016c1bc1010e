//! One Delta table on the local disk, every write of it fsynced.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use datafusion::datasource::TableProvider;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, Add, StructField, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::{DeltaTable, DeltaTableBuilder, TableProperty};
use futures::TryStreamExt;

use crate::Error;
use crate::calendar::day_number;
use crate::data_file::now_us;

/// Under this name the log position is part of every commit.
const APP_ID: &str = "fettler-wal";
/// A checkpoint saves readers from reading more commits than this.
const COMMITS_PER_CHECKPOINT: u64 = 50;
/// How long commits before a checkpoint, and the names of removed files, are kept.
const KEEP_LOG: &str = "interval 1 days";

/// A table at one version.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) delta: DeltaTable,
    pub(crate) provider: Arc<dyn TableProvider>,
    /// Log position up to which it holds everything.
    pub(crate) lsn: u64,
    /// Files of this version.
    pub(crate) files: Arc<Vec<DataFile>>,
    pub(crate) dir: PathBuf,
    name: &'static str,
}

/// One data file.
#[derive(Clone, Debug)]
pub(crate) struct DataFile {
    /// Below the folder of the table: `day=2026-03-01/part-….parquet`.
    pub(crate) path: String,
    pub(crate) day: i32,
    pub(crate) rows: usize,
    pub(crate) bytes: u64,
}

/// What a table is made of.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<StructField>,
}

impl Table {
    /// Opens the table in `dir`; none when there is none.
    pub(crate) async fn open(dir: &Path, name: &'static str) -> Result<Option<Table>, Error> {
        let log = dir.join("_delta_log");
        if !log.is_dir() {
            return Ok(None);
        }
        let doing = || format!("open the table {name} in {}", dir.display());
        set_aside_torn_commit(&log).map_err(|error| Error::table(doing(), error))?;
        if newest_commit(&log).map_err(|error| Error::table(doing(), error))?.is_none() {
            // A crash while it was made; nothing is in it.
            return Ok(None);
        }
        let loaded = match builder(dir)?.load().await {
            Ok(delta) => delta,
            Err(error) => {
                // Commits are deleted only after the checkpoint that replaces them is synced, so without an
                // unsynced one the table is whole.
                let is_set_aside =
                    set_aside_checkpoint(&log).map_err(|error| Error::table(doing(), error))?;
                if !is_set_aside {
                    return Err(Error::table(doing(), error));
                }
                builder(dir)?.load().await.map_err(|error| Error::table(doing(), error))?
            }
        };
        Table::of(loaded, name, dir).await.map(Some)
    }

    /// Makes the table in `dir`.
    pub(crate) async fn create(dir: &Path, definition: Definition) -> Result<Table, Error> {
        let name = definition.name;
        let doing = || format!("make the table {name} in {}", dir.display());
        fs::create_dir_all(dir).map_err(|error| Error::table(doing(), error))?;
        let delta = builder(dir)?.build().map_err(|error| Error::table(doing(), error))?;
        let delta = delta
            .create()
            .with_table_name(name)
            .with_columns(definition.columns)
            .with_partition_columns(["day"])
            .with_configuration_property(TableProperty::LogRetentionDuration, Some(KEEP_LOG))
            .with_configuration_property(
                TableProperty::DeletedFileRetentionDuration,
                Some(KEEP_LOG),
            )
            .await
            .map_err(|error| Error::table(doing(), error))?;
        sync_log(dir).map_err(|error| Error::table(doing(), error))?;
        Table::of(delta, name, dir).await
    }

    async fn of(delta: DeltaTable, name: &'static str, dir: &Path) -> Result<Table, Error> {
        let doing = || format!("read the table {name}");
        let provider =
            delta.table_provider().await.map_err(|error| Error::table(doing(), error))?;
        let state = delta.snapshot().map_err(|error| Error::table(doing(), error))?;
        let log_store = delta.log_store();
        let lsn = state
            .transaction_version(log_store.as_ref(), APP_ID)
            .await
            .map_err(|error| Error::table(doing(), error))?
            .unwrap_or(0);
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            let day = view.partition_values_map().remove("day").flatten().unwrap_or_default();
            files.push(DataFile {
                path: view.path().into_owned(),
                day: day_number(&day).unwrap_or_default(),
                rows: view.num_records().unwrap_or(0),
                bytes: view.size().max(0) as u64,
            });
        }
        files.sort_by(|a, b| (a.day, &a.path).cmp(&(b.day, &b.path)));
        Ok(Table {
            delta,
            provider,
            lsn: lsn as u64,
            files: Arc::new(files),
            name,
            dir: dir.to_owned(),
        })
    }

    /// Commits new files together with the log position.
    pub(crate) async fn append(&self, adds: Vec<Add>, lsn: u64) -> Result<Table, Error> {
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec!["day".to_owned()]),
            predicate: None,
        };
        self.commit(adds.into_iter().map(Action::Add).collect(), operation, Some(lsn)).await
    }

    /// Commits files whose rows come from other files, and takes those away.
    pub(crate) async fn replace(
        &self,
        adds: Vec<Add>,
        old: &HashSet<String>,
        day: &str,
    ) -> Result<Table, Error> {
        let add = |add: Add| Action::Add(Add { data_change: false, ..add });
        let mut actions: Vec<Action> = adds.into_iter().map(add).collect();
        actions.extend(self.removals(old, false)?);
        let operation =
            DeltaOperation::Optimize { predicate: Some(format!("day = '{day}'")), target_size: 0 };
        self.commit(actions, operation, None).await
    }

    /// Takes files away with their rows.
    pub(crate) async fn delete(
        &self,
        old: &HashSet<String>,
        predicate: String,
    ) -> Result<Table, Error> {
        let operation = DeltaOperation::Delete { predicate: Some(predicate) };
        self.commit(self.removals(old, true)?, operation, None).await
    }

    fn removals(&self, paths: &HashSet<String>, data_change: bool) -> Result<Vec<Action>, Error> {
        let state = self
            .delta
            .snapshot()
            .map_err(|error| Error::table(format!("read the table {}", self.name), error))?;
        let files = state.log_data();
        let removals = files.iter().filter(|view| paths.contains(view.path().as_ref()));
        Ok(removals.map(|view| Action::Remove(view.remove_action(data_change))).collect())
    }

    async fn commit(
        &self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        lsn: Option<u64>,
    ) -> Result<Table, Error> {
        let doing = || format!("commit to the table {}", self.name);
        // Checkpoints are made by us, because they must be synced before commits are deleted.
        let mut properties = CommitProperties::default()
            .with_create_checkpoint(false)
            .with_cleanup_expired_logs(Some(false));
        if let Some(lsn) = lsn {
            properties =
                properties.with_application_transaction(Transaction::new(APP_ID, lsn as i64));
        }
        let state = self.delta.snapshot().map_err(|error| Error::table(doing(), error))?;
        CommitBuilder::from(properties)
            .with_actions(actions)
            .build(Some(state), self.delta.log_store(), operation)
            .await
            .map_err(|error| Error::table(doing(), error))?;
        let mut delta = self.delta.clone();
        delta.update_state().await.map_err(|error| Error::table(doing(), error))?;
        sync_log(&self.dir).map_err(|error| Error::table(doing(), error))?;
        Table::of(delta, self.name, &self.dir).await
    }

    /// Writes a checkpoint when there are many commits since the last, and deletes old commits before it.
    pub(crate) async fn tidy_log(&self) -> Result<(), Error> {
        let doing = || format!("shorten the log of the table {}", self.name);
        let log = self.dir.join("_delta_log");
        let version = self.delta.version().unwrap_or(0);
        if version < last_checkpoint(&log) + COMMITS_PER_CHECKPOINT {
            return Ok(());
        }
        deltalake::checkpoints::create_checkpoint(&self.delta, None)
            .await
            .map_err(|error| Error::table(doing(), error))?;
        sync_checkpoint(&log, version).map_err(|error| Error::table(doing(), error))?;
        deltalake::checkpoints::cleanup_metadata(&self.delta, None)
            .await
            .map_err(|error| Error::table(doing(), error))?;
        Ok(())
    }

    /// Files that were taken away from the table, only those less than `keep` ago if it is given.
    pub(crate) async fn removed(&self, keep: Option<Duration>) -> Result<HashSet<String>, Error> {
        let doing = || format!("read the log of the table {}", self.name);
        let state = self.delta.snapshot().map_err(|error| Error::table(doing(), error))?;
        let log_store = self.delta.log_store();
        let horizon_ms = keep.map(|keep| now_us() / 1000 - keep.as_millis() as i64);
        let mut removed = HashSet::new();
        let mut tombstones = state.all_tombstones(log_store.as_ref());
        while let Some(tombstone) =
            tombstones.try_next().await.map_err(|error| Error::table(doing(), error))?
        {
            let removed_ms = tombstone.deletion_timestamp().unwrap_or(i64::MAX);
            if horizon_ms.is_none_or(|horizon_ms| removed_ms > horizon_ms) {
                removed.insert(tombstone.path().into_owned());
            }
        }
        Ok(removed)
    }
}

fn builder(dir: &Path) -> Result<DeltaTableBuilder, Error> {
    let doing = || format!("open the table in {}", dir.display());
    let url = deltalake::ensure_table_uri(dir.to_string_lossy())
        .map_err(|error| Error::table(doing(), error))?;
    DeltaTableBuilder::from_url(url).map_err(|error| Error::table(doing(), error))
}

/// Makes the newest commit durable, with the folders that lead to it. object_store 0.13 does not sync.
fn sync_log(dir: &Path) -> io::Result<()> {
    let log = dir.join("_delta_log");
    if let Some(commit) = newest_commit(&log)? {
        File::open(commit)?.sync_all()?;
    }
    for folder in log.ancestors().take(4) {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

fn sync_checkpoint(log: &Path, version: u64) -> io::Result<()> {
    let prefix = format!("{version:020}.checkpoint");
    for entry in fs::read_dir(log)? {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(&prefix) || name == "_last_checkpoint" {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(log)?.sync_all()
}

fn last_checkpoint(log: &Path) -> u64 {
    let hint = fs::read(log.join("_last_checkpoint")).unwrap_or_default();
    let hint: serde_json::Value = serde_json::from_slice(&hint).unwrap_or_default();
    hint["version"].as_u64().unwrap_or(0)
}

fn newest_commit(log: &Path) -> io::Result<Option<PathBuf>> {
    let mut newest = None;
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        let is_commit = path.extension().is_some_and(|extension| extension == "json");
        if is_commit && newest.as_ref().is_none_or(|other| path > *other) {
            newest = Some(path);
        }
    }
    Ok(newest)
}

/// A power cut can leave the newest commit without its content. Its rows are still in the log, because the log
/// is shortened only after the commit is synced; so it is set aside and written again by the next flush.
fn set_aside_torn_commit(log: &Path) -> io::Result<()> {
    let Some(newest) = newest_commit(log)? else { return Ok(()) };
    let text = fs::read_to_string(&newest).unwrap_or_default();
    let is_whole = !text.is_empty()
        && text.lines().all(|line| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok())
        && text.ends_with(['}', '\n']);
    if !is_whole {
        tracing::warn!(commit = %newest.display(), "a commit was cut off and is set aside; its rows are in the log");
        fs::rename(&newest, newest.with_extension("torn"))?;
        File::open(log)?.sync_all()?;
    }
    Ok(())
}

/// Renames the newest checkpoint, so that the table is read from its commits; whether there was one.
fn set_aside_checkpoint(log: &Path) -> io::Result<bool> {
    let mut checkpoints = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.to_string_lossy().ends_with(".checkpoint.parquet") {
            checkpoints.push(path);
        }
    }
    checkpoints.sort();
    let Some(newest) = checkpoints.pop() else { return Ok(false) };
    tracing::warn!(checkpoint = %newest.display(), "a checkpoint cannot be read and is set aside");
    fs::rename(&newest, newest.with_extension("torn"))?;
    match fs::remove_file(log.join("_last_checkpoint")) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    Ok(true)
}
