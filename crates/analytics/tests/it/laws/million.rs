//! A million rows are no trouble: nothing grows without bound, nothing takes more than a moment.

use analytics::clean::{Aggregate, Fill, Redundant, Regimes, Rules, Track, align, fill};
use analytics::detect::adwin::Adwin;
use analytics::detect::budget::Budget;
use analytics::detect::conformal::{Conformal, EProcess};
use analytics::detect::cusum::Cusum;
use analytics::detect::ewma::RobustEwma;
use analytics::detect::half_space::{self, HalfSpaceTrees};
use analytics::detect::isolation::IsolationForest;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::detect::quantile::{P2, TDigest};
use analytics::detect::records::Records;
use analytics::detect::seasonal::SeasonalResidual;
use analytics::drift::change_points::{Change, pelt};
use analytics::drift::mmd::discrepancy;
use analytics::drift::online::OnlineChangePoints;
use analytics::drift::{compare, compare_all};
use analytics::forecast::{Adaptive, Ridge, accuracy, ets, intermittent, theta};
use analytics::monitor::{Method, Monitor, Options, Rest};
use analytics::quality::{self, Mewma, Normal, RuleChart, T2Chart, Tolerance, capability};
use analytics::stream::{AssetMonitor, Settings};
use analytics::vibration::{
    Candidate, Drift, DriftSettings, Plans, Search, Trend, TrendSettings, evidence, kurtogram,
    levels, spectrum, squared_envelope_spectrum,
};
use analytics::{Detector, Frame};

use super::Noise;

const N: usize = 1_000_000;

/// Text of a state that must be no longer after a million values than after a hundred thousand, give or take digits.
fn check_bounded<S: serde::Serialize>(
    mut state: S,
    values: &[f64],
    mut push: impl FnMut(&mut S, f64),
) {
    let size = |state: &S| serde_json::to_string(state).expect("serializes").len();
    values[..N / 10].iter().for_each(|x| push(&mut state, *x));
    let before = size(&state);
    values[N / 10..].iter().for_each(|x| push(&mut state, *x));
    let after = size(&state);
    assert!(after <= 2 * before + 1000, "{before} bytes became {after}");
}

#[test]
fn streams_stay_small() {
    let values = Noise::normals(1, N);
    let rules = Rules::default();
    let mut time_us = 0;
    check_bounded(Track::default(), &values, |d, x| {
        time_us += 1_000_000;
        d.judge(&rules, time_us, time_us, x);
    });
    check_bounded(Redundant::new(3, 1000, 1.0, 20.0), &values, |d, x| _ = d.push(&[x, 0.0, -x]));
    check_bounded(RobustEwma::new(0.01), &values, |d, x| _ = d.push(x));
    check_bounded(SeasonalResidual::new(24, 0.1), &values, |d, x| _ = d.push(3, x));
    check_bounded(Cusum::new(0.5, 5.0), &values, |d, x| _ = d.push(x));
    check_bounded(Adwin::new(0.002, 32), &values, |d, x| _ = d.push(x));
    check_bounded(Records::new(24), &values, |d, x| _ = d.push(x));
    check_bounded(EProcess::default(), &values, |d, x| _ = d.push((x.abs() / 7.0).min(1.0)));
    check_bounded(Budget::new(&values[..1000], 1e4, 3, 2.0), &values, |d, x| _ = d.push(x));
    check_bounded(RuleChart::new(quality::Rules::NELSON), &values, |d, x| _ = d.push(x));
    let options = half_space::Options { trees: 5, depth: 6, window: 250, seed: 1 };
    check_bounded(HalfSpaceTrees::new(1, options), &values, |d, x| _ = d.push(&[x]));
    check_bounded(OnlineChangePoints::new(1e4), &values, |d, x| _ = d.push(x));
    check_bounded(P2::new(0.9), &values, |d, x| d.push(x));
    check_bounded(TDigest::new(100.0), &values, |d, x| d.push(x));
    check_bounded(quality::Ewma::new(0.2, 2.962), &values, |d, x| _ = d.push(x));
    check_bounded(quality::Cusum::new(0.5, 5.0), &values, |d, x| _ = d.push(x));
    let normal = Normal::fit(&Frame::from_rows(2, &values).columns).expect("normal rows");
    check_bounded(Mewma::new(normal.clone(), 0.1, 8.64), &values, |d, x| _ = d.push(&[x, -x]));
    check_bounded(T2Chart::new(normal, 0.01), &values, |d, x| _ = d.signals(&[x, -x]));
    let settings = TrendSettings { learn: 9, window: 9, factor: 2.0 };
    check_bounded(Trend::new(settings), &values, |d, x| _ = d.push(&[x.abs()]));
    let settings = DriftSettings { run_in: 9, window: 9, limit: 3.0 };
    check_bounded(Drift::new(settings), &values, |d, x| _ = d.push(&[x.abs()]));
    let settings = Settings { learn_rows: 500, rows_per_false_alarm: 1e6, refit: true, seed: 1 };
    check_bounded(AssetMonitor::new(2, settings), &values, |d, x| _ = d.push(&[x, x * x], 0));
    let series: Vec<f64> = values[..60].iter().map(|x| 100.0 + x).collect();
    check_bounded(ets(&series, 4).expect("long enough"), &values, |d, x| d.push(100.0 + x));
    let interval = Adaptive::new(0.9, 500, 0.01).expect("good settings");
    check_bounded(interval, &values, |d, x| d.push(x));
}

#[test]
fn whole_tables_are_taken_at_once() {
    let values = Noise::normals(2, N);
    let frame = Frame::from_rows(2, &values);
    let (old, new) = (frame.rows(0..N / 4), frame.rows(N / 4..N / 2));
    assert!(compare(&old, &new, 0.001).iter().all(|drift| drift.p_value > 1e-6));
    let mut scores = Vec::new();
    let mut distance = Mahalanobis::new(1, 0.1);
    distance.fit(&frame);
    distance.score(&frame, &mut scores);
    let mut forest = IsolationForest::new(4, 256, 1);
    forest.fit(&frame);
    forest.score(&frame, &mut scores);
    assert_eq!(scores.len(), N);
    let method = Method::Pca { lags: 0, components: 1 };
    let options = Options { method, shrinkage: 0.0, smoothing: 1.0 };
    let points = Monitor::fit(&frame, options).expect("normal rows").points(&frame);
    let mean = points.iter().map(|point| point.t2).sum::<f64>() / points.len() as f64;
    assert!((mean - 1.0).abs() < 0.02, "{mean}");
    let cva = Method::Cva { past: 2, future: 2, states: 2, outputs: None, rest: Rest::Residual };
    for method in [Method::Pca { lags: 1, components: 2 }, cva] {
        let options = Options { method, shrinkage: 0.0, smoothing: 1.0 };
        let points = Monitor::fit(&frame, options).expect("normal rows").points(&frame);
        let known = || points.iter().map(|point| point.t2).filter(|t2| !t2.is_nan());
        let mean = known().sum::<f64>() / known().count() as f64;
        assert!((mean - 2.0).abs() < 0.05, "two independent directions: {mean}");
    }
    assert_eq!(Conformal::new(&values).p_value(100.0), 1.0 / (N as f64 + 1.0));
    assert_eq!(Regimes::learn(&values, 3).n_states(), 1);
    assert!(pelt(&values, Change::Mean, 3.0, 10).is_empty());
    assert!(pelt(&values, Change::MeanAndVariance, 3.0, 10).is_empty());
    let mut restless = values.clone();
    restless[N / 3..N / 3 + 200].iter_mut().for_each(|x| *x *= 4.0);
    let found = pelt(&restless, Change::MeanAndVariance, 3.0, 10);
    assert!(found.len() == 2 && found[0].abs_diff(N / 3) < 20, "{found:?}");
    assert!(found[1].abs_diff(N / 3 + 200) < 20, "{found:?}");
    let drift = compare_all(&old, &new, 0.001, 1);
    assert!(drift.joint.p_value > 1e-6 && !drift.joint_has_drifted, "{:?}", drift.joint);
    assert!(discrepancy(&old, &new, 200, 20, 1).p_value > 0.04);
}

#[test]
fn long_series_are_filled_aligned_and_continued() {
    let mut values = Noise::normals(3, N);
    values.iter_mut().step_by(7).for_each(|x| *x = f64::NAN);
    for how in [Fill::Hold, Fill::Linear, Fill::Seasonal { period: 100 }] {
        let mut filled = values.clone();
        fill(&mut filled, how, 1);
        assert!(filled[1..N - 1].iter().all(|x| x.is_finite()));
    }
    let times: Vec<i64> = (0..N as i64).collect();
    assert_eq!(align(&[(&times, &values)], 0, N as i64, 10, Aggregate::Mean).n_rows(), N / 10);
    let ahead = theta(&values, 1, 3).expect("long enough");
    assert!(ahead.iter().all(|x| x.abs() < 0.5), "{ahead:?}");
    let ridge = Ridge::fit(&[&values], 4, 2, 0.01).expect("whole windows");
    assert_eq!(ridge.horizon(), 2);
    assert!(accuracy::mae(&values, &vec![0.0; N]) < 1.0);
    assert!(intermittent::croston(&values, 0.1).is_finite());
    assert!(intermittent::sba(&values, 0.1).is_finite());
    assert!(intermittent::tsb(&values, 0.1, 0.1).is_finite());
    assert!(intermittent::adida(&values, 0.1).is_finite());
}

#[test]
fn long_records_are_analyzed() {
    let values = Noise::normals(4, N);
    let found = levels(&values).expect("finite");
    assert!((found.rms - 1.0).abs() < 0.01);
    let found = spectrum(&mut Plans::default(), &values, 1000.0).expect("finite");
    assert!(found.amplitudes.len() >= N / 2);
    let plans = &mut Plans::default();
    let envelope = squared_envelope_spectrum(plans, &values, 1000.0, (100.0, 200.0));
    assert!(envelope.expect("finite").amplitudes.iter().all(|x| x.is_finite()));
    let bands = kurtogram(plans, &values, 1000.0, 5).expect("finite");
    assert!(bands[0].kurtosis < 0.1, "noise has no impulsive band: {:?}", bands[0]);
    let part = [Candidate { name: "part".into(), order: 3.58 }];
    let found = evidence(plans, &values, 1000.0, &part, &Search::at(10.0)).expect("finite");
    assert!(found.iter().all(|finding| finding.score < 4.0), "{found:?}");
    let tolerance = Tolerance { low: Some(-3.0), high: Some(3.0) };
    let found = capability(&values, tolerance, 0.95).expect("finite");
    assert!((found.ppk.value - 1.0).abs() < 0.01, "{}", found.ppk.value);
}
