use proptest::prelude::*;

use super::*;
use crate::Basis;
use crate::energy::baseline::{Period, fit, fit_by_regime};
use crate::statistics::tests::{hostile, hostile_us};

const BASIS: Basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };

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
fn standby_is_priced_per_year_with_the_interval_of_its_days() {
    const HOUR_US: i64 = 3_600_000_000;
    let at = |day: i64, energy_kwh, is_running| waste::Interval {
        from_us: (24 * day + 22) * HOUR_US,
        energy_kwh,
        is_running,
        hour: 22,
        price: 0.25,
    };
    let days = [at(0, 90.0, true), at(0, 8.0, false), at(1, 12.0, false), at(1, f64::NAN, false)];
    let found = waste::standby(&days);
    assert_eq!(found.per_day, [(8.0, 2.0), (12.0, 3.0)]);
    let advice = recommend::standby("furnace 2", &found, 80.0, &BASIS).expect("worth it");
    assert_eq!(advice.summary, "furnace 2 used 20 kWh (18 %) while it did not run, most at 22:00");
    // 2.50 a day, 80 % of it, 365 days; standard error of two days 0.5, t(0.95; 1) = 6.314.
    assert!((advice.gain.expected - 730.0).abs() < 1e-9);
    assert!(
        (advice.gain.high - 730.0 - 0.8 * 365.0 * 0.5 * 6.3138).abs() < 0.1,
        "{:?}",
        advice.gain
    );
    assert_eq!(advice.evidence.window_us, Some((22 * HOUR_US, 46 * HOUR_US)));
    assert!(recommend::standby("furnace 2", &waste::standby(&[]), 80.0, &BASIS).is_none());
}

#[test]
fn a_peak_that_cannot_be_held_is_still_made_small() {
    let warn = |used, elapsed_s, kw| waste::peak_warning(used, elapsed_s, kw, 900.0, 450.0);
    let calm = warn(10.0, 300.0, 100.0).expect("sound");
    assert_eq!((calm.shed_kw, recommend::peak("supply", &calm, 450.0, 1.0, &BASIS)), (0.0, None));
    // 120 kWh in 10 minutes are 480 kW already; at 300 kW it would be 580.
    let late = warn(120.0, 600.0, 300.0).expect("sound");
    assert_eq!((late.least_kw, late.expected_kw, late.shed_kw), (480.0, 580.0, f64::INFINITY));
    let advice = recommend::peak("supply", &late, 450.0, 2.0, &BASIS).expect("worth it");
    assert_eq!((advice.gain.expected, advice.constraints[0].slack), (200.0, -30.0));
    assert_eq!(advice.steps[0].proposed, "0");
    for refused in [warn(1.0, 901.0, 1.0), warn(f64::NAN, 0.0, 1.0), warn(1.0, 0.0, -1.0)] {
        assert!(matches!(refused, Err(Error::Number { .. })), "{refused:?}");
    }
}

#[test]
fn a_peak_is_told_from_the_first_second_to_the_last() {
    // 450 kW over 900 s are 112.5 kWh.
    for (used_kwh, elapsed_s, power_kw, expected_kw, least_kw, shed_kw) in [
        (0.0, 0.0, 450.0, 450.0, 0.0, 0.0),
        (0.0, 0.0, 500.0, 500.0, 0.0, 50.0),
        // 50 kWh in 5 minutes leave 62.5 kWh for 10: 375 kW.
        (50.0, 300.0, 480.0, 520.0, 200.0, 105.0),
        // All of it is used, so nothing may be drawn in the last minute.
        (112.5, 840.0, 90.0, 456.0, 450.0, 90.0),
        (100.0, 900.0, 300.0, 400.0, 400.0, 0.0),
        (120.0, 900.0, 0.0, 480.0, 480.0, f64::INFINITY),
    ] {
        let found =
            waste::peak_warning(used_kwh, elapsed_s, power_kw, 900.0, 450.0).expect("sound");
        let near = |a: f64, b: f64| a == b || (a - b).abs() < 1e-9;
        assert!(
            near(found.expected_kw, expected_kw)
                && near(found.least_kw, least_kw)
                && near(found.shed_kw, shed_kw),
            "{used_kwh} kWh after {elapsed_s} s: {found:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_shed_keeps_the_limit_and_no_more(
        used_kwh in 0.0..200.0_f64, share in 0.0..0.99_f64, power_kw in 0.0..900.0_f64, limit_kw in 1.0..900.0_f64,
    ) {
        let found = waste::peak_warning(used_kwh, 900.0 * share, power_kw, 900.0, limit_kw).expect("sound");
        if found.shed_kw > 0.0 && found.shed_kw.is_finite() {
            prop_assert!(found.shed_kw <= power_kw * (1.0 + 1e-9));
            let kept = waste::peak_warning(used_kwh, 900.0 * share, power_kw - found.shed_kw.min(power_kw), 900.0, limit_kw);
            prop_assert!((kept.expect("sound").expected_kw - limit_kw).abs() < 1e-6 * limit_kw);
        } else {
            prop_assert_eq!(found.shed_kw == 0.0, found.expected_kw <= limit_kw);
        }
    }

    #[test]
    fn any_numbers_give_waste_or_an_error(
        rows in prop::collection::vec((hostile(), hostile(), hostile_us(), any::<usize>(), any::<bool>()), 0..40),
        more in (hostile(), hostile(), hostile(), hostile(), hostile()),
    ) {
        let (a, b, c, d, e) = more;
        let intervals: Vec<waste::Interval> = rows.iter().map(|(energy_kwh, price, from_us, hour, is_running)| {
            waste::Interval { from_us: *from_us, energy_kwh: *energy_kwh, is_running: *is_running, hour: *hour, price: *price }
        }).collect();
        let _ = recommend::standby("m", &waste::standby(&intervals), a, &BASIS);
        let one: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let two: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let marks: Vec<bool> = rows.iter().map(|row| row.4).collect();
        if let Ok(found) = waste::leak(&one, &marks, a) { let _ = recommend::leak("net", &found, b, c, &BASIS); }
        if let Ok(found) = waste::power_factor(&one, &two, a, b) { let _ = recommend::power_factor("s", &found, c, d, &BASIS); }
        if let Ok(found) = waste::peak_warning(a, b, c, d, e) {
            prop_assert!(!found.expected_kw.is_nan() && found.shed_kw >= 0.0, "{:?}", found);
            let _ = recommend::peak("s", &found, e, a, &BASIS);
        }
        let quality = Quality::of(&one, &two, rows.len());
        if let Some(found) = savings(&one, &two, &quality) {
            let _ = recommend_savings("m", &found, &quality, Limits::HOURLY, a, &BASIS);
        }
        let slots: Vec<usize> = rows.iter().map(|row| row.3).collect();
        let few: Vec<usize> = slots.iter().map(|slot| slot % 7).collect();
        for slots in [slots, few] {
            if let Ok(model) = week::fit(&one, &slots, &two) { let _ = model.expected(slots[0], Some(a)); }
            let periods: Vec<Period> = rows.iter().map(|row| Period { energy: row.0, temperatures: &two, drivers: &[] }).collect();
            let _ = fit_by_regime(&periods, &slots);
        }
    }

    #[test]
    fn temperatures_without_end_are_no_readings(energy in prop::collection::vec(0.0..9.0_f64, 12..20)) {
        // All infinite once indexed an empty list.
        let periods: Vec<Period> = energy.iter().map(|energy| Period { energy: *energy, temperatures: &[f64::INFINITY], drivers: &[] }).collect();
        let is_refused = matches!(fit(&periods), Err(Error::TooFew { n: 0, .. }));
        prop_assert!(is_refused);
    }

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
