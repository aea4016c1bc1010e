//! The neighborhood: what can be moved on a critical path, and a fast estimate of what it would bring.
//!
//! N7 of Zhang, Li, Guan & Rao (2007) on blocks of one machine: an operation of a critical block moves to the front
//! or the end of its block, and the first and last move inside. In a flexible shop every critical operation may
//! also take any of its choices (Mastrolilli & Gambardella 2000).

use super::graph::{Graph, Node};
use crate::random::Random;

/// One change of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Move {
    /// `op` goes right behind `last` on its machine.
    Behind { op: u32, last: u32 },
    /// `op` goes right in front of `first` on its machine.
    Before { op: u32, first: u32 },
    /// `op` takes `choice` and goes behind `before`, or in front of all where that is the sentinel.
    Reassign { op: u32, choice: u32, before: u32 },
}

impl Graph<'_> {
    pub(super) fn apply(&mut self, change: Move) {
        match change {
            Move::Behind { op, last } => self.shift_behind(op, last),
            Move::Before { op, first } => self.shift_before(op, first),
            Move::Reassign { op, choice, before } => self.reassign(op, choice, before),
        }
    }

    /// A critical path, drawn at random where there are several, from first to last operation.
    pub(super) fn critical_path(&self, random: &mut Random, path: &mut Vec<u32>) {
        path.clear();
        let is_critical = |node: &Node| node.head + node.rest() == self.makespan;
        let mut n_starts = 0;
        let mut next = self.sentinel();
        for op in 0..self.sentinel() {
            let node = self.node(op);
            if node.head == 0 && is_critical(node) {
                n_starts += 1;
                if random.below(n_starts) == 0 {
                    next = op;
                }
            }
        }
        while next != self.sentinel() {
            path.push(next);
            let node = self.node(next);
            let follows = |&op: &u32| {
                op != self.sentinel()
                    && self.node(op).head == node.end()
                    && is_critical(self.node(op))
            };
            let (in_job, on_machine) =
                (Some(node.job_after).filter(follows), Some(node.after).filter(follows));
            next = match (in_job, on_machine) {
                (Some(op), None) | (None, Some(op)) => op,
                (Some(one), Some(other)) => {
                    if random.next() & 1 == 0 {
                        one
                    } else {
                        other
                    }
                }
                (None, None) => self.sentinel(),
            };
        }
    }

    /// All moves along a critical path.
    pub(super) fn moves(&self, path: &[u32], found: &mut Vec<Move>) {
        found.clear();
        let machine = |op: &u32| self.machine[*op as usize];
        for block in path.chunk_by(|one, other| machine(one) == machine(other)) {
            self.block_moves(block, found);
        }
        if self.shop.is_flexible() {
            path.iter().for_each(|&op| self.reassign_moves(op, found));
        }
    }

    fn block_moves(&self, block: &[u32], found: &mut Vec<Move>) {
        let [first, .., last] = *block else { return };
        for (idx, &op) in block.iter().enumerate() {
            if op != last && self.may_go_behind(op, last) {
                found.push(Move::Behind { op, last });
            }
            // Two that are neighbors can be exchanged in one way only.
            if op != first && block.len() > 2 && self.may_go_before(op, first) {
                found.push(Move::Before { op, first });
            }
            let is_inside = idx > 0 && idx + 1 < block.len();
            if is_inside && self.may_go_behind(first, op) {
                found.push(Move::Behind { op: first, last: op });
            }
            if is_inside && idx + 2 < block.len() && self.may_go_before(last, op) {
                found.push(Move::Before { op: last, first: op });
            }
        }
    }

    /// Whether no path leads from what follows `op` in its job to `last`; three sufficient conditions.
    fn may_go_behind(&self, op: u32, last: u32) -> bool {
        let job_after = self.node(op).job_after;
        if job_after == self.sentinel() || job_after == last {
            return job_after != last;
        }
        let (next, last) = (self.node(job_after), self.node(last));
        let strict = i32::from(next.duration == 0);
        next.place > last.place || last.head < next.end() || last.rest() >= next.rest() + strict
    }

    /// Whether no path leads from `first` to what precedes `op` in its job.
    fn may_go_before(&self, op: u32, first: u32) -> bool {
        let job_before = self.node(op).job_before;
        if job_before == self.sentinel() || job_before == first {
            return job_before != first;
        }
        let (previous, first) = (self.node(job_before), self.node(first));
        let strict = i32::from(previous.duration == 0);
        previous.place < first.place
            || previous.head < first.end()
            || first.end() >= previous.end() + strict
    }

    /// All places of all choices of `op` that make no cycle, its present one left out.
    fn reassign_moves(&self, op: u32, found: &mut Vec<Move>) {
        let node = self.node(op);
        let none = self.sentinel();
        let next_end =
            if node.job_after == none { i32::MAX } else { self.node(node.job_after).end() };
        let previous_rest =
            if node.job_before == none { i32::MAX } else { self.node(node.job_before).rest() };
        for (choice, chosen) in self.shop.choices(op as usize).iter().enumerate() {
            if choice as u32 == self.choice[op as usize] {
                continue;
            }
            let is_same = chosen.machine as u32 == self.machine[op as usize];
            let mut before = none;
            let mut after = self.first[chosen.machine];
            loop {
                let touches = is_same && (before == op || after == op);
                let is_late = after == none
                    || (after != node.job_before && self.node(after).tail < previous_rest);
                if is_late && !touches {
                    found.push(Move::Reassign { op, choice: choice as u32, before });
                }
                // Whatever follows `op` in its job must not come before it here.
                if after == none || after == node.job_after || self.node(after).head >= next_end {
                    break;
                }
                before = after;
                after = self.node(after).after;
            }
        }
    }

    /// A fast estimate of the makespan after a move (Balas & Vazacopoulos 1998, eq. 4–7), exact or a lower bound of
    /// the longest path through what moved. Gives up with `i32::MAX` once it is above `limit`.
    pub(super) fn estimate(&self, change: Move, limit: i32, held: &mut Vec<(i32, u32)>) -> i32 {
        match change {
            Move::Behind { op, last } => self.estimate_behind(op, last, limit, held),
            Move::Before { op, first } => self.estimate_before(op, first, limit, held),
            Move::Reassign { op, choice, before } => self.estimate_reassign(op, choice, before),
        }
    }

    fn estimate_behind(&self, op: u32, last: u32, limit: i32, held: &mut Vec<(i32, u32)>) -> i32 {
        let moved = self.node(op);
        let mut free = self.node(moved.before).end();
        held.clear();
        let mut at = moved.after;
        loop {
            let node = self.node(at);
            let head = free.max(self.node(node.job_before).end());
            held.push((head, at));
            free = head + node.duration;
            if at == last {
                break;
            }
            at = node.after;
        }
        let head = free.max(self.node(moved.job_before).end());
        let tail = self.node(self.node(last).after).rest().max(self.node(moved.job_after).rest());
        let mut longest = head + moved.duration + tail;
        let mut rest = moved.duration + tail;
        for &(head, at) in held.iter().rev() {
            let node = self.node(at);
            rest = node.duration + rest.max(self.node(node.job_after).rest());
            longest = longest.max(head + rest);
            if longest > limit {
                return i32::MAX;
            }
        }
        longest
    }

    fn estimate_before(&self, op: u32, first: u32, limit: i32, held: &mut Vec<(i32, u32)>) -> i32 {
        let moved = self.node(op);
        let mut rest = self.node(moved.after).rest();
        held.clear();
        let mut at = moved.before;
        loop {
            let node = self.node(at);
            rest = node.duration + rest.max(self.node(node.job_after).rest());
            held.push((rest, at));
            if at == first {
                break;
            }
            at = node.before;
        }
        let tail = rest.max(self.node(moved.job_after).rest());
        let before = self.node(self.node(first).before).end();
        let head = before.max(self.node(moved.job_before).end());
        let mut free = head + moved.duration;
        let mut longest = free + tail;
        for &(rest, at) in held.iter().rev() {
            let node = self.node(at);
            let head = free.max(self.node(node.job_before).end());
            longest = longest.max(head + rest);
            if longest > limit {
                return i32::MAX;
            }
            free = head + node.duration;
        }
        longest
    }

    fn estimate_reassign(&self, op: u32, choice: u32, before: u32) -> i32 {
        let node = self.node(op);
        let chosen = self.shop.choices(op as usize)[choice as usize];
        let after = if before == self.sentinel() {
            self.first[chosen.machine]
        } else {
            self.node(before).after
        };
        let head = self.node(before).end().max(self.node(node.job_before).end());
        let tail = self.node(after).rest().max(self.node(node.job_after).rest());
        head + chosen.duration as i32 + tail
    }
}
