//! Serial systems computed as the saved numbers were: demand cut at four standard deviations, on a grid.
//!
//! The exact recursion is [`optimize::stock::serial`]. This one exists to show that where we differ from the reference
//! by more than 1e-4, its grid is what makes the difference; and, on a fine grid, what any levels cost, so that the
//! levels of both can be judged by a third way.

use optimize::stock::Demand;

/// How fine the numbers are.
#[derive(Clone, Copy)]
pub(super) struct Fineness {
    /// Probability beyond which demand is cut, on either side.
    tail: f64,
    /// Steps of the grid of stock, and of the demand of one stage.
    n_stock: usize,
    n_demand: usize,
}

/// As the saved numbers: cut at four standard deviations of a normal.
pub(super) const AS_SAVED: Fineness =
    Fineness { tail: 3.167_124_183_312e-5, n_stock: 1_000, n_demand: 100 };
/// Cut at more than six standard deviations, in steps thirty times finer.
pub(super) const FINE: Fineness = Fineness { tail: 1e-10, n_stock: 30_000, n_demand: 3_000 };

/// Cost, and the echelon base-stock level of each stage, from the one that serves the customer upwards.
///
/// `stages`: echelon holding cost and lead time of each. `given`: levels to be judged; the best, if there are none.
pub(super) fn base_stock(
    stages: &[(f64, f64)],
    p: f64,
    demand: Demand,
    fineness: Fineness,
    given: &[f64],
) -> (f64, Vec<f64>) {
    let grid = Grid::over(demand.over(stages.iter().map(|stage| stage.1).sum()), fineness);
    let owed = p + stages.iter().map(|stage| stage.0).sum::<f64>();
    let mut below: Vec<f64> = grid.points().map(|x| owed * (-x).max(0.0)).collect();
    let (mut cost, mut levels) = (0.0, Vec::new());
    for (idx, &(h, lead_time)) in stages.iter().enumerate() {
        let here: Vec<f64> = grid.points().zip(&below).map(|(x, below)| h * x + below).collect();
        let left = |x: f64| left_of_grid(&stages[..=idx], owed, demand.mean(), x);
        let demands = cut(demand.over(lead_time), fineness);
        let expected = |y: f64| {
            let at = |&(d, share): &(f64, f64)| share * grid.value(&here, y - d, left);
            demands.iter().map(at).sum::<f64>()
        };
        let values: Vec<f64> = grid.points().map(expected).collect();
        let least = (0..values.len()).min_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0);
        let least = given.get(idx).map_or(least, |level| grid.nearest(*level));
        cost = values[least];
        levels.push(grid.low + least as f64 * grid.step);
        below = values;
        below[least..].fill(cost);
    }
    (cost, levels)
}

/// What the function of the last of `stages` tends to far below zero (Snyder & Shen, problem 6.13).
fn left_of_grid(stages: &[(f64, f64)], owed: f64, mean: f64, x: f64) -> f64 {
    let mut value = 0.0;
    let mut on_the_way = 0.0;
    for (idx, &(h, _)) in stages.iter().enumerate().rev() {
        value += h * (x - mean * on_the_way);
        on_the_way += if idx > 0 { stages[idx - 1].1 } else { 0.0 };
    }
    value - owed * (x - mean * on_the_way)
}

struct Grid {
    low: f64,
    step: f64,
    n: usize,
}

impl Grid {
    fn over(total: Demand, fineness: Fineness) -> Self {
        let Fineness { tail, n_stock, .. } = fineness;
        let high = total.quantile(1.0 - tail);
        if matches!(total, Demand::Poisson { .. }) {
            return Self { low: -high - 1.0, step: 1.0, n: 2 * high as usize + 1 };
        }
        let low = total.quantile(tail) - high;
        Self { low, step: (high - low) / n_stock as f64, n: n_stock }
    }

    fn nearest(&self, level: f64) -> usize {
        (((level - self.low) / self.step).round().max(0.0) as usize).min(self.n)
    }

    fn points(&self) -> impl Iterator<Item = f64> + '_ {
        (0..=self.n).map(|idx| self.low + idx as f64 * self.step)
    }

    /// The value at the nearest point; left of the grid that of a line.
    fn value(&self, values: &[f64], x: f64, left: impl Fn(f64) -> f64) -> f64 {
        let steps = ((x - self.low) / self.step).round();
        if steps < 0.0 {
            return left(self.low + steps * self.step);
        }
        values[(steps as usize).min(self.n)]
    }
}

/// Demand in steps with the share of each; the ends have what is beyond them.
fn cut(demand: Demand, fineness: Fineness) -> Vec<(f64, f64)> {
    let Fineness { tail, n_demand, .. } = fineness;
    let high = demand.quantile(1.0 - tail);
    let (low, step, n) = match demand {
        Demand::Poisson { .. } => (0.0, 1.0, high as usize),
        Demand::Normal { .. } => {
            let low = demand.quantile(tail).max(0.0);
            (low, (high - low) / n_demand as f64, n_demand)
        }
    };
    let up_to = |idx: usize| demand.cdf(low + (idx as f64 + 0.5) * step);
    let share = |idx: usize| {
        let to = if idx == n { 1.0 } else { up_to(idx) };
        to - if idx == 0 { 0.0 } else { up_to(idx - 1) }
    };
    (0..=n).map(|idx| (low + idx as f64 * step, share(idx))).collect()
}
