//! A routing plan as a decision to be agreed to.

use super::{Plan, Problem, Tour, violations};
use crate::{Bounds, Constraint, Evidence, Gain, PlanBasis, Recommendation, Step};

/// The plan as a recommendation: one step per tour, and one per job left out.
///
/// `now`: the plan in force for the same problem, with its tours as "now". The gain is what `now` costs more, in
/// tours and in jobs left undone; zero without one. Where the two leave out other jobs that must be done, money does
/// not say which is better: the summary says so, and the gain is zero with a confidence of zero. The window is that
/// of all shifts. The first constraint counts conditions that [`violations`] found broken, the second jobs left out
/// that must be done.
pub fn recommend(
    problem: &Problem,
    plan: &Plan,
    now: Option<&Plan>,
    basis: &PlanBasis<'_>,
) -> Recommendation {
    Recommendation {
        summary: summary(problem, plan, now, basis),
        steps: steps(problem, plan, now),
        gain: gain(problem, plan, now, basis.unit),
        constraints: constraints(problem, plan),
        evidence: evidence(problem, plan, basis),
        valid_until_us: basis.valid_until_us,
        bounds: Bounds { objective: plan.cost, bound: Some(plan.bound) },
    }
}

fn summary(problem: &Problem, plan: &Plan, now: Option<&Plan>, basis: &PlanBasis<'_>) -> String {
    let n_jobs = problem.jobs.len();
    let n_served = n_jobs.saturating_sub(plan.unserved.len());
    let (n_tours, cost, unit) = (plan.tours.len(), plan.cost, basis.unit);
    let mut words =
        format!("Drive {n_tours} tours for {n_served} of {n_jobs} jobs at {cost:.2} {unit}");
    let missed = must_be_done(problem, plan);
    if let Some(before) = now.map(|now| must_be_done(problem, now)).filter(|it| *it != missed) {
        let names = |jobs: &[usize]| match jobs {
            [] => "none".to_owned(),
            jobs => jobs.iter().map(|&job| job_name(problem, job)).collect::<Vec<_>>().join(", "),
        };
        let (before, after) = (names(&before), names(&missed));
        words += &format!("; of the jobs that must be done it leaves out {after}, now {before}");
    }
    words
}

fn gain(problem: &Problem, plan: &Plan, now: Option<&Plan>, unit: &str) -> Gain {
    let Some(now) = now else { return Gain::certain(0.0, unit) };
    if must_be_done(problem, now) != must_be_done(problem, plan) {
        return Gain { confidence_percent: 0.0, ..Gain::certain(0.0, unit) };
    }
    let undone = |plan: &Plan| -> f64 {
        let jobs = plan.unserved.iter().filter_map(|left| problem.jobs.get(left.job));
        jobs.map(|job| job.unserved_cost).filter(|cost| cost.is_finite()).sum()
    };
    Gain::certain(now.cost + undone(now) - plan.cost - undone(plan), unit)
}

/// Jobs left out that must be done, by index.
fn must_be_done(problem: &Problem, plan: &Plan) -> Vec<usize> {
    let must =
        |job: &usize| problem.jobs.get(*job).is_some_and(|it| it.unserved_cost == f64::INFINITY);
    let mut jobs: Vec<usize> = plan.unserved.iter().map(|left| left.job).filter(must).collect();
    jobs.sort_unstable();
    jobs
}

fn evidence(problem: &Problem, plan: &Plan, basis: &PlanBasis<'_>) -> Evidence {
    let shifts = || problem.vehicles.iter().map(|vehicle| vehicle.shift);
    let span = shifts().reduce(|one, other| (one.0.min(other.0), one.1.max(other.1)));
    Evidence {
        window_us: span.map(|(from, to)| basis.window_us(from, to)),
        inputs: vec![
            ("jobs".to_owned(), problem.jobs.len().to_string()),
            ("vehicles".to_owned(), problem.vehicles.len().to_string()),
            ("iterations".to_owned(), plan.n_iterations.to_string()),
        ],
        seed: basis.seed,
    }
}

fn steps(problem: &Problem, plan: &Plan, now: Option<&Plan>) -> Vec<Step> {
    let words = |tour: &Tour| {
        let names: Vec<&str> =
            tour.visits.iter().map(|visit| job_name(problem, visit.job)).collect();
        names.join(" → ")
    };
    let of = |plan: &Plan, vehicle: usize| {
        plan.tours.iter().find(|tour| tour.vehicle == vehicle).map(words)
    };
    let mut steps = Vec::new();
    for (vehicle, described) in problem.vehicles.iter().enumerate() {
        let before = now.and_then(|now| of(now, vehicle));
        let after = of(plan, vehicle);
        if before != after {
            let proposed = after.unwrap_or_else(|| "stays".to_owned());
            steps.push(Step { what: described.name.clone(), now: before, proposed });
        }
    }
    for unserved in &plan.unserved {
        let what = job_name(problem, unserved.job).to_owned();
        steps.push(Step { what, now: None, proposed: format!("left out: {}", unserved.reason) });
    }
    steps
}

fn job_name(problem: &Problem, job: usize) -> &str {
    problem.jobs.get(job).map_or("a job that does not exist", |job| job.name.as_str())
}

fn constraints(problem: &Problem, plan: &Plan) -> Vec<Constraint> {
    let n_broken = violations(problem, plan).len();
    let what = "skills, capacity, windows, breaks and travel times, conditions broken".to_owned();
    let mut constraints = vec![Constraint { what, slack: -(n_broken as f64) }];
    let what = "jobs that must be done, left out".to_owned();
    constraints.push(Constraint { what, slack: -(must_be_done(problem, plan).len() as f64) });
    for tour in &plan.tours {
        let Some(vehicle) = problem.vehicles.get(tour.vehicle) else { continue };
        let what = format!("{}: time left in the shift", vehicle.name);
        constraints
            .push(Constraint { what, slack: vehicle.shift.1.saturating_sub(tour.end) as f64 });
    }
    constraints
}
