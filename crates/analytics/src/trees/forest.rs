//! The trained forest: compact nodes that answer one row in microseconds.

use super::Objective;

/// Bit of [`Node::column`] that sends missing values to the right child.
const MISSING_RIGHT: u32 = 1 << 31;
/// Bits of [`Node::column`] that hold the column.
const COLUMN: u32 = MISSING_RIGHT - 1;

/// Trees that one row walks through side by side.
const TOGETHER: usize = 8;

/// A trained forest.
///
/// ```
/// use analytics::trees::{Data, Params, train};
/// // Ten parts run cold and measure 1, ten run hot and measure 3: one split, the middle is 2.
/// let temperature: Vec<f64> = (0..20).map(|i| if i < 10 { 20.0 } else { 80.0 }).collect();
/// let size: Vec<f64> = temperature.iter().map(|t| if *t < 50.0 { 1.0 } else { 3.0 }).collect();
/// let params = Params { n_trees: 1, learning_rate: 0.5, min_leaf_rows: 5, ..Params::default() };
/// let data = Data { columns: &[temperature], target: &size, weights: None };
/// let forest = train(&data, &params)?;
/// assert_eq!(forest.predict(&[20.0]), 1.5);           // half a step from 2 towards 1
/// assert_eq!(forest.explain(&[20.0]).shares, [-0.5]); // which the temperature explains
/// # Ok::<(), analytics::trees::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Forest {
    pub(super) objective: Objective,
    pub(super) n_columns: usize,
    pub(super) base: Vec<f64>,
    /// First node of each tree; with k outputs tree t serves output t mod k.
    pub(super) roots: Vec<u32>,
    pub(super) nodes: Vec<Node>,
    /// Share of its tree's training rows that came through each node.
    pub(super) covers: Vec<f64>,
}

/// A split or a leaf; 16 bytes, so that four lie in a cache line.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Node {
    /// Threshold of a split, answer of a leaf.
    pub(super) value: f64,
    column: u32,
    /// Left child, the right one follows it; 0 in a leaf.
    pub(super) child: u32,
}

impl Node {
    pub(super) fn leaf(value: f64) -> Node {
        Node { value, column: 0, child: 0 }
    }

    pub(super) fn split(column: usize, threshold: f64, missing_left: bool, child: u32) -> Node {
        let side = if missing_left { 0 } else { MISSING_RIGHT };
        Node { value: threshold, column: column as u32 | side, child }
    }

    pub(super) fn is_leaf(self) -> bool {
        self.child == 0
    }

    pub(super) fn column(self) -> usize {
        (self.column & COLUMN) as usize
    }

    pub(super) fn missing_left(self) -> bool {
        self.column & MISSING_RIGHT == 0
    }

    /// The child that a row goes to: left where `x` ≤ threshold.
    #[inline]
    pub(super) fn next(self, x: f64) -> u32 {
        let is_missing_right = x.is_nan() & (self.column & MISSING_RIGHT != 0);
        self.child + u32::from((x > self.value) | is_missing_right)
    }
}

impl Forest {
    /// What the forest was trained to minimize.
    pub fn objective(&self) -> Objective {
        self.objective
    }

    /// Values that a row must have.
    pub fn n_columns(&self) -> usize {
        self.n_columns
    }

    /// Values that a prediction has: the number of classes with [`Objective::Softmax`], else 1.
    pub fn n_outputs(&self) -> usize {
        self.base.len()
    }

    /// Boosting rounds.
    pub fn n_rounds(&self) -> usize {
        self.roots.len() / self.n_outputs()
    }

    /// Predicts one row: the mean, the quantile, the probability of 1, or with [`Objective::Softmax`] the
    /// most likely class.
    ///
    /// `row`: d values, NaN is missing. Cost: one path per tree.
    ///
    /// # Panics
    /// If the row has not [`Forest::n_columns`] values.
    pub fn predict(&self, row: &[f64]) -> f64 {
        if self.n_outputs() == 1 {
            let mut out = [self.raw_single(row)];
            self.objective.finish(&mut out);
            return out[0];
        }
        let mut out = vec![0.0; self.n_outputs()];
        self.predict_into(row, &mut out);
        let best = (0..out.len()).max_by(|&a, &b| out[a].total_cmp(&out[b]).then(b.cmp(&a)));
        best.unwrap_or(0) as f64
    }

    /// Predicts one row into `out`, which holds [`Forest::n_outputs`] values: as [`Forest::predict`], but the
    /// probabilities of all classes with [`Objective::Softmax`]. Allocates nothing.
    ///
    /// # Panics
    /// If the row or `out` has another length.
    pub fn predict_into(&self, row: &[f64], out: &mut [f64]) {
        self.raw_into(row, out);
        self.objective.finish(out);
    }

    /// The sums of leaves before the sigmoid or softmax.
    ///
    /// # Panics
    /// If the row or `out` has another length.
    pub fn raw_into(&self, row: &[f64], out: &mut [f64]) {
        assert_eq!(out.len(), self.n_outputs(), "one place per output");
        if out.len() == 1 {
            out[0] = self.raw_single(row);
            return;
        }
        assert_eq!(row.len(), self.n_columns, "one value per column");
        out.copy_from_slice(&self.base);
        let (groups, rest) = self.roots.as_chunks::<TOGETHER>();
        let mut output = 0;
        let mut add = |value: f64| {
            out[output] += value;
            output = if output + 1 < out.len() { output + 1 } else { 0 };
        };
        groups.iter().for_each(|roots| self.leaves(*roots, row).into_iter().for_each(&mut add));
        rest.iter().for_each(|&root| add(self.leaf(root, row)));
    }

    fn raw_single(&self, row: &[f64]) -> f64 {
        assert_eq!(row.len(), self.n_columns, "one value per column");
        let (groups, rest) = self.roots.as_chunks::<TOGETHER>();
        let sum = groups.iter().fold(self.base[0], |sum, roots| {
            self.leaves(*roots, row).iter().fold(sum, |sum, value| sum + value)
        });
        rest.iter().fold(sum, |sum, &root| sum + self.leaf(root, row))
    }

    /// Walks several trees at once, so that the processor need not wait for one node before it asks for the next.
    #[inline]
    fn leaves(&self, roots: [u32; TOGETHER], row: &[f64]) -> [f64; TOGETHER] {
        let mut nodes = roots.map(|root| self.nodes[root as usize]);
        let mut is_walking = true;
        while is_walking {
            is_walking = false;
            for node in &mut nodes {
                if node.child != 0 {
                    *node = self.nodes[node.next(row[node.column()]) as usize];
                    is_walking = true;
                }
            }
        }
        nodes.map(|node| node.value)
    }

    /// Adds one boosting round to raw scores.
    pub(super) fn add_round(&self, round: usize, row: &[f64], raw: &mut [f64]) {
        let roots = &self.roots[round * raw.len()..][..raw.len()];
        for (raw, &root) in raw.iter_mut().zip(roots) {
            *raw += self.leaf(root, row);
        }
    }

    #[inline]
    fn leaf(&self, root: u32, row: &[f64]) -> f64 {
        let mut node = self.nodes[root as usize];
        while node.child != 0 {
            node = self.nodes[node.next(row[node.column()]) as usize];
        }
        node.value
    }

    /// Predicts many rows given as `columns` (d × n); n values per output, row by row.
    ///
    /// # Panics
    /// If there are not [`Forest::n_columns`] columns of equal length.
    pub fn predict_columns(&self, columns: &[Vec<f64>]) -> Vec<f64> {
        let n_rows = columns.first().map_or(0, Vec::len);
        let n_outputs = self.n_outputs();
        let mut out = vec![0.0; n_rows * n_outputs];
        let mut row = vec![0.0; columns.len()];
        for (row_idx, out) in out.chunks_exact_mut(n_outputs).enumerate() {
            gather(columns, row_idx, &mut row);
            self.predict_into(&row, out);
        }
        out
    }

    /// The forest after its first `n_rounds` rounds.
    pub fn truncated(&self, n_rounds: usize) -> Forest {
        let n_trees = (n_rounds * self.n_outputs()).min(self.roots.len());
        let n_nodes = self.roots.get(n_trees).map_or(self.nodes.len(), |&root| root as usize);
        let mut forest = self.clone();
        forest.roots.truncate(n_trees);
        forest.nodes.truncate(n_nodes);
        forest.covers.truncate(n_nodes);
        forest
    }
}

pub(super) fn gather(columns: &[Vec<f64>], row_idx: usize, row: &mut [f64]) {
    for (value, column) in row.iter_mut().zip(columns) {
        *value = column[row_idx];
    }
}
