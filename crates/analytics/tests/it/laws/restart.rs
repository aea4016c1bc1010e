//! Saved to text and read again, everything that has a memory goes on as if it had never stopped, whatever it has seen.

use std::fmt::Debug;
use std::sync::OnceLock;

use analytics::alarm::{Chatter, Flood, Input, Limit, LimitSpec, Machine};
use analytics::clean::{self, Redundant, Regimes, Rules};
use analytics::detect::adwin::Adwin;
use analytics::detect::budget::Budget;
use analytics::detect::conformal::{Conformal, EProcess};
use analytics::detect::cusum::Cusum;
use analytics::detect::ewma::RobustEwma;
use analytics::detect::half_space::{self, HalfSpaceTrees};
use analytics::detect::isolation::IsolationForest;
use analytics::detect::levels::Levels;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::detect::quantile::{P2, TDigest};
use analytics::detect::records::Records;
use analytics::detect::seasonal::SeasonalResidual;
use analytics::drift::online::OnlineChangePoints;
use analytics::forecast::{Adaptive, Lagged, Lags, Ridge, ets};
use analytics::monitor::faults::{FaultBook, FaultTrack};
use analytics::monitor::{
    Limits, Method, Monitor, Options, Relation, Track, Watch, blocked_limits,
};
use analytics::profile::Stream;
use analytics::quality::{self, Mewma, Normal, RuleChart, T2Chart, predict};
use analytics::rul::{self, HealthIndex, Run};
use analytics::stream::{AssetMonitor, Settings};
use analytics::trees::Params;
use analytics::vibration::{Drift, DriftSettings, Trend, TrendSettings};
use analytics::{Detector, Frame};
use proptest::prelude::*;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Noise, wild, wild_value};

/// The text of a state, and what is read from it, which has the same text.
fn restored<S: Serialize + DeserializeOwned>(state: &S) -> S {
    let text = serde_json::to_string(state).expect("serializes");
    let restored = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(serde_json::to_string(&restored).expect("serializes"), text);
    restored
}

/// `step` must say the same of each value, whether the machine was restarted before value `stop` or not.
fn check<S, T>(mut state: S, values: &[f64], stop: usize, mut step: impl FnMut(&mut S, f64) -> T)
where
    S: Serialize + DeserializeOwned,
    T: Debug,
{
    let (before, after) = values.split_at(stop.min(values.len() / 2));
    before.iter().for_each(|value| _ = step(&mut state, *value));
    let mut other = restored(&state);
    for (i, value) in after.iter().enumerate() {
        let said = step(&mut state, *value);
        assert_eq!(format!("{:?}", step(&mut other, *value)), format!("{said:?}"), "value {i}");
    }
}

/// Two faults of two columns, learned once: it takes a while.
fn book() -> &'static FaultBook {
    static BOOK: OnceLock<FaultBook> = OnceLock::new();
    BOOK.get_or_init(|| {
        let normal = Frame::from_rows(2, &Noise::normals(1, 400));
        let run = |shift: f64| {
            let values: Vec<f64> = Noise::normals(2, 240).iter().map(|x| x + shift).collect();
            Frame::from_rows(2, &values)
        };
        FaultBook::learn(&normal, &[run(3.0), run(-3.0)], 1).expect("two runs of 120 rows")
    })
}

/// Twelve machines with one setting and two sensors, all but the last of which failed.
fn fleet(seed: u64) -> Vec<Run> {
    let mut noise = Noise::new(seed);
    let machine = |idx: usize| {
        let ages = (0..60 + idx).map(|age| age as f64);
        let sensors = ages.clone().map(|age| age * age / 900.0 + noise.normal()).collect();
        let settings = vec![ages.clone().map(|age| age % 2.0).collect()];
        Run { settings, sensors: vec![sensors, ages.collect()], has_failed: idx < 11 }
    };
    (0..12).map(machine).collect()
}

fn model() -> &'static rul::Model {
    static MODEL: OnceLock<rul::Model> = OnceLock::new();
    let params = rul::Params { cap: 40.0, n_trees: 5, n_folds: 2, ..rul::Params::default() };
    MODEL.get_or_init(|| rul::train(&fleet(1), &params).expect("eleven failures"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn detectors_of_one_signal_go_on(values in wild(1..160), stop in 0usize..80) {
        check(RobustEwma::new(0.1), &values, stop, |d, x| (d.push(x), d.level(), d.sigma()));
        check(SeasonalResidual::new(3, 0.1), &values, stop, |d, x| (d.push(1, x), d.usual(1)));
        check(Cusum::new(0.5, 5.0), &values, stop, |d, x| (d.push(x), d.sums()));
        check(Cusum::new(0.5, f64::INFINITY), &values, stop, |d, x| (d.push(x), d.sums()));
        check(Adwin::new(0.01, 1), &values, stop, |d, x| (d.push(x), d.mean(), d.variance()));
        check(P2::new(0.9), &values, stop, |d, x| { d.push(x); d.value() });
        check(TDigest::new(50.0), &values, stop, |d, x| { d.push(x); d.value(0.3) });
        check(EProcess::default(), &values, stop, |d, x| d.push(x));
        check(Conformal::new(&values), &values, stop, |d, x| d.p_value(x));
        check(Budget::new(&values, 100.0, 3, 2.0), &values, stop, |d, x| (d.push(x), d.limit()));
        check(Budget::new(&[], 100.0, 3, 2.0), &values, stop, |d, x| (d.push(x), d.limit()));
        check(Records::new(24), &values, stop, |d, x| d.push(x));
        check(Records::new(3), &values.repeat(3), 2 * stop, |d, x| d.push(x));
        check(OnlineChangePoints::new(50.0), &values, stop, |d, x| (d.push(x), d.probability_within(5)));
        check(Stream::new(4, 60).expect("good settings"), &values, stop, |d, x| d.push(x));
        check(Regimes::learn(&values, 2), &values, stop, |d, x| d.push(x));
        check((clean::Track::default(), 0), &values, stop, |(d, time_us), x| {
            *time_us += 1_000;
            d.judge(&Rules::default(), *time_us, *time_us, x)
        });
    }

    #[test]
    fn charts_alarms_and_trends_go_on(values in wild(1..160), stop in 0usize..80, seed in 0u64..99) {
        check(RuleChart::new(quality::Rules::NELSON), &values, stop, |d, x| d.push(x));
        check(quality::Ewma::new(0.2, 2.5), &values, stop, |d, x| (d.push(x), d.average()));
        check(quality::Cusum::new(0.5, 4.0), &values, stop, |d, x| (d.push(x), d.sums()));
        let columns = Frame::from_rows(2, &Noise::normals(seed, 300)).columns;
        let normal = Normal::fit(&columns).expect("normal rows");
        check(T2Chart::new(normal.clone(), 0.01), &values, stop, |d, x| (d.distance(&[x, 0.1]), d.signals(&[x, 0.1])));
        check(Mewma::new(normal, 0.2, 9.0), &values, stop, |d, x| d.push(&[x, 0.1]));
        let settings = TrendSettings { learn: 3, window: 3, factor: 2.0 };
        check(Trend::new(settings), &values, stop, |d, x| (d.push(&[x, 1.0]), d.is_alarm()));
        let settings = DriftSettings { run_in: 6, window: 3, limit: 1.0 };
        check(Drift::new(settings), &values, stop, |d, x| (d.push(&[x, 1.0]), d.is_alarm()));
        let spec = LimitSpec { above: Some(1.0), deadband: 0.5, on_delay_us: 2, ..LimitSpec::default() };
        check((Limit::new(spec), 0), &values, stop, |(d, time_us), x| {
            *time_us += 1;
            d.update(*time_us, x)
        });
        check(Machine::new(seed % 2 == 0), &values, stop, |d, x| d.apply(0, match x {
            x if x > 1.0 => Input::Condition(true),
            x if x < 0.0 => Input::Condition(false),
            x if x.is_nan() => Input::Ack,
            _ => Input::Reset,
        }));
        check(Flood::default(), &values, stop, |d, x| d.ring((x.abs() % 1e4 * 1e6) as i64));
        check(Chatter::default(), &values, stop, |d, x| d.ring((x.abs() % 1e4 * 1e6) as i64));
    }

    #[test]
    fn detectors_of_several_signals_go_on(values in wild(1..160), stop in 0usize..80, seed in 0u64..99) {
        let normals = Noise::normals(seed, 300);
        let options = half_space::Options { trees: 4, depth: 4, window: 20, seed };
        check(HalfSpaceTrees::new(2, options), &values, stop, |d, x| (d.push(&[x, 1.0]), d.blame()));
        check(Levels::new(2, 0.1), &values, stop, |d, x| (d.push(&[x, 1.0]), d.blame()));
        check(Redundant::new(3, 20, 0.5, 4.0), &values, stop, |d, x| d.push(&[x, 1.0, 0.5 * x]).to_vec());
        let settings = Settings { learn_rows: 30, rows_per_false_alarm: 100.0, refit: true, seed };
        check(AssetMonitor::new(2, settings), &values, stop, |d, x| (d.push(&[x, 1.0 + x], 0), d.contributions().to_vec()));
        let never = Settings { rows_per_false_alarm: f64::INFINITY, refit: false, ..settings };
        check(AssetMonitor::new(2, never), &values, stop, |d, x| d.push(&[x, 1.0 + x], 0));
        for frame in [Frame::from_rows(2, &normals), Frame::from_rows(2, &values)] {
            let mut distance = Mahalanobis::new(1, 0.1);
            distance.fit(&frame);
            check(distance, &values, stop, |d, x| (d.push(&[x, 0.5]), d.blame()));
            let mut forest = IsolationForest::new(4, 32, seed);
            forest.fit(&frame);
            check(forest, &values, stop, |d, x| (d.push(&[x, 0.5]), d.blame()));
            if let Ok(relation) = Relation::learn(&frame, 1, 0.1) {
                check((relation, Vec::new()), &values, stop, |(relation, window), x| {
                    window.iter_mut().filter(|z| f64::is_nan(**z)).for_each(|z| *z = 0.0);
                    let mut residuals = [0.0; 2];
                    relation.push(window, &[x, 0.5], &mut residuals);
                    residuals
                });
            }
            let method = Method::Pca { lags: 1, components: 2 };
            let options = Options { method, shrinkage: 0.1, smoothing: 0.3 };
            if let Ok(monitor) = Monitor::fit(&frame, options) {
                let watch = Watch::new(monitor.clone(), Limits { t2: 9.0, spe: f64::INFINITY });
                check(watch, &values, stop, |d, x| (d.push(&[x, 0.5]), d.blame()));
                check((monitor, Track::default()), &values, stop, |(monitor, track), x| monitor.push(track, &[x, 0.5]));
            }
            if let Ok(limits) = blocked_limits(&frame, options, 3, [0.0, 0.01], 0.9) {
                prop_assert_eq!(limits.t2, f64::INFINITY); // nothing is spent on it
                check(limits, &values, stop, |d, x| d.are_passed(analytics::monitor::Point { t2: x, spe: x }));
            }
        }
        check(Limits { t2: f64::INFINITY, spe: f64::NAN }, &values, stop, |d, _| *d);
        check(FaultTrack::default(), &values, stop, |d, x| format!("{:?}", book().push(d, &[x, 0.5])));
    }

    #[test]
    fn forecasts_go_on(values in wild(1..160), stop in 0usize..80, seed in 0u64..99) {
        let series: Vec<f64> = Noise::normals(seed, 40).iter().map(|x| 20.0 + x).collect();
        let ridge = Ridge::fit(&[&series], 4, 3, 0.1).expect("long enough");
        check(ridge, &values, stop, |d, x| format!("{:?}", d.predict(&[x, 1.0, 2.0, 3.0])));
        check(ets(&series, 4).expect("long enough"), &values, stop, |d, x| {
            d.push(x);
            let ahead = d.forecast(3);
            assert!(ahead.iter().all(|x| x.is_finite()), "{ahead:?}");
            ahead
        });
        check(Adaptive::new(0.8, 20, 0.05).expect("good settings"), &values, stop, |d, x| {
            d.push(x);
            d.half_width()
        });
    }

    #[test]
    fn trees_on_lags_are_saved(values in wild(40..80), season in 1usize..5) {
        let lags = Lags { lags: vec![season], means: vec![(2, 3)], medians: vec![(1, 4)] };
        let params = Params { n_trees: 3, min_leaf_rows: 3, ..Params::default() };
        if let Ok(model) = Lagged::fit(&values, &[], lags, &params) {
            let said = format!("{:?}", model.predict(&values, &[], 1));
            prop_assert_eq!(format!("{:?}", restored(&model).predict(&values, &[], 1)), said);
        }
        if let Ok(model) = Ridge::fit(&[&values], 2, 2, 0.1) {
            restored(&model);
        }
    }

    #[test]
    fn settings_are_saved(above in wild_value(), below in wild_value()) {
        restored(&LimitSpec { above: Some(above), below: Some(below), ..LimitSpec::default() });
        let rules = Rules { range: Some((below, above)), max_rate_per_s: Some(above), ..Rules::default() };
        restored(&rules);
    }

    #[test]
    fn lives_go_on(values in wild(1..120), stop in 0usize..60) {
        check(model().tracker(), &values, stop, |d, x| {
            model().push(d, &[x], &[x, 7.0]);
            model().estimate(d)
        });
    }
}

/// Models that could not be saved at all, learned from wild records.
#[test]
fn predictors_and_health_indices_are_saved() {
    let mut runs = fleet(2);
    for (idx, value) in [f64::INFINITY, f64::NAN, -1e308, 1e308, 5e-324].into_iter().enumerate() {
        runs[idx].sensors[0][40 + idx] = value;
    }
    let index = HealthIndex::fit(&runs, 30.0).expect("eleven failures");
    assert_eq!(restored(&index), index);
    let (tame, other) = (&fleet(3)[11], &runs[0]);
    for run in [tame, other] {
        let said = format!("{:?}", index.outlook(run));
        assert_eq!(format!("{:?}", restored(&index).outlook(run)), said);
    }

    let heat = Noise::normals(3, 200);
    let torn: Vec<f64> = heat.iter().map(|x| f64::from(u8::from(*x > 1.0))).collect();
    let groups: Vec<u64> = (0..200).collect();
    let params = Params { n_trees: 3, n_leaves: 4, ..Params::default() };
    // A miss costs nothing: no threshold is worth it.
    let costs = predict::Costs { miss: 0.0, false_alarm: 1.0 };
    let predictor = predict::train(&[heat], &torn, &groups, costs, 2, &params).expect("good parts");
    assert_eq!(predictor.threshold, f64::INFINITY);
    assert_eq!(restored(&predictor), predictor);
}
