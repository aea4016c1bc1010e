//! Stages in a row, each fed by the one above: echelon base-stock levels.

use super::{Demand, Error, not_negative, positive};

/// A stage of a serial system.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stage {
    /// What holding a piece here costs more than one stage up, per unit of time.
    pub echelon_holding_cost: f64,
    /// From shipment by the stage above, or the supplier, to arrival here.
    pub lead_time: f64,
}

/// Best levels and their cost.
#[derive(Debug, Clone, PartialEq)]
pub struct Levels {
    /// Echelon base-stock level of each stage: what is to be here, below, and on the way here.
    pub echelon: Vec<f64>,
    /// Expected cost per unit of time, without pieces on the way.
    pub cost: f64,
}

/// Points of the grid on which cost functions are kept for normal demand.
const N_POINTS: usize = 2400;
/// Grid reaches this many standard deviations beyond the demand of the whole lead time.
const REACH: f64 = 6.0;
/// Largest grid for whole pieces.
const MAX_PIECES: f64 = 20_000.0;

/// The best echelon base-stock levels of a serial system under continuous review.
///
/// `stages`: from the one that serves the customer upwards. `shortage_cost`: per piece owed to the customer and unit
/// of time. Levels are whole for Poisson demand, and exact to about a thousandth of a standard deviation for
/// normal demand. Cost: O(stages · grid²), some 10 ms per stage.
///
/// Source: Clark & Scarf (1960), the recursion as in Snyder & Shen §6.2.2: with C̲₀(x) = (p + Σh′) x⁻,
/// Ĉⱼ(x) = h′ⱼ x + C̲ⱼ₋₁(x), Cⱼ(y) = E Ĉⱼ(y − Dⱼ), Sⱼ its least point and C̲ⱼ(x) = Cⱼ(min{Sⱼ, x}).
/// Each function is piecewise linear, so that the expectation is a sum of loss functions in closed form.
///
/// # Errors
/// If there is no stage, a number is out of its range, or Poisson demand asks for more than 20,000 pieces.
///
/// ```
/// use optimize::stock::{Demand, newsvendor::newsvendor, serial::{Stage, base_stock}};
/// // One stage is a newsvendor over the lead time.
/// let demand = Demand::Normal { mean: 5.0, sd: 1.0 };
/// let one = base_stock(&[Stage { echelon_holding_cost: 3.0, lead_time: 4.0 }], 30.0, demand)?;
/// let same = newsvendor(3.0, 30.0, demand.over(4.0))?;
/// assert!((one.echelon[0] - same.level).abs() < 0.01 && (one.cost - same.cost).abs() < 1e-3);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn base_stock(stages: &[Stage], shortage_cost: f64, demand: Demand) -> Result<Levels, Error> {
    let owed = check(stages, shortage_cost, demand)?;
    recursion(stages, owed, demand, &Grid::around(stages, demand, 0.0)?, None)
}

/// Expected cost per unit of time of any echelon base-stock levels, computed like [`base_stock`].
///
/// Normal demand: levels between two points of the grid count as the nearer one.
///
/// # Errors
/// As for [`base_stock`], or if there is not one finite level per stage.
///
/// ```
/// use optimize::stock::{Demand, serial::{Stage, base_stock, cost_of}};
/// // Two stages, Poisson demand: one piece more than the best is dearer.
/// let stages = [Stage { echelon_holding_cost: 1.0, lead_time: 1.0 }; 2];
/// let best = base_stock(&stages, 9.0, Demand::Poisson { mean: 2.0 })?;
/// let cost = |levels: &[f64]| cost_of(&stages, 9.0, Demand::Poisson { mean: 2.0 }, levels);
/// assert!((cost(&best.echelon)? - best.cost).abs() < 1e-9);
/// assert!(cost(&[best.echelon[0] + 1.0, best.echelon[1]])? >= best.cost);
/// # Ok::<(), optimize::stock::Error>(())
/// ```
pub fn cost_of(
    stages: &[Stage],
    shortage_cost: f64,
    demand: Demand,
    levels: &[f64],
) -> Result<f64, Error> {
    let owed = check(stages, shortage_cost, demand)?;
    if levels.len() != stages.len() {
        let value = levels.len() as f64;
        return Err(Error::Number { what: "number of levels", value, must_be: "one per stage" });
    }
    for level in levels {
        not_negative("echelon level", *level)?;
    }
    let grid = Grid::around(stages, demand, levels.iter().copied().fold(0.0, f64::max))?;
    Ok(recursion(stages, owed, demand, &grid, Some(levels))?.cost)
}

/// What a piece owed costs at the lowest stage, p + Σh′, if the numbers can be.
fn check(stages: &[Stage], shortage_cost: f64, demand: Demand) -> Result<f64, Error> {
    let p = positive("shortage cost", shortage_cost)?;
    demand.check()?;
    positive("number of stages", stages.len() as f64)?;
    for stage in stages {
        positive("echelon holding cost", stage.echelon_holding_cost)?;
        not_negative("lead time", stage.lead_time)?;
    }
    positive(
        "sum of the costs",
        p + stages.iter().map(|stage| stage.echelon_holding_cost).sum::<f64>(),
    )
}

/// From the customer upwards: the cost of each stage, with the best level or the one given.
fn recursion(
    stages: &[Stage],
    owed: f64,
    demand: Demand,
    grid: &Grid,
    given: Option<&[f64]>,
) -> Result<Levels, Error> {
    let mut below =
        Function { values: grid.xs().map(|x| owed * (-x).max(0.0)).collect(), left_slope: -owed };
    let mut levels = Levels { echelon: Vec::new(), cost: 0.0 };
    for (stage_idx, stage) in stages.iter().enumerate() {
        let h = stage.echelon_holding_cost;
        let values = grid.xs().zip(&below.values).map(|(x, cost)| h * x + cost).collect();
        let here = Function { values, left_slope: below.left_slope + h };
        let expected = grid.expectation(&here, demand.over(stage.lead_time));
        let (idx, level, cost) = match given {
            None => grid.least(&expected, demand),
            Some(levels) => grid.nearest(&expected, levels[stage_idx]),
        };
        levels.echelon.push(level);
        levels.cost = not_negative("cost of the stages", cost)?;
        below = expected;
        below.values[idx..].fill(cost);
    }
    Ok(levels)
}

/// Values on the grid; to the left of it a straight line.
struct Function {
    values: Vec<f64>,
    left_slope: f64,
}

/// Equal steps from at or below 0; 0 is on the grid.
struct Grid {
    low: f64,
    step: f64,
    n: usize,
}

impl Grid {
    /// Around the demand of all lead times, and up to `most`.
    fn around(stages: &[Stage], demand: Demand, most: f64) -> Result<Self, Error> {
        let (mut time, mut low, mut high) = (0.0, 0.0_f64, most.max(1.0));
        for stage in stages {
            time += stage.lead_time;
            let lead = demand.over(time);
            low = low.min(lead.mean() - REACH * lead.sd());
            high = high.max(lead.mean() + REACH * lead.sd() + 1.0);
        }
        if matches!(demand, Demand::Poisson { .. }) {
            if high > MAX_PIECES {
                let must_be = "at most 20,000 pieces; give large demand as normal";
                return Err(Error::Number {
                    what: "demand over all lead times",
                    value: high,
                    must_be,
                });
            }
            // Demand is never negative, so left of 0 all functions are straight.
            return Ok(Self { low: 0.0, step: 1.0, n: high.ceil() as usize + 20 });
        }
        let step = positive("demand over all lead times", (high - low) / N_POINTS as f64)?;
        Ok(Self { low: (low / step).floor() * step, step, n: N_POINTS + 2 })
    }

    fn xs(&self) -> impl Iterator<Item = f64> + '_ {
        (0..self.n).map(|idx| self.low + idx as f64 * self.step)
    }

    /// E f(y − D) at each y: f is a straight line plus a bend at each point, and the expectation of a bend at x is
    /// bend · E\[(y − x − D)⁺\].
    fn expectation(&self, f: &Function, demand: Demand) -> Function {
        let n = self.n;
        let mut bends = Vec::with_capacity(n);
        let mut slope = f.left_slope;
        for idx in 0..n - 1 {
            let next = (f.values[idx + 1] - f.values[idx]) / self.step;
            bends.push(next - slope);
            slope = next;
        }
        // Entry n − 1 + k holds the expectation for y − x = k steps.
        let left: Vec<f64> = (0..2 * n - 1)
            .map(|idx| demand.expected_left((idx as f64 - (n - 1) as f64) * self.step))
            .collect();
        let value = |(idx, y): (usize, f64)| {
            let line = f.values[0] + f.left_slope * (y - demand.mean() - self.low);
            let curved: f64 =
                bends.iter().enumerate().map(|(at, bend)| bend * left[n - 1 + idx - at]).sum();
            line + curved
        };
        Function { values: self.xs().enumerate().map(value).collect(), left_slope: f.left_slope }
    }

    /// Index, place and value of the point nearest to a level.
    fn nearest(&self, f: &Function, level: f64) -> (usize, f64, f64) {
        let idx = ((level - self.low) / self.step).round().max(0.0) as usize;
        let idx = idx.min(self.n - 1);
        (idx, self.low + idx as f64 * self.step, f.values[idx])
    }

    /// Index, place and value of the least point; between the grid points for normal demand.
    fn least(&self, f: &Function, demand: Demand) -> (usize, f64, f64) {
        let values = &f.values;
        let mut idx = 0;
        for (at, value) in values.iter().enumerate() {
            if *value < values[idx] {
                idx = at;
            }
        }
        let x = self.low + idx as f64 * self.step;
        if matches!(demand, Demand::Poisson { .. }) || idx == 0 || idx + 1 == values.len() {
            return (idx, x, values[idx]);
        }
        let (before, here, after) = (values[idx - 1], values[idx], values[idx + 1]);
        let shift = 0.5 * (before - after) / (before - 2.0 * here + after);
        let value = here - 0.25 * (before - after) * shift;
        (idx, x + shift * self.step, value)
    }
}
