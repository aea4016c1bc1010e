//! Every row once, whatever was flushed, merged or interrupted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use lake::EventFilter;
use signal::{AssetId, DAY_US, EventKind, Flag, Quality, SignalId, TimeRange};

use crate::house::{ALL, House, ONE, T0, note, ramp, rows};

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
