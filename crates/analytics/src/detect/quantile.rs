//! Quantiles of a stream without keeping it.

use serde::{Deserialize, Serialize};

/// Values beyond this count as it: their differences would overflow.
const LARGEST: f64 = 1e300;

/// One quantile from five markers.
///
/// Source: Jain & Chlamtac (1985), "The P² algorithm for dynamic calculation of quantiles and histograms without
/// storing observations": a marker that is a place or more behind moves by one along the parabola through its
/// neighbors, or along the line to the next one where that would leave their order (box 1, step B3). Cost: O(1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct P2 {
    #[serde(with = "crate::saved")]
    share: f64,
    n_seen: u64,
    #[serde(with = "crate::saved")]
    heights: [f64; 5],
    #[serde(with = "crate::saved")]
    positions: [f64; 5],
}

impl P2 {
    /// The quantile `share`, between 0 and 1.
    pub fn new(share: f64) -> P2 {
        P2 { share, n_seen: 0, heights: [0.0; 5], positions: [1.0, 2.0, 3.0, 4.0, 5.0] }
    }

    /// Takes a value; one that is not finite is ignored, one beyond ±1e300 counts as that.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = value.clamp(-LARGEST, LARGEST);
        self.n_seen += 1;
        if self.n_seen <= 5 {
            let n = self.n_seen as usize;
            self.heights[n - 1] = value;
            self.heights[..n].sort_unstable_by(f64::total_cmp);
            return;
        }
        self.heights[0] = self.heights[0].min(value);
        self.heights[4] = self.heights[4].max(value);
        let cell = self.heights[1..4].iter().filter(|height| value >= **height).count();
        self.positions[cell + 1..].iter_mut().for_each(|position| *position += 1.0);
        for marker in 1..4 {
            self.adjust(marker);
        }
    }

    fn adjust(&mut self, marker: usize) {
        let wanted = [0.0, self.share / 2.0, self.share, (1.0 + self.share) / 2.0, 1.0][marker];
        let behind = 1.0 + wanted * (self.n_seen as f64 - 1.0) - self.positions[marker];
        let (q, n) = (&self.heights, &self.positions);
        let (left, right) = (n[marker] - n[marker - 1], n[marker + 1] - n[marker]);
        if !(behind >= 1.0 && right > 1.0 || behind <= -1.0 && left > 1.0) {
            return;
        }
        let step = behind.signum();
        let up = (q[marker + 1] - q[marker]) / right;
        let down = (q[marker] - q[marker - 1]) / left;
        let parabolic =
            q[marker] + step / (left + right) * ((left + step) * up + (right - step) * down);
        let inside = q[marker - 1] < parabolic && parabolic < q[marker + 1];
        let linear = q[marker] + step * if step > 0.0 { up } else { down };
        self.heights[marker] = if inside { parabolic } else { linear };
        self.positions[marker] += step;
    }

    /// The estimate; NaN when empty, exact up to five values.
    ///
    /// ```
    /// use analytics::detect::quantile::P2;
    /// let mut median = P2::new(0.5);
    /// [5.0, 1.0, 3.0].map(|value| median.push(value));
    /// assert_eq!(median.value(), 3.0);
    /// ```
    pub fn value(&self) -> f64 {
        match self.n_seen {
            0 => f64::NAN,
            n @ 1..=5 => self.heights[((n - 1) as f64 * self.share).round() as usize],
            _ => self.heights[2],
        }
    }
}

/// Values gathered before they are merged into the digest.
const BUFFER: usize = 256;

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Centroid {
    #[serde(with = "crate::saved")]
    mean: f64,
    #[serde(with = "crate::saved")]
    weight: f64,
}

/// All quantiles at once, best at the tails; digests of parts can be merged.
///
/// Source: Dunning & Ertl (2019), "Computing extremely accurate quantiles using t-digests", merging digest with
/// scale function k₂. Memory: about `compression` centroids. Cost: O(1) amortized.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TDigest {
    #[serde(with = "crate::saved")]
    compression: f64,
    centroids: Vec<Centroid>,
    buffer: Vec<Centroid>,
    #[serde(with = "crate::saved")]
    low: f64,
    #[serde(with = "crate::saved")]
    high: f64,
}

impl TDigest {
    /// `compression` of 100 errs by about 0.5 % of rank in the middle and far less at the tails.
    pub fn new(compression: f64) -> TDigest {
        TDigest {
            compression: compression.max(10.0),
            centroids: Vec::new(),
            buffer: Vec::with_capacity(BUFFER),
            low: f64::MAX,
            high: f64::MIN,
        }
    }

    /// Takes a value; one that is not finite is ignored, one beyond ±1e300 counts as that.
    pub fn push(&mut self, value: f64) {
        if !value.is_finite() {
            return;
        }
        let value = value.clamp(-LARGEST, LARGEST);
        self.low = self.low.min(value);
        self.high = self.high.max(value);
        self.buffer.push(Centroid { mean: value, weight: 1.0 });
        if self.buffer.len() >= BUFFER {
            self.merge_buffer();
        }
    }

    /// Takes in another digest.
    pub fn merge(&mut self, other: &TDigest) {
        self.buffer.extend(other.centroids.iter().chain(&other.buffer));
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.merge_buffer();
    }

    /// How many values it has seen.
    pub fn count(&self) -> f64 {
        self.centroids.iter().chain(&self.buffer).map(|centroid| centroid.weight).sum()
    }

    /// The value below which a `share` of the values lies; NaN when empty.
    ///
    /// ```
    /// use analytics::detect::quantile::TDigest;
    /// let mut digest = TDigest::new(100.0);
    /// (0..=100).for_each(|value| digest.push(f64::from(value)));
    /// assert_eq!((digest.value(0.0), digest.value(1.0)), (0.0, 100.0));
    /// assert!((digest.value(0.5) - 50.0).abs() < 1.0);
    /// ```
    pub fn value(&mut self, share: f64) -> f64 {
        self.merge_buffer();
        let total = self.count();
        let target = share.clamp(0.0, 1.0) * total;
        let (mut before, mut left) = (0.0, (0.0, self.low));
        for centroid in &self.centroids {
            let right = (before + centroid.weight / 2.0, centroid.mean);
            if target <= right.0 {
                return between(left, right, target);
            }
            left = right;
            before += centroid.weight;
        }
        if self.centroids.is_empty() { f64::NAN } else { between(left, (total, self.high), target) }
    }

    fn merge_buffer(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let mut all = std::mem::take(&mut self.buffer);
        all.append(&mut self.centroids);
        all.sort_unstable_by(|a, b| a.mean.total_cmp(&b.mean));
        let total: f64 = all.iter().map(|centroid| centroid.weight).sum();
        let mut before = 0.0;
        let mut next = all[0];
        for &centroid in &all[1..] {
            let joined = next.weight + centroid.weight;
            if joined <= total * (self.share_after(before / total, total) - before / total) {
                next.mean += (centroid.mean - next.mean) * centroid.weight / joined;
                next.weight = joined;
            } else {
                before += next.weight;
                self.centroids.push(next);
                next = centroid;
            }
        }
        self.centroids.push(next);
        all.clear();
        self.buffer = all;
    }

    /// k₂(q) = δ/Z · ln(q/(1 − q)) with Z = 4 ln(n/δ) + 24, one step further.
    fn share_after(&self, share: f64, total: f64) -> f64 {
        let z = 4.0 * (total / self.compression).max(1.0).ln() + 24.0;
        let odds = share / (1.0 - share) * (z / self.compression).exp();
        odds / (1.0 + odds)
    }
}

fn between(left: (f64, f64), right: (f64, f64), at: f64) -> f64 {
    if right.0 <= left.0 {
        return right.1;
    }
    let value = left.1 + (right.1 - left.1) * ((at - left.0) / (right.0 - left.0));
    // Rounding must not carry it past its neighbors, or quantiles would not be in order.
    value.max(left.1).min(right.1)
}
