//! Charts, indices and gauges against published figures.

use proptest::prelude::*;

use super::predict::{Confusion, Costs, cheapest_threshold, train};
use super::*;
use crate::testing::{Noise, wild_value};

/// Runs of the simulated run lengths.
const N_RUNS: usize = 40_000;

/// Run lengths at shifts of 0, 1 and 2 σ, within 2 % of the table (its second decimal is not printed).
fn check_arl(chart: &impl Chart, expected: [f64; 3]) {
    for (shift, expected) in [0.0, 1.0, 2.0].into_iter().zip(expected) {
        let found = average_run_length(chart, shift, N_RUNS, 7).mean;
        let apart = (found - expected).abs();
        assert!(apart <= 0.02 * expected + 0.05, "{shift} σ: {found:.2} instead of {expected}");
    }
}

#[test]
fn charts_run_as_long_as_published() {
    check_arl(&RuleChart::new(Rules::SHEWHART), [367.0, 44.2, 6.4]);
    check_arl(&RuleChart::new(Rules::WESTERN_ELECTRIC), [91.8, 9.3, 3.3]);
    check_arl(&RuleChart::new(Rules::NELSON), [73.5, 9.7, 3.4]);
    check_arl(&Cusum::new(0.5, 5.0), [465.7, 10.4, 4.0]);
    check_arl(&Cusum::new(0.5, 4.0), [168.5, 8.4, 3.4]);
    check_arl(&Ewma::new(0.2, 2.962), [502.8, 10.6, 3.8]);
}

/// The values after which each rule is broken for the first time.
fn first_broken(rule: Rule, values: &[f64]) -> Option<usize> {
    let mut chart = RuleChart::new(Rules::of(&[rule]));
    values.iter().position(|&z| !chart.push(z).is_empty())
}

#[test]
fn each_rule_breaks_at_its_own_value_and_not_before() {
    let check = |rule, values: &[f64], expected| {
        assert_eq!(first_broken(rule, values), expected, "{rule:?}");
        let mirrored: Vec<f64> = values.iter().map(|z| -z).collect();
        assert_eq!(first_broken(rule, &mirrored), expected, "{rule:?} upside down");
    };
    check(Rule::Beyond3, &[3.0, 3.1], Some(1));
    check(Rule::TwoOfThreeBeyond2, &[2.1, -2.1, 0.0, 2.1, 0.0, 2.1], Some(5));
    check(Rule::TwoOfThreeBeyond2, &[2.1, 2.1, 0.0], Some(2));
    check(Rule::FourOfFiveBeyond1, &[1.1, 1.1, 0.0, 1.1, 1.1], Some(4));
    check(Rule::EightOnOneSide, &[0.1; 8], Some(7));
    check(Rule::NineOnOneSide, &[0.1; 8], None);
    check(Rule::NineOnOneSide, &[0.1; 9], Some(8));
    check(Rule::SixInTrend, &[0.0, 0.1, 0.2, 0.3, 0.4, 0.5], Some(5));
    check(Rule::SixInTrend, &[0.0, 0.1, 0.2, 0.2, 0.3, 0.4, 0.5], None);
    let zigzag: Vec<f64> = (0..14).map(|i| f64::from(i % 2)).collect();
    check(Rule::FourteenAlternating, &zigzag, Some(13));
    check(Rule::FourteenAlternating, &zigzag[1..], None);
    check(Rule::FifteenWithin1, &[0.5; 15], Some(14));
    check(Rule::EightBeyond1, &[1.5, -1.5, 1.5, -1.5, 1.5, -1.5, 1.5, -1.5], Some(7));
    let mut broken_off = vec![0.1; 7];
    broken_off.extend([f64::NAN, 0.1]);
    check(Rule::EightOnOneSide, &broken_off, None);
}

#[test]
fn several_quantities_alarm_as_often_as_promised() {
    let mut noise = Noise::new(3);
    let mut row = || {
        let common = noise.normal();
        [common + 0.3 * noise.normal(), 2.0 * common - noise.normal(), 5.0 + noise.normal()]
    };
    let known: Vec<[f64; 3]> = (0..60).map(|_| row()).collect();
    let columns: Vec<Vec<f64>> = (0..3).map(|i| known.iter().map(|r| r[i]).collect()).collect();
    let chart = T2Chart::new(Normal::fit(&columns).expect("good rows"), 0.05);
    // Sixty rows make a limit that is right in the mean over such charts; one chart is off by some.
    let alarms = (0..20_000).filter(|_| chart.signals(&row())).count();
    assert!((500..1800).contains(&alarms), "{alarms} of 20,000 at 5 %");
    // Within the usual range of each quantity, but not together.
    assert!(chart.signals(&[1.5, -3.0, 5.0]) && !chart.signals(&[1.5, 3.0, 5.0]));
    assert!(!chart.signals(&[f64::NAN, 3.0, 5.0]));
}

fn two_quantities() -> Normal {
    Normal::known(&[0.0; 2], &[1.0, 0.0, 0.0, 1.0]).expect("a covariance")
}

/// It used to give the distance of the values that were there, as if the row were closer to normal.
#[test]
#[should_panic(expected = "one value per quantity")]
fn a_row_that_is_too_short_is_no_row() {
    T2Chart::new(two_quantities(), 0.01).distance(&[1.0]);
}

#[test]
#[should_panic(expected = "one value per quantity")]
fn a_row_that_is_too_long_moves_no_average() {
    Mewma::new(two_quantities(), 0.1, 8.64).push(&[0.0; 3]);
}

#[test]
fn mewma_runs_as_long_as_published() {
    // Prabhu & Runger (1997), table 2: d = 2, weight 0.1, limit 8.64: 200, and 10.2 at a shift of 1.
    let normal = Normal::known(&[0.0; 2], &[1.0, 0.0, 0.0, 1.0]).expect("a covariance");
    let mut noise = Noise::new(4);
    for (shift, expected, tolerance) in [(0.0, 200.0, 8.0), (1.0, 10.2, 0.3)] {
        let n_runs = 6000;
        let mut n = 0;
        for _ in 0..n_runs {
            let mut chart = Mewma::new(normal.clone(), 0.1, 8.64);
            loop {
                n += 1;
                if chart.push(&[shift + noise.normal(), noise.normal()]) {
                    break;
                }
            }
        }
        let mean = f64::from(n) / f64::from(n_runs);
        assert!((mean - expected).abs() < tolerance, "shift {shift}: {mean}");
    }
}

#[test]
fn states_that_are_none_are_refused() {
    let columns = [vec![1.0, 2.0, 3.0, 5.0], vec![2.0, 4.0, 6.0, 10.0]];
    assert_eq!(Normal::fit(&columns), Err(Error::Constant("a sum of the quantities")));
    let few = Error::TooFew { what: "complete rows", found: 1, needed: 3 };
    assert_eq!(Normal::fit(&[vec![1.0, f64::NAN]]), Err(few));
    assert!(Normal::fit(&[]).is_err() && Normal::fit(&[vec![1.0; 5]]).is_err());
    assert!(Normal::fit(&[vec![1.0; 5], vec![1.0; 4]]).is_err());
    assert!(Normal::known(&[0.0], &[-1.0]).is_err() && Normal::known(&[0.0], &[]).is_err());
}

#[test]
fn intervals_of_indices_hold_the_truth() {
    let mut noise = Noise::new(5);
    let tolerance = Tolerance { low: Some(-4.0), high: Some(5.0) };
    // Truth for N(0, 1): Cp = 9/6, Cpk = 4/3.
    let mut held = [0; 4];
    for _ in 0..1000 {
        let values: Vec<f64> = (0..50).map(|_| noise.normal()).collect();
        let found = capability(&values, tolerance, 0.9).expect("good values");
        let two_sided = [found.cp, found.pp].map(|index| index.expect("two limits"));
        let pairs = [
            (two_sided[0], 1.5),
            (found.cpk, 4.0 / 3.0),
            (two_sided[1], 1.5),
            (found.ppk, 4.0 / 3.0),
        ];
        for (held, (index, truth)) in held.iter_mut().zip(pairs) {
            *held += u32::from(index.low <= truth && truth <= index.high);
        }
    }
    assert!(held.iter().all(|n| (860..=940).contains(n)), "{held:?} of 1000 at 90 %");
}

#[test]
fn tolerances_may_have_one_side() {
    let values = [1.0, 2.0, 3.0, 2.0, 1.0];
    let found = capability(&values, Tolerance { low: None, high: Some(4.0) }, 0.95).expect("good");
    assert!(found.cp.is_none() && found.pp.is_none());
    assert!((found.ppk.value - (4.0 - 1.8) / 3.0 / 0.7f64.sqrt()).abs() < 1e-12);
    let check = |values: &[f64], low, high| {
        assert!(capability(values, Tolerance { low, high }, 0.95).is_err());
    };
    check(&values, None, None);
    check(&values, Some(4.0), Some(1.0));
    check(&values, Some(f64::NAN), None);
    check(&[], Some(1.0), None);
    check(&[1.0, f64::NAN, 2.0], Some(0.0), None);
    check(&[1.0; 9], Some(0.0), None);
}

/// The study that AIAG's manual works through (MSA, 4th ed., table III-B 6a): operator by repetition by part.
const AIAG: [[[f64; 10]; 3]; 3] = [
    [
        [0.29, -0.56, 1.34, 0.47, -0.80, 0.02, 0.59, -0.31, 2.26, -1.36],
        [0.41, -0.68, 1.17, 0.50, -0.92, -0.11, 0.75, -0.20, 1.99, -1.25],
        [0.64, -0.58, 1.27, 0.64, -0.84, -0.21, 0.66, -0.17, 2.01, -1.31],
    ],
    [
        [0.08, -0.47, 1.19, 0.01, -0.56, -0.20, 0.47, -0.63, 1.80, -1.68],
        [0.25, -1.22, 0.94, 1.03, -1.20, 0.22, 0.55, 0.08, 2.12, -1.62],
        [0.07, -0.68, 1.34, 0.20, -1.28, 0.06, 0.83, -0.34, 2.19, -1.50],
    ],
    [
        [0.04, -1.38, 0.88, 0.14, -1.46, -0.29, 0.02, -0.46, 1.77, -1.49],
        [-0.11, -1.13, 1.09, 0.20, -1.07, -0.67, 0.01, -0.56, 1.45, -1.77],
        [-0.15, -0.96, 0.67, 0.11, -1.45, -0.49, 0.21, -0.49, 1.87, -2.16],
    ],
];

fn aiag() -> Vec<Vec<Vec<f64>>> {
    let cell = |part: usize, operator: usize| (0..3).map(|i| AIAG[operator][i][part]).collect();
    (0..10).map(|part| (0..3).map(|operator| cell(part, operator)).collect()).collect()
}

#[test]
fn the_manual_s_gauge_study_comes_out() {
    let study = gauge_study(&aiag()).expect("a full study");
    // Standard deviations 0.199933, 0.226838, 0.302373, 1.042327; interaction pooled; 27.9 % of the study.
    let check = |source: Source, sigma: f64| {
        assert!((source.variance.sqrt() - sigma).abs() < 1e-5, "{source:?}");
    };
    check(study.repeatability, 0.199_933);
    check(study.reproducibility, 0.226_838);
    check(study.gauge, 0.302_373);
    check(study.parts, 1.042_327);
    assert_eq!(study.interaction_variance, 0.0);
    assert!((study.gauge.study_share - 0.2786).abs() < 1e-4 && study.interaction_p > 0.9);
    assert_eq!(study.n_distinct.floor(), 4.0);
}

#[test]
fn studies_with_holes_are_refused() {
    let mut study = aiag();
    study[3][1].pop();
    assert!(matches!(gauge_study(&study), Err(Error::BadInput(_))));
    let few = |what, found| Err(Error::TooFew { what, found, needed: 2 });
    assert_eq!(gauge_study(&[]), few("parts", 0));
    assert_eq!(gauge_study(&[vec![vec![1.0]], vec![vec![1.0]]]), few("operators", 1));
    let flat = vec![vec![vec![1.0; 2]; 2]; 2];
    assert_eq!(gauge_study(&flat), Err(Error::Constant("the measured quantity")));
}

#[test]
fn dear_misses_lower_the_threshold() {
    let mut noise = Noise::new(6);
    let heat: Vec<f64> = (0..2000).map(|_| noise.uniform()).collect();
    let torn: Vec<f64> =
        heat.iter().map(|&p| f64::from(u8::from(noise.uniform() < p * p))).collect();
    let groups: Vec<u64> = (0..2000).map(|i| i / 4).collect();
    let params = crate::trees::Params { n_trees: 40, n_leaves: 8, ..Default::default() };
    let cost = |miss| Costs { miss, false_alarm: 1.0 };
    let columns = [heat];
    let of = |miss| train(&columns, &torn, &groups, cost(miss), 5, &params).expect("good parts");
    let (cheap, dear) = (of(1.0), of(9.0));
    // The true probabilities part at 1/2 and 1/10.
    assert!((cheap.threshold - 0.5).abs() < 0.15, "{}", cheap.threshold);
    assert!((dear.threshold - 0.1).abs() < 0.08, "{}", dear.threshold);
    assert!(cheap.reasons(&[0.95])[0] > 0.0 && cheap.reasons(&[0.05])[0] < 0.0);
    assert!(train(&columns, &torn, &groups[1..], cost(1.0), 5, &params).is_err());
    assert!(train(&columns, &torn, &[0; 2000], cost(1.0), 5, &params).is_err());
    assert!(train(&[], &[], &[], cost(1.0), 5, &params).is_err());
}

proptest! {
    #[test]
    fn no_threshold_is_cheaper(
        parts in prop::collection::vec((0u8..20, prop::bool::ANY), 0..40),
        miss in 0.1f64..10.0,
    ) {
        let p: Vec<f64> = parts.iter().map(|part| f64::from(part.0) / 20.0).collect();
        let labels: Vec<f64> = parts.iter().map(|part| f64::from(u8::from(part.1))).collect();
        let costs = Costs { miss, false_alarm: 1.0 };
        let threshold = cheapest_threshold(&p, &labels, costs);
        let least = Confusion::of(&p, &labels, threshold).cost(costs);
        for other in (-1..=21).map(|i| f64::from(i) / 20.0) {
            prop_assert!(least <= Confusion::of(&p, &labels, other).cost(costs) + 1e-9);
        }
    }

    #[test]
    fn a_saved_chart_goes_on_as_if_it_had_never_stopped(
        values in prop::collection::vec(prop_oneof![2 => -4.0f64..4.0, 1 => wild_value()], 1..60),
        at in 0usize..60,
    ) {
        let mut chart = (RuleChart::new(Rules::NELSON), Ewma::new(0.2, 2.5), Cusum::new(0.5, 4.0));
        let mut saved = chart;
        for (i, &z) in values.iter().enumerate() {
            if i == at {
                let text = serde_json::to_string(&saved).expect("numbers");
                saved = serde_json::from_str(&text).expect("own text");
            }
            prop_assert_eq!(chart.0.push(z), saved.0.push(z));
            prop_assert_eq!(chart.1.push(z), saved.1.push(z));
            prop_assert_eq!(chart.2.push(z), saved.2.push(z));
        }
        prop_assert_eq!(chart, saved);
    }

    #[test]
    fn units_do_not_change_an_index(scale in 0.001f64..1000.0, offset in -100.0f64..100.0) {
        let values = [1.0, 3.0, 2.0, 4.0, 2.5, 3.5];
        let tolerance = |a: f64, b: f64| Tolerance { low: Some(a), high: Some(b) };
        let one = capability(&values, tolerance(0.0, 6.0), 0.9).expect("good values");
        let scaled = values.map(|x| offset + scale * x);
        let other = capability(&scaled, tolerance(offset, offset + 6.0 * scale), 0.9).expect("good");
        prop_assert!((one.ppk.value - other.ppk.value).abs() < 1e-6);
        prop_assert!((one.cpk.low - other.cpk.low).abs() < 1e-6);
    }
}
