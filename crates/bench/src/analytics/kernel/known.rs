//! Single detectors where the answer is known: shifts at equal false alarms, outliers in a season, quantiles.

use std::fmt::Write as _;

use analytics::detect::adwin::Adwin;
use analytics::detect::cusum::Cusum;
use analytics::detect::ewma::RobustEwma;
use analytics::detect::quantile::{P2, TDigest};
use analytics::detect::seasonal::SeasonalResidual;
use anyhow::Context;

use super::{area, ask_peer};
use crate::random::Random;
use crate::{CpuClock, Options, Split, Table};

/// A detector may ring once in so many normal values; its limit is set for that on streams of their own seeds.
const VALUES_PER_FALSE_ALARM: f64 = 5000.0;
/// Streams, and the values after which one without a ring is given up.
const RUNS: u64 = 200;
const MOST_VALUES: usize = 40_000;
const PEER_RUNS: usize = 50;
/// Normal values before a shift.
const BEFORE: usize = 500;
/// A shift counts as found within so many values.
const WITHIN: usize = 1000;
const SHIFTS: [f64; 3] = [0.5, 1.0, 2.0];
/// ADWIN looks for cuts after so many values, as River's does.
const LOOKS_EVERY: u32 = 32;
const PHASES: usize = 24;
const SPIKE_EVERY: usize = 97;
const SPIKE: f64 = 4.0;

pub(super) fn tables(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![shifts(options)?, seasons(options.seed), quantiles(options.seed)])
}

/// A detector with its limit: a function that says of each value whether it rings.
type Ring = Box<dyn FnMut(f64) -> bool>;
type Make = fn(f64) -> Ring;

/// Name, limits to try from the most to the least eager, and the detector with one of them.
const DETECTORS: [(&str, &[f64], Make); 3] = [
    ("CUSUM, k 0.5", &[5.0, 6.0, 6.5, 7.0, 7.2, 7.4, 7.6, 8.0], |limit| {
        let mut cusum = Cusum::new(0.5, limit);
        Box::new(move |value| cusum.push(value).is_some())
    }),
    ("ADWIN, looks every 32 values", &[1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.002], |delta| {
        let mut adwin = Adwin::new(delta, LOOKS_EVERY);
        Box::new(move |value| adwin.push(value))
    }),
    ("robust EWMA 0.01, one value", &[3.0, 3.5, 3.7, 3.8, 3.9, 4.0, 4.2, 4.5], |limit| {
        let mut level = RobustEwma::new(0.01);
        let mut n_seen = 0;
        Box::new(move |value| {
            let z = level.push(value);
            n_seen += 1;
            // The first values teach the spread.
            n_seen > 100 && z.abs() > limit
        })
    }),
];

fn stream(seed: u64, run: u64) -> Random {
    Random::new(seed.wrapping_mul(0x9E37_79B9).wrapping_add(run))
}

/// Values until the first ring, at most [`MOST_VALUES`].
fn run_length(make: Make, limit: f64, seed: u64, run: u64) -> usize {
    let (mut ring, mut noise) = (make(limit), stream(seed, run));
    (1..=MOST_VALUES).find(|_| ring(noise.normal())).unwrap_or(MOST_VALUES)
}

/// Normal values per ring; a stream without any counts with its length and no ring.
fn values_per_ring(make: Make, limit: f64, seed: u64) -> f64 {
    let lengths: Vec<usize> = (0..RUNS).map(|run| run_length(make, limit, seed, run)).collect();
    let n_rings = lengths.iter().filter(|length| **length < MOST_VALUES).count();
    lengths.iter().sum::<usize>() as f64 / (n_rings as f64).max(1.0)
}

/// Values after the shift until the ring, or none within [`WITHIN`]; a stream that rang before is left out.
fn delay(make: Make, limit: f64, seed: u64, run: u64, shift: f64) -> Option<Option<usize>> {
    let (mut ring, mut noise) = (make(limit), stream(seed, run));
    if (0..BEFORE).any(|_| ring(noise.normal())) {
        return None;
    }
    Some((1..=WITHIN).find(|_| ring(shift + noise.normal())))
}

fn delay_cell(delays: &[Option<usize>]) -> String {
    let found: Vec<usize> = delays.iter().flatten().copied().collect();
    let mean = found.iter().sum::<usize>() as f64 / found.len().max(1) as f64;
    format!("{mean:.0} ({:.0} %)", 100.0 * found.len() as f64 / delays.len().max(1) as f64)
}

fn shifts(options: &Options) -> anyhow::Result<Table> {
    let title = format!(
        "Shifts of the mean at one false alarm in about {VALUES_PER_FALSE_ALARM} normal values: mean delay in values (found within {WITHIN})"
    );
    let columns = ["detector", "limit", "values per false alarm", "0.5 σ", "1 σ", "2 σ", "ns CPU"];
    let mut table = Table::new(title, &columns);
    let seed = options.seed;
    for (name, limits, make) in DETECTORS {
        let allowed =
            |limit: &&f64| values_per_ring(make, **limit, seed + 1000) >= VALUES_PER_FALSE_ALARM;
        let limit = *limits.iter().find(allowed).or(limits.last()).context("no limits to try")?;
        let clock = CpuClock::start();
        let lengths: usize = (0..RUNS).map(|run| run_length(make, limit, seed, run)).sum();
        let each_ns = clock.seconds() * 1e9 / lengths as f64;
        let mut cells = vec![
            name.to_owned(),
            limit.to_string(),
            format!("{:.0}", values_per_ring(make, limit, seed)),
        ];
        cells.extend(SHIFTS.map(|shift| {
            let delays = (0..RUNS).filter_map(|run| delay(make, limit, seed, run, shift));
            delay_cell(&delays.collect::<Vec<_>>())
        }));
        cells.push(format!("{each_ns:.0}"));
        table.row(cells);
    }
    if options.peers {
        river_row(&mut table, seed)?;
    }
    table.row(["trivial: never", "", "∞", "– (0 %)", "– (0 %)", "– (0 %)"]);
    table.note("the limit is the first of a list with which streams of another seed ring seldom enough; delays and false alarms are of fresh streams");
    table.note("CUSUM knows level and spread; the others learn them from the stream; ns: with the random number");
    table.note(format!("{RUNS} streams of normal values each, {BEFORE} before the shift; seed {seed}; simulated, no data are read"));
    Ok(table)
}

/// River's ADWIN with its most eager setting that keeps to the rate, on fewer streams because it is slow.
fn river_row(table: &mut Table, seed: u64) -> anyhow::Result<()> {
    const LENGTH: usize = 20_000;
    let line = |run: usize, n_before: usize, n_after: usize, shift: f64| {
        let mut noise = stream(seed, run as u64);
        let mut line = String::new();
        for at in 0..n_before + n_after {
            let level = if at < n_before { 0.0 } else { shift };
            let _ = write!(line, "{}{:.5}", if at == 0 { "" } else { "," }, level + noise.normal());
        }
        line + "\n"
    };
    let calm: String = (0..PEER_RUNS).map(|run| line(run, LENGTH, 0, 0.0)).collect();
    let mut chosen = None;
    for delta in ["0.9", "0.5", "0.2", "0.1", "0.05", "0.02", "0.002"] {
        let (rings, each_ns, version) = river_rings(&calm, delta)?;
        let n_rings = rings.iter().flatten().count();
        let n_values: usize = rings.iter().map(|ring| ring.map_or(LENGTH, |at| at + 1)).sum();
        let rate = n_values as f64 / (n_rings as f64).max(1.0);
        if rate >= VALUES_PER_FALSE_ALARM {
            chosen = Some((delta, rate, each_ns, version));
            break;
        }
    }
    let Some((delta, rate, each_ns, version)) = chosen else { return Ok(()) };
    let mut cells = vec![format!("River {version} ADWIN"), delta.to_owned(), format!("{rate:.0}")];
    for shift in SHIFTS {
        let text: String = (0..PEER_RUNS).map(|run| line(run, BEFORE, WITHIN, shift)).collect();
        let (rings, ..) = river_rings(&text, delta)?;
        let after = |ring: Option<usize>| match ring {
            Some(at) => (at >= BEFORE).then(|| Some(at + 1 - BEFORE)),
            None => Some(None),
        };
        cells.push(delay_cell(&rings.into_iter().filter_map(after).collect::<Vec<_>>()));
    }
    cells.push(format!("{each_ns:.0}"));
    table.row(cells);
    table.note(format!("River: {PEER_RUNS} of the streams, its limit set on the streams that it is judged on; ns: with reading the text"));
    Ok(())
}

/// Where River's ADWIN first rings in each line, nanoseconds per value, and its version.
fn river_rings(text: &str, delta: &str) -> anyhow::Result<(Vec<Option<usize>>, f64, String)> {
    let answer = ask_peer("adwin", text, &[delta.to_owned()])?;
    let rings = serde_json::from_value(answer["rings"].clone()).context("the peer's rings")?;
    let each_ns = answer["ns_per_value"].as_f64().context("the peer gave no ns_per_value")?;
    Ok((rings, each_ns, answer["version"].as_str().unwrap_or("?").to_owned()))
}

/// Spikes in a signal that repeats itself every day: found by the residual of the season, hidden without it.
fn seasons(seed: u64) -> Table {
    const DAYS: usize = 1000;
    const LEARN_DAYS: usize = 50;
    let title = format!("Spikes of {SPIKE} σ in a day of {PHASES} hours: area under the curve");
    let mut table = Table::new(title, &["detector", "swing 0 σ", "swing 3 σ", "swing 10 σ"]);
    let mut areas = vec![Vec::new(); 3];
    let mut split = Split::default();
    for swing in [0.0, 3.0, 10.0] {
        let mut noise = Random::new(seed);
        let (mut season, mut plain) = (SeasonalResidual::new(PHASES, 0.1), RobustEwma::new(0.01));
        let mut scores = vec![Vec::new(); 3];
        let (mut is_spike, mut values) = (Vec::new(), Vec::new());
        for hour in 0..DAYS * PHASES {
            let spike = if hour % SPIKE_EVERY == SPIKE_EVERY - 1 { SPIKE } else { 0.0 };
            let angle = std::f64::consts::TAU * (hour % PHASES) as f64 / PHASES as f64;
            let own = spike + noise.normal();
            let value = swing * angle.sin() + own;
            let all = [season.push(hour, value).abs(), plain.push(value).abs(), own.abs()];
            values.push(value);
            if hour >= LEARN_DAYS * PHASES {
                scores.iter_mut().zip(all).for_each(|(scores, score)| scores.push(score));
                is_spike.push(spike > 0.0);
            }
        }
        split = split.values("made up", &values);
        areas.iter_mut().zip(&scores).for_each(|(areas, of)| areas.push(area(of, &is_spike)));
    }
    for (name, areas) in
        ["seasonal residual", "robust EWMA, no season", "bound: the season is known"]
            .into_iter()
            .zip(areas)
    {
        let cells = areas.iter().map(|area| format!("{area:.3}"));
        table.row([name.to_owned()].into_iter().chain(cells));
    }
    table.row(["trivial: all alike", "0.500", "0.500", "0.500"]);
    table.note(format!("{DAYS} days, the first {LEARN_DAYS} not judged; one value in {SPIKE_EVERY} is a spike; seed {seed}, values {split}"));
    table
}

type Next<'a> = dyn FnMut(&mut Random) -> f64 + 'a;

/// Rank of what a sketch calls a quantile, less the rank asked for, in percent of all values.
fn quantiles(seed: u64) -> Table {
    const VALUES: usize = 100_000;
    const SHARES: [f64; 4] = [0.5, 0.9, 0.99, 0.999];
    let title =
        format!("Quantiles of {VALUES} values in one pass: error of rank in % (P² / t-digest)");
    let mut table = Table::new(title, &["values", "50 %", "90 %", "99 %", "99.9 %"]);
    let mut split = Split::default();
    let mut level = 0.0;
    let shapes: [(&str, &mut Next); 5] = [
        ("normal", &mut |noise| noise.normal()),
        ("exponential", &mut |noise| -noise.uniform().max(1e-300).ln()),
        ("log-normal, σ 2", &mut |noise| (2.0 * noise.normal()).exp()),
        ("two states", &mut |noise| {
            let high = if noise.uniform() < 0.3 { 50.0 } else { 0.0 };
            high + noise.normal()
        }),
        ("random walk", &mut |noise| {
            level += noise.normal();
            level
        }),
    ];
    for (name, next) in shapes {
        let mut noise = Random::new(seed);
        let values: Vec<f64> = (0..VALUES).map(|_| next(&mut noise)).collect();
        let mut digest = TDigest::new(100.0);
        values.iter().for_each(|value| digest.push(*value));
        let mut sorted = values.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        let error = |share: f64, found: f64| {
            let rank = sorted.partition_point(|value| *value < found) as f64 / VALUES as f64;
            100.0 * (rank - share)
        };
        let cells = SHARES.map(|share| {
            let mut p2 = P2::new(share);
            values.iter().for_each(|value| p2.push(*value));
            format!("{:+.3} / {:+.3}", error(share, p2.value()), error(share, digest.value(share)))
        });
        table.row([name.to_owned()].into_iter().chain(cells));
        split = split.values(name, &values);
    }
    table.note("exact: the rank among all values, sorted; P² keeps five markers per quantile, t-digest about 100 centroids for all");
    table.note(format!("seed {seed}, values {split}"));
    table
}
