//! Drift against redundant sensors, and machine states: false calls on clean records, and what is found.

use analytics::clean::{Redundant, Regimes};

use super::super::noise::Shape;
use super::{Signal, split};
use crate::Table;
use crate::random::Random;

/// Records of redundant sensors per row of the table.
const RUNS: usize = 50;
const LEARN_ROWS: u32 = 1000;
/// Rows that are judged, without drift and then with one.
const JUDGED: usize = 20_000;
/// Growth of the drift per row, in standard deviations of the noise.
const DRIFT: f64 = 0.001;
/// Rows that a state must last.
const MIN_ROWS: u32 = 5;

pub(super) fn redundant(seed: u64) -> Table {
    let columns = [
        "sensors",
        "noise",
        "records of 20,000 clean rows with a call",
        "then drift: found",
        "nobody else called",
        "median drift when called, σ",
    ];
    let title = "Drift against redundant sensors: slack 1, limit 20, usual distances learned from 1000 rows";
    let mut table = Table::new(title, &columns);
    let shapes = [
        ("white", Shape::White),
        ("neighbors alike (0.9)", Shape::Alike),
        ("heavy tails (t, 3)", Shape::Heavy(1.0)),
    ];
    for n_sensors in [3, 5] {
        for (name, shape) in shapes {
            let runs: Vec<Run> =
                (0..RUNS as u64).map(|n| Run::of(n_sensors, shape, seed + n)).collect();
            let share = |is: fn(&Run) -> bool| {
                let n = runs.iter().filter(|run| is(run)).count();
                format!("{:.0} %", 100.0 * n as f64 / RUNS as f64)
            };
            let mut sizes: Vec<f64> = runs.iter().filter_map(|run| run.found_at).collect();
            sizes.sort_by(f64::total_cmp);
            let median =
                sizes.get(sizes.len() / 2).map_or("–".to_owned(), |size| format!("{size:.1}"));
            table.row([
                n_sensors.to_string(),
                name.to_owned(),
                share(|run| run.is_false),
                share(|run| run.found_at.is_some()),
                share(|run| run.found_at.is_some() && !run.others_called),
                median,
            ]);
        }
    }
    table.note(format!("{RUNS} records each, seed {seed}; one sensor drifts by {DRIFT} σ per row; trivial: never calling has 0 % everywhere"));
    table
}

struct Run {
    /// Called while nothing drifted.
    is_false: bool,
    others_called: bool,
    /// Size of the drift when it was called.
    found_at: Option<f64>,
}

impl Run {
    fn of(n_sensors: usize, shape: Shape, seed: u64) -> Run {
        let mut noise = Random::new(seed);
        let (mut level, mut own) = (0.0, vec![0.0; n_sensors]);
        let mut row = |drift: f64| -> Vec<f64> {
            level = 0.999 * level + noise.normal();
            own.iter_mut().for_each(|x| *x = shape.next(*x, &mut noise));
            own.iter()
                .enumerate()
                .map(|(i, x)| level + x + if i == 0 { drift } else { 0.0 })
                .collect()
        };
        let mut watch = Redundant::new(n_sensors, LEARN_ROWS, 1.0, 20.0);
        (0..LEARN_ROWS).for_each(|_| {
            watch.push(&row(0.0));
        });
        let learned = watch.clone();
        for _ in 0..JUDGED {
            watch.push(&row(0.0));
        }
        let is_false = watch.drifting().iter().any(Option::is_some);
        let mut watch = learned;
        let mut found_at = None;
        for n in 0..JUDGED {
            let drift = DRIFT * n as f64;
            if watch.push(&row(drift))[0].is_some() && found_at.is_none() {
                found_at = Some(drift);
                break;
            }
        }
        let others_called = watch.drifting()[1..].iter().any(Option::is_some);
        Run { is_false, others_called, found_at }
    }
}

/// Signals without states give one state and no change; signals with states give theirs.
pub(super) fn regimes(signals: &[Signal], seed: u64) -> Table {
    let columns =
        ["signal", "states", "found", "changes", "found", "false", "false per 10,000 rows"];
    let title = "Machine states, learned from the first half of a record and told in the second";
    let mut table = Table::new(title, &columns);
    for Signal { name, values } in signals {
        // A square wave has states, and NAB's artificial days have a day and a night.
        if name.contains("square") || name.contains("art_daily") {
            continue;
        }
        regime_row(&mut table, name, values, None);
    }
    for (n_states, sigma) in [(2, 0.05), (2, 0.2), (3, 0.05), (3, 0.2), (4, 0.05)] {
        let (values, truth) = with_states(n_states, sigma, seed);
        let name = format!("{n_states} states, noise of {sigma} of their distance");
        regime_row(&mut table, &name, &values, Some((n_states, &truth)));
    }
    table.note(format!("a state counts after {MIN_ROWS} rows; a change is found if it is told within {MIN_ROWS} rows; made-up states last 20 to 400 rows"));
    table.note(format!(
        "seed {seed}, signals {}, learned from the first half of each",
        split(signals)
    ));
    table
}

fn regime_row(table: &mut Table, name: &str, values: &[f64], truth: Option<(usize, &[usize])>) {
    let half = values.len() / 2;
    let mut regimes = Regimes::learn(&values[..half], MIN_ROWS);
    let told: Vec<usize> = values[half..].iter().map(|value| regimes.push(*value)).collect();
    let changes_of = |states: &[usize]| -> Vec<usize> {
        (1..states.len()).filter(|row| states[*row] != states[row - 1]).collect()
    };
    let told_changes = changes_of(&told);
    let real: Vec<usize> = truth.map_or(Vec::new(), |(_, states)| changes_of(&states[half..]));
    let is_told = |at: &&usize| {
        told_changes.iter().any(|told| (**at..**at + MIN_ROWS as usize + 1).contains(told))
    };
    let n_found = real.iter().filter(is_told).count();
    let n_false = told_changes.len().saturating_sub(n_found);
    let n_states = truth.map_or(1, |(n_states, _)| n_states);
    table.row([
        name.to_owned(),
        n_states.to_string(),
        regimes.n_states().to_string(),
        real.len().to_string(),
        n_found.to_string(),
        n_false.to_string(),
        format!("{:.1}", 1e4 * n_false as f64 / told.len() as f64),
    ]);
}

fn with_states(n_states: usize, sigma: f64, seed: u64) -> (Vec<f64>, Vec<usize>) {
    const ROWS: usize = 50_000;
    let mut noise = Random::new(seed);
    let (mut values, mut states) = (Vec::with_capacity(ROWS), Vec::with_capacity(ROWS));
    let mut state = 0;
    while states.len() < ROWS {
        let step = 1 + (noise.uniform() * (n_states - 1) as f64) as usize;
        state = (state + step.min(n_states - 1)) % n_states;
        let length = 20 + (noise.uniform() * 380.0) as usize;
        for _ in 0..length {
            states.push(state);
            values.push(state as f64 + sigma * noise.normal());
        }
    }
    (values, states)
}
