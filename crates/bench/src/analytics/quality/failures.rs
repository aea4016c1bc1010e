//! Which parts fail on AI4I: ten deals of the folds, beside LightGBM on the same rows, columns and folds.

use std::fs;
use std::path::{Path, PathBuf};

use analytics::quality::predict::{Confusion, Costs, cheapest_threshold, train};
use analytics::trees::{Fold, Params, grouped_folds};
use anyhow::Context;
use rayon::prelude::*;
use serde_json::json;

use super::super::ai4i::{self, Parts};
use crate::{CpuClock, Options, Split, Table, peer};

const N_FOLDS: usize = 5;
const N_DEALS: u64 = 10;
/// A missed failure costs as much as a false alarm: the verdicts behind F1.
const EQUAL: Costs = Costs { miss: 1.0, false_alarm: 1.0 };
/// A missed failure costs ten times a false alarm.
const DEAR: Costs = Costs { miss: 10.0, false_alarm: 1.0 };

/// Verdicts on rows that neither forests nor threshold had seen.
#[derive(Default)]
struct Judged {
    equal: Confusion,
    dear: Confusion,
    ap: f64,
}

/// One dealing of the rows into folds, and for each fold how the rows it learns from are dealt again by their
/// number, to leave some out of each forest.
struct Deal {
    seed: u64,
    folds: Vec<Fold>,
}

impl Deal {
    fn new(n_rows: usize, seed: u64) -> Deal {
        let rows: Vec<u64> = (0..n_rows as u64).collect();
        Deal { seed, folds: grouped_folds(&rows, N_FOLDS, seed) }
    }

    /// Per fold a byte per row: 255 for the rows that it judges, else the forest that leaves the row out.
    fn bytes(&self, n_rows: usize) -> Vec<u8> {
        let of_fold = |fold: &Fold| {
            let mut of_row = vec![255; n_rows];
            let groups: Vec<u64> = fold.train.iter().map(|&i| i as u64).collect();
            for (inner, number) in grouped_folds(&groups, N_FOLDS, self.seed).iter().zip(0..) {
                inner.test.iter().for_each(|&place| of_row[fold.train[place]] = number);
            }
            of_row
        };
        self.folds.iter().flat_map(of_fold).collect()
    }
}

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let parts = ai4i::read(options.folder()?)?;
    let (labels, n_rows) = (&parts.failed, parts.failed.len());
    let n_failed = labels.iter().sum::<f64>();
    let title = format!(
        "AI4I 2020: {n_failed} failures among {n_rows} rows, 5 folds in {N_DEALS} deals, thresholds from the other four"
    );
    let columns = [
        "method",
        "F1",
        "AP",
        "missed",
        "false alarms",
        "cost 1 : 1",
        "cost 10 : 1",
        "CPU s to train",
        "µs CPU per part",
    ];
    let mut table = Table::new(title, &columns);
    let deals: Vec<Deal> =
        (options.seed..options.seed + N_DEALS).map(|seed| Deal::new(n_rows, seed)).collect();
    let physics = physics(&parts);
    let kinds =
        [("with power, heat and strain", &physics[..]), ("raw columns", &parts.columns[..])];
    for (name, columns) in kinds {
        let clock = CpuClock::start();
        let judged = deals.par_iter().map(|deal| ours(columns, labels, deal));
        let judged: Vec<Judged> = judged.collect::<anyhow::Result<_>>()?;
        let mut cells = cells(&format!("ours, {name}"), &judged, clock.seconds());
        cells.push(format!("{:.0}", part_us(columns, labels, &deals[0])?));
        table.row(cells);
    }
    for (name, columns) in kinds.into_iter().filter(|_| options.peers) {
        let (judged, seconds, version) = theirs(columns, labels, &deals)?;
        table.row(cells(&format!("LightGBM {version}, {name}"), &judged, seconds));
    }
    trivial_rows(&mut table, n_failed, n_rows as f64);
    table.note("goal: F1 ≥ 0.86 and AP ≥ 0.90 in the mean; ± is the standard error of the mean over the deals");
    table.note("cost 10 : 1: a missed failure costs ten false alarms; the threshold moves with it");
    table.note("CPU s: five bags of five forests, which is one deal, judging included; µs: probability of one part by a bag of five");
    table.note("the flags of the failure modes are never read; 9 failures have no mode and cannot be foreseen");
    let file = Split::default().file(&ai4i::path(options.folder()?))?;
    let split = deals.iter().fold(file, |split, deal| split.folds(&deal.folds));
    let last = options.seed + N_DEALS - 1;
    table.note(format!("seeds {} to {last}, split {split}", options.seed));
    Ok(table)
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
        ..Params::default()
    }
}

fn ours(columns: &[Vec<f64>], labels: &[f64], deal: &Deal) -> anyhow::Result<Judged> {
    let mut probabilities = vec![f64::NAN; labels.len()];
    let mut thresholds = Vec::new();
    for fold in &deal.folds {
        let take = |values: &[f64]| fold.train.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let known: Vec<Vec<f64>> = columns.iter().map(|column| take(column)).collect();
        let groups: Vec<u64> = fold.train.iter().map(|&i| i as u64).collect();
        let known_labels = take(labels);
        let predictor = train(&known, &known_labels, &groups, EQUAL, N_FOLDS, &params(deal.seed))?;
        for &i in &fold.test {
            let row: Vec<f64> = columns.iter().map(|column| column[i]).collect();
            probabilities[i] = predictor.probability(&row);
        }
        let dear = cheapest_threshold(&predictor.held_out, &known_labels, DEAR);
        thresholds.push([predictor.threshold, dear]);
    }
    Ok(judge(&probabilities, labels, deal, &thresholds))
}

/// Processor time in which one bag says how probable it is that a part fails.
fn part_us(columns: &[Vec<f64>], labels: &[f64], deal: &Deal) -> anyhow::Result<f64> {
    let groups: Vec<u64> = (0..labels.len() as u64).collect();
    let predictor = train(columns, labels, &groups, EQUAL, N_FOLDS, &params(deal.seed))?;
    let rows: Vec<Vec<f64>> =
        (0..labels.len()).map(|i| columns.iter().map(|column| column[i]).collect()).collect();
    let clock = CpuClock::start();
    for row in &rows {
        std::hint::black_box(predictor.probability(row));
    }
    Ok(clock.seconds() * 1e6 / rows.len() as f64)
}

/// `thresholds`: of each fold, for equal and for dear misses.
fn judge(probabilities: &[f64], labels: &[f64], deal: &Deal, thresholds: &[[f64; 2]]) -> Judged {
    let mut judged =
        Judged { ap: ai4i::average_precision(probabilities, labels), ..Judged::default() };
    for (fold, [equal, dear]) in deal.folds.iter().zip(thresholds) {
        let of_fold = |values: &[f64]| fold.test.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        let (probabilities, labels) = (of_fold(probabilities), of_fold(labels));
        add(&mut judged.equal, Confusion::of(&probabilities, &labels, *equal));
        add(&mut judged.dear, Confusion::of(&probabilities, &labels, *dear));
    }
    judged
}

fn add(counts: &mut Confusion, part: Confusion) {
    counts.hits += part.hits;
    counts.misses += part.misses;
    counts.false_alarms += part.false_alarms;
    counts.passes += part.passes;
}

/// LightGBM in the same nested folds with the same parameters, judged by the same rules; CPU seconds and version.
fn theirs(
    columns: &[Vec<f64>],
    labels: &[f64],
    deals: &[Deal],
) -> anyhow::Result<(Vec<Judged>, f64, String)> {
    let folder = Folder::new("quality")?;
    folder.write("x", columns.iter().flatten().flat_map(|x| x.to_le_bytes()).collect())?;
    folder.write("y", labels.iter().flat_map(|x| x.to_le_bytes()).collect())?;
    folder.write("folds", deals.iter().flat_map(|deal| deal.bytes(labels.len())).collect())?;
    let params = params(deals[0].seed);
    let plan = json!({
        "n_trees": params.n_trees, "n_folds": N_FOLDS, "seeds": deals.iter().map(|deal| deal.seed).collect::<Vec<_>>(),
        "params": {
            "objective": "binary", "num_leaves": params.n_leaves, "learning_rate": params.learning_rate,
            "min_data_in_leaf": params.min_leaf_rows, "min_sum_hessian_in_leaf": params.min_leaf_hessian,
            "lambda_l2": params.l2, "max_bin": params.max_bins, "bagging_fraction": params.row_share,
            "bagging_freq": 1, "feature_fraction": params.column_share,
        },
    });
    folder.write("plan.json", plan.to_string().into_bytes())?;
    let answer = peer::run("analytics-quality", &[&folder.0.to_string_lossy()])?;
    let probabilities = folder.values("probabilities")?;
    let held_out = folder.values("held_out")?;
    let n = labels.len();
    let mut judged = Vec::new();
    for (number, deal) in deals.iter().enumerate() {
        let held_out = &held_out[number * N_FOLDS * n..][..N_FOLDS * n];
        let of_fold = |(fold, held_out): (&Fold, &[f64])| {
            let known: Vec<f64> = fold.train.iter().map(|&i| held_out[i]).collect();
            let known_labels: Vec<f64> = fold.train.iter().map(|&i| labels[i]).collect();
            [EQUAL, DEAR].map(|costs| cheapest_threshold(&known, &known_labels, costs))
        };
        let thresholds: Vec<[f64; 2]> =
            deal.folds.iter().zip(held_out.chunks(n)).map(of_fold).collect();
        judged.push(judge(&probabilities[number * n..][..n], labels, deal, &thresholds));
    }
    let seconds = answer["cpu_s"].as_f64().context("the peer gave no cpu_s")?;
    Ok((judged, seconds, answer["version"].as_str().unwrap_or("?").to_owned()))
}

/// A temporary folder for the peer, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> anyhow::Result<Folder> {
        let path = std::env::temp_dir().join(format!("fettler-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        Ok(Folder(path))
    }

    fn write(&self, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
        let path: &Path = &self.0.join(name);
        fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    fn values(&self, name: &str) -> anyhow::Result<Vec<f64>> {
        let path: &Path = &self.0.join(name);
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let (words, _) = bytes.as_chunks::<8>();
        Ok(words.iter().map(|word| f64::from_le_bytes(*word)).collect())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What is left behind lies in the system's temporary folder.
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn cells(name: &str, judged: &[Judged], seconds: f64) -> Vec<String> {
    let n = judged.len() as f64;
    let mean = |of: &dyn Fn(&Judged) -> f64| judged.iter().map(of).sum::<f64>() / n;
    let with_error = |of: &dyn Fn(&Judged) -> f64| {
        let middle = mean(of);
        let variance = judged.iter().map(|x| (of(x) - middle).powi(2)).sum::<f64>() / (n - 1.0);
        format!("{middle:.3} ± {:.3}", (variance / n).sqrt())
    };
    vec![
        name.to_owned(),
        with_error(&|judged| judged.equal.f1()),
        with_error(&|judged| judged.ap),
        format!("{:.1}", mean(&|judged| judged.equal.misses as f64)),
        format!("{:.1}", mean(&|judged| judged.equal.false_alarms as f64)),
        format!("{:.1}", mean(&|judged| judged.equal.cost(EQUAL))),
        format!("{:.1}", mean(&|judged| judged.dear.cost(DEAR))),
        format!("{:.2}", seconds / n),
    ]
}

fn trivial_rows(table: &mut Table, n_failed: f64, n_rows: f64) {
    let share = n_failed / n_rows;
    let mut row = |name: &str, f1: f64, missed: f64, alarms: f64| {
        let rates = [f1, share].map(|rate| format!("{rate:.3}"));
        let counts = [missed, alarms, missed + alarms, 10.0 * missed + alarms];
        let cells = rates.into_iter().chain(counts.map(|count| count.to_string()));
        table.row([name.to_owned()].into_iter().chain(cells));
    };
    row("trivial: never stop", 0.0, n_failed, 0.0);
    row("trivial: always stop", 2.0 * share / (1.0 + share), 0.0, n_rows - n_failed);
}
