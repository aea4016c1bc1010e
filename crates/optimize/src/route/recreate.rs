//! Recreate: absent jobs go back where they cost least, with now and then a blink (Christiaens & Vanden Berghe
//! 2020, §5.3).

use super::look::{BLINK, Look, scramble};
use super::model::{Kind, Model, Work};
use super::state::{NONE, State};
use crate::random::Random;

/// Chance that the first job gets a tour of its own, whatever that costs: jobs that would be better off together on a
/// new tour never find to each other one by one.
const NEW_TOUR: f64 = 0.02;
/// How many of the nearest stops say which tours are looked at for a job.
const N_NEAR: usize = 50;

/// Where a job can go, and what that costs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) route: usize,
    pub(super) first: usize,
    pub(super) second: Option<usize>,
    pub(super) added: f64,
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
    Dear,
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

/// What the order by the cost of leaving a job out weighs beside those, where that cost differs.
const DEAR: usize = 8;

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
        let mut opens = fleet == Fleet::Open && random.share() < NEW_TOUR;
        absent.retain(|&job| {
            let limit = self.model.works[job as usize].unserved_cost;
            let place = std::mem::take(&mut opens).then(|| self.place_on_new(job, None)).flatten();
            let place = place.or_else(|| self.best_place(job, fleet, random));
            let Some(place) = place.filter(|place| place.added <= limit) else {
                return true;
            };
            self.insert(job, place.route, place.first, place.second);
            false
        });
        self.absent = absent;
    }

    /// The cheapest place for a job that was not overlooked.
    ///
    /// Looks beside stops nearby, or where tours have to be driven to be judged at all of the tours of such stops; at
    /// all tours only where those have no place.
    fn best_place(&mut self, job: u32, fleet: Fleet, random: &mut Random) -> Option<Place> {
        let work = &self.model.works[job as usize];
        if work.is_hopeless {
            return None;
        }
        let mut seen = std::mem::take(&mut self.seen);
        seen.clear();
        let mut bits = random.next();
        let mut best = None;
        if self.model.is_plain {
            best = Look::new(self, work, f64::INFINITY, bits).nearby(|route| seen.is_new(route));
        } else {
            for &stop in self.model.near[work.node as usize].iter().take(N_NEAR) {
                let route = self.spots[stop as usize].route;
                if route != NONE && seen.is_new(route) {
                    best = self.place_on(work, route, best, bits, random);
                }
            }
        }
        self.seen = seen;
        if best.is_none() {
            for &route in &self.used {
                bits = scramble(bits);
                best = self.place_on(work, route, best, bits, random);
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
        work: &Work,
        route: u32,
        best: Option<Place>,
        bits: u64,
        random: &mut Random,
    ) -> Option<Place> {
        let limit = best.map_or(f64::INFINITY, |place| place.added);
        let job = self.model.nodes[work.node as usize].job;
        if self.model.is_plain && !self.has_room(route as usize, job) {
            return best;
        }
        if work.skills & !self.model.units[route as usize].skills != 0 {
            return best;
        }
        let found = if self.model.is_plain {
            Look::new(self, work, limit, bits).on(route)
        } else {
            self.walked_place(work, route as usize, limit, random)
        };
        found.or(best)
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

fn sort(model: &Model<'_>, absent: &mut [u32], random: &mut Random) {
    let n_orders = if model.has_windows { ORDERS.len() } else { 4 };
    let total: usize = ORDERS[..n_orders].iter().map(|(_, weight)| weight).sum();
    let mut drawn = random.below(total + if model.has_priorities { DEAR } else { 0 });
    let mut order = if drawn < total { Order::Random } else { Order::Dear };
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
        Order::Dear => {
            absent.sort_by(|&a, &b| model.absent_cost(b).total_cmp(&model.absent_cost(a)));
        }
        Order::LateWindow => absent.sort_by_key(|job| -node(job).close),
    }
}
