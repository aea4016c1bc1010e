//! JSON that speaks for itself: shapes that devices send without anybody declaring them.

use serde_json::{Map, Value};
use signal::Quality;

use super::moment::{parse_quality, parse_time};
use super::{Decoder, Raw, Refusal};

/// Deeper nesting is an attack or a mistake.
const MAX_DEPTH: usize = 8;
const TIME_KEYS: [&str; 5] = ["time", "timestamp", "ts", "t", "date"];
const VALUE_KEYS: [&str; 3] = ["value", "v", "val"];
const QUALITY_KEYS: [&str; 3] = ["quality", "q", "status_code"];
const META_KEYS: [&str; 4] = ["unit", "uom", "name", "id"];

impl Decoder {
    pub(super) fn json(
        &mut self,
        value: &Value,
        time_us: Option<i64>,
        quality: Quality,
        depth: usize,
    ) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return Err(self.refusal("json", "nested too deeply"));
        }
        match value {
            Value::Null => Ok(()),
            Value::Bool(flag) => self.put(Raw::Bool(*flag), time_us, quality),
            Value::Number(number) => {
                self.put(Raw::Number(number.as_f64().unwrap_or(f64::NAN)), time_us, quality)
            }
            Value::String(text) => self.put(Raw::Text(text.clone()), time_us, quality),
            Value::Array(items) => self.array(items, time_us, quality, depth),
            Value::Object(fields) => self.object(fields, time_us, quality, depth),
        }
    }

    fn array(
        &mut self,
        items: &[Value],
        time_us: Option<i64>,
        quality: Quality,
        depth: usize,
    ) -> Result<(), Refusal> {
        for item in items {
            let result = match item {
                Value::Object(fields) => self.object(fields, time_us, quality, depth + 1),
                Value::Array(pair)
                    if pair.len() == 2 && pair[0].is_number() | pair[0].is_string() =>
                {
                    match parse_time(&pair[0]) {
                        Some(time_us) => self.json(&pair[1], Some(time_us), quality, depth + 1),
                        None => Err(self.refusal("time", &format!("{} is not a time", pair[0]))),
                    }
                }
                _ => {
                    return Err(self.refusal(
                        "array",
                        "values in an array need their times, as [time, value]",
                    ));
                }
            };
            if let Err(refusal) = result {
                self.refuse(refusal);
            }
        }
        Ok(())
    }

    fn object(
        &mut self,
        fields: &Map<String, Value>,
        outer_us: Option<i64>,
        quality: Quality,
        depth: usize,
    ) -> Result<(), Refusal> {
        let time = find(fields, &TIME_KEYS).filter(|(_, value)| is_time_like(value));
        if let Some((_, Value::Array(times))) = time {
            return self.columns(fields, times, quality, depth);
        }
        let time_us =
            match time {
                Some((key, value)) => Some(parse_time(value).ok_or_else(|| {
                    self.refusal("time", &format!("{key} = {value} is not a time"))
                })?),
                None => outer_us,
            };
        let quality =
            find(fields, &QUALITY_KEYS).map_or(quality, |(_, value)| parse_quality(value));
        if let Some((_, value)) = find(fields, &VALUE_KEYS)
            && fields.keys().all(|key| is_meta(key) || VALUE_KEYS.contains(&key.as_str()))
        {
            return self.json(value, time_us, quality, depth + 1);
        }
        if let Some(Value::Array(samples)) = fields.get("samples") {
            return self.array(samples, time_us, quality, depth + 1);
        }
        if let Some(Value::Object(values)) = fields.get("values") {
            return self.object(values, time_us, quality, depth + 1);
        }
        for (key, value) in fields {
            let is_time = time.is_some_and(|(time_key, _)| time_key == key);
            if is_time || (QUALITY_KEYS.contains(&key.as_str()) && depth == 0) {
                continue;
            }
            let len = self.address.len();
            self.address.push('/');
            self.address.push_str(key);
            let result = self.json(value, time_us, quality, depth + 1);
            self.address.truncate(len);
            if let Err(refusal) = result {
                self.refuse(refusal);
            }
        }
        Ok(())
    }

    /// `{"t": […], "a": […], "b": […]}`
    fn columns(
        &mut self,
        fields: &Map<String, Value>,
        times: &[Value],
        quality: Quality,
        depth: usize,
    ) -> Result<(), Refusal> {
        let mut times_us = Vec::with_capacity(times.len());
        for time in times {
            times_us.push(
                parse_time(time)
                    .ok_or_else(|| self.refusal("time", &format!("{time} is not a time")))?,
            );
        }
        for (key, value) in fields {
            let Value::Array(values) = value else { continue };
            if TIME_KEYS.contains(&key.as_str()) {
                continue;
            }
            if values.len() != times_us.len() {
                let message =
                    format!("{key} has {} values for {} times", values.len(), times_us.len());
                let refusal = self.refusal("array", &message);
                self.refuse(refusal);
                continue;
            }
            let len = self.address.len();
            if !VALUE_KEYS.contains(&key.as_str()) {
                self.address.push('/');
                self.address.push_str(key);
            }
            for (value, time_us) in values.iter().zip(&times_us) {
                if let Err(refusal) = self.json(value, Some(*time_us), quality, depth + 1) {
                    self.refuse(refusal);
                }
            }
            self.address.truncate(len);
        }
        Ok(())
    }
}

fn find<'a>(fields: &'a Map<String, Value>, keys: &[&str]) -> Option<(&'a String, &'a Value)> {
    keys.iter().find_map(|key| fields.get_key_value(*key))
}

fn is_meta(key: &str) -> bool {
    TIME_KEYS.contains(&key) || QUALITY_KEYS.contains(&key) || META_KEYS.contains(&key)
}

/// `t` may also be a temperature: only what can be a point in time is one.
fn is_time_like(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_f64().is_some_and(|number| number >= 1e8),
        Value::String(_) => true,
        Value::Array(items) => items.first().is_some_and(is_time_like),
        _ => false,
    }
}
