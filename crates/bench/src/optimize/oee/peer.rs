//! The same time accounting, written once more with pandas.

use std::fmt::Write;

use anyhow::Context;
use optimize::oee::{Facts, State};
use serde_json::Value;

pub(super) struct Answer {
    pub(super) version: String,
    pub(super) cpu_s: f64,
    pub(super) shifts: Vec<Shift>,
}

pub(super) struct Shift {
    /// In the order of `listed`.
    pub(super) buckets: [i64; 10],
    /// Availability, performance and quality; NaN where unknown.
    pub(super) factors: [f64; 3],
}

impl Shift {
    pub(super) fn running_us(&self) -> i64 {
        self.buckets[4..9].iter().sum()
    }
}

/// Asks the peer to divide the time of `facts`, whose pieces all have the same ideal cycle.
pub(super) fn ask(facts: &Facts, ideal_s: f64) -> anyhow::Result<Answer> {
    let [known, minor] = [facts.known_until_us, facts.minor_stop_us].map(|us| us.to_string());
    let ideal = ideal_s.to_string();
    let answer =
        crate::peer::run_on("optimize-oee", "facts.csv", &text(facts)?, &[&known, &minor, &ideal])?;
    let shifts = answer["shifts"].as_array().context("pandas gave no shifts")?;
    Ok(Answer {
        version: answer["version"].as_str().unwrap_or("?").to_owned(),
        cpu_s: answer["cpu_s"].as_f64().unwrap_or(f64::NAN),
        shifts: shifts
            .iter()
            .map(shift)
            .collect::<Option<_>>()
            .context("pandas left numbers out")?,
    })
}

fn shift(value: &Value) -> Option<Shift> {
    let mut found = Shift { buckets: [0; 10], factors: [f64::NAN; 3] };
    for (idx, bucket) in found.buckets.iter_mut().enumerate() {
        *bucket = value["buckets_us"][idx].as_i64()?;
    }
    for (idx, factor) in found.factors.iter_mut().enumerate() {
        *factor = value["factors"][idx].as_f64().unwrap_or(f64::NAN);
    }
    Some(found)
}

/// One row per shift (H: begin, end), state change (S: time, state) and count (C: time, good, scrap, start-up).
fn text(facts: &Facts) -> Result<String, std::fmt::Error> {
    let mut text = String::from("kind,at_us,a,b,c\n");
    for shift in facts.shifts {
        writeln!(text, "H,{},{},0,0", shift.from_us, shift.to_us)?;
    }
    for change in facts.states {
        let state = match change.state {
            State::Running => 0,
            State::PlannedStop => 1,
            State::Setup => 2,
            State::Down => 3,
            State::Unknown => 4,
        };
        writeln!(text, "S,{},{state},0,0", change.at_us)?;
    }
    for count in facts.counts {
        let startup = u8::from(count.is_startup);
        writeln!(text, "C,{},{},{},{startup}", count.at_us, count.good, count.scrap)?;
    }
    Ok(text)
}
