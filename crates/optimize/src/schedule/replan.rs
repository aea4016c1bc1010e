//! Re-planning: something happened, what has begun stays, and the difference is told in words.

use std::fmt;

use super::conflict::SolveError;
use super::error::ProblemError;
use super::plan::{Placement, Plan};
use super::problem::{Order, Problem};
use super::search::solve;
use crate::Control;

/// Something that makes a plan out of date.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A machine cannot run for a while; what it was doing has to be done again.
    Breakdown {
        /// Index of the machine.
        machine: usize,
        /// Since when.
        from: i64,
        /// Until when.
        to: i64,
    },
    /// Somebody is not there for a while.
    Absence {
        /// Index of the worker.
        worker: usize,
        /// Since when.
        from: i64,
        /// Until when.
        to: i64,
    },
    /// Material comes later.
    LateMaterial {
        /// Index of the order.
        order: usize,
        /// When it is there.
        release: i64,
    },
    /// One more order.
    NewOrder(Order),
    /// An order is no longer wanted; what has begun is finished.
    Cancelled {
        /// Index of the order.
        order: usize,
    },
}

/// One operation that is elsewhere than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Name of the order.
    pub order: String,
    /// Name of the operation.
    pub operation: String,
    /// Machine and start before; `None` for a new one.
    pub before: Option<(String, i64)>,
    /// Machine and start now; `None` for one that is not done any more.
    pub after: Option<(String, i64)>,
    /// What made it move; `None` where it only makes room.
    pub because: Option<String>,
}

impl fmt::Display for Change {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}, {}: ", self.order, self.operation)?;
        match (&self.before, &self.after) {
            (Some((machine, start)), Some((other, now))) => {
                write!(out, "{machine} {start} → {other} {now}")?;
                match now.saturating_sub(*start) {
                    0 => {}
                    later @ 1.. => write!(out, " ({later} later)")?,
                    earlier => write!(out, " ({} earlier)", earlier.unsigned_abs())?,
                }
            }
            (None, Some((machine, start))) => write!(out, "new on {machine} at {start}")?,
            (Some((machine, start)), None) => write!(out, "no longer on {machine} at {start}")?,
            (None, None) => {}
        }
        self.because.as_ref().map_or(Ok(()), |because| write!(out, ", because {because}"))
    }
}

/// What re-planning gives.
#[derive(Debug, Clone, PartialEq)]
pub struct Replanned {
    /// The problem as it is after the events, with what is frozen.
    pub problem: Problem,
    /// The new plan.
    pub plan: Plan,
    /// What differs, by order and operation.
    pub changes: Vec<Change>,
}

/// Plans again after `events`.
///
/// What starts before `now + freeze` in the plan in force stays where it is, unless an event hits it, or an
/// operation of its order before it. Indices in events are those of `problem`.
///
/// # Errors
/// As [`solve`], for the problem after the events; and if an event or the plan in force names something that is not
/// there.
pub fn replan(
    problem: &Problem,
    plan: &Plan,
    events: &[Event],
    (now, freeze): (i64, i64),
    control: &Control<'_>,
) -> Result<Replanned, SolveError> {
    check_plan(problem, plan)?;
    let mut after = problem.clone();
    after.now = now;
    events.iter().try_for_each(|event| check_event(problem, event))?;
    events.iter().for_each(|event| apply(&mut after, event));
    after.frozen = frozen(plan, events, now, freeze);
    for event in events {
        let &Event::Cancelled { order } = event else { continue };
        let n_frozen = after.frozen.iter().filter(|placement| placement.order == order).count();
        if let Some(order) = after.orders.get_mut(order) {
            order.operations.truncate(n_frozen);
        }
    }
    let still_exists = |it: &&Placement| after.operation(it.order, it.operation).is_some();
    after.previous = plan.placements.iter().filter(still_exists).copied().collect();
    let replanned = solve(&after, control)?;
    let changes = difference((problem, plan), (&after, &replanned), events);
    Ok(Replanned { problem: after, plan: replanned, changes })
}

fn check_idx(what: &'static str, idx: usize, n: usize) -> Result<(), ProblemError> {
    if idx < n { Ok(()) } else { Err(ProblemError::Unknown { what, idx, n }) }
}

fn check_event(problem: &Problem, event: &Event) -> Result<(), ProblemError> {
    match *event {
        Event::Breakdown { machine, .. } => check_idx("machine", machine, problem.machines.len()),
        Event::Absence { worker, .. } => check_idx("worker", worker, problem.workers.len()),
        Event::LateMaterial { order, .. } | Event::Cancelled { order } => {
            check_idx("order", order, problem.orders.len())
        }
        Event::NewOrder(_) => Ok(()),
    }
}

fn check_plan(problem: &Problem, plan: &Plan) -> Result<(), ProblemError> {
    for &Placement { order, operation, machine, worker, .. } in &plan.placements {
        if problem.operation(order, operation).is_none() {
            return Err(ProblemError::Previous { order, operation });
        }
        check_idx("machine", machine, problem.machines.len())?;
        worker.map_or(Ok(()), |worker| check_idx("worker", worker, problem.workers.len()))?;
    }
    Ok(())
}

fn apply(problem: &mut Problem, event: &Event) {
    match event {
        &Event::Breakdown { machine, from, to } => {
            if let Some(machine) = problem.machines.get_mut(machine) {
                machine.closed.push((from, to));
            }
        }
        &Event::Absence { worker, from, to } => {
            if let Some(worker) = problem.workers.get_mut(worker) {
                worker.closed.push((from, to));
            }
        }
        &Event::LateMaterial { order, release } => {
            if let Some(order) = problem.orders.get_mut(order) {
                order.release = order.release.max(release);
            }
        }
        Event::NewOrder(order) => problem.orders.push(order.clone()),
        Event::Cancelled { .. } => {}
    }
}

/// What stays: of each order the first operations that start in time and are not hit.
fn frozen(plan: &Plan, events: &[Event], now: i64, freeze: i64) -> Vec<Placement> {
    let mut frozen: Vec<Placement> = Vec::new();
    let mut open_order = None;
    for placement in &plan.placements {
        let is_hit = events.iter().any(|event| hit(event, placement, now).is_some());
        if open_order != Some(placement.order)
            && placement.start < now.saturating_add(freeze)
            && !is_hit
        {
            frozen.push(*placement);
        } else {
            open_order = Some(placement.order);
        }
    }
    frozen
}

/// How an event stands in the way of a placement, in words; what ended before it did not meet it.
fn hit(event: &Event, placement: &Placement, now: i64) -> Option<String> {
    let meets =
        |from: i64, to: i64| placement.end > now && placement.start < to && from < placement.end;
    match *event {
        Event::Breakdown { machine, from, to }
            if placement.machine == machine && meets(from, to) =>
        {
            Some(format!("its machine is down until {to}"))
        }
        Event::Absence { worker, from, to }
            if placement.worker == Some(worker) && meets(from, to) =>
        {
            Some(format!("its worker is away until {to}"))
        }
        Event::LateMaterial { order, release }
            if placement.order == order && placement.start >= now && placement.start < release =>
        {
            Some(format!("its material comes at {release}"))
        }
        Event::Cancelled { order } if placement.order == order && placement.start >= now => {
            Some("its order is cancelled".to_owned())
        }
        _ => None,
    }
}

/// Every operation that is elsewhere in the second plan than in the first, and why; what does not exist in its
/// problem is called by its number.
pub fn difference(
    (problem, plan): (&Problem, &Plan),
    (after, replanned): (&Problem, &Plan),
    events: &[Event],
) -> Vec<Change> {
    let mut changes = Vec::new();
    let place = |problem: &Problem, it: &Placement| {
        let machine = problem.machines.get(it.machine).map(|machine| machine.name.clone());
        (machine.unwrap_or_else(|| format!("machine {}", it.machine)), it.start)
    };
    let find = |plan: &Plan, wanted: &Placement| {
        let is_same =
            |it: &&Placement| (it.order, it.operation) == (wanted.order, wanted.operation);
        plan.placements.iter().find(is_same).copied()
    };
    for before in &plan.placements {
        let now = find(replanned, before);
        if now.is_some_and(|now| (now.machine, now.start) == (before.machine, before.start)) {
            continue;
        }
        let (order, operation) = names(problem, before);
        changes.push(Change {
            order,
            operation,
            before: Some(place(problem, before)),
            after: now.map(|now| place(after, &now)),
            because: events.iter().find_map(|event| hit(event, before, after.now)),
        });
    }
    for now in replanned.placements.iter().filter(|now| find(plan, now).is_none()) {
        let (order, operation) = names(after, now);
        changes.push(Change {
            order,
            operation,
            before: None,
            after: Some(place(after, now)),
            because: None,
        });
    }
    changes
}

/// Names of the order and the operation of a placement.
pub(super) fn names(problem: &Problem, placement: &Placement) -> (String, String) {
    let &Placement { order, operation, .. } = placement;
    let known = problem.orders.get(order).map(|order| order.name.clone());
    let step = problem.operation(order, operation).map(|operation| operation.name.clone());
    (
        known.unwrap_or_else(|| format!("order {order}")),
        step.unwrap_or_else(|| format!("operation {operation}")),
    )
}
