//! Live values for many tabs: one task per set of signals writes each batch once, all tabs that show it share it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use ingest::{Last, Live};
use serde::Serialize;
use signal::SignalId;
use tokio::sync::broadcast;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

/// At most 33 batches a second: a value waits half as long on average, which is most of its way to the pixel.
const PERIOD: Duration = Duration::from_millis(30);
/// Batches that a slow tab may lag behind before it gets a whole picture instead.
const BACKLOG: usize = 50;

/// Hands out groups of tabs that show the same signals.
pub(crate) struct Hub {
    live: Arc<Live>,
    groups: Mutex<HashMap<Arc<[SignalId]>, Weak<Group>>>,
}

/// Tabs that show the same signals.
pub(crate) struct Group {
    signals: Arc<[SignalId]>,
    batches: broadcast::Sender<Utf8Bytes>,
    _stop: DropGuard,
}

/// A tab's place in a group; the group ends with its last member.
pub(crate) struct Membership {
    group: Arc<Group>,
    batches: broadcast::Receiver<Utf8Bytes>,
    live: Arc<Live>,
}

/// What the socket sends for a batch of values; NaN becomes null.
#[derive(Serialize)]
struct Values {
    r#type: &'static str,
    now_us: i64,
    values: Vec<(u32, i64, f64, u32)>,
}

impl Hub {
    pub(crate) fn new(live: Arc<Live>) -> Hub {
        Hub { live, groups: Mutex::default() }
    }

    /// Joins the group that shows `signals`, and makes it if there is none.
    pub(crate) fn join(&self, mut signals: Vec<SignalId>) -> Membership {
        signals.sort_unstable();
        signals.dedup();
        let mut groups = self.groups.lock().unwrap_or_else(PoisonError::into_inner);
        let known = groups.get(signals.as_slice()).and_then(Weak::upgrade);
        let group = known.unwrap_or_else(|| {
            groups.retain(|_, group| group.strong_count() > 0);
            let group = Group::start(signals.into(), self.live.clone());
            groups.insert(group.signals.clone(), Arc::downgrade(&group));
            group
        });
        Membership { batches: group.batches.subscribe(), group, live: self.live.clone() }
    }
}

impl Group {
    fn start(signals: Arc<[SignalId]>, live: Arc<Live>) -> Arc<Group> {
        let batches = broadcast::Sender::new(BACKLOG);
        let stop = CancellationToken::new();
        tokio::spawn(publish(signals.clone(), live, batches.clone(), stop.clone()));
        Arc::new(Group { signals, batches, _stop: stop.drop_guard() })
    }
}

impl Membership {
    /// All signals of the group as they are now; none when nothing has come in yet.
    pub(crate) fn picture(&self) -> Option<Utf8Bytes> {
        let mut values = Vec::new();
        for &signal in self.group.signals.iter() {
            values.extend(self.live.last(signal).map(|last| (signal, last)));
        }
        batch(&values)
    }

    /// The next batch. A tab that was too slow gets the whole picture: the last value wins. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Option<Utf8Bytes> {
        match self.batches.recv().await {
            Ok(batch) => Some(batch),
            Err(broadcast::error::RecvError::Lagged(_)) => {
                self.batches = self.batches.resubscribe();
                self.picture()
            }
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}

/// Woken by ingest, never more often than every [`PERIOD`]; a value after a pause goes out at once.
async fn publish(
    signals: Arc<[SignalId]>,
    live: Arc<Live>,
    batches: broadcast::Sender<Utf8Bytes>,
    stop: CancellationToken,
) {
    let mut steps = live.watch();
    let mut since = *steps.borrow_and_update();
    let mut changed = Vec::new();
    let mut next = Instant::now();
    loop {
        let woken = async {
            let open = steps.changed().await.is_ok();
            tokio::time::sleep_until(next).await;
            open
        };
        let open = tokio::select! {
            () = stop.cancelled() => false,
            open = woken => open,
        };
        if !open {
            return;
        }
        steps.mark_unchanged();
        changed.clear();
        since = live.changed_since(&signals, since, &mut changed);
        if let Some(batch) = batch(&changed) {
            next = Instant::now() + PERIOD;
            // No receiver: the last tab is just leaving.
            let _ = batches.send(batch);
        }
    }
}

fn batch(values: &[(SignalId, Last)]) -> Option<Utf8Bytes> {
    if values.is_empty() {
        return None;
    }
    let row =
        |(signal, last): &(SignalId, Last)| (signal.0, last.time_us, last.value, last.quality.0);
    let message = Values {
        r#type: "values",
        now_us: crate::now_us(),
        values: values.iter().map(row).collect(),
    };
    serde_json::to_string(&message).ok().map(Utf8Bytes::from)
}
