//! The problem as the search sees it: one index for every stop and every end of a tour, skills as bits.

use std::sync::Arc;

use super::near::{Besides, chain, near};
use super::problem::{Break, LARGEST};
use super::{Problem, Task};

/// A stop of a job, or an end of a tour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    pub(super) open: i32,
    pub(super) close: i32,
    pub(super) service: i32,
    /// The job it belongs to; `u32::MAX` for an end of a tour.
    pub(super) job: u32,
}

/// What a job changes on board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Delivery,
    Pickup,
    Shipment,
}

#[derive(Debug, Clone)]
pub(super) struct Work {
    pub(super) kind: Kind,
    /// Its first stop; a shipment has its second right behind.
    pub(super) node: u32,
    pub(super) skills: u64,
    /// Whether no vehicle can ever serve it, because it asks for a skill that none has.
    pub(super) is_hopeless: bool,
    pub(super) unserved_cost: f64,
}

#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) shift: (i32, i32),
    pub(super) capacity: Vec<i64>,
    pub(super) skills: u64,
    pub(super) breaks: Vec<Break>,
    pub(super) fixed_cost: f64,
    pub(super) distance_cost: f64,
    pub(super) time_cost: f64,
    /// Vehicles of one class are exchangeable.
    pub(super) class: usize,
}

/// A square of numbers and its transpose, which are the same memory where it is symmetric.
#[derive(Debug, Clone)]
pub(super) struct Square {
    size: usize,
    from: Arc<Vec<i32>>,
    to: Arc<Vec<i32>>,
}

impl Square {
    fn new(size: usize, entry: impl Fn(usize, usize) -> i32) -> Self {
        let build = |flip: bool| {
            let entry = &entry;
            let row = move |a: usize| {
                (0..size).map(move |b| if flip { entry(b, a) } else { entry(a, b) })
            };
            (0..size).flat_map(row).collect::<Vec<i32>>()
        };
        let (from, to) = (build(false), build(true));
        let from = Arc::new(from);
        let to = if *from == to { Arc::clone(&from) } else { Arc::new(to) };
        Self { size, from, to }
    }

    /// Entries from `node` to everywhere.
    pub(super) fn from(&self, node: u32) -> &[i32] {
        &self.from[node as usize * self.size..][..self.size]
    }

    /// Entries from everywhere to `node`.
    pub(super) fn to(&self, node: u32) -> &[i32] {
        &self.to[node as usize * self.size..][..self.size]
    }

    pub(super) fn largest(&self) -> i32 {
        self.from.iter().copied().max().unwrap_or(0)
    }

    pub(super) fn get(&self, from: u32, to: u32) -> i32 {
        self.from[from as usize * self.size + to as usize]
    }
}

#[derive(Debug)]
pub(super) struct Model<'a> {
    pub(super) problem: &'a Problem,
    pub(super) nodes: Vec<Node>,
    pub(super) works: Vec<Work>,
    pub(super) units: Vec<Unit>,
    /// Vehicles of each class.
    pub(super) classes: Vec<Vec<u32>>,
    pub(super) distance: Square,
    pub(super) duration: Square,
    /// For every stop all stops, nearest first.
    pub(super) near: Vec<Vec<u32>>,
    /// Stops that each stop is looked at beside. Plain problems only.
    pub(super) beside: Vec<Besides>,
    pub(super) n_dimensions: usize,
    /// Amounts of all jobs, `n_dimensions` each.
    loads: Vec<i64>,
    /// Whether single windows and one sum of loads are all there is to check, so that a place for a job can be
    /// judged without walking the tour.
    pub(super) is_plain: bool,
    /// Cost of a unit of distance, where it is the same for all vehicles.
    pub(super) rate: Option<f64>,
    /// Whether any stop has a window.
    pub(super) has_windows: bool,
    /// Whether some jobs cost more to leave out than others.
    pub(super) has_priorities: bool,
    /// Whether time can limit anything at all.
    pub(super) has_times: bool,
    /// What a vehicle in use weighs besides its cost; 0 unless fewer vehicles come first.
    pub(super) vehicle_weight: f64,
    /// What a job that must be done weighs while it is absent.
    pub(super) must_weight: f64,
}

/// Least weight of a vehicle where fewer come first, and of a job that must be done; more where tours can cost more.
const VEHICLE: f64 = 1e9;
const MUST: f64 = 1e12;

impl<'a> Model<'a> {
    /// `problem` must have passed its check.
    pub(super) fn new(problem: &'a Problem) -> Self {
        let all_skills = all_skills(problem);
        let n_dimensions = n_dimensions(problem);
        let (nodes, works, mut places) = stops(problem, &all_skills);
        let mut units = units(problem, &all_skills, n_dimensions, nodes.len(), &mut places);
        let classes = classify(&mut units);
        let (distance, duration) = squares(problem, &places);
        let is_plain = is_plain(problem);
        let beside = |node| Besides::of(&nodes, &distance, &duration, node);
        let besides = 0..if is_plain { nodes.len() as u32 } else { 0 };
        let has_windows = nodes.iter().any(|node| node.open > 0 || node.close < LARGEST);
        let rate = units.first().map(|unit| unit.distance_cost);
        let dearest = dearest(&nodes, &units, &distance);
        let n_used = units.len().min(works.len()) as f64;
        let vehicle_weight = if problem.fewest_vehicles { VEHICLE.max(2.0 * dearest) } else { 0.0 };
        let mut costs = works.windows(2).map(|pair| (pair[0].unserved_cost, pair[1].unserved_cost));
        Self {
            problem,
            near: near(&distance, nodes.len()),
            beside: besides.map(beside).collect(),
            loads: problem.jobs.iter().flat_map(|it| resized(&it.load, n_dimensions, 0)).collect(),
            rate: rate.filter(|&rate| units.iter().all(|unit| unit.distance_cost == rate)),
            has_windows,
            has_priorities: costs.any(|(one, other)| one != other),
            has_times: has_windows || !has_time_for_all(&nodes, &units, &duration),
            vehicle_weight,
            must_weight: MUST.max(2.0 * (dearest + n_used * vehicle_weight)),
            is_plain,
            n_dimensions,
            nodes,
            works,
            units,
            classes,
            distance,
            duration,
        }
    }

    /// What leaving a job out weighs.
    pub(super) fn absent_cost(&self, job: u32) -> f64 {
        self.works[job as usize].unserved_cost.min(self.must_weight)
    }

    /// Amount of a job in each dimension.
    pub(super) fn load(&self, job: u32) -> &[i64] {
        &self.loads[job as usize * self.n_dimensions..][..self.n_dimensions]
    }

    /// Whether skills and capacity let a vehicle do a job at all.
    pub(super) fn can_serve(&self, unit: &Unit, job: u32) -> bool {
        let work = &self.works[job as usize];
        let fits =
            self.load(job).iter().zip(&unit.capacity).all(|(load, capacity)| load <= capacity);
        !work.is_hopeless && work.skills & !unit.skills == 0 && fits
    }
}

/// Every stop, every job and the place of every stop; what is near each other is together.
fn stops(problem: &Problem, all_skills: &[&String]) -> (Vec<Node>, Vec<Work>, Vec<Option<usize>>) {
    let (mut nodes, mut places) = (Vec::new(), Vec::new());
    let mut works = vec![None; problem.jobs.len()];
    for job in chain(problem) {
        let described = &problem.jobs[job];
        let node = nodes.len() as u32;
        for stop in described.task.stops() {
            let open = stop.windows.first().map_or(0, |window| window.0 as i32);
            let close = stop.windows.last().map_or(LARGEST, |window| window.1 as i32);
            nodes.push(Node { open, close, service: stop.service as i32, job: job as u32 });
            places.push(Some(stop.place));
        }
        let skills = mask(&described.skills, all_skills);
        works[job] = Some(Work {
            kind: kind(&described.task),
            node,
            skills: skills.unwrap_or(0),
            is_hopeless: skills.is_none(),
            unserved_cost: described.unserved_cost,
        });
    }
    // The chain has every job once.
    (nodes, works.into_iter().flatten().collect(), places)
}

/// Every vehicle; the ends of tours come behind the stops in `places`, each once.
fn units(
    problem: &Problem,
    all_skills: &[&String],
    n_dimensions: usize,
    n_stops: usize,
    places: &mut Vec<Option<usize>>,
) -> Vec<Unit> {
    let mut end_of = |place: Option<usize>| {
        let known = places[n_stops..].iter().position(|&other| other == place);
        let idx = known.map_or(places.len(), |idx| n_stops + idx);
        if idx == places.len() {
            places.push(place);
        }
        idx as u32
    };
    let unit = |vehicle: &super::Vehicle| Unit {
        start: end_of(Some(vehicle.start)),
        end: end_of(vehicle.end),
        shift: (vehicle.shift.0 as i32, vehicle.shift.1 as i32),
        capacity: resized(&vehicle.capacity, n_dimensions, i64::MAX),
        skills: mask(&vehicle.skills, all_skills).unwrap_or(0),
        breaks: vehicle.breaks.clone(),
        fixed_cost: vehicle.fixed_cost,
        distance_cost: vehicle.distance_cost,
        time_cost: vehicle.time_cost,
        class: 0,
    };
    problem.vehicles.iter().map(unit).collect()
}

/// Distances and durations between all places. Tours that end anywhere end at a place that is nowhere, at no distance.
fn squares(problem: &Problem, places: &[Option<usize>]) -> (Square, Square) {
    let between = |matrix: &super::Matrix, a: usize, b: usize| match (places[a], places[b]) {
        (Some(from), Some(to)) => matrix.get(from, to) as i32,
        _ => 0,
    };
    let distance = Square::new(places.len(), |a, b| between(&problem.distance, a, b));
    let duration = if problem.distance == problem.duration {
        distance.clone()
    } else {
        Square::new(places.len(), |a, b| between(&problem.duration, a, b))
    };
    (distance, duration)
}

fn kind(task: &Task) -> Kind {
    match task {
        Task::Delivery(_) => Kind::Delivery,
        Task::Pickup(_) => Kind::Pickup,
        Task::Shipment(..) => Kind::Shipment,
    }
}

fn n_dimensions(problem: &Problem) -> usize {
    let loads = problem.jobs.iter().map(|job| job.load.len());
    loads.chain(problem.vehicles.iter().map(|vehicle| vehicle.capacity.len())).max().unwrap_or(0)
}

fn resized(values: &[i64], n: usize, missing: i64) -> Vec<i64> {
    let mut values = values.to_vec();
    values.resize(n, missing);
    values
}

fn all_skills(problem: &Problem) -> Vec<&String> {
    let mut skills: Vec<&String> =
        problem.vehicles.iter().flat_map(|vehicle| &vehicle.skills).collect();
    skills.sort_unstable();
    skills.dedup();
    skills
}

/// One bit per skill; `None` if one is unknown.
fn mask(skills: &[String], all: &[&String]) -> Option<u64> {
    let bit = |skill: &String| all.binary_search(&skill).ok().map(|idx| 1_u64 << idx);
    skills.iter().try_fold(0, |mask, skill| Some(mask | bit(skill)?))
}

/// More than all tours together can cost.
fn dearest(nodes: &[Node], units: &[Unit], distance: &Square) -> f64 {
    let n_legs = (nodes.len() + units.len()) as f64;
    let rate = units.iter().map(|unit| unit.distance_cost).fold(0.0, f64::max);
    let of =
        |unit: &Unit| unit.fixed_cost + unit.time_cost * f64::from(unit.shift.1 - unit.shift.0);
    rate * f64::from(distance.largest()) * n_legs + units.iter().map(of).sum::<f64>()
}

/// Whether any vehicle could visit every stop over the longest ride and still be back in time.
fn has_time_for_all(nodes: &[Node], units: &[Unit], duration: &Square) -> bool {
    let longest = i64::from(duration.largest());
    let work: i64 = nodes.iter().map(|node| longest + i64::from(node.service)).sum();
    let is_enough =
        |unit: &Unit| i64::from(unit.shift.0) + work + longest <= i64::from(unit.shift.1);
    units.iter().all(is_enough)
}

fn classify(units: &mut [Unit]) -> Vec<Vec<u32>> {
    let mut classes: Vec<Vec<u32>> = Vec::new();
    for idx in 0..units.len() {
        let unit = &units[idx];
        let is_same = |members: &Vec<u32>| {
            let other = &units[members[0] as usize];
            (unit.start, unit.end, unit.shift, unit.skills)
                == (other.start, other.end, other.shift, other.skills)
                && unit.capacity == other.capacity
                && unit.breaks == other.breaks
                && [unit.fixed_cost, unit.distance_cost, unit.time_cost]
                    == [other.fixed_cost, other.distance_cost, other.time_cost]
        };
        let class = classes.iter().position(is_same).unwrap_or(classes.len());
        if class == classes.len() {
            classes.push(Vec::new());
        }
        classes[class].push(idx as u32);
        units[idx].class = class;
    }
    classes
}

fn is_plain(problem: &Problem) -> bool {
    let mut kinds = problem.jobs.iter().map(|job| kind(&job.task));
    let first = kinds.next().unwrap_or(Kind::Delivery);
    let has_one_kind = first != Kind::Shipment && kinds.all(|kind| kind == first);
    let has_one_window =
        problem.jobs.iter().all(|job| job.task.stops().iter().all(|stop| stop.windows.len() <= 1));
    let is_simple =
        |vehicle: &super::Vehicle| vehicle.breaks.is_empty() && vehicle.time_cost == 0.0;
    has_one_kind && has_one_window && problem.vehicles.iter().all(is_simple)
}
