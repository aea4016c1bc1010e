//! One step of the battery: the draw of least cost, given what stored energy is worth afterwards.

use super::super::{Battery, Problem};

/// Battery and connection, per step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Store {
    pub(super) capacity_kwh: f64,
    charge_kw: f64,
    discharge_kw: f64,
    charge_efficiency: f64,
    discharge_efficiency: f64,
    kept: f64,
    pub(super) grid_kw: f64,
    pub(super) step_h: f64,
}

/// Prices of a step: of energy, and of what is drawn above a limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Tariff {
    pub(super) price: f64,
    /// `None` where nothing can be sold.
    pub(super) feed_in: Option<f64>,
    pub(super) limit_kw: f64,
    pub(super) excess_price: f64,
}

/// What one step does: draw (negative for a surplus), stored energy after it, cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Move {
    pub(super) grid_kw: f64,
    pub(super) stored_kwh: f64,
    pub(super) cost: f64,
}

impl Store {
    /// Nothing can be stored where there is no battery.
    pub(super) fn new(problem: &Problem) -> Self {
        let none = Battery {
            capacity_kwh: 0.0,
            charge_kw: 0.0,
            discharge_kw: 0.0,
            charge_efficiency: 1.0,
            discharge_efficiency: 1.0,
            kept_per_h: 1.0,
            start_kwh: 0.0,
            end_kwh: None,
            end_value: 0.0,
        };
        let battery = problem.battery.unwrap_or(none);
        Self {
            capacity_kwh: battery.capacity_kwh,
            charge_kw: battery.charge_kw,
            discharge_kw: battery.discharge_kw,
            charge_efficiency: battery.charge_efficiency,
            discharge_efficiency: battery.discharge_efficiency,
            kept: battery.kept_per_h.powf(problem.step_h),
            grid_kw: problem.grid_kw,
            step_h: problem.step_h,
        }
    }

    /// Least and most that can be drawn with this much stored; equal where even the least is above the connection.
    pub(super) fn range_kw(&self, stored_kwh: f64, load_kw: f64, is_selling: bool) -> (f64, f64) {
        let held = stored_kwh * self.kept;
        let out = self.discharge_kw.min(held * self.discharge_efficiency / self.step_h);
        let room = (self.capacity_kwh - held) / (self.charge_efficiency * self.step_h);
        let floor = if is_selling { f64::NEG_INFINITY } else { load_kw.min(0.0) };
        let least = (load_kw - out).max(floor);
        let most = (load_kw + self.charge_kw.min(room)).min(self.grid_kw);
        (least, most.max(least))
    }

    fn after(&self, stored_kwh: f64, load_kw: f64, grid_kw: f64) -> f64 {
        let flow = self.step_h * (grid_kw - load_kw);
        let gain = if flow < 0.0 {
            flow / self.discharge_efficiency
        } else {
            flow * self.charge_efficiency
        };
        (stored_kwh * self.kept + gain).clamp(0.0, self.capacity_kwh)
    }

    fn grid_to(&self, stored_kwh: f64, load_kw: f64, target_kwh: f64) -> f64 {
        let gain = (target_kwh - stored_kwh * self.kept) / self.step_h;
        let factor =
            if gain < 0.0 { self.discharge_efficiency } else { 1.0 / self.charge_efficiency };
        load_kw + gain * factor
    }
}

/// Decides a step of a known load for any stored energy, given the cost to go over a grid of stored energies.
///
/// Cost to go and tariff are convex in the stored energy as long as one tier is kept, so the best draw moves the store
/// towards a target that depends on the marginal price alone (a base-stock policy); each piece of the tariff has one
/// target for charging and one for discharging.
pub(super) struct Stage<'a> {
    store: &'a Store,
    to_go: &'a [f64],
    tariff: Tariff,
    /// Load less photovoltaics.
    load_kw: f64,
    /// Of surplus, draw within and above the limit: targets when discharging, charging.
    targets: [(f64, f64); 3],
}

impl<'a> Stage<'a> {
    pub(super) fn new(store: &'a Store, to_go: &'a [f64], tariff: Tariff, load_kw: f64) -> Self {
        let has_surplus = load_kw < 0.0 || tariff.feed_in.is_some();
        let target = |per_kw: f64, factor: f64| {
            let slope = per_kw / store.step_h * factor;
            least_at(to_go, slope, width(store.capacity_kwh, to_go.len()))
        };
        let energy = tariff.price * store.step_h;
        let surplus = tariff.feed_in.unwrap_or(0.0) * store.step_h;
        let both = |per_kw: f64| {
            let out = target(per_kw, store.discharge_efficiency);
            (out, target(per_kw, 1.0 / store.charge_efficiency))
        };
        let above = both(energy + tariff.excess_price);
        let targets = [if has_surplus { both(surplus) } else { above }, both(energy), above];
        Self { store, to_go, tariff, load_kw, targets }
    }

    /// The best move from this much stored energy.
    pub(super) fn best(&self, stored_kwh: f64) -> Move {
        let load_kw = self.load_kw;
        let (least, most) = self.store.range_kw(stored_kwh, load_kw, self.tariff.feed_in.is_some());
        let limit = self.tariff.limit_kw;
        let mut grid = least;
        for (end, piece) in [(0.0, 0), (limit, 1), (f64::INFINITY, 2)] {
            let (out_target, in_target) = self.targets[piece];
            for (end, target) in [(end.min(load_kw), out_target), (end, in_target)] {
                let end = end.min(most);
                if end > grid {
                    let wanted = self.store.grid_to(stored_kwh, load_kw, target);
                    if wanted < end {
                        return self.done(stored_kwh, grid.max(wanted));
                    }
                    grid = end;
                }
            }
        }
        self.done(stored_kwh, grid)
    }

    fn done(&self, stored_kwh: f64, grid_kw: f64) -> Move {
        let Tariff { price, feed_in, limit_kw, excess_price } = self.tariff;
        let energy = grid_kw.max(0.0) * price + grid_kw.min(0.0) * feed_in.unwrap_or(0.0);
        let excess = excess_price * (grid_kw - limit_kw).max(0.0);
        let cost = self.store.step_h * energy + excess;
        Move { grid_kw, stored_kwh: self.store.after(stored_kwh, self.load_kw, grid_kw), cost }
    }

    /// Cost of a move and all that follows it.
    pub(super) fn total(&self, done: Move) -> f64 {
        done.cost + between(self.to_go, self.store.capacity_kwh, done.stored_kwh)
    }
}

/// Distance of two points of the grid; 1 where nothing can be stored.
pub(super) fn width(capacity_kwh: f64, n_points: usize) -> f64 {
    if capacity_kwh > 0.0 { capacity_kwh / (n_points - 1) as f64 } else { 1.0 }
}

/// Point of the grid where value plus slope times stored energy is least, the lowest of equals.
fn least_at(values: &[f64], slope: f64, width: f64) -> f64 {
    let (mut best, mut least) = (0, f64::INFINITY);
    for (idx, value) in values.iter().enumerate() {
        let sum = value + slope * width * idx as f64;
        if sum < least - 1e-12 {
            (best, least) = (idx, sum);
        }
    }
    best as f64 * width
}

fn between(values: &[f64], capacity_kwh: f64, stored_kwh: f64) -> f64 {
    let place =
        (stored_kwh / width(capacity_kwh, values.len())).clamp(0.0, (values.len() - 1) as f64);
    let below = (place as usize).min(values.len() - 2);
    let share = place - below as f64;
    values[below] * (1.0 - share) + values[below + 1] * share
}
