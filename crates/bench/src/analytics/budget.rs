//! Alarm budgets: "one false alarm in so many rows", on records without a fault; and the back-test of a limit.

mod chain;
mod months;

use std::path::{Path, PathBuf};

use analytics::alarm::{LimitSpec, back_test};
use analytics::detect::budget::{Budget, Call};
use analytics::detect::ewma::RobustEwma;
use analytics::detect::mahalanobis::Mahalanobis;
use analytics::monitor::{Method, Monitor, Options as Fit, Rest, blocked_points};
use analytics::stream::{AssetMonitor, Judgement, Settings};
use analytics::{Detector, Frame};
use anyhow::Context;

use super::tep;
use crate::random::Random;
use crate::{Bench, CpuClock, Options, Split, Table, data};

/// Rows at the start of each SKAB and NAB file that are learned from.
const TRAINING_ROWS: usize = 1000;
/// Consecutive blocks of the training rows, each scored by a model of the others.
const BLOCKS: usize = 5;
/// An episode ends after so many rows below the limit.
const ROWS_TO_END: u32 = 10;
/// How far the adaptive limit may move from the first one, as a factor.
const REACH: f64 = 10.0;
/// Rows before the present one that belong to its window.
const LAGS: usize = 3;
const SHRINKAGE: f64 = 0.01;
/// Weight of the newest row in the level of a column; slower movements are followed.
const LEVEL_WEIGHT: f64 = 0.01;
const SETTLE_ROWS: usize = 200;
/// Distances from the level are cut off here, in standard deviations.
const MOST: f64 = 20.0;
/// NAB files that repeat themselves exactly: nothing in them can be unusual by chance.
const NOISELESS: [&str; 3] =
    ["art_daily_no_noise", "art_daily_perfect_square_wave", "art_flatline"];
const S: i64 = 1_000_000;

/// Normal rows of one machine: what is learned from, what is judged.
struct Record {
    train: Frame,
    normal: Frame,
    /// Both as [`leveled`], which goes from one to the other without a break.
    leveled_train: Frame,
    leveled_normal: Frame,
}

pub(crate) const BENCH: Bench = Bench {
    name: "budget",
    about: "alarms: budgets that are kept, a limit tried on a year of seconds",
    run,
};

/// Realized over budgeted alarms, and the back-test of one year.
pub(crate) fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![budgets(options)?, back_tests(options.seed)])
}

fn budgets(options: &Options) -> anyhow::Result<Table> {
    let skab = vec![Record::of(&skab_normal(options.folder()?)?, TRAINING_ROWS)];
    let (exact, noisy): (Vec<_>, Vec<_>) = nab_normal(options.folder()?)?
        .into_iter()
        .partition(|(name, _)| NOISELESS.contains(&name.as_str()));
    let records = |files: Vec<(String, Frame)>| -> Vec<Record> {
        files.iter().map(|(_, frame)| Record::of(frame, TRAINING_ROWS)).collect()
    };
    let (noisy, exact) = (records(noisy), records(exact));
    let title =
        "False-alarm budgets on records without a fault: episodes that came over those budgeted";
    let columns = [
        "record",
        "one in rows",
        "rows",
        "budgeted",
        "came",
        "ratio",
        "rows in alarm",
        "ratio, limit not adapted",
        "ratio, AssetMonitor",
        "ratio, AssetMonitor's score, limit adapted",
        "ratio, conformal → e-process",
        "ns CPU per row",
    ];
    let mut table = Table::new(title, &columns);
    for budget in [100.0, 250.0, 500.0] {
        tep_row(&mut table, options, budget)?;
    }
    for (name, records) in [
        ("SKAB anomaly-free", &skab),
        ("NAB normal, with noise", &noisy),
        ("NAB normal, without noise", &exact),
    ] {
        for budget in [250.0, 500.0, 1000.0] {
            let limit = chain::limit(TRAINING_ROWS - SETTLE_ROWS, budget);
            let each = records.iter().map(|record| count(record, budget, limit));
            row(&mut table, name, budget, &each.fold(Counts::default(), Counts::plus));
        }
    }
    month_rows(&mut table, options.seed);
    table.note("goal: ratio within 0.5 to 2. SKAB and NAB: robust EWMA of every column, then lagged Mahalanobis learned from the first 1000 rows of each file; TEP: CVA of the benchmark tep, learned from d00");
    table.note("AssetMonitor: the ratio of the detector that the product runs by itself, which takes the budget as an upper bound; its score under an adapted limit finds less (benchmark skab)");
    table.note("files without noise repeat themselves exactly, so that no alarm can come by chance: there the budget is an upper bound");
    table.note("trivial: an alarm that never rings has ratio 0");
    table.note(format!(
        "simulated months: {} machines of {} months, a row per minute, learned from a week before; one alarm in 30 days allowed; seed {}",
        months::MACHINES,
        months::MONTHS,
        options.seed
    ));
    table.note(format!(
        "conformal → e-process: highest of {} scores of the same detector, ranked among held-out ones; its limit of evidence comes from simulated exchangeable scores alone; what it tells is when it rings, it has no end",
        chain::BLOCK
    ));
    table.note("ns: detector and adaptive limit, learning included");
    table.note(format!("split {}", split(options.folder()?)?));
    Ok(table)
}

/// The files of all records and the rows that are learned from; of Tennessee Eastman d00 is.
fn split(data: &Path) -> anyhow::Result<Split> {
    let files = [vec![skab_path(data)], nab_paths(data)?].concat();
    let split = Split::default().files(files)?.rows("train", 0..TRAINING_ROWS);
    let plant = tep::Plant::read(&data.join("tep"))?;
    Ok(split.bytes("tep", plant.split.to_string().as_bytes()))
}

/// What came on records of one kind, by way of judging.
#[derive(Clone, Copy, Default)]
struct Counts {
    n_rows: usize,
    /// With the adaptive limit and with the first one.
    limits: [Came; 2],
    /// The product's detector, with its own limit and with an adaptive one.
    product: [usize; 2],
    chain: usize,
    /// Of detector and adaptive limit.
    seconds: f64,
}

impl Counts {
    fn plus(self, other: Counts) -> Counts {
        Counts {
            n_rows: self.n_rows + other.n_rows,
            limits: [0, 1].map(|i| self.limits[i].plus(other.limits[i])),
            product: [0, 1].map(|i| self.product[i] + other.product[i]),
            chain: self.chain + other.chain,
            seconds: self.seconds + other.seconds,
        }
    }
}

fn row(table: &mut Table, name: &str, budget: f64, counts: &Counts) {
    let budgeted = counts.n_rows as f64 / budget;
    let ratio = |count: usize| format!("{:.2}", count as f64 / budgeted);
    let [adapted, first] = counts.limits;
    table.row([
        name.to_owned(),
        budget.to_string(),
        counts.n_rows.to_string(),
        format!("{budgeted:.1}"),
        adapted.episodes.to_string(),
        ratio(adapted.episodes),
        format!("{:.1} %", 100.0 * adapted.rows as f64 / counts.n_rows as f64),
        ratio(first.episodes),
        ratio(counts.product[0]),
        ratio(counts.product[1]),
        ratio(counts.chain),
        format!("{:.0}", counts.seconds * 1e9 / counts.n_rows as f64),
    ]);
}

/// One false alarm per machine and 30 days, as an operator says it.
fn month_rows(table: &mut Table, seed: u64) {
    let budget = months::ROWS_PER_MONTH as f64;
    let limit = chain::limit(months::LEARN_ROWS - SETTLE_ROWS, budget);
    for (name, shape) in months::SHAPES {
        let of_machine = |machine: u64| {
            let frame = months::machine(shape, seed * 1000 + machine);
            count(&Record::of(&frame, months::LEARN_ROWS), budget, limit)
        };
        let counts: Vec<Counts> = (0..months::MACHINES).map(of_machine).collect();
        row(table, name, budget, &counts.into_iter().fold(Counts::default(), Counts::plus));
    }
}

impl Record {
    fn of(frame: &Frame, n_train: usize) -> Record {
        let leveled = leveled(frame);
        let rest = n_train..frame.n_rows();
        Record {
            train: frame.rows(0..n_train),
            normal: frame.rows(rest.clone()),
            // The first rows of a level are far from it because it is not settled yet.
            leveled_train: leveled.rows(SETTLE_ROWS..n_train),
            leveled_normal: leveled.rows(rest),
        }
    }
}

/// Each column by its distance from its own robust level, so that a machine that warms up is not a fault.
fn leveled(frame: &Frame) -> Frame {
    let column = |values: &Vec<f64>| {
        let mut level = RobustEwma::new(LEVEL_WEIGHT);
        values.iter().map(|value| level.push(*value).clamp(-MOST, MOST)).collect()
    };
    Frame { times_us: frame.times_us.clone(), columns: frame.columns.iter().map(column).collect() }
}

fn fitted(train: &Frame) -> Mahalanobis {
    let mut detector = Mahalanobis::new(LAGS, SHRINKAGE);
    detector.fit(train);
    detector
}

/// `evidence`: the limit of the e-process.
fn count(record: &Record, budget: f64, evidence: f64) -> Counts {
    let clock = CpuClock::start();
    let (held_out, scores) = scores(record);
    let came = |reach: f64| Came::of(Budget::new(&held_out, budget, ROWS_TO_END, reach), &scores);
    let adapted = came(REACH);
    let seconds = clock.seconds();
    Counts {
        n_rows: record.normal.n_rows(),
        limits: [adapted, came(1.0)],
        product: asset_monitor(record, budget),
        chain: chain::alarms(&held_out, &scores, evidence),
        seconds,
    }
}

/// Scores of the training rows, each by a model of the other blocks, and of the rows that are judged.
fn scores(record: &Record) -> (Vec<f64>, Vec<f64>) {
    let (train, normal) = (&record.leveled_train, &record.leveled_normal);
    let n_rows = train.n_rows();
    let mut held_out = Vec::new();
    for block in 0..BLOCKS {
        let range = n_rows * block / BLOCKS..n_rows * (block + 1) / BLOCKS;
        let mut detector = fitted(&train.without(range.clone()));
        detector.score(&train.rows(range), &mut held_out);
    }
    let mut scores = Vec::new();
    fitted(train).score(normal, &mut scores);
    (held_out, scores)
}

/// Episodes, and the rows that they last.
#[derive(Clone, Copy, Default)]
struct Came {
    episodes: usize,
    rows: usize,
}

impl Came {
    fn of(mut budget: Budget, scores: &[f64]) -> Came {
        let mut came = Came::default();
        for score in scores {
            let call = budget.push(*score);
            came.episodes += usize::from(call == Call::Begins);
            came.rows += usize::from(call != Call::Quiet);
        }
        came
    }

    fn plus(self, other: Came) -> Came {
        Came { episodes: self.episodes + other.episodes, rows: self.rows + other.rows }
    }
}

/// Episodes of the product's detector: with its own limit, and with one that adapts on the same scores.
fn asset_monitor(record: &Record, budget: f64) -> [usize; 2] {
    let settings = Settings {
        learn_rows: record.train.n_rows(),
        rows_per_false_alarm: budget,
        refit: true,
        seed: 1,
    };
    let mut monitor = AssetMonitor::new(record.train.n_columns(), settings);
    judgements(&mut monitor, &record.train);
    let known: Vec<f64> =
        judgements(&mut monitor.clone(), &record.train).iter().map(|judged| judged.score).collect();
    let judged = judgements(&mut monitor, &record.normal);
    let scores: Vec<f64> = judged.iter().map(|judged| judged.score).collect();
    let adapted = Came::of(adaptive(&known, budget), &scores);
    [judged.iter().filter(|judged| judged.started).count(), adapted.episodes]
}

/// The limit that keeps the budget on scores like the `known` ones of normal rows.
pub(super) fn adaptive(known: &[f64], rows_per_false_alarm: f64) -> Budget {
    Budget::new(known, rows_per_false_alarm, ROWS_TO_END, REACH)
}

fn judgements(monitor: &mut AssetMonitor, frame: &Frame) -> Vec<Judgement> {
    let mut row = Vec::new();
    let judge = |row_idx: usize| {
        frame.copy_row(row_idx, &mut row);
        monitor.push(&row, 0)
    };
    (0..frame.n_rows()).map(judge).collect()
}

fn tep_row(table: &mut Table, options: &Options, budget: f64) -> anyhow::Result<()> {
    let plant = tep::Plant::read(&options.folder()?.join("tep"))?;
    let method =
        Method::Cva { past: 3, future: 3, states: 29, outputs: None, rest: Rest::Variates };
    let fit = Fit { method, shrinkage: 0.005, smoothing: 0.1 };
    let clock = CpuClock::start();
    let held_out: Vec<f64> =
        blocked_points(&plant.train, fit, 10)?.iter().map(|point| point.spe).collect();
    let monitor = Monitor::fit(&plant.train, fit)?;
    let mut runs = vec![plant.normal.clone()];
    runs.extend(plant.tests.iter().map(|(_, frame)| frame.rows(0..tep::FAULT_ROW)));
    let scores: Vec<f64> =
        runs.iter().flat_map(|run| monitor.points(run)).map(|point| point.spe).collect();
    let came = |reach: f64| Came::of(Budget::new(&held_out, budget, ROWS_TO_END, reach), &scores);
    let limits = [came(REACH), came(1.0)];
    let seconds = clock.seconds();
    let n_train = plant.train.n_rows();
    let whole = Record::of(&join(&[std::slice::from_ref(&plant.train), &runs].concat()), n_train);
    let limit = chain::limit(held_out.len(), budget);
    let counts = Counts {
        n_rows: scores.len(),
        limits,
        product: asset_monitor(&whole, budget),
        chain: chain::alarms(&held_out, &scores, limit),
        seconds,
    };
    row(table, "TEP normal", budget, &counts);
    Ok(())
}

fn join(frames: &[Frame]) -> Frame {
    let columns = (0..frames[0].n_columns())
        .map(|column| frames.iter().flat_map(|frame| frame.columns[column].clone()).collect())
        .collect();
    let n_rows: usize = frames.iter().map(Frame::n_rows).sum();
    Frame { times_us: (0..n_rows as i64).collect(), columns }
}

/// The SKAB run without anomalies.
pub(super) fn skab_path(data: &Path) -> PathBuf {
    data.join("skab/data/anomaly-free/anomaly-free.csv")
}

/// The NAB files without anomalies.
pub(super) fn nab_paths(data: &Path) -> anyhow::Result<Vec<PathBuf>> {
    data::files(&data.join("nab/data/artificialNoAnomaly"), ".csv")
}

/// 8 sensors, a row per second.
pub(super) fn skab_normal(data: &Path) -> anyhow::Result<Frame> {
    let text = data::text(&skab_path(data))?;
    let values = |line: &str| -> anyhow::Result<Vec<f64>> {
        let values: Result<Vec<f64>, _> = line.split(';').skip(1).take(8).map(str::parse).collect();
        values.with_context(|| format!("cannot read {line}"))
    };
    let rows: Vec<Vec<f64>> = text.lines().skip(1).map(values).collect::<Result<_, _>>()?;
    Ok(Frame::from_rows(8, &rows.concat()))
}

/// Name and one column each, a row per five minutes.
pub(super) fn nab_normal(data: &Path) -> anyhow::Result<Vec<(String, Frame)>> {
    let mut frames = Vec::new();
    for path in nab_paths(data)? {
        let value = |line: &str| line.split(',').nth(1).and_then(|value| value.parse().ok());
        let values: Option<Vec<f64>> = data::text(&path)?.lines().skip(1).map(value).collect();
        let values = values.with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        frames.push((name, Frame::from_rows(1, &values)));
    }
    Ok(frames)
}

/// A limit on a bearing's temperature that noise crosses, over a year of seconds with six real events.
fn back_tests(seed: u64) -> Table {
    const YEAR_S: i64 = 31_536_000;
    const EVENT_S: i64 = 1800;
    let mut noise = Random::new(seed);
    let wave: Vec<f64> = (0..1 << 16).map(|_| noise.normal()).collect();
    let times_us: Vec<i64> = (0..YEAR_S).map(|s| s * S).collect();
    let starts: Vec<i64> = (1..7).map(|n| n * 5_000_000).collect();
    let is_event = |s: i64| starts.iter().any(|start| (*start..start + EVENT_S).contains(&s));
    let values: Vec<f64> = (0..YEAR_S)
        .map(|s| {
            78.0 + 0.4 * wave[(s * 31) as usize % wave.len()] + if is_event(s) { 3.0 } else { 0.0 }
        })
        .collect();
    let events: Vec<(i64, i64)> =
        starts.iter().map(|start| (start * S, (start + EVENT_S) * S)).collect();
    let title =
        format!("Back-test of a limit: one year at 1 Hz, {} events, seed {seed}", events.len());
    let columns = ["limit 79.5 °C", "rings", "events missed", "CPU s", "ns CPU per sample"];
    let mut table = Table::new(title, &columns);
    for (deadband, on_delay_s) in [(0.0, 0), (0.8, 0), (0.8, 20)] {
        let spec = LimitSpec {
            above: Some(79.5),
            deadband,
            on_delay_us: on_delay_s * S,
            ..LimitSpec::default()
        };
        let clock = CpuClock::start();
        let result = back_test(spec, &times_us, &values, &events);
        let seconds = clock.seconds();
        table.row([
            format!("deadband {deadband}, delay {on_delay_s} s"),
            result.rings.to_string(),
            result.missed.len().to_string(),
            format!("{seconds:.2}"),
            format!("{:.1}", seconds * 1e9 / values.len() as f64),
        ]);
    }
    let starts: Vec<usize> = starts.iter().map(|start| *start as usize).collect();
    let split = Split::default().values("made up", &wave).rows("events", starts);
    table.note(format!("goal: ≤ 3 s; data {split}"));
    table
}
