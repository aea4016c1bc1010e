use proptest::prelude::*;

use super::accuracy::*;
use super::intermittent::*;
use super::*;
use crate::testing;

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut noise = testing::Noise::new(seed);
    (0..n).map(|_| noise.normal()).collect()
}

/// A trend and a season of four steps with some noise.
fn seasonal(n: usize, seed: u64) -> Vec<f64> {
    let season = [1.2, 0.9, 0.7, 1.2];
    let of_noise = noise(n, seed);
    (0..n).map(|i| (50.0 + i as f64) * season[i % 4] * (1.0 + 0.01 * of_noise[i])).collect()
}

fn check_ahead(forecast: &[f64], worst_percent: f64) {
    let actual = seasonal(88, 1);
    let error = smape_percent(&actual[80..], forecast);
    assert!(error < worst_percent, "{error} % {forecast:?}");
}

#[test]
fn every_method_continues_trend_and_season() {
    let past = &seasonal(88, 1)[..80];
    let model = ets(past, 4).unwrap();
    assert_eq!(model.form.season, Season::Multiplicative);
    check_ahead(&model.forecast(8), 3.0);
    check_ahead(&theta(past, 4, 8).unwrap(), 6.0);
    check_ahead(&dynamic_theta(past, 4, 8).unwrap(), 6.0);
    check_ahead(&Ridge::fit(&[past], 16, 8, 1e-4).unwrap().predict(past).unwrap(), 6.0);
}

#[test]
fn the_criterion_finds_the_form_that_made_the_series() {
    let level_only = ets(&noise(200, 2).iter().map(|x| 100.0 + x).collect::<Vec<_>>(), 4).unwrap();
    assert!(level_only.form.trend != Trend::Linear && level_only.form.season == Season::None);
    assert!((level_only.forecast(1)[0] - 100.0).abs() < 0.5 && level_only.alpha < 0.2);
    let line: Vec<f64> = noise(80, 3).iter().enumerate().map(|(i, x)| 5.0 * i as f64 + x).collect();
    assert_ne!(ets(&line, 1).unwrap().form.trend, Trend::None);
}

#[test]
fn missing_values_move_on_without_news() {
    let mut holed = seasonal(88, 1)[..80].to_vec();
    for i in [7, 20, 21, 22, 60] {
        holed[i] = f64::NAN;
    }
    check_ahead(&ets(&holed, 4).unwrap().forecast(8), 3.0);
    check_ahead(&theta(&holed, 4, 8).unwrap(), 8.0);
    let mut model = ets(&seasonal(80, 1), 4).unwrap();
    let expected = model.forecast(3);
    model.push(f64::NAN);
    assert_eq!(model.forecast(2), expected[1..]);
}

#[test]
fn too_little_or_infinite_is_an_error() {
    for series in [&[][..], &[1.0], &[f64::NAN; 9]] {
        assert!(matches!(ets(series, 1), Err(Error::TooShort { .. })));
        assert!(matches!(theta(series, 1, 3), Err(Error::TooShort { .. })));
        assert!(matches!(dynamic_theta(series, 1, 3), Err(Error::TooShort { .. })));
    }
    assert!(matches!(ets(&[1.0, 2.0, f64::INFINITY, 3.0, 4.0], 1), Err(Error::NotFinite)));
    let form = EtsForm { noise: Noise::Multiplicative, trend: Trend::None, season: Season::None };
    assert!(matches!(ets_of(&[1.0, -1.0, 2.0, 3.0], 1, form), Err(Error::NotPositive)));
    assert!(matches!(Ridge::fit(&[&[1.0; 5]], 4, 2, 0.1), Err(Error::TooShort { .. })));
    assert!(matches!(deseasonalize(&[1.0; 7], 4, false), Err(Error::TooShort { .. })));
}

#[test]
fn a_constant_is_continued() {
    let flat = [7.0; 30];
    let all = [
        ets(&flat, 4).unwrap().forecast(5),
        theta(&flat, 4, 5).unwrap(),
        dynamic_theta(&flat, 4, 5).unwrap(),
        Ridge::fit(&[&flat], 8, 5, 0.1).unwrap().predict(&flat).unwrap(),
    ];
    for forecast in all {
        assert!(forecast.iter().all(|x| (x - 7.0).abs() < 1e-6), "{forecast:?}");
    }
}

#[test]
fn a_model_that_is_saved_goes_on_as_if_never_stopped() {
    let series = seasonal(88, 4);
    let mut model = ets(&series[..60], 4).unwrap();
    let mut copy: Ets = serde_json::from_str(&serde_json::to_string(&model).unwrap()).unwrap();
    for value in &series[60..] {
        model.push(*value);
        copy.push(*value);
    }
    assert_eq!(model, copy);
    assert_eq!(model.forecast(4), copy.forecast(4));
}

#[test]
fn trees_learn_from_lags_and_calendar() {
    // Work on five days of seven, in steps of a quarter of a day; the level is that of the week before.
    let days = 140;
    let usage: Vec<f64> = (0..days * 4)
        .map(|i| if i / 4 % 7 < 5 { 10.0 + f64::from(i / 28) * 0.1 } else { 1.0 })
        .collect();
    let known = |from: i32, to: i32| vec![(from..to).map(|i| f64::from(i / 4 % 7)).collect()];
    let lags = Lags { lags: vec![28, 29], means: vec![(4, 4)], medians: vec![(28, 3)] };
    let params = crate::trees::Params { min_leaf_rows: 5, ..Default::default() };
    let past = &usage[..138 * 4];
    let model = Lagged::fit(past, &known(0, 552), lags.clone(), &params).unwrap();
    let ahead = model.predict(past, &known(552, 556), 4).unwrap();
    assert!(mae(&usage[552..556], &ahead) < 1.0, "{ahead:?}");
    assert!(matches!(model.predict(past, &known(552, 557), 5), Err(Error::OutOfRange { .. })));
    assert!(matches!(model.predict(past, &[], 4), Err(Error::Ragged { .. })));
    let nothing = Lagged::fit(past, &known(0, 552), Lags::default(), &params);
    assert!(matches!(nothing, Err(Error::OutOfRange { name: "lags", .. })));
}

#[test]
fn days_of_the_year_follow_the_gregorian_calendar() {
    let at = |days: i64| calendar(days * 86_400_000_000);
    assert_eq!(at(0), [0.0, 3.0, 0.0]); // 1970-01-01, a Thursday
    assert_eq!(at(-1), [0.0, 2.0, 364.0]);
    assert_eq!(at(11_016)[2], 59.0); // 2000-02-29
    assert_eq!(at(18_627), [0.0, 3.0, 365.0]); // 2020-12-31, a Thursday
}

#[test]
fn demand_that_ends_fades_only_where_it_should() {
    let mut demand = [0.0, 0.0, 3.0].repeat(10);
    demand.extend([0.0; 30]);
    assert_eq!(croston(&demand, 0.1), 1.0); // it learns at demands only
    assert!(tsb(&demand, 0.1, 0.1) < 0.1);
    assert!(adida(&demand, 0.1) < 0.7);
    let methods: [fn(&[f64]) -> f64; 5] = [
        |d| croston(d, 0.1),
        |d| sba(d, 0.1),
        |d| tsb(d, 0.1, 0.1),
        |d| adida(d, 0.1),
        adida_fitted,
    ];
    for method in methods {
        assert!(method(&[]).is_nan() && method(&[f64::NAN]).is_nan());
        assert_eq!(method(&[0.0; 5]), 0.0);
        assert!((method(&[2.0; 50]) - 2.0).abs() <= 0.1 + 1e-12);
    }
}

#[test]
fn reconciled_forecasts_add_up_under_every_weight() {
    // plant, hall 1 (lines 1, 2), hall 2 (line 3), lines
    let sums = [
        vec![1.0, 1.0, 1.0],
        vec![1.0, 1.0, 0.0],
        vec![0.0, 0.0, 1.0],
        vec![1.0, 0.0, 0.0],
        vec![0.0, 1.0, 0.0],
        vec![0.0, 0.0, 1.0],
    ];
    let base = [20.0, 9.0, 8.0, 5.0, 5.0, 9.0];
    let errors = (0..6).map(|i| noise(40, i)).collect();
    let variances = Weights::Variances(vec![1e-6, 1.0, 1.0, 1.0, 1.0, 1.0]);
    for weights in [Weights::Equal, Weights::Structural, variances, Weights::Errors(errors)] {
        let found = reconcile(&sums, &base, &weights).unwrap();
        for (row, total) in sums.iter().zip(&found) {
            let of_lines: f64 = row.iter().zip(&found[3..]).map(|(one, line)| one * line).sum();
            assert!((of_lines - total).abs() < 1e-9, "{weights:?} {found:?}");
        }
        if let Weights::Variances(_) = weights {
            assert!((found[0] - 20.0).abs() < 1e-4); // the plant's forecast is beyond doubt
        }
        let again = reconcile(&sums, &found, &weights).unwrap();
        assert!(again.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-6));
    }
    assert!(matches!(reconcile(&sums, &base[1..], &Weights::Equal), Err(Error::Ragged { .. })));
    let zero = Weights::Variances(vec![0.0; 6]);
    assert!(matches!(reconcile(&sums, &base, &zero), Err(Error::OutOfRange { .. })));
}

#[test]
fn intervals_cover_what_they_promise() {
    let past: Vec<Vec<f64>> = noise(2000, 5).chunks(2).map(<[f64]>::to_vec).collect();
    let widths = half_widths(&past, 0.9).unwrap();
    assert!(widths.iter().all(|width| (width - 1.645).abs() < 0.15), "{widths:?}");
    assert_eq!(half_widths(&past[..5], 0.9).unwrap(), [f64::INFINITY; 2]);
    assert!(half_widths(&past, 1.0).is_err() && half_widths(&[], 0.9).unwrap().is_empty());
    // Errors that grow fivefold over time are still covered nine times of ten.
    let mut interval = Adaptive::new(0.9, 200, 0.02).unwrap();
    let mut n_inside = 0;
    for (i, x) in noise(5000, 6).iter().enumerate() {
        let error = x * (1.0 + i as f64 / 1000.0);
        n_inside += usize::from(i >= 500 && error.abs() <= interval.half_width());
        interval.push(error);
    }
    let share = n_inside as f64 / 4500.0;
    assert!((0.88..0.92).contains(&share), "{share}");
}

#[test]
fn selection_prefers_what_is_right_and_mixes_what_errs_apart() {
    let truth = noise(500, 7);
    let off = |seed, size: f64| -> Vec<f64> {
        truth.iter().zip(noise(500, seed)).map(|(y, x)| y + size * x).collect()
    };
    let shares = select(&[off(8, 1.0), off(9, 1.0), off(10, 9.0)], &truth, 20).unwrap();
    assert!(shares[0] > 0.3 && shares[1] > 0.3 && shares[2] < 0.1, "{shares:?}");
    assert_eq!(select(&[off(8, 1.0), truth.clone()], &truth, 20).unwrap(), [0.0, 1.0]);
    let mut holed = off(8, 1.0);
    holed[3] = f64::NAN;
    assert_eq!(select(&[holed], &truth, 3).unwrap(), [1.0]);
    assert!(matches!(select(&[], &[1.0], 3), Err(Error::TooShort { .. })));
    assert!(matches!(select(&[vec![f64::NAN]], &[1.0], 3), Err(Error::TooShort { .. })));
    assert!(matches!(select(&[vec![]], &[1.0], 3), Err(Error::Ragged { .. })));
}

#[test]
fn accuracy_leaves_out_what_is_missing() {
    assert_eq!(mae(&[1.0, f64::NAN, 3.0], &[2.0, 5.0, f64::NAN]), 1.0);
    assert!(mse(&[], &[]).is_nan());
    assert_eq!(mase(&[3.0], &[5.0], &[1.0, 2.0, 3.0, 4.0], 2), 1.0);
    assert!(mase(&[3.0], &[5.0], &[1.0, 2.0, 1.0, 2.0], 2).is_nan());
    assert_eq!(coverage_percent(&[1.0, 2.0], &[1.5, 4.0], &[0.5, 1.0]), 50.0);
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![9 => -1e3..1e3f64, 1 => Just(f64::NAN), 2 => Just(5.0)];
    proptest::collection::vec(value, 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_series_gives_an_error_or_finite_values(series in values(), period in 1usize..8) {
        let horizon = 7;
        let all = [
            ets(&series, period).map(|model| model.forecast(horizon)),
            theta(&series, period, horizon),
            dynamic_theta(&series, period, horizon),
        ];
        for forecast in all.into_iter().flatten() {
            prop_assert_eq!(forecast.len(), horizon);
            prop_assert!(forecast.iter().all(|x| x.is_finite()), "{:?}", forecast);
        }
    }

    #[test]
    fn forecasts_scale_with_the_series(seed in 0u64..50, factor in 0.01..100.0f64) {
        let series = seasonal(60, seed);
        let scaled: Vec<f64> = series.iter().map(|x| x * factor).collect();
        let one = ets(&series, 4).unwrap().forecast(6);
        let other = ets(&scaled, 4).unwrap().forecast(6);
        for (a, b) in one.iter().zip(&other) {
            prop_assert!((a * factor / b - 1.0).abs() < 0.02, "{} {}", a * factor, b);
        }
    }
}
