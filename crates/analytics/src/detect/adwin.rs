//! A window that grows while nothing changes and forgets what came before a change.

use serde::{Deserialize, Serialize};

/// Buckets of one size before two are merged.
const BUCKETS_PER_LEVEL: usize = 5;
/// A window shorter than this is not cut.
const MIN_WINDOW: f64 = 10.0;
/// Neither side of a cut is shorter than this.
const MIN_SIDE: f64 = 5.0;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Bucket {
    #[serde(with = "crate::saved")]
    sum: f64,
    /// Sum of squared distances from the mean of the bucket.
    #[serde(with = "crate::saved")]
    spread: f64,
}

/// ADWIN: keeps the longest window of which no two parts differ significantly in mean.
///
/// Source: Bifet & Gavaldà (2007), "Learning from time-changing data with adaptive windowing", ADWIN2 with
/// exponential buckets, and the cut of eq. 3.1 (variance form) with δ′ = δ / ln n. Cost: O(log n) per check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adwin {
    #[serde(with = "crate::saved")]
    delta: f64,
    every: u32,
    n_since_check: u32,
    /// Level i holds buckets of 2^i values, oldest first.
    levels: Vec<Vec<Bucket>>,
    #[serde(with = "crate::saved")]
    n: f64,
    #[serde(with = "crate::saved")]
    sum: f64,
    #[serde(with = "crate::saved")]
    spread: f64,
}

impl Adwin {
    /// `delta`: probability of a false cut, such as 0.002. Cuts are looked for after every `every` values.
    pub fn new(delta: f64, every: u32) -> Adwin {
        Adwin {
            delta,
            every: every.max(1),
            n_since_check: 0,
            levels: vec![Vec::new()],
            n: 0.0,
            sum: 0.0,
            spread: 0.0,
        }
    }

    /// Takes a value and says whether the mean has changed. A value that is not finite is ignored.
    ///
    /// ```
    /// use analytics::detect::adwin::Adwin;
    /// let mut adwin = Adwin::new(0.002, 1);
    /// assert!((0..100).all(|n| !adwin.push((n % 2) as f64)));
    /// let changes = (0..100).filter(|n| adwin.push((n % 2) as f64 + 5.0)).count();
    /// assert!(changes > 0);
    /// assert!(adwin.mean() > 5.0); // the old values are forgotten
    /// ```
    pub fn push(&mut self, value: f64) -> bool {
        if !value.is_finite() || value.abs() > 1e100 {
            return false;
        }
        if self.n > 0.0 {
            self.spread += (value - self.mean()).powi(2) * self.n / (self.n + 1.0);
        }
        self.n += 1.0;
        self.sum += value;
        self.levels[0].push(Bucket { sum: value, spread: 0.0 });
        self.compress();
        self.n_since_check += 1;
        if self.n_since_check < self.every || self.n < MIN_WINDOW {
            return false;
        }
        self.n_since_check = 0;
        let mut changed = false;
        while self.has_cut() {
            self.drop_oldest();
            changed = true;
        }
        changed
    }

    /// Mean of the window; NaN when empty.
    pub fn mean(&self) -> f64 {
        self.sum / self.n
    }

    /// Variance of the window; NaN when empty.
    pub fn variance(&self) -> f64 {
        self.spread.max(0.0) / self.n
    }

    /// How many values the window holds.
    pub fn width(&self) -> u64 {
        self.n as u64
    }

    fn compress(&mut self) {
        let mut level = 0;
        while self.levels[level].len() > BUCKETS_PER_LEVEL {
            let size = (1u64 << level) as f64;
            let (a, b) = (self.levels[level][0], self.levels[level][1]);
            self.levels[level].drain(..2);
            let between = (a.sum - b.sum).powi(2) / (2.0 * size);
            let merged = Bucket { sum: a.sum + b.sum, spread: a.spread + b.spread + between };
            if level + 1 == self.levels.len() {
                self.levels.push(Vec::with_capacity(BUCKETS_PER_LEVEL + 1));
            }
            level += 1;
            self.levels[level].push(merged);
        }
    }

    fn has_cut(&self) -> bool {
        if self.n < MIN_WINDOW {
            return false;
        }
        let log = (2.0 * self.n.ln().max(1.0) / self.delta).ln();
        let variance = self.variance();
        let (mut n_old, mut sum_old) = (0.0, 0.0);
        for (level, buckets) in self.levels.iter().enumerate().rev() {
            for bucket in buckets {
                n_old += (1u64 << level) as f64;
                sum_old += bucket.sum;
                let n_new = self.n - n_old;
                if n_old < MIN_SIDE || n_new < MIN_SIDE {
                    continue;
                }
                let difference = (sum_old / n_old - (self.sum - sum_old) / n_new).abs();
                let harmonic = 1.0 / (1.0 / n_old + 1.0 / n_new);
                // The second term of eq. 3.1 assumes values in [0, 1]; the spread takes the place of that unit.
                let bound = (2.0 / harmonic * variance * log).sqrt()
                    + 2.0 / (3.0 * harmonic) * log * variance.sqrt();
                if difference > bound {
                    return true;
                }
            }
        }
        false
    }

    fn drop_oldest(&mut self) {
        let Some(level) = self.levels.iter().rposition(|buckets| !buckets.is_empty()) else {
            return;
        };
        let bucket = self.levels[level].remove(0);
        let size = (1u64 << level) as f64;
        let n_left = self.n - size;
        if n_left > 0.0 {
            let mean_left = (self.sum - bucket.sum) / n_left;
            let between = (bucket.sum / size - mean_left).powi(2) * size * n_left / self.n;
            self.spread -= bucket.spread + between;
        }
        self.n = n_left;
        self.sum -= bucket.sum;
    }
}
