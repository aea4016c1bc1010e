//! The one door for samples, and the balance that is kept at it.
//!
//! A source hands over [`Rows`] and learns later whether they are durable. The queue is bounded in rows:
//! a source that is faster than the disk waits, it does not fill the memory.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc as std_mpsc;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use signal::{Rows, SourceId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

/// Why rows were not stored. None of the rows were.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum InletError {
    /// The world's fault: the disk is full or broken. Try again later.
    #[error("writes are refused: {reason}")]
    ReadOnly {
        /// Why, and what to do.
        reason: String,
        /// When to try again.
        retry_after_s: u32,
    },
    /// Fettler is stopping. Try again when it is back.
    #[error("Fettler is stopping")]
    Closed,
}

/// What became of rows that were taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fate {
    /// Rows that are durable now.
    pub stored: u64,
    /// Rows that repeated what was already stored; counted as dropped.
    pub duplicates: u64,
}

/// What happened to the rows of one source since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Everything that was offered.
    pub accepted: u64,
    /// Offered, and not decided yet.
    pub in_flight: u64,
    /// Durable.
    pub stored: u64,
    /// Refused, and the sender was told; by reason.
    pub rejected: BTreeMap<&'static str, u64>,
    /// Left out on purpose; by reason.
    pub dropped: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Whether `accepted = stored + rejected + dropped + in_flight`.
    pub fn holds(&self) -> bool {
        let rejected: u64 = self.rejected.values().sum();
        let dropped: u64 = self.dropped.values().sum();
        self.accepted == self.stored + rejected + dropped + self.in_flight
    }

    fn add(&mut self, other: &Counts) {
        self.accepted += other.accepted;
        self.in_flight += other.in_flight;
        self.stored += other.stored;
        for (reason, n_rows) in &other.rejected {
            *self.rejected.entry(reason).or_default() += n_rows;
        }
        for (reason, n_rows) in &other.dropped {
            *self.dropped.entry(reason).or_default() += n_rows;
        }
    }
}

#[derive(Default)]
struct Ledger {
    counts: Counts,
    last_error: Option<String>,
}

/// The books of all sources.
#[derive(Default)]
pub struct Balance {
    sources: Mutex<BTreeMap<SourceId, Ledger>>,
}

impl Balance {
    /// Rows that could not even be read: counted as accepted and rejected.
    pub fn reject(&self, source: SourceId, reason: &'static str, n_rows: u64, error: &str) {
        let mut sources = self.lock();
        let ledger = sources.entry(source).or_default();
        ledger.counts.accepted += n_rows;
        *ledger.counts.rejected.entry(reason).or_default() += n_rows;
        ledger.last_error = Some(error.chars().take(500).collect());
    }

    /// Rows that were left out on purpose: counted as accepted and dropped.
    pub fn drop_rows(&self, source: SourceId, reason: &'static str, n_rows: u64) {
        let mut sources = self.lock();
        let counts = &mut sources.entry(source).or_default().counts;
        counts.accepted += n_rows;
        *counts.dropped.entry(reason).or_default() += n_rows;
    }

    /// The books of every source that has offered anything.
    pub fn snapshot(&self) -> Vec<(SourceId, Counts)> {
        self.lock().iter().map(|(source, ledger)| (*source, ledger.counts.clone())).collect()
    }

    /// All sources together.
    pub fn totals(&self) -> Counts {
        let mut totals = Counts::default();
        for ledger in self.lock().values() {
            totals.add(&ledger.counts);
        }
        totals
    }

    /// The newest thing that a source sent and we could not read.
    pub fn last_error(&self, source: SourceId) -> Option<String> {
        self.lock().get(&source).and_then(|ledger| ledger.last_error.clone())
    }

    fn take(&self, source: SourceId, n_rows: u64) {
        let mut sources = self.lock();
        let counts = &mut sources.entry(source).or_default().counts;
        counts.accepted += n_rows;
        counts.in_flight += n_rows;
    }

    fn settle(&self, source: SourceId, n_rows: u64, result: &Result<Fate, InletError>) {
        let mut sources = self.lock();
        let ledger = sources.entry(source).or_default();
        ledger.counts.in_flight -= n_rows;
        match result {
            Ok(fate) => {
                debug_assert_eq!(fate.stored + fate.duplicates, n_rows);
                ledger.counts.stored += fate.stored;
                if fate.duplicates > 0 {
                    *ledger.counts.dropped.entry("duplicate").or_default() += fate.duplicates;
                }
            }
            Err(error) => {
                let reason = match error {
                    InletError::ReadOnly { .. } => "read_only",
                    InletError::Closed => "stopping",
                };
                *ledger.counts.rejected.entry(reason).or_default() += n_rows;
                ledger.last_error = Some(error.to_string());
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<SourceId, Ledger>> {
        self.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Rows on their way to the log.
pub struct Delivery {
    /// The rows; the receiver may take them out.
    pub rows: Rows,
    source: SourceId,
    n_rows: u64,
    balance: Arc<Balance>,
    reply: Option<oneshot::Sender<Result<(), InletError>>>,
    _room: OwnedSemaphorePermit,
}

impl Delivery {
    /// Tells the sender, and the books, what became of the rows.
    pub fn answer(mut self, result: Result<Fate, InletError>) {
        self.settle(result);
    }

    fn settle(&mut self, result: Result<Fate, InletError>) {
        let Some(reply) = self.reply.take() else { return };
        self.balance.settle(self.source, self.n_rows, &result);
        // A sender that has gone away will send again.
        let _ = reply.send(result.map(|_| ()));
    }
}

impl Drop for Delivery {
    fn drop(&mut self) {
        self.settle(Err(InletError::Closed));
    }
}

/// The sending side. Cheap to clone.
#[derive(Clone)]
pub struct Inlet {
    queue: std_mpsc::Sender<Delivery>,
    room: Arc<Semaphore>,
    max_rows: u32,
    balance: Arc<Balance>,
}

/// The receiving side, for one thread.
pub struct InletQueue {
    queue: std_mpsc::Receiver<Delivery>,
}

/// A queue with room for `max_rows` rows (at least one delivery always fits).
pub fn inlet(max_rows: usize, balance: Arc<Balance>) -> (Inlet, InletQueue) {
    let max_rows = u32::try_from(max_rows).unwrap_or(u32::MAX).clamp(1, u32::MAX >> 4);
    let (sender, receiver) = std_mpsc::channel();
    let room = Arc::new(Semaphore::new(max_rows as usize));
    (Inlet { queue: sender, room, max_rows, balance }, InletQueue { queue: receiver })
}

/// The promise that rows are durable, or the reason why not.
pub struct Receipt(oneshot::Receiver<Result<(), InletError>>);

impl Future for Receipt {
    type Output = Result<(), InletError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(cx).map(|answer| answer.unwrap_or(Err(InletError::Closed)))
    }
}

impl Inlet {
    /// Hands over rows and waits until they are durable.
    ///
    /// # Errors
    /// None of the rows were stored; see [`InletError`].
    pub async fn send(&self, rows: Rows) -> Result<(), InletError> {
        self.submit(rows).await?.await
    }

    /// Hands over rows and waits only for room; the receipt tells later that they are durable.
    ///
    /// # Errors
    /// When Fettler is stopping.
    pub async fn submit(&self, rows: Rows) -> Result<Receipt, InletError> {
        let n_rows = rows.len() as u64;
        // A delivery larger than the whole queue goes through alone.
        let permits = u32::try_from(n_rows).unwrap_or(u32::MAX).clamp(1, self.max_rows);
        let room =
            self.room.clone().acquire_many_owned(permits).await.map_err(|_| InletError::Closed)?;
        let (reply, receipt) = oneshot::channel();
        self.balance.take(rows.source, n_rows);
        let delivery = Delivery {
            source: rows.source,
            rows,
            n_rows,
            balance: self.balance.clone(),
            reply: Some(reply),
            _room: room,
        };
        self.queue.send(delivery).map_err(|_| InletError::Closed)?;
        Ok(Receipt(receipt))
    }

    /// The books.
    pub fn balance(&self) -> &Arc<Balance> {
        &self.balance
    }
}

impl InletQueue {
    /// Waits up to `timeout` for a delivery, then takes all that are there until `max_rows` are reached.
    ///
    /// False when every sender is gone and nothing is left.
    pub fn wait(&mut self, into: &mut Vec<Delivery>, max_rows: usize, timeout: Duration) -> bool {
        match self.queue.recv_timeout(timeout) {
            Ok(first) => {
                let mut n_rows = first.rows.len();
                into.push(first);
                while n_rows < max_rows
                    && let Ok(next) = self.queue.try_recv()
                {
                    n_rows += next.rows.len();
                    into.push(next);
                }
                true
            }
            Err(std_mpsc::RecvTimeoutError::Timeout) => true,
            Err(std_mpsc::RecvTimeoutError::Disconnected) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::{Quality, Sample, SampleColumns, SignalId, TenantId};

    fn rows(n_rows: u32) -> Rows {
        let mut samples = SampleColumns::default();
        for n in 0..n_rows {
            samples.push(Sample {
                signal: SignalId(n),
                time_us: 1,
                value: 1.0,
                quality: Quality::GOOD,
            });
        }
        Rows { tenant: TenantId::FIRST, source: SourceId(7), samples, events: Vec::new() }
    }

    #[tokio::test]
    async fn the_books_hold_at_every_moment() {
        let balance = Arc::new(Balance::default());
        let (inlet, mut queue) = inlet(100, balance.clone());
        let first = inlet.submit(rows(5)).await.expect("open");
        let second = inlet.submit(rows(3)).await.expect("open");
        let third = inlet.submit(rows(2)).await.expect("open");
        assert!(balance.totals().holds());
        assert_eq!(balance.totals().in_flight, 10);

        let mut taken = Vec::new();
        assert!(queue.wait(&mut taken, 1000, Duration::from_secs(1)));
        let mut taken = taken.into_iter();
        taken.next().expect("first").answer(Ok(Fate { stored: 4, duplicates: 1 }));
        let refusal = InletError::ReadOnly { reason: "disk full".to_owned(), retry_after_s: 5 };
        taken.next().expect("second").answer(Err(refusal.clone()));
        drop(taken);
        assert_eq!(first.await, Ok(()));
        assert_eq!(second.await, Err(refusal));
        assert_eq!(third.await, Err(InletError::Closed));

        balance.reject(SourceId(7), "payload", 1, "not a number");
        let totals = balance.totals();
        assert!(totals.holds(), "{totals:?}");
        assert_eq!((totals.accepted, totals.stored, totals.dropped["duplicate"]), (11, 4, 1));
        assert_eq!((totals.rejected["read_only"], totals.rejected["stopping"]), (3, 2));
    }

    #[tokio::test]
    async fn a_full_queue_lets_the_sender_wait_but_never_for_ever() {
        let (inlet, mut queue) = inlet(4, Arc::default());
        let _receipt = inlet.submit(rows(3)).await.expect("open");
        let waiting = inlet.clone();
        let second = tokio::spawn(async move { waiting.send(rows(50)).await });
        tokio::task::yield_now().await;
        let mut taken = Vec::new();
        queue.wait(&mut taken, 1000, Duration::from_secs(1));
        assert_eq!(taken.len(), 1, "the second does not fit yet");
        taken.pop().expect("first").answer(Ok(Fate { stored: 3, duplicates: 0 }));
        while taken.is_empty() {
            tokio::task::yield_now().await;
            queue.wait(&mut taken, 1000, Duration::from_millis(1));
        }
        taken.pop().expect("second").answer(Ok(Fate { stored: 50, duplicates: 0 }));
        assert_eq!(second.await.expect("no panic"), Ok(()));
    }
}
