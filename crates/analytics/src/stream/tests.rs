//! Behavior of the detector as a plant sees it.

use super::*;
use crate::testing::{Noise, wild_value};
use proptest::prelude::*;

const D: usize = 6;

fn settings(rows_per_false_alarm: f64) -> Settings {
    Settings { learn_rows: 500, rows_per_false_alarm, refit: true, seed: 1 }
}

/// Load drives most columns; each has its own noise.
fn row(noise: &mut Noise, load: &mut f64) -> [f64; D] {
    *load += -0.05 * *load + 0.3 * noise.normal();
    [3.0, 2.0, -1.0, 0.5, 0.0, 1.0].map(|gain| 10.0 + gain * *load + 0.3 * noise.normal())
}

fn run(
    monitor: &mut AssetMonitor,
    noise: &mut Noise,
    n_rows: usize,
    change: impl Fn(usize, &mut [f64; D]),
) -> (usize, usize) {
    let mut load = 0.0;
    let (mut episodes, mut alarmed) = (0, 0);
    for n in 0..n_rows {
        let mut row = row(noise, &mut load);
        change(n, &mut row);
        let judgement = monitor.push(&row, 1);
        episodes += usize::from(judgement.started);
        alarmed += usize::from(judgement.alarm);
    }
    (episodes, alarmed)
}

#[test]
fn normal_operation_keeps_the_budget_and_a_broken_relation_is_found() {
    let mut noise = Noise::new(11);
    let mut monitor = AssetMonitor::new(D, settings(20_000.0));
    let (episodes, _) = run(&mut monitor, &mut noise, 200_000, |_, _| ());
    assert!(episodes <= 20, "budget 10 in 200,000 rows, {episodes}");
    // Each value alone stays ordinary; only the relation to the load breaks.
    let (episodes, alarmed) =
        run(&mut monitor, &mut noise, 400, |n, row| row[1] -= if n > 100 { 2.5 } else { 0.0 });
    assert!(episodes >= 1 && alarmed > 200, "{episodes} {alarmed}");
    let first = monitor.contributions()[0];
    assert_eq!(first.column, 1);
    assert!(first.direction < -1.0 && first.share > 0.4, "{first:?}");
}

#[test]
fn a_quiet_hour_refines_what_was_seen_since_the_last_fit_and_nothing_else() {
    let mut noise = Noise::new(7);
    let mut monitor = AssetMonitor::new(D, settings(1e6));
    assert_eq!(monitor.refine(), 0, "nothing is learned yet");
    run(&mut monitor, &mut noise, 900, |_, _| ());
    let before = monitor.clone();
    assert_eq!(monitor.refine(), 1);
    assert_ne!(monitor, before, "400 more rows say more about normal");
    assert_eq!(monitor.refine(), 0, "nothing new since");
    let frozen = Settings { refit: false, ..settings(1e6) };
    let mut monitor = AssetMonitor::new(D, frozen);
    run(&mut monitor, &mut noise, 900, |_, _| ());
    assert_eq!(monitor.refine(), 0, "a frozen model stays");
}

#[test]
fn a_single_odd_row_is_no_episode() {
    let mut noise = Noise::new(3);
    let mut monitor = AssetMonitor::new(D, settings(1e6));
    run(&mut monitor, &mut noise, 2000, |_, _| ());
    let (episodes, _) = run(&mut monitor, &mut noise, 1000, |n, row| {
        row[2] += if n % 200 == 0 { 1e6 } else { 0.0 }
    });
    assert_eq!(episodes, 0);
}

#[test]
fn an_unseen_state_is_learned_not_alarmed() {
    let mut noise = Noise::new(4);
    let mut monitor = AssetMonitor::new(D, settings(1e5));
    run(&mut monitor, &mut noise, 1000, |_, _| ());
    let stopped = monitor.push(&[0.0; D], 0);
    assert!(stopped.learning && !stopped.alarm && stopped.health.is_nan());
}

#[test]
fn missing_and_constant_columns_are_no_fault() {
    let mut noise = Noise::new(5);
    let mut monitor = AssetMonitor::new(D, settings(1e5));
    let (episodes, _) = run(&mut monitor, &mut noise, 20_000, |n, row| {
        row[4] = 7.0;
        row[5] = if n % 3 == 0 { f64::NAN } else { row[5] };
    });
    assert!(episodes <= 1, "{episodes}");
    let nothing = monitor.push(&[f64::NAN; D], 1);
    assert!(!nothing.alarm && nothing.health.is_nan());
}

/// Half a standard deviation of a sensor shows in no single row.
#[test]
fn a_small_shift_that_lasts_is_found() {
    let mut noise = Noise::new(12);
    let settings = Settings { refit: false, ..settings(86_400.0) };
    let mut monitor = AssetMonitor::new(D, settings);
    let (before, _) = run(&mut monitor, &mut noise, 3000, |_, _| ());
    let (episodes, alarmed) = run(&mut monitor, &mut noise, 1000, |_, row| row[4] += 0.25);
    assert_eq!(before, 0);
    assert!(episodes >= 1 && alarmed > 500, "{episodes} {alarmed}");
    assert_eq!(monitor.contributions()[0].column, 4);
}

/// A tank that warms and cools as the weather does: 500 rows do not tell how far it will go.
#[test]
fn a_sensor_that_wanders_is_not_trusted_after_few_rows() {
    let mut false_alarms = 0;
    for seed in 0..10 {
        let mut noise = Noise::new(seed);
        let settings = Settings { refit: false, ..settings(86_400.0) };
        let mut monitor = AssetMonitor::new(D, settings);
        let mut tank = 0.0;
        for _ in 0..1500 {
            tank += 0.05 * noise.normal();
            let mut row: [f64; D] = std::array::from_fn(|_| noise.normal());
            row[0] = tank;
            false_alarms += usize::from(monitor.push(&row, 0).started);
        }
    }
    assert!(false_alarms <= 2, "{false_alarms} in 10 runs");
}

/// The operator's number is not exceeded, also where neighboring rows are alike, and where they are more alike than
/// while the machine was learned.
#[test]
fn a_false_alarm_budget_is_kept() {
    for (learned, live) in [(0.0, 0.0), (0.9, 0.9), (0.0, 0.95)] {
        let mut noise = Noise::new(8);
        let mut monitor = AssetMonitor::new(D, settings(2000.0));
        let mut states = [0.0; D + 1];
        let (mut episodes, n_rows) = (0, 100_000);
        for n in 0..n_rows {
            let memory: f64 = if n < 1000 { learned } else { live };
            let fresh = (1.0 - memory * memory).sqrt();
            states.iter_mut().for_each(|x| *x = memory * *x + fresh * noise.normal());
            let row: [f64; D] = std::array::from_fn(|k| 5.0 + states[D] + 0.4 * states[k]);
            episodes += usize::from(monitor.push(&row, 1).started);
        }
        assert!(episodes <= 60, "{learned} {live}: budget 50, {episodes}");
    }
}

#[test]
fn another_rhythm_raises_no_alarm() {
    let mut noise = Noise::new(13);
    let mut monitor = AssetMonitor::new(D, settings(43_200.0));
    let mut load = 0.0;
    // Rows far apart are independent of each other; rows close in time are alike.
    for _ in 0..20_000 {
        load = noise.normal();
        monitor.push(&[3.0, 2.0, -1.0, 0.5, 0.0, 1.0].map(|gain| gain * load + noise.normal()), 1);
    }
    monitor.change_rhythm();
    monitor.set_rows_per_false_alarm(2_592_000.0);
    let mut episodes = 0;
    for _ in 0..50_000 {
        load = 0.99 * load + (1.0_f64 - 0.99 * 0.99).sqrt() * noise.normal();
        let row = [3.0, 2.0, -1.0, 0.5, 0.0, 1.0].map(|gain| gain * load + noise.normal());
        episodes += usize::from(monitor.push(&row, 1).started);
    }
    assert!(episodes <= 1, "{episodes}");
}

#[test]
fn a_fault_that_takes_weeks_is_not_learned_away() {
    let mut noise = Noise::new(9);
    let mut monitor = AssetMonitor::new(D, settings(1e5));
    let (_, before) = run(&mut monitor, &mut noise, 40_000, |_, _| ());
    let (_, alarmed) = run(&mut monitor, &mut noise, 100_000, |n, row| row[2] += n as f64 * 2e-5);
    assert!(before < 400, "{before}");
    assert!(alarmed > 5000, "{alarmed}");
    assert_eq!(monitor.contributions()[0].column, 2);
}

#[test]
fn saved_and_restored_goes_on_as_if_never_stopped() {
    let mut noise = Noise::new(6);
    let mut monitor = AssetMonitor::new(D, settings(1e4));
    run(&mut monitor, &mut noise, 11_000, |n, row| {
        // What is missing is remembered as missing; JSON has no NaN of its own.
        row[3] = if n % 4 == 0 { f64::NAN } else { row[3] };
    });
    let text = serde_json::to_string(&monitor).expect("serializes");
    let mut restored: AssetMonitor = serde_json::from_str(&text).expect("parses");
    let mut load = 0.0;
    for n in 0..12_000 {
        let mut row = row(&mut noise, &mut load);
        row[1] += if n > 9000 { 0.4 } else { 0.0 };
        let bits = |judgement: Judgement| {
            (judgement.score.to_bits(), judgement.health.to_bits(), judgement.alarm)
        };
        assert_eq!(bits(restored.push(&row, 1)), bits(monitor.push(&row, 1)), "row {n}");
    }
    assert_eq!(restored.contributions(), monitor.contributions());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(30))]
    #[test]
    fn any_rows_are_survived(rows in prop::collection::vec(prop::array::uniform3(wild_value()), 1..300)) {
        let mut monitor = AssetMonitor::new(3, Settings { learn_rows: 30, ..settings(100.0) });
        for row in rows {
            let judgement = monitor.push(&row, 0);
            prop_assert!(judgement.health.is_nan() || (0.0..=100.0).contains(&judgement.health));
        }
    }
}
