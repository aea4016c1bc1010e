//! The losses: where boosting starts, which way is down, and what a leaf answers.

use super::Objective;

impl Objective {
    /// Raw scores that a row has.
    pub(super) fn n_outputs(self) -> usize {
        if let Objective::Softmax(n_classes) = self { n_classes } else { 1 }
    }

    pub(super) fn is_valid(self) -> bool {
        match self {
            Objective::Quantile(level) => level > 0.0 && level < 1.0,
            Objective::Softmax(n_classes) => (2..=1024).contains(&n_classes),
            _ => true,
        }
    }

    pub(super) fn accepts(self, target: f64) -> bool {
        match self {
            Objective::Logistic => target == 0.0 || target == 1.0,
            Objective::Softmax(n) => target >= 0.0 && target < n as f64 && target.fract() == 0.0,
            _ => target.is_finite(),
        }
    }

    /// The best constant raw scores.
    pub(super) fn base(self, target: &[f64], weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let total: f64 = (0..target.len()).map(&weight).sum();
        let share = |class: f64| {
            let of_class: f64 =
                (0..target.len()).filter(|&i| target[i] == class).map(&weight).sum();
            (of_class / total).clamp(1e-9, 1.0 - 1e-9)
        };
        match self {
            Objective::L2 => {
                vec![target.iter().enumerate().map(|(i, y)| y * weight(i)).sum::<f64>() / total]
            }
            Objective::L1 | Objective::Quantile(_) => {
                let mut pairs: Vec<(f64, f64)> =
                    target.iter().enumerate().map(|(i, &y)| (y, weight(i))).collect();
                vec![quantile(&mut pairs, self.level())]
            }
            Objective::Logistic => {
                let p = share(1.0);
                vec![(p / (1.0 - p)).ln()]
            }
            Objective::Softmax(n_classes) => {
                (0..n_classes).map(|class| share(class as f64).ln()).collect()
            }
        }
    }

    /// Gradient and Hessian of the loss of one row with respect to raw score `output`.
    ///
    /// `probabilities` are those of all classes, for [`Objective::Softmax`] only.
    pub(super) fn gradient(
        self,
        target: f64,
        raw: f64,
        output: usize,
        probability: f64,
    ) -> (f64, f64) {
        match self {
            Objective::L2 => (raw - target, 1.0),
            Objective::L1 | Objective::Quantile(_) => {
                let level = self.level();
                (if target > raw { -level } else { 1.0 - level }, 1.0)
            }
            Objective::Logistic => {
                let p = sigmoid(raw);
                (p - target, (p * (1.0 - p)).max(1e-16))
            }
            Objective::Softmax(n_classes) => {
                let is_class = f64::from(u8::from(target == output as f64));
                let factor = n_classes as f64 / (n_classes as f64 - 1.0);
                let hessian = factor * probability * (1.0 - probability);
                (probability - is_class, hessian.max(1e-16))
            }
        }
    }

    /// The residual quantile that a leaf of this loss answers; `None` means a Newton step.
    pub(super) fn leaf_level(self) -> Option<f64> {
        matches!(self, Objective::L1 | Objective::Quantile(_)).then(|| self.level())
    }

    fn level(self) -> f64 {
        if let Objective::Quantile(level) = self { level } else { 0.5 }
    }

    /// Turns raw scores into what the objective promises, in place.
    pub(super) fn finish(self, raw: &mut [f64]) {
        match self {
            Objective::Logistic => raw[0] = sigmoid(raw[0]),
            Objective::Softmax(_) => softmax(raw),
            _ => {}
        }
    }

    /// Loss of one row, given what [`Objective::finish`] made.
    pub(super) fn loss(self, target: f64, prediction: &[f64]) -> f64 {
        let p = |x: f64| x.clamp(1e-15, 1.0 - 1e-15);
        match self {
            Objective::L2 => (target - prediction[0]).powi(2),
            Objective::L1 => (target - prediction[0]).abs(),
            Objective::Quantile(level) => {
                let over = target - prediction[0];
                if over > 0.0 { level * over } else { (level - 1.0) * over }
            }
            Objective::Logistic if target == 1.0 => -p(prediction[0]).ln(),
            Objective::Logistic => -(1.0 - p(prediction[0])).ln(),
            Objective::Softmax(_) => -p(prediction[target as usize]).ln(),
        }
    }
}

pub(super) fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

pub(super) fn softmax(raw: &mut [f64]) {
    let highest = raw.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    for x in raw.iter_mut() {
        *x = (*x - highest).exp();
    }
    let sum: f64 = raw.iter().sum();
    for x in raw.iter_mut() {
        *x /= sum;
    }
}

/// The weighted quantile: the smallest value up to which `level` of the weight lies, or the middle of two
/// values where it lies exactly between them. 0 if there are none.
pub(super) fn quantile(pairs: &mut [(f64, f64)], level: f64) -> f64 {
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let total: f64 = pairs.iter().map(|(_, weight)| weight).sum();
    let wanted = level * total;
    let mut below = 0.0;
    for (i, (value, weight)) in pairs.iter().enumerate() {
        below += weight;
        if (below - wanted).abs() <= 1e-9 * total && i + 1 < pairs.len() {
            return f64::midpoint(*value, pairs[i + 1].0);
        }
        if below > wanted {
            return *value;
        }
    }
    pairs.last().map_or(0.0, |(value, _)| *value)
}
