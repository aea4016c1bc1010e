//! What the machines of a line were seen doing.

/// What a machine does, as far as the flow of parts is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activity {
    /// It works on a part, is set up or changes a tool.
    Working,
    /// It is broken or under repair.
    Down,
    /// It is done, but the part cannot leave.
    Blocked,
    /// It waits for a part.
    Starved,
}

impl Activity {
    /// Whether others may have to wait for it: working and down are active, blocked and starved wait (Roser 2001).
    pub fn is_active(self) -> bool {
        matches!(self, Self::Working | Self::Down)
    }
}

/// One stretch of one machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// Index into the names of the machines, which stand in the order of the flow.
    pub machine: usize,
    /// Begin in microseconds since 1970.
    pub from_us: i64,
    /// End in microseconds since 1970, exclusive.
    pub to_us: i64,
    /// What it did.
    pub activity: Activity,
}

/// The machines of a serial line with what each of them did, in time order and without overlap.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    names: Vec<String>,
    stretches: Vec<Vec<Interval>>,
    gap_us: i64,
}

/// Observations that contradict themselves.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// An interval names a machine that is not in the list.
    #[error(
        "interval {idx} is of machine {machine}, but the line has {n_machines}; add the machine or drop it"
    )]
    Machine {
        /// Index of the interval from 0.
        idx: usize,
        /// What it names.
        machine: usize,
        /// How many there are.
        n_machines: usize,
    },
    /// An interval ends before it begins.
    #[error(
        "an interval of {machine} ends at {to_us} µs before its begin at {from_us} µs; correct its times"
    )]
    Reversed {
        /// Name of the machine.
        machine: String,
        /// Begin.
        from_us: i64,
        /// End.
        to_us: i64,
    },
    /// A time is so far away that lengths of time cannot be told.
    #[error(
        "an interval of {machine} at {at_us} µs is more than 30,000 years from 1970; correct the clock"
    )]
    Far {
        /// Name of the machine.
        machine: String,
        /// When.
        at_us: i64,
    },
    /// A machine does two things at once.
    #[error("{machine} does two things at {at_us} µs; end the first before the second begins")]
    Overlap {
        /// Name of the machine.
        machine: String,
        /// When.
        at_us: i64,
    },
}

/// Farthest time from 1970, so that no difference or sum of lengths overflows.
pub(super) const FAR_US: u64 = 1 << 60;

impl Observed {
    /// Sorts the intervals by machine and time; those of no length are dropped.
    ///
    /// `names`: machines in the order in which a part passes them. `gap_us`: time between two intervals that is
    /// still no pause (clocks and scan cycles); longer gaps are time in which nobody knows, and count as waiting.
    /// Cost: O(n), or O(n log n) if the intervals of a machine are not sorted.
    ///
    /// # Errors
    /// If an interval names no machine, ends before it begins, is beyond all calendars, or overlaps another of its
    /// machine.
    pub fn new(names: Vec<String>, intervals: &[Interval], gap_us: i64) -> Result<Self, Error> {
        let mut stretches: Vec<Vec<Interval>> = vec![Vec::new(); names.len()];
        for (idx, interval) in intervals.iter().enumerate() {
            let Some(own) = stretches.get_mut(interval.machine) else {
                let (machine, n_machines) = (interval.machine, names.len());
                return Err(Error::Machine { idx, machine, n_machines });
            };
            let Interval { from_us, to_us, .. } = *interval;
            if to_us < from_us {
                let machine = names[interval.machine].clone();
                return Err(Error::Reversed { machine, from_us, to_us });
            }
            if let Some(at_us) =
                [from_us, to_us].into_iter().find(|at_us| at_us.unsigned_abs() > FAR_US)
            {
                return Err(Error::Far { machine: names[interval.machine].clone(), at_us });
            }
            if to_us > from_us {
                own.push(*interval);
            }
        }
        for (own, name) in stretches.iter_mut().zip(&names) {
            own.sort_by_key(|stretch| stretch.from_us);
            if let Some(pair) = own.windows(2).find(|pair| pair[1].from_us < pair[0].to_us) {
                return Err(Error::Overlap { machine: name.clone(), at_us: pair[1].from_us });
            }
        }
        Ok(Self { names, stretches, gap_us: gap_us.max(0) })
    }

    /// Names of the machines, in the order of the flow.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// What one machine did, in time order; nothing for a machine that is not there.
    pub fn stretches(&self, machine: usize) -> &[Interval] {
        self.stretches.get(machine).map_or(&[], Vec::as_slice)
    }

    /// What was seen between two times; stretches that reach beyond are cut.
    pub(super) fn between(&self, from_us: i64, to_us: i64) -> Self {
        let cut = |stretch: &Interval| Interval {
            from_us: stretch.from_us.max(from_us),
            to_us: stretch.to_us.min(to_us),
            ..*stretch
        };
        let part = |own: &Vec<Interval>| {
            let first = own.partition_point(|stretch| stretch.to_us <= from_us);
            own[first..].iter().take_while(|stretch| stretch.from_us < to_us).map(cut).collect()
        };
        let stretches = self.stretches.iter().map(part).collect();
        Self { names: self.names.clone(), stretches, gap_us: self.gap_us }
    }

    /// Time between two intervals that is still no pause.
    pub fn gap_us(&self) -> i64 {
        self.gap_us
    }

    /// First begin and last end over all machines; `None` when nothing was observed.
    pub fn span_us(&self) -> Option<(i64, i64)> {
        let begin = self.stretches.iter().filter_map(|own| own.first()).map(|s| s.from_us).min()?;
        let end = self.stretches.iter().filter_map(|own| own.last()).map(|s| s.to_us).max()?;
        Some((begin, end))
    }

    /// Active periods of one machine: unbroken stretches of working and down.
    pub(super) fn active_periods(&self, machine: usize) -> Vec<(i64, i64)> {
        let mut periods: Vec<(i64, i64)> = Vec::new();
        let active = self.stretches[machine].iter().filter(|s| s.activity.is_active());
        for stretch in active {
            match periods.last_mut() {
                Some((_, to_us)) if stretch.from_us - *to_us <= self.gap_us => {
                    *to_us = stretch.to_us;
                }
                _ => periods.push((stretch.from_us, stretch.to_us)),
            }
        }
        periods
    }
}
