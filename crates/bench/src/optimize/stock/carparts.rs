//! Order-up-to levels for car parts: set after 39 months for 95 % over 3 months, judged on the 12 months after.

use anyhow::Context;
use optimize::stock::Pmf;
use optimize::stock::intermittent::{Pooling, pooled, tsb};

use crate::seeds::NO_SEED;
use crate::{CpuClock, Options, Split, Table, data, peer};

const N_HISTORY: usize = 39;
/// Months on which the levels are judged.
const N_JUDGED: usize = 12;
const PROTECTION: usize = 3;
/// Begins of the time that the levels have to cover, a month apart.
const N_WINDOWS: usize = N_JUDGED - PROTECTION + 1;
const TARGET: f64 = 0.95;

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let path = options.folder()?.join("carparts/carparts.csv");
    let parts = read(&data::text(&path)?)?;
    let histories: Vec<&[f64]> = parts.iter().map(|part| &part[..N_HISTORY]).collect();
    let title = format!(
        "Spares: {} car parts, levels set after {N_HISTORY} months, 95 % over {PROTECTION} months",
        parts.len()
    );
    let mut table = Table::new(
        title,
        &[
            "rule",
            "service",
            "fill rate",
            "mean level",
            "pinball",
            "service, monthly",
            "pinball, monthly",
            "CPU s",
        ],
    );
    let rules: [(&str, Rule); 4] = [
        ("pooled weighted bootstrap (ours)", pooled_levels),
        ("TSB + negative binomial", tsb_levels),
        ("bootstrap of 24 months", |histories| bootstrap_levels(histories, 24)),
        ("bootstrap of all months", |histories| bootstrap_levels(histories, N_HISTORY)),
    ];
    for (name, rule) in rules {
        let clock = CpuClock::start();
        let levels = rule(&histories)?;
        let cpu_s = clock.seconds();
        let anew = |window: usize| rule(&upto(&parts, N_HISTORY + window));
        table.row(cells(name, &parts, &levels, anew, cpu_s)?);
    }
    if options.peers {
        beside_forecasts(&parts, &mut table)?;
    }
    table.note("targets: service 0.945 to 0.96, pinball at most 0.300; \"monthly\" sets the levels anew each month");
    let n_months = N_HISTORY + N_JUDGED;
    let split =
        Split::default().file(&path)?.rows("train", 0..N_HISTORY).rows("test", N_HISTORY..n_months);
    table.note(format!(
        "complete parts with demand in 2 or more of the first 39 months; {N_WINDOWS} windows; split {split}; {NO_SEED}"
    ));
    Ok(table)
}

/// `levels`: set once; `anew`: for each window.
fn cells(
    name: &str,
    parts: &[Vec<f64>],
    levels: &[f64],
    anew: impl Fn(usize) -> anyhow::Result<Vec<f64>>,
    cpu_s: f64,
) -> anyhow::Result<Vec<String>> {
    let fixed = Score::of(parts, |_| Ok(levels.to_vec()))?;
    let monthly = Score::of(parts, anew)?;
    let mut cells = vec![name.to_owned()];
    cells.extend([fixed.service, fixed.fill_rate].map(|share| format!("{share:.4}")));
    cells.push(format!("{:.3}", levels.iter().sum::<f64>() / levels.len() as f64));
    cells.extend([fixed.pinball, monthly.service, monthly.pinball].map(|x| format!("{x:.4}")));
    cells.push(format!("{cpu_s:.3}"));
    Ok(cells)
}

/// Levels from the forecasts of statsforecast and a normal distribution, rounded up to pieces.
fn beside_forecasts(parts: &[Vec<f64>], table: &mut Table) -> anyhow::Result<()> {
    let row = |part: &Vec<f64>| {
        let months: Vec<String> = part.iter().map(f64::to_string).collect();
        months.join(",") + "\n"
    };
    let text: String = parts.iter().map(row).collect();
    let numbers = [N_HISTORY, N_WINDOWS, PROTECTION].map(|n| n.to_string());
    let arguments = [&numbers[0], &numbers[1], &numbers[2], &TARGET.to_string()];
    let arguments = arguments.map(String::as_str);
    let answer = peer::run_on("optimize-carparts", "parts.csv", &text, &arguments)?;
    let version = answer["version"].as_str().unwrap_or("?");
    let rules = answer["rules"].as_object().context("statsforecast gave no rules")?;
    for (rule, found) in rules {
        let levels: Vec<Vec<f64>> = serde_json::from_value(found["levels"].clone())?;
        let is_whole =
            levels.len() == N_WINDOWS && levels.iter().all(|own| own.len() == parts.len());
        anyhow::ensure!(is_whole, "statsforecast left levels out");
        let name = format!("peer: statsforecast {version}, {rule}");
        let cpu_s = found["cpu_s"].as_f64().unwrap_or(f64::NAN);
        table.row(cells(&name, parts, &levels[0], |window| Ok(levels[window].clone()), cpu_s)?);
    }
    Ok(())
}

type Rule = fn(&[&[f64]]) -> anyhow::Result<Vec<f64>>;

/// Complete rows with at least two months of demand in the history.
fn read(text: &str) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut parts = Vec::new();
    for line in text.lines().skip(1) {
        let months: Result<Vec<f64>, _> = line.split(',').skip(1).map(str::parse).collect();
        let Ok(months) = months else { continue };
        if months.len() == N_HISTORY + N_JUDGED
            && months[..N_HISTORY].iter().filter(|d| **d > 0.0).count() >= 2
        {
            parts.push(months);
        }
    }
    anyhow::ensure!(!parts.is_empty(), "carparts.csv has no complete part");
    Ok(parts)
}

fn upto(parts: &[Vec<f64>], month: usize) -> Vec<&[f64]> {
    parts.iter().map(|part| &part[..month]).collect()
}

fn level(demand: &Pmf) -> f64 {
    demand.over(PROTECTION).quantile(TARGET) as f64
}

fn pooled_levels(histories: &[&[f64]]) -> anyhow::Result<Vec<f64>> {
    Ok(pooled(histories, Pooling::default())?.iter().map(level).collect())
}

fn bootstrap_levels(histories: &[&[f64]], n_months: usize) -> anyhow::Result<Vec<f64>> {
    let recent: Vec<&[f64]> =
        histories.iter().map(|h| &h[h.len().saturating_sub(n_months)..]).collect();
    Ok(pooled(&recent, Pooling { decay: 1.0, lent: 0.0 })?.iter().map(level).collect())
}

fn tsb_levels(histories: &[&[f64]]) -> anyhow::Result<Vec<f64>> {
    let level = |history: &&[f64]| -> anyhow::Result<f64> {
        let n = history.len() as f64;
        let mean = history.iter().sum::<f64>() / n;
        let variance = history.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let expected = PROTECTION as f64 * tsb(history, 0.1, 0.1)?.map_or(0.0, |rate| rate.mean());
        Ok(Pmf::negative_binomial(expected, PROTECTION as f64 * variance)?.quantile(TARGET) as f64)
    };
    histories.iter().map(level).collect()
}

struct Score {
    service: f64,
    fill_rate: f64,
    pinball: f64,
}

impl Score {
    /// `levels`: order-up-to levels of each window, from 0.
    fn of(
        parts: &[Vec<f64>],
        levels: impl Fn(usize) -> anyhow::Result<Vec<f64>>,
    ) -> anyhow::Result<Self> {
        let (mut n, mut served, mut filled, mut asked, mut pinball) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for window in 0..N_WINDOWS {
            let month = N_HISTORY + window;
            for (part, level) in parts.iter().zip(levels(window)?) {
                let need: f64 = part[month..month + PROTECTION].iter().sum();
                n += 1.0;
                served += f64::from(u8::from(need <= level));
                filled += need.min(level);
                asked += need;
                pinball += if need >= level {
                    TARGET * (need - level)
                } else {
                    (1.0 - TARGET) * (level - need)
                };
            }
        }
        Ok(Self { service: served / n, fill_rate: filled / asked, pinball: pinball / n })
    }
}
