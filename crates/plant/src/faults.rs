//! Faults that develop: which machines can have them, how far they are, and where they show.
//!
//! What a fault does is part of each machine's physics (`press.rs`, …): a leak lets oil through, and pressure,
//! flow, force and heat follow. Only a drifting sensor is nothing but a wrong reading.

use crate::machine::{Kind, MACHINES};

/// A fault that can be injected. Names as in the library of asset types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Rolling elements pit: vibration at the outer-race frequency, friction, heat.
    BearingWear,
    /// Oil or product escapes: pressure falls and the pump works for nothing.
    HydraulicLeak,
    /// A filter loads: differential pressure rises, flow falls.
    FilterClogging,
    /// Bubbles collapse in a pump: it gets loud, flow, pressure and power fall.
    Cavitation,
    /// One sensor slowly lies; the machine is well.
    SensorDrift,
    /// Shafts or rails are not in line: twice the running speed, friction.
    Misalignment,
}

/// When a fault begins and how fast it develops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultPlan {
    /// Index into [`MACHINES`].
    pub machine: usize,
    /// Which.
    pub fault: Fault,
    /// Seconds after the live data begins.
    pub starts_after_s: f64,
    /// Seconds from its beginning to its full size, where it stays.
    pub full_after_s: f64,
}

/// A fault or machine that does not exist, with those that do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnknownFault(String);

impl Fault {
    /// Every fault.
    pub const ALL: [Fault; 6] = [
        Fault::BearingWear,
        Fault::HydraulicLeak,
        Fault::FilterClogging,
        Fault::Cavitation,
        Fault::SensorDrift,
        Fault::Misalignment,
    ];

    /// Such as `bearing_wear`.
    pub fn name(self) -> &'static str {
        match self {
            Fault::BearingWear => "bearing_wear",
            Fault::HydraulicLeak => "hydraulic_leak",
            Fault::FilterClogging => "filter_clogging",
            Fault::Cavitation => "cavitation",
            Fault::SensorDrift => "sensor_drift",
            Fault::Misalignment => "misalignment",
        }
    }

    /// Signals that it moves on a running machine, and whether up (true) or down; strongest first.
    /// Empty: machines of this type do not have it.
    pub fn signs(self, kind: Kind) -> &'static [(&'static str, bool)] {
        match kind {
            Kind::HydraulicPress => press_signs(self),
            Kind::CncSpindle => spindle_signs(self),
            Kind::ScrewCompressor => compressor_signs(self),
            Kind::FillingLine => filler_signs(self),
        }
    }

    /// Finds a machine (as index into [`MACHINES`]) and one of its faults by their names.
    ///
    /// # Errors
    /// When there is no such machine, or its type does not have the fault; the message lists what there is.
    pub fn find(fault: &str, machine: &str) -> Result<(usize, Fault), UnknownFault> {
        let Some(idx) = MACHINES.iter().position(|place| place.machine == machine) else {
            let names: Vec<&str> = MACHINES.iter().map(|place| place.machine).collect();
            return Err(UnknownFault(format!(
                "there is no machine '{machine}'; there are {}",
                names.join(", ")
            )));
        };
        let kind = MACHINES[idx].kind;
        let possible = faults_of(kind);
        match possible.iter().find(|other| other.name() == fault) {
            Some(fault) => Ok((idx, *fault)),
            None => {
                let names: Vec<&str> = possible.iter().map(|fault| fault.name()).collect();
                Err(UnknownFault(format!(
                    "{machine} is a {} and cannot have '{fault}'; it can have {}",
                    kind.name(),
                    names.join(", ")
                )))
            }
        }
    }
}

/// The faults that machines of this type can have.
pub fn faults_of(kind: Kind) -> Vec<Fault> {
    Fault::ALL.into_iter().filter(|fault| !fault.signs(kind).is_empty()).collect()
}

impl FaultPlan {
    /// How far it has developed, 0 to 1, `live_s` seconds after the live data began.
    pub fn progress(&self, live_s: f64) -> f64 {
        ((live_s - self.starts_after_s) / self.full_after_s.max(1e-3)).clamp(0.0, 1.0)
    }
}

/// How far each fault of one machine has developed, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Severity([f64; Fault::ALL.len()]);

impl Severity {
    /// All is well.
    pub const NONE: Severity = Severity([0.0; Fault::ALL.len()]);

    /// One fault, this far developed.
    pub fn only(fault: Fault, progress: f64) -> Severity {
        let mut severity = Severity::NONE;
        severity.0[fault as usize] = progress.clamp(0.0, 1.0);
        severity
    }

    /// What the plans say about one machine, `live_s` seconds after the live data began.
    pub fn planned(plans: &[FaultPlan], machine: usize, live_s: f64) -> Severity {
        let mut severity = Severity::NONE;
        for plan in plans.iter().filter(|plan| plan.machine == machine) {
            let progress = &mut severity.0[plan.fault as usize];
            *progress = progress.max(plan.progress(live_s));
        }
        severity
    }

    /// 0 to 1.
    pub(crate) fn of(&self, fault: Fault) -> f64 {
        self.0[fault as usize]
    }

    /// The most developed one.
    pub(crate) fn worst(&self) -> f64 {
        self.0.iter().copied().fold(0.0, f64::max)
    }
}

const UP: bool = true;
const DOWN: bool = false;

fn press_signs(fault: Fault) -> &'static [(&'static str, bool)] {
    match fault {
        Fault::BearingWear => &[
            ("pump/vibration", UP),
            ("hydraulics/oil_temperature", UP),
            ("pump/current", UP),
            ("pump/power", UP),
        ],
        Fault::HydraulicLeak => &[
            ("hydraulics/pressure", DOWN),
            ("hydraulics/flow", UP),
            ("force", DOWN),
            ("cycle/time", UP),
            ("pump/power", UP),
        ],
        Fault::FilterClogging => &[
            ("hydraulics/filter_dp", UP),
            ("hydraulics/flow", DOWN),
            ("hydraulics/oil_temperature", UP),
            ("pump/power", UP),
        ],
        Fault::Cavitation => &[
            ("pump/vibration", UP),
            ("hydraulics/flow", DOWN),
            ("hydraulics/pressure", DOWN),
            ("pump/current", DOWN),
            ("pump/power", DOWN),
        ],
        Fault::SensorDrift => &[("hydraulics/oil_temperature", UP)],
        Fault::Misalignment => &[("pump/vibration", UP), ("pump/current", UP), ("pump/power", UP)],
    }
}

fn spindle_signs(fault: Fault) -> &'static [(&'static str, bool)] {
    match fault {
        Fault::BearingWear => &[
            ("spindle/vibration_bpfo", UP),
            ("spindle/vibration_rms", UP),
            ("spindle/temperature", UP),
            ("spindle/current", UP),
            ("spindle/power", UP),
        ],
        Fault::FilterClogging => {
            &[("coolant/flow", DOWN), ("coolant/temperature", UP), ("spindle/temperature", UP)]
        }
        Fault::SensorDrift => &[("spindle/temperature", UP)],
        Fault::Misalignment => &[
            ("spindle/vibration_2x", UP),
            ("spindle/vibration_1x", UP),
            ("spindle/vibration_rms", UP),
            ("spindle/power", UP),
        ],
        Fault::HydraulicLeak | Fault::Cavitation => &[],
    }
}

fn compressor_signs(fault: Fault) -> &'static [(&'static str, bool)] {
    match fault {
        Fault::BearingWear => &[
            ("motor/vibration", UP),
            ("oil/temperature", UP),
            ("motor/current", UP),
            ("motor/power", UP),
        ],
        Fault::HydraulicLeak => {
            &[("oil/pressure", DOWN), ("oil/temperature", UP), ("air/temperature", UP)]
        }
        Fault::FilterClogging => {
            &[("filter/dp", UP), ("air/flow", DOWN), ("motor/power", UP), ("motor/current", UP)]
        }
        Fault::SensorDrift => &[("air/pressure", UP)],
        Fault::Misalignment => {
            &[("motor/vibration", UP), ("motor/power", UP), ("motor/current", UP)]
        }
        Fault::Cavitation => &[],
    }
}

fn filler_signs(fault: Fault) -> &'static [(&'static str, bool)] {
    match fault {
        Fault::BearingWear => &[("pump/vibration", UP), ("pump/current", UP), ("pump/power", UP)],
        Fault::HydraulicLeak => &[
            ("product/pressure", DOWN),
            ("product/flow", UP),
            ("pump/power", UP),
            ("fill/volume", DOWN),
        ],
        Fault::FilterClogging => &[
            ("product/flow", DOWN),
            ("product/pressure", DOWN),
            ("fill/volume", DOWN),
            ("pump/power", DOWN),
        ],
        Fault::Cavitation => &[
            ("pump/vibration", UP),
            ("product/flow", DOWN),
            ("product/pressure", DOWN),
            ("pump/power", DOWN),
            ("pump/current", DOWN),
        ],
        Fault::SensorDrift => &[("fill/volume", UP)],
        Fault::Misalignment => &[("conveyor/torque", UP), ("conveyor/speed", DOWN)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_exist_is_answered_with_what_does() {
        let check = |fault: &str, machine: &str, expected: Result<(usize, Fault), &str>| {
            assert_eq!(
                Fault::find(fault, machine).map_err(|error| error.to_string()),
                expected.map_err(str::to_owned)
            );
        };
        check("bearing_wear", "spindle02", Ok((4, Fault::BearingWear)));
        check(
            "cavitation",
            "spindle02",
            Err(
                "spindle02 is a cnc_spindle and cannot have 'cavitation'; it can have bearing_wear, filter_clogging, \
                 sensor_drift, misalignment",
            ),
        );
        check(
            "bearing_wear",
            "robot",
            Err(
                "there is no machine 'robot'; there are press01, press02, spindle01, compressor01, spindle02, \
                 filler01, filler02, compressor02",
            ),
        );
    }

    #[test]
    fn a_fault_grows_from_its_start_and_stays() {
        let plan = FaultPlan {
            machine: 1,
            fault: Fault::Cavitation,
            starts_after_s: 20.0,
            full_after_s: 80.0,
        };
        assert_eq!(
            [0.0, 20.0, 60.0, 100.0, 1e6].map(|live_s| plan.progress(live_s)),
            [0.0, 0.0, 0.5, 1.0, 1.0]
        );
        assert_eq!(Severity::planned(&[plan], 1, 60.0), Severity::only(Fault::Cavitation, 0.5));
        assert_eq!(Severity::planned(&[plan], 0, 60.0), Severity::NONE);
    }
}
