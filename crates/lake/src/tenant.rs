//! One tenant's tables, and how rows move into them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{
    ArrayRef, AsArray, BooleanArray, Date32Array, Float64Array, Int32Array, RecordBatch,
    StringArray, UInt32Array,
};
use arrow::compute::{concat_batches, filter_record_batch, take_record_batch};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, TimestampMicrosecondType};
use deltalake::kernel::{Add, DataType as DeltaType, PrimitiveType, StructField};
use signal::model::{Asset, Signal};
use signal::{AssetId, Flag, TenantId};
use tokio::sync::{Mutex as AsyncMutex, RwLock};

use crate::calendar::partition_of;
use crate::data_file::{DataFileWriter, now_us};
use crate::rollup::Rollup;
use crate::samples_file::{BATCH_ROWS, Row, batch_of, rows_of, settle};
use crate::table::{Definition, Table};
use crate::{Error, Shared};

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

/// Files that wait for their commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) n_rows: usize,
    pub(crate) adds: Vec<Add>,
    pub(crate) mixed_days: BTreeSet<i32>,
}

/// The plant model as queries see it, at one version.
pub struct Plant {
    /// Grows with every change.
    pub version: u64,
    /// All assets.
    pub assets: Vec<Arc<Asset>>,
    /// All signals.
    pub signals: Vec<Arc<Signal>>,
}

/// Gives the plant model, unless it is still at the version that is known.
pub type ModelSource = Arc<dyn Fn(Option<u64>) -> Option<Plant> + Send + Sync>;

/// `signals` and `assets` for queries.
#[derive(Clone)]
pub(crate) struct Names {
    pub(crate) signals: RecordBatch,
    pub(crate) assets: RecordBatch,
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
            let built = Names {
                signals: signals_batch(&plant.assets, &plant.signals),
                assets: assets_batch(&plant.assets),
            };
            *names = Some((plant.version, built));
        }
        let empty = || (0, Names { signals: signals_batch(&[], &[]), assets: assets_batch(&[]) });
        names.get_or_insert_with(empty).1.clone()
    }
}

/// Leaves out what the table already holds: a flush that was interrupted between its commits.
fn newer_than(batches: Vec<RecordBatch>, lsn: u64) -> Result<Vec<RecordBatch>, Error> {
    batches
        .into_iter()
        .map(|batch| rows_after(&batch, lsn))
        .filter(|batch| !is_empty(batch))
        .collect()
}

fn is_empty(batch: &Result<RecordBatch, Error>) -> bool {
    batch.as_ref().is_ok_and(|batch| batch.num_rows() == 0)
}

/// The rows of a buffer chunk that lie after a log position.
pub(crate) fn rows_after(batch: &RecordBatch, lsn: u64) -> Result<RecordBatch, Error> {
    let lsns = batch.column(batch.num_columns() - 1).as_primitive::<Int64Type>();
    let lsn = lsn as i64;
    if lsns.values().iter().all(|other| *other > lsn) {
        return Ok(batch.clone());
    }
    let keep: BooleanArray = lsns.values().iter().map(|other| Some(*other > lsn)).collect();
    filter_record_batch(batch, &keep).map_err(|error| Error::table("select buffered rows", error))
}

/// Days of samples that the cleaning step called late or replaced: there may be another row of the same time.
pub(crate) fn mixed_days(batches: &[RecordBatch]) -> BTreeSet<i32> {
    let rows = batches.iter().flat_map(rows_of);
    rows.filter(may_replace).map(|row| partition_of(row.time_us)).collect()
}

/// Whether the cleaning step saw a row of the same or a later time before this one.
pub(crate) fn may_replace(row: &Row) -> bool {
    row.quality & (Flag::Late as i32 | Flag::Replaced as i32) != 0
}

fn write_samples(place: &Place, view: &View, batches: &[RecordBatch]) -> io::Result<Written> {
    let mut rows: Vec<Row> = batches.iter().flat_map(rows_of).collect();
    let n_rows = rows.len();
    settle(&mut rows);
    let mut by_day: BTreeMap<i32, Vec<Row>> = BTreeMap::new();
    for row in rows {
        by_day.entry(partition_of(row.time_us)).or_default().push(row);
    }
    let mut written = Written { n_rows, ..Written::default() };
    for (day, rows) in by_day {
        if is_doubled(place, view, day, &rows) {
            written.mixed_days.insert(day);
        }
        let schema = wal::samples_schema();
        let mut file = DataFileWriter::create(&place.table, place.rollups.as_deref(), day, schema)?;
        for rows in rows.chunks(BATCH_ROWS) {
            file.write(&batch_of(rows))?;
        }
        written.adds.push(file.finish()?);
    }
    Ok(written)
}

/// Whether a day's files may hold a row at the place of one of `rows` (sorted).
fn is_doubled(place: &Place, view: &View, day: i32, rows: &[Row]) -> bool {
    let late: Vec<&Row> = rows.iter().filter(|row| may_replace(row)).collect();
    let (Some(table), false) = (&view.samples, late.is_empty()) else { return false };
    let mut files = table.files.iter().filter(|file| file.day == day);
    files.any(|file| {
        let rollup = place.rollup_of(&file.path).map(|path| Rollup::open(&path));
        // Without a roll-up it could.
        let Some(Ok(rollup)) = rollup else { return true };
        late.iter().any(|row| {
            rollup
                .entry(row.signal)
                .is_some_and(|entry| (entry.first_us..=entry.last.time_us).contains(&row.time_us))
        })
    })
}

fn write_events(place: &Place, batches: &[RecordBatch]) -> io::Result<Written> {
    let mut written = Written::default();
    let Some(all) = sorted_events(batches)? else { return Ok(written) };
    written.n_rows = all.num_rows();
    let times_us = all.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let mut start = 0;
    for of_day in times_us.chunk_by(|a, b| partition_of(*a) == partition_of(*b)) {
        let day = partition_of(of_day[0]);
        let mut file = DataFileWriter::create(&place.table, None, day, all.schema())?;
        file.write(&all.slice(start, of_day.len()))?;
        written.adds.push(file.finish()?);
        start += of_day.len();
    }
    Ok(written)
}

/// One batch in the order of time; none when there is no row.
pub(crate) fn sorted_events(batches: &[RecordBatch]) -> io::Result<Option<RecordBatch>> {
    let Some(first) = batches.first() else { return Ok(None) };
    let all = concat_batches(&first.schema(), batches).map_err(io::Error::other)?;
    let times_us = all.column(0).as_primitive::<TimestampMicrosecondType>().values();
    let mut order: Vec<u32> = (0..all.num_rows() as u32).collect();
    order.sort_by_key(|row| times_us[*row as usize]);
    take_record_batch(&all, &UInt32Array::from(order)).map(Some).map_err(io::Error::other)
}

/// Adds the partition column.
pub(crate) fn with_day(batch: &RecordBatch) -> Result<RecordBatch, Error> {
    let times = batch
        .column_by_name("time")
        .expect("both tables have a time")
        .as_primitive::<TimestampMicrosecondType>();
    let days = times.values().iter().map(|time_us| partition_of(*time_us));
    let mut fields: Vec<Field> =
        batch.schema().fields().iter().map(|field| field.as_ref().clone()).collect();
    fields.push(Field::new("day", DataType::Date32, false));
    let mut columns = batch.columns().to_vec();
    columns.push(Arc::new(Date32Array::from_iter_values(days)));
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
        .map_err(|error| Error::table("add the day to rows", error))
}

fn field(name: &str, kind: PrimitiveType, nullable: bool) -> StructField {
    StructField::new(name.to_owned(), DeltaType::Primitive(kind), nullable)
}

fn samples_definition() -> Definition {
    Definition {
        name: "samples",
        columns: vec![
            field("signal", PrimitiveType::Integer, false),
            field("time", PrimitiveType::Timestamp, false),
            field("value", PrimitiveType::Double, false),
            field("quality", PrimitiveType::Integer, false),
            field("lsn", PrimitiveType::Long, false),
            field("day", PrimitiveType::Date, false),
        ],
    }
}

fn events_definition() -> Definition {
    Definition {
        name: "events",
        columns: vec![
            field("time", PrimitiveType::Timestamp, false),
            field("kind", PrimitiveType::String, false),
            field("asset", PrimitiveType::Integer, true),
            field("signal", PrimitiveType::Integer, true),
            field("body", PrimitiveType::String, false),
            field("lsn", PrimitiveType::Long, false),
            field("day", PrimitiveType::Date, false),
        ],
    }
}

fn texts<'a>(values: impl Iterator<Item = &'a str>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn signals_batch(assets: &[Arc<Asset>], signals: &[Arc<Signal>]) -> RecordBatch {
    let paths: HashMap<AssetId, &str> =
        assets.iter().map(|asset| (asset.id, asset.path.as_str())).collect();
    let path_of = |signal: &Arc<Signal>| {
        signal.asset.and_then(|id| paths.get(&id)).copied().unwrap_or_default()
    };
    let kind_of = |signal: &Arc<Signal>| {
        serde_json::to_value(signal.spec.kind)
            .ok()
            .and_then(|kind| kind.as_str().map(str::to_owned))
            .unwrap_or_default()
    };
    let number = |value: Option<f64>| value;
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(signals.iter().map(|signal| signal.id.0 as i32))),
        ),
        (
            "asset",
            Arc::new(Int32Array::from_iter(
                signals.iter().map(|signal| signal.asset.map(|id| id.0 as i32)),
            )),
        ),
        ("asset_path", Arc::new(StringArray::from_iter_values(signals.iter().map(path_of)))),
        ("name", texts(signals.iter().map(|signal| signal.name.as_str()))),
        ("path", texts(signals.iter().map(|signal| signal.path.as_str()))),
        ("kind", Arc::new(StringArray::from_iter_values(signals.iter().map(kind_of)))),
        ("unit", texts(signals.iter().map(|signal| signal.spec.unit.as_str()))),
        (
            "normal_low",
            Arc::new(Float64Array::from_iter(
                signals.iter().map(|signal| number(signal.spec.normal.map(|band| band.0))),
            )),
        ),
        (
            "normal_high",
            Arc::new(Float64Array::from_iter(
                signals.iter().map(|signal| number(signal.spec.normal.map(|band| band.1))),
            )),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("all columns have one value per signal")
}

fn assets_batch(assets: &[Arc<Asset>]) -> RecordBatch {
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "id",
            Arc::new(Int32Array::from_iter_values(assets.iter().map(|asset| asset.id.0 as i32))),
        ),
        (
            "parent",
            Arc::new(Int32Array::from_iter(
                assets.iter().map(|asset| asset.parent.map(|id| id.0 as i32)),
            )),
        ),
        ("name", texts(assets.iter().map(|asset| asset.name.as_str()))),
        ("path", texts(assets.iter().map(|asset| asset.path.as_str()))),
        ("kind", texts(assets.iter().map(|asset| asset.kind.as_str()))),
        (
            "asset_type",
            Arc::new(StringArray::from_iter(assets.iter().map(|asset| asset.asset_type.clone()))),
        ),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .expect("all columns have one value per asset")
}
