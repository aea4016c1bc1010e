mod hostile;

use proptest::prelude::*;

use super::*;
use crate::{Control, PlanBasis, random::Random};

fn check(problem: &Problem, control: &Control<'_>) -> Plan {
    let plan = solve(problem, control).unwrap();
    assert_eq!(violations(problem, &plan), Vec::<String>::new());
    assert!(plan.bound <= plan.cost.total + 1e-6, "bound {} above {}", plan.bound, plan.cost.total);
    plan
}

fn basis() -> PlanBasis<'static> {
    PlanBasis { seed: 1, unit: "EUR", valid_until_us: 7, zero_us: 1_000, tick_us: 60 }
}

fn few() -> Control<'static> {
    Control::iterations(1, 2_000)
}

fn conflict(problem: &Problem) -> String {
    solve(problem, &few()).unwrap_err().to_string()
}

fn machine(name: &str) -> Machine {
    Machine { name: name.to_owned(), ..Machine::default() }
}

fn mode(machine: usize, duration: i64) -> Mode {
    Mode { machine, duration, power_kw: 1.0 }
}

fn step(modes: Vec<Mode>) -> Operation {
    Operation { name: "mill".to_owned(), modes, ..Operation::default() }
}

fn order(name: &str, operations: Vec<Operation>) -> Order {
    Order { name: name.to_owned(), weight: 1.0, operations, ..Order::default() }
}

fn makespan() -> Weights {
    Weights { makespan: 1.0, ..Weights::default() }
}

fn problem(machines: Vec<Machine>, orders: Vec<Order>) -> Problem {
    Problem {
        machines,
        orders,
        weights: makespan(),
        horizon: 1_000,
        hours_per_unit: 1.0,
        ..Problem::default()
    }
}

#[test]
fn nothing_to_do_is_an_empty_plan() {
    assert!(check(&Problem::default(), &few()).placements.is_empty());
    assert!(
        check(&problem(vec![machine("M")], vec![order("order 1", vec![])]), &few())
            .placements
            .is_empty()
    );
}

#[test]
fn a_plain_shop_is_proven_by_the_kernel() {
    let orders = vec![
        order("a", vec![step(vec![mode(0, 3)]), step(vec![mode(1, 2)])]),
        order("b", vec![step(vec![mode(1, 4)]), step(vec![mode(0, 2)])]),
    ];
    let plan =
        check(&Problem { now: 10, ..problem(vec![machine("M"), machine("N")], orders) }, &few());
    assert_eq!((plan.cost.makespan, plan.bound, plan.stop), (16, 16.0, crate::Stop::Optimal));
}

#[test]
fn what_cannot_be_is_named() {
    let one = |operation: Operation| {
        problem(vec![machine("press")], vec![order("order 17", vec![operation])])
    };
    let skilled = Operation { skill: Some("weld".to_owned()), ..step(vec![mode(0, 5)]) };
    assert_eq!(
        conflict(&one(skilled)),
        "no plan exists: order 17 needs skill weld, no worker has it"
    );
    assert_eq!(
        conflict(&one(step(vec![]))),
        "no plan exists: order 17, mill: no machine can do it"
    );
    let mut shifts = one(step(vec![mode(0, 60)]));
    shifts.machines[0].closed = vec![(50, 100), (150, 2_000)];
    assert_eq!(
        conflict(&shifts),
        "no plan exists: order 17, mill takes 60, and the longest time in a row that it could have is 50"
    );
    let long =
        Problem { horizon: 20, ..one(Operation { can_pause: true, ..step(vec![mode(0, 25)]) }) };
    assert_eq!(
        conflict(&long),
        "no plan exists: order 17 could be finished at 25 at the earliest, after the horizon 20"
    );
}

#[test]
fn the_fewest_orders_that_overload_a_machine_are_named() {
    let orders = [("a", 30), ("b", 45), ("c", 40), ("d", 5)];
    let orders =
        orders.map(|(name, duration)| order(name, vec![step(vec![mode(0, duration)])])).to_vec();
    let mut problem = Problem { horizon: 100, ..problem(vec![machine("press")], orders) };
    problem.machines[0].closed = vec![(50, 60)];
    assert_eq!(conflict(&problem), "no plan exists: b, c, a need 115 on press, open for 90");
}

#[test]
fn workers_who_are_away_or_have_too_much_to_do_are_named() {
    let by_hand = |machine: usize| Operation {
        skill: Some("weld".to_owned()),
        ..step(vec![mode(machine, 60)])
    };
    let ann = |closed: Vec<(i64, i64)>| Worker {
        name: "Ann".to_owned(),
        skills: vec!["weld".to_owned()],
        closed,
    };
    let orders = vec![order("a", vec![by_hand(0)]), order("b", vec![by_hand(1)])];
    let machines = vec![machine("M"), machine("N")];
    let mut problem = Problem { horizon: 100, ..problem(machines, orders) };
    problem.workers = vec![ann(vec![])];
    assert_eq!(conflict(&problem), "no plan exists: a, b need 120 of Ann, there for 100");
    problem.orders.pop();
    problem.workers = vec![ann(vec![(30, 90)])];
    assert_eq!(
        conflict(&problem),
        "no plan exists: a, mill needs skill weld, and with the times of Ann it could be finished at 150 at the earliest, after the horizon 100"
    );
}

#[test]
fn two_machines_that_have_too_much_to_do_together_are_named() {
    let either = || step(vec![mode(0, 60), mode(1, 70)]);
    let orders = ["a", "b", "c", "d"].map(|name| order(name, vec![either()])).to_vec();
    let machines = vec![machine("saw"), machine("mill")];
    let problem = Problem { horizon: 100, ..problem(machines, orders) };
    assert_eq!(
        conflict(&problem),
        "no plan exists: a, b, c, d need 240 on saw and mill, open for 200"
    );
}

#[test]
fn malformed_problems_are_errors_that_name_the_field() {
    let wrong = problem(vec![machine("M")], vec![order("order 17", vec![step(vec![mode(4, 5)])])]);
    let SolveError::Malformed(error) = solve(&wrong, &few()).unwrap_err() else {
        panic!("not malformed")
    };
    assert_eq!(error.to_string(), "order 17, mill: there is no machine 4; there are 1");
    let odd = problem(vec![Machine { closed: vec![(5, 3)], ..machine("M") }], vec![]);
    let SolveError::Malformed(error) = solve(&odd, &few()).unwrap_err() else {
        panic!("not malformed")
    };
    assert_eq!(
        error.to_string(),
        "M: end of a closed time is 3; it must be between 5 and 1099511627776"
    );
}

#[test]
fn set_ups_are_grouped_by_family() {
    let of = |family: usize| Operation { family, ..step(vec![mode(0, 10)]) };
    let orders =
        (0..6).map(|number| order(&format!("order {number}"), vec![of(number % 2)])).collect();
    let setups = vec![vec![0, 7], vec![4, 0]];
    let press = Machine { setups, family: Some(0), ..machine("press") };
    // Set up for family 0 already: three of them, one change of 7, three of the other.
    let mut problem = problem(vec![press], orders);
    let plan = check(&problem, &few());
    assert_eq!((plan.cost.makespan, plan.bound, plan.stop), (67, 67.0, crate::Stop::Optimal));
    // Closed after 20, between two of them, and the bound knows of that too.
    problem.machines[0].closed = vec![(20, 50)];
    let plan = check(&problem, &few());
    assert_eq!((plan.cost.makespan, plan.bound), (97, 97.0));
}

#[test]
fn maintenance_is_worked_around_or_paused_over() {
    let at = |can_pause: bool| {
        let operation = Operation { can_pause, ..step(vec![mode(0, 10)]) };
        let press = Machine { closed: vec![(5, 20)], ..machine("press") };
        check(&problem(vec![press], vec![order("a", vec![operation])]), &few()).placements[0]
    };
    assert_eq!((at(false).start, at(false).end), (20, 30));
    assert_eq!((at(true).start, at(true).end), (0, 25));
}

#[test]
fn one_worker_cannot_run_two_machines() {
    let by_hand = |machine: usize| Operation {
        skill: Some("weld".to_owned()),
        ..step(vec![mode(machine, 10)])
    };
    let orders = vec![order("a", vec![by_hand(0)]), order("b", vec![by_hand(1)])];
    let mut problem = problem(vec![machine("M"), machine("N")], orders);
    let ann =
        Worker { name: "Ann".to_owned(), skills: vec!["weld".to_owned()], closed: vec![(0, 5)] };
    problem.workers = vec![ann.clone()];
    let plan = check(&problem, &few());
    // Ann comes at 5, and only she can do both.
    assert_eq!((plan.cost.makespan, plan.bound), (25, 25.0));
    problem.workers.push(ann);
    assert_eq!(check(&problem, &few()).cost.makespan, 15);
}

#[test]
fn cheap_hours_are_waited_for_if_that_pays() {
    let mut problem =
        problem(vec![machine("oven")], vec![order("a", vec![step(vec![mode(0, 10)])])]);
    problem.prices = vec![(0, 2.0), (50, 0.5), (100, 3.0)];
    problem.weights = Weights { energy: 1.0, makespan: 0.1, ..Weights::default() };
    let plan = check(&problem, &few());
    // 10 h at 1 kW for 0.5 and the end at 60 cost 11; at once it would be 21.
    assert_eq!((plan.placements[0].start, plan.cost.energy), (50, 5.0));
    assert!((plan.cost.total - 11.0).abs() < 1e-9);
    // Every order alone could end at 10, and 5 is the cheapest energy.
    assert!((plan.bound - 6.0).abs() < 1e-9);
}

fn two_orders_in_a_row() -> (Problem, Plan) {
    let orders =
        ["a", "b"].map(|name| order(name, vec![step(vec![mode(0, 10)]), step(vec![mode(1, 10)])]));
    let mut problem = problem(vec![machine("saw"), machine("mill")], orders.to_vec());
    problem.orders[0].due = Some(20);
    problem.weights.tardiness = 1.0;
    let plan = check(&problem, &few());
    assert_eq!(plan.placements.iter().map(|it| it.start).collect::<Vec<_>>(), [0, 10, 10, 20]);
    (problem, plan)
}

#[test]
fn a_breakdown_moves_what_it_hits_and_says_so() {
    let (problem, plan) = two_orders_in_a_row();
    let event = Event::Breakdown { machine: 1, from: 12, to: 40 };
    let after = replan(&problem, &plan, &[event], (12, 0), &few()).unwrap();
    assert_eq!(violations(&after.problem, &after.plan), Vec::<String>::new());
    let words: Vec<String> = after.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "a, mill: mill 10 → mill 40 (30 later), because its machine is down until 40",
            "b, mill: mill 20 → mill 50 (30 later), because its machine is down until 40",
        ]
    );
    // What had begun on the saw stays.
    assert_eq!(after.plan.placements[2], plan.placements[2]);
}

#[test]
fn new_cancelled_and_late_orders_are_planned_again() {
    let (problem, plan) = two_orders_in_a_row();
    let rush = Order { name: "rush".to_owned(), ..order("rush", vec![step(vec![mode(1, 5)])]) };
    let events = [
        Event::Cancelled { order: 1 },
        Event::LateMaterial { order: 0, release: 30 },
        Event::NewOrder(rush),
    ];
    let after = replan(&problem, &plan, &events, (0, 0), &few()).unwrap();
    let words: Vec<String> = after.changes.iter().map(ToString::to_string).collect();
    assert_eq!(
        words,
        [
            "a, mill: saw 0 → saw 30 (30 later), because its material comes at 30",
            "a, mill: mill 10 → mill 40 (30 later), because its material comes at 30",
            "b, mill: no longer on saw at 10, because its order is cancelled",
            "b, mill: no longer on mill at 20, because its order is cancelled",
            "rush, mill: new on mill at 0",
        ]
    );
}

#[test]
fn the_frozen_part_does_not_move() {
    let (problem, plan) = two_orders_in_a_row();
    let urgent =
        Order { due: Some(5), weight: 100.0, ..order("urgent", vec![step(vec![mode(0, 5)])]) };
    let event = [Event::NewOrder(urgent)];
    let start = |freeze: i64| {
        let after = replan(&problem, &plan, &event, (0, freeze), &few()).unwrap();
        assert_eq!(violations(&after.problem, &after.plan), Vec::<String>::new());
        after.plan.placements.last().unwrap().start
    };
    assert_eq!([start(0), start(1), start(11)], [0, 10, 20]);
}

#[test]
fn a_plan_in_force_is_kept_with_its_idle_times() {
    let step = |start: i64| Placement {
        order: (start / 20) as usize - 1,
        operation: 0,
        machine: 0,
        worker: None,
        start,
        setup: 0,
        end: start + 10,
    };
    let orders = ["a", "b", "c"].map(|name| order(name, vec![self::step(vec![mode(0, 10)])]));
    let mut problem = problem(vec![machine("M")], orders.to_vec());
    problem.previous = vec![step(20), step(40), step(60)];
    problem.weights = Weights { change: 1.0, ..Weights::default() };
    assert_eq!(check(&problem, &few()).cost.n_changed, 0);
    // The machine is down when the first one should run: that one moves, and no other makes room for it.
    problem.machines[0].closed = vec![(15, 35)];
    let plan = check(&problem, &Control::iterations(1, 2_000));
    assert_eq!(
        (plan.cost.n_changed, plan.placements[1].start, plan.placements[2].start),
        (1, 40, 60)
    );
}

#[test]
fn a_plan_with_faults_is_found_out() {
    let (problem, mut plan) = two_orders_in_a_row();
    plan.placements[1].start = 5;
    plan.placements[3].machine = 0;
    let found = violations(&problem, &plan).join("\n");
    for words in [
        "a, mill: starts at 5 before 10",
        "a, mill: runs 15 on machine 1",
        "b, mill: runs 10 on machine 0",
    ] {
        assert!(found.contains(words), "{words} is not in\n{found}");
    }
    plan.placements.pop();
    assert!(violations(&problem, &plan).join("\n").contains("b: operations [0] of 2"));
}

#[test]
fn a_plan_becomes_a_recommendation() {
    let (problem, plan) = two_orders_in_a_row();
    let advice = recommend(&problem, &plan, None, &basis());
    assert_eq!(advice.summary, "Make 2 orders by 30: lateness 0, set-ups 0, 0 operations moved");
    assert_eq!(advice.steps.len(), 4);
    assert_eq!(advice.evidence.window_us, Some((1_000, 61_000)));
    assert_eq!(advice.steps[0].what, "a, mill");
    assert_eq!(advice.steps[0].proposed, "saw 0–10");
    assert_eq!(advice.constraints[1].slack, 0.0);
    assert_eq!(recommend(&problem, &plan, Some(&plan), &basis()).steps, []);
}

/// A random plant with every term: closed times, set-ups, skills, due dates, prices.
fn random_plant(seed: u64, n_orders: usize) -> Problem {
    let mut random = Random::new(seed);
    let closed = |random: &mut Random| {
        (0..random.below(4))
            .map(|_| random.below(200) as i64)
            .map(|from| (from, from + 15))
            .collect::<Vec<_>>()
    };
    let machines = (0..3).map(|number| Machine {
        name: format!("machine {number}"),
        closed: closed(&mut random),
        setups: (0..3).map(|_| (0..3).map(|_| random.below(6) as i64).collect()).collect(),
        family: (random.below(2) == 0).then_some(1),
    });
    let machines = machines.collect();
    let workers = (0..2).map(|number| Worker {
        name: format!("worker {number}"),
        skills: ["a", "b"][number..]
            .iter()
            .map(|&skill| skill.to_owned())
            .chain(["b".to_owned()])
            .collect(),
        closed: closed(&mut random),
    });
    let workers = workers.collect();
    let operation = |random: &mut Random| Operation {
        name: "step".to_owned(),
        modes: (0..1 + random.below(2))
            .map(|_| mode(random.below(3), random.below(12) as i64))
            .collect(),
        family: random.below(3),
        skill: [None, Some("a"), Some("b")][random.below(3)].map(str::to_owned),
        can_pause: random.below(2) == 0,
    };
    let orders = (0..n_orders).map(|number| Order {
        name: format!("order {number}"),
        release: random.below(50) as i64,
        due: (random.below(2) == 0).then(|| 50 + random.below(100) as i64),
        weight: random.below(3) as f64,
        operations: (0..random.below(4)).map(|_| operation(&mut random)).collect(),
    });
    Problem {
        orders: orders.collect(),
        machines,
        workers,
        prices: vec![(0, 2.0), (60, 1.0), (120, 3.0)],
        hours_per_unit: 0.25,
        weights: Weights { makespan: 1.0, tardiness: 1.0, setup: 0.5, energy: 0.1, change: 0.0 },
        horizon: 5_000,
        ..Problem::default()
    }
}

#[test]
fn planted_due_dates_are_met() {
    for seed in 1..=4 {
        // Whatever a first plan reaches is due then; so a plan without lateness exists.
        let mut planted = random_plant(seed, 7);
        planted.weights = Weights { setup: 1.0, ..Weights::default() };
        let first = check(&planted, &Control::iterations(seed, 50));
        for placement in &first.placements {
            planted.orders[placement.order].due = Some(placement.end);
        }
        planted.orders.iter_mut().for_each(|order| order.weight = 1.0);
        planted.weights = Weights { tardiness: 1.0, ..Weights::default() };
        let found = check(&planted, &Control::iterations(99, 40_000));
        assert_eq!(found.cost.tardiness, 0.0, "seed {seed}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_plan_is_feasible_repeatable_and_replannable(seed in any::<u64>(), n_orders in 0_usize..8) {
        let problem = random_plant(seed, n_orders);
        let control = Control { n_threads: 2, ..Control::iterations(seed, 300) };
        let plan = check(&problem, &control);
        prop_assert_eq!(&plan, &check(&problem, &control));
        let events = [
            Event::Breakdown { machine: 0, from: 20, to: 45 },
            Event::Absence { worker: 1, from: 30, to: 60 },
            Event::LateMaterial { order: 2, release: 70 },
        ];
        let events = if n_orders > 2 { &events[..] } else { &events[..2] };
        let after = replan(&problem, &plan, events, (25, 10), &control).unwrap();
        prop_assert_eq!(violations(&after.problem, &after.plan), Vec::<String>::new());
        let n_moved = after.plan.cost.n_changed;
        prop_assert_eq!(after.changes.len(), n_moved);
    }
}

/// What a caller sees of a search.
fn curve(problem: &Problem, n_threads: usize) -> (Plan, Vec<crate::Progress>) {
    let curve = std::sync::Mutex::new(Vec::new());
    let watch = |seen: crate::Progress| {
        curve.lock().unwrap().push(seen);
        true
    };
    let plan = check(problem, &Control { n_threads, watch: &watch, ..Control::iterations(1, 600) });
    (plan, curve.into_inner().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_the_caller_sees_never_gets_worse(
        seed in any::<u64>(),
        n_orders in 1_usize..8,
        n_threads in prop::sample::select(&[1_usize, 3][..]),
        is_plain: bool,
    ) {
        let mut problem = random_plant(seed, n_orders);
        if is_plain {
            problem.machines.iter_mut().for_each(|it| (it.closed, it.setups) = (vec![], vec![]));
            problem.weights = Weights { makespan: 3.0, ..Weights::default() };
            problem.now = 50;
            let operations = problem.orders.iter_mut().flat_map(|order| &mut order.operations);
            operations.for_each(|operation| operation.skill = None);
        }
        let (plan, curve) = curve(&problem, n_threads);
        for pair in curve.windows(2) {
            prop_assert!(pair[1].best <= pair[0].best && pair[1].n_iterations >= pair[0].n_iterations);
            prop_assert!(pair[1].bound >= pair[0].bound);
        }
        if let Some(last) = curve.last().filter(|_| plan.stop == crate::Stop::Iterations) {
            // The kernel's last run ends after the caller was last asked.
            prop_assert!(plan.cost.total <= last.best + 1e-6);
            prop_assert!(is_plain || last.best <= plan.cost.total + 1e-6);
        }
    }
}

#[test]
fn a_budget_ends_and_cools_the_search() {
    let problem = random_plant(3, 6);
    let n_asked = std::sync::atomic::AtomicU64::new(0);
    let used = || n_asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) as f64 / 400.0;
    let plan =
        check(&problem, &Control { budget: Some(&used), ..Control::iterations(1, u64::MAX) });
    assert_eq!(plan.stop, crate::Stop::Deadline);
}

#[test]
fn what_is_frozen_and_done_is_no_later_than_it_was() {
    // Done at 10, due at 5; the present and a release that came to be known later do not count.
    let mut problem = problem(vec![machine("M")], vec![order("a", vec![step(vec![mode(0, 10)])])]);
    problem.orders[0] = Order { due: Some(5), weight: 1.0, ..problem.orders[0].clone() };
    problem.weights = Weights { tardiness: 1.0, makespan: 1.0, ..Weights::default() };
    problem.frozen = check(&problem, &few()).placements;
    problem.now = 50;
    let plan = check(&problem, &few());
    assert_eq!((plan.cost.total, plan.bound), (15.0, 15.0));
}
