//! How little a plan of a plant can cost: every order by itself, and every machine by itself.

use super::decode::Decoder;
use super::problem::{Machine, Mode, Operation, Problem};

/// No plan costs less.
///
/// Lateness and end come from every order alone, in the calendars of its machines and workers, and from every machine
/// with the work that no other can do and its cheapest set-ups; energy is all drawn at the lowest price.
pub(super) fn bound(decoder: &Decoder<'_>) -> f64 {
    let problem = decoder.problem;
    let (mut end, mut late, mut setups) = (0, 0.0, 0);
    for (idx, order) in
        problem.orders.iter().enumerate().filter(|(_, it)| !it.operations.is_empty())
    {
        let earliest = earliest_end(decoder, idx);
        end = end.max(earliest);
        late += order.weight * (earliest - order.due.unwrap_or(earliest)).max(0) as f64;
    }
    for idx in 0..problem.machines.len() {
        let (load, setup) = load(decoder, idx);
        setups += setup;
        if load > 0 {
            let calendar = decoder.calendar(idx, None);
            end = end.max(calendar.fit(problem.now, load + setup, true).1);
        }
    }
    let weights = &problem.weights;
    weights.makespan * end as f64
        + weights.tardiness * late
        + weights.setup * setups as f64
        + if weights.energy > 0.0 { weights.energy * energy(decoder) } else { 0.0 }
}

/// When an order could be finished if it were alone and needed no set-ups.
fn earliest_end(decoder: &Decoder<'_>, idx: usize) -> i64 {
    let problem = decoder.problem;
    let order = &problem.orders[idx];
    let frozen = problem.frozen.iter().filter(|placement| placement.order == idx);
    let frozen_end = frozen.map(|placement| placement.end).max();
    if let Some(end) = frozen_end.filter(|_| open(decoder, idx).next().is_none()) {
        // Nothing of it is still to come: the present does not make it later.
        return end;
    }
    let from = frozen_end.unwrap_or(0).max(order.release).max(problem.now);
    open(decoder, idx).fold(from, |free, (operation, described)| {
        let end_on = |mode: &Mode| {
            let fit = |worker: Option<usize>| {
                let calendar = decoder.calendar(mode.machine, worker);
                calendar.fit(free, mode.duration, described.can_pause).1
            };
            match &decoder.workers[decoder.first[idx] + operation] {
                None => Some(fit(None)),
                Some(skilled) => skilled.iter().map(|&worker| fit(Some(worker))).min(),
            }
        };
        described.modes.iter().filter_map(end_on).min().unwrap_or(free)
    })
}

/// The operations of an order that are not frozen, with their numbers.
fn open<'a>(
    decoder: &'a Decoder<'_>,
    order: usize,
) -> impl Iterator<Item = (usize, &'a Operation)> {
    let operations = decoder.problem.orders[order].operations.iter().enumerate();
    operations.skip(decoder.n_frozen[order])
}

/// What only this machine can do, and the set-ups that it needs for that at least.
fn load(decoder: &Decoder<'_>, idx: usize) -> (i64, i64) {
    let problem = decoder.problem;
    let mut load = 0;
    let mut families = Vec::new();
    for (_, operation) in (0..problem.orders.len()).flat_map(|order| open(decoder, order)) {
        if operation.modes.iter().all(|mode| mode.machine == idx) {
            let shortest = operation.modes.iter().map(|mode| mode.duration).min().unwrap_or(0);
            load += shortest;
            // A step of no length needs no set-up.
            families.extend((shortest > 0).then_some(operation.family));
        }
    }
    families.sort_unstable();
    families.dedup();
    // What is frozen may have left the machine set up for any of them.
    let is_fresh = problem.frozen.iter().all(|placement| placement.machine != idx);
    (load, if is_fresh { least_setups(&problem.machines[idx], &families) } else { 0 })
}

/// Every family but the first one is set up at least once, from the family from which that is shortest.
fn least_setups(machine: &Machine, families: &[usize]) -> i64 {
    let from = |to: usize| {
        let others = (0..machine.setups.len()).filter(|&from| from != to);
        others.map(|from| machine.setup(Some(from), to)).min().unwrap_or(0)
    };
    let needed = families.iter().filter(|&&family| machine.family != Some(family));
    let each: Vec<i64> = needed.map(|&family| from(family)).collect();
    let free = if machine.family.is_none() { each.iter().copied().max().unwrap_or(0) } else { 0 };
    each.iter().sum::<i64>() - free
}

/// All energy at the lowest price; what set-ups draw comes on top.
fn energy(decoder: &Decoder<'_>) -> f64 {
    let problem: &Problem = decoder.problem;
    let cheapest = problem.prices.iter().map(|&(_, price)| price).fold(f64::INFINITY, f64::min);
    if problem.prices.is_empty() {
        return 0.0;
    }
    // At a negative price set-ups would lower the bill by an amount not known here.
    if cheapest < 0.0 {
        return f64::NEG_INFINITY;
    }
    let least = |operation: &Operation| {
        let costs = operation.modes.iter().map(|mode| mode.power_kw * mode.duration as f64);
        costs.fold(f64::INFINITY, f64::min)
    };
    let all = (0..problem.orders.len()).flat_map(|order| open(decoder, order));
    let kilowatts: f64 = all.map(|(_, operation)| least(operation)).sum();
    problem.hours_per_unit * cheapest * kilowatts
}
