//! How little a plan of a plant can cost: every order by itself, and every machine, worker or choice of them by itself.

use super::calendar::Calendar;
use super::decode::Decoder;
use super::plan::Placement;
use super::problem::{Machine, Mode, Operation, Order, Problem};

/// No plan costs less.
///
/// Lateness and end come from every order alone, in the calendars of its machines and workers; from all work that has
/// no choice but some machines, or some workers, in the time for which those are there (for a single machine with its
/// cheapest set-ups); and lateness from every machine with its work in the order of weight per work (Smith 1956). Energy
/// is all drawn at the lowest price.
pub(super) fn bound(decoder: &Decoder<'_>) -> f64 {
    let problem = decoder.problem;
    let ends: Vec<i64> = (0..problem.orders.len()).map(|idx| earliest_end(decoder, idx)).collect();
    let late = |(order, &end): (&Order, &i64)| {
        order.weight * (end - order.due.unwrap_or(end)).max(0) as f64
    };
    let alone: Vec<f64> = problem.orders.iter().zip(&ends).map(late).collect();
    let steps = steps(decoder);
    let (mut end, mut setups) = (ends.iter().copied().max().unwrap_or(0), 0);
    let mut tardiness: f64 = alone.iter().sum();
    for idx in 0..problem.machines.len() {
        let here: Vec<&Step> = steps.iter().filter(|step| step.machines == [idx]).collect();
        let setup = least_setups(decoder, idx, &here);
        setups += setup;
        end = end.max(last_end(&here, setup, &[decoder.calendar(idx, None)]));
        tardiness = tardiness.max(smith(problem, &here, &alone));
    }
    end = end.max(shared_end(&steps, |step| &step.machines, |idx| decoder.calendar(idx, None)));
    end = end.max(shared_end(&steps, |step| &step.workers, |idx| decoder.absence(idx)));
    let weights = &problem.weights;
    weights.makespan * end as f64
        + weights.tardiness * tardiness
        + weights.setup * setups as f64
        + weights.change * n_moved(decoder) as f64
        + if weights.energy > 0.0 { weights.energy * energy(decoder) } else { 0.0 }
}

/// Operations that cannot stay where the plan in force has them, even if they were alone.
fn n_moved(decoder: &Decoder<'_>) -> usize {
    let mut n_moved = 0;
    for order in 0..decoder.problem.orders.len() {
        let mut free = earliest_start(decoder, order);
        for (operation, described) in open(decoder, order) {
            let idx = decoder.first[order] + operation;
            let can_stay = |old: Placement| {
                let begins = |worker| {
                    let fits = |mode: &Mode| {
                        let calendar = decoder.calendar(mode.machine, worker);
                        let (start, _) =
                            calendar.fit(old.start, mode.duration, described.can_pause);
                        mode.machine == old.machine && start == old.start
                    };
                    described.modes.iter().any(fits)
                };
                let is_staffed = match &decoder.workers[idx] {
                    None => begins(None),
                    Some(skilled) => skilled.iter().any(|&worker| begins(Some(worker))),
                };
                old.start >= free && is_staffed
            };
            n_moved += usize::from(decoder.in_force(idx).is_some_and(|old| !can_stay(old)));
            free = end_of(decoder, idx, described, free);
        }
    }
    n_moved
}

/// An operation that is not frozen, and what it needs at least.
struct Step<'a> {
    order: usize,
    described: &'a Operation,
    shortest: i64,
    /// When it can begin if its order is alone, and what its order takes behind it.
    head: i64,
    tail: i64,
    /// Who could do it, in order; no workers if it needs nobody.
    machines: Vec<usize>,
    workers: Vec<usize>,
}

fn steps<'a>(decoder: &Decoder<'a>) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    for order in 0..decoder.problem.orders.len() {
        let first = steps.len();
        let mut free = earliest_start(decoder, order);
        for (operation, described) in open(decoder, order) {
            let idx = decoder.first[order] + operation;
            let mut machines: Vec<usize> = described.modes.iter().map(|it| it.machine).collect();
            machines.sort_unstable();
            machines.dedup();
            steps.push(Step {
                order,
                described,
                shortest: described.modes.iter().map(|mode| mode.duration).min().unwrap_or(0),
                head: free,
                tail: 0,
                machines,
                workers: decoder.workers[idx].clone().unwrap_or_default(),
            });
            free = end_of(decoder, idx, described, free);
        }
        let mut tail = 0;
        for step in steps[first..].iter_mut().rev() {
            step.tail = tail;
            tail += step.shortest;
        }
    }
    steps
}

/// When an order could be finished if it were alone and needed no set-ups; 0 if it has nothing to do.
fn earliest_end(decoder: &Decoder<'_>, order: usize) -> i64 {
    let frozen = decoder.problem.frozen.iter().filter(|placement| placement.order == order);
    if open(decoder, order).next().is_none() {
        // Nothing of it is still to come: the present does not make it later.
        return frozen.map(|placement| placement.end).max().unwrap_or(0);
    }
    open(decoder, order).fold(earliest_start(decoder, order), |free, (operation, described)| {
        end_of(decoder, decoder.first[order] + operation, described, free)
    })
}

/// When what is not frozen of an order can begin.
fn earliest_start(decoder: &Decoder<'_>, order: usize) -> i64 {
    let problem = decoder.problem;
    let frozen = problem.frozen.iter().filter(|placement| placement.order == order);
    let from = problem.orders[order].release.max(problem.now);
    frozen.map(|placement| placement.end).fold(from, i64::max)
}

/// The first end of an operation that can begin at `free`, over all machines and workers that could do it.
fn end_of(decoder: &Decoder<'_>, idx: usize, described: &Operation, free: i64) -> i64 {
    let nobody = [None];
    let skilled: Option<Vec<Option<usize>>> =
        decoder.workers[idx].as_ref().map(|workers| workers.iter().copied().map(Some).collect());
    let workers = skilled.as_deref().unwrap_or(&nobody);
    let ends = described.modes.iter().flat_map(|mode| {
        workers.iter().map(|&worker| {
            let calendar = decoder.calendar(mode.machine, worker);
            calendar.fit(free, mode.duration, described.can_pause).1
        })
    });
    ends.min().unwrap_or(free)
}

/// The operations of an order that are not frozen, with their numbers.
fn open<'a>(decoder: &Decoder<'a>, order: usize) -> impl Iterator<Item = (usize, &'a Operation)> {
    let operations = decoder.problem.orders[order].operations.iter().enumerate();
    operations.skip(decoder.n_frozen[order])
}

/// The end that any set of machines, or of workers, allows to the steps that can choose from it alone.
fn shared_end<'a, 'b>(
    steps: &'a [Step<'b>],
    of: impl Fn(&'a Step<'b>) -> &'a Vec<usize>,
    calendar: impl Fn(usize) -> &'a Calendar,
) -> i64 {
    let mut sets: Vec<&Vec<usize>> = steps.iter().map(&of).filter(|set| !set.is_empty()).collect();
    sets.sort_unstable();
    sets.dedup();
    let end = |set: &Vec<usize>| {
        let is_bound = |step: &&'a Step<'b>| {
            let choice = of(step);
            !choice.is_empty() && choice.iter().all(|idx| set.contains(idx))
        };
        let bound: Vec<&Step> = steps.iter().filter(is_bound).collect();
        let calendars: Vec<&Calendar> = set.iter().map(|&idx| calendar(idx)).collect();
        last_end(&bound, 0, &calendars)
    };
    sets.into_iter().map(end).max().unwrap_or(0)
}

/// When the last order of these steps can be finished if they have to share what these calendars are of.
fn last_end(steps: &[&Step<'_>], setup: i64, calendars: &[&Calendar]) -> i64 {
    let load: i64 = steps.iter().map(|step| step.shortest).sum();
    if load == 0 {
        return 0;
    }
    let from = steps.iter().map(|step| step.head).min().unwrap_or(0);
    let tail = steps.iter().map(|step| step.tail).min().unwrap_or(0);
    let is_enough = |end: i64| {
        calendars.iter().map(|calendar| calendar.total_open(from, end)).sum::<i64>() >= load + setup
    };
    // One of them alone is never faster than all together.
    let mut high = calendars.iter().map(|it| it.fit(from, load + setup, true).1).min().unwrap_or(0);
    let mut low = from;
    while low + 1 < high {
        let middle = low + (high - low) / 2;
        if is_enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high + tail
}

/// The least lateness if one machine does these steps without pause, and orders that have none here are alone.
///
/// Late by `C − due` at least, which is negative where an order is early; the sum of `weight · C` is least in the order
/// of weight per work, even if work may be interrupted.
fn smith(problem: &Problem, steps: &[&Step<'_>], alone: &[f64]) -> f64 {
    let mut late: f64 = alone.iter().sum();
    let from = steps.iter().map(|step| step.head).min().unwrap_or(0);
    // Steps come order by order.
    let mut jobs: Vec<(i64, f64)> = Vec::new();
    let mut together = 0.0;
    for of_order in steps.chunk_by(|one, other| one.order == other.order) {
        let Some(last) = of_order.last() else { continue };
        let order = &problem.orders[last.order];
        if let Some(due) = order.due.filter(|_| order.weight > 0.0) {
            jobs.push((of_order.iter().map(|step| step.shortest).sum(), order.weight));
            together += order.weight * (from + last.tail - due) as f64 - alone[last.order];
        }
    }
    jobs.sort_by(|one, other| (one.0 as f64 * other.1).total_cmp(&(other.0 as f64 * one.1)));
    let mut end = 0;
    for (work, weight) in jobs {
        end += work;
        together += weight * end as f64;
    }
    late += together.max(0.0);
    late
}

/// Every family but the first one is set up at least once on a machine, from the family from which that is shortest.
fn least_setups(decoder: &Decoder<'_>, idx: usize, steps: &[&Step<'_>]) -> i64 {
    let machine: &Machine = &decoder.problem.machines[idx];
    // What is frozen may have left the machine set up for any of them.
    if decoder.problem.frozen.iter().any(|placement| placement.machine == idx) {
        return 0;
    }
    // A step of no length needs no set-up.
    let long = steps.iter().filter(|step| step.shortest > 0);
    let mut families: Vec<usize> = long.map(|step| step.described.family).collect();
    families.sort_unstable();
    families.dedup();
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
