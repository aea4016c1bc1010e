//! The search for the plan of least cost, in slices between which its caller is asked.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use good_lp::solvers::microlp::microlp as solver;
use good_lp::{SolverModel, Variable};
use microlp::{ResumeOptions, SolveOptions, SolveOutcome};

use super::super::Error;
use super::conflict::conflict;
use super::model::{Columns, Model};
use super::{Plan, Problem};
use crate::{Control, Progress};

/// Branches per slice.
const N_NODES: u64 = 50;
/// Length of a slice where a clock runs.
const SLICE: Duration = Duration::from_millis(100);

/// The plan of least cost.
///
/// Iterations are branches of the tree. Deterministic without a deadline; with one, or when the callback says no, the
/// best plan so far is taken, with the bound that is proven by then. One thread.
/// Cost: linear programs of five columns per step; a year of hours with twelve tiered months takes some 20 s.
///
/// # Errors
/// If the numbers do not fit together, no plan is possible (with a smallest set of conditions that cannot hold
/// together), or no plan was found in time.
///
/// ```
/// use optimize::{Control, energy::dispatch::{Battery, Carbon, DemandCharge, Problem, plan}};
/// // Buy 2 kWh more at 0.10 and use them at 0.30: 0.20 · 2 saved.
/// let battery = Battery { capacity_kwh: 2.0, charge_kw: 2.0, discharge_kw: 2.0, charge_efficiency: 1.0,
///     discharge_efficiency: 1.0, kept_per_h: 1.0, start_kwh: 0.0, end_kwh: None, end_value: 0.0 };
/// let problem = Problem { step_h: 1.0, load_kw: &[4.0, 4.0], solar_kw: &[], price: &[0.1, 0.3], feed_in: &[],
///     grid_kw: 10.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::None, past_peaks_kw: &[],
///     peak_today_kw: 0.0, battery: Some(battery), shiftable: &[], co2: None };
/// let best = plan(&problem, &Control::iterations(1, 1000))?;
/// assert_eq!(best.grid_kw, [6.0, 2.0]);
/// assert!((best.cost - 1.2).abs() < 1e-9 && best.is_optimal);
/// // 8 kWh at 0.5 kg each are 4 kg, whenever they are drawn.
/// let co2 = Carbon { kg_per_kwh: &[0.5, 0.5], price_per_kg: 0.0, most_kg: Some(3.5) };
/// let words = plan(&Problem { co2: Some(co2), ..problem.clone() }, &Control::iterations(1, 1000)).unwrap_err();
/// assert_eq!(words.to_string(),
///     "no plan is possible: the load and the cap of 3.5 kg of CO₂ cannot all hold; relax one of them");
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn plan(problem: &Problem, control: &Control) -> Result<Plan, Error> {
    problem.check()?;
    if problem.n_steps() == 0 {
        return Ok(Plan { is_optimal: true, ..Plan::default() });
    }
    let model = Model::new(problem, &[]);
    let columns = model.columns.clone();
    // The solver numbers variables in the order in which they were added.
    let added = model.variables.iter_variables_with_def().map(|(variable, _)| variable);
    let places: HashMap<Variable, usize> =
        added.enumerate().map(|(n, variable)| (variable, n)).collect();
    match search(model, control)? {
        Found::Impossible => Err(conflict(problem, control)),
        Found::Nothing => Err(Error::Solver("no plan was found in time".into())),
        Found::Plan { values, bound } => {
            let value = |variable: &Variable| values[places[variable]];
            priced(problem, read(problem, &columns, &value), bound)
        }
    }
}

/// What a search came to.
pub(super) enum Found {
    Impossible,
    Nothing,
    Plan {
        values: Vec<f64>,
        /// What no plan is better than; `None` where the plan is the best.
        bound: Option<f64>,
    },
}

/// Searches until it is done or the caller ends it.
pub(super) fn search(model: Model, control: &Control) -> Result<Found, Error> {
    let mut program = model.variables.minimise(model.cost).using(solver);
    for row in model.rows {
        program.add_constraint(row);
    }
    let slice = slice(control);
    let mut options = SolveOptions::default();
    (options.time_limit, options.node_limit) = slice;
    let mut outcome = program.as_inner().solve_with(options);
    loop {
        let now = match outcome {
            Err(microlp::Error::Infeasible) => return Ok(Found::Impossible),
            Err(error) => return Err(Error::Solver(error.to_string())),
            Ok(now) => now,
        };
        if now.is_optimal() || control.stop(progress(&now)).is_some() {
            return Ok(found(&now));
        }
        let mut more = ResumeOptions::default();
        (more.time_limit, more.node_limit) = slice;
        outcome = now.resume_with(more);
    }
}

/// Time and branches until the caller is asked again.
fn slice(control: &Control) -> (Option<Duration>, Option<u64>) {
    let left = control.deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
    let time = left.map(|left| left.min(SLICE)).or(control.budget.map(|_| SLICE));
    (time, Some(N_NODES.min(control.max_iterations.max(1))))
}

fn progress(outcome: &SolveOutcome) -> Progress {
    let stats = outcome.stats();
    Progress {
        n_iterations: stats.nodes_solved,
        best: outcome.solution().map_or(f64::INFINITY, |solution| solution.objective()),
        bound: stats.best_bound.unwrap_or(f64::NEG_INFINITY),
    }
}

fn found(outcome: &SolveOutcome) -> Found {
    let Some(solution) = outcome.solution() else { return Found::Nothing };
    let bound = outcome.stats().best_bound.unwrap_or(f64::NEG_INFINITY);
    Found::Plan {
        values: solution.iter().map(|(_, value)| value).collect(),
        bound: (!outcome.is_optimal()).then_some(bound),
    }
}

/// The values of the columns as a plan without prices.
fn read(problem: &Problem, columns: &Columns, value: &dyn Fn(&Variable) -> f64) -> Plan {
    let n = problem.n_steps();
    let column = |list: &[Variable]| -> Vec<f64> {
        if list.is_empty() {
            return vec![0.0; n];
        }
        list.iter().map(|variable| value(variable).max(0.0)).collect()
    };
    let begin = |starts: &Vec<(usize, Variable)>| {
        let chosen = starts.iter().find(|(_, chosen)| value(chosen) > 0.5);
        chosen.map_or(0, |(step, _)| *step)
    };
    Plan {
        grid_kw: column(&columns.grid),
        sold_kw: column(&columns.sold),
        charge_kw: column(&columns.charge),
        discharge_kw: column(&columns.discharge),
        stored_kwh: if columns.stored.is_empty() { Vec::new() } else { column(&columns.stored) },
        starts: columns.starts.iter().map(begin).collect(),
        ..Plan::default()
    }
}

/// The plan with what it costs by the judge, not by the solver.
fn priced(problem: &Problem, plan: Plan, bound: Option<f64>) -> Result<Plan, Error> {
    let (energy, demand) = problem.cost_of(&plan)?;
    let objective = problem.objective_of(&plan)?;
    Ok(Plan {
        cost: energy + demand,
        demand_cost: demand,
        co2_kg: problem.co2_kg_of(&plan),
        objective,
        bound: bound.map_or(objective, |bound| bound.min(objective)),
        is_optimal: bound.is_none(),
        ..plan
    })
}
