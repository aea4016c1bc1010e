//! The simulated plant: thirty days of normal operation, then a fault; does the budget hold and is the fault found?

use analytics::stream::{AssetMonitor, Settings};
use plant::{Columns, FaultPlan, MACHINES, faults_of};
use signal::{DAY_US, SECOND_US, TimeRange};

use crate::{Bench, CpuClock, Options, Split, Table};

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

/// Delays count as at most so much in their mean, and as this where a fault is not found.
const MOST_DELAY_S: f64 = 600.0;
/// Plants of the summary.
const SEEDS: u64 = 6;

/// What one machine showed.
struct Found {
    machine: usize,
    in_history: usize,
    young: usize,
    in_live: usize,
    /// Each fault, and the seconds until it was found.
    faults: Vec<(&'static str, Option<f64>)>,
    n_rows: usize,
}

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let (found, split) = plant(options.seed);
    Ok(vec![by_machine(&found, &split, options.seed), by_seed(options.seed)])
}

/// All machines of the plant of a seed, and the values that they sent.
fn plant(seed: u64) -> (Vec<Found>, Split) {
    let mut all = Vec::new();
    let mut split = Split::default();
    for (machine, place) in MACHINES.iter().enumerate() {
        let columns = generated_history(seed, machine);
        split = split.values(place.machine, columns.values.iter().flatten());
        let history = after_history(&columns);
        let mut n_rows = columns.time_us.len();
        let mut healthy = history.fork();
        healthy.take(&live(seed, machine, &[]), SECOND_US);
        let mut faults = Vec::new();
        for fault in faults_of(place.kind) {
            let (starts_after_s, full_after_s) = (FAULT_AFTER_S, FAULT_GROWS_S);
            let plan = FaultPlan { machine, fault, starts_after_s, full_after_s };
            let columns = live(seed, machine, &[plan]);
            split = split.values(fault.name(), columns.values.iter().flatten());
            n_rows += columns.time_us.len();
            let mut faulty = history.fork();
            faulty.take(&columns, SECOND_US);
            let delay_s = |us: i64| (us - live_start_us()) as f64 / 1e6 - FAULT_AFTER_S;
            faults.push((fault.name(), faulty.first_us.map(delay_s)));
        }
        let (in_history, young, in_live) = (history.n_begun, history.n_young, healthy.n_begun);
        all.push(Found { machine, in_history, young, in_live, faults, n_rows });
    }
    (all, split)
}

fn by_machine(found: &[Found], split: &Split, seed: u64) -> Table {
    let title = format!(
        "Simulated plant: {HISTORY_DAYS} days of history, one false alarm allowed per machine in 30 days"
    );
    let columns =
        ["machine", "false alarms in 30 d", "first 2 d", "in 2 h live", "fault", "found after s"];
    let mut table = Table::new(title, &columns);
    for of in found {
        let counts = [of.in_history, of.young, of.in_live].map(|count| count.to_string());
        let mut once = [vec![MACHINES[of.machine].machine.to_owned()], counts.to_vec()].concat();
        for (name, delay_s) in &of.faults {
            let delay = delay_s.map_or("not found".to_owned(), |delay_s| format!("{delay_s:.0}"));
            table.row(once.iter().cloned().chain([(*name).to_owned(), delay]));
            once.fill(String::new());
        }
    }
    let total: usize = found.iter().map(|of| of.in_history + of.in_live).sum();
    let young: usize = found.iter().map(|of| of.young).sum();
    table.note(format!(
        "seed {seed}; {total} false alarms of {} allowed, {young} of them in the first two days",
        MACHINES.len()
    ));
    table.note(format!(
        "each fault grows to its full size in {FAULT_GROWS_S} s; simulated values {split}"
    ));
    table
}

/// The plants of several seeds, a row each.
fn by_seed(first: u64) -> Table {
    let title = format!("Simulated plants of seeds {first} to {}", first + SEEDS - 1);
    let columns = [
        "seed",
        "false alarms in 30 d",
        "in 2 h live",
        "allowed",
        "faults found",
        "mean delay s",
        "µs CPU per row",
        "values",
    ];
    let mut table = Table::new(title, &columns);
    let (mut sum, mut allowed) = (0, 0);
    for seed in first..first + SEEDS {
        let clock = CpuClock::start();
        let (found, split) = plant(seed);
        let seconds = clock.seconds();
        let delays: Vec<Option<f64>> =
            found.iter().flat_map(|of| of.faults.iter().map(|fault| fault.1)).collect();
        let capped = delays.iter().map(|delay| delay.unwrap_or(MOST_DELAY_S).min(MOST_DELAY_S));
        let in_history: usize = found.iter().map(|of| of.in_history).sum();
        sum += in_history;
        allowed += MACHINES.len();
        table.row([
            seed.to_string(),
            in_history.to_string(),
            found.iter().map(|of| of.in_live).sum::<usize>().to_string(),
            MACHINES.len().to_string(),
            format!("{} of {}", delays.iter().flatten().count(), delays.len()),
            format!("{:.0}", capped.sum::<f64>() / delays.len() as f64),
            format!(
                "{:.2}",
                seconds * 1e6 / found.iter().map(|of| of.n_rows).sum::<usize>() as f64
            ),
            split.to_string(),
        ]);
    }
    table.row(["trivial: never", "0", "0", "", "0", "600"]);
    table.note(format!(
        "{sum} false alarms in 30 days of {allowed} allowed: {:.2} of the budget (goal 0.5 to 2)",
        sum as f64 / allowed as f64
    ));
    table.note(format!(
        "a delay counts as at most {MOST_DELAY_S} s; µs: plant and detector together"
    ));
    table
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
