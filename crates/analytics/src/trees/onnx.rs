//! A forest as an ONNX model, for other programs to run.

use super::{Forest, Objective};

/// Elements of the tensors: 32-bit floats.
const FLOAT: u64 = 1;

impl Forest {
    /// Writes the forest as an ONNX model (operators `ai.onnx.ml` 3 `TreeEnsembleRegressor`, `ai.onnx` 13).
    ///
    /// Input `features`: float32, rows × d, NaN is missing. Output `prediction`: float32, rows × outputs, what
    /// [`Forest::predict_into`] gives. Thresholds are rounded down to 32 bits, so that a row of 32-bit values
    /// takes the same way through every tree; answers and their sum have the precision of 32 bits.
    /// Source: ONNX IR version 8, `onnx.proto`; encoding after the Protocol Buffers wire format. Cost: O(nodes).
    ///
    /// ```
    /// use analytics::trees::{Data, Params, train};
    /// let data = Data { columns: &[vec![1.0; 40]], target: &[2.0; 40], weights: None };
    /// let model = train(&data, &Params { n_trees: 1, ..Params::default() })?.to_onnx();
    /// assert_eq!(model[..2], [0x08, 8]); // field 1, a number: version 8 of the format
    /// # Ok::<(), analytics::trees::Error>(())
    /// ```
    pub fn to_onnx(&self) -> Vec<u8> {
        let n_outputs = self.n_outputs() as u64;
        let last = match self.objective {
            Objective::Logistic => Some(("Sigmoid", Vec::new())),
            Objective::Softmax(_) => Some(("Softmax", vec![int("axis", 1)])),
            _ => None,
        };
        let mut graph = Message::default();
        let sum = if last.is_some() { "raw" } else { "prediction" };
        graph.message(
            1,
            &node("TreeEnsembleRegressor", "ai.onnx.ml", "features", sum, &self.attributes()),
        );
        if let Some((operator, attributes)) = last {
            graph.message(1, &node(operator, "", "raw", "prediction", &attributes));
        }
        graph.text(2, "fettler_forest");
        graph.message(11, &tensor("features", self.n_columns as u64));
        graph.message(12, &tensor("prediction", n_outputs));
        let mut model = Message::default();
        model.number(1, 8);
        model.text(2, "fettler");
        model.message(7, &graph);
        model.message(8, &operator_set("", 13));
        model.message(8, &operator_set("ai.onnx.ml", 3));
        model.0
    }

    fn attributes(&self) -> Vec<Message> {
        let tree_of = self.tree_of_node();
        let number_in_tree = |node: usize| (node - self.roots[tree_of[node]] as usize) as i64;
        let all = 0..self.nodes.len();
        let children = |side: u32| -> Vec<i64> {
            let child = |node: usize| match self.nodes[node].child {
                0 => 0,
                left => number_in_tree((left + side) as usize),
            };
            all.clone().map(child).collect()
        };
        let node_ids: Vec<i64> = all.clone().map(number_in_tree).collect();
        let tree_ids: Vec<i64> = tree_of.iter().map(|&tree| tree as i64).collect();
        let is_leaf = |node: &usize| self.nodes[*node].is_leaf();
        let leaves: Vec<usize> = all.clone().filter(is_leaf).collect();
        let of_leaves =
            |values: &[i64]| leaves.iter().map(|&leaf| values[leaf]).collect::<Vec<i64>>();
        let split_or = |node: usize, value: f32| if is_leaf(&node) { 0.0 } else { value };
        let mode = |node: usize| if is_leaf(&node) { "LEAF" } else { "BRANCH_LEQ" };
        let targets: Vec<i64> =
            leaves.iter().map(|&leaf| (tree_of[leaf] % self.n_outputs()) as i64).collect();
        let answers: Vec<f32> = leaves.iter().map(|&leaf| self.nodes[leaf].value as f32).collect();
        let base: Vec<f32> = self.base.iter().map(|&base| base as f32).collect();
        vec![
            int("n_targets", self.n_outputs() as i64),
            text("aggregate_function", "SUM"),
            text("post_transform", "NONE"),
            floats("base_values", &base),
            ints("nodes_treeids", &tree_ids),
            ints("nodes_nodeids", &node_ids),
            ints(
                "nodes_featureids",
                &all.clone().map(|i| self.nodes[i].column() as i64).collect::<Vec<_>>(),
            ),
            texts("nodes_modes", all.clone().map(mode)),
            floats(
                "nodes_values",
                &all.clone()
                    .map(|i| split_or(i, round_down(self.nodes[i].value)))
                    .collect::<Vec<_>>(),
            ),
            ints("nodes_truenodeids", &children(0)),
            ints("nodes_falsenodeids", &children(1)),
            ints(
                "nodes_missing_value_tracks_true",
                &all.clone()
                    .map(|i| i64::from(self.nodes[i].missing_left() && !is_leaf(&i)))
                    .collect::<Vec<_>>(),
            ),
            ints("target_treeids", &of_leaves(&tree_ids)),
            ints("target_nodeids", &of_leaves(&node_ids)),
            ints("target_ids", &targets),
            floats("target_weights", &answers),
        ]
    }

    fn tree_of_node(&self) -> Vec<usize> {
        let tree = |node: usize| self.roots.partition_point(|&root| root as usize <= node) - 1;
        (0..self.nodes.len()).map(tree).collect()
    }
}

/// The largest 32-bit float that is not above `x`: no 32-bit float lies between them.
fn round_down(x: f64) -> f32 {
    let near = x as f32;
    if f64::from(near) > x { near.next_down() } else { near }
}

/// A message in the Protocol Buffers wire format under construction.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(&mut self, field: u64, value: u64) {
        self.varint(field << 3);
        self.varint(value);
    }

    fn bytes(&mut self, field: u64, value: &[u8]) {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    fn text(&mut self, field: u64, value: &str) {
        self.bytes(field, value.as_bytes());
    }

    fn message(&mut self, field: u64, value: &Message) {
        self.bytes(field, &value.0);
    }
}

fn node(
    operator: &str,
    domain: &str,
    input: &str,
    output: &str,
    attributes: &[Message],
) -> Message {
    let mut node = Message::default();
    node.text(1, input);
    node.text(2, output);
    node.text(4, operator);
    for attribute in attributes {
        node.message(5, attribute);
    }
    node.text(7, domain);
    node
}

/// An attribute with its type number; `fill` adds its value.
fn attribute(name: &str, kind: u64, fill: impl FnOnce(&mut Message)) -> Message {
    let mut attribute = Message::default();
    attribute.text(1, name);
    fill(&mut attribute);
    attribute.number(20, kind);
    attribute
}

fn int(name: &str, value: i64) -> Message {
    attribute(name, 2, |attribute| attribute.number(3, value as u64))
}

fn text(name: &str, value: &str) -> Message {
    attribute(name, 3, |attribute| attribute.text(4, value))
}

fn floats(name: &str, values: &[f32]) -> Message {
    let packed: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    attribute(name, 6, |attribute| attribute.bytes(7, &packed))
}

fn ints(name: &str, values: &[i64]) -> Message {
    let mut packed = Message::default();
    for &value in values {
        packed.varint(value as u64);
    }
    attribute(name, 7, |attribute| attribute.message(8, &packed))
}

fn texts(name: &str, values: impl Iterator<Item = &'static str>) -> Message {
    attribute(name, 8, |attribute| values.for_each(|value| attribute.text(9, value)))
}

/// A named matrix of any number of rows.
fn tensor(name: &str, n_columns: u64) -> Message {
    let mut rows = Message::default();
    rows.text(2, "rows");
    let mut columns = Message::default();
    columns.number(1, n_columns);
    let mut shape = Message::default();
    shape.message(1, &rows);
    shape.message(1, &columns);
    let mut matrix = Message::default();
    matrix.number(1, FLOAT);
    matrix.message(2, &shape);
    let mut kind = Message::default();
    kind.message(1, &matrix);
    let mut value = Message::default();
    value.text(1, name);
    value.message(2, &kind);
    value
}

fn operator_set(domain: &str, version: u64) -> Message {
    let mut set = Message::default();
    set.text(1, domain);
    set.number(2, version);
    set
}
