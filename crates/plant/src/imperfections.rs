//! What stands between a physical value and the number on the wire: noise, resolution, spikes, dropouts, sticking.

use crate::noise::Noise;

/// One reading in so many is a spike, such as a relay's spark picked up by a cable.
const SPIKE_SHARE: f64 = 2e-5;
/// A sensor drops out once in so many seconds, for so many seconds.
const DROPOUT_EVERY_S: f64 = 2.0 * 86_400.0;
const DROPOUT_S: f64 = 30.0;
/// A sensor sticks at its last value once in so many seconds, for so many seconds.
const STUCK_EVERY_S: f64 = 180.0 * 86_400.0;
const STUCK_S: f64 = 1200.0;

/// A sensor as its data sheet has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SensorSpec {
    /// Path below the machine, such as `hydraulics/pressure`.
    pub(crate) name: &'static str,
    /// Standard deviation of its noise, in the signal's unit.
    pub(crate) noise: f64,
    /// It shows so many decimals.
    pub(crate) decimals: u8,
    /// Its span, in the signal's unit; spikes have this order of size.
    pub(crate) span: f64,
    /// Whether it can show less than zero.
    pub(crate) signed: bool,
}

/// One row of the tables of the machines.
pub(crate) const fn sensor(name: &'static str, noise: f64, decimals: u8, span: f64) -> SensorSpec {
    SensorSpec { name, noise, decimals, span, signed: false }
}

/// The same for what can be below zero.
pub(crate) const fn thermometer(name: &'static str, noise: f64) -> SensorSpec {
    SensorSpec { name, noise, decimals: 1, span: 100.0, signed: true }
}

/// Chances of what can happen within one step, exact for any step: a random telegraph per imperfection
/// (two states with exponential stays), of which both are rare enough to never meet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chances {
    step_s: f64,
    dropout: Telegraph,
    stuck: Telegraph,
}

#[derive(Clone, Copy, Debug)]
struct Telegraph {
    begins: f64,
    ends: f64,
}

impl Telegraph {
    fn new(every_s: f64, length_s: f64, step_s: f64) -> Telegraph {
        let share = length_s / (every_s + length_s);
        let moved = -(-step_s * (1.0 / every_s + 1.0 / length_s)).exp_m1();
        Telegraph { begins: share * moved, ends: (1.0 - share) * moved }
    }
}

impl Chances {
    pub(crate) fn new(step_s: f64) -> Chances {
        Chances {
            step_s,
            dropout: Telegraph::new(DROPOUT_EVERY_S, DROPOUT_S, step_s),
            stuck: Telegraph::new(STUCK_EVERY_S, STUCK_S, step_s),
        }
    }

    /// The chances for another step; cheap when it is the same.
    pub(crate) fn for_step(self, step_s: f64) -> Chances {
        if (self.step_s - step_s).abs() < 1e-9 { self } else { Chances::new(step_s) }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Mood {
    Good,
    Out,
    Stuck,
}

/// One sensor with its moods.
#[derive(Clone, Debug)]
pub(crate) struct Sensor {
    mood: Mood,
    shown: f64,
}

impl Sensor {
    pub(crate) fn new() -> Sensor {
        Sensor { mood: Mood::Good, shown: 0.0 }
    }

    /// What it shows for a physical value; NaN while it has dropped out.
    pub(crate) fn read(
        &mut self,
        spec: &SensorSpec,
        value: f64,
        chances: &Chances,
        noise: &mut Noise,
    ) -> f64 {
        let chance = noise.uniform();
        self.mood = match self.mood {
            Mood::Good if chance < chances.dropout.begins => Mood::Out,
            Mood::Good if chance < chances.dropout.begins + chances.stuck.begins => Mood::Stuck,
            Mood::Out if chance < chances.dropout.ends => Mood::Good,
            Mood::Stuck if chance < chances.stuck.ends => Mood::Good,
            same => same,
        };
        let mut shown = value + spec.noise * noise.normal();
        if chance > 1.0 - SPIKE_SHARE {
            shown += spec.span
                * (0.3 + 0.5 * noise.uniform())
                * if noise.uniform() < 0.5 { -1.0 } else { 1.0 };
        }
        if !spec.signed {
            shown = shown.max(0.0);
        }
        match self.mood {
            Mood::Good => {
                self.shown = rounded(shown, spec.decimals);
                self.shown
            }
            Mood::Stuck => self.shown,
            Mood::Out => f64::NAN,
        }
    }
}

fn rounded(value: f64, decimals: u8) -> f64 {
    let scale = [1.0, 10.0, 100.0, 1000.0][usize::from(decimals.min(3))];
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shares of missing, repeated and far-off readings of a sensor that should show about 50.
    fn shares(step_s: f64, n: usize) -> [f64; 3] {
        let spec = sensor("x", 0.4, 3, 100.0);
        let chances = Chances::new(step_s);
        let (mut noise, mut sensor) = (Noise::new(9), Sensor::new());
        let (mut counts, mut last) = ([0usize; 3], f64::NAN);
        for _ in 0..n {
            let shown = sensor.read(&spec, 50.0, &chances, &mut noise);
            counts[0] += usize::from(shown.is_nan());
            counts[1] += usize::from(shown == last);
            counts[2] += usize::from((shown - 50.0).abs() > 10.0);
            last = shown;
        }
        counts.map(|count| count as f64 / n as f64)
    }

    #[test]
    fn imperfections_are_as_frequent_at_any_step() {
        for step_s in [1.0, 60.0] {
            let [missing, repeated, spikes] = shares(step_s, 4_000_000);
            assert!((0.8e-4..3e-4).contains(&missing), "{step_s} s: {missing}");
            // Neighboring readings of 1000 steps per 2.5 σ are equal by chance as well.
            assert!(repeated < 3e-3, "{step_s} s: {repeated}");
            assert!((1e-5..4e-5).contains(&spikes), "{step_s} s: {spikes}");
        }
    }

    #[test]
    fn a_sensor_shows_no_more_decimals_than_it_has() {
        let spec = sensor("x", 0.4, 1, 100.0);
        let (mut noise, mut sensor) = (Noise::new(9), Sensor::new());
        for _ in 0..1000 {
            let shown = sensor.read(&spec, 50.0, &Chances::new(1.0), &mut noise);
            assert!(((shown * 10.0).round() - shown * 10.0).abs() < 1e-9);
        }
    }
}
