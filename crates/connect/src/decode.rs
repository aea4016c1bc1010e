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
//!
//! Where that is not what a device means, a mapping rule declares the payload of its topics, see [`declared`].

mod declared;
mod json;
mod moment;

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::Value;
use signal::model::SignalKind;
use signal::{Event, EventKind, Flag, Quality, Rows, Sample, SourceId, TenantId};

use crate::directory::{Directory, LooksLike, Target};
use crate::inlet::{Balance, InletError};
pub use declared::Template;
use declared::Templates;
pub(crate) use moment::parse_time_text;

/// A text longer than this is not a value.
const MAX_TEXT_BYTES: usize = 64 * 1024;

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

/// Nothing of what was read can be stored now; the sender must send it again.
#[derive(Debug)]
pub(crate) struct NotNow {
    pub(crate) error: InletError,
    /// Values that were read.
    pub(crate) n_values: u64,
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
    templates: Templates,
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
            templates: Templates::default(),
            // No directory has this one, so that the first message looks for templates.
            version: u64::MAX,
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
            self.templates.renew(self.directory.templates(self.source));
            self.version = version;
        }
        // Two values without time stamps must not share one, or the second would replace the first.
        self.arrival_us = now_us.max(self.arrival_us + 1);
        self.address.clear();
        self.address.push_str(topic);
        let result = match self.templates.of(topic) {
            Some(template) => self.declared(&template, payload),
            None => self.payload(payload),
        };
        if let Err(refusal) = result {
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
        self.plain(payload)
    }

    /// A number, boolean or word without JSON.
    fn plain(&mut self, payload: &[u8]) -> Result<(), Refusal> {
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
    ///
    /// # Errors
    /// When the registrar cannot answer now; what was read is forgotten.
    pub(crate) async fn take(&mut self) -> Result<(Rows, Vec<Refusal>), NotNow> {
        let n_values = (self.rows.len() + self.pending.len()) as u64;
        let settled = if self.pending.is_empty() { Ok(()) } else { self.settle_pending().await };
        let empty = Rows { tenant: self.tenant, source: self.source, ..Rows::default() };
        let rows = std::mem::replace(&mut self.rows, empty);
        let refusals = std::mem::take(&mut self.refusals);
        settled.map(|()| (rows, refusals)).map_err(|error| NotNow { error, n_values })
    }

    /// As [`take`](Self::take), with what cannot be used written into the books.
    pub(crate) async fn take_counted(&mut self, balance: &Balance) -> Result<Rows, InletError> {
        match self.take().await {
            Ok((rows, refusals)) => {
                for refusal in refusals {
                    balance.reject(self.source, refusal.reason, 1, &refusal.message);
                }
                Ok(rows)
            }
            Err(NotNow { error, n_values }) => {
                balance.reject(self.source, "read_only", n_values, &error.to_string());
                Err(error)
            }
        }
    }

    async fn settle_pending(&mut self) -> Result<(), InletError> {
        let pending = std::mem::take(&mut self.pending);
        let mut unknown: HashMap<&str, LooksLike> = HashMap::new();
        for one in pending.iter().filter(|one| !self.known.contains_key(&one.address)) {
            unknown.entry(&one.address).or_insert_with(|| one.raw.looks());
        }
        let unknown: Vec<(String, LooksLike)> =
            unknown.into_iter().map(|(address, looks)| (address.to_owned(), looks)).collect();
        let targets = self.directory.resolve_all(self.source, &unknown).await?;
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
                && self.directory.resolve_state(target.signal, text).await?.is_none()
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
        Ok(())
    }

    fn refusal(&self, reason: &'static str, message: &str) -> Refusal {
        Refusal { reason, message: format!("{}: {message}", self.address) }
    }

    fn refuse(&mut self, refusal: Refusal) {
        self.refusals.push(refusal);
    }
}

#[cfg(test)]
mod tests;
