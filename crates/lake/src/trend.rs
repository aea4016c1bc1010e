//! The shape of signals over time, small enough to draw: minimum, maximum, first and last per pixel column.
//!
//! This is M4 aggregation (Jugel et al. (2014), "M4: A visualization-oriented time series data aggregation"):
//! a line drawn from it covers the same pixels as one drawn from every sample. Buckets of a minute and more are
//! multiples of a minute or an hour since 1970, so that roll-ups answer for all but the ends of the range.

use std::collections::BTreeMap;
use std::sync::Arc;

use signal::{HOUR_US, MINUTE_US, Quality, SignalId, TimeRange};

use crate::Error;
use crate::rollup::{Bucket, Level, Trust};
use crate::samples_file::Row;
use crate::scan::{Day, Folded, Moment, Room, each, ids};
use crate::tenant::Tenant;

/// So many samples per pixel column are sent as they are.
const RAW_PER_PIXEL: usize = 3;
/// Most pixel columns that anybody has.
const MAX_WIDTH_PX: u32 = 8192;

/// Some signals over a range.
#[derive(Clone, Debug, PartialEq)]
pub struct Trend {
    /// The range asked for.
    pub range: TimeRange,
    /// Width of a bucket; 0 when `raw`.
    pub bucket_us: i64,
    /// Every sample is its own bucket.
    pub raw: bool,
    /// One per signal, in the order asked for.
    pub series: Vec<Series>,
}

/// One signal; all vectors have one entry per bucket that holds data, in time order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Series {
    /// The signal.
    pub signal: SignalId,
    /// Start of the bucket within the range, or the time of the sample.
    pub time_us: Vec<i64>,
    /// Smallest value; of the good and uncertain ones, unless all are bad. NaN when none is a number.
    pub min: Vec<f64>,
    /// Largest value.
    pub max: Vec<f64>,
    /// First value.
    pub first: Vec<f64>,
    /// Last value.
    pub last: Vec<f64>,
    /// Mean value.
    pub mean: Vec<f64>,
    /// Samples in the bucket.
    pub count: Vec<u32>,
    /// Samples of bad quality in it.
    pub bad: Vec<u32>,
    /// The worst quality in it.
    pub quality: Vec<u32>,
}

pub(crate) async fn trend(
    tenant: &Arc<Tenant>,
    signals: &[SignalId],
    range: TimeRange,
    width_px: u32,
) -> Result<Trend, Error> {
    let width_px = width_px.clamp(1, MAX_WIDTH_PX);
    let most = RAW_PER_PIXEL * width_px as usize * signals.len();
    let days = Moment::of(tenant).await?.days(tenant, &ids(signals), range);
    let (bucket_us, level) = grid(range, width_px);
    if level.is_some() {
        let buckets = fold(tenant, days.clone(), bucket_us, level).await?;
        // Many days of a slow signal are few samples.
        if buckets.values().map(|bucket| bucket.count).sum::<u64>() > most as u64 {
            return Ok(Trend {
                range,
                bucket_us,
                raw: false,
                series: series(signals, range, bucket_us, &buckets),
            });
        }
    }
    if let Some(rows) = few_rows(tenant, days.clone(), most).await? {
        return Ok(Trend { range, bucket_us: 0, raw: true, series: raw_series(signals, &rows) });
    }
    let buckets = fold(tenant, days, bucket_us, None).await?;
    Ok(Trend { range, bucket_us, raw: false, series: series(signals, range, bucket_us, &buckets) })
}

/// Width of the buckets, and the roll-up that serves them.
fn grid(range: TimeRange, width_px: u32) -> (i64, Option<Level>) {
    let bucket_us = (range.len_us() / i64::from(width_px)).max(1);
    let level = match bucket_us {
        ..MINUTE_US => return (bucket_us, None),
        MINUTE_US..HOUR_US => Level::Minute,
        _ => Level::Hour,
    };
    let width_us = level.width_us();
    ((bucket_us + width_us / 2) / width_us * width_us, Some(level))
}

async fn fold(
    tenant: &Tenant,
    days: Vec<Day>,
    bucket_us: i64,
    level: Option<Level>,
) -> Result<BTreeMap<(i32, i64), Bucket>, Error> {
    let parts = each(tenant, days, move |day| day.fold(bucket_us, level)).await?;
    Ok(Folded::join(parts))
}

/// Every sample by signal and time, if there are at most `most`.
async fn few_rows(tenant: &Tenant, days: Vec<Day>, most: usize) -> Result<Option<Vec<Row>>, Error> {
    let room = Arc::new(Room::new(most));
    let shared = room.clone();
    let parts =
        each(
            tenant,
            days,
            move |day| {
                if shared.is_exceeded() { Ok(Vec::new()) } else { day.rows(&shared) }
            },
        )
        .await?;
    if room.is_exceeded() {
        return Ok(None);
    }
    let mut rows: Vec<Row> = parts.into_iter().flatten().collect();
    rows.sort_by_key(Row::place);
    Ok(Some(rows))
}

fn series(
    signals: &[SignalId],
    range: TimeRange,
    bucket_us: i64,
    buckets: &BTreeMap<(i32, i64), Bucket>,
) -> Vec<Series> {
    let series_of = |signal: &SignalId| {
        let id = signal.0 as i32;
        let mut series = Series { signal: *signal, ..Series::default() };
        for ((_, number), bucket) in buckets.range((id, i64::MIN)..=(id, i64::MAX)) {
            series.push((number * bucket_us).max(range.start_us), bucket);
        }
        series
    };
    signals.iter().map(series_of).collect()
}

fn raw_series(signals: &[SignalId], rows: &[Row]) -> Vec<Series> {
    let series_of = |signal: &SignalId| {
        let id = signal.0 as i32;
        let mut series = Series { signal: *signal, ..Series::default() };
        let start = rows.partition_point(|row| row.signal < id);
        for row in rows[start..].iter().take_while(|row| row.signal == id) {
            let mut bucket = Bucket::default();
            bucket.add(row.time_us, row.value, Quality(row.quality as u32));
            series.push(row.time_us, &bucket);
        }
        series
    };
    signals.iter().map(series_of).collect()
}

impl Series {
    fn push(&mut self, time_us: i64, bucket: &Bucket) {
        let value = |value: f64| if bucket.trust == Trust::None { f64::NAN } else { value };
        let count = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        self.time_us.push(time_us);
        self.min.push(value(bucket.min));
        self.max.push(value(bucket.max));
        self.first.push(value(bucket.first));
        self.last.push(value(bucket.last));
        self.mean.push(bucket.mean());
        self.count.push(count(bucket.count));
        self.bad.push(count(bucket.bad));
        self.quality.push(bucket.worst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_of_a_minute_and_more_fit_the_roll_ups() {
        let check = |len_us, expected| {
            assert_eq!(grid(TimeRange { start_us: 7, end_us: 7 + len_us }, 100), expected);
        };
        check(50, (1, None));
        check(100 * MINUTE_US - 1, (MINUTE_US - 1, None));
        check(100 * MINUTE_US, (MINUTE_US, Some(Level::Minute)));
        check(250 * MINUTE_US, (3 * MINUTE_US, Some(Level::Minute)));
        check(100 * HOUR_US + 5, (HOUR_US, Some(Level::Hour)));
        check(1000 * HOUR_US, (10 * HOUR_US, Some(Level::Hour)));
    }
}
