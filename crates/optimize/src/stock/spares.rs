//! Orders for spare parts, from how long machines will last and what else is asked for.

use super::{Error, Pmf, positive};
use crate::{Basis, Gain, Recommendation};

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
}

/// Distribution of the pieces needed until the order after this one arrives.
///
/// `lives_h`: for each machine that has one piece at work, equally likely hours until it fails (draws of its
/// remaining useful life). `horizon_h`: lead time plus time until the next review. `other`: demand of that time from
/// elsewhere, [`Pmf::point`]\(0\) for none. Machines fail independently; a machine without draws is left out. A life
/// without end is one that outlasts the horizon.
///
/// # Errors
/// If the horizon is not above 0, or a life is NaN: an unknown life must not count as one that never ends.
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
        if let Some(value) = draws.iter().copied().find(|life_h| life_h.is_nan()) {
            let must_be = "a number of hours; leave unknown draws out";
            return Err(Error::Number { what: "life of a machine", value, must_be });
        }
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
/// over what may be needed. No other level has a lower expected cost, so objective and bound are the same.
///
/// # Errors
/// If a cost is not above 0.
///
/// ```
/// use optimize::{Basis, stock::{Pmf, spares::{Spare, recommend}}};
/// let bearing = Spare { name: "bearing".into(), on_hand: 0, on_order: 0, surplus_cost: 10.0, shortage_cost: 90.0 };
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };
/// // One is needed with 1/2: having it costs 10 · 1/2, not having it 90 · 1/2.
/// let advice = recommend(&Pmf::one_with(0.5)?, &bearing, &basis)?.expect("order one");
/// assert_eq!((advice.gain.expected, advice.bounds.objective), (40.0, 5.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn recommend(
    need: &Pmf,
    spare: &Spare,
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let level = order_up_to(need, spare)?;
    let position = spare.on_hand.saturating_add(spare.on_order);
    if level <= position {
        return Ok(None);
    }
    // More need only makes the order worth more, so quantiles of need are quantiles of the gain.
    let gain = |needed: usize| spare.cost(position, needed) - spare.cost(level, needed);
    let (low, high) = (gain(need.quantile(0.05)), gain(need.quantile(0.95)));
    let gain = Gain::likely(need.expect(gain), low, high, basis.currency);
    let enough = |stock: usize| 100.0 * need.probabilities().iter().take(stock + 1).sum::<f64>();
    let summary = format!(
        "order {} of {}: what is there is enough with {:.0} %, then with {:.0} %",
        level - position,
        spare.name,
        enough(position),
        enough(level)
    );
    let ratio_percent = 100.0 * spare.shortage_cost / (spare.shortage_cost + spare.surplus_cost);
    let least = need.expect(|needed| spare.cost(level, needed));
    let what = format!("pieces of {} on the shelf or ordered", spare.name);
    Ok(Some(
        Recommendation::new(summary, gain, basis.valid_until_us)
            .step(what, Some(position.to_string()), level.to_string())
            .constraint(
                "probability of having enough above the critical ratio, in percent",
                enough(level) - ratio_percent,
            )
            .window(basis.window_us)
            .input("expected need", format!("{:.2}", need.mean()))
            .input("surplus cost", spare.surplus_cost)
            .input("shortage cost", spare.shortage_cost)
            .bounds(least, Some(least)),
    ))
}

impl Spare {
    fn cost(&self, stock: usize, needed: usize) -> f64 {
        let left = stock.saturating_sub(needed) as f64 * self.surplus_cost;
        left + needed.saturating_sub(stock) as f64 * self.shortage_cost
    }
}
