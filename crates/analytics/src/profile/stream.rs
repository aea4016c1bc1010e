//! The matrix profile of a signal that goes on.

use serde::{Deserialize, Serialize};

use super::prepare::{Kind, center_and_inverse};
use super::{Error, Neighbor, least_gap};

/// After so many values all covariances are computed anew, so that rounding cannot grow for years.
const REFRESH_EVERY: u64 = 4096;

/// The profile of the last values of a signal, kept up to date value by value.
///
/// Each new value completes a stretch, which is compared with all stretches in memory that end well before it.
/// Saved and read again it goes on bit for bit as if never stopped. Starts are counted from the first value ever.
/// Cost: O(capacity) per value, about 1 ns per stretch in memory; memory of 12 numbers per value.
///
/// ```
/// use analytics::profile::Stream;
/// let mut stream = Stream::new(4, 1000).unwrap();
/// let series = [0.0, 0.0, 1.0, 1.0, 0.5, 0.2, 0.0, 0.0, 10.0, 10.0];
/// let last = series.iter().filter_map(|value| stream.push(*value)).last().unwrap();
/// assert_eq!(last.start, Some(0)); // the step up is known from the beginning
/// assert!(last.distance < 1e-6);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stream {
    window: usize,
    capacity: usize,
    n_pushed: u64,
    /// Number of the oldest value in memory.
    oldest: u64,
    /// Values in memory; those that are not finite are 0.
    #[serde(with = "crate::saved")]
    values: Vec<f64>,
    /// Number of the last value that was not finite, and of the first of the present run of equal ones.
    broken_at: Option<u64>,
    equal_since: u64,
    stretches: Stretches,
    /// By distance in time: sum of products about the means of the newest stretch and the one so much before it.
    #[serde(with = "crate::saved")]
    covariances: Vec<f64>,
}

/// Columns of what is known of each stretch in memory.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Stretches {
    #[serde(with = "crate::saved")]
    mean: Vec<f64>,
    /// 0 where there is no shape.
    #[serde(with = "crate::saved")]
    inverse_norm: Vec<f64>,
    #[serde(with = "crate::saved")]
    half_step: Vec<f64>,
    #[serde(with = "crate::saved")]
    center_step: Vec<f64>,
    is_constant: Vec<bool>,
    /// Best correlation on either side and where; −2 and `u64::MAX` without neighbor.
    #[serde(with = "crate::saved")]
    left: Vec<(f64, u64)>,
    #[serde(with = "crate::saved")]
    right: Vec<(f64, u64)>,
}

const NONE: (f64, u64) = (-2.0, u64::MAX);

impl Stream {
    /// A stream of stretches of `window` values that remembers at least the last `capacity` values, at most an
    /// eighth more.
    ///
    /// # Errors
    /// If the window is below 3 or the memory holds no two stretches to compare.
    pub fn new(window: usize, capacity: usize) -> Result<Stream, Error> {
        super::check(capacity, window)?;
        Ok(Stream {
            window,
            capacity,
            n_pushed: 0,
            oldest: 0,
            values: Vec::new(),
            broken_at: None,
            equal_since: 0,
            stretches: Stretches::default(),
            covariances: Vec::new(),
        })
    }

    /// Takes a value and gives the nearest earlier neighbor of the stretch that it completes.
    ///
    /// `None` while there is no whole stretch. A stretch with a value that is not finite has no neighbor: its
    /// distance is infinite.
    pub fn push(&mut self, value: f64) -> Option<Neighbor> {
        self.take(value);
        let start = self.n_pushed.checked_sub(self.window as u64)?;
        let newest = self.values.len() - self.window;
        let kind = match self.broken_at {
            Some(at) if at >= start => Kind::Broken,
            _ if self.equal_since <= start => Kind::Constant,
            _ => Kind::Shape,
        };
        self.stretches.push(&self.values, newest, self.window, kind);
        self.move_on(newest);
        if kind != Kind::Broken {
            self.compare(newest);
        }
        let mut found = self.neighbor(self.stretches.left[newest]);
        if let (Kind::Shape, Some(start)) = (kind, found.start) {
            found.distance = self.distance(start - self.oldest as usize, newest);
        }
        self.forget();
        Some(found)
    }

    /// Nearest earlier and later neighbor of each stretch in memory, with the number of its first value.
    ///
    /// A neighbor that is no longer in memory still counts.
    pub fn profile(&self) -> impl Iterator<Item = (u64, Neighbor, Neighbor)> + '_ {
        let sides = self.stretches.left.iter().zip(&self.stretches.right);
        let numbered = sides.enumerate();
        numbered.map(|(i, (left, right))| {
            (self.oldest + i as u64, self.neighbor(*left), self.neighbor(*right))
        })
    }

    fn take(&mut self, value: f64) {
        let number = self.n_pushed;
        self.n_pushed += 1;
        if !value.is_finite() {
            self.broken_at = Some(number);
        }
        let value = if value.is_finite() { value } else { 0.0 };
        if self.values.last() != Some(&value) {
            self.equal_since = number;
        }
        self.values.push(value);
    }

    /// Brings the covariances to the newest stretch: each belongs to a fixed distance in time, a diagonal.
    fn move_on(&mut self, newest: usize) {
        self.covariances.resize(newest + 1, 0.0);
        if self.n_pushed.is_multiple_of(REFRESH_EVERY) {
            for back in 0..=newest {
                self.covariances[back] = self.covariance(newest - back, newest);
            }
            return;
        }
        let known = &self.stretches;
        let (half, center) = (known.half_step[newest], known.center_step[newest]);
        let steps = known.half_step[..newest + 1].iter().zip(&known.center_step).rev();
        for (covariance, (half_back, center_back)) in self.covariances.iter_mut().zip(steps) {
            *covariance += half * center_back + half_back * center;
        }
        self.covariances[newest] = self.covariance(0, newest);
    }

    fn covariance(&self, i: usize, j: usize) -> f64 {
        let of = |i: usize| self.values[i..i + self.window].iter();
        let (a, b) = (self.stretches.mean[i], self.stretches.mean[j]);
        of(i).zip(of(j)).map(|(x, y)| (x - a) * (y - b)).sum()
    }

    /// Distance of two stretches from their z-normalized values: exact where the correlation is near 1.
    fn distance(&self, i: usize, j: usize) -> f64 {
        let known = &self.stretches;
        let z = |i: usize| {
            let stretch = self.values[i..i + self.window].iter();
            stretch.map(move |x| (x - known.mean[i]) * known.inverse_norm[i])
        };
        // A constant has no gain: all its values are 0, and its distance to a shape is √m.
        let square: f64 = z(i).zip(z(j)).map(|(a, b)| (a - b).powi(2)).sum();
        (square * self.window as f64).sqrt()
    }

    fn compare(&mut self, newest: usize) {
        let Some(last) = newest.checked_sub(least_gap(self.window)) else { return };
        let known = &mut self.stretches;
        let (inverse, is_constant) = (known.inverse_norm[newest], known.is_constant[newest]);
        let number = self.oldest + newest as u64;
        let mut best = NONE;
        for i in (0..=last).rev() {
            let with = known.inverse_norm[i];
            let correlation = match (is_constant, known.is_constant[i]) {
                (false, false) if with > 0.0 => self.covariances[newest - i] * inverse * with,
                (false, false) => continue,
                (true, true) => 1.0,
                // √m, the distance between a constant and a shape, is that of correlation one half.
                (true, false) if with == 0.0 => continue,
                _ => 0.5,
            };
            if correlation > best.0 {
                best = (correlation, self.oldest + i as u64);
            }
            if correlation > known.right[i].0 {
                known.right[i] = (correlation, number);
            }
        }
        known.left[newest] = best;
    }

    fn neighbor(&self, (correlation, number): (f64, u64)) -> Neighbor {
        if number == u64::MAX {
            return Neighbor::NONE;
        }
        let square = 2.0 * self.window as f64 * (1.0 - correlation);
        Neighbor { distance: square.max(0.0).sqrt(), start: Some(number as usize) }
    }

    /// Lets go of what is beyond the capacity, an eighth of it at a time, since all that is kept must be moved.
    fn forget(&mut self) {
        let spare = (self.capacity / 8).max(1);
        if self.values.len() < self.capacity + spare {
            return;
        }
        self.values.drain(..spare);
        self.stretches.remove_first(spare);
        self.covariances.truncate(self.stretches.mean.len());
        self.oldest += spare as u64;
    }
}

impl Stretches {
    fn push(&mut self, values: &[f64], i: usize, window: usize, kind: Kind) {
        let (mean, inverse) = center_and_inverse(&values[i..i + window], kind);
        let (mut half, mut center) = (0.0, 0.0);
        if let (Some(before), Some(mean_before)) = (i.checked_sub(1), self.mean.last()) {
            let (incoming, outgoing) = (values[i + window - 1], values[before]);
            half = (incoming - outgoing) / 2.0;
            center = (incoming - mean) + (outgoing - mean_before);
        }
        self.mean.push(mean);
        self.inverse_norm.push(if kind == Kind::Shape { inverse } else { 0.0 });
        self.half_step.push(half);
        self.center_step.push(center);
        self.is_constant.push(kind == Kind::Constant);
        self.left.push(NONE);
        self.right.push(NONE);
    }

    fn remove_first(&mut self, n: usize) {
        for column in
            [&mut self.mean, &mut self.inverse_norm, &mut self.half_step, &mut self.center_step]
        {
            column.drain(..n);
        }
        self.is_constant.drain(..n);
        self.left.drain(..n);
        self.right.drain(..n);
    }
}
