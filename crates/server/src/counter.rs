//! What counters have counted.

/// By how much a counter grew in each bucket, and since the one before. A fall means that it began anew at zero.
pub(crate) fn growths(series: &lake::Series) -> impl Iterator<Item = (i64, f64)> {
    let mut before: Option<f64> = None;
    let buckets = series.time_us.iter().zip(&series.first).zip(&series.last);
    buckets.filter_map(move |((&time_us, &first), &last)| {
        let jump = before.map_or(0.0, |before| growth(before, first));
        let grown = jump + growth(first, last);
        before = last.is_finite().then_some(last).or(before);
        grown.is_finite().then_some((time_us, grown))
    })
}

fn growth(from: f64, to: f64) -> f64 {
    if to >= from { to - from } else { to.max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_that_begins_anew_loses_nothing() {
        let series = lake::Series {
            time_us: vec![0, 10, 20, 30],
            first: vec![100.0, 112.0, 2.0, f64::NAN],
            last: vec![110.0, 120.0, 5.0, f64::NAN],
            ..lake::Series::default()
        };
        // 10, then 2 + 8, then from zero to 2 and on to 5; what is not a number counts nothing.
        let found: Vec<_> = growths(&series).collect();
        assert_eq!(found, [(0, 10.0), (10, 10.0), (20, 5.0), (30, 0.0)]);
        assert_eq!(growths(&lake::Series::default()).count(), 0);
    }
}
