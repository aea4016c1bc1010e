//! Numbers and plans that nobody should send, and somebody will.

use super::*;

/// Every job that the plan neither serves nor leaves out would be a violation; so would a time that wrapped around.
#[test]
fn tours_near_the_end_of_time_lose_no_job() {
    // Eight rides of a quarter of an i32 each do not fit one; only one fits the shift.
    let far = 1 << 27;
    let places: Vec<i64> = (0..9).map(|place| if place % 2 == 0 { 0 } else { far }).collect();
    let jobs = (1..9).map(|place| order("order", Task::Delivery(stop(place)))).collect();
    let van = Vehicle { shift: (0, 1 << 28), ..van() };
    let plan = check(&problem(&places, jobs, vec![van]), &few());
    assert_eq!((plan.tours[0].visits.len(), plan.unserved.len()), (8, 0));
    let jobs = (1..4).map(|place| order("order", Task::Delivery(stop(place)))).collect();
    let van = Vehicle { shift: (0, 1 << 28), ..self::van() };
    // Any two of these places are a whole shift apart.
    let apart = problem(&[0, far, -far, 0], jobs, vec![van]);
    assert_eq!(check(&apart, &few()).unserved.len(), 1);
}

#[test]
fn a_tour_that_needs_its_detour_loses_no_job() {
    // From 1 straight to 3 takes longer than the shift; over 2 it does not.
    let mut rows = vec![vec![1; 4]; 4];
    (rows[1][3], rows[3][1]) = (1_000, 1_000);
    let jobs = |unserved_cost: f64| {
        let job = |place| Job { unserved_cost, ..order("order", Task::Delivery(stop(place))) };
        (1..4).map(job).collect::<Vec<_>>()
    };
    for pause in [vec![], vec![Break { from: 0, to: 100, duration: 0 }]] {
        for unserved_cost in [0.5, 5.0, f64::INFINITY] {
            let van = Vehicle { shift: (0, 100), breaks: pause.clone(), ..van() };
            let mut problem = problem(&[0, 0, 0, 0], jobs(unserved_cost), vec![van]);
            problem.duration = Matrix::new(&rows).unwrap();
            assert!(check(&problem, &few()).cost.is_finite());
        }
    }
}

/// Numbers that a caller may send by mistake, among them the largest that are allowed.
fn hostile() -> impl Strategy<Value = i64> {
    const EDGE: [i64; 6] = [0, 1, 1 << 20, 1 << 27, (1 << 28) - 1, 1 << 28];
    const WRONG: [i64; 4] = [-1, (1 << 28) + 1, i64::MAX, i64::MIN];
    prop_oneof![60 => prop::sample::select(&EDGE[..]), 1 => prop::sample::select(&WRONG[..])]
}

fn hostile_cost() -> impl Strategy<Value = f64> {
    const EDGE: [f64; 3] = [0.0, 1.0, 1e12];
    const WRONG: [f64; 3] = [f64::NAN, -1.0, f64::INFINITY];
    prop_oneof![60 => prop::sample::select(&EDGE[..]), 1 => prop::sample::select(&WRONG[..])]
}

prop_compose! {
    fn hostile_job()(
        place in 0_usize..4,
        other in 0_usize..4,
        numbers in prop::collection::vec(hostile(), 4),
        kind in 0..4,
        unserved_cost in hostile_cost(),
    ) -> Job {
        let (open, close) = (numbers[0].min(numbers[1]), numbers[0].max(numbers[1]));
        let windows = if kind == 3 { vec![] } else { vec![(open, close)] };
        let first = Stop { place, service: numbers[2], windows };
        let task = match kind {
            0 => Task::Shipment(first, stop(other)),
            1 => Task::Pickup(first),
            _ => Task::Delivery(first),
        };
        let unserved_cost = if unserved_cost == 1e12 { f64::INFINITY } else { unserved_cost };
        Job { load: vec![numbers[3]], unserved_cost, ..order("job", task) }
    }
}

prop_compose! {
    fn hostile_vehicle()(
        start in 0_usize..4,
        end in prop::option::of(0_usize..4),
        numbers in prop::collection::vec(hostile(), 6),
        costs in prop::collection::vec(hostile_cost(), 3),
        has_break: bool,
    ) -> Vehicle {
        let pause = Break { from: numbers[2], to: numbers[2].max(numbers[3]), duration: numbers[4] };
        Vehicle {
            start,
            end,
            shift: (numbers[0].min(numbers[1]), numbers[0].max(numbers[1])),
            breaks: if has_break { vec![pause] } else { vec![] },
            capacity: vec![numbers[5]],
            fixed_cost: costs[0],
            distance_cost: costs[1],
            time_cost: costs[2],
            ..van()
        }
    }
}

prop_compose! {
    fn hostile_problem()(
        rows in prop::collection::vec(prop::collection::vec(0_usize..6, 4), 4),
        jobs in prop::collection::vec(hostile_job(), 0..8),
        vehicles in prop::collection::vec(hostile_vehicle(), 0..3),
        fewest_vehicles: bool,
    ) -> Problem {
        let value = |idx: &usize| [0, 1, 1 << 20, 1 << 26, 1 << 27, 1 << 28][*idx];
        let rows: Vec<Vec<i64>> = rows.iter().map(|row| row.iter().map(value).collect()).collect();
        let matrix = Matrix::new(&rows).unwrap();
        Problem { distance: matrix.clone(), duration: matrix, jobs, vehicles, fewest_vehicles }
    }
}

prop_compose! {
    fn hostile_plan()(
        tours in prop::collection::vec(
            (0_usize..5, prop::collection::vec((0_usize..9, 0_usize..3), 0..4), prop::collection::vec(hostile(), 5)),
            0..3,
        ),
        unserved in prop::collection::vec(0_usize..9, 0..9),
        cost in hostile_cost(),
    ) -> Plan {
        let tour = |(vehicle, visits, at): (usize, Vec<(usize, usize)>, Vec<i64>)| Tour {
            vehicle,
            start: at[0],
            end: at[1],
            visits: visits
                .into_iter()
                .map(|(job, stop)| Visit { job, stop, arrival: at[2], start: at[3], end: at[4] })
                .collect(),
            breaks: vec![at[2]],
            distance: at[3],
            cost,
        };
        let unserved = unserved.into_iter().map(|job| Unserved { job, reason: Reason::Shift });
        Plan {
            tours: tours.into_iter().map(tour).collect(),
            unserved: unserved.collect(),
            cost,
            bound: cost,
            n_iterations: 0,
            stop: crate::Stop::Iterations,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn hostile_numbers_are_refused_or_planned_without_losing_a_job(problem in hostile_problem()) {
        if problem.check().is_ok() {
            check(&problem, &Control::iterations(1, 100));
        }
    }

    #[test]
    fn hostile_plans_are_judged_and_told(problem in hostile_problem(), plan in hostile_plan()) {
        violations(&problem, &plan);
        recommend(&problem, &plan, Some(&plan), &basis());
    }
}

#[test]
fn an_unknown_index_is_found_out() {
    let problem = problem(&[0, 5], vec![order("a", Task::Delivery(stop(1)))], vec![van()]);
    let mut plan = check(&problem, &few());
    plan.tours[0].visits[0].stop = 1;
    assert_eq!(violations(&problem, &plan)[0], "there is no job 0 with a stop 1");
    plan.tours[0].vehicle = 7;
    assert_eq!(violations(&problem, &plan)[0], "there is no vehicle 7");
}

#[test]
fn windows_breaks_and_shifts_out_of_order_are_refused() {
    let refused = |change: fn(&mut Problem)| {
        let mut problem = problem(&[0, 5], vec![order("a", Task::Delivery(stop(1)))], vec![van()]);
        change(&mut problem);
        problem.check().unwrap_err().to_string()
    };
    let windows = refused(|problem| {
        let windows = vec![(50, 60), (10, 20)];
        problem.jobs[0].task = Task::Delivery(Stop { windows, ..stop(1) });
    });
    assert_eq!(windows, "a: start of a window is 10; it must be between 60 and 268435456");
    let breaks = refused(|problem| {
        let pause = |from| Break { from, to: 90, duration: 1 };
        problem.vehicles[0].breaks = vec![pause(50), pause(10)];
    });
    assert_eq!(breaks, "van: start of a break is 10; it must be between 50 and 268435456");
    let shift = refused(|problem| problem.vehicles[0].shift = (10, 5));
    assert_eq!(shift, "van: end of the shift is 5; it must be between 10 and 268435456");
}
