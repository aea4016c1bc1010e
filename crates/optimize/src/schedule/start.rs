//! Decisions that the search starts from.

use std::time::Instant;

use super::decode::{Decision, Decoder};
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
            let machine = decoder.machine_in_force(idx);
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
