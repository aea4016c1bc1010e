//! What a mapping rule may declare about a payload: the pure checks. How it is read is `connect`'s business.

use signal::model::{Payload, PayloadFormat};

use crate::mapping::is_path;

/// Most values that a rule declares.
const MAX_VALUES: usize = 1_000;
/// Longest JSON pointer.
const MAX_POINTER_BYTES: usize = 1024;

/// Checks that a payload fits together.
///
/// # Errors
/// In words that name the part, what is wrong with it and what would be right.
pub(crate) fn check(payload: &Payload) -> Result<(), String> {
    match payload.format {
        PayloadFormat::Plain => check_plain(payload),
        PayloadFormat::Json => check_json(payload),
    }
}

/// Whether a value of this name can come out of the payload.
pub(crate) fn declares(payload: &Payload, field: &str) -> bool {
    if payload.format == PayloadFormat::Plain {
        return field.is_empty();
    }
    payload.values.iter().any(|value| {
        // Leaves of an object lie below the value's name.
        let below = field.strip_prefix(value.name.as_str());
        below.is_some_and(|below| {
            value.name.is_empty() || below.is_empty() || below.starts_with('/')
        })
    })
}

/// Whether a value without name may still have named leaves: it may be an object.
pub(crate) fn has_objects(payload: &Payload) -> bool {
    payload.format == PayloadFormat::Json
        && payload.values.iter().any(|value| value.name.is_empty())
        && payload.values.len() == 1
}

fn check_plain(payload: &Payload) -> Result<(), String> {
    let is_bare = payload.samples.is_none()
        && payload.time.is_none()
        && payload.quality.is_none()
        && payload.values.is_empty();
    if is_bare {
        return Ok(());
    }
    Err("a plain payload is one value and nothing else: leave samples, time, values and quality out, or use the format `json`".into())
}

fn check_json(payload: &Payload) -> Result<(), String> {
    if let Some(pointer) = &payload.samples {
        check_pointer("samples", pointer)?;
    }
    if let Some(pointer) = &payload.quality {
        check_pointer("quality", pointer)?;
    }
    if let Some(time) = &payload.time {
        check_pointer("time.pointer", &time.pointer)?;
        if time.step_us == Some(0) {
            return Err("time.step_us: 0 would give all samples one time; write the distance of two samples in µs".into());
        }
        if time.step_us.is_some() && payload.samples.is_none() {
            return Err("time.step_us: steps need an array; say in `samples` where it is".into());
        }
    } else if payload.samples.is_some() {
        return Err("time: samples of an array need times; say where each has its own, or give the first one and `step_us`".into());
    }
    check_values(payload)
}

fn check_values(payload: &Payload) -> Result<(), String> {
    if payload.values.is_empty() {
        return Err(r#"values: name at least one value, such as {"name": "temperature", "pointer": "/temp"}"#.into());
    }
    if payload.values.len() > MAX_VALUES {
        return Err(format!("values: at most {MAX_VALUES}; use several rules"));
    }
    for (idx, value) in payload.values.iter().enumerate() {
        check_pointer(&format!("values[{idx}].pointer"), &value.pointer)?;
        if value.name.is_empty() && payload.values.len() > 1 {
            return Err(format!("values[{idx}].name: only a single value can do without a name"));
        }
        if !value.name.is_empty() && !is_path(&value.name) {
            return Err(format!(
                "values[{idx}].name: `{}` has empty levels; write it like `tank/level`",
                value.name
            ));
        }
        if payload.values[..idx].iter().any(|other| other.name == value.name) {
            return Err(format!("values[{idx}].name: `{}` is there twice", value.name));
        }
    }
    Ok(())
}

/// RFC 6901.
fn check_pointer(part: &str, pointer: &str) -> Result<(), String> {
    if pointer.len() > MAX_POINTER_BYTES {
        return Err(format!("{part}: longer than {MAX_POINTER_BYTES} bytes"));
    }
    if !pointer.is_empty() && !pointer.starts_with('/') {
        return Err(format!("{part}: `{pointer}` is no JSON pointer; write `/{pointer}`"));
    }
    let is_escaped = |(at, _): (usize, &str)| pointer[at + 1..].starts_with(['0', '1']);
    if !pointer.match_indices('~').all(is_escaped) {
        return Err(format!("{part}: in `{pointer}` a `~` must be written `~0`"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use signal::model::MappingRule;

    use crate::mapping;

    fn rule(signal: &str, payload: &str) -> MappingRule {
        MappingRule {
            id: 0,
            source: String::new(),
            pattern: "{site}/{machine}/telemetry".into(),
            asset: "{site}/{machine}".into(),
            signal: signal.into(),
            asset_types: Vec::new(),
            payload: Some(serde_json::from_str(payload).expect("the shape is right")),
        }
    }

    fn check_bad(signal: &str, payload: &str, field: &str, words: &str) {
        let error = mapping::check(&rule(signal, payload)).expect_err(payload);
        assert_eq!(error.field, field, "{payload}: {error}");
        assert!(error.message.contains(words), "{payload}: {error}");
    }

    #[test]
    fn declarations_that_cannot_work_are_told_with_their_part() {
        check_bad("{field}", r#"{"values": []}"#, "payload", "values: name at least one");
        check_bad(
            "{field}",
            r#"{"values": [{"name": "t", "pointer": "temp"}]}"#,
            "payload",
            "write `/temp`",
        );
        check_bad(
            "{field}",
            r#"{"values": [{"name": "t", "pointer": "/a~b"}]}"#,
            "payload",
            "`~0`",
        );
        check_bad(
            "{field}",
            r#"{"values": [{"name": "t/", "pointer": ""}]}"#,
            "payload",
            "values[0].name",
        );
        check_bad(
            "{field}",
            r#"{"values": [{"name": "t", "pointer": "/a"}, {"name": "t", "pointer": "/b"}]}"#,
            "payload",
            "values[1].name: `t` is there twice",
        );
        check_bad(
            "{field}",
            r#"{"samples": "/d", "values": [{"name": "t", "pointer": "/1"}]}"#,
            "payload",
            "time: samples of an array need times",
        );
        check_bad(
            "{field}",
            r#"{"time": {"pointer": "/t", "unit": "ms", "step_us": 10}, "values": [{"name": "t", "pointer": "/1"}]}"#,
            "payload",
            "steps need an array",
        );
        check_bad(
            "x",
            r#"{"format": "plain", "values": [{"name": "", "pointer": ""}]}"#,
            "payload",
            "a plain payload is one value",
        );
        check_bad("{field}", r#"{"format": "plain"}"#, "signal", "`{field}` is empty");
        check_bad(
            "level",
            r#"{"values": [{"name": "a", "pointer": "/a"}, {"name": "b", "pointer": "/b"}]}"#,
            "signal",
            "use `{field}`",
        );
        let mut rest = rule("{field}", r#"{"values": [{"name": "t", "pointer": "/t"}]}"#);
        rest.pattern = "{site}/{machine}/{x...}".into();
        assert_eq!(mapping::check(&rest).expect_err("takes the rest").field, "pattern");
        assert!(serde_json::from_str::<signal::model::Payload>(r#"{"value": []}"#).is_err());
    }

    #[test]
    fn declared_values_find_their_place_and_others_do_not() {
        let two =
            r#"{"values": [{"name": "temp", "pointer": "/t"}, {"name": "tank", "pointer": "/k"}]}"#;
        let rule = rule("oil/{field}", two);
        mapping::check(&rule).expect("sound");
        let place = |address: &str| {
            let place = mapping::apply(std::slice::from_ref(&rule), "mqtt", address);
            place.map(|place| format!("{}:{}", place.asset, place.signal))
        };
        assert_eq!(place("hh/p1/telemetry/temp").as_deref(), Some("hh/p1:oil/temp"));
        assert_eq!(place("hh/p1/telemetry/tank/level").as_deref(), Some("hh/p1:oil/tank/level"));
        assert_eq!(place("hh/p1/telemetry"), None);
        assert_eq!(place("hh/p1/telemetry/temperature"), None);
        assert_eq!(place("hh/p1/status/temp"), None);
    }

    #[test]
    fn a_plain_payload_is_its_topic() {
        let rule = rule("level", r#"{"format": "plain"}"#);
        mapping::check(&rule).expect("sound");
        let place = mapping::apply(&[rule], "mqtt", "hh/p1/telemetry").expect("placed");
        assert_eq!((place.asset.as_str(), place.signal.as_str()), ("hh/p1", "level"));
    }
}
