//! The plant model as the hot path and the screens read it: a snapshot that is swapped, never changed.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use analytics::clean;
use metastore::StoredRule;
use signal::model::{Asset, AssetType, MappingRule, Signal, SignalKind, SignalSpec};
use signal::{AssetId, SignalId};

/// How far ahead of our clock a time stamp may be before the sample is doubted.
const MAX_FUTURE_US: i64 = 60 * signal::SECOND_US;

/// Everything declared about the plant, at one moment.
#[derive(Clone, Default)]
pub struct Model {
    /// All assets by identity.
    pub assets: BTreeMap<AssetId, Arc<Asset>>,
    /// All signals, indexed by identity.
    pub signals: Vec<Option<Arc<Signal>>>,
    /// Asset types by name.
    pub types: Arc<HashMap<String, AssetType>>,
    /// How addresses become places.
    pub mapping_rules: Arc<Vec<MappingRule>>,
    /// Limits that people made, besides those of the asset types.
    pub limit_rules: Arc<Vec<StoredRule>>,
    /// Grows with every change.
    pub version: u64,
}

impl Model {
    pub(crate) fn new(
        loaded: metastore::Model,
        limit_rules: Vec<StoredRule>,
        version: u64,
    ) -> Model {
        let mut model = Model {
            types: Arc::new(
                loaded.types.into_iter().map(|kind| (kind.name.clone(), kind)).collect(),
            ),
            mapping_rules: Arc::new(loaded.rules),
            limit_rules: Arc::new(limit_rules),
            version,
            ..Model::default()
        };
        model.add(loaded.assets, loaded.signals);
        model
    }

    /// Adds or replaces assets and signals.
    pub(crate) fn add(
        &mut self,
        assets: impl IntoIterator<Item = Asset>,
        signals: impl IntoIterator<Item = Signal>,
    ) {
        for asset in assets {
            self.assets.insert(asset.id, Arc::new(asset));
        }
        for signal in signals {
            let idx = signal.id.idx();
            if self.signals.len() <= idx {
                self.signals.resize(idx + 1, None);
            }
            self.signals[idx] = Some(Arc::new(signal));
        }
        self.version += 1;
    }

    /// A signal by identity.
    pub fn signal(&self, id: SignalId) -> Option<&Arc<Signal>> {
        self.signals.get(id.idx()).and_then(Option::as_ref)
    }

    /// An asset by identity.
    pub fn asset(&self, id: AssetId) -> Option<&Arc<Asset>> {
        self.assets.get(&id)
    }

    /// All signals.
    pub fn all_signals(&self) -> impl Iterator<Item = &Arc<Signal>> {
        self.signals.iter().flatten()
    }

    /// The signals of one asset. Cost: O(all signals).
    pub fn signals_of(&self, asset: AssetId) -> Vec<&Arc<Signal>> {
        self.all_signals().filter(|signal| signal.asset == Some(asset)).collect()
    }

    /// The asset's type, if it is known.
    pub fn type_of(&self, asset: AssetId) -> Option<&AssetType> {
        self.types.get(self.asset(asset)?.asset_type.as_deref()?)
    }
}

/// How the samples of a signal are judged.
pub(crate) fn cleaning_rules(spec: &SignalSpec) -> clean::Rules {
    let defaults = clean::Rules::default();
    clean::Rules {
        kind: match spec.kind {
            SignalKind::Gauge => clean::Kind::Gauge,
            SignalKind::Counter => clean::Kind::Counter,
            SignalKind::State => clean::Kind::State,
            SignalKind::SetPoint | SignalKind::Text => clean::Kind::Other,
        },
        range: spec.range.or(defaults.range),
        max_rate_per_s: spec.max_rate_per_s.or(defaults.max_rate_per_s),
        max_gap_us: spec.max_gap_ms.map(|ms| ms as i64 * 1000).or(defaults.max_gap_us),
        stuck_after_us: spec.stuck_after_ms.map_or(defaults.stuck_after_us, |ms| ms as i64 * 1000),
        spike_sigmas: spec.spike_sigmas.unwrap_or(defaults.spike_sigmas),
        max_future_us: MAX_FUTURE_US,
    }
}

/// Whether the detector of its asset looks at a signal: gauges, unless somebody said otherwise.
pub(crate) fn is_watched(signal: &Signal) -> bool {
    signal.asset.is_some()
        && signal.spec.in_detection.unwrap_or(signal.spec.kind == SignalKind::Gauge)
}
