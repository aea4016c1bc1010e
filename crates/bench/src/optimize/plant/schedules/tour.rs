//! Set-ups by sequence: a press in shifts is busy in every open minute, on the cheapest tour through its families.
//!
//! The set-up from family `i` to `j` is `leave[i] + enter[j]`, and more for all pairs but those next to each other in
//! the planted tour. Whatever the sequence, every family but the last one is left at least once, and every family but
//! the one that the press is set up for at the beginning is entered at least once. So all set-ups together take at
//! least `Σ leave − max leave + Σ enter − enter[first]`, which the tour does, because its last family is one with the
//! largest `leave`. No plan is over before the press has been open for all of its work and the least set-ups, and the
//! plan is over then: it wastes no open minute. Makespan and set-ups are least in the same plan, and so is their sum.

use optimize::schedule::{Machine, Operation, Order, Weights};

use super::hours::Hours;
use super::line::{Feeder, pack, slots};
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

const PRESS: usize = 2;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let tour = Tour::random((n_orders / 4).clamp(3, 12), random);
    let families = tour.families(n_orders, random);
    let durations: Vec<i64> = families.iter().map(|_| random.whole(10, 60)).collect();
    let setups: Vec<i64> = (0..families.len())
        .map(|idx| {
            idx.checked_sub(1).map_or(0, |before| tour.setups[families[before]][families[idx]])
        })
        .collect();
    let work: i64 = durations.iter().sum();
    let hours = Hours::shifts(work + tour.least, random);
    let slots =
        slots(&hours, durations.iter().zip(&setups).map(|(duration, setup)| duration + setup));
    let mut draft = Draft::default();
    let press = Machine {
        closed: hours.0.clone(),
        setups: tour.setups.clone(),
        family: Some(tour.first),
        ..machine("press")
    };
    draft.problem.machines = vec![machine("saw 1"), machine("saw 2"), press, machine("packing")];
    draft.problem.weights = Weights { makespan: 1.0, setup: 1.0, ..Weights::default() };
    let mut feeder = Feeder::default();
    let mut orders = Vec::new();
    for (idx, slot) in slots.iter().enumerate() {
        let order = draft.order(Order::default());
        feeder.prepare(&mut draft, order, slot.start, None, random);
        let step = Operation {
            family: families[idx],
            can_pause: true,
            ..operation("press", vec![mode(PRESS, durations[idx])])
        };
        let at = At {
            machine: PRESS,
            worker: None,
            start: slot.start,
            setup: setups[idx],
            end: slot.end,
        };
        draft.step(order, step, at);
        orders.push(order);
    }
    pack(&mut draft, &orders, &slots, PRESS + 1, random);
    let start = hours.next_open(0);
    let least = hours.end_of(start, work + tour.least) + tour.least;
    draft.finish(random, least as f64, (0.0, 0))
}

struct Tour {
    setups: Vec<Vec<i64>>,
    /// Families in turn, each once.
    turns: Vec<usize>,
    first: usize,
    least: i64,
}

impl Tour {
    fn random(n_families: usize, random: &mut Random) -> Self {
        let mut turns: Vec<usize> = (0..n_families).collect();
        random.shuffle(&mut turns);
        let mut leave: Vec<i64> = turns.iter().map(|_| random.whole(1, 9)).collect();
        let enter: Vec<i64> = turns.iter().map(|_| random.whole(1, 9)).collect();
        let (first, last) = (turns[0], turns[n_families - 1]);
        let longest = leave.iter().copied().max().unwrap_or(0);
        leave[last] = longest;
        let mut setups = vec![vec![0; n_families]; n_families];
        for from in 0..n_families {
            for to in (0..n_families).filter(|&to| to != from) {
                let is_planted = turns.windows(2).any(|pair| pair == [from, to]);
                let more = if is_planted { 0 } else { random.whole(3, 15) };
                setups[from][to] = leave[from] + enter[to] + more;
            }
        }
        let least = leave.iter().sum::<i64>() - longest + enter.iter().sum::<i64>() - enter[first];
        Self { setups, turns, first, least }
    }

    /// The family of each of so many orders, at least one of each family.
    fn families(&self, n_orders: usize, random: &mut Random) -> Vec<usize> {
        let n_families = self.turns.len();
        let mut counts = vec![1; n_families];
        (n_families..n_orders).for_each(|_| counts[random.below(n_families)] += 1);
        let each = self.turns.iter().zip(&counts);
        each.flat_map(|(&family, &count)| std::iter::repeat_n(family, count)).collect()
    }
}
