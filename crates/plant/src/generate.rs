//! The plant as columns, without a wire: for tests and measurements.

use signal::{SECOND_US, TimeRange};

use crate::faults::{FaultPlan, Severity};
use crate::machine::Machine;

/// What one machine has sent, by column; all columns are equally long and in time order.
#[derive(Clone, Debug, PartialEq)]
pub struct Columns {
    /// Times of the rows.
    pub time_us: Vec<i64>,
    /// Index into [`State::NAMES`](crate::State::NAMES).
    pub state: Vec<u8>,
    /// Names of `values`, in their order.
    pub names: Vec<&'static str>,
    /// One column per signal, in its unit; NaN where the sensor dropped out.
    pub values: Vec<Vec<f64>>,
    /// Good and rejected parts so far; empty for machines that make no parts.
    pub counters: Vec<(u64, u64)>,
}

impl Columns {
    /// The column of a signal, by its name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let idx = self.names.iter().position(|other| *other == name)?;
        Some(&self.values[idx])
    }
}

/// What machine `machine` of [`MACHINES`](crate::MACHINES) sends in `range`, one row every `step_us` from its start.
///
/// `faults`: their `starts_after_s` count from the start of the range; those of other machines are ignored.
/// The same arguments give the same columns. Cost: about a microsecond per row, and eight hours of warming up.
///
/// ```
/// use signal::{DAY_US, MINUTE_US, TimeRange};
/// let range = TimeRange { start_us: 0, end_us: DAY_US };
/// let columns = plant::generate(7, 0, range, MINUTE_US, &[]);
/// assert_eq!(columns.time_us.len(), 1440);
/// assert_eq!(columns.column("hydraulics/pressure").map(<[f64]>::len), Some(1440));
/// ```
///
/// # Panics
/// When `machine` is not an index into [`MACHINES`](crate::MACHINES) or `step_us` is not positive.
pub fn generate(
    seed: u64,
    machine: usize,
    range: TimeRange,
    step_us: i64,
    faults: &[FaultPlan],
) -> Columns {
    assert!(step_us > 0, "a step must be positive");
    let number = machine;
    let mut machine = Machine::new(seed, number, range.start_us, None);
    let names: Vec<&'static str> = machine.kind().signals().collect();
    let n_rows = ((range.len_us() + step_us - 1) / step_us) as usize;
    let mut columns = Columns {
        time_us: Vec::with_capacity(n_rows),
        state: Vec::with_capacity(n_rows),
        values: names.iter().map(|_| Vec::with_capacity(n_rows)).collect(),
        names,
        counters: Vec::new(),
    };
    for row in 0..n_rows as i64 {
        let time_us = range.start_us + row * step_us;
        let live_s = (time_us - range.start_us) as f64 / SECOND_US as f64;
        machine.step(time_us, &Severity::planned(faults, number, live_s));
        columns.time_us.push(time_us);
        columns.state.push(machine.state() as u8);
        for (column, value) in columns.values.iter_mut().zip(machine.values()) {
            column.push(*value);
        }
        columns.counters.extend(machine.counters());
    }
    columns
}
