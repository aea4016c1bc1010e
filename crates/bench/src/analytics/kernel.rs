//! The streaming kernel: events per second of one core for 8 sensors, beside River and scikit-learn; and what single
//! detectors find where the answer is known.

mod known;

use std::fmt::Write as _;
use std::hint::black_box;

use analytics::detect::adwin::Adwin;
use analytics::detect::budget::Budget;
use analytics::detect::conformal::{Conformal, EProcess};
use analytics::detect::cusum::Cusum;
use analytics::detect::ewma::RobustEwma;
use analytics::detect::half_space::{self, HalfSpaceTrees};
use analytics::detect::isolation::IsolationForest;
use analytics::detect::levels::Levels;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::detect::quantile::{P2, TDigest};
use analytics::detect::seasonal::SeasonalResidual;
use analytics::{Detector, Frame};
use anyhow::Context;
use serde_json::Value;

use crate::random::Random;
use crate::{Bench, CpuClock, Options, Split, Table, peer};

const SENSORS: usize = 8;
const LAGS: usize = 3;
/// Rows that are made up once and pushed again and again.
const ROWS: usize = 1 << 14;
/// Every so many rows is odd: its sensors no longer follow the common state.
const ODD_EVERY: usize = 97;
const LEARN_ROWS: usize = 1000;

/// Made-up rows, row-major.
struct Data {
    values: Vec<f64>,
    is_odd: Vec<bool>,
}

pub(crate) const BENCH: Bench =
    Bench { name: "kernel", about: "streaming detectors: events per second beside River", run };

/// One table of rows with 8 sensors, one of single signals.
pub(crate) fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let data = Data::make(options.seed);
    let mut tables = vec![rows(&data, options)?, signals(&data, options.seed)];
    tables.extend(known::tables(options)?);
    Ok(tables)
}

impl Data {
    fn make(seed: u64) -> Data {
        let mut noise = Random::new(seed);
        let mut data = Data { values: Vec::new(), is_odd: Vec::new() };
        let mut state = 0.0;
        for row in 0..ROWS {
            state = 0.9 * state + 0.4 * noise.normal();
            let is_odd = row % ODD_EVERY == ODD_EVERY - 1 && row > LEARN_ROWS;
            let follows = if is_odd { -1.5 } else { 1.0 };
            for sensor in 0..SENSORS {
                let sign = if sensor % 2 == 0 { follows } else { 1.0 };
                let away = if is_odd { 1.5 } else { 0.0 };
                data.values.push(sign * (state + away) + 0.3 * noise.normal());
            }
            data.is_odd.push(is_odd);
        }
        data
    }

    fn note(&self, seed: u64) -> String {
        let split = Split::default().values("made up", &self.values).rows("train", 0..LEARN_ROWS);
        format!("seed {seed}, split {}", split.rows("test", LEARN_ROWS..ROWS))
    }

    fn frame(&self) -> Frame {
        Frame::from_rows(SENSORS, &self.values)
    }

    fn csv(&self) -> String {
        let mut text = String::new();
        for (row, is_odd) in self.values.chunks_exact(SENSORS).zip(&self.is_odd) {
            row.iter().for_each(|value| {
                let _ = write!(text, "{value},");
            });
            let _ = writeln!(text, "{}", u8::from(*is_odd));
        }
        text
    }
}

/// Events per second of processor time of `push` over at least `n` rows, and the scores of the first pass.
fn measure(data: &Data, n: usize, mut push: impl FnMut(&[f64]) -> f64) -> (f64, Vec<f64>) {
    let first: Vec<f64> = data.values.chunks_exact(SENSORS).map(&mut push).collect();
    let passes = n.div_ceil(ROWS);
    let clock = CpuClock::start();
    for _ in 0..passes {
        data.values.chunks_exact(SENSORS).for_each(|row| {
            black_box(push(row));
        });
    }
    ((passes * ROWS) as f64 / clock.seconds(), first)
}

fn rows(data: &Data, options: &Options) -> anyhow::Result<Table> {
    let title = format!(
        "Streaming kernel: rows of {SENSORS} sensors, score and learn, one core, seed {}",
        options.seed
    );
    let mut table = Table::new(title, &["detector", "rows per s", "AUC", "× River"]);
    let trees = half_space::Options { seed: options.seed, ..half_space::Options::default() };
    let river = options.peers.then(|| river(data, trees)).transpose()?;
    let river_speed = river.as_ref().and_then(|answer| answer["rows_per_s"].as_f64());
    let mut row = |name: &str, (speed, scores): (f64, Vec<f64>)| {
        let times = river_speed.map_or(String::new(), |river| format!("{:.0}", speed / river));
        table.row([
            name.to_owned(),
            format!("{speed:.0}"),
            format!("{:.3}", area(&scores, &data.is_odd)),
            times,
        ]);
    };
    let frame = data.frame();
    let mut half_space = HalfSpaceTrees::new(SENSORS, trees);
    row("half-space trees, 25 of depth 8", measure(data, 1 << 20, |row| half_space.push(row)));
    let learned = frame.rows(0..LEARN_ROWS);
    let mut lagged = Mahalanobis::new(LAGS, 0.01);
    lagged.fit(&learned);
    row("Mahalanobis, 3 lags (32 × 32)", measure(data, 1 << 22, |row| lagged.push(row)));
    let mut plain = Mahalanobis::new(0, 0.01);
    plain.fit(&learned);
    row("Mahalanobis, no lags", measure(data, 1 << 22, |row| plain.push(row)));
    let mut levels = Levels::new(SENSORS, 0.01);
    row("robust EWMA of each sensor, largest", measure(data, 1 << 22, |row| levels.push(row)));
    let mut forest = IsolationForest::new(100, 256, options.seed);
    forest.fit(&learned);
    row(
        "isolation forest, 100 × 256, score only",
        measure(data, 1 << 16, |row| forest.score_row(row)),
    );
    if options.peers {
        sklearn_rows(&mut table, data, options.seed, river_speed)?;
    }
    if let (Some(speed), Some(answer)) = (river_speed, &river) {
        let auc = answer["auc"].as_f64().unwrap_or(f64::NAN);
        let version = answer["version"].as_str().unwrap_or("?");
        table.row([
            format!("River {version} half-space trees, 25 of depth 8"),
            format!("{speed:.0}"),
            format!("{auc:.3}"),
            "1".to_owned(),
        ]);
    }
    table.row(["trivial: all alike", "", "0.500"]);
    table.note("goal: half-space trees ≥ 50 × River's on one core, ≥ 1,000,000 multivariate events per s for 8 sensors");
    table.note(data.note(options.seed));
    Ok(table)
}

fn river(data: &Data, trees: half_space::Options) -> anyhow::Result<Value> {
    let numbers = [trees.trees as u64, u64::from(trees.depth), trees.window as u64, trees.seed];
    ask_peer("trees", &data.csv(), &numbers.map(|number| number.to_string()))
}

/// scikit-learn's isolation forest, learned from and judged on the same rows: all at once, and row by row.
fn sklearn_rows(
    table: &mut Table,
    data: &Data,
    seed: u64,
    river_speed: Option<f64>,
) -> anyhow::Result<()> {
    let numbers = [100, 256, LEARN_ROWS as u64, seed].map(|number| number.to_string());
    let answer = ask_peer("forest", &data.csv(), &numbers)?;
    let version = answer["version"].as_str().unwrap_or("?");
    let auc = answer["auc"].as_f64().context("the peer gave no auc")?;
    for (how, key) in [("all rows at once", "rows_per_s"), ("row by row", "one_by_one_per_s")] {
        let speed = answer[key].as_f64().with_context(|| format!("the peer gave no {key}"))?;
        table.row([
            format!("scikit-learn {version} isolation forest, 100 × 256, {how}"),
            format!("{speed:.0}"),
            format!("{auc:.3}"),
            river_speed.map_or(String::new(), |river| format!("{:.2}", speed / river)),
        ]);
    }
    Ok(())
}

/// What `bench/analytics-kernel` answers to `what` about `text`, which it reads from a temporary file.
fn ask_peer(what: &str, text: &str, numbers: &[String]) -> anyhow::Result<Value> {
    let path = std::env::temp_dir().join(format!("fettler-kernel-{}.csv", std::process::id()));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let mut arguments = vec![what, path.to_str().context("the temporary folder is not UTF-8")?];
    arguments.extend(numbers.iter().map(String::as_str));
    let answer = peer::run("analytics-kernel", &arguments);
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    answer
}

/// Area under the ROC curve (Mann–Whitney), NaN scores left out.
fn area(scores: &[f64], is_odd: &[bool]) -> f64 {
    let known = scores.iter().zip(is_odd).filter(|(score, _)| !score.is_nan());
    let (scores, is_odd): (Vec<f64>, Vec<bool>) = known.map(|(score, odd)| (*score, *odd)).unzip();
    let ranks = analytics::detect::fuse::ranks(&scores);
    let last = (scores.len() - 1) as f64;
    let odd: Vec<f64> =
        ranks.iter().zip(&is_odd).filter(|(_, odd)| **odd).map(|(rank, _)| rank * last).collect();
    let n_odd = odd.len() as f64;
    let wins: f64 = odd.iter().sum::<f64>() - n_odd * (n_odd - 1.0) / 2.0;
    wins / (n_odd * (scores.len() as f64 - n_odd))
}

fn signals(data: &Data, seed: u64) -> Table {
    let title = format!("Streaming kernel: values of one signal, one core, seed {seed}");
    let mut table = Table::new(title, &["detector", "values per s", "ns per value"]);
    let mut row = |name: &str, push: &mut dyn FnMut(f64) -> f64| {
        let n = 1 << 21;
        let clock = CpuClock::start();
        for at in 0..n {
            black_box(push(data.values[at % data.values.len()]));
        }
        let each_s = clock.seconds() / n as f64;
        table.row([
            name.to_owned(),
            format!("{:.0}", 1.0 / each_s),
            format!("{:.0}", each_s * 1e9),
        ]);
    };
    let mut ewma = RobustEwma::new(0.01);
    row("robust EWMA", &mut |value| ewma.push(value));
    let mut cusum = Cusum::new(0.5, 5.0);
    row("CUSUM", &mut |value| f64::from(u8::from(cusum.push(value).is_some())));
    let (mut day, mut phase) = (SeasonalResidual::new(24, 0.1), 0);
    row("seasonal residual, 24 phases", &mut |value| {
        phase += 1;
        day.push(phase, value)
    });
    let mut p2 = P2::new(0.99);
    row("P² quantile", &mut |value| {
        p2.push(value);
        value
    });
    let mut digest = TDigest::new(100.0);
    row("t-digest", &mut |value| {
        digest.push(value);
        value
    });
    let mut adwin = Adwin::new(0.002, 32);
    row("ADWIN, looks every 32 values", &mut |value| f64::from(u8::from(adwin.push(value))));
    let conformal = Conformal::new(&data.values[..LEARN_ROWS]);
    let mut evidence = EProcess::default();
    row("conformal p-value and e-process", &mut |value| evidence.push(conformal.p_value(value)));
    let mut budget = Budget::new(&data.values[..LEARN_ROWS], 10_000.0, 20, 3.0);
    row("limit with a budget", &mut |value| {
        budget.push(value);
        value
    });
    table.note(data.note(seed));
    table
}
