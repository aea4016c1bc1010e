//! The detectors of all machines: which signals each of them watches, what engineers set, what is kept.

mod detector;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use signal::{AssetId, SECOND_US, Sample, SignalId};

use crate::health::Health;
use crate::limits::state_signal;
use crate::model::{Model, is_watched};

use detector::{Detector, Saved, signatures_of};
pub(crate) use detector::{Told, Verdict};
pub(crate) use words::lost_words;

/// A machine of which nothing is heard for so long is lost.
const LOST_US: i64 = 60 * SECOND_US;
/// More signals than that on one asset are not a machine; they would need a model of their own.
const MAX_COLUMNS: usize = 64;

/// What an engineer set for one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DetectionSettings {
    /// Whether it is judged at all.
    pub enabled: bool,
    /// The false-alarm budget: about one in so many days.
    pub days_per_false_alarm: f64,
}

/// How detectors learn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Learning {
    /// How many good rows are seen before the first verdict.
    pub rows: usize,
    /// Whether the model is refined as more good rows come in.
    pub refit: bool,
}

/// One detector as the settings page shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DetectorView {
    /// The machine.
    pub asset: AssetId,
    /// Whether it is judged at all.
    pub enabled: bool,
    /// The false-alarm budget.
    pub days_per_false_alarm: f64,
    /// Rows its model has learned from.
    pub trained_rows: u64,
    /// Whether it does not judge yet.
    pub learning: bool,
    /// Signals it looks at.
    pub signals: usize,
}

/// Shared so that screens can show it without asking the ingest thread.
pub(crate) type Views = Arc<Vec<DetectorView>>;

/// The detectors of all machines.
pub(crate) struct Detection {
    detectors: Vec<Detector>,
    by_asset: HashMap<AssetId, usize>,
    /// signal → (detector, column); the column after the last is the machine state.
    slots: Vec<Option<(u32, u16)>>,
    learning: Learning,
    days_per_false_alarm: f64,
    touched: Vec<u32>,
}

impl Detection {
    pub(crate) fn new(learning: Learning, days_per_false_alarm: f64) -> Detection {
        Detection {
            detectors: Vec::new(),
            by_asset: HashMap::new(),
            slots: Vec::new(),
            learning,
            days_per_false_alarm,
            touched: Vec::new(),
        }
    }

    /// Follows a changed model. A machine whose set of watched signals changed learns anew.
    pub(crate) fn follow(&mut self, model: &Model) {
        let mut watched: HashMap<AssetId, Vec<(SignalId, String)>> = HashMap::new();
        for signal in model.all_signals().filter(|signal| is_watched(signal)) {
            let columns = watched.entry(signal.asset.unwrap_or_default()).or_default();
            if columns.len() < MAX_COLUMNS {
                columns.push((signal.id, signal.name.clone()));
            }
        }
        self.slots.iter_mut().for_each(|slot| *slot = None);
        self.slots.resize(model.signals.len(), None);
        let mut assets: Vec<AssetId> = watched.keys().copied().collect();
        assets.sort();
        for asset in assets {
            let columns = watched.remove(&asset).unwrap_or_default();
            let idx = self.detector_of(asset, columns);
            let detector = &mut self.detectors[idx];
            detector.signatures = signatures_of(model, asset);
            for (column, (signal, _)) in detector.columns.iter().enumerate() {
                self.slots[signal.idx()] = Some((idx as u32, column as u16));
            }
            if let Some(state) = state_signal(model, asset) {
                self.slots[state.id.idx()] = Some((idx as u32, detector.columns.len() as u16));
            }
        }
    }

    fn detector_of(&mut self, asset: AssetId, columns: Vec<(SignalId, String)>) -> usize {
        if let Some(&idx) = self.by_asset.get(&asset) {
            self.detectors[idx].watch(columns, self.learning);
            return idx;
        }
        let idx = self.detectors.len();
        self.by_asset.insert(asset, idx);
        let settings =
            DetectionSettings { enabled: true, days_per_false_alarm: self.days_per_false_alarm };
        self.detectors.push(Detector::new(asset, columns, self.learning, settings));
        idx
    }

    /// Whether a detector wants this signal; O(1), asked for every sample.
    pub(crate) fn wants(&self, signal: SignalId) -> bool {
        self.slots.get(signal.idx()).is_some_and(Option::is_some)
    }

    /// Takes one cleaned sample. `live`: it is about now, so its machine is there.
    pub(crate) fn put(&mut self, sample: Sample, wall_us: i64, live: bool) {
        let Some(Some((idx, column))) = self.slots.get(sample.signal.idx()).copied() else {
            return;
        };
        let detector = &mut self.detectors[idx as usize];
        if live {
            detector.heard_wall_us = Some(wall_us);
        }
        // A doubtful value is missing to the detector: a spike is the cleaning's finding, not the machine's.
        let value = if sample.quality.is_good() { sample.value } else { f64::NAN };
        detector.put(usize::from(column), sample.time_us, value, wall_us);
        if !detector.dirty {
            detector.dirty = true;
            self.touched.push(idx);
        }
    }

    /// The state a machine is in, as far as its detector has got.
    pub(crate) fn state(&self, asset: AssetId) -> Option<u32> {
        self.by_asset.get(&asset).and_then(|&idx| self.detectors[idx].state)
    }

    /// Judges all rows that have become complete.
    pub(crate) fn judge(&mut self, wall_us: i64, mut on: impl FnMut(Told<'_>)) {
        for idx in std::mem::take(&mut self.touched) {
            let detector = &mut self.detectors[idx as usize];
            detector.dirty = false;
            detector.judge(wall_us, &mut on);
        }
    }

    /// Rows that wait for a signal which has fallen silent go on without it.
    pub(crate) fn tick(&mut self, wall_us: i64, mut on: impl FnMut(Told<'_>)) {
        for detector in &mut self.detectors {
            detector.judge(wall_us, &mut on);
        }
    }

    /// Machines and whether nothing is heard of them any more, for those that have ever talked.
    pub(crate) fn silence(&self, wall_us: i64) -> impl Iterator<Item = (AssetId, i64, bool)> {
        self.detectors.iter().filter_map(move |detector| {
            let heard_us = detector.heard_wall_us?;
            Some((detector.asset, heard_us, wall_us - heard_us > LOST_US))
        })
    }

    /// A machine that was talking before the restart is expected to go on.
    pub(crate) fn expect(&mut self, asset: AssetId, wall_us: i64) {
        if let Some(&idx) = self.by_asset.get(&asset) {
            self.detectors[idx].heard_wall_us = Some(wall_us);
        }
    }

    pub(crate) fn healths(&self) -> impl Iterator<Item = (AssetId, Health)> {
        self.detectors.iter().map(|detector| (detector.asset, detector.health()))
    }

    pub(crate) fn views(&self) -> Vec<DetectorView> {
        self.detectors.iter().map(Detector::view).collect()
    }

    pub(crate) fn set_default(&mut self, days_per_false_alarm: f64) {
        self.days_per_false_alarm = days_per_false_alarm;
        for detector in self.detectors.iter_mut().filter(|detector| !detector.own_settings) {
            detector.set(DetectionSettings { days_per_false_alarm, ..detector.settings });
        }
    }

    pub(crate) fn set(&mut self, asset: AssetId, settings: DetectionSettings) -> bool {
        let Some(&idx) = self.by_asset.get(&asset) else { return false };
        let detector = &mut self.detectors[idx];
        detector.set(settings);
        detector.own_settings = true;
        true
    }

    pub(crate) fn relearn(&mut self, asset: AssetId) -> bool {
        let Some(&idx) = self.by_asset.get(&asset) else { return false };
        self.detectors[idx].relearn();
        true
    }

    /// Fits the models of one machine to all the good rows it remembers; how many changed.
    pub(crate) fn refine(&mut self, asset: AssetId) -> usize {
        let Some(&idx) = self.by_asset.get(&asset) else { return 0 };
        self.detectors[idx].refine()
    }

    /// Every detector as text, to be kept across restarts.
    pub(crate) fn save(&self) -> Vec<(AssetId, String)> {
        let save = |detector: &Detector| Some((detector.asset, detector.save().ok()?));
        self.detectors.iter().filter_map(save).collect()
    }

    /// Puts back what [`save`](Self::save) gave; a detector whose signals have changed since learns anew.
    pub(crate) fn load(&mut self, asset: AssetId, text: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(text)?;
        if let Some(&idx) = self.by_asset.get(&asset) {
            self.detectors[idx].load(saved);
        }
        Ok(())
    }
}
