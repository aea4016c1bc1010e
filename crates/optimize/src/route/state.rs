//! Tours under change: caches that make a look at an insertion cheap, and the way back.

use super::model::Model;

/// "On no tour" and "no node".
pub(super) const NONE: u32 = u32::MAX;

/// One vehicle's tour with its caches.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    pub(super) stops: Vec<u32>,
    /// Distance from what is before each stop, and to the end: one entry more than stops.
    pub(super) legs: Vec<i32>,
    /// Earliest end of service at the start and at each stop: one entry more than stops. Plain problems only.
    pub(super) ready: Vec<i32>,
    /// Latest arrival at each stop and at the end: one entry more than stops. Plain problems only.
    pub(super) latest: Vec<i32>,
    pub(super) cost: f64,
}

/// All tours, and which jobs are on none.
#[derive(Debug, Clone)]
pub(super) struct State<'a> {
    pub(super) model: &'a Model<'a>,
    /// By vehicle; empty where it is not used.
    pub(super) routes: Vec<Route>,
    /// Vehicles with stops.
    pub(super) used: Vec<u32>,
    used_at: Vec<u32>,
    /// Vehicle and place in the tour of each stop.
    pub(super) route_of: Vec<u32>,
    pub(super) place_of: Vec<u32>,
    pub(super) absent: Vec<u32>,
    /// Cost of all tours.
    pub(super) cost: f64,
    /// Capacity that the sum of all loads leaves free, by vehicle and dimension.
    free: Vec<i64>,
    pub(super) seen: Seen,
    undo: Undo,
}

/// Tours already looked at in one search for a place.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    stamps: Vec<u32>,
    now: u32,
}

impl Seen {
    pub(super) fn clear(&mut self) {
        self.now = self.now.wrapping_add(1);
    }

    /// True the first time since the last [`Seen::clear`].
    pub(super) fn is_new(&mut self, route: u32) -> bool {
        std::mem::replace(&mut self.stamps[route as usize], self.now) != self.now
    }
}

#[derive(Debug, Clone, Default)]
struct Undo {
    /// Tours as they were, with spare ones behind `n_saved`.
    saved: Vec<(u32, Vec<u32>)>,
    n_saved: usize,
    is_saved: Vec<bool>,
    absent: Vec<u32>,
}

impl<'a> State<'a> {
    /// No vehicle used, every job absent.
    pub(super) fn new(model: &'a Model<'a>) -> Self {
        let n_units = model.units.len();
        let mut state = Self {
            model,
            routes: vec![Route::default(); n_units],
            used: Vec::new(),
            used_at: vec![NONE; n_units],
            route_of: vec![NONE; model.nodes.len()],
            place_of: vec![NONE; model.nodes.len()],
            absent: (0..model.works.len() as u32).collect(),
            cost: 0.0,
            free: model.units.iter().flat_map(|unit| unit.capacity.iter().copied()).collect(),
            seen: Seen { stamps: vec![0; n_units], now: 0 },
            undo: Undo { is_saved: vec![false; n_units], ..Undo::default() },
        };
        (0..n_units).for_each(|route| state.refresh(route, 0));
        state
    }

    /// Cost of what is not served; infinite costs count as one that no tour can reach.
    pub(super) fn absent_cost(&self) -> f64 {
        self.absent.iter().map(|&job| self.model.works[job as usize].unserved_cost.min(1e12)).sum()
    }

    /// From here on [`State::undo`] leads back.
    pub(super) fn mark(&mut self) {
        let undo = &mut self.undo;
        for (route, _) in &undo.saved[..undo.n_saved] {
            undo.is_saved[*route as usize] = false;
        }
        undo.n_saved = 0;
        undo.absent.clone_from(&self.absent);
    }

    /// Vehicles whose tours changed since the mark.
    pub(super) fn changed(&self) -> impl Iterator<Item = u32> {
        self.undo.saved[..self.undo.n_saved].iter().map(|(route, _)| *route)
    }

    pub(super) fn undo(&mut self) {
        for idx in 0..self.undo.n_saved {
            let (route, stops) = &mut self.undo.saved[idx];
            let route = *route as usize;
            for &stop in &self.routes[route].stops {
                // It may have gone back to another tour by now.
                if self.route_of[stop as usize] == route as u32 {
                    self.route_of[stop as usize] = NONE;
                }
            }
            std::mem::swap(&mut self.routes[route].stops, stops);
            self.restore_room(route);
            self.refresh(route, 0);
        }
        self.absent.clone_from(&self.undo.absent);
        self.mark();
    }

    fn save(&mut self, route: usize) {
        let undo = &mut self.undo;
        if std::mem::replace(&mut undo.is_saved[route], true) {
            return;
        }
        if undo.saved.len() == undo.n_saved {
            undo.saved.push((0, Vec::new()));
        }
        let (saved, stops) = &mut undo.saved[undo.n_saved];
        *saved = route as u32;
        stops.clone_from(&self.routes[route].stops);
        undo.n_saved += 1;
    }

    /// Takes every stop of the chosen jobs off a tour; they become absent.
    pub(super) fn remove(&mut self, route: usize, is_chosen: impl Fn(u32) -> bool) {
        self.save(route);
        let n_before = self.absent.len();
        let (nodes, works) = (&self.model.nodes, &self.model.works);
        let (route_of, absent) = (&mut self.route_of, &mut self.absent);
        self.routes[route].stops.retain(|&stop| {
            let job = nodes[stop as usize].job;
            if !is_chosen(job) {
                return true;
            }
            route_of[stop as usize] = NONE;
            if works[job as usize].node == stop {
                absent.push(job);
            }
            false
        });
        for idx in n_before..self.absent.len() {
            self.take_room(route, self.absent[idx], -1);
        }
        self.refresh(route, 0);
    }

    /// Puts a job on a tour: its first stop at `place`, and where it has a second that one at `second`, counted in
    /// the tour with the first. The caller takes it off `absent`.
    pub(super) fn insert(&mut self, job: u32, route: usize, place: usize, second: Option<usize>) {
        self.save(route);
        self.take_room(route, job, 1);
        let node = self.model.works[job as usize].node;
        self.routes[route].stops.insert(place, node);
        if let Some(second) = second {
            self.routes[route].stops.insert(second, node + 1);
        }
        self.refresh(route, place);
    }

    /// Gives a vehicle these stops.
    pub(super) fn set_stops(&mut self, route: usize, stops: &[u32]) {
        self.routes[route].stops.clear();
        self.routes[route].stops.extend_from_slice(stops);
        self.restore_room(route);
        self.refresh(route, 0);
    }

    /// Counts the capacity left from scratch.
    fn restore_room(&mut self, route: usize) {
        let n = self.model.n_dimensions;
        self.free[route * n..][..n].copy_from_slice(&self.model.units[route].capacity);
        for idx in 0..self.routes[route].stops.len() {
            let stop = self.routes[route].stops[idx];
            let job = self.model.nodes[stop as usize].job;
            if self.model.works[job as usize].node == stop {
                self.take_room(route, job, 1);
            }
        }
    }

    /// Brings the caches of a tour up to date from `from` on.
    fn refresh(&mut self, route: usize, from: usize) {
        let old_cost = self.routes[route].cost;
        let stops = std::mem::take(&mut self.routes[route].stops);
        for (place, &stop) in stops.iter().enumerate().skip(from) {
            self.route_of[stop as usize] = route as u32;
            self.place_of[stop as usize] = place as u32;
        }
        self.set_used(route, !stops.is_empty());
        self.routes[route].stops = stops;
        self.update_legs(route);
        if self.model.is_plain && self.model.has_times {
            self.update_times(route);
        }
        self.update_cost(route);
        self.cost += self.routes[route].cost - old_cost;
    }

    fn set_used(&mut self, route: usize, is_used: bool) {
        let at = self.used_at[route];
        if is_used && at == NONE {
            self.used_at[route] = self.used.len() as u32;
            self.used.push(route as u32);
        } else if !is_used && at != NONE {
            self.used.swap_remove(at as usize);
            if let Some(&moved) = self.used.get(at as usize) {
                self.used_at[moved as usize] = at;
            }
            self.used_at[route] = NONE;
        }
    }

    fn update_legs(&mut self, route: usize) {
        let unit = &self.model.units[route];
        let Route { stops, legs, .. } = &mut self.routes[route];
        legs.clear();
        let mut at = unit.start;
        for &stop in stops.iter() {
            legs.push(self.model.distance.get(at, stop));
            at = stop;
        }
        legs.push(self.model.distance.get(at, unit.end));
    }

    /// Whether the capacity left holds a job, in every dimension.
    pub(super) fn has_room(&self, route: usize, job: u32) -> bool {
        let n = self.model.n_dimensions;
        let free = &self.free[route * n..][..n];
        free.iter().zip(self.model.load(job)).all(|(free, load)| load <= free)
    }

    fn take_room(&mut self, route: usize, job: u32, times: i64) {
        let n = self.model.n_dimensions;
        let free = &mut self.free[route * n..][..n];
        free.iter_mut().zip(self.model.load(job)).for_each(|(free, load)| *free -= times * load);
    }

    fn update_times(&mut self, route: usize) {
        let unit = &self.model.units[route];
        let (nodes, duration) = (&self.model.nodes, &self.model.duration);
        let Route { stops, ready, latest, .. } = &mut self.routes[route];
        ready.clear();
        ready.push(unit.shift.0);
        let (mut at, mut now) = (unit.start, unit.shift.0);
        for &stop in stops.iter() {
            let node = &nodes[stop as usize];
            now = (now + duration.get(at, stop)).max(node.open) + node.service;
            ready.push(now);
            at = stop;
        }
        latest.clear();
        latest.resize(stops.len() + 1, unit.shift.1);
        let (mut after, mut limit) = (unit.end, unit.shift.1);
        for (place, &stop) in stops.iter().enumerate().rev() {
            let node = &nodes[stop as usize];
            limit = (limit - duration.get(stop, after) - node.service).min(node.close);
            latest[place] = limit;
            after = stop;
        }
    }

    fn update_cost(&mut self, route: usize) {
        let unit = &self.model.units[route];
        let Route { stops, legs, cost, .. } = &mut self.routes[route];
        *cost = if stops.is_empty() {
            0.0
        } else if self.model.is_plain {
            let distance: i64 = legs.iter().map(|&leg| i64::from(leg)).sum();
            unit.fixed_cost + unit.distance_cost * distance as f64
        } else {
            // A tour on the books is feasible; if it were not, it would have to go.
            self.model.walk(unit, stops).map_or(f64::INFINITY, |walk| walk.cost(unit))
        };
    }
}
