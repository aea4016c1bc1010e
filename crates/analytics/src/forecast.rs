//! What comes next: demand, load and consumption ahead, with intervals that hold what they promise.
//!
//! ```text
//! one series ──► ets, theta          short history, trend and season      ─┐
//!            ──► ridge, lags         long history, many steps at once       ├─► combine ─► conformal
//!            ──► intermittent        spare parts: mostly zeros             ─┘      └─► reconcile (plant = sum of lines)
//! ```
//!
//! Series are evenly spaced, in time order, NaN is a missing value. Nothing here knows dates: calendar columns are
//! arguments. Start reading at [`ets`] and [`Ridge`]; judge with [`accuracy`].

pub mod accuracy;
mod combine;
mod conformal;
mod decompose;
mod ets;
pub mod intermittent;
mod lags;
mod reconcile;
mod ridge;
mod search;
mod theta;

pub use combine::{combine, select};
pub use conformal::{Adaptive, half_widths};
pub use decompose::{Seasonality, deseasonalize, is_seasonal};
pub use ets::{Ets, EtsForm, Noise, Season, Trend, ets, ets_of};
pub use lags::{Lagged, Lags, calendar};
pub use reconcile::{Weights, reconcile};
pub use ridge::Ridge;
pub use theta::{dynamic_theta, theta};

/// Why there is no forecast.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Not enough values to learn from.
    #[error("{found} values are too few; this needs at least {least}")]
    TooShort {
        /// Values at hand.
        found: usize,
        /// Values needed.
        least: usize,
    },
    /// Nothing but missing values, or an infinite one.
    #[error("the series holds no finite values, or an infinite one")]
    NotFinite,
    /// A model of ratios for a series that is not above 0 everywhere.
    #[error("a multiplicative model needs values above 0")]
    NotPositive,
    /// A setting out of its range.
    #[error("{name} is {value}, outside {range}")]
    OutOfRange {
        /// Which setting.
        name: &'static str,
        /// Its value.
        value: f64,
        /// What it may be.
        range: &'static str,
    },
    /// Two things that belong together have different lengths.
    #[error("{what} has length {found} instead of {expected}")]
    Ragged {
        /// Which one.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length it should have.
        expected: usize,
    },
    /// Equations without a single solution; more penalty or more data helps.
    #[error("the equations have no single solution")]
    Singular,
    /// The trees cannot be grown.
    #[error("cannot grow the trees")]
    Trees(#[from] crate::trees::Error),
}

/// Checks that a series has at least `least` finite values and none that is infinite.
fn check(series: &[f64], least: usize) -> Result<(), Error> {
    if series.iter().any(|x| x.is_infinite()) {
        return Err(Error::NotFinite);
    }
    let found = series.iter().filter(|x| x.is_finite()).count();
    if found < least { Err(Error::TooShort { found, least }) } else { Ok(()) }
}

#[cfg(test)]
#[path = "forecast/tests.rs"]
mod tests;
