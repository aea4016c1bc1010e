//! From decisions to a plan: every operation in its turn, as early as everything it needs allows.

use super::calendar::Calendar;
use super::plan::{Cost, Placement};
use super::problem::Problem;

/// What the search decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Decision {
    /// Orders in turn: the k-th time an order comes, its k-th operation that is not frozen is placed.
    pub(super) turns: Vec<u32>,
    /// Mode of each operation.
    pub(super) modes: Vec<u32>,
    /// Each operation starts then at the earliest; for cheap hours.
    pub(super) not_before: Vec<i64>,
}

/// A problem with everything that does not change between plans worked out.
#[derive(Debug)]
pub(super) struct Decoder<'a> {
    pub(super) problem: &'a Problem,
    /// Where the operations of each order begin.
    pub(super) first: Vec<usize>,
    /// How many operations of each order are frozen.
    pub(super) n_frozen: Vec<usize>,
    /// For each operation the workers with its skill; `None` if it needs nobody.
    pub(super) workers: Vec<Option<Vec<usize>>>,
    machines: Vec<Calendar>,
    absences: Vec<Calendar>,
    /// Closed times of a machine and a worker together; empty where there are no workers.
    together: Vec<Vec<Calendar>>,
    /// The plan in force by operation.
    previous: Vec<Option<Placement>>,
}

/// Who is free when, while a plan is made.
pub(super) struct Free {
    orders: Vec<i64>,
    machines: Vec<i64>,
    workers: Vec<i64>,
    families: Vec<Option<usize>>,
    /// The next operation of each order.
    pub(super) next: Vec<usize>,
}

impl<'a> Decoder<'a> {
    /// `problem` must have passed its check.
    pub(super) fn new(problem: &'a Problem) -> Self {
        let mut first = vec![0];
        for order in &problem.orders {
            first.push(first[first.len() - 1] + order.operations.len());
        }
        let mut n_frozen = vec![0; problem.orders.len()];
        problem.frozen.iter().for_each(|placement| n_frozen[placement.order] += 1);
        let machines: Vec<Calendar> =
            problem.machines.iter().map(|machine| Calendar::new(&machine.closed)).collect();
        let absences: Vec<Calendar> =
            problem.workers.iter().map(|worker| Calendar::new(&worker.closed)).collect();
        let with_workers =
            |machine: &Calendar| absences.iter().map(|worker| machine.union(worker)).collect();
        let mut previous = vec![None; first[problem.orders.len()]];
        for placement in &problem.previous {
            previous[first[placement.order] + placement.operation] = Some(*placement);
        }
        let operations = problem.orders.iter().flat_map(|order| &order.operations);
        let workers = operations.map(|operation| {
            let skill = operation.skill.as_ref()?;
            let has = |&worker: &usize| problem.workers[worker].skills.contains(skill);
            Some((0..problem.workers.len()).filter(has).collect())
        });
        Self {
            workers: workers.collect(),
            together: machines.iter().map(with_workers).collect(),
            problem,
            first,
            n_frozen,
            machines,
            absences,
            previous,
        }
    }

    /// Closed times of a machine, and of the worker where there is one.
    pub(super) fn calendar(&self, machine: usize, worker: Option<usize>) -> &Calendar {
        worker.map_or(&self.machines[machine], |worker| &self.together[machine][worker])
    }

    /// Closed times of a worker.
    pub(super) fn absence(&self, worker: usize) -> &Calendar {
        &self.absences[worker]
    }

    /// Operations that are not frozen and that cost something if they move, with their starts in the plan in force.
    pub(super) fn kept(&self) -> Vec<(usize, i64)> {
        let mut kept = Vec::new();
        if self.problem.weights.change > 0.0 {
            for (order, &n_frozen) in self.n_frozen.iter().enumerate() {
                let open = self.first[order] + n_frozen..self.first[order + 1];
                kept.extend(open.filter_map(|idx| Some((idx, self.previous[idx]?.start))));
            }
        }
        kept
    }

    /// An operation in the plan in force.
    pub(super) fn in_force(&self, idx: usize) -> Option<Placement> {
        self.previous[idx]
    }

    /// Places every operation; at the end of time where a worker is missing.
    pub(super) fn decode(&self, decision: &Decision, placements: &mut Vec<Placement>) {
        placements.clear();
        let mut free = self.free();
        placements.extend_from_slice(&self.problem.frozen);
        for &order in &decision.turns {
            let order = order as usize;
            let idx = self.first[order] + free.next[order];
            let placement = self.place(&free, order, decision.modes[idx], decision.not_before[idx]);
            free.next[order] += 1;
            free.take(self.problem, &placement);
            placements.push(placement);
        }
        placements.sort_unstable_by_key(|placement| (placement.order, placement.operation));
    }

    /// Everybody as the frozen operations leave them.
    pub(super) fn free(&self) -> Free {
        let problem = self.problem;
        let mut free = Free {
            orders: problem.orders.iter().map(|order| order.release.max(problem.now)).collect(),
            machines: vec![problem.now; problem.machines.len()],
            workers: vec![problem.now; problem.workers.len()],
            families: problem.machines.iter().map(|machine| machine.family).collect(),
            next: self.n_frozen.clone(),
        };
        let mut frozen: Vec<&Placement> = problem.frozen.iter().collect();
        frozen.sort_by_key(|placement| placement.start);
        frozen.into_iter().for_each(|placement| free.take(problem, placement));
        free
    }

    /// The next operation of an order, as early as a mode and everybody allow, not before a moment.
    pub(super) fn place(&self, free: &Free, order: usize, mode: u32, not_before: i64) -> Placement {
        let operation = free.next[order];
        let idx = self.first[order] + operation;
        let described = &self.problem.orders[order].operations[operation];
        let mode = described.modes[mode as usize];
        let machine = &self.problem.machines[mode.machine];
        let setup = match mode.duration {
            0 => 0,
            _ => machine.setup(free.families[mode.machine], described.family),
        };
        let ready = free.orders[order].max(free.machines[mode.machine]).max(not_before);
        let at = |worker: Option<usize>, ready: i64| {
            let calendar = self.calendar(mode.machine, worker);
            let (start, end) = calendar.fit(ready, setup + mode.duration, described.can_pause);
            Placement { order, operation, machine: mode.machine, worker, start, setup, end }
        };
        let Some(workers) = &self.workers[idx] else { return at(None, ready) };
        let with = |&worker: &usize| at(Some(worker), ready.max(free.workers[worker]));
        let best =
            workers.iter().map(with).min_by_key(|placement| (placement.end, placement.start));
        best.unwrap_or_else(|| at(None, super::problem::FAR))
    }

    /// What a plan costs.
    pub(super) fn cost(&self, placements: &[Placement]) -> Cost {
        let problem = self.problem;
        let mut cost = Cost::default();
        for placement in placements {
            cost.makespan = cost.makespan.max(placement.end);
            cost.setup += placement.setup;
            if problem.weights.energy > 0.0 {
                cost.energy += self.energy(placement);
            }
            let idx = self.first[placement.order] + placement.operation;
            let is_moved = |before: &Placement| {
                (before.machine, before.start) != (placement.machine, placement.start)
            };
            cost.n_changed += usize::from(self.previous[idx].as_ref().is_some_and(is_moved));
            let order = &problem.orders[placement.order];
            if let Some(due) =
                order.due.filter(|_| placement.operation + 1 == order.operations.len())
            {
                cost.tardiness += order.weight * (placement.end - due).max(0) as f64;
            }
        }
        let weights = &problem.weights;
        cost.total = weights.makespan * cost.makespan as f64
            + weights.tardiness * cost.tardiness
            + weights.setup * cost.setup as f64
            + weights.energy * cost.energy
            + weights.change * cost.n_changed as f64;
        cost
    }

    /// What the energy of an operation costs.
    fn energy(&self, placement: &Placement) -> f64 {
        let operation = &self.problem.orders[placement.order].operations[placement.operation];
        let calendar = self.calendar(placement.machine, placement.worker);
        let open_parts = calendar.open_parts(placement.start, placement.end);
        let open: i64 = open_parts.iter().map(|(from, to)| to - from).sum();
        // A machine may do an operation in several ways, told apart by how long they take.
        let on_machine = || operation.modes.iter().filter(|mode| mode.machine == placement.machine);
        let exact = on_machine().find(|mode| mode.duration + placement.setup == open);
        let power_kw = exact.or(on_machine().next()).map_or(0.0, |mode| mode.power_kw);
        let mut sum = 0.0;
        for (mut from, to) in open_parts {
            while from < to {
                let next = self.problem.prices.partition_point(|&(start, _)| start <= from);
                let until = self.problem.prices.get(next).map_or(to, |&(start, _)| start.min(to));
                sum += self.problem.price(from) * (until - from) as f64;
                from = until;
            }
        }
        sum * power_kw * self.problem.hours_per_unit
    }
}

impl Free {
    /// Notes that somebody is busy.
    pub(super) fn take(&mut self, problem: &Problem, placement: &Placement) {
        let Placement { order, operation, machine, worker, end, .. } = *placement;
        self.orders[order] = self.orders[order].max(end);
        self.machines[machine] = self.machines[machine].max(end);
        if placement.start < end {
            self.families[machine] = Some(problem.orders[order].operations[operation].family);
        }
        if let Some(worker) = worker {
            self.workers[worker] = self.workers[worker].max(end);
        }
    }
}
