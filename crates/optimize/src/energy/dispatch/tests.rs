use proptest::prelude::*;

use super::*;

const BATTERY: Battery = Battery {
    capacity_kwh: 6.0,
    charge_kw: 3.0,
    discharge_kw: 3.0,
    charge_efficiency: 0.9,
    discharge_efficiency: 0.9,
    kept_per_h: 0.99,
    start_kwh: 3.0,
    end_kwh: None,
    end_value: 0.0,
};

const EMPTY: Problem = Problem {
    step_h: 1.0,
    load_kw: &[],
    solar_kw: &[],
    price: &[],
    feed_in: &[],
    grid_kw: 10.0,
    month: &[],
    day: &[],
    demand: DemandCharge::None,
    past_peaks_kw: &[],
    peak_today_kw: 0.0,
    battery: None,
    shiftable: &[],
};

fn refused(problem: &Problem, words: &str) {
    assert_eq!(plan(problem, 5.0).expect_err("must be refused").to_string(), words);
}

#[test]
fn impossible_inputs_are_named() {
    assert_eq!(plan(&EMPTY, 1.0).expect("nothing to do").cost, 0.0);
    let one = Problem { load_kw: &[11.0], price: &[1.0], month: &[0], day: &[0], ..EMPTY };
    refused(
        &one,
        "no plan is possible: the load of step 0 is 11.0 kW, but connection, battery and sun give at most 10.0 kW; \
         shed load or raise the connection",
    );
    refused(
        &Problem { price: &[], ..one.clone() },
        "price has 0 values where there are 1; give one for each",
    );
    let bake = Shiftable { name: "bake".into(), power_kw: 2.0, n_steps: 2, earliest: 0, latest: 1 };
    refused(
        &Problem { load_kw: &[1.0], shiftable: &[bake], ..one.clone() },
        "no plan is possible: bake takes 2 steps, but may run only from step 0 to 1; widen its window",
    );
    let battery = Battery { end_kwh: Some(6.0), ..BATTERY };
    refused(
        &Problem { load_kw: &[10.0], battery: Some(battery), ..one },
        "no plan is possible: load, connection, battery limits and its charge at the end cannot all hold; \
         free the charge at the end or raise the connection",
    );
}

#[test]
fn work_moves_to_the_cheap_hours_and_the_advice_says_so() {
    let bake = Shiftable { name: "bake".into(), power_kw: 2.0, n_steps: 2, earliest: 0, latest: 5 };
    let problem = Problem {
        load_kw: &[1.0; 5],
        price: &[3.0, 1.0, 2.0, 1.0, 1.0],
        month: &[0; 5],
        day: &[0; 5],
        shiftable: &[bake],
        ..EMPTY
    };
    let best = plan(&problem, 5.0).expect("possible");
    assert_eq!((best.starts[0], best.cost), (3, 8.0 + 4.0));
    let advice = recommend(&problem, &best, 16.0, "EUR", 0);
    assert_eq!(advice.summary, "4.00 EUR less over 5 steps, highest draw 3.0 kW");
    assert_eq!(advice.bounds.gap_percent(), Some(0.0));
}

#[test]
fn a_tier_is_kept_over_the_mean_of_the_highest_days() {
    // Two days count, their mean may be 4; the past day had 5, so today may have 3.
    let demand =
        DemandCharge::Tiered { tiers: vec![(4.0, 10.0), (20.0, 100.0)], n_days: 2, caution: 0.0 };
    let battery =
        Battery { charge_efficiency: 1.0, discharge_efficiency: 1.0, kept_per_h: 1.0, ..BATTERY };
    let problem = Problem {
        load_kw: &[5.0, 4.0],
        price: &[0.1, 0.1],
        month: &[0, 0],
        day: &[0, 0],
        demand,
        past_peaks_kw: &[5.0],
        battery: Some(battery),
        ..EMPTY
    };
    let best = plan(&problem, 5.0).expect("possible");
    assert!(best.grid_kw.iter().all(|kw| *kw <= 3.0 + 1e-6), "{:?}", best.grid_kw);
    assert_eq!(best.demand_cost, 10.0);
    let per_kw =
        plan(&Problem { demand: DemandCharge::PerKw(2.0), past_peaks_kw: &[], ..problem }, 5.0);
    let per_kw = per_kw.expect("possible");
    assert!((per_kw.demand_cost - 2.0 * 3.0).abs() < 1e-6, "{per_kw:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn plans_keep_their_limits_and_a_battery_never_costs(
        rows in prop::collection::vec((0.0..8.0_f64, 0.0..6.0_f64, -0.1..1.0_f64), 1..30),
        per_kw in 0.0..3.0_f64,
    ) {
        let load: Vec<f64> = rows.iter().map(|row| row.0).collect();
        let sun: Vec<f64> = rows.iter().map(|row| row.1).collect();
        let price: Vec<f64> = rows.iter().map(|row| row.2).collect();
        let feed_in: Vec<f64> = price.iter().map(|price| price - 0.2).collect();
        let zeros = vec![0; rows.len()];
        let bare = Problem {
            load_kw: &load, solar_kw: &sun, price: &price, feed_in: &feed_in, month: &zeros, day: &zeros,
            demand: DemandCharge::PerKw(per_kw), ..EMPTY
        };
        let with = Problem { battery: Some(BATTERY), ..bare.clone() };
        let (without, best) = (plan(&bare, 5.0).expect("possible"), plan(&with, 5.0).expect("possible"));
        prop_assert!(best.cost <= without.cost + 1e-6, "{} {}", best.cost, without.cost);
        let (energy, demand) = with.cost_of(&best).expect("limits are kept");
        prop_assert!((energy + demand - best.cost).abs() < 1e-9);
        prop_assert_eq!(&plan(&with, 5.0).expect("again"), &best);
    }
}
