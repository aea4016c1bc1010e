//! Gradient-boosted decision trees: the model behind remaining life, quality prediction and demand forecasts.
//!
//! ```text
//! columns ──bins──► bytes ──grow (leaf-wise, integer histograms)──► trees ──► Forest ──► predict, explain
//!                     ▲                                               │         ├──► JSON
//!                 gradients ◄──────────── residuals ◄─────────────────┘         └──► ONNX
//! ```
//!
//! Source: Friedman (2001), "Greedy function approximation", algorithm 1; second-order gain and leaf values after
//! Chen & Guestrin (2016), eqs. 5 and 7; leaf-wise growth over histograms with the larger child by subtraction
//! after Ke et al. (2017). Departure: gradient and Hessian of a row are rounded once per tree to 32-bit integers
//! and summed as integers in one 64-bit word, so that sums do not depend on their order: the same seed
//! gives the same forest on any number of threads. Leaf values are computed from the exact gradients.
//!
//! Rows are machines, parts or moments; columns are features; NaN is a missing value and has its own direction at
//! every split. Start reading at [`train`] and [`Forest`]; [`cross_validate`] keeps groups (machines) and time apart.

mod bins;
mod folds;
mod forest;
mod grow;
mod objective;
mod onnx;
mod save;
mod shap;
mod train;

pub(crate) use folds::bag;
pub use folds::{Fold, Validation, cross_validate, grouped_folds, time_folds};
pub use forest::Forest;
pub use shap::Explanation;
pub(crate) use train::check;
pub use train::train;

use serde::{Deserialize, Serialize};

/// What a forest minimizes, and what it therefore predicts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Objective {
    /// Squared error: the mean.
    L2,
    /// Absolute error: the median.
    L1,
    /// Pinball loss at a level between 0 and 1: that quantile.
    Quantile(f64),
    /// Log loss on targets 0 and 1: the probability of 1.
    Logistic,
    /// Cross-entropy on targets 0, 1, …, k − 1: the probability of each of the k classes.
    Softmax(usize),
}

/// How a forest grows.
#[derive(Clone, Debug, PartialEq)]
pub struct Params {
    /// What it minimizes.
    pub objective: Objective,
    /// Boosting rounds; with [`Objective::Softmax`] each round grows one tree per class.
    pub n_trees: usize,
    /// Share of each tree's step that is taken, above 0.
    pub learning_rate: f64,
    /// Most leaves of a tree, 2 to 4096.
    pub n_leaves: usize,
    /// Most splits from root to leaf; 0 means no limit.
    pub max_depth: usize,
    /// Fewest rows of a leaf. With a loss of varying Hessian the count is estimated from the Hessian, as LightGBM does.
    pub min_leaf_rows: usize,
    /// Smallest sum of Hessians of a leaf.
    pub min_leaf_hessian: f64,
    /// Ridge penalty on leaf values.
    pub l2: f64,
    /// Most bins of a column, 2 to 255.
    pub max_bins: usize,
    /// Share of the rows that each tree sees, above 0 to 1.
    pub row_share: f64,
    /// Share of the columns that each tree sees, above 0 to 1.
    pub column_share: f64,
    /// Seed of the row and column samples.
    pub seed: u64,
    /// Threads to train with, at least 1; they change the time, never the result.
    pub n_threads: usize,
}

impl Default for Params {
    fn default() -> Params {
        Params {
            objective: Objective::L2,
            n_trees: 100,
            learning_rate: 0.1,
            n_leaves: 31,
            max_depth: 0,
            min_leaf_rows: 20,
            min_leaf_hessian: 1e-3,
            l2: 0.0,
            max_bins: 255,
            row_share: 1.0,
            column_share: 1.0,
            seed: 0,
            n_threads: 1,
        }
    }
}

/// What a forest learns from.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a> {
    /// d columns of n values each; NaN is missing.
    pub columns: &'a [Vec<f64>],
    /// n finite values; class numbers for the classifying objectives.
    pub target: &'a [f64],
    /// n weights, finite and not negative; `None` weighs all rows alike.
    pub weights: Option<&'a [f64]>,
}

/// Why a forest cannot be trained or read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to learn from.
    #[error("no rows or no columns to learn from")]
    Empty,
    /// More rows than 32-bit row numbers and sums can hold.
    #[error("{n_rows} rows are more than the {limit} that one forest learns from")]
    TooManyRows {
        /// How many there are.
        n_rows: usize,
        /// How many there may be.
        limit: usize,
    },
    /// A column, the target or the weights have another length than the first column.
    #[error("{what} has {found} rows instead of {expected}")]
    Ragged {
        /// Which one.
        what: String,
        /// Its length.
        found: usize,
        /// The length of the first column.
        expected: usize,
    },
    /// A target that the objective cannot use, or a weight that is negative or not finite.
    #[error("{what} of row {row_idx} is {value}")]
    BadValue {
        /// `target` or `weight`.
        what: &'static str,
        /// Its row.
        row_idx: usize,
        /// The value.
        value: f64,
    },
    /// A parameter out of its range.
    #[error("parameter {name} is out of its range")]
    BadParameter {
        /// The field of [`Params`].
        name: &'static str,
    },
    /// The text is not a forest of a version known here.
    #[error("cannot read the forest")]
    Json(#[from] serde_json::Error),
    /// The text is JSON, but not a tree.
    #[error("the forest is damaged: {0}")]
    Damaged(&'static str),
}

#[cfg(test)]
#[path = "trees/tests.rs"]
mod tests;
