//! Twice a second: rates per source, and the health and balance messages that all tabs share.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::ws::Utf8Bytes;
use ingest::Level;
use serde::Serialize;
use signal::{AssetId, HOUR_US, MINUTE_US, SourceId};
use tokio::sync::{broadcast, watch};

use crate::App;

const PERIOD: Duration = Duration::from_millis(500);
/// Weight of the newest half second in a rate.
const NEWEST: f64 = 0.3;
/// Most alarms whose beginning is remembered for the rate.
const MAX_RINGS: usize = 10_000;

/// Health of one asset as the socket sends it: asset, score, level, machine state.
pub(crate) type HealthRow = (u32, Option<f64>, Level, Option<String>);

/// What all tabs share.
#[derive(Clone, Default)]
pub(crate) struct Beat {
    pub(crate) status: Utf8Bytes,
    pub(crate) health: Arc<Vec<HealthRow>>,
}

/// How fast a source talks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    pub(crate) rate_per_s: f64,
    /// When it last offered something, to half a second.
    pub(crate) last_us: Option<i64>,
    accepted: u64,
}

/// The newest beat and rates.
pub(crate) struct Pulse {
    beats: watch::Sender<Beat>,
    rates: Mutex<HashMap<SourceId, Rate>>,
    /// When alarms began to ring, oldest first.
    rings: Mutex<VecDeque<i64>>,
}

impl Default for Pulse {
    fn default() -> Pulse {
        Pulse {
            beats: watch::Sender::new(Beat::default()),
            rates: Mutex::default(),
            rings: Mutex::default(),
        }
    }
}

impl Pulse {
    /// Wakes at each beat.
    pub(crate) fn watch(&self) -> watch::Receiver<Beat> {
        self.beats.subscribe()
    }

    /// The rate of one source.
    pub(crate) fn rate(&self, source: SourceId) -> Rate {
        self.rates
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&source)
            .copied()
            .unwrap_or_default()
    }

    /// Alarms that began to ring in the last hour since the start, and whether it is a flood: more than ten in
    /// ten minutes (ISA-18.2).
    pub(crate) fn ringing(&self, now_us: i64) -> (f64, bool) {
        let rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        let since =
            |ago_us: i64| rings.iter().filter(|time_us| now_us - **time_us <= ago_us).count();
        (since(HOUR_US) as f64, since(10 * MINUTE_US) > 10)
    }

    fn ring(&self, now_us: i64) {
        let mut rings = self.rings.lock().unwrap_or_else(PoisonError::into_inner);
        while rings.front().is_some_and(|time_us| now_us - time_us > HOUR_US)
            || rings.len() >= MAX_RINGS
        {
            rings.pop_front();
        }
        rings.push_back(now_us);
    }

    fn measure(&self, counts: &[(SourceId, connect::Counts)], now_us: i64) -> f64 {
        let mut rates = self.rates.lock().unwrap_or_else(PoisonError::into_inner);
        for (source, counts) in counts {
            let is_new = !rates.contains_key(source);
            let rate = rates.entry(*source).or_default();
            let n_rows = counts.accepted - rate.accepted;
            if n_rows > 0 {
                rate.last_us = Some(now_us);
            }
            let present = n_rows as f64 / PERIOD.as_secs_f64();
            rate.rate_per_s =
                if is_new { present } else { (1.0 - NEWEST) * rate.rate_per_s + NEWEST * present };
            if rate.rate_per_s < 0.005 {
                rate.rate_per_s = 0.0;
            }
            rate.accepted = counts.accepted;
        }
        rates.values().map(|rate| rate.rate_per_s).sum()
    }
}

#[derive(Serialize)]
struct Status {
    r#type: &'static str,
    accepted: u64,
    stored: u64,
    rejected: u64,
    dropped: u64,
    rate_per_s: f64,
    read_only: Option<String>,
}

/// Beats until the server stops.
pub(crate) async fn run(app: Arc<App>) {
    let mut ticker = tokio::time::interval(PERIOD);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut alarms = app.state.ingest.live().alarms();
    loop {
        tokio::select! {
            () = app.closing.cancelled() => return,
            _ = ticker.tick() => beat(&app),
            change = alarms.recv() => match change {
                Ok(change) if change.rings => app.pulse.ring(app.now_us()),
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return,
            },
        }
    }
}

fn beat(app: &App) {
    let balance = app.state.ingest.balance();
    let rate_per_s = app.pulse.measure(&balance.snapshot(), app.now_us());
    if app.pulse.beats.receiver_count() == 0 {
        return;
    }
    let totals = balance.totals();
    let status = Status {
        r#type: "status",
        accepted: totals.accepted,
        stored: totals.stored,
        rejected: totals.rejected.values().sum(),
        dropped: totals.dropped.values().sum(),
        rate_per_s: (rate_per_s * 10.0).round() / 10.0,
        read_only: app.state.ingest.status().read_only,
    };
    let status = serde_json::to_string(&status).map(Utf8Bytes::from).unwrap_or_default();
    app.pulse.beats.send_replace(Beat { status, health: Arc::new(healths(app)) });
}

fn healths(app: &App) -> Vec<HealthRow> {
    let live = app.state.ingest.live();
    let plant = app.plant.of(&app.state.ingest.model());
    let mut rows = Vec::new();
    let known = live.healths();
    for &AssetId(id) in plant.model.assets.keys() {
        let state = plant.state_of(AssetId(id), live);
        let health = known.get(&AssetId(id));
        if health.is_none() && state.is_none() {
            continue;
        }
        let level = health.map_or(Level::Learning, |health| health.level);
        rows.push((id, health.and_then(|health| health.score).map(f64::round), level, state));
    }
    rows
}
