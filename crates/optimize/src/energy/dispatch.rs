//! When to draw power: battery, photovoltaics and shiftable work against a tariff, as a mixed-integer program.
//!
//! [`plan`] gives the least cost over a horizon whose loads and prices are given, with a proof of optimality unless
//! time runs out. Used again at every step with new forecasts ([`forecast`]) it is a rolling control: the first step
//! is done, the rest is planned anew. [`Problem::cost_of`] prices any plan without the solver, and refuses one that
//! breaks a limit.

mod check;
pub mod forecast;
mod model;

use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

pub use model::plan;

/// A battery, or any store of electrical energy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Battery {
    /// What it holds.
    pub capacity_kwh: f64,
    /// Fastest charging, measured outside.
    pub charge_kw: f64,
    /// Fastest discharging, measured outside.
    pub discharge_kw: f64,
    /// Share of charged energy that arrives inside.
    pub charge_efficiency: f64,
    /// Share of stored energy that arrives outside.
    pub discharge_efficiency: f64,
    /// Share of stored energy that is left after an hour.
    pub kept_per_h: f64,
    /// What it holds at the begin.
    pub start_kwh: f64,
    /// What it must hold at the end; `None` for whatever pays.
    pub end_kwh: Option<f64>,
    /// Worth of a kWh left at the end, for horizons after which life goes on; 0 for none.
    pub end_value: f64,
}

/// What peaks cost in a billing month.
#[derive(Debug, Clone, PartialEq)]
pub enum DemandCharge {
    /// Nothing.
    None,
    /// So much per kW of the highest step.
    PerKw(f64),
    /// A fee by the mean of the highest daily peaks.
    Tiered {
        /// Upper limit in kW and fee of each tier, both rising.
        tiers: Vec<(f64, f64)>,
        /// How many days count.
        n_days: usize,
        /// Price per kW of that mean, for planning alone: it keeps a rolling control from using up a tier that a
        /// passing forecast seems to need. 0 where the whole month is known.
        caution: f64,
    },
}

/// Work that has to be done, but not at a fixed time.
#[derive(Debug, Clone, PartialEq)]
pub struct Shiftable {
    /// Its name in the plant.
    pub name: String,
    /// Power while it runs.
    pub power_kw: f64,
    /// Steps that it runs without a pause.
    pub n_steps: usize,
    /// First step in which it may run.
    pub earliest: usize,
    /// First step in which it may not run any more.
    pub latest: usize,
}

/// Everything a plan depends on. All slices have one value per step.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem<'a> {
    /// Length of a step in hours.
    pub step_h: f64,
    /// Load that cannot be moved.
    pub load_kw: &'a [f64],
    /// Photovoltaics; empty for none. What cannot be used or sold is curtailed.
    pub solar_kw: &'a [f64],
    /// Price per kWh drawn, all parts together; a price of CO₂ times the grid's intensity is one of them.
    pub price: &'a [f64],
    /// Price per kWh sold; empty where nothing can be.
    pub feed_in: &'a [f64],
    /// Most that the grid connection gives.
    pub grid_kw: f64,
    /// Number of the billing month of each step, rising from 0.
    pub month: &'a [usize],
    /// Number of the day of each step, rising from 0 over all months.
    pub day: &'a [usize],
    /// What peaks cost.
    pub demand: DemandCharge,
    /// Daily peaks of month 0 on days before the first step.
    pub past_peaks_kw: &'a [f64],
    /// Highest draw so far on the day of the first step; 0 for none.
    pub peak_today_kw: f64,
    /// The store, if there is one.
    pub battery: Option<Battery>,
    /// Work to place.
    pub shiftable: &'a [Shiftable],
}

/// A dispatch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// Drawn from the grid in each step.
    pub grid_kw: Vec<f64>,
    /// Sold in each step.
    pub sold_kw: Vec<f64>,
    /// Into the battery, measured outside.
    pub charge_kw: Vec<f64>,
    /// Out of the battery, measured outside.
    pub discharge_kw: Vec<f64>,
    /// Held at the end of each step.
    pub stored_kwh: Vec<f64>,
    /// Step in which each shiftable work begins.
    pub starts: Vec<usize>,
    /// Energy and demand, without the worth of what is left in the battery.
    pub cost: f64,
    /// Part of it that is for peaks.
    pub demand_cost: f64,
    /// Whether it is proven that nothing is cheaper.
    pub is_optimal: bool,
}

/// The plan as a recommendation against doing without battery and moving nothing.
///
/// `now_cost`: cost of the same horizon as it is run today. The gain has no chance in it, as loads and prices are
/// given; the uncertainty of forecasts is the caller's to add.
pub fn recommend(
    problem: &Problem,
    plan: &Plan,
    now_cost: f64,
    currency: &str,
    valid_until_us: i64,
) -> Recommendation {
    let gain = now_cost - plan.cost;
    let peak = plan.grid_kw.iter().copied().fold(0.0, f64::max);
    let mut steps: Vec<Step> = problem
        .shiftable
        .iter()
        .zip(&plan.starts)
        .map(|(work, start)| Step {
            what: format!("begin of {}", work.name),
            now: None,
            proposed: format!("step {start}"),
        })
        .collect();
    if let (Some(charge), Some(discharge)) = (plan.charge_kw.first(), plan.discharge_kw.first()) {
        let proposed = format!("{:.1} kW", charge - discharge);
        steps.push(Step { what: "battery, charging positive".into(), now: None, proposed });
    }
    Recommendation {
        summary: format!(
            "{gain:.2} {currency} less over {} steps, highest draw {peak:.1} kW",
            plan.grid_kw.len()
        ),
        steps,
        gain: Gain::certain(gain, currency),
        constraints: vec![Constraint {
            what: "grid connection, kW".into(),
            slack: problem.grid_kw - peak,
        }],
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("steps".into(), plan.grid_kw.len().to_string()),
                ("demand cost".into(), format!("{:.2}", plan.demand_cost)),
            ],
            seed: 0,
        },
        valid_until_us,
        bounds: Bounds { objective: plan.cost, bound: plan.is_optimal.then_some(plan.cost) },
    }
}

#[cfg(test)]
mod tests;
