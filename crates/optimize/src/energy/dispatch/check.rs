//! Inputs before the solver sees them, and plans after it.

use super::super::Error;
use super::{DemandCharge, Plan, Problem};

/// Slack allowed to a plan's limits, in kW and kWh.
const TOLERANCE: f64 = 1e-5;

impl Problem<'_> {
    /// Steps of the horizon.
    pub fn n_steps(&self) -> usize {
        self.load_kw.len()
    }

    /// Load less photovoltaics of a step, before battery and shiftable work.
    pub(super) fn solar(&self, step: usize) -> f64 {
        self.solar_kw.get(step).copied().unwrap_or(0.0)
    }

    /// Whether the numbers fit together and no single step is impossible.
    pub(super) fn check(&self) -> Result<(), Error> {
        let expected = self.n_steps();
        let columns = [
            ("price", self.price.len(), false),
            ("billing month", self.month.len(), false),
            ("day", self.day.len(), false),
            ("photovoltaics", self.solar_kw.len(), true),
            ("feed-in price", self.feed_in.len(), true),
        ];
        for (what, n, may_be_empty) in columns {
            if n != expected && !(may_be_empty && n == 0) {
                return Err(Error::Length { what, n, expected });
            }
        }
        let all = [
            ("load", self.load_kw),
            ("price", self.price),
            ("photovoltaics", self.solar_kw),
            ("feed-in price", self.feed_in),
        ];
        for (what, values) in all {
            if let Some(value) = values.iter().find(|value| !value.is_finite()) {
                return Err(Error::Number { what, value: *value, must_be: "finite" });
            }
        }
        if !(self.step_h > 0.0 && self.step_h.is_finite()) {
            return Err(Error::Number {
                what: "length of a step",
                value: self.step_h,
                must_be: "above 0 hours",
            });
        }
        self.check_battery()?;
        self.check_work()?;
        self.check_connection()
    }

    fn check_battery(&self) -> Result<(), Error> {
        let Some(battery) = self.battery else { return Ok(()) };
        for (what, value) in [
            ("charge efficiency", battery.charge_efficiency),
            ("discharge efficiency", battery.discharge_efficiency),
            ("share kept per hour", battery.kept_per_h),
        ] {
            if !(value > 0.0 && value <= 1.0) {
                return Err(Error::Number { what, value, must_be: "above 0 and at most 1" });
            }
        }
        for (what, value) in [
            ("charge at the begin", Some(battery.start_kwh)),
            ("charge at the end", battery.end_kwh),
        ] {
            if let Some(value) = value.filter(|value| !(0.0..=battery.capacity_kwh).contains(value))
            {
                return Err(Error::Number { what, value, must_be: "between 0 and the capacity" });
            }
        }
        Ok(())
    }

    fn check_work(&self) -> Result<(), Error> {
        for work in self.shiftable {
            let latest = work.latest.min(self.n_steps());
            if work.n_steps == 0 || work.earliest + work.n_steps > latest {
                let conflict = format!(
                    "{} takes {} steps, but may run only from step {} to {latest}; widen its window",
                    work.name, work.n_steps, work.earliest
                );
                return Err(Error::Infeasible { conflict });
            }
        }
        Ok(())
    }

    fn check_connection(&self) -> Result<(), Error> {
        let discharge = self.battery.map_or(0.0, |battery| battery.discharge_kw);
        for (step, load) in self.load_kw.iter().enumerate() {
            let most = self.grid_kw + discharge + self.solar(step);
            if *load > most + TOLERANCE {
                let conflict = format!(
                    "the load of step {step} is {load:.1} kW, but connection, battery and sun give at most {most:.1} kW; shed load or raise the connection"
                );
                return Err(Error::Infeasible { conflict });
            }
        }
        Ok(())
    }

    /// Recomputes what a plan costs, without the solver: energy and demand, in this order.
    ///
    /// # Errors
    /// If the plan breaks a limit, with the step and the limit.
    pub fn cost_of(&self, plan: &Plan) -> Result<(f64, f64), Error> {
        let mut load: Vec<f64> = self.load_kw.to_vec();
        for (work, start) in self.shiftable.iter().zip(&plan.starts) {
            let is_inside =
                *start >= work.earliest && start + work.n_steps <= work.latest.min(load.len());
            breach(is_inside, *start, &work.name)?;
            load[*start..start + work.n_steps].iter_mut().for_each(|kw| *kw += work.power_kw);
        }
        let mut stored = self.battery.map_or(0.0, |battery| battery.start_kwh);
        let mut energy = 0.0;
        for (step, need) in load.iter().enumerate() {
            let [grid, sold, charge, discharge] =
                [&plan.grid_kw, &plan.sold_kw, &plan.charge_kw, &plan.discharge_kw]
                    .map(|column| column[step]);
            breach(
                [grid, sold, charge, discharge].iter().all(|kw| *kw >= -TOLERANCE),
                step,
                "sign",
            )?;
            breach(grid <= self.grid_kw + TOLERANCE, step, "grid connection")?;
            let sun_used = need + charge + sold - grid - discharge;
            breach(
                (-TOLERANCE..=self.solar(step) + TOLERANCE).contains(&sun_used),
                step,
                "balance of power",
            )?;
            if let Some(battery) = self.battery {
                stored = stored * battery.kept_per_h.powf(self.step_h)
                    + self.step_h
                        * (charge * battery.charge_efficiency
                            - discharge / battery.discharge_efficiency);
                let is_inside = (-TOLERANCE..=battery.capacity_kwh + TOLERANCE).contains(&stored);
                breach(is_inside, step, "battery capacity")?;
                let is_slow = charge <= battery.charge_kw + TOLERANCE
                    && discharge <= battery.discharge_kw + TOLERANCE;
                breach(is_slow, step, "battery power")?;
            }
            let feed_in = self.feed_in.get(step).copied().unwrap_or(0.0);
            energy += self.step_h * (grid * self.price[step] - sold * feed_in);
        }
        Ok((energy, self.demand_cost(&plan.grid_kw)))
    }

    fn demand_cost(&self, grid_kw: &[f64]) -> f64 {
        let n_months = self.month.last().map_or(0, |last| last + 1);
        let mut total = 0.0;
        for month in 0..n_months {
            let mut peaks: Vec<f64> =
                if month == 0 { self.past_peaks_kw.to_vec() } else { Vec::new() };
            let steps: Vec<usize> =
                (0..grid_kw.len()).filter(|step| self.month[*step] == month).collect();
            for day in steps.chunk_by(|a, b| self.day[*a] == self.day[*b]) {
                let today = if day[0] == 0 { self.peak_today_kw } else { 0.0 };
                peaks.push(day.iter().map(|step| grid_kw[*step]).fold(today, f64::max));
            }
            total += month_fee(&self.demand, peaks);
        }
        total
    }
}

/// Fee of one month with these daily peaks.
fn month_fee(demand: &DemandCharge, mut peaks: Vec<f64>) -> f64 {
    peaks.sort_by(|a, b| b.total_cmp(a));
    match demand {
        DemandCharge::None => 0.0,
        DemandCharge::PerKw(price) => price * peaks.first().copied().unwrap_or(0.0),
        DemandCharge::Tiered { tiers, n_days, .. } => {
            let mean = peaks.iter().take(*n_days).sum::<f64>() / *n_days as f64;
            let tier = tiers.iter().find(|(limit, _)| mean <= limit + TOLERANCE).or(tiers.last());
            tier.map_or(0.0, |(_, fee)| *fee)
        }
    }
}

fn breach(is_kept: bool, step: usize, limit: &str) -> Result<(), Error> {
    if is_kept {
        return Ok(());
    }
    Err(Error::Infeasible { conflict: format!("step {step} breaks {limit}") })
}
