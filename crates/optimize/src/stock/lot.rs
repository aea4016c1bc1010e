//! Lot sizes for known demand.

use super::{Error, not_negative, positive};

/// A lot size with what it costs per unit of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lot {
    /// Pieces per order.
    pub quantity: f64,
    /// Share of demand served late, where that is allowed; else 0.
    pub late_share: f64,
    /// Ordering, holding and lateness per unit of time.
    pub cost: f64,
}

/// Economic order quantity (Harris 1913; Snyder & Shen §3.2).
///
/// `fixed_cost` per order, `holding_cost` per piece and unit of time, `demand` per unit of time.
///
/// # Errors
/// If one is not above 0, or the lot is beyond all numbers.
///
/// ```
/// // 100 pieces a month, 8 per order, 1 per piece and month: 40 at a time, so 2.5 orders (20) and 20 on stock (20).
/// let lot = optimize::stock::lot::eoq(8.0, 1.0, 100.0)?;
/// assert_eq!((lot.quantity, lot.cost), (40.0, 40.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn eoq(fixed_cost: f64, holding_cost: f64, demand: f64) -> Result<Lot, Error> {
    let (k, h, d) = check(fixed_cost, holding_cost, demand)?;
    sound(Lot {
        quantity: (2.0 * k * d / h).sqrt(),
        late_share: 0.0,
        cost: (2.0 * k * d * h).sqrt(),
    })
}

/// Ordering and holding per unit of time with any lot, numbers as for [`eoq`].
///
/// # Errors
/// If a number is not above 0.
///
/// ```
/// // Twice the best lot of 40: 1.25 orders (10) and 40 on stock (40).
/// assert_eq!(optimize::stock::lot::cost_of(8.0, 1.0, 100.0, 80.0)?, 50.0);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn cost_of(
    fixed_cost: f64,
    holding_cost: f64,
    demand: f64,
    quantity: f64,
) -> Result<f64, Error> {
    let (k, h, d) = check(fixed_cost, holding_cost, demand)?;
    let quantity = positive("order quantity", quantity)?;
    positive("cost of the lot", k * d / quantity + h * quantity / 2.0)
}

/// Economic order quantity where demand may be served late at `late_cost` per piece and unit of time (§3.5).
///
/// # Errors
/// If a number is not above 0.
///
/// ```
/// // Lateness three times as dear as holding: a quarter of the demand is served late.
/// let lot = optimize::stock::lot::eoq_late(6.0, 1.0, 3.0, 100.0)?;
/// assert_eq!((lot.quantity, lot.late_share, lot.cost), (40.0, 0.25, 30.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn eoq_late(
    fixed_cost: f64,
    holding_cost: f64,
    late_cost: f64,
    demand: f64,
) -> Result<Lot, Error> {
    let (k, h, d) = check(fixed_cost, holding_cost, demand)?;
    let p = positive("cost of lateness", late_cost)?;
    let factor = (h + p) / p;
    sound(Lot {
        quantity: (2.0 * k * d / h * factor).sqrt(),
        late_share: h / (h + p),
        cost: (2.0 * k * d * h / factor).sqrt(),
    })
}

/// Economic production quantity: the lot arrives piece by piece at `production` per unit of time (§3.6).
///
/// # Errors
/// If a number is not above 0, or production is not above demand.
///
/// ```
/// // Production at twice the demand halves what lies on stock: as if holding cost 0.5.
/// let lot = optimize::stock::lot::epq(4.0, 1.0, 100.0, 200.0)?;
/// assert_eq!((lot.quantity, lot.cost), (40.0, 20.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn epq(fixed_cost: f64, holding_cost: f64, demand: f64, production: f64) -> Result<Lot, Error> {
    let (k, h, d) = check(fixed_cost, holding_cost, demand)?;
    if production.is_nan() || production <= d {
        return Err(Error::Number {
            what: "production rate",
            value: production,
            must_be: "above the demand",
        });
    }
    let h = h * (1.0 - d / production);
    sound(Lot {
        quantity: (2.0 * k * d / h).sqrt(),
        late_share: 0.0,
        cost: (2.0 * k * d * h).sqrt(),
    })
}

/// A lot whose numbers are within those that a computer can tell.
fn sound(lot: Lot) -> Result<Lot, Error> {
    positive("lot of these costs", lot.quantity)?;
    positive("cost of the lot", lot.cost)?;
    Ok(lot)
}

fn check(fixed_cost: f64, holding_cost: f64, demand: f64) -> Result<(f64, f64, f64), Error> {
    let k = positive("fixed cost", fixed_cost)?;
    Ok((k, positive("holding cost", holding_cost)?, positive("demand", demand)?))
}

/// Orders per period that cover a known demand at least cost, and that cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LotPlan {
    /// Pieces ordered in each period.
    pub orders: Vec<f64>,
    /// Fixed and holding cost over all periods.
    pub cost: f64,
}

/// Wagner-Whitin (1958): least cost of ordering and holding over periods of known demand.
///
/// A piece held from one period to the next costs `holding_cost`; each order costs `fixed_cost`. Where several plans
/// cost the same, the one that orders longest ahead. Cost: O(n²).
///
/// # Errors
/// If a number is negative or not finite, or the cost is beyond all numbers.
///
/// ```
/// let plan = optimize::stock::lot::wagner_whitin(500.0, 2.0, &[90.0, 120.0, 80.0, 70.0])?;
/// assert_eq!(plan.orders, [210.0, 0.0, 150.0, 0.0]);
/// assert_eq!(plan.cost, 500.0 + 2.0 * 120.0 + 500.0 + 2.0 * 70.0);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn wagner_whitin(fixed_cost: f64, holding_cost: f64, demand: &[f64]) -> Result<LotPlan, Error> {
    let k = not_negative("fixed cost", fixed_cost)?;
    let h = not_negative("holding cost", holding_cost)?;
    demand.iter().try_for_each(|d| not_negative("demand", *d).map(|_| ()))?;
    let n = demand.len();
    let mut cost_from = vec![0.0; n + 1];
    let mut next = vec![n; n];
    for from in (0..n).rev() {
        let mut held = 0.0;
        let mut best = f64::INFINITY;
        for to in from + 1..=n {
            held += h * (to - 1 - from) as f64 * demand[to - 1];
            let cost = k + held + cost_from[to];
            if cost <= best {
                (best, next[from]) = (cost, to);
            }
        }
        // Nothing needed now need not be ordered now.
        let waits = demand[from] == 0.0 && cost_from[from + 1] <= best;
        (cost_from[from], next[from]) =
            if waits { (cost_from[from + 1], from) } else { (best, next[from]) };
    }
    let mut orders = vec![0.0; n];
    let mut at = 0;
    while at < n {
        let to = next[at];
        orders[at] = demand[at..to.max(at)].iter().sum();
        at = to.max(at + 1);
    }
    Ok(LotPlan { orders, cost: not_negative("cost of the plan", cost_from[0])? })
}

/// Fixed and holding cost of any orders for a known demand.
///
/// # Errors
/// If a number is negative or not finite, there is not one order per period, or demand comes before its pieces.
///
/// ```
/// // Two orders at 5, and 3 pieces held from the first period to the second at 1.
/// assert_eq!(optimize::stock::lot::cost_of_plan(5.0, 1.0, &[2.0, 3.0, 4.0], &[5.0, 0.0, 4.0])?, 13.0);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn cost_of_plan(
    fixed_cost: f64,
    holding_cost: f64,
    demand: &[f64],
    orders: &[f64],
) -> Result<f64, Error> {
    let (mut stock, mut cost) = (0.0, 0.0);
    if orders.len() != demand.len() {
        let value = orders.len() as f64;
        return Err(Error::Number { what: "number of orders", value, must_be: "one per period" });
    }
    for (order, wanted) in orders.iter().zip(demand) {
        let order = not_negative("order", *order)?;
        stock += order - not_negative("demand", *wanted)?;
        // Sums of tenths are not exact.
        if stock < -1e-9 * (1.0 + wanted) {
            let must_be = "not negative; order before the pieces are needed";
            return Err(Error::Number { what: "stock", value: stock, must_be });
        }
        cost += if order > 0.0 { not_negative("fixed cost", fixed_cost)? } else { 0.0 };
        cost += not_negative("holding cost", holding_cost)? * stock;
    }
    not_negative("cost of the plan", cost)
}
