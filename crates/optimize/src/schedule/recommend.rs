//! A schedule as a decision to be agreed to.

use super::check::violations;
use super::replan::names;
use super::{Placement, Plan, Problem};
use crate::{Bounds, Constraint, Evidence, Gain, PlanBasis, Recommendation, Step};

/// The plan as a recommendation: one step per operation that is new or moved, in time order.
///
/// `now`: the plan in force for the same orders, whose cost the gain is measured against; without one the gain is
/// zero. The unit is what the weights turn everything into, the window is from the present to the horizon. The first constraint counts conditions that
/// [`violations`] found broken; each order with a due date has one with the time left until then.
pub fn recommend(
    problem: &Problem,
    plan: &Plan,
    now: Option<&Plan>,
    basis: &PlanBasis<'_>,
) -> Recommendation {
    let gain = now.map_or(0.0, |now| now.cost.total - plan.cost.total);
    let cost = &plan.cost;
    Recommendation {
        summary: format!(
            "Make {} orders by {}: lateness {}, set-ups {}, {} operations moved",
            problem.orders.len(),
            cost.makespan,
            cost.tardiness,
            cost.setup,
            cost.n_changed
        ),
        steps: steps(problem, plan, now),
        gain: Gain::certain(gain, basis.unit),
        constraints: constraints(problem, plan),
        evidence: Evidence {
            window_us: Some(basis.window_us(problem.now, problem.horizon)),
            inputs: vec![
                ("orders".to_owned(), problem.orders.len().to_string()),
                ("operations".to_owned(), problem.n_operations().to_string()),
                ("iterations".to_owned(), plan.n_iterations.to_string()),
            ],
            seed: basis.seed,
        },
        valid_until_us: basis.valid_until_us,
        bounds: Bounds {
            objective: cost.total,
            bound: Some(plan.bound).filter(|bound| bound.is_finite()),
        },
    }
}

fn steps(problem: &Problem, plan: &Plan, now: Option<&Plan>) -> Vec<Step> {
    let words = |it: &Placement| {
        let worker = it.worker.and_then(|worker| problem.workers.get(worker));
        let worker = worker.map_or_else(String::new, |worker| format!(" by {}", worker.name));
        let machine = problem.machines.get(it.machine).map_or("no machine", |it| it.name.as_str());
        format!("{machine} {}–{}{worker}", it.start, it.end)
    };
    let mut placements: Vec<&Placement> = plan.placements.iter().collect();
    placements.sort_by_key(|placement| (placement.start, placement.order, placement.operation));
    let mut steps = Vec::new();
    for placement in placements {
        let is_same =
            |it: &&Placement| (it.order, it.operation) == (placement.order, placement.operation);
        let before = now.and_then(|now| now.placements.iter().find(is_same)).map(words);
        let proposed = words(placement);
        if before.as_ref() != Some(&proposed) {
            let (order, operation) = names(problem, placement);
            steps.push(Step { what: format!("{order}, {operation}"), now: before, proposed });
        }
    }
    steps
}

fn constraints(problem: &Problem, plan: &Plan) -> Vec<Constraint> {
    let n_broken = violations(problem, plan).len();
    let what = "calendars, set-ups, skills and precedences, conditions broken".to_owned();
    let mut constraints = vec![Constraint { what, slack: -(n_broken as f64) }];
    for (idx, order) in problem.orders.iter().enumerate() {
        let ends =
            plan.placements.iter().filter(|placement| placement.order == idx).map(|it| it.end);
        if let (Some(due), Some(end)) = (order.due, ends.max()) {
            let what = format!("{}: time until it is due", order.name);
            constraints.push(Constraint { what, slack: due.saturating_sub(end) as f64 });
        }
    }
    constraints
}
