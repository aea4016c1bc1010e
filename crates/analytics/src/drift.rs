//! Has the world changed since the model was made? Change points in one signal, drift between two tables.
//!
//! | where did it change? | how far apart are two samples? |
//! |---|---|
//! | [`change_points`] PELT, offline | [`distance`] PSI, Kolmogorov–Smirnov, Wasserstein |
//! | [`online`] Bayesian, row by row | [`mmd`] maximum mean discrepancy of few columns, by permutation |
//! | | [`joint_discrepancy`] the same of all columns, in linear time |
//!
//! [`compare`] tests every column of two frames and controls the share of false discoveries (Benjamini–Hochberg),
//! so that fifty columns do not raise fifty suspicions by chance; [`compare_all`] adds the test of all columns together.

pub mod change_points;
pub mod distance;
mod joint;
pub mod mmd;
pub mod online;

pub use joint::joint_discrepancy;

use crate::Frame;
use mmd::Discrepancy;

/// How one column of two frames differs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ColumnDrift {
    /// Its index.
    pub column: usize,
    /// Population stability index; 0.1 is small, 0.25 large by custom.
    pub psi: f64,
    /// Kolmogorov–Smirnov distance, 0 to 1.
    pub ks: f64,
    /// Wasserstein-1 distance in standard deviations of the reference.
    pub wasserstein: f64,
    /// Probability of such a KS distance if nothing had changed.
    pub p_value: f64,
    /// Whether it counts as a discovery at the given rate.
    pub has_drifted: bool,
}

/// Compares every column of `recent` with the one of `reference`, in column order.
///
/// `false_discovery_rate`: share of wrong ones among the columns called drifted, such as 0.05. A column without
/// finite values on either side has distances NaN, probability 1. Rows are taken as independent; thin
/// autocorrelated ones first. Cost: O(d · n log n).
///
/// ```
/// use analytics::{Frame, drift::compare};
/// let rows = |shift: f64| (0..200).flat_map(|n| [f64::from(n % 50), f64::from(n % 40) + shift]).collect::<Vec<_>>();
/// let drifts = compare(&Frame::from_rows(2, &rows(0.0)), &Frame::from_rows(2, &rows(20.0)), 0.05);
/// assert!(!drifts[0].has_drifted && drifts[1].has_drifted);
/// assert_eq!((drifts[0].ks, drifts[1].ks), (0.0, 0.5));
/// ```
pub fn compare(reference: &Frame, recent: &Frame, false_discovery_rate: f64) -> Vec<ColumnDrift> {
    let pairs = reference.columns.iter().zip(&recent.columns).enumerate();
    let mut drifts: Vec<ColumnDrift> = pairs
        .map(|(column, (old, new))| {
            let (old, new) = (distance::sorted(old), distance::sorted(new));
            let (ks, area) = distance::height_and_area(&old, &new);
            ColumnDrift {
                column,
                psi: distance::stability_index(&old, &new, 10),
                ks,
                wasserstein: area / distance::deviation(&old),
                p_value: distance::ks_p_value(ks, old.len(), new.len()),
                has_drifted: false,
            }
        })
        .collect();
    let p_values: Vec<f64> = drifts.iter().map(|drift| drift.p_value).collect();
    for (drift, is_discovery) in drifts.iter_mut().zip(discoveries(&p_values, false_discovery_rate))
    {
        drift.has_drifted = is_discovery;
    }
    drifts
}

/// How two frames differ, column by column and as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// In column order.
    pub columns: Vec<ColumnDrift>,
    /// All columns together.
    pub joint: Discrepancy,
    /// Whether the columns together count as a discovery, beside those of single columns.
    pub joint_has_drifted: bool,
}

/// As [`compare`], with [`joint_discrepancy`] as one more hypothesis among those whose false discoveries are controlled.
///
/// `seed`: of its random frequencies. Cost: O(d · n log n).
///
/// ```
/// use analytics::{Frame, drift::compare_all};
/// // Both columns have the same values before and after, but now they move together.
/// let rows = |step: i32| (0..400).flat_map(|n| [f64::from(n % 20), f64::from(n * step % 20)]).collect::<Vec<_>>();
/// let drift = compare_all(&Frame::from_rows(2, &rows(7)), &Frame::from_rows(2, &rows(1)), 0.05, 1);
/// assert!(drift.joint_has_drifted && drift.columns.iter().all(|column| !column.has_drifted));
/// ```
pub fn compare_all(
    reference: &Frame,
    recent: &Frame,
    false_discovery_rate: f64,
    seed: u64,
) -> Comparison {
    let mut columns = compare(reference, recent, false_discovery_rate);
    let joint = joint_discrepancy(reference, recent, seed);
    let p_values = columns.iter().map(|drift| drift.p_value).chain([joint.p_value]);
    let found = discoveries(&p_values.collect::<Vec<f64>>(), false_discovery_rate);
    for (drift, is_discovery) in columns.iter_mut().zip(&found) {
        drift.has_drifted = *is_discovery;
    }
    Comparison { columns, joint, joint_has_drifted: found.last() == Some(&true) }
}

/// Which hypotheses are rejected so that on average at most a share `rate` of the rejected are true.
///
/// Source: Benjamini & Hochberg (1995), "Controlling the false discovery rate", eq. 1. NaN is never rejected.
///
/// ```
/// use analytics::drift::discoveries;
/// assert_eq!(discoveries(&[0.01, 0.04, 0.03, 0.9], 0.05), [true, false, false, false]);
/// assert_eq!(discoveries(&[0.01, 0.02, 0.03, 0.9], 0.05), [true, true, true, false]);
/// ```
pub fn discoveries(p_values: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<f64> = p_values.iter().copied().filter(|p| !p.is_nan()).collect();
    order.sort_unstable_by(f64::total_cmp);
    let n = order.len() as f64;
    let ranked = order.iter().enumerate();
    let limit = ranked
        .filter(|(rank, p)| **p <= rate * (*rank + 1) as f64 / n)
        .map(|(_, p)| *p)
        .next_back();
    p_values.iter().map(|p| limit.is_some_and(|limit| *p <= limit)).collect()
}

#[cfg(test)]
mod tests;
