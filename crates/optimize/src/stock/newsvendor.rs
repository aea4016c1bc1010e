//! One chance to order before a random demand.

use super::{Demand, Error, finite_level, positive};

/// How much to have, and what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BaseStock {
    /// Stock after ordering.
    pub level: f64,
    /// Expected cost of left and missing pieces.
    pub cost: f64,
}

/// The stock at which one more piece left costs as much as one more missing: F(S) = p ÷ (h + p).
///
/// Also the base-stock level of a periodic review with no fixed cost. Whole pieces for Poisson demand.
/// Source: Arrow, Harris, Marschak (1951); Snyder & Shen §4.3.
///
/// # Errors
/// If a cost is not above 0, the demand cannot be, or shortage is so dear that no stock is enough.
///
/// ```
/// use optimize::stock::{Demand, newsvendor::newsvendor};
/// // Equal costs: order the mean, and pay 0.7979 standard deviations.
/// let best = newsvendor(1.0, 1.0, Demand::Normal { mean: 50.0, sd: 10.0 })?;
/// assert!((best.level - 50.0).abs() < 1e-9 && (best.cost - 7.9788).abs() < 1e-3);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn newsvendor(
    holding_cost: f64,
    shortage_cost: f64,
    demand: Demand,
) -> Result<BaseStock, Error> {
    let h = positive("holding cost", holding_cost)?;
    let p = positive("shortage cost", shortage_cost)?;
    let level = finite_level(demand.check()?.quantile(p / (h + p)), p)?;
    Ok(BaseStock { level, cost: cost(h, p, demand, level) })
}

/// Expected cost of a stock of `level`.
pub(super) fn cost(h: f64, p: f64, demand: Demand, level: f64) -> f64 {
    h * demand.expected_left(level) + p * demand.expected_short(level)
}
