//! Conformal p-values into an e-process, as an alarm with a budget.
//!
//! The highest score of every [`BLOCK`] rows is ranked among those of known normal rows, which makes a p-value; the
//! e-process bets on small ones and rings at a limit of evidence, after which it begins anew. The theory bounds the
//! rate of alarms by 1 / evidence; the limit used here is the one that meets the rate on simulated, exchangeable
//! scores with as many known ones. No record has a part in it.

use analytics::detect::conformal::{Conformal, EProcess};

use crate::random::Random;

/// Rows that are one step: as many as end an episode, so that one episode is about one step.
pub(super) const BLOCK: usize = super::ROWS_TO_END as usize;
/// Simulated records by which the limit of evidence is set, and budgets that each of them lasts.
const RUNS: u64 = 200;
const BUDGETS: usize = 5;
const HALVINGS: usize = 14;

/// Alarms on `scores` with a budget of one in so many rows; `held_out`: scores of normal rows in time order.
pub(super) fn alarms(held_out: &[f64], scores: &[f64], limit: f64) -> usize {
    let known = Conformal::new(&maxima(held_out));
    let p_values: Vec<f64> = maxima(scores).iter().map(|score| known.p_value(*score)).collect();
    rings(&p_values, limit)
}

/// The logarithm of the evidence at which exchangeable scores ring once in `rows_per_false_alarm` rows, when `n_rows`
/// normal ones are known.
pub(super) fn limit(n_rows: usize, rows_per_false_alarm: f64) -> f64 {
    let steps = rows_per_false_alarm / BLOCK as f64;
    let record = |run: u64| -> Vec<f64> {
        let mut noise = Random::new(run);
        let known: Vec<f64> = (0..n_rows / BLOCK).map(|_| noise.uniform()).collect();
        let known = Conformal::new(&known);
        let n = (BUDGETS as f64 * steps).ceil() as usize;
        (0..n).map(|_| known.p_value(noise.uniform())).collect()
    };
    let records: Vec<Vec<f64>> = (0..RUNS).map(record).collect();
    let n_steps: usize = records.iter().map(Vec::len).sum();
    let (mut low, mut high) = (0.0, steps.ln().max(0.0) + 5.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        let n_rings: usize = records.iter().map(|record| rings(record, middle)).sum();
        let is_too_often = n_rings as f64 > n_steps as f64 / steps;
        *(if is_too_often { &mut low } else { &mut high }) = middle;
    }
    high
}

fn rings(p_values: &[f64], limit: f64) -> usize {
    let mut evidence = EProcess::default();
    let mut rings = |p: &&f64| {
        let has_rung = evidence.push(**p) >= limit;
        if has_rung {
            evidence.reset();
        }
        has_rung
    };
    p_values.iter().filter(&mut rings).count()
}

/// Highest score of each whole block.
fn maxima(scores: &[f64]) -> Vec<f64> {
    let highest = |block: &[f64]| block.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    scores.chunks_exact(BLOCK).map(highest).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(seed: u64, n: usize) -> Vec<f64> {
        let mut noise = Random::new(seed);
        (0..n).map(|_| noise.normal()).collect()
    }

    #[test]
    fn the_budget_is_met_on_fresh_noise_and_a_shift_rings() {
        let (n_known, budget) = (2000, 500.0);
        let limit = limit(n_known, budget);
        let of = |seed: u64| alarms(&noise(seed, n_known), &noise(seed + 1, 10_000), limit);
        let n_rings: usize = (0..20).map(|run| of(1_000_000 + 2 * run)).sum();
        assert!((200..=800).contains(&n_rings), "{n_rings} of 400");
        let shifted: Vec<f64> = noise(7, 1000).iter().map(|x| x + 3.0).collect();
        assert!(alarms(&noise(8, n_known), &shifted, limit) > 10);
    }
}
