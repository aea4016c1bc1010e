//! From a policy to a decision: what is done now against what costs least.
//!
//! Every function gives `None` where what is done now is as good. Costs are long-run means per unit of time of the
//! demand; the gain is what they fall by. Where demand was estimated from [`Item::n_periods`] periods, its 90 %
//! interval is the range of the gain over the 90 % interval of mean demand, both policies as they are.

use super::{Demand, Error, lot, min_max as policies, newsvendor as base_stock};
use super::{reorder as points, serial as echelons, tree as network};
use crate::{Basis, Gain, Recommendation};

/// What is stocked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Item<'a> {
    /// Its name in the plant.
    pub name: &'a str,
    /// Pieces that there is room for; infinite where that is no question.
    pub room: f64,
    /// Periods from which the demand was estimated; 0 where it is known.
    pub n_periods: usize,
}

/// Costs of an (s, S) policy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Costs {
    /// Per order.
    pub fixed: f64,
    /// Per piece left and period.
    pub holding: f64,
    /// Per piece missing and period.
    pub shortage: f64,
}

/// The economic order quantity, or as much as there is room for, instead of lots of `now` pieces.
///
/// # Errors
/// If a number is not above 0.
///
/// ```
/// use optimize::{Basis, stock::{Demand, recommend::{Item, eoq}}};
/// let basis = Basis { window_us: Some((0, 9)), currency: "EUR", valid_until_us: 9 };
/// let bolts = Item { name: "bolts", room: 50.0, n_periods: 0 };
/// // 100 a month, 8 per order, 1 per piece and month: lots of 40 cost 40, lots of 80 cost 50.
/// let demand = Demand::Normal { mean: 100.0, sd: 5.0 };
/// let advice = eoq(&bolts, 8.0, 1.0, demand, 80.0, &basis)?.expect("smaller lots");
/// assert_eq!(advice.summary, "order 40.0 of bolts at a time instead of 80.0: 10.00 EUR less per unit of time");
/// assert_eq!((advice.gain.expected, advice.bounds.bound), (10.0, Some(40.0)));
/// assert_eq!(advice.constraints[0].slack, 10.0); // room for 50
/// assert!(eoq(&bolts, 8.0, 1.0, demand, 40.0, &basis)?.is_none());
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn eoq(
    item: &Item,
    fixed_cost: f64,
    holding_cost: f64,
    demand: Demand,
    now: f64,
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let best = lot::eoq(fixed_cost, holding_cost, demand.check()?.mean())?;
    let quantity = best.quantity.min(item.room()?);
    let cost =
        |demand: Demand, quantity| lot::cost_of(fixed_cost, holding_cost, demand.mean(), quantity);
    let Some(gain) = item.gain(demand, basis, &|at| Ok(cost(at, now)? - cost(at, quantity)?))?
    else {
        return Ok(None);
    };
    let what = format!("order {quantity:.1} of {} at a time instead of {now:.1}", item.name);
    let advice = item
        .advice(&what, gain, basis)
        .step(format!("pieces of {} per order", item.name), Some(figure(now)), figure(quantity))
        .input("fixed cost per order", fixed_cost)
        .input("holding cost", holding_cost)
        .input("demand", format!("{demand:?}"))
        .bounds(cost(demand, quantity)?, Some(best.cost));
    Ok(Some(item.has_room(advice, quantity)))
}

/// The best stock for one period, or as much as there is room for, instead of `now`.
///
/// The interval of the gain is over the demand of one period: its 5 % and 95 % quantiles.
///
/// # Errors
/// If a number is not above 0.
///
/// ```
/// use optimize::{Basis, stock::{Demand, recommend::{Item, newsvendor}}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let bread = Item { name: "bread", room: f64::INFINITY, n_periods: 0 };
/// // Poisson of mean 1, equal costs: 1 piece. With none, 1 is missing on average; with 1, e⁻¹ is left and missing.
/// let advice = newsvendor(&bread, 1.0, 1.0, Demand::Poisson { mean: 1.0 }, 0.0, &basis)?.expect("have one");
/// assert!((advice.gain.expected - (1.0 - 2.0 * (-1.0_f64).exp())).abs() < 1e-12);
/// assert_eq!((advice.gain.low, advice.gain.high), (-1.0, 1.0)); // left over, or sold
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn newsvendor(
    item: &Item,
    holding_cost: f64,
    shortage_cost: f64,
    demand: Demand,
    now: f64,
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let now = super::not_negative("stock now", now)?;
    let best = base_stock::newsvendor(holding_cost, shortage_cost, demand)?;
    let level = best.level.min(item.room()?).max(0.0);
    let mean = |level| base_stock::cost(holding_cost, shortage_cost, demand, level);
    let expected = mean(now) - mean(level);
    if expected <= 1e-9 * best.cost {
        return Ok(None);
    }
    let met = |level: f64, wanted: f64| {
        holding_cost * (level - wanted).max(0.0) + shortage_cost * (wanted - level).max(0.0)
    };
    // Demand moves the gain one way only, so its quantiles are those of the gain.
    let ends = [0.05, 0.95].map(|share| demand.quantile(share).max(0.0));
    let ends = ends.map(|wanted| met(now, wanted) - met(level, wanted));
    let gain = Gain::likely(expected, ends[0].min(ends[1]), ends[0].max(ends[1]), basis.currency);
    let advice = item
        .advice(&format!("have {level:.1} of {} instead of {now:.1}", item.name), gain, basis)
        .step(format!("pieces of {} at hand", item.name), Some(figure(now)), figure(level))
        .input("cost of a piece left", holding_cost)
        .input("cost of a piece missing", shortage_cost)
        .input("demand", format!("{demand:?}"))
        .bounds(mean(level), Some(best.cost));
    Ok(Some(item.has_room(advice, level)))
}

/// The best (s, S) policy for Poisson demand instead of `now` = (s, S).
///
/// # Errors
/// If a number is not above 0, s is not below S, or there is no room for the best S.
///
/// ```
/// use optimize::{Basis, stock::recommend::{Costs, Item, min_max}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let item = Item { name: "filter", room: 12.0, n_periods: 36 };
/// let costs = Costs { fixed: 5.0, holding: 1.0, shortage: 4.0 };
/// let advice = min_max(&item, &costs, 6.0, (0, 20), &basis)?.expect("the book has (4, 10) at 8.034");
/// assert_eq!((advice.steps[0].proposed.as_str(), advice.steps[1].proposed.as_str()), ("4", "10"));
/// assert_eq!(advice.constraints[0].slack, 2.0);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn min_max(
    item: &Item,
    costs: &Costs,
    mean: f64,
    now: (i64, i64),
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let Costs { fixed, holding, shortage } = *costs;
    let best = policies::poisson(fixed, holding, shortage, mean)?;
    let cost = |demand: Demand, (min, max): (i64, i64)| {
        policies::cost_of(fixed, holding, shortage, demand.mean(), min, max)
    };
    let then = (best.min as i64, best.max as i64);
    let demand = Demand::Poisson { mean };
    let Some(gain) = item.gain(demand, basis, &|at| Ok(cost(at, now)? - cost(at, then)?))? else {
        return Ok(None);
    };
    let what = format!("order {} up to {} as soon as {} are left", item.name, then.1, then.0);
    let advice = item
        .advice(&what, gain, basis)
        .step("order when the stock is at or below", Some(now.0.to_string()), then.0.to_string())
        .step("order up to", Some(now.1.to_string()), then.1.to_string())
        .input("costs", format!("{costs:?}"))
        .input("mean demand per period", mean)
        .bounds(cost(demand, then)?, best.cost);
    item.must_have_room(advice, best.max)
}

/// The best (r, Q) policy instead of `now` = (r, Q), shortage costing per piece and unit of time.
///
/// The bound is the cost with certain demand or with no fixed cost, whichever is more (Zheng 1992), and for Poisson
/// demand the best itself.
///
/// # Errors
/// If a number is not above 0, `now` cannot be, or there is no room for r + Q.
///
/// ```
/// use optimize::{Basis, stock::{Demand, recommend::{Item, reorder}, reorder::Part}};
/// let part = Part { fixed_cost: 100.0, holding_cost: 20.0, shortage_cost: 150.0, lead_time: 2.0,
///                   demand: Demand::Poisson { mean: 1.5 } };
/// let item = Item { name: "valve", room: f64::INFINITY, n_periods: 0 };
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let advice = reorder(&item, &part, (1.0, 10.0), &basis)?.expect("the book has (3, 5)");
/// assert_eq!(advice.summary.split(':').next(), Some("order 5.0 of valve as soon as 3.0 are left"));
/// assert_eq!(advice.bounds.gap_percent(), Some(0.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn reorder(
    item: &Item,
    part: &points::Part,
    now: (f64, f64),
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let best = points::best(part)?;
    let then = (best.point, best.quantity);
    let cost = |demand: Demand, (point, quantity): (f64, f64)| {
        points::cost_of(&points::Part { demand, ..*part }, point, quantity)
    };
    let gain = item.gain(part.demand, basis, &|at| Ok(cost(at, now)? - cost(at, then)?))?;
    let Some(gain) = gain else { return Ok(None) };
    let bound = match part.demand {
        Demand::Poisson { .. } => cost(part.demand, then)?,
        Demand::Normal { mean, .. } => {
            let (h, p) = (part.holding_cost, part.shortage_cost);
            let certain = lot::eoq_late(part.fixed_cost, h, p, mean)?.cost;
            let lead = part.demand.over(part.lead_time);
            certain.max(base_stock::newsvendor(h, p, lead)?.cost)
        }
    };
    let what = format!("order {:.1} of {} as soon as {:.1} are left", then.1, item.name, then.0);
    let advice = item
        .advice(&what, gain, basis)
        .step("order when the stock falls to", Some(figure(now.0)), figure(then.0))
        .step("pieces per order", Some(figure(now.1)), figure(then.1))
        .input("part", format!("{part:?}"))
        .bounds(cost(part.demand, then)?, Some(bound));
    item.must_have_room(advice, then.0 + then.1)
}

/// The cheapest orders for a known demand instead of `now`, one order per period.
///
/// # Errors
/// If a number is negative, `now` lets the stock run out, or there is no room for the cheapest orders.
///
/// ```
/// use optimize::{Basis, stock::recommend::{Item, wagner_whitin}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let item = Item { name: "sheet", room: 9.0, n_periods: 0 };
/// // Two orders at 5 cost 10; all 5 pieces at once cost 5, and 3 to hold the last three.
/// let advice = wagner_whitin(&item, 5.0, 1.0, &[2.0, 3.0], &[2.0, 3.0], &basis)?.expect("one order");
/// assert_eq!((advice.gain.expected, advice.bounds.objective), (2.0, 8.0));
/// assert_eq!(advice.steps[0].proposed, "5.0");
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn wagner_whitin(
    item: &Item,
    fixed_cost: f64,
    holding_cost: f64,
    demand: &[f64],
    now: &[f64],
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let plan = lot::wagner_whitin(fixed_cost, holding_cost, demand)?;
    let gained = lot::cost_of_plan(fixed_cost, holding_cost, demand, now)? - plan.cost;
    if gained <= 1e-9 * plan.cost {
        return Ok(None);
    }
    let n_orders = plan.orders.iter().filter(|order| **order > 0.0).count();
    let what = format!("order {} {n_orders} times in {} periods", item.name, demand.len());
    let mut advice = item.advice(&what, Gain::certain(gained, basis.currency), basis);
    for (period, (before, order)) in now.iter().zip(&plan.orders).enumerate() {
        if before != order {
            advice = advice.step(format!("period {period}"), Some(figure(*before)), figure(*order));
        }
    }
    let (mut stock, mut most) = (0.0, 0.0_f64);
    for (order, wanted) in plan.orders.iter().zip(demand) {
        most = most.max(stock + order);
        stock += order - wanted;
    }
    let advice = advice
        .input("fixed cost per order", fixed_cost)
        .input("holding cost", holding_cost)
        .input("demand", format!("{demand:?}"))
        .bounds(plan.cost, Some(plan.cost));
    item.must_have_room(advice, most)
}

/// The best echelon base-stock levels of a serial system instead of `now`, one per stage from the customer upwards.
///
/// # Errors
/// If a number is out of its range, or there is no room for the highest level.
///
/// ```
/// use optimize::{Basis, stock::{Demand, recommend::{Item, serial}, serial::Stage}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let item = Item { name: "pump", room: f64::INFINITY, n_periods: 0 };
/// let stages = [Stage { echelon_holding_cost: 1.0, lead_time: 1.0 }; 2];
/// let advice = serial(&item, &stages, 9.0, Demand::Poisson { mean: 2.0 }, &[20.0, 20.0], &basis)?;
/// assert_eq!(advice.expect("20 is far too much").steps.len(), 2);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn serial(
    item: &Item,
    stages: &[echelons::Stage],
    shortage_cost: f64,
    demand: Demand,
    now: &[f64],
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let best = echelons::base_stock(stages, shortage_cost, demand)?;
    let cost = |demand, levels: &[f64]| echelons::cost_of(stages, shortage_cost, demand, levels);
    let then: Vec<f64> = best.echelon.iter().map(|level| level.max(0.0)).collect();
    let gain = item.gain(demand, basis, &|at| Ok(cost(at, now)? - cost(at, &then)?))?;
    let Some(gain) = gain else { return Ok(None) };
    let what = format!("new echelon levels of {} at {} stages", item.name, stages.len());
    let mut advice = item.advice(&what, gain, basis);
    for (stage, (before, level)) in now.iter().zip(&then).enumerate() {
        let what = format!("echelon level of stage {stage}, from the customer");
        advice = advice.step(what, Some(figure(*before)), figure(*level));
    }
    let advice = advice
        .input("stages", format!("{stages:?}"))
        .input("shortage cost", shortage_cost)
        .input("demand", format!("{demand:?}"))
        .bounds(best.cost, Some(best.cost));
    item.must_have_room(advice, then.iter().copied().fold(0.0, f64::max))
}

/// The best service times of a supply tree instead of `now`, one per stage.
///
/// # Errors
/// If the stages are no tree, a number is out of its range, or `now` cannot be kept.
///
/// ```
/// use optimize::{Basis, stock::{recommend::tree, tree::Stage}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 9 };
/// let a = Stage { name: "A".into(), holding_cost: 3.0, processing_time: 9, customer_time: Some(5), demand_sd: 1.0,
///                 ..Stage::default() };
/// // Promised at once it covers 9 periods: 2 × 3 × √9; promised after 5 only 4.
/// let advice = tree(&[a], 2.0, &[0], &basis)?.expect("customers accept 5");
/// assert_eq!((advice.gain.expected, advice.steps[0].proposed.as_str()), (18.0 - 12.0, "5"));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn tree(
    stages: &[network::Stage],
    z: f64,
    now: &[usize],
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let (before, plan) = (network::plan_of(stages, z, now)?, network::service_times(stages, z)?);
    let gained = before.cost - plan.cost;
    if gained <= 1e-9 * plan.cost {
        return Ok(None);
    }
    let gain = Gain::certain(gained, basis.currency);
    let summary = format!(
        "safety stock where it is cheap: {gained:.2} {} less per period in {} stages",
        basis.currency,
        stages.len()
    );
    let mut advice = Recommendation::new(summary, gain, basis.valid_until_us);
    for (stage, (before, then)) in stages.iter().zip(now.iter().zip(&plan.service_times)) {
        if before != then {
            let what = format!("service time of {}", stage.name);
            advice = advice.step(what, Some(before.to_string()), then.to_string());
        }
    }
    for (stage, time) in stages.iter().zip(&plan.service_times) {
        if let Some(most) = stage.customer_time {
            let what = format!("periods that customers of {} accept to wait", stage.name);
            advice = advice.constraint(what, most as f64 - *time as f64);
        }
    }
    Ok(Some(
        advice
            .window(basis.window_us)
            .input("stages", stages.len())
            .input("standard deviations covered", z)
            .bounds(plan.cost, Some(plan.cost)),
    ))
}

impl Item<'_> {
    fn room(&self) -> Result<f64, Error> {
        if self.room > 0.0 {
            return Ok(self.room);
        }
        Err(Error::Number { what: "room", value: self.room, must_be: "above 0" })
    }

    /// What a change brings, with its interval; `None` if it brings nothing.
    fn gain(
        &self,
        demand: Demand,
        basis: &Basis,
        of: &dyn Fn(Demand) -> Result<f64, Error>,
    ) -> Result<Option<Gain>, Error> {
        let expected = of(demand)?;
        if expected <= 1e-9 {
            return Ok(None);
        }
        if self.n_periods == 0 {
            return Ok(Some(Gain::certain(expected, basis.currency)));
        }
        let half = 1.645 * demand.sd() / (self.n_periods as f64).sqrt();
        let at = |mean: f64| {
            of(match demand {
                Demand::Normal { sd, .. } => Demand::Normal { mean, sd },
                Demand::Poisson { .. } => Demand::Poisson { mean },
            })
        };
        let low = at((demand.mean() - half).max(1e-3 * demand.mean()))?;
        let high = at(demand.mean() + half)?;
        let (low, high) = (low.min(high).min(expected), low.max(high).max(expected));
        Ok(Some(Gain::likely(expected, low, high, basis.currency)))
    }

    fn advice(&self, what: &str, gain: Gain, basis: &Basis) -> Recommendation {
        let summary =
            format!("{what}: {:.2} {} less per unit of time", gain.expected, basis.currency);
        Recommendation::new(summary, gain, basis.valid_until_us)
            .window(basis.window_us)
            .input("periods of demand seen", self.n_periods)
    }

    fn has_room(&self, advice: Recommendation, most: f64) -> Recommendation {
        if self.room.is_infinite() {
            return advice;
        }
        advice.constraint(format!("room for {}, in pieces", self.name), self.room - most)
    }

    /// Refuses a policy for which there is no room, instead of proposing what cannot be done.
    fn must_have_room(
        &self,
        advice: Recommendation,
        most: f64,
    ) -> Result<Option<Recommendation>, Error> {
        if most > self.room()? {
            let must_be = "enough for the best policy; find more room or keep the policy";
            return Err(Error::Number { what: "room", value: self.room, must_be });
        }
        Ok(Some(self.has_room(advice, most)))
    }
}

fn figure(value: f64) -> String {
    format!("{value:.1}")
}
