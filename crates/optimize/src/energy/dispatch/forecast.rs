//! Loads and prices of the next days from those of the last weeks.

/// How [`same_hours`] looks back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Habit {
    /// Steps of a day.
    pub day: usize,
    /// Days looked back.
    pub n_days: usize,
    /// Weight of the same day of the week against other days.
    pub weekday_weight: f64,
    /// Share of the latest deviation that is left after one step.
    pub persistence: f64,
    /// Standard deviations of the past days to add, for caution where too little costs more than too much.
    pub margin: f64,
}

/// Expected values of the next `n` steps: a weighted mean of the same step on past days, plus what is left of the
/// deviation of the latest step.
///
/// `history`: past values, the latest last; NaN is left out. A step that no past day knows gets the last known value.
/// Cost: O(n · days).
///
/// ```
/// use optimize::energy::dispatch::forecast::{Habit, same_hours};
/// let habit = Habit { day: 2, n_days: 3, weekday_weight: 1.0, persistence: 0.0, margin: 0.0 };
/// assert_eq!(same_hours(&[1.0, 5.0, 1.0, 5.0], 3, habit), [1.0, 5.0, 1.0]);
/// ```
pub fn same_hours(history: &[f64], n: usize, habit: Habit) -> Vec<f64> {
    let now = history.len();
    let Some(latest) = history.iter().rev().copied().find(|value| !value.is_nan()) else {
        return vec![f64::NAN; n];
    };
    let deviation = now.checked_sub(1).and_then(|last| {
        let (usual, _) = habit.usual(&history[..last], last)?;
        let deviation = history[last] - usual;
        (!deviation.is_nan()).then_some(deviation)
    });
    let one = |ahead: usize| {
        let (usual, spread) = habit.usual(history, now + ahead).unwrap_or((latest, 0.0));
        usual
            + habit.margin * spread
            + deviation.unwrap_or(0.0) * habit.persistence.powi(ahead as i32 + 1)
    };
    (0..n).map(one).collect()
}

impl Habit {
    /// Weighted mean and standard deviation of the same step on past days.
    fn usual(&self, known: &[f64], step: usize) -> Option<(f64, f64)> {
        let (mut sum, mut squares, mut weights) = (0.0, 0.0, 0.0);
        for back in 1..=self.n_days {
            let Some(value) = step.checked_sub(back * self.day).and_then(|past| known.get(past))
            else {
                continue;
            };
            let weight = if back % 7 == 0 { self.weekday_weight } else { 1.0 };
            if !value.is_nan() {
                sum += weight * value;
                squares += weight * value * value;
                weights += weight;
            }
        }
        let mean = sum / weights;
        (weights > 0.0).then(|| (mean, (squares / weights - mean * mean).max(0.0).sqrt()))
    }
}
