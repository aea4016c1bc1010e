use proptest::prelude::*;

use super::super::Error;
use super::*;
use crate::statistics::tests::hostile;
use crate::{Basis, Control, Progress};

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
    co2: None,
};

const BASIS: Basis = Basis { window_us: Some((0, 9)), currency: "EUR", valid_until_us: 0 };

/// Enough for every problem here; no clock, so that plans are the same every time.
fn plan(problem: &Problem) -> Result<Plan, Error> {
    super::plan(problem, &Control::iterations(1, 20_000))
}

fn refused(problem: &Problem, words: &str) {
    assert_eq!(plan(problem).expect_err("must be refused").to_string(), words);
}

#[test]
fn impossible_inputs_are_named() {
    assert_eq!(plan(&EMPTY).expect("nothing to do").cost, 0.0);
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
        "no plan is possible: the load and 6.0 kWh in the battery at the end and the connection \
         of 10.0 kW cannot all hold; relax one of them",
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
    let best = plan(&problem).expect("possible");
    assert_eq!((best.starts[0], best.cost), (3, 8.0 + 4.0));
    let now = Plan {
        grid_kw: vec![3.0, 3.0, 1.0, 1.0, 1.0],
        sold_kw: vec![0.0; 5],
        starts: vec![0],
        ..Plan::default()
    };
    let advice = recommend(&problem, &best, &now, &BASIS).expect("both are sound").expect("better");
    assert_eq!(advice.summary, "4.00 EUR less over 5 steps, highest draw 3.0 kW");
    assert_eq!((advice.bounds.gap_percent(), advice.evidence.window_us), (Some(0.0), Some((0, 9))));
    let left: Vec<(&str, f64)> =
        advice.constraints.iter().map(|one| (one.what.as_str(), one.slack)).collect();
    assert_eq!(left, [("grid connection, kW", 7.0), ("end of the window of bake, steps", 0.0)]);
    assert_eq!(recommend(&problem, &now, &best, &BASIS), Ok(None));
}

/// A plan that keeps energy for later was once said to lose 0.13 for certain, with a bound that other plans beat.
#[test]
fn gain_and_bound_are_those_of_what_is_made_small() {
    let battery = Battery { end_value: 0.5, start_kwh: 0.0, ..BATTERY };
    let problem = Problem {
        load_kw: &[0.0; 2],
        price: &[0.3, 0.4],
        month: &[0; 2],
        day: &[0; 2],
        battery: Some(battery),
        ..EMPTY
    };
    let best = plan(&problem).expect("possible");
    // A kWh bought at 0.30 leaves 0.9 · 0.99 inside, worth 0.4455; at 0.40 it leaves 0.9, worth 0.45.
    assert!((best.cost - 3.0 * 0.7).abs() < 1e-6, "{best:?}");
    assert!((best.objective - 3.0 * (0.7 - 0.4455 - 0.45)).abs() < 1e-6, "{best:?}");
    assert_eq!((best.is_optimal, best.bound), (true, best.objective));
    let zeros = vec![0.0; 2];
    let now = Plan {
        grid_kw: zeros.clone(),
        sold_kw: zeros.clone(),
        charge_kw: zeros.clone(),
        discharge_kw: zeros,
        ..Plan::default()
    };
    let advice = recommend(&problem, &best, &now, &BASIS).expect("sound").expect("worth it");
    assert!((advice.gain.expected + best.objective).abs() < 1e-9, "{:?}", advice.gain);
    assert!(advice.constraints.iter().all(|one| one.slack >= -1e-6), "{:?}", advice.constraints);
}

#[test]
fn conditions_that_cannot_hold_together_are_the_fewest() {
    let work = |name: &str, power_kw| Shiftable {
        name: name.into(),
        power_kw,
        n_steps: 1,
        earliest: 0,
        latest: 1,
    };
    let one = Problem { load_kw: &[2.0], price: &[1.0], month: &[0], day: &[0], ..EMPTY };
    let check = |problem: &Problem, names: &str| {
        refused(
            problem,
            &format!(
                "no plan is possible: the load and {names} cannot all hold; relax one of them"
            ),
        );
    };
    // The battery holds 3 kWh, so that 2.7 kW come out of it for an hour, less what is lost.
    let battery = Some(BATTERY);
    check(
        &Problem { battery, shiftable: &[work("press", 60.0)], ..one.clone() },
        "press of 60.0 kW and the connection of 10.0 kW",
    );
    check(
        &Problem {
            shiftable: &[work("saw", 3.0), work("oven", 5.0), work("mill", 5.0)],
            ..one.clone()
        },
        "oven of 5.0 kW and mill of 5.0 kW and the connection of 10.0 kW",
    );
    let demand = DemandCharge::Tiered { tiers: vec![(1.0, 5.0)], n_days: 1, caution: 0.0 };
    check(&Problem { demand, ..one.clone() }, "the highest tier of 1.0 kW");
    let co2 = Carbon { kg_per_kwh: &[0.5], price_per_kg: 0.0, most_kg: Some(0.9) };
    check(&Problem { co2: Some(co2), ..one.clone() }, "the cap of 0.9 kg of CO₂");
    refused(
        &Problem { grid_kw: f64::NAN, ..one.clone() },
        "grid connection is NaN, but must be not negative and at most a billion; correct it",
    );
    let night = Problem { solar_kw: &[-0.01], ..one.clone() };
    assert_eq!(plan(&night).expect("a meter's night is no error").grid_kw, [2.0]);
    refused(
        &Problem { solar_kw: &[-3.0], ..one.clone() },
        "photovoltaics is -3, but must be a number that is not too far below 0, and at most a billion; correct it",
    );
    refused(
        &Problem { month: &[usize::MAX], ..one },
        "billing month is 18446744073709552000, but must be 0 at first, and then as before or one more; correct it",
    );
}

#[test]
fn carbon_is_counted_priced_and_capped() {
    let battery = Battery {
        charge_efficiency: 1.0,
        discharge_efficiency: 1.0,
        kept_per_h: 1.0,
        start_kwh: 0.0,
        capacity_kwh: 2.0,
        ..BATTERY
    };
    let problem = Problem {
        load_kw: &[4.0; 2],
        price: &[0.2, 0.1],
        month: &[0; 2],
        day: &[0; 2],
        battery: Some(battery),
        ..EMPTY
    };
    let with = |price_per_kg, most_kg| {
        let co2 = Carbon { kg_per_kwh: &[0.1, 0.5], price_per_kg, most_kg };
        let best = plan(&Problem { co2: Some(co2), ..problem.clone() }).expect("possible");
        (best.grid_kw[0], best.co2_kg, best.cost)
    };
    let is = |found: (f64, f64, f64), expected: (f64, f64, f64)| {
        let difference = (found.0 - expected.0).abs()
            + (found.1 - expected.1).abs()
            + (found.2 - expected.2).abs();
        assert!(difference < 1e-6, "{found:?} is not {expected:?}");
    };
    // The dirty hour is the cheap one: 4 kWh in each, 0.4 + 2.0 kg, 0.8 + 0.4 EUR.
    is(with(0.0, None), (4.0, 2.4, 1.2));
    // A kWh moved costs 0.10 and saves 0.4 kg: at 0.50 a kg it pays, 2 kWh fit into the battery.
    is(with(0.5, None), (6.0, 0.6 + 1.0, 1.2 + 0.2 + 0.5 * 1.6));
    // 2 kg are met by 1 kWh moved.
    is(with(0.0, Some(2.0)), (5.0, 2.0, 1.3));
}

#[test]
fn plans_that_break_a_condition_are_refused_by_the_judge() {
    let bake = Shiftable { name: "bake".into(), power_kw: 2.0, n_steps: 1, earliest: 0, latest: 2 };
    let problem = Problem {
        load_kw: &[1.0; 2],
        price: &[1.0; 2],
        month: &[0; 2],
        day: &[0; 2],
        battery: Some(Battery { start_kwh: 3.0, end_kwh: Some(3.0), kept_per_h: 1.0, ..BATTERY }),
        shiftable: &[bake],
        ..EMPTY
    };
    let zeros = vec![0.0; 2];
    let sound = Plan {
        grid_kw: vec![3.0, 1.0],
        sold_kw: zeros.clone(),
        charge_kw: zeros.clone(),
        discharge_kw: zeros,
        starts: vec![0],
        ..Plan::default()
    };
    assert_eq!(problem.cost_of(&sound), Ok((4.0, 0.0)));
    let refused = |plan: &Plan, words: &str| {
        assert_eq!(problem.cost_of(plan).expect_err("must be refused").to_string(), words);
    };
    // Each of these was once priced, or a panic.
    refused(
        &Plan { starts: vec![], ..sound.clone() },
        "begins of the plan has 0 values where there are 1; give one for each",
    );
    refused(
        &Plan { grid_kw: vec![3.0], ..sound.clone() },
        "draw of the plan has 1 values where there are 2; give one for each",
    );
    refused(
        &Plan { starts: vec![usize::MAX], ..sound.clone() },
        "no plan is possible: step 18446744073709551615 breaks the window of bake",
    );
    refused(
        &Plan { grid_kw: vec![3.0, 0.0], discharge_kw: vec![0.0, 1.0], ..sound.clone() },
        "no plan is possible: step 1 breaks the charge at the end",
    );
    refused(
        &Plan { sold_kw: vec![0.0, 1.0], grid_kw: vec![3.0, 2.0], ..sound.clone() },
        "no plan is possible: step 1 breaks what can be sold",
    );
    refused(
        &Plan { grid_kw: vec![3.0, f64::NAN], ..sound },
        "no plan is possible: step 1 breaks the grid connection",
    );
}

/// The caller sees the best plan fall and the bound rise, and may end the search at any time.
#[test]
fn a_search_that_is_watched_only_gets_better_and_can_be_ended() {
    let n = 72;
    let load: Vec<f64> = (0..n).map(|step| 2.0 + f64::from(step * 7 % 5)).collect();
    let price: Vec<f64> = (0..n).map(|step| 0.1 + 0.05 * f64::from(step * 11 % 7)).collect();
    let (month, day): (Vec<usize>, Vec<usize>) =
        (0..n as usize).map(|step| (step / 36, step / 12)).unzip();
    let tiers = vec![(3.0, 1.0), (4.0, 3.0), (5.0, 7.0), (9.0, 15.0)];
    let work = |n: usize| Shiftable {
        name: n.to_string(),
        power_kw: 1.5,
        n_steps: 3,
        earliest: 0,
        latest: 60,
    };
    let problem = Problem {
        load_kw: &load,
        price: &price,
        month: &month,
        day: &day,
        demand: DemandCharge::Tiered { tiers, n_days: 2, caution: 0.0 },
        battery: Some(BATTERY),
        shiftable: &[work(1), work(2), work(3)],
        ..EMPTY
    };
    let seen = std::sync::Mutex::new(Vec::<Progress>::new());
    let watch = |now: Progress| {
        let mut seen = seen.lock().expect("no panic");
        seen.push(now);
        seen.len() < 6
    };
    let control = Control { watch: &watch, ..Control::iterations(1, 100_000) };
    let found = super::plan(&problem, &control);
    let seen = seen.lock().expect("no panic");
    assert!(
        seen.windows(2)
            .all(|pair| pair[1].best <= pair[0].best && pair[1].bound >= pair[0].bound - 1e-9),
        "{seen:?}"
    );
    assert!(!seen.is_empty() && seen.len() <= 6, "{}", seen.len());
    if let Ok(found) = found {
        assert!(
            found.bound <= found.objective + 1e-9 && problem.cost_of(&found).is_ok(),
            "{found:?}"
        );
    }
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
    let best = plan(&problem).expect("possible");
    assert!(best.grid_kw.iter().all(|kw| *kw <= 3.0 + 1e-6), "{:?}", best.grid_kw);
    assert_eq!(best.demand_cost, 10.0);
    let per_kw = plan(&Problem { demand: DemandCharge::PerKw(2.0), past_peaks_kw: &[], ..problem });
    let per_kw = per_kw.expect("possible");
    assert!((per_kw.demand_cost - 2.0 * 3.0).abs() < 1e-6, "{per_kw:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    #[test]
    fn any_numbers_give_a_plan_or_an_error(
        values in prop::collection::vec(hostile(), 12),
        steps in prop::collection::vec((any::<usize>(), 0_usize..3), 2),
        tier in prop::option::of((hostile(), hostile(), 0_usize..3)),
    ) {
        let v = &values;
        let work = Shiftable { name: "w".into(), power_kw: v[0], n_steps: steps[0].1, earliest: steps[1].1, latest: steps[0].0 };
        let demand = tier.map_or(DemandCharge::PerKw(v[1]), |(limit, fee, n_days)| DemandCharge::Tiered { tiers: vec![(limit, fee)], n_days, caution: v[1] });
        let problem = Problem {
            step_h: v[2], load_kw: &v[3..5], solar_kw: &v[5..7], price: &v[7..9], feed_in: &v[9..11], grid_kw: v[11],
            month: &[steps[0].1, steps[1].1], day: &[0, steps[1].1], demand, past_peaks_kw: &v[..1], peak_today_kw: v[2],
            battery: Some(Battery { end_value: v[3], ..BATTERY }), shiftable: &[work], co2: None,
        };
        let _ = super::plan(&problem, &Control::iterations(1, 200));
        let calm = Problem { step_h: 1.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::None, past_peaks_kw: &[], peak_today_kw: 0.0, shiftable: &[], ..problem };
        if let Ok(found) = super::plan(&calm, &Control::iterations(1, 200)) {
            prop_assert!(calm.cost_of(&found).is_ok());
        }
        let late = Control { deadline: Some(std::time::Instant::now()), ..Control::iterations(1, 200) };
        let _ = super::plan(&calm, &late);
    }

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
        let (without, best) = (plan(&bare).expect("possible"), plan(&with).expect("possible"));
        prop_assert!(best.cost <= without.cost + 1e-6, "{} {}", best.cost, without.cost);
        let (energy, demand) = with.cost_of(&best).expect("limits are kept");
        prop_assert!((energy + demand - best.cost).abs() < 1e-9);
        prop_assert_eq!(&plan(&with).expect("again"), &best);
    }
}
