use proptest::prelude::*;

use super::*;
use crate::energy::baseline::{Period, fit, fit_by_regime};

/// Noise between −1 and 1 from the index alone.
fn noise(idx: usize) -> f64 {
    let mixed = (idx as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed ^ mixed >> 29).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 11) as f64 / (1_u64 << 52) as f64
        - 1.0
}

#[test]
fn heating_cooling_and_output_are_found_again() {
    let rows: Vec<([f64; 2], [f64; 1])> = (0..400)
        .map(|day| {
            let mean = 12.0 - 15.0 * (day as f64 * 0.0172).cos();
            ([mean - 5.0, mean + 5.0], [50.0 + 50.0 * noise(day)])
        })
        .collect();
    let energy = |idx: usize| {
        let (t, output) = &rows[idx];
        let below = t.iter().map(|t| (10.0 - t).max(0.0)).sum::<f64>() / 2.0;
        let above = t.iter().map(|t| (t - 20.0).max(0.0)).sum::<f64>() / 2.0;
        100.0 + 3.0 * below + 5.0 * above + 0.7 * output[0] + 2.0 * noise(idx + 7000)
    };
    let periods: Vec<Period> = (0..400)
        .map(|idx| Period {
            energy: energy(idx),
            temperatures: &rows[idx].0,
            drivers: &rows[idx].1,
        })
        .collect();
    let found = fit(&periods).expect("400 days are enough");
    let (heating, cooling) = (found.heating.expect("heats"), found.cooling.expect("cools"));
    assert!(
        (heating.balance - 10.0).abs() < 1.0 && (heating.per_degree - 3.0).abs() < 0.2,
        "{heating:?}"
    );
    assert!(
        (cooling.balance - 20.0).abs() < 1.0 && (cooling.per_degree - 5.0).abs() < 0.4,
        "{cooling:?}"
    );
    assert!(
        (found.per_unit[0] - 0.7).abs() < 0.01 && (found.base - 100.0).abs() < 2.0,
        "{found:?}"
    );
    assert!(found.quality.is_within(Limits::MONTHLY));
}

#[test]
fn regimes_have_baselines_of_their_own() {
    let output: Vec<[f64; 1]> = (0..60).map(|idx| [f64::from(idx)]).collect();
    let regimes: Vec<usize> = (0..60).map(|idx| if idx == 59 { 2 } else { idx % 2 }).collect();
    let energy = |idx: usize| if idx.is_multiple_of(2) { 5.0 } else { 40.0 + 2.0 * idx as f64 };
    let periods: Vec<Period> = (0..60)
        .map(|idx| Period { energy: energy(idx), temperatures: &[], drivers: &output[idx] })
        .collect();
    let found = fit_by_regime(&periods, &regimes).expect("sound");
    let (idle, running) = (found[0].as_ref().expect("idle"), found[1].as_ref().expect("running"));
    assert!((idle.base - 5.0).abs() < 1e-6 && idle.per_unit[0].abs() < 1e-6);
    assert!((running.base - 40.0).abs() < 1e-3 && (running.per_unit[0] - 2.0).abs() < 1e-4);
    assert!(found[2].is_none(), "one row is no regime");
}

#[test]
fn the_week_and_temperature_are_told_apart() {
    let slots: Vec<usize> = (0..24 * 200).map(|hour| hour % 168).collect();
    let temperatures: Vec<f64> = (0..24 * 200).map(|hour| 15.0 + 12.0 * noise(hour / 24)).collect();
    let energy: Vec<f64> =
        slots.iter().zip(&temperatures).map(|(slot, t)| (slot / 24) as f64 + 0.5 * t).collect();
    let model = week::fit(&energy, &slots, &temperatures).expect("enough rows");
    assert!((model.expected(100, Some(20.0)) - (4.0 + 10.0)).abs() < 0.1);
    assert!(model.expected(900, Some(20.0)).is_nan() && model.expected(3, None).is_nan());
    assert!(model.quality.cv_rmse_percent < 1.0);
}

#[test]
fn too_little_and_uneven_data_are_named() {
    let period = Period { energy: 1.0, temperatures: &[], drivers: &[] };
    let error = fit(&[period; 4]).expect_err("4 rows");
    assert_eq!(error.to_string(), "4 usable rows are too few for a baseline; give at least 10");
    let error = fit(&[period, Period { drivers: &[1.0], ..period }]).expect_err("uneven");
    assert_eq!(error.to_string(), "drivers has 1 values where there are 0; give one for each");
    let error = waste::leak(&[1.0], &[], 6.0).expect_err("uneven");
    assert_eq!(
        error.to_string(),
        "production marks has 0 values where there are 1; give one for each"
    );
}

#[test]
fn a_leak_is_what_never_stops() {
    let flow: Vec<f64> = (0..100).map(|hour| if hour % 2 == 0 { 10.0 } else { 3.0 }).collect();
    let on: Vec<bool> = (0..100).map(|hour| hour % 2 == 0).collect();
    let found = waste::leak(&flow, &on, 6.5).expect("sound");
    assert_eq!((found.flow_m3_min, found.power_kw, found.share_percent), (3.0, 19.5, 30.0));
}

#[test]
fn standby_is_priced_per_year() {
    let at =
        |energy_kwh, is_running| waste::Interval { energy_kwh, is_running, hour: 22, price: 0.25 };
    let found = waste::standby(&[at(90.0, true), at(10.0, false), at(f64::NAN, false)]);
    let advice = waste::recommend("furnace 2", &found, 1.0, 80.0, "EUR", 0).expect("worth it");
    assert_eq!(advice.summary, "furnace 2 used 10 kWh (10 %) while it did not run, most at 22:00");
    assert_eq!((advice.gain.expected, advice.gain.high), (730.0, 912.5));
    assert!(waste::recommend("furnace 2", &waste::standby(&[]), 1.0, 80.0, "EUR", 0).is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_numbers_give_a_finite_baseline_or_an_error(
        rows in prop::collection::vec((prop_oneof![Just(f64::NAN), -1e3..1e3_f64], -40.0..45.0_f64, 0.0..1e3_f64), 0..60),
    ) {
        let held: Vec<([f64; 1], [f64; 1])> = rows.iter().map(|(_, t, output)| ([*t], [*output])).collect();
        let periods: Vec<Period> = rows.iter().zip(&held).map(|((energy, _, _), (t, output))| {
            Period { energy: *energy, temperatures: t, drivers: output }
        }).collect();
        if let Ok(found) = fit(&periods) {
            prop_assert!(found.base.is_finite() && found.per_unit.iter().all(|unit| *unit >= 0.0));
            prop_assert!(found.heating.is_none_or(|slope| slope.per_degree > 0.0));
        }
    }

    #[test]
    fn a_constant_meter_has_a_constant_baseline(level in 0.1..1e6_f64, n in 10_usize..60) {
        let temperatures: Vec<[f64; 1]> = (0..n).map(|idx| [20.0 * noise(idx)]).collect();
        let periods: Vec<Period> = temperatures.iter().map(|t| Period { energy: level, temperatures: t, drivers: &[] }).collect();
        let found = fit(&periods).expect("enough rows");
        prop_assert!((found.expected(&periods[0]) - level).abs() < 1e-6 * level);
    }
}
