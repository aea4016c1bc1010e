//! Quality: how long charts run, and which machines fail on AI4I.

use analytics::quality::predict::{Confusion, Costs, train};
use analytics::quality::{Chart, Cusum, Ewma, RuleChart, Rules, average_run_length};
use analytics::trees::{Params, grouped_folds};

use super::ai4i::{self, Parts};
use crate::{Bench, CpuClock, Options, Split, Table};

/// Runs per figure.
const N_RUNS: usize = 40_000;
const N_FOLDS: usize = 5;
/// A missed failure costs as much as a false alarm: the verdicts behind F1.
const EQUAL: Costs = Costs { miss: 1.0, false_alarm: 1.0 };
/// A missed failure costs ten times a false alarm.
const DEAR: Costs = Costs { miss: 10.0, false_alarm: 1.0 };

pub(crate) const BENCH: Bench =
    Bench { name: "quality", about: "control charts' run lengths, failures of AI4I", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let parts = ai4i::read(&options.data)?;
    let split = Split::default().file(&ai4i::path(&options.data))?;
    Ok(vec![run_lengths(options.seed), failures(&parts, &split, options.seed)?])
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

/// What the failure modes of the data set's description depend on (Matzka (2020), sec. III).
fn physics(parts: &Parts) -> Vec<Vec<f64>> {
    let [kind, air, process, speed, torque, wear] = &parts.columns;
    let both = |a: &[f64], b: &[f64], f: fn(f64, f64) -> f64| -> Vec<f64> {
        a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
    };
    let power_w = both(speed, torque, |rpm, nm| rpm * nm * std::f64::consts::TAU / 60.0);
    let heat_lost_k = both(process, air, |process, air| process - air);
    let strain = both(torque, wear, |nm, min| nm * min);
    let strain_share = both(&strain, kind, |strain, kind| strain / (11_000.0 + 1_000.0 * kind));
    let mut columns = parts.columns.to_vec();
    columns.extend([power_w, heat_lost_k, strain_share]);
    columns
}

fn params(seed: u64) -> Params {
    Params {
        n_trees: 300,
        learning_rate: 0.03,
        n_leaves: 7,
        min_leaf_rows: 10,
        row_share: 0.8,
        column_share: 0.7,
        l2: 1.0,
        seed,
        n_threads: rayon::current_num_threads(),
        ..Params::default()
    }
}

/// Verdicts on rows that neither forests nor threshold had seen.
struct Judged {
    counts: Confusion,
    ap: f64,
    cost: f64,
}

fn judge(columns: &[Vec<f64>], labels: &[f64], costs: Costs, seed: u64) -> anyhow::Result<Judged> {
    let rows: Vec<u64> = (0..labels.len() as u64).collect();
    let mut probabilities = vec![f64::NAN; labels.len()];
    let mut counts = Confusion::default();
    for fold in grouped_folds(&rows, N_FOLDS, seed) {
        let take = |values: &[f64]| fold.train.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let known: Vec<Vec<f64>> = columns.iter().map(|column| take(column)).collect();
        let groups: Vec<u64> = fold.train.iter().map(|&i| rows[i]).collect();
        let predictor = train(&known, &take(labels), &groups, costs, N_FOLDS, &params(seed))?;
        for &i in &fold.test {
            let row: Vec<f64> = columns.iter().map(|column| column[i]).collect();
            probabilities[i] = predictor.probability(&row);
        }
        let of_fold = |values: &[f64]| fold.test.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let part = Confusion::of(&of_fold(&probabilities), &of_fold(labels), predictor.threshold);
        counts.hits += part.hits;
        counts.misses += part.misses;
        counts.false_alarms += part.false_alarms;
        counts.passes += part.passes;
    }
    let ap = ai4i::average_precision(&probabilities, labels);
    Ok(Judged { ap, cost: counts.cost(costs), counts })
}

fn failures(parts: &Parts, file: &Split, seed: u64) -> anyhow::Result<Table> {
    let labels = &parts.failed;
    let n_failed = labels.iter().sum::<f64>();
    let mut table = Table::new(
        format!(
            "AI4I 2020: {n_failed} failures among {} rows, 5 folds, thresholds from the other four",
            labels.len()
        ),
        &["method", "F1", "AP", "missed", "false alarms", "cost 1 : 1", "cost 10 : 1"],
    );
    let physics = physics(parts);
    for (name, columns) in [
        ("ours, with power, heat and strain", &physics[..]),
        ("ours, raw columns", &parts.columns[..]),
    ] {
        let (equal, dear) =
            (judge(columns, labels, EQUAL, seed)?, judge(columns, labels, DEAR, seed)?);
        table.row([
            name.to_owned(),
            format!("{:.3}", equal.counts.f1()),
            format!("{:.3}", equal.ap),
            equal.counts.misses.to_string(),
            equal.counts.false_alarms.to_string(),
            format!("{:.0}", equal.cost),
            format!("{:.0}", dear.cost),
        ]);
    }
    let n_good = labels.len() as f64 - n_failed;
    let share = n_failed / labels.len() as f64;
    let trivial = |name: &str, f1: f64, missed: f64, alarms: f64| {
        [
            name.to_owned(),
            format!("{f1:.3}"),
            format!("{share:.3}"),
            format!("{missed}"),
            format!("{alarms}"),
            format!("{}", missed + alarms),
            format!("{}", 10.0 * missed + alarms),
        ]
    };
    table.row(trivial("trivial: never stop", 0.0, n_failed, 0.0));
    table.row(trivial("trivial: always stop", 2.0 * share / (1.0 + share), 0.0, n_good));
    table.row(["measured before: LightGBM, physics", "0.851", "0.889"]);
    table.row(["measured before: LightGBM, raw columns", "0.775", "0.828"]);
    table.note("cost 10 : 1: a missed failure costs ten false alarms; the threshold moves with it");
    table.note("the flags of the failure modes are never read; 9 failures have no mode and cannot be foreseen");
    let rows: Vec<u64> = (0..labels.len() as u64).collect();
    let split = file.clone().folds(&grouped_folds(&rows, N_FOLDS, seed));
    table.note(format!("seed {seed}, split {split}"));
    Ok(table)
}
