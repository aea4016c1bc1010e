//! Car parts: 51 months of demand, three quarters of it zero.

use std::path::{Path, PathBuf};

use analytics::forecast::intermittent::{adida, adida_fitted, croston, sba, tsb};
use anyhow::Context;

use crate::{CpuClock, Options, Split, Table, data, peer};

/// Months that are forecast, all from the same origin.
pub(super) const HORIZON: usize = 12;
pub(super) const MONTHS: usize = 51;
const ALPHA: f64 = 0.1;
/// Rounds over all parts by which our time is measured.
const ROUNDS: usize = 20;

type Method = (&'static str, fn(&[f64]) -> f64);

const METHODS: [Method; 7] = [
    ("Croston", |demand| croston(demand, ALPHA)),
    ("SBA", |demand| sba(demand, ALPHA)),
    ("TSB", |demand| tsb(demand, ALPHA, ALPHA)),
    ("ADIDA", |demand| adida(demand, ALPHA)),
    ("ADIDA, weight from 0.1 to 0.3 fitted", adida_fitted),
    ("trivial: mean of all months", |demand| demand.iter().sum::<f64>() / demand.len() as f64),
    ("trivial: zero", |_| 0.0),
];

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let path = path(options.folder()?);
    let parts = read(&path)?;
    let title = format!("Car parts: {} complete parts, the last 12 of 51 months", parts.len());
    let columns = ["method", "RMSSE", "bias of the year's demand %", "µs CPU per part"];
    let mut table = Table::new(title, &columns);
    for (name, method) in METHODS {
        let clock = CpuClock::start();
        let mut rates = Vec::new();
        for _ in 0..ROUNDS {
            rates = parts.iter().map(|part| method(&part[..MONTHS - HORIZON])).collect();
        }
        let each_us = clock.seconds() * 1e6 / (ROUNDS * parts.len()) as f64;
        table.row(cells(name, &parts, &rates, each_us));
    }
    if options.peers {
        peer_rows(&mut table, &parts)?;
    }
    table.note(format!(
        "weight of news {ALPHA}, not tuned; RMSSE: scaled by the one-step naive error"
    ));
    table.note("statsforecast: Croston and SBA with the same weight, TSB with the same two; its ADIDA chooses its own, and its mean interval is between demands");
    table.note(
        "zero has the lowest error of single months and no parts on the shelf: look at the bias",
    );
    let split = Split::default().file(&path)?.rows("test", MONTHS - HORIZON..MONTHS);
    table.note(format!("split {split}"));
    Ok(table)
}

fn cells(name: &str, parts: &[Vec<f64>], rates: &[f64], each_us: f64) -> [String; 4] {
    let (mut errors, mut n, mut foreseen, mut real) = (0.0, 0.0, 0.0, 0.0);
    for (part, rate) in parts.iter().zip(rates) {
        let (past, next) = part.split_at(MONTHS - HORIZON);
        let steps = past.windows(2).map(|pair| (pair[1] - pair[0]).powi(2));
        let scale = steps.sum::<f64>() / (past.len() - 1) as f64;
        if scale > 0.0 {
            let square: f64 = next.iter().map(|x| (x - rate).powi(2)).sum();
            errors += (square / HORIZON as f64 / scale).sqrt();
            n += 1.0;
        }
        foreseen += rate * HORIZON as f64;
        real += next.iter().sum::<f64>();
    }
    let bias = 100.0 * (foreseen / real - 1.0);
    [name.to_owned(), format!("{:.4}", errors / n), format!("{bias:+.1}"), format!("{each_us:.2}")]
}

/// statsforecast's methods of the same names on the same months.
fn peer_rows(table: &mut Table, parts: &[Vec<f64>]) -> anyhow::Result<()> {
    let line = |part: &Vec<f64>| {
        let words: Vec<String> = part[..MONTHS - HORIZON].iter().map(f64::to_string).collect();
        words.join(",") + "\n"
    };
    let text: String = parts.iter().map(line).collect();
    let path = std::env::temp_dir().join(format!("fettler-parts-{}.csv", std::process::id()));
    std::fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let arguments = ["parts", &*path.to_string_lossy(), &ALPHA.to_string()];
    let answer = peer::run("analytics-forecast", &arguments);
    std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    let answer = answer?;
    let version = answer["version"].as_str().unwrap_or("?");
    for (name, _) in &METHODS[..4] {
        let of = &answer[name];
        let forecasts: Vec<Vec<f64>> = serde_json::from_value(of["forecasts"].clone())
            .with_context(|| format!("the peer's forecasts by {name}"))?;
        let rates: Vec<f64> =
            forecasts.iter().map(|ahead| ahead.first().copied().unwrap_or(f64::NAN)).collect();
        anyhow::ensure!(rates.len() == parts.len(), "the peer left out parts");
        let cpu_s = of["cpu_s"].as_f64().context("the peer gave no cpu_s")?;
        let name = format!("statsforecast {version} {name}");
        table.row(cells(&name, parts, &rates, cpu_s * 1e6 / parts.len() as f64));
    }
    Ok(())
}

/// The file of all parts.
pub(super) fn path(folder: &Path) -> PathBuf {
    folder.join("carparts/carparts.csv")
}

/// Demand per month of the parts without a gap.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    let text = data::text(path)?;
    let mut parts = Vec::new();
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split(',').skip(1).map(str::trim).collect();
        if words.iter().any(|word| word.is_empty()) {
            continue;
        }
        let months: Vec<f64> = words.iter().map(|word| word.parse()).collect::<Result<_, _>>()?;
        anyhow::ensure!(months.len() == MONTHS, "{}: {MONTHS} months a part", path.display());
        parts.push(months);
    }
    Ok(parts)
}
