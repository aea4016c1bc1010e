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

use crate::random::Random;
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

/// Instances of one kind, each with a plan that costs the least.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Family<P> {
    pub(crate) name: &'static str,
    /// What makes it hard.
    pub(crate) about: &'static str,
    /// Orders or jobs of the small, the middle and the large instances.
    pub(crate) sizes: [usize; 3],
    /// Whether the peer knows all of its terms.
    pub(crate) has_peer: bool,
    pub(crate) plant: fn(usize, &mut Random) -> P,
}

impl<P> Family<P> {
    /// The instance of a size that belongs to a seed.
    pub(crate) fn draw(&self, size: usize, seed: u64) -> P {
        (self.plant)(size, &mut Random::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)))
    }
}

fn schedule_table(options: &Options) -> anyhow::Result<Table> {
    let title = "Planted schedules: gap to the optimum in percent";
    let mut rows = Rows::new(title, "operations", "CP-SAT", options);
    let n_operations = |planted: &schedules::Planted| planted.problem.n_operations();
    rows.race(&schedules::FAMILIES, options, n_operations, race::schedule)?;
    let (threads, seconds) = (race::N_THREADS, rows.seconds * race::N_THREADS as f64);
    Ok(rows.finish(&format!("{threads} threads and {seconds} s of processor time each")))
}

fn route_table(options: &Options) -> anyhow::Result<Table> {
    let title = "Planted routes: gap to the optimum in percent";
    let mut rows = Rows::new(title, "jobs", "PyVRP", options);
    let n_jobs = |planted: &routes::Planted| planted.problem.jobs.len();
    rows.race(&routes::FAMILIES, options, n_jobs, race::route)?;
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

    /// Runs every size of every family with every seed.
    fn race<P>(
        &mut self,
        families: &[Family<P>],
        options: &Options,
        size_of: impl Fn(&P) -> usize,
        race: fn(&str, &P, &Options, f64) -> anyhow::Result<Run>,
    ) -> anyhow::Result<()> {
        for family in families {
            let options = Options { peers: options.peers && family.has_peer, ..options.clone() };
            for size in family.sizes {
                let (mut runs, mut sizes) = (Vec::new(), Vec::new());
                for seed in self.seeds.clone() {
                    let planted = family.draw(size, seed);
                    sizes.push(size_of(&planted) as f64);
                    let name = format!("{}-{size}-{seed}", family.name);
                    runs.push(race(&name, &planted, &options, self.seconds)?);
                }
                self.add(&format!("{}: {}", family.name, family.about), median(&sizes), &runs);
            }
        }
        Ok(())
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
