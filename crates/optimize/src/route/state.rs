//! Tours under change: caches that make a look at an insertion cheap, and the way back.

use super::model::{Kind, Model};

/// "On no tour" and "no node".
pub(super) const NONE: u32 = u32::MAX;

/// A stop, or an end of a tour, with what a look at an insertion beside it asks for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cell {
    pub(super) stop: u32,
    /// Distance from the cell before.
    pub(super) leg: i32,
    /// Duration of that leg.
    ride: i32,
    /// Earliest end of service. Plain problems only.
    pub(super) ready: i32,
    /// Latest arrival. Plain problems only.
    pub(super) latest: i32,
}

/// One vehicle's tour with its caches.
#[derive(Debug, Clone, Default)]
pub(super) struct Route {
    pub(super) stops: Vec<u32>,
    /// Start, stops and end.
    pub(super) cells: Vec<Cell>,
    distance: i64,
    pub(super) cost: f64,
}

impl Route {
    fn copy_from(&mut self, other: &Self) {
        self.stops.clone_from(&other.stops);
        self.cells.clone_from(&other.cells);
        (self.distance, self.cost) = (other.distance, other.cost);
    }
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
    pub(super) spots: Vec<Spot>,
    pub(super) absent: Vec<u32>,
    /// Cost of all tours.
    pub(super) cost: f64,
    /// Capacity that the sum of all loads leaves free, by vehicle and dimension.
    free: Vec<i64>,
    pub(super) seen: Seen,
    undo: Undo,
}

/// Where a stop is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    /// [`NONE`] for a stop of an absent job.
    pub(super) route: u32,
    pub(super) place: u32,
}

/// Tours already looked at in one search for a place.
#[derive(Debug, Clone, Default)]
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
    saved: Vec<Saved>,
    n_saved: usize,
    is_saved: Vec<bool>,
    absent: Vec<u32>,
    cost: f64,
}

#[derive(Debug, Clone, Default)]
struct Saved {
    vehicle: u32,
    tour: Route,
    free: Vec<i64>,
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
            spots: vec![Spot { route: NONE, place: 0 }; model.nodes.len()],
            absent: (0..model.works.len() as u32).collect(),
            cost: 0.0,
            free: model.units.iter().flat_map(|unit| unit.capacity.iter().copied()).collect(),
            seen: Seen { stamps: vec![0; n_units], now: 0 },
            undo: Undo { is_saved: vec![false; n_units], ..Undo::default() },
        };
        (0..n_units).for_each(|route| state.refresh(route));
        state
    }

    /// Cost of what is not served; infinite costs count as one that no tour can reach.
    pub(super) fn absent_cost(&self) -> f64 {
        self.absent.iter().map(|&job| self.model.absent_cost(job)).sum()
    }

    /// From here on [`State::undo`] leads back.
    pub(super) fn mark(&mut self) {
        let undo = &mut self.undo;
        for saved in &undo.saved[..undo.n_saved] {
            undo.is_saved[saved.vehicle as usize] = false;
        }
        undo.n_saved = 0;
        undo.absent.clone_from(&self.absent);
        undo.cost = self.cost;
    }

    /// Vehicles whose tours changed since the mark.
    pub(super) fn changed(&self) -> impl Iterator<Item = u32> {
        self.undo.saved[..self.undo.n_saved].iter().map(|saved| saved.vehicle)
    }

    pub(super) fn undo(&mut self) {
        let mut undo = std::mem::take(&mut self.undo);
        let n = self.model.n_dimensions;
        for saved in &mut undo.saved[..undo.n_saved] {
            let route = saved.vehicle as usize;
            std::mem::swap(&mut self.routes[route], &mut saved.tour);
            self.free[route * n..][..n].copy_from_slice(&saved.free);
            self.locate(route, 0);
        }
        // Jobs that were absent were on no tour, and all others are on one of those put back.
        for &job in &undo.absent {
            let work = &self.model.works[job as usize];
            self.spots[work.node as usize].route = NONE;
            if work.kind == Kind::Shipment {
                self.spots[work.node as usize + 1].route = NONE;
            }
        }
        self.absent.clone_from(&undo.absent);
        self.cost = undo.cost;
        self.undo = undo;
        self.mark();
    }

    fn save(&mut self, route: usize) {
        let n = self.model.n_dimensions;
        let undo = &mut self.undo;
        if std::mem::replace(&mut undo.is_saved[route], true) {
            return;
        }
        if undo.saved.len() == undo.n_saved {
            undo.saved.push(Saved::default());
        }
        let saved = &mut undo.saved[undo.n_saved];
        saved.vehicle = route as u32;
        saved.tour.copy_from(&self.routes[route]);
        saved.free.clear();
        saved.free.extend_from_slice(&self.free[route * n..][..n]);
        undo.n_saved += 1;
    }

    /// Takes every stop of the chosen jobs off a tour; they become absent. So do all others where the tour cannot be
    /// driven without them, because the way around a stop takes longer than the way over it.
    pub(super) fn remove(&mut self, route: usize, is_chosen: impl Fn(u32) -> bool) {
        self.save(route);
        self.take_off(route, is_chosen);
        if !self.can_be_driven(route) {
            self.take_off(route, |_| true);
        }
        self.refresh(route);
    }

    fn can_be_driven(&self, route: usize) -> bool {
        let (unit, stops) = (&self.model.units[route], &self.routes[route].stops);
        if !self.model.is_plain {
            return self.model.walk(unit, stops).is_some();
        }
        !self.model.has_times || self.model.is_in_time(unit, stops)
    }

    fn take_off(&mut self, route: usize, is_chosen: impl Fn(u32) -> bool) {
        let n_before = self.absent.len();
        let (nodes, works) = (&self.model.nodes, &self.model.works);
        let (spots, absent) = (&mut self.spots, &mut self.absent);
        self.routes[route].stops.retain(|&stop| {
            let job = nodes[stop as usize].job;
            if !is_chosen(job) {
                return true;
            }
            spots[stop as usize].route = NONE;
            if works[job as usize].node == stop {
                absent.push(job);
            }
            false
        });
        for idx in n_before..self.absent.len() {
            self.take_room(route, self.absent[idx], -1);
        }
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
        if self.model.is_plain {
            self.splice(route, place, node);
        } else {
            self.refresh(route);
        }
    }

    /// Gives a vehicle these stops.
    pub(super) fn set_stops(&mut self, route: usize, stops: &[u32]) {
        self.routes[route].stops.clear();
        self.routes[route].stops.extend_from_slice(stops);
        let n = self.model.n_dimensions;
        self.free[route * n..][..n].copy_from_slice(&self.model.units[route].capacity);
        for &stop in stops {
            let job = self.model.nodes[stop as usize].job;
            if self.model.works[job as usize].node == stop {
                self.take_room(route, job, 1);
            }
        }
        self.refresh(route);
    }

    /// Exchanges the tours of two vehicles, either of which may have none; false if one cannot drive that of the other,
    /// which [`State::undo`] then puts right.
    pub(super) fn exchange(&mut self, one: usize, other: usize) -> bool {
        if !self.has_skills(one, other) || !self.has_skills(other, one) {
            return false;
        }
        self.save(one);
        self.save(other);
        let stops = std::mem::take(&mut self.routes[one].stops);
        let others = std::mem::take(&mut self.routes[other].stops);
        self.set_stops(one, &others);
        self.set_stops(other, &stops);
        let n = self.model.n_dimensions;
        let holds = |route: usize| self.free[route * n..][..n].iter().all(|&free| free >= 0);
        // Where not all is loaded at the same time, driving the tour tells whether it fits.
        let fits = |route| !self.model.is_plain || holds(route);
        [one, other].into_iter().all(|route| fits(route) && self.can_be_driven(route))
    }

    /// Whether one vehicle has the skills for all jobs of another.
    fn has_skills(&self, route: usize, of: usize) -> bool {
        let (nodes, works) = (&self.model.nodes, &self.model.works);
        let skills = self.model.units[route].skills;
        let is_able = |stop: &u32| works[nodes[*stop as usize].job as usize].skills & !skills == 0;
        self.routes[of].stops.iter().all(is_able)
    }

    /// Brings all caches of a tour up to date with its stops.
    fn refresh(&mut self, route: usize) {
        self.locate(route, 0);
        let unit = &self.model.units[route];
        let (distance, duration) = (&self.model.distance, &self.model.duration);
        let Route { stops, cells, .. } = &mut self.routes[route];
        cells.clear();
        cells.push(Cell { stop: unit.start, leg: 0, ride: 0, ready: unit.shift.0, latest: 0 });
        let mut at = unit.start;
        for &stop in stops.iter().chain([&unit.end]) {
            let (leg, ride) = (distance.get(at, stop), duration.get(at, stop));
            cells.push(Cell { stop, leg, ride, ready: 0, latest: unit.shift.1 });
            at = stop;
        }
        let driven = cells.iter().map(|cell| i64::from(cell.leg)).sum();
        if self.model.is_plain && self.model.has_times {
            self.update_ready(route, 1, false);
            self.update_latest(route, self.routes[route].stops.len(), false);
        }
        self.update_cost(route, driven);
    }

    /// Brings the caches up to date with a stop put in at `place`.
    fn splice(&mut self, route: usize, place: usize, node: u32) {
        let (distance, duration) = (&self.model.distance, &self.model.duration);
        let Route { cells, distance: driven, .. } = &mut self.routes[route];
        let (before, after) = (cells[place].stop, &mut cells[place + 1]);
        let (leg, ride) = (distance.get(before, node), duration.get(before, node));
        let driven = *driven + i64::from(leg) - i64::from(after.leg);
        (after.leg, after.ride) = (distance.get(node, after.stop), duration.get(node, after.stop));
        let driven = driven + i64::from(after.leg);
        cells.insert(place + 1, Cell { stop: node, leg, ride, ready: 0, latest: 0 });
        if self.model.has_times {
            self.update_ready(route, place + 1, true);
            self.update_latest(route, place + 1, true);
        }
        self.locate(route, place);
        self.update_cost(route, driven);
    }

    /// Notes where the stops are, from a place on.
    fn locate(&mut self, route: usize, from: usize) {
        let stops = &self.routes[route].stops;
        for (place, &stop) in stops.iter().enumerate().skip(from) {
            self.spots[stop as usize] = Spot { route: route as u32, place: place as u32 };
        }
        let is_used = !stops.is_empty();
        self.set_used(route, is_used);
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

    /// Earliest ends of service from a cell on; where only that cell is new, as far as they change.
    fn update_ready(&mut self, route: usize, from: usize, is_one: bool) {
        let cells = &mut self.routes[route].cells;
        let mut ready = cells[from - 1].ready;
        let end = cells.len() - 1;
        for (idx, cell) in cells.iter_mut().enumerate().take(end).skip(from) {
            let node = &self.model.nodes[cell.stop as usize];
            ready = (ready + cell.ride).max(node.open) + node.service;
            if is_one && idx > from && cell.ready == ready {
                break;
            }
            cell.ready = ready;
        }
    }

    /// Latest arrivals back from a cell; where only that cell is new, as far as they change.
    fn update_latest(&mut self, route: usize, from: usize, is_one: bool) {
        let cells = &mut self.routes[route].cells;
        let (mut latest, mut ride) = (cells[from + 1].latest, cells[from + 1].ride);
        for idx in (1..=from).rev() {
            let cell = &mut cells[idx];
            let node = &self.model.nodes[cell.stop as usize];
            latest = (latest - ride - node.service).min(node.close);
            if is_one && idx < from && cell.latest == latest {
                break;
            }
            (cell.latest, ride) = (latest, cell.ride);
        }
    }

    fn update_cost(&mut self, route: usize, driven: i64) {
        let unit = &self.model.units[route];
        let tour = &mut self.routes[route];
        let old_cost = tour.cost;
        tour.distance = driven;
        tour.cost = if tour.stops.is_empty() {
            0.0
        } else if self.model.is_plain {
            unit.fixed_cost + unit.distance_cost * driven as f64
        } else {
            // A tour on the books can be driven, or `remove` would have emptied it.
            self.model.walk(unit, &tour.stops).map_or(f64::INFINITY, |walk| walk.cost(unit))
        };
        self.cost += tour.cost - old_cost;
    }
}
