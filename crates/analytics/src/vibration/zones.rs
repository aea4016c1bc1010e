//! Evaluation zones of ISO 20816: is this much vibration acceptable for this machine?

/// Evaluation zone of ISO 20816-1:2016 §6.3.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Zone {
    /// As of a newly commissioned machine.
    A,
    /// Acceptable without limit of time.
    B,
    /// Acceptable until there is an opportunity to repair.
    C,
    /// Severe enough to cause damage.
    D,
}

/// Zone boundaries, velocity RMS in mm/s. They are configuration: the parts of ISO 20816 give them by kind, power and
/// support of the machine, and an operator may agree on others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ZoneLimits {
    /// Between A and B.
    pub a_b: f64,
    /// Between B and C.
    pub b_c: f64,
    /// Between C and D.
    pub c_d: f64,
}

/// How the vibration moved since a reference, criterion II of ISO 20816-1 §6.4.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// By less than a quarter of the boundary between B and C.
    Small,
    /// Up by more: find out why, even inside zone B.
    Risen,
    /// Down by more: find out why too.
    Fallen,
}

impl ZoneLimits {
    /// Limits that rise and are above 0; `None` for others.
    pub fn new(a_b: f64, b_c: f64, c_d: f64) -> Option<ZoneLimits> {
        (0.0 < a_b && a_b < b_c && b_c < c_d && c_d.is_finite()).then_some(ZoneLimits {
            a_b,
            b_c,
            c_d,
        })
    }

    /// Zone of a velocity RMS in mm/s; a boundary belongs to the zone below. `None` for NaN.
    ///
    /// ```
    /// use analytics::vibration::{Zone, ZoneLimits};
    /// let limits = ZoneLimits::new(1.4, 2.8, 4.5).unwrap();
    /// assert_eq!(limits.zone(2.8), Some(Zone::B));
    /// assert_eq!(limits.zone(5.0), Some(Zone::D));
    /// ```
    pub fn zone(&self, velocity_mm_s: f64) -> Option<Zone> {
        if velocity_mm_s.is_nan() {
            return None;
        }
        let boundaries = [(self.a_b, Zone::A), (self.b_c, Zone::B), (self.c_d, Zone::C)];
        let below = boundaries.iter().find(|(limit, _)| velocity_mm_s <= *limit);
        Some(below.map_or(Zone::D, |(_, zone)| *zone))
    }

    /// How `now` differs from `reference`, both velocity RMS in mm/s; NaN counts as small.
    pub fn change(&self, reference: f64, now: f64) -> Change {
        let step = self.b_c / 4.0;
        if now - reference > step {
            return Change::Risen;
        }
        if reference - now > step { Change::Fallen } else { Change::Small }
    }
}
