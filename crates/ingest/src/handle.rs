//! How ingest is started and stopped, and the handle that everybody else holds.

mod thread;

use std::sync::atomic::Ordering;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex};

use connect::{Balance, Directory, Inlet};
use metastore::Metastore;
use signal::{AssetId, Rows, Sample, SourceId};
use tokio::sync::{oneshot, watch};

use crate::alarm::{Alarm, AlarmCommand, CommandError};
use crate::detect::{DetectionSettings, DetectorView};
use crate::live::Live;
use crate::model::Model;
use crate::registrar::Registrar;
use crate::step::{Ingest, Options};

pub(crate) use thread::Commands;
pub use thread::Status;
use thread::{Board, Command, Thread, lock, now_us, save_detectors};

/// What came up while starting or stopping.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The metastore could not be read.
    #[error("cannot read the plant model")]
    Metastore(#[from] metastore::Error),
    /// The log is damaged beyond its last frames.
    #[error("cannot replay the log: {0}")]
    Replay(String),
    /// The operating system gave no thread.
    #[error("cannot start the ingest thread")]
    Thread(#[source] std::io::Error),
}

/// What the ingest thread starts from.
pub struct Start {
    /// The open log.
    pub log: wal::Log,
    /// The buffer that queries read; rows of `replay` are pushed into it by the ingest thread's owner.
    pub buffer: Arc<wal::Buffer>,
    /// Rows that are in the log but not yet in the lake, with their position.
    pub replay: Vec<(u64, Rows)>,
    /// The newest stored value of every signal.
    pub last_values: Vec<Sample>,
    /// Most rows that wait for the ingest thread; senders wait beyond that.
    pub max_waiting_rows: usize,
}

struct Shared {
    inlet: Inlet,
    directory: Arc<Directory>,
    balance: Arc<Balance>,
    live: Arc<Live>,
    model: Arc<watch::Sender<Arc<Model>>>,
    commands: Commands,
    registrar: Arc<Registrar>,
    metastore: Metastore,
    options: Options,
    board: Arc<Board>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Everything that others may ask of ingest. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

/// Starts the ingest thread on an open log.
///
/// # Errors
/// When the plant model cannot be read or no thread is to be had.
pub async fn start(start: Start, metastore: Metastore, options: Options) -> Result<Handle, Error> {
    let balance = Arc::new(Balance::default());
    let (inlet, queue) = connect::inlet(start.max_waiting_rows, balance.clone());
    let (directory, wanted) = Directory::new();
    let (commands, orders) = std_mpsc::channel();
    let commands = Commands(commands);
    let live = Arc::new(Live::default());
    let board = Arc::new(Board::default());
    let model = Arc::new(watch::Sender::new(Arc::new(Model::default())));
    let registrar = Arc::new(Registrar::new(
        options.tenant,
        metastore.clone(),
        directory.clone(),
        commands.clone(),
        model.clone(),
    ));
    registrar.reload().await?;

    let mut ingest = Ingest::new(options, start.log, start.buffer, live.clone());
    ingest.follow(model.borrow().clone());
    recall(&mut ingest, start.last_values, &start.replay, &metastore, options).await?;

    let thread = Thread {
        ingest,
        queue,
        orders,
        board: board.clone(),
        metastore: metastore.clone(),
        options,
    };
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::Builder::new()
        .name("ingest".to_owned())
        .spawn(move || thread.run(&runtime))
        .map_err(Error::Thread)?;
    tokio::spawn(registrar.clone().run(wanted));
    let shared = Shared {
        inlet,
        directory,
        balance,
        live,
        model,
        commands,
        registrar,
        metastore,
        options,
        board,
        thread: Mutex::new(Some(thread)),
    };
    Ok(Handle { shared: Arc::new(shared) })
}

/// Puts back what was known before the restart: last values, duplicates, alarms, detectors.
async fn recall(
    ingest: &mut Ingest,
    last_values: Vec<Sample>,
    replay: &[(u64, Rows)],
    metastore: &Metastore,
    options: Options,
) -> Result<(), Error> {
    for sample in last_values {
        ingest.recall_last(sample);
    }
    for (_, text) in metastore.alarms(options.tenant).await? {
        match serde_json::from_str(&text) {
            Ok(alarm) => ingest.restore_alarm(alarm),
            Err(error) => {
                tracing::warn!(%error, "an alarm in the metastore cannot be read and is left out");
            }
        }
    }
    for (_, rows) in replay.iter().filter(|(_, rows)| rows.tenant == options.tenant) {
        ingest.recall(rows);
    }
    for (asset, text) in metastore.monitors(options.tenant).await? {
        ingest.load_detector(asset, &text);
    }
    for setting in metastore.detection_settings(options.tenant).await? {
        let settings = DetectionSettings {
            enabled: setting.enabled,
            days_per_false_alarm: setting.days_per_false_alarm,
        };
        ingest.set_detection(setting.asset, settings);
    }
    let now_us = now_us();
    ingest.expect_machines(now_us - signal::DAY_US, now_us);
    Ok(())
}

impl Handle {
    /// The one door for samples.
    pub fn inlet(&self) -> Inlet {
        self.shared.inlet.clone()
    }

    /// Which address feeds which signal.
    pub fn directory(&self) -> Arc<Directory> {
        self.shared.directory.clone()
    }

    /// accepted = stored + rejected + dropped, per source.
    pub fn balance(&self) -> Arc<Balance> {
        self.shared.balance.clone()
    }

    /// What the plant looks like right now.
    pub fn live(&self) -> &Arc<Live> {
        &self.shared.live
    }

    /// Whose data this is.
    pub fn tenant(&self) -> signal::TenantId {
        self.shared.options.tenant
    }

    /// The plant model as it is now.
    pub fn model(&self) -> Arc<Model> {
        self.shared.model.borrow().clone()
    }

    /// Wakes whenever the plant model changes.
    pub fn model_changes(&self) -> watch::Receiver<Arc<Model>> {
        self.shared.model.subscribe()
    }

    /// Reads the model anew from the metastore, after somebody has changed it there.
    ///
    /// # Errors
    /// When the metastore cannot be read; the old model stays in use.
    pub async fn reload_model(&self) -> Result<(), Error> {
        Ok(self.shared.registrar.reload().await?)
    }

    /// A source by name, made if it is new.
    ///
    /// # Errors
    /// When the metastore cannot be written.
    pub async fn source(&self, name: &str, protocol: &str) -> Result<SourceId, Error> {
        Ok(self.shared.metastore.source(self.shared.options.tenant, name, protocol).await?.id)
    }

    /// All alarms that have ever rung, by identity.
    pub fn alarms(&self) -> Vec<Arc<Alarm>> {
        let mut alarms: Vec<Arc<Alarm>> =
            lock(&self.shared.board.alarms).values().cloned().collect();
        alarms.sort_by_key(|alarm| alarm.id);
        alarms
    }

    /// One alarm.
    pub fn alarm(&self, id: u32) -> Option<Arc<Alarm>> {
        lock(&self.shared.board.alarms).get(&id).cloned()
    }

    /// The number of the newest alarm change.
    pub fn alarm_seq(&self) -> u64 {
        self.shared.board.alarm_seq.load(Ordering::Acquire)
    }

    /// Does to an alarm what a person asked for; recorded when this returns.
    ///
    /// # Errors
    /// See [`CommandError`].
    pub async fn command(
        &self,
        id: u32,
        actor: &str,
        command: AlarmCommand,
    ) -> Result<Arc<Alarm>, CommandError> {
        let actor = actor.to_owned();
        self.ask(|answer| Command::Alarm { id, actor, command, answer })
            .await
            .unwrap_or(Err(CommandError::Stopping))
    }

    /// The detectors as the settings page shows them.
    pub fn detectors(&self) -> Vec<DetectorView> {
        lock(&self.shared.board.detectors).to_vec()
    }

    /// Sets the detection of one machine, or of all that have none of their own.
    ///
    /// False when the machine has no detector.
    pub async fn set_detection(&self, asset: Option<AssetId>, settings: DetectionSettings) -> bool {
        self.ask(|answer| Command::SetDetection { asset, settings, answer }).await.unwrap_or(false)
    }

    /// Lets a machine's detector forget what it has learned. False when it has none.
    pub async fn relearn(&self, asset: AssetId) -> bool {
        self.ask(|answer| Command::Relearn { asset, answer }).await.unwrap_or(false)
    }

    /// Fits a machine's models to all the good rows that its detector remembers, and gives how many changed.
    ///
    /// Samples wait meanwhile, some milliseconds per machine; 0 when it has no detector or nothing new was seen.
    pub async fn refine(&self, asset: AssetId) -> usize {
        self.ask(|answer| Command::Refine { asset, answer }).await.unwrap_or(0)
    }

    /// The log, and why writes are refused, if they are.
    pub fn status(&self) -> Status {
        lock(&self.shared.board.status).clone()
    }

    /// Everything before `lsn` lies in the lake: the log may let go of it.
    pub fn truncate_log(&self, lsn: u64) {
        self.shared.commands.send(Command::TruncateLog(lsn));
    }

    /// Stops the thread after what waits is stored, and writes down what the detectors have learned.
    pub async fn stop(&self) {
        if let Some(saved) = self.ask(|answer| Command::SaveDetectors { answer }).await {
            save_detectors(&self.shared.metastore, self.shared.options.tenant, saved).await;
        }
        self.shared.commands.send(Command::Stop);
        let thread = lock(&self.shared.thread).take();
        if let Some(thread) = thread
            && tokio::task::spawn_blocking(move || thread.join()).await.is_err()
        {
            tracing::error!("the ingest thread did not end cleanly");
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        self.shared.commands.send(command(answer));
        answered.await.ok()
    }
}
