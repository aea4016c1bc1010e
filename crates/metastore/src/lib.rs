//! Every relational fact of Fettler, in one SQLite database: the plant model, rules, people.
//!
//! ```text
//! register_many ─► mapping::apply ─► assets, signals, bindings     new addresses find their place
//! load_model    ─► Model                                           what ingest and screens work with
//! limit_rules, detection_settings, alarms, monitors                what judges, and its memory
//! oee_settings                                                     when the plant works, what is a loss
//! users, sessions, tokens                                          who may come in
//! ```
//!
//! Start reading at [`Metastore`]; each noun has its own file with its queries. All SQL for relational
//! facts lives here, and every query takes a [`TenantId`] first, except those that find out whose tenant a
//! password, session or token belongs to.
//!
//! Never here: samples and events (they are in the log and the lake), and decisions about alarms.

mod alarms;
mod asset_types;
mod assets;
mod detection;
mod limit_rules;
pub mod mapping;
mod mapping_rules;
mod model;
mod notifications;
mod oee;
mod payload;
mod register;
mod sessions;
mod signals;
mod sources;
mod tenants;
mod tokens;
mod unit;
mod users;

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use signal::TenantId;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

pub use asset_types::library;
pub use assets::{AssetPatch, NewAsset};
pub use detection::DetectionSetting;
pub use limit_rules::{StoredRule, check_limit};
pub use model::Model;
pub use notifications::{Channel, NewNotification, Notification};
pub use oee::{IdealCycle, OeeSettings, StateRole, WorkShift};
pub use register::{Limits, Registered};
pub use signals::{InboxRow, SignalPatch};
pub use tokens::{NewToken, Scope, Token};
pub use unit::{UnitError, check_unit, conversion};
pub use users::{NewUser, Role, User};

/// Connections that read at the same time; SQLite writes one after another anyway.
const MAX_CONNECTIONS: u32 = 4;
/// How long a write waits for another one.
const BUSY: Duration = Duration::from_secs(10);

/// Why a request to the metastore failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Theirs: there is no such thing in this tenant.
    #[error("{what} {id} does not exist")]
    NotFound {
        /// What was looked for, `asset`, `signal`.
        what: &'static str,
        /// By which name or number.
        id: String,
    },
    /// Theirs: somebody else already has that place or name.
    #[error("{0}")]
    Conflict(String),
    /// Theirs: a value that cannot be kept.
    #[error("{field}: {message}")]
    Invalid {
        /// Which one.
        field: &'static str,
        /// Why.
        message: String,
    },
    /// Theirs: a stated limit is reached.
    #[error("{limit} is reached: {max}")]
    Limit {
        /// Which one, `signal_limit`.
        limit: &'static str,
        /// Its value.
        max: u64,
    },
    /// The world's: the database cannot be read or written.
    #[error("cannot use the metastore")]
    Database(#[from] sqlx::Error),
    /// The world's: the database was made by a newer Fettler, or its upgrade failed.
    #[error("cannot upgrade the metastore")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// Ours: a stored JSON text does not fit its struct.
    #[error("cannot read {what} from the metastore")]
    Stored {
        /// What it should be.
        what: &'static str,
        /// Why it is not.
        #[source]
        source: serde_json::Error,
    },
}

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

/// The open database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Metastore {
    pub(crate) pool: SqlitePool,
    pub(crate) limits: Limits,
}

impl Metastore {
    /// Opens the database file at `path`, makes it if it is missing, and brings its tables up to date.
    ///
    /// Every commit is on the disk when it returns (`synchronous=FULL`).
    ///
    /// # Errors
    /// When the file cannot be used, or a newer Fettler has written it.
    pub async fn open(path: &Path) -> Result<Metastore> {
        Metastore::open_with(path, Limits::default()).await
    }

    /// As [`open`](Self::open), with other limits on how much is registered by itself.
    ///
    /// # Errors
    /// As for [`open`](Self::open).
    pub async fn open_with(path: &Path, limits: Limits) -> Result<Metastore> {
        let options = SqliteConnectOptions::from_str("sqlite://")?
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .busy_timeout(BUSY);
        let pool =
            SqlitePoolOptions::new().max_connections(MAX_CONNECTIONS).connect_with(options).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        Ok(Metastore { pool, limits })
    }

    /// Ends all connections after what runs is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that may write: it takes the write lock at once, so it cannot fail half-way for want of it.
    pub(crate) async fn begin(&self) -> Result<sqlx::Transaction<'static, sqlx::Sqlite>> {
        Ok(self.pool.begin_with("BEGIN IMMEDIATE").await?)
    }
}

/// Copies the database file `from`, also while it is open and written, to the new file `to`.
///
/// # Errors
/// When `from` cannot be read or `to` exists.
pub async fn backup(from: &Path, to: &Path) -> Result<()> {
    let options = SqliteConnectOptions::from_str("sqlite://")?.filename(from).busy_timeout(BUSY);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
    sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy().into_owned()).execute(&pool).await?;
    pool.close().await;
    Ok(())
}

/// `Err(NotFound)` unless a statement touched a row.
pub(crate) fn found(
    rows_affected: u64,
    what: &'static str,
    id: impl std::fmt::Display,
) -> Result<()> {
    if rows_affected == 0 { Err(Error::NotFound { what, id: id.to_string() }) } else { Ok(()) }
}

/// Writes a struct of ours as the text of a column.
pub(crate) fn to_json<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_string(value).expect("our structs have string keys only")
}

/// Reads a struct of ours from the text of a column.
pub(crate) fn from_json<T: serde::de::DeserializeOwned>(
    what: &'static str,
    text: &str,
) -> Result<T> {
    serde_json::from_str(text).map_err(|source| Error::Stored { what, source })
}

/// Whether a statement failed because a name or place is already taken.
pub(crate) fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(sqlx::error::DatabaseError::is_unique_violation)
}

/// The wall clock, for "created at" columns.
pub(crate) fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |elapsed| elapsed.as_micros() as i64)
}

/// A tenant as SQLite binds it.
pub(crate) fn key(tenant: TenantId) -> i64 {
    i64::from(tenant.0)
}
