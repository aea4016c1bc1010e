//! Which column moved a prediction, and by how much.

use super::Forest;

/// Why a row got its prediction.
#[derive(Clone, Debug, PartialEq)]
pub struct Explanation {
    /// Expected raw score of each output over the training rows.
    pub base: Vec<f64>,
    /// What each column adds to it: d values per output. With the base they sum to the raw score.
    pub shares: Vec<f64>,
}

impl Forest {
    /// Explains the raw score of a row by Shapley values of its columns.
    ///
    /// `row`: d values, NaN is missing. For [`Objective::Logistic`](super::Objective::Logistic) the shares are
    /// log odds, for softmax logarithms of unnormalized probabilities, else they have the target's unit.
    /// Source: Lundberg, Erion & Lee (2018), "Consistent individualized feature attribution for tree ensembles",
    /// algorithm 2. Cost: O(leaves · depth²) per tree.
    ///
    /// ```
    /// use analytics::trees::{Data, Params, train};
    /// // The first column decides between 2 and 6, the second never moves.
    /// let columns = [[0.0, 1.0].repeat(20), vec![5.0; 40]];
    /// let data = Data { columns: &columns, target: &[2.0, 6.0].repeat(20), weights: None };
    /// let forest = train(&data, &Params { n_trees: 1, learning_rate: 1.0, ..Params::default() })?;
    /// let why = forest.explain(&[1.0, 5.0]);
    /// // The mean is 4; the first column makes it 6.
    /// assert!((why.base[0] - 4.0).abs() < 1e-9 && (why.shares[0] - 2.0).abs() < 1e-9);
    /// assert_eq!(why.shares[1], 0.0);
    /// # Ok::<(), analytics::trees::Error>(())
    /// ```
    ///
    /// # Panics
    /// If the row has not [`Forest::n_columns`] values.
    pub fn explain(&self, row: &[f64]) -> Explanation {
        assert_eq!(row.len(), self.n_columns, "one value per column");
        let n_outputs = self.n_outputs();
        let mut explanation =
            Explanation { base: self.base.clone(), shares: vec![0.0; n_outputs * self.n_columns] };
        for (i, &root) in self.roots.iter().enumerate() {
            let output = i % n_outputs;
            explanation.base[output] += self.expected(root);
            let shares = &mut explanation.shares[output * self.n_columns..][..self.n_columns];
            let mut walk = Walk { forest: self, row, shares };
            walk.visit(root, &[], Step { column: usize::MAX, zero: 1.0, one: 1.0, weight: 0.0 });
        }
        explanation
    }

    /// Mean answer of the tree under `node` over its training rows.
    fn expected(&self, node: u32) -> f64 {
        let split = self.nodes[node as usize];
        if split.is_leaf() {
            return split.value;
        }
        let cover = |node: u32| self.covers[node as usize];
        let part = |child: u32| self.expected(child) * cover(child) / cover(node);
        part(split.child) + part(split.child + 1)
    }
}

/// A column on the way from the root: the share of training rows and of this row (0 or 1) that go on.
#[derive(Clone, Copy)]
struct Step {
    column: usize,
    zero: f64,
    one: f64,
    /// Weight of subsets of this many columns.
    weight: f64,
}

struct Walk<'a> {
    forest: &'a Forest,
    row: &'a [f64],
    shares: &'a mut [f64],
}

impl Walk<'_> {
    fn visit(&mut self, node: u32, path: &[Step], step: Step) {
        let mut path = path.to_vec();
        extend(&mut path, step);
        let split = self.forest.nodes[node as usize];
        if split.is_leaf() {
            for i in 1..path.len() {
                let weight = unwound_sum(&path, i);
                self.shares[path[i].column] += weight * (path[i].one - path[i].zero) * split.value;
            }
            return;
        }
        let column = split.column();
        let hot = split.next(self.row[column]);
        let cold = 2 * split.child + 1 - hot;
        let mut so_far = (1.0, 1.0);
        if let Some(i) = path.iter().skip(1).position(|step| step.column == column) {
            so_far = (path[i + 1].zero, path[i + 1].one);
            unwind(&mut path, i + 1);
        }
        let cover = |node: u32| self.forest.covers[node as usize];
        let zero = |child: u32| so_far.0 * cover(child) / cover(node);
        let (zero_hot, zero_cold) = (zero(hot), zero(cold));
        self.visit(hot, &path, Step { column, zero: zero_hot, one: so_far.1, weight: 0.0 });
        self.visit(cold, &path, Step { column, zero: zero_cold, one: 0.0, weight: 0.0 });
    }
}

fn extend(path: &mut Vec<Step>, step: Step) {
    let length = path.len();
    path.push(Step { weight: if length == 0 { 1.0 } else { 0.0 }, ..step });
    for i in (0..length).rev() {
        let weight = path[i].weight;
        path[i + 1].weight += step.one * weight * (i + 1) as f64 / (length + 1) as f64;
        path[i].weight = step.zero * weight * (length - i) as f64 / (length + 1) as f64;
    }
}

fn unwind(path: &mut Vec<Step>, at: usize) {
    let last = path.len() - 1;
    let Step { zero, one, .. } = path[at];
    let mut next = path[last].weight;
    for i in (0..last).rev() {
        let weight = path[i].weight;
        if one != 0.0 {
            path[i].weight = next * (last + 1) as f64 / ((i + 1) as f64 * one);
            next = weight - path[i].weight * zero * (last - i) as f64 / (last + 1) as f64;
        } else {
            path[i].weight = weight * (last + 1) as f64 / (zero * (last - i) as f64);
        }
    }
    for i in at..last {
        let weight = path[i].weight;
        path[i] = Step { weight, ..path[i + 1] };
    }
    path.pop();
}

/// Sum of the weights that [`unwind`] would leave.
fn unwound_sum(path: &[Step], at: usize) -> f64 {
    let last = path.len() - 1;
    let Step { zero, one, .. } = path[at];
    let mut next = path[last].weight;
    let mut sum = 0.0;
    for i in (0..last).rev() {
        if one != 0.0 {
            let weight = next * (last + 1) as f64 / ((i + 1) as f64 * one);
            sum += weight;
            next = path[i].weight - weight * zero * (last - i) as f64 / (last + 1) as f64;
        } else {
            sum += path[i].weight * (last + 1) as f64 / (zero * (last - i) as f64);
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trees::{Data, Params, train};

    /// Answer of the tree where only the columns of `known` are known, the others as in the training rows.
    fn answer(forest: &Forest, node: u32, row: &[f64], known: usize) -> f64 {
        let split = forest.nodes[node as usize];
        if split.is_leaf() {
            return split.value;
        }
        if known >> split.column() & 1 == 1 {
            return answer(forest, split.next(row[split.column()]), row, known);
        }
        let cover = |node: u32| forest.covers[node as usize];
        let part = |child| answer(forest, child, row, known) * cover(child) / cover(node);
        part(split.child) + part(split.child + 1)
    }

    /// Shapley (1953) by its definition: over all orders in which columns become known.
    fn by_definition(forest: &Forest, row: &[f64], column: usize) -> f64 {
        let d = forest.n_columns();
        let factorial = |n: usize| (1..=n).product::<usize>() as f64;
        let mut share = 0.0;
        for known in (0..1_usize << d).filter(|known| known >> column & 1 == 0) {
            let n = known.count_ones() as usize;
            let weight = factorial(n) * factorial(d - n - 1) / factorial(d);
            for &root in &forest.roots {
                let with = answer(forest, root, row, known | 1 << column);
                share += weight * (with - answer(forest, root, row, known));
            }
        }
        share
    }

    #[test]
    fn shares_are_the_shapley_values_of_the_definition() {
        let at = |i: usize, k: usize| ((i * (7 + 4 * k) + k) % 31) as f64;
        let columns: Vec<Vec<f64>> = (0..4)
            .map(|k| {
                (0..300).map(|i| if (i + k) % 17 == 0 { f64::NAN } else { at(i, k) }).collect()
            })
            .collect();
        let target: Vec<f64> = (0..300)
            .map(|i| at(i, 0) * at(i, 1) / 10.0 + f64::from(at(i, 2) > 15.0) * at(i, 3))
            .collect();
        let params = Params { n_trees: 6, n_leaves: 12, min_leaf_rows: 3, ..Params::default() };
        let data = Data { columns: &columns, target: &target, weights: None };
        let forest = train(&data, &params).expect("good data");
        for row in [[3.0, 20.0, 16.0, 8.0], [30.0, 2.0, f64::NAN, 1.0], [f64::NAN; 4]] {
            let explained = forest.explain(&row);
            for (column, share) in explained.shares.iter().enumerate() {
                let expected = by_definition(&forest, &row, column);
                assert!((share - expected).abs() < 1e-9, "{column}: {share} is not {expected}");
            }
        }
    }
}
