//! A steel plant's meter: baselines from January to October, judged in November and December.

use std::path::PathBuf;

use anyhow::Context;
use optimize::energy::baseline::{Period, fit_by_regime};
use optimize::energy::{Quality, waste, week};

use crate::seeds::NO_SEED;
use crate::{CpuClock, Options, Split, Table, data};

/// Quarters of an hour from 1 January to 31 October.
const N_TRAINING: usize = 304 * 96;
/// Leading reactive energy per quarter, in kvarh, above which the capacitors outweigh the motors: the plant idles.
const IDLE_LEADING_KVARH: f64 = 4.0;

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let (path, rows) = load(options)?;
    let energy: Vec<f64> = rows.iter().map(|row| row.kwh).collect();
    let test = &energy[N_TRAINING..];
    let mut table = Table::new(
        "Energy baseline: steel plant, fitted January to October, judged in November and December",
        &["model", "CV 15 min", "CV day", "NMBE %", "CPU s"],
    );
    let models: [(&str, Model); 2] =
        [("time of week (trivial)", by_week), ("idle and running, by reactive energy", by_regime)];
    for (name, model) in models {
        let clock = CpuClock::start();
        let expected = model(&rows)?;
        let cpu_s = clock.seconds();
        let quarter = Quality::of(test, &expected, 0);
        let daily = Quality::of(&days(test), &days(&expected), 0);
        table.row([
            name.to_owned(),
            format!("{:.3}", quarter.cv_rmse_percent / 100.0),
            format!("{:.3}", daily.cv_rmse_percent / 100.0),
            format!("{:.1}", quarter.nmbe_percent),
            format!("{cpu_s:.3}"),
        ]);
    }
    table.note("targets: 0.45 and 0.25, NMBE 5 %; the set has no record of production, so the reactive energy of the same meter stands for it");
    let lagging: Vec<f64> = rows.iter().map(|row| row.drivers[0]).collect();
    let factor = waste::power_factor(&energy, &lagging, 0.25, 0.9)?;
    table.note(format!(
        "waste: power factor below 0.9 in {:.1} % of quarters (lagging), {:.0} kvar would lift 95 % of them",
        factor.below_percent, factor.needed_kvar,
    ));
    let split = Split::default().file(&path)?.rows("train", 0..N_TRAINING);
    table.note(format!("split {}; {NO_SEED}", split.rows("test", N_TRAINING..rows.len())));
    Ok(table)
}

type Model = fn(&[Row]) -> anyhow::Result<Vec<f64>>;

/// Energy of a quarter of an hour, with lagging and leading reactive energy.
pub(super) struct Row {
    pub(super) kwh: f64,
    drivers: [f64; 2],
}

/// The file and its rows.
pub(super) fn load(options: &Options) -> anyhow::Result<(PathBuf, Vec<Row>)> {
    let path = options.folder()?.join("steel_energy/Steel_industry_data.csv");
    let rows = read(&data::text(&path)?)?;
    Ok((path, rows))
}

/// The rows are in time order, a quarter of an hour apart from 1 January 2018, a Monday, whatever the date column says.
fn read(text: &str) -> anyhow::Result<Vec<Row>> {
    let mut rows = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let number = |idx: usize| fields.get(idx).and_then(|field| field.parse().ok());
        let row = number(1).zip(number(2).zip(number(3)));
        let (kwh, (lagging, leading)) = row.with_context(|| format!("no numbers in: {line}"))?;
        rows.push(Row { kwh, drivers: [lagging, leading] });
    }
    anyhow::ensure!(
        rows.len() == 365 * 96,
        "the steel plant has {} rows, not a year of quarters",
        rows.len()
    );
    Ok(rows)
}

fn by_week(rows: &[Row]) -> anyhow::Result<Vec<f64>> {
    let energy: Vec<f64> = rows[..N_TRAINING].iter().map(|row| row.kwh).collect();
    let slots: Vec<usize> = (0..rows.len()).map(|idx| idx % (7 * 96)).collect();
    let model = week::fit(&energy, &slots[..N_TRAINING], &[])?;
    Ok(slots[N_TRAINING..].iter().map(|slot| model.expected(*slot, None)).collect())
}

fn by_regime(rows: &[Row]) -> anyhow::Result<Vec<f64>> {
    let period = |row: &Row| (row.kwh, usize::from(row.drivers[1] <= IDLE_LEADING_KVARH));
    let regimes: Vec<usize> = rows.iter().map(|row| period(row).1).collect();
    let periods: Vec<Period> = rows
        .iter()
        .map(|row| Period { energy: row.kwh, temperatures: &[], drivers: &row.drivers })
        .collect();
    let models = fit_by_regime(&periods[..N_TRAINING], &regimes[..N_TRAINING])?;
    let test = periods.iter().zip(&regimes).skip(N_TRAINING);
    let expected = test.map(|(period, regime)| {
        models[*regime].as_ref().map_or(f64::NAN, |own| own.expected(period))
    });
    Ok(expected.collect())
}

fn days(quarters: &[f64]) -> Vec<f64> {
    quarters.chunks(96).map(|day| day.iter().sum()).collect()
}
