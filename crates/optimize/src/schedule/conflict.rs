//! Why there is no plan: the smallest set of things that cannot go together.

use std::fmt;

use thiserror::Error;

use super::Problem;
use super::calendar::Calendar;
use super::error::ProblemError;
use super::problem::{Operation, Order};

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
    /// Everybody with the skill is away for too long.
    Away {
        /// Name of the order.
        order: String,
        /// Name of the operation.
        operation: String,
        /// The skill.
        skill: String,
        /// Names of all who have it.
        workers: Vec<String>,
        /// When they could have done it if there were nothing else to do.
        end: i64,
        /// The end of the plan.
        horizon: i64,
    },
    /// Orders that only some workers can do need more time than those have.
    Workers {
        /// Names of the workers.
        workers: Vec<String>,
        /// Names of the orders, as few as show it.
        orders: Vec<String>,
        /// What they need.
        needed: i64,
        /// How long the workers are there, together.
        open: i64,
    },
    /// Orders that only some machines can do need more than those are open.
    Load {
        /// Names of the machines.
        machines: Vec<String>,
        /// Names of the orders, as few as show it.
        orders: Vec<String>,
        /// What they need there.
        needed: i64,
        /// How long the machines are open, together.
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
            Self::Away { order, operation, skill, workers, end, horizon } => write!(
                out,
                "{order}, {operation} needs skill {skill}, and with the times of {} it could be finished at {end} at the earliest, after the horizon {horizon}",
                workers.join(" and ")
            ),
            Self::Workers { workers, orders, needed, open } => write!(
                out,
                "{} need {needed} of {}, there for {open}",
                orders.join(", "),
                workers.join(" and ")
            ),
            Self::Load { machines, orders, needed, open } => write!(
                out,
                "{} need {needed} on {}, open for {open}",
                orders.join(", "),
                machines.join(" and ")
            ),
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
            if let Some(away) = away(problem, &calendars, order, operation, free, end) {
                found.push(away);
            }
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
        found.extend(overloads(problem, &calendars));
    }
    found
}

/// Whether an operation that its machines could finish by the horizon waits too long for whoever has the skill.
fn away(
    problem: &Problem,
    calendars: &[Calendar],
    order: &Order,
    operation: &Operation,
    free: i64,
    end: i64,
) -> Option<Conflict> {
    let skill = operation.skill.as_ref()?;
    let skilled = || problem.workers.iter().filter(|worker| worker.skills.contains(skill));
    let ends = skilled().flat_map(|worker| {
        let absent = Calendar::new(&worker.closed);
        operation.modes.iter().map(move |mode| {
            let both = calendars[mode.machine].union(&absent);
            both.fit(free, mode.duration, operation.can_pause).1
        })
    });
    let with_workers = ends.min()?;
    if end > problem.horizon || with_workers <= problem.horizon {
        return None;
    }
    Some(Conflict::Away {
        order: order.name.clone(),
        operation: operation.name.clone(),
        skill: skill.clone(),
        workers: skilled().map(|worker| worker.name.clone()).collect(),
        end: with_workers,
        horizon: problem.horizon,
    })
}

/// Machines, and workers, that operations have no choice but to share, and that are there for less than those take.
fn overloads(problem: &Problem, calendars: &[Calendar]) -> Vec<Conflict> {
    let mut found = Vec::new();
    let on_machines = needs(problem, |operation| {
        let mut machines: Vec<usize> = operation.modes.iter().map(|mode| mode.machine).collect();
        machines.sort_unstable();
        machines.dedup();
        machines
    });
    for Overload { of, orders, needed, open } in overloaded(problem, &on_machines, calendars) {
        let machines = of.iter().map(|&idx| problem.machines[idx].name.clone()).collect();
        found.push(Conflict::Load { machines, orders, needed, open });
    }
    let absent: Vec<Calendar> =
        problem.workers.iter().map(|worker| Calendar::new(&worker.closed)).collect();
    let of_workers = needs(problem, |operation| {
        let has = |idx: &usize| {
            operation
                .skill
                .as_ref()
                .is_some_and(|skill| problem.workers[*idx].skills.contains(skill))
        };
        (0..problem.workers.len()).filter(has).collect()
    });
    for Overload { of, orders, needed, open } in overloaded(problem, &of_workers, &absent) {
        let workers = of.iter().map(|&idx| problem.workers[idx].name.clone()).collect();
        found.push(Conflict::Workers { workers, orders, needed, open });
    }
    found
}

/// What one operation takes at least, of which machines or workers.
struct Need {
    order: usize,
    of: Vec<usize>,
    shortest: i64,
}

fn needs(problem: &Problem, of: impl Fn(&Operation) -> Vec<usize>) -> Vec<Need> {
    let mut needs = Vec::new();
    for (idx, order) in problem.orders.iter().enumerate() {
        let n_frozen = problem.frozen.iter().filter(|placement| placement.order == idx).count();
        for operation in order.operations.iter().skip(n_frozen) {
            let shortest = operation.modes.iter().map(|mode| mode.duration).min().unwrap_or(0);
            needs.push(Need { order: idx, of: of(operation), shortest });
        }
    }
    needs.retain(|need| !need.of.is_empty());
    needs
}

struct Overload {
    of: Vec<usize>,
    orders: Vec<String>,
    needed: i64,
    open: i64,
}

/// Every smallest set of things that some operation can choose from, and that all operations bound to it overload.
fn overloaded(problem: &Problem, needs: &[Need], calendars: &[Calendar]) -> Vec<Overload> {
    let mut sets: Vec<&Vec<usize>> = needs.iter().map(|need| &need.of).collect();
    sets.sort_unstable_by_key(|set| (set.len(), *set));
    sets.dedup();
    let mut found: Vec<Overload> = Vec::new();
    for set in sets {
        let is_within = |of: &[usize]| of.iter().all(|idx| set.contains(idx));
        if found.iter().any(|known| is_within(&known.of)) {
            continue;
        }
        let mut loads = vec![0_i64; problem.orders.len()];
        needs.iter().filter(|it| is_within(&it.of)).for_each(|it| loads[it.order] += it.shortest);
        let open = |&idx: &usize| calendars[idx].total_open(problem.now, problem.horizon);
        let open = set.iter().map(open).sum();
        if let Some((orders, needed)) = fewest_above(problem, &loads, open) {
            found.push(Overload { of: set.clone(), orders, needed, open });
        }
    }
    found
}

/// The fewest orders whose loads together are above a limit, and what those are.
fn fewest_above(problem: &Problem, loads: &[i64], limit: i64) -> Option<(Vec<String>, i64)> {
    let mut by_load: Vec<usize> = (0..loads.len()).collect();
    by_load.sort_by_key(|&order| -loads[order]);
    let mut needed = 0;
    for (n_before, &order) in by_load.iter().enumerate() {
        needed += loads[order];
        if needed > limit {
            let names = by_load[..=n_before].iter().map(|&it| problem.orders[it].name.clone());
            return Some((names.collect(), needed));
        }
    }
    None
}
