//! The simulated plant: thirty days of normal operation, then a fault; does the budget hold and is the fault found?

use analytics::stream::{AssetMonitor, Settings};
use plant::{Columns, FaultPlan, MACHINES, faults_of};
use signal::{DAY_US, SECOND_US, TimeRange};

use crate::{Bench, Options, Split, Table};

const HISTORY_DAYS: i64 = 30;
/// History comes once a minute, live values once a second, as in `fettler demo`.
const HISTORY_STEP_US: i64 = 60 * SECOND_US;
const LIVE_HOURS: i64 = 2;
/// After a change of state the physics must settle; ingest leaves out as much.
const SETTLE_US: i64 = 30 * SECOND_US;
const FAULT_AFTER_S: f64 = 600.0;
const FAULT_GROWS_S: f64 = 240.0;
/// Monday, 6 January 2025, 05:00 UTC: an ordinary morning shift.
const START_US: i64 = 1_736_139_600 * SECOND_US;

struct Watched {
    monitor: AssetMonitor,
    state: u8,
    since_us: i64,
    n_begun: usize,
    /// Of those, the ones of the first two days, while models rest on little.
    n_young: usize,
    first_us: Option<i64>,
}

pub(crate) const BENCH: Bench = Bench {
    name: "plant",
    about: "the simulated plant: false alarms in 30 days, time until each fault is found",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut table = Table::new(
        format!(
            "Simulated plant: {HISTORY_DAYS} days of history, one false alarm allowed per machine in 30 days"
        ),
        &["machine", "false alarms in 30 d", "first 2 d", "in 2 h live", "fault", "found after s"],
    );
    let (mut total, mut young) = (0, 0);
    let mut split = Split::default();
    for (machine, place) in MACHINES.iter().enumerate() {
        let columns = generated_history(options.seed, machine);
        split = split.values(place.machine, columns.values.iter().flatten());
        let history = after_history(&columns);
        let mut healthy = history.fork();
        healthy.take(&live(options.seed, machine, &[]), SECOND_US);
        total += history.n_begun + healthy.n_begun;
        young += history.n_young;
        for (idx, fault) in faults_of(place.kind).into_iter().enumerate() {
            let plan = FaultPlan {
                machine,
                fault,
                starts_after_s: FAULT_AFTER_S,
                full_after_s: FAULT_GROWS_S,
            };
            let columns = live(options.seed, machine, &[plan]);
            split = split.values(fault.name(), columns.values.iter().flatten());
            let mut faulty = history.fork();
            faulty.take(&columns, SECOND_US);
            let delay = faulty.first_us.map_or_else(
                || "not found".to_owned(),
                |us| format!("{:.0}", (us - live_start_us()) as f64 / 1e6 - FAULT_AFTER_S),
            );
            let once = |count: usize| if idx == 0 { count.to_string() } else { String::new() };
            let name = if idx == 0 { place.machine } else { "" };
            table.row([
                name.to_owned(),
                once(history.n_begun),
                once(history.n_young),
                once(healthy.n_begun),
                fault.name().to_owned(),
                delay,
            ]);
        }
    }
    table.note(format!(
        "seed {}; {total} false alarms of {} allowed, {young} of them in the first two days",
        options.seed,
        MACHINES.len()
    ));
    table.note(format!(
        "each fault grows to its full size in {FAULT_GROWS_S} s; simulated values {split}"
    ));
    Ok(vec![table])
}

fn live_start_us() -> i64 {
    START_US + HISTORY_DAYS * DAY_US
}

fn generated_history(seed: u64, machine: usize) -> Columns {
    let range = TimeRange { start_us: START_US, end_us: live_start_us() };
    plant::generate(seed, machine, range, HISTORY_STEP_US, &[])
}

fn after_history(columns: &Columns) -> Watched {
    let settings =
        Settings { learn_rows: 600, rows_per_false_alarm: 43_200.0, refit: true, seed: 1 };
    let mut watched = Watched {
        monitor: AssetMonitor::new(columns.names.len(), settings),
        state: u8::MAX,
        since_us: i64::MIN / 2,
        n_begun: 0,
        n_young: 0,
        first_us: None,
    };
    watched.take(columns, HISTORY_STEP_US);
    watched
}

fn live(seed: u64, machine: usize, faults: &[FaultPlan]) -> Columns {
    let start_us = live_start_us();
    let range = TimeRange { start_us, end_us: start_us + LIVE_HOURS * 3600 * SECOND_US };
    plant::generate(seed + 1, machine, range, SECOND_US, faults)
}

impl Watched {
    fn fork(&self) -> Watched {
        Watched { monitor: self.monitor.clone(), n_begun: 0, first_us: None, ..*self }
    }

    fn take(&mut self, columns: &Columns, step_us: i64) {
        self.monitor.change_rhythm();
        self.monitor.set_rows_per_false_alarm((30 * DAY_US / step_us) as f64);
        let mut row = Vec::new();
        for (row_idx, (&time_us, &state)) in columns.time_us.iter().zip(&columns.state).enumerate()
        {
            if state != self.state {
                (self.state, self.since_us) = (state, time_us);
            }
            if time_us - self.since_us < SETTLE_US {
                continue;
            }
            row.clear();
            row.extend(columns.values.iter().map(|column| column[row_idx]));
            if self.monitor.push(&row, u32::from(state)).started {
                self.n_begun += 1;
                self.n_young += usize::from(time_us < START_US + 2 * DAY_US);
                self.first_us.get_or_insert(time_us);
            }
        }
    }
}
