//! One tree: leaf-wise splits over integer histograms.

use std::ops::Range;

use rayon::prelude::*;

use super::bins::MISSING;

/// Columns whose bins lie side by side, so that one read of a row serves all of them.
pub(super) const LANES: usize = 8;
/// Below so many row × column steps a task is not worth handing to another thread.
const PARALLEL_STEPS: usize = 60_000;

/// Sums of packed gradients of one column by bin.
type Histogram = [i64; 256];
/// Histograms of one block of columns.
type BlockHistogram = [Histogram; LANES];

/// Bins of the rows and columns that one tree sees, in blocks of [`LANES`] columns.
pub(super) struct Blocks {
    blocks: Vec<Vec<[u8; LANES]>>,
    n_columns: usize,
    n_bins: Vec<usize>,
}

impl Blocks {
    /// Takes `columns` (indices) of `binned`; all rows, or those of `rows`.
    pub(super) fn new(
        binned: &[Vec<u8>],
        n_bins: &[usize],
        columns: &[usize],
        rows: Option<&[u32]>,
    ) -> Blocks {
        let n_all = binned.first().map_or(0, Vec::len);
        let n_rows = rows.map_or(n_all, <[u32]>::len);
        let blocks = columns.chunks(LANES).map(|chunk| {
            let mut block = vec![[0; LANES]; n_rows];
            for (lane, &column) in chunk.iter().enumerate() {
                let bins = &binned[column];
                match rows {
                    None => block.iter_mut().zip(bins).for_each(|(row, bin)| row[lane] = *bin),
                    Some(rows) => {
                        for (row, &i) in block.iter_mut().zip(rows) {
                            row[lane] = bins[i as usize];
                        }
                    }
                }
            }
            block
        });
        Blocks {
            blocks: blocks.collect(),
            n_columns: columns.len(),
            n_bins: columns.iter().map(|&column| n_bins[column]).collect(),
        }
    }

    fn lanes(&self, block: usize) -> usize {
        (self.n_columns - block * LANES).min(LANES)
    }
}

/// Gradients and Hessians as integers: gradient × 2³² + Hessian in one word.
///
/// The scales are such that no sum over any rows leaves its 32 bits, so adding words adds both parts exactly.
pub(super) struct Packed {
    pub(super) words: Vec<i64>,
    gradient_unit: f64,
    hessian_unit: f64,
}

impl Packed {
    pub(super) fn new(gradients: &[(f64, f64)]) -> Packed {
        let n_rows = gradients.len() as f64;
        let sum_gradient: f64 = gradients.iter().map(|(g, _)| g.abs()).sum();
        let sum_hessian: f64 = gradients.iter().map(|(_, h)| h).sum();
        let gradient_unit = (sum_gradient / (2f64.powi(31) - 2.0 - n_rows)).max(1e-300);
        let hessian_unit = (sum_hessian / (2f64.powi(32) - 2.0 - n_rows)).max(1e-300);
        let (per_gradient, per_hessian) = (1.0 / gradient_unit, 1.0 / hessian_unit);
        let pack = |&(g, h): &(f64, f64)| {
            ((g * per_gradient).round_ties_even() as i64) << 32
                | (h * per_hessian).round_ties_even() as i64
        };
        Packed { words: gradients.iter().map(pack).collect(), gradient_unit, hessian_unit }
    }

    fn open(&self, word: i64) -> Sums {
        Sums {
            gradient: (word >> 32) as f64 * self.gradient_unit,
            hessian: (word & 0xFFFF_FFFF) as f64 * self.hessian_unit,
        }
    }
}

#[derive(Clone, Copy)]
struct Sums {
    gradient: f64,
    hessian: f64,
}

/// When a leaf may split.
pub(super) struct Limits {
    pub(super) n_leaves: usize,
    /// Most splits from root to leaf.
    pub(super) max_depth: usize,
    pub(super) min_rows: f64,
    pub(super) min_hessian: f64,
    pub(super) l2: f64,
}

/// A node of a grown tree; `column` counts the columns that the tree saw.
pub(super) enum GrownNode {
    Leaf,
    Split { column: usize, bin: u8, missing_left: bool, child: usize },
}

/// A grown tree.
pub(super) struct Grown {
    pub(super) nodes: Vec<GrownNode>,
    /// Rows of each node's subtree as a range of `rows`.
    pub(super) ranges: Vec<Range<usize>>,
    /// All rows, sorted by leaf, ascending within each.
    pub(super) rows: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    bin: u8,
    missing_left: bool,
    left: i64,
}

struct Leaf {
    node: usize,
    depth: usize,
    rows: Range<usize>,
    sum: i64,
    histogram: Vec<BlockHistogram>,
    split: Split,
}

/// Memory that is used again from tree to tree.
#[derive(Default)]
pub(super) struct Pool {
    histograms: Vec<Vec<BlockHistogram>>,
    words: Vec<i64>,
    right: Vec<u32>,
}

impl Pool {
    fn take(&mut self, n_blocks: usize) -> Vec<BlockHistogram> {
        let mut histogram = self.histograms.pop().unwrap_or_default();
        histogram.resize(n_blocks, [[0; 256]; LANES]);
        histogram
    }
}

/// Grows one tree; the same whatever the number of threads of the rayon pool that it runs in.
pub(super) fn grow(blocks: &Blocks, packed: &Packed, limits: &Limits, pool: &mut Pool) -> Grown {
    let n_rows = packed.words.len();
    let mut grown = Grown {
        nodes: vec![GrownNode::Leaf],
        ranges: std::iter::once(0..n_rows).collect(),
        rows: (0..n_rows as u32).collect(),
    };
    let finder = Finder { blocks, packed, limits };
    let mut open: Vec<Leaf> = Vec::new();
    open.extend(finder.root(&grown.rows, pool));
    for _ in 1..limits.n_leaves {
        let best = (0..open.len()).max_by(|&a, &b| {
            let (a, b) = (&open[a], &open[b]);
            a.split.gain.total_cmp(&b.split.gain).then(b.node.cmp(&a.node))
        });
        let Some(best) = best else { break };
        let leaf = open.swap_remove(best);
        let (left, right) = divide(&mut grown, &leaf, blocks, &mut pool.right);
        finder.children(leaf, left, right, &grown, pool, &mut open);
    }
    pool.histograms.extend(open.into_iter().map(|leaf| leaf.histogram));
    grown
}

/// Splits a leaf of the tree; returns the nodes of its children.
fn divide(grown: &mut Grown, leaf: &Leaf, blocks: &Blocks, right: &mut Vec<u32>) -> (usize, usize) {
    let split = leaf.split;
    let block = &blocks.blocks[split.column / LANES];
    let lane = split.column % LANES;
    right.clear();
    let rows = &mut grown.rows[leaf.rows.clone()];
    let mut n_left = 0;
    for i in 0..rows.len() {
        let row = rows[i];
        let bin = block[row as usize][lane];
        let is_left = if bin == MISSING { split.missing_left } else { bin <= split.bin };
        if is_left {
            rows[n_left] = row;
            n_left += 1;
        } else {
            right.push(row);
        }
    }
    rows[n_left..].copy_from_slice(right);
    let child = grown.nodes.len();
    let middle = leaf.rows.start + n_left;
    grown.nodes[leaf.node] = GrownNode::Split {
        column: split.column,
        bin: split.bin,
        missing_left: split.missing_left,
        child,
    };
    grown.nodes.extend([GrownNode::Leaf, GrownNode::Leaf]);
    grown.ranges.extend([leaf.rows.start..middle, middle..leaf.rows.end]);
    (child, child + 1)
}

struct Finder<'a> {
    blocks: &'a Blocks,
    packed: &'a Packed,
    limits: &'a Limits,
}

impl Finder<'_> {
    fn root(&self, rows: &[u32], pool: &mut Pool) -> Option<Leaf> {
        let sum = self.packed.words.iter().sum();
        let mut histogram = pool.take(self.blocks.blocks.len());
        let found = self.each_block(rows.len(), &mut histogram, |block, histogram| {
            fill_all(histogram, &self.blocks.blocks[block], &self.packed.words);
            self.best_of_block(block, histogram, sum, rows.len())
        });
        let split = best(found.into_iter().flatten())?;
        Some(Leaf { node: 0, depth: 0, rows: 0..rows.len(), sum, histogram, split })
    }

    /// Histograms and best splits of the two children of `leaf`; those that can split go to `open`.
    ///
    /// The smaller child is counted, the larger is the parent less the smaller.
    fn children(
        &self,
        leaf: Leaf,
        left: usize,
        right: usize,
        grown: &Grown,
        pool: &mut Pool,
        open: &mut Vec<Leaf>,
    ) {
        let depth = leaf.depth + 1;
        let ranges = [grown.ranges[left].clone(), grown.ranges[right].clone()];
        let sums = [leaf.split.left, leaf.sum - leaf.split.left];
        let small = usize::from(ranges[1].len() < ranges[0].len());
        let may_split = |child: usize| {
            depth < self.limits.max_depth
                && ranges[child].len() as f64 >= 2.0 * self.limits.min_rows
        };
        if open.len() + 2 > self.limits.n_leaves || !(may_split(0) || may_split(1)) {
            pool.histograms.push(leaf.histogram);
            return;
        }
        let rows = &grown.rows[ranges[small].clone()];
        pool.words.clear();
        pool.words.extend(rows.iter().map(|&row| self.packed.words[row as usize]));
        let mut small_histogram = pool.take(self.blocks.blocks.len());
        let mut large_histogram = leaf.histogram;
        let words = &pool.words;
        let found = self.each_pair(
            rows.len(),
            &mut small_histogram,
            &mut large_histogram,
            |block, a, b| {
                fill(a, &self.blocks.blocks[block], rows, words);
                subtract(b, a);
                let of = |child: usize, histogram| {
                    may_split(child)
                        .then(|| {
                            self.best_of_block(block, histogram, sums[child], ranges[child].len())
                        })
                        .flatten()
                };
                (of(small, a), of(1 - small, b))
            },
        );
        let (small_found, large_found): (Vec<_>, Vec<_>) = found.into_iter().unzip();
        let mut offer =
            |child: usize, histogram: Vec<BlockHistogram>, found: Vec<Option<Split>>| match best(
                found.into_iter().flatten(),
            ) {
                Some(split) => open.push(Leaf {
                    node: [left, right][child],
                    depth,
                    rows: ranges[child].clone(),
                    sum: sums[child],
                    histogram,
                    split,
                }),
                None => pool.histograms.push(histogram),
            };
        offer(small, small_histogram, small_found);
        offer(1 - small, large_histogram, large_found);
    }

    fn each_block<T: Send>(
        &self,
        n_rows: usize,
        histogram: &mut [BlockHistogram],
        work: impl Fn(usize, &mut BlockHistogram) -> T + Sync,
    ) -> Vec<T> {
        if is_worth_threads(n_rows, self.blocks.n_columns) {
            return histogram.par_iter_mut().enumerate().map(|(i, a)| work(i, a)).collect();
        }
        histogram.iter_mut().enumerate().map(|(i, a)| work(i, a)).collect()
    }

    fn each_pair<T: Send>(
        &self,
        n_rows: usize,
        one: &mut [BlockHistogram],
        other: &mut [BlockHistogram],
        work: impl Fn(usize, &mut BlockHistogram, &mut BlockHistogram) -> T + Sync,
    ) -> Vec<T> {
        if is_worth_threads(n_rows, self.blocks.n_columns) {
            let pairs = one.par_iter_mut().zip(other.par_iter_mut()).enumerate();
            return pairs.map(|(i, (a, b))| work(i, a, b)).collect();
        }
        let pairs = one.iter_mut().zip(other.iter_mut()).enumerate();
        pairs.map(|(i, (a, b))| work(i, a, b)).collect()
    }

    fn best_of_block(
        &self,
        block: usize,
        histogram: &BlockHistogram,
        sum: i64,
        n_rows: usize,
    ) -> Option<Split> {
        best((0..self.blocks.lanes(block)).filter_map(|lane| {
            let column = block * LANES + lane;
            let histogram = &histogram[lane][..self.blocks.n_bins[column]];
            let split = self.best_split(histogram, sum, n_rows)?;
            Some(Split { column, ..split })
        }))
    }

    /// The best threshold of one column, missing values going right, then left.
    fn best_split(&self, histogram: &[i64], sum: i64, n_rows: usize) -> Option<Split> {
        let missing = histogram[usize::from(MISSING)];
        let mut search = Search::new(self, sum, n_rows);
        search.scan(histogram, 0, false);
        if missing != 0 {
            search.scan(histogram, missing, true);
        } else {
            search.send_missing_to_larger();
        }
        search.split()
    }
}

fn is_worth_threads(n_rows: usize, n_columns: usize) -> bool {
    rayon::current_num_threads() > 1 && (n_rows + 500) * n_columns > PARALLEL_STEPS
}

/// The best of some splits; of equals the first.
fn best(splits: impl Iterator<Item = Split>) -> Option<Split> {
    splits.reduce(|best, split| if split.gain > best.gain { split } else { best })
}

/// The best threshold so far while the bins of one column are walked.
struct Search<'a> {
    packed: &'a Packed,
    total: Sums,
    sum: i64,
    l2: f64,
    min_hessian: f64,
    /// Score of the leaf as it is, plus the least gain.
    floor: f64,
    best: f64,
    bin: u8,
    missing_left: bool,
    left: i64,
}

impl<'a> Search<'a> {
    /// `n_rows`: rows of the leaf; how many of them a bin holds is estimated from its share of the leaf's Hessian.
    fn new(finder: &Finder<'a>, sum: i64, n_rows: usize) -> Search<'a> {
        let (packed, limits) = (finder.packed, finder.limits);
        let total = packed.open(sum);
        let unsplit = total.gradient * total.gradient / (total.hessian + limits.l2);
        let hessian_per_row = total.hessian / n_rows.max(1) as f64;
        let floor = unsplit + 1e-10 * unsplit.abs() + 1e-12;
        Search {
            packed,
            total,
            sum,
            l2: limits.l2,
            min_hessian: limits.min_hessian.max((limits.min_rows - 0.5) * hessian_per_row),
            floor,
            best: floor,
            bin: 0,
            missing_left: false,
            left: 0,
        }
    }

    /// Walks up the bins with `left` already on the left side (Chen & Guestrin (2016), eq. 7).
    fn scan(&mut self, histogram: &[i64], mut left: i64, missing_left: bool) {
        let (gradient_unit, hessian_unit) = (self.packed.gradient_unit, self.packed.hessian_unit);
        for (bin, &word) in histogram.iter().enumerate().skip(1) {
            if word == 0 {
                continue;
            }
            left += word;
            let h_left = (left & 0xFFFF_FFFF) as f64 * hessian_unit;
            if h_left < self.min_hessian {
                continue;
            }
            let h_right = self.total.hessian - h_left;
            if h_right < self.min_hessian {
                break;
            }
            let g_left = (left >> 32) as f64 * gradient_unit;
            let g_right = self.total.gradient - g_left;
            let (h_left, h_right) = (h_left + self.l2, h_right + self.l2);
            let score =
                (g_left * g_left * h_right + g_right * g_right * h_left) / (h_left * h_right);
            if score > self.best {
                self.best = score;
                self.bin = bin as u8;
                self.missing_left = missing_left;
                self.left = left;
            }
        }
    }

    /// Where training knows no missing values, later ones go the way of most rows.
    fn send_missing_to_larger(&mut self) {
        self.missing_left = 2.0 * self.packed.open(self.left).hessian > self.total.hessian;
    }

    fn split(&self) -> Option<Split> {
        let is_split = self.best > self.floor && self.left != self.sum;
        let (missing_left, left) = (self.missing_left, self.left);
        is_split.then_some(Split {
            gain: self.best - self.floor,
            column: 0,
            bin: self.bin,
            missing_left,
            left,
        })
    }
}

fn fill_all(histogram: &mut BlockHistogram, block: &[[u8; LANES]], words: &[i64]) {
    *histogram = [[0; 256]; LANES];
    for (bins, &word) in block.iter().zip(words) {
        add(histogram, bins, word);
    }
}

fn fill(histogram: &mut BlockHistogram, block: &[[u8; LANES]], rows: &[u32], words: &[i64]) {
    *histogram = [[0; 256]; LANES];
    for (&row, &word) in rows.iter().zip(words) {
        add(histogram, &block[row as usize], word);
    }
}

#[inline]
fn add(histogram: &mut BlockHistogram, bins: &[u8; LANES], word: i64) {
    for lane in 0..LANES {
        histogram[lane][usize::from(bins[lane])] += word;
    }
}

fn subtract(from: &mut BlockHistogram, what: &BlockHistogram) {
    for (a, b) in from.as_flattened_mut().iter_mut().zip(what.as_flattened()) {
        *a -= b;
    }
}
