//! Filling holes: values cut out of real signals, and how far from them each way of filling ends up.

use std::path::Path;

use analytics::Frame;
use analytics::clean::{Fill, estimate, fill};

use super::super::budget::{skab_normal, skab_path};
use crate::random::Random;
use crate::{CpuClock, Options, Split, Table, data};

/// A transformer's seven signals and a steel plant's six, beside SKAB's.
const FILES: [&str; 2] = ["ett/ETT-small/ETTh1.csv", "steel_energy/Steel_industry_data.csv"];
const LENGTHS: [usize; 4] = [1, 10, 60, 600];
/// Holes per signal and length, each in a record of its own.
const N_HOLES: usize = 12;
/// Half the width of an interval of 90 % of normal errors, in standard deviations.
const NORMAL_90: f64 = 1.645;

/// A plant's record, and the rows after which it repeats.
struct Record {
    name: &'static str,
    frame: Frame,
    period: Option<usize>,
}

/// One table: a row per record and length of hole.
pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let columns = [
        "record, signals × rows",
        "rows of the hole",
        "line",
        "season",
        "model",
        "model, others missing too",
        "90 % cover",
        "CPU ms per hole",
    ];
    let title = "Filling holes: root mean square error in standard deviations of the signal";
    let mut table = Table::new(title, &columns);
    for record in records(options.folder()?)? {
        let frame = &record.frame;
        let name = format!("{}, {} × {}", record.name, frame.n_columns(), frame.n_rows());
        for length in LENGTHS {
            let found = judge(&record, length, options.seed);
            let season =
                record.period.map_or("–".to_owned(), |_| format!("{:.3}", found.season.root()));
            table.row([
                name.clone(),
                length.to_string(),
                format!("{:.3}", found.line.root()),
                season,
                format!("{:.3}", found.model.root()),
                format!("{:.3}", found.alone.root()),
                format!("{:.1} %", 100.0 * found.covered / found.model.n),
                format!("{:.0}", 1000.0 * found.seconds / found.n_holes),
            ]);
        }
    }
    table.note(format!(
        "{N_HOLES} holes per signal and length, seed {}, one at a time; everything outside of the hole is known",
        options.seed
    ));
    table.note("90 % cover: share of the true values within 1.645 of the standard deviations that the model gives");
    let folder = options.folder()?;
    let files = FILES.map(|path| folder.join(path));
    let split = Split::default().file(&skab_path(options.folder()?))?.files(files)?;
    table.note(format!("records {split}"));
    Ok(table)
}

#[derive(Default)]
struct Errors {
    squares: f64,
    n: f64,
}

impl Errors {
    fn add(&mut self, error: f64) {
        self.squares += error * error;
        self.n += 1.0;
    }

    fn root(&self) -> f64 {
        (self.squares / self.n).sqrt()
    }
}

#[derive(Default)]
struct Found {
    line: Errors,
    season: Errors,
    model: Errors,
    /// The model, where all other signals are missing in the same rows.
    alone: Errors,
    covered: f64,
    seconds: f64,
    n_holes: f64,
}

fn judge(record: &Record, length: usize, seed: u64) -> Found {
    let mut found = Found::default();
    let mut noise = Random::new(seed);
    let n_rows = record.frame.n_rows();
    for column in 0..record.frame.n_columns() {
        let sigma = sigma(&record.frame.columns[column]);
        for _ in 0..N_HOLES {
            let start = 1 + (noise.uniform() * (n_rows - length - 2) as f64) as usize;
            one(record, column, start..start + length, sigma, &mut found);
        }
    }
    found
}

fn one(
    record: &Record,
    column: usize,
    hole: std::ops::Range<usize>,
    sigma: f64,
    found: &mut Found,
) {
    let truth = &record.frame.columns[column];
    let mut cut = truth.clone();
    cut[hole.clone()].fill(f64::NAN);
    let mut ways = vec![(Fill::Linear, &mut found.line)];
    if let Some(period) = record.period {
        ways.push((Fill::Seasonal { period }, &mut found.season));
    }
    for (how, errors) in ways {
        let mut filled = cut.clone();
        fill(&mut filled, how, hole.len());
        hole.clone().for_each(|row| errors.add((filled[row] - truth[row]) / sigma));
    }
    let mut frame = record.frame.clone();
    frame.columns[column] = cut;
    let mut alone = frame.clone();
    let clock = CpuClock::start();
    for of in estimate(&mut frame, record.period, hole.len()) {
        let error = (of.value - truth[of.row_idx]).abs();
        found.model.add(error / sigma);
        found.covered += if error <= NORMAL_90 * of.sigma { 1.0 } else { 0.0 };
    }
    found.seconds += clock.seconds();
    found.n_holes += 1.0;
    alone.columns.iter_mut().for_each(|other| other[hole.clone()].fill(f64::NAN));
    for of in estimate(&mut alone, record.period, hole.len()) {
        if of.column == column {
            found.alone.add((of.value - truth[of.row_idx]) / sigma);
        }
    }
}

fn sigma(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt()
}

fn records(folder: &Path) -> anyhow::Result<Vec<Record>> {
    let table = |path: &str, columns: std::ops::Range<usize>| -> anyhow::Result<Frame> {
        let text = data::text(&folder.join(path))?;
        let mut values = Vec::new();
        for line in text.lines().skip(1) {
            let words = line.split(',').skip(columns.start).take(columns.len());
            values.extend(words.map(str::parse::<f64>).collect::<Result<Vec<_>, _>>()?);
        }
        Ok(Frame::from_rows(columns.len(), &values))
    };
    let (transformer, steel) = (table(FILES[0], 1..8)?, table(FILES[1], 1..7)?);
    Ok(vec![
        Record { name: "SKAB anomaly-free, 1 s", frame: skab_normal(folder)?, period: None },
        Record { name: "ETTh1, 1 h", frame: transformer, period: Some(24) },
        Record { name: "steel plant, 15 min", frame: steel, period: Some(7 * 96) },
    ])
}
