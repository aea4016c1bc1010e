//! InfluxDB line protocol, straight into columns.
//!
//! `measurement,tag=value field=1.5,other=2i 1767225600000000000`
//!
//! A line that cannot be read is left out whole and named with its number and the reason. Every number becomes a double: `i` and `u` integers of 64 bits are exact up to 2^53 and rounded beyond. NaN, infinity and a tag
//! that is given twice are refused, as InfluxDB refuses them.
//!
//! An address is the measurement, the tag values in the order of their keys, and the field, joined with `/`:
//! `press,machine=p1,site=hh oil=3` becomes `press/p1/hh/oil`. What was learned about a series is kept between
//! requests, keyed by its raw bytes, so that the steady state neither allocates nor hashes more than once a line.
//!
//! Source: InfluxData, "Line protocol reference" (v2).

mod parse;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use signal::model::SignalKind;
use signal::{Event, EventKind, Flag, Quality, Rows, Sample, SourceId, TenantId};

use crate::directory::{Directory, LooksLike, Target};
use crate::inlet::{Inlet, InletError};
use parse::{
    Lines, Value, find_end_of_fields, find_unescaped, parse_integer, parse_value, split_unescaped,
    unescape, unescaped_len,
};

/// Bad lines that are named in an answer; the rest is only counted.
const MAX_NAMED: usize = 100;
/// Series that one decoder remembers before it begins anew.
const MAX_SERIES: usize = 200_000;

/// Why a line is not stored.
type Reason = Cow<'static, str>;

/// Unit of the time stamps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds.
    #[default]
    Ns,
    /// Microseconds.
    Us,
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
}

impl Precision {
    /// `ns`, `n`, `us`, `u`, `ms`, `s`, as both API versions spell it; `m` and `h` of version 1 are not taken.
    pub fn parse(text: &str) -> Option<Precision> {
        match text {
            "" | "ns" | "n" => Some(Precision::Ns),
            "us" | "u" | "µ" => Some(Precision::Us),
            "ms" => Some(Precision::Ms),
            "s" => Some(Precision::S),
            _ => None,
        }
    }

    fn to_us(self, stamp: i64) -> i64 {
        match self {
            Precision::Ns => stamp.div_euclid(1000),
            Precision::Us => stamp,
            Precision::Ms => stamp.saturating_mul(1000),
            Precision::S => stamp.saturating_mul(1_000_000),
        }
    }
}

/// A line that was not stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadLine {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub reason: String,
}

/// What became of a body.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Lines that are durable.
    pub stored_lines: usize,
    /// Values in them.
    pub stored_values: usize,
    /// The first lines that are not.
    pub bad: Vec<BadLine>,
    /// All lines that are not.
    pub n_bad: usize,
}

/// The line-protocol door: decoders that remember series.
pub struct Line {
    tenant: TenantId,
    source: SourceId,
    directory: Arc<Directory>,
    decoders: Mutex<Vec<Decoder>>,
}

impl Line {
    /// A door for one tenant and source.
    pub fn new(tenant: TenantId, source: SourceId, directory: Arc<Directory>) -> Line {
        Line { tenant, source, directory, decoders: Mutex::default() }
    }

    /// Stores a body; returns when every good line of it is durable and queryable.
    ///
    /// # Errors
    /// None of the lines were stored, because writes are refused.
    pub async fn write(
        &self,
        inlet: &Inlet,
        body: &[u8],
        precision: Precision,
        now_us: i64,
    ) -> Result<Report, InletError> {
        let mut decoder = lock(&self.decoders).pop().unwrap_or_default();
        decoder.follow(&self.directory);
        let mut batch = Batch::new(self.tenant, self.source, body.len());
        decoder.decode(&self.directory, self.source, body, precision, now_us, &mut batch);
        let n_waiting = batch.waiting.len();
        let settled = match n_waiting {
            0 => Ok(()),
            _ => decoder.settle(&self.directory, self.source, &mut batch).await,
        };
        lock(&self.decoders).push(decoder);
        if let Err(error) = settled {
            let n_values = (batch.rows.len() + n_waiting) as u64;
            inlet.balance().reject(self.source, "read_only", n_values, &error.to_string());
            return Err(error);
        }
        let Batch { rows, report, .. } = batch;
        if report.n_bad > 0 {
            let error = report
                .bad
                .first()
                .map_or_else(String::new, |bad| format!("line {}: {}", bad.line, bad.reason));
            inlet.balance().reject(self.source, "line", report.n_bad as u64, &error);
        }
        if !rows.is_empty() {
            inlet.send(rows).await?;
        }
        Ok(report)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One field of one series.
struct Field {
    name: Vec<u8>,
    address: String,
    target: Option<Target>,
}

#[derive(Default)]
struct Decoder {
    /// Raw series key → index into `series`.
    index: HashMap<Vec<u8>, usize>,
    series: Vec<Vec<Field>>,
    version: u64,
}

/// A value whose signal is not known yet.
struct Waiting {
    line: usize,
    series: usize,
    field: usize,
    number: f64,
    text: Option<String>,
    time_us: i64,
    quality: Quality,
}

struct Batch {
    rows: Rows,
    report: Report,
    waiting: Vec<Waiting>,
    /// The line that is read.
    line: usize,
}

impl Batch {
    fn new(tenant: TenantId, source: SourceId, n_bytes: usize) -> Batch {
        let samples = signal::SampleColumns::with_capacity(n_bytes / 16);
        let rows = Rows { tenant, source, samples, events: Vec::new() };
        Batch { rows, report: Report::default(), waiting: Vec::new(), line: 0 }
    }
}

impl Decoder {
    fn follow(&mut self, directory: &Directory) {
        let version = directory.version();
        if version != self.version || self.series.len() > MAX_SERIES {
            *self = Decoder { version, ..Decoder::default() };
        }
    }

    fn decode(
        &mut self,
        directory: &Directory,
        source: SourceId,
        body: &[u8],
        precision: Precision,
        now_us: i64,
        batch: &mut Batch,
    ) {
        for (idx, line) in Lines(body).enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line[0] == b'#' {
                continue;
            }
            batch.line = idx + 1;
            // A bad field must not leave half of its line behind.
            let (n_samples, n_events, n_waiting) =
                (batch.rows.samples.len(), batch.rows.events.len(), batch.waiting.len());
            match self.line(directory, source, line, precision, now_us + idx as i64, batch) {
                Ok(n_values) => {
                    batch.report.stored_lines += 1;
                    batch.report.stored_values += n_values;
                }
                Err(reason) => {
                    batch.rows.samples.truncate(n_samples);
                    batch.rows.events.truncate(n_events);
                    batch.waiting.truncate(n_waiting);
                    batch.report.bad_line(idx + 1, &reason);
                }
            }
        }
    }

    fn line(
        &mut self,
        directory: &Directory,
        source: SourceId,
        line: &[u8],
        precision: Precision,
        arrival_us: i64,
        batch: &mut Batch,
    ) -> Result<usize, Reason> {
        let key_end = find_unescaped(line, b' ')
            .ok_or("no field set: a line is 'measurement,tags fields time'")?;
        let (key, rest) = line.split_at(key_end);
        let series = match self.index.get(key) {
            Some(series) => *series,
            None => self.new_series(key)?,
        };
        let rest = rest.trim_ascii_start();
        let fields_end = find_end_of_fields(rest)?;
        let (fields, stamp) = rest.split_at(fields_end);
        let (time_us, quality) = match stamp.trim_ascii() {
            [] => (arrival_us, Quality::GOOD.with(Flag::ArrivalTime)),
            stamp => (
                precision
                    .to_us(parse_integer(stamp).ok_or("the time stamp is not a whole number")?),
                Quality::GOOD,
            ),
        };
        self.fields(directory, source, series, fields, time_us, quality, batch)
    }

    #[expect(clippy::too_many_arguments, reason = "the inner loop of the hot path, inlined")]
    #[inline]
    fn fields(
        &mut self,
        directory: &Directory,
        source: SourceId,
        series: usize,
        fields: &[u8],
        time_us: i64,
        quality: Quality,
        batch: &mut Batch,
    ) -> Result<usize, Reason> {
        let mut rest = fields;
        let mut n_fields = 0;
        loop {
            let name_end = find_unescaped(rest, b'=').ok_or("a field has no '='")?;
            let name = &rest[..name_end];
            if name.is_empty() {
                return Err("a field has no name".into());
            }
            let (value, value_end) = parse_value(&rest[name_end + 1..])
                .map_err(|reason| format!("field '{}': {reason}", unescape(name)))?;
            let field = self.field_idx(series, n_fields, name);
            let known = &mut self.series[series][field];
            if known.target.is_none() {
                known.target = directory.get(source, &known.address);
            }
            match (known.target, value) {
                (Some(target), Value::Number(number)) if target.kind != SignalKind::Text => {
                    let value = if target.kind == SignalKind::State {
                        number
                    } else {
                        target.a * number + target.b
                    };
                    batch.rows.samples.push(Sample {
                        signal: target.signal,
                        time_us,
                        value,
                        quality,
                    });
                }
                (_, value) => batch.wait(series, field, value, time_us, quality)?,
            }
            n_fields += 1;
            rest = &rest[name_end + 1 + value_end..];
            match rest.first() {
                None => return Ok(n_fields),
                Some(b',') => rest = &rest[1..],
                Some(_) => return Err("unexpected text after a field value".into()),
            }
        }
    }

    /// Fields nearly always come in the same order, so the first guess is nearly always right.
    #[inline]
    fn field_idx(&mut self, series: usize, guess: usize, name: &[u8]) -> usize {
        let fields = &mut self.series[series];
        if fields.get(guess).is_some_and(|field| field.name == name) {
            return guess;
        }
        // The first entry carries the prefix of all addresses of the series.
        if let Some(idx) = fields.iter().position(|field| field.name == name) {
            return idx;
        }
        let prefix = fields
            .first()
            .map_or("", |field| &field.address[..field.address.len() - unescaped_len(&field.name)]);
        let address = format!("{prefix}{}", unescape(name));
        if fields.len() == 1 && fields[0].name.is_empty() {
            fields[0] = Field { name: name.to_vec(), address, target: None };
            return 0;
        }
        fields.push(Field { name: name.to_vec(), address, target: None });
        fields.len() - 1
    }

    fn new_series(&mut self, key: &[u8]) -> Result<usize, Reason> {
        let mut parts = split_unescaped(key, b',');
        let measurement =
            parts.next().filter(|part| !part.is_empty()).ok_or("the measurement has no name")?;
        let mut tags = Vec::new();
        for part in parts {
            let at = find_unescaped(part, b'=').ok_or("a tag has no '='")?;
            if at == 0 || at + 1 == part.len() {
                return Err("a tag has no name or no value".into());
            }
            tags.push((unescape(&part[..at]), unescape(&part[at + 1..])));
        }
        tags.sort();
        if let Some(twice) = tags.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            return Err(format!("the tag '{}' is given twice", twice[0].0).into());
        }
        let mut prefix = unescape(measurement);
        for (_, value) in tags {
            prefix.push('/');
            prefix.push_str(&value);
        }
        prefix.push('/');
        // An entry without name holds the prefix until the first field takes its place.
        self.series.push(vec![Field { name: Vec::new(), address: prefix, target: None }]);
        self.index.insert(key.to_vec(), self.series.len() - 1);
        Ok(self.series.len() - 1)
    }

    /// Lets the registrar name what was unknown, and puts the waiting values in their places.
    async fn settle(
        &mut self,
        directory: &Directory,
        source: SourceId,
        batch: &mut Batch,
    ) -> Result<(), InletError> {
        let mut wanted: Vec<(String, LooksLike)> = Vec::new();
        let mut slots: HashMap<(usize, usize), usize> = HashMap::new();
        for one in &batch.waiting {
            let field = &self.series[one.series][one.field];
            if field.target.is_none() {
                slots.entry((one.series, one.field)).or_insert_with(|| {
                    let looks =
                        if one.text.is_some() { LooksLike::Text } else { LooksLike::Number };
                    wanted.push((field.address.clone(), looks));
                    wanted.len() - 1
                });
            }
        }
        let targets = directory.resolve_all(source, &wanted).await?;
        for ((series, field), slot) in slots {
            self.series[series][field].target = targets[slot];
        }
        let mut last_bad = 0;
        for one in std::mem::take(&mut batch.waiting) {
            let line = one.line;
            let field = &self.series[one.series][one.field];
            if let Err(reason) = place(directory, field, one, &mut batch.rows).await? {
                batch.report.stored_values -= 1;
                // A line is bad once, however many of its fields are.
                if std::mem::replace(&mut last_bad, line) != line {
                    batch.report.stored_lines -= 1;
                    batch.report.bad_line(line, &reason);
                }
            }
        }
        Ok(())
    }
}

/// Inside, what is wrong with a value that can never be stored.
async fn place(
    directory: &Directory,
    field: &Field,
    one: Waiting,
    rows: &mut Rows,
) -> Result<Result<(), String>, InletError> {
    let address = &field.address;
    let Some(target) = field.target else {
        return Ok(Err(format!("{address}: the signal could not be registered")));
    };
    let value = match (target.kind, one.text) {
        (SignalKind::Text, text) => {
            let body = text.unwrap_or_else(|| one.number.to_string());
            let (time_us, signal) = (one.time_us, Some(target.signal));
            rows.events.push(Event { time_us, kind: EventKind::Text, asset: None, signal, body });
            return Ok(Ok(()));
        }
        (SignalKind::State, Some(text)) => {
            match directory.resolve_state(target.signal, &text).await? {
                Some(code) => code,
                None => {
                    let reason = format!("{address}: the state '{text}' could not be registered");
                    return Ok(Err(reason));
                }
            }
        }
        (SignalKind::State, None) => one.number,
        (_, Some(text)) => match text.trim().parse::<f64>() {
            Ok(number) => target.a * number + target.b,
            Err(_) => return Ok(Err(format!("{address}: '{text}' is not a number"))),
        },
        (_, None) => target.a * one.number + target.b,
    };
    rows.samples.push(Sample {
        signal: target.signal,
        time_us: one.time_us,
        value,
        quality: one.quality,
    });
    Ok(Ok(()))
}

impl Batch {
    fn wait(
        &mut self,
        series: usize,
        field: usize,
        value: Value<'_>,
        time_us: i64,
        quality: Quality,
    ) -> Result<(), Reason> {
        let (number, text) = match value {
            Value::Number(number) => (number, None),
            Value::Text(text) => {
                let text = std::str::from_utf8(text).map_err(|_| "a string is not UTF-8")?;
                (f64::NAN, Some(text.replace("\\\"", "\"").replace("\\\\", "\\")))
            }
        };
        self.waiting.push(Waiting {
            line: self.line,
            series,
            field,
            number,
            text,
            time_us,
            quality,
        });
        Ok(())
    }
}

impl Report {
    fn bad_line(&mut self, line: usize, reason: &str) {
        self.n_bad += 1;
        if self.bad.len() < MAX_NAMED {
            self.bad.push(BadLine { line, reason: reason.to_owned() });
        }
    }
}

#[cfg(test)]
mod tests;
