//! The job shop without a plant around it: jobs, machines, durations, makespan.
//!
//! This is the model of the academic instances, and the kernel for plants that need no more. [`solve`] races a
//! tabu search with path relinking on all threads but one against a proof of optimality on the last.
//!
//! ```text
//! Shop ─► bound (one-machine relaxation) ─┐
//!   ├─► tabu + relink (threads 1..n) ──────┼─► incumbent ─► ShopPlan
//!   └─► prove (aries, last thread) ────────┘
//! ```

mod bound;
mod graph;
mod moves;
mod pool;
mod prove;
mod race;
mod rounds;
mod tabu;
#[cfg(test)]
mod tests;

pub use race::solve;

use thiserror::Error;

use crate::Stop;

/// Largest index of a machine; there is a list for each up to the largest that is used.
const MAX_MACHINES: usize = 1 << 20;

/// A machine that can do an operation, and how long it takes there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// Index of the machine.
    pub machine: usize,
    /// Duration in the shop's unit of time; not negative.
    pub duration: i64,
}

/// Why a shop cannot be scheduled as it was given.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ShopError {
    /// No machine can do an operation.
    #[error("job {job} operation {operation}: no machine can do it; name at least one")]
    NoMachine {
        /// Index of the job.
        job: usize,
        /// Index of the operation in its job.
        operation: usize,
    },
    /// A duration below zero.
    #[error("job {job} operation {operation}: duration {duration} is below zero")]
    NegativeDuration {
        /// Index of the job.
        job: usize,
        /// Index of the operation in its job.
        operation: usize,
        /// What was given.
        duration: i64,
    },
    /// A machine with a number that no plant needs.
    #[error(
        "job {job} operation {operation}: machine {machine} is above {MAX_MACHINES}; number machines from 0"
    )]
    Machine {
        /// Index of the job.
        job: usize,
        /// Index of the operation in its job.
        operation: usize,
        /// What was given.
        machine: usize,
    },
    /// All durations together do not fit the kernel's 30 bits.
    #[error("durations add up to {total}, above 2^30; use a coarser unit of time")]
    TooLong {
        /// Sum of the longest duration of each operation.
        total: i64,
    },
}

/// A job shop: operations of a job follow each other, a machine does one operation at a time, nothing is interrupted.
///
/// An operation with several [`Choice`]s makes the shop a flexible one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shop {
    /// Choices of all operations, operation by operation.
    choices: Vec<Choice>,
    /// Where the choices of each operation begin; one entry more than there are operations.
    choices_from: Vec<usize>,
    /// Where the operations of each job begin; one entry more than there are jobs.
    job_from: Vec<usize>,
    n_machines: usize,
}

impl Shop {
    /// A shop from the choices of each operation of each job.
    ///
    /// # Errors
    /// If an operation has no choice, a negative duration or a machine numbered beyond 2²⁰, or the durations overflow.
    pub fn new(jobs: &[Vec<Vec<Choice>>]) -> Result<Self, ShopError> {
        let mut shop =
            Self { choices: Vec::new(), choices_from: vec![0], job_from: vec![0], n_machines: 0 };
        let mut total = 0_i64;
        for (job, operations) in jobs.iter().enumerate() {
            for (operation, choices) in operations.iter().enumerate() {
                let longest = longest(job, operation, choices)?;
                total = total.saturating_add(longest);
                shop.choices.extend_from_slice(choices);
                shop.choices_from.push(shop.choices.len());
            }
            shop.job_from.push(shop.choices_from.len() - 1);
        }
        if total >= 1 << 30 {
            return Err(ShopError::TooLong { total });
        }
        shop.n_machines = shop.choices.iter().map(|choice| choice.machine + 1).max().unwrap_or(0);
        Ok(shop)
    }

    /// A classic job shop from `(machine, duration)` of each operation of each job.
    ///
    /// # Errors
    /// As [`Shop::new`].
    pub fn classic(jobs: &[Vec<(usize, i64)>]) -> Result<Self, ShopError> {
        let choices = |&(machine, duration): &(usize, i64)| vec![Choice { machine, duration }];
        let jobs: Vec<Vec<Vec<Choice>>> =
            jobs.iter().map(|job| job.iter().map(choices).collect()).collect();
        Self::new(&jobs)
    }

    /// Number of jobs.
    pub fn n_jobs(&self) -> usize {
        self.job_from.len() - 1
    }

    /// Number of machines.
    pub fn n_machines(&self) -> usize {
        self.n_machines
    }

    /// Number of operations of all jobs.
    pub fn n_operations(&self) -> usize {
        self.choices_from.len() - 1
    }

    fn choices(&self, operation: usize) -> &[Choice] {
        &self.choices[self.choices_from[operation]..self.choices_from[operation + 1]]
    }

    fn operations(&self, job: usize) -> std::ops::Range<usize> {
        self.job_from[job]..self.job_from[job + 1]
    }

    fn is_flexible(&self) -> bool {
        self.choices.len() > self.n_operations()
    }

    /// The machine of an operation that has no other.
    fn only_machine(&self, operation: usize) -> Option<usize> {
        let (first, others) = self.choices(operation).split_first()?;
        others.iter().all(|choice| choice.machine == first.machine).then_some(first.machine)
    }

    fn shortest(&self, operation: usize) -> i64 {
        self.choices(operation).iter().map(|choice| choice.duration).min().unwrap_or(0)
    }
}

fn longest(job: usize, operation: usize, choices: &[Choice]) -> Result<i64, ShopError> {
    if let Some(choice) = choices.iter().find(|choice| choice.duration < 0) {
        let duration = choice.duration;
        return Err(ShopError::NegativeDuration { job, operation, duration });
    }
    if let Some(choice) = choices.iter().find(|choice| choice.machine > MAX_MACHINES) {
        return Err(ShopError::Machine { job, operation, machine: choice.machine });
    }
    let longest = choices.iter().map(|choice| choice.duration).max();
    longest.ok_or(ShopError::NoMachine { job, operation })
}

/// One operation in a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// Index of the machine.
    pub machine: usize,
    /// When it starts; the plan begins at 0.
    pub start: i64,
    /// When it ends.
    pub end: i64,
}

/// A plan for a [`Shop`], with what is known about how good it can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShopPlan {
    /// For each job its operations in order.
    pub jobs: Vec<Vec<Placed>>,
    /// When the last operation ends.
    pub makespan: i64,
    /// No plan ends earlier than this.
    pub bound: i64,
    /// Tabu moves made on all threads.
    pub n_iterations: u64,
    /// Why the search ended.
    pub stop: Stop,
}

impl ShopPlan {
    /// What is wrong with the plan, one sentence each; nothing where it is feasible.
    ///
    /// Looks at the shop and the plan alone, and shares no code with the search.
    pub fn violations(&self, shop: &Shop) -> Vec<String> {
        let mut found = Vec::new();
        let mut by_machine: Vec<Vec<(i64, i64)>> = vec![Vec::new(); shop.n_machines];
        for job in 0..shop.n_jobs() {
            let placed = self.jobs.get(job).map_or(&[][..], Vec::as_slice);
            let operations = shop.operations(job);
            if placed.len() != operations.len() {
                found.push(format!(
                    "job {job} has {} of {} operations",
                    placed.len(),
                    operations.len()
                ));
                continue;
            }
            let mut free = 0;
            for (idx, (operation, placed)) in operations.zip(placed).enumerate() {
                let duration = placed.end.saturating_sub(placed.start);
                let choice = Choice { machine: placed.machine, duration };
                if !shop.choices(operation).contains(&choice) {
                    found.push(format!(
                        "job {job} operation {idx} cannot take {duration} on machine {}",
                        placed.machine
                    ));
                    continue;
                }
                if placed.start < free {
                    found.push(format!(
                        "job {job} operation {idx} starts at {} before {free}",
                        placed.start
                    ));
                }
                free = placed.end;
                by_machine[placed.machine].push((placed.start, placed.end));
            }
        }
        for (machine, spans) in by_machine.iter_mut().enumerate() {
            spans.sort_unstable();
            let overlaps = spans.windows(2).filter(|pair| pair[1].0 < pair[0].1);
            found.extend(
                overlaps.map(|pair| format!("machine {machine} does two at {}", pair[1].0)),
            );
        }
        let end = self.jobs.iter().flatten().map(|placed| placed.end).max().unwrap_or(0);
        if end != self.makespan {
            found.push(format!("the plan ends at {end}, not at {}", self.makespan));
        }
        found
    }
}
