//! Sums and intervals that several modules need.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Sum of products; the shorter of the two ends it.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Arithmetic mean; NaN without values.
pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Half the width of the 90 % interval of the mean of values like these, by Student's t; `None` below two.
pub(crate) fn half_width_of_mean(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.95);
    let mean = mean(values);
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(t * (variance / n).sqrt())
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Numbers that break code: not a number, without end, negative, tiny, huge, and sound ones in between.
    pub(crate) fn hostile() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(f64::NAN),
            Just(f64::INFINITY),
            Just(f64::NEG_INFINITY),
            Just(f64::MAX),
            Just(f64::MIN_POSITIVE),
            Just(0.0),
            Just(-1.0),
            Just(1e-20),
            Just(1e20),
            -1e3..1e3_f64,
            0.0..1.0_f64,
            1.0..50.0_f64,
        ]
    }

    /// Times and counts that overflow.
    pub(crate) fn hostile_us() -> impl Strategy<Value = i64> {
        prop_oneof![Just(i64::MIN), Just(i64::MAX), Just(0), -9_i64..9, any::<i64>()]
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_the_table() {
        // Values 1 and 3: mean 2, variance 2, standard error 1; t(0.95; 1) = 6.3138.
        assert!((half_width_of_mean(&[1.0, 3.0]).expect("two") - 6.3138).abs() < 1e-4);
        assert_eq!(half_width_of_mean(&[1.0]), None);
        assert_eq!(dot(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
    }
}
