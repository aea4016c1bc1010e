//! Numbers, plans and events that nobody should send, and somebody will.

use super::*;

/// Numbers that a caller may send by mistake, among them the largest that are allowed.
fn number() -> impl Strategy<Value = i64> {
    const EDGE: [i64; 6] = [0, 1, 7, 1 << 20, 1 << 28, FAR];
    const WRONG: [i64; 4] = [-1, FAR + 1, i64::MAX, i64::MIN];
    prop_oneof![60 => prop::sample::select(&EDGE[..]), 1 => prop::sample::select(&WRONG[..])]
}

fn duration() -> impl Strategy<Value = i64> {
    number().prop_map(|value| if value == FAR { 3 } else { value })
}

fn weight() -> impl Strategy<Value = f64> {
    const EDGE: [f64; 3] = [0.0, 1.0, 1e9];
    const WRONG: [f64; 3] = [f64::NAN, -1.0, f64::INFINITY];
    prop_oneof![60 => prop::sample::select(&EDGE[..]), 1 => prop::sample::select(&WRONG[..])]
}

fn index() -> impl Strategy<Value = usize> {
    prop_oneof![30 => 0_usize..2, 1 => prop::sample::select(&[2, 99, usize::MAX][..])]
}

fn closed() -> impl Strategy<Value = Vec<(i64, i64)>> {
    let span = (number(), number()).prop_map(|(one, other)| (one.min(other), one.max(other)));
    prop::collection::vec(span, 0..2)
}

prop_compose! {
    fn placement()(
        order in index(),
        operation in index(),
        machine in index(),
        worker in prop::option::of(index()),
        times in prop::collection::vec(number(), 3),
    ) -> Placement {
        let (start, end) = (times[0].min(times[1]), times[0].max(times[1]));
        Placement { order, operation, machine, worker, start, setup: times[2], end }
    }
}

prop_compose! {
    fn operation()(
        modes in prop::collection::vec((index(), duration(), weight()), 0..3),
        is_skilled: bool,
        can_pause: bool,
    ) -> Operation {
        let mode = |(machine, duration, power_kw)| Mode { machine, duration, power_kw };
        Operation {
            modes: modes.into_iter().map(mode).collect(),
            skill: is_skilled.then(|| "weld".to_owned()),
            can_pause,
            ..Operation::default()
        }
    }
}

prop_compose! {
    fn order_of()(
        release in number(),
        due in prop::option::of(number()),
        weight in weight(),
        operations in prop::collection::vec(operation(), 0..3),
    ) -> Order {
        Order { name: "order".to_owned(), release, due, weight, operations }
    }
}

prop_compose! {
    fn plant()(
        closed in prop::collection::vec(closed(), 4),
        setups in prop::collection::vec(duration(), 4),
        orders in prop::collection::vec(order_of(), 0..4),
        prices in prop::collection::vec((number(), weight()), 0..3),
        weights in prop::collection::vec(weight(), 5),
        now in prop::sample::select(&[0, 1, 1 << 20][..]),
        horizon in prop::sample::select(&[0, 1 << 30, FAR, FAR][..]),
        previous in prop::collection::vec(placement(), 0..2),
    ) -> Problem {
        let mut prices = prices;
        prices.sort_by_key(|&(from, _)| from);
        let setups = vec![setups[..2].to_vec(), setups[2..].to_vec()];
        let at = |idx: usize| Machine { closed: closed[idx].clone(), setups: setups.clone(), ..machine("M") };
        let worker = |idx: usize| Worker {
            skills: vec!["weld".to_owned()],
            closed: closed[idx].clone(),
            ..Worker::default()
        };
        Problem {
            machines: vec![at(0), at(1)],
            workers: vec![worker(2), worker(3)],
            orders,
            prices,
            hours_per_unit: 1.0,
            weights: Weights {
                makespan: weights[0],
                tardiness: weights[1],
                setup: weights[2],
                energy: weights[3],
                change: weights[4],
            },
            now,
            horizon,
            previous,
            frozen: vec![],
        }
    }
}

prop_compose! {
    fn plan()(placements in prop::collection::vec(placement(), 0..5), cost in weight()) -> Plan {
        Plan {
            placements,
            cost: Cost { total: cost, ..Cost::default() },
            bound: cost,
            n_iterations: 0,
            stop: crate::Stop::Iterations,
        }
    }
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (index(), number(), number()).prop_map(|(machine, from, to)| Event::Breakdown {
            machine,
            from,
            to
        }),
        (index(), number(), number()).prop_map(|(worker, from, to)| Event::Absence {
            worker,
            from,
            to
        }),
        (index(), number()).prop_map(|(order, release)| Event::LateMaterial { order, release }),
        order_of().prop_map(Event::NewOrder),
        index().prop_map(|order| Event::Cancelled { order }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn hostile_numbers_are_refused_or_planned(problem in plant()) {
        if let Ok(plan) = solve(&problem, &Control::iterations(1, 60)) {
            prop_assert_eq!(violations(&problem, &plan), Vec::<String>::new());
        }
    }

    #[test]
    fn hostile_plans_are_judged_and_told(problem in plant(), plan in plan(), other in plan()) {
        violations(&problem, &plan);
        recommend(&problem, &plan, Some(&other), &basis());
        let changes = difference((&problem, &plan), (&problem, &other), &[]);
        changes.iter().for_each(|change| assert!(!change.to_string().is_empty()));
    }

    #[test]
    fn hostile_events_are_refused_or_planned_around(
        problem in plant(),
        events in prop::collection::vec(event(), 0..3),
        (now, freeze) in (number(), number()),
    ) {
        let control = Control::iterations(1, 30);
        let Ok(plan) = solve(&problem, &control) else { return Ok(()) };
        if let Ok(after) = replan(&problem, &plan, &events, (now, freeze), &control) {
            prop_assert_eq!(violations(&after.problem, &after.plan), Vec::<String>::new());
        }
    }
}

#[test]
fn everything_may_be_frozen() {
    let (problem, plan) = two_orders_in_a_row();
    for freeze in [i64::MAX, 1_000] {
        let after = replan(&problem, &plan, &[], (5, freeze), &few()).unwrap();
        assert_eq!((after.plan.placements, after.changes), (plan.placements.clone(), vec![]));
    }
}

#[test]
fn what_is_not_there_is_named() {
    let (mut problem, mut plan) = two_orders_in_a_row();
    let words = |error: SolveError| match error {
        SolveError::Malformed(error) => error.to_string(),
        other => other.to_string(),
    };
    let event = [Event::Breakdown { machine: 99, from: 0, to: 10 }];
    let error = replan(&problem, &plan, &event, (0, 0), &few()).unwrap_err();
    assert_eq!(words(error), "there is no machine 99; there are 2");
    problem.previous = plan.placements.clone();
    problem.previous[0].operation = usize::MAX;
    let wrong = words(solve(&problem, &few()).unwrap_err());
    assert_eq!(
        wrong,
        format!(
            "the plan in force has an operation {} of order 0, which does not exist",
            usize::MAX
        )
    );
    problem.previous.clear();
    plan.placements[0].order = 5;
    assert_eq!(violations(&problem, &plan), ["there is no operation 0 of order 5"]);
    problem.prices = vec![(50, 1.0), (10, 2.0)];
    let wrong = words(solve(&problem, &few()).unwrap_err());
    assert_eq!(wrong, "the prices: a time is 10; it must be between 50 and 1099511627776");
}

#[test]
fn a_cost_that_does_not_add_up_is_found_out() {
    let (mut problem, _) = two_orders_in_a_row();
    problem.prices = vec![(0, 2.0), (15, 1.0)];
    problem.weights.energy = 1.0;
    let mut plan = check(&problem, &few());
    // Two machines for 20 h each at 1 kW; one of the four steps of 10 h before 15, two half, one after.
    plan.cost.energy += 1.0;
    plan.cost.n_changed = 3;
    plan.cost.total = f64::NAN;
    let found = violations(&problem, &plan).join("; ");
    assert!(found.starts_with("energy of "), "{found}");
    assert!(found.contains("operations moved of 0, not of 3; cost of "), "{found}");
}
