//! Cleaning: what each rule flags on clean signals, what it finds of defects put in, and what it costs.

mod declared;
mod holes;
mod states;

use std::hint::black_box;
use std::path::Path;

use analytics::clean::{Rules, Track, Verdict};
use anyhow::Context;

use super::budget::{nab_normal, skab_normal, skab_path};
use crate::random::Random;
use crate::{Bench, CpuClock, Options, Split, Table, data};

const S: i64 = 1_000_000;
const ROWS: usize = 200_000;
/// No sample is too old or too new.
const NOW_US: i64 = i64::MAX / 2;
const SENSORS: [&str; 8] = [
    "accelerometer 1",
    "accelerometer 2",
    "current",
    "pressure",
    "temperature",
    "thermocouple",
    "voltage",
    "flow",
];
/// Defects put into each signal, one at a time.
const N_DEFECTS: usize = 20;
/// Rows that a stuck sensor repeats its value; longer than the ten minutes of the default rule.
const STUCK_ROWS: usize = 700;

struct Signal {
    name: String,
    values: Vec<f64>,
}

pub(crate) const BENCH: Bench = Bench {
    name: "cleaning",
    about: "cleaning rules: false flags on clean signals, defects found, cost",
    run,
};

/// False flags and finds of every rule, then its cost, then holes that are filled.
pub(crate) fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let signals = signals(options.seed, options.folder()?)?;
    Ok(vec![
        flags(&signals),
        declared::range_and_rate(&signals),
        declared::times(&stamps(options.folder()?, options.seed)?, options.seed),
        states::redundant(options.seed),
        states::regimes(&signals, options.seed),
        cost(options.seed),
        holes::table(options)?,
    ])
}

/// Time stamps as machines send them, µs.
fn stamps(data: &Path, seed: u64) -> anyhow::Result<Vec<(&'static str, Vec<i64>)>> {
    let mut noise = Random::new(seed);
    let jittered = (0..ROWS as i64).map(|n| n * S + (0.4e6 * noise.uniform()) as i64).collect();
    let mut now_us = 0;
    let mut on_change = || {
        now_us += (-noise.uniform().max(1e-12).ln() * 1e6) as i64 + 1;
        now_us
    };
    let on_change = (0..ROWS).map(|_| on_change()).collect();
    let text = data::text(&skab_path(data))?;
    let seconds = |line: &str| -> Option<i64> {
        let clock = line.split([';', ' ']).nth(1)?;
        clock.split(':').try_fold(0, |sum, part| Some(60 * sum + part.parse::<i64>().ok()?))
    };
    let skab: Option<Vec<i64>> = text.lines().skip(1).map(seconds).collect();
    let skab = skab.context("cannot read the time stamps of SKAB")?;
    Ok(vec![
        ("every second, up to 0.4 s late", jittered),
        ("on change, 1 s in the mean (exponential)", on_change),
        ("SKAB anomaly-free", skab.into_iter().map(|second| second * S).collect()),
        ("every five minutes", (0..ROWS as i64).map(|n| n * 300 * S).collect()),
    ])
}

fn signals(seed: u64, data: &Path) -> anyhow::Result<Vec<Signal>> {
    let mut noise = Random::new(seed);
    let white: Vec<f64> = (0..ROWS).map(|_| noise.normal()).collect();
    let mut level = 0.0;
    let walk: Vec<f64> = white
        .iter()
        .map(|x| {
            level = 0.999 * level + x;
            level
        })
        .collect();
    let quantized = walk.iter().map(|x| (x / 5.0).round() * 5.0).collect();
    let steps =
        white.iter().enumerate().map(|(n, x)| (n / 500 % 2) as f64 * 50.0 + 0.1 * x).collect();
    let made_up = [
        ("white noise", white),
        ("random walk", walk),
        ("walk in steps of 5", quantized),
        ("square wave of 1000", steps),
    ];
    let mut signals: Vec<Signal> = made_up
        .into_iter()
        .map(|(name, values)| Signal { name: name.to_owned(), values })
        .collect();
    let skab = SENSORS.iter().zip(skab_normal(data)?.columns);
    signals.extend(skab.map(|(name, values)| Signal { name: format!("SKAB {name}"), values }));
    let nab = nab_normal(data)?.into_iter();
    signals.extend(nab.map(|(name, frame)| Signal {
        name: format!("NAB {name}"),
        values: frame.columns.concat(),
    }));
    Ok(signals)
}

/// All values of all signals, real and made up.
fn split(signals: &[Signal]) -> Split {
    let of = |split: Split, signal: &Signal| split.values(&signal.name, &signal.values);
    signals.iter().fold(Split::default(), of)
}

fn judge(values: &[f64]) -> Vec<Verdict> {
    let (mut track, rules) = (Track::default(), Rules::default());
    values
        .iter()
        .enumerate()
        .map(|(row, value)| track.judge(&rules, NOW_US, row as i64 * S, *value))
        .collect()
}

fn flags(signals: &[Signal]) -> Table {
    let title = "Cleaning with the default rules: flags on clean signals, and defects put in that were found";
    let columns = [
        "clean signal",
        "rows",
        "spike",
        "stuck",
        "any flag",
        "spikes of 10 σ found",
        "stuck for 700 rows found",
    ];
    let mut table = Table::new(title, &columns);
    for signal in signals {
        let verdicts = judge(&signal.values);
        let share = |is: &dyn Fn(&Verdict) -> bool| {
            let n = verdicts.iter().filter(|verdict| is(verdict)).count();
            format!("{:.3} %", 100.0 * n as f64 / verdicts.len() as f64)
        };
        table.row([
            signal.name.clone(),
            signal.values.len().to_string(),
            share(&|verdict| verdict.has(Verdict::SPIKE)),
            share(&|verdict| verdict.has(Verdict::STUCK)),
            share(&|verdict| verdict.0 != 0),
            found(&signal.values, 1, Verdict::SPIKE, |values, start, sigma| {
                values[start] += 10.0 * sigma;
            }),
            found(&signal.values, STUCK_ROWS, Verdict::STUCK, |values, start, _| {
                let held = values[start];
                values[start..start + STUCK_ROWS].fill(held);
            }),
        ]);
    }
    table.note(
        "a row per second is assumed; trivial: a rule that flags nothing has 0 % and finds 0 %",
    );
    table.note(format!("signals {}", split(signals)));
    table
}

/// Share of [`N_DEFECTS`] defects at different places, each in a record of its own, of which at least one of `length` rows
/// gets the flag.
fn found(
    values: &[f64],
    length: usize,
    flag: Verdict,
    defect: impl Fn(&mut [f64], usize, f64),
) -> String {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / values.len() as f64;
    let is_found = |n: &usize| {
        // The first half is for learning what is usual.
        let start = values.len() / 2 + n * (values.len() / 2 - length) / N_DEFECTS;
        let mut values = values.to_vec();
        defect(&mut values, start, variance.sqrt());
        judge(&values)[start..start + length].iter().any(|verdict| verdict.has(flag))
    };
    let n_found = (0..N_DEFECTS).filter(is_found).count();
    format!("{:.0} %", 100.0 * n_found as f64 / N_DEFECTS as f64)
}

fn cost(seed: u64) -> Table {
    const SIGNALS: usize = 1000;
    const SAMPLES: usize = 10_000_000;
    let rules = Rules { range: Some((-1e6, 1e6)), ..Rules::default() };
    let mut noise = Random::new(seed);
    let values: Vec<f64> = (0..1 << 16).map(|_| noise.normal()).collect();
    let mut tracks = vec![Track::default(); SIGNALS];
    let clock = CpuClock::start();
    for sample in 0..SAMPLES {
        let time_us = (sample / SIGNALS) as i64 * S;
        black_box(tracks[sample % SIGNALS].judge(
            &rules,
            NOW_US,
            time_us,
            values[sample * 7 % values.len()],
        ));
    }
    let each_ns = clock.seconds() / SAMPLES as f64 * 1e9;
    let mut table =
        Table::new("Cleaning: cost", &["signals", "ns CPU per sample", "bytes per signal"]);
    table.row([SIGNALS.to_string(), format!("{each_ns:.0}"), size_of::<Track>().to_string()]);
    table.note(format!("seed {seed}, values {}", Split::default().values("made up", &values)));
    table
}
