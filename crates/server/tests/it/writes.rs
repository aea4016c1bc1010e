//! Line protocol beyond what a YAML case can say: gzip, sizes, users, Telegraf's order of calls.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use metastore::Scope;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plant::Plant;

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

async fn count(plant: &Plant, query: &str) -> i64 {
    let body = serde_json::json!({ "query": query }).to_string();
    let request = plant
        .client
        .post(plant.url("/api/v1/sql"))
        .header("cookie", plant.cookie("operator").await);
    let answer = request
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await
        .expect("an answer");
    let text = answer.text().await.expect("a body");
    let json: Value = serde_json::from_str(&text).expect("JSON");
    json["rows"][0][0].as_i64().unwrap_or_else(|| panic!("no count in {text}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_204_means_that_every_row_is_queryable() {
    let plant = Plant::start().await;
    let lines: String =
        (0..5_000).map(|n| format!("m,t=a x={n},y={n} {}\n", 1_700_000_000_000_i64 + n)).collect();
    let request = plant
        .client
        .post(plant.url("/api/v2/write?precision=ms"))
        .header("content-encoding", "gzip");
    let answer = request.body(gzip(&lines)).send().await.expect("an answer");
    assert_eq!(answer.status(), 204, "{}", answer.text().await.unwrap_or_default());
    assert_eq!(count(&plant, "SELECT count(*) FROM samples").await, 10_000);
    let totals = plant.ingest.balance().totals();
    assert!(totals.holds() && totals.stored == 10_000, "{totals:?}");
    plant.stop().await;
}

/// A body without a length comes in pieces; once only the first piece was taken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_chunks_is_taken_whole() {
    let plant = Plant::start().await;
    let mut socket = tokio::net::TcpStream::connect(plant.address).await.expect("a connection");
    let head = format!(
        "POST /write?precision=s HTTP/1.1\r\nhost: {}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n",
        plant.address
    );
    socket.write_all(head.as_bytes()).await.expect("sent");
    for chunk in 0..3 {
        let lines: String = (0..2_000)
            .map(|n| format!("m x={n} {}\n", 1_700_000_000 + chunk * 2_000 + n))
            .collect();
        let framed = format!("{:x}\r\n{lines}\r\n", lines.len());
        socket.write_all(framed.as_bytes()).await.expect("sent");
        socket.flush().await.expect("sent");
    }
    socket.write_all(b"0\r\n\r\n").await.expect("sent");
    let mut answer = String::new();
    socket.read_to_string(&mut answer).await.expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 204"), "{answer}");
    assert_eq!(plant.ingest.balance().totals().stored, 6_000);
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_that_are_too_large_or_broken_are_refused() {
    let plant = Plant::with(|options| options.max_body_bytes = 10_000).await;
    let large = "m x=1\n".repeat(5_000);
    for (body, encoding, expected) in [
        (large.clone().into_bytes(), "identity", 413),
        (gzip(&large), "gzip", 413),
        (b"not gzip".to_vec(), "gzip", 400),
        (b"m x=1".to_vec(), "snappy", 400),
        (gzip("m x=1"), "gzip", 204),
    ] {
        let request =
            plant.client.post(plant.url("/api/v2/write")).header("content-encoding", encoding);
        let answer = request.body(body).send().await.expect("an answer");
        assert_eq!(answer.status(), expected, "{encoding}");
    }
    assert_eq!(plant.ingest.balance().totals().stored, 1);
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_both_versions_prove_themselves_their_way() {
    let plant = Plant::with(|options| options.anonymous_writes_from_loopback = false).await;
    let token = plant.token(Scope::Write).await;
    let read = plant.token(Scope::Read).await;
    let write = async |query: &str, authorization: Option<String>| {
        let mut request =
            plant.client.post(plant.url(&format!("/write?db=x{query}"))).body("m x=1");
        if let Some(value) = authorization {
            request = request.header("authorization", value);
        }
        request.send().await.expect("an answer").status().as_u16()
    };
    assert_eq!(write("", None).await, 401);
    assert_eq!(write("", Some(format!("Token {token}"))).await, 204);
    assert_eq!(write("", Some(format!("Bearer {token}"))).await, 204);
    assert_eq!(write(&format!("&u=telegraf&p={token}"), None).await, 204);
    assert_eq!(write("&u=engineer&p=engineer-password", None).await, 204);
    assert_eq!(write("&u=operator&p=operator-password", None).await, 403);
    assert_eq!(write("&u=engineer&p=wrong", None).await, 401);
    assert_eq!(write("", Some(format!("Token {read}"))).await, 403);
    assert_eq!(write("", Some("Token ft_0".to_owned())).await, 401);
    plant.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_wrong_passwords_must_wait() {
    let plant = Plant::start().await;
    let login = async |user: &str, password: &str| {
        let body = serde_json::json!({ "user": user, "password": password }).to_string();
        let request = plant
            .client
            .post(plant.url("/api/v1/login"))
            .header("content-type", "application/json");
        request.body(body).send().await.expect("an answer")
    };
    for _ in 0..5 {
        assert_eq!(login("operator", "wrong").await.status(), 401);
    }
    let refused = login("operator", "operator-password").await;
    assert_eq!(refused.status(), 429);
    let wait_s: u32 =
        refused.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    assert!((1..=30).contains(&wait_s));
    assert_eq!(login("engineer", "engineer-password").await.status(), 200, "others do not wait");
    plant.stop().await;
}
