//! The CNC spindle: a shaft in bearings that cuts metal, and the coolant that carries the heat away.
//!
//! Vibration is told by its parts: once and twice per turn, the outer-race frequency of the front bearing
//! (BPFO), and the broad rest from the cut; their squares add up to the RMS value.

use crate::faults::Fault;
use crate::imperfections::{SensorSpec, sensor, thermometer};
use crate::machine::{Cycle, Drive, reject_share, rms};
use crate::noise::{Noise, Wander, follow};
use crate::thermal::Mass;

pub(crate) const SENSORS: [SensorSpec; 10] = [
    sensor("spindle/speed", 4.0, 0, 24_000.0),
    sensor("spindle/power", 0.06, 2, 40.0),
    sensor("spindle/current", 0.15, 1, 100.0),
    thermometer("spindle/temperature", 0.1),
    sensor("spindle/vibration_rms", 0.02, 3, 50.0),
    sensor("spindle/vibration_bpfo", 0.006, 3, 30.0),
    sensor("spindle/vibration_1x", 0.01, 3, 30.0),
    sensor("spindle/vibration_2x", 0.008, 3, 30.0),
    sensor("coolant/flow", 0.15, 1, 60.0),
    thermometer("coolant/temperature", 0.08),
];
pub(crate) const DRIFT: (&str, f64) = ("spindle/temperature", 28.0);

/// Of each product: speed, /min; load of the cut, 0 to 1; seconds per part; share of rejects.
const PRODUCTS: [(f64, f64, f64, f64); 3] =
    [(7600.0, 0.68, 83.0, 0.007), (9000.0, 0.82, 97.0, 0.010), (9800.0, 0.74, 118.0, 0.013)];
/// Between parts the shaft turns slowly to stay warm.
const IDLE_SPEED: f64 = 1200.0;
const FULL_SPEED: f64 = 9000.0;
/// Power of the heaviest cut, kW.
const CUT_KW: f64 = 12.5;
const SPIN_UP_S: f64 = 3.0;
const SHAFT_CONSTANT_S: f64 = 900.0;
const COOLANT_CONSTANT_S: f64 = 420.0;
/// Without flow.
const RESTING_CONSTANT_S: f64 = 3600.0;
const COOLANT_L_MIN: f64 = 22.0;
const COOLANT_IDLE_L_MIN: f64 = 14.0;

pub(crate) struct Spindle {
    shaft: Mass,
    coolant: Mass,
    speed: f64,
    cut: Wander,
    drag: Wander,
    tool: Wander,
    race: Wander,
    line: Wander,
    chip: Wander,
    pump: Wander,
    length: Wander,
}

impl Spindle {
    pub(crate) fn new() -> Spindle {
        Spindle {
            shaft: Mass::new(32.0),
            coolant: Mass::new(21.0),
            speed: 0.0,
            cut: Wander::new(25.0),
            drag: Wander::new(60.0),
            tool: Wander::new(90.0),
            race: Wander::new(40.0),
            line: Wander::new(70.0),
            chip: Wander::new(35.0),
            pump: Wander::new(45.0),
            length: Wander::new(200.0),
        }
    }

    pub(crate) fn step(
        &mut self,
        drive: &Drive<'_>,
        noise: &mut Noise,
        values: &mut [f64],
    ) -> Cycle {
        let (step_s, severity) = (drive.step_s, drive.severity);
        let (product_speed, product_load, product_s, base_rejects) = PRODUCTS[drive.product];
        let wanted_speed = (IDLE_SPEED + (product_speed - IDLE_SPEED) * drive.work) * drive.on;
        self.speed = follow(self.speed, wanted_speed, step_s, SPIN_UP_S);
        let mean_cut = product_load * drive.pace * drive.work;
        let swing = 1.0 + 0.16 * (std::f64::consts::TAU * drive.phase * 2.0).sin();
        let cut = mean_cut * (swing + 0.03 * self.cut.step(step_s, noise));
        let drag_kw = self.drag_kw(drive);
        let power_kw = drag_kw * (1.0 + 0.02 * self.drag.step(step_s, noise)) + CUT_KW * cut;

        let (flow_l_min, coolant_c, shaft_c) = self.heat(drive, mean_cut, drag_kw, noise);
        let vibration = self.vibration(drive, cut, noise);

        values[0] = self.speed * (1.0 - 0.004 * cut);
        values[1] = power_kw;
        values[2] = 2.3 * power_kw + 2.2 * drive.on;
        values[3] = shaft_c;
        values[4] = rms(vibration);
        values[5] = vibration[2];
        values[6] = vibration[0];
        values[7] = vibration[1];
        values[8] = flow_l_min;
        values[9] = coolant_c;
        let length_s = product_s / drive.pace * (1.0 + 0.02 * self.length.step(step_s, noise));
        Cycle { length_s, reject_share: reject_share(base_rejects, severity) }
    }

    /// Power that only turns the shaft, kW.
    fn drag_kw(&self, drive: &Drive<'_>) -> f64 {
        let turns = self.speed / FULL_SPEED;
        let worn = 0.8 * drive.severity.of(Fault::BearingWear)
            + 0.7 * drive.severity.of(Fault::Misalignment);
        0.5 * drive.on + (1.1 + worn) * turns.max(0.0).powf(1.4)
    }

    /// Flow and temperature of the coolant, temperature of the shaft.
    fn heat(
        &mut self,
        drive: &Drive<'_>,
        mean_cut: f64,
        drag_kw: f64,
        noise: &mut Noise,
    ) -> (f64, f64, f64) {
        let clogging = drive.severity.of(Fault::FilterClogging);
        let open = 1.0 - 0.79 * clogging;
        let pumped =
            drive.on * (COOLANT_IDLE_L_MIN + (COOLANT_L_MIN - COOLANT_IDLE_L_MIN) * drive.work);
        let flow_l_min = pumped * open * (1.0 + 0.01 * self.pump.step(drive.step_s, noise));
        // The same heat in less coolant makes it warmer.
        let chiller_c = 18.5 + 0.25 * (drive.ambient_c - 20.0);
        let warmed_c = (4.0 * mean_cut + 0.5 * drag_kw) / open;
        let balance_c = if drive.on > 0.5 {
            chiller_c + warmed_c
        } else {
            19.0 + 0.7 * (drive.ambient_c - 20.0)
        };
        let [coolant_s, shaft_s] = if drive.on > 0.5 {
            [COOLANT_CONSTANT_S, SHAFT_CONSTANT_S]
        } else {
            [RESTING_CONSTANT_S; 2]
        };
        let coolant_c = self.coolant.step(drive.step_s, balance_c, coolant_s);
        let friction_c = 6.5 * drag_kw + 38.0 * drive.severity.of(Fault::BearingWear) * drive.work;
        let balance_c = if drive.on > 0.5 {
            coolant_c + 2.5 + friction_c + 7.0 * mean_cut * (1.0 + 0.9 * clogging)
        } else {
            drive.ambient_c
        };
        (flow_l_min, coolant_c, self.shaft.step(drive.step_s, balance_c, shaft_s))
    }

    /// Amplitudes once per turn, twice per turn, at the outer race, and the rest, mm/s.
    fn vibration(&mut self, drive: &Drive<'_>, cut: f64, noise: &mut Noise) -> [f64; 4] {
        let (step_s, severity) = (drive.step_s, drive.severity);
        let turns = self.speed / FULL_SPEED;
        let [wear, off_line] =
            [Fault::BearingWear, Fault::Misalignment].map(|fault| severity.of(fault));
        let loud = 0.7 + 0.3 * turns;
        let once = (0.36 + 0.36 * turns * turns) * (1.0 + 0.15 * self.tool.step(step_s, noise))
            + 1.9 * off_line * loud;
        let twice = (0.13 + 0.17 * turns * turns) * (1.0 + 0.14 * self.line.step(step_s, noise))
            + 4.2 * off_line * loud;
        let race = (0.04 + 0.13 * turns) * (1.0 + 0.12 * self.race.step(step_s, noise))
            + 4.4 * wear * loud;
        let rest = (0.25 + 0.2 * turns + 1.15 * cut) * (1.0 + 0.1 * self.chip.step(step_s, noise))
            + (5.9 * wear + 2.4 * off_line) * loud;
        [once, twice, race, rest]
            .map(|part| part * drive.on * (1.0 + 0.04 * noise.normal()).max(0.0))
    }
}
