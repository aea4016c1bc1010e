//! Payloads as devices send them.

use super::*;
use crate::directory::Wanted;
use proptest::prelude::*;
use signal::SignalId;

/// Answers every question with the next number; `…state` is a state signal, texts are text signals.
fn with_registrar() -> (Decoder, tokio::task::JoinHandle<Vec<String>>) {
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
    let (mut decoder, _task) = with_registrar();
    decoder.read("a/b", payload.as_bytes(), 1_000);
    let (rows, refusals) = decoder.take().await.expect("the registrar answers");
    assert_eq!(refusals, [], "{payload}");
    let known: HashMap<SignalId, String> =
        decoder.known.iter().map(|(address, target)| (target.signal, address.clone())).collect();
    let mut found: Vec<(String, f64, i64)> = rows
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
    let (mut decoder, _task) = with_registrar();
    decoder.read("m/state", b"running", 10);
    decoder.read("m/state", b"fault", 10);
    decoder.read("m/state", b"running", 10);
    decoder.read("m/recipe", b"\"Alu 7\"", 10);
    let (rows, refusals) = decoder.take().await.expect("the registrar answers");
    assert_eq!(refusals, []);
    let codes: Vec<(f64, i64)> =
        rows.samples.iter().map(|sample| (sample.value, sample.time_us)).collect();
    assert_eq!(codes, [(0.0, 10), (1.0, 11), (0.0, 12)], "no two share a time");
    assert_eq!(rows.events[0].body, "Alu 7");
}

#[tokio::test]
async fn a_bad_part_is_named_and_the_good_ones_are_kept() {
    let (mut decoder, _task) = with_registrar();
    decoder.read(
        "m",
        br#"[{"t": 1767225600, "v": 1}, {"t": "yesterday", "v": 2}, {"t": 1767225602, "v": 3}]"#,
        10,
    );
    decoder.read("n", br#"{"v": 1"#, 10);
    let (rows, refusals) = decoder.take().await.expect("the registrar answers");
    assert_eq!(rows.samples.len(), 2);
    assert_eq!(refusals.iter().map(|refusal| refusal.reason).collect::<Vec<_>>(), ["time", "json"]);
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

/// Reads `message` by a declared payload; samples as (address, value, time), and what was refused.
async fn read_declared(
    payload: &str,
    message: &str,
) -> (Vec<(String, f64, i64)>, Vec<String>, Vec<String>) {
    let (directory, mut wanted) = Directory::new();
    let payload = serde_json::from_str(payload).expect("the shape is right");
    let rule = signal::model::MappingRule {
        id: 3,
        source: String::new(),
        pattern: "{site}/{machine}/data".into(),
        asset: "{site}/{machine}".into(),
        signal: "{field}".into(),
        asset_types: Vec::new(),
        payload: Some(payload),
    };
    let template = Arc::new(Template::of(&rule).expect("declares a payload"));
    directory.renew([(SourceId(1), vec![template])].into());
    let task = tokio::spawn(async move {
        let mut names = Vec::new();
        while let Some(Wanted::Address { address, looks, answer, .. }) = wanted.recv().await {
            let kind = if looks == LooksLike::Text { SignalKind::Text } else { SignalKind::Gauge };
            let signal = SignalId(names.len() as u32);
            names.push(address);
            let _ = answer.send(Some(Target { signal, a: 1.0, b: 0.0, kind }));
        }
        names
    });
    let mut decoder = Decoder::new(TenantId::FIRST, SourceId(1), directory);
    decoder.read("hh/p1/data", message.as_bytes(), 1_000);
    let (rows, refusals) = decoder.take().await.expect("the registrar answers");
    drop(decoder);
    let names = task.await.expect("no panic");
    let named = |sample: Sample| (names[sample.signal.idx()].clone(), sample.value, sample.time_us);
    let mut samples: Vec<_> = rows.samples.iter().map(named).collect();
    samples.sort_by(|a, b| (&a.0, a.2).cmp(&(&b.0, b.2)));
    let texts = rows.events.into_iter().map(|event| event.body).collect();
    (samples, texts, refusals.into_iter().map(|refusal| refusal.message).collect())
}

async fn check_declared(payload: &str, message: &str, expected: &[(&str, f64, i64)]) {
    let (samples, _, refusals) = read_declared(payload, message).await;
    assert_eq!(refusals, Vec::<String>::new(), "{message}");
    let expected: Vec<_> =
        expected.iter().map(|(name, value, us)| ((*name).to_owned(), *value, *us)).collect();
    assert_eq!(samples, expected, "{message}");
}

async fn check_against(payload: &str, message: &str, words: &str) {
    let (_, _, refusals) = read_declared(payload, message).await;
    assert_eq!(refusals.len(), 1, "{message}: {refusals:?}");
    assert!(refusals[0].starts_with("hh/p1/data"), "{refusals:?}");
    assert!(refusals[0].contains("mapping rule 3, payload"), "{refusals:?}");
    assert!(refusals[0].contains(words), "{message}: {refusals:?}");
}

const T: i64 = 1_767_225_600_000_000;

#[tokio::test]
async fn declared_payloads_are_read_as_they_were_declared() {
    check_declared(r#"{"format": "plain"}"#, " 21.5 ", &[("hh/p1/data", 21.5, 1000)]).await;
    check_declared(
        r#"{"values": [{"name": "", "pointer": ""}]}"#,
        "21.5",
        &[("hh/p1/data", 21.5, 1000)],
    )
    .await;
    check_declared(
        r#"{"time": {"pointer": "/meta/ts", "unit": "iso"},
            "values": [{"name": "temp", "pointer": "/d/tmp"}, {"name": "p/oil", "pointer": "/d/p/bar"}]}"#,
        r#"{"meta": {"ts": "2026-01-01T01:00:00+01:00", "x": 1}, "d": {"tmp": 21.5, "p": {"bar": 3}, "y": 9}}"#,
        &[("hh/p1/data/p/oil", 3.0, T), ("hh/p1/data/temp", 21.5, T)],
    )
    .await;
    check_declared(
        r#"{"time": {"pointer": "/0", "unit": "s"}, "samples": "/rows",
            "values": [{"name": "a", "pointer": "/1"}, {"name": "b", "pointer": "/2"}]}"#,
        r#"{"rows": [[1767225600, 1, 10], [1767225600.5, 2, null]]}"#,
        &[("hh/p1/data/a", 1.0, T), ("hh/p1/data/a", 2.0, T + 500_000), ("hh/p1/data/b", 10.0, T)],
    )
    .await;
    check_declared(
        r#"{"time": {"pointer": "/start", "unit": "ms", "step_us": 100}, "samples": "/accel",
            "values": [{"name": "accel", "pointer": ""}]}"#,
        r#"{"start": 1767225600000, "accel": [0.5, -0.5, 0.25]}"#,
        &[
            ("hh/p1/data/accel", 0.5, T),
            ("hh/p1/data/accel", -0.5, T + 100),
            ("hh/p1/data/accel", 0.25, T + 200),
        ],
    )
    .await;
}

#[tokio::test]
async fn declared_times_mean_what_was_declared_whatever_their_size() {
    let payload = |unit: &str| {
        format!(
            r#"{{"time": {{"pointer": "/t", "unit": "{unit}"}}, "values": [{{"name": "x", "pointer": "/x"}}]}}"#
        )
    };
    for (unit, t, expected_us) in [
        ("s", "1767225600", T),
        ("s", "1", 1_000_000),
        ("s", "0.000001", 1),
        ("ms", "1767225600000", T),
        ("ms", "\"1767225600000\"", T),
        ("ms", "1.5", 1_500),
        ("us", "1767225600000000", T),
        ("us", "-1", -1),
        ("ns", "1767225600000000999", T),
        ("ns", "-1", -1),
        ("iso", "\"2026-01-01 00:00:00\"", T),
    ] {
        let message = format!(r#"{{"t": {t}, "x": 1}}"#);
        check_declared(&payload(unit), &message, &[("hh/p1/data/x", 1.0, expected_us)]).await;
    }
    check_against(&payload("iso"), r#"{"t": 1767225600, "x": 1}"#, "is no time in ISO 8601").await;
    check_against(&payload("s"), r#"{"t": 1e300, "x": 1}"#, "is no time in seconds").await;
    check_against(&payload("s"), r#"{"t": "soon", "x": 1}"#, "\"soon\" at `/t`").await;
    check_against(&payload("ms"), r#"{"x": 1}"#, "payload.time: nothing is at `/t`").await;
}

#[tokio::test]
async fn what_a_declared_payload_lacks_is_told_with_rule_part_and_next_step() {
    let two = r#"{"values": [{"name": "a", "pointer": "/a"}, {"name": "b", "pointer": "/b"}]}"#;
    check_declared(two, r#"{"b": 2, "c": 3}"#, &[("hh/p1/data/b", 2.0, 1000)]).await;
    check_against(two, r#"{"c": 3}"#, "nothing is at /a, /b; correct the pointers").await;
    check_against(two, "21.5", "nothing is at /a, /b").await;
    check_against(two, "running", "the rule expects JSON").await;
    check_against(two, r#"{"a": [1, 2]}"#, "an array is no value").await;
    let rows = r#"{"samples": "/rows", "time": {"pointer": "/0", "unit": "s"}, "values": [{"name": "a", "pointer": "/1"}]}"#;
    check_against(rows, r#"{"rows": 3}"#, "there is no array at `/rows`").await;
    check_against(rows, r#"{"rows": [[1, 2], ["x", 3], [5, 6]]}"#, "\"x\" at `/0`").await;
    let (samples, _, _) = read_declared(rows, r#"{"rows": [[1, 2], ["x", 3], [5, 6]]}"#).await;
    assert_eq!(samples.len(), 2, "the good samples around a bad one are kept");
}

#[tokio::test]
async fn objects_are_taken_leaf_by_leaf_and_words_become_texts() {
    let all = r#"{"values": [{"name": "d", "pointer": "/d"}]}"#;
    let message = r#"{"d": {"x": 1, "y": {"z": true}, "recipe": "Alu 7"}}"#;
    let (samples, texts, refusals) = read_declared(all, message).await;
    assert_eq!(refusals, Vec::<String>::new());
    let names: Vec<&str> = samples.iter().map(|(name, _, _)| name.as_str()).collect();
    assert_eq!(names, ["hh/p1/data/d/x", "hh/p1/data/d/y/z"]);
    assert_eq!(texts, ["Alu 7"]);
}
