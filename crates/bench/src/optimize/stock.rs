//! Inventory against the textbook oracles, and intermittent demand on car parts.

mod carparts;
mod oracle;

use anyhow::Context;
use serde_json::Value;

use crate::{Bench, CpuClock, Options, Table, data, peer};

pub(crate) const BENCH: Bench =
    Bench { name: "stock", about: "inventory: textbook oracles, and spares on car parts", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![oracles(options)?, carparts::table(options)?])
}

fn oracles(options: &Options) -> anyhow::Result<Table> {
    let text = data::text(&options.data.join("stockpyl_reference/stockpyl_reference.json"))?;
    let reference: Value =
        serde_json::from_str(&text).context("reading stockpyl_reference.json")?;
    let peer = if options.peers { Some(peer::run("optimize-stock", &[])?) } else { None };
    let mut table = Table::new(
        "Inventory: 22 instances of Snyder & Shen",
        &[
            "instance",
            "figure",
            "ours",
            "oracle",
            "relative",
            "peer, tails uncut",
            "CPU s",
            "peer CPU s",
        ],
    );
    let (mut n_met, mut n_all) = (0, 0);
    for (name, solve) in oracle::ALL {
        let expected = &reference[*name];
        anyhow::ensure!(expected.is_object(), "stockpyl_reference.json has no {name}");
        let clock = CpuClock::start();
        let found = solve(&expected["inputs"])?;
        let cpu_s = clock.seconds();
        let mut is_met = true;
        for (idx, (figure, ours)) in found.iter().enumerate() {
            let oracle = number(&expected["result"], figure)
                .with_context(|| format!("{name} has no {figure} in its result"))?;
            let relative = (ours - oracle).abs() / oracle.abs().max(1e-9);
            // Levels of the serial systems with normal demand are read off the oracle's own grid.
            is_met &= relative <= 1e-4 || (idx > 0 && oracle::GRID.contains(name));
            let peer = |key: &str| {
                peer.as_ref().and_then(|peer| peer[*name][key].as_f64()).filter(|_| idx == 0)
            };
            table.row([
                if idx == 0 { (*name).to_owned() } else { String::new() },
                (*figure).to_owned(),
                format!("{ours:.6}"),
                format!("{oracle:.6}"),
                format!("{relative:.0e}"),
                peer("uncut").map_or(String::new(), |cost| format!("{cost:.6}")),
                if idx == 0 { format!("{cpu_s:.4}") } else { String::new() },
                peer("cpu_s").map_or(String::new(), |cpu_s| format!("{cpu_s:.4}")),
            ]);
        }
        n_met += usize::from(is_met);
        n_all += 1;
    }
    table.note(format!("{n_met} of {n_all} within 1e-4; peer: stockpyl 1.0.2 in the same run"));
    table.note("serial levels of example_6_1 and problem_6_1: the oracle gives points of its own coarse grid, so only costs are compared");
    Ok(table)
}

/// A figure by its path in the result: "Q", "eil.0", "S.3". Some numbers are written as text.
fn number(result: &Value, path: &str) -> Option<f64> {
    let step = |at: &Value, key: &str| match key.parse::<usize>() {
        Ok(idx) if at.is_array() => at.get(idx).cloned(),
        _ => at.get(key).cloned(),
    };
    let found = path.split('.').try_fold(result.clone(), |at, key| step(&at, key))?;
    found.as_f64().or_else(|| found.as_str()?.parse().ok())
}
