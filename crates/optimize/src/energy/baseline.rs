//! Expected energy from weather and production: the change-point model with degree hours.
//!
//! Energy of a period is base, plus heating for degrees below a balance point, plus cooling for degrees above
//! another, plus so much per unit of output. Degrees are taken from every temperature reading of the period and then
//! averaged, not from the mean temperature: a day of warm noon and cool night needs both heating and cooling.

use super::regression::Normal;
use super::{Error, Quality};

/// One day, hour or shift.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Period<'a> {
    /// Energy used; NaN where it is not known.
    pub energy: f64,
    /// Outdoor temperatures within the period, any number of them; empty for a model without weather.
    pub temperatures: &'a [f64],
    /// What else drives energy: pieces, tons, hours run. As many in every period.
    pub drivers: &'a [f64],
}

/// Energy per degree beyond a balance point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// Temperature at which it begins, in the unit of the temperatures.
    pub balance: f64,
    /// Energy per period and degree; above 0.
    pub per_degree: f64,
}

/// A fitted baseline.
#[derive(Debug, Clone, PartialEq)]
pub struct Baseline {
    /// Energy of a period without heating, cooling or output: the standby of a plant.
    pub base: f64,
    /// Heating, where the data show any.
    pub heating: Option<Slope>,
    /// Cooling, where the data show any.
    pub cooling: Option<Slope>,
    /// Energy per unit of each driver, never negative: the energy performance indicators of ISO 50006.
    pub per_unit: Vec<f64>,
    /// Fit on the data of the baseline time.
    pub quality: Quality,
}

impl Baseline {
    /// Expected energy; NaN where a temperature that matters or a driver is missing.
    pub fn expected(&self, period: &Period) -> f64 {
        let heating = self.heating.map_or(0.0, |slope| {
            slope.per_degree * degrees(period.temperatures, |t| slope.balance - t)
        });
        let cooling = self.cooling.map_or(0.0, |slope| {
            slope.per_degree * degrees(period.temperatures, |t| t - slope.balance)
        });
        let output: f64 =
            self.per_unit.iter().zip(period.drivers).map(|(unit, amount)| unit * amount).sum();
        self.base + heating + cooling + output
    }
}

/// Balance points tried between the coldest and the warmest readings.
const N_BALANCES: usize = 48;

/// Most regimes of a machine.
const MAX_REGIMES: usize = 1_000;

/// Fits the model, choosing by BIC whether there is heating, cooling, both or neither.
///
/// Periods with a missing energy, driver, or without any temperature reading (where others have some) are left out;
/// readings that are NaN or infinite are none.
/// Balance points are searched over a grid of the middle 96 % of all readings.
/// Cost: O(periods · readings · grid + grid² · periods).
/// Source: Fels (1986, PRISM) and ASHRAE Inverse Modeling Toolkit (Kissock 2003), with degree hours; BIC by Schwarz (1978).
///
/// # Errors
/// If drivers differ in number, fewer than 10 periods (or 3 per coefficient) are usable, or numbers are too large to be
/// squared.
///
/// ```
/// use optimize::energy::baseline::{Period, fit};
/// // 20 per day, and 2 more per degree below 15.
/// let days: Vec<[f64; 1]> = (0..100).map(|day| [f64::from(day % 30)]).collect();
/// let periods: Vec<Period> = days.iter().map(|t| Period {
///     energy: 20.0 + 2.0 * (15.0 - t[0]).max(0.0), temperatures: t, drivers: &[] }).collect();
/// let baseline = fit(&periods)?;
/// assert!(baseline.cooling.is_none());
/// let heating = baseline.heating.expect("it heats");
/// assert!((heating.balance - 15.0).abs() < 0.5 && (heating.per_degree - 2.0).abs() < 0.1);
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn fit(periods: &[Period]) -> Result<Baseline, Error> {
    let n_drivers = periods.first().map_or(0, |period| period.drivers.len());
    if let Some(odd) = periods.iter().find(|period| period.drivers.len() != n_drivers) {
        return Err(Error::Length { what: "drivers", n: odd.drivers.len(), expected: n_drivers });
    }
    let has_weather = periods.iter().any(|period| !period.temperatures.is_empty());
    let used: Vec<&Period> =
        periods.iter().filter(|period| is_usable(period, has_weather)).collect();
    let needed = 10.max(3 * (n_drivers + 1));
    if used.len() < needed {
        return Err(Error::TooFew { what: "a baseline", n: used.len(), needed });
    }
    let table = Table::new(&used, if has_weather { balances(&used) } else { Vec::new() });
    let best = table.best();
    let mut baseline = table.baseline(&best);
    let expected: Vec<f64> = used.iter().map(|period| baseline.expected(period)).collect();
    let actual: Vec<f64> = used.iter().map(|period| period.energy).collect();
    baseline.quality = Quality::of(&actual, &expected, best.n_coefficients(n_drivers));
    if !baseline.base.is_finite() {
        let must_be = "small enough that its squares can be summed";
        return Err(Error::Number { what: "energy or driver", value: actual[0], must_be });
    }
    Ok(baseline)
}

/// Fits one baseline for each regime: running, idle, off.
///
/// `regimes`: number of the regime of each period, from 0 and below 1,000. A regime with too few periods gets `None`.
///
/// # Errors
/// If there is not one regime per period, a number is too large, or drivers differ in number.
pub fn fit_by_regime(
    periods: &[Period],
    regimes: &[usize],
) -> Result<Vec<Option<Baseline>>, Error> {
    if regimes.len() != periods.len() {
        return Err(Error::Length { what: "regimes", n: regimes.len(), expected: periods.len() });
    }
    let n_regimes = regimes.iter().max().map_or(0, |most| most.saturating_add(1));
    if n_regimes > MAX_REGIMES {
        let value = n_regimes as f64 - 1.0;
        return Err(Error::Number { what: "regime", value, must_be: "below 1,000" });
    }
    let one = |regime: usize| {
        let of_regime = periods.iter().zip(regimes).filter(|(_, own)| **own == regime);
        match fit(&of_regime.map(|(period, _)| *period).collect::<Vec<_>>()) {
            Err(Error::TooFew { .. }) => Ok(None),
            other => other.map(Some),
        }
    };
    (0..n_regimes).map(one).collect()
}

fn is_usable(period: &Period, has_weather: bool) -> bool {
    let has_readings = period.temperatures.iter().any(|t| t.is_finite());
    period.energy.is_finite()
        && period.drivers.iter().all(|d| d.is_finite())
        && (has_readings || !has_weather)
}

/// Mean of `beyond` over the readings, counting 0 where it is negative; NaN without readings.
fn degrees(temperatures: &[f64], beyond: impl Fn(f64) -> f64) -> f64 {
    let (mut sum, mut n) = (0.0, 0.0);
    for t in temperatures.iter().filter(|t| t.is_finite()) {
        sum += beyond(*t).max(0.0);
        n += 1.0;
    }
    sum / n
}

fn balances(periods: &[&Period]) -> Vec<f64> {
    let all = periods.iter().flat_map(|period| period.temperatures).copied();
    let mut all: Vec<f64> = all.filter(|t| t.is_finite()).collect();
    all.sort_by(f64::total_cmp);
    let Some(last) = all.len().checked_sub(1) else { return Vec::new() };
    let at = |share: f64| all[(last as f64 * share) as usize];
    let (low, high) = (at(0.02), at(0.98));
    let step = (high - low) / (N_BALANCES - 1) as f64;
    if step > 0.0 {
        (0..N_BALANCES).map(|idx| low + idx as f64 * step).collect()
    } else {
        Vec::new()
    }
}

/// Columns of the regression for every balance point.
struct Table {
    energy: Vec<f64>,
    ones: Vec<f64>,
    drivers: Vec<Vec<f64>>,
    balances: Vec<f64>,
    heating: Vec<Vec<f64>>,
    cooling: Vec<Vec<f64>>,
}

/// One choice of balance points with what it gives.
struct Fit {
    bic: f64,
    coefficients: Vec<f64>,
    heating: Option<usize>,
    cooling: Option<usize>,
}

impl Fit {
    /// A balance point counts as a coefficient.
    fn n_coefficients(&self, n_drivers: usize) -> usize {
        1 + n_drivers
            + 2 * usize::from(self.heating.is_some())
            + 2 * usize::from(self.cooling.is_some())
    }
}

impl Table {
    fn new(periods: &[&Period], balances: Vec<f64>) -> Self {
        let column =
            |value: &dyn Fn(&Period) -> f64| periods.iter().map(|period| value(period)).collect();
        let n_drivers = periods[0].drivers.len();
        Self {
            energy: column(&|period| period.energy),
            ones: vec![1.0; periods.len()],
            drivers: (0..n_drivers).map(|idx| column(&|period| period.drivers[idx])).collect(),
            heating: balances
                .iter()
                .map(|b| column(&|period| degrees(period.temperatures, |t| b - t)))
                .collect(),
            cooling: balances
                .iter()
                .map(|b| column(&|period| degrees(period.temperatures, |t| t - b)))
                .collect(),
            balances,
        }
    }

    fn best(&self) -> Fit {
        let mut best = self.try_one(None, None);
        let n = self.balances.len();
        let mut consider = |fit: Fit| {
            if fit.bic < best.bic {
                best = fit;
            }
        };
        for first in 0..n {
            consider(self.try_one(Some(first), None));
            consider(self.try_one(None, Some(first)));
            for second in first..n {
                consider(self.try_one(Some(first), Some(second)));
            }
        }
        best
    }

    fn try_one(&self, heating: Option<usize>, cooling: Option<usize>) -> Fit {
        let mut columns: Vec<&[f64]> = vec![&self.ones];
        columns.extend(heating.map(|idx| self.heating[idx].as_slice()));
        columns.extend(cooling.map(|idx| self.cooling[idx].as_slice()));
        columns.extend(self.drivers.iter().map(Vec::as_slice));
        let (coefficients, error) = Normal::new(&columns, &self.energy).solve();
        let mut fit = Fit { bic: 0.0, coefficients, heating, cooling };
        let n = self.energy.len() as f64;
        let variance = (error / n).max(1e-12 * self.energy.iter().map(|e| e * e).sum::<f64>() / n);
        fit.bic = n * variance.max(f64::MIN_POSITIVE).ln()
            + fit.n_coefficients(self.drivers.len()) as f64 * n.ln();
        fit
    }

    fn baseline(&self, fit: &Fit) -> Baseline {
        let mut rest = fit.coefficients.iter().copied();
        let base = rest.next().unwrap_or(0.0);
        let mut slope = |idx: Option<usize>| {
            let slope = Slope { balance: self.balances[idx?], per_degree: rest.next()? };
            (slope.per_degree > 0.0).then_some(slope)
        };
        let (heating, cooling) = (slope(fit.heating), slope(fit.cooling));
        let quality = Quality::of(&[], &[], 0);
        Baseline { base, heating, cooling, per_unit: rest.collect(), quality }
    }
}
