//! When to draw power: battery, photovoltaics and shiftable work against a tariff, as a mixed-integer program.
//!
//! [`plan`] gives the least cost over a horizon whose loads and prices are given, with a proof of optimality unless
//! time runs out. Used again at every step with new forecasts ([`forecast`]) it is a rolling control: the first step
//! is done, the rest is planned anew. [`Problem::cost_of`] prices any plan without the solver, and refuses one that
//! breaks a limit. Where no plan is possible, the error names a smallest set of conditions that cannot hold together.

mod advice;
mod check;
mod conflict;
pub mod forecast;
mod judge;
mod model;
pub mod pattern;
pub mod policy;
mod solve;

pub use advice::recommend;
pub use solve::plan;

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

/// What the grid's power gives off, and what that may come to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Carbon<'a> {
    /// Kilograms of CO₂ per kWh drawn, one value per step. What is sold takes nothing off.
    pub kg_per_kwh: &'a [f64],
    /// Price per kilogram, beside the price of the energy; 0 to count only.
    pub price_per_kg: f64,
    /// Most kilograms over the horizon, if they are capped.
    pub most_kg: Option<f64>,
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
    /// Photovoltaics; empty for none. What cannot be used or sold is curtailed. Down to -0.1 kW, as meters show at
    /// night, counts as 0.
    pub solar_kw: &'a [f64],
    /// Price per kWh drawn, all parts together but CO₂.
    pub price: &'a [f64],
    /// Price per kWh sold; empty where nothing can be.
    pub feed_in: &'a [f64],
    /// Most that the grid connection gives.
    pub grid_kw: f64,
    /// Number of the billing month of each step, rising from 0 by one at most.
    pub month: &'a [usize],
    /// Number of the day of each step, rising by one at most, over all months.
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
    /// CO₂ of the grid's power; `None` where nobody counts.
    pub co2: Option<Carbon<'a>>,
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
    /// Energy, CO₂ and demand, without the worth of what is left in the battery.
    pub cost: f64,
    /// Part of it that is for peaks.
    pub demand_cost: f64,
    /// CO₂ in kilograms; 0 where nobody counts.
    pub co2_kg: f64,
    /// What the plan makes small: the cost, plus caution, less the worth of what is left in the battery.
    pub objective: f64,
    /// No plan has a smaller objective; negative infinity where nothing is proven.
    pub bound: f64,
    /// Whether it is proven that no plan has a smaller objective.
    pub is_optimal: bool,
}

#[cfg(test)]
mod tests;
