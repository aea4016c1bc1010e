//! Planted problems in JSON, for the peers.

use optimize::route;
use optimize::schedule::{self, Placement};
use serde_json::{Value, json};

/// A scheduling problem with all of its terms, as `bench/optimize-plant-schedule` reads it.
pub(super) fn schedule(problem: &schedule::Problem) -> Value {
    let machines = problem.machines.iter().map(|machine| {
        json!({ "closed": machine.closed, "setups": machine.setups, "family": machine.family })
    });
    let workers = problem
        .workers
        .iter()
        .map(|worker| json!({ "skills": worker.skills, "closed": worker.closed }));
    let weights = &problem.weights;
    json!({
        "machines": machines.collect::<Value>(),
        "workers": workers.collect::<Value>(),
        "orders": problem.orders.iter().map(order).collect::<Value>(),
        "prices": problem.prices,
        "hours_per_unit": problem.hours_per_unit,
        "weights": {
            "makespan": weights.makespan,
            "tardiness": weights.tardiness,
            "setup": weights.setup,
            "energy": weights.energy,
            "change": weights.change,
        },
        "now": problem.now,
        "horizon": problem.horizon,
        "frozen": problem.frozen.iter().map(placement).collect::<Value>(),
        "previous": problem.previous.iter().map(placement).collect::<Value>(),
    })
}

fn order(order: &schedule::Order) -> Value {
    let operations = order.operations.iter().map(|operation| {
        let modes =
            operation.modes.iter().map(|mode| json!([mode.machine, mode.duration, mode.power_kw]));
        json!({
            "modes": modes.collect::<Value>(),
            "family": operation.family,
            "skill": operation.skill,
            "can_pause": operation.can_pause,
        })
    });
    let operations: Value = operations.collect();
    json!({ "release": order.release, "due": order.due, "weight": order.weight, "operations": operations })
}

fn placement(placement: &Placement) -> Value {
    let &Placement { order, operation, machine, worker, start, setup, end } = placement;
    json!({
        "order": order, "operation": operation, "machine": machine, "worker": worker, "start": start,
        "setup": setup, "end": end,
    })
}

/// A routing problem without breaks, as `bench/optimize-plant-route` reads it: tours end where they start, one window
/// at most, one dimension of load, whole costs.
pub(super) fn route(problem: &route::Problem) -> Value {
    let matrix = &problem.distance;
    let row = |from: usize| {
        (0..matrix.n_places()).map(move |to| matrix.get(from, to)).collect::<Vec<i64>>()
    };
    let jobs = problem.jobs.iter().map(|job| {
        let stops = job.task.stops().into_iter().map(|stop| {
            json!({ "place": stop.place, "service": stop.service, "window": stop.windows.first() })
        });
        let unserved_cost = job.unserved_cost.is_finite().then_some(job.unserved_cost as i64);
        let stops: Value = stops.collect();
        json!({ "stops": stops, "load": job.load[0], "skills": job.skills, "unserved_cost": unserved_cost })
    });
    let vehicles = problem.vehicles.iter().map(|vehicle| {
        json!({
            "place": vehicle.start,
            "shift": vehicle.shift,
            "capacity": vehicle.capacity[0],
            "skills": vehicle.skills,
            "fixed_cost": vehicle.fixed_cost as i64,
        })
    });
    json!({
        "distance": (0..matrix.n_places()).map(row).collect::<Vec<_>>(),
        "jobs": jobs.collect::<Value>(),
        "vehicles": vehicles.collect::<Value>(),
    })
}
