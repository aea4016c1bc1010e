//! Trees against numbers that can be worked out by hand, and their properties.

use proptest::prelude::*;

use super::*;
use crate::testing::Noise;

/// A target with a step, a slope, an interaction and missing values.
fn bumpy(n_rows: usize, seed: u64) -> (Vec<Vec<f64>>, Vec<f64>) {
    let mut noise = Noise::new(seed);
    let mut columns: Vec<Vec<f64>> =
        (0..5).map(|_| (0..n_rows).map(|_| noise.normal()).collect()).collect();
    let answer = |row: &[f64]| 2.0 * f64::from(u8::from(row[0] > 0.3)) + row[1] + row[2] * row[3];
    let target = (0..n_rows)
        .map(|i| answer(&columns.iter().map(|c| c[i]).collect::<Vec<_>>()) + 0.1 * noise.normal())
        .collect();
    for i in (0..n_rows).step_by(7) {
        columns[i % 4][i] = f64::NAN;
    }
    (columns, target)
}

fn fit(columns: &[Vec<f64>], target: &[f64], params: &Params) -> Forest {
    train(&Data { columns, target, weights: None }, params).expect("good data")
}

fn mse(forest: &Forest, columns: &[Vec<f64>], target: &[f64]) -> f64 {
    let errors =
        forest.predict_columns(columns).into_iter().zip(target).map(|(p, y)| (p - y) * (p - y));
    errors.sum::<f64>() / target.len() as f64
}

#[test]
fn learns_what_one_column_cannot_say() {
    let (columns, target) = bumpy(4000, 1);
    let (unseen, truth) = bumpy(1000, 2);
    let forest = fit(&columns, &target, &Params { n_trees: 200, ..Params::default() });
    let constant = truth.iter().map(|y| (y - 1.0).powi(2)).sum::<f64>() / 1000.0;
    assert!(mse(&forest, &unseen, &truth) < 0.15 * constant);
}

#[test]
fn threads_change_nothing() {
    let (columns, target) = bumpy(3000, 3);
    for (row_share, column_share) in [(1.0, 1.0), (0.6, 0.5)] {
        let params = Params { row_share, column_share, n_trees: 12, seed: 5, ..Params::default() };
        let one = fit(&columns, &target, &params);
        let four = fit(&columns, &target, &Params { n_threads: 4, ..params.clone() });
        assert_eq!(one, four);
        let other = fit(&columns, &target, &Params { seed: 6, ..params });
        assert_eq!(
            one == other,
            row_share == 1.0,
            "the seed matters only where something is sampled"
        );
    }
}

#[test]
fn median_and_quantiles_split_the_rows() {
    let mut noise = Noise::new(4);
    let x: Vec<f64> = (0..4000).map(|_| noise.uniform()).collect();
    let y: Vec<f64> = x.iter().map(|x| x * (1.0 + noise.normal().exp())).collect();
    for (objective, level) in
        [(Objective::L1, 0.5), (Objective::Quantile(0.1), 0.1), (Objective::Quantile(0.9), 0.9)]
    {
        let forest = fit(
            std::slice::from_ref(&x),
            &y,
            &Params { objective, n_leaves: 8, ..Params::default() },
        );
        let below = x.iter().zip(&y).filter(|(x, y)| forest.predict(&[**x]) > **y).count();
        assert!((below as f64 / 4000.0 - level).abs() < 0.03, "{objective:?}: {below}");
    }
}

#[test]
fn probabilities_are_frequencies() {
    let mut noise = Noise::new(5);
    let x: Vec<f64> = (0..6000).map(|i| f64::from(i % 3)).collect();
    let shares = [0.1, 0.5, 0.8];
    let y: Vec<f64> =
        x.iter().map(|x| f64::from(u8::from(noise.uniform() < shares[*x as usize]))).collect();
    let two = fit(
        std::slice::from_ref(&x),
        &y,
        &Params { objective: Objective::Logistic, ..Params::default() },
    );
    let many = fit(
        std::slice::from_ref(&x),
        &y,
        &Params { objective: Objective::Softmax(2), ..Params::default() },
    );
    for value in 0..3 {
        let seen: Vec<f64> = (0..6000).filter(|i| i % 3 == value).map(|i| y[i]).collect();
        let share = seen.iter().sum::<f64>() / seen.len() as f64;
        let mut out = [0.0; 2];
        many.predict_into(&[value as f64], &mut out);
        assert!((two.predict(&[value as f64]) - share).abs() < 1e-3);
        assert!((out[1] - share).abs() < 1e-2 && (out[0] + out[1] - 1.0).abs() < 1e-12);
        assert_eq!(many.predict(&[value as f64]), f64::from(u8::from(share > 0.5)));
    }
}

#[test]
fn missing_values_go_where_they_fit() {
    // Missing means broken here: 10, like the high values; the low ones mean 0.
    let x: Vec<f64> = (0..90).map(|i| [1.0, 5.0, f64::NAN][i % 3]).collect();
    let y: Vec<f64> = (0..90).map(|i| [0.0, 10.0, 10.0][i % 3]).collect();
    let params = Params { n_trees: 1, learning_rate: 1.0, min_leaf_rows: 1, ..Params::default() };
    let forest = fit(std::slice::from_ref(&x), &y, &params);
    assert_eq!([1.0, 5.0, f64::NAN].map(|x| forest.predict(&[x]).round()), [0.0, 10.0, 10.0]);
    // Without missing values in training they go with the majority.
    let x: Vec<f64> = (0..30).map(|i| f64::from(u8::from(i < 10))).collect();
    let forest = fit(std::slice::from_ref(&x), &x, &params);
    assert!(forest.predict(&[f64::NAN]).abs() < 1e-12);
}

#[test]
fn weights_count_rows() {
    let (columns, target) = bumpy(500, 6);
    let weights: Vec<f64> = (0..500).map(|i| f64::from(i % 3)).collect();
    let params =
        Params { objective: Objective::L1, n_trees: 5, min_leaf_rows: 1, ..Params::default() };
    let data = Data { columns: &columns, target: &target, weights: Some(&weights) };
    let weighted = train(&data, &params).expect("good data");
    let rows: Vec<usize> = (0..500).flat_map(|i| std::iter::repeat_n(i, i % 3)).collect();
    let repeated = folds::train_on(
        &Data { columns: &columns, target: &target, weights: None },
        &params,
        &rows,
    )
    .expect("good data");
    assert!((weighted.base[0] - repeated.base[0]).abs() < 1e-12);
}

#[test]
fn refuses_what_it_cannot_learn() {
    let check = |columns: &[Vec<f64>], target: &[f64], params: Params, expected: &str| {
        let error = train(&Data { columns, target, weights: None }, &params).expect_err("bad data");
        assert_eq!(error.to_string(), expected);
    };
    let two = [vec![1.0, 2.0]];
    check(&[], &[], Params::default(), "no rows or no columns to learn from");
    check(&[vec![]], &[], Params::default(), "no rows or no columns to learn from");
    check(&two, &[1.0], Params::default(), "the target has 1 rows instead of 2");
    check(&two, &[1.0, f64::NAN], Params::default(), "target of row 1 is NaN");
    let logistic = Params { objective: Objective::Logistic, ..Params::default() };
    check(&two, &[0.0, 2.0], logistic, "target of row 1 is 2");
    let quantile = Params { objective: Objective::Quantile(1.0), ..Params::default() };
    check(&two, &[0.0, 2.0], quantile, "parameter objective is out of its range");
    check(
        &two,
        &[0.0, 2.0],
        Params { max_bins: 256, ..Params::default() },
        "parameter max_bins is out of its range",
    );
}

#[test]
fn constants_and_single_rows_give_their_own_answer() {
    let one = fit(&[vec![1.0]], &[7.0], &Params::default());
    assert_eq!(one.predict(&[123.0]), 7.0);
    let flat = fit(&[vec![1.0; 100]], &[7.0; 100], &Params::default());
    assert_eq!(flat.predict(&[f64::NAN]), 7.0);
    let missing = fit(&[vec![f64::NAN; 100]], &[3.0; 100], &Params::default());
    assert_eq!(missing.predict(&[1.0]), 3.0);
}

#[test]
fn a_million_rows_fit() {
    let x: Vec<f64> = (0..1_000_000).map(|i| f64::from(i % 1000)).collect();
    let y: Vec<f64> = x.iter().map(|x| x / 100.0).collect();
    let forest = fit(
        std::slice::from_ref(&x),
        &y,
        &Params { n_trees: 8, learning_rate: 0.9, ..Params::default() },
    );
    assert!((forest.predict(&[500.0]) - 5.0).abs() < 0.1);
}

/// Nine of ten rows are certain and weigh next to nothing, so a share of all Hessians would let a single doubtful row
/// pass for twenty.
#[test]
fn leaves_of_doubtful_rows_are_not_smaller_than_others() {
    let mut noise = Noise::new(11);
    let is_doubtful: Vec<f64> = (0..4000).map(|i| f64::from(u8::from(i % 10 == 0))).collect();
    let other: Vec<f64> = (0..4000).map(|_| noise.uniform()).collect();
    let coin = |doubtful: &f64| f64::from(u8::from(*doubtful == 1.0 && noise.uniform() < 0.5));
    let target: Vec<f64> = is_doubtful.iter().map(coin).collect();
    let params = Params { objective: Objective::Logistic, n_trees: 60, ..Params::default() };
    let forest = fit(&[is_doubtful, other], &target, &params);
    let leaves = forest.nodes.iter().zip(&forest.covers).filter(|(node, _)| node.is_leaf());
    let smallest = leaves.map(|(_, cover)| cover * 4000.0).fold(f64::INFINITY, f64::min);
    assert!(smallest >= 10.0, "{smallest} rows");
}

#[test]
fn trees_side_by_side_sum_as_one_after_the_other() {
    let (columns, target) = bumpy(300, 12);
    let class: Vec<f64> = target.iter().map(|y| y.round().clamp(0.0, 2.0)).collect();
    for n_trees in [0, 1, 7] {
        let params = Params { objective: Objective::Softmax(3), n_trees, ..Params::default() };
        let forest = fit(&columns, &class, &params);
        for i in 0..300 {
            let row: Vec<f64> = columns.iter().map(|column| column[i]).collect();
            let (mut found, mut expected) = ([0.0; 3], [0.0; 3]);
            expected.copy_from_slice(&forest.base);
            (0..n_trees).for_each(|round| forest.add_round(round, &row, &mut expected));
            forest.raw_into(&row, &mut found);
            assert_eq!(found, expected, "{n_trees} rounds, row {i}");
        }
    }
}

#[test]
fn validation_never_sees_its_own_machine() {
    // Each machine has its own level that no column tells: only leakage could predict it.
    let mut noise = Noise::new(8);
    let groups: Vec<u64> = (0..600).map(|i| i / 60).collect();
    let levels: Vec<f64> = (0..10).map(|_| noise.normal()).collect();
    let number: Vec<f64> = groups.iter().map(|&g| ((g * 7919) % 10) as f64).collect();
    let target: Vec<f64> = groups.iter().map(|&g| levels[g as usize]).collect();
    let folds = grouped_folds(&groups, 5, 1);
    let data = Data { columns: std::slice::from_ref(&number), target: &target, weights: None };
    let result = cross_validate(&data, &Params::default(), &folds).expect("good data");
    for (g, level) in levels.iter().enumerate() {
        assert!((result.predictions[g * 60] - level).abs() > 1e-3);
    }
    assert_eq!(result.loss_by_round.len(), 100);
    for fold in &folds {
        assert!(fold.train.iter().all(|&a| fold.test.iter().all(|&b| groups[a] != groups[b])));
    }
}

#[test]
fn damaged_files_are_refused() {
    let (columns, target) = bumpy(300, 9);
    let json =
        fit(&columns, &target, &Params { n_trees: 2, n_leaves: 4, ..Params::default() }).to_json();
    let check = |from: &str, to: &str| {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from} occurs");
        assert!(Forest::from_json(&damaged).is_err(), "{to}");
    };
    check("\"version\":1", "\"version\":2");
    check("\"roots\":[0,", "\"roots\":[1,");
    check("\"children\":[1,", "\"children\":[7,");
    check("\"n_columns\":5", "\"n_columns\":0");
    check("\"missing_left\":[", "\"missing_left\":[true,");
    check("\"covers\":[1.0", "\"covers\":[0.0");
    assert!(Forest::from_json("{}").is_err());
}

#[test]
fn onnx_names_what_it_needs() {
    let (columns, target) = bumpy(300, 10);
    let forest = fit(&columns, &target, &Params { n_trees: 3, n_leaves: 4, ..Params::default() });
    let bytes = forest.to_onnx();
    let has = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(
        ["TreeEnsembleRegressor", "ai.onnx.ml", "features", "prediction", "target_weights"]
            .map(has)
            .iter()
            .all(|has| *has)
    );
    assert_eq!(&bytes[..2], [8, 8], "field 1 (IR version) is 8");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn explanations_sum_to_the_prediction(seed in 0u64..1000, n_leaves in 2usize..20, classes in 1usize..4) {
        let (columns, mut target) = bumpy(200, seed);
        let objective = if classes == 1 { Objective::L2 } else { Objective::Softmax(classes) };
        if classes > 1 {
            target.iter_mut().enumerate().for_each(|(i, y)| *y = (usize::from(*y > 0.0) + i % 2).min(classes - 1) as f64);
        }
        let params = Params { objective, n_leaves, n_trees: 5, min_leaf_rows: 3, ..Params::default() };
        let forest = fit(&columns, &target, &params);
        let mut raw = vec![0.0; classes];
        for i in 0..20 {
            let row: Vec<f64> = columns.iter().map(|column| column[i]).collect();
            let explanation = forest.explain(&row);
            forest.raw_into(&row, &mut raw);
            for (output, raw) in raw.iter().enumerate() {
                let sum = explanation.base[output] + explanation.shares[output * 5..][..5].iter().sum::<f64>();
                prop_assert!((sum - raw).abs() < 1e-9, "{sum} {raw}");
            }
        }
    }

    #[test]
    fn json_keeps_every_bit(seed in 0u64..1000, rounds in 0usize..6) {
        let (columns, target) = bumpy(100, seed);
        let forest = fit(&columns, &target, &Params { n_trees: rounds, ..Params::default() });
        prop_assert_eq!(Forest::from_json(&forest.to_json()).expect("own file"), forest);
    }

    #[test]
    fn more_rounds_never_fit_worse(seed in 0u64..1000) {
        let (columns, target) = bumpy(300, seed);
        let forest = fit(&columns, &target, &Params { n_trees: 10, ..Params::default() });
        let losses: Vec<f64> = (0..=10).map(|n| mse(&forest.truncated(n), &columns, &target)).collect();
        prop_assert!(losses.is_sorted_by(|a, b| *a >= b - 1e-9), "{losses:?}");
    }

    #[test]
    fn order_preserving_changes_of_a_column_change_no_prediction(seed in 0u64..1000) {
        let (columns, target) = bumpy(200, seed);
        let bent: Vec<Vec<f64>> = columns.iter().map(|c| c.iter().map(|x| x.powi(3)).collect()).collect();
        let params = Params { n_trees: 5, ..Params::default() };
        let (a, b) = (fit(&columns, &target, &params), fit(&bent, &target, &params));
        prop_assert_eq!(a.predict_columns(&columns), b.predict_columns(&bent));
    }
}
