//! The mixed-integer program.

use good_lp::solvers::{SolutionStatus, microlp::microlp};
use good_lp::{
    Expression, ProblemVariables, ResolutionError, Solution, SolverModel, Variable, WithTimeLimit,
    constraint, variable,
};

use super::super::Error;
use super::{DemandCharge, Plan, Problem};

/// The plan of least cost.
///
/// `limit_s`: seconds after which the best plan so far is taken. Deterministic unless the limit strikes.
/// Cost: linear programs of five columns per step; a year of hours with twelve tiered months takes some 20 s.
///
/// # Errors
/// If the numbers do not fit together, no plan is possible (with the conflict, where one step or one work alone
/// shows it), or no plan was found in time.
///
/// ```
/// use optimize::energy::dispatch::{Battery, DemandCharge, Problem, plan};
/// // Buy 2 kWh more at 0.10 and use them at 0.30: 0.20 · 2 saved.
/// let battery = Battery { capacity_kwh: 2.0, charge_kw: 2.0, discharge_kw: 2.0, charge_efficiency: 1.0,
///     discharge_efficiency: 1.0, kept_per_h: 1.0, start_kwh: 0.0, end_kwh: None, end_value: 0.0 };
/// let problem = Problem { step_h: 1.0, load_kw: &[4.0, 4.0], solar_kw: &[], price: &[0.1, 0.3], feed_in: &[],
///     grid_kw: 10.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::None, past_peaks_kw: &[],
///     peak_today_kw: 0.0, battery: Some(battery), shiftable: &[] };
/// let best = plan(&problem, 1.0)?;
/// assert_eq!(best.grid_kw, [6.0, 2.0]);
/// assert!((best.cost - 1.2).abs() < 1e-9 && best.is_optimal);
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn plan(problem: &Problem, limit_s: f64) -> Result<Plan, Error> {
    problem.check()?;
    if problem.n_steps() == 0 {
        return Ok(Plan { is_optimal: true, ..Plan::default() });
    }
    let mut model = Model::default();
    let columns = model.columns(problem);
    model.flows(problem, &columns);
    model.peaks(problem, &columns);
    let mut solver = model.variables.minimise(model.cost).using(microlp).with_time_limit(limit_s);
    for row in model.rows {
        solver.add_constraint(row);
    }
    let solution = solver.solve().map_err(failure)?;
    let is_optimal = matches!(solution.status(), SolutionStatus::Optimal);
    let value =
        |list: &[Variable]| list.iter().map(|v| solution.value(*v).max(0.0)).collect::<Vec<f64>>();
    let begin = |starts: &Vec<(usize, Variable)>| {
        starts.iter().find(|(_, chosen)| solution.value(*chosen) > 0.5).map_or(0, |(step, _)| *step)
    };
    let or_zeros =
        |list: Vec<f64>| if list.is_empty() { vec![0.0; problem.n_steps()] } else { list };
    let mut plan = Plan {
        grid_kw: value(&columns.grid),
        sold_kw: or_zeros(value(&columns.sold)),
        charge_kw: or_zeros(value(&columns.charge)),
        discharge_kw: or_zeros(value(&columns.discharge)),
        stored_kwh: value(&columns.stored),
        starts: columns.starts.iter().map(begin).collect(),
        cost: 0.0,
        demand_cost: 0.0,
        is_optimal,
    };
    let (energy, demand) = problem.cost_of(&plan)?;
    (plan.cost, plan.demand_cost) = (energy + demand, demand);
    Ok(plan)
}

fn failure(error: ResolutionError) -> Error {
    match error {
        ResolutionError::Infeasible => Error::Infeasible {
            conflict:
                "load, connection, battery limits and its charge at the end cannot all hold; \
                       free the charge at the end or raise the connection"
                    .into(),
        },
        other => Error::Solver(other.to_string()),
    }
}

#[derive(Default)]
struct Model {
    variables: ProblemVariables,
    cost: Expression,
    rows: Vec<good_lp::Constraint>,
}

#[derive(Default)]
struct Columns {
    grid: Vec<Variable>,
    sold: Vec<Variable>,
    charge: Vec<Variable>,
    discharge: Vec<Variable>,
    stored: Vec<Variable>,
    sun: Vec<Option<Variable>>,
    /// Of each work: the steps in which it may begin.
    starts: Vec<Vec<(usize, Variable)>>,
}

impl Model {
    fn columns(&mut self, problem: &Problem) -> Columns {
        let n = problem.n_steps();
        let mut bounded = |n: usize, most: f64| -> Vec<Variable> {
            (0..n).map(|_| self.variables.add(variable().min(0.0).max(most))).collect()
        };
        let mut columns = Columns { grid: bounded(n, problem.grid_kw), ..Columns::default() };
        if !problem.feed_in.is_empty() {
            columns.sold = bounded(n, problem.grid_kw);
        }
        if let Some(battery) = problem.battery {
            columns.charge = bounded(n, battery.charge_kw);
            columns.discharge = bounded(n, battery.discharge_kw);
            columns.stored = bounded(n, battery.capacity_kwh);
        }
        columns.sun = (0..n)
            .map(|step| (problem.solar(step) > 0.0).then(|| bounded(1, problem.solar(step))[0]))
            .collect();
        let mut begins = |work: &super::Shiftable| -> Vec<(usize, Variable)> {
            let last = work.latest.min(n) - work.n_steps;
            (work.earliest..=last)
                .map(|step| (step, self.variables.add(variable().binary())))
                .collect()
        };
        columns.starts = problem.shiftable.iter().map(&mut begins).collect();
        columns
    }

    /// Energy cost, balance of power, the battery from step to step, and each work once.
    fn flows(&mut self, problem: &Problem, columns: &Columns) {
        for step in 0..problem.n_steps() {
            let grid = columns.grid[step];
            self.cost += problem.step_h * problem.price[step] * grid;
            let mut supply = Expression::from(grid);
            if let Some(sold) = columns.sold.get(step) {
                self.cost -= problem.step_h * problem.feed_in[step] * *sold;
                supply -= *sold;
            }
            if let Some(sun) = columns.sun[step] {
                supply += sun;
            }
            if let (Some(charge), Some(discharge)) =
                (columns.charge.get(step), columns.discharge.get(step))
            {
                supply += *discharge - *charge;
            }
            for (work, starts) in problem.shiftable.iter().zip(&columns.starts) {
                let running = starts
                    .iter()
                    .filter(|(begin, _)| (*begin..begin + work.n_steps).contains(&step));
                running.for_each(|(_, chosen)| supply -= work.power_kw * *chosen);
            }
            self.rows.push(constraint!(supply == problem.load_kw[step]));
        }
        for starts in &columns.starts {
            let once: Expression = starts.iter().map(|(_, chosen)| *chosen).sum();
            self.rows.push(constraint!(once == 1.0));
        }
        self.battery(problem, columns);
    }

    fn battery(&mut self, problem: &Problem, columns: &Columns) {
        let Some(battery) = problem.battery else { return };
        let kept = battery.kept_per_h.powf(problem.step_h);
        for step in 0..problem.n_steps() {
            let gain = problem.step_h * battery.charge_efficiency * columns.charge[step]
                - problem.step_h / battery.discharge_efficiency * columns.discharge[step];
            self.rows.push(match step.checked_sub(1) {
                None => constraint!(columns.stored[step] - gain == kept * battery.start_kwh),
                Some(before) => {
                    constraint!(columns.stored[step] - kept * columns.stored[before] - gain == 0.0)
                }
            });
        }
        let last = columns.stored[problem.n_steps() - 1];
        match battery.end_kwh {
            Some(end) => self.rows.push(constraint!(last == end)),
            None => self.cost -= battery.end_value * last,
        }
    }

    fn peaks(&mut self, problem: &Problem, columns: &Columns) {
        let n_months = problem.month.last().map_or(0, |last| last + 1);
        for month in 0..n_months {
            let past: &[f64] = if month == 0 { problem.past_peaks_kw } else { &[] };
            let today = if month == 0 { problem.peak_today_kw } else { 0.0 };
            let steps: Vec<usize> =
                (0..problem.n_steps()).filter(|step| problem.month[*step] == month).collect();
            match &problem.demand {
                DemandCharge::None => {}
                DemandCharge::PerKw(price) => self.highest(*price, past, today, &steps, columns),
                DemandCharge::Tiered { tiers, n_days, caution } => {
                    let fee = Fee { tiers, n_days: *n_days as f64, caution: *caution, past, today };
                    self.tiered(&fee, problem, &steps, columns);
                }
            }
        }
    }

    fn highest(
        &mut self,
        price: f64,
        past: &[f64],
        today: f64,
        steps: &[usize],
        columns: &Columns,
    ) {
        let before = past.iter().copied().fold(today, f64::max);
        let peak = self.variables.add(variable().min(before));
        self.cost += price * peak;
        self.rows.extend(steps.iter().map(|step| constraint!(columns.grid[*step] <= peak)));
    }

    /// The sum of the n highest daily peaks is the least of n θ + Σ (peak − θ)⁺ over θ, so it is a linear program to
    /// keep it below n times the limit of the tier chosen.
    fn tiered(&mut self, fee: &Fee, problem: &Problem, steps: &[usize], columns: &Columns) {
        let theta = self.variables.add(variable().min(0.0));
        let mut sum = fee.n_days * theta;
        for peak in fee.past {
            let over = self.variables.add(variable().min(0.0));
            self.rows.push(constraint!(over + theta >= *peak));
            sum += over;
        }
        for (idx, day) in steps.chunk_by(|a, b| problem.day[*a] == problem.day[*b]).enumerate() {
            let over = self.variables.add(variable().min(0.0));
            if idx == 0 {
                self.rows.push(constraint!(over + theta >= fee.today));
            }
            self.rows
                .extend(day.iter().map(|step| constraint!(columns.grid[*step] <= over + theta)));
            sum += over;
        }
        let (mut limit, mut once) = (Expression::default(), Expression::default());
        for (most, cost) in fee.tiers {
            let chosen = self.variables.add(variable().binary());
            limit += fee.n_days * *most * chosen;
            once += chosen;
            self.cost += *cost * chosen;
        }
        self.cost += fee.caution / fee.n_days * sum.clone();
        self.rows.push(constraint!(sum <= limit));
        self.rows.push(constraint!(once == 1.0));
    }
}

struct Fee<'a> {
    tiers: &'a [(f64, f64)],
    n_days: f64,
    caution: f64,
    past: &'a [f64],
    today: f64,
}
