//! Comparing all pairs of stretches, diagonal by diagonal.
//!
//! Along a diagonal (j − i fixed) the covariance moves on with two multiplications. Sixteen diagonals are walked
//! at once, which the compiler turns into vector instructions; a pair that improves nothing, as nearly all do,
//! costs loads and comparisons and no store.

use super::prepare::Prepared;

/// Diagonals walked at once.
const LANES: usize = 16;
/// No neighbor.
pub(super) const NOWHERE: u32 = u32::MAX;

/// The best correlation of each stretch with earlier (left) and later (right) ones, and where.
pub(super) struct Best {
    left: Vec<f64>,
    pub(super) left_at: Vec<u32>,
    right: Vec<f64>,
    pub(super) right_at: Vec<u32>,
}

impl Best {
    pub(super) fn new(n: usize) -> Best {
        let (none, nowhere) = (vec![f64::NEG_INFINITY; n], vec![NOWHERE; n]);
        Best { left: none.clone(), left_at: nowhere.clone(), right: none, right_at: nowhere }
    }

    pub(super) fn merged(mut self, other: &Best) -> Best {
        merge(&mut self.left, &mut self.left_at, &other.left, &other.left_at);
        merge(&mut self.right, &mut self.right_at, &other.right, &other.right_at);
        self
    }

    /// Takes in the correlation of stretch `i` with the later stretch `j`.
    fn offer(&mut self, i: usize, j: usize, correlation: f64) {
        if correlation > self.right[i] {
            (self.right[i], self.right_at[i]) = (correlation, j as u32);
        }
        if correlation > self.left[j] {
            (self.left[j], self.left_at[j]) = (correlation, i as u32);
        }
    }
}

fn merge(into: &mut [f64], into_at: &mut [u32], from: &[f64], from_at: &[u32]) {
    for i in 0..from.len() {
        if from[i] > into[i] {
            (into[i], into_at[i]) = (from[i], from_at[i]);
        }
    }
}

/// Best correlations over every `n_shares`-th band of diagonals from `first` on, beginning with band `share`.
pub(super) fn diagonals(prepared: &Prepared, first: usize, share: usize, n_shares: usize) -> Best {
    let n = prepared.n_stretches();
    let mut best = Best::new(n);
    for band in (first..n).step_by(LANES).skip(share).step_by(n_shares.max(1)) {
        let mut covariances = [0.0; LANES];
        for (lane, covariance) in covariances.iter_mut().enumerate().take(n - band) {
            *covariance = prepared.covariance(0, band + lane);
        }
        let n_whole = (n - band + 1).saturating_sub(LANES);
        walk(prepared, band, n_whole, &mut covariances, &mut best);
        finish(prepared, band, n_whole, &mut covariances, &mut best);
    }
    best
}

/// The last rows, where fewer than all diagonals still have a pair.
fn finish(
    prepared: &Prepared,
    band: usize,
    from: usize,
    covariances: &mut [f64; LANES],
    best: &mut Best,
) {
    let n = prepared.n_stretches();
    for i in from..n - band {
        for (lane, covariance) in covariances.iter_mut().enumerate().take(n - band - i) {
            let j = i + band + lane;
            *covariance += prepared.half_step[i] * prepared.center_step[j]
                + prepared.half_step[j] * prepared.center_step[i];
            best.offer(i, j, *covariance * prepared.inverse_norm[i] * prepared.inverse_norm[j]);
        }
    }
}

/// Walks all diagonals of a band over rows 0 to `n_rows`.
fn walk(
    prepared: &Prepared,
    band: usize,
    n_rows: usize,
    covariances: &mut [f64; LANES],
    best: &mut Best,
) {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        #[allow(
            unsafe_code,
            reason = "safe code, compiled for AVX2, which was found a line above"
        )]
        return unsafe { walk_avx2(prepared, band, n_rows, covariances, best) };
    }
    walk_here(prepared, band, n_rows, covariances, best);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn walk_avx2(
    prepared: &Prepared,
    band: usize,
    n_rows: usize,
    covariances: &mut [f64; LANES],
    best: &mut Best,
) {
    walk_here(prepared, band, n_rows, covariances, best);
}

#[inline(always)]
fn walk_here(
    prepared: &Prepared,
    band: usize,
    n_rows: usize,
    covariances: &mut [f64; LANES],
    best: &mut Best,
) {
    let mut local = *covariances;
    for i in 0..n_rows {
        let j = i + band;
        let (half, center) = (prepared.half_step[i], prepared.center_step[i]);
        let (inverse, right) = (prepared.inverse_norm[i], best.right[i]);
        let halves = lanes(&prepared.half_step, j);
        let centers = lanes(&prepared.center_step, j);
        let inverses = lanes(&prepared.inverse_norm, j);
        let lefts = lanes(&best.left, j);
        let mut correlations = [0.0; LANES];
        let mut is_better = [false; LANES];
        for lane in 0..LANES {
            local[lane] += half * centers[lane] + halves[lane] * center;
            correlations[lane] = local[lane] * inverse * inverses[lane];
            is_better[lane] = (correlations[lane] > right) | (correlations[lane] > lefts[lane]);
        }
        if is_better.iter().fold(false, |any, better| any | better) {
            for (lane, correlation) in correlations.iter().enumerate() {
                best.offer(i, j + lane, *correlation);
            }
        }
    }
    *covariances = local;
}

#[inline(always)]
fn lanes(values: &[f64], from: usize) -> &[f64; LANES] {
    values[from..from + LANES].try_into().expect("a slice of this length")
}
