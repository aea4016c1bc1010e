//! Isolation forest: unusual rows are cut off from the others after few random cuts.

use serde::{Deserialize, Serialize};

use crate::detector::shares;
use crate::random::Random;
use crate::{Detector, Frame};

/// Marks a leaf.
const LEAF: u32 = u32::MAX;

/// Source: Liu, Ting & Zhou (2008), "Isolation forest", algorithms 1–3, eq. 1–2.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct IsolationForest {
    trees: usize,
    sample: usize,
    seed: u64,
    /// All nodes of all trees; a tree's nodes follow its root.
    nodes: Vec<Node>,
    roots: Vec<u32>,
    /// c(sample actually used): the mean path length of an unsuccessful search.
    #[serde(with = "crate::saved")]
    usual_path: f64,
    /// The row pushed last.
    #[serde(default, with = "crate::saved")]
    last: Vec<f64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    column: u32,
    /// Of the right child; the left one is the next node.
    right: u32,
    /// Where it splits; for a leaf what it adds to the path.
    #[serde(with = "crate::saved")]
    at: f64,
}

impl IsolationForest {
    /// `trees` of 100 grown on a `sample` of 256 rows each are usual.
    pub fn new(trees: usize, sample: usize, seed: u64) -> IsolationForest {
        IsolationForest {
            trees,
            sample,
            seed,
            nodes: Vec::new(),
            roots: Vec::new(),
            usual_path: 0.0,
            last: Vec::new(),
        }
    }

    /// 2^(−path/c): about 0.5 for a usual row, toward 1 for one cut off early; NaN before a fit. NaN values
    /// go left. Cost: trees · log(sample).
    ///
    /// ```
    /// use analytics::{Frame, detect::isolation::IsolationForest};
    /// let line: Vec<f64> = (0..200).map(|n| f64::from(n % 20)).collect();
    /// let mut forest = IsolationForest::new(100, 128, 1);
    /// assert!(forest.score_row(&[10.0]).is_nan());
    /// forest.fit(&Frame::from_rows(1, &line));
    /// assert!(forest.score_row(&[10.0]) < forest.score_row(&[1000.0]));
    /// ```
    ///
    /// # Panics
    /// When `row` is shorter than the rows it was fitted to.
    pub fn score_row(&self, row: &[f64]) -> f64 {
        if self.roots.is_empty() || self.usual_path <= 0.0 {
            return f64::NAN;
        }
        let total: f64 = self.roots.iter().map(|root| self.path(*root as usize, row)).sum();
        (-total / self.roots.len() as f64 / self.usual_path).exp2()
    }

    fn path(&self, root: usize, row: &[f64]) -> f64 {
        let mut idx = root;
        let mut depth = 0.0;
        loop {
            let node = self.nodes[idx];
            if node.column == LEAF {
                return depth + node.at;
            }
            idx = if row[node.column as usize] >= node.at { node.right as usize } else { idx + 1 };
            depth += 1.0;
        }
    }

    /// The longest path of the row pushed last if it could take either side wherever `free` is asked.
    fn longest_path(&self, idx: usize, free: u32) -> f64 {
        let node = self.nodes[idx];
        if node.column == LEAF {
            return node.at;
        }
        let (left, right) = (idx + 1, node.right as usize);
        1.0 + if node.column == free {
            self.longest_path(left, free).max(self.longest_path(right, free))
        } else if self.last[node.column as usize] >= node.at {
            self.longest_path(right, free)
        } else {
            self.longest_path(left, free)
        }
    }

    /// Learns from rows that are taken to be normal; what was learned before is forgotten. Fewer than 2 rows teach nothing.
    /// Cost: trees · sample · log(sample).
    pub fn fit(&mut self, frame: &Frame) {
        self.nodes.clear();
        self.roots.clear();
        let n_rows = frame.n_rows();
        let sample = self.sample.min(n_rows);
        if sample < 2 {
            return;
        }
        self.usual_path = usual_path(sample);
        let levels = (sample as f64).log2().ceil() as u32;
        let mut random = Random::new(self.seed);
        let mut order: Vec<usize> = (0..n_rows).collect();
        for _ in 0..self.trees {
            for idx in 0..sample {
                order.swap(idx, idx + random.below(n_rows - idx));
            }
            let mut rows = vec![Vec::new(); sample];
            for (row, row_idx) in rows.iter_mut().zip(&order) {
                frame.copy_row(*row_idx, row);
            }
            self.roots.push(self.nodes.len() as u32);
            self.grow(&mut rows, levels, &mut random);
        }
    }

    fn grow(&mut self, rows: &mut [Vec<f64>], levels: u32, random: &mut Random) {
        let split = if levels == 0 || rows.len() < 2 { None } else { random_split(rows, random) };
        let Some((column, at)) = split else {
            self.nodes.push(Node { column: LEAF, right: 0, at: usual_path(rows.len()) });
            return;
        };
        let idx = self.nodes.len();
        self.nodes.push(Node { column: column as u32, right: 0, at });
        rows.sort_unstable_by_key(|row| row[column] >= at);
        let n_left = rows.partition_point(|row| row[column] < at || row[column].is_nan());
        let (left, right) = rows.split_at_mut(n_left);
        self.grow(left, levels - 1, random);
        self.nodes[idx].right = self.nodes.len() as u32;
        self.grow(right, levels - 1, random);
    }
}

impl Detector for IsolationForest {
    /// As [`IsolationForest::score_row`].
    fn push(&mut self, row: &[f64]) -> f64 {
        self.last.clear();
        self.last.extend_from_slice(row);
        self.score_row(row)
    }

    /// By how much longer the paths would be if a column were free to take the other side. Cost: up to all nodes per column.
    fn blame(&self) -> Vec<f64> {
        let longer = |column: usize| {
            let freed = |root: &u32| {
                let root = *root as usize;
                self.longest_path(root, column as u32) - self.path(root, &self.last)
            };
            self.roots.iter().map(freed).sum()
        };
        shares((0..self.last.len()).map(longer).collect())
    }
}

/// A random column that is not constant, and a place between its ends; none if all are constant.
fn random_split(rows: &[Vec<f64>], random: &mut Random) -> Option<(usize, f64)> {
    let n_columns = rows[0].len();
    let start = random.below(n_columns);
    for column in (0..n_columns).map(|step| (start + step) % n_columns) {
        let finite = rows.iter().map(|row| row[column]).filter(|value| value.is_finite());
        let (low, high) =
            finite.fold((f64::MAX, f64::MIN), |(low, high), x| (low.min(x), high.max(x)));
        let share = random.uniform();
        let (width, both) = (high - low, low * (1.0 - share) + high * share);
        let at = if width.is_finite() { low + width * share } else { both };
        if high > low && at > low && at.is_finite() {
            return Some((column, at));
        }
    }
    None
}

/// c(n) = 2 H(n − 1) − 2 (n − 1)/n.
fn usual_path(n: usize) -> f64 {
    match n {
        0 | 1 => 0.0,
        2 => 1.0,
        n => {
            let n = n as f64;
            2.0 * ((n - 1.0).ln() + 0.577_215_664_901_532_9) - 2.0 * (n - 1.0) / n
        }
    }
}
