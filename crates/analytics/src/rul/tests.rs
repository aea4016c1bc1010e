//! Remaining life of machines whose wear is known, because it was made up here.

use proptest::prelude::*;

use super::*;
use crate::testing::Noise;

/// Machines whose wear grows as (age / life)², seen by two of three sensors under two loads.
fn fleet(n_machines: usize, seed: u64) -> Vec<Run> {
    let mut noise = Noise::new(seed);
    let machine = |_| {
        let life = 60 + (noise.uniform() * 60.0) as usize;
        let offset = noise.normal();
        let mut run = Run { settings: vec![vec![]], sensors: vec![vec![]; 3], has_failed: true };
        for age in 0..life {
            let wear = 10.0 * (age as f64 / life as f64).powi(2);
            let load = f64::from(u8::from(noise.uniform() < 0.5));
            run.settings[0].push(load);
            run.sensors[0].push(100.0 * load + offset + wear + 0.3 * noise.normal());
            run.sensors[1].push(-50.0 * load - 0.5 * wear + 0.3 * noise.normal());
            run.sensors[2].push(7.0);
        }
        run
    };
    (0..n_machines).map(machine).collect()
}

fn quick() -> Params {
    Params { cap: 40.0, n_trees: 60, n_folds: 3, ..Params::default() }
}

fn rmse(pairs: &[(f64, f64)]) -> f64 {
    (pairs.iter().map(|(a, b)| (a - b).powi(2)).sum::<f64>() / pairs.len() as f64).sqrt()
}

/// Unseen machines, cut at every possible remaining life below 50.
fn cuts() -> Vec<(Run, f64)> {
    let cut = |(i, run): (usize, Run)| {
        let rul = 1 + i * 7 % 45;
        (run.truncated(run.n_rows() - rul), (rul as f64).min(40.0))
    };
    fleet(60, 99).into_iter().enumerate().map(cut).collect()
}

#[test]
fn unseen_machines_are_predicted_and_covered() {
    let model = train(&fleet(60, 1), &quick()).expect("good records");
    assert_eq!(model.n_conditions(), 2);
    assert_eq!(model.sensors, [0, 1]);
    let found: Vec<(Estimate, f64)> =
        cuts().iter().map(|(run, rul)| (model.estimate_run(run), *rul)).collect();
    let ours: Vec<(f64, f64)> = found.iter().map(|(estimate, rul)| (estimate.rul, *rul)).collect();
    let constant: Vec<(f64, f64)> = ours.iter().map(|(_, rul)| (22.0, *rul)).collect();
    assert!(rmse(&ours) < 0.4 * rmse(&constant), "{}", rmse(&ours));
    let covered = found.iter().filter(|(e, rul)| e.low <= *rul && *rul <= e.high).count();
    assert!((48..=60).contains(&covered), "{covered} of 60 at 90 %");
}

#[test]
fn survival_falls_from_one_to_the_cap() {
    let model = train(&fleet(12, 2), &quick()).expect("good records");
    for (run, _) in cuts().iter().take(10) {
        let estimate = model.estimate_run(run);
        let curve: Vec<f64> = (0..40).map(|h| model.survival(&estimate, f64::from(h))).collect();
        assert!(curve.is_sorted_by(|a, b| a >= b), "{curve:?}");
        assert!(curve.iter().all(|p| (0.0..=1.0).contains(p)));
        assert_eq!(model.survival(&estimate, -1.0), 1.0);
        assert!(model.survival(&estimate, 40.0).is_nan());
        assert!(model.survival(&estimate, f64::NAN).is_nan());
        if estimate.high < 40.0 {
            assert!(model.survival(&estimate, estimate.high) <= 0.06);
        }
    }
}

#[test]
fn running_machines_teach_what_is_known_about_them() {
    let mut runs = fleet(12, 3);
    let alone = train(&runs, &quick()).expect("good records");
    runs.extend(fleet(12, 4).iter().map(|run| run.truncated(50)));
    let with_running = train(&runs, &quick()).expect("good records");
    assert_ne!(alone, with_running);
    let young = fleet(1, 5)[0].truncated(10);
    assert!(with_running.estimate_run(&young).rul > 30.0);
}

#[test]
fn a_saved_record_goes_on_as_if_it_had_never_stopped() {
    let model = train(&fleet(12, 6), &quick()).expect("good records");
    let model = Model::from_json(&model.to_json()).expect("own file");
    let run = &fleet(1, 7)[0];
    let mut tracker = model.tracker();
    for row_idx in 0..run.n_rows() {
        let text = serde_json::to_string(&tracker).expect("numbers");
        tracker = serde_json::from_str(&text).expect("own text");
        let sensors: Vec<f64> = run.sensors.iter().map(|column| column[row_idx]).collect();
        model.push(&mut tracker, &[run.settings[0][row_idx]], &sensors);
        // Stream equals batch, and nothing looks ahead.
        let batch = model.estimate_run(&run.truncated(row_idx + 1));
        assert_eq!(model.estimate(&mut tracker), batch);
    }
}

#[test]
#[should_panic(expected = "one value per setting")]
fn a_row_without_its_settings_is_no_row() {
    let model = train(&fleet(12, 6), &quick()).expect("good records");
    assert_eq!((model.n_settings(), model.n_sensors()), (1, 3));
    model.push(&mut model.tracker(), &[], &[0.0; 3]);
}

#[test]
#[should_panic(expected = "one column per setting")]
fn a_record_without_its_settings_has_no_outlook() {
    let index = HealthIndex::fit(&fleet(3, 10), 40.0).expect("good records");
    index.outlook(&Run { settings: vec![], ..fleet(1, 11)[0].clone() });
}

#[test]
fn threads_and_repetition_change_nothing() {
    let runs = fleet(12, 8);
    let one = train(&runs, &quick()).expect("good records");
    assert_eq!(one, train(&runs, &Params { n_threads: 3, ..quick() }).expect("good records"));
    assert_eq!(one, Model::from_json(&one.to_json()).expect("own file"));
}

#[test]
fn damaged_files_are_refused() {
    let json = train(&fleet(10, 9), &quick()).expect("good records").to_json();
    for (from, to) in [
        ("\"version\":2,\"cap\"", "\"version\":1,\"cap\""),
        ("\"sensors\":[0", "\"sensors\":[9"),
        ("\"lookback\":\"Whole\"", "\"lookback\":{\"Rows\":5}"),
        ("\"edges\":[", "\"edges\":[1e9,"),
        ("\"left\":1", "\"left\":0"),
    ] {
        let damaged = json.replacen(from, to, 1);
        assert_ne!(damaged, json, "{from} occurs");
        assert!(Model::from_json(&damaged).is_err(), "{to}");
    }
}

#[test]
fn what_cannot_be_learnt_is_said() {
    let check = |runs: &[Run], params: &Params, expected: &str| {
        let error = train(runs, params).expect_err("bad records");
        assert_eq!(error.to_string(), expected);
    };
    let few = "9 failures are known, 10 are needed; use the health index until then";
    check(&fleet(9, 1), &quick(), few);
    check(&[], &quick(), &few.replace('9', "0"));
    let mut ragged = fleet(12, 1);
    ragged[3].sensors[1].pop();
    let n_rows = ragged[3].n_rows();
    let words = format!("a column of machine 3 has {} instead of {n_rows}", n_rows - 1);
    check(&ragged, &quick(), &words);
    ragged[3].sensors.pop();
    check(&ragged, &quick(), "number of sensors of machine 3 has 2 instead of 3");
    let flat = Run { settings: vec![], sensors: vec![vec![1.0; 50]], has_failed: true };
    check(
        &vec![flat; 12],
        &quick(),
        "no sensor ever changes: nothing can be learnt from these records",
    );
    let no_cap = Params { cap: f64::NAN, ..quick() };
    check(&fleet(12, 1), &no_cap, "parameter cap is out of its range");
}

#[test]
fn a_few_failures_make_a_health_index() {
    let index = HealthIndex::fit(&fleet(3, 10), 40.0).expect("good records");
    let at_failure = index.outlook(&fleet(1, 11)[0]);
    assert!((at_failure.index - 1.0).abs() < 0.2, "{at_failure:?}");
    assert!(at_failure.rul < 8.0);
    let young = index.outlook(&fleet(1, 11)[0].truncated(20));
    assert!(young.index.abs() < 0.2 && young.rul > 30.0, "{young:?}");
    let nothing = index.outlook(&fleet(1, 11)[0].truncated(0));
    assert!(nothing.index.is_nan() && nothing.rul == 40.0);
    let running: Vec<Run> = fleet(5, 12).iter().map(|run| run.truncated(40)).collect();
    assert!(HealthIndex::fit(&running, 40.0).is_err(), "nobody knows what failure looks like");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn holes_and_wild_values_never_break_an_estimate(seed in 0u64..1000, share in 0.0f64..1.0) {
        let model = train(&fleet(10, 13), &quick()).expect("good records");
        let mut noise = Noise::new(seed);
        let mut run = fleet(1, seed)[0].clone();
        for column in run.sensors.iter_mut().chain(&mut run.settings) {
            for x in column.iter_mut() {
                let wild = [f64::NAN, f64::INFINITY, -1e300, 0.0][(noise.uniform() * 4.0) as usize];
                *x = if noise.uniform() < share { wild } else { *x };
            }
        }
        let e = model.estimate_run(&run);
        prop_assert!(e.low <= e.rul && e.rul <= e.high && e.low >= 0.0 && e.high <= 40.0, "{e:?}");
    }

    #[test]
    fn the_order_of_machines_does_not_matter_to_conditions(seed in 0u64..1000) {
        let mut runs = fleet(10, seed);
        let a = train(&runs, &Params { n_trees: 2, ..quick() }).expect("good records");
        runs.reverse();
        let b = train(&runs, &Params { n_trees: 2, ..quick() }).expect("good records");
        prop_assert_eq!((a.n_conditions(), a.sensors), (b.n_conditions(), b.sensors));
    }
}
