//! Honest validation: machines and time are kept apart.

use super::{Data, Error, Forest, Params, train};
use crate::random::Random;

/// Rows to learn from and rows to judge by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Row numbers, ascending.
    pub train: Vec<usize>,
    /// Row numbers, ascending, none of them in `train`.
    pub test: Vec<usize>,
}

/// Splits rows into `n_folds` folds so that no group (machine, bearing, batch) is on both sides.
///
/// `groups`: the group of each row. Groups are shuffled by `seed` and dealt out, so folds hold about equally many
/// groups. Fewer groups than folds give fewer folds; fewer than two groups give none. Cost: O(n log n).
/// Source: Roberts et al. (2017), "Cross-validation strategies for data with temporal, spatial, hierarchical, or phylogenetic
/// structure", blocks by group.
///
/// ```
/// use analytics::trees::grouped_folds;
/// let folds = grouped_folds(&[7, 7, 8, 8], 2, 1);
/// assert_eq!(folds.len(), 2);
/// assert!(folds.iter().all(|fold| fold.test == [0, 1] || fold.test == [2, 3]));
/// ```
pub fn grouped_folds(groups: &[u64], n_folds: usize, seed: u64) -> Vec<Fold> {
    let mut distinct = groups.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let n_folds = n_folds.min(distinct.len());
    if n_folds < 2 {
        return Vec::new();
    }
    let mut deal: Vec<usize> = (0..distinct.len()).map(|i| i % n_folds).collect();
    Random::new(seed).shuffle(&mut deal);
    let of_row = |group: &u64| distinct.binary_search(group).map_or(0, |i| deal[i]);
    let of_rows: Vec<usize> = groups.iter().map(of_row).collect();
    let fold = |k: usize| {
        let (test, train) = (0..groups.len()).partition(|&row| of_rows[row] == k);
        Fold { train, test }
    };
    (0..n_folds).map(fold).collect()
}

/// Splits rows in time order into `n_folds` folds: each learns from the past only and is judged by the block after.
///
/// The first of the `n_folds + 1` blocks is only learnt from. `gap_rows` rows between past and block are left
/// out, as many as targets look ahead. A fold with no past is dropped. Cost: O(n · folds).
/// Source: Tashman (2000), "Out-of-sample tests of forecasting accuracy: an analysis and review", rolling origin.
///
/// ```
/// use analytics::trees::time_folds;
/// let folds = time_folds(9, 2, 1);
/// assert_eq!((&folds[0].train[..], &folds[0].test[..]), (&[0, 1][..], &[3, 4, 5][..]));
/// assert_eq!(folds[1].train, [0, 1, 2, 3, 4]);
/// ```
pub fn time_folds(n_rows: usize, n_folds: usize, gap_rows: usize) -> Vec<Fold> {
    let edge = |k: usize| k * n_rows / (n_folds + 1);
    (1..=n_folds)
        .map(|k| Fold {
            train: (0..edge(k).saturating_sub(gap_rows)).collect(),
            test: (edge(k)..edge(k + 1)).collect(),
        })
        .filter(|fold| !fold.train.is_empty() && !fold.test.is_empty())
        .collect()
}

/// What cross-validation found.
#[derive(Clone, Debug)]
pub struct Validation {
    /// Mean held-out loss after each round; the loss is the objective's own.
    pub loss_by_round: Vec<f64>,
    /// The round count with the lowest loss.
    pub n_rounds: usize,
    /// Predictions after `n_rounds` for each row by the forest that had not seen it, n × outputs; NaN for rows
    /// that no fold judges, the mean where several do.
    pub predictions: Vec<f64>,
}

/// Trains one forest per fold and judges it on the rows that it has not seen.
///
/// Choosing `n_rounds` by these predictions makes them slightly too good; take a fixed
/// [`Params::n_trees`] and the last round where that matters. Cost: a forest per fold.
///
/// ```
/// use analytics::trees::{Data, Params, cross_validate, grouped_folds};
/// // Two machines, one after the other; both answer 3 to everything.
/// let machines: Vec<u64> = (0..40).map(|i| i / 20).collect();
/// let columns = [(0..40).map(f64::from).collect()];
/// let data = Data { columns: &columns, target: &[3.0; 40], weights: None };
/// let params = Params { n_trees: 2, ..Params::default() };
/// let found = cross_validate(&data, &params, &grouped_folds(&machines, 2, 1))?;
/// assert_eq!(found.loss_by_round, [0.0, 0.0]);
/// assert_eq!(found.predictions, [3.0; 40]);
/// # Ok::<(), analytics::trees::Error>(())
/// ```
///
/// # Errors
/// As [`train`].
pub fn cross_validate(
    data: &Data<'_>,
    params: &Params,
    folds: &[Fold],
) -> Result<Validation, Error> {
    let mut losses = vec![0.0; params.n_trees];
    let mut n_judged = 0;
    let mut forests = Vec::new();
    for fold in folds {
        let forest = train_on(data, params, &fold.train)?;
        add_losses(&forest, data, &fold.test, &mut losses);
        n_judged += fold.test.len();
        forests.push(forest);
    }
    for loss in &mut losses {
        *loss /= n_judged as f64;
    }
    let n_rounds =
        1 + (0..losses.len()).min_by(|&a, &b| losses[a].total_cmp(&losses[b])).unwrap_or(0);
    let predictions = held_out(&forests, data, folds, n_rounds);
    Ok(Validation { loss_by_round: losses, n_rounds, predictions })
}

/// Trains on some rows only.
pub(crate) fn train_on(data: &Data<'_>, params: &Params, rows: &[usize]) -> Result<Forest, Error> {
    let take = |values: &[f64]| rows.iter().map(|&i| values[i]).collect::<Vec<f64>>();
    let columns: Vec<Vec<f64>> = data.columns.iter().map(|column| take(column)).collect();
    let target = take(data.target);
    let weights = data.weights.map(take);
    train(&Data { columns: &columns, target: &target, weights: weights.as_deref() }, params)
}

/// One forest per fold, each with the next seed, and for each row what the forest says that has not seen it; NaN for rows
/// that no fold judges. The first output only.
pub(crate) fn bag(
    data: &Data<'_>,
    params: &Params,
    folds: &[Fold],
) -> Result<(Vec<Forest>, Vec<f64>), Error> {
    let mut forests = Vec::with_capacity(folds.len());
    let mut held_out = vec![f64::NAN; data.target.len()];
    let mut row = vec![0.0; data.columns.len()];
    for (fold, seed) in folds.iter().zip(params.seed..) {
        let forest = train_on(data, &Params { seed, ..params.clone() }, &fold.train)?;
        for &i in &fold.test {
            super::forest::gather(data.columns, i, &mut row);
            held_out[i] = forest.predict(&row);
        }
        forests.push(forest);
    }
    Ok((forests, held_out))
}

fn add_losses(forest: &Forest, data: &Data<'_>, rows: &[usize], losses: &mut [f64]) {
    let mut row = vec![0.0; data.columns.len()];
    let mut raw = vec![0.0; forest.n_outputs()];
    let mut finished = raw.clone();
    for &i in rows {
        super::forest::gather(data.columns, i, &mut row);
        raw.copy_from_slice(&forest.base);
        for (round, loss) in losses.iter_mut().enumerate() {
            forest.add_round(round, &row, &mut raw);
            finished.copy_from_slice(&raw);
            forest.objective.finish(&mut finished);
            *loss += forest.objective.loss(data.target[i], &finished);
        }
    }
}

fn held_out(forests: &[Forest], data: &Data<'_>, folds: &[Fold], n_rounds: usize) -> Vec<f64> {
    let n_outputs = forests.first().map_or(1, Forest::n_outputs);
    let mut sums = vec![0.0; data.target.len() * n_outputs];
    let mut counts = vec![0.0; data.target.len()];
    let mut row = vec![0.0; data.columns.len()];
    let mut out = vec![0.0; n_outputs];
    for (forest, fold) in forests.iter().zip(folds) {
        let forest = forest.truncated(n_rounds);
        for &i in &fold.test {
            super::forest::gather(data.columns, i, &mut row);
            forest.predict_into(&row, &mut out);
            counts[i] += 1.0;
            sums[i * n_outputs..].iter_mut().zip(&out).for_each(|(sum, p)| *sum += p);
        }
    }
    sums.iter().enumerate().map(|(i, sum)| sum / counts[i / n_outputs]).collect()
}
