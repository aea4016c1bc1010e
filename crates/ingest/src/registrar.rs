//! Gives addresses that nobody has seen before a signal, and keeps everybody's picture of the plant in step.
//!
//! A source that meets an unknown address waits for the registrar; the registrar asks the metastore, tells
//! the ingest thread, and only then answers, so that no sample arrives before its signal is known.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use connect::{Directory, LooksLike, Target, Template, Wanted};
use metastore::Metastore;
use signal::model::{Binding, MappingRule, Signal, SignalKind, Source};
use signal::{SignalId, SourceId, TenantId};
use tokio::sync::{mpsc, watch};

use crate::handle::Commands;
use crate::model::Model;

/// Most addresses that are registered in one transaction.
const BATCH: usize = 2_000;

/// The plant model that everybody reads, and the only hand that writes it.
pub(crate) struct Registrar {
    tenant: TenantId,
    metastore: Metastore,
    directory: Arc<Directory>,
    commands: Commands,
    model: Arc<watch::Sender<Arc<Model>>>,
    sources: Mutex<HashMap<SourceId, Source>>,
    /// One change of the model at a time.
    changing: tokio::sync::Mutex<()>,
}

impl Registrar {
    pub(crate) fn new(
        tenant: TenantId,
        metastore: Metastore,
        directory: Arc<Directory>,
        commands: Commands,
        model: Arc<watch::Sender<Arc<Model>>>,
    ) -> Registrar {
        Registrar {
            tenant,
            metastore,
            directory,
            commands,
            model,
            sources: Mutex::default(),
            changing: tokio::sync::Mutex::default(),
        }
    }

    /// Reads the whole model anew and makes everybody use it.
    ///
    /// # Errors
    /// When the metastore cannot be read; everybody keeps the old one.
    pub(crate) async fn reload(&self) -> Result<(), metastore::Error> {
        let _alone = self.changing.lock().await;
        let loaded = self.metastore.load_model(self.tenant).await?;
        let limit_rules = self.metastore.limit_rules(self.tenant).await?;
        for source in self.metastore.sources(self.tenant).await? {
            self.sources.lock().unwrap_or_else(PoisonError::into_inner).insert(source.id, source);
        }
        self.directory.renew(self.templates(&loaded.rules));
        let kinds: HashMap<SignalId, &Signal> =
            loaded.signals.iter().map(|signal| (signal.id, signal)).collect();
        for binding in &loaded.bindings {
            if let Some(signal) = kinds.get(&binding.signal) {
                self.direct(binding, signal);
            }
        }
        let version = self.model.borrow().version + 1;
        let model = Arc::new(Model::new(loaded, limit_rules, version));
        self.commands.follow(model.clone());
        self.model.send_replace(model);
        Ok(())
    }

    /// The payloads that rules declare, by source.
    fn templates(&self, rules: &[MappingRule]) -> HashMap<SourceId, Vec<Arc<Template>>> {
        let mut templates: HashMap<SourceId, Vec<Arc<Template>>> = HashMap::new();
        let sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules {
            let Some(template) = Template::of(rule).map(Arc::new) else { continue };
            let is_meant = |source: &&Source| rule.source.is_empty() || rule.source == source.name;
            for source in sources.values().filter(is_meant) {
                templates.entry(source.id).or_default().push(template.clone());
            }
        }
        templates
    }

    fn direct(&self, binding: &Binding, signal: &Signal) {
        let target =
            Target { signal: signal.id, a: binding.a, b: binding.b, kind: signal.spec.kind };
        self.directory.insert(binding.source, &binding.address, target);
        if signal.spec.kind == SignalKind::State {
            self.directory.set_states(signal.id, signal.spec.states.clone());
        }
    }

    /// Answers sources until all of them are gone.
    pub(crate) async fn run(self: Arc<Self>, mut wanted: mpsc::Receiver<Wanted>) {
        let mut batch = Vec::new();
        while wanted.recv_many(&mut batch, BATCH).await > 0 {
            self.answer(std::mem::take(&mut batch)).await;
        }
    }

    async fn answer(&self, batch: Vec<Wanted>) {
        let mut by_source: HashMap<SourceId, Vec<Wanted>> = HashMap::new();
        for wanted in batch {
            match &wanted {
                Wanted::State { signal, text, .. } => {
                    let code = self.add_state(*signal, text).await;
                    if let (Wanted::State { answer, .. }, Some(code)) = (wanted, known(&code)) {
                        let _ = answer.send(code);
                    }
                }
                Wanted::Address { source, .. } => {
                    by_source.entry(*source).or_default().push(wanted);
                }
            }
        }
        for (source, wanted) in by_source {
            let targets = match self.register(source, &wanted).await {
                Ok(targets) => targets,
                Err(error) => {
                    tracing::error!(%source, n_addresses = wanted.len(), %error, "new signals could not be registered");
                    // Answers that are dropped tell the senders to try again.
                    continue;
                }
            };
            for (wanted, target) in wanted.into_iter().zip(targets) {
                if let Wanted::Address { answer, .. } = wanted {
                    // The source may be gone by now; the signal is there all the same.
                    let _ = answer.send(target);
                }
            }
        }
    }

    async fn register(
        &self,
        source: SourceId,
        wanted: &[Wanted],
    ) -> Result<Vec<Option<Target>>, metastore::Error> {
        let _alone = self.changing.lock().await;
        let known =
            self.sources.lock().unwrap_or_else(PoisonError::into_inner).get(&source).cloned();
        let source = match known {
            Some(source) => source,
            None => {
                let sources = self.metastore.sources(self.tenant).await?;
                let mut known = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
                known.extend(sources.into_iter().map(|source| (source.id, source)));
                match known.get(&source) {
                    Some(source) => source.clone(),
                    None => return Ok(vec![None; wanted.len()]),
                }
            }
        };
        let addresses: Vec<(String, SignalKind)> = wanted.iter().map(hint).collect();
        let registered = self.metastore.register_many(self.tenant, &source, &addresses).await?;
        let mut model = Model::clone(&self.model.borrow());
        let mut targets = Vec::with_capacity(registered.len());
        for one in registered {
            let Some(one) = one else {
                targets.push(None);
                continue;
            };
            let (signal, binding) = (one.signal, one.binding);
            self.direct(&binding, &signal);
            targets.push(Some(Target {
                signal: signal.id,
                a: binding.a,
                b: binding.b,
                kind: signal.spec.kind,
            }));
            model.add(one.new_assets, [signal]);
        }
        let model = Arc::new(model);
        self.commands.follow(model.clone());
        self.model.send_replace(model);
        Ok(targets)
    }

    /// A state that nobody has named before becomes the last of its signal's states.
    async fn add_state(
        &self,
        signal: SignalId,
        text: &str,
    ) -> Result<Option<f64>, metastore::Error> {
        let _alone = self.changing.lock().await;
        let states = self.metastore.append_state(self.tenant, signal, text).await.inspect_err(
            |error| tracing::error!(%signal, text, %error, "a new machine state could not be registered"),
        )?;
        let Some(code) = states.iter().position(|state| state == text) else { return Ok(None) };
        self.directory.set_states(signal, states.clone());
        let mut model = Model::clone(&self.model.borrow());
        if let Some(known) = model.signal(signal) {
            let mut known = Signal::clone(known);
            known.spec.states = states;
            model.add([], [known]);
            let model = Arc::new(model);
            self.commands.follow(model.clone());
            self.model.send_replace(model);
        }
        Ok(Some(code as f64))
    }
}

/// What to answer; nothing when the metastore could not be used, so that the sender tries again.
fn known(code: &Result<Option<f64>, metastore::Error>) -> Option<Option<f64>> {
    match code {
        Ok(code) => Some(*code),
        Err(metastore::Error::Database(_)) => None,
        Err(_) => Some(None),
    }
}

fn hint(wanted: &Wanted) -> (String, SignalKind) {
    match wanted {
        Wanted::Address { address, looks, .. } => {
            let kind = match looks {
                LooksLike::Number | LooksLike::Bool => SignalKind::Gauge,
                LooksLike::Text => SignalKind::Text,
            };
            (address.clone(), kind)
        }
        Wanted::State { text, .. } => (text.clone(), SignalKind::State),
    }
}
