//! Trends must show what brute force over every sample shows.

use std::collections::BTreeMap;

use lake::Series;
use proptest::prelude::*;
use signal::{DAY_US, Flag, HOUR_US, MINUTE_US, Quality, SECOND_US, SignalId, TimeRange};

use crate::house::{House, ONE, T0, rows};

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

/// Newest value and quality by place.
type Model = BTreeMap<(u32, i64), (f64, Quality)>;

#[derive(Clone, Debug)]
struct Batch {
    signal: u32,
    start_us: i64,
    step_us: i64,
    values: Vec<(f64, u8)>,
    flush_after: bool,
    compact_after: bool,
}

fn batch() -> impl Strategy<Value = Batch> {
    let value = prop_oneof![20 => -1000.0..1000.0f64, 1 => Just(f64::NAN)];
    let start = 0..3 * DAY_US / SECOND_US;
    let step = prop_oneof![Just(SECOND_US), Just(20 * SECOND_US), Just(7 * MINUTE_US)];
    let values = prop::collection::vec((value, 0u8..30), 1..400);
    (1u32..3, start, step, values, any::<bool>(), any::<bool>()).prop_map(
        |(signal, start_s, step_us, values, flush_after, compact_after)| Batch {
            signal,
            start_us: T0 + start_s * SECOND_US,
            step_us,
            values,
            flush_after,
            compact_after,
        },
    )
}

/// Fills a house as ingest would, and says what must be in it.
async fn fill(house: &mut House, batches: &[Batch]) -> Model {
    let mut model = Model::new();
    let mut newest: BTreeMap<u32, i64> = BTreeMap::new();
    for batch in batches {
        let mut samples = Vec::new();
        for (n, &(value, verdict)) in batch.values.iter().enumerate() {
            let time_us = batch.start_us + n as i64 * batch.step_us;
            let mut quality = match verdict {
                0 => Quality::GOOD.with(Flag::Range),
                1 => Quality::GOOD.with(Flag::Spike),
                _ => Quality::GOOD,
            };
            if value.is_nan() {
                quality = quality.with(Flag::NonFinite);
            }
            let newest_us = newest.entry(batch.signal).or_insert(i64::MIN);
            if time_us <= *newest_us {
                quality = quality.with(Flag::Late);
            }
            *newest_us = time_us.max(*newest_us);
            samples.push((batch.signal, time_us, value, quality));
            model.insert((batch.signal, time_us), (value, quality));
        }
        house.push(&rows(&samples));
        if batch.flush_after {
            house.lake.flush(ONE).await.unwrap();
        }
        if batch.compact_after {
            house.lake.compact(ONE).await.unwrap();
        }
    }
    model
}

/// One bucket by brute force: of the numbers that are good or uncertain, else of all numbers.
fn brute_force(samples: &[(i64, f64, Quality)]) -> [f64; 5] {
    let is_usable = |sample: &&(i64, f64, Quality)| !sample.1.is_nan() && !sample.2.is_bad();
    let mut counted: Vec<f64> = samples.iter().filter(is_usable).map(|sample| sample.1).collect();
    if counted.is_empty() {
        counted = samples.iter().map(|sample| sample.1).filter(|value| !value.is_nan()).collect();
    }
    let Some((first, last)) = counted.first().zip(counted.last()) else { return [f64::NAN; 5] };
    let min = counted.iter().copied().fold(f64::INFINITY, f64::min);
    let max = counted.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    [min, max, *first, *last, counted.iter().sum::<f64>() / counted.len() as f64]
}

fn is_near(a: f64, b: f64) -> bool {
    (a.is_nan() && b.is_nan()) || (a - b).abs() <= 1e-9 * (1.0 + a.abs())
}

fn check(
    series: &Series,
    model: &Model,
    range: TimeRange,
    bucket_us: i64,
) -> Result<(), TestCaseError> {
    let signal = series.signal.0;
    let mut buckets: BTreeMap<i64, Vec<(i64, f64, Quality)>> = BTreeMap::new();
    for (&(_, time_us), &(value, quality)) in
        model.range((signal, range.start_us)..(signal, range.end_us))
    {
        let start_us = time_us.div_euclid(bucket_us) * bucket_us;
        buckets.entry(start_us.max(range.start_us)).or_default().push((time_us, value, quality));
    }
    prop_assert_eq!(&series.time_us, &buckets.keys().copied().collect::<Vec<_>>());
    for (idx, samples) in buckets.values().enumerate() {
        let [min, max, first, last, mean] = brute_force(samples);
        for (name, shown, expected) in [
            ("min", series.min[idx], min),
            ("max", series.max[idx], max),
            ("first", series.first[idx], first),
            ("last", series.last[idx], last),
        ] {
            prop_assert!(
                shown == expected || (shown.is_nan() && expected.is_nan()),
                "{name}: {shown} instead of {expected}"
            );
        }
        prop_assert!(
            is_near(series.mean[idx], mean),
            "mean: {} instead of {mean}",
            series.mean[idx]
        );
        let n_bad = samples.iter().filter(|sample| sample.2.is_bad()).count();
        let worst = samples.iter().map(|sample| sample.2.0).max();
        prop_assert_eq!(
            (series.count[idx] as usize, series.bad[idx] as usize),
            (samples.len(), n_bad)
        );
        prop_assert_eq!(Some(series.quality[idx]), worst);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn trends_equal_brute_force(
        batches in prop::collection::vec(batch(), 1..8),
        from_s in 0..2 * DAY_US / SECOND_US,
        len_us in prop_oneof![SECOND_US..HOUR_US, HOUR_US..3 * DAY_US],
        width_px in prop_oneof![Just(1u32), 2u32..50, 50u32..2000],
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(async {
            let mut house = House::new();
            let model = fill(&mut house, &batches).await;
            let start_us = T0 + from_s * SECOND_US + 123;
            let range = TimeRange { start_us, end_us: start_us + len_us };
            let signals = [SignalId(2), SignalId(1), SignalId(7)];
            let trend = house.lake.trend(ONE, &signals, range, width_px).await.unwrap();
            let bucket_us = if trend.raw { 1 } else { trend.bucket_us };
            for (series, signal) in trend.series.iter().zip(signals) {
                prop_assert_eq!(series.signal, signal);
                check(series, &model, range, bucket_us)?;
            }
            Ok(())
        })?;
    }
}
