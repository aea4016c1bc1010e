//! PRONOSTIA (FEMTO): 17 bearings run to failure, thinned snapshots of 0.1 s.
//!
//! A method is a list of candidates; a candidate gives every snapshot a score. Which candidate and which limit judge
//! a bearing is settled on the sixteen others, whose lives are known.

use std::collections::BTreeMap;
use std::path::Path;

use analytics::vibration::{
    Drift, DriftSettings, Plans, Trend, TrendSettings, band_powers, levels,
};
use serde::Deserialize;

use super::counts;
use crate::{CpuClock, Split, Table, data};

/// Snapshots were kept at this stride, more densely only near the end. The dense ones are left out: they would tell
/// that the end is near.
const STRIDE: usize = 20;
const FINEST_BANDS: usize = 32;
const LEARN: usize = 5;

#[derive(Deserialize)]
struct Meta {
    snapshots_total: usize,
    kept: Vec<usize>,
    samples: usize,
    scale: f64,
    fs: f64,
}

struct Snapshot {
    /// Share of the life that has passed.
    life: f64,
    age: f64,
    /// Of both channels, in g.
    rms: [f64; 2],
    /// Of both channels, in [`FINEST_BANDS`] bands.
    powers: [Vec<f64>; 2],
}

/// Largest scores of a bearing; −∞ where there is none.
#[derive(Clone, Copy)]
struct Peaks {
    /// In the first half of life, where every alarm is a false one.
    early: f64,
    /// From half to 90 % of life.
    in_time: f64,
}

struct Candidate {
    name: String,
    /// One per bearing.
    peaks: Vec<Peaks>,
}

impl Candidate {
    /// `score`: a bearing's snapshots to as many scores, NaN for none.
    fn new(
        name: String,
        bearings: &[Vec<Snapshot>],
        score: impl Fn(&[Snapshot]) -> Vec<f64>,
    ) -> Candidate {
        let peaks = bearings.iter().map(|life| {
            let scores = score(life);
            let largest = |from: f64, to: f64| {
                let within =
                    life.iter().zip(&scores).filter(|(at, _)| at.life >= from && at.life < to);
                within.map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max)
            };
            Peaks { early: largest(0.0, 0.5), in_time: largest(0.5, 0.9) }
        });
        Candidate { name, peaks: peaks.collect() }
    }

    /// The lowest limit that rings early for at most `allowed` of the bearings named, those it then finds in time,
    /// and the limit halfway to the first of these.
    fn limit(&self, of: &[usize], allowed: usize) -> Limit {
        let mut early: Vec<f64> = of.iter().map(|&i| self.peaks[i].early).collect();
        early.sort_unstable_by(|a, b| b.total_cmp(a));
        let lowest = early.get(allowed).copied().unwrap_or(f64::NEG_INFINITY);
        let found = of.iter().map(|&i| self.peaks[i].in_time).filter(|peak| *peak > lowest);
        let (n_found, first) =
            found.fold((0, f64::INFINITY), |(n, low), peak| (n + 1, low.min(peak)));
        let known: Vec<f64> =
            of.iter().map(|&i| self.peaks[i].in_time).filter(|peak| peak.is_finite()).collect();
        let mean = known.iter().sum::<f64>() / known.len() as f64;
        let spread = known.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / known.len() as f64;
        Limit {
            n_found,
            limit: f64::midpoint(lowest, first),
            margin: (first - lowest) / spread.sqrt(),
        }
    }
}

struct Limit {
    n_found: usize,
    limit: f64,
    /// From the highest score that must not ring to the lowest that must, in the scatter of the latter.
    margin: f64,
}

/// How a method did.
#[derive(Default)]
struct Tally {
    in_time: Vec<usize>,
    early: Vec<usize>,
    chosen: BTreeMap<String, usize>,
}

impl Tally {
    fn add(&mut self, bearing: usize, candidate: &Candidate, limit: f64) {
        let peaks = candidate.peaks[bearing];
        if peaks.in_time > limit {
            self.in_time.push(bearing);
        }
        if peaks.early > limit {
            self.early.push(bearing);
        }
        *self.chosen.entry(candidate.name.clone()).or_default() += 1;
    }

    fn cells(&self, label: &str, cpu_us: Option<f64>) -> Vec<String> {
        let clean = self.in_time.iter().filter(|i| !self.early.contains(i)).count();
        let most = self.chosen.iter().max_by_key(|(_, n)| **n);
        vec![
            label.to_owned(),
            self.in_time.len().to_string(),
            self.early.len().to_string(),
            clean.to_string(),
            most.map_or(String::new(), |(name, n)| format!("{name}: {n} ×")),
            cpu_us.map_or(String::new(), |us| format!("{us:.0}")),
        ]
    }
}

/// Judges each bearing by the candidate and the limit that the others choose: most alarms in time with at most
/// `allowed` early ones among them, then the widest margin.
fn chosen_elsewhere(candidates: &[Candidate], n_bearings: usize, allowed: usize) -> Tally {
    let mut tally = Tally::default();
    for bearing in 0..n_bearings {
        let others: Vec<usize> = (0..n_bearings).filter(|i| *i != bearing).collect();
        if let Some((candidate, limit)) = best(candidates, &others, allowed) {
            tally.add(bearing, candidate, limit);
        }
    }
    tally
}

/// What nobody can know beforehand: the candidate and the limit that do best on all bearings.
fn in_hindsight(candidates: &[Candidate], n_bearings: usize, allowed: usize) -> Tally {
    let all: Vec<usize> = (0..n_bearings).collect();
    let mut tally = Tally::default();
    if let Some((candidate, limit)) = best(candidates, &all, allowed) {
        all.iter().for_each(|bearing| tally.add(*bearing, candidate, limit));
    }
    tally
}

fn best<'a>(
    candidates: &'a [Candidate],
    of: &[usize],
    allowed: usize,
) -> Option<(&'a Candidate, f64)> {
    let limits = candidates.iter().map(|candidate| (candidate, candidate.limit(of, allowed)));
    let is_less =
        |a: &Limit, b: &Limit| a.n_found.cmp(&b.n_found).then(a.margin.total_cmp(&b.margin));
    let best = limits.max_by(|a, b| is_less(&a.1, &b.1))?;
    Some((best.0, best.1.limit))
}

fn drifts(bearings: &[Vec<Snapshot>]) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for n_bands in [8, 16, FINEST_BANDS] {
        let width = FINEST_BANDS / n_bands;
        for (band, window) in (0..n_bands).flat_map(|band| [1, 3, 5].map(|window| (band, window))) {
            let of_band = band * width..(band + 1) * width;
            for run_in in 5..=30 {
                let name = format!("band {band} of {n_bands}, median of {window}, run-in {run_in}");
                candidates.push(Candidate::new(name, bearings, |life| {
                    let settings = DriftSettings { run_in: 0, window, limit: f64::INFINITY };
                    let mut drift = Drift::new(settings);
                    let power = |of: &Vec<f64>| of[of_band.clone()].iter().sum::<f64>();
                    let score =
                        |at: &Snapshot| drift.push(&[power(&at.powers[0]), power(&at.powers[1])]);
                    let mut scores: Vec<f64> = life.iter().map(score).collect();
                    scores.iter_mut().take(run_in).for_each(|score| *score = f64::NAN);
                    scores
                }));
            }
        }
    }
    candidates
}

fn rises(bearings: &[Vec<Snapshot>]) -> Vec<Candidate> {
    let of_window = |window: usize| {
        Candidate::new(format!("median of {window}"), bearings, |life| {
            let settings = TrendSettings { learn: LEARN, window, factor: f64::INFINITY };
            let mut trend = Trend::new(settings);
            life.iter().map(|at| trend.push(&at.rms)).collect()
        })
    };
    [1, 3, 5].map(of_window).into()
}

fn clocks(bearings: &[Vec<Snapshot>]) -> Vec<Candidate> {
    let ages = |life: &[Snapshot]| life.iter().map(|at| at.age).collect();
    vec![Candidate::new("hours run".into(), bearings, ages)]
}

pub(super) fn table(folder: &Path) -> anyhow::Result<Table> {
    let Read { names, bearings, bands_us, levels_us } = read(folder)?;
    let n = bearings.len();
    let columns = [
        "",
        "alarm from 50 to 90 % of life",
        "in the first half",
        "the former without the latter",
        "chosen",
        "µs CPU per snapshot",
    ];
    let title = format!(
        "FEMTO: {n} bearings run to failure, each judged with what the other {} choose",
        n - 1
    );
    let mut table = Table::new(title, &columns);
    let (drifts, rises, clocks) = (drifts(&bearings), rises(&bearings), clocks(&bearings));
    for (label, of, cpu_us) in [
        ("drift of a band", &drifts, Some(bands_us)),
        ("level over quietest time", &rises, Some(levels_us)),
        ("trivial: hours run", &clocks, None),
    ] {
        for allowed in [1, 0] {
            let found = chosen_elsewhere(of, n, allowed);
            table.row(found.cells(&format!("{label}, ≤ {allowed} early on the others"), cpu_us));
            if label.starts_with("drift") {
                let named = |of: &[usize]| {
                    of.iter()
                        .map(|&i| names[i].replace("Bearing", ""))
                        .collect::<Vec<_>>()
                        .join(", ")
                };
                let not: Vec<usize> = (0..n).filter(|i| !found.in_time.contains(i)).collect();
                table.note(format!(
                    "drift, ≤ {allowed}: not in time {}; early {}",
                    named(&not),
                    named(&found.early)
                ));
            }
        }
    }
    for (label, of) in [("drift of a band", &drifts), ("level over quietest time", &rises)] {
        let label = format!("in hindsight, best of all limits: {label}");
        table.row(in_hindsight(of, n, 1).cells(&label, None));
    }
    let at_once = Tally { in_time: (0..n).collect(), early: (0..n).collect(), ..Tally::default() };
    table.row(at_once.cells("trivial: alarm at once", None));
    table.note("goal: alarm before 90 % of life on ≥ 15 of 17, ≤ 1 false alarm in the first half of all lives");
    table.note(format!(
        "{} candidates of the drift; split {}",
        drifts.len(),
        split(folder, &names)?
    ));
    Ok(table)
}

/// The bytes of every bearing; each of them is once left out of what chooses.
fn split(folder: &Path, names: &[String]) -> anyhow::Result<Split> {
    let files = names.iter().map(|name| folder.join(format!("{name}.i16")));
    let split = Split::default().file(&folder.join("meta.json"))?.files(files)?;
    Ok((0..names.len()).fold(split, |split, bearing| split.rows("test", [bearing])))
}

/// All lives, and the mean processor time to see one snapshot in bands and to measure its level.
struct Read {
    names: Vec<String>,
    bearings: Vec<Vec<Snapshot>>,
    bands_us: f64,
    levels_us: f64,
}

fn read(folder: &Path) -> anyhow::Result<Read> {
    let metas: BTreeMap<String, Meta> =
        serde_json::from_str(&data::text(&folder.join("meta.json"))?)?;
    let plans = &mut Plans::default();
    let (mut names, mut bearings) = (Vec::new(), Vec::new());
    let (mut bands_us, mut levels_us, mut n_seen) = (0.0, 0.0, 0.0);
    for (name, meta) in metas {
        let samples = counts(&folder.join(format!("{name}.i16")), meta.scale)?;
        let mut life = Vec::new();
        for (snapshot, number) in samples.chunks_exact(2 * meta.samples).zip(&meta.kept) {
            if number % STRIDE == 1 {
                let (seen, [of_bands_us, of_levels_us]) = look(plans, snapshot, &meta, *number)?;
                life.push(seen);
                (bands_us, levels_us) = (bands_us + of_bands_us, levels_us + of_levels_us);
                n_seen += 1.0;
            }
        }
        names.push(name);
        bearings.push(life);
    }
    Ok(Read { names, bearings, bands_us: bands_us / n_seen, levels_us: levels_us / n_seen })
}

/// `snapshot`: samples of both channels in turn. With the microseconds for bands and for levels.
fn look(
    plans: &mut Plans,
    snapshot: &[f64],
    meta: &Meta,
    number: usize,
) -> anyhow::Result<(Snapshot, [f64; 2])> {
    let channel =
        |first: usize| -> Vec<f64> { snapshot.iter().skip(first).step_by(2).copied().collect() };
    let channels = [channel(0), channel(1)];
    let mut powers = [Vec::new(), Vec::new()];
    let clock = CpuClock::start();
    for (powers, samples) in powers.iter_mut().zip(&channels) {
        *powers = band_powers(plans, samples, meta.fs, FINEST_BANDS)?;
    }
    let bands_us = 1e6 * clock.seconds();
    let clock = CpuClock::start();
    let rms = channels.map(|samples| levels(&samples).map_or(f64::NAN, |found| found.rms));
    let levels_us = 1e6 * clock.seconds();
    let life = number as f64 / meta.snapshots_total as f64;
    Ok((Snapshot { life, age: number as f64, rms, powers }, [bands_us, levels_us]))
}
