//! Why there is no plan: the smallest set of things that cannot go together.

use std::fmt;

use thiserror::Error;

use super::Problem;
use super::calendar::Calendar;
use super::problem::ProblemError;

/// Things that cannot go together; leave any of them out, and the rest can.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conflict {
    /// No machine is named for an operation.
    NoMachine {
        /// Name of the order.
        order: String,
        /// Name of the operation.
        operation: String,
    },
    /// Nobody has the skill.
    Skill {
        /// Name of the order.
        order: String,
        /// The skill.
        skill: String,
    },
    /// An operation is longer than any open time of its machines.
    Window {
        /// Name of the order.
        order: String,
        /// Name of the operation.
        operation: String,
        /// Its shortest duration.
        duration: i64,
        /// The longest open time.
        longest_open: i64,
    },
    /// An order takes longer than there is time.
    Horizon {
        /// Name of the order.
        order: String,
        /// When it could be finished if it were alone.
        end: i64,
        /// The end of the plan.
        horizon: i64,
    },
    /// Orders that only one machine can do need more than it is open.
    Load {
        /// Name of the machine.
        machine: String,
        /// Names of the orders, as few as show it.
        orders: Vec<String>,
        /// What they need there.
        needed: i64,
        /// How long it is open.
        open: i64,
    },
}

impl fmt::Display for Conflict {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoMachine { order, operation } => {
                write!(out, "{order}, {operation}: no machine can do it")
            }
            Self::Skill { order, skill } => {
                write!(out, "{order} needs skill {skill}, no worker has it")
            }
            Self::Window { order, operation, duration, longest_open } => write!(
                out,
                "{order}, {operation} takes {duration}, and the longest time in a row that it could have is {longest_open}"
            ),
            Self::Horizon { order, end, horizon } => {
                write!(
                    out,
                    "{order} could be finished at {end} at the earliest, after the horizon {horizon}"
                )
            }
            Self::Load { machine, orders, needed, open } => {
                write!(
                    out,
                    "{} need {needed} on {machine}, which is open for {open}",
                    orders.join(", ")
                )
            }
        }
    }
}

/// Why there is no plan.
#[derive(Debug, Error, PartialEq)]
pub enum SolveError {
    /// The problem is malformed.
    #[error("the scheduling problem is malformed")]
    Malformed(#[from] ProblemError),
    /// No plan can exist, for each of these reasons by itself.
    #[error("no plan exists: {}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Infeasible(Vec<Conflict>),
    /// None was found that ends by the horizon, though nothing shows that there is none.
    #[error(
        "the best plan found ends at {end}, after the horizon {horizon}; search longer or move the horizon"
    )]
    TooLate {
        /// When the best plan ends.
        end: i64,
        /// The end of the plan.
        horizon: i64,
    },
}

/// Every conflict that can be shown without search; empty where none is known.
pub(super) fn conflicts(problem: &Problem) -> Vec<Conflict> {
    let calendars: Vec<Calendar> =
        problem.machines.iter().map(|machine| Calendar::new(&machine.closed)).collect();
    let mut found = Vec::new();
    for (idx, order) in problem.orders.iter().enumerate() {
        let n_frozen = problem.frozen.iter().filter(|placement| placement.order == idx).count();
        let frozen_end =
            problem.frozen.iter().filter(|placement| placement.order == idx).map(|it| it.end).max();
        let mut free = frozen_end.unwrap_or(0).max(order.release).max(problem.now);
        let n_before = found.len();
        for operation in order.operations.iter().skip(n_frozen) {
            let names = || (order.name.clone(), operation.name.clone());
            if let Some(skill) = operation.skill.as_ref()
                && !problem.workers.iter().any(|worker| worker.skills.contains(skill))
            {
                found.push(Conflict::Skill { order: order.name.clone(), skill: skill.clone() });
                continue;
            }
            let ends = operation.modes.iter().map(|mode| {
                calendars[mode.machine].fit(free, mode.duration, operation.can_pause).1
            });
            let Some(end) = ends.min() else {
                let (order, operation) = names();
                found.push(Conflict::NoMachine { order, operation });
                continue;
            };
            let open = |machine: usize| calendars[machine].longest_open(free, problem.horizon);
            let longest_open =
                operation.modes.iter().map(|mode| open(mode.machine)).max().unwrap_or(0);
            let duration = operation.modes.iter().map(|mode| mode.duration).min().unwrap_or(0);
            if end > problem.horizon && duration > longest_open && !operation.can_pause {
                let (order, operation) = names();
                found.push(Conflict::Window { order, operation, duration, longest_open });
            }
            free = end;
        }
        if free > problem.horizon && found.len() == n_before {
            found.push(Conflict::Horizon {
                order: order.name.clone(),
                end: free,
                horizon: problem.horizon,
            });
        }
    }
    if found.is_empty() {
        found.extend(
            (0..problem.machines.len())
                .filter_map(|machine| overload(problem, machine, &calendars[machine])),
        );
    }
    found
}

/// The fewest orders whose operations, which no other machine can do, need more than the machine is open.
fn overload(problem: &Problem, machine: usize, calendar: &Calendar) -> Option<Conflict> {
    let mut loads: Vec<(i64, &str)> = Vec::new();
    for (idx, order) in problem.orders.iter().enumerate() {
        let n_frozen = problem.frozen.iter().filter(|placement| placement.order == idx).count();
        let only_here = order.operations.iter().skip(n_frozen).filter(|operation| {
            !operation.modes.is_empty()
                && operation.modes.iter().all(|mode| mode.machine == machine)
        });
        let shortest = only_here
            .map(|operation| operation.modes.iter().map(|mode| mode.duration).min().unwrap_or(0));
        loads.push((shortest.sum(), &order.name));
    }
    loads.sort_by_key(|&(load, _)| -load);
    let open = calendar.total_open(problem.now, problem.horizon);
    let mut needed = 0;
    let mut orders = Vec::new();
    for (load, name) in loads {
        needed += load;
        orders.push(name.to_owned());
        if needed > open {
            let machine = problem.machines[machine].name.clone();
            return Some(Conflict::Load { machine, orders, needed, open });
        }
    }
    None
}
