//! Orders for spare parts, from how long machines will last and what else is asked for.

use super::{Error, Pmf, positive};
use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

/// A part, its stock and its costs over the time that an order has to cover.
#[derive(Debug, Clone, PartialEq)]
pub struct Spare {
    /// Its name in the plant.
    pub name: String,
    /// Pieces on the shelf.
    pub on_hand: usize,
    /// Pieces ordered and not yet there.
    pub on_order: usize,
    /// Cost of one piece that turns out not to be needed in this time: capital, space, aging.
    pub surplus_cost: f64,
    /// Cost of one piece that is needed and missing: standstill until it comes.
    pub shortage_cost: f64,
    /// Currency of the costs.
    pub currency: String,
}

/// Distribution of the pieces needed until the order after this one arrives.
///
/// `lives_h`: for each machine that has one piece at work, equally likely hours until it fails (draws of its
/// remaining useful life). `horizon_h`: lead time plus time until the next review. `other`: demand of that time from
/// elsewhere, [`Pmf::point`]\(0\) for none. Machines fail independently; a machine without draws is left out.
///
/// # Errors
/// If the horizon is not above 0.
///
/// ```
/// use optimize::stock::{Pmf, spares::needed};
/// // Two machines, each failing within 100 h with probability 1/2.
/// let need = needed(&[&[50.0, 500.0], &[80.0, 900.0]], 100.0, &Pmf::point(0))?;
/// assert_eq!(need.probabilities(), [0.25, 0.5, 0.25]);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn needed(lives_h: &[&[f64]], horizon_h: f64, other: &Pmf) -> Result<Pmf, Error> {
    positive("lead time and review", horizon_h)?;
    let mut need = other.clone();
    for draws in lives_h.iter().filter(|draws| !draws.is_empty()) {
        let n_failing = draws.iter().filter(|life_h| **life_h <= horizon_h).count();
        need = need.plus(&Pmf::one_with(n_failing as f64 / draws.len() as f64)?);
    }
    Ok(need)
}

/// Pieces to have, on the shelf or ordered: enough with the probability shortage ÷ (shortage + surplus).
///
/// With a single machine that means: order when P(life ≤ horizon) > surplus ÷ (shortage + surplus).
///
/// # Errors
/// If a cost is not above 0.
pub fn order_up_to(need: &Pmf, spare: &Spare) -> Result<usize, Error> {
    let surplus = positive("surplus cost", spare.surplus_cost)?;
    let shortage = positive("shortage cost", spare.shortage_cost)?;
    Ok(need.quantile(shortage / (shortage + surplus)))
}

/// The order to place now; `None` if what is there or ordered is enough.
///
/// The gain is the expected cost without the order less that with it; low and high are its 5 % and 95 % quantiles
/// over what may be needed. The bound is the cost if need were known in advance, which is 0.
///
/// # Errors
/// If a cost is not above 0.
pub fn recommend(
    need: &Pmf,
    spare: &Spare,
    valid_until_us: i64,
) -> Result<Option<Recommendation>, Error> {
    let level = order_up_to(need, spare)?;
    let position = spare.on_hand + spare.on_order;
    if level <= position {
        return Ok(None);
    }
    let cost = |stock: usize, needed: usize| {
        let left = stock.saturating_sub(needed) as f64 * spare.surplus_cost;
        left + needed.saturating_sub(stock) as f64 * spare.shortage_cost
    };
    // More need only makes the order worth more, so quantiles of need are quantiles of the gain.
    let gain = |needed: usize| cost(position, needed) - cost(level, needed);
    let enough = |stock: usize| 100.0 * need.probabilities().iter().take(stock + 1).sum::<f64>();
    Ok(Some(Recommendation {
        summary: format!(
            "order {} of {}: what is there is enough with {:.0} %, then with {:.0} %",
            level - position,
            spare.name,
            enough(position),
            enough(level)
        ),
        steps: vec![Step {
            what: format!("pieces of {} on the shelf or ordered", spare.name),
            now: Some(position.to_string()),
            proposed: level.to_string(),
        }],
        gain: Gain {
            expected: need.expect(gain),
            low: gain(need.quantile(0.05)),
            high: gain(need.quantile(0.95)),
            confidence_percent: 90.0,
            unit: spare.currency.clone(),
        },
        constraints: vec![Constraint {
            what: "probability of having enough above the critical ratio, in percent".into(),
            slack: enough(level)
                - 100.0 * spare.shortage_cost / (spare.shortage_cost + spare.surplus_cost),
        }],
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("expected need".into(), format!("{:.2}", need.mean())),
                ("surplus cost".into(), spare.surplus_cost.to_string()),
                ("shortage cost".into(), spare.shortage_cost.to_string()),
            ],
            seed: 0,
        },
        valid_until_us,
        bounds: Bounds { objective: need.expect(|needed| cost(level, needed)), bound: Some(0.0) },
    }))
}
