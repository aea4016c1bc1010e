//! One detector per machine: rows from its signals, judged by `analytics::stream`, told as health and alarms.

use std::collections::HashMap;
use std::sync::Arc;

use analytics::diagnose::{self, Signature};
use analytics::stream::{AssetMonitor, Judgement, Settings};
use serde::{Deserialize, Serialize};
use signal::{AssetId, DAY_US, MINUTE_US, Quality, SECOND_US, Sample, SignalId};

use crate::alarm::Words;
use crate::health::{Contribution, Diagnosis, Health, Level};
use crate::limits::state_signal;
use crate::model::{Model, is_watched};
use crate::rows::Assembler;

/// One row per second of event time; slower machines give slower rows.
const TICK_US: i64 = SECOND_US;
/// After a change of machine state nothing is judged for so long: the physics must settle first.
const SETTLE_US: i64 = 30 * SECOND_US;
/// A machine of which nothing is heard for so long is lost.
const LOST_US: i64 = 60 * SECOND_US;
/// Evidence of an alarm that goes on is renewed this often, in event time.
const REWORD_US: i64 = 15 * SECOND_US;
/// Rows that come so many times slower or faster than before are in another rhythm.
const RHYTHM_FOLD: f64 = 1.5;
/// A diagnosis below this is not named.
const SURE: f64 = 0.5;
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

/// What comes out of judging rows.
pub(crate) enum Told<'a> {
    /// A complete row: state and values of one moment, whatever the order in which they arrived.
    Row {
        /// When.
        time_us: i64,
        /// The machine state at that time.
        state: Option<u32>,
        /// The signals of the columns.
        columns: &'a [(SignalId, String)],
        /// Their values; NaN is missing.
        values: &'a [f64],
    },
    /// An episode of unusual behavior changed.
    Episode {
        /// The machine.
        asset: AssetId,
        /// When.
        time_us: i64,
        /// How.
        verdict: Verdict,
        /// Why.
        words: Box<Words>,
    },
}

/// What a row changed.
#[derive(Clone, Copy)]
pub(crate) enum Verdict {
    /// Begin of an episode.
    Raise,
    /// New evidence in one that goes on.
    Reword,
    /// End of it.
    Clear,
}

struct Detector {
    asset: AssetId,
    columns: Vec<(SignalId, String)>,
    signatures: Vec<(Vec<(String, f64)>, Diagnosis)>,
    assembler: Assembler,
    monitor: AssetMonitor,
    settings: DetectionSettings,
    own_settings: bool,
    step_us: f64,
    told_step_us: f64,
    told_rows_per_false_alarm: f64,
    state: Option<u32>,
    state_since_us: i64,
    judgement: Option<Judgement>,
    judged_rows: u64,
    level: Level,
    level_since_us: i64,
    reworded_us: i64,
    /// The first fault that was sure in this episode: later damage spreads and looks like less.
    named: Option<Diagnosis>,
    heard_wall_us: Option<i64>,
    dirty: bool,
}

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

/// A detector as it is kept across restarts.
#[derive(Serialize, Deserialize)]
struct Saved {
    columns: Vec<SignalId>,
    monitor: AssetMonitor,
    judged_rows: u64,
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
            let detector = &mut self.detectors[idx];
            if detector.columns != columns {
                detector.assembler = Assembler::new(columns.len(), TICK_US);
                detector.monitor = AssetMonitor::new(columns.len(), settings(self.learning, asset));
                detector.told_rows_per_false_alarm = 0.0;
                detector.judged_rows = 0;
                detector.judgement = None;
                detector.columns = columns;
            }
            return idx;
        }
        let idx = self.detectors.len();
        self.by_asset.insert(asset, idx);
        self.detectors.push(Detector {
            asset,
            assembler: Assembler::new(columns.len(), TICK_US),
            monitor: AssetMonitor::new(columns.len(), settings(self.learning, asset)),
            columns,
            signatures: Vec::new(),
            settings: DetectionSettings {
                enabled: true,
                days_per_false_alarm: self.days_per_false_alarm,
            },
            own_settings: false,
            step_us: f64::NAN,
            told_step_us: f64::NAN,
            told_rows_per_false_alarm: 0.0,
            state: None,
            state_since_us: i64::MIN,
            judgement: None,
            judged_rows: 0,
            level: Level::Learning,
            level_since_us: 0,
            reworded_us: i64::MIN,
            named: None,
            heard_wall_us: None,
            dirty: false,
        });
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
        detector.assembler.put(usize::from(column), sample.time_us, value, wall_us);
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
        let view = |detector: &Detector| DetectorView {
            asset: detector.asset,
            enabled: detector.settings.enabled,
            days_per_false_alarm: detector.settings.days_per_false_alarm,
            trained_rows: detector.judged_rows,
            learning: detector.judgement.is_none_or(|judgement| judgement.learning),
            signals: detector.columns.len(),
        };
        self.detectors.iter().map(view).collect()
    }

    pub(crate) fn set_default(&mut self, days_per_false_alarm: f64) {
        self.days_per_false_alarm = days_per_false_alarm;
        for detector in self.detectors.iter_mut().filter(|detector| !detector.own_settings) {
            detector.settings.days_per_false_alarm = days_per_false_alarm;
            detector.told_rows_per_false_alarm = 0.0;
        }
    }

    pub(crate) fn set(&mut self, asset: AssetId, settings: DetectionSettings) -> bool {
        let Some(&idx) = self.by_asset.get(&asset) else { return false };
        let detector = &mut self.detectors[idx];
        detector.settings = settings;
        detector.own_settings = true;
        detector.told_rows_per_false_alarm = 0.0;
        true
    }

    pub(crate) fn relearn(&mut self, asset: AssetId) -> bool {
        let Some(&idx) = self.by_asset.get(&asset) else { return false };
        let detector = &mut self.detectors[idx];
        detector.monitor.relearn();
        detector.judged_rows = 0;
        detector.judgement = None;
        true
    }

    /// Fits the models of one machine to all the good rows it remembers; how many changed.
    pub(crate) fn refine(&mut self, asset: AssetId) -> usize {
        let Some(&idx) = self.by_asset.get(&asset) else { return 0 };
        let detector = &mut self.detectors[idx];
        // What goes on during an episode is not refined away.
        if detector.judgement.is_some_and(|judgement| judgement.alarm) {
            return 0;
        }
        detector.monitor.refine()
    }

    /// Every detector as text, to be kept across restarts.
    pub(crate) fn save(&self) -> Vec<(AssetId, String)> {
        let save = |detector: &Detector| {
            let saved = SavedRef {
                columns: detector.columns.iter().map(|(signal, _)| *signal).collect(),
                monitor: &detector.monitor,
                judged_rows: detector.judged_rows,
            };
            serde_json::to_string(&saved).ok().map(|text| (detector.asset, text))
        };
        self.detectors.iter().filter_map(save).collect()
    }

    /// Puts back what [`save`](Self::save) gave; a detector whose signals have changed since learns anew.
    pub(crate) fn load(&mut self, asset: AssetId, text: &str) -> Result<(), serde_json::Error> {
        let saved: Saved = serde_json::from_str(text)?;
        if let Some(&idx) = self.by_asset.get(&asset) {
            let detector = &mut self.detectors[idx];
            if detector.columns.iter().map(|(signal, _)| *signal).eq(saved.columns) {
                detector.monitor = saved.monitor;
                detector.judged_rows = saved.judged_rows;
            }
        }
        Ok(())
    }
}

#[derive(Serialize)]
struct SavedRef<'a> {
    columns: Vec<SignalId>,
    monitor: &'a AssetMonitor,
    judged_rows: u64,
}

impl Detector {
    fn judge(&mut self, wall_us: i64, on: &mut impl FnMut(Told<'_>)) {
        // The assembler lends its rows, so it steps out of `self` for a moment.
        let mut assembler = std::mem::replace(&mut self.assembler, Assembler::new(0, TICK_US));
        assembler.take(wall_us, |row| {
            self.follow_state(row.state, row.time_us, row.step_us);
            on(Told::Row {
                time_us: row.time_us,
                state: self.state,
                columns: &self.columns,
                values: row.values,
            });
            if !self.settings.enabled
                || row.time_us.saturating_sub(self.state_since_us)
                    < SETTLE_US.min(row.step_us.saturating_mul(30))
            {
                return;
            }
            self.follow_rhythm(row.step_us);
            let judgement = self.monitor.push(row.values, self.state.unwrap_or(0));
            self.judged_rows += 1;
            self.take(row.time_us, judgement, on);
        });
        self.assembler = assembler;
    }

    fn follow_state(&mut self, code: f64, time_us: i64, step_us: i64) {
        let state = (code >= 0.0).then_some(code as u32);
        if state != self.state {
            // The first state after the start is not a change.
            self.state_since_us =
                if self.state.is_none() || step_us == 0 { i64::MIN / 2 } else { time_us };
            self.state = state;
        }
    }

    /// Translates "one false alarm in so many days" into rows.
    fn follow_rhythm(&mut self, step_us: i64) {
        if step_us <= 0 || step_us > 15 * MINUTE_US {
            return;
        }
        let step_us = step_us as f64;
        self.step_us = if self.step_us.is_nan() {
            step_us
        } else {
            // One pause is not a new rhythm.
            self.step_us + 0.05 * (step_us.min(8.0 * self.step_us) - self.step_us)
        };
        let fold = self.step_us / self.told_step_us;
        if !(1.0 / RHYTHM_FOLD..=RHYTHM_FOLD).contains(&fold) {
            if !self.told_step_us.is_nan() {
                self.monitor.change_rhythm();
            }
            self.told_step_us = self.step_us;
        }
        let rows = self.settings.days_per_false_alarm * DAY_US as f64 / self.step_us;
        if (rows / self.told_rows_per_false_alarm - 1.0).abs() > 0.2 {
            self.monitor.set_rows_per_false_alarm(rows);
            self.told_rows_per_false_alarm = rows;
        }
    }

    fn take(&mut self, time_us: i64, judgement: Judgement, on: &mut impl FnMut(Told<'_>)) {
        let level = if judgement.learning { Level::Learning } else { Level::of(judgement.health) };
        if level != self.level {
            self.level = level;
            self.level_since_us = time_us;
        }
        self.judgement = Some(judgement);
        if judgement.started {
            self.reworded_us = time_us;
            let words = self.words();
            on(self.episode(time_us, Verdict::Raise, words));
        } else if judgement.ended {
            self.named = None;
            on(self.episode(time_us, Verdict::Clear, Words::default()));
        } else if judgement.alarm && time_us - self.reworded_us >= REWORD_US {
            self.reworded_us = time_us;
            let words = self.words();
            on(self.episode(time_us, Verdict::Reword, words));
        }
    }

    fn episode(&self, time_us: i64, verdict: Verdict, words: Words) -> Told<'static> {
        Told::Episode { asset: self.asset, time_us, verdict, words: Box::new(words) }
    }

    fn contributions(&self) -> Vec<Contribution> {
        let one = |part: &analytics::stream::Contribution| {
            let (signal, name) = self.columns.get(part.column)?;
            Some(Contribution {
                signal: *signal,
                name: name.clone(),
                share: part.share,
                direction: part.direction,
            })
        };
        self.monitor.contributions().iter().filter_map(one).take(8).collect()
    }

    fn diagnosis(&self) -> Vec<Diagnosis> {
        let seen: Vec<(&str, f64)> = self
            .monitor
            .contributions()
            .iter()
            .filter_map(|part| Some((self.columns.get(part.column)?.1.as_str(), part.direction)))
            .collect();
        let known: Vec<Signature<'_>> = self
            .signatures
            .iter()
            .map(|(signs, fault)| Signature { name: &fault.fault, signs })
            .collect();
        let ranked = diagnose::rank(&seen, &known);
        let with = |(idx, confidence): (usize, f64)| Diagnosis {
            confidence,
            ..self.signatures[idx].1.clone()
        };
        ranked.into_iter().map(with).take(3).collect()
    }

    fn words(&mut self) -> Words {
        let contributions = self.contributions();
        let diagnosis = self.diagnosis();
        if self.named.is_none() {
            self.named =
                diagnosis.first().filter(|diagnosis| diagnosis.confidence >= SURE).cloned();
        }
        let likely = self.named.as_ref();
        let speaks: Vec<String> = contributions
            .iter()
            .take(3)
            .map(|part| {
                let side = if part.direction >= 0.0 { "high" } else { "low" };
                format!("{} {side} ({:+.1} σ)", part.name, part.direction)
            })
            .collect();
        Words {
            title: likely.map_or_else(|| "Unusual behavior".to_owned(), |fault| fault.title.clone()),
            priority: 2,
            value: self.judgement.map(|judgement| judgement.health.round()),
            limit: None,
            unit: String::new(),
            quality: Quality::GOOD,
            message: speaks.join(", "),
            cause: likely.map_or_else(
                || "The signals do not fit together as they did while this machine was learned.".to_owned(),
                |fault| fault.cause.clone(),
            ),
            consequence: likely.map_or_else(
                || "A developing fault, or an operation that was never seen before.".to_owned(),
                |fault| fault.consequence.clone(),
            ),
            response: likely.map_or_else(
                || "Look at the signals named first; if this is a new way of working, let the machine be learned anew.".to_owned(),
                |fault| fault.response.clone(),
            ),
            minutes_to_respond: likely.map_or(60, |fault| fault.minutes_to_respond),
            contributions,
            diagnosis,
        }
    }

    fn health(&self) -> Health {
        let learning = self.judgement.is_none_or(|judgement| judgement.learning);
        let shows =
            self.judgement.is_some_and(|judgement| !judgement.learning && judgement.health < 80.0);
        Health {
            score: self
                .judgement
                .map(|judgement| judgement.health)
                .filter(|health| health.is_finite()),
            level: self.level,
            learning,
            learned_share: self.judgement.map_or(0.0, |judgement| judgement.learned_share),
            since_us: self.level_since_us,
            contributions: if shows { self.contributions() } else { Vec::new() },
            diagnosis: if shows { self.diagnosis() } else { Vec::new() },
        }
    }
}

fn settings(learning: Learning, asset: AssetId) -> Settings {
    Settings {
        learn_rows: learning.rows,
        rows_per_false_alarm: 86_400.0,
        refit: learning.refit,
        seed: u64::from(asset.0),
    }
}

fn signatures_of(model: &Model, asset: AssetId) -> Vec<(Vec<(String, f64)>, Diagnosis)> {
    let Some(kind) = model.type_of(asset) else { return Vec::new() };
    let signature = |fault: &signal::model::FaultSignature| {
        let diagnosis = Diagnosis {
            fault: fault.name.clone(),
            title: fault.title.clone(),
            confidence: 0.0,
            cause: fault.cause.clone(),
            consequence: fault.consequence.clone(),
            response: fault.response.clone(),
            minutes_to_respond: fault.minutes_to_respond,
        };
        (fault.signs.clone(), diagnosis)
    };
    kind.faults.iter().map(signature).collect()
}

/// The words of "nothing is heard of this machine any more".
pub(crate) fn lost_words(model: &Model, asset: AssetId, heard_us: i64, wall_us: i64) -> Words {
    let name = model.asset(asset).map_or_else(|| asset.to_string(), |asset| asset.name.clone());
    Words {
        title: "No data".to_owned(),
        priority: 3,
        message: format!("nothing heard of {name} for {} s", (wall_us - heard_us) / SECOND_US),
        cause: "The machine is switched off, its gateway is down, or the network is cut.".to_owned(),
        consequence: "Faults of this machine are not seen while it is silent.".to_owned(),
        response: "Check power and network of the machine and its gateway, then the source on the Data page.".to_owned(),
        minutes_to_respond: 30,
        ..Words::default()
    }
}

/// Shared so that screens can show it without asking the ingest thread.
pub(crate) type Views = Arc<Vec<DetectorView>>;
