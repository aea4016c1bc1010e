//! Batches of which half go wrong in one signal: who notices, and who names the signal.

use optimize::setpoint::{Batch, Golden};

use crate::random::Random;
use crate::seeds::Spread;
use crate::{CpuClock, Options, Table};

const SIGNALS: [&str; 5] = ["temperature", "pressure", "flow", "level", "pH"];
const N_PHASES: usize = 3;
/// Batches on record, of which the best make the profile; the others choose the threshold.
const N_RECORD: usize = 90;
const N_BEST: usize = 30;
/// Batches judged, half of them with a fault.
const N_JUDGED: usize = 200;
/// Share of sound batches that may be called wrong.
const FALSE_SHARE: f64 = 0.05;
/// Rows in a row that have to be beyond the threshold.
const N_ROWS: usize = 3;
/// How far a signal drifts from where it should be until the end of the phase, in standard deviations of the batches.
const FAULTS: [f64; 2] = [4.0, 8.0];

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let runs = options.per_seed(Run::new)?;
    let title = format!(
        "Golden batch: {N_JUDGED} batches of {N_PHASES} phases and {} signals, half with a drift in one signal and phase",
        SIGNALS.len()
    );
    let columns = [
        "method",
        "drift, sd",
        "faults found",
        "false alarms",
        "right signal named",
        "found before the phase ends",
        "CPU s",
    ];
    let mut table = Table::new(title, &columns);
    for idx in 0..runs[0].scores.len() {
        let show =
            |figure: fn(&Score) -> f64| Spread::of(&runs, |run| figure(&run.scores[idx])).show(2);
        let score = &runs[0].scores[idx];
        table.row([
            score.name.to_owned(),
            format!("{}", score.drift),
            show(|score| score.found),
            show(|score| score.false_alarms),
            show(|score| score.right),
            show(|score| score.in_phase),
            format!("{:.3}", Spread::of(&runs, |run| run.scores[idx].cpu_s).median()),
        ]);
    }
    table.note(format!("profile of the {N_BEST} best of {N_RECORD} batches on record; threshold: {:.0} % of the other {} stay below it in every {N_ROWS} rows that follow one another", 100.0 * (1.0 - FALSE_SHARE), N_RECORD - N_BEST));
    table.note("shares of the faults, of the sound batches, and of the faults found; phases last 30 to 60 rows, each batch its own");
    table.note(options.seeds_note());
    Ok(table)
}

/// A drift of one signal in one phase.
#[derive(Clone, Copy)]
struct Fault {
    phase: usize,
    signal: usize,
    from: f64,
    size: f64,
}

/// A batch: each phase with its own length, each signal on its course with an offset of the batch and noise.
///
/// Units are standard deviations of the batches; pressure follows temperature.
fn batch(random: &mut Random, fault: Option<Fault>) -> Batch {
    let offsets: Vec<f64> = SIGNALS.iter().map(|_| random.normal()).collect();
    let mut phases = Vec::new();
    for phase in 0..N_PHASES {
        let n_rows = 30 + random.below(31);
        let row = |idx: usize| {
            let progress = idx as f64 / (n_rows - 1) as f64;
            let value = |signal: usize| {
                let own =
                    if signal == 1 { 0.8 * offsets[0] + 0.6 * offsets[1] } else { offsets[signal] };
                let drift = fault.map_or(0.0, |fault| fault.at(phase, signal, progress));
                course(phase, signal, progress) + own + drift + 0.3 * random.normal()
            };
            (0..SIGNALS.len()).map(value).collect()
        };
        phases.push((0..n_rows).map(row).collect());
    }
    let kpi = 100.0 - offsets.iter().map(|offset| offset * offset).sum::<f64>() + random.normal();
    Batch { kpi, phases }
}

impl Fault {
    fn at(&self, phase: usize, signal: usize, progress: f64) -> f64 {
        if (phase, signal) != (self.phase, self.signal) || progress < self.from {
            return 0.0;
        }
        self.size * (progress - self.from) / (1.0 - self.from)
    }

    fn random(random: &mut Random, drift: f64) -> Self {
        let size = if random.uniform() < 0.5 { drift } else { -drift };
        Self {
            phase: random.below(N_PHASES),
            signal: random.below(SIGNALS.len()),
            from: random.between(0.0, 0.5),
            size,
        }
    }
}

/// Where a signal should be: ramps and holds between -20 and 20.
fn course(phase: usize, signal: usize, progress: f64) -> f64 {
    let ends = [[-20.0, 20.0, 20.0, -10.0], [0.0, 10.0, 15.0, 0.0], [10.0, 10.0, -5.0, -5.0]];
    let own = ends[signal % ends.len()];
    own[phase] + (own[phase + 1] - own[phase]) * progress
}

/// Says of each row of a batch how far it is off, and which signal is off most.
type Judge<'a> = dyn Fn(&Batch) -> anyhow::Result<Vec<Seen>> + 'a;

#[derive(Clone, Copy)]
struct Seen {
    phase: usize,
    score: f64,
    signal: usize,
}

/// One seed.
struct Run {
    scores: Vec<Score>,
}

struct Score {
    name: &'static str,
    drift: f64,
    found: f64,
    false_alarms: f64,
    right: f64,
    in_phase: f64,
    cpu_s: f64,
}

impl Run {
    fn new(seed: u64) -> anyhow::Result<Self> {
        let mut random = Random::new(seed);
        let mut record: Vec<Batch> = (0..N_RECORD).map(|_| batch(&mut random, None)).collect();
        record.sort_by(|a, b| b.kpi.total_cmp(&a.kpi));
        let (best, others) = record.split_at(N_BEST);
        let golden = Golden::new(best, N_BEST)?;
        let clock = Clock::new(best);
        let methods: [(&'static str, &Judge); 2] = [
            ("ours, by phase and progress", &|batch| by_progress(&golden, batch)),
            ("mean and spread by the clock (trivial)", &|batch| Ok(clock.judge(batch))),
        ];
        let mut scores = Vec::new();
        for drift in FAULTS {
            let faults: Vec<Fault> =
                (0..N_JUDGED / 2).map(|_| Fault::random(&mut random, drift)).collect();
            let wrong: Vec<Batch> =
                faults.iter().map(|fault| batch(&mut random, Some(*fault))).collect();
            let sound: Vec<Batch> = (0..N_JUDGED / 2).map(|_| batch(&mut random, None)).collect();
            for (name, judge) in methods {
                let test = Test { others, sound: &sound, wrong: &wrong, faults: &faults };
                scores.push(test.score(name, drift, judge)?);
            }
        }
        Ok(Self { scores })
    }
}

struct Test<'a> {
    others: &'a [Batch],
    sound: &'a [Batch],
    wrong: &'a [Batch],
    faults: &'a [Fault],
}

impl Test<'_> {
    fn score(&self, name: &'static str, drift: f64, judge: &Judge) -> anyhow::Result<Score> {
        let clock = CpuClock::start();
        let mut highest = Vec::new();
        for batch in self.others {
            let lows = judge(batch)?.windows(N_ROWS).map(low).collect::<Vec<f64>>();
            highest.push(lows.into_iter().fold(0.0, f64::max));
        }
        highest.sort_by(f64::total_cmp);
        let threshold = highest[((1.0 - FALSE_SHARE) * highest.len() as f64) as usize];
        let alarm = |batch: &Batch| -> anyhow::Result<Option<Seen>> {
            let seen = judge(batch)?;
            let first = seen.windows(N_ROWS).find(|rows| low(rows) > threshold);
            Ok(first.map(|rows| rows[N_ROWS - 1]))
        };
        let (mut n_false, mut n_found, mut n_right, mut n_in_phase) = (0, 0, 0, 0);
        for batch in self.sound {
            n_false += usize::from(alarm(batch)?.is_some());
        }
        for (batch, fault) in self.wrong.iter().zip(self.faults) {
            let Some(seen) = alarm(batch)? else { continue };
            n_found += 1;
            n_right += usize::from(seen.signal == fault.signal);
            n_in_phase += usize::from(seen.phase == fault.phase);
        }
        let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
        Ok(Score {
            name,
            drift,
            found: share(n_found, self.wrong.len()),
            false_alarms: share(n_false, self.sound.len()),
            right: share(n_right, n_found),
            in_phase: share(n_in_phase, n_found),
            cpu_s: clock.seconds(),
        })
    }
}

fn low(rows: &[Seen]) -> f64 {
    rows.iter().map(|seen| seen.score).fold(f64::INFINITY, f64::min)
}

fn by_progress(golden: &Golden, batch: &Batch) -> anyhow::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for (phase, rows) in batch.phases.iter().enumerate() {
        for (idx, row) in rows.iter().enumerate() {
            let progress = idx as f64 / (rows.len() - 1) as f64;
            let deviation = golden.deviation(phase, progress, row)?;
            let signal = largest(&deviation.contributions);
            seen.push(Seen { phase, score: deviation.score, signal });
        }
    }
    Ok(seen)
}

fn largest(values: &[f64]) -> usize {
    (0..values.len()).max_by(|a, b| values[*a].total_cmp(&values[*b])).unwrap_or(0)
}

/// Mean and standard deviation of each signal in each row since the begin, whatever phase a batch is in.
struct Clock(Vec<Vec<(f64, f64)>>);

impl Clock {
    fn new(best: &[Batch]) -> Self {
        let courses: Vec<Vec<&Vec<f64>>> =
            best.iter().map(|batch| batch.phases.iter().flatten().collect()).collect();
        let n_rows = courses.iter().map(Vec::len).max().unwrap_or(0);
        let at = |row: usize, signal: usize| {
            let values: Vec<f64> =
                courses.iter().filter_map(|rows| Some(rows.get(row)?[signal])).collect();
            let n = values.len() as f64;
            let mean = values.iter().sum::<f64>() / n;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
            (mean, variance.sqrt().max(0.3))
        };
        Self(
            (0..n_rows)
                .map(|row| (0..SIGNALS.len()).map(|signal| at(row, signal)).collect())
                .collect(),
        )
    }

    fn judge(&self, batch: &Batch) -> Vec<Seen> {
        let mut seen = Vec::new();
        let mut bands = self.0.iter();
        for (phase, rows) in batch.phases.iter().enumerate() {
            // Longer than any of the best, a batch cannot be judged any more.
            for (row, bands) in rows.iter().zip(&mut bands) {
                let off = row.iter().zip(bands).map(|(x, (mean, sd))| ((x - mean) / sd).powi(2));
                let squares: Vec<f64> = off.collect();
                let score = (squares.iter().sum::<f64>() / squares.len() as f64).sqrt();
                seen.push(Seen { phase, score, signal: largest(&squares) });
            }
        }
        seen
    }
}
