//! Schedules whose optimum is known, because the plan came first and the problem was built around it.
//!
//! Every family says in its own file why no plan can cost less than [`Planted::least`]. The argument uses the problem
//! alone: neither a search, nor a decoder, nor a bound of `optimize`. That the planted plan is allowed and costs as
//! much is left to the judge, [`optimize::schedule::violations`], in the tests.
//!
//! Times are minutes.

mod cheap;
mod due;
mod hours;
mod late;
mod line;
mod repair;
mod shifts;
mod skill;
mod smith;
mod tour;

use optimize::Stop;
use optimize::schedule::{Cost, Mode, Operation, Order, Placement, Plan, Problem};

use super::Family;
use crate::random::Random;

/// A problem, a plan for it, and what no plan can cost less than.
#[derive(Debug)]
pub(crate) struct Planted {
    pub(crate) problem: Problem,
    /// One of the best plans.
    pub(crate) plan: Plan,
    /// The cost that the argument of the family shows to be the least.
    pub(crate) least: f64,
}

/// Every family, the plainest terms first, by orders.
pub(crate) const FAMILIES: [Family<Planted>; 8] = [
    Family {
        name: "smith",
        about: "weighted ends on one machine",
        sizes: [10, 50, 500],
        has_peer: true,
        plant: smith::plant,
    },
    Family {
        name: "late",
        about: "no waiting, lateness that cannot be helped",
        sizes: [5, 20, 150],
        has_peer: true,
        plant: late::plant,
    },
    Family {
        name: "due",
        about: "every term, all due dates can be met",
        sizes: [5, 20, 100],
        has_peer: true,
        plant: due::plant,
    },
    Family {
        name: "tour",
        about: "set-ups by sequence on one machine in shifts",
        sizes: [6, 24, 120],
        has_peer: true,
        plant: tour::plant,
    },
    Family {
        name: "shifts",
        about: "two machines whose shifts are filled to the minute",
        sizes: [10, 40, 200],
        has_peer: true,
        plant: shifts::plant,
    },
    Family {
        name: "skill",
        about: "one welder, who could also mill",
        sizes: [5, 20, 100],
        has_peer: true,
        plant: skill::plant,
    },
    Family {
        name: "cheap",
        about: "just enough cheap hours",
        sizes: [10, 40, 200],
        has_peer: true,
        plant: cheap::plant,
    },
    Family {
        name: "repair",
        about: "a breakdown, fewest changes",
        sizes: [10, 40, 300],
        has_peer: true,
        plant: repair::plant,
    },
];

/// A problem and its plan while they are made.
#[derive(Debug, Default)]
struct Draft {
    problem: Problem,
    placements: Vec<Placement>,
}

/// Where and when a step of the plan is done.
#[derive(Debug, Clone, Copy, Default)]
struct At {
    machine: usize,
    worker: Option<usize>,
    start: i64,
    setup: i64,
    end: i64,
}

impl Draft {
    /// Adds an order without steps; gives its index.
    fn order(&mut self, order: Order) -> usize {
        self.problem.orders.push(order);
        self.problem.orders.len() - 1
    }

    /// Adds the next step of an order, and where the plan has it.
    fn step(&mut self, order: usize, operation: Operation, at: At) {
        let operations = &mut self.problem.orders[order].operations;
        operations.push(operation);
        let At { machine, worker, start, setup, end } = at;
        let operation = operations.len() - 1;
        self.placements.push(Placement { order, operation, machine, worker, start, setup, end });
    }

    /// When everything is done.
    fn end(&self) -> i64 {
        self.placements.iter().map(|placement| placement.end).max().unwrap_or(0)
    }

    /// The problem with its orders in random order, so that their numbers do not tell the plan.
    ///
    /// `energy` and `n_changed` are parts of the cost of the plan, which the draft does not add up.
    fn finish(
        mut self,
        random: &mut Random,
        least: f64,
        (energy, n_changed): (f64, usize),
    ) -> Planted {
        let mut order_at: Vec<usize> = (0..self.problem.orders.len()).collect();
        random.shuffle(&mut order_at);
        let mut orders = vec![Order::default(); order_at.len()];
        for (order, &at) in std::mem::take(&mut self.problem.orders).into_iter().zip(&order_at) {
            orders[at] = Order { name: format!("order {at}"), ..order };
        }
        self.problem.orders = orders;
        for placements in
            [&mut self.placements, &mut self.problem.frozen, &mut self.problem.previous]
        {
            placements.iter_mut().for_each(|placement| placement.order = order_at[placement.order]);
            placements.sort_by_key(|placement| (placement.order, placement.operation));
        }
        if self.problem.horizon == 0 {
            // Room for bad plans too: finding any plan is not what is asked here.
            self.problem.horizon = 4 * self.end() + 10_080;
        }
        let cost = self.cost(energy, n_changed);
        let plan = Plan {
            placements: self.placements,
            cost,
            bound: least,
            n_iterations: 0,
            stop: Stop::Optimal,
        };
        Planted { problem: self.problem, plan, least }
    }

    fn cost(&self, energy: f64, n_changed: usize) -> Cost {
        let mut ends = vec![0; self.problem.orders.len()];
        self.placements.iter().for_each(|it| ends[it.order] = it.end.max(ends[it.order]));
        let late = self
            .problem
            .orders
            .iter()
            .zip(&ends)
            .map(|(order, &end)| order.weight * (end - order.due.unwrap_or(end)).max(0) as f64);
        let tardiness = late.sum();
        let (makespan, setup) = (self.end(), self.placements.iter().map(|it| it.setup).sum());
        let weights = self.problem.weights;
        let total = weights.makespan * makespan as f64
            + weights.tardiness * tardiness
            + weights.setup * setup as f64
            + weights.energy * energy
            + weights.change * n_changed as f64;
        Cost { makespan, tardiness, setup, energy, n_changed, total }
    }
}

fn mode(machine: usize, duration: i64) -> Mode {
    Mode { machine, duration, power_kw: 0.0 }
}

fn operation(name: &str, modes: Vec<Mode>) -> Operation {
    Operation { name: name.to_owned(), modes, ..Operation::default() }
}

fn machine(name: &str) -> optimize::schedule::Machine {
    optimize::schedule::Machine { name: name.to_owned(), ..Default::default() }
}
