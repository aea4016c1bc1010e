//! Half-space trees: where do few values lie? No distances, no model, constant cost.

use serde::{Deserialize, Serialize};

use crate::Detector;
use crate::detector::shares;
use crate::random::Random;
use crate::scratch::Scratch;

/// Ensemble of random complete trees over the ranges of the columns, with masses of the last window.
///
/// Source: Tan, Ting & Liu (2011), "Fast anomaly detection for streaming data", algorithms 1–3; ranges are
/// given or taken from the first window. Departure: masses are counted in the leaves only and summed up when the
/// window turns, when also the score of every leaf is computed, so that a row costs one walk per tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HalfSpaceTrees {
    options: Options,
    n_columns: usize,
    /// 2^depth − 1 splits per tree, in heap order.
    splits: Vec<Split>,
    /// 2^depth leaves per tree: rows of this window, score from the window before.
    counts: Vec<u32>,
    scores: Vec<f32>,
    n_in_window: usize,
    is_warm: bool,
    /// Rows of the first window while ranges are being learned.
    #[serde(with = "crate::saved")]
    first: Vec<f64>,
    /// The row pushed last.
    #[serde(default, with = "crate::saved")]
    last: Vec<f64>,
    /// Rows of the window in each node of one tree.
    #[serde(skip)]
    masses: Scratch<Vec<f64>>,
}

/// Deeper trees have more leaves than any window has rows.
const MOST_DEPTH: u32 = 20;

/// Size of the ensemble. None of the numbers counts as less than 1, and the depth as no more than 20.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// How many trees.
    pub trees: usize,
    /// How deep each is.
    pub depth: u32,
    /// Rows per window.
    pub window: usize,
    /// Seed of the splits.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Options {
        Options { trees: 25, depth: 8, window: 250, seed: 42 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Split {
    at: f32,
    column: u32,
}

impl HalfSpaceTrees {
    /// Trees whose ranges are learned from the first window.
    pub fn new(n_columns: usize, options: Options) -> HalfSpaceTrees {
        let options = Options {
            trees: options.trees.max(1),
            depth: options.depth.clamp(1, MOST_DEPTH),
            window: options.window.max(1),
            ..options
        };
        let leaves = options.trees << options.depth;
        HalfSpaceTrees {
            options,
            n_columns,
            splits: Vec::new(),
            counts: vec![0; leaves],
            scores: vec![0.0; leaves],
            n_in_window: 0,
            is_warm: false,
            first: Vec::new(),
            last: Vec::new(),
            masses: Scratch::default(),
        }
    }

    /// Trees over given ranges, (lowest, highest) per column.
    pub fn with_ranges(ranges: &[(f64, f64)], options: Options) -> HalfSpaceTrees {
        let mut trees = HalfSpaceTrees::new(ranges.len(), options);
        trees.grow(ranges);
        trees
    }

    /// Counts the row in its leaf of every tree; sums the scores of those leaves.
    fn walk(&mut self, row: &[f64]) -> f32 {
        let depth = self.options.depth;
        let (n_splits, n_leaves) = ((1usize << depth) - 1, 1usize << depth);
        let trees = self.splits.chunks_exact(n_splits);
        let leaves = self.counts.chunks_exact_mut(n_leaves).zip(self.scores.chunks_exact(n_leaves));
        let mut sum = 0.0;
        for (splits, (counts, scores)) in trees.zip(leaves) {
            let mut node = 0;
            for _ in 0..depth {
                let split = splits[node];
                node = 2 * node + 1 + usize::from(row[split.column as usize] > f64::from(split.at));
            }
            let leaf = node - n_splits;
            counts[leaf] += 1;
            sum += scores[leaf];
        }
        sum
    }

    fn push_first(&mut self, row: &[f64]) -> f64 {
        self.first.extend_from_slice(row);
        if self.first.len() >= self.options.window * self.n_columns && self.n_columns > 0 {
            let first = std::mem::take(&mut self.first);
            let range = |column: usize| {
                let values = first.iter().skip(column).step_by(self.n_columns);
                values
                    .filter(|value| value.is_finite())
                    .fold((f64::MAX, f64::MIN), |(low, high), value| {
                        (low.min(*value), high.max(*value))
                    })
            };
            let ranges: Vec<(f64, f64)> = (0..self.n_columns).map(range).collect();
            self.grow(&ranges);
            for row in first.chunks_exact(self.n_columns) {
                self.walk(row);
            }
            self.turn();
        }
        f64::NAN
    }

    /// Random work ranges around the given ones (algorithm 1), every split at the middle of a random column.
    fn grow(&mut self, ranges: &[(f64, f64)]) {
        let mut random = Random::new(self.options.seed);
        let n_splits = (1usize << self.options.depth) - 1;
        if ranges.is_empty() {
            return;
        }
        for _ in 0..self.options.trees {
            let work: Vec<(f64, f64)> = ranges
                .iter()
                .map(|(low, high)| {
                    let width = if high > low { (high - low).min(1e300) } else { 1.0 };
                    let low = low.max(-1e300);
                    let at = random.uniform();
                    let reach = 2.0 * at.max(1.0 - at);
                    (low + width * (at - reach / 2.0), low + width * (at + reach / 2.0))
                })
                .collect();
            let mut boxes = vec![work];
            for node in 0..n_splits {
                let column = random.below(ranges.len());
                let (low, high) = boxes[node][column];
                let at = (low + high) / 2.0;
                let at32 = at.clamp(f64::from(f32::MIN), f64::from(f32::MAX)) as f32;
                self.splits.push(Split { at: at32, column: column as u32 });
                if 2 * node + 2 < n_splits {
                    let (mut lower, mut upper) = (boxes[node].clone(), boxes[node].clone());
                    lower[column].1 = at;
                    upper[column].0 = at;
                    boxes.extend([lower, upper]);
                }
            }
        }
    }

    /// The window is full: its masses give the scores of the next one (algorithm 3, mass · 2^depth at the first
    /// node that holds less than a tenth of the window, or at the leaf).
    fn turn(&mut self) {
        let depth = self.options.depth as usize;
        let n_leaves = 1usize << depth;
        let Scratch(masses) = &mut self.masses;
        let few = self.options.window as f64 / 10.0;
        let most = self.options.window as f64 * n_leaves as f64;
        for (counts, scores) in
            self.counts.chunks_exact_mut(n_leaves).zip(self.scores.chunks_exact_mut(n_leaves))
        {
            masses.clear();
            masses.resize(n_leaves - 1, 0.0);
            masses.extend(counts.iter().map(|count| f64::from(*count)));
            for node in (0..n_leaves - 1).rev() {
                masses[node] = masses[2 * node + 1] + masses[2 * node + 2];
            }
            for (leaf, score) in scores.iter_mut().enumerate() {
                let (mut node, mut level) = (0, 0);
                while level < depth && masses[node] >= few {
                    let bit = (leaf >> (depth - 1 - level)) & 1;
                    node = 2 * node + 1 + bit;
                    level += 1;
                }
                // On a logarithmic scale, as masses span many magnitudes.
                let mass = masses[node] * (1u64 << level) as f64;
                *score = ((mass + 1.0).ln() / (most + 1.0).ln()) as f32;
            }
            counts.fill(0);
        }
        self.n_in_window = 0;
        self.is_warm = true;
    }
}

impl Detector for HalfSpaceTrees {
    /// Score of a row, 0 (as usual) to 1 (nothing like it in the last window), then learns it.
    ///
    /// NaN until the first window is full. NaN values go to the lower half. Cost: trees × depth comparisons.
    /// ```
    /// use analytics::Detector;
    /// use analytics::detect::half_space::{HalfSpaceTrees, Options};
    /// let mut trees = HalfSpaceTrees::with_ranges(&[(0.0, 1.0), (0.0, 1.0)], Options::default());
    /// for n in 0..250 {
    ///     assert!(trees.push(&[0.2 + 0.001 * (n % 10) as f64, 0.3]).is_nan());
    /// }
    /// assert!(trees.push(&[0.2, 0.3]) < 0.1);
    /// assert!(trees.push(&[0.9, 0.9]) > 0.9);
    /// assert!(trees.push(&[0.9, 0.3]) > 0.5 && trees.blame()[0] > 0.9);
    /// ```
    ///
    /// # Panics
    /// When `row` has another number of values than the trees have columns.
    fn push(&mut self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.n_columns);
        self.last.clear();
        self.last.extend_from_slice(row);
        if self.splits.is_empty() {
            return self.push_first(row);
        }
        let sum = self.walk(row);
        self.n_in_window += 1;
        let was_warm = self.is_warm;
        if self.n_in_window >= self.options.window {
            self.turn();
        }
        if was_warm { 1.0 - f64::from(sum) / self.options.trees as f64 } else { f64::NAN }
    }

    /// By how much the score would fall if a column were free to take the other side. Cost: up to all leaves per column.
    fn blame(&self) -> Vec<f64> {
        let depth = self.options.depth;
        let (n_splits, n_leaves) = ((1usize << depth) - 1, 1usize << depth);
        let trees = || self.splits.chunks_exact(n_splits).zip(self.scores.chunks_exact(n_leaves));
        let most_usual = |free: u32| -> f64 {
            trees().map(|(splits, scores)| f64::from(self.highest(splits, scores, 0, free))).sum()
        };
        let as_it_is = most_usual(u32::MAX);
        let freed = |column: usize| most_usual(column as u32) - as_it_is;
        shares((0..self.last.len()).map(freed).collect())
    }
}

impl HalfSpaceTrees {
    /// The most usual leaf of one tree that the row pushed last reaches if it may take either side wherever `free` is asked.
    fn highest(&self, splits: &[Split], scores: &[f32], node: usize, free: u32) -> f32 {
        let Some(split) = splits.get(node) else { return scores[node - splits.len()] };
        let go = |side: usize| self.highest(splits, scores, 2 * node + 1 + side, free);
        if split.column == free {
            return go(0).max(go(1));
        }
        go(usize::from(self.last[split.column as usize] > f64::from(split.at)))
    }
}
