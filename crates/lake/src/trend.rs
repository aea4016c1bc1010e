//! The shape of signals over time, small enough to draw: minimum, maximum, first and last per pixel column.
//!
//! This is M4 aggregation (Jugel et al. (2014), "M4: A visualization-oriented time series data aggregation"):
//! a line drawn from it covers the same pixels as one drawn from every sample.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow::array::RecordBatch;
use signal::{Quality, SignalId, TimeRange};

use crate::read::{doubles, in_range, in_signals, longs};
use crate::tenant::Tenant;
use crate::{Error, query};

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
    /// Start of the bucket, or the time of the sample.
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
    if signals.is_empty() || range.len_us() == 0 {
        let series =
            signals.iter().map(|signal| Series { signal: *signal, ..Series::default() }).collect();
        return Ok(Trend { range, bucket_us: 0, raw: true, series });
    }
    let most = RAW_PER_PIXEL * width_px as usize * signals.len();
    if let Some(series) = raw(tenant, signals, range, most).await? {
        return Ok(Trend { range, bucket_us: 0, raw: true, series });
    }
    let bucket_us = (range.len_us() / i64::from(width_px)).max(1);
    let series = buckets(tenant, signals, range, bucket_us).await?;
    Ok(Trend { range, bucket_us, raw: false, series })
}

/// Every sample, if there are at most `most`.
async fn raw(
    tenant: &Arc<Tenant>,
    signals: &[SignalId],
    range: TimeRange,
    most: usize,
) -> Result<Option<Vec<Series>>, Error> {
    let query = format!(
        "SELECT signal, time, value, quality FROM samples WHERE {} AND {} LIMIT {}",
        in_signals(signals),
        in_range(range),
        most + 1
    );
    let batches = query::ours(tenant, query).await?;
    if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > most {
        return Ok(None);
    }
    let mut rows: Vec<(i64, i64, f64, u32)> = Vec::new();
    for batch in &batches {
        let (ids, times_us) = (longs(batch, 0)?, longs(batch, 1)?);
        let (values, qualities) = (doubles(batch, 2)?, longs(batch, 3)?);
        for row in 0..batch.num_rows() {
            rows.push((ids[row], times_us[row], values[row], qualities[row] as u32));
        }
    }
    rows.sort_by_key(|row| (row.0, row.1));
    let mut by_signal = empty(signals);
    for (id, time_us, value, quality) in rows {
        if let Some(series) = by_signal.get_mut(&SignalId(id as u32)) {
            let bad = Quality(quality).is_bad();
            series.push(time_us, [value; 5], 1, u32::from(bad), quality);
        }
    }
    Ok(Some(in_order(signals, by_signal)))
}

async fn buckets(
    tenant: &Arc<Tenant>,
    signals: &[SignalId],
    range: TimeRange,
    bucket_us: i64,
) -> Result<Vec<Series>, Error> {
    let start_us = range.start_us;
    // Severity bad is the topmost bit: as a signed number it is negative.
    let query = format!(
        "SELECT signal, bucket, \
           coalesce(min(value) FILTER (WHERE ok), min(value)), coalesce(max(value) FILTER (WHERE ok), max(value)), \
           coalesce(first_value(value ORDER BY time) FILTER (WHERE ok), first_value(value ORDER BY time)), \
           coalesce(last_value(value ORDER BY time) FILTER (WHERE ok), last_value(value ORDER BY time)), \
           coalesce(avg(value) FILTER (WHERE ok), avg(value)), \
           count(*), count(*) FILTER (WHERE quality < 0), min(quality), max(quality) \
         FROM (SELECT signal, time, value, quality, quality >= 0 AND NOT isnan(value) AS ok, \
                 (arrow_cast(time, 'Int64') - {start_us}) / {bucket_us} AS bucket \
               FROM samples WHERE {} AND {}) \
         GROUP BY signal, bucket ORDER BY signal, bucket",
        in_signals(signals),
        in_range(range)
    );
    let mut by_signal = empty(signals);
    for batch in query::ours(tenant, query).await? {
        let (ids, numbers) = (longs(&batch, 0)?, longs(&batch, 1)?);
        let mut shape = Vec::with_capacity(5);
        for column in 2..7 {
            shape.push(doubles(&batch, column)?);
        }
        let (counts, bads) = (longs(&batch, 7)?, longs(&batch, 8)?);
        let (lowest, highest) = (longs(&batch, 9)?, longs(&batch, 10)?);
        for row in 0..batch.num_rows() {
            let Some(series) = by_signal.get_mut(&SignalId(ids[row] as u32)) else { continue };
            let worst = if lowest[row] < 0 { lowest[row] as u32 } else { highest[row] as u32 };
            let values =
                [shape[0][row], shape[1][row], shape[2][row], shape[3][row], shape[4][row]];
            series.push(
                start_us + numbers[row] * bucket_us,
                values,
                counts[row] as u32,
                bads[row] as u32,
                worst,
            );
        }
    }
    Ok(in_order(signals, by_signal))
}

fn empty(signals: &[SignalId]) -> BTreeMap<SignalId, Series> {
    signals
        .iter()
        .map(|signal| (*signal, Series { signal: *signal, ..Series::default() }))
        .collect()
}

fn in_order(signals: &[SignalId], mut by_signal: BTreeMap<SignalId, Series>) -> Vec<Series> {
    signals.iter().filter_map(|signal| by_signal.remove(signal)).collect()
}

impl Series {
    fn push(
        &mut self,
        time_us: i64,
        [min, max, first, last, mean]: [f64; 5],
        count: u32,
        bad: u32,
        quality: u32,
    ) {
        self.time_us.push(time_us);
        self.min.push(min);
        self.max.push(max);
        self.first.push(first);
        self.last.push(last);
        self.mean.push(mean);
        self.count.push(count);
        self.bad.push(bad);
        self.quality.push(quality);
    }
}
