//! Delta tables and SQL over them: the only crate that names Delta or DataFusion.
//!
//! ```text
//! wal::Buffer ── seal ──► sort ──► Parquet ──► Delta commit (with the log position) ── release ──► wal::Buffer
//!        └───────────────── query = buffer ∪ tables, each row once ─────────────┘
//! ```
//!
//! Each tenant has its own folder with the tables `samples` and `events`; a query session sees no other.
//! Start reading at [`Lake`], then `tenant` (flush, compact) and `query`. This crate never writes the log.

mod calendar;
mod compact;
#[cfg(test)]
mod crash_tests;
mod data_file;
mod functions;
mod guard;
mod latest;
mod query;
mod read;
mod rollup;
mod samples_file;
mod scan;
mod table;
mod tenant;
mod trend;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use datafusion::execution::memory_pool::GreedyMemoryPool;
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use signal::{Event, Sample, SignalId, TenantId, TimeRange};

pub use query::{Answer, Column};
pub use read::{EventFilter, QualityRow, Span, TableInfo, read_parquet};
pub use tenant::{Committed, Flushed, ModelSource, Plant, Stats};
pub use trend::{Series, Trend};

use tenant::Tenant;

/// Limits of the query engine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Options {
    /// Memory that all running queries share.
    pub sql_memory_bytes: usize,
    /// A query that runs longer is stopped.
    pub timeout: Duration,
    /// A query text longer than this is refused.
    pub max_query_bytes: usize,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            sql_memory_bytes: 512 << 20,
            timeout: Duration::from_secs(60),
            max_query_bytes: 64 << 10,
        }
    }
}

/// Why the lake did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The query cannot be run as it is written.
    #[error("{0}")]
    Query(String),
    /// The query took too long.
    #[error("the query was stopped after {} s; ask for less time or fewer signals", .0.as_secs())]
    Timeout(Duration),
    /// The tables could not be read or written.
    #[error("cannot {doing}")]
    Table {
        /// What was being done to which table.
        doing: String,
        /// Why it failed.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Error {
    pub(crate) fn table(
        doing: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Table { doing: doing.into(), source: source.into() }
    }
}

pub(crate) struct Shared {
    pub(crate) buffer: Arc<wal::Buffer>,
    pub(crate) options: Options,
    pub(crate) engine: Arc<RuntimeEnv>,
    /// Queries and compaction run here, so that they never hold up a socket.
    pub(crate) cpu: tokio::runtime::Handle,
}

/// All tenants' tables. Share it behind an [`Arc`].
pub struct Lake {
    dir: PathBuf,
    shared: Arc<Shared>,
    tenants: Mutex<HashMap<TenantId, Arc<Tenant>>>,
    cpu: Option<tokio::runtime::Runtime>,
}

impl Drop for Lake {
    fn drop(&mut self) {
        if let Some(cpu) = self.cpu.take() {
            // Dropped inside an async context as well, where waiting is forbidden.
            cpu.shutdown_background();
        }
    }
}

impl Lake {
    /// Opens the tables in `dir`, made on first use. `buffer` is what queries see besides them.
    ///
    /// # Errors
    /// When the directory cannot be made or threads are not to be had.
    pub fn open(dir: &Path, buffer: Arc<wal::Buffer>, options: Options) -> Result<Lake, Error> {
        std::fs::create_dir_all(dir)
            .map_err(|error| Error::table(format!("make {}", dir.display()), error))?;
        let dir = dir
            .canonicalize()
            .map_err(|error| Error::table(format!("open {}", dir.display()), error))?;
        let engine = RuntimeEnvBuilder::new()
            .with_memory_pool(Arc::new(GreedyMemoryPool::new(options.sql_memory_bytes)))
            .with_max_temp_directory_size(8 * options.sql_memory_bytes as u64)
            .build_arc()
            .map_err(|error| Error::table("start the query engine", error))?;
        let threads = std::thread::available_parallelism().map_or(2, usize::from);
        let cpu = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_name("query")
            // Plans are trees, and are walked and dropped by recursion.
            .thread_stack_size(16 << 20)
            .enable_all()
            .build()
            .map_err(|error| Error::table("start the query threads", error))?;
        let shared = Shared { buffer, options, engine, cpu: cpu.handle().clone() };
        Ok(Lake { dir, shared: Arc::new(shared), tenants: Mutex::default(), cpu: Some(cpu) })
    }

    fn tenant(&self, id: TenantId) -> Arc<Tenant> {
        let mut tenants = self.tenants.lock().unwrap_or_else(PoisonError::into_inner);
        tenants
            .entry(id)
            .or_insert_with(|| {
                Arc::new(Tenant::new(id, self.dir.join(id.to_string()), self.shared.clone()))
            })
            .clone()
    }

    /// Up to which log position the tables hold everything; what is replayed beyond it belongs into the buffer.
    ///
    /// # Errors
    /// When the tables cannot be read.
    pub async fn committed(&self, tenant: TenantId) -> Result<Committed, Error> {
        self.tenant(tenant).committed().await
    }

    /// Tells queries where to ask what signals and assets are called; they ask each time, so that a signal has
    /// its name in SQL as soon as its first value is acknowledged.
    pub fn set_model(&self, tenant: TenantId, source: ModelSource) {
        self.tenant(tenant).set_model(source);
    }

    /// Moves what is in the buffer into the tables; none when there is nothing.
    ///
    /// # Errors
    /// When the tables cannot be written; the rows stay in the buffer and in the log.
    pub async fn flush(&self, tenant: TenantId) -> Result<Option<Flushed>, Error> {
        self.tenant(tenant).flush().await
    }

    /// Merges small files and drops replaced rows; returns how many files were merged.
    ///
    /// # Errors
    /// When the tables cannot be read or written; they stay as they were.
    pub async fn compact(&self, tenant: TenantId) -> Result<usize, Error> {
        self.tenant(tenant).compact().await
    }

    /// Deletes the days that end before `before_us`; returns how many files went.
    ///
    /// # Errors
    /// When the tables cannot be written.
    pub async fn retain(&self, tenant: TenantId, before_us: i64) -> Result<usize, Error> {
        self.tenant(tenant).retain(before_us).await
    }

    /// Deletes files that no version of the last `keep` needs; returns how many.
    ///
    /// # Errors
    /// When files cannot be deleted.
    pub async fn vacuum(&self, tenant: TenantId, keep: Duration) -> Result<usize, Error> {
        self.tenant(tenant).vacuum(keep).await
    }

    /// Answers a query over buffer and tables; at most `max_rows` rows.
    ///
    /// # Errors
    /// [`Error::Query`] names what is wrong with the query; see also [`Error::Timeout`].
    pub async fn sql(
        &self,
        tenant: TenantId,
        query: &str,
        max_rows: usize,
    ) -> Result<Answer, Error> {
        query::run(&self.tenant(tenant), query, max_rows).await
    }

    /// The shape of some signals over a range, one bucket per pixel column. Extremes are never lost.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn trend(
        &self,
        tenant: TenantId,
        signals: &[SignalId],
        range: TimeRange,
        width_px: u32,
    ) -> Result<Trend, Error> {
        trend::trend(&self.tenant(tenant), signals, range, width_px).await
    }

    /// Samples of some signals in time order, at most `limit` of them.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn samples(
        &self,
        tenant: TenantId,
        signals: &[SignalId],
        range: TimeRange,
        limit: usize,
    ) -> Result<Vec<Sample>, Error> {
        read::samples(&self.tenant(tenant), signals, range, limit).await
    }

    /// When a state signal had which value, in time order.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn states(
        &self,
        tenant: TenantId,
        signal: SignalId,
        range: TimeRange,
    ) -> Result<Vec<Span>, Error> {
        read::states(&self.tenant(tenant), signal, range).await
    }

    /// The newest sample of every signal.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn last_values(&self, tenant: TenantId) -> Result<Vec<Sample>, Error> {
        read::last_values(&self.tenant(tenant)).await
    }

    /// First and last time of everything stored; none when there is nothing.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn extent(&self, tenant: TenantId) -> Result<Option<TimeRange>, Error> {
        read::extent(&self.tenant(tenant)).await
    }

    /// Events that pass a filter, newest first.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn events(&self, tenant: TenantId, filter: EventFilter) -> Result<Vec<Event>, Error> {
        read::events(&self.tenant(tenant), filter).await
    }

    /// Verdicts of the cleaning step per signal.
    ///
    /// # Errors
    /// When the tables cannot be read, or it takes too long.
    pub async fn quality(
        &self,
        tenant: TenantId,
        range: TimeRange,
    ) -> Result<Vec<QualityRow>, Error> {
        read::quality(&self.tenant(tenant), range).await
    }

    /// The tables that a query can name.
    pub async fn tables(&self, tenant: TenantId) -> Vec<TableInfo> {
        read::tables(&self.tenant(tenant)).await
    }

    /// Rows, files and bytes in the tables.
    pub async fn stats(&self, tenant: TenantId) -> Stats {
        self.tenant(tenant).stats().await
    }
}
