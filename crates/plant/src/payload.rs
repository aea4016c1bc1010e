//! Readings as JSON, the way gateways write it: no more digits than the sensor has, nothing where it is silent.

use signal::MINUTE_US;

use crate::imperfections::SensorSpec;
use crate::machine::Machine;

/// Rows of one machine as one message of columns:
/// `{"t":[ms,…],"state":["running",…],"hydraulics/pressure":[204.1,null,…],"counters/good":[12,…]}`.
pub(crate) struct Block {
    sensors: &'static [SensorSpec],
    n_rows: usize,
    n_samples: u64,
    times: String,
    states: String,
    columns: Vec<String>,
    good: String,
    rejects: String,
}

impl Block {
    pub(crate) fn new(sensors: &'static [SensorSpec]) -> Block {
        Block {
            sensors,
            n_rows: 0,
            n_samples: 0,
            times: String::new(),
            states: String::new(),
            columns: vec![String::new(); sensors.len()],
            good: String::new(),
            rejects: String::new(),
        }
    }

    /// Appends what `machine` shows now.
    pub(crate) fn push(&mut self, machine: &Machine) {
        self.n_rows += 1;
        push_integer(&mut self.times, machine.time_us() / 1000);
        self.times.push(',');
        self.states.push('"');
        self.states.push_str(machine.state().name());
        self.states.push_str("\",");
        self.n_samples += 1;
        for ((column, value), spec) in
            self.columns.iter_mut().zip(machine.values()).zip(self.sensors)
        {
            if value.is_finite() {
                push_decimal(column, *value, spec.decimals);
                self.n_samples += 1;
            } else {
                column.push_str("null");
            }
            column.push(',');
        }
        if let Some((good, rejects)) = machine.counters() {
            for (column, count) in [(&mut self.good, good), (&mut self.rejects, rejects)] {
                push_integer(column, count as i64);
                column.push(',');
            }
            self.n_samples += 2;
        }
    }

    /// The message and how many samples are in it; none when there are no rows.
    pub(crate) fn finish(self) -> Option<(String, u64)> {
        if self.n_rows == 0 {
            return None;
        }
        let mut json = String::with_capacity(64 + self.times.len() * (self.columns.len() + 2));
        json.push('{');
        let names = self.sensors.iter().map(|spec| spec.name);
        let columns = names.zip(&self.columns);
        let counters = [("counters/good", &self.good), ("counters/rejects", &self.rejects)];
        let all = [("t", &self.times), ("state", &self.states)]
            .into_iter()
            .chain(columns)
            .chain(counters);
        for (name, column) in all.filter(|(_, column)| !column.is_empty()) {
            json.push('"');
            json.push_str(name);
            json.push_str("\":[");
            json.push_str(column.trim_end_matches(','));
            json.push_str("],");
        }
        json.pop();
        json.push('}');
        Some((json, self.n_samples))
    }
}

/// One live value: `{"t":1767225600000,"v":204.1}`.
pub(crate) fn live_number(time_us: i64, value: f64, decimals: u8) -> String {
    let mut json = String::with_capacity(40);
    begin(&mut json, time_us);
    push_decimal(&mut json, value, decimals);
    json.push('}');
    json
}

/// One live count.
pub(crate) fn live_count(time_us: i64, count: u64) -> String {
    let mut json = String::with_capacity(40);
    begin(&mut json, time_us);
    push_integer(&mut json, count as i64);
    json.push('}');
    json
}

/// One live text: `{"t":1767225600000,"v":"running"}`.
pub(crate) fn live_text(time_us: i64, text: &str) -> String {
    let mut json = String::with_capacity(40);
    begin(&mut json, time_us);
    json.push('"');
    json.push_str(text);
    json.push_str("\"}");
    json
}

fn begin(json: &mut String, time_us: i64) {
    debug_assert!(time_us > MINUTE_US, "a time in µs");
    json.push_str("{\"t\":");
    push_integer(json, time_us / 1000);
    json.push_str(",\"v\":");
}

fn push_integer(text: &mut String, number: i64) {
    let mut digits = [0u8; 20];
    let mut rest = number.unsigned_abs();
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    if number < 0 {
        text.push('-');
    }
    text.extend(digits[at..].iter().map(|digit| char::from(*digit)));
}

/// A number with a fixed count of decimals, at most 3.
fn push_decimal(text: &mut String, value: f64, decimals: u8) {
    let decimals = usize::from(decimals.min(3));
    let scale = [1_i64, 10, 100, 1000][decimals];
    let scaled = (value * scale as f64).round() as i64;
    if scaled < 0 {
        text.push('-');
    }
    let magnitude = scaled.abs();
    push_integer(text, magnitude / scale);
    let mut fraction = magnitude % scale;
    if decimals > 0 {
        text.push('.');
        let mut weight = scale / 10;
        while weight > 0 {
            text.push(char::from(b'0' + (fraction / weight) as u8));
            fraction %= weight;
            weight /= 10;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;
    use signal::{DAY_US, SECOND_US};

    use crate::faults::Severity;
    use crate::machine::MACHINES;

    #[test]
    fn a_block_says_what_the_machine_showed() {
        const T0: i64 = 1_767_225_600_000_000;
        for number in 0..MACHINES.len() {
            let mut machine = Machine::new(7, number, T0, None);
            let mut block = Block::new(machine.kind().sensors());
            let mut rows = Vec::new();
            for n in 1..=200 {
                machine.step(T0 + n * MINUTE_US, &Severity::NONE);
                block.push(&machine);
                rows.push((
                    machine.time_us(),
                    machine.state(),
                    machine.values().to_vec(),
                    machine.counters(),
                ));
            }
            let (json, n_samples) = block.finish().expect("there are rows");
            let found: Value = serde_json::from_str(&json).expect("it is JSON");
            let mut n_found = 0;
            for (n, (time_us, state, values, counters)) in rows.iter().enumerate() {
                assert_eq!(found["t"][n], time_us / 1000);
                assert_eq!(found["state"][n], state.name());
                for (name, value) in machine.kind().signals().zip(values) {
                    assert_eq!(
                        found[name][n].as_f64(),
                        value.is_finite().then_some(*value),
                        "{name}"
                    );
                    n_found += u64::from(value.is_finite());
                }
                if let Some((good, rejects)) = counters {
                    assert_eq!(
                        (&found["counters/good"][n], &found["counters/rejects"][n]),
                        (&(*good).into(), &(*rejects).into())
                    );
                    n_found += 2;
                }
            }
            assert_eq!(n_samples, n_found + rows.len() as u64);
        }
        assert!(Block::new(MACHINES[0].kind.sensors()).finish().is_none());
    }

    #[test]
    fn live_values_carry_the_time_of_the_machine() {
        let time_us = 20_454 * DAY_US + SECOND_US / 2;
        assert_eq!(live_number(time_us, -0.25, 2), r#"{"t":1767225600500,"v":-0.25}"#);
        assert_eq!(live_number(time_us, 204.0, 0), r#"{"t":1767225600500,"v":204}"#);
        assert_eq!(live_count(time_us, 0), r#"{"t":1767225600500,"v":0}"#);
        assert_eq!(live_text(time_us, "idle"), r#"{"t":1767225600500,"v":"idle"}"#);
    }

    proptest! {
        #[test]
        fn decimals_are_written_as_they_are(thousandths in -10_000_000i64..10_000_000, decimals in 0u8..4) {
            let scale = 10_f64.powi(i32::from(decimals));
            let value = (thousandths as f64 / 1000.0 * scale).round() / scale;
            let mut text = String::new();
            push_decimal(&mut text, value, decimals);
            prop_assert_eq!(text.parse::<f64>().expect("a number"), value);
        }
    }
}
