//! Car parts: 51 months of demand, three quarters of it zero.

use std::path::{Path, PathBuf};

use analytics::forecast::intermittent::{adida, croston, sba, tsb};

use crate::{Options, Split, Table, data};

/// Months that are forecast, all from the same origin.
const HORIZON: usize = 12;
const ALPHA: f64 = 0.1;

type Method = (&'static str, fn(&[f64]) -> f64);

const METHODS: [Method; 6] = [
    ("Croston", |demand| croston(demand, ALPHA)),
    ("SBA", |demand| sba(demand, ALPHA)),
    ("TSB", |demand| tsb(demand, ALPHA, ALPHA)),
    ("ADIDA", |demand| adida(demand, ALPHA)),
    ("trivial: mean of all months", |demand| demand.iter().sum::<f64>() / demand.len() as f64),
    ("trivial: zero", |_| 0.0),
];

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let path = path(&options.data);
    let parts = read(&path)?;
    let title = format!("Car parts: {} complete parts, the last 12 of 51 months", parts.len());
    let mut table = Table::new(title, &["method", "RMSSE", "bias of the year's demand %"]);
    for (name, method) in METHODS {
        let (mut errors, mut n, mut foreseen, mut real) = (0.0, 0.0, 0.0, 0.0);
        for part in &parts {
            let (past, next) = part.split_at(part.len() - HORIZON);
            let rate = method(past);
            let scale: f64 = past.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>()
                / (past.len() - 1) as f64;
            if scale > 0.0 {
                let square: f64 = next.iter().map(|x| (x - rate).powi(2)).sum();
                errors += (square / HORIZON as f64 / scale).sqrt();
                n += 1.0;
            }
            foreseen += rate * HORIZON as f64;
            real += next.iter().sum::<f64>();
        }
        let bias = 100.0 * (foreseen / real - 1.0);
        table.row([name.to_owned(), format!("{:.4}", errors / n), format!("{bias:+.1}")]);
    }
    table.note(format!(
        "weight of news {ALPHA}, not tuned; RMSSE: scaled by the one-step naive error"
    ));
    table.note(
        "zero has the lowest error of single months and no parts on the shelf: look at the bias",
    );
    table.note(format!("split {}", Split::default().file(&path)?.rows("test", 51 - HORIZON..51)));
    Ok(table)
}

fn path(folder: &Path) -> PathBuf {
    folder.join("carparts/carparts.csv")
}

fn read(path: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    let text = data::text(path)?;
    let mut parts = Vec::new();
    for line in text.lines().skip(1) {
        let words: Vec<&str> = line.split(',').skip(1).map(str::trim).collect();
        if words.iter().any(|word| word.is_empty()) {
            continue;
        }
        parts.push(words.iter().map(|word| word.parse::<f64>()).collect::<Result<_, _>>()?);
    }
    Ok(parts)
}
