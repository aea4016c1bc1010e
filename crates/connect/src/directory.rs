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

/// A question to the registrar.
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

    /// The numbers of several unknown addresses at once; the registrar makes them in one transaction.
    pub async fn resolve_all(
        &self,
        source: SourceId,
        addresses: &[(String, LooksLike)],
    ) -> Vec<Option<Target>> {
        let mut waiting = Vec::with_capacity(addresses.len());
        for (address, looks) in addresses {
            let (answer, answered) = oneshot::channel();
            let question =
                Wanted::Address { source, address: address.clone(), looks: *looks, answer };
            // A closed channel drops `answer`, which is then answered with none below.
            let _ = self.wanted.send(question).await;
            waiting.push(answered);
        }
        let mut targets = Vec::with_capacity(waiting.len());
        for answered in waiting {
            targets.push(answered.await.ok().flatten());
        }
        targets
    }

    /// The number of a state, if its name is known.
    pub fn state_code(&self, signal: SignalId, text: &str) -> Option<f64> {
        let tables = self.read();
        let code = tables.states.get(&signal)?.iter().position(|state| state == text)?;
        Some(code as f64)
    }

    /// The number of a state; an unknown name becomes a new state.
    pub async fn resolve_state(&self, signal: SignalId, text: &str) -> Option<f64> {
        if let Some(code) = self.state_code(signal, text) {
            return Some(code);
        }
        let (answer, answered) = oneshot::channel();
        self.wanted.send(Wanted::State { signal, text: text.to_owned(), answer }).await.ok()?;
        answered.await.ok().flatten()
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
