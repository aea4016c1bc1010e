//! Matrix profile beside STUMPY: the same distances, and how fast.

use std::fs;
use std::path::PathBuf;

use analytics::profile::{MatrixProfile, Stream, matrix_profile};
use anyhow::Context;
use serde_json::Value;

use crate::{Bench, CpuClock, Options, Split, Table, data, peer};

const WINDOW: usize = 100;
/// Values in the memory of the stream, and values fed to it one by one.
const MEMORY: usize = 10_000;
const UPDATES: usize = 20_000;
const PEER_UPDATES: usize = 40;

pub(crate) const BENCH: Bench =
    Bench { name: "profile", about: "matrix profile, batch and streaming, beside STUMPY", run };

/// Runs the benchmark.
fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let columns = [
        "series",
        "ours s",
        "ps per pair of stretches",
        "STUMPY s",
        "ratio",
        "largest difference",
        "other neighbor",
    ];
    let mut batch = Table::new("Matrix profile, window 100, one thread, CPU seconds", &columns);
    let mut split = Split::default();
    for n in [10_000, 20_000, 100_000] {
        let series = walk(n, options.seed);
        batch.row(compare(options, &format!("random walk, {n}"), &series)?);
        split = split.values("walk", &series);
    }
    let oil = oil_temperature(options)?;
    batch.row(compare(options, &format!("ETTh1 oil temperature, {}", oil.len()), &oil)?);
    batch.note("goal: equal to 1e-9, at least 5 times STUMPY's speed at 100,000");
    batch.note("both were compiled and warm; STUMPY runs on one thread of Numba");
    batch.note("where neighbors differ, several are equally near");
    batch.note(format!("seed {}, data {}", options.seed, split.values("oil", &oil)));
    Ok(vec![batch, streaming(options)?])
}

fn compare(options: &Options, name: &str, series: &[f64]) -> anyhow::Result<Vec<String>> {
    let clock = CpuClock::start();
    let profile = matrix_profile(series, WINDOW, 1)?;
    let ours_s = clock.seconds();
    let n = (series.len() + 1 - WINDOW) as f64;
    let mut row = vec![
        name.to_owned(),
        format!("{ours_s:.3}"),
        format!("{:.0}", ours_s * 1e12 / (n * (n - 1.0) / 2.0)),
    ];
    if options.peers {
        let (answer, theirs) = stumpy(series, None)?;
        let theirs_s = number(&answer, "cpu_s")?;
        let (apart, n_other) = differences(&profile, &theirs);
        row.extend([
            format!("{theirs_s:.3}"),
            format!("{:.1}", theirs_s / ours_s),
            format!("{apart:.1e}"),
            n_other.to_string(),
        ]);
    }
    Ok(row)
}

/// Largest difference of distances, and how many left or right neighbors are others.
fn differences(ours: &MatrixProfile, theirs: &[f64]) -> (f64, usize) {
    let index = |start: Option<usize>| start.map_or(-1.0, |start| start as f64);
    let (mut apart, mut n_other) = (0.0f64, 0);
    for (i, (nearest, row)) in ours.nearest().iter().zip(theirs.chunks_exact(3)).enumerate() {
        if nearest.distance != row[0] {
            apart = apart.max((nearest.distance - row[0]).abs());
        }
        n_other += usize::from(index(ours.left[i].start) != row[1]);
        n_other += usize::from(index(ours.right[i].start) != row[2]);
    }
    (apart, n_other)
}

fn streaming(options: &Options) -> anyhow::Result<Table> {
    let series = walk(MEMORY + UPDATES, options.seed);
    let mut stream = Stream::new(WINDOW, MEMORY)?;
    series[..MEMORY].iter().for_each(|value| {
        stream.push(*value);
    });
    let clock = CpuClock::start();
    for value in &series[MEMORY..] {
        std::hint::black_box(stream.push(*value));
    }
    let ours_s = clock.seconds() / UPDATES as f64;
    let mut table = Table::new(
        "Matrix profile, streaming: memory of 10,000 values, window 100",
        &["program", "updates/s", "µs per update"],
    );
    let mut row = |name: &str, each_s: f64| {
        table.row([
            name.to_owned(),
            format!("{:.0}", 1.0 / each_s),
            format!("{:.1}", each_s * 1e6),
        ]);
    };
    row("ours", ours_s);
    if options.peers {
        let (answer, _) = stumpy(&series[..MEMORY + PEER_UPDATES], Some(PEER_UPDATES))?;
        row("STUMPY stumpi, egress", number(&answer, "update_s")?);
    }
    table.note("goal ≥ 5,000 updates/s; CPU time of one thread");
    let data = Split::default().values("walk", &series);
    table.note(format!("seed {}, data {data}", options.seed));
    Ok(table)
}

fn stumpy(series: &[f64], updates: Option<usize>) -> anyhow::Result<(Value, Vec<f64>)> {
    let file = |name: &str| -> PathBuf {
        std::env::temp_dir().join(format!("fettler-profile-{}-{name}", std::process::id()))
    };
    let (input, output) = (file("in"), file("out"));
    fs::write(&input, bytes(series))?;
    let words = [input.to_string_lossy(), WINDOW.to_string().into(), output.to_string_lossy()];
    let mut arguments: Vec<String> = words.iter().map(ToString::to_string).collect();
    arguments.extend(updates.map(|updates| updates.to_string()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let answer = peer::run("analytics-profile", &arguments)?;
    let found = fs::read(&output)?;
    fs::remove_file(&input)?;
    fs::remove_file(&output)?;
    let chunks = found.chunks_exact(8).map(|chunk| chunk.try_into().map(f64::from_le_bytes));
    Ok((answer, chunks.collect::<Result<_, _>>()?))
}

fn number(answer: &Value, name: &str) -> anyhow::Result<f64> {
    answer[name].as_f64().with_context(|| format!("the peer did not say {name}"))
}

fn bytes(series: &[f64]) -> Vec<u8> {
    series.iter().flat_map(|value| value.to_le_bytes()).collect()
}

fn oil_temperature(options: &Options) -> anyhow::Result<Vec<f64>> {
    let text = data::text(&options.folder()?.join("ett/ETT-small/ETTh1.csv"))?;
    let last = |line: &str| line.rsplit(',').next().and_then(|word| word.parse().ok());
    text.lines().skip(1).map(|line| last(line).with_context(|| format!("bad row {line}"))).collect()
}

/// A walk of uniform steps.
fn walk(n: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut level = 0.0;
    let step = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        level += (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5;
        level
    };
    (0..n).map(step).collect()
}
