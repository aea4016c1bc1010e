//! The forms of things that other crates write to the wire, for `openapi.json`.
//!
//! `ingest` and `signal` own these structs and know nothing of OpenAPI. Each is described here once more, and a
//! test holds the description to what is really sent.

#![allow(dead_code)] // described, never made

use utoipa::ToSchema;

/// One alarm: one rule on one asset, with its present state.
#[derive(ToSchema)]
pub(crate) struct Alarm {
    id: u32,
    asset: u32,
    asset_path: String,
    signal: Option<u32>,
    /// `limit:<id>`, `anomaly`, `lost`, …
    rule: String,
    title: String,
    /// 1 (most urgent) to 4.
    priority: u8,
    state: AlarmState,
    overlay: Option<AlarmOverlay>,
    latched: bool,
    since_us: i64,
    acked_by: Option<String>,
    acked_us: Option<i64>,
    value: Option<f64>,
    limit: Option<f64>,
    unit: String,
    quality: u32,
    message: String,
    cause: String,
    consequence: String,
    response: String,
    minutes_to_respond: u32,
    respond_by_us: Option<i64>,
    contributions: Vec<Contribution>,
    diagnosis: Vec<Diagnosis>,
    group: Option<u32>,
    first_out: bool,
    shelved_until_us: Option<i64>,
    overlay_reason: Option<String>,
    overlay_by: Option<String>,
    seq: u64,
    count: u64,
    comment: Option<String>,
}

/// ISA-18.2 alarm states.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlarmState {
    Normal,
    Unack,
    Acked,
    RtnUnack,
}

/// What hides an alarm without stopping its evaluation.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum AlarmOverlay {
    Shelved,
    Suppressed,
    OutOfService,
}

/// What one signal has to do with a finding.
#[derive(ToSchema)]
pub(crate) struct Contribution {
    signal: u32,
    name: String,
    /// 0 to 1.
    share: f64,
    /// Signed robust standard deviations; positive is high.
    direction: f64,
}

/// A known fault that looks like what is seen.
#[derive(ToSchema)]
pub(crate) struct Diagnosis {
    fault: String,
    title: String,
    /// 0 to 1.
    confidence: f64,
    cause: String,
    consequence: String,
    response: String,
    minutes_to_respond: u32,
}

/// How well a machine is, and why we think so.
#[derive(ToSchema)]
pub(crate) struct Health {
    /// 0 to 100; null while learning.
    score: Option<f64>,
    level: Level,
    learning: bool,
    /// 0 to 1.
    learned_share: f64,
    since_us: i64,
    contributions: Vec<Contribution>,
    diagnosis: Vec<Diagnosis>,
}

/// Health in words.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum Level {
    Learning,
    Acceptable,
    Monitor,
    Alarm,
    Danger,
}

/// One detector.
#[derive(ToSchema)]
pub(crate) struct Detector {
    asset: u32,
    enabled: bool,
    days_per_false_alarm: f64,
    trained_rows: u64,
    learning: bool,
    signals: usize,
}

/// What the numbers of a signal mean over time.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum SignalKind {
    Gauge,
    Counter,
    State,
    SetPoint,
    Text,
}

/// A kind of machine.
#[derive(ToSchema)]
pub(crate) struct AssetType {
    name: String,
    title: String,
    signals: Vec<SignalTemplate>,
    faults: Vec<FaultSignature>,
    limits: Vec<LimitTemplate>,
}

/// What an asset type says about one signal.
#[derive(ToSchema)]
pub(crate) struct SignalTemplate {
    name: String,
    kind: SignalKind,
    /// UCUM code.
    unit: String,
    states: Vec<String>,
    range: Option<(f64, f64)>,
    normal: Option<(f64, f64)>,
    max_rate_per_s: Option<f64>,
    max_gap_ms: Option<u64>,
    stuck_after_ms: Option<u64>,
    spike_sigmas: Option<f64>,
    in_detection: Option<bool>,
}

/// How a known fault shows itself, and what to do about it.
#[derive(ToSchema)]
pub(crate) struct FaultSignature {
    name: String,
    title: String,
    /// Signal name and weight; positive when the fault makes it rise.
    signs: Vec<(String, f64)>,
    cause: String,
    consequence: String,
    response: String,
    minutes_to_respond: u32,
}

/// A limit on one signal of an asset type.
#[derive(ToSchema)]
pub(crate) struct LimitTemplate {
    signal: String,
    above: Option<f64>,
    below: Option<f64>,
    deadband: f64,
    on_delay_ms: u64,
    off_delay_ms: u64,
    priority: u8,
    cause: String,
    consequence: String,
    response: String,
    minutes_to_respond: u32,
    only_in_states: Vec<String>,
}

/// Turns addresses of unknown signals into places in the plant.
#[derive(ToSchema)]
pub(crate) struct MappingRule {
    #[schema(default = 0)]
    id: Option<u32>,
    /// Only addresses of this source; empty means any.
    source: Option<String>,
    /// `{site}/{line}/{machine}/{signal...}`
    pattern: String,
    asset: String,
    signal: String,
    /// Glob on the asset's name and asset type.
    asset_types: Option<Vec<(String, String)>>,
    /// How messages of these topics are read; left out: they speak for themselves.
    payload: Option<Payload>,
}

/// What the messages of a device look like. Pointers are JSON pointers (RFC 6901).
#[derive(ToSchema)]
pub(crate) struct Payload {
    /// `json` when left out.
    format: Option<PayloadFormat>,
    /// Pointer to an array of samples; left out: the message is one sample.
    samples: Option<String>,
    /// Left out: the values get the time at which they arrive.
    time: Option<PayloadTime>,
    /// `{field}` in the rule's `signal` is the value's name.
    values: Option<Vec<PayloadValue>>,
    /// Pointer to a quality.
    quality: Option<String>,
}

/// How a payload is written.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum PayloadFormat {
    Json,
    Plain,
}

/// Where a payload has its time.
#[derive(ToSchema)]
pub(crate) struct PayloadTime {
    /// Within the sample; with `step_us` within the whole message.
    pointer: String,
    unit: PayloadTimeUnit,
    /// Time between two samples of an array that has only the time of its first.
    step_us: Option<u64>,
}

/// What a time is written in.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum PayloadTimeUnit {
    Iso,
    S,
    Ms,
    Us,
    Ns,
}

/// One value of a payload.
#[derive(ToSchema)]
pub(crate) struct PayloadValue {
    /// Its address is the topic and this.
    name: String,
    /// Within the sample; of an object every leaf is taken.
    pointer: String,
}

/// When the plant works, and what counts as a loss.
#[derive(ToSchema)]
pub(crate) struct OeeSettings {
    /// IANA name, such as `Europe/Berlin`.
    time_zone: String,
    /// Shifts of a week, in local time.
    shifts: Vec<WorkShift>,
    /// Days on which no shift begins, such as `2026-12-25`.
    closed: Vec<String>,
    /// An unplanned stop shorter than this is a minor stop.
    minor_stop_s: u32,
    /// What a state means, by its name; other names mean what they say.
    states: std::collections::BTreeMap<String, StateRole>,
    /// Declared ideal cycles; other machines have the one that they have shown.
    cycles: Vec<IdealCycle>,
}

/// What one piece takes on a machine at the best.
#[derive(ToSchema)]
pub(crate) struct IdealCycle {
    asset: u32,
    /// Per piece.
    seconds: f64,
}

/// A shift on some days of every week.
#[derive(ToSchema)]
pub(crate) struct WorkShift {
    name: String,
    /// Days on which it begins, 1 for Monday to 7 for Sunday.
    days: Vec<u8>,
    /// Begin, `06:00`.
    from: String,
    /// End, `14:00`; on the next day unless later than `from`.
    to: String,
    /// Begin and end of its breaks.
    breaks: Vec<(String, String)>,
}

/// What a machine state means for OEE.
#[derive(ToSchema)]
#[schema(rename_all = "snake_case")]
pub(crate) enum StateRole {
    Running,
    PlannedStop,
    Setup,
    Down,
    Unknown,
}
