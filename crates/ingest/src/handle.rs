//! The asynchronous shell: the thread that turns the crank, and the handle that everybody else holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connect::{Balance, Delivery, Directory, Inlet, InletQueue};
use metastore::Metastore;
use signal::{AssetId, Rows, Sample, SourceId};
use tokio::sync::{oneshot, watch};

use crate::alarm::{Alarm, AlarmCommand, CommandError};
use crate::detect::{DetectionSettings, DetectorView, Views};
use crate::live::Live;
use crate::model::Model;
use crate::registrar::Registrar;
use crate::step::{Ingest, Options};

/// Most rows that are committed together; more only makes the fsync longer.
const MAX_ROWS_PER_STEP: usize = 200_000;
/// How long the thread waits for rows before it looks at commands and the clock.
const IDLE: Duration = Duration::from_millis(20);
/// How often delays, silence and rates are looked at.
const TICK_US: i64 = 250_000;
/// How often the detectors' state is written down.
const SAVE_US: i64 = 10 * signal::MINUTE_US;

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

/// Orders to the ingest thread.
pub(crate) enum Command {
    Follow(Arc<Model>),
    Alarm {
        id: u32,
        actor: String,
        command: AlarmCommand,
        answer: oneshot::Sender<Result<Arc<Alarm>, CommandError>>,
    },
    SetDetection {
        asset: Option<AssetId>,
        settings: DetectionSettings,
        answer: oneshot::Sender<bool>,
    },
    Relearn {
        asset: AssetId,
        answer: oneshot::Sender<bool>,
    },
    Refine {
        asset: AssetId,
        answer: oneshot::Sender<usize>,
    },
    TruncateLog(u64),
    SaveDetectors {
        answer: oneshot::Sender<Vec<(AssetId, String)>>,
    },
    Stop,
}

/// The sending end of the ingest thread's orders.
#[derive(Clone)]
pub(crate) struct Commands(std_mpsc::Sender<Command>);

impl Commands {
    pub(crate) fn follow(&self, model: Arc<Model>) {
        self.send(Command::Follow(model));
    }

    fn send(&self, command: Command) {
        // Once the thread has ended nobody needs the order any more.
        let _ = self.0.send(command);
    }
}

/// What the ingest thread tells about itself, for screens and metrics.
#[derive(Clone, Debug, Default)]
pub struct Status {
    /// Why writes are refused, if they are.
    pub read_only: Option<String>,
    /// The log.
    pub wal: wal::Stats,
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

/// What the thread writes and everybody reads.
#[derive(Default)]
struct Board {
    alarms: Mutex<HashMap<u32, Arc<Alarm>>>,
    alarm_seq: AtomicU64,
    detectors: Mutex<Views>,
    status: Mutex<Status>,
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

struct Thread {
    ingest: Ingest,
    queue: InletQueue,
    orders: std_mpsc::Receiver<Command>,
    board: Arc<Board>,
    metastore: Metastore,
    options: Options,
}

impl Thread {
    fn run(mut self, runtime: &tokio::runtime::Handle) {
        let mut deliveries: Vec<Delivery> = Vec::new();
        let mut next_tick_us = 0;
        let mut next_save_us = now_us() + SAVE_US;
        let mut shown_seq = 0;
        self.show(true, &mut shown_seq);
        loop {
            let open = self.queue.wait(&mut deliveries, MAX_ROWS_PER_STEP, IDLE);
            if !self.obey() || !open {
                break;
            }
            let now_us = now_us();
            if !deliveries.is_empty() {
                self.step(now_us, &mut deliveries);
            }
            if now_us >= next_tick_us {
                self.ingest.tick(now_us);
                self.show(false, &mut shown_seq);
                next_tick_us = now_us + TICK_US;
            }
            self.keep_alarms(runtime, &mut shown_seq);
            if now_us >= next_save_us {
                self.keep_detectors(runtime);
                next_save_us = now_us + SAVE_US;
            }
        }
        self.keep_alarms(runtime, &mut shown_seq);
    }

    fn step(&mut self, now_us: i64, deliveries: &mut Vec<Delivery>) {
        let mut waiting = std::mem::take(deliveries);
        let batches: Vec<Rows> =
            waiting.iter_mut().map(|delivery| std::mem::take(&mut delivery.rows)).collect();
        self.ingest.step(now_us, batches, |result| match result {
            Ok(fates) => {
                for (delivery, fate) in waiting.drain(..).zip(fates) {
                    delivery.answer(Ok(fate));
                }
            }
            Err(error) => {
                for delivery in waiting.drain(..) {
                    delivery.answer(Err(error.clone()));
                }
            }
        });
        *deliveries = waiting;
    }

    /// Carries out all orders; false when one of them is to stop.
    fn obey(&mut self) -> bool {
        let mut model = None;
        let mut go_on = true;
        while let Ok(command) = self.orders.try_recv() {
            match command {
                // Only the newest picture counts.
                Command::Follow(newer) => model = Some(newer),
                Command::Alarm { id, actor, command, answer } => {
                    let result = self.ingest.command(now_us(), id, &actor, &command);
                    let _ = answer.send(result);
                }
                Command::SetDetection { asset, settings, answer } => {
                    let _ = answer.send(self.ingest.set_detection(asset, settings));
                }
                Command::Refine { asset, answer } => {
                    let _ = answer.send(self.ingest.refine(asset));
                }
                Command::Relearn { asset, answer } => {
                    let _ = answer.send(self.ingest.relearn(asset));
                }
                Command::TruncateLog(lsn) => self.ingest.truncate_log(lsn),
                Command::SaveDetectors { answer } => {
                    let _ = answer.send(self.ingest.save_detectors());
                }
                Command::Stop => go_on = false,
            }
        }
        if let Some(model) = model {
            self.ingest.follow(model);
        }
        go_on
    }

    /// Puts on the board what screens ask for.
    fn show(&self, everything: bool, shown_seq: &mut u64) {
        *lock(&self.board.detectors) = Arc::new(self.ingest.detectors());
        *lock(&self.board.status) = Status {
            read_only: self.ingest.read_only().map(str::to_owned),
            wal: self.ingest.wal_stats(),
        };
        if everything {
            let mut alarms = lock(&self.board.alarms);
            alarms.extend(self.ingest.alarms().into_iter().map(|alarm| (alarm.id, alarm)));
            *shown_seq = self.ingest.alarm_seq();
            self.board.alarm_seq.store(*shown_seq, Ordering::Release);
        }
    }

    /// Copies changed alarms to the board and to the metastore.
    fn keep_alarms(&self, runtime: &tokio::runtime::Handle, shown_seq: &mut u64) {
        if self.ingest.alarm_seq() == *shown_seq {
            return;
        }
        let changed: Vec<Arc<Alarm>> =
            self.ingest.alarms().into_iter().filter(|alarm| alarm.seq > *shown_seq).collect();
        *shown_seq = self.ingest.alarm_seq();
        {
            let mut alarms = lock(&self.board.alarms);
            alarms.extend(changed.iter().map(|alarm| (alarm.id, alarm.clone())));
            self.board.alarm_seq.store(*shown_seq, Ordering::Release);
        }
        let (metastore, tenant) = (self.metastore.clone(), self.options.tenant);
        runtime.spawn(async move {
            let rows: Vec<(u32, AssetId, String)> = changed
                .iter()
                .filter_map(|alarm| {
                    Some((alarm.id, alarm.asset, serde_json::to_string(&**alarm).ok()?))
                })
                .collect();
            // The record in the log is the truth; this copy only makes the next start faster.
            if let Err(error) = metastore.alarm_put(tenant, &rows).await {
                tracing::warn!(%error, "alarms could not be copied to the metastore");
            }
        });
    }

    fn keep_detectors(&self, runtime: &tokio::runtime::Handle) {
        let saved = self.ingest.save_detectors();
        let (metastore, tenant) = (self.metastore.clone(), self.options.tenant);
        runtime.spawn(async move { save_detectors(&metastore, tenant, saved).await });
    }
}

async fn save_detectors(
    metastore: &Metastore,
    tenant: signal::TenantId,
    saved: Vec<(AssetId, String)>,
) {
    for (asset, text) in saved {
        if let Err(error) = metastore.monitor_put(tenant, asset, &text).await {
            tracing::warn!(%asset, %error, "a detector could not be saved and learns anew after a restart");
        }
    }
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall clock; only the rim reads it.
fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
