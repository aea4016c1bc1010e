//! Names the fault behind an alarm, says which others it could be, and when it is like none of them.
//!
//! ```text
//! row ──► Relation ──► level, variation and residual of the last 5, 20, 50 rows ──► forest ──► probabilities
//!                                        └──► distance to the rows of each fault ──► like none of them?
//! ```
//! The residual of a column, given all others, makes the difference: a random or drifting disturbance pushes
//! the plant elsewhere every time, but it always breaks the same relations.
//!
//! Source: conformal sets by Vovk, Gammerman & Shafer (2005), "Algorithmic learning in a random world", §2.3, with held-out
//! blocks of rows instead of held-out rows, as neighboring rows are alike; novelty by the distance to the nearest
//! known row, Laxhammar & Falkman (2014), "Online learning and sequential anomaly detection in trajectories".

mod features;
mod typical;

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use self::features::{Recent, Sums};
use self::typical::Typical;
use super::{FitError, Relation};
use crate::Frame;
use crate::scratch::Scratch;
use crate::trees::{self, Data, Forest, Objective, Params, train};

/// Rows before the present one that help to predict it.
const LAGS: usize = 2;
const SHRINKAGE: f64 = 0.05;
/// Weight of the newest row in the evidence.
const SMOOTHING: f64 = 0.1;
/// One row counts at most so much against a fault.
const LEAST_PROBABILITY: f64 = 1e-3;
/// Blocks of every run that are held out in turn.
const FOLDS: usize = 5;
/// The set holds the fault with this confidence; a known fault seems unknown with the rest.
const CONFIDENCE: f64 = 0.95;

/// Known faults, learned from one recorded run of each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FaultBook {
    relation: Relation,
    #[serde(with = "crate::saved")]
    forest: Forest,
    typical: Vec<Typical>,
    /// A fault at least this likely belongs to the set.
    #[serde(with = "crate::saved")]
    least: f64,
}

/// What one stream of rows has shown so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultTrack {
    #[serde(with = "crate::saved")]
    window: Vec<f64>,
    recent: Recent,
    evidence: Option<Evidence>,
    #[serde(skip)]
    scratch: Scratch<Room>,
}

/// What is worked out anew with every row.
#[derive(Debug, Default)]
struct Room {
    sums: Sums,
    features: Vec<f64>,
    scaled: Vec<f64>,
    now: Evidence,
    diagnosis: Diagnosis,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Evidence {
    /// Smoothed logarithms of the probabilities.
    #[serde(with = "crate::saved")]
    logs: Vec<f64>,
    /// Smoothed distances to the rows of each fault.
    #[serde(with = "crate::saved")]
    distances: Vec<f64>,
}

/// Which fault it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diagnosis {
    /// The likeliest known fault, by its place in what was learned.
    pub best: usize,
    /// Probability of each known fault, if it is one of them; sum 1.
    pub probabilities: Vec<f64>,
    /// The known faults that it may be, likeliest first, with 95 % confidence if it is a known one. May be empty.
    pub set: Vec<usize>,
    /// Rows this far from the likeliest fault are seen in 5 % of its own rows.
    pub is_unknown: bool,
}

/// Why faults cannot be learned.
#[derive(Debug, thiserror::Error)]
pub enum LearnError {
    /// One fault cannot be told from another.
    #[error("cannot tell {n_faults} faults apart; two or more are needed")]
    TooFew {
        /// How many there are.
        n_faults: usize,
    },
    /// A run of a fault is too short, or has other columns than the normal rows.
    #[error(
        "the run of fault {fault} has {rows} rows of {columns} columns; {least_rows} of {expected} are needed"
    )]
    BadRun {
        /// Its place in the list.
        fault: usize,
        /// Its rows.
        rows: usize,
        /// Its columns.
        columns: usize,
        /// Fewest rows.
        least_rows: usize,
        /// Columns of the normal rows.
        expected: usize,
    },
    /// The normal rows have no relation to learn.
    #[error("cannot learn what is normal")]
    Normal(#[from] FitError),
    /// The forest cannot be trained.
    #[error("cannot learn the faults")]
    Forest(#[from] trees::Error),
}

/// Features of the rows of one run.
type Run = Vec<Vec<f64>>;

impl FaultBook {
    /// Learns faults from normal rows and one run per fault, which begins with the fault. `seed` of the forest.
    ///
    /// All frames have the same columns; NaN counts as the mean. Every run has at least 100 rows. Cost: six forests of 40
    /// trees per fault, on all threads of the pool; the result does not depend on how many there are.
    ///
    /// ```
    /// use analytics::{Frame, monitor::faults::{FaultBook, FaultTrack}};
    /// // Three sensors follow one load, each with its own small noise; a fault lifts one of them by 5.
    /// let run = |n_rows: u32, lifted: Option<usize>| {
    ///     let row = |n: u32| {
    ///         let load = f64::from(n * 7 % 20);
    ///         [0, 1, 2].map(|k| {
    ///             let noise = f64::from(n * (3 + 2 * k as u32) % 11) / 10.0;
    ///             load + noise + if lifted == Some(k) { 5.0 } else { 0.0 }
    ///         })
    ///     };
    ///     Frame::from_rows(3, &(0..n_rows).flat_map(row).collect::<Vec<f64>>())
    /// };
    /// let book = FaultBook::learn(&run(400, None), &[run(120, Some(0)), run(120, Some(1))], 1).unwrap();
    /// let (mut track, mut row) = (FaultTrack::default(), Vec::new());
    /// let now = run(60, Some(1));
    /// for row_idx in 0..60 {
    ///     now.copy_row(row_idx, &mut row);
    ///     book.push(&mut track, &row);
    /// }
    /// let diagnosis = book.push(&mut track, &row);
    /// assert!(diagnosis.best == 1 && diagnosis.probabilities[1] > 0.9 && !diagnosis.is_unknown);
    /// ```
    ///
    /// # Errors
    /// When there are fewer than two faults, a run is too short or of other columns, or nothing moves.
    pub fn learn(normal: &Frame, runs: &[Frame], seed: u64) -> Result<FaultBook, LearnError> {
        check(normal, runs)?;
        let relation = Relation::learn(normal, LAGS, SHRINKAGE)?;
        let n_before = normal.n_rows().min(2 * features::MOST_ROWS);
        let before = normal.rows(normal.n_rows() - n_before..normal.n_rows());
        let runs: Vec<Run> =
            runs.par_iter().map(|run| run_features(&relation, &before, run)).collect();
        let forests: Vec<Forest> = (0..=FOLDS)
            .into_par_iter()
            .map(|held_out| grow(&runs, held_out, seed))
            .collect::<Result<_, _>>()?;
        let (whole, folds) = forests.split_last().expect("there is a forest per fold and one more");
        Ok(FaultBook {
            relation,
            forest: whole.clone(),
            typical: runs.par_iter().map(|run| Typical::of(run, SMOOTHING)).collect(),
            least: least_probability(&runs, folds),
        })
    }

    /// How many faults it knows.
    pub fn n_faults(&self) -> usize {
        self.typical.len()
    }

    /// Takes the next row of a stream. Push every row, also normal ones, and ask once there is an alarm: what it says
    /// about normal rows means nothing. NaN counts as the mean. Cost: O(d·D + trees + faults · rows learned · d), no
    /// allocation once fifty rows have been seen.
    ///
    /// # Panics
    /// When `row` has another number of values than the rows it was learned from.
    pub fn push<'a>(&self, track: &'a mut FaultTrack, row: &[f64]) -> &'a Diagnosis {
        let Scratch(Room { sums, features, scaled, now, diagnosis }) = &mut track.scratch;
        track.recent.push(&self.relation, &mut track.window, row);
        track.recent.features(self.relation.n_columns(), sums, features);
        self.weigh(features, scaled, now);
        let evidence = match &mut track.evidence {
            None => track.evidence.insert(now.clone()),
            Some(before) => {
                smooth(&mut before.logs, &now.logs);
                smooth(&mut before.distances, &now.distances);
                before
            }
        };
        self.diagnose(evidence, diagnosis);
        diagnosis
    }

    /// What one row alone says.
    fn weigh(&self, features: &[f64], scaled: &mut Vec<f64>, now: &mut Evidence) {
        now.logs.resize(self.n_faults(), 0.0);
        self.forest.predict_into(features, &mut now.logs);
        now.logs.iter_mut().for_each(|p| *p = p.max(LEAST_PROBABILITY).ln());
        now.distances.clear();
        now.distances.extend(self.typical.iter().map(|typical| typical.distance(features, scaled)));
    }

    fn diagnose(&self, evidence: &Evidence, diagnosis: &mut Diagnosis) {
        let Diagnosis { best, probabilities, set, is_unknown } = diagnosis;
        from_logs(&evidence.logs, probabilities);
        set.clear();
        set.extend(0..self.n_faults());
        set.sort_unstable_by(|a, b| probabilities[*b].total_cmp(&probabilities[*a]).then(a.cmp(b)));
        *best = set[0];
        set.retain(|fault| probabilities[*fault] >= self.least);
        let share = self.typical[*best].share_beyond(evidence.distances[*best]);
        *is_unknown = share <= 1.0 - CONFIDENCE;
    }
}

fn check(normal: &Frame, runs: &[Frame]) -> Result<(), LearnError> {
    if runs.len() < 2 {
        return Err(LearnError::TooFew { n_faults: runs.len() });
    }
    let (least_rows, expected) = (2 * features::MOST_ROWS, normal.n_columns());
    for (fault, run) in runs.iter().enumerate() {
        let (rows, columns) = (run.n_rows(), run.n_columns());
        if rows < least_rows || columns != expected {
            return Err(LearnError::BadRun { fault, rows, columns, least_rows, expected });
        }
    }
    Ok(())
}

/// Features of a run's rows as a stream meets them, normal rows first.
fn run_features(relation: &Relation, before: &Frame, run: &Frame) -> Run {
    let (mut recent, mut window, mut row) = (Recent::default(), Vec::new(), Vec::new());
    let (mut sums, mut all) = (Sums::default(), Vec::new());
    for frame in [before, run] {
        all.clear();
        for row_idx in 0..frame.n_rows() {
            frame.copy_row(row_idx, &mut row);
            recent.push(relation, &mut window, &row);
            let mut features = Vec::new();
            recent.features(relation.n_columns(), &mut sums, &mut features);
            all.push(features);
        }
    }
    all
}

/// The forest that has not seen block `held_out` of any run; all of them if there is no such block.
fn grow(runs: &[Run], held_out: usize, seed: u64) -> Result<Forest, trees::Error> {
    let mut columns = vec![Vec::new(); runs[0][0].len()];
    let mut target = Vec::new();
    for (fault, run) in runs.iter().enumerate() {
        for (row_idx, row) in run.iter().enumerate() {
            if block_of(row_idx, run.len()) != held_out {
                columns.iter_mut().zip(row).for_each(|(column, value)| column.push(*value));
                target.push(fault as f64);
            }
        }
    }
    let params = Params {
        objective: Objective::Softmax(runs.len()),
        n_trees: 40,
        learning_rate: 0.15,
        n_leaves: 8,
        column_share: 0.2,
        seed,
        ..Params::default()
    };
    train(&Data { columns: &columns, target: &target, weights: None }, &params)
}

fn block_of(row_idx: usize, n_rows: usize) -> usize {
    row_idx * FOLDS / n_rows
}

/// The probability that held-out rows of a fault get for it or more, with the confidence of the sets.
fn least_probability(runs: &[Run], folds: &[Forest]) -> f64 {
    let (mut known, mut probabilities) = (Vec::new(), Vec::new());
    for (fault, run) in runs.iter().enumerate() {
        let mut logs: Option<Vec<f64>> = None;
        for (row_idx, row) in run.iter().enumerate() {
            let mut now = vec![0.0; runs.len()];
            folds[block_of(row_idx, run.len())].predict_into(row, &mut now);
            now.iter_mut().for_each(|p| *p = p.max(LEAST_PROBABILITY).ln());
            let logs = logs.get_or_insert_with(|| now.clone());
            smooth(logs, &now);
            from_logs(logs, &mut probabilities);
            known.push(probabilities[fault]);
        }
    }
    known.sort_unstable_by(f64::total_cmp);
    known[((1.0 - CONFIDENCE) * (known.len() + 1) as f64) as usize]
}

fn smooth(values: &mut [f64], now: &[f64]) {
    values.iter_mut().zip(now).for_each(|(value, now)| *value += SMOOTHING * (now - *value));
}

/// Probabilities that add up to 1.
fn from_logs(logs: &[f64], probabilities: &mut Vec<f64>) {
    let most = logs.iter().copied().fold(f64::MIN, f64::max);
    probabilities.clear();
    probabilities.extend(logs.iter().map(|log| (log - most).exp()));
    let sum: f64 = probabilities.iter().sum();
    probabilities.iter_mut().for_each(|p| *p /= sum);
}

#[cfg(test)]
mod tests;
