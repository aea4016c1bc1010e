//! Which machine holds the line back, on random serial lines whose answer is known.
//!
//! The truth of a line is the machine that, with 5 % less work per part, brings most parts per hour in a long run of
//! the same machines. No method sees that run: what they see are other random numbers.

use std::fmt::Write;

use optimize::bottleneck::{
    Observed, Service, Trace, WhatIf, average_active_us, critical_path, least_waiting, momentary,
    most_utilized, turning_point, waiting,
};

use crate::random::Random;
use crate::{Bench, CpuClock, Options, Table, peer};

const N_LINES: usize = 300;
/// Parts that a method sees, and in the rows that say so.
const N_PARTS: usize = 6_000;
const N_MORE: usize = 20_000;
/// Parts of the run that gives the truth.
const N_TRUE: usize = 200_000;
/// Random orders over which a replay is averaged.
const N_ORDERS: usize = 16;

pub(crate) const BENCH: Bench = Bench {
    name: "bottleneck",
    about: "bottlenecks: methods on random lines with a known answer",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let lines: Vec<Line> = (0..N_LINES).map(|idx| Line::random(options.seed, idx as u64)).collect();
    let mut speed = speed(&lines[0]);
    if options.peers {
        beside_the_peer(&lines[0], &mut speed)?;
    }
    Ok(vec![accuracy(&lines, options.seed), speed])
}

/// A line, what was seen of it, and the gain of each machine in parts per hour in the run that gives the truth.
struct Line {
    parts: Vec<Vec<Service>>,
    buffers: Vec<usize>,
    gains: Vec<f64>,
}

impl Line {
    fn random(seed: u64, idx: u64) -> Self {
        let mut random = Random::new(seed.wrapping_mul(1_000_003).wrapping_add(idx));
        let n_machines = 4 + random.below(5);
        let machines: Vec<Machine> =
            (0..n_machines).map(|_| Machine::random(&mut random)).collect();
        let buffers: Vec<usize> = (1..n_machines).map(|_| 1 + random.below(10)).collect();
        let mut run = |n_parts: usize| -> Vec<Vec<Service>> {
            (0..n_parts)
                .map(|_| machines.iter().map(|machine| machine.service(&mut random)).collect())
                .collect()
        };
        let (parts, true_run) = (run(N_MORE), run(N_TRUE));
        let gains = gains(&trace(&true_run, &buffers));
        Self { parts, buffers, gains }
    }

    fn trace(&self, n_parts: usize) -> Trace {
        trace(&self.parts[..n_parts], &self.buffers)
    }

    fn truth(&self) -> usize {
        best(&self.gains)
    }

    /// Clear if the best machine brings at least a fifth more than the second.
    fn is_clear(&self) -> bool {
        let mut sorted = self.gains.clone();
        sorted.sort_by(f64::total_cmp);
        sorted[sorted.len() - 1] >= 1.2 * sorted[sorted.len() - 2]
    }
}

fn trace(parts: &[Vec<Service>], buffers: &[usize]) -> Trace {
    let names = (1..=buffers.len() + 1).map(|idx| format!("M{idx}")).collect();
    Trace::new(names, parts, buffers.to_vec(), vec![]).expect("the generator makes sound lines")
}

/// Gamma-like working times, and failures that take the time of many parts.
struct Machine {
    mean_us: f64,
    spread: f64,
    failure_rate: f64,
    repair_us: f64,
}

impl Machine {
    fn random(random: &mut Random) -> Self {
        let mean_us = 60e6 * random.between(0.8, 1.0);
        Self {
            mean_us,
            spread: random.between(0.05, 0.5),
            failure_rate: 1.0 / random.between(50.0, 400.0),
            repair_us: mean_us * random.between(3.0, 25.0),
        }
    }

    fn service(&self, random: &mut Random) -> Service {
        let normal = (0..12).map(|_| random.unit()).sum::<f64>() - 6.0;
        let work_us = (self.mean_us * (1.0 + self.spread * normal)).max(0.1 * self.mean_us);
        let fails = random.unit() < self.failure_rate;
        let down_us = if fails { -self.repair_us * (1.0 - random.unit()).ln() } else { 0.0 };
        Service { work_us: work_us as i64, down_us: down_us as i64 }
    }
}

fn gains(trace: &Trace) -> Vec<f64> {
    let found = trace.what_if(5.0).expect("5 % less work is possible");
    found.iter().map(WhatIf::gain_per_hour).collect()
}

fn best(values: &[f64]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

type Method = (&'static str, fn(&Line, &Observed) -> usize);

/// Gains as the mean over the order seen and others.
fn gains_in_orders(trace: &Trace) -> Vec<f64> {
    let found = trace.what_if_in_orders(5.0, N_ORDERS, 1).expect("5 % less work is possible");
    found.iter().map(WhatIf::gain_per_hour).collect()
}

fn walk(trace: &Trace) -> usize {
    critical_path(&trace.replay(None).observed(trace.names())).machine().unwrap_or(0)
}

const METHODS: [Method; 11] = [
    ("replay in 17 orders (buffers known)", |line, _| best(&gains_in_orders(&line.trace(N_PARTS)))),
    ("replay (buffers known)", |line, _| best(&gains(&line.trace(N_PARTS)))),
    ("critical walk", |_, seen| critical_path(seen).machine().unwrap_or(0)),
    ("replay in 17 orders, of 20,000 parts", |line, _| best(&gains_in_orders(&line.trace(N_MORE)))),
    ("replay, of 20,000 parts", |line, _| best(&gains(&line.trace(N_MORE)))),
    ("critical walk, over 20,000 parts", |line, _| walk(&line.trace(N_MORE))),
    ("momentary active period (Roser 2002)", |_, seen| momentary(seen).machine().unwrap_or(0)),
    ("least blocked + starved", |_, seen| least_waiting(&waiting(seen)).unwrap_or(0)),
    ("utilization", |_, seen| most_utilized(&waiting(seen)).unwrap_or(0)),
    ("turning point (Li 2009)", |_, seen| turning_point(&waiting(seen)).unwrap_or(0)),
    ("average active period (Roser 2001)", |_, seen| best(&average_active_us(seen))),
];

fn accuracy(lines: &[Line], seed: u64) -> Table {
    let clear: Vec<&Line> = lines.iter().filter(|line| line.is_clear()).collect();
    let seen: Vec<Observed> = clear
        .iter()
        .map(|line| {
            let trace = line.trace(N_PARTS);
            trace.replay(None).observed(trace.names())
        })
        .collect();
    let title = format!(
        "Bottleneck: {} of {N_LINES} random lines with a clear answer, {N_PARTS} parts seen, 4 to 8 machines",
        clear.len()
    );
    let mut table =
        Table::new(title, &["method", "names the right machine", "share of the gain", "CPU s"]);
    for (name, method) in METHODS {
        let clock = CpuClock::start();
        let found: Vec<usize> =
            clear.iter().zip(&seen).map(|(line, seen)| method(line, seen)).collect();
        let cpu_s = clock.seconds();
        let n = clear.len() as f64;
        let right =
            clear.iter().zip(&found).filter(|(line, found)| line.truth() == **found).count();
        let share = clear
            .iter()
            .zip(&found)
            .map(|(line, found)| line.gains[*found] / line.gains[line.truth()]);
        let share = share.sum::<f64>() / n;
        table.row([
            name.into(),
            format!("{:.3}", right as f64 / n),
            format!("{share:.3}"),
            format!("{cpu_s:.2}"),
        ]);
    }
    table.note("targets: 0.90 and 0.95 from states alone, 0.97 and 0.99 with replay");
    table.note(format!("seed {seed}; truth: largest gain of 5 % less work per part over {N_TRUE} other parts of the same machines; clear: best ≥ 1.2 × second there"));
    table
}

fn speed(line: &Line) -> Table {
    let trace = line.trace(N_PARTS);
    let replay = trace.replay(None);
    let intervals = replay.intervals();
    let mut table = Table::new("Bottleneck: speed on one line", &["method", "events/s", "CPU s"]);
    let mut time = |name: &str, work: &dyn Fn()| {
        let clock = CpuClock::start();
        (0..10).for_each(|_| work());
        let cpu_s = clock.seconds() / 10.0;
        let rate = intervals.len() as f64 / cpu_s;
        table.row([name.into(), format!("{rate:.0}"), format!("{cpu_s:.5}")]);
    };
    let seen = replay.observed(trace.names());
    time("sort and check the intervals", &|| {
        std::hint::black_box(Observed::new(trace.names().to_vec(), &intervals, 0).is_ok());
    });
    time("momentary active period", &|| {
        std::hint::black_box(momentary(&seen));
    });
    time("critical walk", &|| {
        std::hint::black_box(critical_path(&seen));
    });
    time("blocked and starved", &|| {
        std::hint::black_box(waiting(&seen));
    });
    table.note(format!("{} intervals; target 1 M events/s", intervals.len()));
    table
}

/// PyPI `active-period-method` on a shorter stretch of the same line, with our momentary answer beside it.
fn beside_the_peer(line: &Line, table: &mut Table) -> anyhow::Result<()> {
    let trace = line.trace(500);
    let seen = trace.replay(None).observed(trace.names());
    let mut text = String::from("station,at_us,active\n");
    let mut n_events = 0;
    for (machine, name) in seen.names().iter().enumerate() {
        for stretch in seen.stretches(machine) {
            writeln!(
                text,
                "{name},{},{}",
                stretch.from_us,
                u8::from(stretch.activity.is_active())
            )?;
            n_events += 1;
        }
        // The peer leaves out a period that no change ends.
        if let Some(last) = seen.stretches(machine).last() {
            writeln!(text, "{name},{},{}", last.to_us, u8::from(!last.activity.is_active()))?;
        }
    }
    let path = std::env::temp_dir().join(format!("fettler-bottleneck-{}.csv", std::process::id()));
    std::fs::write(&path, text)?;
    let answer = peer::run("optimize-bottleneck", &[&path.to_string_lossy()]);
    std::fs::remove_file(&path)?;
    let answer = answer?;
    let cpu_s = answer["cpu_s"].as_f64().unwrap_or(f64::NAN);
    table.row([
        format!("peer: active-period-method {}", answer["version"].as_str().unwrap_or("?")),
        format!("{:.0}", f64::from(n_events) / cpu_s),
        format!("{cpu_s:.5}"),
    ]);
    let ours = momentary(&seen).machine().map_or("none", |machine| &seen.names()[machine]);
    table.note(format!(
        "on the first 500 parts the peer names {}, our momentary {ours}",
        answer["machine"]
    ));
    Ok(())
}
