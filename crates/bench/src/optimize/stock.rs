//! Inventory against the textbook oracles, intermittent demand on car parts, and spares from remaining lives.

mod carparts;
mod coarse;
mod lives;
mod oracle;

use anyhow::Context;
use serde_json::Value;

use crate::seeds::NO_SEED;
use crate::{Bench, CpuClock, Options, Table, data, peer};

pub(crate) const BENCH: Bench = Bench {
    name: "stock",
    about: "inventory: textbook oracles, car parts, spares from lives",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![oracles(options)?, carparts::table(options)?, lives::table(options)?])
}

fn oracles(options: &Options) -> anyhow::Result<Table> {
    let path = options.folder()?.join("stockpyl_reference/stockpyl_reference.json");
    let text = data::text(&path)?;
    let reference: Value =
        serde_json::from_str(&text).context("reading stockpyl_reference.json")?;
    let peer = if options.peers {
        Some(peer::run("optimize-stock", &[&path.to_string_lossy()])?)
    } else {
        None
    };
    let mut table = Table::new(
        "Inventory: 22 instances of Snyder & Shen",
        &[
            "instance",
            "figure",
            "ours",
            "oracle",
            "relative",
            "peer in this run",
            "peer, tails uncut",
            "CPU s",
            "peer CPU s",
        ],
    );
    let (mut n_met, mut n_met_there, mut n_all) = (0, 0, 0);
    let (mut n_judged, mut n_not_worse) = (0, 0);
    for (name, solve) in oracle::ALL {
        let expected = &reference[*name];
        anyhow::ensure!(expected.is_object(), "stockpyl_reference.json has no {name}");
        let clock = CpuClock::start();
        let found = solve(&expected["inputs"])?;
        let cpu_s = clock.seconds();
        let mut is_met = true;
        let oracle = |figure: &str| {
            let oracle = number(&expected["result"], figure);
            oracle.with_context(|| format!("{name} has no {figure} in its result"))
        };
        let peer = |key: &str| {
            let figure = peer.as_ref().and_then(|peer| peer[*name][key].as_f64());
            figure.map_or_else(String::new, six_places)
        };
        for (idx, (figure, ours)) in found.iter().enumerate() {
            let oracle = oracle(figure)?;
            is_met &= relative(*ours, oracle) <= 1e-4;
            let mut cells = row(if idx == 0 { name } else { "" }, figure, *ours, oracle);
            if idx == 0 {
                cells.extend([peer("figure"), peer("uncut"), six_places(cpu_s), peer("cpu_s")]);
            }
            table.row(cells);
        }
        let mut is_met_there = true;
        for (figure, theirs) in oracle::as_there(name).unwrap_or_default() {
            let oracle = oracle(figure)?;
            is_met_there &= relative(theirs, oracle) <= 1e-4;
            table.row(row("", &format!("{figure}, cut and on its grid"), theirs, oracle));
        }
        let levels = |cell: fn(f64, f64) -> f64| -> anyhow::Result<Vec<f64>> {
            let levels = found.iter().filter(|(figure, _)| figure.starts_with("S."));
            levels.map(|(figure, ours)| Ok(cell(*ours, oracle(figure)?))).collect()
        };
        let ours = oracle::on_a_fine_grid(name, &levels(|ours, _| ours)?);
        let theirs = oracle::on_a_fine_grid(name, &levels(|_, oracle| oracle)?);
        if let Some((ours, theirs)) = ours.zip(theirs) {
            table.row(row("", "cost of the levels, on a fine grid", ours, theirs));
            n_judged += 1;
            n_not_worse += usize::from(ours <= theirs * (1.0 + 1e-9));
        }
        n_met += usize::from(is_met);
        n_met_there += usize::from(is_met || (is_met_there && oracle::as_there(name).is_some()));
        n_all += 1;
    }
    table.note(format!(
        "{n_met} of {n_all} within 1e-4, and {n_met_there} with serial systems computed as the oracle does: demand cut at four standard deviations, normal demand in 100 and stock in 1,000 steps"
    ));
    table.note(format!(
        "our levels cost no more than the oracle's in {n_not_worse} of {n_judged} serial systems, both judged on a grid of 30,000 steps of stock and 3,000 of demand that is neither's own"
    ));
    table.note("peer: stockpyl 1.0.2 in the same run");
    table.note(NO_SEED);
    Ok(table)
}

fn relative(ours: f64, oracle: f64) -> f64 {
    (ours - oracle).abs() / oracle.abs().max(1e-9)
}

fn row(name: &str, figure: &str, ours: f64, oracle: f64) -> Vec<String> {
    let relative = format!("{:.0e}", relative(ours, oracle));
    vec![name.to_owned(), figure.to_owned(), six_places(ours), six_places(oracle), relative]
}

fn six_places(value: f64) -> String {
    format!("{value:.6}")
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
