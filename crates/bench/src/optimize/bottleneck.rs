//! Which machine holds the line back, on random serial lines whose answer is known.
//!
//! The truth of a line is the machine that, with 5 % less work per part, brings most parts per hour in a long run of
//! the same machines. No method sees that run: what they see are other random numbers.

mod line;
mod peer;

use optimize::bottleneck::{
    Interval, Observed, Trace, WhatIf, average_active_us, critical_path, least_waiting, momentary,
    most_utilized, turning_point, waiting,
};
use rayon::prelude::*;

use self::line::{Line, N_MORE, N_PARTS, N_TRUE, best, gains};
use crate::seeds::Spread;
use crate::{Bench, CpuClock, Options, Table};

const N_LINES: u64 = 300;
/// Random orders over which a replay is averaged.
const N_ORDERS: usize = 16;

pub(crate) const BENCH: Bench = Bench {
    name: "bottleneck",
    about: "bottlenecks: methods on random lines with a known answer",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let runs = options.per_seed(|seed| Run::new(seed, options.peers))?;
    Ok(vec![accuracy(&runs, options), speed(&runs, options)])
}

type Method = (&'static str, fn(&Line, &Observed) -> usize);

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

/// Gains as the mean over the order seen and others.
fn gains_in_orders(trace: &Trace) -> Vec<f64> {
    let found = trace.what_if_in_orders(5.0, N_ORDERS, 1).expect("5 % less work is possible");
    found.iter().map(WhatIf::gain_per_hour).collect()
}

fn walk(trace: &Trace) -> usize {
    critical_path(&trace.replay(None).observed(trace.names())).machine().unwrap_or(0)
}

/// The lines of one seed, judged.
struct Run {
    n_clear: usize,
    /// Of each method, and the peer last if there is one.
    scores: Vec<Score>,
    /// Of each step of [`SPEED`] on the first line, and the peer last if there is one.
    paces: Vec<Pace>,
    peer: Option<Peer>,
}

struct Score {
    right: f64,
    share: f64,
    cpu_s: f64,
}

struct Pace {
    rate: f64,
    cpu_s: f64,
}

struct Peer {
    version: String,
    /// Share of the lines on which it names the same machine as our momentary active period.
    same: f64,
}

impl Run {
    fn new(seed: u64, peers: bool) -> anyhow::Result<Self> {
        let mut lines: Vec<Line> =
            (0..N_LINES).into_par_iter().map(|idx| Line::random(seed, idx)).collect();
        let mut paces = paces(&lines[0]);
        lines.retain(Line::is_clear);
        let seen: Vec<Observed> = lines
            .iter()
            .map(|line| {
                let trace = line.trace(N_PARTS);
                trace.replay(None).observed(trace.names())
            })
            .collect();
        let mut scores: Vec<Score> =
            METHODS.iter().map(|(_, method)| Score::of(*method, &lines, &seen)).collect();
        let mut peer = None;
        if peers {
            let answer = peer::ask(&seen)?;
            scores.push(answer.score(&lines));
            paces.push(Pace::of(answer.n_events, answer.cpu_s));
            peer = Some(Peer { same: answer.same(&seen), version: answer.version });
        }
        Ok(Self { n_clear: lines.len(), scores, paces, peer })
    }
}

impl Score {
    fn of(method: fn(&Line, &Observed) -> usize, lines: &[Line], seen: &[Observed]) -> Self {
        let clock = CpuClock::start();
        let found: Vec<usize> =
            lines.iter().zip(seen).map(|(line, seen)| method(line, seen)).collect();
        Self::judge(lines, &found, clock.seconds())
    }

    fn judge(lines: &[Line], found: &[usize], cpu_s: f64) -> Self {
        let n = lines.len() as f64;
        let right = lines.iter().zip(found).filter(|(line, found)| line.truth() == **found).count();
        let share = lines.iter().zip(found).map(|(line, found)| line.share_of_gain(*found));
        Self { right: right as f64 / n, share: share.sum::<f64>() / n, cpu_s }
    }
}

impl Pace {
    fn of(n_events: usize, cpu_s: f64) -> Self {
        Self { rate: n_events as f64 / cpu_s, cpu_s }
    }
}

impl peer::Answer {
    fn score(&self, lines: &[Line]) -> Score {
        let found: Vec<usize> = self.machines.iter().map(|machine| machine.unwrap_or(0)).collect();
        Score::judge(lines, &found, self.cpu_s)
    }

    fn same(&self, seen: &[Observed]) -> f64 {
        let is_same =
            |(seen, theirs): &(&Observed, &Option<usize>)| momentary(seen).machine() == **theirs;
        let n_same = seen.iter().zip(&self.machines).filter(is_same).count();
        n_same as f64 / seen.len() as f64
    }
}

fn accuracy(runs: &[Run], options: &Options) -> Table {
    let n_clear = Spread::of(runs, |run| run.n_clear as f64).show(0);
    let title = format!(
        "Bottleneck: {n_clear} of {N_LINES} random lines with a clear answer, {N_PARTS} parts seen, 4 to 8 machines"
    );
    let mut table =
        Table::new(title, &["method", "names the right machine", "share of the gain", "CPU s"]);
    let mut names: Vec<String> = METHODS.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.extend(peer_name(runs));
    for (idx, name) in names.into_iter().enumerate() {
        table.row([
            name,
            Spread::of(runs, |run| run.scores[idx].right).show(3),
            Spread::of(runs, |run| run.scores[idx].share).show(3),
            format!("{:.2}", Spread::of(runs, |run| run.scores[idx].cpu_s).median()),
        ]);
    }
    table.note("targets: 0.90 and 0.95 from states alone, 0.97 and 0.99 with replay");
    table.note(format!("truth: largest gain of 5 % less work per part over {N_TRUE} other parts of the same machines; clear: best ≥ 1.2 × second there"));
    if let Some(same) =
        runs.iter().map(|run| Some(run.peer.as_ref()?.same)).collect::<Option<Vec<f64>>>()
    {
        let same = Spread::of(&same, |same| *same).show(3);
        table.note(format!(
            "peer and our momentary active period name the same machine on {same} of the lines"
        ));
    }
    table.note(options.seeds_note());
    table
}

fn peer_name(runs: &[Run]) -> Option<String> {
    let version = &runs.first()?.peer.as_ref()?.version;
    Some(format!("peer: active-period-method {version}"))
}

/// What the steps of [`SPEED`] work on.
struct Sample {
    intervals: Vec<Interval>,
    seen: Observed,
}

type Step = (&'static str, fn(&Sample));

const SPEED: [Step; 4] = [
    ("sort and check the intervals", |Sample { intervals, seen }| {
        std::hint::black_box(Observed::new(seen.names().to_vec(), intervals, 0).is_ok());
    }),
    ("momentary active period", |sample| {
        std::hint::black_box(momentary(&sample.seen));
    }),
    ("critical walk", |sample| {
        std::hint::black_box(critical_path(&sample.seen));
    }),
    ("blocked and starved", |sample| {
        std::hint::black_box(waiting(&sample.seen));
    }),
];

fn paces(line: &Line) -> Vec<Pace> {
    let trace = line.trace(N_PARTS);
    let replay = trace.replay(None);
    let sample = Sample { intervals: replay.intervals(), seen: replay.observed(trace.names()) };
    let pace = |(_, step): &Step| {
        let clock = CpuClock::start();
        (0..10).for_each(|_| step(&sample));
        let cpu_s = clock.seconds() / 10.0;
        Pace::of(sample.intervals.len(), cpu_s)
    };
    SPEED.iter().map(pace).collect()
}

fn speed(runs: &[Run], options: &Options) -> Table {
    let mut table = Table::new("Bottleneck: speed", &["method", "events/s", "CPU s"]);
    let mut names: Vec<String> = SPEED.iter().map(|(name, _)| (*name).to_owned()).collect();
    names.extend(peer_name(runs));
    for (idx, name) in names.into_iter().enumerate() {
        let rate = Spread::of(runs, |run| run.paces[idx].rate).median();
        let cpu_s = Spread::of(runs, |run| run.paces[idx].cpu_s).median();
        table.row([name, format!("{rate:.0}"), format!("{cpu_s:.5}")]);
    }
    table.note("ours on one line, the peer on all of the table above; target 1 M events/s");
    table.note(options.seeds_note());
    table
}
