//! Decisions that the search starts from.

use std::time::Instant;

use super::decode::{Decision, Decoder};
use super::plan::Placement;
use super::shop::{Choice, Shop, solve as solve_shop};
use crate::{Control, Progress};

/// Share of the time, and moves at most, for a first plan that knows durations only.
const FIRST_SHARE: u64 = 10;
const FIRST_MOVES: u64 = 20_000;

/// Orders by due date, each with all its operations in a row, in their fastest modes.
pub(super) fn due_first(decoder: &Decoder<'_>) -> Decision {
    let problem = decoder.problem;
    let mut orders: Vec<usize> = (0..problem.orders.len()).collect();
    orders.sort_by_key(|&order| {
        (problem.orders[order].due.unwrap_or(i64::MAX), problem.orders[order].release)
    });
    let n_open = |order: usize| problem.orders[order].operations.len() - decoder.n_frozen[order];
    let turns = orders.iter().flat_map(|&order| std::iter::repeat_n(order as u32, n_open(order)));
    let operations = problem.orders.iter().flat_map(|order| &order.operations);
    let fastest = operations.map(|operation| {
        let modes = operation.modes.iter().enumerate();
        modes.min_by_key(|(_, mode)| mode.duration).map_or(0, |(idx, _)| idx as u32)
    });
    Decision {
        turns: turns.collect(),
        modes: fastest.collect(),
        not_before: vec![0; problem.n_operations()],
    }
}

/// The plan in force as far as it can be kept; what is new comes behind the rest of its order, or last.
pub(super) fn in_force(decoder: &Decoder<'_>, kept: &[(usize, i64)]) -> Decision {
    let mut decision = due_first(decoder);
    let mut starts = vec![i64::MAX; decision.not_before.len()];
    for &(idx, start) in kept {
        (decision.not_before[idx], starts[idx]) = (start, start);
    }
    let mut turns = Vec::new();
    for (order, described) in decoder.problem.orders.iter().enumerate() {
        let mut earliest = 0;
        for operation in decoder.n_frozen[order]..described.operations.len() {
            let idx = decoder.first[order] + operation;
            // Operations of an order keep their turn, whatever the plan in force says.
            earliest = starts[idx].max(earliest);
            turns.push((earliest, operation, order as u32));
            let machine = decoder.in_force(idx).map(|placement| placement.machine);
            let mut modes = described.operations[operation].modes.iter();
            if let Some(mode) = modes.position(|mode| Some(mode.machine) == machine) {
                decision.modes[idx] = mode as u32;
            }
        }
    }
    turns.sort_unstable();
    decision.turns = turns.into_iter().map(|(_, _, order)| order).collect();
    decision
}

/// The turns and modes of a good plan for the durations alone.
///
/// `watch` is asked in place of the caller, who wants to see costs and not makespans.
pub(super) fn durations_only(
    decoder: &Decoder<'_>,
    control: &Control<'_>,
    watch: &(dyn Fn(Progress) -> bool + Sync),
) -> Option<Decision> {
    let shop = remaining_shop(decoder)?;
    let now = Instant::now();
    let share =
        |deadline: Instant| now + deadline.saturating_duration_since(now) / FIRST_SHARE as u32;
    let first = Control {
        seed: control.seed,
        max_iterations: (control.max_iterations / FIRST_SHARE).min(FIRST_MOVES),
        deadline: control.deadline.map(share),
        n_threads: 1,
        budget: control.budget,
        watch,
    };
    let plan = solve_shop(&shop, &first);
    let mut decision = due_first(decoder);
    let mut starts = Vec::new();
    for (order, placed) in plan.jobs.iter().enumerate() {
        for (idx, placed) in placed.iter().enumerate() {
            let operation = decoder.n_frozen[order] + idx;
            let modes = &decoder.problem.orders[order].operations[operation].modes;
            let is_taken = |mode: &super::Mode| {
                mode.machine == placed.machine && mode.duration == placed.end - placed.start
            };
            let mode = modes.iter().position(is_taken)?;
            decision.modes[decoder.first[order] + operation] = mode as u32;
            starts.push((placed.start, operation, order as u32));
        }
    }
    starts.sort_unstable();
    decision.turns = starts.into_iter().map(|(_, _, order)| order).collect();
    Some(decision)
}

/// What is not frozen, as a shop of durations; `None` where those are too long for the kernel.
pub(super) fn remaining_shop(decoder: &Decoder<'_>) -> Option<Shop> {
    let choice = |mode: &super::Mode| Choice { machine: mode.machine, duration: mode.duration };
    let orders = decoder.problem.orders.iter().zip(&decoder.n_frozen);
    let jobs: Vec<Vec<Vec<Choice>>> = orders
        .map(|(order, &n_frozen)| {
            let open = order.operations.iter().skip(n_frozen);
            open.map(|operation| operation.modes.iter().map(choice).collect()).collect()
        })
        .collect();
    Shop::new(&jobs).ok()
}

/// Which of the operations that compete for a machine goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// The one that can start first, and of those the one of the heaviest order per work.
    Early,
    /// The one whose order has the least time left.
    Slack,
    /// The shortest set-up.
    Setup,
    /// The heaviest order per work.
    Weight,
}

impl Rule {
    pub(super) const ALL: [Self; 4] = [Self::Early, Self::Slack, Self::Setup, Self::Weight];
}

/// Operations that a rule may look at; more would take too long before the first look at the clock.
const MAX_LOOKS: usize = 500_000;

/// A plan made step by step: of all that could be next, what would be done first says which machine is decided, and
/// among what could begin there before that is done, the rule chooses (Giffler & Thompson 1960). `None` if that takes
/// too long. Cost: O(operations · orders · modes · workers).
pub(super) fn by_rule(decoder: &Decoder<'_>, rule: Rule) -> Option<Decision> {
    let mut decision = due_first(decoder);
    if decision.turns.len() * decoder.problem.orders.len() > MAX_LOOKS {
        return None;
    }
    let left = work_left(decoder);
    let mut free = decoder.free();
    let mut looks: Vec<Look> = Vec::new();
    for turn in 0..decision.turns.len() {
        looks.clear();
        for (order, described) in decoder.problem.orders.iter().enumerate() {
            let next = described.operations.get(free.next[order]);
            let n_modes = next.map_or(0, |operation| operation.modes.len());
            let looks_of = (0..n_modes as u32)
                .map(|mode| Look { mode, placement: decoder.place(&free, order, mode, 0) });
            looks.extend(looks_of.min_by_key(|look| look.placement.end));
        }
        let first = looks.iter().map(|look| look.placement).min_by_key(|it| (it.end, it.start))?;
        let competes = |look: &&Look| {
            let it = &look.placement;
            it.machine == first.machine && (it.start < first.end || it.end == first.end)
        };
        let chosen = looks.iter().filter(competes).min_by(|one, other| {
            let key = |look: &Look| rule.key(decoder, &look.placement, &left);
            let (one, other) = (key(one), key(other));
            one.0.total_cmp(&other.0).then(one.1.total_cmp(&other.1))
        })?;
        let Placement { order, operation, .. } = chosen.placement;
        decision.turns[turn] = order as u32;
        decision.modes[decoder.first[order] + operation] = chosen.mode;
        free.next[order] += 1;
        free.take(decoder.problem, &chosen.placement);
    }
    Some(decision)
}

/// The next operation of an order in the mode that is done first.
struct Look {
    mode: u32,
    placement: Placement,
}

impl Rule {
    /// What comes first has the smallest key.
    fn key(self, decoder: &Decoder<'_>, placement: &Placement, left: &[i64]) -> (f64, f64) {
        let order = &decoder.problem.orders[placement.order];
        let left = left[decoder.first[placement.order] + placement.operation];
        let per_weight = left as f64 / order.weight.max(f64::MIN_POSITIVE);
        let slack = order.due.map_or(f64::INFINITY, |due| (due - placement.start - left) as f64);
        match self {
            Self::Early => (placement.start as f64, per_weight),
            Self::Slack => (slack, per_weight),
            Self::Setup => (placement.setup as f64, slack),
            Self::Weight => (per_weight, slack),
        }
    }
}

/// What an order takes from each of its operations on, in the shortest modes.
fn work_left(decoder: &Decoder<'_>) -> Vec<i64> {
    let mut left = Vec::new();
    for order in &decoder.problem.orders {
        let shortest =
            order.operations.iter().map(|it| it.modes.iter().map(|mode| mode.duration).min());
        let from = left.len();
        left.extend(shortest.map(|shortest| shortest.unwrap_or(0)));
        for idx in (from + 1..left.len()).rev() {
            left[idx - 1] += left[idx];
        }
    }
    left
}
