//! Messages whose payload was declared by a mapping rule, see [`signal::model::Payload`].

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use signal::Quality;
use signal::model::{MappingRule, Payload, PayloadFormat, PayloadTime, PayloadTimeUnit};
use signal::pattern::captures;

use super::moment::{parse_quality, parse_time_text};
use super::{Decoder, Raw, Refusal};

/// Topics whose template is remembered before all are looked up anew.
const MAX_TOPICS: usize = 100_000;
/// Deeper objects are an attack or a mistake.
const MAX_DEPTH: usize = 8;

/// How the messages of some topics are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Template {
    rule: u32,
    pattern: String,
    payload: Payload,
}

impl Template {
    /// The template of a rule that declares a payload.
    pub fn of(rule: &MappingRule) -> Option<Template> {
        let payload = rule.payload.clone()?;
        Some(Template { rule: rule.id, pattern: rule.pattern.clone(), payload })
    }
}

/// The templates of one source, in the order in which they are tried, and what was found for each topic.
#[derive(Default)]
pub(super) struct Templates {
    all: Arc<[Arc<Template>]>,
    by_topic: HashMap<String, Option<Arc<Template>>>,
}

impl Templates {
    /// Uses these from now on.
    pub(super) fn renew(&mut self, all: Arc<[Arc<Template>]>) {
        *self = Templates { all, by_topic: HashMap::new() };
    }

    /// The first template for a topic.
    pub(super) fn of(&mut self, topic: &str) -> Option<Arc<Template>> {
        if self.all.is_empty() {
            return None;
        }
        if let Some(known) = self.by_topic.get(topic) {
            return known.clone();
        }
        let found =
            self.all.iter().find(|template| captures(&template.pattern, topic).is_some()).cloned();
        if self.by_topic.len() >= MAX_TOPICS {
            self.by_topic.clear();
        }
        self.by_topic.insert(topic.to_owned(), found.clone());
        found
    }
}

impl Decoder {
    /// Reads a message as its template says. A bad sample is refused, and those around it are kept.
    pub(super) fn declared(&mut self, template: &Template, payload: &[u8]) -> Result<(), Refusal> {
        if template.payload.format == PayloadFormat::Plain {
            return self.plain(payload.trim_ascii());
        }
        let message: Value = serde_json::from_slice(payload).map_err(|error| {
            self.against(template, "", &format!("{error}; the rule expects JSON"))
        })?;
        let Some(pointer) = &template.payload.samples else {
            return self.sample(template, &message, &message, 0);
        };
        let Some(Value::Array(samples)) = message.pointer(pointer) else {
            let words = format!("there is no array at `{pointer}`; correct the pointer");
            return Err(self.against(template, ".samples", &words));
        };
        for (sample_idx, sample) in samples.iter().enumerate() {
            if let Err(refusal) = self.sample(template, &message, sample, sample_idx) {
                self.refuse(refusal);
            }
        }
        Ok(())
    }

    fn sample(
        &mut self,
        template: &Template,
        message: &Value,
        sample: &Value,
        sample_idx: usize,
    ) -> Result<(), Refusal> {
        let payload = &template.payload;
        let time_us = match &payload.time {
            Some(time) => {
                let place = if time.step_us.is_some() { message } else { sample };
                let time_us = moment(time, place, sample_idx);
                Some(time_us.map_err(|words| self.against(template, ".time", &words))?)
            }
            None => None,
        };
        let quality = payload.quality.as_ref().and_then(|pointer| sample.pointer(pointer));
        let quality = quality.map_or(Quality::GOOD, parse_quality);
        let mut n_found = 0;
        for value in &payload.values {
            let Some(found) = sample.pointer(&value.pointer) else { continue };
            n_found += 1;
            let length = self.address.len();
            if !value.name.is_empty() {
                self.address.push('/');
                self.address.push_str(&value.name);
            }
            let result = self.leaves(template, found, time_us, quality, 0);
            self.address.truncate(length);
            if let Err(refusal) = result {
                self.refuse(refusal);
            }
        }
        if n_found > 0 {
            return Ok(());
        }
        let pointers: Vec<&str> =
            payload.values.iter().take(5).map(|value| value.pointer.as_str()).collect();
        let words = format!(
            "nothing is at {}; correct the pointers, or the pattern if other messages have this topic",
            pointers.join(", ")
        );
        Err(self.against(template, ".values", &words))
    }

    /// A value, or all values of an object by their paths.
    fn leaves(
        &mut self,
        template: &Template,
        value: &Value,
        time_us: Option<i64>,
        quality: Quality,
        depth: usize,
    ) -> Result<(), Refusal> {
        let raw = match value {
            Value::Null => return Ok(()),
            Value::Bool(flag) => Raw::Bool(*flag),
            Value::Number(number) => Raw::Number(number.as_f64().unwrap_or(f64::NAN)),
            Value::String(text) => Raw::Text(text.clone()),
            Value::Array(_) => {
                let words = "an array is no value; say in `samples` where the array is, or point at one item, such as `/0`";
                return Err(self.against(template, ".values", words));
            }
            Value::Object(fields) if depth < MAX_DEPTH => {
                for (key, value) in fields {
                    let length = self.address.len();
                    self.address.push('/');
                    self.address.push_str(key);
                    let result = self.leaves(template, value, time_us, quality, depth + 1);
                    self.address.truncate(length);
                    if let Err(refusal) = result {
                        self.refuse(refusal);
                    }
                }
                return Ok(());
            }
            Value::Object(_) => {
                return Err(self.against(template, ".values", "nested too deeply"));
            }
        };
        self.put(raw, time_us, quality)
    }

    /// A refusal that names topic, rule and part.
    fn against(&self, template: &Template, part: &str, words: &str) -> Refusal {
        let words = format!("mapping rule {}, payload{part}: {words}", template.rule);
        self.refusal("template", &words)
    }
}

/// The time of a sample in µs.
fn moment(time: &PayloadTime, place: &Value, sample_idx: usize) -> Result<i64, String> {
    let pointer = &time.pointer;
    let Some(found) = place.pointer(pointer) else {
        return Err(format!("nothing is at `{pointer}`; correct the pointer"));
    };
    let first_us = moment_us(found, time.unit)
        .ok_or_else(|| format!("{found} at `{pointer}` is no time in {}", words(time.unit)))?;
    let step_us = time.step_us.unwrap_or(0).saturating_mul(sample_idx as u64);
    first_us
        .checked_add_unsigned(step_us)
        .ok_or_else(|| format!("sample {sample_idx} lies beyond all times"))
}

fn moment_us(found: &Value, unit: PayloadTimeUnit) -> Option<i64> {
    // Ticks of the unit per second, as the power of ten it lies from a microsecond.
    let (times, divided) = match unit {
        PayloadTimeUnit::Iso => {
            let text = found.as_str().filter(|text| text.contains('-'))?;
            return parse_time_text(text);
        }
        PayloadTimeUnit::S => (1_000_000, 1),
        PayloadTimeUnit::Ms => (1_000, 1),
        PayloadTimeUnit::Us => (1, 1),
        PayloadTimeUnit::Ns => (1, 1_000),
    };
    let whole = match found {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    if let Some(whole) = whole {
        return whole.div_euclid(divided).checked_mul(times);
    }
    let ticks = match found {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    let us = (ticks * times as f64 / divided as f64).round();
    (us.abs() < 9.2e18).then_some(us as i64)
}

fn words(unit: PayloadTimeUnit) -> &'static str {
    match unit {
        PayloadTimeUnit::Iso => "ISO 8601, such as 2026-01-01T00:00:00Z",
        PayloadTimeUnit::S => "seconds since 1970",
        PayloadTimeUnit::Ms => "milliseconds since 1970",
        PayloadTimeUnit::Us => "microseconds since 1970",
        PayloadTimeUnit::Ns => "nanoseconds since 1970",
    }
}
