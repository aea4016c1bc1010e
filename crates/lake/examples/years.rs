//! Fills a lake with years of one sample per second and measures how fast they are stored and drawn.
//!
//! ```text
//! cargo run --profile quick-release -p lake --example years -- <directory> [days 1095] [signals 2] [width in pixels 1000]
//! ```
//! A directory that holds days already is measured as it is.

#![allow(clippy::print_stdout, reason = "this is what it is for")]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use lake::{Lake, Options};
use signal::{
    DAY_US, Quality, Rows, Sample, SampleColumns, SignalId, SourceId, TenantId, TimeRange,
};

/// 2023-01-01.
const START_US: i64 = 1_672_531_200_000_000;
const TENANT: TenantId = TenantId(1);
const N_ZOOMS: u64 = 200;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let dir = args.first().ok_or("which directory?")?;
    let number = |idx: usize, default: i64| args.get(idx).map_or(Ok(default), |text| text.parse());
    let (n_days, n_signals, width_px) =
        (number(1, 1095)?, number(2, 2)? as u32, number(3, 1000)? as u32);
    let buffer = Arc::new(wal::Buffer::default());
    let started = Instant::now();
    let lake = Lake::open(Path::new(dir), buffer.clone(), Options::default())?;
    let stored = lake.extent(TENANT).await?;
    println!("open and extent       {:>8.1} ms", ms(started.elapsed()));
    if stored.is_none() {
        fill(&lake, &buffer, n_days, n_signals).await?;
    }
    let extent = lake.extent(TENANT).await?.ok_or("nothing is stored")?;
    let stats = lake.stats(TENANT).await;
    println!(
        "stored                {} rows in {} files, {:.2} bytes per row, roll-ups {:.2} bytes per row",
        stats.rows,
        stats.files,
        stats.bytes as f64 / stats.rows as f64,
        folder_bytes(&Path::new(dir).join("1/rollup"))? as f64 / stats.rows as f64
    );
    measure(&lake, extent, n_signals, width_px).await
}

/// One flush per day, as when history is loaded.
async fn fill(
    lake: &Lake,
    buffer: &wal::Buffer,
    n_days: i64,
    n_signals: u32,
) -> Result<(), lake::Error> {
    let mut spent = Duration::ZERO;
    let mut level = vec![20.0f64; n_signals as usize];
    let mut random = Random(7);
    for day in 0..n_days {
        let mut samples = SampleColumns::default();
        for second in 0..86_400 {
            for signal in 0..n_signals {
                let value = &mut level[signal as usize];
                *value += 0.01 * (20.0 - *value) + random.next_f64() - 0.5;
                samples.push(Sample {
                    signal: SignalId(signal + 1),
                    time_us: START_US + day * DAY_US + second * 1_000_000,
                    // A sensor of 12 bits or so.
                    value: (*value * 100.0).round() / 100.0,
                    quality: Quality::GOOD,
                });
            }
        }
        let rows = Rows { tenant: TENANT, source: SourceId(1), samples, events: Vec::new() };
        buffer.push(day as u64 + 1, &rows, 0);
        let started = Instant::now();
        lake.flush(TENANT).await?;
        spent += started.elapsed();
    }
    let n_rows = n_days * 86_400 * i64::from(n_signals);
    println!(
        "flush                 {:>8.0} rows/s in {n_days} flushes",
        n_rows as f64 / spent.as_secs_f64()
    );
    Ok(())
}

async fn measure(
    lake: &Lake,
    extent: TimeRange,
    n_signals: u32,
    width_px: u32,
) -> Result<(), Box<dyn std::error::Error>> {
    for n in 0..3 {
        let started = Instant::now();
        let trend = lake.trend(TENANT, &[SignalId(1)], extent, width_px).await?;
        println!(
            "whole range, look {}   {:>8.1} ms, {} buckets",
            n + 1,
            ms(started.elapsed()),
            trend.series[0].min.len()
        );
    }
    let mut random = Random(42);
    let signals: Vec<SignalId> = (1..=n_signals).map(SignalId).collect();
    for wanted in [&signals[..1], &signals[..]] {
        let mut times: Vec<Duration> = Vec::new();
        for _ in 0..N_ZOOMS {
            // From a minute to everything, equally often per factor of two.
            let len_us = (extent.len_us() as f64
                / (random.next_f64() * (extent.len_us() as f64 / 6e7).ln()).exp())
                as i64;
            let start_us =
                extent.start_us + ((extent.len_us() - len_us) as f64 * random.next_f64()) as i64;
            let started = Instant::now();
            lake.trend(TENANT, wanted, TimeRange { start_us, end_us: start_us + len_us }, width_px)
                .await?;
            times.push(started.elapsed());
        }
        times.sort();
        let at = |share: f64| ms(times[(share * (times.len() - 1) as f64) as usize]);
        println!(
            "pan and zoom, {:>2} signals  p50 {:.1} ms, p95 {:.1} ms, worst {:.1} ms",
            wanted.len(),
            at(0.5),
            at(0.95),
            at(1.0)
        );
    }
    let started = Instant::now();
    let n_last = lake.last_values(TENANT).await?.len();
    println!("newest values         {:>8.1} ms for {n_last} signals", ms(started.elapsed()));
    for query in [
        "SELECT 1",
        "SELECT count(*) FROM samples",
        "SELECT * FROM latest",
        "SELECT time_bucket(INTERVAL '1 hour', time) AS t, avg(value) FROM samples WHERE signal = 1 \
         AND day = DATE '2023-01-02' GROUP BY t ORDER BY t",
    ] {
        let started = Instant::now();
        lake.sql(TENANT, query, 1000).await?;
        println!("{:>8.1} ms for {query:.60}", ms(started.elapsed()));
    }
    Ok(())
}

fn folder_bytes(dir: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(dir)? {
        bytes += entry?.metadata()?.len();
    }
    Ok(bytes)
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// SplitMix64 (Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators").
struct Random(u64);

impl Random {
    fn next_f64(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
