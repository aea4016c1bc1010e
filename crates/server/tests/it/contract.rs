//! The contract: `ui/openapi.json`, and the forms of things that other crates write to the wire.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

fn path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../ui/openapi.json")
}

/// `UPDATE=1 cargo test -p server` writes it anew.
#[test]
fn the_committed_contract_is_the_served_one() {
    let document = server::document();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path(), &document).expect("ui/ can be written");
    }
    let committed = std::fs::read_to_string(path()).unwrap_or_default();
    assert!(
        committed == document,
        "ui/openapi.json is out of date: run UPDATE=1 cargo test -p server"
    );
}

/// Every call in the prose is in the contract, and the other way round.
#[test]
fn the_prose_names_every_call() {
    let prose = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/http-api.md");
    let prose = std::fs::read_to_string(prose).expect("docs/reference/http-api.md");
    let contract: Value = serde_json::from_str(&server::document()).expect("JSON");
    for path in contract["paths"].as_object().expect("paths").keys() {
        let stem = path.split("/{").next().expect("a first part");
        assert!(prose.contains(stem), "{path} is not described in docs/reference/http-api.md");
    }
}

fn check_shape(name: &str, sample: &Value) {
    let contract: Value = serde_json::from_str(&server::document()).expect("JSON");
    let described: BTreeSet<&String> = contract["components"]["schemas"][name]["properties"]
        .as_object()
        .unwrap_or_else(|| panic!("{name} is not described"))
        .keys()
        .collect();
    let sent: BTreeSet<&String> = sample.as_object().expect("an object").keys().collect();
    assert_eq!(sent, described, "{name}: left is sent, right is described");
}

#[test]
fn what_other_crates_send_is_what_is_described() {
    let alarm = serde_json::json!({
        "id": 1, "asset": 1, "asset_path": "", "signal": null, "rule": "", "title": "", "priority": 1,
        "state": "unack", "overlay": null, "latched": false, "since_us": 0, "acked_by": null, "acked_us": null,
        "value": null, "limit": null, "unit": "", "quality": 0, "message": "", "cause": "", "consequence": "",
        "response": "", "minutes_to_respond": 0, "respond_by_us": null, "contributions": [], "diagnosis": [],
        "group": null, "first_out": true, "shelved_until_us": null, "overlay_reason": null, "overlay_by": null,
        "seq": 1, "count": 1
    });
    let alarm: ingest::Alarm = serde_json::from_value(alarm).expect("an alarm");
    check_shape("Alarm", &serde_json::to_value(&alarm).expect("JSON"));
    let part = ingest::Contribution {
        signal: signal::SignalId(1),
        name: String::new(),
        share: 1.0,
        direction: 1.0,
    };
    check_shape("Contribution", &serde_json::to_value(&part).expect("JSON"));
    let kind = &metastore::library()[0];
    check_shape("AssetType", &serde_json::to_value(kind).expect("JSON"));
    check_shape("SignalTemplate", &serde_json::to_value(&kind.signals[0]).expect("JSON"));
    check_shape("LimitTemplate", &serde_json::to_value(&kind.limits[0]).expect("JSON"));
    check_shape("FaultSignature", &serde_json::to_value(&kind.faults[0]).expect("JSON"));
    let health = ingest::Health {
        score: None,
        level: ingest::Level::Learning,
        learning: true,
        learned_share: 0.0,
        since_us: 0,
        contributions: Vec::new(),
        diagnosis: Vec::new(),
    };
    check_shape("Health", &serde_json::to_value(&health).expect("JSON"));
    let rule = serde_json::json!({
        "pattern": "", "asset": "", "signal": "",
        "payload": {"time": {"pointer": "", "unit": "iso", "step_us": 1}, "values": [{"name": "", "pointer": ""}]}
    });
    let rule: signal::model::MappingRule = serde_json::from_value(rule).expect("a rule");
    let rule = serde_json::to_value(&rule).expect("JSON");
    check_shape("MappingRule", &rule);
    check_shape("Payload", &rule["payload"]);
    check_shape("PayloadTime", &rule["payload"]["time"]);
    check_shape("PayloadValue", &rule["payload"]["values"][0]);
    let detector = ingest::DetectorView {
        asset: signal::AssetId(1),
        enabled: true,
        days_per_false_alarm: 30.0,
        trained_rows: 0,
        learning: true,
        signals: 0,
    };
    let settings = metastore::OeeSettings::default();
    check_shape("OeeSettings", &serde_json::to_value(&settings).expect("JSON"));
    let cycle = metastore::IdealCycle { asset: signal::AssetId(1), seconds: 1.0 };
    check_shape("IdealCycle", &serde_json::to_value(cycle).expect("JSON"));
    check_shape("WorkShift", &serde_json::to_value(&settings.shifts[0]).expect("JSON"));
    check_shape("Detector", &serde_json::to_value(&detector).expect("JSON"));
}
