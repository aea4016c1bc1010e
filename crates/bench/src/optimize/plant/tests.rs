use optimize::Control;
use optimize::route;
use optimize::schedule;

use super::race::{is_least, tolerance};
use super::{Family, routes, schedules};

const SEEDS: std::ops::RangeInclusive<u64> = 1..=8;

#[test]
fn planted_schedules_are_allowed_and_cost_the_least() {
    for family in &schedules::FAMILIES {
        for (seed, &n_orders) in
            SEEDS.flat_map(|seed| family.sizes.iter().map(move |size| (seed, size)))
        {
            let planted = family.draw(n_orders, seed);
            let name = format!("{} of {n_orders}, seed {seed}", family.name);
            let found = schedule::violations(&planted.problem, &planted.plan);
            assert_eq!(found, Vec::<String>::new(), "{name}");
            let cost = planted.plan.cost.total;
            assert!(
                is_least(cost, planted.least) && cost > 0.0,
                "{name}: {cost}, not {}",
                planted.least
            );
            assert_eq!(planted.problem, family.draw(n_orders, seed).problem, "{name}");
        }
    }
}

#[test]
fn planted_routes_are_allowed_and_cost_the_least() {
    for family in &routes::FAMILIES {
        for (seed, &n_jobs) in
            SEEDS.flat_map(|seed| family.sizes.iter().map(move |size| (seed, size)))
        {
            let planted = family.draw(n_jobs, seed);
            let name = format!("{} of {n_jobs}, seed {seed}", family.name);
            let found = route::violations(&planted.problem, &planted.plan);
            assert_eq!(found, Vec::<String>::new(), "{name}");
            let cost = routes::total(&planted.problem, &planted.plan);
            assert!(
                is_least(cost, planted.least) && cost > 0.0,
                "{name}: {cost}, not {}",
                planted.least
            );
            assert_eq!(planted.problem, family.draw(n_jobs, seed).problem, "{name}");
        }
    }
}

/// A plan found is allowed, costs no less than any can, and its bound is no higher than that; twice the same.
fn check_schedule(
    family: &Family<schedules::Planted>,
    n_orders: usize,
    seed: u64,
    n_iterations: u64,
) -> (f64, f64) {
    let planted = family.draw(n_orders, seed);
    let name = format!("{} of {n_orders}, seed {seed}", family.name);
    let solve = || schedule::solve(&planted.problem, &Control::iterations(seed, n_iterations));
    let plan = solve().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(schedule::violations(&planted.problem, &plan), Vec::<String>::new(), "{name}");
    let (cost, least) = (plan.cost.total, planted.least);
    assert!(cost >= least - tolerance(least), "{name}: found {cost}, below the least {least}");
    assert!(plan.bound <= least + tolerance(least), "{name}: bound {} above {least}", plan.bound);
    assert_eq!(solve().ok(), Some(plan), "{name}");
    (cost, least)
}

fn check_route(
    family: &Family<routes::Planted>,
    n_jobs: usize,
    seed: u64,
    n_iterations: u64,
) -> (f64, f64) {
    let planted = family.draw(n_jobs, seed);
    let name = format!("{} of {n_jobs}, seed {seed}", family.name);
    let solve = || route::solve(&planted.problem, &Control::iterations(seed, n_iterations));
    let plan = solve().unwrap_or_else(|error| panic!("{name}: {error}"));
    assert_eq!(route::violations(&planted.problem, &plan), Vec::<String>::new(), "{name}");
    let (cost, least) = (routes::total(&planted.problem, &plan), planted.least);
    assert!(cost >= least - tolerance(least), "{name}: found {cost}, below the least {least}");
    // The bound is that of tours that serve the same jobs.
    if plan.unserved == planted.plan.unserved {
        let tours = planted.plan.cost;
        assert!(
            plan.bound <= tours + tolerance(tours),
            "{name}: bound {} above {tours}",
            plan.bound
        );
    }
    assert_eq!(solve().ok(), Some(plan), "{name}");
    (cost, least)
}

#[test]
fn no_schedule_and_no_bound_contradicts_what_is_planted() {
    for family in &schedules::FAMILIES {
        for seed in SEEDS {
            check_schedule(family, family.sizes[0], seed, 300);
        }
        check_schedule(family, family.sizes[1], 1, 100);
    }
}

#[test]
fn no_route_and_no_bound_contradicts_what_is_planted() {
    for family in &routes::FAMILIES {
        for seed in SEEDS {
            check_route(family, family.sizes[0], seed, 200);
        }
        check_route(family, family.sizes[1], 1, 100);
    }
}

#[test]
fn small_schedules_are_solved_to_the_optimum() {
    for family in &schedules::FAMILIES {
        for seed in 1..=3 {
            let (cost, least) = check_schedule(family, family.sizes[0], seed, 20_000);
            assert!(is_least(cost, least), "{}, seed {seed}: {cost}, not {least}", family.name);
        }
    }
}

#[test]
fn small_routes_are_solved_to_the_optimum() {
    for family in &routes::FAMILIES {
        for seed in 1..=3 {
            let (cost, least) = check_route(family, family.sizes[0], seed, 3_000);
            assert!(is_least(cost, least), "{}, seed {seed}: {cost}, not {least}", family.name);
        }
    }
}

/// A route that reaches the planted cost leaves out the planted jobs, for the planted reasons.
#[test]
fn jobs_left_out_are_told_the_true_reason() {
    for seed in SEEDS {
        let family = routes::FAMILIES.iter().find(|family| family.name == "refused");
        let planted = family.expect("it is in the list").draw(10, seed);
        let plan = route::solve(&planted.problem, &Control::iterations(seed, 2_000));
        let unserved = plan.expect("it is well formed").unserved;
        assert_eq!(unserved, planted.plan.unserved, "seed {seed}");
    }
}
