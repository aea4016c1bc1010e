//! How little tours can cost: two relaxations of the tours that serve the same jobs.

use super::model::{Model, Unit};

/// Entries of the matrix looked at for all trees together, and trees at most.
const MAX_LOOKS: usize = 20_000_000;
const MAX_TREES: usize = 200;
/// Trees in a row without a better bound after which steps become shorter.
const PATIENCE: usize = 8;

/// No tours that serve all jobs but `absent` cost less; `cost` is what some such tours cost.
///
/// The better of two bounds, beside the fewest fixed costs that the loads allow and the time for service. One: every
/// stop is come to and left by its cheapest legs. The other: tours without their last legs are a tree over the depot
/// and all stops, and so cost no less than the least tree and the least last legs. In tours every stop has two legs
/// and the depot as many first as last ones; prices on both draw the tree towards that.
///
/// Source: Held & Karp (1970, 1971), 1-trees and their ascent; with one last leg for each vehicle that is needed.
/// Cost: O(n²) for each of at most 200 trees, fewer where there are more than 300 stops.
pub(super) fn bound(model: &Model<'_>, absent: &[u32], cost: f64) -> f64 {
    let mut is_absent = vec![false; model.works.len()];
    absent.iter().for_each(|&job| is_absent[job as usize] = true);
    let is_served = |&stop: &u32| !is_absent[model.nodes[stop as usize].job as usize];
    let stops: Vec<u32> = (0..model.nodes.len() as u32).filter(is_served).collect();
    if stops.is_empty() || model.units.is_empty() {
        return 0.0;
    }
    let legs = Legs::new(model, &stops);
    let service: f64 =
        stops.iter().map(|&stop| f64::from(model.nodes[stop as usize].service)).sum();
    let service = legs.time_rate * service;
    let halves = legs.halves() + legs.fixed_costs[..legs.fewest].iter().sum::<f64>();
    let trees = Trees::new(&legs).ascend(cost - service);
    // What rounding can add up to must not lift it above the truth.
    (service + halves.max(trees)) * (1.0 - 1e-9)
}

/// The cheapest that each leg can be for any vehicle.
struct Legs<'a> {
    model: &'a Model<'a>,
    stops: &'a [u32],
    distance_rate: f64,
    time_rate: f64,
    /// From the nearest start to each stop, and from each stop to the nearest end.
    first: Vec<f64>,
    last: Vec<f64>,
    /// Fixed costs of all vehicles that can have a stop, least first.
    fixed_costs: Vec<f64>,
    /// How many vehicles the loads need.
    fewest: usize,
}

impl<'a> Legs<'a> {
    fn new(model: &'a Model<'a>, stops: &'a [u32]) -> Self {
        let least =
            |rate: fn(&Unit) -> f64| model.units.iter().map(rate).fold(f64::INFINITY, f64::min);
        let mut fixed_costs: Vec<f64> = model.units.iter().map(|unit| unit.fixed_cost).collect();
        fixed_costs.sort_unstable_by(f64::total_cmp);
        fixed_costs.truncate(stops.len());
        let mut legs = Self {
            model,
            stops,
            distance_rate: least(|unit| unit.distance_cost),
            time_rate: least(|unit| unit.time_cost),
            first: Vec::new(),
            last: Vec::new(),
            fewest: fewest(model, stops).min(fixed_costs.len()),
            fixed_costs,
        };
        let ends = |stop: u32, leg: &dyn Fn(&Unit, u32) -> f64| {
            model
                .classes
                .iter()
                .map(|class| leg(&model.units[class[0] as usize], stop))
                .fold(f64::INFINITY, f64::min)
        };
        legs.first = stops
            .iter()
            .map(|&stop| ends(stop, &|unit, stop| legs.leg(unit.start, stop)))
            .collect();
        legs.last =
            stops.iter().map(|&stop| ends(stop, &|unit, stop| legs.leg(stop, unit.end))).collect();
        legs
    }

    fn leg(&self, from: u32, to: u32) -> f64 {
        self.distance_rate * f64::from(self.model.distance.get(from, to))
            + self.time_rate * f64::from(self.model.duration.get(from, to))
    }

    /// Half of the cheapest legs to and from every stop, and of the cheapest first and last legs.
    fn halves(&self) -> f64 {
        let mut doubled = 0.0;
        for (idx, &stop) in self.stops.iter().enumerate() {
            let others = || self.stops.iter().filter(|&&other| other != stop);
            let to = others().map(|&other| self.leg(other, stop)).fold(self.first[idx], f64::min);
            let from = others().map(|&other| self.leg(stop, other)).fold(self.last[idx], f64::min);
            doubled += to + from;
        }
        for ends in [&self.first, &self.last] {
            let mut sorted = ends.clone();
            sorted.sort_unstable_by(f64::total_cmp);
            doubled += sorted[..self.fewest].iter().sum::<f64>();
        }
        doubled / 2.0
    }
}

/// How many vehicles it takes to hold all that is delivered, or all that is picked up, in any dimension.
fn fewest(model: &Model<'_>, stops: &[u32]) -> usize {
    let of_kind = |kind, dimension: usize| -> i64 {
        let jobs = stops.iter().map(|&stop| model.nodes[stop as usize].job);
        let of_kind = jobs.filter(|&job| model.works[job as usize].kind == kind);
        of_kind.map(|job| model.load(job)[dimension]).sum()
    };
    let mut fewest = 1;
    for dimension in 0..model.n_dimensions {
        let (delivered, picked) = (
            of_kind(super::model::Kind::Delivery, dimension),
            of_kind(super::model::Kind::Pickup, dimension),
        );
        let mut capacities: Vec<i64> =
            model.units.iter().map(|unit| unit.capacity[dimension]).collect();
        capacities.sort_unstable_by_key(|capacity| std::cmp::Reverse(*capacity));
        let mut left = delivered.max(picked);
        let needed = capacities.iter().take_while(|&&capacity| {
            let is_needed = left > 0;
            left = left.saturating_sub(capacity);
            is_needed
        });
        fewest = fewest.max(needed.count());
    }
    fewest
}

/// The ascent over prices, with the tree of the moment.
struct Trees<'a> {
    legs: &'a Legs<'a>,
    /// Price of a leg at each stop, and of a first leg against a last one.
    prices: Vec<f64>,
    balance: f64,
    /// Legs at each stop, and first legs less last ones.
    degrees: Vec<f64>,
    surplus: f64,
}

impl<'a> Trees<'a> {
    fn new(legs: &'a Legs<'a>) -> Self {
        let n = legs.stops.len();
        Self { legs, prices: vec![0.0; n], balance: 0.0, degrees: vec![0.0; n], surplus: 0.0 }
    }

    /// The best bound of all trees; `goal` is above it and says how far to step.
    fn ascend(mut self, goal: f64) -> f64 {
        let n = self.legs.stops.len();
        let n_trees = (MAX_LOOKS / (n * n)).clamp(1, MAX_TREES);
        let (mut best, mut best_at, mut scale) = (f64::NEG_INFINITY, 0, 1.0);
        for tree in 0..n_trees {
            let value = self.tree() + self.last_legs() - 2.0 * self.prices.iter().sum::<f64>();
            if value > best {
                (best, best_at) = (value, tree);
            } else if tree - best_at >= PATIENCE {
                (scale, best_at) = (scale / 2.0, tree);
            }
            let missed: f64 = self.degrees.iter().map(|degree| (degree - 2.0).powi(2)).sum();
            let missed = missed + self.surplus.powi(2);
            if missed == 0.0 || goal <= best {
                break;
            }
            let step = scale * (goal - value) / missed;
            for (price, degree) in self.prices.iter_mut().zip(&self.degrees) {
                *price += step * (degree - 2.0);
            }
            self.balance += step * self.surplus;
        }
        best
    }

    /// The least tree over the depot and all stops, at prices; notes its degrees (Prim 1957).
    fn tree(&mut self) -> f64 {
        const DEPOT: usize = usize::MAX;
        let n = self.prices.len();
        self.degrees.fill(0.0);
        self.surplus = 0.0;
        let first = self.legs.first.iter().zip(&self.prices);
        let mut nearest: Vec<(f64, usize)> =
            first.map(|(leg, price)| (leg + price + self.balance, DEPOT)).collect();
        let mut is_in = vec![false; n];
        let mut sum = 0.0;
        for _ in 0..n {
            let out = (0..n).filter(|&idx| !is_in[idx]);
            let Some(next) = out.min_by(|&a, &b| nearest[a].0.total_cmp(&nearest[b].0)) else {
                break;
            };
            is_in[next] = true;
            let (leg, parent) = nearest[next];
            sum += leg;
            self.degrees[next] += 1.0;
            if parent == DEPOT {
                self.surplus += 1.0;
            } else {
                self.degrees[parent] += 1.0;
            }
            self.reach(next, &is_in, &mut nearest);
        }
        sum
    }

    /// Notes who is nearer to a stop new in the tree than to all others in it.
    fn reach(&self, new: usize, is_in: &[bool], nearest: &mut [(f64, usize)]) {
        let legs = self.legs;
        for (idx, known) in nearest.iter_mut().enumerate().filter(|(idx, _)| !is_in[*idx]) {
            let (one, other) = (legs.stops[new], legs.stops[idx]);
            let leg = legs.leg(one, other).min(legs.leg(other, one));
            let priced = leg + self.prices[new] + self.prices[idx];
            if priced < known.0 {
                *known = (priced, new);
            }
        }
    }

    /// The least last legs with the fixed costs of their vehicles: as many as are needed, and all that pay.
    fn last_legs(&mut self) -> f64 {
        let last = self.legs.last.iter().zip(&self.prices).enumerate();
        let mut priced: Vec<(f64, usize)> =
            last.map(|(idx, (leg, price))| (leg + price - self.balance, idx)).collect();
        priced.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
        let mut sum = 0.0;
        for (number, (&(leg, idx), fixed)) in priced.iter().zip(&self.legs.fixed_costs).enumerate()
        {
            if number >= self.legs.fewest && leg + fixed >= 0.0 {
                break;
            }
            sum += leg + fixed;
            self.degrees[idx] += 1.0;
            self.surplus -= 1.0;
        }
        sum
    }
}
