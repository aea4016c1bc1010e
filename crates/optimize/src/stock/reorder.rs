//! (r, Q) policies: when the stock position falls to r, order Q; stock is watched without a pause.

use super::newsvendor::{cost, newsvendor};
use super::{Demand, Error, lot, not_negative, positive};

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
        point = lead.quantile(share);
        let before = quantity;
        quantity = (2.0 * rate * (k + p * lead.expected_short(point)) / h).sqrt();
        if (quantity - before).abs() <= 1e-12 * quantity {
            break;
        }
    }
    let short = lead.expected_short(point);
    let held = h * (point - lead.mean() + quantity / 2.0);
    Ok(Reorder { point, quantity, cost: Some(held + (k + p * short) * rate / quantity) })
}

/// Q as if demand were known and could be late, r as best for that Q (Snyder & Shen §5.3.2).
///
/// # Errors
/// If a number is not above 0.
pub fn late_quantity(part: &Part) -> Result<Reorder, Error> {
    let lead = part.check()?;
    let (k, h, p) = (part.fixed_cost, part.holding_cost, part.shortage_cost);
    let quantity = lot::eoq_late(k, h, p, part.demand.mean())?.quantity;
    // The best r has the same cost at both ends of its cycle: g(r) = g(r + Q), and g falls before its least value.
    let least = newsvendor(h, p, lead)?.level;
    let (mut low, mut high) = (least - quantity, least);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        let is_left = cost(h, p, lead, middle) > cost(h, p, lead, middle + quantity);
        (low, high) = if is_left { (middle, high) } else { (low, middle) };
    }
    Ok(Reorder { point: low, quantity, cost: None })
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
/// If a number is not above 0.
pub fn cost_of(part: &Part, point: f64, quantity: f64) -> Result<f64, Error> {
    let lead = part.check()?;
    let q = positive("order quantity", quantity)?;
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
    Ok((k * part.demand.mean() + held) / q)
}

/// The best (r, Q) for Poisson demand (Federgruen & Zheng 1992).
///
/// Takes levels in the order of their cost, the next below or above, as long as one lowers the mean.
/// Cost: O(Q).
///
/// # Errors
/// If a number is not above 0, or the demand is not Poisson.
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
    not_negative("lead time", part.lead_time)?;
    let (h, p) = (part.holding_cost, part.shortage_cost);
    let at = |level: f64| cost(h, p, lead, level);
    let level = newsvendor(h, p, lead)?.level;
    let (mut point, mut quantity) = (level - 1.0, 1.0);
    let mut sum = part.fixed_cost * part.demand.mean() + at(level);
    loop {
        let (below, above) = (at(point), at(point + quantity + 1.0));
        if below.min(above) >= sum / quantity {
            return Ok(Reorder { point, quantity, cost: Some(sum / quantity) });
        }
        sum += below.min(above);
        quantity += 1.0;
        if below <= above {
            point -= 1.0;
        }
    }
}
