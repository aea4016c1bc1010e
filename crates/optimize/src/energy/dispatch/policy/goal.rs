//! Tiers that a month may still end in, and the draw that keeps each of them.

use super::super::{DemandCharge, Problem};

/// Steps of the fee when every kW of the peak costs.
const N_LEVELS: usize = 8;
/// Slack of the mean peak, so that a draw right at the limit keeps its tier.
const TOLERANCE_KW: f64 = 1e-6;

/// What peaks cost, as tiers by the mean of the highest days.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Fees {
    /// Upper limit in kW and fee, both rising; never empty, the last reaches to the grid connection.
    tiers: Vec<(f64, f64)>,
    n_days: usize,
    grid_kw: f64,
}

/// A tier as a goal: its fee and the most that may be drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Goal {
    pub(super) tier: usize,
    pub(super) fee: f64,
    /// On the day of the first step.
    pub(super) today_kw: f64,
    /// On all days after it.
    pub(super) later_kw: f64,
}

impl Fees {
    pub(super) fn new(problem: &Problem) -> Self {
        let grid_kw = problem.grid_kw;
        let level = |idx: usize| grid_kw * idx as f64 / N_LEVELS as f64;
        let (mut tiers, n_days) = match &problem.demand {
            DemandCharge::None => (Vec::new(), 1),
            DemandCharge::PerKw(price) => {
                ((1..=N_LEVELS).map(|idx| (level(idx), price * level(idx))).collect(), 1)
            }
            DemandCharge::Tiered { tiers, n_days, .. } => (tiers.clone(), (*n_days).max(1)),
        };
        match tiers.last_mut() {
            Some(last) => last.0 = last.0.max(grid_kw),
            None => tiers.push((grid_kw, 0.0)),
        }
        Self { tiers, n_days, grid_kw }
    }

    /// Tiers still open, lowest first; the last is always among them.
    ///
    /// `past_kw`: peaks of this month's other days. `days_left`: days of this month from today on.
    pub(super) fn goals(&self, past_kw: &[f64], today_kw: f64, days_left: usize) -> Vec<Goal> {
        let past = falling(past_kw);
        let with_today = falling(&[past_kw, &[today_kw]].concat());
        let goal = |(tier, (limit, fee)): (usize, &(f64, f64))| {
            let is_last = tier + 1 == self.tiers.len();
            if !is_last && self.most_kw(*limit, &with_today, 0).is_none() {
                return None;
            }
            let even = self.most_kw(*limit, &past, days_left).unwrap_or(self.grid_kw);
            let after = self.most_kw(*limit, &with_today, days_left.saturating_sub(1));
            let is_over = today_kw > even;
            let later = if is_over { after.unwrap_or(self.grid_kw) } else { even };
            let today_kw = even.max(today_kw).min(self.grid_kw);
            Some(Goal { tier, fee: *fee, today_kw, later_kw: later.min(self.grid_kw) })
        };
        self.tiers.iter().enumerate().filter_map(goal).collect()
    }

    /// The same draw for each of `days_left` days that keeps the mean of the highest n days at `limit`.
    ///
    /// With the past peaks p₁ ≥ p₂ ≥ … and j of the n highest yet to come, p₁ + … + pₙ₋ⱼ + j·x ≤ n·limit must hold for
    /// every j: x is the least of (n·limit − p₁ − … − pₙ₋ⱼ) / j. None if the past alone is above the limit.
    fn most_kw(&self, limit: f64, past_falling: &[f64], days_left: usize) -> Option<f64> {
        let budget = self.n_days as f64 * (limit + TOLERANCE_KW);
        let highest = |n: usize| past_falling.iter().take(n).sum::<f64>();
        if highest(self.n_days) > budget {
            return None;
        }
        let shares = (1..=self.n_days.min(days_left)).map(|to_come| {
            (budget - highest(self.n_days - to_come)) / to_come as f64 - TOLERANCE_KW
        });
        Some(shares.fold(f64::INFINITY, f64::min))
    }

    /// The lowest tier whose limit a month of this mean load can keep, as the soft goal of months after this one.
    pub(super) fn usual_kw(&self, mean_load_kw: f64) -> f64 {
        let fits = |(limit, _): &&(f64, f64)| *limit > 1.03 * mean_load_kw;
        self.tiers.iter().find(fits).map_or(self.grid_kw, |(limit, _)| limit.min(self.grid_kw))
    }

    /// Limit of a tier.
    pub(super) fn limit_kw(&self, tier: usize) -> f64 {
        self.tiers[tier].0
    }
}

fn falling(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(past: &[f64], today: f64, days_left: usize, expected: &[(f64, f64)]) {
        let tiers = vec![(2.0, 83.0), (5.0, 147.0), (10.0, 252.0)];
        let fees = Fees { tiers, n_days: 3, grid_kw: 10.0 };
        let goals = fees.goals(past, today, days_left);
        let shown: Vec<(f64, f64)> = goals
            .iter()
            .map(|goal| ((goal.today_kw * 1e4).round() / 1e4, (goal.later_kw * 1e4).round() / 1e4))
            .collect();
        assert_eq!(shown, expected, "{past:?} {today} {days_left}");
    }

    #[test]
    fn what_may_be_drawn_follows_from_the_peaks_so_far() {
        check(&[], 0.0, 30, &[(2.0, 2.0), (5.0, 5.0), (10.0, 10.0)]);
        // One day at 7 leaves 4 for two others: 7 + 4 + 4 = 15; 2 kW on the mean are lost.
        check(&[7.0], 0.0, 20, &[(4.0, 4.0), (10.0, 10.0)]);
        // Today's 7 may go on today.
        check(&[], 7.0, 20, &[(7.0, 4.0), (10.0, 10.0)]);
        // The last day may take what two others left: 15 − 4 − 4.
        check(&[4.0, 4.0, 1.0], 0.0, 1, &[(7.0, 7.0), (10.0, 10.0)]);
        check(&[9.0, 5.0, 4.0], 0.0, 9, &[(10.0, 10.0)]);
        check(&[11.0, 11.0, 11.0], 0.0, 9, &[(10.0, 10.0)]);
    }
}
