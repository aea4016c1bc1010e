use proptest::prelude::*;

use super::*;
use crate::Basis;

fn check(found: &[f64], expected: &[f64]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found - expected).abs() <= 1e-4 * expected.abs().max(1e-9),
            "{found} is not {expected}"
        );
    }
}

const NORMAL: Demand = Demand::Normal { mean: 50.0, sd: 8.0 };

#[test]
fn single_stage_oracles_of_snyder_and_shen() {
    let lot = lot::eoq_late(8.0, 0.225, 5.0, 1300.0).expect("sound");
    check(&[lot.quantity, lot.late_share, lot.cost], &[310.812555, 0.0430622, 66.921364]);
    let lot = lot::epq(4.0, 0.08, 80.0, 110.0).expect("sound");
    check(&[lot.quantity, lot.cost], &[171.269768, 3.736795]);
    let best = newsvendor::newsvendor(0.18, 0.70, NORMAL).expect("sound");
    check(&[best.level, best.cost], &[56.603956, 1.997605]);
    let best = newsvendor::newsvendor(200.0, 270.0, Demand::Poisson { mean: 18.0 }).expect("sound");
    check(&[best.level, best.cost], &[19.0, 786.088441]);
    let best = min_max::poisson(5.0, 1.0, 4.0, 6.0).expect("sound");
    check(&[best.min, best.max, best.cost.expect("exact")], &[4.0, 10.0, 8.034112]);
    let good = min_max::power_approximation(2.5, 0.18, 0.70, NORMAL, 0.0).expect("sound");
    check(&[good.min, good.max], &[40.194617, 74.290170]);
}

#[test]
fn reorder_oracles_of_snyder_and_shen() {
    let part = reorder::Part {
        fixed_cost: 8.0,
        holding_cost: 0.225,
        shortage_cost: 7.5,
        lead_time: 1.0 / 12.0,
        demand: Demand::Normal { mean: 1300.0, sd: 150.0 },
    };
    let policy = reorder::inventory_level(&part).expect("sound");
    check(
        &[policy.point, policy.quantity, policy.cost.expect("known")],
        &[213.970442, 318.590181, 95.451140],
    );
    check(&[reorder::cost_of(&part, policy.point, policy.quantity).expect("sound")], &[92.286877]);
    let policy = reorder::late_quantity(&part).expect("sound");
    check(&[policy.point, policy.quantity], &[128.637814, 308.573780]);
    let policy = reorder::safety_stock(&part).expect("sound");
    check(&[policy.point, policy.quantity], &[190.336997, 304.046780]);
    let part = reorder::Part {
        fixed_cost: 4.0,
        holding_cost: 4.0,
        shortage_cost: 28.0,
        lead_time: 0.5,
        demand: Demand::Poisson { mean: 12.0 },
    };
    let best = reorder::poisson(&part).expect("sound");
    check(&[best.point, best.quantity, best.cost.expect("known")], &[6.0, 7.0, 28.241313]);
    check(&[reorder::cost_of(&part, 6.0, 7.0).expect("sound")], &[28.241313]);
}

/// A fixed cost far above all others makes the policy wide: renewals were once cut at 20 means + 200 pieces, which
/// named (-4671, 261) at 18,705 as exact.
#[test]
fn wide_min_max_policies_cost_what_the_economic_quantity_says() {
    for (fixed, mean) in [(1e6, 6.0), (1e4, 6.0), (1e5, 40.0)] {
        let best = min_max::poisson(fixed, 1.0, 4.0, mean).expect("sound");
        let (found, lot) = (best.cost.expect("exact"), lot::eoq_late(fixed, 1.0, 4.0, mean));
        let lot = lot.expect("sound");
        // Demand that comes in single pieces adds little to a lot of hundreds.
        assert!(found > 0.99 * lot.cost && found < 1.01 * lot.cost + 4.0, "{best:?} {lot:?}");
        assert!((best.max - best.min) / lot.quantity > 0.95, "{best:?} {lot:?}");
    }
}

#[test]
fn rare_demand_has_a_policy_too() {
    for mean in [1e-300, 1e-20, 1e-9] {
        let best = min_max::poisson(5.0, 1.0, 4.0, mean).expect("sound");
        assert_eq!(best.max, 0.0, "{best:?}");
        assert!(best.cost.expect("exact") >= 0.0, "{best:?}");
    }
    let error = min_max::poisson(1e300, 1.0, 4.0, 6.0).expect_err("wider than the universe");
    assert!(error.to_string().contains("at most 20,000 pieces wide"), "{error}");
}

#[test]
fn numbers_that_cannot_be_are_named() {
    let error = lot::eoq(8.0, -1.0, 5.0).expect_err("holding cost is negative");
    assert_eq!(error.to_string(), "holding cost is -1, but must be finite and above 0; correct it");
    let error = newsvendor::newsvendor(1.0, 1.0, Demand::Normal { mean: 1.0, sd: f64::NAN })
        .expect_err("NaN");
    assert_eq!(
        error.to_string(),
        "standard deviation of demand is NaN, but must be finite and above 0; correct it"
    );
    let a = tree::Stage { name: "A".into(), suppliers: vec![3], ..tree::Stage::default() };
    let error = tree::service_times(&[a], 1.0).expect_err("no stage 3");
    assert_eq!(
        error.to_string(),
        "stage A names a supplier that is not in the list; add it or drop the link"
    );
    let feeds = |suppliers: &[usize]| tree::Stage {
        suppliers: suppliers.to_vec(),
        ..tree::Stage::default()
    };
    let error = tree::service_times(&[feeds(&[1]), feeds(&[0])], 1.0).expect_err("a loop");
    assert!(error.to_string().contains("only trees can be planned"), "{error}");
}

#[test]
fn a_spare_is_ordered_when_failure_is_likely_enough() {
    let mut spare = spares::Spare {
        name: "bearing 6205".into(),
        on_hand: 0,
        on_order: 0,
        surplus_cost: 100.0,
        shortage_cost: 900.0,
    };
    let basis = Basis { window_us: Some((1, 9)), currency: "EUR", valid_until_us: 0 };
    let draws: Vec<f64> = (1..=20).map(|n| f64::from(n) * 10.0).collect();
    // One machine; an order pays when failure is likelier than 100 ÷ 1000.
    let need = |horizon_h| spares::needed(&[&draws], horizon_h, &Pmf::point(0)).expect("sound");
    assert_eq!(spares::recommend(&need(20.0), &spare, &basis).expect("sound"), None);
    let advice =
        spares::recommend(&need(30.0), &spare, &basis).expect("sound").expect("15 % is enough");
    assert_eq!(
        advice.summary,
        "order 1 of bearing 6205: what is there is enough with 85 %, then with 100 %"
    );
    assert!((advice.gain.expected - (0.15 * 900.0 - 0.85 * 100.0)).abs() < 1e-9);
    assert_eq!((advice.gain.low, advice.gain.high), (-100.0, 900.0));
    assert_eq!((advice.evidence.window_us, advice.bounds.gap_percent()), (Some((1, 9)), Some(0.0)));
    let unknown =
        spares::needed(&[&[f64::NAN, 5.0]], 9.0, &Pmf::point(0)).expect_err("a life is unknown");
    assert_eq!(
        unknown.to_string(),
        "life of a machine is NaN, but must be a number of hours; leave unknown draws out; correct it"
    );
    spare.on_order = 1;
    assert_eq!(spares::recommend(&need(200.0), &spare, &basis).expect("sound"), None);
}

/// Every plan of orders in some periods, each covering demand until the next.
fn least_by_trying(fixed: f64, holding: f64, demand: &[f64]) -> f64 {
    let n = demand.len();
    let cost = |mask: usize| {
        let mut last = None;
        let mut cost = 0.0;
        for (period, d) in demand.iter().enumerate() {
            if mask >> period & 1 == 1 {
                cost += fixed;
                last = Some(period);
            }
            match last {
                Some(ordered) => cost += holding * (period - ordered) as f64 * d,
                None if *d > 0.0 => return f64::INFINITY,
                None => {}
            }
        }
        cost
    };
    (0..1 << n).map(cost).fold(f64::INFINITY, f64::min)
}

/// Every assignment of service times to a tree of up to four stages.
fn cheapest_by_trying(stages: &[tree::Stage], z: f64, sd: &[f64], longest: usize) -> f64 {
    let n = stages.len();
    let mut best = f64::INFINITY;
    for code in 0..(longest + 1).pow(n as u32) {
        let time = |node: usize| code / (longest + 1).pow(node as u32) % (longest + 1);
        let mut cost = 0.0;
        for (node, stage) in stages.iter().enumerate() {
            let inbound = stage
                .suppliers
                .iter()
                .map(|s| time(*s))
                .max()
                .unwrap_or(0)
                .max(stage.supplier_time);
            let covered = inbound as i64 + stage.processing_time as i64 - time(node) as i64;
            if covered < 0 || stage.customer_time.is_some_and(|most| time(node) > most) {
                cost = f64::INFINITY;
                break;
            }
            cost += stage.holding_cost * z * sd[node] * (covered as f64).sqrt();
        }
        best = best.min(cost);
    }
    best
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn wagner_whitin_is_never_beaten_by_trying_all_plans(
        fixed in 0.0..50.0_f64,
        holding in 0.0..3.0_f64,
        demand in prop::collection::vec(prop_oneof![1 => Just(0.0), 3 => 0.0..30.0_f64], 0..9),
    ) {
        let plan = lot::wagner_whitin(fixed, holding, &demand).expect("sound");
        let least = least_by_trying(fixed, holding, &demand);
        prop_assert!((plan.cost - least).abs() < 1e-9 * (1.0 + least), "{} {least}", plan.cost);
        let (mut stock, mut cost) = (0.0, 0.0);
        for (order, d) in plan.orders.iter().zip(&demand) {
            cost += if *order > 0.0 { fixed } else { 0.0 };
            stock += order - d;
            prop_assert!(stock > -1e-9);
            cost += holding * stock;
        }
        prop_assert!((plan.cost - cost).abs() < 1e-6 * (1.0 + cost), "{} {cost}", plan.cost);
    }

    #[test]
    fn no_neighboring_min_max_policy_is_cheaper(fixed in 1.0..60.0_f64, p in 2.0..40.0_f64, mean in 0.5..12.0_f64) {
        let best = min_max::poisson(fixed, 1.0, p, mean).expect("sound");
        let cost = best.cost.expect("exact");
        for min in -3..=3 {
            for max in -3..=3 {
                let (min, max) = (best.min as i64 + min, best.max as i64 + max);
                if min < max {
                    let other = min_max::cost_of(fixed, 1.0, p, mean, min, max).expect("sound");
                    prop_assert!(other >= cost - 1e-9, "({min}, {max}) costs {other} < {cost}");
                }
            }
        }
    }

    #[test]
    fn service_times_are_never_beaten_by_trying_all(
        nodes in prop::collection::vec((0_usize..3, 0.1..5.0_f64, 0_usize..3, any::<bool>(), 0.1..3.0_f64), 1..5),
    ) {
        // Each stage after the first is joined to an earlier one, as its supplier or as its customer.
        let n = nodes.len();
        let mut stages: Vec<tree::Stage> = nodes.iter().map(|(_, holding_cost, processing_time, _, _)| tree::Stage {
            holding_cost: *holding_cost, processing_time: *processing_time, ..tree::Stage::default()
        }).collect();
        for idx in 1..n {
            let other = nodes[idx].0 % idx;
            if nodes[idx].3 { stages[idx].suppliers.push(other) } else { stages[other].suppliers.push(idx) }
        }
        let sells = |idx: usize| stages.iter().all(|stage| !stage.suppliers.contains(&idx));
        let selling: Vec<bool> = (0..n).map(sells).collect();
        for idx in 0..n {
            if selling[idx] {
                stages[idx].customer_time = Some(nodes[idx].0 % 2);
                stages[idx].demand_sd = nodes[idx].4;
            }
        }
        let plan = tree::service_times(&stages, 2.0).expect("a tree");
        let sd: Vec<f64> = (0..n).map(|idx| plan.safety_stocks[idx] / 2.0 / (plan.covered_times[idx] as f64).sqrt()).collect();
        let variance = |idx: usize| -> f64 {
            let mut open = vec![idx];
            let mut sum = 0.0;
            while let Some(node) = open.pop() {
                sum += stages[node].demand_sd.powi(2);
                open.extend((0..n).filter(|other| stages[*other].suppliers.contains(&node)));
            }
            sum
        };
        let expected: Vec<f64> = (0..n).map(|idx| variance(idx).sqrt()).collect();
        for (found, expected) in sd.iter().zip(&expected) {
            prop_assert!(found.is_nan() || (found - expected).abs() < 1e-9);
        }
        let longest: usize = stages.iter().map(|stage| stage.processing_time).sum();
        let least = cheapest_by_trying(&stages, 2.0, &expected, longest);
        prop_assert!((plan.cost - least).abs() < 1e-9 * (1.0 + least), "{} {least}", plan.cost);
        let again: f64 = stages.iter().zip(&plan.safety_stocks).map(|(stage, stock)| stage.holding_cost * stock).sum();
        prop_assert!((plan.cost - again).abs() < 1e-9 * (1.0 + least));
    }

    #[test]
    fn distributions_stay_distributions(mean in 0.0..30.0_f64, excess in 0.0..60.0_f64, n in 0_usize..4) {
        let pmf = Pmf::negative_binomial(mean, mean + excess).expect("sound").over(n);
        prop_assert!((pmf.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        prop_assert!((pmf.mean() - n as f64 * mean).abs() < 1e-6 * (1.0 + mean));
        prop_assert!(pmf.quantile(0.5) <= pmf.quantile(0.95));
    }

    #[test]
    fn pooled_demand_takes_any_history(histories in prop::collection::vec(prop::collection::vec(prop_oneof![Just(0.0), Just(f64::NAN), 0.0..40.0_f64], 0..30), 0..8)) {
        let histories: Vec<&[f64]> = histories.iter().map(Vec::as_slice).collect();
        let demand = intermittent::pooled(&histories, intermittent::Pooling::default()).expect("sound");
        prop_assert_eq!(demand.len(), histories.len());
        for pmf in demand {
            prop_assert!((pmf.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
