//! Faults that develop: what each does to the signals of each type of machine.

use crate::machine::Kind;

/// A fault that can be injected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// Rolling elements pit: outer-race frequency, broadband vibration and heat rise.
    BearingWear,
    /// Oil or product escapes: pressure falls, flow rises.
    HydraulicLeak,
    /// A filter fills: differential pressure rises, flow falls.
    FilterClogging,
    /// Bubbles collapse in a pump: vibration rises, flow and power fall.
    Cavitation,
    /// One sensor slowly lies; the machine is well.
    SensorDrift,
    /// Shafts are not in line: twice the running speed rises.
    Misalignment,
}

/// When and how fast a fault develops.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultPlan {
    /// Index into [`crate::MACHINES`].
    pub machine: usize,
    /// Which.
    pub fault: Fault,
    /// Seconds after the live data begins.
    pub starts_after_s: f64,
    /// Seconds from its beginning to its full size.
    pub full_after_s: f64,
}

/// A fault or machine that does not exist, with what does.
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

    /// What it adds to signals at full size, in their units. Empty: machines of this type do not have it.
    pub fn effects(self, kind: Kind) -> &'static [(&'static str, f64)] {
        match (self, kind) {
            (Fault::BearingWear, Kind::HydraulicPress) => {
                &[("pump/vibration", 6.5), ("hydraulics/oil_temperature", 7.0), ("pump/current", 4.0), ("pump/power", 2.5)]
            }
            (Fault::BearingWear, Kind::CncSpindle) => &[
                ("spindle/vibration_bpfo", 4.0),
                ("spindle/vibration_rms", 5.2),
                ("spindle/temperature", 9.0),
                ("spindle/current", 2.0),
                ("spindle/power", 0.8),
            ],
            (Fault::BearingWear, Kind::ScrewCompressor) => {
                &[("motor/vibration", 6.5), ("oil/temperature", 9.0), ("motor/current", 6.0), ("motor/power", 4.0)]
            }
            (Fault::BearingWear, Kind::FillingLine) => {
                &[("pump/vibration", 6.5), ("pump/current", 2.0), ("pump/power", 0.9)]
            }
            (Fault::HydraulicLeak, Kind::HydraulicPress) => &[
                ("hydraulics/pressure", -95.0),
                ("hydraulics/flow", 30.0),
                ("force", -450.0),
                ("cycle/time", 2.5),
                ("pump/power", 4.0),
            ],
            (Fault::HydraulicLeak, Kind::ScrewCompressor) => {
                &[("oil/pressure", -3.2), ("oil/temperature", 14.0), ("air/temperature", 4.0)]
            }
            (Fault::HydraulicLeak, Kind::FillingLine) => {
                &[("product/pressure", -1.7), ("product/flow", 40.0), ("pump/power", 1.0), ("fill/volume", -3.0)]
            }
            (Fault::FilterClogging, Kind::HydraulicPress) => &[
                ("hydraulics/filter_dp", 3.2),
                ("hydraulics/flow", -18.0),
                ("hydraulics/oil_temperature", 4.0),
                ("pump/power", 2.5),
            ],
            (Fault::FilterClogging, Kind::CncSpindle) => {
                &[("coolant/flow", -15.5), ("coolant/temperature", 4.0), ("spindle/temperature", 6.0)]
            }
            (Fault::FilterClogging, Kind::ScrewCompressor) => {
                &[("filter/dp", 700.0), ("air/flow", -110.0), ("motor/power", 9.0), ("motor/current", 12.0)]
            }
            (Fault::FilterClogging, Kind::FillingLine) => {
                &[("product/pressure", -1.4), ("product/flow", -60.0), ("fill/volume", -3.0), ("pump/power", -0.6)]
            }
            (Fault::Cavitation, Kind::HydraulicPress) => &[
                ("pump/vibration", 6.8),
                ("hydraulics/flow", -25.0),
                ("hydraulics/pressure", -25.0),
                ("pump/current", -9.0),
                ("pump/power", -6.0),
            ],
            (Fault::Cavitation, Kind::FillingLine) => &[
                ("pump/vibration", 6.8),
                ("product/flow", -35.0),
                ("product/pressure", -0.9),
                ("pump/power", -1.6),
                ("pump/current", -3.2),
            ],
            (Fault::SensorDrift, Kind::HydraulicPress) => &[("hydraulics/oil_temperature", 22.0)],
            (Fault::SensorDrift, Kind::CncSpindle) => &[("spindle/temperature", 25.0)],
            (Fault::SensorDrift, Kind::ScrewCompressor) => &[("air/pressure", 2.4)],
            (Fault::SensorDrift, Kind::FillingLine) => &[("fill/volume", 13.0)],
            (Fault::Misalignment, Kind::HydraulicPress) => {
                &[("pump/vibration", 3.2), ("pump/current", 12.0), ("pump/power", 7.0)]
            }
            (Fault::Misalignment, Kind::CncSpindle) => &[
                ("spindle/vibration_2x", 3.5),
                ("spindle/vibration_1x", 1.6),
                ("spindle/vibration_rms", 4.5),
                ("spindle/power", 0.8),
            ],
            (Fault::Misalignment, Kind::ScrewCompressor) => {
                &[("motor/vibration", 4.0), ("motor/power", 11.0), ("motor/current", 18.0)]
            }
            (Fault::Misalignment, Kind::FillingLine) => &[("conveyor/torque", 65.0), ("conveyor/speed", -0.12)],
            (Fault::HydraulicLeak | Fault::Cavitation, Kind::CncSpindle)
            | (Fault::Cavitation, Kind::ScrewCompressor) => &[],
        }
    }

    /// Finds a fault and a machine by name.
    ///
    /// # Errors
    /// When one does not exist or they do not fit; the message lists what does.
    pub fn find(fault: &str, machine: &str) -> Result<(usize, Fault), UnknownFault> {
        let idx = crate::MACHINES.iter().position(|(_, name, _)| *name == machine).ok_or_else(|| {
            let names: Vec<&str> = crate::MACHINES.iter().map(|(_, name, _)| *name).collect();
            UnknownFault(format!("there is no machine '{machine}'; there are {}", names.join(", ")))
        })?;
        let kind = crate::MACHINES[idx].2;
        let possible: Vec<Fault> = Fault::ALL.into_iter().filter(|fault| !fault.effects(kind).is_empty()).collect();
        possible.iter().copied().find(|other| other.name() == fault).map(|fault| (idx, fault)).ok_or_else(|| {
            let names: Vec<&str> = possible.iter().map(|fault| fault.name()).collect();
            UnknownFault(format!("{machine} cannot have '{fault}'; it can have {}", names.join(", ")))
        })
    }
}

impl FaultPlan {
    /// How far it has developed, 0 to 1, `live_s` seconds after the live data began. Slow at first, as wear is.
    pub(crate) fn progress(&self, live_s: f64) -> f64 {
        let share = ((live_s - self.starts_after_s) / self.full_after_s.max(1.0)).clamp(0.0, 1.0);
        share.powf(1.3)
    }
}
