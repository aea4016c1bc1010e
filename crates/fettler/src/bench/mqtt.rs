//! QoS 1 messages per second, decoded, mapped and fsynced before PUBACK; mosquitto beside, which keeps nothing.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use mqtt_protocol_core::mqtt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::server::Server;
use crate::serve::print;

/// Unacknowledged messages per connection.
const WINDOW: usize = 1000;

struct Measured {
    messages: usize,
    elapsed_s: f64,
    cpu_s: f64,
    ack_ms: Vec<f64>,
}

pub(crate) async fn run(connections: usize, messages: usize, rate: u32) -> anyhow::Result<()> {
    let server = Server::fettler()?;
    // Registers all signals; that is not what is measured.
    load(&server, server.mqtt, connections, connections * 20, 0).await?;
    report("Fettler", &load(&server, server.mqtt, connections, messages, rate).await?);
    drop(server);
    match Server::mosquitto()? {
        Some(server) => {
            report("mosquitto", &load(&server, server.mqtt, connections, messages, rate).await?);
        }
        None => print("mosquitto is not installed (apt-get install mosquitto): no peer\n"),
    }
    Ok(())
}

async fn load(
    server: &Server,
    broker: SocketAddr,
    connections: usize,
    messages: usize,
    rate: u32,
) -> anyhow::Result<Measured> {
    let each = messages / connections;
    let (started, cpu_before) = (Instant::now(), server.cpu_s());
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..connections {
        let rate_each = f64::from(rate) / connections as f64;
        tasks.spawn(client(broker, number, each, rate_each));
    }
    let mut ack_ms = Vec::with_capacity(messages);
    while let Some(done) = tasks.join_next().await {
        ack_ms.extend(done.context("a client ended early")??);
    }
    let elapsed_s = started.elapsed().as_secs_f64();
    ensure!(
        ack_ms.len() == each * connections,
        "{} messages were sent and {} acknowledged",
        each * connections,
        ack_ms.len()
    );
    ack_ms.sort_unstable_by(f64::total_cmp);
    Ok(Measured {
        messages: each * connections,
        elapsed_s,
        cpu_s: server.cpu_s() - cpu_before,
        ack_ms,
    })
}

/// Sends `messages` with at most [`WINDOW`] of them unacknowledged; returns the time to each PUBACK in ms.
async fn client(
    broker: SocketAddr,
    number: usize,
    messages: usize,
    rate: f64,
) -> anyhow::Result<Vec<f64>> {
    let mut socket = TcpStream::connect(broker).await.context("cannot reach the broker")?;
    socket.set_nodelay(true).context("cannot set up the socket")?;
    let connect = mqtt::packet::v3_1_1::Connect::builder()
        .client_id(format!("bench-{number}"))
        .and_then(|builder| builder.clean_session(true).keep_alive(0).build())
        .map_err(|error| anyhow::anyhow!("{error:?}"))?;
    socket.write_all(&connect.to_continuous_buffer()).await?;
    let mut connack = [0; 4];
    socket.read_exact(&mut connack).await.context("no CONNACK")?;
    ensure!(connack[3] == 0, "the broker refused the connection");

    let mut sent: HashMap<u16, Instant> = HashMap::with_capacity(WINDOW);
    let mut ack_ms = Vec::with_capacity(messages);
    let (mut n_sent, mut out, mut inbox, mut buffer) =
        (0, Vec::new(), Vec::new(), vec![0; 64 * 1024]);
    let started = Instant::now();
    while ack_ms.len() < messages {
        let due = if rate > 0.0 {
            (started.elapsed().as_secs_f64() * rate) as usize + 1
        } else {
            messages
        };
        while n_sent < messages.min(due) && sent.len() < WINDOW {
            let packet_id = (n_sent % 65_000 + 1) as u16;
            put_publish(&mut out, number, n_sent, packet_id);
            sent.insert(packet_id, Instant::now());
            n_sent += 1;
        }
        if !out.is_empty() {
            socket.write_all(&out).await.context("the broker hung up")?;
            out.clear();
        }
        let wait = if rate > 0.0 && n_sent < messages {
            Duration::from_secs_f64(1.0 / rate).min(Duration::from_millis(5))
        } else {
            Duration::from_secs(30)
        };
        match tokio::time::timeout(wait, socket.read(&mut buffer)).await {
            Ok(Ok(0)) => bail!("the broker hung up"),
            Ok(Ok(n_bytes)) => {
                inbox.extend_from_slice(&buffer[..n_bytes]);
                // Every PUBACK of 3.1.1 is four bytes: 0x40 0x02 and the packet identifier.
                let whole = inbox.len() / 4 * 4;
                for ack in inbox[..whole].chunks_exact(4) {
                    ensure!(ack[0] == 0x40, "expected PUBACK, got {ack:?}");
                    if let Some(then) = sent.remove(&u16::from_be_bytes([ack[2], ack[3]])) {
                        ack_ms.push(then.elapsed().as_secs_f64() * 1000.0);
                    }
                }
                inbox.drain(..whole);
            }
            Ok(Err(error)) => return Err(error).context("the connection broke"),
            Err(_) if rate > 0.0 => {}
            Err(_) => bail!("no PUBACK for 30 s"),
        }
    }
    Ok(ack_ms)
}

fn put_publish(out: &mut Vec<u8>, number: usize, n: usize, packet_id: u16) {
    let topic = format!("bench/line{}/m{number}/s{}", number % 4, n % 20);
    let payload =
        format!("{{\"t\":{},\"v\":{}.{:03}}}", 1_767_225_600_000_u64 + n as u64, n % 100, n % 1000);
    out.push(0x32);
    let mut remaining = 2 + topic.len() + 2 + payload.len();
    loop {
        let byte = (remaining % 128) as u8;
        remaining /= 128;
        out.push(if remaining > 0 { byte | 0x80 } else { byte });
        if remaining == 0 {
            break;
        }
    }
    out.extend_from_slice(&(topic.len() as u16).to_be_bytes());
    out.extend_from_slice(topic.as_bytes());
    out.extend_from_slice(&packet_id.to_be_bytes());
    out.extend_from_slice(payload.as_bytes());
}

fn report(name: &str, measured: &Measured) {
    let at = |share: f64| measured.ack_ms[((measured.ack_ms.len() - 1) as f64 * share) as usize];
    print(&format!(
        "{name:<10} {} messages in {:.2} s: {:.0}/s; {:.2} server CPU-s per million; PUBACK p50 {:.1} ms, p99 {:.1} ms\n",
        measured.messages,
        measured.elapsed_s,
        measured.messages as f64 / measured.elapsed_s,
        measured.cpu_s / measured.messages as f64 * 1e6,
        at(0.5),
        at(0.99)
    ));
}
