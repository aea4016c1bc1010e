//! What has to be visited by whom, and the plan that says how.

use thiserror::Error;

use super::Reason;
use crate::range::{RangeError, check_between};

/// Distances or durations between places; row by row, from row to column. Need not be symmetric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Matrix {
    n_places: usize,
    values: Vec<i32>,
}

impl Matrix {
    /// A matrix from its rows; `None` if they are not `n × n`, or an entry is below zero or above 2²⁸.
    pub fn new(rows: &[Vec<i64>]) -> Option<Self> {
        let n_places = rows.len();
        let is_square = rows.iter().all(|row| row.len() == n_places);
        let is_in_range = |value: &i64| (0..=i64::from(LARGEST)).contains(value);
        if !is_square || !rows.iter().flatten().all(is_in_range) {
            return None;
        }
        Some(Self { n_places, values: rows.iter().flatten().map(|&value| value as i32).collect() })
    }

    /// Number of places.
    pub fn n_places(&self) -> usize {
        self.n_places
    }

    /// The entry from one place to another.
    ///
    /// # Panics
    /// If a place is not in the matrix.
    pub fn get(&self, from: usize, to: usize) -> i64 {
        i64::from(self.values[from * self.n_places + to])
    }
}

/// Largest distance, duration or time that the search takes. It adds up in 32 bits, which hold seven of these: what is
/// driven to a stop is checked against an end not above this before more is added.
pub(super) const LARGEST: i32 = 1 << 28;

/// One place to be visited for a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stop {
    /// Index in the matrices.
    pub place: usize,
    /// Time spent there.
    pub service: i64,
    /// When service may begin, first and last moment of each window, in time order; empty for any time.
    pub windows: Vec<(i64, i64)>,
}

/// What a job asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Task {
    /// The load is on board from the start of the tour to this stop.
    Delivery(Stop),
    /// The load is on board from this stop to the end of the tour.
    Pickup(Stop),
    /// The load goes from the first stop to the second on one vehicle.
    Shipment(Stop, Stop),
}

/// Something to be done by one vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// What people call it.
    pub name: String,
    /// Where and when.
    pub task: Task,
    /// Amount in each dimension of capacity; empty means none.
    pub load: Vec<i64>,
    /// Skills that the vehicle or its driver must have, all of them.
    pub skills: Vec<String>,
    /// Cost of leaving it undone: its priority. Infinite for a job that must be done if it can be.
    pub unserved_cost: f64,
}

/// A pause that a driver must take once per tour, where the vehicle stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Earliest start.
    pub from: i64,
    /// Latest start.
    pub to: i64,
    /// Length.
    pub duration: i64,
}

/// A vehicle with its driver, for one tour.
#[derive(Debug, Clone, PartialEq)]
pub struct Vehicle {
    /// What people call it.
    pub name: String,
    /// Place where it starts.
    pub start: usize,
    /// Place where it ends; `None` to end at its last stop.
    pub end: Option<usize>,
    /// Earliest start and latest end.
    pub shift: (i64, i64),
    /// Capacity in each dimension; dimensions left out are not limited.
    pub capacity: Vec<i64>,
    /// What it and its driver can do.
    pub skills: Vec<String>,
    /// Pauses, in time order.
    pub breaks: Vec<Break>,
    /// Cost of using it at all.
    pub fixed_cost: f64,
    /// Cost of one unit of distance.
    pub distance_cost: f64,
    /// Cost of one unit of time between its departure and its return.
    pub time_cost: f64,
}

/// A routing problem.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// Distance between places.
    pub distance: Matrix,
    /// Travel time between places.
    pub duration: Matrix,
    /// What has to be done.
    pub jobs: Vec<Job>,
    /// Who can do it.
    pub vehicles: Vec<Vehicle>,
    /// Whether fewer vehicles come before less cost.
    pub fewest_vehicles: bool,
}

/// What is malformed in a problem. Problems that merely cannot be solved are answered by a plan with reasons.
#[derive(Debug, Error, PartialEq)]
pub enum ProblemError {
    /// Matrices of different sizes.
    #[error(
        "the distances know {distance} places and the durations {duration}; give both for the same places"
    )]
    Matrices {
        /// Places in the distance matrix.
        distance: usize,
        /// Places in the duration matrix.
        duration: usize,
    },
    /// A place that the matrices do not have.
    #[error("{who} is at place {place}, and there are {n_places} places")]
    Place {
        /// Which job or vehicle.
        who: String,
        /// The index given.
        place: usize,
        /// How many there are.
        n_places: usize,
    },
    /// A number that makes no sense.
    #[error(transparent)]
    Value(#[from] RangeError),
    /// More than 64 different skills.
    #[error("the vehicles have {n_skills} different skills; the search tells 64 apart")]
    Skills {
        /// How many.
        n_skills: usize,
    },
}

/// A stop in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Visit {
    /// Index of the job.
    pub job: usize,
    /// 1 for the second stop of a shipment, else 0.
    pub stop: usize,
    /// When the vehicle is there.
    pub arrival: i64,
    /// When service begins.
    pub start: i64,
    /// When the vehicle is done.
    pub end: i64,
}

/// The tour of one vehicle.
#[derive(Debug, Clone, PartialEq)]
pub struct Tour {
    /// Index of the vehicle.
    pub vehicle: usize,
    /// When it leaves.
    pub start: i64,
    /// When it is back.
    pub end: i64,
    /// Its stops in order.
    pub visits: Vec<Visit>,
    /// Start of each of its breaks, in order.
    pub breaks: Vec<i64>,
    /// Distance driven.
    pub distance: i64,
    /// What it costs.
    pub cost: f64,
}

/// A job that the plan leaves out, and why.
#[derive(Debug, Clone, PartialEq)]
pub struct Unserved {
    /// Index of the job.
    pub job: usize,
    /// Why.
    pub reason: Reason,
}

/// What was decided.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Tours that have at least one visit, by vehicle.
    pub tours: Vec<Tour>,
    /// Jobs left out, by index.
    pub unserved: Vec<Unserved>,
    /// Cost of all tours.
    pub cost: f64,
    /// Cost of all tours cannot be below this while the same jobs are served.
    pub bound: f64,
    /// Ruin and recreate steps made on all threads.
    pub n_iterations: u64,
    /// Why the search ended.
    pub stop: crate::Stop,
}

impl Problem {
    /// Finds what is malformed.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn check(&self) -> Result<(), ProblemError> {
        let (distance, duration) = (self.distance.n_places(), self.duration.n_places());
        if distance != duration {
            return Err(ProblemError::Matrices { distance, duration });
        }
        self.jobs.iter().try_for_each(|job| self.check_job(job))?;
        self.vehicles.iter().try_for_each(|vehicle| self.check_vehicle(vehicle))?;
        let mut skills: Vec<&String> =
            self.vehicles.iter().flat_map(|vehicle| &vehicle.skills).collect();
        skills.sort_unstable();
        skills.dedup();
        let n_skills = skills.len();
        if n_skills > 64 { Err(ProblemError::Skills { n_skills }) } else { Ok(()) }
    }

    fn check_job(&self, job: &Job) -> Result<(), ProblemError> {
        for stop in job.task.stops() {
            self.check_place(&job.name, stop.place)?;
            check_value(&job.name, "service", stop.service)?;
            let mut closed = 0;
            for &(open, close) in &stop.windows {
                check_from(&job.name, "start of a window", open, closed)?;
                check_from(&job.name, "end of a window", close, open)?;
                closed = close;
            }
        }
        job.load.iter().try_for_each(|&load| check_value(&job.name, "load", load))?;
        let cost = job.unserved_cost;
        Ok(check_between(&job.name, "cost of leaving it undone", cost, 0.0, f64::INFINITY)?)
    }

    fn check_vehicle(&self, vehicle: &Vehicle) -> Result<(), ProblemError> {
        let name = &vehicle.name;
        self.check_place(name, vehicle.start)?;
        vehicle.end.map_or(Ok(()), |end| self.check_place(name, end))?;
        check_value(name, "start of the shift", vehicle.shift.0)?;
        check_from(name, "end of the shift", vehicle.shift.1, vehicle.shift.0)?;
        let mut before = 0;
        for pause in &vehicle.breaks {
            check_from(name, "start of a break", pause.from, before)?;
            check_from(name, "latest start of a break", pause.to, pause.from)?;
            check_value(name, "length of a break", pause.duration)?;
            before = pause.from;
        }
        vehicle
            .capacity
            .iter()
            .try_for_each(|&capacity| check_value(name, "capacity", capacity))?;
        for cost in [vehicle.fixed_cost, vehicle.distance_cost, vehicle.time_cost] {
            check_between(name, "cost", cost, 0.0, 1e12)?;
        }
        Ok(())
    }

    fn check_place(&self, who: &str, place: usize) -> Result<(), ProblemError> {
        let n_places = self.distance.n_places();
        if place < n_places {
            return Ok(());
        }
        Err(ProblemError::Place { who: who.to_owned(), place, n_places })
    }
}

fn check_value(who: &str, what: &'static str, value: i64) -> Result<(), RangeError> {
    check_from(who, what, value, 0)
}

fn check_from(who: &str, what: &'static str, value: i64, least: i64) -> Result<(), RangeError> {
    check_between(who, what, value as f64, least as f64, f64::from(LARGEST))
}

impl Task {
    /// Its stops in the order in which they must be made.
    pub fn stops(&self) -> Vec<&Stop> {
        match self {
            Self::Delivery(stop) | Self::Pickup(stop) => vec![stop],
            Self::Shipment(pickup, delivery) => vec![pickup, delivery],
        }
    }
}
