//! (r, Q) policies: when the stock position falls to r, order Q; stock is watched without a pause.

use super::newsvendor::{cost, newsvendor};
use super::{Demand, Error, finite_level, lot, positive};

/// Largest order of whole pieces.
const MAX_PIECES: f64 = 100_000.0;

/// An (r, Q) policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reorder {
    /// Order when the stock position falls to this.
    pub point: f64,
    /// Pieces per order.
    pub quantity: f64,
    /// Expected cost per unit of time, of the model that the method optimizes; `None` where it has none.
    pub cost: Option<f64>,
}

/// Costs and lead time of a part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Part {
    /// Per order.
    pub fixed_cost: f64,
    /// Per piece and unit of time.
    pub holding_cost: f64,
    /// Per missing piece, and per unit of time in the models that say so.
    pub shortage_cost: f64,
    /// From order to delivery.
    pub lead_time: f64,
    /// Per unit of time.
    pub demand: Demand,
}

impl Part {
    fn check(&self) -> Result<Demand, Error> {
        positive("fixed cost", self.fixed_cost)?;
        positive("holding cost", self.holding_cost)?;
        positive("shortage cost", self.shortage_cost)?;
        positive("lead time", self.lead_time)?;
        positive("mean demand", self.demand.check()?.mean())?;
        Ok(self.demand.over(self.lead_time))
    }
}

/// The expected-inventory-level approximation: shortage costs once per piece (Snyder & Shen §5.3.1).
///
/// Alternates Q = √(2λ(K + p n(r)) ÷ h) and F(r) = 1 − Q h ÷ (p λ) until both rest.
///
/// # Errors
/// If a number is not above 0, or shortage is so cheap that it is never worth a reorder point.
pub fn inventory_level(part: &Part) -> Result<Reorder, Error> {
    let lead = part.check()?;
    let (k, h, p) = (part.fixed_cost, part.holding_cost, part.shortage_cost);
    let rate = part.demand.mean();
    let mut quantity = lot::eoq(k, h, rate)?.quantity;
    let mut point = f64::NAN;
    for _ in 0..200 {
        let share = 1.0 - quantity * h / (p * rate);
        if share <= 0.0 {
            let must_be = "high enough that a piece on stock is worth its holding";
            return Err(Error::Number { what: "shortage cost", value: p, must_be });
        }
        point = finite_level(lead.quantile(share), p)?;
        let before = quantity;
        quantity = (2.0 * rate * (k + p * lead.expected_short(point)) / h).sqrt();
        positive("order quantity", quantity)?;
        if (quantity - before).abs() <= 1e-12 * quantity {
            break;
        }
    }
    let short = lead.expected_short(point);
    let held = h * (point - lead.mean() + quantity / 2.0);
    let cost = finite_cost(held + (k + p * short) * rate / quantity)?;
    Ok(Reorder { point, quantity, cost: Some(cost) })
}

/// Q as if demand were known and could be late, r as best for that Q (Snyder & Shen §5.3.2).
///
/// # Errors
/// If a number is not above 0.
pub fn late_quantity(part: &Part) -> Result<Reorder, Error> {
    let lead = part.check()?;
    let (k, h, p) = (part.fixed_cost, part.holding_cost, part.shortage_cost);
    let quantity = lot::eoq_late(k, h, p, part.demand.mean())?.quantity;
    Ok(Reorder { point: best_point(part, lead, quantity)?, quantity, cost: None })
}

/// The best r for a Q has the same cost at both ends of its cycle: g(r) = g(r + Q), and g falls before its least value.
fn best_point(part: &Part, lead: Demand, quantity: f64) -> Result<f64, Error> {
    let (h, p) = (part.holding_cost, part.shortage_cost);
    let least = newsvendor(h, p, lead)?.level;
    let (mut low, mut high) = (least - quantity, least);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let is_left = cost(h, p, lead, middle) > cost(h, p, lead, middle + quantity);
        (low, high) = if is_left { (middle, high) } else { (low, middle) };
    }
    Ok(low)
}

/// The best (r, Q), shortage costing per piece and unit of time (Snyder & Shen §5.4; Zheng 1992).
///
/// Exact for Poisson demand ([`poisson`]). For normal demand the cost with the best r is convex in Q, and its least
/// point is narrowed down to a millionth of Q.
///
/// # Errors
/// If a number is not above 0, or beyond what can be computed.
///
/// ```
/// use optimize::stock::{Demand, lot, reorder::{Part, best}};
/// // Hardly any chance: the lot is the economic one with lateness, and r its share late below the mean of 25.
/// let part = Part { fixed_cost: 6.0, holding_cost: 1.0, shortage_cost: 3.0, lead_time: 0.25,
///                   demand: Demand::Normal { mean: 100.0, sd: 0.01 } };
/// let found = best(&part)?;
/// assert!((found.quantity - 40.0).abs() < 0.1 && (found.point - 15.0).abs() < 0.1);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn best(part: &Part) -> Result<Reorder, Error> {
    if matches!(part.demand, Demand::Poisson { .. }) {
        return poisson(part);
    }
    let lead = part.check()?;
    let least = late_quantity(part)?.quantity;
    let at = |quantity: f64| -> Result<(f64, f64), Error> {
        let point = best_point(part, lead, quantity)?;
        Ok((cost_of(part, point, quantity)?, point))
    };
    // Chance makes lots larger than the economic one, by some standard deviations at most.
    let (mut low, mut high) = (0.5 * least, 2.0 * least + 10.0 * lead.sd());
    while high - low > 1e-6 * high {
        let (left, right) = (low + (high - low) / 3.0, high - (high - low) / 3.0);
        (low, high) = if at(left)?.0 < at(right)?.0 { (low, right) } else { (left, high) };
    }
    let quantity = 0.5 * (low + high);
    let (cost, point) = at(quantity)?;
    Ok(Reorder { point, quantity, cost: Some(cost) })
}

/// Q from the economic order quantity, r with a safety stock for the critical ratio (Snyder & Shen §5.3.3).
///
/// # Errors
/// If a number is not above 0.
pub fn safety_stock(part: &Part) -> Result<Reorder, Error> {
    let lead = part.check()?;
    let quantity = lot::eoq(part.fixed_cost, part.holding_cost, part.demand.mean())?.quantity;
    let point = newsvendor(part.holding_cost, part.shortage_cost, lead)?.level;
    Ok(Reorder { point, quantity, cost: None })
}

/// Expected cost per unit of time of any (r, Q), shortage costing per piece and unit of time (Snyder & Shen §5.4).
///
/// For normal demand: (K λ + ∫ g) ÷ Q over (r, r + Q), in closed form. For Poisson the sum over r + 1 … r + Q.
///
/// # Errors
/// If a number is not above 0, or r and Q are not whole for Poisson demand, where Q is at most 100,000.
///
/// ```
/// use optimize::stock::{Demand, reorder::{Part, cost_of}};
/// // Demand is certain: 10 orders of 10 a month cost 10 each, and 5 pieces lie on stock.
/// let part = Part { fixed_cost: 10.0, holding_cost: 2.0, shortage_cost: 50.0, lead_time: 1.0,
///                   demand: Demand::Normal { mean: 100.0, sd: 1e-6 } };
/// assert!((cost_of(&part, 100.0, 10.0)? - (100.0 + 10.0)).abs() < 1e-3);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn cost_of(part: &Part, point: f64, quantity: f64) -> Result<f64, Error> {
    let lead = part.check()?;
    let q = positive("order quantity", quantity)?;
    if matches!(lead, Demand::Poisson { .. }) {
        check_whole("order quantity", q)?;
        check_whole("reorder point", point.abs())?;
    }
    let (k, h, p) = (part.fixed_cost, part.holding_cost, part.shortage_cost);
    let held = match lead {
        Demand::Normal { mean, .. } => {
            let end = point + q;
            let linear = h * (0.5 * (end * end - point * point) - mean * q);
            linear + (h + p) * (lead.second_loss(point) - lead.second_loss(end))
        }
        Demand::Poisson { .. } => {
            (1..=q as i64).map(|step| cost(h, p, lead, point + step as f64)).sum::<f64>()
        }
    };
    finite_cost((k * part.demand.mean() + held) / q)
}

fn finite_cost(cost: f64) -> Result<f64, Error> {
    if cost.is_finite() {
        return Ok(cost);
    }
    Err(Error::Number { what: "cost of the policy", value: cost, must_be: "finite" })
}

fn check_whole(what: &'static str, value: f64) -> Result<(), Error> {
    if value.fract() == 0.0 && value <= MAX_PIECES {
        return Ok(());
    }
    Err(Error::Number { what, value, must_be: "whole and at most 100,000 for Poisson demand" })
}

/// The best (r, Q) for Poisson demand (Federgruen & Zheng 1992).
///
/// Takes levels in the order of their cost, the next below or above, as long as one lowers the mean.
/// Cost: O(Q).
///
/// # Errors
/// If a number is not above 0, the demand is not Poisson, or the best order is above 100,000 pieces.
///
/// ```
/// use optimize::stock::{Demand, reorder::{Part, poisson}};
/// let part = Part { fixed_cost: 100.0, holding_cost: 20.0, shortage_cost: 150.0, lead_time: 2.0,
///                   demand: Demand::Poisson { mean: 1.5 } };
/// let best = poisson(&part)?;
/// assert_eq!((best.point, best.quantity), (3.0, 5.0)); // Snyder & Shen, example 5.8
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn poisson(part: &Part) -> Result<Reorder, Error> {
    let lead = part.check()?;
    if !matches!(lead, Demand::Poisson { .. }) {
        let value = part.demand.sd();
        return Err(Error::Number {
            what: "standard deviation",
            value,
            must_be: "that of a Poisson demand",
        });
    }
    let (h, p) = (part.holding_cost, part.shortage_cost);
    let at = |level: f64| cost(h, p, lead, level);
    let level = newsvendor(h, p, lead)?.level;
    let (mut point, mut quantity) = (level - 1.0, 1.0);
    let mut sum = part.fixed_cost * part.demand.mean() + at(level);
    loop {
        let (below, above) = (at(point), at(point + quantity + 1.0));
        if below.min(above) >= sum / quantity {
            return Ok(Reorder { point, quantity, cost: Some(finite_cost(sum / quantity)?) });
        }
        sum += below.min(above);
        quantity += 1.0;
        check_whole("best order quantity", quantity)?;
        if below <= above {
            point -= 1.0;
        }
    }
}
