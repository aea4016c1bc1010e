//! Lateness that cannot be helped: in the plan no order waits from its release to its end.
//!
//! The plan has every step on one of its fastest machines. No order can end before its release and the shortest times
//! of all its steps, so none can be less late than in the plan, whatever the others do. Maintenance lies where the plan
//! leaves a machine idle.

use optimize::schedule::{Operation, Order, Weights};

use super::hours::Hours;
use super::skill::worker;
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

const N_MACHINES: usize = 5;
/// Chance in a hundred that a step needs somebody.
const SKILLED: usize = 30;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let mut draft = Draft::default();
    draft.problem.machines = (1..=N_MACHINES).map(|idx| machine(&format!("mill {idx}"))).collect();
    draft.problem.workers =
        ["Ann", "Bo"].map(|name| worker(name, &["mill"], Hours::default())).to_vec();
    draft.problem.weights = Weights { tardiness: 1.0, ..Weights::default() };
    let (mut release, mut least) = (0, 0.0);
    for idx in 0..n_orders {
        let steps: Vec<Step> = (0..1 + random.below(4)).map(|_| Step::random(random)).collect();
        let weight = random.whole(1, 5);
        let who = loop {
            if let Some(who) = staff(&draft, &steps, release) {
                break who;
            }
            release += 1;
        };
        // The first one is always late, so that there is something to pay.
        let late = if idx == 0 || random.below(3) == 0 { random.whole(5, 60) } else { 0 };
        let end = release + steps.iter().map(|step| step.duration).sum::<i64>();
        let due = (end - late).max(0);
        least += (weight * (end - due)) as f64;
        let order = draft.order(Order {
            release,
            due: Some(due),
            weight: weight as f64,
            ..Order::default()
        });
        place(&mut draft, order, &steps, &who, random);
        release = (release - random.whole(0, 40)).max(0);
    }
    maintain(&mut draft, random);
    draft.finish(random, least, (0.0, 0))
}

struct Step {
    machine: usize,
    duration: i64,
    is_skilled: bool,
}

impl Step {
    fn random(random: &mut Random) -> Self {
        let (machine, duration) = (random.below(N_MACHINES), random.whole(5, 60));
        Self { machine, duration, is_skilled: random.below(100) < SKILLED }
    }
}

/// Who does which step if the first one begins at `release` and none waits; `None` if a machine is busy, or everybody.
fn staff(draft: &Draft, steps: &[Step], release: i64) -> Option<Vec<Option<usize>>> {
    let mut start = release;
    let mut who = Vec::new();
    for step in steps {
        let end = start + step.duration;
        let meets = |from: i64, to: i64| from < end && start < to;
        let is_busy = |worker: usize| {
            draft.placements.iter().any(|it| it.worker == Some(worker) && meets(it.start, it.end))
        };
        if draft.placements.iter().any(|it| it.machine == step.machine && meets(it.start, it.end)) {
            return None;
        }
        let free = (0..draft.problem.workers.len()).find(|&worker| !is_busy(worker));
        who.push(if step.is_skilled { Some(free?) } else { None });
        start = end;
    }
    Some(who)
}

fn place(
    draft: &mut Draft,
    order: usize,
    steps: &[Step],
    who: &[Option<usize>],
    random: &mut Random,
) {
    let mut start = draft.problem.orders[order].release;
    for (step, &worker) in steps.iter().zip(who) {
        let mut modes = vec![mode(step.machine, step.duration)];
        let other = random.below(N_MACHINES);
        if other != step.machine && random.below(3) == 0 {
            modes.push(mode(other, step.duration + random.whole(0, 10)));
        }
        random.shuffle(&mut modes);
        let skill = worker.map(|_| "mill".to_owned());
        let end = start + step.duration;
        let at = At { machine: step.machine, worker, start, setup: 0, end };
        draft.step(order, Operation { skill, ..operation("mill", modes) }, at);
        start = end;
    }
}

/// Closes machines for maintenance in some of the times when they have nothing to do.
fn maintain(draft: &mut Draft, random: &mut Random) {
    for idx in 0..N_MACHINES {
        let mut busy: Vec<(i64, i64)> = draft
            .placements
            .iter()
            .filter(|it| it.machine == idx)
            .map(|it| (it.start, it.end))
            .collect();
        busy.sort_unstable();
        for pair in busy.windows(2) {
            let gap = (pair[0].1, pair[1].0);
            if gap.1 - gap.0 >= 30 && random.below(3) == 0 {
                draft.problem.machines[idx].closed.push((gap.0 + 5, gap.1 - 5));
            }
        }
    }
}
