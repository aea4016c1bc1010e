//! Which fault it is, learned from one run of each, and whether one that was never seen is called unknown.

use analytics::Frame;
use analytics::monitor::faults::{FaultBook, FaultTrack};
use anyhow::Context;
use rayon::prelude::*;
use serde_json::Value;

use super::{FAULT_ROW, HOPELESS, Plant};
use crate::{CpuClock, Options, Table, peer};

/// Rows after the fault's begin that are not judged; the published row leaves them out as well.
const SETTLE_ROWS: usize = 20;

/// What one test run gave, in shares of its rows.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// The likeliest known fault is the right one.
    named: f64,
    /// … and it was not called unknown.
    answered: f64,
    in_set: f64,
    set_size: f64,
    unknown: f64,
}

/// One table: known faults, and each fault left out of what was learned.
pub(super) fn tables(plant: &Plant, options: &Options) -> anyhow::Result<Vec<Table>> {
    let seed = options.seed;
    let known: Vec<usize> = plant
        .known
        .iter()
        .map(|(fault, _)| *fault)
        .filter(|fault| !HOPELESS.contains(fault))
        .collect();
    let tests: Vec<(usize, &Frame)> = plant
        .tests
        .iter()
        .filter(|(fault, _)| known.contains(fault))
        .map(|(fault, frame)| (*fault, frame))
        .collect();
    let clock = CpuClock::start();
    let book = learn(plant, &known, seed)?;
    let learned_s = clock.seconds();
    let clock = CpuClock::start();
    let seen: Vec<Figures> =
        tests.iter().map(|(fault, frame)| judge(&book, &known, *fault, frame)).collect();
    let n_rows: usize = tests.iter().map(|(_, frame)| frame.n_rows()).sum();
    let row_us = clock.seconds() / n_rows as f64 * 1e6;
    let unseen: Vec<f64> = tests
        .par_iter()
        .map(|(fault, frame)| {
            let others: Vec<usize> = known.iter().copied().filter(|other| other != fault).collect();
            Ok(judge(&learn(plant, &others, seed)?, &others, *fault, frame).unknown)
        })
        .collect::<anyhow::Result<_>>()?;
    let peer = options.peers.then(|| lightgbm(options, &known)).transpose()?;
    let mut table = table(plant, &known, &tests, &seen, &unseen, row_us, peer.as_ref());
    table.note(format!("learned from d01 to d21 in {learned_s:.0} CPU-s; seed {seed}"));
    Ok(vec![table])
}

fn table(
    plant: &Plant,
    known: &[usize],
    tests: &[(usize, &Frame)],
    seen: &[Figures],
    unseen: &[f64],
    row_us: f64,
    peer: Option<&Value>,
) -> Table {
    let title = format!(
        "Tennessee Eastman: diagnosis among {} faults, learned from one run of each, judged from row {} on, data {}",
        known.len(),
        FAULT_ROW + SETTLE_ROWS,
        plant.split
    );
    let columns = [
        "fault",
        "named right",
        "… and not called unknown",
        "in the set",
        "faults in the set",
        "called unknown",
        "called unknown when it was never learned",
        "µs CPU per row",
    ];
    let mut table = Table::new(title, &columns);
    let percent = |share: f64| format!("{:.1} %", 100.0 * share);
    let mut row = |name: String, figures: Figures, unseen: f64, us: String| {
        table.row([
            name,
            percent(figures.named),
            percent(figures.answered),
            percent(figures.in_set),
            format!("{:.2}", figures.set_size),
            percent(figures.unknown),
            percent(unseen),
            us,
        ]);
    };
    for (((fault, _), figures), unseen) in tests.iter().zip(seen).zip(unseen) {
        row(fault.to_string(), *figures, *unseen, String::new());
    }
    let mean = |of: &dyn Fn(&Figures) -> f64| seen.iter().map(of).sum::<f64>() / seen.len() as f64;
    let means = Figures {
        named: mean(&|figures| figures.named),
        answered: mean(&|figures| figures.answered),
        in_set: mean(&|figures| figures.in_set),
        set_size: mean(&|figures| figures.set_size),
        unknown: mean(&|figures| figures.unknown),
    };
    row(
        format!("mean of {}", tests.len()),
        means,
        unseen.iter().sum::<f64>() / unseen.len() as f64,
        format!("{row_us:.0}"),
    );
    table.row(["trivial: always the same".to_owned(), percent(1.0 / tests.len() as f64)]);
    if let Some(answer) = peer {
        let named = answer["named"].as_f64().map_or(String::new(), percent);
        let version = answer["version"].as_str().unwrap_or("?");
        let name = format!("LightGBM {version}, means and deviations of 5, 20, 50 rows");
        table.row([name, named]);
    }
    table.note("goal: named right ≥ 90 % at ≥ 95 % of the faults in the set");
    table
}

fn lightgbm(options: &Options, known: &[usize]) -> anyhow::Result<Value> {
    let folder = options.folder()?.join("tep");
    let folder = folder.to_str().context("the data folder is not UTF-8")?;
    let known: Vec<String> = known.iter().map(usize::to_string).collect();
    peer::run("analytics-tep", &[folder, &options.seed.to_string(), &known.join(",")])
}

fn learn(plant: &Plant, faults: &[usize], seed: u64) -> anyhow::Result<FaultBook> {
    let run = |fault: &usize| plant.known.iter().find(|(known, _)| known == fault);
    let runs: Vec<Frame> = faults.iter().filter_map(run).map(|(_, frame)| frame.clone()).collect();
    Ok(FaultBook::learn(&plant.train, &runs, seed)?)
}

fn judge(book: &FaultBook, known: &[usize], fault: usize, frame: &Frame) -> Figures {
    let mut track = FaultTrack::default();
    let (mut row, mut figures) = (Vec::new(), Figures::default());
    let weight = 1.0 / (frame.n_rows() - FAULT_ROW - SETTLE_ROWS) as f64;
    for row_idx in 0..frame.n_rows() {
        frame.copy_row(row_idx, &mut row);
        let diagnosis = book.push(&mut track, &row);
        if row_idx < FAULT_ROW + SETTLE_ROWS {
            continue;
        }
        let is_right = known[diagnosis.best] == fault;
        let is_in_set = diagnosis.set.iter().any(|place| known[*place] == fault);
        let counts = |is: bool| if is { weight } else { 0.0 };
        figures.named += counts(is_right);
        figures.answered += counts(is_right && !diagnosis.is_unknown);
        figures.in_set += counts(is_in_set);
        figures.set_size += weight * diagnosis.set.len() as f64;
        figures.unknown += counts(diagnosis.is_unknown);
    }
    figures
}
