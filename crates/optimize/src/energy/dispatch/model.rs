//! The mixed-integer program.

use good_lp::{Expression, ProblemVariables, Variable, constraint, variable};

use super::conflict::Condition;
use super::{DemandCharge, Problem, Shiftable};

/// Variables, what is made small, and rows; some conditions may be left out.
#[derive(Default)]
pub(super) struct Model {
    pub(super) variables: ProblemVariables,
    pub(super) cost: Expression,
    pub(super) rows: Vec<good_lp::Constraint>,
    pub(super) columns: Columns,
    dropped: Vec<Condition>,
}

#[derive(Clone, Default)]
pub(super) struct Columns {
    pub(super) grid: Vec<Variable>,
    pub(super) sold: Vec<Variable>,
    pub(super) charge: Vec<Variable>,
    pub(super) discharge: Vec<Variable>,
    pub(super) stored: Vec<Variable>,
    sun: Vec<Option<Variable>>,
    /// Of each work: the steps in which it may begin.
    pub(super) starts: Vec<Vec<(usize, Variable)>>,
}

impl Model {
    /// The program of a checked problem with steps, without the conditions that are `dropped`.
    pub(super) fn new(problem: &Problem, dropped: &[Condition]) -> Self {
        let mut model = Self { dropped: dropped.to_vec(), ..Self::default() };
        let columns = model.columns(problem);
        model.flows(problem, &columns);
        model.battery(problem, &columns);
        model.carbon(problem, &columns);
        model.peaks(problem, &columns);
        Self { columns, ..model }
    }

    fn is_dropped(&self, condition: Condition) -> bool {
        self.dropped.contains(&condition)
    }

    /// A limit, or none if its condition is dropped.
    fn most(&self, condition: Condition, most: f64) -> f64 {
        if self.is_dropped(condition) { f64::INFINITY } else { most }
    }

    fn columns(&mut self, problem: &Problem) -> Columns {
        let n = problem.n_steps();
        let grid_kw = self.most(Condition::Grid, problem.grid_kw);
        let battery = problem.battery.map(|battery| {
            let charge_kw = self.most(Condition::Charging, battery.charge_kw);
            let discharge_kw = self.most(Condition::Discharging, battery.discharge_kw);
            (charge_kw, discharge_kw, self.most(Condition::Capacity, battery.capacity_kwh))
        });
        let works: Vec<Option<&Shiftable>> = problem
            .shiftable
            .iter()
            .enumerate()
            .map(|(idx, work)| (!self.is_dropped(Condition::Work(idx))).then_some(work))
            .collect();
        let mut bounded = |n: usize, most: f64| -> Vec<Variable> {
            (0..n).map(|_| self.variables.add(variable().min(0.0).max(most))).collect()
        };
        let mut columns = Columns { grid: bounded(n, grid_kw), ..Columns::default() };
        if !problem.feed_in.is_empty() {
            columns.sold = bounded(n, grid_kw);
        }
        if let Some((charge_kw, discharge_kw, capacity_kwh)) = battery {
            columns.charge = bounded(n, charge_kw);
            columns.discharge = bounded(n, discharge_kw);
            columns.stored = bounded(n, capacity_kwh);
        }
        columns.sun = (0..n)
            .map(|step| (problem.solar(step) > 0.0).then(|| bounded(1, problem.solar(step))[0]))
            .collect();
        let mut begins = |work: &Option<&Shiftable>| -> Vec<(usize, Variable)> {
            let Some(work) = work else { return Vec::new() };
            let last = work.latest.min(n) - work.n_steps;
            (work.earliest..=last)
                .map(|step| (step, self.variables.add(variable().binary())))
                .collect()
        };
        columns.starts = works.iter().map(&mut begins).collect();
        columns
    }

    /// Energy cost, balance of power, and each work once.
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
        for starts in columns.starts.iter().filter(|starts| !starts.is_empty()) {
            let once: Expression = starts.iter().map(|(_, chosen)| *chosen).sum();
            self.rows.push(constraint!(once == 1.0));
        }
    }

    fn carbon(&mut self, problem: &Problem, columns: &Columns) {
        let Some(co2) = problem.co2 else { return };
        let drawn = columns.grid.iter().zip(co2.kg_per_kwh);
        let kg: Expression = drawn.map(|(grid, kg)| problem.step_h * kg * *grid).sum();
        self.cost += co2.price_per_kg * kg.clone();
        if let Some(most_kg) = co2.most_kg.filter(|_| !self.is_dropped(Condition::Carbon)) {
            self.rows.push(constraint!(kg <= most_kg));
        }
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
            Some(_) if self.is_dropped(Condition::End) => {}
            Some(end) => self.rows.push(constraint!(last == end)),
            None => self.cost -= battery.end_value * last,
        }
    }

    fn peaks(&mut self, problem: &Problem, columns: &Columns) {
        for (month, steps) in problem.months().into_iter().enumerate() {
            let past: &[f64] = if month == 0 { problem.past_peaks_kw } else { &[] };
            let today = if month == 0 { problem.peak_today_kw } else { 0.0 };
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
        // Without a highest tier the fee of the highest holds for any peak.
        let endless = fee.tiers.last().map(|(_, cost)| (1e9, *cost));
        let endless = endless.filter(|_| self.is_dropped(Condition::Tier));
        for (most, cost) in fee.tiers.iter().copied().chain(endless) {
            let chosen = self.variables.add(variable().binary());
            limit += fee.n_days * most * chosen;
            once += chosen;
            self.cost += cost * chosen;
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
