//! The plant model: a tree of assets, their signals, and where each signal's values come from.
//!
//! ISA-95 level names are only the default [`Asset::kind`]s. A signal's full path,
//! `site/line/machine:group/signal`, is its name in SQL, on screens and in topics.
//!
//! These structs are written to the metastore and to the API as JSON; a new field needs a default.

use serde::{Deserialize, Serialize};

use crate::{AssetId, SignalId, SourceId};

/// A thing in the plant.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Identity.
    pub id: AssetId,
    /// The asset it is part of; none for a site.
    pub parent: Option<AssetId>,
    /// Last part of the path, unique among siblings.
    pub name: String,
    /// Names from the root joined with `/`.
    pub path: String,
    /// `site`, `area`, `line`, `cell`, `machine`, `component`, or any other word.
    pub kind: String,
    /// Name of its [`AssetType`], if one is known.
    pub asset_type: Option<String>,
}

/// What a signal's numbers mean over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SignalKind {
    /// A quantity that moves freely: temperature, pressure, power.
    #[default]
    Gauge,
    /// Only grows, apart from resets: parts, kWh, strokes. Never smoothed, never dead-banded.
    Counter,
    /// One of a few named states; the value is the index into [`SignalSpec::states`].
    State,
    /// Something wished for, not measured.
    SetPoint,
    /// Words only.
    Text,
}

/// A measured or computed quantity of one asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// Identity.
    pub id: SignalId,
    /// The asset it belongs to; none while it waits unbound under `_raw/`.
    pub asset: Option<AssetId>,
    /// Path below the asset, such as `hydraulics/pressure`; for an unbound signal `_raw/<source>/<address>`.
    pub name: String,
    /// `asset path:name`, or the name alone while unbound.
    pub path: String,
    /// What the engineer declared about it.
    #[serde(flatten)]
    pub spec: SignalSpec,
}

/// What is declared about a signal, by its asset type or by hand. Every field may stay empty.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct SignalSpec {
    /// What the numbers mean over time.
    pub kind: SignalKind,
    /// UCUM code, `Cel`, `bar`, `kW`; empty when unknown or without unit.
    pub unit: String,
    /// Names of the states, for [`SignalKind::State`], in index order.
    pub states: Vec<String>,
    /// Lowest and highest value the sensor can report; outside is bad quality.
    pub range: Option<(f64, f64)>,
    /// Lowest and highest value seen in healthy operation; drawn as the normal band.
    pub normal: Option<(f64, f64)>,
    /// Fastest believable change, in units per second.
    pub max_rate_per_s: Option<f64>,
    /// Silence longer than this is a gap and, at the live end, a lost signal. Milliseconds.
    pub max_gap_ms: Option<u64>,
    /// A gauge that repeats the same value this long is stuck; 0 switches the check off. Milliseconds.
    pub stuck_after_ms: Option<u64>,
    /// Hampel threshold in robust standard deviations; 0 switches the check off.
    pub spike_sigmas: Option<f64>,
    /// Whether the detectors of its asset use it. Gauges do by default.
    pub in_detection: Option<bool>,
}

/// A kind of machine: the signals it has and the faults it is known for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct AssetType {
    /// Such as `hydraulic_press`.
    pub name: String,
    /// Such as `Hydraulic press`.
    pub title: String,
    /// Its signals, by name below the asset.
    #[serde(default)]
    pub signals: Vec<SignalTemplate>,
    /// Faults that people know of machines of this type.
    #[serde(default)]
    pub faults: Vec<FaultSignature>,
    /// Fixed limits that raise alarms on every machine of this type.
    #[serde(default)]
    pub limits: Vec<LimitTemplate>,
}

/// What an asset type says about one signal of each of its machines.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct SignalTemplate {
    /// Name below the asset.
    pub name: String,
    /// What is declared about it.
    #[serde(flatten)]
    pub spec: SignalSpec,
}

/// How a known fault shows itself, and what to do about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct FaultSignature {
    /// Such as `bearing_wear`.
    pub name: String,
    /// Such as `Bearing wear`.
    pub title: String,
    /// Signal name → expected direction and weight: positive when the fault makes it rise.
    pub signs: Vec<(String, f64)>,
    /// What makes it happen.
    pub cause: String,
    /// What happens if nobody acts.
    pub consequence: String,
    /// What to do.
    pub response: String,
    /// How long there is to do it, in minutes.
    pub minutes_to_respond: u32,
}

/// A fixed limit on one signal of an asset type.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LimitTemplate {
    /// Signal name below the asset.
    pub signal: String,
    /// What the alarm says and when it rings.
    #[serde(flatten)]
    pub rule: LimitRule,
}

/// A limit with everything ISA-18.2 asks to be written down before it may ring.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LimitRule {
    /// Rings above this value.
    pub above: Option<f64>,
    /// Rings below this value.
    pub below: Option<f64>,
    /// How far the value must come back before the alarm returns to normal, in the signal's unit.
    pub deadband: f64,
    /// How long the limit must be broken before it rings. Milliseconds.
    pub on_delay_ms: u64,
    /// How long the value must be back before it returns to normal. Milliseconds.
    pub off_delay_ms: u64,
    /// 1 (most urgent) to 4.
    pub priority: u8,
    /// What makes it happen.
    pub cause: String,
    /// What happens if nobody acts.
    pub consequence: String,
    /// What to do; an alarm without a response is an alert and never rings.
    pub response: String,
    /// How long there is to do it, in minutes.
    pub minutes_to_respond: u32,
    /// Evaluated only while the machine is in one of these states; empty means always.
    pub only_in_states: Vec<String>,
}

/// A door through which data comes in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Identity.
    pub id: SourceId,
    /// Short name, the middle part of `_raw/<name>/…`.
    pub name: String,
    /// `mqtt`, `http`, `file`.
    pub protocol: String,
}

/// Where a signal's values come from.
///
/// `value = a · raw + b` takes the source's unit to the signal's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Binding {
    /// The door.
    pub source: SourceId,
    /// What the source calls it: topic plus JSON pointer, measurement plus tags plus field, column.
    pub address: String,
    /// The signal it feeds.
    pub signal: SignalId,
    /// Factor.
    pub a: f64,
    /// Offset.
    pub b: f64,
}

/// Turns addresses of unknown signals into places in the plant, and may say how their messages are read.
///
/// `pattern` is matched against the address with `{name}` for one level and `{name...}` for the rest,
/// and `asset`, `signal` and `asset_type` are filled with what it captured:
///
/// ```text
/// pattern  {site}/{line}/{machine}/{signal...}
/// address  hamburg/line1/press01/hydraulics/pressure
/// asset    {site}/{line}/{machine}          → hamburg/line1/press01
/// signal   {signal}                         → hydraulics/pressure
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MappingRule {
    /// Identity; 0 for a rule that is not stored yet.
    #[serde(default)]
    pub id: u32,
    /// Only addresses of this source, by name; empty means any.
    #[serde(default)]
    pub source: String,
    /// What an address must look like.
    pub pattern: String,
    /// Path of the asset; missing assets are made on the way.
    pub asset: String,
    /// Name of the signal below the asset.
    pub signal: String,
    /// Asset types by glob on the asset's last name, first match wins: `press*` → `hydraulic_press`.
    #[serde(default)]
    pub asset_types: Vec<(String, String)>,
    /// How messages are read whose topic is what `pattern` describes; none: they speak for themselves.
    ///
    /// With it, `pattern` has a level for each level of the topic, and `signal` may use `{field}`: the name of the
    /// value within the message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload: Option<Payload>,
}

/// What the messages of a device look like, where they do not speak for themselves.
///
/// ```text
/// {"meta": {"ts": "2026-01-01T00:00:00Z"}, "d": {"tmp": 21.5, "p": {"bar": 3}}}
///
/// time    {"pointer": "/meta/ts", "unit": "iso"}
/// values  [{"name": "temperature", "pointer": "/d/tmp"}, {"name": "pressure", "pointer": "/d/p/bar"}]
/// ```
///
/// Values that are not declared are left out. A message may lack some of the declared ones, as devices send what has
/// changed; one that has none of them is refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Payload {
    /// How it is written.
    pub format: PayloadFormat,
    /// JSON pointer to an array of samples, each of them read by the pointers below; none: the message is one sample.
    pub samples: Option<String>,
    /// When the values were measured; none: when they arrive.
    pub time: Option<PayloadTime>,
    /// What is taken.
    pub values: Vec<PayloadValue>,
    /// JSON pointer to a quality: an OPC UA status code, an OPC DA quality, `good`, `bad`, `uncertain`, or a boolean.
    pub quality: Option<String>,
}

/// How a payload is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadFormat {
    /// JSON, also a bare number.
    #[default]
    Json,
    /// One number, boolean or word, without JSON; its signal is the topic itself.
    Plain,
}

/// Where a payload has its time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadTime {
    /// JSON pointer within the sample; with `step_us` within the whole message.
    pub pointer: String,
    /// What it is written in.
    pub unit: PayloadTimeUnit,
    /// Time between two samples of an array that has only a time for its first, in µs.
    #[serde(default)]
    pub step_us: Option<u64>,
}

/// What a time is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PayloadTimeUnit {
    /// ISO 8601; without zone it is UTC.
    #[default]
    Iso,
    /// Seconds since 1970, with fractions.
    S,
    /// Milliseconds since 1970.
    Ms,
    /// Microseconds since 1970.
    Us,
    /// Nanoseconds since 1970.
    Ns,
}

/// One value of a payload.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PayloadValue {
    /// What it is called, `{field}` in the rule's `signal`; the address is the topic and this.
    pub name: String,
    /// JSON pointer within the sample (RFC 6901): `/d/tmp`, `/1` in a sample that is an array, or empty for all of
    /// it. Of an object every leaf is taken, named by its path below `name`.
    pub pointer: String,
}
