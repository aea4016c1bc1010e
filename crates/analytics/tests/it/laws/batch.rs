//! Row by row and at once give the same, and order does not matter where it means nothing.

use analytics::detect::half_space::{self, HalfSpaceTrees};
use analytics::detect::isolation::IsolationForest;
use analytics::detect::levels::Levels;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::detect::quantile::TDigest;
use analytics::drift::compare_all;
use analytics::drift::mmd::discrepancy;
use analytics::forecast::{EtsForm, Noise as EtsNoise, Season, Trend, accuracy, ets_of};
use analytics::monitor::{Limits, Method, Monitor, Options, Rest, Track, Watch};
use analytics::quality::{Normal, T2Chart, gauge_study};
use analytics::rul::{HealthIndex, Run};
use analytics::stream::{AssetMonitor, Settings};
use analytics::trees::{Data, Params, train};
use analytics::vibration::levels;
use analytics::{Detector, Frame, findings};
use proptest::prelude::*;

use super::{Noise, wild};

fn bits(values: &[f64]) -> Vec<u64> {
    values.iter().map(|value| if value.is_nan() { 0 } else { value.to_bits() }).collect()
}

fn rows(frame: &Frame) -> Vec<Vec<f64>> {
    let mut row = Vec::new();
    (0..frame.n_rows())
        .map(|row_idx| {
            frame.copy_row(row_idx, &mut row);
            row.clone()
        })
        .collect()
}

/// What a detector says of a frame at once, row by row, and of its findings.
fn check<D: Detector + Clone>(mut detector: D, frame: &Frame) {
    let (mut alone, mut finder) = (detector.clone(), detector.clone());
    let mut at_once = Vec::new();
    detector.score(frame, &mut at_once);
    let mut one_by_one = Vec::new();
    for row in rows(frame) {
        one_by_one.push(alone.push(&row));
        let shares = alone.blame();
        let sum: f64 = shares.iter().sum();
        assert!(shares.iter().all(|share| *share >= 0.0), "{shares:?}");
        assert!(sum == 0.0 || (sum - 1.0).abs() < 1e-9, "{shares:?}");
    }
    assert_eq!(bits(&at_once), bits(&one_by_one));
    let found = findings(&mut finder, frame, 0.5);
    let is_in = |row: usize| found.iter().any(|finding| finding.rows.contains(&row));
    assert!((0..frame.n_rows()).all(|row| is_in(row) == (at_once[row] / 0.5 > 1.0)));
    assert!(found.windows(2).all(|pair| pair[0].rows.end < pair[1].rows.start));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn detectors_say_the_same_row_by_row(values in wild(0..300), seed in 0u64..99) {
        let training = Frame::from_rows(2, &Noise::normals(seed, 400));
        let frame = Frame::from_rows(2, &values);
        for lags in [0, 2] {
            let mut distance = Mahalanobis::new(lags, 0.1);
            check(distance.clone(), &frame);
            distance.fit(&training);
            check(distance, &frame);
        }
        let mut forest = IsolationForest::new(10, 32, seed);
        check(forest.clone(), &frame);
        forest.fit(&training);
        check(forest, &frame);
        let options = half_space::Options { trees: 5, depth: 5, window: 30, seed };
        check(HalfSpaceTrees::new(2, options), &frame);
        check(Levels::new(2, 0.1), &frame);
        let method = Method::Pca { lags: 1, components: 1 };
        let options = Options { method, shrinkage: 0.01, smoothing: 0.3 };
        let monitor = Monitor::fit(&training, options).expect("normal rows");
        check(Watch::new(monitor, Limits { t2: 9.0, spe: 3.0 }), &frame);
        let settings = Settings { learn_rows: 40, rows_per_false_alarm: 1e3, refit: true, seed };
        check(AssetMonitor::new(2, settings), &frame);
    }

    #[test]
    fn monitors_say_the_same_row_by_row(values in wild(0..200), seed in 0u64..99) {
        let training = Frame::from_rows(2, &Noise::normals(seed, 400));
        let frame = Frame::from_rows(2, &values);
        let cva = Method::Cva { past: 2, future: 2, states: 2, outputs: None, rest: Rest::Residual };
        for method in [Method::Pca { lags: 1, components: 2 }, cva] {
            let options = Options { method, shrinkage: 0.01, smoothing: 0.3 };
            let monitor = Monitor::fit(&training, options).expect("normal rows");
            let mut track = Track::default();
            for (point, row) in monitor.points(&frame).iter().zip(rows(&frame)) {
                match monitor.push(&mut track, &row) {
                    Some(alone) => prop_assert_eq!(alone, *point),
                    None => prop_assert!(point.t2.is_nan()),
                }
            }
        }
    }

    #[test]
    fn forests_say_the_same_row_by_row_and_do_not_mind_the_order(seed in 0u64..99) {
        let values = Noise::normals(seed, 900);
        let frame = Frame::from_rows(3, &values);
        let target: Vec<f64> = rows(&frame).iter().map(|row| row[0] - row[1] * row[2]).collect();
        let params = Params { n_trees: 5, min_leaf_rows: 5, ..Params::default() };
        let forest = train(&Data { columns: &frame.columns, target: &target, weights: None }, &params).expect("good");
        let at_once = forest.predict_columns(&frame.columns);
        let alone: Vec<f64> = rows(&frame).iter().map(|row| forest.predict(row)).collect();
        prop_assert_eq!(bits(&at_once), bits(&alone));
        let turned: Vec<Vec<f64>> = frame.columns.iter().map(|of| of.iter().rev().copied().collect()).collect();
        let backwards: Vec<f64> = target.iter().rev().copied().collect();
        let other = train(&Data { columns: &turned, target: &backwards, weights: None }, &params).expect("good");
        for (a, b) in at_once.iter().zip(other.predict_columns(&frame.columns)) {
            prop_assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    /// The smoothing of a series is the smoothing of its first part, pushed on.
    #[test]
    fn smoothing_goes_on_from_where_it_was_fitted(seed in 0u64..99) {
        let series: Vec<f64> = Noise::normals(seed, 60).iter().map(|x| 50.0 + x).collect();
        let form = EtsForm { noise: EtsNoise::Additive, trend: Trend::Damped, season: Season::Additive };
        let mut model = ets_of(&series[..40], 4, form).expect("long enough");
        let ahead = model.forecast(8);
        model.push(f64::NAN);
        prop_assert_eq!(&model.forecast(7)[..], &ahead[1..]);
        series[41..].iter().for_each(|x| model.push(*x));
        prop_assert!(accuracy::mae(&[50.0; 4], &model.forecast(4)) < 10.0);
    }

    /// Rows, parts, operators and machines have no order; figures differ by rounding only.
    #[test]
    fn tables_studies_and_fleets_do_not_mind_the_order(seed in 0u64..99) {
        let near = |a: f64, b: f64| (a - b).abs() <= 1e-7 * a.abs().max(1.0) || a.is_nan() && b.is_nan();
        let (old, new) = (Frame::from_rows(3, &Noise::normals(seed, 300)), Frame::from_rows(3, &Noise::normals(seed + 1, 240)));
        let turned = |frame: &Frame| {
            let columns = frame.columns.iter().map(|of| of.iter().rev().copied().collect()).collect();
            Frame { columns, ..frame.clone() }
        };
        let (one, other) = (compare_all(&old, &new, 0.05, 1), compare_all(&turned(&old), &turned(&new), 0.05, 1));
        prop_assert!(near(one.joint.p_value, other.joint.p_value) && near(one.joint.squared, other.joint.squared));
        for (a, b) in one.columns.iter().zip(&other.columns) {
            prop_assert_eq!((a.ks, a.psi, a.p_value, a.has_drifted), (b.ks, b.psi, b.p_value, b.has_drifted));
            prop_assert!(near(a.wasserstein, b.wasserstein));
        }
        let (a, b) = (discrepancy(&old, &new, 300, 0, 1), discrepancy(&turned(&old), &turned(&new), 300, 0, 1));
        prop_assert!(near(a.squared, b.squared), "{a:?} {b:?}");

        let limit_of = |frame: &Frame| T2Chart::new(Normal::fit(&frame.columns).expect("normal rows"), 0.01).distance(&[1.0, 2.0, 3.0]);
        prop_assert!(near(limit_of(&old), limit_of(&turned(&old))));

        let mut study: Vec<Vec<Vec<f64>>> =
            Noise::normals(seed, 24).chunks_exact(6).map(|part| part.chunks_exact(3).map(<[f64]>::to_vec).collect()).collect();
        let one = gauge_study(&study).expect("a full study");
        study.reverse();
        study.iter_mut().for_each(|part| part.reverse());
        study.iter_mut().flatten().for_each(|cell| cell.reverse());
        let other = gauge_study(&study).expect("a full study");
        prop_assert!(near(one.gauge.variance, other.gauge.variance) && near(one.parts.variance, other.parts.variance));

        let machine = |idx: u64| {
            let wear = Noise::normals(seed + idx, 80).iter().zip(0..).map(|(x, age)| x + f64::from(age * age) / 400.0).collect();
            Run { settings: vec![], sensors: vec![wear], has_failed: true }
        };
        let mut runs: Vec<Run> = (0..4).map(machine).collect();
        let young = machine(9).truncated(60);
        let one = HealthIndex::fit(&runs, 40.0).expect("four failures").outlook(&young);
        runs.reverse();
        let other = HealthIndex::fit(&runs, 40.0).expect("four failures").outlook(&young);
        prop_assert!(near(one.index, other.index) && one.rul == other.rul, "{one:?} {other:?}");
    }

    #[test]
    fn quantiles_and_levels_do_not_mind_the_order(mut values in prop::collection::vec(-1e3..1e3f64, 2..500)) {
        let both = |values: &[f64]| {
            let mut digest = TDigest::new(1000.0);
            values.iter().for_each(|value| digest.push(*value));
            (digest.value(0.5), levels(values).expect("finite").rms)
        };
        let one = both(&values);
        values.reverse();
        let other = both(&values);
        prop_assert!((one.0 - other.0).abs() < 60.0 && (one.1 - other.1).abs() < 1e-9, "{one:?} {other:?}");
    }
}
