//! The learnt model: a bag of forests on whole-life features, with conformal intervals.

use super::conditions::{Conditions, Rows};
use super::features::{self, History};
use super::interval::Calibration;
use super::wear::Wear;
use super::{Error, Lookback, MIN_FAILURES, Params, Run, check_runs};
use crate::trees::{self, Data, Forest, grouped_folds};

/// Trees of the forests that tell the size of an error.
const SPREAD_TREES: usize = 100;
/// An expected error is never smaller than this, in rows.
const MIN_SPREAD: f64 = 0.5;

/// What is known about one machine's remaining life.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Expected remaining life in rows; the cap means "at least the cap".
    pub rul: f64,
    /// Lower end of the interval in rows.
    pub low: f64,
    /// Upper end of the interval in rows; the cap means "or longer".
    pub high: f64,
    /// Expected size of the error in rows.
    pub spread: f64,
}

/// A trained model of remaining life.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    pub(super) cap: f64,
    pub(super) lookback: Lookback,
    pub(super) coverage: f64,
    pub(super) conditions: Conditions,
    /// Sensors that are looked at.
    pub(super) sensors: Vec<usize>,
    pub(super) wear: Wear,
    pub(super) bag: Vec<Forest>,
    pub(super) spread: Vec<Forest>,
    pub(super) calibration: Calibration,
}

/// The record of one machine as far as a model needs it; constant memory, and it can be saved between rows.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tracker {
    history: History,
    #[serde(skip)]
    row: Vec<f64>,
}

/// Learns from machines that have failed, and from those that still run as far as their labels are known.
///
/// ```
/// use analytics::rul::{Params, Run, train};
/// // Twelve tools lose 1 µm per part and fail after 100 parts.
/// let wear = |n| (0..n).map(f64::from).collect();
/// let failed = Run { settings: vec![], sensors: vec![wear(100)], has_failed: true };
/// let params = Params { cap: 60.0, n_trees: 100, ..Params::default() };
/// let model = train(&vec![failed; 12], &params)?;
/// let used = Run { settings: vec![], sensors: vec![wear(80)], has_failed: false };
/// let estimate = model.estimate_run(&used);
/// assert!((estimate.rul - 20.0).abs() < 3.0);
/// assert!(model.survival(&estimate, 10.0) > 0.9 && model.survival(&estimate, 30.0) < 0.1);
/// # Ok::<(), analytics::rul::Error>(())
/// ```
///
/// `runs`: records from the start of life, all with the same settings and sensors. Cost: folds × trees × rows ×
/// features, twice; memory 8 bytes per row and feature (11 per sensor).
///
/// # Errors
/// If fewer than [`MIN_FAILURES`] machines have failed, records do not fit together, nothing in them changes, or a
/// parameter is out of its range.
pub fn train(runs: &[Run], params: &Params) -> Result<Model, Error> {
    let (mut model, table) = prepare(runs, params)?;
    let folds = grouped_folds(&table.machines, params.n_folds, params.seed);
    let data = |target| Data { columns: &table.columns, target, weights: None };
    let (bag, predicted) = trees::bag(&data(&table.target), &forest_params(params), &folds)?;
    let errors: Vec<f64> =
        predicted.iter().zip(&table.target).map(|(p, y)| y - p.clamp(0.0, params.cap)).collect();
    let sizes: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
    let few = trees::Params { n_trees: SPREAD_TREES, ..forest_params(params) };
    let (spread, expected) = trees::bag(&data(&sizes), &few, &folds)?;
    model.bag = bag;
    model.spread = spread;
    let scores: Vec<f64> =
        errors.iter().zip(&expected).map(|(error, size)| error / scale(*size)).collect();
    model.calibration = Calibration::fit(&predicted, &scores);
    Ok(model)
}

/// In what errors are measured to compare them: the root of their expected size. The size itself is known too badly
/// to be trusted in full; halfway between it and none, in the logarithm, intervals are shortest.
fn scale(expected_size: f64) -> f64 {
    expected_size.max(MIN_SPREAD).sqrt()
}

/// Features and labels of all rows whose remaining life is known, as [`train`] sees them.
///
/// # Errors
/// As [`train`].
pub fn learning_table(runs: &[Run], params: &Params) -> Result<LearningTable, Error> {
    Ok(prepare(runs, params)?.1)
}

/// A model without forests, and what they will learn from.
fn prepare(runs: &[Run], params: &Params) -> Result<(Model, LearningTable), Error> {
    check_params(params)?;
    check_runs(runs)?;
    let found = runs.iter().filter(|run| run.has_failed && run.n_rows() > 0).count();
    if found < MIN_FAILURES {
        return Err(Error::TooFewFailures { found });
    }
    let mut model = Model::untrained(runs, params);
    if model.sensors.is_empty() {
        return Err(Error::NothingChanges);
    }
    model.wear = model.fit_wear(runs);
    let table = LearningTable::new(&model, runs);
    Ok((model, table))
}

fn check_params(params: &Params) -> Result<(), Error> {
    let ranges = [
        ("cap", params.cap.is_finite() && params.cap >= 1.0),
        ("lookback", params.lookback != Lookback::Rows(0)),
        ("n_folds", params.n_folds >= 2),
        ("n_trees", params.n_trees >= 1),
        ("coverage", params.coverage > 0.0 && params.coverage < 1.0),
    ];
    match ranges.iter().find(|(_, is_good)| !is_good) {
        Some((name, _)) => Err(Error::BadParameter { name }),
        None => Ok(()),
    }
}

fn forest_params(params: &Params) -> trees::Params {
    trees::Params {
        n_trees: params.n_trees,
        learning_rate: 0.05,
        n_leaves: 31,
        min_leaf_rows: 100,
        row_share: 0.7,
        column_share: 0.3,
        seed: params.seed,
        n_threads: params.n_threads,
        ..trees::Params::default()
    }
}

/// Features and labels of all rows whose remaining life is known.
#[derive(Clone, Debug, PartialEq)]
pub struct LearningTable {
    /// d features of n values each; NaN where the record says nothing yet.
    pub columns: Vec<Vec<f64>>,
    /// n capped remaining lives in rows.
    pub target: Vec<f64>,
    /// Index of each row's record: rows of one machine must never be on both sides of a split.
    pub machines: Vec<u64>,
}

impl LearningTable {
    fn new(model: &Model, runs: &[Run]) -> LearningTable {
        let n_features = features::count(model.sensors.len() + model.wear.count(), model.lookback);
        let mut table = LearningTable {
            columns: vec![Vec::new(); n_features],
            target: vec![],
            machines: vec![],
        };
        for (run, machine) in runs.iter().zip(0..) {
            let mut tracker = model.tracker();
            for row_idx in 0..run.n_rows() {
                model.push_row_of(&mut tracker, run, row_idx);
                let Some(label) = label(run, row_idx, model.cap) else { continue };
                model.fill_features(&mut tracker);
                for (column, &x) in table.columns.iter_mut().zip(&tracker.row) {
                    column.push(x);
                }
                table.target.push(label);
                table.machines.push(machine);
            }
        }
        table
    }
}

/// Capped remaining life after a row, where it is known.
fn label(run: &Run, row_idx: usize, cap: f64) -> Option<f64> {
    let n_rows_after = (run.n_rows() - 1 - row_idx) as f64;
    (run.has_failed || n_rows_after >= cap).then(|| n_rows_after.min(cap))
}

impl Model {
    fn untrained(runs: &[Run], params: &Params) -> Model {
        let conditions = Conditions::fit(&Rows::of(runs));
        Model {
            cap: params.cap,
            lookback: params.lookback,
            coverage: params.coverage,
            sensors: conditions.telling_sensors(),
            conditions,
            wear: Wear::none(),
            bag: Vec::new(),
            spread: Vec::new(),
            calibration: Calibration::default(),
        }
    }

    fn fit_wear(&self, runs: &[Run]) -> Wear {
        Wear::fit(self.sensors.len(), |visit| {
            for run in runs {
                let mut tracker = self.tracker();
                for row_idx in 0..run.n_rows() {
                    self.push_row_of(&mut tracker, run, row_idx);
                    visit(&tracker.history);
                }
            }
        })
    }

    /// Operating conditions that were told apart.
    pub fn n_conditions(&self) -> usize {
        self.conditions.count()
    }

    /// Sensors that a row must have, whether they are looked at or not.
    pub fn n_sensors(&self) -> usize {
        self.conditions.n_sensors()
    }

    /// Settings that a row must have.
    pub fn n_settings(&self) -> usize {
        self.conditions.n_settings()
    }

    /// Longest remaining life that is told apart, in rows.
    pub fn cap(&self) -> f64 {
        self.cap
    }

    /// An empty record of a machine at the start of its life.
    pub fn tracker(&self) -> Tracker {
        Tracker { history: History::new(self.sensors.len() + self.wear.count()), row: Vec::new() }
    }

    /// Adds a row to a machine's record: one value per setting and sensor, NaN is missing.
    ///
    /// # Panics
    /// If the row has not [`Model::n_settings`] settings and [`Model::n_sensors`] sensors.
    pub fn push(&self, tracker: &mut Tracker, settings: &[f64], sensors: &[f64]) {
        assert_eq!(settings.len(), self.n_settings(), "one value per setting");
        assert_eq!(sensors.len(), self.n_sensors(), "one value per sensor");
        let condition = self.conditions.of(settings);
        tracker.row.clear();
        let normal = |&i: &usize| self.conditions.normalize(condition, i, sensors[i]);
        tracker.row.extend(self.sensors.iter().map(normal));
        self.wear.extend(&mut tracker.row);
        tracker.history.push(&tracker.row);
    }

    fn push_row_of(&self, tracker: &mut Tracker, run: &Run, row_idx: usize) {
        let row = |columns: &[Vec<f64>]| -> Vec<f64> {
            columns.iter().map(|column| column[row_idx]).collect()
        };
        self.push(tracker, &row(&run.settings), &row(&run.sensors));
    }

    fn fill_features(&self, tracker: &mut Tracker) {
        tracker.row.clear();
        tracker.history.features(self.lookback, &mut tracker.row);
    }

    /// Estimates the remaining life after the last row of a machine's record. Cost: one path per tree.
    pub fn estimate(&self, tracker: &mut Tracker) -> Estimate {
        self.fill_features(tracker);
        let mean = |forests: &[Forest]| {
            let sum: f64 = forests.iter().map(|forest| forest.predict(&tracker.row)).sum();
            sum / forests.len() as f64
        };
        let rul = mean(&self.bag).clamp(0.0, self.cap);
        let spread = mean(&self.spread).max(MIN_SPREAD);
        let (low, high) = self.calibration.interval(rul, self.coverage);
        let end = |score: f64| (rul + scale(spread) * score).clamp(0.0, self.cap);
        Estimate { rul, low: end(low.min(0.0)), high: end(high.max(0.0)), spread }
    }

    /// Estimates the remaining life at the end of a record.
    ///
    /// # Panics
    /// If the record has not [`Model::n_settings`] settings and [`Model::n_sensors`] sensors, all of one length.
    pub fn estimate_run(&self, run: &Run) -> Estimate {
        let mut tracker = self.tracker();
        (0..run.n_rows()).for_each(|row_idx| self.push_row_of(&mut tracker, run, row_idx));
        self.estimate(&mut tracker)
    }

    /// Probability that the machine survives more than `horizon` further rows.
    ///
    /// 1 below 0; NaN at the cap and beyond, of which the labels say nothing. Never rises with the horizon.
    pub fn survival(&self, estimate: &Estimate, horizon: f64) -> f64 {
        if horizon < 0.0 {
            return 1.0;
        }
        if horizon.is_nan() || horizon >= self.cap {
            return f64::NAN;
        }
        let score = (horizon - estimate.rul) / scale(estimate.spread);
        self.calibration.share_above(estimate.rul, score)
    }
}

impl Tracker {
    /// Rows that it has seen.
    pub fn n_rows(&self) -> usize {
        self.history.n_rows()
    }
}
