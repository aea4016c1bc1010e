//! Matrix profile: for every stretch of a signal, the most similar other stretch and how similar it is.
//!
//! ```text
//! series ──prepare──► means, norms ──kernel (diagonals)──► left and right profile ──► motifs, discords, chains
//! new values ──────────────────────────────────────► Stream ──► left profile, value by value
//! ```
//!
//! Repeated shapes (motifs) are cycles and known faults; shapes unlike any other (discords) are candidates for
//! trouble; shapes that drift step by step (chains) are wear. Distances are Euclidean between z-normalized
//! stretches, so 0 is the same shape at any level and gain, and 2√m is the worst for a window of m values.
//!
//! Sources: Yeh et al. (2016), "Matrix profile I", definitions 1–6; diagonal recurrence of covariances after
//! Zimmerman et al. (2019), "Matrix profile XIV (SCAMP)", eqs. 3–5; online profile after Yeh et al. (2018),
//! "Time series joins, motifs, discords and shapelets", algorithm 4. Departures: every final distance is computed anew
//! from its two stretches, so that rounding does not grow with the length of the series.
//!
//! Start reading at [`matrix_profile`] and [`Stream`].

mod kernel;
mod patterns;
mod prepare;
mod stream;

pub use patterns::{Motif, chain, discords, motifs};
pub use stream::Stream;

use rayon::prelude::*;

use kernel::Best;
use prepare::Prepared;

/// Nearest neighbor of one stretch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbor {
    /// Its distance, 0 to 2√m, no unit; infinite without neighbor.
    pub distance: f64,
    /// Where it begins; `None` without neighbor.
    pub start: Option<usize>,
}

impl Neighbor {
    /// No neighbor.
    const NONE: Neighbor = Neighbor { distance: f64::INFINITY, start: None };

    fn nearer(self, other: Neighbor) -> Neighbor {
        if other.distance < self.distance { other } else { self }
    }
}

/// The matrix profile of a series of n values: n − m + 1 stretches of m values.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixProfile {
    /// Values per stretch, m.
    pub window: usize,
    /// The nearest among earlier stretches, per stretch.
    pub left: Vec<Neighbor>,
    /// The nearest among later stretches, per stretch.
    pub right: Vec<Neighbor>,
}

impl MatrixProfile {
    /// The nearest neighbor of each stretch on either side; of two alike the earlier one.
    pub fn nearest(&self) -> Vec<Neighbor> {
        self.left.iter().zip(&self.right).map(|(left, right)| left.nearer(*right)).collect()
    }

    /// Stretches that begin less than this apart overlap too much to count as neighbors: ⌈m / 4⌉ + 1.
    pub fn least_gap(&self) -> usize {
        least_gap(self.window)
    }
}

/// Why there is no profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A window in which there is no shape.
    #[error("a window of {window} values has no shape; use at least 3")]
    Window {
        /// The window asked for.
        window: usize,
    },
    /// Fewer than two stretches that do not overlap too much.
    #[error("{found} values are too few for windows of {window}; {least} are needed")]
    TooShort {
        /// The window asked for.
        window: usize,
        /// Values at hand.
        found: usize,
        /// Values needed.
        least: usize,
    },
    /// A profile that was made of another series.
    #[error("a profile of {found} stretches is not of a series that has {expected}; make it anew")]
    OtherSeries {
        /// Stretches of the profile.
        found: usize,
        /// Stretches of the series.
        expected: usize,
    },
}

/// The matrix profile of `series` for stretches of `window` values, on `n_threads` threads.
///
/// `series`: values in time order. A stretch with a value that is not finite has no neighbor and is none. A constant
/// stretch has distance 0 to another constant one and √m to all others, as in STUMPY. The number of threads does not
/// change distances; of several neighbors at the same distance it may choose another one.
/// Cost: O(n²) time, about 0.3 ns per pair of stretches and core with AVX2, O(n) memory.
///
/// # Errors
/// If the window is below 3 or the series holds no two stretches to compare.
///
/// ```
/// use analytics::profile::matrix_profile;
/// // The same step up at 0 and, ten times as high, at 6.
/// let series = [0.0, 0.0, 1.0, 1.0, 0.5, 0.2, 0.0, 0.0, 10.0, 10.0, 4.0, 7.0];
/// let profile = matrix_profile(&series, 4, 1).unwrap();
/// assert!(profile.right[0].distance < 1e-7 && profile.right[0].start == Some(6));
/// assert_eq!(profile.left[6].start, Some(0));
/// assert_eq!(profile.left[0].start, None);
/// ```
pub fn matrix_profile(
    series: &[f64],
    window: usize,
    n_threads: usize,
) -> Result<MatrixProfile, Error> {
    check(series.len(), window)?;
    let prepared = Prepared::new(series, window);
    let first = least_gap(window);
    let best = match rayon::ThreadPoolBuilder::new().num_threads(n_threads.max(1)).build() {
        Ok(pool) if n_threads > 1 => pool.install(|| in_parallel(&prepared, first, n_threads)),
        _ => kernel::diagonals(&prepared, first, 0, 1),
    };
    let mut profile = exact(&prepared, &best);
    prepare::join_constants(&prepared, first, &mut profile);
    Ok(profile)
}

fn check(n: usize, window: usize) -> Result<(), Error> {
    if window < 3 {
        return Err(Error::Window { window });
    }
    let least = window + least_gap(window);
    if n < least { Err(Error::TooShort { window, found: n, least }) } else { Ok(()) }
}

fn least_gap(window: usize) -> usize {
    window.div_ceil(4) + 1
}

fn in_parallel(prepared: &Prepared, first: usize, n_threads: usize) -> Best {
    // Later diagonals are shorter; dealing them out in many shares keeps the threads equally busy.
    let n_shares = 4 * n_threads;
    (0..n_shares)
        .into_par_iter()
        .map(|share| kernel::diagonals(prepared, first, share, n_shares))
        .reduce_with(|one, other| one.merged(&other))
        .unwrap_or_else(|| Best::new(prepared.n_stretches()))
}

/// Distances computed anew from the neighbors found.
fn exact(prepared: &Prepared, best: &Best) -> MatrixProfile {
    let side = |starts: &[u32]| {
        let neighbor = |(i, &start): (usize, &u32)| {
            if start == kernel::NOWHERE {
                return Neighbor::NONE;
            }
            let start = start as usize;
            Neighbor { distance: prepared.distance(i, start), start: Some(start) }
        };
        starts.iter().enumerate().map(neighbor).collect()
    };
    MatrixProfile {
        window: prepared.window,
        left: side(&best.left_at),
        right: side(&best.right_at),
    }
}

#[cfg(test)]
#[path = "profile/tests.rs"]
mod tests;
