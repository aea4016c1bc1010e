//! Payloads of messages to rows, without code per device.
//!
//! What is understood, by example (`topic` stands for `hamburg/line1/press01/oil`):
//!
//! | payload | becomes |
//! |---|---|
//! | `21.5`, `true`, `running` | `topic` = value, at the time of arrival |
//! | `{"value": 21.5, "time": "2026-03-01T08:00:00Z"}` | `topic` = 21.5 at that time |
//! | `{"temperature": 21.5, "tank": {"level": 3}, "ts": 1767225600000}` | `topic/temperature`, `topic/tank/level` |
//! | `{"samples": [[1767225600000, 21.5], …]}`, `[{"t": …, "v": …}, …]` | `topic`, many times |
//! | `[{"t": …, "values": {"temperature": 21.5}}, …]` | `topic/temperature`, many times |
//! | `{"t": […], "temperature": […]}` | `topic/temperature`, many times |
//!
//! Times are ISO 8601 or a number since 1970 in s, ms, µs or ns, told apart by magnitude.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value};
use signal::model::SignalKind;
use signal::{Event, EventKind, Flag, Quality, Rows, Sample, SourceId, TenantId};

use crate::directory::{Directory, LooksLike, Target};

/// A text longer than this is not a value.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Deeper nesting is an attack or a mistake.
const MAX_DEPTH: usize = 8;
const TIME_KEYS: [&str; 5] = ["time", "timestamp", "ts", "t", "date"];
const VALUE_KEYS: [&str; 3] = ["value", "v", "val"];
const QUALITY_KEYS: [&str; 3] = ["quality", "q", "status_code"];
const META_KEYS: [&str; 4] = ["unit", "uom", "name", "id"];
/// OPC UA `Bad`, for senders that only say "bad".
const BAD: u32 = 0x8000_0000;
/// OPC UA `Uncertain`.
const UNCERTAIN: u32 = 0x4000_0000;

/// A decoded value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Raw {
    Number(f64),
    Bool(bool),
    Text(String),
}

impl Raw {
    fn looks(&self) -> LooksLike {
        match self {
            Raw::Number(_) => LooksLike::Number,
            Raw::Bool(_) => LooksLike::Bool,
            Raw::Text(_) => LooksLike::Text,
        }
    }
}

/// Why a payload, or part of it, could not be used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) reason: &'static str,
    pub(crate) message: String,
}

struct Pending {
    address: String,
    raw: Raw,
    time_us: i64,
    quality: Quality,
}

/// Collects the rows of one socket read; keeps what it learned about addresses for the next one.
pub(crate) struct Decoder {
    tenant: TenantId,
    source: SourceId,
    directory: Arc<Directory>,
    known: HashMap<String, Target>,
    version: u64,
    rows: Rows,
    pending: Vec<Pending>,
    refusals: Vec<Refusal>,
    address: String,
    arrival_us: i64,
}

impl Decoder {
    pub(crate) fn new(tenant: TenantId, source: SourceId, directory: Arc<Directory>) -> Decoder {
        Decoder {
            tenant,
            source,
            directory,
            known: HashMap::new(),
            version: 0,
            rows: Rows { tenant, source, ..Rows::default() },
            pending: Vec::new(),
            refusals: Vec::new(),
            address: String::new(),
            arrival_us: 0,
        }
    }

    /// Reads one message. Good values around a bad one are kept.
    pub(crate) fn read(&mut self, topic: &str, payload: &[u8], now_us: i64) {
        let version = self.directory.version();
        if version != self.version {
            self.known.clear();
            self.version = version;
        }
        // Two values without time stamps must not share one, or the second would replace the first.
        self.arrival_us = now_us.max(self.arrival_us + 1);
        self.address.clear();
        self.address.push_str(topic);
        if let Err(refusal) = self.payload(payload) {
            self.refuse(refusal);
        }
    }

    fn payload(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let payload = payload.trim_ascii();
        let Some(first) = payload.first() else { return Ok(()) };
        if matches!(first, b'{' | b'[' | b'"') {
            let value: Value = serde_json::from_slice(payload)
                .map_err(|error| self.refusal("json", &error.to_string()))?;
            return self.json(&value, None, Quality::GOOD, 0);
        }
        if let Ok(number) = fast_float2::parse::<f64, _>(payload) {
            return self.put(Raw::Number(number), None, Quality::GOOD);
        }
        let text = std::str::from_utf8(payload)
            .map_err(|_| self.refusal("payload", "neither a number, JSON nor text"))?;
        if text.len() > MAX_TEXT_BYTES {
            return Err(
                self.refusal("payload", &format!("a text of {} bytes is too long", text.len()))
            );
        }
        match text {
            "true" | "TRUE" | "True" => self.put(Raw::Bool(true), None, Quality::GOOD),
            "false" | "FALSE" | "False" => self.put(Raw::Bool(false), None, Quality::GOOD),
            _ => self.put(Raw::Text(text.to_owned()), None, Quality::GOOD),
        }
    }

    fn json(
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

    fn put(&mut self, raw: Raw, time_us: Option<i64>, quality: Quality) -> Result<(), Refusal> {
        let (time_us, quality) = match time_us {
            Some(time_us) => (time_us, quality),
            None => (self.arrival_us, quality.with(Flag::ArrivalTime)),
        };
        let target = match self.known.get(&self.address) {
            Some(target) => Some(*target),
            None => {
                let target = self.directory.get(self.source, &self.address);
                if let Some(target) = target {
                    self.known.insert(self.address.clone(), target);
                }
                target
            }
        };
        match target {
            Some(target) => self.place(target, raw, time_us, quality),
            None => {
                self.pending.push(Pending { address: self.address.clone(), raw, time_us, quality });
                Ok(())
            }
        }
    }

    /// Puts a value where it belongs; a state that is not known yet waits for the registrar.
    fn place(
        &mut self,
        target: Target,
        raw: Raw,
        time_us: i64,
        quality: Quality,
    ) -> Result<(), Refusal> {
        let value = match (target.kind, raw) {
            (SignalKind::Text, raw) => {
                let body = match raw {
                    Raw::Text(text) => text,
                    Raw::Number(number) => number.to_string(),
                    Raw::Bool(flag) => flag.to_string(),
                };
                let event = Event {
                    time_us,
                    kind: EventKind::Text,
                    asset: None,
                    signal: Some(target.signal),
                    body,
                };
                self.rows.events.push(event);
                return Ok(());
            }
            (SignalKind::State, Raw::Text(text)) => {
                match self.directory.state_code(target.signal, &text) {
                    Some(code) => code,
                    None => {
                        let raw = Raw::Text(text);
                        self.pending.push(Pending {
                            address: self.address.clone(),
                            raw,
                            time_us,
                            quality,
                        });
                        return Ok(());
                    }
                }
            }
            (_, Raw::Text(text)) => {
                let number = text.trim().parse::<f64>();
                let number = number
                    .map_err(|_| self.refusal("text", &format!("'{text}' is not a number")))?;
                target.a * number + target.b
            }
            (SignalKind::State, Raw::Number(number)) => number,
            (_, Raw::Number(number)) => target.a * number + target.b,
            (_, Raw::Bool(flag)) => f64::from(u8::from(flag)),
        };
        self.rows.samples.push(Sample { signal: target.signal, time_us, value, quality });
        Ok(())
    }

    /// The rows read so far, after the registrar has named what was unknown; and what could not be used.
    pub(crate) async fn take(&mut self) -> (Rows, Vec<Refusal>) {
        if !self.pending.is_empty() {
            self.settle_pending().await;
        }
        let empty = Rows { tenant: self.tenant, source: self.source, ..Rows::default() };
        (std::mem::replace(&mut self.rows, empty), std::mem::take(&mut self.refusals))
    }

    async fn settle_pending(&mut self) {
        let pending = std::mem::take(&mut self.pending);
        let mut unknown: HashMap<&str, LooksLike> = HashMap::new();
        for one in pending.iter().filter(|one| !self.known.contains_key(&one.address)) {
            unknown.entry(&one.address).or_insert_with(|| one.raw.looks());
        }
        let unknown: Vec<(String, LooksLike)> =
            unknown.into_iter().map(|(address, looks)| (address.to_owned(), looks)).collect();
        let targets = self.directory.resolve_all(self.source, &unknown).await;
        for ((address, _), target) in unknown.into_iter().zip(targets) {
            if let Some(target) = target {
                self.known.insert(address, target);
            }
        }
        for one in pending {
            self.address = one.address;
            let Some(target) = self.known.get(&self.address).copied() else {
                let refusal = self.refusal("refused", "the signal could not be registered");
                self.refuse(refusal);
                continue;
            };
            if let (SignalKind::State, Raw::Text(text)) = (target.kind, &one.raw)
                && self.directory.resolve_state(target.signal, text).await.is_none()
            {
                let refusal =
                    self.refusal("state", &format!("the state '{text}' could not be registered"));
                self.refuse(refusal);
                continue;
            }
            if let Err(refusal) = self.place(target, one.raw, one.time_us, one.quality) {
                self.refuse(refusal);
            }
        }
        // Whatever still waits would wait for ever.
        self.pending.clear();
    }

    fn refusal(&self, reason: &'static str, message: &str) -> Refusal {
        Refusal { reason, message: format!("{}: {message}", self.address) }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
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

/// A time in JSON as µs since 1970.
fn parse_time(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Some(epoch_us(whole)),
            None => number.as_f64().filter(|seconds| seconds.is_finite()).map(float_epoch_us),
        },
        Value::String(text) => parse_time_text(text),
        _ => None,
    }
}

/// Whole s, ms, µs or ns since 1970, told apart by magnitude (right from 1973 to 5138).
pub(crate) fn epoch_us(number: i64) -> i64 {
    match number.unsigned_abs() {
        0..100_000_000_000 => number.saturating_mul(1_000_000),
        100_000_000_000..100_000_000_000_000 => number * 1000,
        100_000_000_000_000..100_000_000_000_000_000 => number,
        _ => number / 1000,
    }
}

fn float_epoch_us(number: f64) -> i64 {
    if number.abs() < 1e11 { (number * 1e6).round() as i64 } else { epoch_us(number as i64) }
}

/// ISO 8601, with or without zone (then UTC), or a number.
pub(crate) fn parse_time_text(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(timestamp) = text.parse::<jiff::Timestamp>() {
        return Some(timestamp.as_microsecond());
    }
    if let Ok(civil) = text.parse::<jiff::civil::DateTime>() {
        return Some(civil.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond());
    }
    if let Ok(whole) = text.parse::<i64>() {
        return Some(epoch_us(whole));
    }
    text.parse::<f64>().ok().filter(|seconds| seconds.is_finite()).map(float_epoch_us)
}

fn parse_quality(value: &Value) -> Quality {
    match value {
        Value::Number(number) => match number.as_u64() {
            // OPC DA as it lives on in MQTT gateways: 192 good, 64 uncertain, below bad.
            Some(192..=255) => Quality::GOOD,
            Some(64..=127) => Quality(UNCERTAIN),
            Some(1..=63) => Quality(BAD),
            Some(code) => Quality::from_status_code(u32::try_from(code).unwrap_or(BAD)),
            None => Quality(BAD),
        },
        Value::String(text) if text.eq_ignore_ascii_case("good") => Quality::GOOD,
        Value::String(text) if text.eq_ignore_ascii_case("uncertain") => Quality(UNCERTAIN),
        Value::String(_) | Value::Bool(false) => Quality(BAD),
        _ => Quality::GOOD,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::directory::Wanted;
    use proptest::prelude::*;
    use signal::SignalId;

    /// Answers every question with the next number; `…state` is a state signal, texts are text signals.
    fn decoder() -> (Decoder, tokio::task::JoinHandle<Vec<String>>) {
        let (directory, mut wanted) = Directory::new();
        let registrar = directory.clone();
        let task = tokio::spawn(async move {
            let mut names = Vec::new();
            let mut states: Vec<String> = Vec::new();
            while let Some(question) = wanted.recv().await {
                match question {
                    Wanted::Address { address, looks, answer, source } => {
                        let kind = match looks {
                            _ if address.ends_with("state") => SignalKind::State,
                            LooksLike::Text => SignalKind::Text,
                            _ => SignalKind::Gauge,
                        };
                        let target =
                            Target { signal: SignalId(names.len() as u32), a: 1.0, b: 0.0, kind };
                        registrar.insert(source, &address, target);
                        names.push(address);
                        let _ = answer.send(Some(target));
                    }
                    Wanted::State { signal, text, answer } => {
                        states.push(text);
                        registrar.set_states(signal, states.clone());
                        let _ = answer.send(Some(states.len() as f64 - 1.0));
                    }
                }
                if names.len() > 100 {
                    break;
                }
            }
            names
        });
        (Decoder::new(TenantId::FIRST, SourceId(1), directory), task)
    }

    async fn check(payload: &str, expected: &[(&str, f64, i64)]) {
        let (mut decoder, task) = decoder();
        decoder.read("a/b", payload.as_bytes(), 1_000);
        let (rows, refusals) = decoder.take().await;
        assert_eq!(refusals, [], "{payload}");
        drop(decoder);
        task.abort();
        let (mut again, _task) = super::tests::decoder();
        again.read("a/b", payload.as_bytes(), 1_000);
        let (rows_again, _) = again.take().await;
        assert_eq!(rows.samples.len(), rows_again.samples.len());
        let known: HashMap<SignalId, String> =
            again.known.iter().map(|(address, target)| (target.signal, address.clone())).collect();
        let mut found: Vec<(String, f64, i64)> = rows_again
            .samples
            .iter()
            .map(|sample| (known[&sample.signal].clone(), sample.value, sample.time_us))
            .collect();
        found.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
        let expected: Vec<(String, f64, i64)> = expected
            .iter()
            .map(|(name, value, time_us)| ((*name).to_owned(), *value, *time_us))
            .collect();
        assert_eq!(found, expected, "{payload}");
    }

    #[tokio::test]
    async fn payloads_become_the_rows_that_an_engineer_expects() {
        const T: i64 = 1_767_225_600_000_000;
        check("21.5", &[("a/b", 21.5, 1000)]).await;
        check(" 1.e2 ", &[("a/b", 100.0, 1000)]).await;
        check("true", &[("a/b", 1.0, 1000)]).await;
        check(r#"{"value": 3, "time": "2026-01-01T00:00:00Z"}"#, &[("a/b", 3.0, T)]).await;
        check(r#"{"v": 3, "t": 1767225600000, "unit": "bar"}"#, &[("a/b", 3.0, T)]).await;
        check(r#"{"v": 3, "t": 1767225600.5}"#, &[("a/b", 3.0, T + 500_000)]).await;
        check(
            r#"{"x": 1, "y": {"z": 2}, "ts": 1767225600}"#,
            &[("a/b/x", 1.0, T), ("a/b/y/z", 2.0, T)],
        )
        .await;
        check(r#"{"t": 21.5, "p": 3}"#, &[("a/b/p", 3.0, 1000), ("a/b/t", 21.5, 1000)]).await;
        check(
            r#"{"samples": [[1767225600000, 1], [1767225601000, 2.5]]}"#,
            &[("a/b", 1.0, T), ("a/b", 2.5, T + 1_000_000)],
        )
        .await;
        check(
            r#"[{"t": "2026-01-01T01:00:00+01:00", "values": {"x": 1}}, {"t": 1767225601, "values": {"x": 2}}]"#,
            &[("a/b/x", 1.0, T), ("a/b/x", 2.0, T + 1_000_000)],
        )
        .await;
        check(
            r#"{"t": [1767225600, 1767225601], "x": [5, 6]}"#,
            &[("a/b/x", 5.0, T), ("a/b/x", 6.0, T + 1_000_000)],
        )
        .await;
    }

    #[tokio::test]
    async fn states_get_numbers_and_texts_become_events() {
        let (mut decoder, _task) = decoder();
        decoder.read("m/state", b"running", 10);
        decoder.read("m/state", b"fault", 10);
        decoder.read("m/state", b"running", 10);
        decoder.read("m/recipe", b"\"Alu 7\"", 10);
        let (rows, refusals) = decoder.take().await;
        assert_eq!(refusals, []);
        let codes: Vec<(f64, i64)> =
            rows.samples.iter().map(|sample| (sample.value, sample.time_us)).collect();
        assert_eq!(codes, [(0.0, 10), (1.0, 11), (0.0, 12)], "no two share a time");
        assert_eq!(rows.events[0].body, "Alu 7");
    }

    #[tokio::test]
    async fn a_bad_part_is_named_and_the_good_ones_are_kept() {
        let (mut decoder, _task) = decoder();
        decoder.read("m", br#"[{"t": 1767225600, "v": 1}, {"t": "yesterday", "v": 2}, {"t": 1767225602, "v": 3}]"#, 10);
        decoder.read("n", br#"{"v": 1"#, 10);
        let (rows, refusals) = decoder.take().await;
        assert_eq!(rows.samples.len(), 2);
        assert_eq!(
            refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(),
            ["time", "json"]
        );
        assert!(refusals[0].message.contains("yesterday"), "{:?}", refusals[0]);
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(payload in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}\":,0-9tv.a-]{0,60}") {
            let (directory, wanted) = Directory::new();
            drop(wanted);
            let mut decoder = Decoder::new(TenantId::FIRST, SourceId(1), directory);
            decoder.read("x", &payload, 0);
            decoder.read("x", json.as_bytes(), 0);
        }
    }
}
