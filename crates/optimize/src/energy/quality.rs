//! How good a baseline is, and what it proves.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::{Basis, Gain, Recommendation};

/// Fit of a baseline to the data it was made of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Rows used.
    pub n_rows: usize,
    /// Coefficients fitted.
    pub n_coefficients: usize,
    /// Root mean square error over the mean, in percent, with n − p degrees of freedom (ASHRAE Guideline 14-2014).
    pub cv_rmse_percent: f64,
    /// Mean bias over the mean, in percent; positive where the baseline is too low.
    pub nmbe_percent: f64,
    /// Correlation of each error with the one before.
    pub autocorrelation: f64,
}

/// What a baseline must reach to be accepted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Largest CV(RMSE).
    pub cv_rmse_percent: f64,
    /// Largest NMBE, either way.
    pub nmbe_percent: f64,
}

impl Limits {
    /// ASHRAE Guideline 14-2014, §5.3.3.3.10: hourly data.
    pub const HOURLY: Self = Self { cv_rmse_percent: 30.0, nmbe_percent: 10.0 };
    /// The same for monthly data.
    pub const MONTHLY: Self = Self { cv_rmse_percent: 15.0, nmbe_percent: 5.0 };
}

impl Quality {
    /// Compares actual with expected energy, row by row; rows with a NaN are left out.
    ///
    /// All figures are NaN where no row is left, or the mean is 0.
    pub fn of(actual: &[f64], expected: &[f64], n_coefficients: usize) -> Self {
        let pairs = actual.iter().zip(expected).filter(|(a, e)| !a.is_nan() && !e.is_nan());
        let errors: Vec<f64> = pairs.clone().map(|(actual, expected)| actual - expected).collect();
        let n = errors.len() as f64;
        let mean = pairs.map(|(actual, _)| actual).sum::<f64>() / n;
        let squares: f64 = errors.iter().map(|e| e * e).sum();
        let freedom = (n - n_coefficients as f64).max(1.0);
        let neighbors: f64 = errors.windows(2).map(|pair| pair[0] * pair[1]).sum();
        Self {
            n_rows: errors.len(),
            n_coefficients,
            cv_rmse_percent: 100.0 * (squares / freedom).sqrt() / mean,
            nmbe_percent: 100.0 * errors.iter().sum::<f64>() / freedom / mean,
            autocorrelation: if squares > 0.0 { neighbors / squares } else { 0.0 },
        }
    }

    /// Whether both figures are within the limits.
    pub fn is_within(&self, limits: Limits) -> bool {
        self.cv_rmse_percent <= limits.cv_rmse_percent
            && self.nmbe_percent.abs() <= limits.nmbe_percent
    }
}

/// Energy saved against a baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Savings {
    /// Expected less actual energy, in the unit of the energy.
    pub saved: f64,
    /// The same as a share of the expected energy.
    pub percent: f64,
    /// Lower end of the 90 % interval of the share.
    pub low_percent: f64,
    /// Upper end.
    pub high_percent: f64,
}

/// Savings of a reporting time, with the uncertainty that the baseline's errors give them.
///
/// `actual` and `expected`: energy per row; rows with a NaN are left out. `None` where no row is left, or the quality
/// is that of no data.
/// Source: ASHRAE Guideline 14-2014, equation B-14: 1.26 t CV √((n ÷ n′)(1 + 2 ÷ n′) ÷ m) with n′ = n(1 − ρ) ÷ (1 + ρ).
///
/// ```
/// use optimize::energy::{Quality, savings};
/// let quality = Quality { n_rows: 365, n_coefficients: 3, cv_rmse_percent: 20.0, nmbe_percent: 0.0, autocorrelation: 0.0 };
/// let found = savings(&[90.0; 100], &[100.0; 100], &quality).expect("there are rows");
/// assert_eq!((found.saved, found.percent), (1000.0, 10.0));
/// // 1.26 × 1.649 × 20 % ÷ √100 = 4.2 points either way
/// assert!((found.high_percent - 14.17).abs() < 0.01);
/// ```
pub fn savings(actual: &[f64], expected: &[f64], quality: &Quality) -> Option<Savings> {
    let pairs = actual.iter().zip(expected).filter(|(a, e)| !a.is_nan() && !e.is_nan());
    let (mut used, mut planned, mut m) = (0.0, 0.0, 0.0);
    for (actual, expected) in pairs {
        used += actual;
        planned += expected;
        m += 1.0;
    }
    if m == 0.0 || planned == 0.0 {
        return None;
    }
    let n = quality.n_rows as f64;
    let rho = quality.autocorrelation.clamp(0.0, 0.99);
    let effective = n * (1.0 - rho) / (1.0 + rho);
    let freedom = (effective - quality.n_coefficients as f64).max(1.0);
    let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(0.95);
    let spread = (n / effective * (1.0 + 2.0 / effective) / m).sqrt();
    let half = 1.26 * t * quality.cv_rmse_percent * spread;
    let percent = 100.0 * (planned - used) / planned;
    if !half.is_finite() {
        return None;
    }
    Some(Savings {
        saved: planned - used,
        percent,
        low_percent: percent - half,
        high_percent: percent + half,
    })
}

/// Proposes to keep a measure whose savings are proven, and to make a new baseline with it.
///
/// The gain is that of the reporting time, with the interval of [`savings`]. The conditions are the limits of ASHRAE
/// Guideline 14 for the baseline. `None` where the interval holds 0: then nothing is proven, and more weeks of data
/// are the next step. There is no bound: how much more could be saved the meter does not know.
///
/// ```
/// use optimize::{Basis, energy::{Limits, Quality, recommend_savings, savings}};
/// let quality = Quality { n_rows: 365, n_coefficients: 3, cv_rmse_percent: 20.0, nmbe_percent: 0.0, autocorrelation: 0.0 };
/// let found = savings(&[90.0; 100], &[100.0; 100], &quality).expect("there are rows");
/// let basis = Basis { window_us: Some((0, 100)), currency: "EUR", valid_until_us: 200 };
/// let advice = recommend_savings("new dryer", &found, &quality, Limits::HOURLY, 0.2, &basis).expect("10 ± 4 %");
/// assert_eq!(advice.summary, "new dryer saved 1000 (10.0 %), which is proven: keep it and make a new baseline");
/// assert!((advice.gain.expected - 200.0).abs() < 1e-9); // 1,000 kWh at 0.20
/// assert_eq!(advice.constraints[0].slack, 10.0); // CV(RMSE) of 20 % where 30 % are allowed
/// ```
pub fn recommend_savings(
    measure: &str,
    found: &Savings,
    quality: &Quality,
    limits: Limits,
    price: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let gain = price * found.saved;
    let is_proven = found.low_percent > 0.0 && quality.is_within(limits);
    if !(is_proven && gain > 0.0 && gain.is_finite()) {
        return None;
    }
    let expected = found.saved / (found.percent / 100.0);
    let [low, high] =
        [found.low_percent, found.high_percent].map(|percent| price * expected * percent / 100.0);
    let summary = format!(
        "{measure} saved {:.0} ({:.1} %), which is proven: keep it and make a new baseline",
        found.saved, found.percent
    );
    let (cv, nmbe) = (quality.cv_rmse_percent, quality.nmbe_percent.abs());
    Some(
        Recommendation::new(
            summary,
            Gain::likely(gain, low, high, basis.currency),
            basis.valid_until_us,
        )
        .step(
            "energy expected of such a time",
            Some(format!("{expected:.0}")),
            format!("{:.0}", expected - found.saved),
        )
        .constraint("CV(RMSE) below its limit, in percent", limits.cv_rmse_percent - cv)
        .constraint("NMBE below its limit, in percent", limits.nmbe_percent - nmbe)
        .window(basis.window_us)
        .input("rows of the baseline", quality.n_rows)
        .input("price", price)
        .bounds(price * (expected - found.saved), None),
    )
}
