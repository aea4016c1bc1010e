//! The judge: checks a plan against the problem, and shares no code with the search.

use super::{Plan, Problem, Task, Tour, Visit};

/// What is wrong with a plan, one sentence each; nothing where it keeps every condition.
///
/// Checks that every job is on one tour or unserved, skills, capacity at every moment, travel times, windows,
/// service times, breaks, shifts, and that distances and costs add up. A malformed problem is the only thing said
/// about it, and a tour with an unknown vehicle, job or stop is not looked at further.
pub fn violations(problem: &Problem, plan: &Plan) -> Vec<String> {
    if let Err(error) = problem.check() {
        return vec![error.to_string()];
    }
    let mut found = Vec::new();
    let mut seen = vec![0; problem.jobs.len()];
    let mut used = vec![false; problem.vehicles.len()];
    for tour in &plan.tours {
        if let Some(what) = unknown(problem, tour) {
            found.push(what);
            continue;
        }
        let name = &problem.vehicles[tour.vehicle].name;
        if std::mem::replace(&mut used[tour.vehicle], true) {
            found.push(format!("{name} has two tours"));
        }
        tour.visits.iter().for_each(|visit| seen[visit.job] += 1);
        found.extend(check_tour(problem, tour).into_iter().map(|what| format!("{name}: {what}")));
    }
    let is_unknown = |unserved: &&super::Unserved| unserved.job >= problem.jobs.len();
    let unknown = plan.unserved.iter().filter(is_unknown);
    found.extend(unknown.map(|unserved| format!("there is no job {}", unserved.job)));
    for (job, described) in problem.jobs.iter().enumerate() {
        let n_unserved = plan.unserved.iter().filter(|unserved| unserved.job == job).count();
        let n_wanted = described.task.stops().len();
        let is_right =
            matches!((seen[job], n_unserved), (0, 1)) || (seen[job] == n_wanted && n_unserved == 0);
        if !is_right {
            found.push(format!(
                "{}: visited {} times and unserved {n_unserved} times",
                described.name, seen[job]
            ));
        }
    }
    let cost: f64 = plan.tours.iter().map(|tour| tour.cost).sum();
    if !is_near(plan.cost, cost) {
        found.push(format!("the tours cost {cost}, not {}", plan.cost));
    }
    found
}

/// The index of a tour that is not in the problem.
fn unknown(problem: &Problem, tour: &Tour) -> Option<String> {
    if tour.vehicle >= problem.vehicles.len() {
        return Some(format!("there is no vehicle {}", tour.vehicle));
    }
    let is_known = |visit: &&Visit| {
        problem.jobs.get(visit.job).is_some_and(|job| visit.stop < job.task.stops().len())
    };
    let unknown = tour.visits.iter().find(|visit| !is_known(visit))?;
    Some(format!("there is no job {} with a stop {}", unknown.job, unknown.stop))
}

/// Written so that NaN is near nothing.
fn is_near(said: f64, cost: f64) -> bool {
    (cost - said).abs() <= 1e-6 * cost.abs().max(1.0)
}

fn check_tour(problem: &Problem, tour: &Tour) -> Vec<String> {
    let mut found = check_time(problem, tour);
    found.extend(check_load(problem, tour));
    found.extend(check_order(tour));
    let vehicle = &problem.vehicles[tour.vehicle];
    for visit in &tour.visits {
        let job = &problem.jobs[visit.job];
        if let Some(skill) = job.skills.iter().find(|skill| !vehicle.skills.contains(skill)) {
            found.push(format!("{} needs skill {skill}", job.name));
        }
    }
    let mut places = vec![vehicle.start];
    places.extend(tour.visits.iter().map(|visit| place(problem, visit)));
    places.extend(vehicle.end);
    let distance: i64 = places.windows(2).map(|leg| problem.distance.get(leg[0], leg[1])).sum();
    if distance != tour.distance {
        found.push(format!("drives {distance}, not {}", tour.distance));
    }
    let time = tour.end.saturating_sub(tour.start) as f64;
    let cost =
        vehicle.fixed_cost + vehicle.distance_cost * distance as f64 + vehicle.time_cost * time;
    if !is_near(tour.cost, cost) {
        found.push(format!("costs {cost}, not {}", tour.cost));
    }
    found
}

fn place(problem: &Problem, visit: &Visit) -> usize {
    problem.jobs[visit.job].task.stops()[visit.stop].place
}

/// Everything has its time: driving, waiting, service and breaks follow each other without overlap.
fn check_time(problem: &Problem, tour: &Tour) -> Vec<String> {
    let mut found = Vec::new();
    let vehicle = &problem.vehicles[tour.vehicle];
    if tour.start < vehicle.shift.0 || tour.end > vehicle.shift.1 {
        found.push(format!("works {} to {} outside its shift", tour.start, tour.end));
    }
    let (mut free, mut at) = (tour.start, vehicle.start);
    for visit in &tour.visits {
        let job = &problem.jobs[visit.job];
        let stop = job.task.stops()[visit.stop];
        let paused = paused(problem, tour, free, visit.arrival);
        let travel = problem.duration.get(at, stop.place) + paused;
        if visit.arrival < free.saturating_add(travel) {
            found.push(format!("is at {} too early, at {}", job.name, visit.arrival));
        }
        let paused = self::paused(problem, tour, visit.arrival, visit.start);
        let end = visit.start.saturating_add(stop.service);
        if visit.start < visit.arrival.saturating_add(paused) || visit.end != end {
            found.push(format!("serves {} from {} to {}", job.name, visit.start, visit.end));
        }
        let is_open = |window: &(i64, i64)| (window.0..=window.1).contains(&visit.start);
        if !stop.windows.is_empty() && !stop.windows.iter().any(is_open) {
            found.push(format!("serves {} at {} outside its windows", job.name, visit.start));
        }
        (free, at) = (visit.end, stop.place);
    }
    let home = vehicle.end.map_or(0, |end| problem.duration.get(at, end));
    if tour.end < free.saturating_add(home + paused(problem, tour, free, tour.end)) {
        found.push(format!("is back too early, at {}", tour.end));
    }
    if tour.breaks.len() != vehicle.breaks.len() {
        found.push(format!("takes {} of {} breaks", tour.breaks.len(), vehicle.breaks.len()));
    }
    for (&start, pause) in tour.breaks.iter().zip(&vehicle.breaks) {
        let end = start.saturating_add(pause.duration);
        let disturbs = |visit: &Visit| start < visit.end && visit.start < end;
        let is_working = start < tour.start || end > tour.end || tour.visits.iter().any(disturbs);
        if start < pause.from || start > pause.to || is_working {
            found.push(format!("takes its break at {start}"));
        }
    }
    found
}

/// Time of breaks that begin between two moments.
fn paused(problem: &Problem, tour: &Tour, from: i64, to: i64) -> i64 {
    let breaks = tour.breaks.iter().zip(&problem.vehicles[tour.vehicle].breaks);
    breaks.filter(|(start, _)| (from..to).contains(start)).map(|(_, pause)| pause.duration).sum()
}

fn check_load(problem: &Problem, tour: &Tour) -> Vec<String> {
    let mut found = Vec::new();
    let load =
        |job: usize, dimension: usize| problem.jobs[job].load.get(dimension).copied().unwrap_or(0);
    for (dimension, &capacity) in problem.vehicles[tour.vehicle].capacity.iter().enumerate() {
        let mut on_board = 0;
        for visit in &tour.visits {
            if matches!(problem.jobs[visit.job].task, Task::Delivery(_)) {
                on_board += load(visit.job, dimension);
            }
        }
        let mut most = on_board;
        for visit in &tour.visits {
            on_board += match (&problem.jobs[visit.job].task, visit.stop) {
                (Task::Delivery(_), _) | (Task::Shipment(..), 1) => -load(visit.job, dimension),
                (Task::Pickup(_) | Task::Shipment(..), _) => load(visit.job, dimension),
            };
            most = most.max(on_board);
        }
        if most > capacity {
            found.push(format!("carries {most} of {capacity} in dimension {dimension}"));
        }
    }
    found
}

/// A shipment is picked up before it is delivered.
fn check_order(tour: &Tour) -> Vec<String> {
    let is_early = |(place, visit): &(usize, &Visit)| {
        let before = &tour.visits[..*place];
        visit.stop == 1 && !before.iter().any(|other| other.job == visit.job && other.stop == 0)
    };
    let early = tour.visits.iter().enumerate().filter(is_early);
    early.map(|(_, visit)| format!("delivers job {} before it has it", visit.job)).collect()
}
