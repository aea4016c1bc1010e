//! How much a value can be trusted.

use serde::{Deserialize, Serialize};

/// Quality of one sample: an OPC UA status code in the upper 16 bits, our reasons in the lower 16.
///
/// The upper half is what OPC UA clients see (OPC 10000-4 §7.39: severity in bits 31–30, sub-code in
/// bits 27–16). The lower half, which OPC UA uses for its own flags on the wire, holds the verdicts of
/// our cleaning step as [`Flag`]s; [`Quality::status_code`] strips them before they leave the house.
/// `0` is good.
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Quality(pub u32);

/// Why the cleaning step doubts a sample. Several can hold at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u16)]
pub enum Flag {
    /// Outside the physical range of the sensor.
    Range = 1 << 0,
    /// Changed faster than the thing it measures can.
    Rate = 1 << 1,
    /// A lone outlier among its neighbors (Hampel).
    Spike = 1 << 2,
    /// Has not moved for longer than a live sensor would.
    Stuck = 1 << 3,
    /// First value after a silence longer than `max_gap_ms`.
    AfterGap = 1 << 4,
    /// Came after a sample with a later time stamp.
    Late = 1 << 5,
    /// NaN or infinite; the value is kept as it came.
    NonFinite = 1 << 6,
    /// Same signal and time as a sample already stored, with another value; the newer one wins.
    Replaced = 1 << 7,
    /// The sender gave no time stamp, so the time is that of arrival.
    ArrivalTime = 1 << 8,
    /// Time stamp further ahead of our clock than the allowed skew.
    Future = 1 << 9,
    /// Computed by us (gap filling, virtual signal), not measured.
    Estimated = 1 << 10,
}

impl Flag {
    /// Every flag, in bit order.
    pub const ALL: [Flag; 11] = [
        Flag::Range,
        Flag::Rate,
        Flag::Spike,
        Flag::Stuck,
        Flag::AfterGap,
        Flag::Late,
        Flag::NonFinite,
        Flag::Replaced,
        Flag::ArrivalTime,
        Flag::Future,
        Flag::Estimated,
    ];

    /// The name used in SQL, in the API and in translations.
    pub fn name(self) -> &'static str {
        match self {
            Flag::Range => "range",
            Flag::Rate => "rate",
            Flag::Spike => "spike",
            Flag::Stuck => "stuck",
            Flag::AfterGap => "after_gap",
            Flag::Late => "late",
            Flag::NonFinite => "non_finite",
            Flag::Replaced => "replaced",
            Flag::ArrivalTime => "arrival_time",
            Flag::Future => "future",
            Flag::Estimated => "estimated",
        }
    }

    /// The status that this reason alone gives a sample.
    fn status(self) -> u32 {
        match self {
            Flag::NonFinite | Flag::Range => Quality::BAD_OUT_OF_RANGE,
            Flag::Stuck => Quality::UNCERTAIN_LAST_USABLE,
            Flag::Rate | Flag::Spike | Flag::Future => Quality::UNCERTAIN_SENSOR,
            Flag::Estimated => Quality::UNCERTAIN_SUBSTITUTE,
            Flag::AfterGap | Flag::Late | Flag::Replaced | Flag::ArrivalTime => 0,
        }
    }
}

impl Quality {
    /// Nothing to object to.
    pub const GOOD: Quality = Quality(0);

    const FLAGS: u32 = 0xFFFF;
    /// OPC UA `Uncertain_LastUsableValue`.
    const UNCERTAIN_LAST_USABLE: u32 = 0x4090_0000;
    /// OPC UA `Uncertain_SubstituteValue`.
    const UNCERTAIN_SUBSTITUTE: u32 = 0x4091_0000;
    /// OPC UA `Uncertain_SensorNotAccurate`.
    const UNCERTAIN_SENSOR: u32 = 0x4093_0000;
    /// OPC UA `Bad_OutOfRange`.
    const BAD_OUT_OF_RANGE: u32 = 0x803C_0000;

    /// A quality as an OPC UA server sends it, without our flags.
    pub fn from_status_code(code: u32) -> Quality {
        Quality(code & !Self::FLAGS)
    }

    /// The OPC UA status code, without our flags.
    pub fn status_code(self) -> u32 {
        self.0 & !Self::FLAGS
    }

    /// This quality with one more reason; the worse of both severities holds.
    ///
    /// ```
    /// use signal::{Flag, Quality};
    /// let spike = Quality::GOOD.with(Flag::Spike);
    /// assert!(spike.is_uncertain() && spike.has(Flag::Spike));
    /// assert!(spike.with(Flag::Range).is_bad());
    /// assert!(Quality::GOOD.with(Flag::Late).is_good());
    /// ```
    #[must_use]
    pub fn with(self, flag: Flag) -> Quality {
        let status = self.status_code().max(flag.status());
        Quality(status | (self.0 & Self::FLAGS) | u32::from(flag as u16))
    }

    /// Whether the cleaning step gave this reason.
    pub fn has(self, flag: Flag) -> bool {
        self.0 & u32::from(flag as u16) != 0
    }

    /// Severity good: may be used without a second thought.
    pub fn is_good(self) -> bool {
        self.0 >> 30 == 0
    }

    /// Severity uncertain: shown, but kept out of limits and models.
    pub fn is_uncertain(self) -> bool {
        self.0 >> 30 == 1
    }

    /// Severity bad: stored for the record, never used.
    pub fn is_bad(self) -> bool {
        self.0 >> 30 >= 2
    }
}

impl std::fmt::Debug for Quality {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Quality({:#010x}", self.status_code())?;
        for flag in Flag::ALL {
            if self.has(flag) {
                write!(f, " {}", flag.name())?;
            }
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_reason_decides_the_severity() {
        let quality = Quality::GOOD.with(Flag::Range).with(Flag::Spike);
        assert!(quality.is_bad());
        assert_eq!(quality.status_code(), 0x803C_0000);
        assert!(quality.has(Flag::Range) && quality.has(Flag::Spike) && !quality.has(Flag::Stuck));
    }

    #[test]
    fn flags_never_leave_the_house() {
        for flag in Flag::ALL {
            assert_eq!(Quality::GOOD.with(flag).status_code() & 0xFFFF, 0);
        }
    }
}
