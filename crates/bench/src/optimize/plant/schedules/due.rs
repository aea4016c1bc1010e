//! Every term at once: shifts, an absence, set-ups, skills, choices of machines, a frozen beginning; and due dates that
//! can be met.
//!
//! Orders are due when the plan has them done, or up to an hour later, so the plan has no lateness at all. Its end is
//! that of a test whose part comes so late that no plan can be over before: at its release and its own length.

use optimize::schedule::{Operation, Order, Placement, Weights};

use super::hours::Hours;
use super::skill::worker;
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

const N_MACHINES: usize = 4;
const N_FAMILIES: usize = 3;
/// Orders that are under way at the same time.
const N_OPEN: usize = 6;
/// Length of the last test.
const TEST: i64 = 30;
/// Part of the plan that is frozen, one in so many.
const FROZEN: i64 = 20;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let mut shop = Shop::random(n_orders, random);
    let mut left: Vec<(usize, usize)> = Vec::new();
    for _ in 0..n_orders.saturating_sub(1) {
        let weight = random.whole(1, 5) as f64;
        let order = shop.draft.order(Order { weight, ..Order::default() });
        left.push((order, 1 + random.below(4)));
    }
    while !left.is_empty() {
        let chosen = random.below(left.len().min(N_OPEN));
        shop.step(left[chosen].0, random);
        left[chosen].1 -= 1;
        left.retain(|&(_, n_steps)| n_steps > 0);
    }
    let mut draft = shop.draft;
    for idx in 0..draft.problem.orders.len() {
        let of_order = || draft.placements.iter().filter(|it| it.order == idx);
        let start = of_order().map(|it| it.start).min().unwrap_or(0);
        let end = of_order().map(|it| it.end).max().unwrap_or(0);
        let order = &mut draft.problem.orders[idx];
        order.release = (start - random.whole(0, 60)).max(0);
        order.due = Some(end + random.whole(0, 60));
    }
    let least = test(&mut draft);
    draft.problem.now = least / FROZEN;
    let is_frozen = |it: &&Placement| it.start < draft.problem.now;
    draft.problem.frozen = draft.placements.iter().filter(is_frozen).copied().collect();
    draft.problem.weights = Weights { makespan: 1.0, tardiness: 1.0, ..Weights::default() };
    draft.finish(random, least as f64, (0.0, 0))
}

/// Adds the test that ends last; gives its end.
fn test(draft: &mut Draft) -> i64 {
    let start = draft.end();
    let order = draft.order(Order { release: start, ..Order::default() });
    let at = At { machine: N_MACHINES, start, end: start + TEST, ..At::default() };
    draft.step(order, operation("test", vec![mode(N_MACHINES, TEST)]), at);
    start + TEST
}

/// Machines and workers, and when each of them is next free.
struct Shop {
    draft: Draft,
    machines: Vec<(i64, Option<usize>)>,
    workers: Vec<i64>,
}

impl Shop {
    fn random(n_orders: usize, random: &mut Random) -> Self {
        let mut draft = Draft::default();
        draft.problem.machines =
            (1..=N_MACHINES).map(|idx| machine(&format!("mill {idx}"))).collect();
        for (idx, machine) in draft.problem.machines.iter_mut().enumerate() {
            let setup =
                |random: &mut Random, from, to| if from == to { 0 } else { random.whole(1, 15) };
            let row = |random: &mut Random, from| {
                (0..N_FAMILIES).map(|to| setup(random, from, to)).collect()
            };
            machine.setups = (0..N_FAMILIES).map(|from| row(random, from)).collect();
            machine.family = (idx % 2 == 0).then_some(0);
        }
        // More than all orders can take on one machine.
        draft.problem.machines[0].closed = Hours::shifts(160 * n_orders as i64, random).0;
        draft.problem.machines.push(machine("test bench"));
        let away = Hours(vec![(200, 500)]);
        draft.problem.workers = vec![
            worker("Ann", &["turn", "weld"], Hours::default()),
            worker("Bo", &["turn"], away),
            worker("Cy", &["weld"], Hours::default()),
        ];
        Self {
            draft,
            machines: vec![(0, Some(0)), (0, None), (0, Some(0)), (0, None)],
            workers: vec![0; 3],
        }
    }

    /// Gives an order its next step, as early as its order, machine and worker allow behind what they have got so far.
    fn step(&mut self, order: usize, random: &mut Random) {
        let machine = random.below(N_MACHINES);
        let (duration, family) = (random.whole(10, 60), random.below(N_FAMILIES));
        let can_pause = random.below(2) == 0;
        let skill = [None, None, Some("turn"), Some("weld")][random.below(4)];
        let able = |skill: &str| if skill == "turn" { [0, 1] } else { [0, 2] };
        let worker = skill.map(|skill| able(skill)[random.below(2)]);
        let (free, before) = self.machines[machine];
        let setup =
            before.map_or(0, |from| self.draft.problem.machines[machine].setups[from][family]);
        let of_order = self.draft.placements.iter().filter(|it| it.order == order).map(|it| it.end);
        let ready =
            of_order.max().unwrap_or(0).max(free).max(worker.map_or(0, |idx| self.workers[idx]));
        let closed = |idx: usize| Hours(self.draft.problem.workers[idx].closed.clone());
        let hours = Hours(self.draft.problem.machines[machine].closed.clone())
            .and(&worker.map(closed).unwrap_or_default());
        let (start, end) = hours.fit(ready, setup + duration, can_pause);
        self.machines[machine] = (end, Some(family));
        if let Some(worker) = worker {
            self.workers[worker] = end;
        }
        let mut modes = vec![mode(machine, duration)];
        let other = random.below(N_MACHINES);
        if other != machine && random.below(3) == 0 {
            modes.push(mode(other, duration + random.whole(0, 20)));
        }
        random.shuffle(&mut modes);
        let skill = skill.map(str::to_owned);
        let step = Operation { family, skill, can_pause, ..operation("work", modes) };
        self.draft.step(order, step, At { machine, worker, start, setup, end });
    }
}
