//! The lake against a real directory: every row once, whatever was flushed, merged or interrupted.

#![allow(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lake::{EventFilter, Lake, Options};
use signal::{
    AssetId, DAY_US, Event, EventKind, Flag, Quality, Rows, Sample, SampleColumns, SignalId,
    SourceId, TenantId, TimeRange,
};

const T0: i64 = 1_767_225_600_000_000;
const ONE: TenantId = TenantId(1);
const ALL: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX / 2 };

struct House {
    dir: tempfile::TempDir,
    buffer: Arc<wal::Buffer>,
    lake: Arc<Lake>,
    lsn: u64,
}

impl House {
    fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let buffer = Arc::new(wal::Buffer::default());
        let lake = Arc::new(Lake::open(dir.path(), buffer.clone(), Options::default()).unwrap());
        House { dir, buffer, lake, lsn: 0 }
    }

    /// As after a crash: the buffer is gone, the directory stays.
    fn restart(mut self) -> House {
        self.buffer = Arc::new(wal::Buffer::default());
        self.lake =
            Arc::new(Lake::open(self.dir.path(), self.buffer.clone(), Options::default()).unwrap());
        self
    }

    fn push(&mut self, rows: &Rows) -> u64 {
        self.lsn += 1;
        self.buffer.push(self.lsn, rows, T0);
        self.lsn
    }

    async fn sums(&self) -> BTreeMap<u32, (usize, f64)> {
        let signals: Vec<SignalId> = (0..20).map(SignalId).collect();
        let mut sums = BTreeMap::new();
        for sample in self.lake.samples(ONE, &signals, ALL, 1_000_000).await.unwrap() {
            let sum: &mut (usize, f64) = sums.entry(sample.signal.0).or_default();
            sum.0 += 1;
            sum.1 += sample.value;
        }
        sums
    }

    async fn sql(&self, query: &str) -> String {
        match self.lake.sql(ONE, query, 1000).await {
            Ok(answer) => answer.rows_json().unwrap(),
            Err(error) => format!("error: {error}"),
        }
    }
}

fn rows(samples: &[(u32, i64, f64, Quality)]) -> Rows {
    let mut columns = SampleColumns::default();
    for &(signal, time_us, value, quality) in samples {
        columns.push(Sample { signal: SignalId(signal), time_us, value, quality });
    }
    Rows { tenant: ONE, source: SourceId(1), samples: columns, events: Vec::new() }
}

fn ramp(signal: u32, from: i64, n_rows: i64) -> Rows {
    let samples: Vec<_> = (from..from + n_rows)
        .map(|n| (signal, T0 + n * 60_000_000, n as f64, Quality::GOOD))
        .collect();
    rows(&samples)
}

#[tokio::test]
async fn buffer_and_tables_together_hold_every_row_once() {
    let mut house = House::new();
    assert_eq!(house.sql("SELECT count(*) FROM samples").await, "[[0]]");
    house.push(&ramp(1, 0, 3000));
    assert_eq!(house.sums().await[&1].0, 3000);
    let flushed = house.lake.flush(ONE).await.unwrap().unwrap();
    assert_eq!((flushed.rows, flushed.last_lsn, house.buffer.rows(ONE)), (3000, 1, 0));
    house.push(&ramp(1, 3000, 50));
    house.push(&ramp(2, 0, 10));
    let expected = BTreeMap::from([(1, (3050, (0..3050).sum::<i64>() as f64)), (2, (10, 45.0))]);
    assert_eq!(house.sums().await, expected);
    house.lake.flush(ONE).await.unwrap();
    assert_eq!(house.sums().await, expected);
    assert_eq!(house.lake.flush(ONE).await.unwrap(), None);
    assert_eq!(house.lake.committed(ONE).await.unwrap().samples_lsn, 3);
    assert_eq!(house.restart().sums().await, expected);
}

#[tokio::test]
async fn what_is_replayed_after_a_crash_is_not_doubled() {
    let mut house = House::new();
    let mut first = ramp(1, 0, 100);
    first.events.push(note("before"));
    house.push(&first);
    house.lake.flush(ONE).await.unwrap();
    let mut second = ramp(1, 100, 100);
    second.events.push(note("after"));
    house.push(&second);
    let mut house = house.restart();
    // The log still holds both entries; it is shortened some time after the commit.
    house.buffer.push(1, &first, T0);
    house.buffer.push(2, &second, T0);
    house.lsn = 2;
    assert_eq!(house.sums().await[&1].0, 200);
    assert_eq!(
        house.sql("SELECT body FROM events ORDER BY body").await,
        r#"[["after"],["before"]]"#
    );
    house.lake.flush(ONE).await.unwrap();
    assert_eq!(house.sums().await[&1].0, 200);
    assert_eq!(house.sql("SELECT count(*) FROM events").await, "[[2]]");
}

#[tokio::test]
async fn a_commit_that_a_power_cut_emptied_is_set_aside() {
    let mut house = House::new();
    house.push(&ramp(1, 0, 10));
    house.lake.flush(ONE).await.unwrap();
    let second = ramp(1, 10, 10);
    house.push(&second);
    house.lake.flush(ONE).await.unwrap();
    let log = house.dir.path().join("1/samples/_delta_log");
    let mut commits: Vec<_> =
        std::fs::read_dir(&log).unwrap().map(|entry| entry.unwrap().path()).collect();
    commits.sort();
    std::fs::write(commits.last().unwrap(), b"").unwrap();
    let house = house.restart();
    assert_eq!(house.lake.committed(ONE).await.unwrap().samples_lsn, 1);
    house.buffer.push(2, &second, T0);
    house.lake.flush(ONE).await.unwrap();
    assert_eq!(house.sums().await[&1], (20, 190.0));
}

#[tokio::test]
async fn the_newest_of_replaced_samples_counts_before_and_after_compaction() {
    let mut house = House::new();
    house.push(&ramp(1, 0, 10));
    house.lake.flush(ONE).await.unwrap();
    let replaced = Quality::GOOD.with(Flag::Replaced);
    house.push(&rows(&[
        (1, T0, 1000.0, replaced),
        (1, T0 + 30_000_000, 7.0, Quality::GOOD.with(Flag::Late)),
    ]));
    let expected = (11, 1000.0 + 45.0 + 7.0);
    assert_eq!(house.sums().await[&1], expected, "in the buffer");
    house.lake.flush(ONE).await.unwrap();
    assert_eq!(house.sums().await[&1], expected, "in the tables");
    let house = house.restart();
    assert_eq!(house.sums().await[&1], expected, "after a restart");
    assert_eq!(house.lake.compact(ONE).await.unwrap(), 2);
    assert_eq!(house.sums().await[&1], expected, "after compaction");
    assert_eq!(house.lake.stats(ONE).await.rows, 11, "the old one is gone from the disk");
}

#[tokio::test]
async fn compaction_retention_and_vacuum_change_only_what_they_should() {
    let mut house = House::new();
    for n in 0..8 {
        house.push(&ramp(1, n * 100, 100));
        house.lake.flush(ONE).await.unwrap();
    }
    house.push(&ramp(2, 5 * 1440, 5));
    house.lake.flush(ONE).await.unwrap();
    let before = house.sums().await;
    assert_eq!(house.lake.stats(ONE).await.files, 9);
    assert_eq!(house.lake.compact(ONE).await.unwrap(), 8);
    assert_eq!(house.sums().await, before);
    assert_eq!(house.lake.stats(ONE).await.files, 2);
    assert_eq!(house.lake.vacuum(ONE, Duration::ZERO).await.unwrap(), 8);
    assert_eq!(house.sums().await, before);
    assert_eq!(house.lake.retain(ONE, T0 + 3 * DAY_US).await.unwrap(), 1);
    assert_eq!(house.restart().sums().await.keys().copied().collect::<Vec<_>>(), [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn queries_during_flush_and_compaction_see_each_row_once() {
    let mut house = House::new();
    let lake = house.lake.clone();
    let stop = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let stopped = stop.clone();
    let background = tokio::spawn(async move {
        while !stopped.load(std::sync::atomic::Ordering::Relaxed) {
            lake.flush(ONE).await.unwrap();
            lake.compact(ONE).await.unwrap();
        }
    });
    for n in 0..60 {
        house.push(&ramp(1, n * 20, 20));
        let seen = house.sums().await[&1];
        let n_rows = (n + 1) * 20;
        assert_eq!(seen, (n_rows as usize, (0..n_rows).sum::<i64>() as f64), "round {n}");
    }
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    background.await.unwrap();
}

#[tokio::test]
async fn a_trend_keeps_every_extreme() {
    let mut house = House::new();
    let mut samples: Vec<_> = (0..20_000)
        .map(|n| (3, T0 + n * 1_000_000, (n as f64 / 500.0).sin(), Quality::GOOD))
        .collect();
    samples[7_777].2 = 99.0;
    samples[12_345].2 = -88.0;
    samples[15_000] = (3, samples[15_000].1, 5000.0, Quality::GOOD.with(Flag::Range));
    house.push(&rows(&samples));
    house.lake.flush(ONE).await.unwrap();
    let range = TimeRange { start_us: T0, end_us: T0 + 20_000 * 1_000_000 };
    let trend = house.lake.trend(ONE, &[SignalId(3)], range, 100).await.unwrap();
    let series = &trend.series[0];
    // 200 s per pixel column; the next whole number of minutes is 3.
    assert_eq!((trend.raw, trend.bucket_us, series.time_us.len()), (false, 180_000_000, 112));
    assert_eq!(
        series.max.iter().copied().fold(f64::MIN, f64::max),
        99.0,
        "a bad value is not an extreme"
    );
    assert_eq!(series.min.iter().copied().fold(f64::MAX, f64::min), -88.0);
    assert_eq!(series.count.iter().sum::<u32>(), 20_000);
    let worst: Vec<i64> = (0..112)
        .filter(|idx| Quality(series.quality[*idx]).is_bad())
        .map(|idx| series.time_us[idx])
        .collect();
    assert_eq!((series.bad.iter().sum::<u32>(), worst), (1, vec![T0 + 14_940_000_000]));
    assert_eq!((series.first[0], series.last[111]), (samples[0].2, samples[19_999].2));
    let near = TimeRange { start_us: T0, end_us: T0 + 10 * 1_000_000 };
    let trend = house.lake.trend(ONE, &[SignalId(3), SignalId(4)], near, 1000).await.unwrap();
    assert!(trend.raw && trend.series[0].count.len() == 10 && trend.series[1].count.is_empty());
}

#[tokio::test]
async fn states_events_quality_and_last_values_are_told() {
    let mut house = House::new();
    let mut batch = rows(&[
        (5, T0, 1.0, Quality::GOOD),
        (5, T0 + 10, 1.0, Quality::GOOD),
        (5, T0 + 20, 2.0, Quality::GOOD),
        (6, T0 + 5, f64::NAN, Quality::GOOD.with(Flag::NonFinite)),
    ]);
    batch.events.push(note("hello"));
    house.push(&batch);
    let range = TimeRange { start_us: T0 + 5, end_us: T0 + 30 };
    let spans: Vec<_> = house
        .lake
        .states(ONE, SignalId(5), range)
        .await
        .unwrap()
        .iter()
        .map(|span| (span.from_us - T0, span.to_us - T0, span.code))
        .collect();
    assert_eq!(spans, [(5, 20, 1.0), (20, 30, 2.0)]);
    let last = house.lake.last_values(ONE).await.unwrap();
    assert_eq!(
        last.iter()
            .map(|sample| (sample.signal.0, sample.time_us - T0))
            .collect::<BTreeMap<_, _>>(),
        BTreeMap::from([(5, 20), (6, 5)])
    );
    let quality = house.lake.quality(ONE, ALL).await.unwrap();
    assert_eq!((quality[1].total, quality[1].bad, quality[1].by_flag[6]), (1, 1, 1));
    let filter = EventFilter {
        asset: Some(AssetId(9)),
        signal: None,
        kind: Some(EventKind::Note),
        range: ALL,
        limit: 10,
    };
    assert_eq!(house.lake.events(ONE, filter).await.unwrap(), [note("hello")]);
    assert_eq!(
        house.lake.extent(ONE).await.unwrap(),
        Some(TimeRange { start_us: T0, end_us: T0 + 21 })
    );
    assert_eq!(
        house
            .sql("SELECT quality_flags(quality), is_good(quality) FROM samples WHERE signal = 6")
            .await,
        r#"[["non_finite",false]]"#
    );
}

#[tokio::test]
async fn a_query_can_neither_leave_its_tenant_nor_hurt_the_house() {
    let mut house = House::new();
    house.push(&ramp(1, 0, 10));
    let mut other = ramp(1, 0, 777);
    other.tenant = TenantId(2);
    house.push(&other);
    house.lake.flush(TenantId(2)).await.unwrap();
    assert_eq!(house.sql("SELECT count(*) FROM samples").await, "[[10]]");
    for attempt in [
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "COPY samples TO '/tmp/x.csv'",
        "INSERT INTO signals VALUES (1)",
        "DROP TABLE samples",
        "SET datafusion.execution.batch_size = 1",
        "SELECT * FROM '/etc/passwd'",
        "SELECT repeat('x', 1000000000)",
        "SELECT lpad('x', 1000000000, 'y')",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT * FROM range(1, 1000000000)",
        &format!("SELECT {}1{}", "(".repeat(5000), ")".repeat(5000)),
        &format!("SELECT '{}'", "x".repeat(100_000)),
    ] {
        let answer = house.sql(attempt).await;
        assert!(answer.starts_with("error: "), "{attempt:.60}: {answer:.200}");
    }
    assert_eq!(house.sql("SELECT time_bucket(INTERVAL '5 minutes', time) AS t, count(*) FROM samples GROUP BY t ORDER BY t").await,
        r#"[["2026-01-01T00:00:00Z",5],["2026-01-01T00:05:00Z",5]]"#);
    let answer = house.lake.sql(ONE, "SELECT * FROM samples", 3).await.unwrap();
    assert!(answer.truncated && answer.n_rows() == 3);
    assert!(house.sql("SELECT nothing FROM samples").await.contains("nothing"));
}

fn note(body: &str) -> Event {
    Event {
        time_us: T0,
        kind: EventKind::Note,
        asset: Some(AssetId(9)),
        signal: None,
        body: body.to_owned(),
    }
}
