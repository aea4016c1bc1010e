//! The screw compressor: air as the lines want it, and the oil that seals, cools and lubricates the rotors.

use crate::faults::Fault;
use crate::imperfections::{SensorSpec, sensor, thermometer};
use crate::machine::{Cycle, Drive, rms};
use crate::noise::{Noise, Wander, follow};
use crate::thermal::Mass;

pub(crate) const SENSORS: [SensorSpec; 9] = [
    sensor("air/pressure", 0.02, 2, 16.0),
    sensor("air/flow", 3.0, 0, 1200.0),
    thermometer("air/temperature", 0.1),
    thermometer("oil/temperature", 0.12),
    sensor("oil/pressure", 0.02, 2, 16.0),
    sensor("filter/dp", 2.0, 0, 1500.0),
    sensor("motor/current", 0.4, 1, 250.0),
    sensor("motor/power", 0.2, 2, 132.0),
    sensor("motor/vibration", 0.03, 2, 50.0),
];
pub(crate) const DRIFT: (&str, f64) = ("air/pressure", 2.6);

/// The control holds about this pressure, bar.
const SET_BAR: f64 = 7.2;
/// Least and additional delivery, m³/h.
const LEAST_M3_H: f64 = 230.0;
const MORE_M3_H: f64 = 430.0;
const UNLOADED_KW: f64 = 24.0;
const KW_PER_M3_H: f64 = 0.068;
const A_PER_KW: f64 = 1.68;
/// The air net evens out what the lines want.
const NET_CONSTANT_S: f64 = 45.0;
const OIL_CONSTANT_S: f64 = 700.0;
const AIR_CONSTANT_S: f64 = 300.0;
/// Without fan and flow.
const RESTING_CONSTANT_S: f64 = 10_000.0;

pub(crate) struct Compressor {
    oil: Mass,
    air: Mass,
    demand: f64,
    consumers: Wander,
    pressure: Wander,
    oil_pressure: Wander,
    separator: Wander,
    load: Wander,
    vibration: Wander,
}

impl Compressor {
    pub(crate) fn new() -> Compressor {
        Compressor {
            oil: Mass::new(70.0),
            air: Mass::new(30.0),
            demand: 0.7,
            consumers: Wander::new(150.0),
            pressure: Wander::new(40.0),
            oil_pressure: Wander::new(60.0),
            separator: Wander::new(90.0),
            load: Wander::new(30.0),
            vibration: Wander::new(25.0),
        }
    }

    /// `demand`: what the lines want, 0 to 1.
    pub(crate) fn step(
        &mut self,
        drive: &Drive<'_>,
        demand: f64,
        noise: &mut Noise,
        values: &mut [f64],
    ) -> Cycle {
        let (step_s, severity) = (drive.step_s, drive.severity);
        let [wear, leak, clogging, off_line] =
            [Fault::BearingWear, Fault::HydraulicLeak, Fault::FilterClogging, Fault::Misalignment]
                .map(|fault| severity.of(fault));
        self.demand = follow(self.demand, demand, step_s, NET_CONSTANT_S);
        let mean = (0.15 + 0.85 * self.demand).clamp(0.0, 1.0);
        let wanted = (mean + 0.06 * self.consumers.step(step_s, noise)).max(0.0);
        let flow =
            |wanted: f64| drive.work * (LEAST_M3_H + MORE_M3_H * wanted) * (1.0 - 0.1 * clogging);
        let flow_m3_h = flow(wanted);
        let air_bar = SET_BAR + 0.35 * (0.7 - wanted) + 0.05 * self.pressure.step(step_s, noise)
            - 0.5 * (drive.on - drive.work);
        let air_bar = if drive.on > 0.5 { air_bar } else { air_bar - 0.4 };
        let clean_mbar = 55.0 * drive.on + 190.0 * (flow_m3_h / 600.0).powf(1.8);
        let filter_mbar = clean_mbar
            * (1.0 + 5.6 * clogging)
            * (1.0 + 0.012 * self.separator.step(step_s, noise));

        // Every 100 mbar at the filter cost two percent.
        let power = |flow_m3_h: f64| {
            let compression = KW_PER_M3_H * flow_m3_h * (air_bar / SET_BAR).max(0.0).powf(0.6);
            (UNLOADED_KW * drive.on + compression)
                * (1.0 + 0.02 * clean_mbar * 5.6 * clogging / 100.0)
                + (1.8 * wear + 9.0 * off_line) * drive.on
        };
        let power_kw = power(flow_m3_h) * (1.0 + 0.006 * self.load.step(step_s, noise));
        let heat_c = 0.32 * power(flow(mean)) + (14.0 * wear + 34.0 * leak) * drive.on;
        let balance_c =
            if drive.on > 0.5 { 46.0 + 0.5 * drive.ambient_c + heat_c } else { drive.ambient_c };
        let [oil_s, air_s] =
            if drive.on > 0.5 { [OIL_CONSTANT_S, AIR_CONSTANT_S] } else { [RESTING_CONSTANT_S; 2] };
        let oil_c = self.oil.step(step_s, balance_c, oil_s);
        let cooled_c = drive.ambient_c
            + drive.on * (5.0 + 0.22 * (oil_c - drive.ambient_c) - 3.0 + 5.0 * leak);

        let quiet = 0.8 + 0.45 * drive.work + 0.75 * flow_m3_h / 600.0;
        let vibration =
            quiet * (1.0 + 0.05 * self.vibration.step(step_s, noise) + 0.03 * noise.normal());
        let rough = 1.0 + 0.06 * noise.normal();

        values[0] = air_bar;
        values[1] = flow_m3_h;
        values[2] = self.air.step(step_s, cooled_c, air_s);
        values[3] = oil_c;
        values[4] = drive.on
            * (0.2 * air_bar + 4.1 - 0.008 * (oil_c - 75.0)
                + 0.07 * self.oil_pressure.step(step_s, noise))
            * (1.0 - 0.62 * leak);
        values[5] = filter_mbar;
        values[6] = A_PER_KW * power_kw + 6.0 * drive.on;
        values[7] = power_kw;
        values[8] = drive.on * rms([vibration, 7.7 * wear * rough, 7.4 * off_line * rough]);
        Cycle { length_s: 60.0, reject_share: 0.0 }
    }
}
