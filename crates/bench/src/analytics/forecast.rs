//! Forecasts: many short series (M3), a long one (ETTh1), a day ahead (steel plant), spare parts.

mod ett;
mod levels;
mod m3;
mod parts;
mod steel;

use crate::{Bench, Options, Table};

pub(crate) const BENCH: Bench = Bench {
    name: "forecast",
    about: "M3 monthly, ETTh1, a steel plant's day ahead, car parts; beside statsforecast",
    run,
};

/// Runs the benchmark.
fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let mut tables = m3::tables(options)?;
    tables.push(ett::table(options.folder()?)?);
    tables.extend([steel::table(options)?, parts::table(options)?, levels::table(options)?]);
    Ok(tables)
}
