//! Set-points: a reactor with a known optimum, proposals from a historian, and batches that go wrong.

mod golden;
mod history;
mod reactor;

use crate::{Bench, Options, Table};

pub(crate) const BENCH: Bench = Bench {
    name: "setpoint",
    about: "set-points: a reactor with a known optimum, proposals from history, batches that go wrong",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![reactor::table(options)?, history::table(options)?, golden::table(options)?])
}
