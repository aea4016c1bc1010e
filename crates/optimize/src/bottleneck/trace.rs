//! Parts as they passed through a serial line.

use super::observed::FAR_US;

/// What one part needed on one machine.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Service {
    /// Working time in microseconds, which a faster machine shortens.
    pub work_us: i64,
    /// Down time while the part was on the machine, which it does not.
    pub down_us: i64,
}

/// The services of every part on every machine, and the buffers between.
#[derive(Debug, Clone, PartialEq)]
pub struct Trace {
    pub(super) names: Vec<String>,
    /// Part by part, machine by machine.
    pub(super) services: Vec<Service>,
    pub(super) buffers: Vec<usize>,
    pub(super) arrivals_us: Vec<i64>,
}

/// A machine of a trace with less work per part; made by [`Trace::faster`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Faster {
    pub(super) machine: usize,
    pub(super) percent: f64,
}

/// A trace that cannot be replayed, or not so.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum TraceError {
    /// There is no machine.
    #[error("the line has no machine; name at least one")]
    NoMachine,
    /// One buffer between each two machines is needed.
    #[error(
        "the line has {n_machines} machines and {n_buffers} buffers; give one buffer between each two machines"
    )]
    Buffers {
        /// Machines.
        n_machines: usize,
        /// Buffers given.
        n_buffers: usize,
    },
    /// A part has not one service per machine.
    #[error(
        "part {part} has {n_services} services on {n_machines} machines; give one for each, 0 if skipped"
    )]
    Services {
        /// Index of the part from 0.
        part: usize,
        /// Services given.
        n_services: usize,
        /// Machines.
        n_machines: usize,
    },
    /// A service is negative.
    #[error("part {part} has a negative time on {machine}; correct its start and finish")]
    Negative {
        /// Index of the part from 0.
        part: usize,
        /// Name of the machine.
        machine: String,
    },
    /// All times together are longer than can be told.
    #[error("the times of all parts add up to more than 30,000 years; give them in microseconds")]
    TooLong,
    /// A machine that is not there, or a speed that cannot be.
    #[error(
        "{percent} % less work on machine {machine} cannot be; name one of {n_machines} machines and 0 to 95 %"
    )]
    Faster {
        /// Index of the machine.
        machine: usize,
        /// Machines.
        n_machines: usize,
        /// Percent asked for.
        percent: f64,
    },
    /// The arrivals are not one per part in time order.
    #[error(
        "the arrivals must be one per part, in time order, or none at all for a line that never lacks material"
    )]
    Arrivals,
}

impl Trace {
    /// `services`: one row per part in the order in which they pass, with one service per machine.
    /// `buffers`: places between each two machines, 0 for none. `arrivals_us`: when each part is there for the first
    /// machine; empty if material never lacks.
    ///
    /// # Errors
    /// If the numbers do not fit together, a time is negative, or all together are beyond all calendars.
    pub fn new(
        names: Vec<String>,
        services: &[Vec<Service>],
        buffers: Vec<usize>,
        arrivals_us: Vec<i64>,
    ) -> Result<Self, TraceError> {
        let n_machines = names.len();
        if n_machines == 0 {
            return Err(TraceError::NoMachine);
        }
        if buffers.len() + 1 != n_machines {
            return Err(TraceError::Buffers { n_machines, n_buffers: buffers.len() });
        }
        for (part, row) in services.iter().enumerate() {
            if row.len() != n_machines {
                return Err(TraceError::Services { part, n_services: row.len(), n_machines });
            }
            if let Some(idx) = row.iter().position(|own| own.work_us < 0 || own.down_us < 0) {
                return Err(TraceError::Negative { part, machine: names[idx].clone() });
            }
        }
        let lengths_us = services.iter().flatten().flat_map(|own| [own.work_us, own.down_us]);
        let ends_us = arrivals_us.first().into_iter().chain(arrivals_us.last());
        let all_us = ends_us.map(|at| at.unsigned_abs()).chain(lengths_us.map(i64::unsigned_abs));
        if all_us.fold(0, u64::saturating_add) > FAR_US {
            return Err(TraceError::TooLong);
        }
        let is_sound = arrivals_us.is_empty() || arrivals_us.len() == services.len();
        if !is_sound || !arrivals_us.is_sorted() {
            return Err(TraceError::Arrivals);
        }
        Ok(Self { names, services: services.concat(), buffers, arrivals_us })
    }

    /// Names of the machines, in the order of the flow.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// A machine that works `percent` less per part.
    ///
    /// # Errors
    /// If there is no such machine, or the percentage is not between 0 and 95.
    pub fn faster(&self, machine: usize, percent: f64) -> Result<Faster, TraceError> {
        let n_machines = self.names.len();
        if machine < n_machines && (0.0..=95.0).contains(&percent) {
            return Ok(Faster { machine, percent });
        }
        Err(TraceError::Faster { machine, n_machines, percent })
    }

    /// Parts in the trace.
    pub fn n_parts(&self) -> usize {
        self.services.len() / self.names.len()
    }
}
