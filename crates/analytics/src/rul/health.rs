//! A health index for fleets that have hardly failed yet.

use faer::linalg::solvers::Solve;
use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

use super::conditions::{Conditions, Rows};
use super::features::History;
use super::{Error, Run, check_runs};

/// Rows after which a machine's own baseline is complete, and rows of a new machine that count as healthy.
const HEALTHY_ROWS: usize = 30;
/// Share of the mean variance that is added to every sensor's own.
const SHRINKAGE: f64 = 0.1;

/// How worn a machine is, from 0 (as it was new) to 1 (as those were that failed), without a learnt model.
///
/// The index is the sum of the sensors' deviations from the machine's own first rows along the one direction that
/// best tells the state at failure from health: w ∝ (S + r I)⁻¹ m, with the mean deviation m at failure and the covariance
/// S of healthy rows (Fisher (1936), linear discriminant, with a shrunk covariance).
/// Remaining life is that at which the failed machines had the same index in the mean. It needs at least one
/// failure: without any, deviations have no known end, and there is nothing honest to say about it.
///
/// ```
/// use analytics::rul::{HealthIndex, Run};
/// // A pump ran quietly for 40 hours, then its vibration rose by 1 each hour until it failed 40 hours later.
/// let vibration = |n| (0..n).map(|hour| f64::max(0.0, f64::from(hour - 39))).collect();
/// let failed = Run { settings: vec![], sensors: vec![vibration(80)], has_failed: true };
/// let index = HealthIndex::fit(&[failed], 60.0)?;
/// let running = Run { settings: vec![], sensors: vec![vibration(70)], has_failed: false };
/// assert_eq!(index.outlook(&running).rul, 10.0);
/// # Ok::<(), analytics::rul::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthIndex {
    conditions: Conditions,
    sensors: Vec<usize>,
    #[serde(with = "crate::saved")]
    weights: Vec<f64>,
    /// Mean index of the failed machines at each remaining life from 0 to the cap, never rising.
    #[serde(with = "crate::saved")]
    curve: Vec<f64>,
}

/// What the health index says about one machine.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// Wear: 0 as new, 1 as at failure; NaN before the first complete row.
    pub index: f64,
    /// Remaining life in rows, from 0 to the cap; the cap also where the index is NaN.
    pub rul: f64,
}

impl HealthIndex {
    /// Finds the direction of wear from the machines that failed.
    ///
    /// `cap`: longest remaining life that is told apart, in rows.
    ///
    /// # Errors
    /// If no machine with more than thirty rows has failed, records do not fit together, or nothing in them
    /// changes.
    pub fn fit(runs: &[Run], cap: f64) -> Result<HealthIndex, Error> {
        check_runs(runs)?;
        if !(cap.is_finite() && cap >= 1.0) {
            return Err(Error::BadParameter { name: "cap" });
        }
        let conditions = Conditions::fit(&Rows::of(runs));
        let sensors = conditions.telling_sensors();
        if sensors.is_empty() {
            return Err(Error::NothingChanges);
        }
        let mut index = HealthIndex { conditions, sensors, weights: Vec::new(), curve: Vec::new() };
        index.weights = index.fit_weights(runs)?;
        index.curve = index.fit_curve(runs, cap as usize);
        Ok(index)
    }

    /// Weights of the deviations such that their sum is 1 in the mean of all failures.
    fn fit_weights(&self, runs: &[Run]) -> Result<Vec<f64>, Error> {
        let n = self.sensors.len();
        let mut covariance = Mat::<f64>::zeros(n, n);
        let mut at_failure = vec![0.0; n];
        let (mut n_healthy, mut n_failures) = (0.0, 0.0);
        for run in runs.iter().filter(|run| run.n_rows() > HEALTHY_ROWS) {
            let mut last = vec![0.0; n];
            self.each_row(run, |row_idx, deviations| {
                last.copy_from_slice(deviations);
                if (HEALTHY_ROWS / 2..HEALTHY_ROWS).contains(&row_idx) {
                    n_healthy += 1.0;
                    add_square(&mut covariance, deviations);
                }
            });
            if run.has_failed {
                n_failures += 1.0;
                at_failure.iter_mut().zip(&last).for_each(|(sum, x)| *sum += x);
            }
        }
        if n_failures == 0.0 {
            return Err(Error::TooFewFailures { found: 0 });
        }
        let target = Mat::from_fn(n, 1, |i, _| at_failure[i] / n_failures);
        let mean_variance = (0..n).map(|i| covariance[(i, i)]).sum::<f64>() / n as f64;
        let ridge = (SHRINKAGE * mean_variance).max(1e-9 * n_healthy);
        (0..n).for_each(|i| covariance[(i, i)] += ridge);
        let solver = covariance.llt(Side::Lower).map_err(|_| Error::NothingChanges)?;
        let direction = solver.solve(&target);
        let length: f64 = (0..n).map(|i| direction[(i, 0)] * target[(i, 0)]).sum();
        if length.is_nan() || length <= 0.0 {
            return Err(Error::NothingChanges);
        }
        Ok((0..n).map(|i| direction[(i, 0)] / length).collect())
    }

    fn fit_curve(&self, runs: &[Run], cap: usize) -> Vec<f64> {
        let mut sums = vec![(0.0, 0.0); cap + 1];
        for run in runs.iter().filter(|run| run.has_failed && run.n_rows() > HEALTHY_ROWS) {
            for (index, (sum, n)) in self.indices(run).iter().rev().zip(&mut sums) {
                *sum += index;
                *n += 1.0;
            }
        }
        let mut curve: Vec<f64> = sums.iter().map(|(sum, n)| sum / n).collect();
        curve.retain(|index| !index.is_nan());
        for i in (1..curve.len()).rev() {
            curve[i - 1] = curve[i - 1].max(curve[i]);
        }
        curve
    }

    /// Says how worn a machine is at the end of its record, and how long it lasts if it goes on like the others.
    ///
    /// # Panics
    /// If the record has other numbers of settings and sensors than those that were learnt from, or columns of
    /// several lengths.
    pub fn outlook(&self, run: &Run) -> Outlook {
        assert_eq!(run.settings.len(), self.conditions.n_settings(), "one column per setting");
        assert_eq!(run.sensors.len(), self.conditions.n_sensors(), "one column per sensor");
        let index = self.indices(run).last().copied().unwrap_or(f64::NAN);
        let n_worse = self.curve.partition_point(|&at| at > index);
        let rul =
            if index.is_nan() { self.curve.len() - 1 } else { n_worse.min(self.curve.len() - 1) };
        Outlook { index, rul: rul as f64 }
    }

    /// The index after each row.
    fn indices(&self, run: &Run) -> Vec<f64> {
        let mut indices = Vec::with_capacity(run.n_rows());
        self.each_row(run, |_, deviations| {
            indices.push(self.weights.iter().zip(deviations).map(|(w, x)| w * x).sum());
        });
        indices
    }

    /// Calls `visit` with the number of each row and the deviations from the baseline after it; missing ones are 0.
    fn each_row(&self, run: &Run, mut visit: impl FnMut(usize, &[f64])) {
        let mut history = History::new(self.sensors.len());
        let mut row = vec![0.0; self.sensors.len()];
        for row_idx in 0..run.n_rows() {
            let settings: Vec<f64> = run.settings.iter().map(|column| column[row_idx]).collect();
            let condition = self.conditions.of(&settings);
            for (x, &i) in row.iter_mut().zip(&self.sensors) {
                *x = self.conditions.normalize(condition, i, run.sensors[i][row_idx]);
            }
            history.push(&row);
            history.deviations(&mut row);
            row.iter_mut().filter(|x| !x.is_finite()).for_each(|x| *x = 0.0);
            visit(row_idx, &row);
        }
    }
}

fn add_square(products: &mut Mat<f64>, values: &[f64]) {
    for (i, a) in values.iter().enumerate() {
        for (j, b) in values.iter().enumerate() {
            products[(i, j)] += a * b;
        }
    }
}
