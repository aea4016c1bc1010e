//! QoS 1 messages per second, decoded, mapped and fsynced before PUBACK; mosquitto beside, which keeps nothing.
//!
//! Each scenario runs on both servers in turn, round by round, so that a machine that is busy for a while is busy for
//! both. Latencies are counted from when a message was due.

use std::time::Duration;

use anyhow::ensure;
use connect::load::{MqttLoad, MqttReport, run_mqtt};

use super::server::{Server, stored_values};
use crate::serve::print;

/// Topics of one connection.
const TOPICS: u32 = 20;
/// Time stamps of the first message of the first load; later loads begin where no earlier one was.
const FIRST_US: i64 = 1_767_225_600_000_000;
/// Between the time stamps of two loads.
const LOAD_US: i64 = 1_000_000_000;

/// What is asked of a broker.
#[derive(Clone, Copy)]
struct Scenario {
    connections: u32,
    messages: u64,
    in_flight: u16,
    rate_per_s: Option<f64>,
}

struct Measured {
    report: MqttReport,
    cpu_s: f64,
}

/// The three questions of the goals, or one that the caller asks.
pub(crate) async fn run(
    connections: Option<u32>,
    messages: u64,
    rate: Option<f64>,
    rounds: usize,
) -> anyhow::Result<()> {
    let scenario = |connections: u32, messages, in_flight, rate_per_s| Scenario {
        connections,
        messages,
        in_flight,
        rate_per_s,
    };
    let scenarios = if connections.is_some() || rate.is_some() {
        let connections = connections.unwrap_or(50);
        vec![scenario(connections, messages, 100, rate)]
    } else {
        vec![
            scenario(50, messages, 100, None),
            scenario(1, messages, 1000, None),
            scenario(50, messages.min(100_000), 20, Some(10_000.0)),
        ]
    };
    let fettler = Server::fettler()?;
    let mosquitto = Server::mosquitto()?;
    if mosquitto.is_none() {
        print("mosquitto is not installed (apt-get install mosquitto): no peer\n");
    }
    print(
        "| connections | asked | server | messages/s | CPU µs/message | PUBACK p50 ms | p99 ms |\n|---|---|---|---|---|---|---|\n",
    );
    let mut clock = Clock::default();
    let mut n_acked = 0;
    for scenario in scenarios {
        // Registers all signals; that is not what is measured.
        let warm = Scenario {
            messages: u64::from(scenario.connections * TOPICS),
            rate_per_s: None,
            ..scenario
        };
        n_acked += measure(&fettler, warm, &mut clock).await?.report.acked;
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..rounds.max(1) {
            let measured = measure(&fettler, scenario, &mut clock).await?;
            n_acked += measured.report.acked;
            ours.push(measured);
            if let Some(mosquitto) = &mosquitto {
                theirs.push(measure(mosquitto, scenario, &mut clock).await?);
            }
        }
        show("Fettler", scenario, &mut ours);
        show("mosquitto", scenario, &mut theirs);
    }
    let n_stored = stored_values(fettler.web).await?;
    ensure!(n_stored == n_acked, "{n_acked} messages were acknowledged and {n_stored} are stored");
    print(&format!(
        "all {n_acked} messages that Fettler acknowledged are stored, by its own books\n"
    ));
    Ok(())
}

/// Gives each load time stamps of its own.
#[derive(Default)]
struct Clock(i64);

async fn measure(
    server: &Server,
    scenario: Scenario,
    clock: &mut Clock,
) -> anyhow::Result<Measured> {
    let load = MqttLoad {
        broker: server.mqtt,
        connections: scenario.connections,
        messages: scenario.messages / u64::from(scenario.connections),
        in_flight: scenario.in_flight,
        rate_per_s: scenario.rate_per_s,
        topics: TOPICS,
        first_us: FIRST_US + clock.0 * LOAD_US,
        ..MqttLoad::default()
    };
    clock.0 += 1;
    let cpu_before = server.cpu_s();
    let report = run_mqtt(&load).await;
    ensure!(report.errors.is_empty(), "{}", report.errors.join("; "));
    ensure!(
        report.acked == report.sent,
        "{} were sent, {} acknowledged",
        report.sent,
        report.acked
    );
    Ok(Measured { cpu_s: server.cpu_s() - cpu_before, report })
}

/// The round with the median rate.
fn show(name: &str, scenario: Scenario, rounds: &mut [Measured]) {
    rounds.sort_by(|a, b| a.report.rate_per_s().total_cmp(&b.report.rate_per_s()));
    let Some(median) = rounds.get(rounds.len() / 2) else { return };
    let report = &median.report;
    let asked =
        scenario.rate_per_s.map_or("all it takes".to_owned(), |rate| format!("{rate:.0}/s"));
    print(&format!(
        "| {} | {asked} | {name} | {:.0} | {:.1} | {:.1} | {:.1} |\n",
        scenario.connections,
        report.rate_per_s(),
        median.cpu_s / report.acked as f64 * 1e6,
        ms(report.latency.quantile_us(0.5)),
        ms(report.latency.quantile_us(0.99)),
    ));
}

fn ms(us: u64) -> f64 {
    Duration::from_micros(us).as_secs_f64() * 1e3
}
