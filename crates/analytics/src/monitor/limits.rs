//! Limits from normal rows alone.

use serde::{Deserialize, Serialize};

use super::{FitError, Monitor, Options, Point};
use crate::Frame;
use crate::random::Random;
use crate::tail::Tail;

/// Resamples of the blocks that a confidence bound is taken from.
const RESAMPLES: usize = 400;

/// A row is unusual when one of its statistics is above its limit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// For T².
    #[serde(with = "crate::saved")]
    pub t2: f64,
    /// For SPE.
    #[serde(with = "crate::saved")]
    pub spe: f64,
}

impl Limits {
    /// Whether either statistic is above its limit; false for NaN.
    pub fn are_passed(&self, point: Point) -> bool {
        point.t2 > self.t2 || point.spe > self.spe
    }
}

/// The limits that a share of the given points passes, for each statistic by itself. NaN is left out.
///
/// The quantile is interpolated between order statistics (Hyndman & Fan (1996), type 7); infinite if there are none.
/// Cost: O(n log n).
///
/// ```
/// use analytics::monitor::{Point, quantile_limits};
/// let points: Vec<Point> = (1..=101).map(|n| Point { t2: f64::from(n), spe: f64::NAN }).collect();
/// let limits = quantile_limits(&points, 0.1);
/// assert_eq!((limits.t2, limits.spe), (91.0, f64::INFINITY)); // ten of 101 lie above
/// ```
pub fn quantile_limits(points: &[Point], share: f64) -> Limits {
    let limit = |of: fn(&Point) -> f64| {
        let mut values: Vec<f64> = points.iter().map(of).filter(|value| !value.is_nan()).collect();
        values.sort_unstable_by(f64::total_cmp);
        quantile(&values, 1.0 - share)
    };
    Limits { t2: limit(|point| point.t2), spe: limit(|point| point.spe) }
}

/// Limits that normal rows not used for fitting pass with about the given probability.
///
/// Each of `n_blocks` consecutive blocks is judged by a model fitted to the other blocks, which is what a new row
/// meets; limits from the rows that the model was fitted to are far too low (on the Tennessee Eastman process by
/// a factor that makes 84 % of normal rows alarms). The `share` is spent on T² and SPE as given, in this order.
/// Beyond what the number of rows can resolve, the tail is continued as an exponential (peaks over threshold,
/// Siffer et al. (2017), with shape 0).
///
/// Few rows give uncertain limits. `confidence` is the probability with which the limits are high enough, found by
/// resampling whole blocks (block bootstrap, Künsch (1989)), because neighboring rows are alike; 0.5 gives limits
/// that are as often too low as too high. NaN counts as the mean of its column. Cost: `n_blocks` fits and 400 · n log n.
///
/// ```
/// use analytics::{Frame, monitor::{Method, Options, blocked_limits}};
/// // Sums of twelve uniform numbers are nearly normal, so T² is nearly χ² with one degree of freedom.
/// let mut state = 1u64;
/// let mut noise = || {
///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
///     (state >> 40) as f64 / f64::from(1 << 24) - 0.5
/// };
/// let rows: Vec<f64> = (0..2000).map(|_| (0..12).map(|_| noise()).sum()).collect();
/// let options = Options { method: Method::Pca { lags: 0, components: 1 }, shrinkage: 0.0, smoothing: 1.0 };
/// let limits = blocked_limits(&Frame::from_rows(1, &rows), options, 5, [0.01, 0.0], 0.5).unwrap();
/// assert!((limits.t2 - 6.63).abs() < 1.0, "{}", limits.t2); // passed by one of a hundred
/// assert_eq!(limits.spe, f64::INFINITY); // nothing is spent on it
/// ```
///
/// # Errors
/// When a model cannot be fitted to the other blocks.
pub fn blocked_limits(
    frame: &Frame,
    options: Options,
    n_blocks: usize,
    share: [f64; 2],
    confidence: f64,
) -> Result<Limits, FitError> {
    let points = BlockModels::fit(frame, options, n_blocks)?.points(frame);
    Ok(points.limits(Spend(share), confidence))
}

/// Which share of the normal rows may pass the limit of T² and of SPE.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spend(pub(super) [f64; 2]);

/// For each of some consecutive blocks a model that was fitted to the others.
pub(super) struct BlockModels {
    models: Vec<Monitor>,
    /// Rows before a block that fill the window and settle the smoothing.
    warm_up: usize,
}

/// Points of held-out blocks.
pub(super) struct BlockPoints(Vec<Vec<Point>>);

impl BlockModels {
    pub(super) fn fit(
        frame: &Frame,
        options: Options,
        n_blocks: usize,
    ) -> Result<BlockModels, FitError> {
        let without = |block| frame.without(block_range(frame.n_rows(), n_blocks, block));
        let models = (0..n_blocks).map(|block| Monitor::fit(&without(block), options));
        let warm_up = (3.0 / options.smoothing.max(1e-3)) as usize + 10;
        Ok(BlockModels { models: models.collect::<Result<_, _>>()?, warm_up })
    }

    /// Points of one block after `change`, which gets the columns and how many rows lie before the block.
    pub(super) fn block(
        &self,
        frame: &Frame,
        block: usize,
        change: impl FnOnce(&mut [Vec<f64>], usize),
    ) -> Vec<Point> {
        let range = block_range(frame.n_rows(), self.models.len(), block);
        let n_before = self.warm_up.min(range.start);
        let mut rows = frame.rows(range.start - n_before..range.end);
        change(&mut rows.columns, n_before);
        self.models[block].points(&rows).split_off(n_before)
    }

    pub(super) fn points(&self, frame: &Frame) -> BlockPoints {
        BlockPoints(
            (0..self.models.len()).map(|block| self.block(frame, block, |_, _| ())).collect(),
        )
    }
}

impl BlockPoints {
    pub(super) fn limits(&self, spend: Spend, confidence: f64) -> Limits {
        let limit = |of: fn(&Point) -> f64, share: f64| {
            let values = |block: &Vec<Point>| {
                block.iter().map(of).filter(|value| !value.is_nan()).collect::<Vec<f64>>()
            };
            let blocks: Vec<Vec<f64>> = self.0.iter().map(values).collect();
            confident_limit(&blocks, share, confidence)
        };
        let Spend([t2, spe]) = spend;
        Limits { t2: limit(|point| point.t2, t2), spe: limit(|point| point.spe, spe) }
    }
}

/// Quantile `confidence` of the limits that resampled blocks give.
fn confident_limit(blocks: &[Vec<f64>], share: f64, confidence: f64) -> f64 {
    let mut random = Random::new(1);
    let mut limits: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let mut values: Vec<f64> =
                blocks.iter().flat_map(|_| &blocks[random.below(blocks.len())]).copied().collect();
            values.sort_unstable_by(f64::total_cmp);
            tail_limit(&values, share)
        })
        .collect();
    limits.sort_unstable_by(f64::total_cmp);
    quantile(&limits, confidence)
}

fn block_range(n_rows: usize, n_blocks: usize, block: usize) -> std::ops::Range<usize> {
    n_rows * block / n_blocks..n_rows * (block + 1) / n_blocks
}

/// The points of all rows, each judged by a model that has not been fitted to its block.
///
/// The rows before a block fill the window and settle the smoothing, but are not counted there. As many points as rows; NaN
/// where a window is not full. Cost: `n_blocks` fits.
///
/// # Errors
/// When a model cannot be fitted to the other blocks.
pub fn blocked_points(
    frame: &Frame,
    options: Options,
    n_blocks: usize,
) -> Result<Vec<Point>, FitError> {
    Ok(BlockModels::fit(frame, options, n_blocks)?.points(frame).0.concat())
}

/// Interpolated quantile of sorted values; infinite for none.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::INFINITY };
    let at = share.clamp(0.0, 1.0) * last as f64;
    let (low, rest) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(last);
    if sorted[low] == sorted[high] {
        // Between two infinite limits nothing can be interpolated.
        return sorted[low];
    }
    sorted[low] + rest * (sorted[high] - sorted[low])
}

/// The value passed with probability `share`: the quantile while ten values lie above it, else extrapolated
/// from the largest ten percent with an exponential tail.
fn tail_limit(sorted: &[f64], share: f64) -> f64 {
    let n = sorted.len();
    if share <= 0.0 {
        return f64::INFINITY;
    }
    if share * n as f64 >= 10.0 || n < 20 {
        return quantile(sorted, 1.0 - share);
    }
    let start = n - (n / 10).max(10);
    let tail = Tail::above(sorted, start);
    tail.passed(tail.share / share)
}
