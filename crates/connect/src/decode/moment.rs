//! Times and qualities as devices write them.

use serde_json::Value;
use signal::Quality;

/// OPC UA `Bad`, for senders that only say "bad".
const BAD: u32 = 0x8000_0000;
/// OPC UA `Uncertain`.
const UNCERTAIN: u32 = 0x4000_0000;

/// A time in JSON as µs since 1970.
pub(super) fn parse_time(value: &Value) -> Option<i64> {
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

pub(super) fn parse_quality(value: &Value) -> Quality {
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
