//! Every public function takes every number: an answer or an error, never a panic, and no answer that is no number.

use proptest::prelude::*;

use super::intermittent::{Pooling, pooled, tsb};
use super::recommend::{Costs, Item};
use super::reorder::Part;
use super::*;
use crate::Basis;
use crate::statistics::tests::{hostile, hostile_us};

const BASIS: Basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };

fn demand() -> impl Strategy<Value = Demand> {
    prop_oneof![
        (hostile(), hostile()).prop_map(|(mean, sd)| Demand::Normal { mean, sd }),
        hostile().prop_map(|mean| Demand::Poisson { mean }),
    ]
}

fn are_finite(numbers: &[f64]) -> Result<(), TestCaseError> {
    prop_assert!(numbers.iter().all(|number| number.is_finite()), "{numbers:?}");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn lots(k in hostile(), h in hostile(), p in hostile(), d in hostile(), q in hostile(), orders in prop::collection::vec(hostile(), 0..6)) {
        for lot in [lot::eoq(k, h, d), lot::eoq_late(k, h, p, d), lot::epq(k, h, d, p)].into_iter().flatten() {
            are_finite(&[lot.quantity, lot.late_share, lot.cost])?;
        }
        if let Ok(cost) = lot::cost_of(k, h, d, q) { are_finite(&[cost])?; }
        if let Ok(plan) = lot::wagner_whitin(k, h, &orders) { are_finite(&[plan.cost])?; }
        if let Ok(cost) = lot::cost_of_plan(k, h, &orders, &orders) { are_finite(&[cost])?; }
        let item = Item { name: "part", room: q, n_periods: 3 };
        let _ = recommend::wagner_whitin(&item, k, h, &orders, &orders, &BASIS);
        let _ = recommend::eoq(&item, k, h, Demand::Normal { mean: d, sd: p }, q, &BASIS);
    }

    #[test]
    fn demands_and_newsvendors(demand in demand(), share in hostile(), h in hostile(), p in hostile()) {
        let _ = (demand.quantile(share), demand.cdf(share), demand.expected_left(share), demand.expected_short(share));
        if let Ok(best) = newsvendor::newsvendor(h, p, demand) { are_finite(&[best.level])?; }
        let item = Item { name: "part", room: share, n_periods: 0 };
        let _ = recommend::newsvendor(&item, h, p, demand, share, &BASIS);
    }

    #[test]
    fn distributions(mean in hostile(), variance in hostile(), share in hostile(), n in 0_usize..3, weights in prop::collection::vec(hostile(), 0..5)) {
        for pmf in [Pmf::one_with(share), Pmf::from_weights(&weights)].into_iter().flatten() {
            prop_assert!((pmf.over(n).probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
            let _ = pmf.quantile(share);
        }
        for pmf in [Pmf::poisson(mean), Pmf::negative_binomial(mean, variance)].into_iter().flatten() {
            prop_assert!((pmf.probabilities().iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
        if let Ok(Some(rate)) = tsb(&weights, share, mean) { are_finite(&[rate.mean()])?; }
        for pmf in pooled(&[&weights], Pooling { decay: share, lent: mean }).into_iter().flatten() {
            are_finite(&[pmf.mean()])?;
        }
    }

    #[test]
    fn failing_machines(lives in prop::collection::vec(hostile(), 0..4), horizon in hostile(), surplus in hostile(), shortage in hostile(), on_hand in any::<usize>()) {
        let spare = spares::Spare { name: "part".into(), on_hand, on_order: on_hand, surplus_cost: surplus, shortage_cost: shortage };
        if let Ok(need) = spares::needed(&[&lives], horizon, &Pmf::point(1)) {
            let _ = spares::recommend(&need, &spare, &BASIS);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn policies(k in hostile(), h in hostile(), p in hostile(), demand in demand(), lead_time in hostile(), ends in (hostile_us(), hostile_us())) {
        let part = Part { fixed_cost: k, holding_cost: h, shortage_cost: p, lead_time, demand };
        for found in [reorder::inventory_level(&part), reorder::late_quantity(&part), reorder::safety_stock(&part), reorder::best(&part)].into_iter().flatten() {
            are_finite(&[found.point, found.quantity, found.cost.unwrap_or(0.0)])?;
        }
        if let Ok(cost) = reorder::cost_of(&part, ends.0 as f64, lead_time) { are_finite(&[cost])?; }
        if let Ok(best) = min_max::poisson(k, h, p, demand.mean()) {
            are_finite(&[best.min, best.max, best.cost.unwrap_or(f64::NAN)])?;
        }
        let _ = min_max::cost_of(k, h, p, demand.mean(), ends.0, ends.1);
        let _ = min_max::power_approximation(k, h, p, demand, lead_time);
        let item = Item { name: "part", room: lead_time, n_periods: 2 };
        let _ = recommend::reorder(&item, &part, (h, p), &BASIS);
        let _ = recommend::min_max(&item, &Costs { fixed: k, holding: h, shortage: p }, demand.mean(), ends, &BASIS);
    }

    #[test]
    fn networks(h in hostile(), lead_time in hostile(), p in hostile(), demand in demand(), z in hostile(), times in prop::collection::vec((any::<usize>(), 0_usize..3), 0..4)) {
        let stages = [serial::Stage { echelon_holding_cost: h, lead_time }; 2];
        if let Ok(best) = serial::base_stock(&stages, p, demand) {
            are_finite(&best.echelon)?;
            are_finite(&[best.cost])?;
        }
        let item = Item { name: "part", room: z, n_periods: 0 };
        let _ = recommend::serial(&item, &stages, p, demand, &[h, z], &BASIS);
        let stages: Vec<tree::Stage> = times.iter().map(|(time, supplier)| tree::Stage {
            suppliers: vec![*supplier], holding_cost: h, processing_time: *time, supplier_time: time % 7,
            customer_time: Some(*time), demand_sd: z, ..tree::Stage::default()
        }).collect();
        let now: Vec<usize> = times.iter().map(|(time, _)| *time).collect();
        let _ = (tree::service_times(&stages, z), tree::plan_of(&stages, z, &now));
        let _ = recommend::tree(&stages, z, &now, &BASIS);
    }
}
