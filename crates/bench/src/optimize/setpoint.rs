//! Set-points: a reactor with a known optimum.

mod reactor;

use crate::{Bench, Options, Table};

pub(crate) const BENCH: Bench = Bench {
    name: "setpoint",
    about: "set-points: the Williams-Otto reactor with a known constrained optimum",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![reactor::table(options)?])
}
