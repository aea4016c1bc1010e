//! A number that is out of its range: what the problems of several modules refuse.

use thiserror::Error;

/// A number that makes no sense.
#[derive(Debug, Clone, Error, PartialEq)]
#[error("{who}: {what} is {value}; it must be between {low} and {high}")]
pub struct RangeError {
    /// Which job, vehicle, order, machine or worker.
    pub who: String,
    /// Which field.
    pub what: &'static str,
    /// What was given.
    pub value: f64,
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

/// That `value` is between `low` and `high`, both included; NaN never is.
pub(crate) fn check_between(
    who: &str,
    what: &'static str,
    value: f64,
    low: f64,
    high: f64,
) -> Result<(), RangeError> {
    if (low..=high).contains(&value) {
        return Ok(());
    }
    Err(RangeError { who: who.to_owned(), what, value, low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_in_range_and_nan_is_not() {
        let is_in = |value| check_between("van", "cost", value, 0.0, 2.0).is_ok();
        assert_eq!([0.0, 2.0, 2.1, -0.1, f64::NAN].map(is_in), [true, true, false, false, false]);
        let words = check_between("van", "cost", 3.0, 0.0, 2.0).unwrap_err().to_string();
        assert_eq!(words, "van: cost is 3; it must be between 0 and 2");
    }
}
