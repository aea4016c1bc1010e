//! Plans, after the solver: what they cost, and whether they keep every condition.

use super::super::Error;
use super::{DemandCharge, Plan, Problem};

/// Slack allowed to a plan's limits, in kW and kWh, and as a share where numbers are large.
pub(super) const TOLERANCE: f64 = 1e-5;

impl Problem<'_> {
    /// Recomputes what a plan costs, without the solver: energy with its CO₂, and demand, in this order.
    ///
    /// # Errors
    /// If the problem cannot be, the plan has not one value per step and one begin per work, or it breaks a condition:
    /// then with the step and the condition.
    ///
    /// ```
    /// use optimize::energy::dispatch::{DemandCharge, Plan, Problem};
    /// let problem = Problem { step_h: 1.0, load_kw: &[4.0, 2.0], solar_kw: &[], price: &[0.5, 0.25], feed_in: &[],
    ///     grid_kw: 10.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::PerKw(3.0), past_peaks_kw: &[],
    ///     peak_today_kw: 0.0, battery: None, shiftable: &[], co2: None };
    /// let plan = Plan { grid_kw: vec![4.0, 2.0], sold_kw: vec![0.0; 2], ..Plan::default() };
    /// assert_eq!(problem.cost_of(&plan)?, (4.0 * 0.5 + 2.0 * 0.25, 3.0 * 4.0));
    /// # Ok::<(), optimize::energy::Error>(())
    /// ```
    pub fn cost_of(&self, plan: &Plan) -> Result<(f64, f64), Error> {
        self.check()?;
        self.check_shape(plan)?;
        let load = self.load_with_work(plan)?;
        self.check_power(plan, &load)?;
        self.check_store(plan)?;
        let top_kw = self.top_kw().unwrap_or(f64::INFINITY);
        let mean_kw = self.means_of_highest(&plan.grid_kw).into_iter().fold(0.0, f64::max);
        breach(mean_kw <= top_kw + TOLERANCE, plan.grid_kw.len(), "the highest tier")?;
        let co2_kg = self.co2_kg_of(plan);
        let co2 =
            self.co2.unwrap_or(super::Carbon { kg_per_kwh: &[], price_per_kg: 0.0, most_kg: None });
        let most_kg = co2.most_kg.unwrap_or(f64::INFINITY);
        breach(
            co2_kg <= most_kg * (1.0 + TOLERANCE) + TOLERANCE,
            plan.grid_kw.len(),
            "the cap of CO₂",
        )?;
        let feed_in = |step: usize| self.feed_in.get(step).copied().unwrap_or(0.0);
        let energy = (0..self.n_steps())
            .map(|step| plan.grid_kw[step] * self.price[step] - plan.sold_kw[step] * feed_in(step))
            .sum::<f64>();
        Ok((self.step_h * energy + co2.price_per_kg * co2_kg, self.demand_cost(&plan.grid_kw)))
    }

    /// CO₂ of a plan in kilograms; 0 where nobody counts.
    pub(super) fn co2_kg_of(&self, plan: &Plan) -> f64 {
        let drawn = plan.grid_kw.iter().enumerate();
        drawn.map(|(step, kw)| self.step_h * kw * self.kg_per_kwh(step)).sum()
    }

    /// What plans are compared by: cost, plus caution, less the worth of what is left in the battery.
    pub(super) fn objective_of(&self, plan: &Plan) -> Result<f64, Error> {
        let (energy, demand) = self.cost_of(plan)?;
        let worth = match self.battery {
            Some(battery) if battery.end_kwh.is_none() => {
                battery.end_value * self.stored(plan).last().copied().unwrap_or(0.0)
            }
            _ => 0.0,
        };
        Ok(energy + demand + self.caution_of(&plan.grid_kw) - worth)
    }

    fn check_shape(&self, plan: &Plan) -> Result<(), Error> {
        let n_stored = if self.battery.is_some() { self.n_steps() } else { 0 };
        let columns = [
            ("draw of the plan", plan.grid_kw.len(), self.n_steps()),
            ("sale of the plan", plan.sold_kw.len(), self.n_steps()),
            ("charge of the plan", plan.charge_kw.len(), n_stored),
            ("discharge of the plan", plan.discharge_kw.len(), n_stored),
            ("begins of the plan", plan.starts.len(), self.shiftable.len()),
        ];
        for (what, n, expected) in columns {
            // Without a battery its columns may be zeros.
            if n != expected && !(expected == 0 && n == self.n_steps()) {
                return Err(Error::Length { what, n, expected });
            }
        }
        Ok(())
    }

    fn load_with_work(&self, plan: &Plan) -> Result<Vec<f64>, Error> {
        let mut load: Vec<f64> = self.load_kw.to_vec();
        for (work, start) in self.shiftable.iter().zip(&plan.starts) {
            let end = start.saturating_add(work.n_steps);
            let is_inside = *start >= work.earliest && end <= work.latest.min(load.len());
            breach(is_inside, *start, &format!("the window of {}", work.name))?;
            load[*start..end].iter_mut().for_each(|kw| *kw += work.power_kw);
        }
        Ok(load)
    }

    fn check_power(&self, plan: &Plan, load: &[f64]) -> Result<(), Error> {
        let battery_kw = |list: &[f64], step: usize| list.get(step).copied().unwrap_or(0.0);
        let (charge_kw, discharge_kw) =
            self.battery.map_or((0.0, 0.0), |battery| (battery.charge_kw, battery.discharge_kw));
        let sold_kw = if self.feed_in.is_empty() { 0.0 } else { self.grid_kw };
        for (step, need) in load.iter().enumerate() {
            let (grid, sold) = (plan.grid_kw[step], plan.sold_kw[step]);
            let charge = battery_kw(&plan.charge_kw, step);
            let discharge = battery_kw(&plan.discharge_kw, step);
            breach(is_between(grid, self.grid_kw), step, "the grid connection")?;
            breach(is_between(sold, sold_kw), step, "what can be sold")?;
            breach(is_between(charge, charge_kw), step, "charging power")?;
            breach(is_between(discharge, discharge_kw), step, "discharging power")?;
            let sun_used = need + charge + sold - grid - discharge;
            breach(is_between(sun_used, self.solar(step)), step, "the balance of power")?;
        }
        Ok(())
    }

    fn check_store(&self, plan: &Plan) -> Result<(), Error> {
        let Some(battery) = self.battery else { return Ok(()) };
        let stored = self.stored(plan);
        for (step, kwh) in stored.iter().enumerate() {
            breach(is_between(*kwh, battery.capacity_kwh), step, "battery capacity")?;
        }
        let end = battery.end_kwh.zip(stored.last());
        let is_met = end.is_none_or(|(end, kwh)| (end - kwh).abs() <= TOLERANCE * (1.0 + end));
        breach(is_met, stored.len().saturating_sub(1), "the charge at the end")
    }

    /// What the battery holds after each step.
    pub(super) fn stored(&self, plan: &Plan) -> Vec<f64> {
        let Some(battery) = self.battery else { return Vec::new() };
        let mut stored = battery.start_kwh;
        let flows = plan.charge_kw.iter().zip(&plan.discharge_kw);
        flows
            .map(|(charge, discharge)| {
                stored = stored * battery.kept_per_h.powf(self.step_h)
                    + self.step_h
                        * (charge * battery.charge_efficiency
                            - discharge / battery.discharge_efficiency);
                stored
            })
            .collect()
    }

    fn demand_cost(&self, grid_kw: &[f64]) -> f64 {
        self.daily_peaks(grid_kw).into_iter().map(|peaks| month_fee(&self.demand, peaks)).sum()
    }

    /// Caution times the mean peaks of each month, where peaks are tiered.
    fn caution_of(&self, grid_kw: &[f64]) -> f64 {
        let DemandCharge::Tiered { caution, .. } = &self.demand else { return 0.0 };
        caution * self.means_of_highest(grid_kw).into_iter().sum::<f64>()
    }

    /// Mean of the highest daily peaks of each month; nothing where peaks are not tiered.
    pub(super) fn means_of_highest(&self, grid_kw: &[f64]) -> Vec<f64> {
        let DemandCharge::Tiered { n_days, .. } = &self.demand else { return Vec::new() };
        self.daily_peaks(grid_kw).into_iter().map(|peaks| mean_of_highest(peaks, *n_days)).collect()
    }

    /// Limit of the highest tier in kW.
    pub(super) fn top_kw(&self) -> Option<f64> {
        let DemandCharge::Tiered { tiers, .. } = &self.demand else { return None };
        tiers.last().map(|(limit_kw, _)| *limit_kw)
    }

    /// Daily peaks of each month: those of the past, and those of the plan.
    fn daily_peaks(&self, grid_kw: &[f64]) -> Vec<Vec<f64>> {
        let of_month = |(month, steps): (usize, &Vec<usize>)| {
            let mut peaks = if month == 0 { self.past_peaks_kw.to_vec() } else { Vec::new() };
            for (idx, day) in steps.chunk_by(|a, b| self.day[*a] == self.day[*b]).enumerate() {
                let today = if month == 0 && idx == 0 { self.peak_today_kw } else { 0.0 };
                peaks.push(day.iter().map(|step| grid_kw[*step]).fold(today, f64::max));
            }
            peaks
        };
        self.months().iter().enumerate().map(of_month).collect()
    }
}

/// Fee of one month with these daily peaks.
fn month_fee(demand: &DemandCharge, peaks: Vec<f64>) -> f64 {
    match demand {
        DemandCharge::None => 0.0,
        DemandCharge::PerKw(price) => price * peaks.into_iter().fold(0.0, f64::max),
        DemandCharge::Tiered { tiers, n_days, .. } => {
            let mean = mean_of_highest(peaks, *n_days);
            let tier = tiers.iter().find(|(limit, _)| mean <= limit + TOLERANCE).or(tiers.last());
            tier.map_or(0.0, |(_, fee)| *fee)
        }
    }
}

/// Mean of the `n_days` highest daily peaks; days that are not there count as 0.
fn mean_of_highest(mut peaks: Vec<f64>, n_days: usize) -> f64 {
    peaks.sort_by(|a, b| b.total_cmp(a));
    peaks.iter().take(n_days).sum::<f64>() / n_days as f64
}

fn is_between(value: f64, most: f64) -> bool {
    let slack = TOLERANCE * (1.0 + most.abs() * 1e-3);
    (-slack..=most + slack).contains(&value)
}

fn breach(is_kept: bool, step: usize, limit: &str) -> Result<(), Error> {
    if is_kept {
        return Ok(());
    }
    Err(Error::Infeasible { conflict: format!("step {step} breaks {limit}") })
}
