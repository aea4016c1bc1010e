//! Rolling control where loads are uncertain: what to do in each step, by stochastic dynamic programming.
//!
//! [`plan`](super::plan) takes its forecast for certain and so stores too little for a cold evening, or gives up a tier
//! too late. A [`Policy`] knows the cost to go of every stored energy and load deviation, for each tier that the month
//! may still end in: V(t, s, x, k) = E min over k′ ≥ k of { fee(k′) − fee(k) + min over the draw g of price · g +
//! V(t+1, s′, x′, k′) }, with g at most what keeps the tier k′ (Bertsekas 2017, Dynamic Programming and Optimal
//! Control I, §1.3; giving up a tier is an optimal stopping). It holds for hours: make another when forecasts change or
//! [`Policy::fits`] says no, ask it at every step, and keep [`Memory`] on disk.

mod goal;
mod stage;
mod value;

use super::super::Error;
use super::Problem;
use goal::{Fees, Goal};
use stage::{Stage, Store};
use value::{Deviations, Recursion, Values};

/// Steps from the first that a policy can be asked about.
pub const REACH: usize = 48;
/// Change of a limit from which a policy should be made anew.
const SAME_KW: f64 = 0.01;

/// How loads stray from what a [`Problem`] expects; [`Pattern`](super::pattern::Pattern) learns it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Chance<'a> {
    /// Share of a deviation that is left after a step, from 0 to below 1.
    pub persistence: f64,
    /// Share of a surprise that becomes deviation.
    pub gain: f64,
    /// Standard deviation of the surprise of each step.
    pub spread_kw: &'a [f64],
    /// Equally likely surprises, in standard deviations; `&[0.0]` for certain loads.
    pub surprises: &'a [f64],
    /// Price per kW and step above what keeps the tier, for planning alone: what a small excess will cost the rest of
    /// the month in freedom. More than that is met by giving up the tier.
    pub excess_price: f64,
}

impl Chance<'_> {
    fn next_deviation_kw(&self, deviation_kw: f64, surprise_kw: f64) -> f64 {
        self.persistence * deviation_kw + self.gain * surprise_kw
    }

    fn check(&self, problem: &Problem) -> Result<(), Error> {
        let (n, expected) = (self.spread_kw.len(), problem.n_steps());
        if n != expected {
            return Err(Error::Length { what: "spread of loads", n, expected });
        }
        if self.surprises.is_empty() {
            return Err(Error::TooFew { what: "a policy's surprises", n: 0, needed: 1 });
        }
        let must_be = "finite and not negative";
        let sizes = [("gain", self.gain), ("excess price", self.excess_price)];
        let spreads = self.spread_kw.iter().map(|kw| ("spread of loads", *kw));
        for (what, value) in sizes.into_iter().chain(spreads) {
            if !(value >= 0.0 && value.is_finite()) {
                return Err(Error::Number { what, value, must_be });
            }
        }
        if let Some(value) = self.surprises.iter().copied().find(|value| !value.is_finite()) {
            return Err(Error::Number { what: "surprise", value, must_be: "finite" });
        }
        if !(0.0..1.0).contains(&self.persistence) {
            let must_be = "from 0 to below 1";
            return Err(Error::Number { what: "persistence", value: self.persistence, must_be });
        }
        Ok(())
    }
}

/// All that control has to remember from step to step; kept and given back, it goes on as if never stopped.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Memory {
    /// Held by the battery now; set it to what is measured, where that is known.
    pub stored_kwh: f64,
    /// Expected deviation of the next load.
    pub deviation_kw: f64,
    /// Highest draw of each earlier day of this billing month.
    pub past_peaks_kw: Vec<f64>,
    /// Highest draw of today so far.
    pub peak_today_kw: f64,
}

impl Memory {
    /// Call at the first step of a day, also at that of a month.
    pub fn begin_day(&mut self) {
        self.past_peaks_kw.push(std::mem::take(&mut self.peak_today_kw));
    }

    /// Call at the first step of a billing month, after [`begin_day`](Self::begin_day).
    pub fn begin_month(&mut self) {
        self.past_peaks_kw.clear();
        self.peak_today_kw = 0.0;
    }
}

/// What to do in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Action {
    /// Draw from the grid.
    pub grid_kw: f64,
    /// Sold to the grid.
    pub sold_kw: f64,
    /// Into the battery, measured outside.
    pub charge_kw: f64,
    /// Out of the battery, measured outside.
    pub discharge_kw: f64,
    /// Limit of the peak tier that the month is steered to.
    pub tier_kw: f64,
    /// Expected cost to the end of the horizon, above the fee of the lowest tier still open.
    pub expected_cost: f64,
}

/// What to do in each of the first [`REACH`] steps, whatever the load turns out to be.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    store: Store,
    fees: Fees,
    goals: Vec<Goal>,
    deviations: Deviations,
    persistence: f64,
    gain: f64,
    excess_price: f64,
    steps: Vec<Step>,
}

/// A step that can be asked about.
#[derive(Debug, Clone, PartialEq)]
struct Step {
    usual_kw: f64,
    solar_kw: f64,
    tariff: stage::Tariff,
    days_left: usize,
    /// Limit of a later month; `None` in the first.
    later_limit_kw: Option<f64>,
    /// After the step.
    values: Values,
}

impl Policy {
    /// Prepares decisions for a horizon.
    ///
    /// `problem.load_kw`: usual loads, from which actual ones stray as `chance` says. Months after the first have one
    /// soft goal, the lowest tier above their mean load. Where peaks cost per kW, eight levels stand for all; the
    /// battery holds `end_kwh` *at least*. Deterministic. Cost: O(steps · tiers · deviations · surprises · stored
    /// energies), a month of hours with five tiers some 0.1 s.
    ///
    /// # Errors
    /// If lengths differ, a number is out of its range, or there is shiftable work or CO₂, which only
    /// [`plan`](super::plan) can place and weigh.
    ///
    /// ```
    /// use optimize::energy::dispatch::policy::{Chance, Memory, Policy};
    /// use optimize::energy::dispatch::{Battery, DemandCharge, Problem};
    /// // Buy 2 kWh more at 0.10 and use them at 0.30.
    /// let battery = Battery { capacity_kwh: 2.0, charge_kw: 2.0, discharge_kw: 2.0, charge_efficiency: 1.0,
    ///     discharge_efficiency: 1.0, kept_per_h: 1.0, start_kwh: 0.0, end_kwh: None, end_value: 0.0 };
    /// let problem = Problem { step_h: 1.0, load_kw: &[4.0, 4.0], solar_kw: &[], price: &[0.1, 0.3], feed_in: &[],
    ///     grid_kw: 10.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::None, past_peaks_kw: &[],
    ///     peak_today_kw: 0.0, battery: Some(battery), shiftable: &[], co2: None };
    /// let certain = Chance { persistence: 0.0, gain: 0.0, spread_kw: &[0.0; 2], surprises: &[0.0], excess_price: 0.0 };
    /// let policy = Policy::new(&problem, &certain)?;
    /// let mut memory = Memory::default();
    /// assert_eq!(policy.act(0, 4.0, &mut memory)?.grid_kw, 6.0);
    /// // The load is higher than expected: what is stored still serves.
    /// assert_eq!(policy.act(1, 5.0, &mut memory)?.grid_kw, 3.0);
    /// # Ok::<(), optimize::energy::Error>(())
    /// ```
    pub fn new(problem: &Problem, chance: &Chance) -> Result<Self, Error> {
        problem.check_numbers()?;
        chance.check(problem)?;
        if let Some(work) = problem.shiftable.first() {
            let conflict = format!(
                "a policy cannot place {}; place it with a plan, and add it to the load",
                work.name
            );
            return Err(Error::Infeasible { conflict });
        }
        if problem.co2.is_some() {
            let conflict =
                "a policy knows no CO₂; plan with it, or add its price to that of energy";
            return Err(Error::Infeasible { conflict: conflict.to_owned() });
        }
        let (store, fees) = (Store::new(problem), Fees::new(problem));
        let goals = fees.goals(problem.past_peaks_kw, problem.peak_today_kw, days_left(problem, 0));
        let usual_kw = fees.usual_kw(mean_after_first_month(problem));
        let deviations = Deviations::new(chance);
        let recursion = Recursion {
            problem,
            chance,
            store,
            goals: &goals,
            usual_kw,
            deviations: deviations.clone(),
        };
        let step = |(step, values): (usize, Values)| Step {
            usual_kw: problem.load_kw[step],
            solar_kw: problem.solar(step),
            tariff: value::tariff(problem, step, usual_kw, chance.excess_price),
            days_left: days_left(problem, step),
            later_limit_kw: (problem.month[step] != 0).then_some(usual_kw),
            values,
        };
        let steps = recursion.run().into_iter().enumerate().map(step).collect();
        Ok(Self {
            store,
            fees,
            goals,
            deviations,
            persistence: chance.persistence,
            gain: chance.gain,
            excess_price: chance.excess_price,
            steps,
        })
    }

    /// Steps that it can be asked about.
    pub fn n_steps(&self) -> usize {
        self.steps.len()
    }

    /// Whether it covers a step and the peaks so far still leave what it was made for.
    pub fn fits(&self, step: usize, memory: &Memory) -> bool {
        let Some(at) = self.steps.get(step) else { return false };
        if at.later_limit_kw.is_some() {
            return true;
        }
        let now = self.fees.goals(&memory.past_peaks_kw, memory.peak_today_kw, at.days_left);
        let is_same =
            |(a, b): (&Goal, &Goal)| a.tier == b.tier && (a.later_kw - b.later_kw).abs() <= SAME_KW;
        now.len() == self.goals.len() && now.iter().zip(&self.goals).all(is_same)
    }

    /// Decides a step whose load is known, and remembers it.
    ///
    /// # Errors
    /// If the step is beyond [`n_steps`](Self::n_steps), the load or the memory is not finite, or the load is above
    /// what connection, battery and sun can give; the memory is then as before.
    pub fn act(&self, step: usize, load_kw: f64, memory: &mut Memory) -> Result<Action, Error> {
        let Some(at) = self.steps.get(step) else {
            let must_be = "below the steps of the policy";
            return Err(Error::Number { what: "step", value: step as f64, must_be });
        };
        check_memory(load_kw, memory)?;
        let stored = memory.stored_kwh.clamp(0.0, self.store.capacity_kwh);
        let net = load_kw - at.solar_kw;
        let (least, _) = self.store.range_kw(stored, net, at.tariff.feed_in.is_some());
        if least > self.store.grid_kw + 1e-9 {
            let conflict = format!(
                "the load of step {step} is {load_kw:.1} kW, {:.1} kW above what connection, battery and sun give now; shed load",
                least - self.store.grid_kw
            );
            return Err(Error::Infeasible { conflict });
        }
        let surprise = load_kw - at.usual_kw - memory.deviation_kw;
        let deviation = self.persistence * memory.deviation_kw + self.gain * surprise;
        let (action, stored) = self.best(at, stored, net, deviation, memory);
        memory.deviation_kw = deviation;
        memory.stored_kwh = stored;
        memory.peak_today_kw = memory.peak_today_kw.max(action.grid_kw);
        Ok(action)
    }

    /// The cheapest of the moves towards each tier still open, with the energy stored after it.
    fn best(
        &self,
        at: &Step,
        stored: f64,
        net: f64,
        deviation: f64,
        memory: &Memory,
    ) -> (Action, f64) {
        let goals = match at.later_limit_kw {
            None => self.fees.goals(&memory.past_peaks_kw, memory.peak_today_kw, at.days_left),
            Some(limit) => vec![Goal { tier: 0, fee: 0.0, today_kw: limit, later_kw: limit }],
        };
        let mut best: Option<(f64, stage::Move, usize)> = None;
        for goal in &goals {
            let idx = self.goals.iter().position(|planned| planned.tier == goal.tier).unwrap_or(0);
            let to_go = self.deviations.at(&at.values[idx.min(at.values.len() - 1)], deviation);
            let tariff = stage::Tariff {
                limit_kw: goal.today_kw,
                excess_price: self.excess_price,
                ..at.tariff
            };
            let stage = Stage::new(&self.store, &to_go, tariff, net);
            let done = stage.best(stored);
            let cost = goal.fee - goals[0].fee + stage.total(done);
            if best.is_none_or(|(least, ..)| cost < least - 1e-9) {
                best = Some((cost, done, goal.tier));
            }
        }
        let (cost, done, tier) = best.expect("the last tier is always open");
        let flow = done.grid_kw - net;
        let action = Action {
            grid_kw: done.grid_kw.max(0.0),
            sold_kw: at.tariff.feed_in.map_or(0.0, |_| (-done.grid_kw).max(0.0)),
            charge_kw: flow.max(0.0),
            discharge_kw: (-flow).max(0.0),
            tier_kw: self.fees.limit_kw(tier),
            expected_cost: cost,
        };
        (action, done.stored_kwh)
    }
}

fn check_memory(load_kw: f64, memory: &Memory) -> Result<(), Error> {
    let numbers = [
        ("load", load_kw),
        ("stored energy", memory.stored_kwh),
        ("deviation of the load", memory.deviation_kw),
        ("peak of today", memory.peak_today_kw),
    ];
    let peaks = memory.past_peaks_kw.iter().map(|kw| ("past peak", *kw));
    for (what, value) in numbers.into_iter().chain(peaks) {
        if !value.is_finite() {
            return Err(Error::Number { what, value, must_be: "finite" });
        }
    }
    Ok(())
}

/// Days of the month of a step within the horizon, from that step on.
fn days_left(problem: &Problem, step: usize) -> usize {
    let is_same = |other: &usize| problem.month[*other] == problem.month[step];
    let last = (step..problem.n_steps()).take_while(is_same).last().unwrap_or(step);
    match (problem.day.get(step), problem.day.get(last)) {
        (Some(first), Some(last)) => last.saturating_sub(*first) + 1,
        _ => 1,
    }
}

fn mean_after_first_month(problem: &Problem) -> f64 {
    let later = problem.load_kw.iter().zip(problem.month).filter(|(_, month)| **month != 0);
    let (sum, n) = later.fold((0.0, 0.0), |(sum, n), (load, _)| (sum + load, n + 1.0));
    if n > 0.0 { sum / n } else { 0.0 }
}

#[cfg(test)]
mod tests;
