//! Routes whose optimum is known, because the tours came first and the problem was built around them.
//!
//! Most places lie on lines that meet in the depot, and every distance is that along the lines. Tours that visit a
//! place then drive the way to it at least twice, which adds up to what no tours can be shorter than; that is exact,
//! in whole numbers, and needs no search. Every family says in its own file why no tours can cost less than
//! [`Planted::least`]; that the planted tours are allowed is left to the judge, [`optimize::route::violations`], in
//! the tests.

mod breaks;
mod lines;
mod packed;
mod pairs;
mod priority;
mod refused;
mod rings;

use optimize::Stop as End;
use optimize::route::{
    Job, Matrix, Plan, Problem, Reason, Stop, Task, Tour, Unserved, Vehicle, Visit,
};

use super::Family;
use crate::random::Random;

/// A problem, tours for it, and what no tours can cost less than.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) problem: Problem,
    /// Some of the best tours, with the jobs that they leave out and the true reasons.
    pub(crate) plan: Plan,
    /// The cost that the argument of the family shows to be the least, with that of jobs left undone.
    pub(crate) least: f64,
}

/// Every family, the plainest terms first, by jobs.
pub(crate) const FAMILIES: [Family<Planted>; 7] = [
    Family {
        name: "lines",
        about: "vehicles of many sizes, all filled",
        sizes: [10, 50, 200],
        has_peer: true,
        plant: lines::plant,
    },
    Family {
        name: "packed",
        about: "loads that fill every vehicle",
        sizes: [10, 50, 200],
        has_peer: true,
        plant: packed::plant,
    },
    Family {
        name: "rings",
        about: "many depots, windows in one order",
        sizes: [10, 50, 200],
        has_peer: true,
        plant: rings::plant,
    },
    Family {
        name: "priority",
        about: "more jobs than room",
        sizes: [10, 50, 200],
        has_peer: true,
        plant: priority::plant,
    },
    Family {
        name: "pairs",
        about: "pickup and delivery, skills",
        sizes: [5, 25, 100],
        has_peer: true,
        plant: pairs::plant,
    },
    Family {
        name: "breaks",
        about: "breaks, several windows, no time to lose",
        sizes: [10, 50, 200],
        has_peer: false,
        plant: breaks::plant,
    },
    Family {
        name: "refused",
        about: "jobs that cannot be served, and why",
        sizes: [10, 50, 200],
        has_peer: true,
        plant: refused::plant,
    },
];

/// What a plan costs with the jobs that it leaves undone.
pub(crate) fn total(problem: &Problem, plan: &Plan) -> f64 {
    plan.cost + plan.unserved.iter().map(|left| problem.jobs[left.job].unserved_cost).sum::<f64>()
}

/// Places on lines that meet at the first one, the depot.
#[derive(Debug)]
struct Lines(Vec<(usize, i64)>);

impl Lines {
    fn new() -> Self {
        Self(vec![(0, 0)])
    }

    /// Adds a place so far out on a line; gives its index.
    fn place(&mut self, line: usize, out: i64) -> usize {
        self.0.push((line, out));
        self.0.len() - 1
    }

    fn matrix(&self) -> Matrix {
        let between = |a: &(usize, i64), b: &(usize, i64)| {
            if a.0 == b.0 { (a.1 - b.1).abs() } else { a.1 + b.1 }
        };
        let row = |a: &(usize, i64)| self.0.iter().map(|b| between(a, b)).collect();
        Matrix::new(&self.0.iter().map(row).collect::<Vec<Vec<i64>>>()).expect("lines are short")
    }
}

/// So many places on one line, from near to far; the last one is all the way out.
fn spread(n_places: usize, length: i64, random: &mut Random) -> Vec<i64> {
    let mut out: Vec<i64> = (1..n_places).map(|_| random.whole(1, length)).collect();
    out.push(length);
    out.sort_unstable();
    out
}

/// So many numbers of jobs as there are lines, about even, which add up to `n_jobs`.
fn shares(n_jobs: usize, n_lines: usize) -> Vec<usize> {
    (0..n_lines).map(|idx| (idx + 1) * n_jobs / n_lines - idx * n_jobs / n_lines).collect()
}

/// A problem and its tours while they are made.
#[derive(Debug)]
struct Draft {
    jobs: Vec<Job>,
    vehicles: Vec<Vehicle>,
    /// For each vehicle its stops in order, as job and 1 for the second stop of a shipment; and behind how many of them
    /// it takes its break.
    routes: Vec<(Vec<(usize, usize)>, usize)>,
    unserved: Vec<Unserved>,
}

impl Draft {
    fn new() -> Self {
        Self { jobs: Vec::new(), vehicles: Vec::new(), routes: Vec::new(), unserved: Vec::new() }
    }

    fn job(&mut self, job: Job) -> usize {
        self.jobs.push(job);
        self.jobs.len() - 1
    }

    /// A job that the best plan leaves out, and why.
    fn refuse(&mut self, job: Job, reason: Reason) {
        let job = self.job(job);
        self.unserved.push(Unserved { job, reason });
    }

    /// Adds a vehicle with its tour, which is empty if it stays.
    fn drive(&mut self, vehicle: Vehicle, stops: Vec<(usize, usize)>) {
        self.vehicles.push(vehicle);
        self.routes.push((stops, 0));
    }

    /// The problem with jobs and vehicles in random order, so that their numbers do not tell the plan.
    fn finish(self, matrix: Matrix, random: &mut Random, least: f64) -> Planted {
        let mut job_at: Vec<usize> = (0..self.jobs.len()).collect();
        let mut vehicle_at: Vec<usize> = (0..self.vehicles.len()).collect();
        random.shuffle(&mut job_at);
        random.shuffle(&mut vehicle_at);
        let mut jobs: Vec<(usize, Job)> = job_at.iter().copied().zip(self.jobs).collect();
        jobs.sort_by_key(|(at, _)| *at);
        let mut vehicles: Vec<(usize, Vehicle)> =
            vehicle_at.iter().copied().zip(self.vehicles).collect();
        vehicles.sort_by_key(|(at, _)| *at);
        let problem = Problem {
            distance: matrix.clone(),
            duration: matrix,
            jobs: jobs
                .into_iter()
                .map(|(at, job)| Job { name: format!("job {at}"), ..job })
                .collect(),
            vehicles: vehicles.into_iter().map(|(_, vehicle)| vehicle).collect(),
            fewest_vehicles: false,
        };
        let mut tours: Vec<Tour> = Vec::new();
        for ((stops, n_before), &vehicle) in self.routes.iter().zip(&vehicle_at) {
            let stops: Vec<(usize, usize)> =
                stops.iter().map(|&(job, stop)| (job_at[job], stop)).collect();
            if !stops.is_empty() {
                tours.push(tour(&problem, vehicle, &stops, *n_before));
            }
        }
        tours.sort_by_key(|tour| tour.vehicle);
        let mut unserved = self.unserved;
        for left in &mut unserved {
            left.job = job_at[left.job];
            // The vehicles that could are named by their numbers.
            if let Reason::NotWorth { vehicles } | Reason::NoRoom { vehicles } = &mut left.reason {
                vehicles.iter_mut().for_each(|vehicle| *vehicle = vehicle_at[*vehicle]);
                vehicles.sort_unstable();
            }
        }
        unserved.sort_by_key(|left| left.job);
        let cost = tours.iter().map(|tour| tour.cost).sum();
        let plan =
            Plan { tours, unserved, cost, bound: least, n_iterations: 0, stop: End::Optimal };
        Planted { problem, plan, least }
    }
}

/// A tour from the beginning of the shift, without waiting; the break is taken right behind `n_before` stops.
fn tour(problem: &Problem, vehicle: usize, stops: &[(usize, usize)], n_before: usize) -> Tour {
    let described = &problem.vehicles[vehicle];
    let (start, mut at) = (described.shift.0, described.start);
    let (mut now, mut distance) = (start, 0);
    let (mut visits, mut breaks) = (Vec::new(), Vec::new());
    for (idx, &(job, stop)) in stops.iter().enumerate() {
        if idx == n_before
            && let [pause] = described.breaks[..]
        {
            breaks.push(now);
            now += pause.duration;
        }
        let described = problem.jobs[job].task.stops()[stop];
        let leg = problem.distance.get(at, described.place);
        let (arrival, end) = (now + leg, now + leg + described.service);
        visits.push(Visit { job, stop, arrival, start: arrival, end });
        (now, at, distance) = (end, described.place, distance + leg);
    }
    let home = described.end.map_or(0, |place| problem.distance.get(at, place));
    let (end, distance) = (now + home, distance + home);
    let cost = described.fixed_cost
        + described.distance_cost * distance as f64
        + described.time_cost * (end - start) as f64;
    Tour { vehicle, start, end, visits, breaks, distance, cost }
}

/// A job that must be done.
fn delivery(place: usize, load: i64) -> Job {
    Job {
        name: String::new(),
        task: Task::Delivery(stop(place, 0)),
        load: vec![load],
        skills: Vec::new(),
        unserved_cost: f64::INFINITY,
    }
}

fn stop(place: usize, service: i64) -> Stop {
    Stop { place, service, windows: Vec::new() }
}

/// A vehicle at the depot that costs what it drives.
fn van(capacity: i64) -> Vehicle {
    Vehicle {
        name: "van".to_owned(),
        start: 0,
        end: Some(0),
        shift: (0, 1_000_000),
        capacity: vec![capacity],
        skills: Vec::new(),
        breaks: Vec::new(),
        fixed_cost: 0.0,
        distance_cost: 1.0,
        time_cost: 0.0,
    }
}
