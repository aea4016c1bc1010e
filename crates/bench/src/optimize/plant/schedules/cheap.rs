//! Just enough cheap hours: two ovens whose work fills the cheap part of every night.
//!
//! No kilowatt-hour costs less than at the lowest price, and the plan draws all of them at that price. Some orders are
//! due at the end of the night in which the plan has them, so there is no lateness either.

use optimize::schedule::{Order, Weights};

use super::shifts::cut;
use super::{At, Draft, Planted, machine, mode, operation};
use crate::random::Random;

const DAY: i64 = 1_440;
/// The night is cheap until then.
const CHEAP: i64 = 360;
/// Prices of a kWh from minutes of the day on.
const PRICES: [(i64, f64); 4] = [(0, 0.10), (CHEAP, 0.25), (1_020, 0.40), (1_260, 0.25)];
const N_PER_NIGHT: usize = 4;

pub(super) fn plant(n_orders: usize, random: &mut Random) -> Planted {
    let n_nights = n_orders.div_ceil(2 * N_PER_NIGHT).max(1);
    let mut draft = Draft::default();
    draft.problem.machines = vec![machine("oven 1"), machine("oven 2")];
    draft.problem.weights = Weights { energy: 1.0, tardiness: 1.0, ..Weights::default() };
    draft.problem.hours_per_unit = 1.0 / 60.0;
    let days = 0..2 * n_nights as i64 + 1;
    let prices = days.flat_map(|day| PRICES.map(|(from, price)| (day * DAY + from, price)));
    draft.problem.prices = prices.collect();
    let mut kilowatt_minutes = 0;
    for night in 0..n_nights {
        for machine in 0..2 {
            let until = |number: usize| number * n_orders / (2 * n_nights);
            let n_pieces = until(2 * night + machine + 1) - until(2 * night + machine);
            let from = night as i64 * DAY;
            for (start, end) in cut((from, from + CHEAP), n_pieces.max(1), 15, random) {
                let power_kw = random.whole(5, 60);
                kilowatt_minutes += power_kw * (end - start);
                let due = (random.below(3) == 0).then_some(from + CHEAP);
                let order = draft.order(Order { due, weight: 1.0, ..Order::default() });
                let mut mode = mode(machine, end - start);
                mode.power_kw = power_kw as f64;
                draft.step(
                    order,
                    operation("anneal", vec![mode]),
                    At { machine, start, end, ..At::default() },
                );
            }
        }
    }
    draft.problem.horizon = (2 * n_nights as i64 + 1) * DAY;
    let least = PRICES[0].1 * kilowatt_minutes as f64 / 60.0;
    draft.finish(random, least, (least, 0))
}
