//! One tenant's tables, and how rows move into them.

mod names;
mod write;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use deltalake::kernel::Add;
use signal::TenantId;
use tokio::sync::{Mutex as AsyncMutex, RwLock};

use crate::data_file::now_us;
use crate::table::Table;
use crate::{Error, Shared};

pub(crate) use names::Names;
pub use names::{ModelSource, Plant};
pub(crate) use write::{Written, may_replace, mixed_days, rows_after, sorted_events, with_day};
use write::{events_definition, newer_than, samples_definition, write_events, write_samples};

/// Up to which log position the tables hold everything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// All samples up to here.
    pub samples_lsn: u64,
    /// All events up to here.
    pub events_lsn: u64,
}

/// What a flush moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flushed {
    /// Samples and events.
    pub rows: usize,
    /// The log may let go of everything up to here.
    pub last_lsn: u64,
}

/// The size of a tenant's tables.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Samples and events.
    pub rows: u64,
    /// Data files.
    pub files: u64,
    /// Their size.
    pub bytes: u64,
    /// When the buffer was last flushed.
    pub last_flush_us: Option<i64>,
}

/// The tables as queries see them; swapped as a whole.
#[derive(Clone, Default)]
pub(crate) struct View {
    pub(crate) samples: Option<Table>,
    pub(crate) events: Option<Table>,
    /// Days in which a sample may be there twice, because it came late or was replaced.
    pub(crate) mixed_days: Arc<BTreeSet<i32>>,
}

impl View {
    pub(crate) fn committed(&self) -> Committed {
        Committed {
            samples_lsn: self.samples.as_ref().map_or(0, |table| table.lsn),
            events_lsn: self.events.as_ref().map_or(0, |table| table.lsn),
        }
    }
}

/// The two tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Samples,
    Events,
}

impl Kind {
    pub(crate) const ALL: [Kind; 2] = [Kind::Samples, Kind::Events];

    pub(crate) fn of(self, view: &View) -> Option<&Table> {
        match self {
            Kind::Samples => view.samples.as_ref(),
            Kind::Events => view.events.as_ref(),
        }
    }

    /// Of the table and of its folder.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Samples => "samples",
            Kind::Events => "events",
        }
    }
}

/// Where the files of a table lie.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) table: PathBuf,
    /// Only samples have roll-ups.
    pub(crate) rollups: Option<PathBuf>,
}

impl Place {
    /// Where the roll-up of a data file is, or would be.
    pub(crate) fn rollup_of(&self, path: &str) -> Option<PathBuf> {
        let name = path.rsplit('/').next()?;
        Some(self.rollups.as_ref()?.join(name).with_extension("roll"))
    }
}

pub(crate) struct Tenant {
    pub(crate) id: TenantId,
    pub(crate) dir: PathBuf,
    pub(crate) shared: Arc<Shared>,
    /// None until somebody asks.
    view: RwLock<Option<View>>,
    /// Held by whoever commits.
    pub(crate) writing: AsyncMutex<()>,
    names: Mutex<Option<(u64, Names)>>,
    model: Mutex<Option<ModelSource>>,
    last_flush_us: Mutex<Option<i64>>,
}

impl Tenant {
    pub(crate) fn new(id: TenantId, dir: PathBuf, shared: Arc<Shared>) -> Tenant {
        Tenant {
            id,
            dir,
            shared,
            view: RwLock::default(),
            writing: AsyncMutex::default(),
            names: Mutex::default(),
            model: Mutex::default(),
            last_flush_us: Mutex::default(),
        }
    }

    /// The tables at their newest version.
    pub(crate) async fn view(&self) -> Result<View, Error> {
        if let Some(view) = self.view.read().await.as_ref() {
            return Ok(view.clone());
        }
        let mut slot = self.view.write().await;
        if let Some(view) = slot.as_ref() {
            return Ok(view.clone());
        }
        let view = View {
            samples: Table::open(&self.dir.join("samples"), "samples").await?,
            events: Table::open(&self.dir.join("events"), "events").await?,
            mixed_days: Arc::new(self.read_mixed_days()),
        };
        *slot = Some(view.clone());
        Ok(view)
    }

    pub(crate) async fn committed(&self) -> Result<Committed, Error> {
        Ok(self.view().await?.committed())
    }

    pub(crate) async fn flush(&self) -> Result<Option<Flushed>, Error> {
        let _alone = self.writing.lock().await;
        let Some(sealed) = self.shared.buffer.seal(self.id) else { return Ok(None) };
        let last_lsn = sealed.last_lsn;
        let mut rows = 0;
        for (kind, batches) in [(Kind::Samples, sealed.samples), (Kind::Events, sealed.events)] {
            let written = self.write(kind, batches).await?;
            rows += written.n_rows;
            self.commit(kind, written, last_lsn).await?;
        }
        self.shared.buffer.release(self.id, last_lsn);
        *self.last_flush_us.lock().unwrap_or_else(PoisonError::into_inner) = Some(now_us());
        Ok(Some(Flushed { rows, last_lsn }))
    }

    /// Writes what the table does not hold yet to files that are not part of it yet.
    pub(crate) async fn write(
        &self,
        kind: Kind,
        batches: Vec<RecordBatch>,
    ) -> Result<Written, Error> {
        let view = self.view().await?;
        let place = self.place(kind);
        let doing = format!("write files of the table {}", kind.name());
        self.on_cpu(move || {
            let lsn = kind.of(&view).map_or(0, |table| table.lsn);
            let batches = newer_than(batches, lsn)?;
            let written = match kind {
                Kind::Samples => write_samples(&place, &view, &batches),
                Kind::Events => write_events(&place, &batches),
            };
            written.map_err(|error| Error::table(doing, error))
        })
        .await
    }

    /// Makes written files part of the table, together with the log position.
    pub(crate) async fn commit(&self, kind: Kind, written: Written, lsn: u64) -> Result<(), Error> {
        if written.adds.is_empty() {
            return Ok(());
        }
        let mut view = self.view().await?;
        // Before the commit: a day too many costs a little time, one too few would double a row.
        view.mixed_days = Arc::new(self.add_mixed_days(&view.mixed_days, written.mixed_days)?);
        let committed = match kind.of(&view) {
            Some(table) => table.append(written.adds, lsn).await,
            None => self.create_and_append(kind, written.adds, lsn).await,
        };
        self.settle_commit(kind, view, committed).await
    }

    async fn create_and_append(
        &self,
        kind: Kind,
        adds: Vec<Add>,
        lsn: u64,
    ) -> Result<Table, Error> {
        let definition = match kind {
            Kind::Samples => samples_definition(),
            Kind::Events => events_definition(),
        };
        Table::create(&self.dir.join(kind.name()), definition).await?.append(adds, lsn).await
    }

    /// Shows the table after a commit. After a failed one nobody knows what is on the disk, so it is read again.
    pub(crate) async fn settle_commit(
        &self,
        kind: Kind,
        mut view: View,
        committed: Result<Table, Error>,
    ) -> Result<(), Error> {
        match committed {
            Ok(table) => {
                match kind {
                    Kind::Samples => view.samples = Some(table),
                    Kind::Events => view.events = Some(table),
                }
                *self.view.write().await = Some(view);
                Ok(())
            }
            Err(error) => {
                *self.view.write().await = None;
                Err(error)
            }
        }
    }

    /// Where the files of a table lie.
    pub(crate) fn place(&self, kind: Kind) -> Place {
        let rollups = (kind == Kind::Samples).then(|| self.dir.join("rollup"));
        Place { table: self.dir.join(kind.name()), rollups }
    }

    /// Runs something heavy where it holds up nobody.
    pub(crate) async fn on_cpu<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.shared
            .cpu
            .spawn_blocking(work)
            .await
            .map_err(|error| Error::table("finish work in the background", error))?
    }

    pub(crate) async fn stats(&self) -> Stats {
        let Ok(view) = self.view().await else { return Stats::default() };
        let mut stats = Stats {
            last_flush_us: *self.last_flush_us.lock().unwrap_or_else(PoisonError::into_inner),
            ..Stats::default()
        };
        for file in
            [&view.samples, &view.events].into_iter().flatten().flat_map(|table| table.files.iter())
        {
            stats.rows += file.rows as u64;
            stats.files += 1;
            stats.bytes += file.bytes;
        }
        stats
    }

    fn mixed_days_path(&self) -> PathBuf {
        self.dir.join("mixed_days.json")
    }

    fn read_mixed_days(&self) -> BTreeSet<i32> {
        std::fs::read(self.mixed_days_path())
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn add_mixed_days(
        &self,
        known: &BTreeSet<i32>,
        more: BTreeSet<i32>,
    ) -> Result<BTreeSet<i32>, Error> {
        let mut days = known.clone();
        days.extend(more);
        if days != *known {
            self.write_mixed_days(&days)?;
        }
        Ok(days)
    }

    pub(crate) fn write_mixed_days(&self, days: &BTreeSet<i32>) -> Result<(), Error> {
        let write = || {
            std::fs::create_dir_all(&self.dir)?;
            let temporary = self.dir.join("mixed_days.json.new");
            std::fs::write(&temporary, serde_json::to_vec(days)?)?;
            std::fs::File::open(&temporary)?.sync_all()?;
            std::fs::rename(&temporary, self.mixed_days_path())?;
            std::fs::File::open(&self.dir)?.sync_all()
        };
        write().map_err(|error: std::io::Error| {
            Error::table("note which days hold late samples", error)
        })
    }

    pub(crate) fn set_model(&self, source: ModelSource) {
        *self.model.lock().unwrap_or_else(PoisonError::into_inner) = Some(source);
    }

    /// What signals and assets are called now; built anew only when the model has changed.
    pub(crate) fn names(&self) -> Names {
        let source = self.model.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let known = names.as_ref().map(|(version, _)| *version);
        if let Some(plant) = source.and_then(|source| source(known)) {
            *names = Some((plant.version, Names::of(&plant.assets, &plant.signals)));
        }
        names.get_or_insert_with(|| (0, Names::of(&[], &[]))).1.clone()
    }
}
