//! Small shifts that last.

use serde::{Deserialize, Serialize};

/// Two-sided tabular CUSUM: S⁺ = max(0, S⁺ + z − k), S⁻ = max(0, S⁻ − z − k); an alarm above h.
///
/// Source: Page (1954), "Continuous inspection schemes", §2.3; Montgomery (2013), "Introduction to statistical quality
/// control", eq. 9.2 and 9.3; k = ½, h = 5 gives one false alarm in 465 independent normal values (table 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cusum {
    #[serde(with = "crate::saved")]
    slack: f64,
    #[serde(with = "crate::saved")]
    limit: f64,
    #[serde(with = "crate::saved")]
    high: f64,
    #[serde(with = "crate::saved")]
    low: f64,
}

/// In which direction a CUSUM has been passed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shift {
    /// The mean has risen.
    Up,
    /// The mean has fallen.
    Down,
}

impl Cusum {
    /// `slack` (k) is half of the shift to be found, `limit` (h) what the sum must pass, both in standard deviations.
    pub fn new(slack: f64, limit: f64) -> Cusum {
        Cusum { slack, limit, high: 0.0, low: 0.0 }
    }

    /// Takes a value in standard deviations from its target; after an alarm both sums begin anew. NaN says nothing.
    ///
    /// ```
    /// use analytics::detect::cusum::{Cusum, Shift};
    /// let mut cusum = Cusum::new(0.5, 2.0);
    /// assert_eq!(cusum.push(1.5), None); // sum 1
    /// assert_eq!(cusum.push(1.5), None); // sum 2, not above 2
    /// assert_eq!(cusum.push(1.5), Some(Shift::Up)); // sum 3
    /// assert_eq!(cusum.sums(), (0.0, 0.0));
    /// ```
    pub fn push(&mut self, z: f64) -> Option<Shift> {
        if z.is_nan() {
            return None;
        }
        self.add(z);
        let shift = self.shift();
        if shift.is_some() {
            (self.high, self.low) = (0.0, 0.0);
        }
        shift
    }

    /// Adds a value to both sums.
    pub(crate) fn add(&mut self, z: f64) {
        self.high = (self.high + z - self.slack).max(0.0);
        self.low = (self.low - z - self.slack).max(0.0);
    }

    /// Which sum is beyond the limit; upward where both are.
    pub(crate) fn shift(&self) -> Option<Shift> {
        if self.high > self.limit {
            return Some(Shift::Up);
        }
        (self.low > self.limit).then_some(Shift::Down)
    }

    /// Both sums, upward and downward.
    pub fn sums(&self) -> (f64, f64) {
        (self.high, self.low)
    }
}
