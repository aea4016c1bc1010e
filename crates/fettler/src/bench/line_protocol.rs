//! Rows per server CPU-second over line protocol: fsync before 204, queryable at the acknowledgement.

use std::fmt::Write;
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::server::Server;
use crate::serve::print;

/// Rows in one body.
const BODY_ROWS: usize = 5_000;
/// Bodies on their way at a time.
const SENDERS: usize = 4;
const SERIES: usize = 100;

struct Measured {
    rows: usize,
    elapsed_s: f64,
    cpu_s: f64,
}

pub(crate) async fn run(rows: usize) -> anyhow::Result<()> {
    let bodies = bodies(rows);
    let ours = {
        let server = Server::fettler()?;
        let measured = send(&server, server.web, "/api/v2/write?bucket=b&org=o", &bodies).await?;
        check_balance(server.web, rows).await?;
        measured
    };
    report("Fettler", &ours);
    if let Some(server) = Server::influxdb()? {
        let create = format!("http://{}/query", server.web);
        reqwest::Client::new()
            .post(create)
            .form(&[("q", "CREATE DATABASE b")])
            .send()
            .await?
            .error_for_status()?;
        let peer = send(&server, server.web, "/write?db=b", &bodies).await?;
        report("InfluxDB 1.x", &peer);
        let ratio = (ours.rows as f64 / ours.cpu_s) / (peer.rows as f64 / peer.cpu_s);
        print(&format!("ratio of rows per CPU-second: {ratio:.1}\n"));
    } else {
        print("InfluxDB 1.x is not installed (apt-get install influxdb): no peer\n");
    }
    Ok(())
}

fn bodies(rows: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut body = String::new();
    for n in 0..rows {
        let (series, step) = (n % SERIES, n / SERIES);
        let _ = write!(body, "machine,line=l{},name=m{series} ", series % 4);
        for field in 0..10 {
            let value = 20.0 + field as f64 + ((n * 7 + field * 13) % 1000) as f64 / 1000.0;
            let _ = write!(body, "{}f{field}={value:.3}", if field > 0 { "," } else { "" });
        }
        let _ = writeln!(body, " {}", 1_767_225_600_000_000_000_i64 + step as i64 * 1_000_000_000);
        if (n + 1) % BODY_ROWS == 0 {
            bodies.push(std::mem::take(&mut body));
        }
    }
    if !body.is_empty() {
        bodies.push(body);
    }
    bodies
}

async fn send(
    server: &Server,
    address: SocketAddr,
    path: &str,
    bodies: &[String],
) -> anyhow::Result<Measured> {
    let url = format!("http://{address}{path}");
    let http = reqwest::Client::new();
    // The first body makes the series; that is not what is measured.
    http.post(&url).body(bodies[0].clone()).send().await?.error_for_status()?;
    let (started, cpu_before) = (Instant::now(), server.cpu_s());
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let (http, url) = (http.clone(), url.clone());
        let mine: Vec<String> = bodies.iter().skip(1 + sender).step_by(SENDERS).cloned().collect();
        tasks.spawn(async move {
            for body in mine {
                http.post(&url).body(body).send().await?.error_for_status()?;
            }
            Ok::<(), reqwest::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a sender ended early")?.context("a body was refused")?;
    }
    let rows = bodies[1..].iter().map(|body| body.lines().count()).sum();
    Ok(Measured {
        rows,
        elapsed_s: started.elapsed().as_secs_f64(),
        cpu_s: server.cpu_s() - cpu_before,
    })
}

/// Every value sent is stored, by the server's own books.
async fn check_balance(address: SocketAddr, rows: usize) -> anyhow::Result<()> {
    let metrics = reqwest::get(format!("http://{address}/metrics")).await?.text().await?;
    let stored: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("fettler_stored"))
        .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
        .sum();
    ensure!(stored as usize == rows * 10, "{} values were sent and {stored} are stored", rows * 10);
    Ok(())
}

fn report(name: &str, measured: &Measured) {
    let Measured { rows, elapsed_s, cpu_s } = measured;
    print(&format!(
        "{name:<14} {rows} rows of 10 fields in {elapsed_s:.2} s; {:.0} rows per server CPU-second, {:.0} rows/s\n",
        *rows as f64 / cpu_s.max(1e-9),
        *rows as f64 / elapsed_s
    ));
}
