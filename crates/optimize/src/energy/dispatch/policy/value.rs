//! Cost to go, backwards from the end of the horizon, by dynamic programming.

use super::super::Problem;
use super::goal::Goal;
use super::stage::{Stage, Store, Tariff, width};
use super::{Chance, REACH};

/// Points of stored energy from empty to full.
const N_STORED: usize = 41;
/// Deviations of the load told apart, over ±3 of their standard deviations.
const N_DEVIATIONS: usize = 7;
const WIDEST: f64 = 3.0;

/// Cost to go at the begin of a step, of each goal: deviations × stored energies.
pub(super) type Values = Vec<Vec<f64>>;

/// Everything the recursion reads.
pub(super) struct Recursion<'a> {
    pub(super) problem: &'a Problem<'a>,
    pub(super) chance: &'a Chance<'a>,
    pub(super) store: Store,
    pub(super) goals: &'a [Goal],
    /// Limit in the months after the first.
    pub(super) usual_kw: f64,
    pub(super) deviations: Deviations,
}

/// The grid of deviations, even and symmetric around 0.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Deviations {
    kw: Vec<f64>,
}

impl Deviations {
    /// Stationary spread of a deviation: gain · spread / √(1 − persistence²).
    pub(super) fn new(chance: &Chance) -> Self {
        let n = chance.spread_kw.len().max(1) as f64;
        let variance = chance.spread_kw.iter().map(|kw| kw * kw).sum::<f64>() / n;
        let fading = 1.0 - chance.persistence * chance.persistence;
        let widest = WIDEST * chance.gain.abs() * (variance / fading).sqrt();
        let point = |idx: usize| widest * (2.0 * idx as f64 / (N_DEVIATIONS - 1) as f64 - 1.0);
        let kw = if widest > 0.0 { (0..N_DEVIATIONS).map(point).collect() } else { vec![0.0] };
        Self { kw }
    }

    /// Values at a deviation, for all stored energies; beyond the grid those of its edge.
    pub(super) fn at(&self, values: &[f64], deviation_kw: f64) -> Vec<f64> {
        let row = |idx: usize| &values[idx * N_STORED..(idx + 1) * N_STORED];
        let [first, second, ..] = self.kw[..] else { return row(0).to_vec() };
        let last = self.kw.len() - 1;
        let place = ((deviation_kw - first) / (second - first)).clamp(0.0, last as f64);
        let below = (place as usize).min(last - 1);
        let share = place - below as f64;
        let mix = |(a, b): (&f64, &f64)| a * (1.0 - share) + b * share;
        row(below).iter().zip(row(below + 1)).map(mix).collect()
    }
}

impl Recursion<'_> {
    /// Values at the begin of the steps 1, 2, … that a policy may use: those of the first [`REACH`] steps.
    pub(super) fn run(&self) -> Vec<Values> {
        let n = self.problem.n_steps();
        let mut next = vec![self.end()];
        let mut kept = Vec::new();
        for step in (1..=n).rev() {
            if step < n {
                next = self.step(step, &next);
            }
            if step <= REACH {
                kept.push(next.clone());
            }
        }
        kept.reverse();
        kept
    }

    /// Worth of what is left after the last step.
    fn end(&self) -> Vec<f64> {
        let width = width(self.store.capacity_kwh, N_STORED);
        let value = |idx: usize| {
            let stored = width * idx as f64;
            let Some(battery) = self.problem.battery else { return 0.0 };
            match battery.end_kwh {
                None => -battery.end_value * stored,
                Some(end) => self.short_price() * ((end / width).ceil() * width - stored).max(0.0),
            }
        };
        let row: Vec<f64> = (0..N_STORED).map(value).collect();
        row.repeat(self.deviations.kw.len())
    }

    /// Above any price at which a kWh could be bought in time.
    fn short_price(&self) -> f64 {
        let highest = self.problem.price.iter().fold(1.0_f64, |most, price| most.max(price.abs()));
        10.0 * highest
    }

    /// Values at the begin of a step from those after it.
    fn step(&self, step: usize, next: &Values) -> Values {
        let one_goal =
            [Goal { tier: 0, fee: 0.0, today_kw: self.usual_kw, later_kw: self.usual_kw }];
        let goals = if self.problem.month[step] == 0 { self.goals } else { &one_goal };
        let is_today = self.problem.day[step] == self.problem.day[0];
        let mut values = vec![Vec::with_capacity(next[0].len()); goals.len()];
        for deviation in &self.deviations.kw {
            let mut expected = vec![[0.0; N_STORED]; goals.len()];
            for surprise in self.chance.surprises {
                let costs = self.costs(step, *deviation, *surprise, goals, is_today, next);
                for (sum, cost) in expected.iter_mut().zip(&costs) {
                    sum.iter_mut().zip(cost).for_each(|(sum, cost)| *sum += cost);
                }
            }
            let n = self.chance.surprises.len() as f64;
            for (values, sum) in values.iter_mut().zip(&expected) {
                values.extend(sum.iter().map(|sum| sum / n));
            }
        }
        values
    }

    /// Cost of each goal once the load is known: of keeping it, or of giving it up for a dearer tier.
    fn costs(
        &self,
        step: usize,
        deviation: f64,
        surprise: f64,
        goals: &[Goal],
        is_today: bool,
        next: &Values,
    ) -> Vec<[f64; N_STORED]> {
        let stray = surprise * self.chance.spread_kw[step];
        let load = self.problem.load_kw[step] + deviation + stray;
        let load = load.clamp(0.0, self.store.grid_kw.max(0.0)) - self.problem.solar(step);
        let later = self.chance.next_deviation_kw(deviation, stray);
        let width = width(self.store.capacity_kwh, N_STORED);
        let mut costs = vec![[0.0; N_STORED]; goals.len()];
        for (idx, goal) in goals.iter().enumerate().rev() {
            let to_go = self.deviations.at(&next[idx.min(next.len() - 1)], later);
            let limit = if is_today { goal.today_kw } else { goal.later_kw };
            let tariff = tariff(self.problem, step, limit, self.chance.excess_price);
            let stage = Stage::new(&self.store, &to_go, tariff, load);
            let give_up = goals.get(idx + 1).map_or([f64::INFINITY; N_STORED], |dearer| {
                costs[idx + 1].map(|cost| dearer.fee - goal.fee + cost)
            });
            for (point, (cost, give_up)) in costs[idx].iter_mut().zip(give_up).enumerate() {
                let keep = stage.total(stage.best(width * point as f64));
                *cost = keep.min(give_up);
            }
        }
        costs
    }
}

pub(super) fn tariff(problem: &Problem, step: usize, limit_kw: f64, excess_price: f64) -> Tariff {
    let feed_in = problem.feed_in.get(step).copied().filter(|price| *price >= 0.0);
    Tariff { price: problem.price[step], feed_in, limit_kw, excess_price }
}
