//! What a machine should be doing when: shifts, breaks, products, short stops, weather.

use signal::{HOUR_US, MINUTE_US, SECOND_US};

use crate::noise::hash;

/// Short stops are decided in slots of this length.
const SLOT_US: i64 = 5 * MINUTE_US;

/// State of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
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
    pub(crate) fn name(self) -> &'static str {
        ["stopped", "idle", "running", "fault"][self as usize]
    }
}

/// Three shifts with a break of half an hour each; now and then a short stop or a fault.
pub(crate) fn state(seed: u64, machine: u64, time_us: i64) -> State {
    let in_shift_us = (time_us - 6 * HOUR_US).rem_euclid(8 * HOUR_US);
    // Machines of a line do not go to their break at the same second.
    let break_us = 4 * HOUR_US + (machine % 4) as i64 * 5 * MINUTE_US;
    if (break_us..break_us + 30 * MINUTE_US).contains(&in_shift_us) {
        return State::Idle;
    }
    let slot = time_us.div_euclid(SLOT_US);
    match hash(seed, machine ^ 0x5107, slot) {
        chance if chance < 0.006 => State::Fault,
        chance if chance < 0.02 => State::Stopped,
        chance if chance < 0.05 => State::Idle,
        _ => State::Running,
    }
}

/// How hard the present product works the machine, about 0.6 to 1; it changes every few hours.
pub(crate) fn product_load(seed: u64, machine: u64, time_us: i64) -> f64 {
    let product = hash(seed, machine ^ 0xF00D, time_us.div_euclid(3 * HOUR_US));
    [0.65, 0.78, 0.9][(product * 3.0) as usize % 3]
}

/// Temperature in the hall, °C: warmest in the afternoon, another level every day.
pub(crate) fn ambient(seed: u64, time_us: i64) -> f64 {
    let day = time_us.div_euclid(signal::DAY_US);
    let share = time_us.rem_euclid(signal::DAY_US) as f64 / signal::DAY_US as f64;
    let levels = [hash(seed, 0xA1, day), hash(seed, 0xA1, day + 1)];
    let level = levels[0] + (levels[1] - levels[0]) * share;
    20.0 + 3.0 * (level - 0.5) + 2.5 * (std::f64::consts::TAU * (share - 0.38)).sin()
}

/// −1 to 1 within one working cycle.
pub(crate) fn cycle(time_us: i64, cycle_s: f64, phase: f64) -> f64 {
    let at = time_us as f64 / SECOND_US as f64 / cycle_s + phase;
    (std::f64::consts::TAU * at.fract()).sin()
}
