//! Look-ups over the plant model that many calls need, made once per version of the model.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use ingest::{Live, Model};
use signal::model::{Asset, SignalKind};
use signal::{AssetId, SignalId};

/// The model and what is quickly found in it.
pub(crate) struct Plant {
    pub(crate) model: Arc<Model>,
    signals: HashMap<AssetId, Vec<SignalId>>,
    state_signals: HashMap<AssetId, SignalId>,
    children: HashMap<Option<AssetId>, Vec<AssetId>>,
}

/// The newest [`Plant`].
#[derive(Default)]
pub(crate) struct Cache {
    newest: Mutex<Option<Arc<Plant>>>,
}

impl Cache {
    /// The plant as it is in `model`. Cost: O(1), O(signals) after a change.
    pub(crate) fn of(&self, model: &Arc<Model>) -> Arc<Plant> {
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(plant) = newest.as_ref()
            && Arc::ptr_eq(&plant.model, model)
        {
            return plant.clone();
        }
        let plant = Arc::new(Plant::new(model.clone()));
        *newest = Some(plant.clone());
        plant
    }
}

impl Plant {
    fn new(model: Arc<Model>) -> Plant {
        let mut signals: HashMap<AssetId, Vec<SignalId>> = HashMap::new();
        let mut state_signals = HashMap::new();
        for signal in model.all_signals() {
            let Some(asset) = signal.asset else { continue };
            signals.entry(asset).or_default().push(signal.id);
            if signal.spec.kind == SignalKind::State {
                if signal.name == "state" {
                    state_signals.insert(asset, signal.id);
                } else {
                    state_signals.entry(asset).or_insert(signal.id);
                }
            }
        }
        let mut children: HashMap<Option<AssetId>, Vec<AssetId>> = HashMap::new();
        for asset in model.assets.values() {
            children.entry(asset.parent).or_default().push(asset.id);
        }
        for list in children.values_mut() {
            list.sort_by_key(|id| model.asset(*id).map(|asset| asset.name.clone()));
        }
        Plant { model, signals, state_signals, children }
    }

    /// The asset's own signals.
    pub(crate) fn signals_of(&self, asset: AssetId) -> &[SignalId] {
        self.signals.get(&asset).map_or(&[], Vec::as_slice)
    }

    /// The signal that tells the asset's machine state: `state`, or the first of that kind.
    pub(crate) fn state_signal(&self, asset: AssetId) -> Option<SignalId> {
        self.state_signals.get(&asset).copied()
    }

    /// The counter of an asset with that last name.
    pub(crate) fn counter(&self, asset: AssetId, name: &str) -> Option<SignalId> {
        let own = self.signals_of(asset).iter().filter_map(|id| self.model.signal(*id));
        let mut named = own.filter(|signal| {
            signal.spec.kind == SignalKind::Counter && signal.name.rsplit('/').next() == Some(name)
        });
        named.next().map(|signal| signal.id)
    }

    /// What is directly below an asset, by name; none: the roots.
    pub(crate) fn children_of(&self, asset: Option<AssetId>) -> &[AssetId] {
        self.children.get(&asset).map_or(&[], Vec::as_slice)
    }

    /// An asset and everything below it.
    pub(crate) fn subtree(&self, asset: AssetId) -> Vec<AssetId> {
        let mut found = vec![asset];
        let mut at = 0;
        while at < found.len() {
            found.extend_from_slice(self.children_of(Some(found[at])));
            at += 1;
        }
        found
    }

    /// From the root down to the asset itself.
    pub(crate) fn breadcrumbs(&self, asset: AssetId) -> Vec<Arc<Asset>> {
        let mut crumbs = Vec::new();
        let mut here = Some(asset);
        while let Some(asset) = here.and_then(|id| self.model.asset(id)) {
            crumbs.push(asset.clone());
            here = asset.parent;
        }
        crumbs.reverse();
        crumbs
    }

    /// Name of the state that the machine is in.
    pub(crate) fn state_of(&self, asset: AssetId, live: &Live) -> Option<String> {
        let signal = self.state_signal(asset)?;
        let last = live.last(signal)?;
        let states = &self.model.signal(signal)?.spec.states;
        let idx =
            (last.value >= 0.0 && last.value.fract() == 0.0).then_some(last.value as usize)?;
        states.get(idx).cloned()
    }
}
