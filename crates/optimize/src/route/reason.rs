//! Why a job is left out: the smallest set of things that stand in its way.

use std::fmt;

use super::problem::Break;
use super::{Job, Matrix, Problem, Stop, Task, Vehicle};

/// Why a job is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// There are no vehicles at all.
    NoVehicle,
    /// No vehicle has these skills, all of them together.
    Skills(Vec<String>),
    /// Those that have the skills cannot carry it.
    Load {
        /// The dimension of capacity, from 0.
        dimension: usize,
        /// What it needs.
        load: i64,
        /// The most that a vehicle with its skills can carry.
        capacity: i64,
    },
    /// Even a vehicle that does nothing else is not there in time.
    Window {
        /// The place.
        place: usize,
        /// The earliest arrival of any vehicle that could serve it.
        arrival: i64,
        /// The end of its last window.
        close: i64,
    },
    /// A vehicle that does nothing else is not back, or not at its break, in time.
    Shift,
    /// It must be done, and all deliveries or all pickups together are more than all vehicles carry.
    Fleet {
        /// The dimension of capacity, from 0.
        dimension: usize,
        /// What all of them need.
        load: i64,
        /// What all vehicles carry in their one tour each.
        capacity: i64,
    },
    /// It must be done, and each vehicle that could do it alone has no room or time left beside the others.
    NoRoom {
        /// The vehicles that could.
        vehicles: Vec<usize>,
    },
    /// Some vehicle could do it alone, but what it would cost, or push out, is worth more.
    NotWorth {
        /// The vehicles that could.
        vehicles: Vec<usize>,
    },
}

impl fmt::Display for Reason {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoVehicle => write!(out, "there is no vehicle"),
            Self::Skills(skills) if skills.len() == 1 => {
                write!(out, "it needs skill {}, no vehicle has it", skills[0])
            }
            Self::Skills(skills) => {
                write!(
                    out,
                    "it needs skills {} together, no vehicle has them",
                    skills.join(" and ")
                )
            }
            Self::Load { dimension, load, capacity } => write!(
                out,
                "its load {load} in dimension {dimension} is above {capacity}, the most that a vehicle with its skills carries"
            ),
            Self::Window { place, arrival, close } => {
                write!(
                    out,
                    "the first vehicle can be at place {place} at {arrival}, its window closes at {close}"
                )
            }
            Self::Shift => {
                write!(out, "no vehicle that could serve it would end its shift and breaks in time")
            }
            Self::Fleet { dimension, load, capacity } => write!(
                out,
                "it must be done, but what is carried the same way adds up to {load} in dimension {dimension}, and all vehicles carry {capacity}"
            ),
            Self::NoRoom { vehicles } => write!(
                out,
                "it must be done, but no room or time was found beside other jobs on the {} vehicles that could serve it",
                vehicles.len()
            ),
            Self::NotWorth { vehicles } => {
                write!(
                    out,
                    "the {} vehicles that could serve it have no room that is worth it",
                    vehicles.len()
                )
            }
        }
    }
}

/// The first condition that, with those before it, leaves no vehicle.
pub(super) fn reason(problem: &Problem, job: usize) -> Reason {
    let job = &problem.jobs[job];
    if problem.vehicles.is_empty() {
        return Reason::NoVehicle;
    }
    let has_skills =
        |vehicle: &&Vehicle| job.skills.iter().all(|skill| vehicle.skills.contains(skill));
    let skilled: Vec<&Vehicle> = problem.vehicles.iter().filter(has_skills).collect();
    if skilled.is_empty() {
        return Reason::Skills(missing_skills(problem, &job.skills));
    }
    let capacity = |vehicle: &Vehicle, dimension: usize| {
        vehicle.capacity.get(dimension).copied().unwrap_or(i64::MAX)
    };
    for (dimension, &load) in job.load.iter().enumerate() {
        let most = skilled.iter().map(|vehicle| capacity(vehicle, dimension)).max().unwrap_or(0);
        if load > most {
            return Reason::Load { dimension, load, capacity: most };
        }
    }
    let able: Vec<usize> = (0..problem.vehicles.len())
        .filter(|&idx| {
            let vehicle = &problem.vehicles[idx];
            let carries = job
                .load
                .iter()
                .enumerate()
                .all(|(dimension, &load)| load <= capacity(vehicle, dimension));
            has_skills(&vehicle) && carries
        })
        .collect();
    match alone(problem, job.task.stops().as_slice(), &able) {
        Reason::NotWorth { vehicles } if job.unserved_cost == f64::INFINITY => {
            fleet_load(problem, job).unwrap_or(Reason::NoRoom { vehicles })
        }
        reason => reason,
    }
}

/// One skill that nobody has, or else those asked for.
fn missing_skills(problem: &Problem, skills: &[String]) -> Vec<String> {
    let nobody_has =
        |skill: &&String| !problem.vehicles.iter().any(|vehicle| vehicle.skills.contains(skill));
    skills.iter().find(nobody_has).map_or_else(|| skills.to_vec(), |skill| vec![skill.clone()])
}

/// What a tour for this job alone fails at, for the vehicle that comes furthest.
fn alone(problem: &Problem, stops: &[&Stop], able: &[usize]) -> Reason {
    let mut late: Option<(usize, i64, i64)> = None;
    let mut reached = false;
    let mut done = Vec::new();
    for &idx in able {
        match ride(&problem.duration, &problem.vehicles[idx], stops) {
            Ok(end)
                if end <= problem.vehicles[idx].shift.1 && breaks_fit(&problem.vehicles[idx]) =>
            {
                done.push(idx);
            }
            Ok(_) => reached = true,
            Err(miss) => {
                if late.is_none_or(|first| miss.1 < first.1) {
                    late = Some(miss);
                }
            }
        }
    }
    match late {
        _ if !done.is_empty() => Reason::NotWorth { vehicles: done },
        Some((place, arrival, close)) if !reached => Reason::Window { place, arrival, close },
        _ => Reason::Shift,
    }
}

/// End of a tour of these stops without breaks, or the place that is reached too late.
fn ride(duration: &Matrix, vehicle: &Vehicle, stops: &[&Stop]) -> Result<i64, (usize, i64, i64)> {
    let (mut now, mut at) = (vehicle.shift.0, vehicle.start);
    for stop in stops {
        now += duration.get(at, stop.place);
        if let Some(&(_, close)) = stop.windows.last() {
            let window = stop.windows.iter().find(|window| now <= window.1);
            let &(open, _) = window.ok_or((stop.place, now, close))?;
            now = now.max(open);
        }
        now += stop.service;
        at = stop.place;
    }
    Ok(now + vehicle.end.map_or(0, |end| duration.get(at, end)))
}

fn breaks_fit(vehicle: &Vehicle) -> bool {
    let fits =
        |pause: &Break| pause.from <= pause.to && pause.from + pause.duration <= vehicle.shift.1;
    vehicle.breaks.iter().all(fits)
}

/// The dimension in which all deliveries, or all pickups, are more than the whole fleet carries.
fn fleet_load(problem: &Problem, job: &Job) -> Option<Reason> {
    let is_alike = |other: &&Job| {
        let kind = std::mem::discriminant(&job.task);
        other.unserved_cost == f64::INFINITY && std::mem::discriminant(&other.task) == kind
    };
    if matches!(job.task, Task::Shipment(..)) {
        return None;
    }
    for dimension in 0..job.load.len() {
        let loads = problem.jobs.iter().filter(is_alike);
        let load: i64 = loads.filter_map(|other| other.load.get(dimension)).sum();
        // A dimension that a vehicle does not name is not limited.
        let capacities = problem.vehicles.iter().map(|vehicle| vehicle.capacity.get(dimension));
        let capacity: Option<i64> = capacities.map(|capacity| capacity.copied()).sum();
        if let Some(capacity) =
            capacity.filter(|&capacity| job.load[dimension] > 0 && load > capacity)
        {
            return Some(Reason::Fleet { dimension, load, capacity });
        }
    }
    None
}
