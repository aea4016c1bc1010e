//! Which parts will fail, and from which probability on it pays to stop them.
//!
//! A bag of gradient-boosted forests gives probabilities; each forest leaves out one fold of the rows, and the
//! rows of that fold are judged by it alone. The threshold is the one that would have cost least on these judgements
//! (Elkan (2001), "The foundations of cost-sensitive learning", found empirically instead of from the calibrated
//! probability). It has seen the labels, so judge the whole on rows that [`train`] did not get.

use serde::{Deserialize, Serialize};

use crate::trees::{self, Data, Forest, Objective, Params, grouped_folds};

/// What a wrong verdict costs, in any one currency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Costs {
    /// A defect that was let through.
    pub miss: f64,
    /// A good part that was stopped.
    pub false_alarm: f64,
}

/// Verdicts counted against the truth.
///
/// ```
/// use analytics::quality::predict::{Confusion, Costs};
/// let found = Confusion::of(&[0.9, 0.8, 0.3, 0.1], &[1.0, 0.0, 1.0, 0.0], 0.5);
/// assert_eq!((found.hits, found.misses, found.false_alarms, found.passes), (1, 1, 1, 1));
/// assert_eq!(found.f1(), 0.5); // half of the stopped, half of the defects
/// assert_eq!(found.cost(Costs { miss: 10.0, false_alarm: 1.0 }), 11.0);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Confusion {
    /// Defects that were stopped.
    pub hits: usize,
    /// Defects that were let through.
    pub misses: usize,
    /// Good parts that were stopped.
    pub false_alarms: usize,
    /// Good parts that were let through.
    pub passes: usize,
}

impl Confusion {
    /// Counts what a threshold does: a part is stopped if its probability is at least the threshold.
    ///
    /// `probabilities` and `labels` (1 defect, 0 good): n values each.
    pub fn of(probabilities: &[f64], labels: &[f64], threshold: f64) -> Confusion {
        let mut counts = Confusion::default();
        for (&p, &label) in probabilities.iter().zip(labels) {
            let place = match (p >= threshold, label > 0.5) {
                (true, true) => &mut counts.hits,
                (false, true) => &mut counts.misses,
                (true, false) => &mut counts.false_alarms,
                (false, false) => &mut counts.passes,
            };
            *place += 1;
        }
        counts
    }

    /// Harmonic mean of precision and recall; NaN if there are neither defects nor stopped parts.
    pub fn f1(&self) -> f64 {
        let found = 2.0 * self.hits as f64;
        found / (found + (self.misses + self.false_alarms) as f64)
    }

    /// What these verdicts cost.
    pub fn cost(&self, costs: Costs) -> f64 {
        self.misses as f64 * costs.miss + self.false_alarms as f64 * costs.false_alarm
    }
}

/// The threshold that costs least: halfway between the two probabilities that it parts.
///
/// `probabilities` and `labels` (1 defect, 0 good): n values each. Of equally cheap thresholds the highest;
/// infinity if stopping nothing is cheapest, negative infinity if stopping everything is. Cost: O(n log n).
///
/// ```
/// use analytics::quality::predict::{Costs, cheapest_threshold};
/// let (probabilities, labels) = ([0.1, 0.3, 0.6, 0.9], [0.0, 1.0, 0.0, 1.0]);
/// // A miss costs ten times a false alarm: better stop the good part at 0.6 than let the defect at 0.3 through.
/// let dear = Costs { miss: 10.0, false_alarm: 1.0 };
/// assert_eq!(cheapest_threshold(&probabilities, &labels, dear), 0.2);
/// let cheap = Costs { miss: 1.0, false_alarm: 10.0 };
/// assert_eq!(cheapest_threshold(&probabilities, &labels, cheap), 0.75);
/// ```
pub fn cheapest_threshold(probabilities: &[f64], labels: &[f64], costs: Costs) -> f64 {
    let mut pairs: Vec<(f64, f64)> =
        probabilities.iter().copied().zip(labels.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| b.0.total_cmp(&a.0));
    let mut cost = costs.miss * pairs.iter().filter(|pair| pair.1 > 0.5).count() as f64;
    let (mut least, mut threshold) = (cost, f64::INFINITY);
    for (i, &(probability, label)) in pairs.iter().enumerate() {
        cost += if label > 0.5 { -costs.miss } else { costs.false_alarm };
        let next = pairs.get(i + 1).map(|pair| pair.0);
        if next != Some(probability) && cost < least {
            least = cost;
            threshold = next.map_or(f64::NEG_INFINITY, |next| f64::midpoint(probability, next));
        }
    }
    threshold
}

/// A trained predictor of defects.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predictor {
    #[serde(with = "crate::saved")]
    bag: Vec<Forest>,
    /// Parts with at least this probability are to be stopped; infinite if none are, negative infinity if all are.
    #[serde(with = "crate::saved")]
    pub threshold: f64,
    /// Probability of each training row by the forest that had not seen it.
    #[serde(with = "crate::saved")]
    pub held_out: Vec<f64>,
}

/// Learns to predict defects.
///
/// `columns`: d features of n parts, NaN is missing. `labels`: 1 defect, 0 good. `groups`: rows that belong together
/// (a machine, a batch) and are never on both sides of a fold; give each row its own where there are none.
/// `params`: of each forest, whose objective is set to [`Objective::Logistic`].
///
/// # Errors
/// As [`trees::train`], and if there are fewer than two groups.
///
/// ```
/// use analytics::quality::predict::{Costs, train};
/// use analytics::trees::Params;
/// // Parts tear above 80 degrees.
/// let heat: Vec<f64> = (0..400).map(|i| f64::from(i * 37 % 100)).collect();
/// let torn: Vec<f64> = heat.iter().map(|heat| f64::from(u8::from(*heat > 80.0))).collect();
/// let groups: Vec<u64> = (0..400).collect();
/// let costs = Costs { miss: 5.0, false_alarm: 1.0 };
/// let predictor = train(&[heat], &torn, &groups, costs, 4, &Params::default())?;
/// assert!(predictor.must_stop(&[95.0]) && !predictor.must_stop(&[50.0]));
/// # Ok::<(), analytics::trees::Error>(())
/// ```
pub fn train(
    columns: &[Vec<f64>],
    labels: &[f64],
    groups: &[u64],
    costs: Costs,
    n_folds: usize,
    params: &Params,
) -> Result<Predictor, trees::Error> {
    if groups.len() != labels.len() {
        let (found, expected) = (groups.len(), labels.len());
        return Err(trees::Error::Ragged { what: "the groups".into(), found, expected });
    }
    let data = Data { columns, target: labels, weights: None };
    trees::check(&data, params)?;
    let folds = grouped_folds(groups, n_folds, params.seed);
    if folds.is_empty() {
        return Err(trees::Error::Empty);
    }
    let params = Params { objective: Objective::Logistic, ..params.clone() };
    let (bag, held_out) = trees::bag(&data, &params, &folds)?;
    Ok(Predictor { bag, threshold: cheapest_threshold(&held_out, labels, costs), held_out })
}

impl Predictor {
    /// Probability that a part is defective: the mean of the bag.
    ///
    /// # Panics
    /// If the row has another number of values than there were columns.
    pub fn probability(&self, row: &[f64]) -> f64 {
        self.bag.iter().map(|forest| forest.predict(row)).sum::<f64>() / self.bag.len() as f64
    }

    /// Whether it is cheaper to stop the part.
    ///
    /// # Panics
    /// As [`Predictor::probability`].
    pub fn must_stop(&self, row: &[f64]) -> bool {
        self.probability(row) >= self.threshold
    }

    /// Which columns make a part suspicious: the mean of the forests' explanations, d log odds.
    ///
    /// # Panics
    /// As [`Predictor::probability`].
    pub fn reasons(&self, row: &[f64]) -> Vec<f64> {
        let mut sums = vec![0.0; row.len()];
        for forest in &self.bag {
            let shares = forest.explain(row).shares;
            sums.iter_mut().zip(shares).for_each(|(sum, share)| *sum += share);
        }
        sums.iter().map(|sum| sum / self.bag.len() as f64).collect()
    }
}
