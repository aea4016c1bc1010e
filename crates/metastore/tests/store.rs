//! The metastore at its border: a real database in a temporary directory.

use metastore::{
    AssetPatch, DetectionSetting, Error, Limits, Metastore, NewUser, Role, Scope, SignalPatch,
    StoredRule,
};
use signal::model::{LimitRule, MappingRule, SignalKind, Source};
use signal::{AssetId, SignalId, TenantId};

const T: TenantId = TenantId::FIRST;

struct Bench {
    store: Metastore,
    mqtt: Source,
    dir: tempfile::TempDir,
}

async fn bench_with(limits: Limits) -> Bench {
    let dir = tempfile::tempdir().expect("a directory");
    let store =
        Metastore::open_with(&dir.path().join("meta.sqlite"), limits).await.expect("a database");
    let mqtt = store.source(T, "mqtt", "mqtt").await.expect("a source");
    Bench { store, mqtt, dir }
}

async fn bench() -> Bench {
    bench_with(Limits::default()).await
}

fn plant_rule() -> MappingRule {
    MappingRule {
        id: 0,
        source: String::new(),
        pattern: "{site}/{line}/{machine}/{signal...}".into(),
        asset: "{site}/{line}/{machine}".into(),
        signal: "{signal}".into(),
        asset_types: vec![("press*".into(), "hydraulic_press".into())],
        payload: None,
    }
}

fn gauges(addresses: &[&str]) -> Vec<(String, SignalKind)> {
    addresses.iter().map(|address| ((*address).to_owned(), SignalKind::Gauge)).collect()
}

#[tokio::test]
async fn an_unknown_address_waits_in_the_inbox_and_is_bound_later() {
    let b = bench().await;
    let one = b
        .store
        .register(T, &b.mqtt, "h/l1/press01/hydraulics/pressure", SignalKind::Gauge)
        .await
        .unwrap();
    assert_eq!(one.signal.path, "_raw/mqtt/h/l1/press01/hydraulics/pressure");
    let again = b
        .store
        .register(T, &b.mqtt, "h/l1/press01/hydraulics/pressure", SignalKind::Gauge)
        .await
        .unwrap();
    assert_eq!(again.signal, one.signal);
    let (rows, total) = b.store.inbox(T, SignalId(0), 10).await.unwrap();
    assert_eq!(
        (rows.len(), total, rows[0].address.as_str()),
        (1, 1, "h/l1/press01/hydraulics/pressure")
    );

    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    let placed = b.store.apply_rules_to_inbox(T).await.unwrap();
    assert_eq!(placed[0].id, one.signal.id, "the history follows: it is the same signal");
    assert_eq!(placed[0].path, "h/l1/press01:hydraulics/pressure");
    assert_eq!(placed[0].spec.unit, "bar", "the type declares it");
    let model = b.store.load_model(T).await.unwrap();
    let kinds: Vec<(&str, &str)> =
        model.assets.iter().map(|asset| (asset.path.as_str(), asset.kind.as_str())).collect();
    assert_eq!(kinds, [("h", "site"), ("h/l1", "line"), ("h/l1/press01", "machine")]);
    assert_eq!(model.assets[2].asset_type.as_deref(), Some("hydraulic_press"));
    assert_eq!(b.store.inbox(T, SignalId(0), 10).await.unwrap().1, 0);
}

#[tokio::test]
async fn thousands_of_addresses_are_registered_at_once_and_only_once() {
    let b = bench().await;
    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    let addresses: Vec<(String, SignalKind)> =
        (0..5_000).map(|n| (format!("h/l1/m{}/s{n}", n / 100), SignalKind::Gauge)).collect();
    let first = b.store.register_many(T, &b.mqtt, &addresses).await.unwrap();
    let n_assets: usize = first.iter().flatten().map(|one| one.new_assets.len()).sum();
    assert_eq!((first.iter().flatten().count(), n_assets), (5_000, 52));
    let second = b.store.register_many(T, &b.mqtt, &addresses).await.unwrap();
    for (one, two) in first.iter().flatten().zip(second.iter().flatten()) {
        assert_eq!((&one.signal, &one.binding), (&two.signal, &two.binding));
        assert!(two.new_assets.is_empty());
    }
    let model = b.store.load_model(T).await.unwrap();
    assert_eq!((model.signals.len(), model.bindings.len(), model.assets.len()), (5_000, 5_000, 52));
}

#[tokio::test]
async fn one_place_fed_by_two_sources_is_one_signal() {
    let b = bench().await;
    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    let http = b.store.source(T, "http", "http").await.unwrap();
    let one = b.store.register(T, &b.mqtt, "h/l/m/x", SignalKind::Gauge).await.unwrap();
    let two = b.store.register(T, &http, "h/l/m/x", SignalKind::Gauge).await.unwrap();
    assert_eq!(one.signal.id, two.signal.id);
    // Twice in one batch is one signal too.
    let twice = b.store.register_many(T, &b.mqtt, &gauges(&["h/l/m/y", "h/l/m/y"])).await.unwrap();
    assert_eq!(twice[0].as_ref().unwrap().signal.id, twice[1].as_ref().unwrap().signal.id);
}

#[tokio::test]
async fn a_sender_with_a_counter_in_its_topic_is_stopped_by_name() {
    let b = bench_with(Limits { signals: 5, addresses_per_source: 3 }).await;
    let many = gauges(&["a/1", "a/2", "a/3", "a/4", "", "a/1"]);
    let registered = b.store.register_many(T, &b.mqtt, &many).await.unwrap();
    let made: Vec<bool> = registered.iter().map(Option::is_some).collect();
    assert_eq!(made, [true, true, true, false, false, true]);
    let refused = b.store.register(T, &b.mqtt, "a/9", SignalKind::Gauge).await;
    assert!(matches!(refused, Err(Error::Limit { limit: "signal_limit", .. })));
    // Another door still has room, until the plant is full.
    let http = b.store.source(T, "http", "http").await.unwrap();
    let registered = b.store.register_many(T, &http, &gauges(&["1", "2", "3"])).await.unwrap();
    assert_eq!(registered.iter().flatten().count(), 2);
}

#[tokio::test]
async fn names_say_what_values_mean() {
    let b = bench().await;
    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    for (address, hint, expected) in [
        ("h/l/x1/state", SignalKind::Text, SignalKind::State),
        ("h/l/x1/recipe", SignalKind::Text, SignalKind::Text),
        ("h/l/x1/counters/good", SignalKind::Gauge, SignalKind::Counter),
        ("h/l/x1/energy_total", SignalKind::Gauge, SignalKind::Counter),
        ("h/l/x1/temperature", SignalKind::Gauge, SignalKind::Gauge),
        ("h/l/press1/state", SignalKind::Text, SignalKind::State),
    ] {
        let one = b.store.register(T, &b.mqtt, address, hint).await.unwrap();
        assert_eq!(one.signal.spec.kind, expected, "{address}");
    }
    let state =
        b.store.register(T, &b.mqtt, "h/l/x1/state", SignalKind::Text).await.unwrap().signal.id;
    assert_eq!(b.store.append_state(T, state, "on").await.unwrap(), ["on"]);
    assert_eq!(b.store.append_state(T, state, "off").await.unwrap(), ["on", "off"]);
    assert_eq!(b.store.append_state(T, state, "on").await.unwrap(), ["on", "off"]);
}

#[tokio::test]
async fn a_moved_machine_takes_its_signals_along() {
    let b = bench().await;
    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    let one = b.store.register(T, &b.mqtt, "h/l1/m1/temp", SignalKind::Gauge).await.unwrap();
    let model = b.store.load_model(T).await.unwrap();
    let line = model.assets.iter().find(|asset| asset.path == "h/l1").unwrap().id;
    let patch = AssetPatch { name: Some("line one".into()), ..AssetPatch::default() };
    assert_eq!(b.store.patch_asset(T, line, &patch).await.unwrap().path, "h/line one");
    let model = b.store.load_model(T).await.unwrap();
    assert_eq!(model.signals[0].id, one.signal.id);
    assert_eq!(model.signals[0].path, "h/line one/m1:temp");
    let machine = model.assets.iter().find(|asset| asset.path == "h/line one/m1").unwrap().id;
    let below_itself = AssetPatch { parent: Some(Some(machine)), ..AssetPatch::default() };
    let refused = b.store.patch_asset(T, line, &below_itself).await;
    assert!(matches!(refused, Err(Error::Invalid { field: "parent", .. })), "{refused:?}");
}

#[tokio::test]
async fn a_place_belongs_to_one_signal() {
    let b = bench().await;
    let registered = b.store.register_many(T, &b.mqtt, &gauges(&["a", "b"])).await.unwrap();
    let ids: Vec<SignalId> = registered.into_iter().flatten().map(|one| one.signal.id).collect();
    b.store.bind(T, ids[0], "h/l/m", "temp").await.unwrap();
    let wanted = [(ids[1], "h/l/new".into(), "x".into()), (ids[1], "h/l/m".into(), "temp".into())];
    assert!(matches!(b.store.bind_many(T, &wanted).await, Err(Error::Conflict(_))));
    let model = b.store.load_model(T).await.unwrap();
    assert!(model.assets.iter().all(|asset| asset.path != "h/l/new"), "all or none");
}

#[tokio::test]
async fn a_declaration_that_makes_no_sense_is_refused_with_its_field() {
    let b = bench().await;
    let id = b.store.register(T, &b.mqtt, "a", SignalKind::Gauge).await.unwrap().signal.id;
    for (patch, expected) in [
        (SignalPatch { unit: Some("Celsius".into()), ..Default::default() }, "unit"),
        (SignalPatch { range: Some(Some((5.0, 5.0))), ..Default::default() }, "range"),
        (SignalPatch { normal: Some(Some((f64::NAN, 5.0))), ..Default::default() }, "normal"),
        (SignalPatch { spike_sigmas: Some(Some(-1.0)), ..Default::default() }, "spike_sigmas"),
        (SignalPatch { states: Some(vec![String::new()]), ..Default::default() }, "states"),
    ] {
        match b.store.patch_signal(T, id, patch).await {
            Err(Error::Invalid { field, .. }) => assert_eq!(field, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    let patch = SignalPatch {
        unit: Some("Cel".into()),
        range: Some(Some((0.0, 9.0))),
        ..Default::default()
    };
    let signal = b.store.patch_signal(T, id, patch).await.unwrap();
    assert_eq!((signal.spec.unit.as_str(), signal.spec.range), ("Cel", Some((0.0, 9.0))));
    let patch = SignalPatch { range: Some(None), ..Default::default() };
    assert_eq!(b.store.patch_signal(T, id, patch).await.unwrap().spec.range, None);
}

#[tokio::test]
async fn another_tenant_sees_and_changes_nothing() {
    let b = bench().await;
    let other = TenantId(2);
    let id = b.store.register(T, &b.mqtt, "a", SignalKind::Gauge).await.unwrap().signal.id;
    let rule = StoredRule {
        id: 0,
        signal: id,
        enabled: true,
        rule: LimitRule { above: Some(1.0), priority: 2, ..Default::default() },
    };
    let rule = b.store.create_limit_rule(T, &rule).await.unwrap();
    let token = b.store.create_token(T, "t", Scope::Read).await.unwrap().token;
    assert_eq!(b.store.load_model(other).await.unwrap().signals, []);
    assert_eq!(b.store.limit_rules(other).await.unwrap(), []);
    assert_eq!(b.store.tokens(other).await.unwrap(), []);
    let not_found = |result: Result<(), Error>| matches!(result, Err(Error::NotFound { .. }));
    assert!(not_found(b.store.delete_limit_rule(other, rule.id).await));
    assert!(not_found(b.store.delete_token(other, token.id).await));
    assert!(not_found(b.store.bind(other, id, "x", "y").await.map(drop)));
    assert!(not_found(b.store.patch_signal(other, id, SignalPatch::default()).await.map(drop)));
    assert!(not_found(b.store.append_state(other, id, "x").await.map(drop)));
}

#[tokio::test]
async fn people_come_in_with_their_password_and_nobody_else_does() {
    let b = bench().await;
    let password = b.store.first_run().await.unwrap().expect("the first start makes an admin");
    assert_eq!(b.store.first_run().await.unwrap(), None);
    let admin = b.store.verify_password("admin", &password).await.unwrap().unwrap();
    assert!(admin.must_change_password && admin.role == Role::Admin);
    assert_eq!(b.store.verify_password("admin", "wrong").await.unwrap(), None);
    assert_eq!(b.store.verify_password("nobody", &password).await.unwrap(), None);

    let session = b.store.create_session(&admin, 1_000, 500).await.unwrap();
    assert_eq!(
        b.store.session_user(&session, 1_400).await.unwrap().map(|user| user.id),
        Some(admin.id)
    );
    assert_eq!(b.store.session_user(&session, 1_500).await.unwrap(), None, "it has ended");
    assert_eq!(b.store.session_user("fs_0", 1_400).await.unwrap(), None);
    b.store.set_password(T, admin.id, "a better password").await.unwrap();
    assert_eq!(
        b.store.session_user(&session, 1_400).await.unwrap(),
        None,
        "a new password ends all sessions"
    );
    assert_eq!(b.store.verify_password("admin", &password).await.unwrap(), None);

    let new = |name: &str, password: &str| NewUser {
        name: name.into(),
        password: password.into(),
        role: Role::Operator,
        must_change_password: false,
    };
    assert!(matches!(
        b.store.create_user(T, &new("anna", "short")).await,
        Err(Error::Invalid { field: "password", .. })
    ));
    let anna = b.store.create_user(T, &new("anna", "long enough")).await.unwrap();
    assert!(matches!(
        b.store.create_user(T, &new("anna", "long enough")).await,
        Err(Error::Conflict(_))
    ));
    assert!(
        matches!(b.store.delete_user(T, admin.id).await, Err(Error::Conflict(_))),
        "the last admin stays"
    );
    b.store.delete_user(T, anna.id).await.unwrap();

    let token = b.store.create_token(T, "telegraf", Scope::Write).await.unwrap();
    assert_eq!(b.store.verify_token(&token.secret).await.unwrap(), Some(token.token.clone()));
    b.store.delete_token(T, token.token.id).await.unwrap();
    assert_eq!(b.store.verify_token(&token.secret).await.unwrap(), None);
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let b = bench().await;
    b.store.create_mapping_rule(T, &plant_rule()).await.unwrap();
    b.store.register(T, &b.mqtt, "h/l/press1/force", SignalKind::Gauge).await.unwrap();
    let asset = b.store.load_model(T).await.unwrap().assets[2].id;
    b.store.alarm_put(T, &[(7, asset, "{\"id\":7}".into())]).await.unwrap();
    b.store.alarm_put(T, &[(7, asset, "{\"id\":7,\"seq\":2}".into())]).await.unwrap();
    b.store.monitor_put(T, asset, "model").await.unwrap();
    let setting = DetectionSetting { asset: None, enabled: true, days_per_false_alarm: 7.0 };
    b.store.set_detection(T, setting).await.unwrap();
    let too_eager =
        DetectionSetting { days_per_false_alarm: 0.0, asset: Some(AssetId(1)), ..setting };
    assert!(b.store.set_detection(T, too_eager).await.is_err());
    let before = b.store.load_model(T).await.unwrap();
    b.store.close().await;

    let store = Metastore::open(&b.dir.path().join("meta.sqlite")).await.unwrap();
    assert_eq!(store.load_model(T).await.unwrap(), before);
    assert_eq!(store.alarms(T).await.unwrap(), [(7, "{\"id\":7,\"seq\":2}".to_owned())]);
    assert_eq!(store.monitors(T).await.unwrap(), [(asset, "model".to_owned())]);
    assert_eq!(store.detection_settings(T).await.unwrap(), [setting]);
}
