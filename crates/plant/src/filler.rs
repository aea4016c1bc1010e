//! The filling line: a pump pushes product through valves into bottles on a conveyor.

use crate::calendar::State;
use crate::faults::Fault;
use crate::imperfections::{SensorSpec, sensor, thermometer};
use crate::machine::{Cycle, Drive, reject_share, rms};
use crate::noise::{Noise, Wander};
use crate::thermal::Mass;

pub(crate) const SENSORS: [SensorSpec; 9] = [
    sensor("product/pressure", 0.02, 2, 10.0),
    sensor("product/flow", 0.7, 1, 400.0),
    thermometer("product/temperature", 0.08),
    sensor("fill/volume", 0.4, 1, 100.0),
    sensor("pump/current", 0.1, 1, 60.0),
    sensor("pump/power", 0.04, 2, 30.0),
    sensor("pump/vibration", 0.03, 2, 50.0),
    sensor("conveyor/speed", 0.004, 3, 3.0),
    sensor("conveyor/torque", 0.4, 1, 200.0),
];
pub(crate) const DRIFT: (&str, f64) = ("fill/volume", 15.0);

/// Of each product: bottles against the fastest, thickness against water, share of rejects.
const PRODUCTS: [(f64, f64, f64); 3] =
    [(0.80, 1.12, 0.008), (0.88, 1.0, 0.006), (0.95, 1.06, 0.011)];
const FULL_L_MIN: f64 = 150.0;
/// In pauses the product goes round.
const ROUND_L_MIN: f64 = 72.0;
const BOTTLE_S: f64 = 0.6;
const BOTTLE_ML: f64 = 500.4;
/// Pressure lost in cooler and pipes before the sensor, bar.
const LOST_BAR: f64 = 11.0;
const EFFICIENCY: f64 = 0.58;
const A_PER_KW: f64 = 1.9;
const FLOWING_CONSTANT_S: f64 = 240.0;
const RESTING_CONSTANT_S: f64 = 2400.0;

pub(crate) struct Filler {
    product: Mass,
    flow: Wander,
    pressure: Wander,
    tank: Wander,
    valves: Wander,
    load: Wander,
    vibration: Wander,
    chain: Wander,
}

impl Filler {
    pub(crate) fn new() -> Filler {
        Filler {
            product: Mass::new(9.0),
            flow: Wander::new(20.0),
            pressure: Wander::new(30.0),
            tank: Wander::new(900.0),
            valves: Wander::new(40.0),
            load: Wander::new(30.0),
            vibration: Wander::new(25.0),
            chain: Wander::new(50.0),
        }
    }

    pub(crate) fn step(
        &mut self,
        drive: &Drive<'_>,
        noise: &mut Noise,
        values: &mut [f64],
    ) -> Cycle {
        let (step_s, severity) = (drive.step_s, drive.severity);
        let [wear, leak, clogging, cavitation, off_line] = [
            Fault::BearingWear,
            Fault::HydraulicLeak,
            Fault::FilterClogging,
            Fault::Cavitation,
            Fault::Misalignment,
        ]
        .map(|fault| severity.of(fault));
        let (product_pace, thickness, base_rejects) = PRODUCTS[drive.product];
        let pace = product_pace * drive.pace;

        let filled_l_min = ROUND_L_MIN + (FULL_L_MIN * pace - ROUND_L_MIN) * drive.work;
        let wanted_l_min = drive.on * filled_l_min * (1.0 + 0.012 * self.flow.step(step_s, noise));
        let sucked = 1.0 - 0.34 * clogging - 0.24 * cavitation;
        let flow_l_min = wanted_l_min * sucked + 42.0 * leak * drive.on;
        // The control holds the pressure; thick product loses more of it on its way.
        let steady_bar =
            2.25 + 0.75 * drive.work - 0.28 * thickness * (wanted_l_min / FULL_L_MIN).powi(2);
        let missing_bar = 1.75 * leak + 1.6 * clogging + 1.45 * cavitation;
        let ripple_bar = 0.035 * self.pressure.step(step_s, noise);
        let bar =
            drive.on * (steady_bar - missing_bar + ripple_bar).max(0.0) + 0.25 * (1.0 - drive.on);

        let hydraulic_kw = (bar + LOST_BAR * thickness) * flow_l_min / 600.0 / EFFICIENCY;
        let power_kw = hydraulic_kw * (1.0 + 0.008 * self.load.step(step_s, noise))
            + (1.1 + 1.0 * wear) * drive.on;
        let quiet = (0.55 + 0.4 * drive.work + 0.7 * flow_l_min.max(0.0) / FULL_L_MIN)
            * (1.0 + 0.05 * self.vibration.step(step_s, noise) + 0.03 * noise.normal());
        let rough = 1.0 + 0.06 * noise.normal();
        let speed_m_s = drive.work * pace * (1.0 - 0.14 * off_line);
        let torque_n_m = drive.on * 12.0 + drive.work * (34.0 * pace + 76.0 * off_line);

        values[0] = bar;
        values[1] = flow_l_min;
        values[2] = self.warm(drive, noise);
        values[3] = BOTTLE_ML
            + 1.9 * drive.on * (ripple_bar - missing_bar)
            + 0.3 * self.valves.step(step_s, noise);
        values[4] = A_PER_KW * power_kw + 2.2 * drive.on;
        values[5] = power_kw;
        values[6] = drive.on * rms([quiet, 7.7 * wear * rough, 7.7 * cavitation * rough]);
        values[7] = speed_m_s;
        values[8] = torque_n_m * (1.0 + 0.015 * self.chain.step(step_s, noise));
        Cycle { length_s: BOTTLE_S / pace, reject_share: reject_share(base_rejects, severity) }
    }

    /// Cold product comes from the tank; what stands in the pipe takes the temperature of the hall.
    fn warm(&mut self, drive: &Drive<'_>, noise: &mut Noise) -> f64 {
        let tank_c = 7.0 + 0.6 * self.tank.step(drive.step_s, noise);
        let hall_c = drive.ambient_c - 20.0;
        match drive.state {
            State::Running => {
                self.product.step(drive.step_s, tank_c + 1.5 + 0.15 * hall_c, FLOWING_CONSTANT_S)
            }
            State::Idle => {
                self.product.step(drive.step_s, tank_c + 3.5 + 0.25 * hall_c, FLOWING_CONSTANT_S)
            }
            State::Stopped | State::Fault => {
                self.product.step(drive.step_s, drive.ambient_c, RESTING_CONSTANT_S)
            }
        }
    }
}
