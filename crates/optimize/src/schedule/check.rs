//! The judge: checks a plan against the problem, and shares no code with the search.

use super::problem::{Placement, Plan, Problem};

/// What is wrong with a plan, one sentence each; nothing where it keeps every condition.
///
/// Checks that every operation is placed once, in the order of its order, on a machine that can do it, by somebody
/// who has the skill; that machines and workers do one thing at a time and are there; set-ups, releases, the
/// present, the horizon, frozen operations, and that makespan, lateness and set-ups add up.
pub fn violations(problem: &Problem, plan: &Plan) -> Vec<String> {
    let mut found = Vec::new();
    for (idx, order) in problem.orders.iter().enumerate() {
        let placed: Vec<&Placement> =
            plan.placements.iter().filter(|placement| placement.order == idx).collect();
        let numbers: Vec<usize> = placed.iter().map(|placement| placement.operation).collect();
        if numbers != (0..order.operations.len()).collect::<Vec<_>>() {
            found.push(format!(
                "{}: operations {numbers:?} of {}",
                order.name,
                order.operations.len()
            ));
            continue;
        }
        let mut free = order.release;
        for placement in placed {
            check_placement(problem, placement, free, &mut found);
            free = placement.end;
        }
    }
    for (idx, machine) in problem.machines.iter().enumerate() {
        let used = in_time(plan, |placement| placement.machine == idx);
        check_alone(&machine.name, &used, &mut found);
        let mut family = machine.family;
        for placement in used {
            if placement.start == placement.end {
                // Takes no time, so it needs no set-up and leaves the machine as it is.
                continue;
            }
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
    for (idx, worker) in problem.workers.iter().enumerate() {
        check_alone(
            &worker.name,
            &in_time(plan, |placement| placement.worker == Some(idx)),
            &mut found,
        );
    }
    for frozen in problem.frozen.iter().filter(|frozen| !plan.placements.contains(frozen)) {
        found.push(format!("{} moved though it is frozen", name(problem, frozen)));
    }
    check_sums(problem, plan, &mut found);
    found
}

fn name(problem: &Problem, placement: &Placement) -> String {
    let order = &problem.orders[placement.order];
    format!("{}, {}", order.name, order.operations[placement.operation].name)
}

fn check_placement(problem: &Problem, placement: &Placement, free: i64, found: &mut Vec<String>) {
    if problem.frozen.contains(placement) {
        return;
    }
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
    let mut closed = problem.machines[machine].closed.clone();
    closed.extend(worker.iter().flat_map(|&worker| &problem.workers[worker].closed));
    // Moment by moment would be simplest; the moments that matter are the edges of closed times.
    let mut edges: Vec<i64> = closed
        .iter()
        .flat_map(|&(from, to)| [from, to])
        .filter(|edge| (start..end).contains(edge))
        .collect();
    edges.extend([start, end]);
    edges.sort_unstable();
    let is_open = |time: i64| !closed.iter().any(|&(from, to)| (from..to).contains(&time));
    let open: i64 =
        edges.windows(2).filter(|span| is_open(span[0])).map(|span| span[1] - span[0]).sum();
    let modes = || operation.modes.iter().filter(|mode| mode.machine == machine);
    if !modes().any(|mode| mode.duration + setup == open) {
        say(format!("runs {open} on machine {machine}, set-up {setup}"));
    }
    if !operation.can_pause && open != end - start {
        say("pauses".to_owned());
    }
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

fn check_sums(problem: &Problem, plan: &Plan, found: &mut Vec<String>) {
    let makespan = plan.placements.iter().map(|placement| placement.end).max().unwrap_or(0);
    let setup: i64 = plan.placements.iter().map(|placement| placement.setup).sum();
    let mut tardiness = 0.0;
    for (idx, order) in problem.orders.iter().enumerate() {
        let ends =
            plan.placements.iter().filter(|placement| placement.order == idx).map(|it| it.end);
        if let (Some(due), Some(end)) = (order.due, ends.max()) {
            tardiness += order.weight * (end - due).max(0) as f64;
        }
    }
    let cost = &plan.cost;
    if (cost.makespan, cost.setup) != (makespan, setup)
        || (cost.tardiness - tardiness).abs() > 1e-6 * (1.0 + tardiness)
    {
        found.push(format!(
            "makespan {makespan}, set-ups {setup}, lateness {tardiness} do not match the cost"
        ));
    }
}
