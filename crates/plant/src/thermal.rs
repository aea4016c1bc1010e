//! Heat: lumps of metal, oil or water that follow what warms them, and the hall they stand in.

use signal::DAY_US;

use crate::noise::{follow, hash};

/// A thermal mass of one temperature (Incropera et al. (2011), §5.1, lumped capacitance).
#[derive(Clone, Debug)]
pub(crate) struct Mass {
    celsius: f64,
}

impl Mass {
    pub(crate) fn new(celsius: f64) -> Mass {
        Mass { celsius }
    }

    /// Its temperature now, °C.
    pub(crate) fn celsius(&self) -> f64 {
        self.celsius
    }

    /// Warms or cools for `step_s` towards the temperature at which heat in equals heat out. `constant_s` is
    /// short while something flows around it, and long while it rests.
    pub(crate) fn step(&mut self, step_s: f64, balance_celsius: f64, constant_s: f64) -> f64 {
        self.celsius = follow(self.celsius, balance_celsius, step_s, constant_s);
        self.celsius
    }
}

/// Temperature in the hall, °C: warmest at about 15:00 UTC, with days that are warmer than others.
pub(crate) fn ambient(seed: u64, time_us: i64) -> f64 {
    let day = time_us.div_euclid(DAY_US);
    let share = time_us.rem_euclid(DAY_US) as f64 / DAY_US as f64;
    // From one day's level to the next without a corner at midnight.
    let blend = 0.5 - 0.5 * (std::f64::consts::PI * share).cos();
    let weather = hash(seed, 0xA1, day) * (1.0 - blend) + hash(seed, 0xA1, day + 1) * blend;
    20.0 + 4.0 * (weather - 0.5) + 2.5 * (std::f64::consts::TAU * (share - 0.375)).sin()
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::{HOUR_US, MINUTE_US};

    #[test]
    fn the_hall_is_warmer_in_the_afternoon_and_never_jumps() {
        let at = |hour: i64| {
            (0..60).map(|day| ambient(3, day * DAY_US + hour * HOUR_US)).sum::<f64>() / 60.0
        };
        assert!(at(15) - at(3) > 4.0, "{} {}", at(15), at(3));
        for minute in 0..20 * 1440 {
            let [a, b] = [minute, minute + 1].map(|minute| ambient(3, minute * MINUTE_US));
            assert!((a - b).abs() < 0.05 && (10.0..30.0).contains(&a), "minute {minute}: {a} {b}");
        }
    }
}
