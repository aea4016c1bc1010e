//! Which address feeds which signal, as fast as the wire needs it.
//!
//! Read by every connection for every value, written by the registrar only. A connection keeps its own
//! cache beside this and throws it away when [`Directory::version`] has moved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use signal::model::SignalKind;
use signal::{SignalId, SourceId};
use tokio::sync::{mpsc, oneshot};

use crate::decode::Template;
use crate::inlet::InletError;

/// Questions that may wait for the registrar.
const WAITING: usize = 10_000;

/// Where a value goes: `value = a · raw + b`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Target {
    /// The signal.
    pub signal: SignalId,
    /// Factor from the source's unit to the signal's.
    pub a: f64,
    /// Offset.
    pub b: f64,
    /// What the numbers mean.
    pub kind: SignalKind,
}

/// What the first value of an unknown address looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// A number.
    Number,
    /// True or false.
    Bool,
    /// Anything else.
    Text,
}

/// A question to the registrar. An answer that is dropped means that nobody can know now: ask again later.
pub enum Wanted {
    /// Which signal does this address feed? It is made if it is new; none means refused.
    Address {
        /// Who offers it.
        source: SourceId,
        /// What the source calls it.
        address: String,
        /// What its first value looks like.
        looks: LooksLike,
        /// Where the answer goes.
        answer: oneshot::Sender<Option<Target>>,
    },
    /// Which number stands for this state? It is added if it is new.
    State {
        /// The state signal.
        signal: SignalId,
        /// The state's name.
        text: String,
        /// Where the answer goes.
        answer: oneshot::Sender<Option<f64>>,
    },
}

#[derive(Default)]
struct Tables {
    targets: HashMap<SourceId, HashMap<String, Target>>,
    states: HashMap<SignalId, Vec<String>>,
    templates: HashMap<SourceId, Arc<[Arc<Template>]>>,
}

/// Address → signal, state name → number.
pub struct Directory {
    tables: RwLock<Tables>,
    version: AtomicU64,
    wanted: mpsc::Sender<Wanted>,
}

impl Directory {
    /// An empty directory, and the questions that its readers will ask.
    pub fn new() -> (Arc<Directory>, mpsc::Receiver<Wanted>) {
        let (wanted, questions) = mpsc::channel(WAITING);
        (
            Arc::new(Directory { tables: RwLock::default(), version: AtomicU64::new(0), wanted }),
            questions,
        )
    }

    /// The signal that an address feeds, if it is known.
    pub fn get(&self, source: SourceId, address: &str) -> Option<Target> {
        self.read().targets.get(&source)?.get(address).copied()
    }

    /// Moves whenever something that was known has changed; what was unknown and became known does not move it.
    pub fn version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// The signal that an address feeds; an unknown one is made. None means that it was refused.
    pub async fn resolve(
        &self,
        source: SourceId,
        address: &str,
        looks: LooksLike,
    ) -> Option<Target> {
        if let Some(target) = self.get(source, address) {
            return Some(target);
        }
        let (answer, answered) = oneshot::channel();
        self.wanted
            .send(Wanted::Address { source, address: address.to_owned(), looks, answer })
            .await
            .ok()?;
        answered.await.ok().flatten()
    }

    /// The signals of several unknown addresses at once, none where refused; the registrar makes them in one
    /// transaction.
    ///
    /// # Errors
    /// When they cannot be registered now, because the disk is full or Fettler is stopping.
    pub async fn resolve_all(
        &self,
        source: SourceId,
        addresses: &[(String, LooksLike)],
    ) -> Result<Vec<Option<Target>>, InletError> {
        let mut waiting = Vec::with_capacity(addresses.len());
        for (address, looks) in addresses {
            let (answer, answered) = oneshot::channel();
            let question =
                Wanted::Address { source, address: address.clone(), looks: *looks, answer };
            self.wanted.send(question).await.map_err(|_| InletError::Closed)?;
            waiting.push(answered);
        }
        let mut targets = Vec::with_capacity(waiting.len());
        for answered in waiting {
            targets.push(answered.await.map_err(|_| not_now())?);
        }
        Ok(targets)
    }

    /// The number of a state, if its name is known.
    pub fn state_code(&self, signal: SignalId, text: &str) -> Option<f64> {
        let tables = self.read();
        let code = tables.states.get(&signal)?.iter().position(|state| state == text)?;
        Some(code as f64)
    }

    /// The number of a state; an unknown name becomes a new state. None means that it was refused.
    ///
    /// # Errors
    /// As for [`resolve_all`](Self::resolve_all).
    pub async fn resolve_state(
        &self,
        signal: SignalId,
        text: &str,
    ) -> Result<Option<f64>, InletError> {
        if let Some(code) = self.state_code(signal, text) {
            return Ok(Some(code));
        }
        let (answer, answered) = oneshot::channel();
        let question = Wanted::State { signal, text: text.to_owned(), answer };
        self.wanted.send(question).await.map_err(|_| InletError::Closed)?;
        answered.await.map_err(|_| not_now())
    }

    /// Registrar only: from now on this address feeds this signal.
    pub fn insert(&self, source: SourceId, address: &str, target: Target) {
        let old =
            self.write().targets.entry(source).or_default().insert(address.to_owned(), target);
        if old.is_some_and(|old| old != target) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }

    /// Registrar only: the states of a signal, in the order of their numbers.
    pub fn set_states(&self, signal: SignalId, states: Vec<String>) {
        self.write().states.insert(signal, states);
    }

    /// How messages of a source are read that do not speak for themselves, in the order in which they are tried.
    pub fn templates(&self, source: SourceId) -> Arc<[Arc<Template>]> {
        self.read().templates.get(&source).cloned().unwrap_or_default()
    }

    /// Registrar only: forget every address, because the whole model is read anew, and use these templates.
    pub fn renew(&self, templates: HashMap<SourceId, Vec<Arc<Template>>>) {
        let templates =
            templates.into_iter().map(|(source, templates)| (source, templates.into())).collect();
        *self.write() = Tables { templates, ..Tables::default() };
        self.version.fetch_add(1, Ordering::AcqRel);
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Tables> {
        self.tables.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> std::sync::RwLockWriteGuard<'_, Tables> {
        self.tables.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The registrar could not answer. A sender that is told to try again loses nothing.
fn not_now() -> InletError {
    let reason = "new signals and states cannot be registered now: check the disk and the log";
    InletError::ReadOnly { reason: reason.to_owned(), retry_after_s: 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Decoder;
    use crate::inlet::inlet;
    use crate::line::{Line, Precision};
    use signal::TenantId;

    const SOURCE: SourceId = SourceId(1);

    /// A registrar that can register nothing: every question is dropped.
    fn full_disk() -> Arc<Directory> {
        let (directory, mut wanted) = Directory::new();
        tokio::spawn(async move { while wanted.recv().await.is_some() {} });
        directory
    }

    /// On a full disk, lines of new signals were answered with 400, and Telegraf threw them away for good.
    #[tokio::test]
    async fn lines_of_signals_that_cannot_be_registered_now_are_wanted_again() {
        let (inlet, queue) = inlet(10, Arc::default());
        let line = Line::new(TenantId::FIRST, SOURCE, full_disk());
        let refused = line.write(&inlet, b"a x=1,y=2 1\nb x=3 1", Precision::S, 0).await;
        assert!(matches!(refused, Err(InletError::ReadOnly { .. })), "{refused:?}");
        let books = inlet.balance().totals();
        assert!(books.holds() && books.rejected["read_only"] == 3, "{books:?}");
        drop((inlet, queue));
    }

    /// … and messages were acknowledged, and gone.
    #[tokio::test]
    async fn messages_of_signals_that_cannot_be_registered_now_are_not_taken() {
        let directory = full_disk();
        let known = Target { signal: SignalId(7), a: 1.0, b: 0.0, kind: SignalKind::Gauge };
        directory.insert(SOURCE, "known", known);
        let mut decoder = Decoder::new(TenantId::FIRST, SOURCE, directory);
        decoder.read("known", b"1", 1);
        decoder.read("new", b"2", 2);
        let refused = decoder.take().await.expect_err("the registrar cannot answer");
        assert_eq!(refused.n_values, 2);
        // What was refused does not come back with what is read next.
        decoder.read("known", b"3", 3);
        let (rows, refusals) = decoder.take().await.expect("nothing is asked");
        assert_eq!((rows.samples.values(), refusals.len()), (&[3.0][..], 0));
    }
}
