use std::f64::consts::TAU;

use proptest::prelude::*;

use super::*;
use crate::testing::Noise;

const RATE_HZ: f64 = 12_000.0;
const SHAFT_HZ: f64 = 30.0;

fn outer_and_inner() -> Vec<Candidate> {
    [("outer", 3.5848), ("inner", 5.4152), ("element", 4.7135)]
        .map(|(name, order)| Candidate { name: name.into(), order })
        .to_vec()
}

fn noise(n: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    (0..n).map(|_| noise.normal()).collect()
}

/// A resonance struck `order` times a turn, with jitter, in noise of RMS 1.
fn damaged(n: usize, order: f64, strength: f64, seed: u64) -> Vec<f64> {
    let mut samples = noise(n, seed);
    let mut jitter = Noise::new(seed + 1);
    let period_s = 1.0 / (order * SHAFT_HZ);
    let mut strike_s = 0.0;
    while strike_s * RATE_HZ < n as f64 {
        let first = (strike_s * RATE_HZ).ceil() as usize;
        for (i, sample) in samples.iter_mut().enumerate().skip(first).take(100) {
            let since_s = i as f64 / RATE_HZ - strike_s;
            *sample += strength * (-800.0 * since_s).exp() * (TAU * 3000.0 * since_s).sin();
        }
        strike_s += period_s * (1.0 + 0.005 * jitter.normal());
    }
    samples
}

fn check_found(order: f64, expected: &str) {
    let candidates = outer_and_inner();
    let samples = damaged(48_000, order, 4.0, 7);
    let found =
        evidence(&mut Plans::default(), &samples, RATE_HZ, &candidates, &Search::at(SHAFT_HZ));
    let best = &found.unwrap()[0];
    assert_eq!(candidates[best.candidate].name, expected);
    assert!(best.score > 5.0 && (best.order / order - 1.0).abs() < 0.012, "{best:?}");
    assert!(best.harmonics[0].over_background > 10.0, "{best:?}");
}

#[test]
fn a_struck_part_is_named_with_its_harmonics() {
    check_found(3.5848, "outer");
    check_found(5.4152 * 0.992, "inner"); // the elements slip
    check_found(4.7135, "element");
}

#[test]
fn noise_and_tones_prove_nothing() {
    for seed in 0..5 {
        let mut samples = noise(48_000, seed);
        for (i, sample) in samples.iter_mut().enumerate() {
            *sample += 5.0 * (TAU * SHAFT_HZ * 2.0 * i as f64 / RATE_HZ).sin();
        }
        let candidates = outer_and_inner();
        let search = Search::at(SHAFT_HZ);
        let found = evidence(&mut Plans::default(), &samples, RATE_HZ, &candidates, &search);
        assert!(found.unwrap().iter().all(|finding| finding.score < 3.0), "seed {seed}");
    }
}

#[test]
fn a_constant_has_no_evidence_and_no_impulsive_band() {
    let plans = &mut Plans::default();
    let found = evidence(plans, &[1.5; 12_000], RATE_HZ, &outer_and_inner(), &Search::at(SHAFT_HZ));
    assert_eq!(found, Ok(vec![]));
    assert!(kurtogram(plans, &[0.0; 1000], RATE_HZ, 3).unwrap().is_empty());
    assert!(prewhiten(plans, &[2.0; 1000]).unwrap().iter().all(|x| *x == 0.0));
    let still = levels(&[3.0; 10]).unwrap();
    assert!(still.rms == 0.0 && still.crest.is_nan() && still.kurtosis.is_nan());
}

#[test]
fn the_kurtogram_finds_the_band_that_rings() {
    let samples = damaged(24_000, 3.5848, 6.0, 3);
    let best = kurtogram(&mut Plans::default(), &samples, RATE_HZ, 4).unwrap()[0];
    assert!(best.low_hz < 3000.0 && best.high_hz > 3000.0 && best.kurtosis > 1.0, "{best:?}");
}

#[test]
fn prewhitening_makes_every_line_alike() {
    let mut samples = noise(6000, 1);
    samples.iter_mut().enumerate().for_each(|(i, x)| *x += 100.0 * (i as f64 * 0.3).sin());
    let flat = prewhiten(&mut Plans::default(), &samples).unwrap();
    let sizes: Vec<f64> =
        spectrum::transform(&mut Plans::default(), &flat).iter().map(|x| x.norm()).collect();
    let middle = &sizes[1..sizes.len() - 1];
    assert!(middle.iter().all(|size| (size / middle[0] - 1.0).abs() < 1e-9));
    assert!((levels(&flat).unwrap().rms - 1.0).abs() < 0.01);
}

#[test]
fn orders_stay_in_place_while_the_speed_doubles() {
    let rate_hz = 5000.0;
    // angle(t) = 20 t + 2 t² turns: 20 to 40 turns a second within 5 s; the third order is what we look for
    let angle = |time_s: f64| 20.0 * time_s + 2.0 * time_s * time_s;
    let samples: Vec<f64> =
        (0..25_000).map(|i| (TAU * 3.0 * angle(f64::from(i) / rate_hz)).sin()).collect();
    let turns_s: Vec<f64> =
        (0..=149).map(|turn| ((400.0 + 8.0 * f64::from(turn)).sqrt() - 20.0) / 4.0).collect();
    let shown = order_spectrum(&mut Plans::default(), &samples, rate_hz, &turns_s, 32).unwrap();
    let (order, amplitude) = shown.peak_near(3.0, 0.2).unwrap();
    assert!((order - 3.0).abs() < 0.02 && (amplitude - 1.0).abs() < 0.03, "{order} {amplitude}");
    assert!(shown.peak_near(6.0, 0.5).unwrap().1 < 0.02);
    assert_eq!(shown.peak_near(17.0, 0.2), None);
    let falling = order_spectrum(&mut Plans::default(), &samples, rate_hz, &[1.0, 0.5], 32);
    assert!(matches!(falling, Err(Error::OutOfRange { name: "turns_s", .. })));
    // The last sample comes at 4.9998 s; beyond it, the last value used to be repeated.
    for late_s in [5.0, f64::INFINITY, f64::NAN] {
        let late = order_spectrum(&mut Plans::default(), &samples, rate_hz, &[0.0, late_s], 128);
        assert!(
            matches!(late, Err(Error::OutOfRange { name: "turns_s", .. })),
            "{late_s}: {late:?}"
        );
    }
    for per_turn in [0, usize::MAX] {
        let odd = order_spectrum(&mut Plans::default(), &samples, rate_hz, &turns_s, per_turn);
        assert!(matches!(odd, Err(Error::OutOfRange { name: "per_turn", .. })), "{odd:?}");
    }
}

#[test]
fn bad_input_is_named() {
    let plans = &mut Plans::default();
    let check = |result: Result<Spectrum, Error>, words: &str| {
        assert_eq!(result.unwrap_err().to_string(), words);
    };
    let short = "the recording has 1 samples; this needs at least 64";
    check(spectrum(plans, &[1.0], 100.0), short);
    let mut holed = vec![0.0; 100];
    holed[7] = f64::NAN;
    check(spectrum(plans, &holed, 100.0), "sample 7 of the recording is NaN");
    check(spectrum(plans, &[0.0; 64], 0.0), "rate_hz is 0, outside the positive numbers");
    let beyond = squared_envelope_spectrum(plans, &[0.0; 64], 100.0, (10.0, 51.0));
    check(beyond, "high_hz is 51, outside the frequencies between low_hz and half the rate");
    let few_turns = evidence(plans, &[0.0; 1000], RATE_HZ, &[], &Search::at(1.0));
    assert_eq!(few_turns, Err(Error::TooShort { found: 1000, least: 240_000 }));
}

#[test]
fn bearings_that_cannot_be_built_have_no_orders() {
    let with = |element_diameter, n_elements| Bearing {
        n_elements,
        element_diameter,
        pitch_diameter: 40.0,
        contact_degrees: 0.0,
    };
    assert!(with(8.0, 9).orders().is_some());
    for bearing in [with(40.0, 9), with(0.0, 9), with(8.0, 0), with(f64::NAN, 9)] {
        assert!(bearing.orders().is_none(), "{bearing:?}");
    }
}

#[test]
fn zones_begin_above_their_boundary() {
    let limits = ZoneLimits::new(1.4, 2.8, 4.5).unwrap();
    let zones = [1.4, 1.5, 2.9, 4.5, 4.6].map(|speed| limits.zone(speed).unwrap());
    assert_eq!(zones, [Zone::A, Zone::B, Zone::C, Zone::C, Zone::D]);
    assert!(limits.zone(f64::NAN).is_none());
    let changes = [1.0, 1.8, 0.2].map(|now| limits.change(1.0, now));
    assert_eq!(changes, [Change::Small, Change::Risen, Change::Fallen]);
    assert!(ZoneLimits::new(2.0, 2.0, 3.0).is_none());
}

#[test]
fn a_band_that_turns_up_is_an_alarm_and_running_in_is_none() {
    let mut drift = Drift::new(DriftSettings { run_in: 20, window: 3, limit: 2.5 });
    let power =
        |hour: f64| (-hour / 20.0).exp() + if hour < 60.0 { 0.0 } else { 10.0 * (hour - 59.0) };
    let mut is_alarm = |hour: u32| {
        drift.push(&[power(f64::from(hour))]);
        drift.is_alarm()
    };
    let alarms: Vec<u32> = (0..100).filter(|hour| is_alarm(*hour)).collect();
    assert_eq!(alarms.first(), Some(&61), "two of three snapshots are high");
    let mut flat = Drift::new(DriftSettings { run_in: 0, window: 1, limit: 0.1 });
    (0..100_000).for_each(|_| assert!(flat.push(&[2.0]).max(0.0) == 0.0));
    assert!(flat.push(&[]).is_nan() && flat.push(&[-1.0, f64::NAN]).is_nan() && !flat.is_alarm());
    assert!(flat.push(&[2.1]) > 4.0 && flat.is_alarm());
}

#[test]
fn the_powers_of_all_bands_are_the_power() {
    let plans = &mut Plans::default();
    let samples = noise(4096, 5);
    let shown = spectrum(plans, &samples, RATE_HZ).unwrap().amplitudes;
    let bands = band_powers(plans, &samples, RATE_HZ, 8).unwrap();
    let whole: f64 = shown[..shown.len() - 1].iter().map(|x| x * x / 2.0).sum();
    assert!(
        (bands.iter().sum::<f64>() / 8.0 * (shown.len() - 1) as f64 / whole - 1.0).abs() < 1e-2
    );
    for n_bands in [0, shown.len()] {
        let refused = band_powers(plans, &samples, RATE_HZ, n_bands);
        assert!(matches!(refused, Err(Error::OutOfRange { name: "n_bands", .. })));
    }
}

#[test]
fn lengths_are_made_of_small_factors() {
    let is_smooth = |n: usize| {
        let rest = [2, 3, 5].iter().fold(n, |mut rest, factor| {
            while rest % factor == 0 {
                rest /= factor;
            }
            rest
        });
        rest == 1 && n.is_multiple_of(2)
    };
    for n in 64..3000 {
        let (below, above) = (smooth_at_most(n), smooth_at_least(n));
        assert!(is_smooth(below) && is_smooth(above) && below <= n && above >= n);
        assert!(!(below + 1..=n).chain(n..above).any(is_smooth), "{n}: {below} {above}");
    }
}

proptest! {
    #[test]
    fn a_trend_that_is_saved_goes_on_as_if_never_stopped(
        levels in proptest::collection::vec(
            prop_oneof![8 => 0.1..10.0f64, 1 => Just(f64::NAN), 1 => Just(0.0)], 1..60),
        stop in 0usize..60,
        window in 1usize..6,
    ) {
        let settings = TrendSettings { learn: 3, window, factor: 2.0 };
        let (mut whole, mut parts) = (Trend::new(settings), Trend::new(settings));
        for (i, level) in levels.iter().enumerate() {
            if i == stop {
                parts = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
            }
            let (a, b) = (whole.push(&[*level, 1.0]), parts.push(&[*level, 1.0]));
            prop_assert_eq!(a.to_bits(), b.to_bits());
            prop_assert_eq!(whole.is_alarm(), parts.is_alarm());
        }
    }

    #[test]
    fn a_drift_that_is_saved_goes_on_as_if_never_stopped(
        levels in proptest::collection::vec(
            prop_oneof![8 => 0.1..10.0f64, 1 => Just(f64::NAN), 1 => Just(0.0)], 1..60),
        stop in 0usize..60,
        window in 0usize..6,
        unit in 0.001..1000.0f64,
    ) {
        let settings = DriftSettings { run_in: 6, window, limit: 1.0 };
        let (mut whole, mut parts) = (Drift::new(settings), Drift::new(settings));
        let mut other_unit = Drift::new(settings);
        for (i, level) in levels.iter().enumerate() {
            if i == stop {
                parts = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
            }
            let (a, b) = (whole.push(&[*level, 1.0]), parts.push(&[*level, 1.0]));
            prop_assert_eq!(a.to_bits(), b.to_bits());
            prop_assert_eq!(whole.is_alarm(), parts.is_alarm());
            prop_assert!(!whole.is_alarm() || (i >= 6 && a >= 1.0));
            let scaled = other_unit.push(&[level * unit, unit]);
            prop_assert_eq!(a.is_nan(), scaled.is_nan());
            prop_assert!(a.is_nan() || (a - scaled).abs() < 1e-6);
        }
    }

    #[test]
    fn levels_scale_with_the_samples_and_not_with_their_order(
        samples in proptest::collection::vec(-100.0..100.0f64, 2..200),
        factor in 0.1..10.0f64,
    ) {
        let one = levels(&samples).unwrap();
        let mut other: Vec<f64> = samples.iter().map(|x| x * factor).collect();
        other.reverse();
        other.push(f64::NAN);
        let other = levels(&other).unwrap();
        prop_assert!((other.rms - one.rms * factor).abs() <= 1e-9 * one.rms.max(1.0) * factor);
        prop_assert!((other.peak - one.peak * factor).abs() <= 1e-9 * one.peak.max(1.0) * factor);
    }

    #[test]
    fn evidence_does_not_depend_on_the_unit(seed in 0u64..20, factor in 0.001..1000.0f64) {
        let samples = damaged(12_000, 3.5848, 3.0, seed);
        let scaled: Vec<f64> = samples.iter().map(|x| x * factor).collect();
        let plans = &mut Plans::default();
        let (candidates, search) = (outer_and_inner(), Search::at(SHAFT_HZ));
        let one = evidence(plans, &samples, RATE_HZ, &candidates, &search).unwrap();
        let other = evidence(plans, &scaled, RATE_HZ, &candidates, &search).unwrap();
        for (a, b) in one.iter().zip(&other) {
            prop_assert!(a.candidate == b.candidate && (a.score - b.score).abs() < 1e-4);
        }
    }
}
