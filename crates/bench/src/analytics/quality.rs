//! Quality: how long charts run, and which machines fail on AI4I.

mod failures;

use analytics::quality::{Chart, Cusum, Ewma, RuleChart, Rules, average_run_length};

use crate::{Bench, CpuClock, Options, Table};

/// Runs per figure.
const N_RUNS: usize = 40_000;

pub(crate) const BENCH: Bench =
    Bench { name: "quality", about: "control charts' run lengths, failures of AI4I", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![run_lengths(options.seed), failures::table(options)?])
}

/// A row of the table in the literature as it is printed: shifts of 0, 1 and 2 σ.
type Published = [&'static str; 3];

fn run_lengths(seed: u64) -> Table {
    let mut table = Table::new(
        format!("Run lengths of control charts, {N_RUNS} simulated runs each"),
        &[
            "chart",
            "in control",
            "target",
            "1 σ",
            "target",
            "2 σ",
            "target",
            "furthest",
            "beyond rounding",
            "ns per value",
        ],
    );
    row(&mut table, "3 σ", &RuleChart::new(Rules::SHEWHART), ["367", "44.2", "6.4"], seed);
    let western = RuleChart::new(Rules::WESTERN_ELECTRIC);
    row(&mut table, "Western Electric 1-4", &western, ["91.8", "9.3", "3.3"], seed);
    row(&mut table, "Nelson 1-8", &RuleChart::new(Rules::NELSON), ["73.5", "9.7", "3.4"], seed);
    row(&mut table, "CUSUM k 0.5, h 5", &Cusum::new(0.5, 5.0), ["465.7", "10.4", "4.0"], seed);
    row(&mut table, "CUSUM k 0.5, h 4", &Cusum::new(0.5, 4.0), ["168.5", "8.4", "3.4"], seed);
    row(&mut table, "EWMA 0.2, 2.962 σ", &Ewma::new(0.2, 2.962), ["502.8", "10.6", "3.8"], seed);
    table.note("\"furthest\": largest difference to a target; \"beyond rounding\": to the nearest number that is printed as the target");
    table.note("time per value includes the random number");
    table.note(format!("seed {seed}; simulated, no data are read"));
    table
}

fn row(table: &mut Table, name: &str, chart: &impl Chart, published: Published, seed: u64) {
    let clock = CpuClock::start();
    let found = [0.0, 1.0, 2.0].map(|shift| average_run_length(chart, shift, N_RUNS, seed).mean);
    let n_values = found.iter().sum::<f64>() * N_RUNS as f64;
    let largest = |apart: [f64; 3]| {
        apart.into_iter().fold(0.0, |most: f64, x| if x.abs() > most.abs() { x } else { most })
    };
    let targets = published.map(|text| text.parse().unwrap_or(f64::NAN));
    let apart: [f64; 3] = std::array::from_fn(|i| found[i] - targets[i]);
    let rest: [f64; 3] = std::array::from_fn(|i| {
        apart[i].signum() * (apart[i].abs() - rounding(published[i])).max(0.0)
    });
    let [furthest, beyond] =
        [apart, rest].map(|x| largest(std::array::from_fn(|i| 100.0 * x[i] / targets[i])));
    let mut cells = vec![name.to_owned()];
    for (found, published) in found.iter().zip(published) {
        cells.extend([format!("{found:.2}"), published.to_string()]);
    }
    cells.extend([furthest, beyond].map(|percent| format!("{percent:+.1} %")));
    cells.push(format!("{:.0}", clock.seconds() * 1e9 / n_values));
    table.row(cells);
}

/// Half of the last printed place.
fn rounding(text: &str) -> f64 {
    let n_decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    0.5 * 0.1f64.powi(n_decimals as i32)
}
