//! Directions of wear: what sensors do together as machines age.

use faer::{Mat, Side};
use serde::{Deserialize, Serialize};

use super::features::History;

/// Most directions that are followed.
const MAX_DIRECTIONS: usize = 3;

/// Weighted sums of normalized sensors that change most between a machine's first rows and later ones.
///
/// Source: principal components (Hotelling (1933)) of the deviations from each machine's own baseline. No label
/// is used, so that folds stay honest. Single sensors are noisy; their common movement is not.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Wear {
    /// One weight per sensor and direction.
    #[serde(with = "crate::saved")]
    directions: Vec<Vec<f64>>,
}

impl Wear {
    pub(super) fn none() -> Wear {
        Wear { directions: Vec::new() }
    }

    /// `histories`: calls its argument with the record of each machine after each row.
    pub(super) fn fit(n_sensors: usize, histories: impl FnOnce(&mut dyn FnMut(&History))) -> Wear {
        let mut products = Mat::<f64>::zeros(n_sensors, n_sensors);
        let mut deviations = vec![0.0; n_sensors];
        histories(&mut |history| {
            history.deviations(&mut deviations);
            for (i, &a) in deviations.iter().enumerate().filter(|(_, a)| a.is_finite()) {
                for (j, &b) in deviations[..=i].iter().enumerate().filter(|(_, b)| b.is_finite()) {
                    products[(i, j)] += a * b;
                }
            }
        });
        let Ok(eigen) = products.self_adjoint_eigen(Side::Lower) else { return Wear::none() };
        let n = n_sensors.min(MAX_DIRECTIONS);
        let direction = |k: usize| -> Vec<f64> {
            (0..n_sensors).map(|i| eigen.U()[(i, n_sensors - 1 - k)]).collect()
        };
        Wear { directions: (0..n).map(direction).collect() }
    }

    /// Whether what was read from a file fits so many sensors.
    pub(super) fn fits(&self, n_sensors: usize) -> bool {
        self.directions.iter().all(|weights| weights.len() == n_sensors)
    }

    pub(super) fn count(&self) -> usize {
        self.directions.len()
    }

    /// Appends the sums to a row of normalized sensors; a missing sensor counts as normal.
    pub(super) fn extend(&self, row: &mut Vec<f64>) {
        let n_sensors = row.len();
        for weights in &self.directions {
            let product = |(w, x): (&f64, &f64)| if x.is_finite() { w * x } else { 0.0 };
            row.push(weights.iter().zip(&row[..n_sensors]).map(product).sum());
        }
    }
}
