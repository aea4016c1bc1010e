//! Demand per unit of time, and what is left or missing of a stock.

use statrs::distribution::{Continuous, ContinuousCDF, Discrete, DiscreteCDF, Normal, Poisson};

use super::{Error, not_negative, positive};

/// Largest mean that is counted piece by piece.
const MAX_MEAN: f64 = 1e6;

/// Demand in one unit of time, independent from one to the next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Demand {
    /// Normal: many pieces.
    Normal {
        /// Mean per unit of time.
        mean: f64,
        /// Standard deviation per unit of time.
        sd: f64,
    },
    /// Poisson: few pieces, one at a time.
    Poisson {
        /// Mean per unit of time.
        mean: f64,
    },
}

impl Demand {
    /// Checks the numbers: a mean above 0 (or 0 and above for normal) and a standard deviation above 0.
    pub(super) fn check(self) -> Result<Self, Error> {
        match self {
            Self::Normal { mean, sd } => {
                not_negative("mean demand", mean)?;
                positive("standard deviation of demand", sd)?;
            }
            Self::Poisson { mean } if mean > MAX_MEAN => {
                let must_be = "at most a million; give large demand as normal";
                return Err(Error::Number { what: "mean demand", value: mean, must_be });
            }
            Self::Poisson { mean } => {
                positive("mean demand", mean)?;
            }
        }
        Ok(self)
    }

    /// Mean per unit of time.
    pub fn mean(self) -> f64 {
        match self {
            Self::Normal { mean, .. } | Self::Poisson { mean } => mean,
        }
    }

    /// Standard deviation per unit of time.
    pub fn sd(self) -> f64 {
        match self {
            Self::Normal { sd, .. } => sd,
            Self::Poisson { mean } => mean.sqrt(),
        }
    }

    /// Demand in `time` units of time.
    pub fn over(self, time: f64) -> Self {
        match self {
            Self::Normal { mean, sd } => Self::Normal { mean: mean * time, sd: sd * time.sqrt() },
            Self::Poisson { mean } => Self::Poisson { mean: mean * time },
        }
    }

    /// Probability that demand is at most `x`; NaN where `x` is, or the mean is not finite.
    pub fn cdf(self, x: f64) -> f64 {
        match self {
            _ if x.is_nan() || !self.mean().is_finite() => f64::NAN,
            Self::Normal { .. } => standard().cdf(self.z(x)),
            Self::Poisson { .. } if x < 0.0 => 0.0,
            Self::Poisson { mean } => poisson(mean).map_or(1.0, |p| p.cdf(x.floor() as u64)),
        }
    }

    /// Smallest `x` with `cdf(x) ≥ share`; NaN where `share` is not between 0 and 1, or the demand cannot be.
    ///
    /// ```
    /// use optimize::stock::Demand;
    /// assert_eq!(Demand::Normal { mean: 7.0, sd: 2.0 }.quantile(0.5), 7.0);
    /// // Poisson of mean 1: 0 pieces with 37 %, at most 1 with 74 %, at most 2 with 92 %.
    /// assert_eq!(Demand::Poisson { mean: 1.0 }.quantile(0.8), 2.0);
    /// assert!(Demand::Poisson { mean: 1.0 }.quantile(1.5).is_nan());
    /// ```
    pub fn quantile(self, share: f64) -> f64 {
        if !(0.0..=1.0).contains(&share) || self.check().is_err() {
            return f64::NAN;
        }
        match self {
            Self::Normal { mean, sd } => mean + sd * standard().inverse_cdf(share),
            Self::Poisson { mean } => {
                // Halves the range that holds the answer; below 0 nothing is ever asked for.
                let (mut low, mut high) = (-1.0, (mean + 60.0 * (1.0 + mean.sqrt())).ceil());
                while high - low > 1.0 {
                    let middle = ((low + high) / 2.0).floor();
                    let is_enough = self.cdf(middle) >= share;
                    (low, high) = if is_enough { (low, middle) } else { (middle, high) };
                }
                high
            }
        }
    }

    /// Expected pieces left of a stock of `x`: E\[(x − D)⁺\].
    pub fn expected_left(self, x: f64) -> f64 {
        match self {
            Self::Normal { sd, .. } if sd > 0.0 => {
                let z = self.z(x);
                sd * (z * standard().cdf(z) + standard().pdf(z))
            }
            Self::Normal { mean, .. } => (x - mean).max(0.0),
            Self::Poisson { .. } if x <= 0.0 => 0.0,
            // Σ (x − d) p(d) = x F(x) − μ F(x − 1)
            Self::Poisson { mean } => x * self.cdf(x) - mean * self.cdf(x - 1.0),
        }
    }

    /// Expected pieces missing with a stock of `x`: E\[(D − x)⁺\], the loss function.
    pub fn expected_short(self, x: f64) -> f64 {
        self.expected_left(x) - (x - self.mean())
    }

    /// Half the expected square of the shortage, for a normal demand: ½ E\[((D − x)⁺)²\].
    pub(super) fn second_loss(self, x: f64) -> f64 {
        let z = self.z(x);
        let tail = (z * z + 1.0) * (1.0 - standard().cdf(z)) - z * standard().pdf(z);
        0.5 * self.sd().powi(2) * tail
    }

    /// Probability of exactly `n` pieces, for a Poisson demand.
    pub(super) fn pmf(self, n: u64) -> f64 {
        poisson(self.mean()).map_or(f64::from(u8::from(n == 0)), |p| p.pmf(n))
    }

    fn z(self, x: f64) -> f64 {
        (x - self.mean()) / self.sd()
    }
}

fn standard() -> Normal {
    Normal::standard()
}

/// `None` for a mean of 0, where no piece is ever asked for.
fn poisson(mean: f64) -> Option<Poisson> {
    Poisson::new(mean).ok()
}
