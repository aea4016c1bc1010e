//! What has to be made, on what, by whom and when.

use super::error::ProblemError;
use super::plan::Placement;
use crate::range::{RangeError, check_between};

/// The last moment that a plan knows; times are whole units from 0 to here.
pub const FAR: i64 = 1 << 40;

/// A machine with its calendar and its set-ups.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Machine {
    /// What people call it.
    pub name: String,
    /// When it cannot run: free shifts, maintenance windows, breakdowns; from and to, in any order.
    pub closed: Vec<(i64, i64)>,
    /// Set-up time from one family (row) to another (column); empty for none.
    pub setups: Vec<Vec<i64>>,
    /// The family that it is set up for at the beginning; `None` if its first job needs no set-up.
    pub family: Option<usize>,
}

/// Somebody who runs machines, one operation at a time.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Worker {
    /// What people call them.
    pub name: String,
    /// What they can do.
    pub skills: Vec<String>,
    /// When they are not there.
    pub closed: Vec<(i64, i64)>,
}

/// One way to do an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mode {
    /// Index of the machine.
    pub machine: usize,
    /// Running time without set-up; a step of 0 needs none and leaves the machine set up as it is.
    pub duration: i64,
    /// Power drawn while it runs or is set up.
    pub power_kw: f64,
}

/// One step of an order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Operation {
    /// What people call it.
    pub name: String,
    /// Where it can be done.
    pub modes: Vec<Mode>,
    /// Family for set-ups.
    pub family: usize,
    /// Skill of the worker that it keeps busy; `None` if it needs nobody.
    pub skill: Option<String>,
    /// Whether it may stop when its machine or its worker is off, and go on afterwards.
    pub can_pause: bool,
}

/// Something to be made, operation after operation.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// What people call it.
    pub name: String,
    /// When its material is there.
    pub release: i64,
    /// When it should be finished; later costs.
    pub due: Option<i64>,
    /// How much a unit of lateness weighs against that of other orders.
    pub weight: f64,
    /// Its steps, in order.
    pub operations: Vec<Operation>,
}

/// What the plan is judged by: one number per unit of each.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Weights {
    /// Per unit of time until the last order is finished.
    pub makespan: f64,
    /// Per unit of time that an order of weight 1 is late.
    pub tardiness: f64,
    /// Per unit of time spent on set-ups.
    pub setup: f64,
    /// Per unit of the currency of the prices.
    pub energy: f64,
    /// Per operation that starts at another time or on another machine than in [`Problem::previous`].
    pub change: f64,
}

/// A scheduling problem of a plant.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Problem {
    /// Machines.
    pub machines: Vec<Machine>,
    /// Workers.
    pub workers: Vec<Worker>,
    /// Orders.
    pub orders: Vec<Order>,
    /// Energy price from a moment on, per kWh, in time order; before the first one it is that of the first.
    pub prices: Vec<(i64, f64)>,
    /// Hours in one unit of time.
    pub hours_per_unit: f64,
    /// What counts.
    pub weights: Weights,
    /// Nothing that is not frozen starts before.
    pub now: i64,
    /// Everything must be finished by then.
    pub horizon: i64,
    /// Operations that stay where they are: for each order its first ones.
    pub frozen: Vec<Placement>,
    /// The plan in force, for what [`Weights::change`] counts.
    pub previous: Vec<Placement>,
}

impl Problem {
    /// Number of operations of all orders.
    pub fn n_operations(&self) -> usize {
        self.orders.iter().map(|order| order.operations.len()).sum()
    }

    /// Finds what is malformed.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn check(&self) -> Result<(), ProblemError> {
        check_value("the plan", "its present", self.now as f64, FAR as f64)?;
        check_value("the plan", "its horizon", self.horizon as f64, FAR as f64)?;
        check_value("the plan", "hours in a unit of time", self.hours_per_unit, 1e6)?;
        let weights = &self.weights;
        for weight in
            [weights.makespan, weights.tardiness, weights.setup, weights.energy, weights.change]
        {
            check_value("the plan", "a weight", weight, 1e12)?;
        }
        let mut before = 0;
        for &(from, price) in &self.prices {
            check_between("the prices", "a time", from as f64, before as f64, FAR as f64)?;
            before = from;
            check_between("the prices", "a price", price, -1e9, 1e9)?;
        }
        self.machines.iter().try_for_each(Machine::check)?;
        self.workers.iter().try_for_each(|worker| check_closed(&worker.name, &worker.closed))?;
        self.orders.iter().try_for_each(|order| self.check_order(order))?;
        self.check_frozen()?;
        self.check_previous()
    }

    fn check_order(&self, order: &Order) -> Result<(), ProblemError> {
        check_value(&order.name, "release", order.release as f64, FAR as f64)?;
        check_value(&order.name, "due date", order.due.unwrap_or(0) as f64, FAR as f64)?;
        check_value(&order.name, "weight", order.weight, 1e9)?;
        for operation in &order.operations {
            for mode in &operation.modes {
                check_value(&order.name, "duration", mode.duration as f64, (1_u64 << 28) as f64)?;
                check_value(&order.name, "power", mode.power_kw, 1e9)?;
                let machine =
                    self.machines.get(mode.machine).ok_or_else(|| ProblemError::Machine {
                        order: order.name.clone(),
                        operation: operation.name.clone(),
                        machine: mode.machine,
                        n_machines: self.machines.len(),
                    })?;
                machine.check_family(operation.family)?;
            }
        }
        Ok(())
    }

    fn check_frozen(&self) -> Result<(), ProblemError> {
        let mut n_frozen = vec![0; self.orders.len()];
        let mut frozen: Vec<&Placement> = self.frozen.iter().collect();
        frozen.sort_by_key(|placement| (placement.order, placement.operation));
        for placement in frozen {
            let &Placement { order, operation, machine, worker, .. } = placement;
            let known = self.operation(order, operation);
            let is_known = known
                .is_some_and(|known| known.modes.iter().any(|mode| mode.machine == machine))
                && worker.is_none_or(|worker| worker < self.workers.len());
            if !is_known || n_frozen[order] != operation {
                return Err(ProblemError::Frozen { order, operation });
            }
            n_frozen[order] += 1;
            let (who, far) = (&self.orders[order].name, FAR as f64);
            let (start, end) = (placement.start as f64, placement.end as f64);
            check_value(who, "start of a frozen operation", start, far)?;
            check_between(who, "end of a frozen operation", end, start, far)?;
            let setup = placement.setup as f64;
            check_value(who, "set-up of a frozen operation", setup, end - start)?;
        }
        Ok(())
    }

    fn check_previous(&self) -> Result<(), ProblemError> {
        for &Placement { order, operation, .. } in &self.previous {
            if self.operation(order, operation).is_none() {
                return Err(ProblemError::Previous { order, operation });
            }
        }
        Ok(())
    }

    /// An operation, if it exists.
    pub(super) fn operation(&self, order: usize, operation: usize) -> Option<&Operation> {
        self.orders.get(order)?.operations.get(operation)
    }

    /// Price of a kWh at a moment; 0 where there are no prices.
    pub(super) fn price(&self, time: i64) -> f64 {
        let next = self.prices.partition_point(|&(from, _)| from <= time);
        self.prices.get(next.saturating_sub(1)).map_or(0.0, |&(_, price)| price)
    }
}

impl Machine {
    /// Time to set it up for a family.
    pub(super) fn setup(&self, from: Option<usize>, to: usize) -> i64 {
        from.and_then(|from| self.setups.get(from)?.get(to).copied()).unwrap_or(0)
    }

    fn check(&self) -> Result<(), ProblemError> {
        check_closed(&self.name, &self.closed)?;
        for &setup in self.setups.iter().flatten() {
            check_value(&self.name, "set-up", setup as f64, (1_u64 << 28) as f64)?;
        }
        self.family.map_or(Ok(()), |family| self.check_family(family))
    }

    fn check_family(&self, family: usize) -> Result<(), ProblemError> {
        let n = self.setups.len();
        let is_square = self.setups.iter().all(|row| row.len() == n);
        if n == 0 || (is_square && family < n) {
            return Ok(());
        }
        Err(ProblemError::Family { machine: self.name.clone(), family })
    }
}

fn check_closed(who: &str, closed: &[(i64, i64)]) -> Result<(), RangeError> {
    closed.iter().try_for_each(|&(from, to)| {
        check_value(who, "start of a closed time", from as f64, FAR as f64)?;
        check_between(who, "end of a closed time", to as f64, from as f64, FAR as f64)
    })
}

fn check_value(who: &str, what: &'static str, value: f64, high: f64) -> Result<(), RangeError> {
    check_between(who, what, value, 0.0, high)
}
