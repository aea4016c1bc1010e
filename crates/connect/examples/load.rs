//! The MQTT load generator on its own: `cargo run --release -p connect --example load -- BROKER [CONNECTIONS] [MESSAGES] [WINDOW] [RATE]`.

use connect::load::{MqttLoad, run_mqtt};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let mut load = MqttLoad::default();
    let number = |at: usize| args.get(at).map(|text| text.parse::<f64>()).transpose();
    if let Some(broker) = args.first() {
        load.broker = broker.parse()?;
    }
    load.connections = number(1)?.map_or(load.connections, |n| n as u32);
    load.messages = number(2)?.map_or(load.messages, |n| n as u64);
    load.in_flight = number(3)?.map_or(load.in_flight, |n| n as u16);
    load.rate_per_s = number(4)?;
    let report = run_mqtt(&load).await;
    eprintln!(
        "{} connections, window {}: {} of {} acknowledged in {:.2} s = {:.0}/s; PUBACK p50 {:.2} ms, p99 {:.2} ms, max {:.2} ms",
        load.connections,
        load.in_flight,
        report.acked,
        report.sent,
        report.elapsed.as_secs_f64(),
        report.rate_per_s(),
        report.latency.quantile_us(0.5) as f64 / 1e3,
        report.latency.quantile_us(0.99) as f64 / 1e3,
        report.latency.max_us() as f64 / 1e3
    );
    for error in report.errors.iter().take(5) {
        eprintln!("{error}");
    }
    Ok(())
}
