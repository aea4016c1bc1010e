//! Schedules and routes with planted optima: what academic instances lack, with the answer known beforehand.
//!
//! ```text
//! plan ─► problem around it ─► ours, peer ─► gap to the least cost, proven by how it was made
//!              └► tests: nothing found below it, no bound above it
//! ```
//!
//! Start reading at [`schedules`] and [`routes`]; each family says in its file why nothing can cost less. They are
//! here and not in `optimize`, because they are made of its public words alone and ship with `fettler bench`: what a
//! customer may measure is no test helper, and a generator there would be a promise to other crates. The property
//! tests of the two searches against planted optima are therefore in this crate too.

mod describe;
mod race;
pub(crate) mod routes;
pub(crate) mod schedules;
#[cfg(test)]
mod tests;

use std::ops::Range;

use race::{Outcome, Run};

use crate::seeds::Spread;
use crate::{Bench, Options, Table};

/// Planted schedules and routes beside CP-SAT and PyVRP.
pub(super) const BENCH: Bench = Bench {
    name: "plant",
    about: "schedules and routes with planted optima: gap to them, beside CP-SAT and PyVRP",
    run,
};

/// Instances per row at least.
const N_SEEDS: u64 = 3;
/// Seconds per instance when nothing else is said.
const SECONDS: f64 = 5.0;

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![schedule_table(options)?, route_table(options)?])
}

fn schedule_table(options: &Options) -> anyhow::Result<Table> {
    let mut rows = Rows::new(
        "Planted schedules: gap to the optimum in percent",
        "operations",
        "CP-SAT",
        options,
    );
    for family in &schedules::FAMILIES {
        for n_orders in family.sizes {
            let mut runs = Vec::new();
            let mut n_operations = Vec::new();
            for seed in rows.seeds.clone() {
                let planted = family.draw(n_orders, seed);
                n_operations.push(planted.problem.n_operations() as f64);
                let name = format!("{}-{n_orders}-{seed}", family.name);
                runs.push(race::schedule(&name, &planted, options, rows.seconds)?);
            }
            rows.add(&format!("{}: {}", family.name, family.about), median(&n_operations), &runs);
        }
    }
    let (threads, seconds) = (race::N_THREADS, rows.seconds * race::N_THREADS as f64);
    Ok(rows.finish(&format!("{threads} threads and {seconds} s of processor time each")))
}

fn route_table(options: &Options) -> anyhow::Result<Table> {
    let mut rows =
        Rows::new("Planted routes: gap to the optimum in percent", "jobs", "PyVRP", options);
    for family in &routes::FAMILIES {
        for n_jobs in family.sizes {
            let mut runs = Vec::new();
            for seed in rows.seeds.clone() {
                let planted = family.draw(n_jobs, seed);
                let name = format!("{}-{n_jobs}-{seed}", family.name);
                let options =
                    Options { peers: options.peers && family.has_peer, ..options.clone() };
                runs.push(race::route(&name, &planted, &options, rows.seconds)?);
            }
            rows.add(&format!("{}: {}", family.name, family.about), n_jobs as f64, &runs);
        }
    }
    let seconds = rows.seconds;
    Ok(rows.finish(&format!("one thread and {seconds} s of processor time each")))
}

/// A table with one row per family and size.
struct Rows {
    table: Table,
    seeds: Range<u64>,
    seconds: f64,
    n_runs: usize,
    n_reached: [usize; 2],
}

impl Rows {
    fn new(title: &str, what: &str, peer: &str, options: &Options) -> Self {
        let columns = ["family", what, "ours: gap %", "optimal", "CPU s", "bound: gap %", "judge"];
        let theirs = [format!("{peer}: gap %"), "optimal".to_owned(), "CPU s".to_owned()];
        let mut table = Table::new(title, &columns);
        if options.peers {
            table.columns.extend(theirs);
        }
        let seconds = options.seconds.unwrap_or(SECONDS);
        let seeds = options.seed..options.seed + options.n_seeds.max(N_SEEDS);
        Self { table, seeds, seconds, n_runs: 0, n_reached: [0; 2] }
    }

    fn add(&mut self, name: &str, size: f64, runs: &[Run]) {
        let mut cells = vec![name.to_owned(), size.to_string()];
        let ours: Vec<Outcome> = runs.iter().map(|run| run.ours).collect();
        cells.extend(outcome_cells(&ours));
        let bounds: Vec<f64> = runs.iter().filter_map(|run| run.bound_gap).collect();
        cells.push(if bounds.is_empty() {
            "–".to_owned()
        } else {
            format!("{:.2}", median(&bounds))
        });
        let n_found = runs.iter().map(|run| run.violations.len()).sum::<usize>();
        cells.push(if n_found == 0 { "allowed".to_owned() } else { format!("{n_found} faults") });
        let theirs: Vec<Outcome> = runs.iter().filter_map(|run| run.theirs).collect();
        if !theirs.is_empty() {
            cells.extend(outcome_cells(&theirs));
        }
        let n_reached = |of: &[Outcome]| of.iter().filter(|it| it.reached_s.is_some()).count();
        self.n_runs += runs.len();
        self.n_reached[0] += n_reached(&ours);
        self.n_reached[1] += n_reached(&theirs);
        eprintln!("{}", cells.join(" | "));
        self.table.row(cells);
    }

    fn finish(mut self, limit: &str) -> Table {
        let [ours, theirs] = self.n_reached;
        self.table.note(format!("ours finds the optimum in {ours} of {} instances, the peer in {theirs} of those that it can express", self.n_runs));
        self.table.note(format!(
            "medians of seeds {} to {}; {limit}; both stop at the optimum",
            self.seeds.start,
            self.seeds.end - 1
        ));
        self.table
    }
}

/// Median gap, how many are optimal, and the median time until they are.
fn outcome_cells(outcomes: &[Outcome]) -> [String; 3] {
    let gaps: Vec<f64> = outcomes.iter().map(|it| it.gap_percent).collect();
    let gap = median(&gaps);
    let reached: Vec<f64> = outcomes.iter().filter_map(|it| it.reached_s).collect();
    let time =
        if reached.is_empty() { "–".to_owned() } else { format!("{:.2}", median(&reached)) };
    let gap = if gap.is_finite() { format!("{gap:.2}") } else { "none".to_owned() };
    [gap, format!("{} of {}", reached.len(), outcomes.len()), time]
}

fn median(values: &[f64]) -> f64 {
    Spread::of(values, |value| *value).median()
}
