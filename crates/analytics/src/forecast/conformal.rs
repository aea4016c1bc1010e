//! Intervals from past errors, which hold what they promise without assuming a distribution.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Error;
use crate::saved::Exact;

/// Half the width of the interval at each step ahead that covers a share of `level` of new values.
///
/// `errors`: one list of steps ahead per past forecast that the model had not learned from; NaN is left out. A step with too
/// few errors for its level (fewer than level / (1 − level)) has an infinite width, which is the honest answer.
/// Source: Vovk, Gammerman & Shafer (2005); split conformal after Lei et al. (2018), algorithm 2, per step ahead.
///
/// # Errors
/// If the level is not between 0 and 1.
///
/// ```
/// use analytics::forecast::half_widths;
/// let errors: Vec<Vec<f64>> = (1..=9).map(|size| vec![f64::from(size)]).collect();
/// // (9 + 1) · 0.8 = the 8th smallest of 9
/// assert_eq!(half_widths(&errors, 0.8).unwrap(), [8.0]);
/// ```
pub fn half_widths(errors: &[Vec<f64>], level: f64) -> Result<Vec<f64>, Error> {
    check_level(level)?;
    let horizon = errors.iter().map(Vec::len).min().unwrap_or(0);
    let mut sizes = Vec::with_capacity(errors.len());
    let mut widths = Vec::with_capacity(horizon);
    for step in 0..horizon {
        sizes.clear();
        sizes.extend(errors.iter().map(|of| of[step].abs()).filter(|x| !x.is_nan()));
        widths.push(quantile(&mut sizes, level));
    }
    Ok(widths)
}

fn check_level(level: f64) -> Result<(), Error> {
    if level > 0.0 && level < 1.0 {
        return Ok(());
    }
    Err(Error::OutOfRange { name: "level", value: level, range: "0 to 1, without both" })
}

/// The ⌈(n + 1) level⌉-th smallest; infinite where there are fewer.
fn quantile(sizes: &mut [f64], level: f64) -> f64 {
    let rank = rank(sizes.len(), level);
    if rank > sizes.len() {
        return f64::INFINITY;
    }
    *sizes.select_nth_unstable_by(rank - 1, f64::total_cmp).1
}

/// ⌈(n + 1) level⌉, at least 1.
fn rank(n: usize, level: f64) -> usize {
    // A hair less, so that (9 + 1) · 0.8 is the 8th and not, by rounding, the 9th.
    ((n + 1) as f64 * level - 1e-9).ceil().max(1.0) as usize
}

/// An interval that keeps its promise while the world drifts: it widens after a miss and narrows after hits.
///
/// Saved and read again it goes on as if never stopped. Cost: O(memory) per value, to move numbers; no allocation once the
/// memory is full.
/// Source: Gibbs & Candès (2021), "Adaptive conformal inference under distribution shift", eq. 2.
///
/// ```
/// use analytics::forecast::Adaptive;
/// let mut interval = Adaptive::new(0.5, 100, 0.01).unwrap();
/// (1..=3).for_each(|size| interval.push(f64::from(size)));
/// // Each error was larger than all before; the middle one is no longer enough, so the largest is taken.
/// assert_eq!(interval.half_width(), 3.0);
/// ```
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adaptive {
    #[serde(with = "crate::saved")]
    level: f64,
    /// Present share that is let outside, which moves so that the realized one stays at 1 − level.
    #[serde(with = "crate::saved")]
    outside: f64,
    #[serde(with = "crate::saved")]
    rate: f64,
    memory: usize,
    #[serde(with = "crate::saved")]
    sizes: Sizes,
}

impl Adaptive {
    /// An interval for a share of `level`, from the last `memory` errors, that moves by `rate` (0.005 to 0.05) a value.
    ///
    /// # Errors
    /// If level or rate are not between 0 and 1, or the memory is empty.
    pub fn new(level: f64, memory: usize, rate: f64) -> Result<Adaptive, Error> {
        check_level(level)?;
        if memory == 0 {
            return Err(Error::OutOfRange {
                name: "memory",
                value: 0.0,
                range: "the numbers from 1",
            });
        }
        if !(0.0..1.0).contains(&rate) {
            return Err(Error::OutOfRange { name: "rate", value: rate, range: "0 to 1" });
        }
        Ok(Adaptive { level, outside: 1.0 - level, rate, memory, sizes: Sizes::default() })
    }

    /// Half the width of the next interval; infinite while too few errors are known for the level.
    ///
    /// Where even the largest known error was not enough lately, half as much again. Cost: O(1).
    pub fn half_width(&self) -> f64 {
        let sorted = &self.sizes.sorted;
        let at = |level: f64| sorted.get(rank(sorted.len(), level) - 1).copied();
        if at(self.level).is_none() {
            return f64::INFINITY;
        }
        if self.outside >= 1.0 {
            return 0.0;
        }
        let widest = sorted.last().copied().unwrap_or(f64::INFINITY);
        at(1.0 - self.outside).unwrap_or(1.5 * widest)
    }

    /// Takes in the error of a forecast whose truth is now known; NaN is left out.
    pub fn push(&mut self, error: f64) {
        if error.is_nan() {
            return;
        }
        let size = error.abs();
        let miss = if size > self.half_width() { 1.0 } else { 0.0 };
        self.outside += self.rate * (1.0 - self.level - miss);
        self.sizes.push(size, self.memory);
    }
}

/// Sizes of the last errors; only the order in which they came is saved.
#[derive(Clone, Debug, Default, PartialEq)]
struct Sizes {
    /// Oldest first.
    last: VecDeque<f64>,
    /// The same, ascending.
    sorted: Vec<f64>,
}

impl Sizes {
    /// Adds one, and forgets the oldest beyond `memory`.
    fn push(&mut self, size: f64, memory: usize) {
        while self.last.len() >= memory {
            let Some(oldest) = self.last.pop_front() else { break };
            self.sorted.remove(self.place(oldest));
        }
        self.last.push_back(size);
        self.sorted.insert(self.place(size), size);
    }

    /// How many are smaller.
    fn place(&self, size: f64) -> usize {
        self.sorted.partition_point(|other| *other < size)
    }
}

impl Exact for Sizes {
    fn write<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.last.write(serializer)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Sizes, D::Error> {
        let last = VecDeque::read(deserializer)?;
        let mut sorted = Vec::from(last.clone());
        sorted.sort_unstable_by(f64::total_cmp);
        Ok(Sizes { last, sorted })
    }
}
