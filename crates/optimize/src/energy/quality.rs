//! How good a baseline is, and what it proves.

use statrs::distribution::{ContinuousCDF, StudentsT};

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
/// `actual` and `expected`: energy per row; rows with a NaN are left out. `None` where no row is left.
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
    Some(Savings {
        saved: planned - used,
        percent,
        low_percent: percent - half,
        high_percent: percent + half,
    })
}
