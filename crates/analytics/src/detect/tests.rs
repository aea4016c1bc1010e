use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};

use super::adwin::Adwin;
use super::budget::{Budget, Call};
use super::conformal::{Conformal, EProcess};
use super::cusum::Cusum;
use super::ewma::RobustEwma;
use super::half_space::{HalfSpaceTrees, Options};
use super::isolation::IsolationForest;
use super::levels::Levels;
use super::mahalanobis::Mahalanobis;
use super::quantile::{P2, TDigest};
use super::seasonal::SeasonalResidual;
use super::{cusum, fuse};
use crate::monitor::{self, Method, Monitor, Watch, blocked_limits};
use crate::stream::{AssetMonitor, Settings};
use crate::testing::{Noise, wild};
use crate::{Detector, Frame, findings};

fn normals(seed: u64, n: usize) -> Vec<f64> {
    Noise::normals(seed, n)
}

/// Whatever comes, nothing panics, and one that was saved halfway goes on as if it never stopped.
fn check_restores<D: Serialize + DeserializeOwned>(
    mut detector: D,
    values: &[f64],
    push: impl Fn(&mut D, f64) -> f64,
) {
    let (before, after) = values.split_at(values.len() / 2);
    for value in before {
        push(&mut detector, *value);
    }
    let text = serde_json::to_string(&detector).expect("serializes");
    let mut restored: D = serde_json::from_str(&text).expect("parses");
    for value in after {
        let (a, b) = (push(&mut detector, *value), push(&mut restored, *value));
        assert_eq!(a.to_bits(), b.to_bits(), "{a} {b}");
    }
}

fn small_trees() -> HalfSpaceTrees {
    HalfSpaceTrees::new(1, Options { trees: 5, depth: 4, window: 20, seed: 1 })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_values_are_survived_and_saving_changes_nothing(values in wild(0..300)) {
        check_restores(RobustEwma::new(0.1), &values, RobustEwma::push);
        check_restores(SeasonalResidual::new(3, 0.1), &values, |d, x| d.push(x as usize, x));
        check_restores(small_trees(), &values, |d, x| d.push(&[x]));
        check_restores(EProcess::default(), &values, |d, x| d.push(x.abs() % 1.0));
        let mut fitted = Mahalanobis::new(2, 0.1);
        fitted.fit(&Frame::from_rows(1, &values));
        check_restores(fitted, &values, |d, x| d.push(&[x]));
        check_restores(Cusum::new(0.5, 5.0), &values, |d, x| { d.push(x); d.sums().0 + d.sums().1 });
        check_restores(Conformal::new(&values), &values, |d, x| d.p_value(x));
        check_restores(Adwin::new(0.01, 1), &values, |d, x| { d.push(x); d.variance() });
        check_restores(P2::new(0.9), &values, |d, x| { d.push(x); d.value() });
        check_restores(TDigest::new(50.0), &values, |d, x| { d.push(x); d.value(0.3) });
        let mut forest = IsolationForest::new(5, 16, 1);
        forest.fit(&Frame::from_rows(1, &values));
        check_restores(forest, &values, |d, x| d.push(&[x]));
        check_restores(Budget::new(&values, 100.0, 3, 2.0), &values, |d, x| {
            let is_quiet = d.push(x) == Call::Quiet;
            if is_quiet { d.limit() } else { -1.0 }
        });
    }

    /// Levels and quantiles stay finite and among the values, whatever has come.
    #[test]
    fn what_is_said_of_any_values_is_a_number(values in wild(1..300)) {
        let (mut ewma, mut day) = (RobustEwma::new(0.1), SeasonalResidual::new(3, 0.1));
        let (mut adwin, mut p2, mut digest) = (Adwin::new(0.01, 1), P2::new(0.3), TDigest::new(50.0));
        let (mut process, mut cusum) = (EProcess::default(), Cusum::new(0.5, 5.0));
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for (n, &value) in values.iter().enumerate() {
            ewma.push(value);
            day.push(n, value);
            adwin.push(value);
            p2.push(value);
            digest.push(value);
            prop_assert!(process.push(value).is_finite());
            cusum.push(value);
            prop_assert!(cusum.sums().0 <= 5.0 && cusum.sums().1 <= 5.0, "{:?}", cusum.sums());
            if value.is_finite() {
                let believed = value.clamp(-1e300, 1e300);
                (low, high) = (low.min(believed), high.max(believed));
                prop_assert!(ewma.sigma().is_finite() && ewma.level().is_finite(), "{ewma:?}");
                prop_assert!(day.usual(n).is_finite());
                for said in [p2.value(), digest.value(0.3), digest.value(0.99)] {
                    prop_assert!(low <= said && said <= high, "{low} {said} {high}");
                }
            }
            prop_assert!(adwin.width() == 0 || (adwin.mean().is_finite() && adwin.variance() >= 0.0));
        }
    }

    #[test]
    fn a_digest_is_ordered_and_inside(values in prop::collection::vec(-1e6..1e6, 1..2000)) {
        let mut digest = TDigest::new(100.0);
        values.iter().for_each(|value| digest.push(*value));
        let quantiles: Vec<f64> = (0..=20).map(|n| digest.value(f64::from(n) / 20.0)).collect();
        // Means of nearly equal values may differ in their last digit.
        prop_assert!(quantiles.windows(2).all(|pair| pair[0] <= pair[1] + 1e-9), "{quantiles:?}");
        prop_assert_eq!(quantiles[0], values.iter().copied().fold(f64::MAX, f64::min));
        prop_assert_eq!(digest.count(), values.len() as f64);
    }
}

#[test]
fn quantiles_of_a_million_values_are_close() {
    let values = normals(1, 1_000_000);
    let (mut p2, mut digest) = (P2::new(0.99), TDigest::new(100.0));
    let mut parts = [TDigest::new(100.0), TDigest::new(100.0)];
    for (n, value) in values.iter().enumerate() {
        p2.push(*value);
        digest.push(*value);
        parts[n % 2].push(*value);
    }
    let [mut merged, other] = parts;
    merged.merge(&other);
    for (name, value) in
        [("p2", p2.value()), ("digest", digest.value(0.99)), ("merged", merged.value(0.99))]
    {
        assert!((value - 2.3263).abs() < 0.02, "{name} {value}");
    }
    let tail = digest.value(0.9999);
    assert!((tail - 3.719).abs() < 0.12, "{tail}");
}

/// Mean run lengths of Montgomery (2013), table 9.3: 465 without a shift, 10.4 with one of one standard deviation.
#[test]
fn cusum_runs_as_long_as_the_table_says() {
    let mean_run = |shift: f64, n_runs: usize| {
        let mut noise = Noise::new(7);
        let mut cusum = Cusum::new(0.5, 5.0);
        let (mut n, mut alarms) = (0.0, 0);
        while alarms < n_runs {
            n += 1.0;
            alarms += usize::from(cusum.push(noise.normal() + shift).is_some());
        }
        n / n_runs as f64
    };
    let (calm, shifted) = (mean_run(0.0, 3000), mean_run(1.0, 3000));
    assert!((calm / 465.0 - 1.0).abs() < 0.06, "{calm}");
    assert!((shifted / 10.4 - 1.0).abs() < 0.05, "{shifted}");
    assert_eq!(Cusum::new(0.5, 1.0).push(-9.0), Some(cusum::Shift::Down));
}

#[test]
fn adwin_keeps_what_is_alike_and_forgets_what_changed() {
    let mut adwin = Adwin::new(0.002, 8);
    let cuts = normals(2, 20_000).iter().filter(|value| adwin.push(**value)).count();
    assert!(cuts <= 2, "{cuts} false cuts");
    let found = normals(3, 500).iter().position(|value| adwin.push(value + 1.0));
    assert!(found.is_some_and(|delay| delay < 200), "{found:?}");
    for value in normals(4, 2000) {
        adwin.push(value + 1.0);
    }
    assert!((adwin.mean() - 1.0).abs() < 0.1 && (adwin.variance() - 1.0).abs() < 0.15);
}

#[test]
fn what_lies_alone_scores_higher_than_what_is_usual() {
    let values = normals(5, 4000);
    let mut trees = HalfSpaceTrees::new(4, Options::default());
    for row in values.chunks_exact(4) {
        trees.push(row);
    }
    let mut forest = IsolationForest::new(100, 256, 1);
    let frame = Frame::from_rows(4, &values);
    forest.fit(&frame);
    let mut distance = Mahalanobis::new(0, 0.0);
    distance.fit(&frame);
    let (usual, odd) = ([0.1, 0.0, -0.1, 0.2], [4.0, -4.0, 4.0, -4.0]);
    assert!(trees.clone().push(&usual) + 0.2 < trees.push(&odd));
    assert!(forest.score_row(&usual) + 0.2 < forest.score_row(&odd));
    assert!(distance.push(&usual) < 0.1 && distance.push(&odd) > 10.0);
    let mut scores = Vec::new();
    distance.score(&frame, &mut scores);
    let mean = scores.iter().sum::<f64>() / 1000.0;
    assert!(
        (mean - 1.0).abs() < 0.01,
        "by construction the mean of the training rows is 1: {mean}"
    );
}

/// A depth of 0 used to end in a division into chunks of nothing.
#[test]
fn trees_of_no_size_are_as_small_as_can_be() {
    let none = Options { trees: 0, depth: 0, window: 0, seed: 1 };
    let mut trees = HalfSpaceTrees::new(1, none);
    assert!(trees.push(&[1.0]).is_nan());
    assert!((0..9).all(|_| (0.0..=1.0).contains(&trees.push(&[1.0]))));
    let mut trees = HalfSpaceTrees::with_ranges(&[(0.0, 1.0)], none);
    assert!(trees.push(&[0.2]).is_nan() && trees.push(&[0.2]) <= 1.0);
}

#[test]
fn ranks_do_not_see_the_scale() {
    let values = normals(6, 100);
    let stretched: Vec<f64> = values.iter().map(|value| value.exp()).collect();
    assert_eq!(fuse::ranks(&values), fuse::ranks(&stretched));
    assert!(fuse::mean_rank(&[]).is_empty());
    assert_eq!(fuse::ranks(&[1.0, f64::NAN, 1.0])[0], 0.5);
}

#[test]
fn p_values_are_uniform_and_the_e_process_keeps_its_promise() {
    let normal = Conformal::new(&normals(8, 20_000));
    let (mut process, mut alarms, mut small) = (EProcess::default(), 0, 0);
    let n = 200_000;
    for value in normals(9, n) {
        let p_value = normal.p_value(value);
        small += usize::from(p_value <= 0.01);
        if process.push(p_value) >= 1000f64.ln() {
            alarms += 1;
            process.reset();
        }
    }
    assert!((small as f64 / n as f64 / 0.01 - 1.0).abs() < 0.15, "{small}");
    assert!(alarms <= n / 1000, "{alarms}");
}

/// It used to answer with NaN for ever after, so that whatever it watched was never odd again.
#[test]
fn the_largest_numbers_do_not_blind_an_average() {
    let mut ewma = RobustEwma::new(0.1);
    [1e308, -1e308, 1.0].iter().for_each(|value| _ = ewma.push(*value));
    (0..9000).for_each(|n| _ = ewma.push(f64::from(n % 3)));
    assert!(ewma.push(1e6) > 1e3, "{ewma:?}");
}

/// Limits that are not above 0, or that infinite scores led to, used to end in a panic.
#[test]
fn a_budget_on_odd_scores_keeps_its_limit() {
    let infinite = f64::INFINITY;
    for scores in [vec![-30.0, -29.5, -29.0], vec![infinite; 30], vec![0.0; 30], vec![]] {
        let mut budget = Budget::new(&scores, 100.0, 3, 2.0);
        let limit = budget.limit();
        (0..50).for_each(|_| _ = budget.push(-9.0));
        assert!(budget.limit() == limit && !limit.is_nan(), "{scores:?}: {limit}");
    }
}

/// Also where neighboring rows are alike, episodes come as often as was asked for.
#[test]
fn a_budget_is_kept_on_any_noise() {
    for memory in [0.0, 0.7, 0.95] {
        let mut noise = Noise::new(10);
        let mut state = 0.0;
        let mut next = || {
            state = memory * state + noise.normal();
            f64::powi(state, 2)
        };
        let training: Vec<f64> = (0..1000).map(|_| next()).collect();
        let mut budget = Budget::new(&training, 2000.0, 20, 3.0);
        let n = 400_000;
        let episodes = (0..n).filter(|_| budget.push(next()) == Call::Begins).count();
        let ratio = episodes as f64 / (f64::from(n) / 2000.0);
        assert!((0.6..1.6).contains(&ratio), "memory {memory}: {ratio}");
    }
}

/// Four sensors follow one load; from row 700 on the third does not.
#[test]
fn every_detector_blames_the_sensor_that_left_the_others() {
    let mut noise = Noise::new(11);
    let mut values = Vec::new();
    for row in 0..760 {
        let load = noise.normal();
        for sensor in 0..4 {
            let away = if row >= 700 && sensor == 2 { 9.0 } else { 0.0 };
            values.push(load + 0.3 * noise.normal() + away);
        }
    }
    let frame = Frame::from_rows(4, &values);
    let (normal, rest) = (frame.rows(0..600), frame.rows(600..760));
    let mut distance = Mahalanobis::new(1, 0.01);
    distance.fit(&normal);
    let mut forest = IsolationForest::new(100, 256, 1);
    forest.fit(&normal);
    let mut trees = HalfSpaceTrees::new(4, Options::default());
    let mut levels = Levels::new(4, 0.01);
    let settings = Settings { learn_rows: 300, rows_per_false_alarm: 1e4, refit: false, seed: 1 };
    let mut asset = AssetMonitor::new(4, settings);
    let options = monitor::Options {
        method: Method::Pca { lags: 0, components: 1 },
        shrinkage: 0.0,
        smoothing: 0.5,
    };
    let limits = blocked_limits(&normal, options, 5, [1e-3; 2], 0.9).expect("normal rows");
    let mut watch = Watch::new(Monitor::fit(&normal, options).expect("normal rows"), limits);
    for learner in [&mut trees as &mut dyn Detector, &mut levels, &mut asset] {
        learner.score(&normal, &mut Vec::new());
    }
    let all: [(&mut dyn Detector, f64); 6] = [
        (&mut distance, 5.0),
        (&mut forest, 0.6),
        (&mut trees, 0.7),
        (&mut levels, 5.0),
        (&mut asset, 1.0),
        (&mut watch, 1.0),
    ];
    for (number, (detector, limit)) in all.into_iter().enumerate() {
        // High and low loads may be odd to those that know no relations.
        let found = findings(detector, &rest, limit);
        let finding = found.iter().find(|finding| finding.rows.end > 101);
        let finding = finding.unwrap_or_else(|| panic!("detector {number} finds nothing"));
        assert!((100..120).contains(&finding.rows.start), "{number}: {finding:?}");
        assert_eq!(finding.began_us, rest.times_us[finding.rows.start], "{number}");
        assert_eq!(finding.columns[0].0, 2, "{number}: {finding:?}");
    }
}
