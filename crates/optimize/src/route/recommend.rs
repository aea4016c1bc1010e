//! A routing plan as a decision to be agreed to.

use super::{Plan, Problem, Tour, violations};
use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

/// The plan as a recommendation: one step per tour, and one per job left out.
///
/// `now`: the plan in force, whose cost the gain is measured against, with its tours as "now"; without one the gain
/// is zero. `seed` and `valid_until_us` are handed on, `currency` is the unit of costs. The first constraint is the
/// number of conditions that [`violations`] found broken, and its slack is not negative for a plan of
/// [`super::solve`].
pub fn recommend(
    problem: &Problem,
    plan: &Plan,
    now: Option<&Plan>,
    (seed, valid_until_us, currency): (u64, i64, &str),
) -> Recommendation {
    let gain = now.map_or(0.0, |now| now.cost - plan.cost);
    let n_served = problem.jobs.len().saturating_sub(plan.unserved.len());
    Recommendation {
        summary: format!(
            "Drive {} tours for {n_served} of {} jobs at {:.2} {currency}",
            plan.tours.len(),
            problem.jobs.len(),
            plan.cost
        ),
        steps: steps(problem, plan, now),
        gain: Gain::certain(gain, currency),
        constraints: constraints(problem, plan),
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("jobs".to_owned(), problem.jobs.len().to_string()),
                ("vehicles".to_owned(), problem.vehicles.len().to_string()),
                ("iterations".to_owned(), plan.n_iterations.to_string()),
            ],
            seed,
        },
        valid_until_us,
        bounds: Bounds { objective: plan.cost, bound: Some(plan.bound) },
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
    for tour in &plan.tours {
        let Some(vehicle) = problem.vehicles.get(tour.vehicle) else { continue };
        let what = format!("{}: time left in the shift", vehicle.name);
        constraints
            .push(Constraint { what, slack: vehicle.shift.1.saturating_sub(tour.end) as f64 });
    }
    constraints
}
