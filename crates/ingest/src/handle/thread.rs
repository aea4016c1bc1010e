//! The ingest thread: rows, orders and the clock in turn.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use connect::{Delivery, InletQueue};
use metastore::Metastore;
use signal::{AssetId, Rows};
use tokio::sync::oneshot;

use crate::alarm::{Alarm, AlarmCommand, CommandError};
use crate::detect::{DetectionSettings, Views};
use crate::model::Model;
use crate::step::{Ingest, Options};

/// Most rows that are committed together; more only makes the fsync longer.
const MAX_ROWS_PER_STEP: usize = 200_000;
/// How long the thread waits for rows before it looks at commands and the clock.
const IDLE: Duration = Duration::from_millis(20);
/// How often delays, silence and rates are looked at.
const TICK_US: i64 = 250_000;
/// How often the detectors' state is written down.
const SAVE_US: i64 = 10 * signal::MINUTE_US;

/// Orders to the ingest thread.
pub(super) enum Command {
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
pub(crate) struct Commands(pub(super) std_mpsc::Sender<Command>);

impl Commands {
    pub(crate) fn follow(&self, model: Arc<Model>) {
        self.send(Command::Follow(model));
    }

    pub(super) fn send(&self, command: Command) {
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

/// What the thread writes and everybody reads.
#[derive(Default)]
pub(super) struct Board {
    pub(super) alarms: Mutex<HashMap<u32, Arc<Alarm>>>,
    pub(super) alarm_seq: AtomicU64,
    pub(super) detectors: Mutex<Views>,
    pub(super) status: Mutex<Status>,
}

pub(super) struct Thread {
    pub(super) ingest: Ingest,
    pub(super) queue: InletQueue,
    pub(super) orders: std_mpsc::Receiver<Command>,
    pub(super) board: Arc<Board>,
    pub(super) metastore: Metastore,
    pub(super) options: Options,
}

impl Thread {
    pub(super) fn run(mut self, runtime: &tokio::runtime::Handle) {
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

pub(super) async fn save_detectors(
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

pub(super) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The wall clock; only the rim reads it.
pub(super) fn now_us() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_micros() as i64)
}
