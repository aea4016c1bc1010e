//! PyPI `active-period-method` on the states of many lines.

use std::fmt::Write;

use anyhow::Context;
use optimize::bottleneck::Observed;

/// What the peer said of each line, in their order.
pub(super) struct Answer {
    pub(super) version: String,
    /// Index of the machine that it names; `None` where it names none.
    pub(super) machines: Vec<Option<usize>>,
    /// Changes of state that it was given.
    pub(super) n_events: usize,
    pub(super) cpu_s: f64,
}

/// Asks the peer for the bottleneck of each line, by the time for which it was sole or shifting.
pub(super) fn ask(lines: &[Observed]) -> anyhow::Result<Answer> {
    let mut text = String::from("line,station,at_us,active\n");
    let mut n_events = 0;
    for (line, seen) in lines.iter().enumerate() {
        for machine in 0..seen.names().len() {
            n_events += changes(&mut text, seen, line, machine)?;
        }
    }
    let answer = crate::peer::run_on("optimize-bottleneck", "states.csv", &text, &[])?;
    let named = answer["machines"].as_array().context("the peer names no machines")?;
    anyhow::ensure!(named.len() == lines.len(), "the peer left lines out");
    let place = |(name, seen): (&serde_json::Value, &Observed)| {
        seen.names().iter().position(|own| name.as_str() == Some(own))
    };
    Ok(Answer {
        version: answer["version"].as_str().unwrap_or("?").to_owned(),
        machines: named.iter().zip(lines).map(place).collect(),
        n_events,
        cpu_s: answer["cpu_s"].as_f64().unwrap_or(f64::NAN),
    })
}

/// Writes each change between active and waiting of one machine, and says how many there are.
fn changes(
    text: &mut String,
    seen: &Observed,
    line: usize,
    machine: usize,
) -> Result<usize, std::fmt::Error> {
    let name = &seen.names()[machine];
    let (mut before, mut n) = (None, 0);
    let mut row = |at_us: i64, is_active: bool| {
        if before != Some(is_active) {
            writeln!(text, "{line},{name},{at_us},{}", u8::from(is_active))?;
            n += 1;
        }
        before = Some(is_active);
        Ok(())
    };
    for stretch in seen.stretches(machine) {
        row(stretch.from_us, stretch.activity.is_active())?;
    }
    // The peer leaves out a period that no change ends.
    if let Some(last) = seen.stretches(machine).last() {
        row(last.to_us, !last.activity.is_active())?;
    }
    Ok(n)
}
