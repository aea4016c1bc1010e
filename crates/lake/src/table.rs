//! One Delta table on the local disk, every write of it fsynced.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::RecordBatch;
use datafusion::datasource::TableProvider;
use deltalake::kernel::transaction::{CommitBuilder, CommitProperties};
use deltalake::kernel::{Action, StructField, Transaction};
use deltalake::protocol::{DeltaOperation, SaveMode};
use deltalake::writer::{DeltaWriter, RecordBatchWriter};
use deltalake::{DeltaTable, DeltaTableBuilder, Path as StorePath};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::properties::{EnabledStatistics, WriterProperties};

use crate::Error;

/// Under this name the log position is part of every commit.
const APP_ID: &str = "fettler-wal";
/// Rows of one Parquet row group: small enough that the statistics skip most of them for one signal.
const ROW_GROUP_ROWS: usize = 256 * 1024;

/// A table at one version.
#[derive(Clone)]
pub(crate) struct Table {
    pub(crate) delta: DeltaTable,
    pub(crate) provider: Arc<dyn TableProvider>,
    /// Log position up to which it holds everything.
    pub(crate) lsn: u64,
    name: &'static str,
    dir: PathBuf,
}

/// What a table is made of.
pub(crate) struct Definition {
    pub(crate) name: &'static str,
    pub(crate) columns: Vec<StructField>,
}

impl Table {
    /// Opens the table in `dir`; none when there is none.
    pub(crate) async fn open(dir: &Path, name: &'static str) -> Result<Option<Table>, Error> {
        if !dir.join("_delta_log").is_dir() {
            return Ok(None);
        }
        let doing = || format!("open the table {name} in {}", dir.display());
        set_aside_torn_commit(&dir.join("_delta_log"))
            .map_err(|error| Error::table(doing(), error))?;
        let delta = builder(dir)?.load().await.map_err(|error| Error::table(doing(), error))?;
        Table::of(delta, name, dir).await.map(Some)
    }

    /// Makes the table in `dir`.
    pub(crate) async fn create(dir: &Path, definition: Definition) -> Result<Table, Error> {
        let name = definition.name;
        let doing = || format!("make the table {name} in {}", dir.display());
        std::fs::create_dir_all(dir).map_err(|error| Error::table(doing(), error))?;
        let delta = builder(dir)?.build().map_err(|error| Error::table(doing(), error))?;
        let delta = delta
            .create()
            .with_table_name(name)
            .with_columns(definition.columns)
            .with_partition_columns(["day"])
            .await
            .map_err(|error| Error::table(doing(), error))?;
        sync_log(dir, &delta).map_err(|error| Error::table(doing(), error))?;
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
        Ok(Table { delta, provider, lsn: lsn as u64, name, dir: dir.to_owned() })
    }

    /// Writes batches (which carry the column `day`) and commits them together with the log position.
    pub(crate) async fn append(&self, batches: &[RecordBatch], lsn: u64) -> Result<Table, Error> {
        let actions = self.write(batches).await?;
        let operation = DeltaOperation::Write {
            mode: SaveMode::Append,
            partition_by: Some(vec!["day".to_owned()]),
            predicate: None,
        };
        self.commit(actions, operation, Some(lsn)).await
    }

    /// Writes files without committing them.
    pub(crate) async fn write(&self, batches: &[RecordBatch]) -> Result<Vec<Action>, Error> {
        let doing = || format!("write files of the table {}", self.name);
        let mut writer = RecordBatchWriter::for_table(&self.delta)
            .map_err(|error| Error::table(doing(), error))?
            .with_writer_properties(writer_properties());
        for batch in batches {
            writer.write(batch.clone()).await.map_err(|error| Error::table(doing(), error))?;
        }
        let adds = writer.flush().await.map_err(|error| Error::table(doing(), error))?;
        for add in &adds {
            // Before the commit names it: object_store 0.13 does not sync what it writes.
            sync_file(&self.dir.join(&add.path)).map_err(|error| Error::table(doing(), error))?;
        }
        Ok(adds.into_iter().map(Action::Add).collect())
    }

    /// Commits actions; the table as it is after them.
    pub(crate) async fn commit(
        &self,
        actions: Vec<Action>,
        operation: DeltaOperation,
        lsn: Option<u64>,
    ) -> Result<Table, Error> {
        let doing = || format!("commit to the table {}", self.name);
        let mut properties = CommitProperties::default();
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
        sync_log(&self.dir, &delta).map_err(|error| Error::table(doing(), error))?;
        Table::of(delta, self.name, &self.dir).await
    }

    /// Files of the present version: path, day, rows, bytes.
    pub(crate) fn files(&self) -> Result<Vec<File>, Error> {
        let state = self
            .delta
            .snapshot()
            .map_err(|error| Error::table(format!("read the table {}", self.name), error))?;
        let mut files = Vec::new();
        for view in state.log_data().iter() {
            let day = view.partition_values_map().remove("day").flatten().unwrap_or_default();
            files.push(File {
                day,
                rows: view.num_records().unwrap_or(0),
                bytes: view.size().max(0) as u64,
                path: view.object_store_path(),
                remove: Action::Remove(view.remove_action(false)),
                delete: Action::Remove(view.remove_action(true)),
            });
        }
        Ok(files)
    }
}

/// One data file.
pub(crate) struct File {
    /// `2026-03-01`.
    pub(crate) day: String,
    pub(crate) rows: usize,
    pub(crate) bytes: u64,
    pub(crate) path: StorePath,
    /// Takes it out of the table because its rows are in another file.
    pub(crate) remove: Action,
    /// Takes it out of the table with its rows.
    pub(crate) delete: Action,
}

fn builder(dir: &Path) -> Result<DeltaTableBuilder, Error> {
    let doing = || format!("open the table in {}", dir.display());
    let url = deltalake::ensure_table_uri(dir.to_string_lossy())
        .map_err(|error| Error::table(doing(), error))?;
    DeltaTableBuilder::from_url(url).map_err(|error| Error::table(doing(), error))
}

fn writer_properties() -> WriterProperties {
    WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1).expect("1 is a level")))
        .set_statistics_enabled(EnabledStatistics::Page)
        .set_max_row_group_row_count(Some(ROW_GROUP_ROWS))
        .set_created_by("fettler".to_owned())
        .build()
}

/// Makes a file and its name durable.
fn sync_file(path: &Path) -> io::Result<()> {
    fs::File::open(path)?.sync_all()?;
    match path.parent() {
        Some(parent) => fs::File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// Makes the newest commit durable, with the folders that lead to it.
fn sync_log(dir: &Path, delta: &DeltaTable) -> io::Result<()> {
    let log = dir.join("_delta_log");
    if let Some(version) = delta.version() {
        sync_file(&log.join(format!("{version:020}.json")))?;
    }
    for folder in dir.ancestors().take(3) {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// A power cut can leave the newest commit without its content. Its rows are still in the log, because the log
/// is shortened only after the commit is synced; so it is set aside and written again by the next flush.
fn set_aside_torn_commit(log: &Path) -> io::Result<()> {
    let mut commits = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "json") {
            commits.push(path);
        }
    }
    commits.sort();
    let Some(newest) = commits.pop() else { return Ok(()) };
    let text = fs::read_to_string(&newest).unwrap_or_default();
    let is_whole = !text.is_empty()
        && text.lines().all(|line| serde_json::from_str::<serde::de::IgnoredAny>(line).is_ok())
        && text.ends_with(['}', '\n']);
    if !is_whole {
        tracing::warn!(commit = %newest.display(), "a commit was cut off and is set aside; its rows are in the log");
        fs::rename(&newest, newest.with_extension("torn"))?;
        fs::File::open(log)?.sync_all()?;
    }
    Ok(())
}
