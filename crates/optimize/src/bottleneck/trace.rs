//! Parts as they passed through a serial line.

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

/// A trace that cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
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
    /// If the numbers do not fit together or a time is negative.
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

    /// Parts in the trace.
    pub fn n_parts(&self) -> usize {
        self.services.len() / self.names.len()
    }
}
