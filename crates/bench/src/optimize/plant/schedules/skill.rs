//! One welder is the bottleneck: every minute that she is there she welds, though she could also mill.
//!
//! Only she has the skill, so no plan is over before she has been there for all the welding; the plan is over then.

use optimize::schedule::{Operation, Order, Weights, Worker};

use super::hours::Hours;
use super::line::{Feeder, pack, slots};
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let durations: Vec<i64> = (0..n_orders).map(|_| random.whole(10, 60)).collect();
    let work: i64 = durations.iter().sum();
    let hours = Hours::shifts(work, random);
    let slots = slots(&hours, durations.iter().copied());
    // Her number must not tell who she is.
    let mut numbers = [0, 1, 2];
    random.shuffle(&mut numbers);
    let [welder, first, second] = numbers;
    let mut draft = Draft::default();
    draft.problem.workers = vec![Worker::default(); 3];
    for (name, number) in [("Bo", first), ("Cy", second)] {
        draft.problem.workers[number] = worker(name, &["mill"], Hours::default());
    }
    draft.problem.workers[welder] = worker("Ann", &["weld", "mill"], hours.clone());
    draft.problem.machines =
        ["mill 1", "mill 2", "booth 1", "booth 2", "packing"].map(machine).to_vec();
    draft.problem.weights = Weights { makespan: 1.0, ..Weights::default() };
    let mut feeder = Feeder::default();
    let mut orders = Vec::new();
    for (idx, slot) in slots.iter().enumerate() {
        let order = draft.order(Order::default());
        feeder.prepare(&mut draft, order, slot.start, Some(("mill", [first, second])), random);
        let modes = vec![mode(2, durations[idx]), mode(3, durations[idx])];
        let step = Operation {
            skill: Some("weld".to_owned()),
            can_pause: true,
            ..operation("weld", modes)
        };
        let machine = 2 + random.below(2);
        let at = At { machine, worker: Some(welder), start: slot.start, setup: 0, end: slot.end };
        draft.step(order, step, at);
        orders.push(order);
    }
    pack(&mut draft, &orders, &slots, 4, random);
    let least = hours.end_of(hours.next_open(0), work);
    draft.finish(random, least as f64, (0.0, 0))
}

pub(super) fn worker(name: &str, skills: &[&str], hours: Hours) -> Worker {
    let skills = skills.iter().map(|&skill| skill.to_owned()).collect();
    Worker { name: name.to_owned(), skills, closed: hours.0 }
}
