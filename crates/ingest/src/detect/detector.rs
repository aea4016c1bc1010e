//! One detector per machine: rows from its signals, judged by `analytics::stream`, told as health and alarms.

use analytics::stream::{AssetMonitor, Judgement, Settings};
use serde::{Deserialize, Serialize};
use signal::{AssetId, DAY_US, MINUTE_US, SECOND_US, SignalId};

use super::{DetectionSettings, DetectorView, Learning};
use crate::alarm::Words;
use crate::health::{Diagnosis, Health, Level};
use crate::model::Model;
use crate::rows::Assembler;

/// One row per second of event time; slower machines give slower rows.
const TICK_US: i64 = SECOND_US;
/// After a change of machine state nothing is judged for so long: the physics must settle first.
const SETTLE_US: i64 = 30 * SECOND_US;
/// Evidence of an alarm that goes on is renewed this often, in event time.
const REWORD_US: i64 = 15 * SECOND_US;
/// Rows that come so many times slower or faster than before are in another rhythm.
const RHYTHM_FOLD: f64 = 1.5;

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

pub(super) struct Detector {
    pub(super) asset: AssetId,
    pub(super) columns: Vec<(SignalId, String)>,
    pub(super) signatures: Vec<(Vec<(String, f64)>, Diagnosis)>,
    assembler: Assembler,
    pub(super) monitor: AssetMonitor,
    pub(super) settings: DetectionSettings,
    pub(super) own_settings: bool,
    step_us: f64,
    told_step_us: f64,
    told_rows_per_false_alarm: f64,
    pub(super) state: Option<u32>,
    state_since_us: i64,
    pub(super) judgement: Option<Judgement>,
    judged_rows: u64,
    level: Level,
    level_since_us: i64,
    reworded_us: i64,
    /// The first fault that was sure in this episode: later damage spreads and looks like less.
    pub(super) named: Option<Diagnosis>,
    pub(super) heard_wall_us: Option<i64>,
    pub(super) dirty: bool,
}

/// A detector as it is kept across restarts.
#[derive(Serialize, Deserialize)]
pub(super) struct Saved {
    columns: Vec<SignalId>,
    monitor: AssetMonitor,
    judged_rows: u64,
}

#[derive(Serialize)]
struct SavedRef<'a> {
    columns: Vec<SignalId>,
    monitor: &'a AssetMonitor,
    judged_rows: u64,
}

impl Detector {
    pub(super) fn new(
        asset: AssetId,
        columns: Vec<(SignalId, String)>,
        learning: Learning,
        settings: DetectionSettings,
    ) -> Detector {
        Detector {
            asset,
            assembler: Assembler::new(columns.len(), TICK_US),
            monitor: new_monitor(columns.len(), learning, asset),
            columns,
            signatures: Vec::new(),
            settings,
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
        }
    }

    /// Follows a changed model; other signals than before are learned anew.
    pub(super) fn watch(&mut self, columns: Vec<(SignalId, String)>, learning: Learning) {
        if self.columns == columns {
            return;
        }
        self.assembler = Assembler::new(columns.len(), TICK_US);
        self.monitor = new_monitor(columns.len(), learning, self.asset);
        self.told_rows_per_false_alarm = 0.0;
        self.judged_rows = 0;
        self.judgement = None;
        self.columns = columns;
    }

    pub(super) fn set(&mut self, settings: DetectionSettings) {
        self.settings = settings;
        self.told_rows_per_false_alarm = 0.0;
    }

    pub(super) fn relearn(&mut self) {
        self.monitor.relearn();
        self.judged_rows = 0;
        self.judgement = None;
    }

    /// Fits the models to all the good rows it remembers; how many changed.
    pub(super) fn refine(&mut self) -> usize {
        // What goes on during an episode is not refined away.
        if self.judgement.is_some_and(|judgement| judgement.alarm) {
            return 0;
        }
        self.monitor.refine()
    }

    pub(super) fn view(&self) -> DetectorView {
        DetectorView {
            asset: self.asset,
            enabled: self.settings.enabled,
            days_per_false_alarm: self.settings.days_per_false_alarm,
            trained_rows: self.judged_rows,
            learning: self.judgement.is_none_or(|judgement| judgement.learning),
            signals: self.columns.len(),
        }
    }

    pub(super) fn save(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string(&SavedRef {
            columns: self.columns.iter().map(|(signal, _)| *signal).collect(),
            monitor: &self.monitor,
            judged_rows: self.judged_rows,
        })
    }

    /// Puts back what [`save`](Self::save) gave, unless the signals have changed since.
    pub(super) fn load(&mut self, saved: Saved) {
        if self.columns.iter().map(|(signal, _)| *signal).eq(saved.columns) {
            self.monitor = saved.monitor;
            self.judged_rows = saved.judged_rows;
        }
    }

    /// Takes one value; the column after the last is the machine state.
    pub(super) fn put(&mut self, column: usize, time_us: i64, value: f64, wall_us: i64) {
        self.assembler.put(column, time_us, value, wall_us);
    }

    pub(super) fn judge(&mut self, wall_us: i64, on: &mut impl FnMut(Told<'_>)) {
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

    pub(super) fn health(&self) -> Health {
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

fn new_monitor(n_columns: usize, learning: Learning, asset: AssetId) -> AssetMonitor {
    let settings = Settings {
        learn_rows: learning.rows,
        rows_per_false_alarm: 86_400.0,
        refit: learning.refit,
        seed: u64::from(asset.0),
    };
    AssetMonitor::new(n_columns, settings)
}

pub(super) fn signatures_of(model: &Model, asset: AssetId) -> Vec<(Vec<(String, f64)>, Diagnosis)> {
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
