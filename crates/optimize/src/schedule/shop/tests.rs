use proptest::prelude::*;

use super::*;
use crate::Control;
use crate::random::Random;

fn check(shop: &Shop, control: &Control<'_>) -> ShopPlan {
    let plan = solve(shop, control);
    assert_eq!(plan.violations(shop), Vec::<String>::new());
    assert!(plan.bound <= plan.makespan, "bound {} above {}", plan.bound, plan.makespan);
    plan
}

/// A random plan, its idle time on machine 0 filled by jobs of one operation: no plan can be shorter.
fn planted(n_jobs: usize, n_machines: usize, seed: u64) -> (Shop, i64) {
    let mut random = Random::new(seed);
    let mut jobs: Vec<Vec<(usize, i64)>> = vec![Vec::new(); n_jobs];
    let (mut job_free, mut machine_free) = (vec![0; n_jobs], vec![0; n_machines]);
    let mut gaps = Vec::new();
    for _ in 0..n_jobs * n_machines {
        let (job, machine) = (random.below(n_jobs), random.below(n_machines));
        let duration = 1 + random.below(20) as i64;
        let start: i64 = i64::max(job_free[job], machine_free[machine]);
        if machine == 0 {
            gaps.push(start - machine_free[0]);
        }
        jobs[job].push((machine, duration));
        (job_free[job], machine_free[machine]) = (start + duration, start + duration);
    }
    let end = job_free.iter().copied().max().unwrap_or(0);
    gaps.push(end - machine_free[0]);
    jobs.extend(gaps.into_iter().filter(|&gap| gap > 0).map(|gap| vec![(0, gap)]));
    (Shop::classic(&jobs).unwrap(), end)
}

#[test]
fn a_shop_without_jobs_has_an_empty_plan() {
    for jobs in [vec![], vec![vec![]], vec![vec![], vec![]]] {
        let plan = check(&Shop::new(&jobs).unwrap(), &Control::iterations(1, 100));
        assert_eq!((plan.makespan, plan.bound, plan.stop), (0, 0, Stop::Optimal));
    }
}

#[test]
fn what_is_wrong_with_a_shop_is_named() {
    let none: Vec<Choice> = vec![];
    let error = Shop::new(&[vec![vec![Choice { machine: 0, duration: 1 }], none]]).unwrap_err();
    assert_eq!(error.to_string(), "job 0 operation 1: no machine can do it; name at least one");
    let error = Shop::classic(&[vec![(0, -3)]]).unwrap_err();
    assert_eq!(error, ShopError::NegativeDuration { job: 0, operation: 0, duration: -3 });
    let error = Shop::classic(&[vec![(0, i64::MAX)], vec![(0, 5)]]).unwrap_err();
    assert_eq!(error, ShopError::TooLong { total: i64::MAX });
}

#[test]
fn hostile_shops_and_plans_are_answered_in_words() {
    let error = Shop::classic(&[vec![(usize::MAX, 1)]]).unwrap_err();
    assert_eq!(error, ShopError::Machine { job: 0, operation: 0, machine: usize::MAX });
    let shop = Shop::classic(&[vec![(0, 3)], vec![(0, 4)]]).unwrap();
    let mut plan = check(&shop, &Control::iterations(1, 100));
    plan.jobs.truncate(1);
    plan.jobs[0][0] = Placed { machine: 9, start: i64::MIN, end: i64::MAX };
    let found = plan.violations(&shop).join("; ");
    assert!(found.contains("on machine 9; job 1 has 0 of 1 operations"), "{found}");
}

#[test]
fn four_threads_give_the_same_plan_every_time() {
    let mut random = Random::new(7);
    let mut job = || {
        let mut machines: Vec<usize> = (0..15).collect();
        random.shuffle(&mut machines);
        machines.into_iter().map(|machine| (machine, 1 + random.below(99) as i64)).collect()
    };
    let jobs: Vec<Vec<(usize, i64)>> = (0..15).map(|_| job()).collect();
    let shop = Shop::classic(&jobs).unwrap();
    let run = || check(&shop, &Control { n_threads: 4, ..Control::iterations(3, 20_000) });
    let first = run();
    assert_eq!([run(), run()], [first.clone(), first]);
}

#[test]
fn fisher_and_thompson_6x6_takes_55() {
    // Fisher & Thompson (1963), mt06.
    let rows = [
        [(2, 1), (0, 3), (1, 6), (3, 7), (5, 3), (4, 6)],
        [(1, 8), (2, 5), (4, 10), (5, 10), (0, 10), (3, 4)],
        [(2, 5), (3, 4), (5, 8), (0, 9), (1, 1), (4, 7)],
        [(1, 5), (0, 5), (2, 5), (3, 3), (4, 8), (5, 9)],
        [(2, 9), (1, 3), (4, 5), (5, 4), (0, 3), (3, 1)],
        [(1, 3), (3, 3), (5, 9), (0, 10), (4, 4), (2, 1)],
    ];
    let shop = Shop::classic(&rows.map(|row| row.to_vec())).unwrap();
    assert_eq!(check(&shop, &Control::iterations(1, 50_000)).makespan, 55);
    let control = Control { n_threads: 2, ..Control::iterations(1, u64::MAX) };
    let proven = check(&shop, &control);
    assert_eq!((proven.makespan, proven.bound, proven.stop), (55, 55, Stop::Optimal));
}

#[test]
fn a_planted_optimum_is_found_and_proven() {
    for seed in 1..=5 {
        let (shop, optimum) = planted(8, 5, seed);
        let plan = check(&shop, &Control::iterations(seed, 300_000));
        assert_eq!((plan.makespan, plan.bound), (optimum, optimum), "seed {seed}");
    }
}

#[test]
fn a_flexible_shop_spreads_its_work() {
    // Four equal operations of four jobs and two equal machines: two rounds.
    let both = vec![Choice { machine: 0, duration: 5 }, Choice { machine: 1, duration: 5 }];
    let shop = Shop::new(&vec![vec![both]; 4]).unwrap();
    let control = Control { n_threads: 2, ..Control::iterations(1, 100_000) };
    let plan = check(&shop, &control);
    assert_eq!((plan.makespan, plan.bound), (10, 10));
}

#[test]
fn a_violated_plan_is_found_out() {
    let shop = Shop::classic(&[vec![(0, 3), (1, 2)], vec![(0, 4)]]).unwrap();
    let mut plan = check(&shop, &Control::iterations(1, 100));
    for placed in &mut plan.jobs[0] {
        (placed.start, placed.end) = (1, placed.end - placed.start + 1);
    }
    plan.jobs[1][0] = Placed { machine: 0, start: 2, end: 6 };
    let found = plan.violations(&shop).join("\n");
    assert!(found.contains("job 0 operation 1 starts at 1 before 4"), "{found}");
    assert!(found.contains("machine 0 does two at 2"), "{found}");
}

fn any_shop() -> impl Strategy<Value = Vec<Vec<Vec<Choice>>>> {
    let choice =
        (0..4_usize, 0..9_i64).prop_map(|(machine, duration)| Choice { machine, duration });
    let operation = prop::collection::vec(choice, 1..3);
    prop::collection::vec(prop::collection::vec(operation, 0..6), 0..7)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn every_plan_is_feasible_repeatable_and_no_worse_with_more_moves(jobs in any_shop(), seed in 0_u64..99) {
        let shop = Shop::new(&jobs).unwrap();
        let few = check(&shop, &Control::iterations(seed, 256));
        let many = check(&shop, &Control::iterations(seed, 4_096));
        prop_assert!(many.makespan <= few.makespan);
        prop_assert_eq!(&many, &check(&shop, &Control::iterations(seed, 4_096)));
    }

    #[test]
    fn a_proof_never_contradicts_a_plan(jobs in any_shop()) {
        let shop = Shop::new(&jobs).unwrap();
        let used = std::sync::atomic::AtomicU64::new(0);
        let budget = || used.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as f64 / 200.0;
        let control = Control { n_threads: 2, budget: Some(&budget), ..Control::iterations(1, 20_000) };
        let raced = check(&shop, &control);
        let alone = check(&shop, &Control::iterations(2, 20_000));
        prop_assert!(raced.bound <= alone.makespan, "{} proven, {} found", raced.bound, alone.makespan);
    }
}
