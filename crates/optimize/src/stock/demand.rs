//! Demand per unit of time, and what is left or missing of a stock.

use statrs::distribution::{Continuous, ContinuousCDF, Discrete, DiscreteCDF, Normal, Poisson};

use super::{Error, not_negative, positive};

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

    /// Probability that demand is at most `x`.
    pub fn cdf(self, x: f64) -> f64 {
        match self {
            Self::Normal { .. } => standard().cdf(self.z(x)),
            Self::Poisson { .. } if x < 0.0 => 0.0,
            Self::Poisson { mean } => poisson(mean).map_or(1.0, |p| p.cdf(x.floor() as u64)),
        }
    }

    /// Smallest `x` with `cdf(x) ≥ share`; `share` between 0 and 1.
    pub fn quantile(self, share: f64) -> f64 {
        match self {
            Self::Normal { mean, sd } => mean + sd * standard().inverse_cdf(share),
            Self::Poisson { mean } => {
                let mut x = (mean - 8.0 * mean.sqrt()).max(0.0).floor();
                while self.cdf(x) < share && x < mean + 60.0 * (1.0 + mean.sqrt()) {
                    x += 1.0;
                }
                x
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
