//! The broker alone, for interoperability suites and for measuring it beside others.
//!
//! `cargo run --release -p connect --example broker -- [LISTEN] [FILE]`
//!
//! LISTEN is an address such as 127.0.0.1:1883; rows are acknowledged after they are written to FILE and synced,
//! or at once when there is none. Its own processor time is printed with the counters every two seconds.

use std::net::SocketAddr;
use std::time::Duration;

use connect::mqtt::{self, Options};
use connect::testing::{House, Store};
use signal::{SourceId, TenantId};
use tokio_util::sync::CancellationToken;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let listen = args.next().unwrap_or_else(|| "127.0.0.1:1883".to_owned());
    let file = args.next().map(std::fs::File::create).transpose()?;
    let house = House::open(1_000_000, Store { keep: false, file });
    let listen: SocketAddr = listen.parse()?;
    let options = Options {
        allow_anonymous: true,
        not_readable: vec!["test/nosubscribe".to_owned()],
        ..Options::new(listen, TenantId::FIRST, SourceId(1))
    };
    let broker = mqtt::bind(options, house.inlet.clone(), house.directory.clone()).await?;
    eprintln!("MQTT on {}", broker.local_addr()?);
    let (handle, stop) = (broker.handle(), CancellationToken::new());
    let running = tokio::spawn(broker.run(stop.clone()));
    let mut tick = tokio::time::interval(Duration::from_secs(2));
    let mut before = handle.stats();
    loop {
        tokio::select! {
            _ = tokio::signal::ctrl_c() => break,
            _ = tick.tick() => {
                let stats = handle.stats();
                if stats != before {
                    eprintln!("{stats:?} rows={} cpu_s={:.2}", house.n_rows(), cpu_s());
                }
                before = stats;
            }
        }
    }
    stop.cancel();
    running.await?;
    Ok(())
}

/// Processor time of this process so far, from /proc; 0 where there is none.
fn cpu_s() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // After the name in parentheses: fields 14 and 15, in hundredths of a second.
    let fields = stat.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    ticks.sum::<f64>() / 100.0
}
