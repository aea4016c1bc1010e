//! Remaining useful life on C-MAPSS: the test engines once each, and held-out training engines.

mod survival;

use std::path::Path;

use analytics::rul::{self, Estimate, HealthIndex, Lookback, Model, Params, Run};
use analytics::trees::grouped_folds;

use self::survival::Survival;
use super::cmapss;
use crate::{Bench, CpuClock, Options, Split, Table};

const SUBSETS: [&str; 4] = ["FD001", "FD002", "FD003", "FD004"];
/// Longest remaining life that is told apart, as in the literature.
const CAP: f64 = 125.0;
/// Cuts of each held-out engine.
const CUTS: usize = 4;
/// Remaining lives of the held-out engines where they are cut: the same for all subsets, and where the published
/// remaining lives of the test engines reach further (6 to 194 and 6 to 195 cycles), also these.
const SPANS: [(&str, &[(usize, usize)]); 4] = [
    ("FD001", &[(5, 145)]),
    ("FD002", &[(5, 145), (6, 194)]),
    ("FD003", &[(5, 145)]),
    ("FD004", &[(5, 145), (6, 195)]),
];
/// Best published RMSE on capped labels, as far as its protocol is known.
const PUBLISHED: [(&str, &str, f64); 8] = [
    ("FD001", "STAR 2024", 10.61),
    ("FD001", "TMSCNN 2024", 10.26),
    ("FD002", "FFVE", 12.55),
    ("FD002", "STAR 2024", 13.47),
    ("FD003", "STAR 2024", 10.71),
    ("FD003", "TMSCNN 2024", 10.51),
    ("FD004", "FFVE", 14.08),
    ("FD004", "STAR 2024", 15.87),
];
const COLUMNS: [&str; 9] = [
    "method",
    "RMSE capped",
    "NASA capped",
    "RMSE raw",
    "NASA raw",
    "90 % covers",
    "width",
    "MAE below 50",
    "µs CPU per row",
];

pub(crate) const BENCH: Bench =
    Bench { name: "rul", about: "remaining useful life on C-MAPSS", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let folder = cmapss::folder(options.folder()?);
    let mut tables = Vec::new();
    for subset in SUBSETS {
        if let Some(labels) = cmapss::labels(&folder, subset)? {
            tables.push(test_engines(&folder, subset, &labels, options.seed)?);
        }
    }
    tables.push(few_failures(&folder, options.seed)?);
    tables.extend(held_out_engines(&folder, options.seed)?);
    Ok(tables)
}

fn params(lookback: Lookback, seed: u64) -> Params {
    Params {
        cap: CAP,
        lookback,
        seed,
        n_threads: rayon::current_num_threads(),
        ..Params::default()
    }
}

/// A prediction of one engine beside the truth, in cycles.
struct Judged {
    estimate: Estimate,
    truth: f64,
}

fn certain(rul: f64) -> Estimate {
    Estimate { rul, low: f64::NAN, high: f64::NAN, spread: f64::NAN }
}

fn test_engines(folder: &Path, subset: &str, labels: &[f64], seed: u64) -> anyhow::Result<Table> {
    let train = cmapss::runs(folder, "train", subset)?;
    let test = cmapss::runs(folder, "test", subset)?;
    anyhow::ensure!(test.len() == labels.len(), "{subset}: as many labels as test engines");
    let mut table = Table::new(
        format!(
            "C-MAPSS {subset}: {} test engines, one prediction each at the last cycle",
            test.len()
        ),
        &COLUMNS,
    );
    let judge = |predict: &dyn Fn(&Run) -> Estimate| -> Vec<Judged> {
        let judged = |(run, &truth)| Judged { estimate: predict(run), truth };
        test.iter().zip(labels).map(judged).collect()
    };
    let clock = CpuClock::start();
    let model = rul::train(&train, &params(Lookback::Whole, seed))?;
    let train_s = clock.seconds();
    let mean_life = mean_life(&train);
    let with_cost = |name: &str, model: &Model| {
        let mut cells = cells(name, &judge(&|run| model.estimate_run(run)));
        cells.push(format!("{:.0}", us_per_row(model, &test)));
        cells
    };
    table.row(with_cost("whole record", &model));
    let short = rul::train(&train, &params(Lookback::Rows(30), seed))?;
    table.row(with_cost("last 30 cycles only", &short));
    let clock_only = |run: &Run| certain((mean_life - run.n_rows() as f64).clamp(0.0, CAP));
    table.row(cells("trivial: mean life less age", &judge(&clock_only)));
    table.row(cells("trivial: 80 always", &judge(&|_| certain(80.0))));
    for (_, name, rmse) in PUBLISHED.iter().filter(|(of, _, _)| *of == subset) {
        table.row([format!("published: {name}"), format!("{rmse:.2}")]);
    }
    table.note(format!(
        "{} operating conditions found; training {train_s:.1} s of processor time; CPU per row: to take it and estimate",
        model.n_conditions()
    ));
    let files = ["train", "test"].map(|part| cmapss::path(folder, part, subset));
    let split = Split::default().files(files)?.file(&cmapss::labels_path(folder, subset))?;
    table.note(format!("seed {seed}, split {split}"));
    Ok(table)
}

fn mean_life(train: &[Run]) -> f64 {
    train.iter().map(|run| run.n_rows() as f64).sum::<f64>() / train.len() as f64
}

/// Processor time to take a row of a running machine and estimate its life.
fn us_per_row(model: &Model, test: &[Run]) -> f64 {
    let clock = CpuClock::start();
    let mut n_rows = 0;
    for run in test.iter().take(10) {
        let mut tracker = model.tracker();
        for row_idx in 0..run.n_rows() {
            let row = |columns: &[Vec<f64>]| -> Vec<f64> {
                columns.iter().map(|column| column[row_idx]).collect()
            };
            model.push(&mut tracker, &row(&run.settings), &row(&run.sensors));
            std::hint::black_box(model.estimate(&mut tracker));
            n_rows += 1;
        }
    }
    clock.seconds() * 1e6 / f64::from(n_rows)
}

fn held_out_engines(folder: &Path, seed: u64) -> anyhow::Result<[Table; 2]> {
    let mut columns = vec!["subset, cuts"];
    columns.extend(&COLUMNS[1..]);
    let title = "C-MAPSS training engines, held out in 5 folds and cut at random remaining lives";
    let mut table = Table::new(title, &columns);
    let (mut survival, mut all) = (Survival::default(), Split::default());
    for (subset, spans) in SPANS {
        let runs = cmapss::runs(folder, "train", subset)?;
        let groups: Vec<u64> = (0..runs.len() as u64).collect();
        let mut judged: Vec<Vec<Judged>> = spans.iter().map(|_| Vec::new()).collect();
        let folds = grouped_folds(&groups, 5, seed);
        let mut row_us = 0.0;
        for fold in &folds {
            let train: Vec<Run> = fold.train.iter().map(|&i| runs[i].clone()).collect();
            let model = rul::train(&train, &params(Lookback::Whole, seed))?;
            row_us += us_per_row(&model, &train) / folds.len() as f64;
            for (span, judged) in spans.iter().zip(&mut judged) {
                let cuts = fold.test.iter().flat_map(|&i| (0..CUTS).map(move |cut| (i, cut)));
                judged.extend(cuts.map(|(i, cut)| {
                    let (run, truth) = cut_run(&runs[i], *span, i, cut);
                    let estimate = model.estimate_run(&run);
                    survival.add(&model, &estimate, truth);
                    Judged { estimate, truth }
                }));
            }
        }
        for ((shortest, longest), judged) in spans.iter().zip(&judged) {
            let name = format!("{subset}, {} at {shortest} to {longest} cycles", judged.len());
            let mut cells = cells(&name, judged);
            cells.push(format!("{row_us:.0}"));
            table.row(cells);
        }
        all = all.file(&cmapss::path(folder, "train", subset))?.folds(&folds);
        let split = Split::default().file(&cmapss::path(folder, "train", subset))?.folds(&folds);
        table.note(format!("{subset}: split {split}"));
    }
    table.note("an engine is never in the forests, intervals or normal values that judge it");
    Ok([table, survival.table(&all)])
}

/// A run up to a remaining life within `span`, and that life; engines and cuts are spread evenly by two strides
/// without common divisor. At least 20 cycles are left of the record.
fn cut_run(run: &Run, span: (usize, usize), engine: usize, cut: usize) -> (Run, f64) {
    let rul = span.0 + (engine * 37 + cut * 59) % (span.1 + 1 - span.0);
    let rul = rul.min(run.n_rows().saturating_sub(20));
    (run.truncated(run.n_rows() - rul), rul as f64)
}

/// What is left when hardly any machine has failed yet.
fn few_failures(folder: &Path, seed: u64) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "C-MAPSS FD001: health index from few failures, judged on 90 other training engines",
        &[
            "known failures",
            "RMSE capped",
            "RMSE of mean life less age",
            "RMSE below 50",
            "µs CPU per record",
        ],
    );
    let runs = cmapss::runs(folder, "train", "FD001")?;
    let folds = grouped_folds(&(0..runs.len() as u64).collect::<Vec<u64>>(), 10, seed);
    let known = &folds[0];
    for n_known in [1, 3, 5, 9] {
        let train: Vec<Run> = known.test[..n_known].iter().map(|&i| runs[i].clone()).collect();
        let index = HealthIndex::fit(&train, CAP)?;
        let life = mean_life(&train);
        let (mut ours, mut trivial, mut cpu_s) = (Vec::new(), Vec::new(), 0.0);
        for (i, cut) in known.train.iter().flat_map(|&i| (0..CUTS).map(move |cut| (i, cut))) {
            let (run, truth) = cut_run(&runs[i], (5, 145), i, cut);
            let clock = CpuClock::start();
            let rul = index.outlook(&run).rul;
            cpu_s += clock.seconds();
            ours.push(Judged { estimate: certain(rul), truth });
            let rest = (life - run.n_rows() as f64).clamp(0.0, CAP);
            trivial.push(Judged { estimate: certain(rest), truth });
        }
        let late: Vec<&Judged> = ours.iter().filter(|judged| judged.truth <= 50.0).collect();
        let square = |judged: &&Judged| (judged.estimate.rul - judged.truth).powi(2);
        let late_rmse = (late.iter().map(square).sum::<f64>() / late.len() as f64).sqrt();
        table.row([
            n_known.to_string(),
            format!("{:.1}", rmse(&ours, CAP)),
            format!("{:.1}", rmse(&trivial, CAP)),
            format!("{late_rmse:.1}"),
            format!("{:.0}", cpu_s * 1e6 / ours.len() as f64),
        ]);
    }
    let split = Split::default().file(&cmapss::path(folder, "train", "FD001"))?;
    let split = split.folds(std::slice::from_ref(known));
    table.note(format!(
        "from ten failures on, the learnt model is used; seed {seed}, split {split}"
    ));
    Ok(table)
}

fn rmse(judged: &[Judged], cap: f64) -> f64 {
    let square = |judged: &Judged| (judged.estimate.rul - judged.truth.min(cap)).powi(2);
    (judged.iter().map(square).sum::<f64>() / judged.len() as f64).sqrt()
}

/// The score of the PHM 2008 competition: late predictions cost more than early ones.
fn nasa(judged: &[Judged], cap: f64) -> f64 {
    let score = |judged: &Judged| {
        let late = judged.estimate.rul - judged.truth.min(cap);
        (if late < 0.0 { -late / 13.0 } else { late / 10.0 }).exp_m1()
    };
    judged.iter().map(score).sum()
}

fn cells(name: &str, judged: &[Judged]) -> Vec<String> {
    let n = judged.len() as f64;
    let mut cells = vec![
        name.to_owned(),
        format!("{:.2}", rmse(judged, CAP)),
        format!("{:.0}", nasa(judged, CAP)),
        format!("{:.2}", rmse(judged, f64::INFINITY)),
        format!("{:.0}", nasa(judged, f64::INFINITY)),
    ];
    if judged.iter().any(|judged| judged.estimate.low.is_nan()) {
        return cells;
    }
    let covers = |judged: &&Judged| {
        let truth = judged.truth.min(CAP);
        judged.estimate.low <= truth && truth <= judged.estimate.high
    };
    let width: f64 = judged.iter().map(|j| j.estimate.high - j.estimate.low).sum();
    let late: Vec<f64> = judged
        .iter()
        .filter(|judged| judged.truth <= 50.0)
        .map(|judged| (judged.estimate.rul - judged.truth).abs())
        .collect();
    cells.push(format!("{:.1} %", 100.0 * judged.iter().filter(covers).count() as f64 / n));
    cells.push(format!("{:.1}", width / n));
    cells.push(format!("{:.2}", late.iter().sum::<f64>() / late.len() as f64));
    cells
}
