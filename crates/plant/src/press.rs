//! The hydraulic press: a pressure-controlled pump, a return filter, a cylinder and the oil between them.
//!
//! Power is pressure × flow; what does not leave as work stays in the oil as heat; the filter's differential
//! pressure falls as the oil gets warm and thin.

use crate::faults::Fault;
use crate::imperfections::{SensorSpec, sensor, thermometer};
use crate::machine::{Cycle, Drive, reject_share, rms};
use crate::noise::{Noise, Wander};
use crate::thermal::Mass;

pub(crate) const SENSORS: [SensorSpec; 9] = [
    sensor("hydraulics/pressure", 0.5, 1, 400.0),
    sensor("hydraulics/flow", 0.5, 1, 200.0),
    thermometer("hydraulics/oil_temperature", 0.1),
    sensor("hydraulics/filter_dp", 0.015, 2, 10.0),
    sensor("pump/current", 0.3, 1, 150.0),
    sensor("pump/power", 0.15, 2, 90.0),
    sensor("pump/vibration", 0.03, 2, 50.0),
    sensor("force", 5.0, 0, 3000.0),
    sensor("cycle/time", 0.02, 2, 60.0),
];
pub(crate) const DRIFT: (&str, f64) = ("hydraulics/oil_temperature", 26.0);

/// Of each product: pressure while pressing, bar; force, kN; cycle, s; share of rejects.
const PRODUCTS: [(f64, f64, f64, f64); 3] =
    [(204.0, 1480.0, 5.63, 0.009), (207.0, 1630.0, 6.37, 0.012), (211.0, 1760.0, 7.41, 0.016)];
const STANDBY_BAR: f64 = 185.0;
const STANDBY_L_MIN: f64 = 62.0;
/// Extra flow while strokes are made, and at the height of one; an accumulator takes the rest.
const WORK_L_MIN: f64 = 24.0;
const STROKE_L_MIN: f64 = 14.0;
const EFFICIENCY: f64 = 0.88;
/// Motor of 400 V, three phases, cos φ 0.86: A per kW.
const A_PER_KW: f64 = 1.678;
/// Differential pressure of a clean filter at 95 L/min and 45 °C.
const CLEAN_BAR: f64 = 0.9;
/// The return side acts on a larger area: back pressure counts so many times at the pump.
const BACK_PRESSURE: f64 = 5.0;
/// Full leak: L/min per √bar, and the pressure that its way costs, bar per √bar.
const LEAK_L_MIN: f64 = 2.9;
const LEAK_BAR: f64 = 10.4;
/// °C per kW of heat, in balance with the cooler.
const OIL_C_PER_KW: f64 = 2.3;
const OIL_CONSTANT_S: f64 = 1500.0;
/// Without the cooler's pump.
const RESTING_CONSTANT_S: f64 = 7200.0;

pub(crate) struct Press {
    oil: Mass,
    pressure: Wander,
    flow: Wander,
    filter: Wander,
    load: Wander,
    vibration: Wander,
    force: Wander,
    cycle: Wander,
    last_cycle_s: f64,
}

/// Flow and pressure at one moment of the stroke.
struct Hydraulics {
    pump_bar: f64,
    line_bar: f64,
    set_bar: f64,
    flow_l_min: f64,
    leak_l_min: f64,
    filter_bar: f64,
}

impl Press {
    pub(crate) fn new() -> Press {
        Press {
            oil: Mass::new(40.0),
            pressure: Wander::new(20.0),
            flow: Wander::new(15.0),
            filter: Wander::new(90.0),
            load: Wander::new(30.0),
            vibration: Wander::new(25.0),
            force: Wander::new(6.0),
            cycle: Wander::new(8.0),
            last_cycle_s: PRODUCTS[0].2,
        }
    }

    pub(crate) fn step(
        &mut self,
        drive: &Drive<'_>,
        noise: &mut Noise,
        values: &mut [f64],
    ) -> Cycle {
        let (step_s, severity) = (drive.step_s, drive.severity);
        let (_, product_kn, product_s, base_rejects) = PRODUCTS[drive.product];
        let stroke = 0.5 - 0.5 * (std::f64::consts::TAU * drive.phase).cos();
        let (pressure, flow) = (self.pressure.step(step_s, noise), self.flow.step(step_s, noise));
        let now = self.hydraulics(drive, stroke, pressure, flow);
        let mean = self.hydraulics(drive, 0.5, 0.0, 0.0);

        let power_kw = power(&now, drive) * (1.0 + 0.006 * self.load.step(step_s, noise));
        // Half of a leak is inside: its pressure is lost in the oil.
        let leak_kw = 0.5 * mean.line_bar * mean.leak_l_min / 600.0;
        let heat_kw =
            0.22 * power(&mean, drive) + leak_kw + 4.0 * severity.of(Fault::BearingWear) * drive.on;
        let cooler = 1.0 + 0.22 * severity.of(Fault::FilterClogging);
        let balance_c = drive.ambient_c + 4.0 * drive.on + OIL_C_PER_KW * heat_kw * cooler;
        let constant_s = if drive.on > 0.5 { OIL_CONSTANT_S } else { RESTING_CONSTANT_S };
        let oil_c = self.oil.step(step_s, balance_c, constant_s);

        let full = now.line_bar / now.set_bar.max(1.0);
        if drive.work > 0.5 {
            let slower = 1.0 + 0.5 * (1.0 - mean.line_bar / mean.set_bar.max(1.0));
            self.last_cycle_s =
                product_s / drive.pace * slower * (1.0 + 0.012 * self.cycle.step(step_s, noise));
        }
        let quiet = 0.9 + 0.75 * drive.work + 0.5 * (drive.pace - 1.0) * drive.work;
        let vibration =
            quiet * (1.0 + 0.05 * self.vibration.step(step_s, noise) + 0.03 * noise.normal());
        let rough = 1.0 + 0.06 * noise.normal();

        values[0] = now.line_bar;
        values[1] = now.flow_l_min;
        values[2] = oil_c;
        values[3] = now.filter_bar * (1.0 + 0.03 * self.filter.step(step_s, noise));
        values[4] = power_kw * A_PER_KW + 1.5 * drive.on;
        values[5] = power_kw;
        values[6] = drive.on
            * rms([
                vibration,
                7.6 * severity.of(Fault::BearingWear) * rough,
                7.6 * severity.of(Fault::Cavitation) * rough,
                7.4 * severity.of(Fault::Misalignment) * rough,
            ]);
        values[7] = drive.work
            * product_kn
            * full.powf(1.1)
            * (1.0 + 0.008 * self.force.step(step_s, noise));
        values[8] = self.last_cycle_s;
        Cycle { length_s: self.last_cycle_s, reject_share: reject_share(base_rejects, severity) }
    }

    fn hydraulics(&self, drive: &Drive<'_>, stroke: f64, pressure: f64, flow: f64) -> Hydraulics {
        let severity = drive.severity;
        let cavitation = severity.of(Fault::Cavitation);
        let clogging = severity.of(Fault::FilterClogging);
        let set_bar = STANDBY_BAR + (PRODUCTS[drive.product].0 - STANDBY_BAR) * drive.work;
        let strokes = drive.work * (WORK_L_MIN + STROKE_L_MIN * stroke) * drive.pace;
        let wanted_l_min = STANDBY_L_MIN + strokes + 1.2 * flow;
        let through_l_min = drive.on * wanted_l_min * (1.0 - 0.26 * cavitation - 0.05 * clogging);
        let thin = (-0.01 * (self.oil.celsius() - 45.0)).exp();
        let clean_bar = CLEAN_BAR * (through_l_min / 95.0).max(0.0).powf(1.75) * thin;
        let filter_bar = clean_bar * (1.0 + 5.0 * clogging);
        let ripple_bar = 1.0 * pressure - 3.0 * drive.work * stroke - 26.0 * cavitation;
        let control_bar = drive.on * (set_bar + ripple_bar).max(0.0);
        // Pressure after the leak: p = control − b·√p.
        let b = LEAK_BAR * severity.of(Fault::HydraulicLeak);
        let root = (-b + (b * b + 4.0 * control_bar).sqrt()) / 2.0;
        let leak_l_min = LEAK_L_MIN * severity.of(Fault::HydraulicLeak) * root;
        Hydraulics {
            pump_bar: control_bar + BACK_PRESSURE * filter_bar,
            line_bar: root * root,
            set_bar: drive.on * set_bar,
            flow_l_min: through_l_min + leak_l_min,
            leak_l_min,
            filter_bar,
        }
    }
}

/// Electrical power: hydraulic power over efficiency, and what turns without use, kW.
fn power(hydraulics: &Hydraulics, drive: &Drive<'_>) -> f64 {
    let friction = 2.0
        + 1.6 * drive.severity.of(Fault::BearingWear)
        + 7.5 * drive.severity.of(Fault::Misalignment);
    hydraulics.pump_bar * hydraulics.flow_l_min / 600.0 / EFFICIENCY + friction * drive.on
}
