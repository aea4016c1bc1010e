//! The disjunctive graph of one plan: who comes before whom, heads, tails, and a topological order.

use super::Shop;

/// One operation in the graph. Half a cache line, because the search touches little else.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Node {
    /// The operation before it in its job, or the sentinel.
    pub(super) job_before: u32,
    /// The operation after it in its job, or the sentinel.
    pub(super) job_after: u32,
    /// The operation before it on its machine, or the sentinel.
    pub(super) before: u32,
    /// The operation after it on its machine, or the sentinel.
    pub(super) after: u32,
    pub(super) duration: i32,
    /// Earliest start: the longest path that ends here.
    pub(super) head: i32,
    /// The longest path from its end to the end of the plan.
    pub(super) tail: i32,
    /// Its place in the topological order.
    pub(super) place: u32,
}

impl Node {
    pub(super) fn end(&self) -> i32 {
        self.head + self.duration
    }

    /// The longest path from its start to the end of the plan.
    pub(super) fn rest(&self) -> i32 {
        self.duration + self.tail
    }
}

/// A plan that can be moved from on: the choice and place of every operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// Which of its choices each operation takes.
    pub(super) choice: Vec<u32>,
    /// All operations in an order in which each comes after all it waits for.
    pub(super) order: Vec<u32>,
    /// Start of each operation.
    pub(super) head: Vec<i32>,
    pub(super) makespan: i32,
}

/// The graph of a plan. Node `n` is a sentinel of no duration that stands for "nothing before" and "nothing after".
#[derive(Clone)]
pub(super) struct Graph<'a> {
    pub(super) shop: &'a Shop,
    pub(super) nodes: Vec<Node>,
    pub(super) order: Vec<u32>,
    pub(super) choice: Vec<u32>,
    pub(super) machine: Vec<u32>,
    /// First operation of each machine, or the sentinel.
    pub(super) first: Vec<u32>,
    pub(super) makespan: i32,
    /// Last operation of each job that has any.
    ends: Vec<u32>,
    marked: Vec<bool>,
    held: Vec<u32>,
}

impl<'a> Graph<'a> {
    pub(super) fn new(shop: &'a Shop) -> Self {
        let n = shop.n_operations();
        let mut nodes =
            vec![Node { job_before: n as u32, job_after: n as u32, ..Node::default() }; n + 1];
        for job in 0..shop.n_jobs() {
            let operations = shop.operations(job);
            for next in operations.clone().skip(1) {
                nodes[next].job_before = next as u32 - 1;
                nodes[next - 1].job_after = next as u32;
            }
        }
        let ends = (0..n as u32).filter(|&op| nodes[op as usize].job_after == n as u32).collect();
        Self {
            shop,
            nodes,
            order: Vec::new(),
            choice: vec![0; n],
            machine: vec![0; n],
            first: vec![n as u32; shop.n_machines()],
            makespan: 0,
            ends,
            marked: vec![false; n + 1],
            held: Vec::new(),
        }
    }

    pub(super) fn sentinel(&self) -> u32 {
        self.order.len() as u32
    }

    pub(super) fn node(&self, operation: u32) -> &Node {
        &self.nodes[operation as usize]
    }

    /// Takes over a plan: the choices, and an order from which machines take their operations.
    ///
    /// `order` must keep the operations of each job in their order.
    pub(super) fn load(&mut self, choice: &[u32], order: &[u32]) {
        let none = order.len() as u32;
        self.choice.copy_from_slice(choice);
        self.order.clear();
        self.order.extend_from_slice(order);
        self.first.fill(none);
        let mut last = vec![none; self.first.len()];
        for (place, &op) in order.iter().enumerate() {
            let chosen = self.shop.choices(op as usize)[choice[op as usize] as usize];
            let before = std::mem::replace(&mut last[chosen.machine], op);
            self.machine[op as usize] = chosen.machine as u32;
            let node = &mut self.nodes[op as usize];
            (node.duration, node.place) = (chosen.duration as i32, place as u32);
            (node.before, node.after) = (before, none);
            if before == none {
                self.first[chosen.machine] = op;
            } else {
                self.nodes[before as usize].after = op;
            }
        }
        self.update_heads(0);
        self.update_tails(order.len());
    }

    pub(super) fn layout(&self) -> Layout {
        let n = self.order.len();
        Layout {
            choice: self.choice.clone(),
            order: self.order.clone(),
            head: self.nodes[..n].iter().map(|node| node.head).collect(),
            makespan: self.makespan,
        }
    }

    /// Computes heads from place `from` on, and the makespan.
    fn update_heads(&mut self, from: usize) {
        for idx in from..self.order.len() {
            let op = self.order[idx] as usize;
            let node = self.nodes[op];
            let before = self.nodes[node.before as usize].end();
            self.nodes[op].head = before.max(self.nodes[node.job_before as usize].end());
        }
        let ends = self.ends.iter().map(|&op| self.nodes[op as usize].end());
        self.makespan = ends.max().unwrap_or(0);
    }

    /// Computes tails of all places below `to`.
    fn update_tails(&mut self, to: usize) {
        for idx in (0..to).rev() {
            let op = self.order[idx] as usize;
            let node = self.nodes[op];
            let after = self.nodes[node.after as usize].rest();
            self.nodes[op].tail = after.max(self.nodes[node.job_after as usize].rest());
        }
    }

    fn unlink(&mut self, op: u32) {
        let Node { before, after, .. } = *self.node(op);
        if before == self.sentinel() {
            self.first[self.machine[op as usize] as usize] = after;
        }
        self.nodes[before as usize].after = after;
        self.nodes[after as usize].before = before;
    }

    /// Puts `op` on its machine behind `before`, or in front of all where that is the sentinel.
    fn link(&mut self, op: u32, before: u32) {
        let machine = self.machine[op as usize] as usize;
        let none = self.sentinel();
        let after = if before == none { self.first[machine] } else { self.node(before).after };
        if before == none {
            self.first[machine] = op;
        } else {
            self.nodes[before as usize].after = op;
        }
        self.nodes[after as usize].before = op;
        (self.nodes[op as usize].before, self.nodes[op as usize].after) = (before, after);
    }

    /// Moves `op` right behind `last`, which follows it on the same machine. There must be no path from the job
    /// successor of `op` to `last`.
    pub(super) fn shift_behind(&mut self, op: u32, last: u32) {
        let (from, to) = (self.node(op).place as usize, self.node(last).place as usize);
        self.unlink(op);
        self.link(op, last);
        // All between that must wait for `op` goes behind it; the rest keeps its order in front.
        self.held.clear();
        self.held.push(op);
        self.marked[op as usize] = true;
        let mut free = from;
        for idx in from + 1..=to {
            let between = self.order[idx];
            let node = *self.node(between);
            if self.marked[node.job_before as usize] || self.marked[node.before as usize] {
                self.marked[between as usize] = true;
                self.held.push(between);
            } else {
                self.put(free, between);
                free += 1;
            }
        }
        for idx in 0..self.held.len() {
            self.put(free + idx, self.held[idx]);
        }
        self.settle(from, to);
    }

    /// Moves `op` right in front of `first`, which precedes it on the same machine. There must be no path from
    /// `first` to the job predecessor of `op`.
    pub(super) fn shift_before(&mut self, op: u32, first: u32) {
        let (from, to) = (self.node(first).place as usize, self.node(op).place as usize);
        let before = self.node(first).before;
        self.unlink(op);
        self.link(op, before);
        self.held.clear();
        self.held.push(op);
        self.marked[op as usize] = true;
        let mut free = to;
        for idx in (from..to).rev() {
            let between = self.order[idx];
            let node = *self.node(between);
            if self.marked[node.job_after as usize] || self.marked[node.after as usize] {
                self.marked[between as usize] = true;
                self.held.push(between);
            } else {
                self.put(free, between);
                free -= 1;
            }
        }
        for idx in 0..self.held.len() {
            self.put(free - idx, self.held[idx]);
        }
        self.settle(from, to);
    }

    fn put(&mut self, place: usize, op: u32) {
        self.order[place] = op;
        self.nodes[op as usize].place = place as u32;
    }

    fn settle(&mut self, from: usize, to: usize) {
        for &op in &self.held {
            self.marked[op as usize] = false;
        }
        self.update_heads(from);
        self.update_tails(to + 1);
    }

    /// Gives `op` another choice and the place behind `before` on its machine (in front of all where that is the
    /// sentinel). The result must have no cycle.
    pub(super) fn reassign(&mut self, op: u32, choice: u32, before: u32) {
        self.unlink(op);
        let chosen = self.shop.choices(op as usize)[choice as usize];
        self.choice[op as usize] = choice;
        self.machine[op as usize] = chosen.machine as u32;
        self.nodes[op as usize].duration = chosen.duration as i32;
        self.link(op, before);
        self.sort();
        self.update_heads(0);
        self.update_tails(self.order.len());
    }

    /// Sorts all operations topologically from scratch.
    fn sort(&mut self) {
        let n = self.order.len();
        let none = n as u32;
        self.held.clear();
        let is_ready = |node: &Node| node.job_before == none && node.before == none;
        self.held.extend((0..none).filter(|&op| is_ready(&self.nodes[op as usize])));
        self.marked.fill(false);
        // `marked` says that one of two predecessors has been placed.
        let mut placed = 0;
        while placed < self.held.len() {
            let op = self.held[placed];
            let node = self.nodes[op as usize];
            self.put(placed, op);
            placed += 1;
            for next in [node.job_after, node.after] {
                if next == none {
                    continue;
                }
                let after = &self.nodes[next as usize];
                let waits_for_two = after.job_before != none && after.before != none;
                if waits_for_two && !std::mem::replace(&mut self.marked[next as usize], true) {
                    continue;
                }
                self.held.push(next);
            }
        }
        assert_eq!(placed, n, "a move made a cycle");
        self.marked.fill(false);
    }
}
