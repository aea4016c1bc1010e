//! At which multiples of the shaft speed bearings and gears speak, from their geometry.

/// A rolling bearing whose outer ring stands still.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bearing {
    /// Rolling elements in one row.
    pub n_elements: u32,
    /// Diameter of a rolling element, in the unit of `pitch_diameter`.
    pub element_diameter: f64,
    /// Diameter of the circle through the centers of the rolling elements.
    pub pitch_diameter: f64,
    /// Angle between the line of contact and the radial plane, in degrees.
    pub contact_degrees: f64,
}

/// Rates of a bearing, in multiples of the speed of the shaft.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BearingOrders {
    /// Turns of the cage (FTF).
    pub cage: f64,
    /// Rolling elements passing a spot of the outer ring (BPFO).
    pub outer: f64,
    /// Rolling elements passing a spot of the inner ring (BPFI).
    pub inner: f64,
    /// Turns of a rolling element (BSF). A damaged spot meets both rings in one turn and strikes at twice this rate.
    pub element: f64,
}

impl Bearing {
    /// Kinematic rates; the real ones lie within 1 to 2 % because the elements slip.
    ///
    /// Source: Randall & Antoni (2011), eqs. 1–4. `None` unless the elements fit on the circle.
    ///
    /// ```
    /// use analytics::vibration::Bearing;
    /// // SKF 6205, in inches
    /// let bearing = Bearing { n_elements: 9, element_diameter: 0.3126, pitch_diameter: 1.537, contact_degrees: 0.0 };
    /// let orders = bearing.orders().unwrap();
    /// assert!((orders.outer - 3.5848).abs() < 1e-4 && (orders.inner - 5.4152).abs() < 1e-4);
    /// assert!((2.0 * orders.element - 4.7135).abs() < 1e-3 && (orders.cage - 0.3983).abs() < 1e-4);
    /// ```
    pub fn orders(&self) -> Option<BearingOrders> {
        let ratio = self.element_diameter / self.pitch_diameter;
        let fits =
            ratio > 0.0 && ratio < 1.0 && self.n_elements > 0 && self.contact_degrees.is_finite();
        if !fits {
            return None;
        }
        let lean = ratio * self.contact_degrees.to_radians().cos();
        let n = f64::from(self.n_elements);
        Some(BearingOrders {
            cage: (1.0 - lean) / 2.0,
            outer: n * (1.0 - lean) / 2.0,
            inner: n * (1.0 + lean) / 2.0,
            element: (1.0 - lean * lean) / (2.0 * ratio),
        })
    }
}

/// Two gears in mesh; orders count turns of the driving shaft.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct GearPair {
    /// Teeth of the driving gear, at least 1.
    pub driving_teeth: u32,
    /// Teeth of the driven gear, at least 1.
    pub driven_teeth: u32,
}

impl GearPair {
    /// Teeth meeting per turn of the driving shaft.
    pub fn mesh(&self) -> f64 {
        f64::from(self.driving_teeth)
    }

    /// Turns of the driven shaft.
    pub fn driven(&self) -> f64 {
        f64::from(self.driving_teeth) / f64::from(self.driven_teeth)
    }

    /// How often the same two teeth meet (hunting tooth).
    ///
    /// ```
    /// use analytics::vibration::GearPair;
    /// // 20 and 30 teeth have 10 in common: the same two meet every 3 turns of the driving gear.
    /// let pair = GearPair { driving_teeth: 20, driven_teeth: 30 };
    /// assert!((pair.hunting() - 1.0 / 3.0).abs() < 1e-12);
    /// ```
    pub fn hunting(&self) -> f64 {
        f64::from(common_divisor(self.driving_teeth, self.driven_teeth))
            / f64::from(self.driven_teeth)
    }
}

/// A planetary stage whose ring stands still and whose sun drives; orders count turns of the sun.
///
/// Source: Willis (1841), "Principles of mechanism": (sun − carrier) / (ring − carrier) = −ring teeth / sun teeth, with
/// a ring that stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planetary {
    /// Teeth of the sun, at least 1.
    pub sun_teeth: u32,
    /// Teeth of the ring, at least 1.
    pub ring_teeth: u32,
    /// Planets, at least 1.
    pub n_planets: u32,
}

impl Planetary {
    /// Turns of the carrier: sun / (sun + ring).
    ///
    /// ```
    /// use analytics::vibration::Planetary;
    /// let stage = Planetary { sun_teeth: 20, ring_teeth: 80, n_planets: 3 };
    /// assert_eq!(stage.carrier(), 0.2);
    /// assert_eq!(stage.mesh(), 16.0); // 80 teeth × 0.2 turns
    /// assert!((stage.planet_pass() - 0.6).abs() < 1e-12);
    /// ```
    pub fn carrier(&self) -> f64 {
        f64::from(self.sun_teeth) / (f64::from(self.sun_teeth) + f64::from(self.ring_teeth))
    }

    /// Teeth meeting.
    pub fn mesh(&self) -> f64 {
        f64::from(self.ring_teeth) * self.carrier()
    }

    /// Planets passing a spot of the ring.
    pub fn planet_pass(&self) -> f64 {
        f64::from(self.n_planets) * self.carrier()
    }
}

fn common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}
