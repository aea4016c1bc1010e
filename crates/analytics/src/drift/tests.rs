use proptest::prelude::*;

use super::change_points::{Change, pelt};
use super::distance::{kolmogorov_smirnov, ks_p_value, sorted, wasserstein};
use super::online::OnlineChangePoints;
use super::*;
use crate::testing::{Noise, wild};

fn normals(seed: u64, n: usize) -> Vec<f64> {
    Noise::normals(seed, n)
}

#[test]
fn levels_and_spreads_that_change_are_found_where_they_change() {
    let mut values = normals(1, 900);
    values[300..].iter_mut().for_each(|value| *value += 3.0);
    values[600..].iter_mut().for_each(|value| *value *= 4.0);
    let near = |points: &[usize]| {
        points.len() == 2 && points[0].abs_diff(300) < 10 && points[1].abs_diff(600) < 20
    };
    let points = pelt(&values, Change::MeanAndVariance, 3.0, 10);
    assert!(near(&points), "{points:?}");
    let calm = pelt(&normals(2, 200_000), Change::Mean, 3.0, 5);
    assert!(calm.is_empty(), "{calm:?}");
}

/// Too long to try every row: what is screened is enough to find spreads that change now and then, and nothing else.
#[test]
fn spreads_that_change_are_found_in_long_records() {
    let mut values = normals(7, 60_000);
    let sigma = |row: usize| [1.0, 3.0, 0.5][row / 4000 % 3];
    values.iter_mut().enumerate().for_each(|(row, value)| *value *= sigma(row));
    let found = pelt(&values, Change::MeanAndVariance, 3.0, 10);
    assert_eq!(found.len(), 14, "{found:?}");
    assert!(found.iter().zip(1..).all(|(at, n)| at.abs_diff(n * 4000) < 40), "{found:?}");
    let calm = pelt(&normals(8, 60_000), Change::MeanAndVariance, 3.0, 10);
    assert!(calm.is_empty(), "{calm:?}");
}

#[test]
fn a_change_is_noticed_online_within_a_few_values() {
    let mut points = OnlineChangePoints::new(500.0);
    let false_calls = normals(3, 1000)
        .iter()
        .skip(50)
        .filter(|value| {
            points.push(**value);
            points.probability_within(5) > 0.5
        })
        .count();
    assert!(false_calls <= 3, "{false_calls}");
    let noticed = normals(4, 50).iter().position(|value| {
        points.push(value + 4.0);
        points.probability_within(20) > 0.9
    });
    assert!(noticed.is_some_and(|delay| delay <= 5), "{noticed:?}");
}

/// Under no change p-values are uniform and false discoveries rare; a shift of half a deviation in one of fifty is found.
#[test]
fn one_drifted_column_of_fifty_is_found_and_no_other() {
    let frame = |seed: u64| Frame::from_rows(50, &normals(seed, 50 * 1000));
    let (old, mut new) = (frame(5), frame(6));
    let false_calls = compare(&old, &new, 0.05).iter().filter(|drift| drift.has_drifted).count();
    assert!(false_calls <= 1, "{false_calls}");
    new.columns[7].iter_mut().for_each(|value| *value += 0.5);
    let drifts = compare(&old, &new, 0.05);
    assert!(drifts[7].has_drifted && (drifts[7].wasserstein - 0.5).abs() < 0.1);
    assert!(drifts[7].psi > 0.1 && drifts[8].psi < 0.1);
}

/// Table of critical values: λ = 1.36 at 5 %, 1.63 at 1 % (Smirnov (1948)).
#[test]
fn probabilities_agree_with_the_table() {
    let n = 1_000_000;
    let root = (n as f64 / 2.0).sqrt();
    assert!((ks_p_value(1.3581 / root, n, n) - 0.05).abs() < 1e-3);
    assert!((ks_p_value(1.6276 / root, n, n) - 0.01).abs() < 1e-3);
}

/// The least cost of any segmentation of standardized values, by trying all of them.
fn least_cost(values: &[f64], beta: f64, min_rows: usize) -> f64 {
    let mut best = vec![f64::INFINITY; values.len() + 1];
    best[0] = -beta;
    for end in min_rows..=values.len() {
        for start in 0..=end - min_rows {
            best[end] = best[end].min(best[start] + cost(&values[start..end]) + beta);
        }
    }
    best[values.len()]
}

fn cost(segment: &[f64]) -> f64 {
    let mean = segment.iter().sum::<f64>() / segment.len() as f64;
    segment.iter().map(|value| (value - mean).powi(2)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Pruning loses nothing: no segmentation is cheaper, whatever the signal and the shortest segment.
    #[test]
    fn no_segmentation_costs_less(
        steps in prop::collection::vec((0usize..12, -4.0..4.0f64), 1..8), seed in 0u64..999,
        penalty in 0.2..4.0f64, min_rows in 2usize..6,
    ) {
        let mut noise = Noise::new(seed);
        let mut values: Vec<f64> = Vec::new();
        for (n, level) in steps {
            values.extend((0..n).map(|_| level + noise.normal()));
        }
        prop_assume!(values.len() >= 2 * min_rows);
        let sigma = super::change_points::neighbor_sigma(&values);
        let values: Vec<f64> = values.iter().map(|value| value / sigma).collect();
        let beta = penalty * (values.len() as f64).ln();
        let points = pelt(&values, Change::Mean, penalty, min_rows);
        let ends: Vec<usize> = [0].into_iter().chain(points).chain([values.len()]).collect();
        let found: f64 = ends.windows(2).map(|pair| cost(&values[pair[0]..pair[1]]) + beta).sum::<f64>() - beta;
        prop_assert!((found - least_cost(&values, beta, min_rows)).abs() < 1e-6, "{ends:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_samples_are_survived(
        a in wild(0..80), b in wild(0..80),
    ) {
        let (old, new) = (Frame::from_rows(1, &a), Frame::from_rows(1, &b));
        let drift = compare(&old, &new, 0.05)[0];
        prop_assert!((0.0..=1.0).contains(&drift.p_value));
        prop_assert!(mmd::discrepancy(&old, &new, 30, 10, 1).p_value <= 1.0);
        for change in [Change::Mean, Change::MeanAndVariance] {
            let points = pelt(&a, change, 3.0, 3);
            prop_assert!(points.windows(2).all(|pair| pair[0] + 3 <= pair[1]));
        }
        let mut points = OnlineChangePoints::new(50.0);
        for (n, value) in a.iter().enumerate() {
            prop_assert!(points.push(*value) <= n as u64 + 1);
            prop_assert!((0.0..=1.0 + 1e-9).contains(&points.probability_within(3)));
        }
        let text = serde_json::to_string(&points).expect("serializes");
        prop_assert_eq!(serde_json::from_str::<OnlineChangePoints>(&text).expect("parses"), points);
    }

    #[test]
    fn distances_are_symmetric_and_zero_to_oneself(
        a in prop::collection::vec(-100.0..100.0, 1..60),
        b in prop::collection::vec(-100.0..100.0, 1..60),
    ) {
        let (a, b) = (sorted(&a), sorted(&b));
        prop_assert_eq!(kolmogorov_smirnov(&a, &b), kolmogorov_smirnov(&b, &a));
        prop_assert!((wasserstein(&a, &b) - wasserstein(&b, &a)).abs() < 1e-9);
        prop_assert_eq!((kolmogorov_smirnov(&a, &a), wasserstein(&a, &a)), (0.0, 0.0));
    }
}
