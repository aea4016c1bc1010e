//! Chooses how to monitor from normal rows alone.

use rayon::prelude::*;

use super::limits::{BlockModels, Spend};
use super::{FitError, Limits, Options};
use crate::Frame;
use crate::stats::mean_and_sigma;

/// Every so many columns are made faulty in one block; which ones changes from block to block.
const COLUMN_STRIDE: usize = 3;
/// Which faults are made up on each of those columns.
const FAULTS: [Fault; 4] =
    [Fault::Step(1.0), Fault::Step(2.0), Fault::Drift(2.0), Fault::Wider(0.5)];

/// What [`choose`] decided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// How to fit.
    pub options: Options,
    /// When to alarm.
    pub limits: Limits,
    /// Share of the rows with a made-up fault that this misses.
    pub missed: f64,
}

/// A made-up fault of one column, in its standard deviations.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Added from the first row on.
    Step(f64),
    /// Added little by little, this much in the last row.
    Drift(f64),
    /// The distance from the mean grows by this share.
    Wider(f64),
}

/// Chooses the candidate that misses the fewest made-up faults, at limits that normal rows pass with probability
/// `share`. No fault has to be known.
///
/// `normal`: rows in time order, cut into `n_blocks` consecutive blocks. Each is judged by a model of the others, as it
/// is and with faults in single columns: steps of one and two standard deviations, a drift of two, half as much again
/// of the variation. Each candidate gets limits as in [`blocked_limits`](super::blocked_limits), with `share` halved
/// between T² and SPE or spent on SPE alone. Ties are won by the earlier candidate. `None` if nothing can be fitted.
/// NaN counts as the mean of its column. Cost: per candidate `n_blocks` fits and n · d · 4/3 judged rows, on all threads of
/// the pool.
///
/// Source: Goswami, Challu, Callot, Minorics & Kan (2023), "Unsupervised model selection for time-series anomaly detection"
/// (performance on injected anomalies as a stand-in for the unknown one); which faults are made up is our own choice.
///
/// ```
/// use analytics::{Frame, monitor::{Method, Options, choose}};
/// // Two sensors of white noise: a mean over some rows shows the small shifts that no single row shows.
/// let mut state = 1u64;
/// let mut noise = || {
///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
///     (state >> 40) as f64 / f64::from(1 << 24) - 0.5
/// };
/// let normal = Frame::from_rows(2, &(0..800).map(|_| noise()).collect::<Vec<f64>>());
/// let method = Method::Pca { lags: 0, components: 1 };
/// let candidates = [1.0, 0.2].map(|smoothing| Options { method, shrinkage: 0.0, smoothing });
/// let choice = choose(&normal, &candidates, 5, 0.01, 0.5).unwrap();
/// assert_eq!(choice.options.smoothing, 0.2);
/// ```
pub fn choose(
    normal: &Frame,
    candidates: &[Options],
    n_blocks: usize,
    share: f64,
    confidence: f64,
) -> Option<Choice> {
    let spends = [Spend([share / 2.0; 2]), Spend([0.0, share])];
    let judged: Vec<Choice> = candidates
        .par_iter()
        .flat_map(|options| {
            judge(normal, *options, n_blocks, spends, confidence).unwrap_or_default()
        })
        .collect();
    judged.into_iter().reduce(|best, next| if next.missed < best.missed { next } else { best })
}

/// One choice for each way to spend the share.
fn judge(
    normal: &Frame,
    options: Options,
    n_blocks: usize,
    spends: [Spend; 2],
    confidence: f64,
) -> Result<Vec<Choice>, FitError> {
    let models = BlockModels::fit(normal, options, n_blocks)?;
    let points = models.points(normal);
    let limits = spends.map(|spend| points.limits(spend, confidence));
    let (mut missed, mut n_rows) = ([0usize; 2], 0usize);
    // The first block has no rows before it that would fill the window.
    for block in 1..n_blocks {
        for column in (block % COLUMN_STRIDE..normal.n_columns()).step_by(COLUMN_STRIDE) {
            for fault in FAULTS {
                let points = models.block(normal, block, |values, n_before| {
                    make_up(&mut values[column], n_before, fault);
                });
                n_rows += points.len();
                for (missed, limits) in missed.iter_mut().zip(limits) {
                    *missed += points.iter().filter(|point| !limits.are_passed(**point)).count();
                }
            }
        }
    }
    let share = |missed: usize| missed as f64 / n_rows.max(1) as f64;
    let choices = limits.iter().zip(missed);
    Ok(choices
        .map(|(limits, missed)| Choice { options, limits: *limits, missed: share(missed) })
        .collect())
}

/// Changes `values` from row `n_before` on; scale and mean are those of the values themselves.
fn make_up(values: &mut [f64], n_before: usize, fault: Fault) {
    let (mean, sigma) = mean_and_sigma(values);
    let n_faulty = values.len().saturating_sub(n_before).max(1) as f64;
    for (age, value) in values.iter_mut().skip(n_before).enumerate() {
        *value += match fault {
            Fault::Step(height) => height * sigma,
            Fault::Drift(height) => height * sigma * age as f64 / n_faulty,
            Fault::Wider(share) => share * (*value - mean),
        };
    }
}
