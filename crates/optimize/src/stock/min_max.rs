//! (s, S) policies: when stock is at or below s, order up to S.

use super::newsvendor::cost;
use super::{Demand, Error, finite_level, not_negative, positive};

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

/// Widest policy searched, and largest demand per period, in pieces.
const MAX_PIECES: i64 = 20_000;

/// The best (s, S) policy for Poisson demand per period, reviewed every period, delivered at once.
///
/// Exact for policies up to 20,000 pieces wide. Cost: O((S − s)²).
/// Source: Zheng & Federgruen (1991), the algorithm of §2.
///
/// # Errors
/// If a cost or the mean is not above 0, or the best policy is wider than 20,000 pieces: give such demand as normal
/// to [`power_approximation`].
///
/// ```
/// let best = optimize::stock::min_max::poisson(5.0, 1.0, 4.0, 6.0)?;
/// assert_eq!((best.min, best.max), (4.0, 10.0)); // Snyder & Shen, example 4.7
/// // A piece a century, missed at 4 a period and held at 1: order the one that went, at once.
/// let rare = optimize::stock::min_max::poisson(1.0, 1.0, 4.0, 1e-20)?;
/// assert_eq!((rare.min, rare.max), (-1.0, 0.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn poisson(
    fixed_cost: f64,
    holding_cost: f64,
    shortage_cost: f64,
    mean: f64,
) -> Result<MinMax, Error> {
    let mut long_run = LongRun::new(fixed_cost, holding_cost, shortage_cost, mean)?;
    // No best S is below the best level of one period, and the best s is below it.
    let mut max = long_run.best_level()?;
    let mut best = long_run.best_below(max)?;
    // No S whose one period alone costs more than the best policy can be better.
    while long_run.one_period(max + 1) <= best.cost {
        max += 1;
        if long_run.cost(best.min, max)? < best.cost {
            let mut min = best.min;
            while min + 1 < max && long_run.cost(min, max)? <= long_run.one_period(min + 1) {
                min += 1;
            }
            best = Found { min, max, cost: long_run.cost(min, max)? };
        }
    }
    Ok(MinMax { min: best.min as f64, max: best.max as f64, cost: Some(best.cost) })
}

/// Expected cost per period of any (s, S) policy of whole pieces, with demand and costs as for [`poisson`].
///
/// # Errors
/// If a number is not above 0, `min` is not below `max`, or they are more than 20,000 pieces apart.
///
/// ```
/// // Book: 8.034112 for the best policy; one piece more is dearer.
/// let cost = optimize::stock::min_max::cost_of(5.0, 1.0, 4.0, 6.0, 4, 10)?;
/// assert!((cost - 8.034112).abs() < 1e-6);
/// assert!(optimize::stock::min_max::cost_of(5.0, 1.0, 4.0, 6.0, 4, 11)? > cost);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn cost_of(
    fixed_cost: f64,
    holding_cost: f64,
    shortage_cost: f64,
    mean: f64,
    min: i64,
    max: i64,
) -> Result<f64, Error> {
    let mut long_run = LongRun::new(fixed_cost, holding_cost, shortage_cost, mean)?;
    if min >= max {
        return Err(Error::Number { what: "s", value: min as f64, must_be: "below S" });
    }
    long_run.cost(min, max)
}

#[derive(Clone, Copy)]
struct Found {
    min: i64,
    max: i64,
    cost: f64,
}

/// Long-run cost of a policy, by renewal at each order.
struct LongRun {
    fixed_cost: f64,
    holding_cost: f64,
    shortage_cost: f64,
    demand: Demand,
    /// Probability that a period has a demand, exact for tiny means.
    asked: f64,
    /// Probability of 1, 2, … pieces, given that there is a demand.
    pieces: Vec<f64>,
    /// Expected visits to the level `j` below S between two orders, times `asked`; grown as policies get wider.
    visits: Vec<f64>,
    /// Cost of one period by level: those from 0 up, and those below.
    levels: [Vec<f64>; 2],
}

impl LongRun {
    fn new(
        fixed_cost: f64,
        holding_cost: f64,
        shortage_cost: f64,
        mean: f64,
    ) -> Result<Self, Error> {
        let fixed_cost = positive("fixed cost", fixed_cost)?;
        let holding_cost = positive("holding cost", holding_cost)?;
        let shortage_cost = positive("shortage cost", shortage_cost)?;
        let demand = Demand::Poisson { mean }.check()?;
        if mean > MAX_PIECES as f64 {
            let must_be = "at most 20,000 pieces; give large demand as normal";
            return Err(Error::Number { what: "mean demand", value: mean, must_be });
        }
        let asked = -(-mean).exp_m1();
        let mut pieces: Vec<f64> = Vec::new();
        let reach = (mean + 12.0 * mean.sqrt() + 30.0) as u64;
        pieces.extend((1..=reach).map(|n| demand.pmf(n) / asked));
        let visits = vec![1.0];
        let levels = [Vec::new(), Vec::new()];
        Ok(Self { fixed_cost, holding_cost, shortage_cost, demand, asked, pieces, visits, levels })
    }

    /// The cheapest level of one period.
    fn best_level(&self) -> Result<i64, Error> {
        let share = self.shortage_cost / (self.holding_cost + self.shortage_cost);
        Ok(finite_level(self.demand.quantile(share), self.shortage_cost)? as i64)
    }

    /// The best policy with this S: s falls as long as one more period there costs less than the policy.
    fn best_below(&mut self, max: i64) -> Result<Found, Error> {
        let (mut sum, mut length, mut min) = (self.fixed_cost * self.asked, 0.0, max);
        loop {
            let visits = self.visits((max - min) as usize)?;
            sum += visits * self.one_period(min);
            length += visits;
            min -= 1;
            if sum / length <= self.one_period(min) {
                return Ok(Found { min, max, cost: sum / length });
            }
        }
    }

    fn cost(&mut self, min: i64, max: i64) -> Result<f64, Error> {
        let width = max.checked_sub(min).and_then(|width| usize::try_from(width).ok());
        self.visits(width.unwrap_or(usize::MAX) - 1)?;
        let (mut cost, mut length) = (self.fixed_cost * self.asked, 0.0);
        for level in min + 1..=max {
            let visits = self.visits[(max - level) as usize];
            cost += visits * self.one_period(level);
            length += visits;
        }
        Ok(cost / length)
    }

    /// m(0) = 1 ÷ (1 − p(0)), m(j) = Σ p(k) m(j − k) ÷ (1 − p(0)); all times 1 − p(0).
    fn visits(&mut self, below: usize) -> Result<f64, Error> {
        if below >= MAX_PIECES as usize {
            let must_be = "so that the best policy is at most 20,000 pieces wide";
            return Err(Error::Number { what: "fixed cost", value: self.fixed_cost, must_be });
        }
        while self.visits.len() <= below {
            let earlier = self.visits.iter().rev();
            self.visits.push(earlier.zip(&self.pieces).map(|(visits, p)| visits * p).sum());
        }
        Ok(self.visits[below])
    }

    fn one_period(&mut self, level: i64) -> f64 {
        let place = usize::try_from(level.unsigned_abs()).unwrap_or(usize::MAX);
        let (h, p, demand) = (self.holding_cost, self.shortage_cost, self.demand);
        let sign = if level < 0 { -1.0 } else { 1.0 };
        let known = &mut self.levels[usize::from(level < 0)];
        while known.len() <= place {
            known.push(cost(h, p, demand, sign * known.len() as f64));
        }
        known[place]
    }
}

/// A good (s, S) policy for normal demand per period and a lead time in periods, without search.
///
/// Source: the power approximation of Ehrhardt & Mosier (1984), as in Snyder & Shen §4.4.4.
///
/// # Errors
/// If a cost or the mean is not above 0, or the lead time is negative.
///
/// ```
/// use optimize::stock::{Demand, min_max::power_approximation};
/// // K = h makes their ratio 1, a mean of 1 drops out: Q = 1.30 · 1 · 1 · (1 + 1)^0.116.
/// let demand = Demand::Normal { mean: 1.0, sd: 1.0 };
/// let good = power_approximation(1.0, 1.0, 9.0, demand, 0.0)?;
/// assert!((good.max - good.min - 1.30 * 2.0_f64.powf(0.116)).abs() < 1e-12); // 1.41 pieces
/// # Ok::<(), optimize::stock::Error>(())
/// ```
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
    let lead = demand.over(not_negative("lead time", lead_time)? + 1.0);
    let spread = 1.0 + (lead.sd() / mean).powi(2);
    let quantity = 1.30 * mean.powf(0.494) * (k / h).powf(0.506) * spread.powf(0.116);
    let z = (quantity * h / (lead.sd() * p)).sqrt();
    let min = 0.973 * lead.mean() + lead.sd() * (0.183 / z + 1.063 - 2.192 * z);
    Ok(MinMax { min, max: min + quantity, cost: None })
}
