//! (s, S) policies: when stock is at or below s, order up to S.

use super::newsvendor::cost;
use super::{Demand, Error, positive};

/// An (s, S) policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MinMax {
    /// Order when the stock position is at or below this.
    pub min: f64,
    /// Order up to this.
    pub max: f64,
    /// Expected cost per period; `None` for the approximation, which does not know it.
    pub cost: Option<f64>,
}

/// The best (s, S) policy for Poisson demand per period, reviewed every period, delivered at once.
///
/// Exact. Cost: O(S²) policies at most, usually few. Source: Zheng & Federgruen (1991), the algorithm of §2.
///
/// # Errors
/// If a cost or the mean is not above 0.
///
/// ```
/// let best = optimize::stock::min_max::poisson(5.0, 1.0, 4.0, 6.0)?;
/// assert_eq!((best.min, best.max), (4.0, 10.0)); // Snyder & Shen, example 4.7
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn poisson(
    fixed_cost: f64,
    holding_cost: f64,
    shortage_cost: f64,
    mean: f64,
) -> Result<MinMax, Error> {
    let k = positive("fixed cost", fixed_cost)?;
    let h = positive("holding cost", holding_cost)?;
    let p = positive("shortage cost", shortage_cost)?;
    let demand = Demand::Poisson { mean }.check()?;
    let one_period = |level: i64| cost(h, p, demand, level as f64);
    let long_run = LongRun { fixed_cost: k, renewals: renewals(demand), one_period: &one_period };
    // No best S is below the best level of one period, and the best s is below it.
    let mut max = demand.quantile(p / (h + p)) as i64;
    let mut min = max - 1;
    while long_run.cost(min, max) > one_period(min) {
        min -= 1;
    }
    let mut best = (long_run.cost(min, max), min, max);
    // No S whose one period alone costs more than the best policy can be better.
    while one_period(max + 1) <= best.0 {
        max += 1;
        if long_run.cost(best.1, max) < best.0 {
            min = best.1;
            while long_run.cost(min, max) <= one_period(min + 1) {
                min += 1;
            }
            best = (long_run.cost(min, max), min, max);
        }
    }
    Ok(MinMax { min: best.1 as f64, max: best.2 as f64, cost: Some(best.0) })
}

#[cfg(test)]
pub(super) fn cost_of(fixed_cost: f64, h: f64, p: f64, mean: f64, min: i64, max: i64) -> f64 {
    let demand = Demand::Poisson { mean };
    let one_period = |level: i64| cost(h, p, demand, level as f64);
    LongRun { fixed_cost, renewals: renewals(demand), one_period: &one_period }.cost(min, max)
}

/// Long-run cost of a policy, by renewal at each order.
struct LongRun<'a> {
    fixed_cost: f64,
    /// Expected visits to the level `j` below S between two orders.
    renewals: Vec<f64>,
    one_period: &'a dyn Fn(i64) -> f64,
}

impl LongRun<'_> {
    fn cost(&self, min: i64, max: i64) -> f64 {
        let (mut cost, mut length) = (self.fixed_cost, 0.0);
        for (below, visits) in self.renewals.iter().enumerate().take((max - min) as usize) {
            cost += visits * (self.one_period)(max - below as i64);
            length += visits;
        }
        cost / length
    }
}

/// m(0) = 1 ÷ (1 − p(0)), m(j) = Σ p(k) m(j − k) ÷ (1 − p(0)).
fn renewals(demand: Demand) -> Vec<f64> {
    let n = (20.0 * demand.mean() + 200.0).min(20_000.0) as usize;
    let p: Vec<f64> = (0..n as u64).map(|pieces| demand.pmf(pieces)).collect();
    let most = p.iter().rposition(|p| *p > 1e-300).unwrap_or(0);
    let mut m = vec![1.0 / (1.0 - p[0])];
    for j in 1..n {
        let sum: f64 = (1..=j.min(most)).map(|k| p[k] * m[j - k]).sum();
        m.push(sum / (1.0 - p[0]));
    }
    m
}

/// A good (s, S) policy for normal demand per period and a lead time in periods, without search.
///
/// Source: the power approximation of Ehrhardt & Mosier (1984), as in Snyder & Shen §4.4.4.
///
/// # Errors
/// If a cost or the mean is not above 0.
pub fn power_approximation(
    fixed_cost: f64,
    holding_cost: f64,
    shortage_cost: f64,
    demand: Demand,
    lead_time: f64,
) -> Result<MinMax, Error> {
    let k = positive("fixed cost", fixed_cost)?;
    let h = positive("holding cost", holding_cost)?;
    let p = positive("shortage cost", shortage_cost)?;
    let mean = positive("mean demand", demand.check()?.mean())?;
    let lead = demand.over(lead_time + 1.0);
    let spread = 1.0 + (lead.sd() / mean).powi(2);
    let quantity = 1.30 * mean.powf(0.494) * (k / h).powf(0.506) * spread.powf(0.116);
    let z = (quantity * h / (lead.sd() * p)).sqrt();
    let min = 0.973 * lead.mean() + lead.sd() * (0.183 / z + 1.063 - 2.192 * z);
    Ok(MinMax { min, max: min + quantity, cost: None })
}
