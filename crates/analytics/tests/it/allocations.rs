//! A detector that is warm judges every event without asking for memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use analytics::Detector;
use analytics::Frame;
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
use analytics::forecast::{Adaptive, ets};
use analytics::monitor::faults::{FaultBook, FaultTrack};
use analytics::monitor::{Limits, Method, Monitor, Options, Relation, Track, Watch};
use analytics::profile::Stream;
use analytics::quality::{self, Mewma, Normal, RuleChart, T2Chart};
use analytics::rul::{self, Run};
use analytics::stream::{AssetMonitor, Settings};
use analytics::vibration::{Drift, DriftSettings, Trend, TrendSettings};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::testing::Noise;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[allow(unsafe_code, reason = "an allocator can only be counted from inside")]
// SAFETY: every call is handed on unchanged to the system's allocator; the counter itself never allocates.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        COUNT.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller keeps the contract of `alloc`, which is the system's own.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `alloc` above, hence from the system.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn check_allocates_nothing(what: &str, events: impl FnOnce()) {
    let before = COUNT.with(Cell::get);
    events();
    assert_eq!(COUNT.with(Cell::get) - before, 0, "{what}");
}

/// Eight sensors that follow one load; no random numbers are needed for this.
fn row(n: u32) -> [f64; 8] {
    let load = f64::from(n * 7 % 100) / 10.0;
    std::array::from_fn(|k| load * (k as f64 - 3.0) + f64::from((n * (k as u32 + 3)) % 11))
}

#[test]
fn a_warm_monitor_judges_without_allocation() {
    for refit in [false, true] {
        let settings = Settings { learn_rows: 400, rows_per_false_alarm: 86_400.0, refit, seed: 1 };
        let mut monitor = AssetMonitor::new(8, settings);
        // The model is fitted at 400, 800 … 12,800 rows; between those, nothing is asked for.
        (0..12_900).for_each(|n| _ = monitor.push(&row(n), 0));
        check_allocates_nothing("rows as learned", || {
            (0..10_000).for_each(|n| _ = monitor.push(&row(n), 0));
        });
        let mut n_alarmed = 0;
        check_allocates_nothing("rows of a fault", || {
            for n in 0..1000 {
                let mut row = row(n);
                row[2] += 20.0;
                n_alarmed += u32::from(monitor.push(&row, 0).alarm);
            }
        });
        assert!(n_alarmed > 900, "{n_alarmed}");
    }
}

/// Rows with which a detector gets warm, fresh or restored: more than any window here.
const WARM_ROWS: usize = 3000;

/// A state that is warm takes no memory for [`WARM_ROWS`] further values, and neither does one that was restored.
fn check<S: Serialize + DeserializeOwned>(
    what: &str,
    mut state: S,
    mut push: impl FnMut(&mut S, f64),
) {
    let values = Noise::normals(1, 4 * WARM_ROWS);
    let mut parts = values.chunks_exact(WARM_ROWS);
    let mut feed = |state: &mut S| {
        let part = parts.next().expect("there are four parts");
        part.iter().for_each(|x| push(state, *x));
    };
    feed(&mut state);
    check_allocates_nothing(what, || feed(&mut state));
    let text = serde_json::to_string(&state).expect("serializes");
    let mut state: S = serde_json::from_str(&text).expect("parses");
    feed(&mut state);
    check_allocates_nothing(&format!("{what}, restored"), || feed(&mut state));
}

#[test]
fn detectors_of_one_signal_take_no_memory() {
    let normals = Noise::normals(2, 1000);
    check("ewma", RobustEwma::new(0.01), |d, x| _ = d.push(x));
    check("seasonal", SeasonalResidual::new(24, 0.1), |d, x| _ = d.push(3, x));
    check("cusum", Cusum::new(0.5, 5.0), |d, x| _ = d.push(x));
    check("p2", P2::new(0.9), |d, x| d.push(x));
    check("e-process", EProcess::default(), |d, x| _ = d.push(x.abs() / 7.0));
    check("conformal", Conformal::new(&normals), |d, x| _ = d.p_value(x));
    check("budget", Budget::new(&normals, 1e4, 3, 2.0), |d, x| _ = d.push(x));
    check("records", Records::new(288), |d, x| _ = d.push(x));
    check("regimes", Regimes::learn(&normals, 2), |d, x| _ = d.push(x));
    check("profile", Stream::new(8, 500).expect("good settings"), |d, x| _ = d.push(x));
    let mut time_us = 0;
    check("cleaning", clean::Track::default(), |d, x| {
        time_us += 1_000_000;
        d.judge(&Rules::default(), time_us, time_us, x);
    });
    check("interval", Adaptive::new(0.9, 500, 0.01).expect("good settings"), |d, x| {
        d.push(x);
        d.half_width();
    });
    let series: Vec<f64> = normals[..60].iter().map(|x| 100.0 + x).collect();
    check("ets", ets(&series, 4).expect("long enough"), |d, x| d.push(100.0 + x));
}

/// These grow with the logarithm of what they have seen: seldom, and less and less often.
#[test]
fn digests_and_windows_take_memory_seldom() {
    let values = Noise::normals(3, 100_000);
    let (mut adwin, mut digest, mut points) =
        (Adwin::new(0.002, 32), TDigest::new(100.0), OnlineChangePoints::new(1e4));
    let mut push = |x: f64| {
        adwin.push(x);
        digest.push(x);
        points.push(x);
    };
    values[..50_000].iter().for_each(|x| push(*x));
    let before = COUNT.with(Cell::get);
    values[50_000..].iter().for_each(|x| push(*x));
    let n = COUNT.with(Cell::get) - before;
    assert!(n <= 10, "{n} allocations in 50,000 values");
}

#[test]
fn charts_and_alarms_take_no_memory() {
    check("rules", RuleChart::new(quality::Rules::NELSON), |d, x| _ = d.push(x));
    check("ewma chart", quality::Ewma::new(0.2, 2.5), |d, x| _ = d.push(x));
    check("cusum chart", quality::Cusum::new(0.5, 4.0), |d, x| _ = d.push(x));
    let normal = Normal::fit(&Frame::from_rows(2, &Noise::normals(4, 300)).columns).expect("good");
    check("t2", T2Chart::new(normal.clone(), 0.01), |d, x| _ = d.signals(&[x, 0.1]));
    check("mewma", Mewma::new(normal, 0.2, 9.0), |d, x| _ = d.push(&[x, 0.1]));
    let (mut time_us, spec) = (0, LimitSpec { above: Some(1.0), ..LimitSpec::default() });
    check("limit", Limit::new(spec), |d, x| {
        time_us += 1;
        d.update(time_us, x);
    });
    check("alarm", Machine::new(true), |d, x| _ = d.apply(0, Input::Condition(x > 0.0)));
    check("flood", Flood::default(), |d, x| _ = d.ring((x * 1e9) as i64));
    check("chatter", Chatter::default(), |d, x| _ = d.ring((x * 1e9) as i64));
    let settings = TrendSettings { learn: 3, window: 9, factor: 2.0 };
    check("trend", Trend::new(settings), |d, x| _ = d.push(&[x.abs(), 1.0]));
    let settings = DriftSettings { run_in: 6, window: 9, limit: 1.0 };
    check("drift", Drift::new(settings), |d, x| _ = d.push(&[x.abs(), 1.0]));
}

#[test]
fn detectors_of_several_signals_take_no_memory() {
    let frame = Frame::from_rows(2, &Noise::normals(5, 800));
    let options = half_space::Options { trees: 5, depth: 6, window: 250, seed: 1 };
    check("half-space trees", HalfSpaceTrees::new(2, options), |d, x| _ = d.push(&[x, -x]));
    check("redundant", Redundant::new(3, 100, 1.0, 20.0), |d, x| _ = d.push(&[x, 0.0, -x]));
    let mut distance = Mahalanobis::new(2, 0.1);
    distance.fit(&frame);
    check("mahalanobis", distance, |d, x| _ = d.push(&[x, -x]));
    let mut forest = IsolationForest::new(10, 64, 1);
    forest.fit(&frame);
    check("isolation", forest, |d, x| _ = d.push(&[x, -x]));
    check("levels", Levels::new(2, 0.01), |d, x| _ = d.push(&[x, -x]));
    let relation = Relation::learn(&frame, 1, 0.1).expect("normal rows");
    check("relation", Vec::new(), |window, x| relation.push(window, &[x, -x], &mut [0.0; 2]));
    let method = Method::Cva {
        past: 3,
        future: 3,
        states: 2,
        outputs: None,
        rest: analytics::monitor::Rest::Residual,
    };
    let monitor = Monitor::fit(&frame, Options { method, shrinkage: 0.1, smoothing: 0.3 })
        .expect("normal rows");
    check("monitor", Track::default(), |track, x| _ = monitor.push(track, &[x, -x]));
    let watch = Watch::new(monitor, Limits { t2: 9.0, spe: 9.0 });
    check("watch", watch, |d, x| _ = d.push(&[x, -x]));
    let run = |shift: f64| {
        let values: Vec<f64> = Noise::normals(6, 240).iter().map(|x| x + shift).collect();
        Frame::from_rows(2, &values)
    };
    let book = FaultBook::learn(&frame, &[run(3.0), run(-3.0)], 1).expect("two runs of 120 rows");
    check("faults", FaultTrack::default(), |track, x| _ = book.push(track, &[x, -x]));
}

#[test]
fn a_life_is_followed_without_memory() {
    let run = |n: usize| {
        let wear = (0..n).map(|age| age as f64).collect();
        Run { settings: vec![vec![1.0; n]], sensors: vec![wear], has_failed: true }
    };
    let runs: Vec<Run> = (60..72).map(run).collect();
    let params = rul::Params { cap: 40.0, n_trees: 5, n_folds: 2, ..rul::Params::default() };
    let model = rul::train(&runs, &params).expect("twelve failures");
    check("life", model.tracker(), |tracker, x| {
        model.push(tracker, &[1.0], &[x]);
        model.estimate(tracker);
    });
}

/// The settled monitor does not even need to get warm again: one row, and all room is there.
#[test]
fn a_restored_monitor_judges_without_allocation() {
    let settings =
        Settings { learn_rows: 400, rows_per_false_alarm: 86_400.0, refit: true, seed: 1 };
    let mut monitor = AssetMonitor::new(8, settings);
    (0..12_900).for_each(|n| _ = monitor.push(&row(n), 0));
    let text = serde_json::to_string(&monitor).expect("serializes");
    let mut monitor: AssetMonitor = serde_json::from_str(&text).expect("parses");
    monitor.push(&row(0), 0);
    check_allocates_nothing("rows as learned", || {
        (1..10_000).for_each(|n| _ = monitor.push(&row(n), 0));
    });
    check_allocates_nothing("rows of a fault", || {
        for n in 0..1000 {
            let mut row = row(n);
            row[2] += 20.0;
            monitor.push(&row, 0);
        }
    });
}
