//! Beyond the largest values that have been seen.

use serde::{Deserialize, Serialize};

/// Exponential tail of a sample: what lies above `from` lies so much above it in the mean.
///
/// Source: peaks over threshold, Coles (2001), "An introduction to statistical modeling of extreme values", eq. 4.2 with
/// shape 0; as a limit for streams in Siffer et al. (2017), "Anomaly detection in streams with extreme value theory", §3.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tail {
    #[serde(with = "crate::saved")]
    pub(crate) from: f64,
    #[serde(with = "crate::saved")]
    pub(crate) mean: f64,
    /// Share of the values that are not below `from`.
    #[serde(with = "crate::saved")]
    pub(crate) share: f64,
}

impl Tail {
    /// The tail of ascending values from index `start` on, which is one of them.
    pub(crate) fn above(sorted: &[f64], start: usize) -> Tail {
        let (from, above) = (sorted[start], &sorted[start..]);
        let mean = above.iter().map(|value| value - from).sum::<f64>() / above.len() as f64;
        Tail { from, mean, share: above.len() as f64 / sorted.len() as f64 }
    }

    /// The value that is passed `fold` times more seldom than `from`: from + mean · ln(fold).
    pub(crate) fn passed(&self, fold: f64) -> f64 {
        self.from + self.mean * fold.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tail_goes_on_as_it_began() {
        let tail = Tail::above(&[0.0, 0.0, 0.0, 1.0, 2.0, 6.0], 3);
        assert_eq!(tail, Tail { from: 1.0, mean: 2.0, share: 0.5 });
        assert_eq!(tail.passed(1.0), 1.0);
        assert!((tail.passed(std::f64::consts::E) - 3.0).abs() < 1e-12);
    }
}
