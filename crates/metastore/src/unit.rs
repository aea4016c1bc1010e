//! Units are UCUM codes; they are checked and converted when something is declared, never per value.
//!
//! Source: The Unified Code for Units of Measure, version 2.2 (ucum.org).

/// Why a unit cannot be used.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum UnitError {
    /// Not a UCUM code.
    #[error("`{code}` is not a UCUM unit code: {reason}")]
    Unknown {
        /// What was given.
        code: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The two units measure different things.
    #[error("`{from}` cannot be converted to `{to}`")]
    NotComparable {
        /// Unit of the source.
        from: String,
        /// Unit of the signal.
        to: String,
    },
    /// One of the units is a logarithm or another curve.
    #[error(
        "`{from}` to `{to}` is not a straight line, so it cannot be a binding's factor and offset"
    )]
    NotLinear {
        /// Unit of the source.
        from: String,
        /// Unit of the signal.
        to: String,
    },
}

/// Whether `code` is a UCUM code (case sensitive). Empty means "no unit known" and is fine.
///
/// ```
/// assert!(metastore::check_unit("L/min").is_ok());
/// assert!(metastore::check_unit("").is_ok());
/// assert!(metastore::check_unit("Celsius").is_err());
/// ```
///
/// # Errors
/// When it is not a code.
pub fn check_unit(code: &str) -> Result<(), UnitError> {
    if code.is_empty() {
        return Ok(());
    }
    octofhir_ucum::validate(code)
        .map_err(|error| UnitError::Unknown { code: code.to_owned(), reason: error.to_string() })
}

/// Factor and offset that take a value in `from` to one in `to`: `to = a · from + b`.
///
/// ```
/// let (a, b) = metastore::conversion("[degF]", "Cel").expect("both are temperatures");
/// assert!((a * 212.0 + b - 100.0).abs() < 1e-6);
/// ```
///
/// # Errors
/// When a code is unknown, the units measure different things, or the relation is not a straight line.
pub fn conversion(from: &str, to: &str) -> Result<(f64, f64), UnitError> {
    check_unit(from)?;
    check_unit(to)?;
    if from == to {
        return Ok((1.0, 0.0));
    }
    let at = |value: f64| {
        octofhir_ucum::convert(value, from, to)
            .map_err(|_| UnitError::NotComparable { from: from.to_owned(), to: to.to_owned() })
    };
    let (b, at_one, at_two) = (at(0.0)?, at(1.0)?, at(2.0)?);
    let a = at_one - b;
    if ((at_two - b) - 2.0 * a).abs() > 1e-9 * a.abs().max(1e-12) * 4.0 + 1e-9 * b.abs() {
        return Err(UnitError::NotLinear { from: from.to_owned(), to: to.to_owned() });
    }
    Ok((a, b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_the_shop_floor_convert() {
        for (from, to, value, expected) in [
            ("bar", "kPa", 2.0, 200.0),
            ("mbar", "bar", 500.0, 0.5),
            ("m3/h", "L/min", 6.0, 100.0),
            ("K", "Cel", 273.15, 0.0),
            ("kW.h", "MJ", 1.0, 3.6),
        ] {
            let (a, b) =
                conversion(from, to).unwrap_or_else(|error| panic!("{from} → {to}: {error}"));
            assert!((a * value + b - expected).abs() < 1e-9, "{from} → {to}: {}", a * value + b);
        }
    }

    #[test]
    fn what_cannot_be_converted_says_so() {
        assert!(matches!(conversion("bar", "Cel"), Err(UnitError::NotComparable { .. })));
        assert!(matches!(conversion("bananas", "Cel"), Err(UnitError::Unknown { .. })));
    }
}
