//! Boosting: tree after tree on what the trees before left over.

use super::bins::{Binned, MISSING};
use super::forest::{Forest, Node};
use super::grow::{Blocks, Grown, GrownNode, Limits, Packed, Pool, grow};
use super::objective::{quantile, softmax};
use super::{Data, Error, Objective, Params};
use crate::random::Random;

/// Rows of one forest: their integer gradients still have 11 bits on average.
const MAX_ROWS: usize = 1 << 20;

/// Fewest rows of a bin, unless leaves may have fewer: cut points between single rows are noise.
const MIN_BIN_ROWS: usize = 3;

/// Trains a forest.
///
/// Sources and departures: see [`crate::trees`]. Cost: O(n·d) per tree level; memory n·d bytes (twice where columns or rows
/// are sampled) and 2 KB per column and leaf.
///
/// ```
/// use analytics::trees::{Data, Params, train};
/// // A motor draws 2 A at rest and 6 A at work; one tree that takes the whole step finds both means.
/// let at_work = [0.0, 1.0].repeat(20);
/// let data = Data { columns: &[at_work], target: &[2.0, 6.0].repeat(20), weights: None };
/// let forest = train(&data, &Params { n_trees: 1, learning_rate: 1.0, ..Params::default() })?;
/// assert!((forest.predict(&[0.0]) - 2.0).abs() < 1e-9 && (forest.predict(&[1.0]) - 6.0).abs() < 1e-9);
/// # Ok::<(), analytics::trees::Error>(())
/// ```
///
/// # Errors
/// If there are no rows or too many, lengths differ, or a target, weight or parameter is out of its range.
pub fn train(data: &Data<'_>, params: &Params) -> Result<Forest, Error> {
    check(data, params)?;
    let mut booster = Booster::new(data, params);
    if params.n_threads <= 1 {
        return Ok(booster.run());
    }
    match rayon::ThreadPoolBuilder::new().num_threads(params.n_threads).build() {
        Ok(pool) => Ok(pool.install(|| booster.run())),
        Err(_) => Ok(booster.run()), // no threads to be had: slower, not different
    }
}

pub(crate) fn check(data: &Data<'_>, params: &Params) -> Result<(), Error> {
    let n_rows = data.columns.first().map_or(0, Vec::len);
    if n_rows == 0 {
        return Err(Error::Empty);
    }
    if n_rows > MAX_ROWS {
        return Err(Error::TooManyRows { n_rows, limit: MAX_ROWS });
    }
    let ragged = |what: String, found: usize| Error::Ragged { what, found, expected: n_rows };
    if let Some(i) = data.columns.iter().position(|column| column.len() != n_rows) {
        return Err(ragged(format!("column {i}"), data.columns[i].len()));
    }
    if data.target.len() != n_rows {
        return Err(ragged("the target".into(), data.target.len()));
    }
    if let Some(weights) = data.weights.filter(|weights| weights.len() != n_rows) {
        return Err(ragged("the weights".into(), weights.len()));
    }
    check_params(params)?;
    for (row_idx, &value) in data.target.iter().enumerate() {
        if !params.objective.accepts(value) {
            return Err(Error::BadValue { what: "target", row_idx, value });
        }
    }
    for (row_idx, &value) in data.weights.unwrap_or_default().iter().enumerate() {
        if !(value.is_finite() && value >= 0.0) {
            return Err(Error::BadValue { what: "weight", row_idx, value });
        }
    }
    Ok(())
}

fn check_params(params: &Params) -> Result<(), Error> {
    let is_share = |x: f64| x > 0.0 && x <= 1.0;
    let ranges = [
        ("objective", params.objective.is_valid()),
        ("learning_rate", params.learning_rate > 0.0 && params.learning_rate.is_finite()),
        ("n_leaves", (2..=4096).contains(&params.n_leaves)),
        ("min_leaf_hessian", params.min_leaf_hessian >= 0.0),
        ("l2", params.l2 >= 0.0 && params.l2.is_finite()),
        ("max_bins", (2..=255).contains(&params.max_bins)),
        ("row_share", is_share(params.row_share)),
        ("column_share", is_share(params.column_share)),
    ];
    match ranges.iter().find(|(_, is_good)| !is_good) {
        Some((name, _)) => Err(Error::BadParameter { name }),
        None => Ok(()),
    }
}

/// The state of training between two trees.
struct Booster<'a> {
    data: &'a Data<'a>,
    params: &'a Params,
    binned: Binned,
    n_bins: Vec<usize>,
    /// All rows and columns; `None` where every tree makes its own sample.
    blocks: Option<Blocks>,
    pool: Pool,
    random: Random,
    /// Raw scores, output by output.
    raw: Vec<Vec<f64>>,
    forest: Forest,
}

impl<'a> Booster<'a> {
    fn new(data: &'a Data<'a>, params: &'a Params) -> Booster<'a> {
        let min_rows = MIN_BIN_ROWS.min(params.min_leaf_rows.max(1));
        let binned = Binned::new(data.columns, params.max_bins, min_rows);
        let n_bins: Vec<usize> = binned.cuts.iter().map(|cuts| cuts.len() + 2).collect();
        let is_whole = params.row_share >= 1.0 && params.column_share >= 1.0;
        let all: Vec<usize> = (0..data.columns.len()).collect();
        let base = params.objective.base(data.target, |i| weight(data, i));
        Booster {
            data,
            params,
            blocks: is_whole.then(|| Blocks::new(&binned.columns, &n_bins, &all, None)),
            binned,
            n_bins,
            pool: Pool::default(),
            random: Random::new(params.seed),
            raw: base.iter().map(|&base| vec![base; data.target.len()]).collect(),
            forest: Forest {
                objective: params.objective,
                n_columns: data.columns.len(),
                base,
                roots: Vec::new(),
                nodes: Vec::new(),
                covers: Vec::new(),
            },
        }
    }

    fn run(&mut self) -> Forest {
        for _ in 0..self.params.n_trees {
            let probabilities = self.probabilities();
            for output in 0..self.raw.len() {
                self.add_tree(output, probabilities.get(output));
            }
        }
        self.forest.clone()
    }

    /// Class probabilities of all rows before this round, class by class; empty but for softmax.
    fn probabilities(&self) -> Vec<Vec<f64>> {
        if !matches!(self.params.objective, Objective::Softmax(_)) {
            return Vec::new();
        }
        let mut probabilities = self.raw.clone();
        let mut row = vec![0.0; self.raw.len()];
        for i in 0..self.data.target.len() {
            super::forest::gather(&self.raw, i, &mut row);
            softmax(&mut row);
            for (column, &p) in probabilities.iter_mut().zip(&row) {
                column[i] = p;
            }
        }
        probabilities
    }

    fn add_tree(&mut self, output: usize, probabilities: Option<&Vec<f64>>) {
        let columns = self.sample(self.params.column_share, self.data.columns.len());
        let rows = (self.params.row_share < 1.0).then(|| {
            let rows = self.sample(self.params.row_share, self.data.target.len());
            rows.into_iter().map(|i| i as u32).collect::<Vec<u32>>()
        });
        let gradient = |i: usize| {
            let p = probabilities.map_or(0.0, |p| p[i]);
            let raw = self.raw[output][i];
            let (g, h) = self.params.objective.gradient(self.data.target[i], raw, output, p);
            (g * weight(self.data, i), h * weight(self.data, i))
        };
        let gradients: Vec<(f64, f64)> = match &rows {
            None => (0..self.data.target.len()).map(gradient).collect(),
            Some(rows) => rows.iter().map(|&i| gradient(i as usize)).collect(),
        };
        let packed = Packed::new(&gradients);
        let limits = self.limits();
        let grown = match &self.blocks {
            Some(blocks) => grow(blocks, &packed, &limits, &mut self.pool),
            None => {
                let blocks =
                    Blocks::new(&self.binned.columns, &self.n_bins, &columns, rows.as_deref());
                grow(&blocks, &packed, &limits, &mut self.pool)
            }
        };
        let values = self.leaf_values(&grown, &gradients, rows.as_deref(), output);
        self.append(&grown, &values, &columns);
        self.apply(&grown, &values, &columns, rows.as_deref(), output);
    }

    fn sample(&mut self, share: f64, of: usize) -> Vec<usize> {
        if share >= 1.0 {
            return (0..of).collect();
        }
        let n = ((share * of as f64).round() as usize).clamp(1, of);
        self.random.sample(n, of)
    }

    fn limits(&self) -> Limits {
        let params = self.params;
        Limits {
            n_leaves: params.n_leaves,
            max_depth: if params.max_depth == 0 { usize::MAX } else { params.max_depth },
            min_rows: params.min_leaf_rows.max(1) as f64,
            min_hessian: params.min_leaf_hessian,
            l2: params.l2,
        }
    }

    /// What each leaf answers, shrunk by the learning rate; 0 at splits. `rows` are those that the tree saw.
    fn leaf_values(
        &self,
        grown: &Grown,
        gradients: &[(f64, f64)],
        rows: Option<&[u32]>,
        output: usize,
    ) -> Vec<f64> {
        let value = |node: usize| {
            let members = &grown.rows[grown.ranges[node].clone()];
            let Some(level) = self.params.objective.leaf_level() else {
                let (g, h) = members.iter().fold((0.0, 0.0), |(g, h), &i| {
                    let (gi, hi) = gradients[i as usize];
                    (g + gi, h + hi)
                });
                return if h + self.params.l2 > 0.0 { -g / (h + self.params.l2) } else { 0.0 };
            };
            let mut residuals: Vec<(f64, f64)> = members
                .iter()
                .map(|&i| rows.map_or(i, |rows| rows[i as usize]) as usize)
                .map(|i| (self.data.target[i] - self.raw[output][i], weight(self.data, i)))
                .collect();
            quantile(&mut residuals, level)
        };
        let is_leaf = |node: usize| matches!(grown.nodes[node], GrownNode::Leaf);
        (0..grown.nodes.len())
            .map(|node| if is_leaf(node) { self.params.learning_rate * value(node) } else { 0.0 })
            .collect()
    }

    fn append(&mut self, grown: &Grown, values: &[f64], columns: &[usize]) {
        let first = self.forest.nodes.len();
        self.forest.roots.push(first as u32);
        for (node, &value) in grown.nodes.iter().zip(values) {
            self.forest.nodes.push(match *node {
                GrownNode::Leaf => Node::leaf(value),
                GrownNode::Split { column, bin, missing_left, child } => {
                    let column = columns[column];
                    let threshold = self.binned.threshold(column, bin);
                    Node::split(column, threshold, missing_left, (first + child) as u32)
                }
            });
        }
        let n_rows = grown.rows.len() as f64;
        self.forest.covers.extend(grown.ranges.iter().map(|range| range.len() as f64 / n_rows));
    }

    /// Adds the new tree to the raw scores.
    fn apply(
        &mut self,
        grown: &Grown,
        values: &[f64],
        columns: &[usize],
        rows: Option<&[u32]>,
        output: usize,
    ) {
        let raw = &mut self.raw[output];
        if rows.is_some() {
            for (i, raw) in raw.iter_mut().enumerate() {
                *raw += values[leaf_of(grown, columns, &self.binned, i)];
            }
            return;
        }
        for (node, range) in grown.ranges.iter().enumerate() {
            if matches!(grown.nodes[node], GrownNode::Leaf) {
                for &i in &grown.rows[range.clone()] {
                    raw[i as usize] += values[node];
                }
            }
        }
    }
}

fn weight(data: &Data<'_>, row_idx: usize) -> f64 {
    data.weights.map_or(1.0, |weights| weights[row_idx])
}

/// The leaf of a row that the tree may not have seen.
fn leaf_of(grown: &Grown, columns: &[usize], binned: &Binned, row_idx: usize) -> usize {
    debug_assert!(row_idx < binned.n_rows());
    let mut node = 0;
    while let GrownNode::Split { column, bin: last, missing_left, child } = grown.nodes[node] {
        let bin = binned.columns[columns[column]][row_idx];
        let is_left = if bin == MISSING { missing_left } else { bin <= last };
        node = child + usize::from(!is_left);
    }
    node
}
