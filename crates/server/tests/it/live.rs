//! The WebSocket: first value at once, coalesced values, numbered alarms, and what is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::plant::Plant;

/// Long enough for a busy machine; a message that does not come fails the test.
const PATIENCE: Duration = Duration::from_secs(20);

struct Tab {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
}

impl Tab {
    async fn open(plant: &Plant) -> Tab {
        let mut request =
            format!("ws://{}/api/v1/live", plant.address).into_client_request().expect("a request");
        let cookie = plant.cookie("operator").await;
        request.headers_mut().insert("cookie", cookie.parse().expect("a header"));
        let (socket, _) = tokio_tungstenite::connect_async(request).await.expect("a socket");
        let mut tab = Tab { socket };
        let hello = tab.next("hello").await;
        assert!(hello["now_us"].is_i64() && hello["alarm_seq"].is_u64(), "{hello}");
        tab
    }

    async fn say(&mut self, message: Value) {
        self.socket.send(Message::text(message.to_string())).await.expect("the socket takes it");
    }

    /// The next message of a type; others are passed over.
    async fn next(&mut self, kind: &str) -> Value {
        tokio::time::timeout(PATIENCE, async {
            loop {
                let message = self.socket.next().await.expect("an open socket").expect("a message");
                let Message::Text(text) = message else { continue };
                let message: Value = serde_json::from_str(&text).expect("JSON");
                if message["type"] == kind {
                    return message;
                }
            }
        })
        .await
        .unwrap_or_else(|_| panic!("no `{kind}` came"))
    }

    async fn close_code(&mut self) -> u16 {
        tokio::time::timeout(PATIENCE, async {
            loop {
                if let Message::Close(Some(frame)) =
                    self.socket.next().await.expect("a close").expect("a message")
                {
                    return u16::from(frame.code);
                }
            }
        })
        .await
        .expect("the socket is closed")
    }
}

async fn signals(plant: &Plant) -> BTreeMap<String, u32> {
    let cookie = plant.cookie("operator").await;
    let answer =
        plant.client.get(plant.url("/api/v1/signals")).header("cookie", cookie).send().await;
    let text = answer.expect("an answer").text().await.expect("a body");
    let page: Value = serde_json::from_str(&text).expect("JSON");
    let signals = page["signals"].as_array().expect("signals");
    signals
        .iter()
        .map(|signal| {
            let name = signal["name"].as_str().expect("a name").to_owned();
            (name, signal["id"].as_u64().expect("an identity") as u32)
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn values_come_at_once_and_the_last_one_wins() {
    let plant = Plant::start().await;
    plant.write("oven temp=20,door=1".to_owned()).await;
    let ids = signals(&plant).await;
    let temp = ids["_raw/http/oven/temp"];
    let mut tab = Tab::open(&plant).await;
    tab.say(json!({ "subscribe": { "signals": [temp] } })).await;
    let first = tab.next("values").await;
    assert_eq!(
        first["values"].as_array().map(Vec::len),
        Some(1),
        "only what was asked for: {first}"
    );
    assert_eq!((&first["values"][0][0], &first["values"][0][2]), (&json!(temp), &json!(20.0)));

    let begun = std::time::Instant::now();
    for n in 0..200 {
        plant.write(format!("oven temp={n}")).await;
    }
    let mut n_batches = 0;
    loop {
        let batch = tab.next("values").await;
        n_batches += 1;
        if batch["values"][0][2] == json!(199.0) {
            break;
        }
    }
    let most = begun.elapsed().as_millis() / 30 + 2;
    assert!(n_batches <= most, "{n_batches} batches, at most one in 30 ms: {most}");
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_tabs_see_the_same_and_a_changed_wish_replaces_the_old_one() {
    let plant = Plant::start().await;
    plant.write("oven a=1,b=2".to_owned()).await;
    let ids = signals(&plant).await;
    let (a, b) = (ids["_raw/http/oven/a"], ids["_raw/http/oven/b"]);
    let mut tabs = Vec::new();
    for _ in 0..30 {
        let mut tab = Tab::open(&plant).await;
        tab.say(json!({ "subscribe": { "signals": [b, a] } })).await;
        assert_eq!(tab.next("values").await["values"].as_array().map(Vec::len), Some(2));
        tabs.push(tab);
    }
    plant.write("oven a=7".to_owned()).await;
    for tab in &mut tabs {
        assert_eq!(tab.next("values").await["values"][0][2], json!(7.0));
    }
    let tab = &mut tabs[0];
    tab.say(json!({ "subscribe": { "signals": [b] } })).await;
    assert_eq!(tab.next("values").await["values"][0][0], json!(b));
    plant.write("oven a=8".to_owned()).await;
    plant.write("oven b=9".to_owned()).await;
    let next = tab.next("values").await;
    assert_eq!((&next["values"][0][0], &next["values"][0][2]), (&json!(b), &json!(9.0)));
    let status = tab.next("status").await;
    assert!(status["accepted"].is_u64() && status["read_only"].is_null(), "{status}");
    drop(tabs);
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn alarms_are_numbered_without_holes() {
    let plant = Plant::start().await;
    plant.write("oven temp=20".to_owned()).await;
    let cookie = plant.cookie("engineer").await;
    let post = async |path: &str, body: Value| {
        let request = plant.client.post(plant.url(path)).header("cookie", cookie.clone());
        let answer =
            request.header("content-type", "application/json").body(body.to_string()).send().await;
        let answer = answer.expect("an answer");
        assert!(
            answer.status().is_success(),
            "{path}: {}",
            answer.text().await.unwrap_or_default()
        );
    };
    let id = signals(&plant).await["_raw/http/oven/temp"];
    post(
        "/api/v1/bindings",
        json!({ "bind": [{ "signal": id, "asset_path": "h/l/oven", "name": "temp" }] }),
    )
    .await;
    let rule = json!({ "signal": id, "above": 100, "priority": 2, "response": "open the door" });
    post("/api/v1/rules", rule).await;
    let mut tab = Tab::open(&plant).await;
    tab.say(json!({ "subscribe": { "alarms": true } })).await;
    tab.next("status").await;
    // The rule is in force once ingest has followed the model; the value is repeated until it rings.
    let ringing = async {
        let mut value = 150;
        loop {
            value += 1;
            plant.write(format!("oven temp={value}")).await;
            if !plant.ingest.alarms().is_empty() {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, ringing).await.expect("an alarm");
    let raised = tab.next("alarm").await;
    assert_eq!(
        (&raised["alarm"]["state"], &raised["alarm"]["priority"]),
        (&json!("unack"), &json!(2)),
        "{raised}"
    );
    let alarm = raised["alarm"]["id"].as_u64().expect("an identity");
    post(&format!("/api/v1/alarms/{alarm}/ack"), json!({})).await;
    plant.write("oven temp=20".to_owned()).await;
    let first = raised["seq"].as_u64().expect("a number");
    for (seq, expected) in (first + 1..).zip(["acked", "normal"]) {
        let change = tab.next("alarm").await;
        assert_eq!(change["alarm"]["state"], json!(expected), "{change}");
        assert_eq!(change["seq"].as_u64(), Some(seq), "no holes");
    }
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sockets_are_refused_and_closed_with_a_reason() {
    let plant = Plant::start().await;
    let anonymous =
        tokio_tungstenite::connect_async(format!("ws://{}/api/v1/live", plant.address)).await;
    assert!(anonymous.is_err_and(|error| error.to_string().contains("401")));

    let mut request =
        format!("ws://{}/api/v1/live", plant.address).into_client_request().expect("a request");
    request.headers_mut().insert("cookie", plant.cookie("admin").await.parse().expect("a header"));
    request.headers_mut().insert("origin", "http://evil.example".parse().expect("a header"));
    let foreign = tokio_tungstenite::connect_async(request).await;
    assert!(
        foreign.is_err_and(|error| error.to_string().contains("403")),
        "another site's page must not listen"
    );

    let mut tab = Tab::open(&plant).await;
    tab.say(json!({ "hello": 1 })).await;
    assert_eq!(tab.close_code().await, 1007);
    let mut tab = Tab::open(&plant).await;
    let too_many: Vec<u32> = (0..6_000).collect();
    tab.say(json!({ "subscribe": { "signals": too_many } })).await;
    assert_eq!(tab.close_code().await, 1008);

    let mut tab = Tab::open(&plant).await;
    let stopping = tokio::spawn(plant.stop());
    assert_eq!(tab.close_code().await, 1012, "a stopping server says so");
    stopping.await.expect("it stopped");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_house_waits_until_somebody_leaves() {
    let plant = Plant::with(|options| options.max_connections = 2).await;
    let first = Tab::open(&plant).await;
    let second = Tab::open(&plant).await;
    {
        let third = Tab::open(&plant);
        tokio::pin!(third);
        tokio::select! {
            biased;
            _ = &mut third => panic!("there was no room"),
            () = quiet(&plant) => {}
        }
        drop(first);
        tokio::time::timeout(PATIENCE, third).await.expect("room now");
    }
    drop(second);
    plant.stop().await;
}

/// Several steps of ingest: longer than a connection takes that has room.
async fn quiet(plant: &Plant) {
    let mut model = plant.ingest.model_changes();
    for n in 0..5 {
        let source = plant.ingest.source("quiet", "http").await.expect("a source");
        let directory = plant.ingest.directory();
        let address = format!("quiet/{n}");
        assert!(directory.resolve(source, &address, connect::LooksLike::Number).await.is_some());
        model.changed().await.expect("a new model");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tab_that_does_not_read_is_dropped_and_holds_nobody_up() {
    let plant = Plant::with(|options| options.slow_tab_after = Duration::from_millis(200)).await;
    let fields = |value: usize| {
        let fields: Vec<String> = (0..5_000).map(|n| format!("f{n}={value}")).collect();
        format!("big {}", fields.join(","))
    };
    plant.write(fields(0)).await;
    let ids: Vec<u32> = plant.ingest.model().all_signals().map(|signal| signal.id.0).collect();
    assert_eq!(ids.len(), 5_000);
    let mut slow = Tab::open(&plant).await;
    slow.say(json!({ "subscribe": { "signals": ids } })).await;
    let mut quick = Tab::open(&plant).await;
    quick.say(json!({ "subscribe": { "signals": ids } })).await;
    quick.next("values").await;
    // 250 kB per batch: what the operating system keeps for the slow tab is soon full.
    for value in 1..=40 {
        plant.write(fields(value)).await;
        quick.next("values").await;
    }
    let drained = async {
        while let Some(Ok(message)) = slow.socket.next().await {
            if let Message::Close(Some(frame)) = message {
                assert_eq!(u16::from(frame.code), 1013);
            }
        }
    };
    tokio::time::timeout(PATIENCE, drained).await.expect("the slow tab was dropped");
    plant.stop().await;
}
