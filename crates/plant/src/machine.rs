//! A machine: its signals follow load and hall temperature with their time constants, plus noise and faults.

use crate::calendar::{self, State};
use crate::fault::Fault;
use crate::noise::{Noise, drift, follow};

/// Types of machines; names as in the library of asset types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Forms metal.
    HydraulicPress,
    /// Cuts metal.
    CncSpindle,
    /// Makes compressed air.
    ScrewCompressor,
    /// Fills bottles.
    FillingLine,
}

/// What a signal does. Values in the signal's unit.
struct Physics {
    name: &'static str,
    /// Switched off, and in a hall of 20 °C.
    off: f64,
    /// Ready but not producing.
    idle: f64,
    /// At full load.
    full: f64,
    /// How fast it follows, s.
    lag_s: f64,
    /// Slow wandering: standard deviation, with a memory of [`WANDER_S`].
    wander: f64,
    /// Sensor noise: standard deviation.
    noise: f64,
    /// Smallest step that the sensor shows.
    step: f64,
    /// Change per °C of the hall.
    per_degree: f64,
    /// Change within a working cycle, as share of the load.
    cycle: f64,
}

const WANDER_S: f64 = 120.0;
/// Imperfections of sensors, per sample.
const SPIKE_PER_SAMPLE: f64 = 1e-5;
const DROPOUT_PER_SAMPLE: f64 = 3e-4;
const STUCK_PER_SAMPLE: f64 = 1e-6;
/// A stuck sensor comes back after so many samples.
const STUCK_SAMPLES: u32 = 30;

#[expect(clippy::too_many_arguments, reason = "one row of the tables below")]
const fn physics(
    name: &'static str,
    off: f64,
    idle: f64,
    full: f64,
    lag_s: f64,
    wander: f64,
    noise: f64,
    step: f64,
    per_degree: f64,
    cycle: f64,
) -> Physics {
    Physics { name, off, idle, full, lag_s, wander, noise, step, per_degree, cycle }
}

// name, off, idle, full load, lag s, wander, noise, step, per °C, cycle
const HYDRAULIC_PRESS: [Physics; 9] = [
    physics("hydraulics/pressure", 0.0, 185.0, 212.0, 2.0, 1.2, 0.6, 0.1, 0.0, 0.25),
    physics("hydraulics/flow", 0.0, 62.0, 112.0, 1.5, 1.0, 0.6, 0.1, 0.0, 0.2),
    physics("hydraulics/oil_temperature", 21.0, 37.0, 53.0, 1500.0, 0.3, 0.1, 0.1, 0.5, 0.0),
    physics("hydraulics/filter_dp", 0.0, 0.6, 1.2, 4.0, 0.03, 0.02, 0.01, 0.0, 0.1),
    physics("pump/current", 0.0, 34.0, 70.0, 1.5, 0.7, 0.3, 0.1, 0.0, 0.2),
    physics("pump/power", 0.0, 18.0, 40.0, 1.5, 0.4, 0.15, 0.05, 0.0, 0.2),
    physics("pump/vibration", 0.05, 1.1, 2.2, 1.0, 0.1, 0.08, 0.01, 0.0, 0.05),
    physics("force", 0.0, 0.0, 1650.0, 1.5, 12.0, 6.0, 1.0, 0.0, 0.1),
    physics("cycle/time", 8.0, 8.0, 6.4, 20.0, 0.08, 0.05, 0.01, 0.0, 0.0),
];
const CNC_SPINDLE: [Physics; 10] = [
    physics("spindle/speed", 0.0, 900.0, 9000.0, 3.0, 30.0, 10.0, 1.0, 0.0, 0.05),
    physics("spindle/power", 0.0, 1.6, 13.5, 1.5, 0.2, 0.1, 0.01, 0.0, 0.2),
    physics("spindle/current", 0.0, 4.5, 33.0, 1.5, 0.4, 0.2, 0.1, 0.0, 0.2),
    physics("spindle/temperature", 20.0, 27.0, 44.0, 900.0, 0.25, 0.1, 0.1, 0.6, 0.0),
    physics("spindle/vibration_rms", 0.05, 0.5, 1.7, 1.0, 0.07, 0.06, 0.01, 0.0, 0.05),
    physics("spindle/vibration_bpfo", 0.01, 0.06, 0.2, 1.0, 0.015, 0.015, 0.001, 0.0, 0.02),
    physics("spindle/vibration_1x", 0.02, 0.25, 0.8, 1.0, 0.04, 0.03, 0.001, 0.0, 0.05),
    physics("spindle/vibration_2x", 0.01, 0.1, 0.35, 1.0, 0.02, 0.02, 0.001, 0.0, 0.05),
    physics("coolant/flow", 0.0, 14.0, 22.0, 3.0, 0.3, 0.2, 0.1, 0.0, 0.0),
    physics("coolant/temperature", 19.0, 20.5, 24.0, 700.0, 0.15, 0.08, 0.1, 0.4, 0.0),
];
const SCREW_COMPRESSOR: [Physics; 9] = [
    physics("air/pressure", 6.6, 7.1, 7.4, 20.0, 0.08, 0.03, 0.01, 0.0, 0.1),
    physics("air/flow", 0.0, 240.0, 640.0, 4.0, 9.0, 4.0, 1.0, 0.0, 0.1),
    physics("air/temperature", 20.0, 27.0, 36.0, 600.0, 0.3, 0.1, 0.1, 0.5, 0.0),
    physics("oil/temperature", 24.0, 66.0, 82.0, 900.0, 0.4, 0.15, 0.1, 0.4, 0.0),
    physics("oil/pressure", 0.0, 4.7, 5.6, 4.0, 0.05, 0.03, 0.01, 0.0, 0.0),
    physics("filter/dp", 0.0, 120.0, 280.0, 4.0, 5.0, 3.0, 1.0, 0.0, 0.05),
    physics("motor/current", 0.0, 62.0, 128.0, 1.5, 1.0, 0.4, 0.1, 0.0, 0.1),
    physics("motor/power", 0.0, 31.0, 71.0, 1.5, 0.6, 0.25, 0.1, 0.0, 0.1),
    physics("motor/vibration", 0.05, 1.0, 2.1, 1.0, 0.09, 0.07, 0.01, 0.0, 0.03),
];
const FILLING_LINE: [Physics; 9] = [
    physics("product/pressure", 0.3, 2.3, 3.1, 3.0, 0.04, 0.03, 0.01, 0.0, 0.1),
    physics("product/flow", 0.0, 70.0, 150.0, 1.5, 1.6, 0.8, 0.1, 0.0, 0.1),
    physics("product/temperature", 12.0, 11.0, 9.0, 600.0, 0.25, 0.1, 0.1, 0.2, 0.0),
    physics("fill/volume", 500.0, 500.0, 500.6, 30.0, 0.35, 0.5, 0.1, 0.0, 0.0),
    physics("pump/current", 0.0, 7.0, 17.5, 1.5, 0.25, 0.12, 0.1, 0.0, 0.15),
    physics("pump/power", 0.0, 2.4, 7.8, 1.5, 0.12, 0.05, 0.01, 0.0, 0.15),
    physics("pump/vibration", 0.05, 0.7, 1.9, 1.0, 0.08, 0.06, 0.01, 0.0, 0.05),
    physics("conveyor/speed", 0.0, 0.25, 0.85, 1.5, 0.008, 0.005, 0.001, 0.0, 0.0),
    physics("conveyor/torque", 0.0, 14.0, 48.0, 1.5, 0.9, 0.5, 0.1, 0.0, 0.1),
];

impl Kind {
    /// Such as `hydraulic_press`.
    pub fn name(self) -> &'static str {
        match self {
            Kind::HydraulicPress => "hydraulic_press",
            Kind::CncSpindle => "cnc_spindle",
            Kind::ScrewCompressor => "screw_compressor",
            Kind::FillingLine => "filling_line",
        }
    }

    fn physics(self) -> &'static [Physics] {
        match self {
            Kind::HydraulicPress => &HYDRAULIC_PRESS,
            Kind::CncSpindle => &CNC_SPINDLE,
            Kind::ScrewCompressor => &SCREW_COMPRESSOR,
            Kind::FillingLine => &FILLING_LINE,
        }
    }

    /// Seconds per good part at full load; none for machines that make no parts.
    fn part_s(self) -> Option<f64> {
        match self {
            Kind::HydraulicPress => Some(6.4),
            Kind::CncSpindle => Some(95.0),
            Kind::FillingLine => Some(0.6),
            Kind::ScrewCompressor => None,
        }
    }

    fn cycle_s(self) -> f64 {
        match self {
            Kind::HydraulicPress => 6.4,
            Kind::CncSpindle => 47.0,
            Kind::ScrewCompressor => 75.0,
            Kind::FillingLine => 9.0,
        }
    }
}

/// All values of a machine at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    /// When.
    pub time_us: i64,
    /// `stopped`, `idle`, `running` or `fault`.
    pub state: &'static str,
    /// Values in the order of [`Machine::signals`]; NaN where the sensor dropped out.
    pub values: Vec<f64>,
}

struct Sensor {
    wander: f64,
    stuck: Option<(f64, u32)>,
}

/// One simulated machine.
pub struct Machine {
    kind: Kind,
    seed: u64,
    number: u64,
    time_us: i64,
    noise: Noise,
    /// Physical values without noise.
    values: Vec<f64>,
    sensors: Vec<Sensor>,
    parts: f64,
    rejects: f64,
}

impl Machine {
    /// Machine `number` of its plant, as it is at `time_us`.
    pub fn new(kind: Kind, seed: u64, number: u64, time_us: i64) -> Machine {
        let n_signals = kind.physics().len();
        let sensors = (0..n_signals).map(|_| Sensor { wander: 0.0, stuck: None }).collect();
        let noise = Noise::new(seed ^ (number + 1).wrapping_mul(0x0100_0000_01B3));
        let mut machine = Machine {
            kind,
            seed,
            number,
            time_us: time_us - 4 * signal::HOUR_US,
            noise,
            values: kind.physics().iter().map(|physics| physics.idle).collect(),
            sensors,
            parts: 10_000.0,
            rejects: 120.0,
        };
        // Warm up, so that the first row is not colder than the rest.
        while machine.time_us < time_us {
            machine.step(machine.time_us + signal::MINUTE_US, None, false);
        }
        machine
    }

    /// Names of its measured signals.
    pub fn signals(&self) -> Vec<&'static str> {
        self.kind.physics().iter().map(|physics| physics.name).collect()
    }

    /// Good and rejected parts so far; none for machines that make no parts.
    pub fn counters(&self) -> Option<(u64, u64)> {
        self.kind.part_s().map(|_| (self.parts as u64, self.rejects as u64))
    }

    /// Moves on to `time_us` and reads all sensors.
    ///
    /// `fault`: how far one has developed, 0 to 1. `busy`: it runs, whatever the calendar says.
    pub fn step(&mut self, time_us: i64, fault: Option<(Fault, f64)>, busy: bool) -> Reading {
        let step_s = (time_us - self.time_us).max(0) as f64 / signal::SECOND_US as f64;
        self.time_us = time_us;
        let state = if busy { State::Running } else { calendar::state(self.seed, self.number, time_us) };
        let load = if state == State::Running { calendar::product_load(self.seed, self.number, time_us) } else { 0.0 };
        let ambient = calendar::ambient(self.seed, time_us);
        self.count(step_s, load, fault);
        let mut values = Vec::with_capacity(self.values.len());
        for (idx, physics) in self.kind.physics().iter().enumerate() {
            let target = match state {
                State::Stopped | State::Fault => physics.off,
                State::Idle | State::Running => physics.idle + (physics.full - physics.idle) * load,
            };
            let target = target + physics.per_degree * (ambient - 20.0);
            self.values[idx] = follow(self.values[idx], target, step_s, physics.lag_s);
            values.push(self.read(idx, physics, load, state, fault, step_s));
        }
        Reading { time_us, state: state.name(), values }
    }

    fn read(
        &mut self,
        idx: usize,
        physics: &Physics,
        load: f64,
        state: State,
        fault: Option<(Fault, f64)>,
        step_s: f64,
    ) -> f64 {
        let noise = &mut self.noise;
        let sensor = &mut self.sensors[idx];
        sensor.wander = drift(sensor.wander, step_s, WANDER_S, noise);
        let swing = calendar::cycle(self.time_us, self.kind.cycle_s(), self.number as f64 * 0.37);
        let is_on = matches!(state, State::Idle | State::Running);
        let mut value = self.values[idx]
            + if is_on { physics.wander * sensor.wander } else { 0.0 }
            + physics.cycle * swing * load * (physics.full - physics.idle)
            + physics.noise * noise.normal();
        if let Some((fault, progress)) = fault {
            let effect = fault.effects(self.kind).iter().find(|(name, _)| *name == physics.name);
            // A fault of the machine shows while it works; a fault of a sensor always.
            if let Some((_, size)) = effect.filter(|_| is_on || fault == Fault::SensorDrift) {
                value += size * progress;
            }
        }
        if physics.off >= 0.0 && !physics.name.contains("temperature") {
            value = value.max(0.0);
        }
        value = (value / physics.step).round() * physics.step;
        if let Some((held, left)) = sensor.stuck {
            sensor.stuck = (left > 0).then_some((held, left.saturating_sub(1)));
            return held;
        }
        match noise.uniform() {
            chance if chance < STUCK_PER_SAMPLE => {
                sensor.stuck = Some((value, STUCK_SAMPLES));
                value
            }
            chance if chance < STUCK_PER_SAMPLE + SPIKE_PER_SAMPLE => value + 3.0 * (physics.full - physics.off + physics.idle),
            chance if chance < STUCK_PER_SAMPLE + SPIKE_PER_SAMPLE + DROPOUT_PER_SAMPLE => f64::NAN,
            _ => value,
        }
    }

    fn count(&mut self, step_s: f64, load: f64, fault: Option<(Fault, f64)>) {
        let Some(part_s) = self.kind.part_s() else { return };
        let made = step_s / part_s * load;
        let progress = fault.map_or(0.0, |(_, progress)| progress);
        let bad = made * (0.012 + 0.06 * progress);
        self.parts += made - bad;
        self.rejects += bad;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use signal::{DAY_US, MINUTE_US, SECOND_US};

    const T0: i64 = 1_767_225_600_000_000;

    fn statistics(kind: Kind, step_us: i64, n_rows: usize) -> Vec<(f64, f64)> {
        let mut machine = Machine::new(kind, 7, 3, T0);
        let n_signals = machine.signals().len();
        let mut columns = vec![Vec::new(); n_signals];
        for n in 1..=n_rows {
            let reading = machine.step(T0 + n as i64 * step_us, None, true);
            for (column, value) in columns.iter_mut().zip(reading.values) {
                if value.is_finite() {
                    column.push(value);
                }
            }
        }
        columns
            .iter()
            .map(|values| {
                let mut sorted = values.clone();
                sorted.sort_by(f64::total_cmp);
                let at = |share: f64| sorted[((sorted.len() - 1) as f64 * share) as usize];
                (at(0.5), at(0.9) - at(0.1))
            })
            .collect()
    }

    #[test]
    fn a_row_a_minute_and_a_row_a_second_look_alike() {
        for kind in [Kind::HydraulicPress, Kind::CncSpindle, Kind::ScrewCompressor, Kind::FillingLine] {
            let slow = statistics(kind, MINUTE_US, 6 * 1440);
            let fast = statistics(kind, SECOND_US, 6 * 86_400);
            for ((idx, slow), fast) in slow.iter().enumerate().zip(fast) {
                let spread = slow.1.max(fast.1);
                assert!((slow.0 - fast.0).abs() < 0.15 * spread, "{kind:?} {idx}: {slow:?} {fast:?}");
                assert!((slow.1 / fast.1 - 1.0).abs() < 0.15, "{kind:?} {idx}: {slow:?} {fast:?}");
            }
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_plant() {
        let run = || {
            let mut machine = Machine::new(Kind::CncSpindle, 5, 1, T0);
            (1..500).map(|n| format!("{:?}", machine.step(T0 + n * MINUTE_US, None, false))).collect::<Vec<_>>()
        };
        assert_eq!(run(), run());
    }

    #[test]
    fn every_fault_moves_its_signals_and_counters_only_grow() {
        for (number, (_, name, kind)) in crate::MACHINES.iter().enumerate() {
            for fault in Fault::ALL.into_iter().filter(|fault| !fault.effects(*kind).is_empty()) {
                let mut well = Machine::new(*kind, 5, number as u64, T0);
                let mut ill = Machine::new(*kind, 5, number as u64, T0);
                let mut counters = ill.counters();
                let mut sums = vec![0.0; well.signals().len()];
                for n in 1..600 {
                    let time_us = T0 + n * SECOND_US;
                    let (a, b) = (well.step(time_us, None, true), ill.step(time_us, Some((fault, 1.0)), true));
                    for (sum, (a, b)) in sums.iter_mut().zip(a.values.iter().zip(&b.values)) {
                        *sum += if (b - a).is_finite() { (b - a) / 600.0 } else { 0.0 };
                    }
                    assert!(ill.counters() >= counters, "{name}");
                    counters = ill.counters();
                }
                for (signal, size) in fault.effects(*kind) {
                    let idx = well.signals().iter().position(|other| other == signal).expect("a signal of the machine");
                    assert!(sums[idx] / size > 0.5, "{name} {} {signal}: {}", fault.name(), sums[idx]);
                }
            }
        }
    }

    #[test]
    fn unknown_faults_are_answered_with_the_known_ones() {
        assert!(Fault::find("bearing_wear", "spindle02").is_ok());
        let error = Fault::find("cavitation", "spindle02").expect_err("a spindle has no pump").to_string();
        assert!(error.contains("bearing_wear") && error.contains("misalignment"), "{error}");
        assert!(Fault::find("x", "robot").expect_err("no robots").to_string().contains("press01"));
    }

    #[test]
    fn most_of_a_day_is_spent_running() {
        let mut machine = Machine::new(Kind::FillingLine, 1, 2, T0);
        let states: Vec<&str> = (1..1440).map(|n| machine.step(T0 + n * DAY_US / 1440, None, false).state).collect();
        let running = states.iter().filter(|state| **state == "running").count();
        assert!((1150..1400).contains(&running), "{running}");
    }
}
