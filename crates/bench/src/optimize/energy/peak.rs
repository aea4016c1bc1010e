//! Warnings of peaks at a steel plant: said after 15, 30 or 45 minutes of an hour whose mean power counts.

use optimize::energy::waste::peak_warning;

use super::steel;
use crate::seeds::NO_SEED;
use crate::{CpuClock, Options, Split, Table};

/// Hours of January to October, from which the limit is taken.
const N_TRAINING: usize = 304 * 24;
const QUARTER_S: f64 = 900.0;
/// Share of the hours before that were below the limit.
const BELOW: f64 = 0.95;

/// Energy of the four quarters of an hour, in kWh.
type Hour = [f64; 4];

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let (path, rows) = steel::load(options)?;
    let quarters: Vec<f64> = rows.iter().map(|row| row.kwh).collect();
    let hours: Vec<Hour> =
        quarters.chunks_exact(4).map(|four| [four[0], four[1], four[2], four[3]]).collect();
    let limit_kw = quantile(hours[..N_TRAINING].iter().map(|hour| hour.iter().sum()).collect());
    let is_peak = |hour: &Hour| hour.iter().sum::<f64>() > limit_kw;
    let judged = &hours[N_TRAINING..];
    let n_peaks = judged.iter().filter(|hour| is_peak(hour)).count();
    let title = format!(
        "Peak warning: steel plant, hours above {limit_kw:.1} kW in November and December, {n_peaks} of {}",
        judged.len()
    );
    let columns =
        ["warning", "share of the peaks", "false, of the warnings", "lead time, min", "CPU s"];
    let mut table = Table::new(title, &columns);
    let mut row = |name: &str, lead_min: u32, clock: CpuClock, warned: &[bool]| {
        let n_warned = warned.iter().filter(|warned| **warned).count();
        let n_right =
            judged.iter().zip(warned).filter(|(hour, warned)| **warned && is_peak(hour)).count();
        table.row([
            name.to_owned(),
            format!("{:.3}", n_right as f64 / n_peaks as f64),
            format!("{:.3}", 1.0 - n_right as f64 / n_warned as f64),
            lead_min.to_string(),
            format!("{:.5}", clock.seconds()),
        ]);
    };
    for n_quarters in 1..=3 {
        let clock = CpuClock::start();
        let warned: Result<Vec<bool>, _> =
            judged.iter().map(|hour| is_warned(hour, n_quarters, limit_kw)).collect();
        let minutes = 15 * n_quarters as u32;
        row(&format!("ours, after {minutes} min"), 60 - minutes, clock, &warned?);
    }
    let clock = CpuClock::start();
    let before: Vec<bool> = hours[N_TRAINING - 1..hours.len() - 1].iter().map(is_peak).collect();
    row("the hour before was above (trivial)", 60, clock, &before);
    let clock = CpuClock::start();
    let sum = |hour: &Hour| hour[0] + hour[1] + hour[2];
    let late: Vec<bool> = judged.iter().map(|hour| sum(hour) > limit_kw).collect();
    row("used up after 45 min (trivial)", 15, clock, &late);
    table.note(format!("limit: {:.0} % of the hours from January to October were below it; the meter gives energy per quarter, so the power of the last quarter stands for the power now", 100.0 * BELOW));
    let split = Split::default().file(&path)?.rows("train", 0..N_TRAINING);
    table.note(format!("split {}; {NO_SEED}", split.rows("test", N_TRAINING..hours.len())));
    Ok(table)
}

fn is_warned(
    hour: &Hour,
    n_quarters: usize,
    limit_kw: f64,
) -> Result<bool, optimize::energy::Error> {
    let used_kwh = hour[..n_quarters].iter().sum();
    let power_kw = 4.0 * hour[n_quarters - 1];
    let elapsed_s = QUARTER_S * n_quarters as f64;
    let warning = peak_warning(used_kwh, elapsed_s, power_kw, 4.0 * QUARTER_S, limit_kw)?;
    Ok(warning.shed_kw > 0.0)
}

fn quantile(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(BELOW * values.len() as f64) as usize]
}
