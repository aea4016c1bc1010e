//! Where the largest values of normal operation lead to, beyond what has been seen.

use serde::{Deserialize, Serialize};

use crate::random::Random;
use crate::tail::Tail;

/// Rows whose maximum counts once: several times the memory of what is watched.
const BLOCK_ROWS: u32 = 64;
/// Maxima remembered, of all blocks with equal probability.
const MAX_BLOCKS: usize = 256;
/// Fewer blocks than this say nothing about a tail.
const MIN_BLOCKS: usize = 30;
/// The tail begins at this quantile of the maxima.
const TAIL_FROM: f64 = 0.8;

/// Maxima of blocks of rows, and the exponential tail through the largest of them (Coles (2001), §3.1 and §4.2).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Extremes {
    /// Ascending.
    #[serde(with = "crate::saved")]
    maxima: Vec<f64>,
    n_blocks: u64,
    #[serde(with = "crate::saved")]
    block_maximum: f64,
    n_in_block: u32,
    random: Random,
}

impl Extremes {
    pub(super) fn new(seed: u64) -> Extremes {
        Extremes {
            maxima: Vec::with_capacity(MAX_BLOCKS),
            n_blocks: 0,
            block_maximum: 0.0,
            n_in_block: 0,
            random: Random::new(seed),
        }
    }

    /// Takes the next value, finite and not below 0; true when a block has ended. No allocation after the first value since a
    /// restart.
    pub(super) fn push(&mut self, value: f64) -> bool {
        self.maxima.reserve_exact(MAX_BLOCKS - self.maxima.len());
        self.block_maximum = self.block_maximum.max(value);
        self.n_in_block += 1;
        if self.n_in_block < BLOCK_ROWS {
            return false;
        }
        let maximum = std::mem::take(&mut self.block_maximum);
        self.n_in_block = 0;
        self.n_blocks += 1;
        if self.maxima.len() == MAX_BLOCKS {
            let slot = self.random.below(self.n_blocks as usize);
            if slot >= MAX_BLOCKS {
                return true;
            }
            self.maxima.remove(slot);
        }
        let place = self.maxima.partition_point(|known| *known < maximum);
        self.maxima.insert(place, maximum);
        true
    }

    /// The value that is passed once in `rows` rows; none while too little has been seen.
    pub(super) fn passed_once_in(&self, rows: f64) -> Option<f64> {
        let n = self.maxima.len();
        if n < MIN_BLOCKS {
            return None;
        }
        let share = f64::from(BLOCK_ROWS) / rows.max(1.0);
        if share >= 1.0 - TAIL_FROM {
            return Some(self.maxima[((1.0 - share).max(0.0) * (n - 1) as f64) as usize]);
        }
        let start = (TAIL_FROM * n as f64) as usize;
        Some(Tail::above(&self.maxima, start).passed((1.0 - TAIL_FROM) / share))
    }

    pub(super) fn clear(&mut self) {
        self.maxima.clear();
        self.n_blocks = 0;
        self.block_maximum = 0.0;
        self.n_in_block = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    /// Exponential values of mean 1 pass ln n once in n rows.
    #[test]
    fn an_exponential_tail_is_extended() {
        let mut noise = Noise::new(1);
        let mut extremes = Extremes::new(1);
        assert_eq!(extremes.passed_once_in(1e4), None);
        for _ in 0..100_000 {
            extremes.push(-noise.uniform().max(1e-12).ln());
        }
        for rows in [1e3_f64, 1e5, 1e7] {
            let limit = extremes.passed_once_in(rows).expect("enough has been seen");
            assert!((limit - rows.ln()).abs() < 0.15 * rows.ln(), "{rows}: {limit}");
        }
    }
}
