//! A forest as JSON.

use serde::{Deserialize, Serialize};

use super::forest::Node;
use super::{Error, Forest, Objective};

/// Version 1 of the file. Nodes of all trees lie one after the other; children follow their parent, the right
/// child follows the left.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileV1 {
    version: u32,
    objective: Objective,
    n_columns: usize,
    #[serde(with = "crate::saved")]
    base: Vec<f64>,
    /// First node of each tree.
    roots: Vec<u32>,
    /// Column of a split, 0 in a leaf.
    columns: Vec<u32>,
    /// Threshold of a split, answer of a leaf.
    #[serde(with = "crate::saved")]
    values: Vec<f64>,
    /// Left child, counted over all trees; 0 in a leaf.
    children: Vec<u32>,
    missing_left: Vec<bool>,
    /// Share of the tree's training rows.
    #[serde(with = "crate::saved")]
    covers: Vec<f64>,
}

impl Forest {
    /// Writes the forest as JSON, exactly: [`Forest::from_json`] gives an equal forest.
    pub fn to_json(&self) -> String {
        let nodes = &self.nodes;
        let file = FileV1 {
            version: 1,
            objective: self.objective,
            n_columns: self.n_columns,
            base: self.base.clone(),
            roots: self.roots.clone(),
            columns: nodes.iter().map(|node| node.column() as u32).collect(),
            values: nodes.iter().map(|node| node.value).collect(),
            children: nodes.iter().map(|node| node.child).collect(),
            missing_left: nodes.iter().map(|node| node.missing_left()).collect(),
            covers: self.covers.clone(),
        };
        serde_json::to_string(&file).expect("numbers, lists and booleans are always JSON")
    }

    /// Reads what [`Forest::to_json`] wrote.
    ///
    /// # Errors
    /// If the text is not such a file or describes no trees; a forest that was read never panics or loops.
    pub fn from_json(text: &str) -> Result<Forest, Error> {
        let file: FileV1 = serde_json::from_str(text)?;
        file.check()?;
        let node = |i: usize| match file.children[i] {
            0 => Node::leaf(file.values[i]),
            child => {
                let column = file.columns[i] as usize;
                Node::split(column, file.values[i], file.missing_left[i], child)
            }
        };
        Ok(Forest {
            objective: file.objective,
            n_columns: file.n_columns,
            nodes: (0..file.values.len()).map(node).collect(),
            base: file.base,
            roots: file.roots,
            covers: file.covers,
        })
    }
}

impl FileV1 {
    fn check(&self) -> Result<(), Error> {
        let n = self.values.len();
        let lengths =
            [self.columns.len(), self.children.len(), self.missing_left.len(), self.covers.len()];
        let base_fits = self.base.len() == self.objective.n_outputs();
        let roots_rise = self.roots.is_sorted_by(|a, b| a < b)
            && self.roots.first().is_none_or(|&root| root == 0);
        let checks = [
            (self.version == 1, "its version is unknown"),
            (lengths.iter().all(|&length| length == n), "its lists differ in length"),
            (n < 1 << 31 && self.n_columns < 1 << 31, "it is too large"),
            (self.objective.is_valid() && base_fits, "its outputs do not fit its objective"),
            (
                roots_rise && self.roots.len().is_multiple_of(self.base.len().max(1)),
                "its trees are out of order",
            ),
            (self.roots.is_empty() == (n == 0), "its nodes belong to no tree"),
            (
                self.covers.iter().all(|&cover| cover > 0.0 && cover <= 1.0),
                "a node has no training rows",
            ),
        ];
        if let Some((_, problem)) = checks.iter().find(|(is_good, _)| !is_good) {
            return Err(Error::Damaged(problem));
        }
        for (tree, &root) in self.roots.iter().enumerate() {
            let end = self.roots.get(tree + 1).map_or(n, |&next| next as usize);
            if end > n || (root as usize..end).any(|node| !self.node_is_good(node, end)) {
                return Err(Error::Damaged("a node points out of its tree"));
            }
        }
        Ok(())
    }

    fn node_is_good(&self, node: usize, end: usize) -> bool {
        let child = self.children[node] as usize;
        let is_inside =
            child > node && child + 1 < end && (self.columns[node] as usize) < self.n_columns;
        child == 0 || is_inside
    }
}
