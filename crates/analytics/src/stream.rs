//! One detector per machine, fed row by row: it learns what is normal and says when it no longer is, and why.
//!
//! Each machine state (regime) has its own model: robust standardization, principal components, and the
//! combined index of T² and SPE
//!
//! ```text
//! φ(z) = (T²(z) + SPE_w(z)) / d = zᵀ M z
//! ```
//!
//! (Yue & Qin (2001), "Reconstruction-based fault identification using a combined index", eq. 12, but with each
//! residual direction weighted by its own variance; T² after Hotelling (1947), SPE after Jackson & Mudholkar
//! (1979)). The limit comes from the training rows alone: each
//! of five consecutive blocks is scored by a model of the other four, and the tail of those scores is
//! extrapolated to the chosen false-alarm rate (peaks over threshold, Siffer et al. (2017), with exponential
//! tail). An episode begins when the smoothed index passes the limit; a smoothed index has no heavier tail
//! than a single one, so the chosen rate is an upper bound whatever the sampling interval.
//! Contributions are reconstruction-based (Alcala & Qin (2009), eq. 14).

use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

/// Rows kept per regime to learn from.
const RESERVOIR_ROWS: usize = 4096;
/// Blocks of the cross-validation that sets the limit.
const BLOCKS: usize = 5;
/// Share of variance that the principal components explain.
const EXPLAINED: f64 = 0.9;
/// Weight of a new row in the smoothed index.
const SMOOTHING: f64 = 0.1;
/// One row counts at most so many limits: a single odd row never makes an episode.
const CAP: f64 = 3.0;
/// The tail of the scores begins at this quantile.
const TAIL_FROM: f64 = 0.95;
/// While fewer than `learn_rows` times this have been seen, odd rows are learned as well.
const SETTLED_AFTER: u64 = 20;
/// An episode ends when the smoothed index has come down to this share of the limit.
const END_SHARE: f64 = 0.6;
/// A column of which less than this share of the training rows is there is not used.
const MIN_PRESENT: f64 = 0.5;

/// How a monitor learns.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Rows of a regime before its first verdict.
    pub learn_rows: usize,
    /// At most about one false alarm in so many rows.
    pub rows_per_false_alarm: f64,
    /// Whether the model is fitted anew as good rows double.
    pub refit: bool,
    /// Seed of the reservoir.
    pub seed: u64,
}

/// What the monitor says after a row.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The regime of this row has no model yet.
    pub learning: bool,
    /// How much of what it must see it has seen, 0 to 1.
    pub learned_share: f64,
    /// 100 is as learned, 50 is at the limit, 0 far beyond; NaN while learning.
    pub health: f64,
    /// Smoothed index over limit; NaN while learning.
    pub score: f64,
    /// An episode is going on.
    pub alarm: bool,
    /// It has begun with this row.
    pub started: bool,
    /// It has ended with this row.
    pub ended: bool,
}

/// What one column has to do with the present score.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// Its index.
    pub column: usize,
    /// Its share of all contributions, 0 to 1.
    pub share: f64,
    /// How far it is from where the other columns say it should be, in its own standard deviations of that.
    pub direction: f64,
}

/// The detector of one machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AssetMonitor {
    n_columns: usize,
    settings: Settings,
    /// In the order in which they were first seen.
    regimes: Vec<Regime>,
    /// Smoothed standardized values and index, over all regimes.
    z: Vec<f64>,
    smooth: Option<f64>,
    alarm: bool,
    contributions: Vec<Contribution>,
    #[serde(skip)]
    scratch: Vec<f64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Regime {
    code: u32,
    /// Row-major, at most [`RESERVOIR_ROWS`], with the number of each row.
    rows: Vec<f64>,
    numbers: Vec<u64>,
    n_seen: u64,
    next_fit: u64,
    random: u64,
    model: Option<Model>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Model {
    center: Vec<f64>,
    /// 0 for a column that is not used.
    scale: Vec<f64>,
    /// d × d, row-major: the M of the combined index.
    m: Vec<f64>,
    median: f64,
    tail: Tail,
    limit: f64,
}

/// Exponential tail of the scores: P(φ > x) = share · exp(−(x − from)/mean) for x ≥ from.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Tail {
    from: f64,
    mean: f64,
    share: f64,
}

impl Tail {
    fn of(scores: &mut [f64]) -> Tail {
        scores.sort_unstable_by(f64::total_cmp);
        let start = ((scores.len() as f64 * TAIL_FROM) as usize).min(scores.len() - 1);
        let from = scores[start];
        let above = &scores[start..];
        let mean = above.iter().map(|score| score - from).sum::<f64>() / above.len() as f64;
        Tail {
            from,
            mean: mean.max(1e-9 + from * 0.01),
            share: above.len() as f64 / scores.len() as f64,
        }
    }

    /// The score that is passed once in `rows` rows.
    fn limit(&self, rows: f64) -> f64 {
        self.from + self.mean * (rows.max(1.0) * self.share).max(1.0).ln()
    }
}

impl AssetMonitor {
    /// A monitor that knows nothing yet. Rows will have `n_columns` values.
    pub fn new(n_columns: usize, settings: Settings) -> AssetMonitor {
        AssetMonitor {
            n_columns,
            settings,
            regimes: Vec::new(),
            z: vec![0.0; n_columns],
            smooth: None,
            alarm: false,
            contributions: Vec::new(),
            scratch: Vec::new(),
        }
    }

    /// Judges one row and learns from it. NaN is missing; a row of which more than half is missing says nothing.
    ///
    /// `regime`: the machine state; one that was never seen is learned before it is judged. An episode does not
    /// end because the regime changes. Cost: O(d²), no allocation once the regime has a model, except when it
    /// is fitted anew.
    ///
    /// # Panics
    /// When `row` has not `n_columns` values.
    pub fn push(&mut self, row: &[f64], regime: u32) -> Judgement {
        assert_eq!(row.len(), self.n_columns);
        let idx = self.regime_idx(regime);
        let limit_rows = self.settings.rows_per_false_alarm;
        let index = self.regimes[idx].model.as_ref().and_then(|model| {
            self.scratch.resize(row.len(), 0.0);
            let usable = model.standardize(row, &mut self.scratch);
            usable.then(|| (model.index(&self.scratch), model.limit, model.median))
        });
        let settled = self.regimes[idx].n_seen >= SETTLED_AFTER * self.settings.learn_rows as u64;
        let before = self.alarm;
        let mut health = f64::NAN;
        let mut score = f64::NAN;
        if let Some((phi, limit, median)) = index {
            for (smooth, z) in self.z.iter_mut().zip(&self.scratch) {
                *smooth += SMOOTHING * (z - *smooth);
            }
            let relative = (phi / limit).min(CAP);
            let smooth = self
                .smooth
                .map_or(relative.min(1.0), |smooth| smooth + SMOOTHING * (relative - smooth));
            self.smooth = Some(smooth);
            self.alarm = if self.alarm { smooth > END_SHARE } else { smooth > 1.0 };
            score = smooth;
            health = health_of(smooth, median / limit);
            if self.alarm || health < 80.0 {
                self.explain(idx);
            }
        }
        let learns = self.settings.refit || self.regimes[idx].model.is_none();
        let odd = self.alarm || index.is_some_and(|(phi, limit, _)| phi > limit);
        if learns && (!odd || !settled) {
            self.learn(idx, row, limit_rows);
        }
        let regime = &self.regimes[idx];
        Judgement {
            learning: regime.model.is_none(),
            learned_share: (regime.n_seen as f64 / self.settings.learn_rows.max(1) as f64).min(1.0),
            health,
            score,
            alarm: self.alarm,
            started: self.alarm && !before,
            ended: before && !self.alarm,
        }
    }

    /// Contributions to the present score, largest first; of the last odd row when all is well.
    pub fn contributions(&self) -> &[Contribution] {
        &self.contributions
    }

    /// Changes the false-alarm rate; what was learned stays.
    pub fn set_rows_per_false_alarm(&mut self, rows: f64) {
        self.settings.rows_per_false_alarm = rows;
        for model in self.regimes.iter_mut().filter_map(|regime| regime.model.as_mut()) {
            model.limit = model.tail.limit(rows);
        }
    }

    /// Forgets everything that was learned.
    pub fn relearn(&mut self) {
        *self = AssetMonitor::new(self.n_columns, self.settings);
    }

    fn regime_idx(&mut self, code: u32) -> usize {
        if let Some(idx) = self.regimes.iter().position(|regime| regime.code == code) {
            return idx;
        }
        self.regimes.push(Regime {
            code,
            rows: Vec::new(),
            numbers: Vec::new(),
            n_seen: 0,
            next_fit: self.settings.learn_rows.max(20) as u64,
            random: (self.settings.seed ^ u64::from(code)).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            model: None,
        });
        self.regimes.len() - 1
    }

    fn learn(&mut self, idx: usize, row: &[f64], limit_rows: f64) {
        let regime = &mut self.regimes[idx];
        regime.remember(row);
        if regime.n_seen < regime.next_fit {
            return;
        }
        regime.next_fit = regime.next_fit.saturating_mul(2);
        if let Some(model) =
            Model::fit(&regime.in_order(self.n_columns), self.n_columns, limit_rows)
        {
            regime.model = Some(model);
        }
        if !self.settings.refit {
            regime.rows = Vec::new();
            regime.numbers = Vec::new();
        }
    }

    /// Reconstruction-based contributions of the smoothed deviation.
    fn explain(&mut self, idx: usize) {
        let Some(model) = &self.regimes[idx].model else { return };
        let d = self.n_columns;
        self.contributions.clear();
        let mut sum = 0.0;
        for column in 0..d {
            let m = &model.m[column * d..(column + 1) * d];
            if m[column] <= 0.0 {
                continue;
            }
            let along: f64 = m.iter().zip(&self.z).map(|(m, z)| m * z).sum();
            let share = along * along / m[column];
            sum += share;
            self.contributions.push(Contribution { column, share, direction: along / m[column] });
        }
        for part in &mut self.contributions {
            part.share /= sum.max(f64::MIN_POSITIVE);
        }
        self.contributions
            .sort_unstable_by(|a, b| b.share.total_cmp(&a.share).then(a.column.cmp(&b.column)));
    }
}

/// 100 at the median of normal rows, 50 at the limit, 0 at the square of that distance beyond.
fn health_of(smooth: f64, median: f64) -> f64 {
    let distance = (smooth / median).ln() / (1.0 / median).ln();
    (100.0 - 50.0 * distance.clamp(0.0, 2.0)).clamp(0.0, 100.0)
}

impl Regime {
    /// Reservoir sampling (Vitter (1985), algorithm R): every row seen is kept with the same probability.
    fn remember(&mut self, row: &[f64]) {
        self.n_seen += 1;
        if self.numbers.len() < RESERVOIR_ROWS {
            self.rows.extend_from_slice(row);
            self.numbers.push(self.n_seen);
            return;
        }
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        let slot = (self.random.wrapping_mul(0x2545_F491_4F6C_DD1D) % self.n_seen) as usize;
        if slot < RESERVOIR_ROWS {
            self.rows[slot * row.len()..(slot + 1) * row.len()].copy_from_slice(row);
            self.numbers[slot] = self.n_seen;
        }
    }

    fn in_order(&self, d: usize) -> Vec<f64> {
        let mut order: Vec<usize> = (0..self.numbers.len()).collect();
        order.sort_unstable_by_key(|idx| self.numbers[*idx]);
        order.iter().flat_map(|idx| &self.rows[idx * d..(idx + 1) * d]).copied().collect()
    }
}

impl Model {
    /// Fits rows (row-major, time order, NaN missing); none when no column can be used.
    fn fit(rows: &[f64], d: usize, limit_rows: f64) -> Option<Model> {
        let n_rows = rows.len() / d.max(1);
        let mut scores = Vec::with_capacity(n_rows);
        let mut z = vec![0.0; d];
        for block in 0..BLOCKS {
            let (from, to) = (n_rows * block / BLOCKS, n_rows * (block + 1) / BLOCKS);
            let mut others = Vec::with_capacity(rows.len());
            others.extend_from_slice(&rows[..from * d]);
            others.extend_from_slice(&rows[to * d..]);
            let model = Model::of(&others, d)?;
            for row in rows[from * d..to * d].chunks_exact(d) {
                if model.standardize(row, &mut z) {
                    scores.push(model.index(&z));
                }
            }
        }
        let mut model = Model::of(rows, d)?;
        if scores.is_empty() {
            return None;
        }
        model.tail = Tail::of(&mut scores);
        model.median = scores[scores.len() / 2].max(1e-6);
        model.limit = model.tail.limit(limit_rows);
        Some(model)
    }

    /// Center, scale and the matrix of the index; no limit yet.
    fn of(rows: &[f64], d: usize) -> Option<Model> {
        let n_rows = rows.len() / d.max(1);
        let (center, scale) = (0..d).map(|column| center_and_scale(rows, d, column)).unzip();
        let tail = Tail { from: 1.0, mean: 1.0, share: 1.0 };
        let mut model =
            Model { center, scale, m: vec![0.0; d * d], median: 1.0, tail, limit: f64::INFINITY };
        let used: Vec<usize> = (0..d).filter(|column| model.scale[*column] > 0.0).collect();
        if used.is_empty() || n_rows < 10 {
            return None;
        }
        let mut z = vec![0.0; d];
        let mut sum = Mat::<f64>::zeros(used.len(), used.len());
        let mut n_used = 0.0_f64;
        for row in rows.chunks_exact(d) {
            if !model.standardize(row, &mut z) {
                continue;
            }
            n_used += 1.0;
            for (i, &a) in used.iter().enumerate() {
                for (j, &b) in used.iter().enumerate().take(i + 1) {
                    sum[(i, j)] += z[a].clamp(-8.0, 8.0) * z[b].clamp(-8.0, 8.0);
                }
            }
        }
        // A little of the identity keeps redundant sensors apart; more of it while rows are few.
        let shrink = (used.len() as f64 / n_used.max(1.0)).clamp(0.01, 0.5);
        for i in 0..used.len() {
            for j in 0..=i {
                let identity = if i == j { shrink } else { 0.0 };
                sum[(i, j)] = (1.0 - shrink) * sum[(i, j)] / n_used.max(1.0) + identity;
                sum[(j, i)] = sum[(i, j)];
            }
        }
        model.m = combined_matrix(&sum, &used, d)?;
        Some(model)
    }

    /// Standardizes into `z`, missing values at their center; false when more than half is missing.
    fn standardize(&self, row: &[f64], z: &mut [f64]) -> bool {
        let mut n_used = 0;
        let mut n_there = 0;
        for (((z, value), center), scale) in
            z.iter_mut().zip(row).zip(&self.center).zip(&self.scale)
        {
            *z = 0.0;
            if *scale > 0.0 {
                n_used += 1;
                if value.is_finite() {
                    n_there += 1;
                    *z = ((value - center) / scale).clamp(-50.0, 50.0);
                }
            }
        }
        2 * n_there >= n_used && n_used > 0
    }

    fn index(&self, z: &[f64]) -> f64 {
        let d = z.len();
        let mut sum = 0.0;
        for (row, zi) in self.m.chunks_exact(d).zip(z) {
            sum += zi * row.iter().zip(z).map(|(m, zj)| m * zj).sum::<f64>();
        }
        sum.max(0.0)
    }
}

/// Median and a scale that neither outliers nor a resting signal fool; scale 0: not usable.
fn center_and_scale(rows: &[f64], d: usize, column: usize) -> (f64, f64) {
    let mut values: Vec<f64> =
        rows.iter().skip(column).step_by(d).copied().filter(|value| value.is_finite()).collect();
    if (values.len() as f64) < MIN_PRESENT * (rows.len() / d) as f64 || values.len() < 10 {
        return (0.0, 0.0);
    }
    values.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share) as usize];
    let median = at(0.5);
    // Half the width that holds 90 % of normal noise, as standard deviations; the MAD would be 0 for a signal
    // that rests on one value most of the time.
    let scale = (at(0.95) - at(0.05)) / 3.29;
    (median, if scale > 1e-9 * median.abs() { scale } else { 0.0 })
}

/// M = (P Λ⁻¹ Pᵀ + Q Ω⁻¹ Qᵀ) / d: T² over the components P, and SPE over the rest Q with each direction
/// weighted by its own variance, but not below half of the mean of the rest.
fn combined_matrix(covariance: &Mat<f64>, used: &[usize], d: usize) -> Option<Vec<f64>> {
    let n = used.len();
    let eigen = covariance.self_adjoint_eigen(Side::Lower).ok()?;
    let (vectors, values) = (eigen.U(), eigen.S().column_vector());
    let total: f64 = (0..n).map(|i| values[i]).sum();
    // Eigenvalues come smallest first.
    let mut kept = 0;
    let mut explained = 0.0;
    while kept < n && explained < EXPLAINED * total {
        explained += values[n - 1 - kept];
        kept += 1;
    }
    let rest = n - kept;
    let floor = (0..rest).map(|i| values[i].max(0.0)).sum::<f64>() / (2.0 * rest.max(1) as f64);
    let mut m = vec![0.0; d * d];
    for (i, &a) in used.iter().enumerate() {
        for (j, &b) in used.iter().enumerate() {
            let mut sum = 0.0;
            for component in 0..n {
                let variance = values[component].max(floor).max(1e-9);
                sum += vectors[(i, component)] * vectors[(j, component)] / variance;
            }
            m[a * d + b] = sum / n as f64;
        }
    }
    Some(m)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;
    use proptest::prelude::*;

    const D: usize = 6;

    fn settings(rows_per_false_alarm: f64) -> Settings {
        Settings { learn_rows: 500, rows_per_false_alarm, refit: true, seed: 1 }
    }

    /// Load drives most columns; each has its own noise.
    fn row(noise: &mut Noise, load: &mut f64) -> [f64; D] {
        *load += -0.05 * *load + 0.3 * noise.normal();
        [3.0, 2.0, -1.0, 0.5, 0.0, 1.0].map(|gain| 10.0 + gain * *load + 0.3 * noise.normal())
    }

    fn run(
        monitor: &mut AssetMonitor,
        noise: &mut Noise,
        n_rows: usize,
        change: impl Fn(usize, &mut [f64; D]),
    ) -> (usize, usize) {
        let mut load = 0.0;
        let (mut episodes, mut alarmed) = (0, 0);
        for n in 0..n_rows {
            let mut row = row(noise, &mut load);
            change(n, &mut row);
            let judgement = monitor.push(&row, 1);
            episodes += usize::from(judgement.started);
            alarmed += usize::from(judgement.alarm);
        }
        (episodes, alarmed)
    }

    #[test]
    fn normal_operation_keeps_the_budget_and_a_broken_relation_is_found() {
        let mut noise = Noise::new(11);
        let mut monitor = AssetMonitor::new(D, settings(20_000.0));
        let (episodes, _) = run(&mut monitor, &mut noise, 200_000, |_, _| ());
        assert!(episodes <= 20, "budget 10 in 200,000 rows, {episodes}");
        // Each value alone stays ordinary; only the relation to the load breaks.
        let (episodes, alarmed) =
            run(&mut monitor, &mut noise, 400, |n, row| row[1] -= if n > 100 { 2.5 } else { 0.0 });
        assert!(episodes >= 1 && alarmed > 200, "{episodes} {alarmed}");
        let first = monitor.contributions()[0];
        assert_eq!(first.column, 1);
        assert!(first.direction < -1.0 && first.share > 0.4, "{first:?}");
    }

    #[test]
    fn a_single_odd_row_is_no_episode() {
        let mut noise = Noise::new(3);
        let mut monitor = AssetMonitor::new(D, settings(1e6));
        run(&mut monitor, &mut noise, 2000, |_, _| ());
        let (episodes, _) = run(&mut monitor, &mut noise, 1000, |n, row| {
            row[2] += if n % 200 == 0 { 1e6 } else { 0.0 }
        });
        assert_eq!(episodes, 0);
    }

    #[test]
    fn an_unseen_state_is_learned_not_alarmed() {
        let mut noise = Noise::new(4);
        let mut monitor = AssetMonitor::new(D, settings(1e5));
        run(&mut monitor, &mut noise, 1000, |_, _| ());
        let stopped = monitor.push(&[0.0; D], 0);
        assert!(stopped.learning && !stopped.alarm && stopped.health.is_nan());
    }

    #[test]
    fn missing_and_constant_columns_are_no_fault() {
        let mut noise = Noise::new(5);
        let mut monitor = AssetMonitor::new(D, settings(1e5));
        let (episodes, _) = run(&mut monitor, &mut noise, 20_000, |n, row| {
            row[4] = 7.0;
            row[5] = if n % 3 == 0 { f64::NAN } else { row[5] };
        });
        assert!(episodes <= 1, "{episodes}");
        let nothing = monitor.push(&[f64::NAN; D], 1);
        assert!(!nothing.alarm && nothing.health.is_nan());
    }

    #[test]
    fn saved_and_restored_goes_on_as_if_never_stopped() {
        let mut noise = Noise::new(6);
        let mut monitor = AssetMonitor::new(D, settings(1e4));
        run(&mut monitor, &mut noise, 3000, |_, _| ());
        let text = serde_json::to_string(&monitor).expect("serializes");
        let mut restored: AssetMonitor = serde_json::from_str(&text).expect("parses");
        let mut load = 0.0;
        for _ in 0..2000 {
            let row = row(&mut noise, &mut load);
            assert_eq!(
                format!("{:?}", restored.push(&row, 1)),
                format!("{:?}", monitor.push(&row, 1))
            );
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(30))]
        #[test]
        fn any_rows_are_survived(rows in prop::collection::vec(prop::array::uniform3(any::<f64>()), 1..300)) {
            let mut monitor = AssetMonitor::new(3, Settings { learn_rows: 30, ..settings(100.0) });
            for row in rows {
                let judgement = monitor.push(&row, 0);
                prop_assert!(judgement.health.is_nan() || (0.0..=100.0).contains(&judgement.health));
            }
        }
    }
}
