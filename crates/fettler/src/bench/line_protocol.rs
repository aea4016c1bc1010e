//! Rows per server CPU-second over line protocol: fsync before 204, queryable at the acknowledgement.
//!
//! InfluxDB 1.x, which syncs its log as well, gets the same bodies in the same round. Each round has servers of its own.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Instant;

use anyhow::{Context, ensure};

use super::server::{Server, stored_values};
use crate::serve::print;

/// Rows in one body.
const BODY_ROWS: usize = 5_000;
const FIELDS: usize = 10;
/// Bodies on their way at a time.
const SENDERS: usize = 4;
const SERIES: usize = 100;

#[derive(Clone, Copy)]
struct Measured {
    rows: usize,
    elapsed_s: f64,
    cpu_s: f64,
}

impl Measured {
    fn rows_per_cpu_s(&self) -> f64 {
        self.rows as f64 / self.cpu_s.max(1e-9)
    }
}

pub(crate) async fn run(rows: usize, rounds: usize) -> anyhow::Result<()> {
    let bodies = Arc::new(bodies(rows));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..rounds.max(1) {
        ours.push(fettler(&bodies, rows).await?);
        theirs.extend(influxdb(&bodies).await?);
    }
    print("| server | rows per CPU-second | rows/s | CPU-seconds |\n|---|---|---|---|\n");
    let ours = show("Fettler", &mut ours);
    let theirs = show("InfluxDB 1.x", &mut theirs);
    match ours.zip(theirs) {
        Some((ours, theirs)) => {
            let ratio = ours.rows_per_cpu_s() / theirs.rows_per_cpu_s();
            print(&format!("ratio of rows per CPU-second: {ratio:.1}\n"));
        }
        None => print("InfluxDB 1.x is not installed (apt-get install influxdb): no peer\n"),
    }
    Ok(())
}

async fn fettler(bodies: &Arc<Vec<String>>, rows: usize) -> anyhow::Result<Measured> {
    let server = Server::fettler()?;
    let measured = send(&server, "/api/v2/write?bucket=b&org=o", bodies).await?;
    let (n_sent, n_stored) = (rows * FIELDS, stored_values(server.web).await?);
    ensure!(n_stored == n_sent as u64, "{n_sent} values were sent and {n_stored} are stored");
    Ok(measured)
}

async fn influxdb(bodies: &Arc<Vec<String>>) -> anyhow::Result<Option<Measured>> {
    let Some(server) = Server::influxdb()? else { return Ok(None) };
    let create = format!("http://{}/query", server.web);
    let create = reqwest::Client::new().post(create).form(&[("q", "CREATE DATABASE b")]);
    create.send().await?.error_for_status()?;
    Ok(Some(send(&server, "/write?db=b", bodies).await?))
}

fn bodies(rows: usize) -> Vec<String> {
    let mut bodies = Vec::new();
    let mut body = String::new();
    for n in 0..rows {
        let (series, step) = (n % SERIES, n / SERIES);
        let _ = write!(body, "machine,line=l{},name=m{series} ", series % 4);
        for field in 0..FIELDS {
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

async fn send(server: &Server, path: &str, bodies: &Arc<Vec<String>>) -> anyhow::Result<Measured> {
    let url = format!("http://{}{path}", server.web);
    let http = reqwest::Client::new();
    // The first body makes the series; that is not what is measured.
    post(&http, &url, &bodies[0]).await?;
    let (started, cpu_before) = (Instant::now(), server.cpu_s());
    let mut tasks = tokio::task::JoinSet::new();
    for sender in 0..SENDERS {
        let (http, url, bodies) = (http.clone(), url.clone(), bodies.clone());
        tasks.spawn(async move {
            for body in bodies.iter().skip(1 + sender).step_by(SENDERS) {
                post(&http, &url, body).await?;
            }
            Ok::<(), anyhow::Error>(())
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.context("a sender ended early")??;
    }
    let rows = bodies[1..].iter().map(|body| body.lines().count()).sum();
    let elapsed_s = started.elapsed().as_secs_f64();
    Ok(Measured { rows, elapsed_s, cpu_s: server.cpu_s() - cpu_before })
}

async fn post(http: &reqwest::Client, url: &str, body: &str) -> anyhow::Result<()> {
    let answer = http.post(url).body(body.to_owned()).send().await?;
    answer.error_for_status().context("a body was refused")?;
    Ok(())
}

/// The round with the median.
fn show(name: &str, rounds: &mut [Measured]) -> Option<Measured> {
    rounds.sort_by(|a, b| a.rows_per_cpu_s().total_cmp(&b.rows_per_cpu_s()));
    let median = *rounds.get(rounds.len() / 2)?;
    print(&format!(
        "| {name} | {:.0} | {:.0} | {:.2} |\n",
        median.rows_per_cpu_s(),
        median.rows as f64 / median.elapsed_s,
        median.cpu_s
    ));
    Some(median)
}
