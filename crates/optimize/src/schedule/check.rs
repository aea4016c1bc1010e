//! The judge: checks a plan against the problem, and shares no code with the search.

use super::{Cost, Placement, Plan, Problem};

/// What is wrong with a plan, one sentence each; nothing where it keeps every condition.
///
/// Checks that every operation is placed once, in the order of its order, on a machine that can do it, by somebody
/// who has the skill; that machines and workers do one thing at a time and are there; set-ups, releases, the
/// present, the horizon, frozen operations, and that every part of the cost adds up. A malformed problem, and an
/// operation, machine or worker that does not exist, is the only thing said.
pub fn violations(problem: &Problem, plan: &Plan) -> Vec<String> {
    if let Err(error) = problem.check() {
        return vec![error.to_string()];
    }
    let unknown: Vec<String> =
        plan.placements.iter().filter_map(|placement| unknown(problem, placement)).collect();
    if !unknown.is_empty() {
        return unknown;
    }
    let mut found = Vec::new();
    check_orders(problem, plan, &mut found);
    check_machines(problem, plan, &mut found);
    for (idx, worker) in problem.workers.iter().enumerate() {
        let used = in_time(plan, |placement| placement.worker == Some(idx));
        check_alone(&worker.name, &used, &mut found);
    }
    for frozen in problem.frozen.iter().filter(|frozen| !plan.placements.contains(frozen)) {
        found.push(format!("{} moved though it is frozen", name(problem, frozen)));
    }
    check_cost(problem, plan, &mut found);
    found
}

/// The index or the time of a placement that makes no sense.
fn unknown(problem: &Problem, placement: &Placement) -> Option<String> {
    let &Placement { order, operation, machine, worker, start, setup, end } = placement;
    let known = problem.orders.get(order).and_then(|order| order.operations.get(operation));
    if known.is_none() {
        return Some(format!("there is no operation {operation} of order {order}"));
    }
    if machine >= problem.machines.len() {
        return Some(format!("there is no machine {machine}"));
    }
    if let Some(worker) = worker.filter(|&worker| worker >= problem.workers.len()) {
        return Some(format!("there is no worker {worker}"));
    }
    let is_ordered = 0 <= start && start <= end && 0 <= setup && setup <= end - start;
    (!is_ordered)
        .then(|| format!("{}: from {start} to {end}, set-up {setup}", name(problem, placement)))
}

fn check_orders(problem: &Problem, plan: &Plan, found: &mut Vec<String>) {
    for (idx, order) in problem.orders.iter().enumerate() {
        let placed: Vec<&Placement> =
            plan.placements.iter().filter(|placement| placement.order == idx).collect();
        let numbers: Vec<usize> = placed.iter().map(|placement| placement.operation).collect();
        let n_operations = order.operations.len();
        if numbers != (0..n_operations).collect::<Vec<_>>() {
            found.push(format!("{}: operations {numbers:?} of {n_operations}", order.name));
            continue;
        }
        let mut free = order.release;
        for placement in placed {
            if !problem.frozen.contains(placement) {
                check_placement(problem, placement, free, found);
            }
            free = placement.end;
        }
    }
}

fn check_machines(problem: &Problem, plan: &Plan, found: &mut Vec<String>) {
    for (idx, machine) in problem.machines.iter().enumerate() {
        let used = in_time(plan, |placement| placement.machine == idx);
        check_alone(&machine.name, &used, found);
        let mut family = machine.family;
        // What takes no time needs no set-up, and leaves the machine as it is.
        for placement in used.into_iter().filter(|placement| placement.start < placement.end) {
            let wanted = problem.orders[placement.order].operations[placement.operation].family;
            let setup =
                family.and_then(|from| machine.setups.get(from)?.get(wanted)).copied().unwrap_or(0);
            if setup != placement.setup && !problem.frozen.contains(placement) {
                found.push(format!(
                    "{}: set-up of {}, not of {setup}",
                    machine.name, placement.setup
                ));
            }
            family = Some(wanted);
        }
    }
}

fn name(problem: &Problem, placement: &Placement) -> String {
    let order = &problem.orders[placement.order];
    format!("{}, {}", order.name, order.operations[placement.operation].name)
}

fn check_placement(problem: &Problem, placement: &Placement, free: i64, found: &mut Vec<String>) {
    let operation = &problem.orders[placement.order].operations[placement.operation];
    let mut say = |what: String| found.push(format!("{}: {what}", name(problem, placement)));
    let Placement { machine, worker, start, setup, end, .. } = *placement;
    if start < free.max(problem.now) {
        say(format!("starts at {start} before {}", free.max(problem.now)));
    }
    if end > problem.horizon {
        say(format!("ends at {end} after the horizon"));
    }
    let has_skill = |skill: &String| {
        worker.is_some_and(|worker| problem.workers[worker].skills.contains(skill))
    };
    if !operation.skill.as_ref().is_none_or(has_skill) {
        say("nobody with the skill does it".to_owned());
    }
    let open: i64 = open_spans(problem, placement, &[]).iter().map(|(from, to)| to - from).sum();
    let mut modes = operation.modes.iter().filter(|mode| mode.machine == machine);
    if !modes.any(|mode| mode.duration + setup == open) {
        say(format!("runs {open} on machine {machine}, set-up {setup}"));
    }
    if !operation.can_pause && open != end - start {
        say("pauses".to_owned());
    }
}

/// The times of a placement in which its machine and its worker are there, cut at `cuts`.
///
/// Moment by moment would be simplest; the moments that matter are the edges of closed times and the cuts.
fn open_spans(problem: &Problem, placement: &Placement, cuts: &[i64]) -> Vec<(i64, i64)> {
    let &Placement { machine, worker, start, end, .. } = placement;
    let mut closed = problem.machines[machine].closed.clone();
    closed.extend(worker.iter().flat_map(|&worker| &problem.workers[worker].closed));
    let mut edges: Vec<i64> = closed.iter().flat_map(|&(from, to)| [from, to]).collect();
    edges.extend_from_slice(cuts);
    edges.retain(|edge| (start..end).contains(edge));
    edges.extend([start, end]);
    edges.sort_unstable();
    let is_open = |time: i64| !closed.iter().any(|&(from, to)| (from..to).contains(&time));
    let spans = edges.windows(2).map(|pair| (pair[0], pair[1]));
    spans.filter(|&(from, to)| from < to && is_open(from)).collect()
}

fn in_time(plan: &Plan, is_chosen: impl Fn(&Placement) -> bool) -> Vec<&Placement> {
    let mut chosen: Vec<&Placement> =
        plan.placements.iter().filter(|placement| is_chosen(placement)).collect();
    chosen.sort_by_key(|placement| (placement.start, placement.end));
    chosen
}

fn check_alone(who: &str, used: &[&Placement], found: &mut Vec<String>) {
    let overlaps = used.windows(2).filter(|pair| pair[1].start < pair[0].end);
    found.extend(overlaps.map(|pair| format!("{who} does two things at {}", pair[1].start)));
}

fn check_cost(problem: &Problem, plan: &Plan, found: &mut Vec<String>) {
    let (said, cost) = (&plan.cost, cost(problem, plan));
    let parts = [
        ("makespan", said.makespan as f64, cost.makespan as f64),
        ("lateness", said.tardiness, cost.tardiness),
        ("set-ups", said.setup as f64, cost.setup as f64),
        ("energy", said.energy, cost.energy),
        ("operations moved", said.n_changed as f64, cost.n_changed as f64),
        ("cost", said.total, cost.total),
    ];
    for (what, said, cost) in parts {
        // Written so that NaN is near nothing.
        let is_near = (said - cost).abs() <= 1e-6 * (1.0 + cost.abs());
        if !is_near {
            found.push(format!("{what} of {cost}, not of {said}"));
        }
    }
}

fn cost(problem: &Problem, plan: &Plan) -> Cost {
    let weights = &problem.weights;
    let placements = || plan.placements.iter();
    let mut cost = Cost {
        makespan: placements().map(|placement| placement.end).max().unwrap_or(0),
        setup: placements().map(|placement| placement.setup).sum(),
        ..Cost::default()
    };
    for (idx, order) in problem.orders.iter().enumerate() {
        let ends = placements().filter(|placement| placement.order == idx).map(|it| it.end);
        if let (Some(due), Some(end)) = (order.due, ends.max()) {
            cost.tardiness += order.weight * (end - due).max(0) as f64;
        }
    }
    if weights.energy > 0.0 {
        cost.energy = placements().map(|placement| energy(problem, placement)).sum();
    }
    let is_moved = |it: &&Placement| {
        let is_same = |old: &&Placement| (old.order, old.operation) == (it.order, it.operation);
        let last = problem.previous.iter().rfind(is_same);
        last.is_some_and(|old| (old.machine, old.start) != (it.machine, it.start))
    };
    cost.n_changed = placements().filter(is_moved).count();
    cost.total = weights.makespan * cost.makespan as f64
        + weights.tardiness * cost.tardiness
        + weights.setup * cost.setup as f64
        + weights.energy * cost.energy
        + weights.change * cost.n_changed as f64;
    cost
}

fn energy(problem: &Problem, placement: &Placement) -> f64 {
    let cuts: Vec<i64> = problem.prices.iter().map(|&(from, _)| from).collect();
    let spans = open_spans(problem, placement, &cuts);
    let price = |time: i64| {
        let known = problem.prices.iter().rfind(|&&(from, _)| from <= time);
        known.or(problem.prices.first()).map_or(0.0, |&(_, price)| price)
    };
    let open: i64 = spans.iter().map(|(from, to)| to - from).sum();
    let operation = &problem.orders[placement.order].operations[placement.operation];
    let on_machine = || operation.modes.iter().filter(|mode| mode.machine == placement.machine);
    let exact = on_machine().find(|mode| mode.duration + placement.setup == open);
    let power_kw = exact.or(on_machine().next()).map_or(0.0, |mode| mode.power_kw);
    let priced: f64 = spans.iter().map(|&(from, to)| price(from) * (to - from) as f64).sum();
    priced * power_kw * problem.hours_per_unit
}
