//! Parts that are asked for now and then: demand per period as a distribution over whole pieces.
//!
//! [`pooled`] is the one to use where a plant has many parts: each part's own months, the recent ones counting more,
//! and a few months lent by parts that move alike. [`tsb`] with [`Pmf::negative_binomial`] needs no other parts.
//! Both give the demand of one period; [`Pmf::over`] sums periods, [`Pmf::quantile`] gives the order-up-to level.

use std::collections::HashMap;

use super::{Error, Pmf, not_negative};

/// Largest demand in one period; larger is no intermittent demand.
const MAX_PIECES: f64 = 100_000.0;

/// Probability and size of a demand, smoothed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rate {
    /// Probability that a period has a demand.
    pub probability: f64,
    /// Pieces if it has.
    pub size: f64,
}

impl Rate {
    /// Pieces per period.
    pub fn mean(&self) -> f64 {
        self.probability * self.size
    }
}

/// Teunter, Syntetos, Babai (2011): smooths the probability in every period and the size where there is demand.
///
/// `history`: pieces per period, oldest first; NaN periods are left out. `alpha` for the size, `beta` for the
/// probability, 0 to 1. Starts from the mean probability of the first 12 periods and the first size. `None` without
/// any demand.
///
/// # Errors
/// If a demand is negative, infinite or beyond 100,000 pieces, or a factor is out of range.
///
/// ```
/// use optimize::stock::intermittent::tsb;
/// let rate = tsb(&[2.0, 0.0, 2.0, 0.0], 0.1, 0.0)?.expect("there is demand");
/// assert_eq!((rate.probability, rate.size, rate.mean()), (0.5, 2.0, 1.0));
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn tsb(history: &[f64], alpha: f64, beta: f64) -> Result<Option<Rate>, Error> {
    for (what, value) in [("alpha", alpha), ("beta", beta)] {
        if !(0.0..=1.0).contains(&value) {
            return Err(Error::Number { what, value, must_be: "between 0 and 1" });
        }
    }
    let known = pieces(history)?;
    let Some(mut size) = known.iter().copied().find(|demand| *demand > 0.0) else {
        return Ok(None);
    };
    let begin = &known[..known.len().min(12)];
    let mut probability = begin.iter().filter(|d| **d > 0.0).count() as f64 / begin.len() as f64;
    for demand in known {
        probability += beta * (f64::from(u8::from(demand > 0.0)) - probability);
        if demand > 0.0 {
            size += alpha * (demand - size);
        }
    }
    Ok(Some(Rate { probability, size }))
}

/// How [`pooled`] weighs months.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pooling {
    /// Weight of a period against that of the next, 0 to 1.
    pub decay: f64,
    /// Periods lent by the parts of the same class.
    pub lent: f64,
}

impl Default for Pooling {
    /// 0.9 and 8: chosen on the first 39 months of the car-parts data set, for monthly demand.
    fn default() -> Self {
        Self { decay: 0.9, lent: 8.0 }
    }
}

/// Demand of one period for each of many parts.
///
/// Each part's own periods, weighted by age, plus `lent` periods of the mean of its class. A class is a range of
/// mean size and of frequency of demand. A part without any known period has the mean of all. This is a weighted
/// bootstrap (Willemain, Smart, Schwarz 2004) without drawing: sums of periods are exact convolutions.
/// Cost: O(all periods + classes · longest demand).
///
/// # Errors
/// If a demand is negative, infinite or beyond 100,000 pieces, or a weight is out of range.
///
/// ```
/// use optimize::stock::intermittent::{Pooling, pooled};
/// let alone = Pooling { decay: 1.0, lent: 0.0 };
/// let demand = pooled(&[&[0.0, 0.0, 3.0, 0.0]], alone)?;
/// assert_eq!(demand[0].probabilities(), [0.75, 0.0, 0.0, 0.25]);
/// assert_eq!(demand[0].over(2).quantile(0.95), 6); // 0.25² = 6 % of pairs of months need six
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn pooled(histories: &[&[f64]], pooling: Pooling) -> Result<Vec<Pmf>, Error> {
    let Pooling { decay, lent } = pooling;
    if !(decay > 0.0 && decay <= 1.0) {
        return Err(Error::Number {
            what: "decay",
            value: decay,
            must_be: "above 0 and at most 1",
        });
    }
    not_negative("lent periods", lent)?;
    let own: Result<Vec<Weights>, Error> =
        histories.iter().map(|history| Weights::of(history, decay)).collect();
    let own = own?;
    let mut classes: HashMap<(usize, usize), Weights> = HashMap::new();
    for weights in &own {
        classes.entry(weights.class()).or_default().add(weights, 1.0);
    }
    own.iter().map(|weights| weights.with(&classes[&weights.class()], lent)).collect()
}

/// Weight of periods with 0, 1, 2, … pieces.
#[derive(Debug, Clone, Default)]
struct Weights(Vec<f64>);

impl Weights {
    fn of(history: &[f64], decay: f64) -> Result<Self, Error> {
        let mut weights = Self::default();
        let mut weight = 1.0;
        for demand in pieces(history)?.iter().rev() {
            let n = demand.round() as usize;
            weights.0.resize(weights.0.len().max(n + 1), 0.0);
            weights.0[n] += weight;
            weight *= decay;
        }
        Ok(weights)
    }

    fn sum(&self) -> f64 {
        self.0.iter().sum()
    }

    fn add(&mut self, other: &Self, factor: f64) {
        self.0.resize(self.0.len().max(other.0.len()), 0.0);
        for (into, weight) in self.0.iter_mut().zip(&other.0) {
            *into += factor * weight;
        }
    }

    /// Range of the mean size and of the share of periods with demand.
    fn class(&self) -> (usize, usize) {
        let asked: f64 = self.0.iter().skip(1).sum();
        let total: f64 = self.0.iter().enumerate().map(|(n, weight)| n as f64 * weight).sum();
        let size = if asked > 0.0 { total / asked } else { 0.0 };
        let share = if asked > 0.0 { asked / self.sum() } else { 0.0 };
        let range = |limits: &[f64], value: f64| limits.partition_point(|limit| *limit <= value);
        (range(&[1.01, 1.5, 2.5, 4.0, 8.0, 16.0], size), range(&[0.05, 0.1, 0.2, 0.4, 0.7], share))
    }

    fn with(&self, class: &Self, lent: f64) -> Result<Pmf, Error> {
        let mut all = self.clone();
        if class.sum() > 0.0 {
            all.add(class, lent / class.sum());
        }
        if all.sum() == 0.0 {
            return Ok(Pmf::point(0));
        }
        Pmf::from_weights(&all.0)
    }
}

/// The known demands, checked.
fn pieces(history: &[f64]) -> Result<Vec<f64>, Error> {
    let known: Vec<f64> = history.iter().copied().filter(|demand| !demand.is_nan()).collect();
    let is_sound = |demand: &f64| *demand >= 0.0 && *demand <= MAX_PIECES;
    match known.iter().find(|demand| !is_sound(demand)) {
        Some(value) => Err(Error::Number {
            what: "demand",
            value: *value,
            must_be: "between 0 and 100,000 pieces",
        }),
        None => Ok(known),
    }
}
