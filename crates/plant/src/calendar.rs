//! What a machine should be doing when: three shifts, breaks, products, changeovers, short stops.
//!
//! All of it is a function of seed, machine and time, so that any step sees the same plan.

use signal::{DAY_US, HOUR_US, MINUTE_US};

use crate::noise::hash;

/// Local time is one hour ahead of UTC, all year.
const LOCAL_US: i64 = HOUR_US;
const SHIFT_US: i64 = 8 * HOUR_US;
/// Shifts begin at 06:00, 14:00 and 22:00.
const FIRST_SHIFT_US: i64 = 6 * HOUR_US;
/// A break begins so long after its shift; each machine a few minutes later than the one before.
const BREAK_AFTER_US: i64 = 210 * MINUTE_US;
const BREAK_US: i64 = 30 * MINUTE_US;
/// A production order runs so long.
const ORDER_US: i64 = 4 * HOUR_US;
/// Tools are changed for so long when the next order is another product.
const CHANGEOVER_US: i64 = 15 * MINUTE_US;
/// At most one short stop in a slot of this length.
const SLOT_US: i64 = 40 * MINUTE_US;
const SHORT_STOP_SHARE: f64 = 0.35;
const LONGEST_STOP_US: i64 = 5 * MINUTE_US;
/// Of the short stops, so many are faults of the machine; the rest waits for material.
const FAULT_SHARE: f64 = 0.3;
/// Every machine is cleaned once a day, in the last hour of the night shift.
const CLEANING_FROM_US: i64 = 5 * HOUR_US;
const CLEANING_US: i64 = 35 * MINUTE_US;
/// Compressors take turns: each rests so long in the night.
const REST_FROM_US: i64 = HOUR_US;
const REST_US: i64 = 75 * MINUTE_US;
/// How hard each of the four crews drives its machines.
const CREWS: [f64; 4] = [1.0, 0.985, 1.012, 0.97];
const NIGHT: f64 = 0.975;
/// Products that each machine makes.
pub(crate) const N_PRODUCTS: usize = 3;

/// What a machine does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// Switched off.
    Stopped,
    /// Ready, not producing.
    Idle,
    /// Producing.
    Running,
    /// Stopped by itself.
    Fault,
}

impl State {
    /// The texts that a machine sends, in the order of the variants.
    pub const NAMES: [&'static str; 4] = ["stopped", "idle", "running", "fault"];

    /// Such as `running`.
    pub fn name(self) -> &'static str {
        State::NAMES[self as usize]
    }
}

/// What is planned for one machine at one moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Plan {
    pub(crate) state: State,
    /// 0 to [`N_PRODUCTS`] − 1.
    pub(crate) product: usize,
    /// How hard the crew drives it, about 1.
    pub(crate) pace: f64,
}

/// The plan of a machine that makes parts.
pub(crate) fn production(seed: u64, machine: usize, time_us: i64) -> Plan {
    let place = machine as u64;
    let local_us = time_us + LOCAL_US;
    let order_us = local_us + place as i64 * 23 * MINUTE_US;
    let order = order_us.div_euclid(ORDER_US);
    let product = product(seed, place, order);
    let changes = product != self::product(seed, place, order - 1)
        && order_us.rem_euclid(ORDER_US) < CHANGEOVER_US;
    let state = if rests(local_us, CLEANING_FROM_US + place as i64 * 3 * MINUTE_US, CLEANING_US) {
        State::Stopped
    } else if is_break(local_us, place) || changes {
        State::Idle
    } else {
        short_stop(seed, place, local_us).unwrap_or(State::Running)
    };
    Plan { state, product, pace: pace(local_us) }
}

/// The plan of a compressor: it runs day and night, but for its turn to rest.
pub(crate) fn supply(seed: u64, machine: usize, time_us: i64) -> Plan {
    let place = machine as u64;
    let local_us = time_us + LOCAL_US;
    let state = if rests(local_us, REST_FROM_US + place as i64 * 15 * MINUTE_US, REST_US) {
        State::Stopped
    } else {
        // Its short stops are spells without load.
        short_stop(seed, place, local_us).map_or(State::Running, |_| State::Idle)
    };
    Plan { state, product: 0, pace: 1.0 }
}

fn product(seed: u64, place: u64, order: i64) -> usize {
    (hash(seed, 0xF00D + place, order) * N_PRODUCTS as f64) as usize
}

fn rests(local_us: i64, from_us: i64, length_us: i64) -> bool {
    (from_us..from_us + length_us).contains(&local_us.rem_euclid(DAY_US))
}

fn is_break(local_us: i64, place: u64) -> bool {
    let in_shift_us = (local_us - FIRST_SHIFT_US).rem_euclid(SHIFT_US);
    let from_us = BREAK_AFTER_US + place as i64 * 4 * MINUTE_US;
    (from_us..from_us + BREAK_US).contains(&in_shift_us)
}

fn short_stop(seed: u64, place: u64, local_us: i64) -> Option<State> {
    let slot = local_us.div_euclid(SLOT_US);
    let chance = hash(seed, 0x5109 + place, slot);
    if chance >= SHORT_STOP_SHARE {
        return None;
    }
    let length_us = MINUTE_US
        + (hash(seed, 0x1E46 + place, slot) * (LONGEST_STOP_US - MINUTE_US) as f64) as i64;
    let from_us = (hash(seed, 0xF604 + place, slot) * (SLOT_US - length_us) as f64) as i64;
    let is_now = (from_us..from_us + length_us).contains(&local_us.rem_euclid(SLOT_US));
    let state = if chance < SHORT_STOP_SHARE * FAULT_SHARE { State::Fault } else { State::Idle };
    is_now.then_some(state)
}

fn pace(local_us: i64) -> f64 {
    let shift = (local_us - FIRST_SHIFT_US).div_euclid(SHIFT_US);
    let night = if shift.rem_euclid(3) == 2 { NIGHT } else { 1.0 };
    // Crews move on by one shift every week.
    CREWS[(shift + shift.div_euclid(21)).rem_euclid(4) as usize] * night
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: i64 = 1_767_225_600_000_000;

    fn minutes(plan: impl Fn(i64) -> Plan) -> Vec<Plan> {
        (0..30 * 1440).map(|minute| plan(T0 + minute * MINUTE_US)).collect()
    }

    fn share(plans: &[Plan], state: State) -> f64 {
        plans.iter().filter(|plan| plan.state == state).count() as f64 / plans.len() as f64
    }

    #[test]
    fn most_of_the_time_is_spent_running_and_every_state_is_met() {
        for machine in 0..8 {
            let plans = minutes(|time_us| production(1, machine, time_us));
            let shares = [State::Stopped, State::Idle, State::Running, State::Fault]
                .map(|state| share(&plans, state));
            assert!((0.02..0.03).contains(&shares[0]), "{machine}: {shares:?}");
            assert!((0.06..0.20).contains(&shares[1]), "{machine}: {shares:?}");
            assert!((0.75..0.90).contains(&shares[2]), "{machine}: {shares:?}");
            assert!((0.001..0.02).contains(&shares[3]), "{machine}: {shares:?}");
        }
        let plans = minutes(|time_us| supply(1, 3, time_us));
        assert!(share(&plans, State::Running) > 0.9 && share(&plans, State::Stopped) > 0.04);
    }

    #[test]
    fn products_crews_and_changeovers_vary() {
        let plans = minutes(|time_us| production(1, 0, time_us));
        for product in 0..N_PRODUCTS {
            let n = plans.iter().filter(|plan| plan.product == product).count();
            assert!(n > 30 * 1440 / 6, "product {product}: {n} minutes");
        }
        let mut paces: Vec<u64> = plans.iter().map(|plan| plan.pace.to_bits()).collect();
        paces.sort_unstable();
        paces.dedup();
        assert!(paces.len() >= 6, "{}", paces.len());
        for pair in plans.windows(2).filter(|pair| pair[0].product != pair[1].product) {
            assert_ne!(pair[1].state, State::Running, "tools are changed first");
        }
    }
}
