//! How long answers took, in buckets of 3 % width.

use std::time::Duration;

/// Buckets per doubling.
const FINE: u64 = 32;
const FINE_BITS: u32 = FINE.trailing_zeros();
/// Enough for all of `u64`.
const BUCKETS: usize = (65 - FINE_BITS as usize) * FINE as usize;

/// A histogram of latencies in µs.
///
/// Source: the idea of HdrHistogram (Tene, 2012): linear buckets within each power of two.
#[derive(Clone, Debug)]
pub struct Latency {
    counts: Vec<u64>,
    n: u64,
    max_us: u64,
}

impl Default for Latency {
    fn default() -> Latency {
        Latency { counts: vec![0; BUCKETS], n: 0, max_us: 0 }
    }
}

impl Latency {
    /// Counts one answer.
    pub fn add(&mut self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.counts[bucket_of(us)] += 1;
        self.n += 1;
        self.max_us = self.max_us.max(us);
    }

    /// Counts all answers of `other` too.
    pub fn merge(&mut self, other: &Latency) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.n += other.n;
        self.max_us = self.max_us.max(other.max_us);
    }

    /// Answers counted.
    pub fn count(&self) -> u64 {
        self.n
    }

    /// The slowest answer in µs; 0 when there was none.
    pub fn max_us(&self) -> u64 {
        self.max_us
    }

    /// The latency in µs that `share` (0–1) of all answers did not exceed, at most 3 % too high; 0 when empty.
    ///
    /// ```
    /// let mut latency = connect::load::Latency::default();
    /// (1..=1000).for_each(|us| latency.add(std::time::Duration::from_micros(us)));
    /// assert!((500..=515).contains(&latency.quantile_us(0.5)));
    /// assert_eq!(latency.quantile_us(1.0), 1000);
    /// ```
    pub fn quantile_us(&self, share: f64) -> u64 {
        let wanted = (share.clamp(0.0, 1.0) * self.n as f64).ceil() as u64;
        let mut seen = 0;
        for (bucket, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return last_of(bucket).min(self.max_us);
            }
        }
        self.max_us
    }
}

fn bucket_of(us: u64) -> usize {
    if us < FINE {
        return us as usize;
    }
    let exponent = us.ilog2() - FINE_BITS;
    let fine = (us >> exponent) - FINE;
    ((u64::from(exponent) + 1) * FINE + fine) as usize
}

/// The largest value that falls into a bucket.
fn last_of(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    if bucket < FINE {
        return bucket;
    }
    let (exponent, fine) = (bucket / FINE - 1, bucket % FINE);
    ((FINE + fine) << exponent).saturating_add((1 << exponent) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_bucket_is_never_more_than_3_percent_wide(us in any::<u64>()) {
            let last = last_of(bucket_of(us));
            prop_assert!(last >= us && last - us <= us / FINE);
            prop_assert!(last == u64::MAX || bucket_of(last + 1) == bucket_of(us) + 1);
        }
    }
}
