//! Drift of many columns against a reference, and change points: cost, false discoveries, what is found.

use analytics::Frame;
use analytics::drift::change_points::{Change, pelt};
use analytics::drift::online::OnlineChangePoints;
use analytics::drift::{compare, compare_all, mmd};

use anyhow::Context;
use serde_json::Value;

use crate::random::Random;
use crate::{Bench, CpuClock, Options, Split, Table, peer};

const COLUMNS: usize = 50;
const ROWS: usize = 10_000;
const FALSE_DISCOVERY_RATE: f64 = 0.05;
/// Values between two changes of level of [`CHANGE_HEIGHT`] standard deviations.
const CHANGE_EVERY: usize = 5000;
const CHANGE_HEIGHT: f64 = 3.0;
/// Of a change, in units of ln n.
const PENALTY: f64 = 3.0;
/// A change is found if a point lies so near.
const NEAR: usize = 25;

pub(crate) const BENCH: Bench = Bench {
    name: "drift",
    about: "drift between tables and change points: cost, false discoveries",
    run,
};

/// One table of comparisons, one of change points.
pub(crate) fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![comparisons(options)?, change_points(options)?, calm(options)])
}

fn frame(seed: u64, n_rows: usize) -> Frame {
    let mut noise = Random::new(seed);
    let values: Vec<f64> = (0..COLUMNS * n_rows).map(|_| noise.normal()).collect();
    Frame::from_rows(COLUMNS, &values)
}

fn comparisons(options: &Options) -> anyhow::Result<Table> {
    let seed = options.seed;
    let title = format!("Drift: {COLUMNS} columns × {ROWS} rows against as many, seed {seed}");
    let mut table = Table::new(title, &["what", "CPU ms", "found"]);
    let (old, new) = (frame(seed, ROWS), frame(seed + 1, ROWS));
    let found = |new: &Frame| {
        let drifts = compare(&old, new, FALSE_DISCOVERY_RATE);
        drifts
            .iter()
            .filter(|drift| drift.has_drifted)
            .map(|drift| drift.column)
            .collect::<Vec<_>>()
    };
    let repeats = 20;
    let clock = CpuClock::start();
    let same: usize = (0..repeats).map(|_| found(&new).len()).sum();
    let each_ms = clock.seconds() / f64::from(repeats) * 1e3;
    let name = "PSI, KS, Wasserstein, false-discovery control; nothing changed";
    table.row([
        name.to_owned(),
        format!("{each_ms:.1}"),
        format!("{} columns", same / repeats as usize),
    ]);
    for shift in [0.05, 0.1] {
        let mut shifted = new.clone();
        shifted.columns[7].iter_mut().for_each(|value| *value += shift);
        let name = format!("the same; column 7 up by {shift} standard deviations");
        table.row([name, String::new(), format!("columns {:?}", found(&shifted))]);
    }
    let mut turned = new.clone();
    let first = turned.columns[0].clone();
    turned.columns[1].iter_mut().zip(&first).for_each(|(y, x)| *y = 0.8 * x + 0.6 * *y);
    table.row([
        "the same; columns 0 and 1 now move together".to_owned(),
        String::new(),
        format!("columns {:?}", found(&turned)),
    ]);
    let (repeats, clock) = (20, CpuClock::start());
    let calm = (0..repeats)
        .filter(|_| compare_all(&old, &new, FALSE_DISCOVERY_RATE, seed).joint_has_drifted);
    let calm = calm.count();
    let each_ms = clock.seconds() / f64::from(repeats) * 1e3;
    let joint = compare_all(&old, &turned, FALSE_DISCOVERY_RATE, seed);
    let mut ten = turned.clone();
    for column in &mut ten.columns[2..10] {
        column.iter_mut().zip(&first).for_each(|(y, x)| *y = 0.8 * x + 0.6 * *y);
    }
    let ten = compare_all(&old, &ten, FALSE_DISCOVERY_RATE, seed);
    for (name, ms, joint_has_drifted) in [
        (
            "with MMD over all columns in linear time, controlled together; nothing changed",
            format!("{each_ms:.1}"),
            calm > 0,
        ),
        ("the same; columns 0 and 1 now move together", String::new(), joint.joint_has_drifted),
        ("the same; columns 0 to 9 now move together", String::new(), ten.joint_has_drifted),
    ] {
        let found = if joint_has_drifted { "the table as a whole" } else { "nothing" };
        table.row([name.to_owned(), ms, found.to_owned()]);
    }
    let pair = |frame: &Frame| Frame { columns: frame.columns[..2].to_vec(), ..frame.clone() };
    let clock = CpuClock::start();
    let result = mmd::discrepancy(&pair(&old), &pair(&turned), 500, 200, seed);
    let name = "MMD on these two columns, 500 rows each, 200 permutations";
    table.row([
        name.to_owned(),
        format!("{:.0}", clock.seconds() * 1e3),
        format!("p = {:.3}", result.p_value),
    ]);
    if options.peers {
        scipy_rows(&mut table, &old, &new)?;
    }
    let runs = 200;
    let false_runs = (0..runs).filter(|run| {
        let (old, new) = (frame(seed + 10 + 2 * run, 500), frame(seed + 11 + 2 * run, 500));
        compare(&old, &new, FALSE_DISCOVERY_RATE).iter().any(|drift| drift.has_drifted)
    });
    let false_runs = false_runs.count();
    table.note("goal: 30 ms for all columns");
    let split = Split::default().values("old", old.columns.iter().flatten());
    table.note(format!("split {}", split.values("new", new.columns.iter().flatten())));
    table.note(format!("any false discovery in {false_runs} of {runs} comparisons of {COLUMNS} unchanged columns × 500 rows; a rate of {FALSE_DISCOVERY_RATE} allows {}", runs as f64 * FALSE_DISCOVERY_RATE));
    Ok(table)
}

/// scipy on the same columns: its two statistics one after the other, and how far ours are from them.
fn scipy_rows(table: &mut Table, old: &Frame, new: &Frame) -> anyhow::Result<()> {
    let values: Vec<f64> = [old, new].iter().flat_map(|of| of.columns.concat()).collect();
    let answer = ask_peer("compare", &values, &[COLUMNS.to_string(), "3".to_owned()])?;
    let version = answer["version"].as_str().unwrap_or("?");
    let ours = compare(old, new, FALSE_DISCOVERY_RATE);
    let apart = |key: &str, of: fn(&analytics::drift::ColumnDrift) -> f64| -> anyhow::Result<f64> {
        let theirs: Vec<f64> = serde_json::from_value(answer[key].clone())
            .with_context(|| format!("the peer gave no {key}"))?;
        let pairs = ours.iter().zip(theirs);
        Ok(pairs.map(|(one, other)| (of(one) - other).abs()).fold(0.0, f64::max))
    };
    let ks = (apart("ks", |one| one.ks)?, apart("p_values", |one| one.p_value)?);
    let wasserstein = apart("wasserstein", |one| one.wasserstein)?;
    for (name, key, found) in [
        ("KS alone", "ks_ms", format!("ours within {:.0e}, p within {:.0e}", ks.0, ks.1)),
        ("Wasserstein alone", "wasserstein_ms", format!("ours within {wasserstein:.0e}")),
    ] {
        let ms = answer[key].as_f64().with_context(|| format!("the peer gave no {key}"))?;
        table.row([format!("scipy {version}: {name}"), format!("{ms:.1}"), found]);
    }
    Ok(())
}

/// What `bench/analytics-drift` answers to `what` about `values`, which it reads from a temporary file.
fn ask_peer(what: &str, values: &[f64], numbers: &[String]) -> anyhow::Result<Value> {
    let path = std::env::temp_dir().join(format!("fettler-drift-{}.f64", std::process::id()));
    let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    let mut arguments = vec![what, path.to_str().context("the temporary folder is not UTF-8")?];
    arguments.extend(numbers.iter().map(String::as_str));
    let answer = peer::run("analytics-drift", &arguments);
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    answer
}

fn change_points(options: &Options) -> anyhow::Result<Table> {
    let seed = options.seed;
    let title = format!(
        "Change points: a level that changes by {CHANGE_HEIGHT} standard deviations every {CHANGE_EVERY} values, seed {seed}"
    );
    let mut table = Table::new(
        title,
        &["method", "values", "changes", "found within 25 values", "false", "CPU ms"],
    );
    let mut noise = Random::new(seed);
    let level = |n: usize| if n / CHANGE_EVERY % 2 == 1 { CHANGE_HEIGHT } else { 0.0 };
    let values: Vec<f64> = (0..100_000).map(|n| noise.normal() + level(n)).collect();
    let mut row = |name: &str, n_values: usize, points: &[usize], cpu_s: f64| {
        let changes: Vec<usize> = (CHANGE_EVERY..n_values).step_by(CHANGE_EVERY).collect();
        let is_near = |change: usize, point: usize| change.abs_diff(point) <= NEAR;
        let is_found = |change: &&usize| points.iter().any(|point| is_near(**change, *point));
        let is_false = |point: &&usize| !changes.iter().any(|change| is_near(*change, **point));
        table.row([
            name.to_owned(),
            n_values.to_string(),
            changes.len().to_string(),
            changes.iter().filter(is_found).count().to_string(),
            points.iter().filter(is_false).count().to_string(),
            format!("{:.0}", cpu_s * 1e3),
        ]);
    };
    let clock = CpuClock::start();
    let points = pelt(&values, Change::Mean, PENALTY, 10);
    row("PELT", values.len(), &points, clock.seconds());
    let clock = CpuClock::start();
    let points = pelt(&values, Change::MeanAndVariance, PENALTY, 10);
    row("PELT, mean and variance", values.len(), &points, clock.seconds());
    let clock = CpuClock::start();
    let online = noticed(&values[..50_000]);
    row("Bayesian online", 50_000, &online, clock.seconds());
    if options.peers {
        // The noise has a variance of 1, so that the penalty is the same as ours.
        let penalty = PENALTY * (values.len() as f64).ln();
        let answer = ask_peer("changes", &values, &[penalty.to_string()])?;
        let points: Vec<usize> = serde_json::from_value(answer["points"].clone())?;
        let cpu_s = answer["cpu_s"].as_f64().context("the peer gave no cpu_s")?;
        let version = answer["version"].as_str().unwrap_or("?").trim_start_matches('v');
        row(&format!("ruptures {version}, PELT in C"), values.len(), &points, cpu_s);
    }
    row("trivial: none", values.len(), &[], 0.0);
    table.note(format!("split {}", Split::default().values("made up", &values)));
    Ok(table)
}

/// What comes of a long record in which nothing happens, and how long it takes.
fn calm(options: &Options) -> Table {
    let mut noise = Random::new(options.seed + 1);
    let values: Vec<f64> = (0..1_000_000).map(|_| noise.normal()).collect();
    let title = "Change points: a million values of normal noise in which nothing changes";
    let mut table = Table::new(title, &["method", "false", "CPU ms", "ns CPU per value"]);
    for (name, change) in
        [("PELT, mean", Change::Mean), ("PELT, mean and variance", Change::MeanAndVariance)]
    {
        let clock = CpuClock::start();
        let n_false = pelt(&values, change, PENALTY, 10).len();
        let seconds = clock.seconds();
        table.row([
            name.to_owned(),
            n_false.to_string(),
            format!("{:.0}", seconds * 1e3),
            format!("{:.0}", seconds * 1e9 / values.len() as f64),
        ]);
    }
    let split = Split::default().values("made up", &values);
    table.note(format!("seed {}, split {split}", options.seed + 1));
    table
}

/// Where the probability of a change within the last 20 values rises above 0.9.
fn noticed(values: &[f64]) -> Vec<usize> {
    let mut online = OnlineChangePoints::new(CHANGE_EVERY as f64);
    let mut was = false;
    let mut points = Vec::new();
    for (at, value) in values.iter().enumerate() {
        online.push(*value);
        let is = online.probability_within(20) > 0.9;
        if is && !was {
            points.push(at);
        }
        was = is;
    }
    points
}
