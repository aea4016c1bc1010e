//! Recreate: absent jobs go back where they cost least, with now and then a blink (Christiaens & Vanden Berghe
//! 2020, §5.3).

use super::model::{Kind, Model, Node, Work};
use super::state::{NONE, State};
use crate::random::Random;

/// Chance that a place is overlooked, in 2⁻¹⁶; about 1 %.
const BLINK: u64 = 655;
/// How many of the nearest stops say which tours are looked at for a job.
const N_NEAR: usize = 50;

/// Where a job can go, and what that costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    route: usize,
    first: usize,
    second: Option<usize>,
    added: f64,
}

/// In which order absent jobs go back.
#[derive(Debug, Clone, Copy)]
enum Order {
    Random,
    Load,
    Far,
    Close,
    NarrowWindow,
    EarlyWindow,
    LateWindow,
}

const ORDERS: [(Order, usize); 7] = [
    (Order::Random, 4),
    (Order::Load, 4),
    (Order::Far, 2),
    (Order::Close, 1),
    (Order::NarrowWindow, 2),
    (Order::EarlyWindow, 2),
    (Order::LateWindow, 2),
];

/// Whether vehicles that are not used yet may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fleet {
    /// Wherever that is cheaper.
    Open,
    /// Where there is no other place.
    Needed,
    /// Not at all.
    Closed,
}

impl State<'_> {
    /// Puts absent jobs back, one after the other. What fits nowhere, or costs more than leaving it, stays absent.
    pub(super) fn recreate(&mut self, fleet: Fleet, random: &mut Random) {
        let mut absent = std::mem::take(&mut self.absent);
        sort(self.model, &mut absent, random);
        absent.retain(|&job| {
            let limit = self.model.works[job as usize].unserved_cost;
            let Some(place) =
                self.best_place(job, fleet, random).filter(|place| place.added <= limit)
            else {
                return true;
            };
            self.insert(job, place.route, place.first, place.second);
            false
        });
        self.absent = absent;
    }

    /// The cheapest place for a job that was not overlooked.
    ///
    /// Looks at tours with a stop near the job's, and at all of them only where those have no place.
    fn best_place(&mut self, job: u32, fleet: Fleet, random: &mut Random) -> Option<Place> {
        let model = self.model;
        let work = &model.works[job as usize];
        if work.is_hopeless {
            return None;
        }
        let mut best: Option<Place> = None;
        let mut bits = random.next();
        self.seen.clear();
        for &stop in model.near[work.node as usize].iter().take(N_NEAR) {
            let route = self.route_of[stop as usize];
            if route != NONE && self.seen.is_new(route) {
                bits = scramble(bits);
                best = self.place_on(job, route as usize, best, bits, random);
            }
        }
        if best.is_none() {
            for idx in 0..self.used.len() {
                let route = self.used[idx];
                if self.seen.is_new(route) {
                    bits = scramble(bits);
                    best = self.place_on(job, route as usize, best, bits, random);
                }
            }
        }
        if fleet == Fleet::Open || (fleet == Fleet::Needed && best.is_none()) {
            best = self.place_on_new(job, best).or(best);
        }
        best
    }

    /// The best place so far or on this tour.
    fn place_on(
        &self,
        job: u32,
        route: usize,
        best: Option<Place>,
        bits: u64,
        random: &mut Random,
    ) -> Option<Place> {
        let model = self.model;
        let (work, unit) = (&model.works[job as usize], &model.units[route]);
        let limit = best.map_or(f64::INFINITY, |place| place.added);
        if model.is_plain && !self.has_room(route, job) || work.skills & !unit.skills != 0 {
            return best;
        }
        let found = if model.is_plain {
            self.plain_place(work, route, limit, bits)
        } else {
            self.walked_place(work, route, limit, random)
        };
        found.or(best)
    }

    /// Judges every place by the caches of the tour alone.
    fn plain_place(&self, work: &Work, route: usize, limit: f64, bits: u64) -> Option<Place> {
        let model = self.model;
        let (tour, unit) = (&self.routes[route], &model.units[route]);
        let node: &Node = &model.nodes[work.node as usize];
        let (to, from) = (model.distance.to(work.node), model.distance.from(work.node));
        let (ride_to, ride_from) = (model.duration.to(work.node), model.duration.from(work.node));
        let n = tour.stops.len();
        let mut least = integer_limit(limit, unit.distance_cost);
        let mut found = None;
        // Whoever must be left before this job can even be done has it behind them.
        let done = node.open + node.service;
        let first = if model.has_windows {
            tour.latest.partition_point(|&latest| latest < done)
        } else {
            0
        };
        let mut bits = bits;
        let mut before = if first == 0 { unit.start } else { tour.stops[first - 1] };
        for place in first..=n {
            let after = if place == n { unit.end } else { tour.stops[place] };
            let added = to[before as usize] + from[after as usize] - tour.legs[place];
            if added < least {
                let mut is_in_time = true;
                if model.has_times {
                    if tour.ready[place] > node.close {
                        break;
                    }
                    let arrival = tour.ready[place] + ride_to[before as usize];
                    let end = arrival.max(node.open) + node.service;
                    is_in_time = arrival <= node.close
                        && end + ride_from[after as usize] <= tour.latest[place];
                }
                bits = scramble(bits);
                if is_in_time && (bits >> 48) >= BLINK {
                    least = added;
                    found = Some(place);
                }
            }
            before = after;
        }
        let added = unit.distance_cost * f64::from(least);
        found.map(|first| Place { route, first, second: None, added })
    }

    /// Judges places by driving the tour, with one or both stops of the job.
    fn walked_place(
        &self,
        work: &Work,
        route: usize,
        limit: f64,
        random: &mut Random,
    ) -> Option<Place> {
        let (tour, unit) = (&self.routes[route], &self.model.units[route]);
        let mut stops = Vec::with_capacity(tour.stops.len() + 2);
        let mut best = Place { route, first: 0, second: None, added: limit };
        let mut found = false;
        for first in 0..=tour.stops.len() {
            stops.clone_from(&tour.stops);
            stops.insert(first, work.node);
            let seconds = if work.kind == Kind::Shipment {
                first + 1..stops.len() + 1
            } else {
                first..first + 1
            };
            for second in seconds {
                let pair = (work.kind == Kind::Shipment).then_some(second);
                if let Some(second) = pair {
                    stops.insert(second, work.node + 1);
                }
                if random.next() >> 48 >= BLINK
                    && let Some(walk) = self.model.walk(unit, &stops)
                {
                    let added = walk.cost(unit) - tour.cost;
                    if added < best.added {
                        best = Place { first, second: pair, added, ..best };
                        found = true;
                    }
                }
                if let Some(second) = pair {
                    stops.remove(second);
                }
            }
        }
        found.then_some(best)
    }

    /// The cheapest class of vehicles not used yet, if a tour for this job alone costs less than the place known.
    fn place_on_new(&self, job: u32, known: Option<Place>) -> Option<Place> {
        let work = &self.model.works[job as usize];
        let mut best = None;
        let mut limit = known.map_or(f64::INFINITY, |place| place.added);

        for class in &self.model.classes {
            let unit = &self.model.units[class[0] as usize];
            if !self.model.can_serve(unit, job) {
                continue;
            }
            let ends = if work.kind == Kind::Shipment { work.node + 1 } else { work.node };
            let distance = self.model.distance.get(unit.start, work.node)
                + self.model.distance.get(ends, unit.end);
            if unit.fixed_cost + unit.distance_cost * f64::from(distance) >= limit {
                continue;
            }
            let alone = [work.node, work.node + 1];
            let stops = if work.kind == Kind::Shipment { &alone[..] } else { &alone[..1] };
            let Some(walk) = self.model.walk(unit, stops) else { continue };
            let idle = class.iter().find(|&&route| self.routes[route as usize].stops.is_empty());
            let (Some(&route), added) = (idle, walk.cost(unit)) else { continue };
            if added < limit {
                let second = (work.kind == Kind::Shipment).then_some(1);
                limit = added;
                best = Some(Place { route: route as usize, first: 0, second, added });
            }
        }
        best
    }
}

/// The next of a row of bits that look random; cheaper than a generator where it is asked for every place.
fn scramble(bits: u64) -> u64 {
    bits.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The largest added distance below a cost.
fn integer_limit(limit: f64, distance_cost: f64) -> i32 {
    if distance_cost > 0.0 && limit.is_finite() {
        (limit / distance_cost).ceil().min(f64::from(i32::MAX)) as i32
    } else {
        i32::MAX
    }
}

fn sort(model: &Model<'_>, absent: &mut [u32], random: &mut Random) {
    let n_orders = if model.has_windows { ORDERS.len() } else { 4 };
    let total: usize = ORDERS[..n_orders].iter().map(|(_, weight)| weight).sum();
    let mut drawn = random.below(total);
    let mut order = Order::Random;
    for &(candidate, weight) in &ORDERS[..n_orders] {
        if drawn < weight {
            order = candidate;
            break;
        }
        drawn -= weight;
    }
    random.shuffle(absent);
    let work = |job: &u32| &model.works[*job as usize];
    let node = |job: &u32| &model.nodes[work(job).node as usize];
    let away = |job: &u32| {
        model.units.first().map_or(0, |unit| model.distance.get(unit.start, work(job).node))
    };
    match order {
        Order::Random => {}
        Order::Load => absent.sort_by_key(|&job| -model.load(job).iter().sum::<i64>()),
        Order::Far => absent.sort_by_key(|job| -away(job)),
        Order::Close => absent.sort_by_key(away),
        Order::NarrowWindow => absent.sort_by_key(|job| node(job).close - node(job).open),
        Order::EarlyWindow => absent.sort_by_key(|job| node(job).open),
        Order::LateWindow => absent.sort_by_key(|job| -node(job).close),
    }
}
