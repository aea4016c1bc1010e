//! What the broker does while nobody asks: ends what is over, keeps retained messages, speaks of itself.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::hub::Message;
use super::journal::Journal;
use super::{Shared, matches, now_us};
use crate::decode::Decoder;

/// How often sessions, wills and retained messages are looked at.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
/// Sweeps between two reports under `$SYS`.
const SWEEPS_PER_REPORT: u32 = 10;
/// How long retained messages that could not be written wait for the next try.
const TRY_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Ends sessions and messages whose time is over, sends wills that are due, and reports under `$SYS/broker`.
pub(super) async fn sweep(shared: Arc<Shared>, stop: CancellationToken) {
    let started = Instant::now();
    let (tenant, source) = (shared.options.tenant, shared.options.source);
    let mut decoder = Decoder::new(tenant, source, shared.directory.clone());
    let mut tick = tokio::time::interval(SWEEP_EVERY);
    let mut n_sweeps = 0;
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = tick.tick() => {}
        }
        for will in shared.hub.sweep(Instant::now()) {
            publish_will(&shared, &mut decoder, &will).await;
        }
        if n_sweeps % SWEEPS_PER_REPORT == 0 {
            report(&shared, started);
        }
        n_sweeps += 1;
    }
}

/// A will whose delay is over, of a client that is not here any more.
async fn publish_will(shared: &Shared, decoder: &mut Decoder, will: &Arc<Message>) {
    let not_stored = &shared.options.not_stored;
    if !will.topic.starts_with('$') && !not_stored.iter().any(|it| matches(it, &will.topic)) {
        decoder.read(&will.topic, &will.payload, now_us());
        let stored = match decoder.take_counted(shared.inlet.balance()).await {
            Ok(rows) if rows.is_empty() => Ok(()),
            Ok(rows) => shared.inlet.submit(rows).await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = stored {
            tracing::warn!(topic = will.topic, %error, "a will could not be stored");
        }
    }
    shared.hub.publish(will, None, &shared.counters);
}

/// The topics that monitoring tools of other brokers look for.
fn report(shared: &Shared, started: Instant) {
    let (stats, sizes) = (shared.counters.stats(), shared.hub.sizes());
    let figures: [(&str, u64); 9] = [
        ("uptime", started.elapsed().as_secs()),
        ("clients/connected", stats.clients),
        ("clients/total", sizes.sessions as u64),
        ("messages/received", stats.received),
        ("messages/sent", stats.sent),
        ("publish/messages/dropped", stats.dropped),
        ("retained messages/count", sizes.retained as u64),
        ("subscriptions/count", sizes.subscriptions as u64),
        ("store/messages/bytes", sizes.waiting_bytes as u64),
    ];
    let version = ("version", concat!("fettler ", env!("CARGO_PKG_VERSION")).to_owned());
    let figures = figures.map(|(name, figure)| (name, figure.to_string()));
    for (name, text) in figures.into_iter().chain([version]) {
        let message =
            Arc::new(Message::from_house(&format!("$SYS/broker/{name}"), text.as_bytes(), true));
        shared.hub.publish(&message, None, &shared.counters);
    }
}

/// Writes retained messages into their file as they change; the last ones when the broker stops.
pub(super) async fn keep(shared: Arc<Shared>, journal: Journal, stop: CancellationToken) {
    let mut journal = Some(journal);
    let mut is_behind = false;
    loop {
        let is_last = stop.is_cancelled();
        let (changes, number) = shared.hub.take_changes();
        if is_behind || !changes.is_empty() {
            let Some(mut file) = journal.take() else { return };
            let hub = Arc::clone(&shared);
            let anew = is_behind;
            let write = move || {
                let result = write(&mut file, &hub, &changes, anew);
                (file, result)
            };
            let Ok((file, result)) = tokio::task::spawn_blocking(write).await else { return };
            journal = Some(file);
            is_behind = result.is_err();
            if let Err(error) = result {
                tracing::error!(%error, "retained messages are not written, a restart would lose their changes: check the disk");
            }
        }
        // Also when it failed: the values themselves are in the log, and a publisher must not wait for ever.
        if let Some(kept) = &shared.hub.kept {
            kept.send_replace(number);
        }
        if is_last {
            return;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = shared.hub.changed.notified(), if !is_behind => {}
            () = tokio::time::sleep(TRY_AGAIN_AFTER), if is_behind => {}
        }
    }
}

fn write(
    journal: &mut Journal,
    shared: &Shared,
    changes: &[Arc<Message>],
    anew: bool,
) -> std::io::Result<()> {
    let now_us = now_us();
    if !anew {
        journal.append(changes, now_us)?;
        if !journal.is_large() {
            return Ok(());
        }
    }
    let all = shared.hub.all_retained();
    if anew || journal.is_wasteful(&all) {
        journal.write_anew(&all, now_us)?;
    }
    Ok(())
}
