//! Places for a job with one stop, judged by the caches of the tours alone.

use super::model::{Model, Node, Work};
use super::near::Beside;
use super::recreate::Place;
use super::state::{Cell, NONE, Spot, State};

/// Chance that a place is overlooked, in 2⁻¹⁶; about 1 %.
pub(super) const BLINK: u64 = 655;
/// Chance that the ends of the tours nearby are looked at too, in 2⁻¹⁶; about 10 %. Always doing so costs a third of
/// the steps and brings nothing.
const ENDS: u64 = 6_554;

/// A search for the cheapest place, in a plain problem.
pub(super) struct Look<'s, 'a> {
    state: &'s State<'a>,
    model: &'a Model<'a>,
    work: &'s Work,
    node: Node,
    /// Distances and durations to and from the stop.
    to: &'s [i32],
    from: &'s [i32],
    ride_to: &'s [i32],
    ride_from: &'s [i32],
    /// Places that cost as much are no better.
    limit: f64,
    bits: u64,
    best: Option<Place>,
}

/// A place between two cells, with the way from one and to the other.
struct Gap<'s> {
    route: u32,
    place: u32,
    before: &'s Cell,
    after: &'s Cell,
    to: i32,
    from: i32,
    /// Where it is known.
    ride_to: Option<i32>,
}

impl<'s, 'a> Look<'s, 'a> {
    pub(super) fn new(state: &'s State<'a>, work: &'s Work, limit: f64, bits: u64) -> Self {
        let model = state.model;
        let node = work.node;
        Self {
            state,
            model,
            work,
            node: model.nodes[node as usize],
            to: model.distance.to(node),
            from: model.distance.from(node),
            ride_to: model.duration.to(node),
            ride_from: model.duration.from(node),
            limit,
            bits,
            best: None,
        }
    }

    /// The best place on a tour.
    pub(super) fn on(mut self, route: u32) -> Option<Place> {
        let cells = &self.state.routes[route as usize].cells;
        // Whoever must be left before this job can even be done has it behind them.
        let done = self.node.open + self.node.service;
        let has_times = self.model.has_times;
        let first =
            if has_times { cells[1..].partition_point(|cell| cell.latest < done) } else { 0 };
        for (place, before) in cells[..cells.len() - 1].iter().enumerate().skip(first) {
            if has_times && before.ready > self.node.close {
                break;
            }
            self.at(route, place as u32);
        }
        self.best
    }

    /// The best place beside a stop nearby, now and then also at an end of such a stop's tour.
    pub(super) fn nearby(mut self, is_new: impl FnMut(u32) -> bool) -> Option<Place> {
        let beside = &self.model.beside[self.work.node as usize];
        for other in &beside.before {
            self.behind(other);
        }
        for other in &beside.after {
            self.ahead_of(other);
        }
        if self.bits >> 48 < ENDS {
            self.at_ends(is_new);
        }
        self.best
    }

    fn at_ends(&mut self, mut is_new: impl FnMut(u32) -> bool) {
        let beside = &self.model.beside[self.work.node as usize];
        for other in beside.before.iter().chain(&beside.after) {
            let Spot { route, .. } = self.state.spots[other.stop as usize];
            if route != NONE && is_new(route) {
                self.at(route, 0);
                self.at(route, self.state.routes[route as usize].stops.len() as u32);
            }
        }
    }

    #[inline(always)]
    fn behind(&mut self, other: &Beside) {
        let Spot { route, place } = self.state.spots[other.stop as usize];
        if route == NONE {
            return;
        }
        let [before, after] = self.cells(route, place + 1);
        let from = self.from[after.stop as usize];
        let (to, ride_to) = (other.leg, Some(other.ride));
        self.judge(&Gap { route, place: place + 1, before, after, to, from, ride_to });
    }

    #[inline(always)]
    fn ahead_of(&mut self, other: &Beside) {
        let Spot { route, place } = self.state.spots[other.stop as usize];
        if route == NONE {
            return;
        }
        let [before, after] = self.cells(route, place);
        let to = self.to[before.stop as usize];
        self.judge(&Gap { route, place, before, after, to, from: other.leg, ride_to: None });
    }

    fn at(&mut self, route: u32, place: u32) {
        let [before, after] = self.cells(route, place);
        let (to, from) = (self.to[before.stop as usize], self.from[after.stop as usize]);
        self.judge(&Gap { route, place, before, after, to, from, ride_to: None });
    }

    /// The two cells around a place.
    #[inline(always)]
    fn cells(&self, route: u32, place: u32) -> [&'s Cell; 2] {
        let cells = &self.state.routes[route as usize].cells;
        [&cells[place as usize], &cells[place as usize + 1]]
    }

    /// Takes note of a place if it is the cheapest so far, allowed, and not overlooked.
    #[inline(always)]
    fn judge(&mut self, gap: &Gap<'_>) {
        let route = gap.route as usize;
        let unit = || &self.model.units[route];
        let rate = self.model.rate.unwrap_or_else(|| unit().distance_cost);
        let added = rate * f64::from(gap.to + gap.from - gap.after.leg);
        if added >= self.limit || (self.model.has_times && !self.is_in_time(gap)) {
            return;
        }
        if !self.state.has_room(route, self.node.job) || self.work.skills & !unit().skills != 0 {
            return;
        }
        self.bits = scramble(self.bits);
        if self.bits >> 48 >= BLINK {
            self.limit = added;
            self.best = Some(Place { route, first: gap.place as usize, second: None, added });
        }
    }

    #[inline(always)]
    fn is_in_time(&self, gap: &Gap<'_>) -> bool {
        let ride_to = gap.ride_to.unwrap_or_else(|| self.ride_to[gap.before.stop as usize]);
        let arrival = gap.before.ready + ride_to;
        let end = arrival.max(self.node.open) + self.node.service;
        let next = gap.after.stop as usize;
        arrival <= self.node.close && end + self.ride_from[next] <= gap.after.latest
    }
}

/// The next of a row of bits that look random; cheaper than a generator where it is asked for every place.
pub(super) fn scramble(bits: u64) -> u64 {
    bits.rotate_left(23).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
