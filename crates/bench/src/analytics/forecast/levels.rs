//! A hierarchy of spare parts: forecasts of all levels that are made to add up.

use analytics::forecast::intermittent::tsb;
use analytics::forecast::{Weights, ets, reconcile};

use super::parts::{self, HORIZON, MONTHS};
use crate::{CpuClock, Options, Split, Table};

/// The parts of greatest demand in the training months, in groups by that order.
const N_PARTS: usize = 240;
const PER_GROUP: usize = 20;
const PERIOD: usize = 12;
const ALPHA: f64 = 0.1;
/// One-step errors of the last training months weigh the levels.
const N_ERRORS: usize = 12;
const LEVELS: [&str; 3] = ["total", "12 groups", "240 parts"];

/// Sums of parts, the total first, then groups, then parts; a row per series.
struct Hierarchy {
    sums: Vec<Vec<f64>>,
    series: Vec<Vec<f64>>,
}

impl Hierarchy {
    fn new(parts: &[Vec<f64>]) -> Hierarchy {
        let row = |holds: &dyn Fn(usize) -> bool| -> Vec<f64> {
            (0..parts.len()).map(|part| if holds(part) { 1.0 } else { 0.0 }).collect()
        };
        let groups = 0..parts.len() / PER_GROUP;
        let mut sums = vec![row(&|_| true)];
        sums.extend(groups.map(|group| row(&|part| part / PER_GROUP == group)));
        sums.extend((0..parts.len()).map(|only| row(&|part| part == only)));
        let month = |of: &[f64], month: usize| -> f64 {
            of.iter().zip(parts).map(|(holds, part)| holds * part[month]).sum()
        };
        let series = sums.iter().map(|of| (0..MONTHS).map(|at| month(of, at)).collect()).collect();
        Hierarchy { sums, series }
    }

    /// Total, groups, parts.
    fn level(&self, idx: usize) -> usize {
        match idx {
            0 => 0,
            idx if idx < self.sums.len() - N_PARTS => 1,
            _ => 2,
        }
    }

    /// Sums by exponential smoothing, single parts as intermittent demand.
    fn forecast(&self, idx: usize, past: &[f64]) -> anyhow::Result<Vec<f64>> {
        if self.level(idx) == 2 {
            return Ok(vec![tsb(past, ALPHA, ALPHA); HORIZON]);
        }
        Ok(ets(past, PERIOD)?.forecast(HORIZON))
    }

    /// Errors of forecasts one month ahead in the last training months.
    fn errors(&self, idx: usize) -> anyhow::Result<Vec<f64>> {
        let months = MONTHS - HORIZON - N_ERRORS..MONTHS - HORIZON;
        let of = &self.series[idx];
        months.map(|at| Ok(of[at] - self.forecast(idx, &of[..at])?[0])).collect()
    }
}

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let path = parts::path(options.folder()?);
    let mut all = parts::read(&path)?;
    let demand = |part: &Vec<f64>| part[..MONTHS - HORIZON].iter().sum::<f64>();
    all.sort_by(|a, b| demand(b).total_cmp(&demand(a)));
    let hierarchy = Hierarchy::new(&all[..N_PARTS]);
    let n = hierarchy.series.len();
    let base: Vec<Vec<f64>> = (0..n)
        .map(|i| hierarchy.forecast(i, &hierarchy.series[i][..MONTHS - HORIZON]))
        .collect::<anyhow::Result<_>>()?;
    let errors: Vec<Vec<f64>> =
        (0..n).map(|i| hierarchy.errors(i)).collect::<anyhow::Result<_>>()?;
    let variance = |of: &Vec<f64>| of.iter().map(|x| x * x).sum::<f64>() / of.len() as f64;
    let title = format!(
        "Car parts, the {N_PARTS} of greatest demand in {} groups: forecasts that add up, mean absolute error in % of the mean demand",
        N_PARTS / PER_GROUP
    );
    let columns = [&["forecasts"], &LEVELS[..], &["sums off by at most", "ms CPU"]].concat();
    let mut table = Table::new(title, &columns);
    table.row(cells("each by itself (before)", &hierarchy, &base, 0.0));
    let clock = CpuClock::start();
    let from_below = summed(&hierarchy, &base);
    table.row(cells("trivial: sums of the parts", &hierarchy, &from_below, clock.seconds()));
    for (name, weights) in [
        ("reconciled, all alike", Weights::Equal),
        ("reconciled, by number of parts", Weights::Structural),
        (
            "reconciled, by variance of errors",
            Weights::Variances(errors.iter().map(variance).collect()),
        ),
        ("reconciled, minimum trace, shrunk", Weights::Errors(errors.clone())),
    ] {
        let clock = CpuClock::start();
        let found = reconciled(&hierarchy, &base, &weights)?;
        table.row(cells(name, &hierarchy, &found, clock.seconds()));
    }
    table.note(format!("sums by ETS, parts by TSB ({ALPHA}); weights from errors one month ahead in the last {N_ERRORS} training months; 12 months ahead from one origin"));
    let split = Split::default().file(&path)?.rows("test", MONTHS - HORIZON..MONTHS);
    table.note(format!("split {}", split.values("parts", hierarchy.series.iter().flatten())));
    Ok(table)
}

/// Every month of the horizon by itself.
fn reconciled(
    hierarchy: &Hierarchy,
    base: &[Vec<f64>],
    weights: &Weights,
) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut found = vec![Vec::with_capacity(HORIZON); base.len()];
    for step in 0..HORIZON {
        let of_step: Vec<f64> = base.iter().map(|of| of[step]).collect();
        let even = reconcile(&hierarchy.sums, &of_step, weights)?;
        found.iter_mut().zip(even).for_each(|(found, x)| found.push(x));
    }
    Ok(found)
}

fn summed(hierarchy: &Hierarchy, base: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let parts = &base[base.len() - N_PARTS..];
    let step = |holds: &[f64], step: usize| -> f64 {
        holds.iter().zip(parts).map(|(holds, part)| holds * part[step]).sum()
    };
    let of = |holds: &Vec<f64>| (0..HORIZON).map(|at| step(holds, at)).collect();
    hierarchy.sums.iter().map(of).collect()
}

fn cells(name: &str, hierarchy: &Hierarchy, found: &[Vec<f64>], seconds: f64) -> Vec<String> {
    let (mut errors, mut demand) = ([0.0; 3], [0.0; 3]);
    for (i, (series, ahead)) in hierarchy.series.iter().zip(found).enumerate() {
        for (real, foreseen) in series[MONTHS - HORIZON..].iter().zip(ahead) {
            errors[hierarchy.level(i)] += (real - foreseen).abs();
            demand[hierarchy.level(i)] += real;
        }
    }
    let apart = summed(hierarchy, found);
    let pairs = apart.iter().flatten().zip(found.iter().flatten());
    let off = pairs.map(|(sum, x)| (sum - x).abs()).fold(0.0, f64::max);
    let mut cells = vec![name.to_owned()];
    cells.extend((0..3).map(|level| format!("{:.1}", 100.0 * errors[level] / demand[level])));
    cells.push(if off < 1e-6 { "0".to_owned() } else { format!("{off:.1}") });
    cells.push(if seconds > 0.0 { format!("{:.0}", 1e3 * seconds) } else { String::new() });
    cells
}
