//! Points of the unit cube: evenly spread, at random, and uphill.

use crate::random::Random;

/// A random point.
pub(super) fn point(random: &mut Random, n_axes: usize) -> Vec<f64> {
    (0..n_axes).map(|_| random.share()).collect()
}

/// `n` points that fill each axis evenly (McKay, Beckman, Conover 1979).
pub(super) fn latin_hypercube(random: &mut Random, n: usize, n_axes: usize) -> Vec<Vec<f64>> {
    let mut points = vec![vec![0.0; n_axes]; n];
    for axis in 0..n_axes {
        let mut cells: Vec<usize> = (0..n).collect();
        random.shuffle(&mut cells);
        for (point, cell) in points.iter_mut().zip(cells) {
            point[axis] = (cell as f64 + random.share()) / n as f64;
        }
    }
    points
}

/// Climbs from `start` inside the unit cube: tries steps along each axis, halves them when none helps.
pub(super) fn climb(
    start: Vec<f64>,
    step: f64,
    least: f64,
    f: &mut dyn FnMut(&[f64]) -> f64,
) -> (Vec<f64>, f64) {
    let mut best = start;
    let mut height = f(&best);
    let mut step = step;
    while step > least {
        let mut is_better = false;
        for axis in 0..best.len() {
            for signed in [step, -step] {
                let mut next = best.clone();
                next[axis] = (next[axis] + signed).clamp(0.0, 1.0);
                let there = f(&next);
                if there > height {
                    (best, height, is_better) = (next, there, true);
                    break;
                }
            }
        }
        if !is_better {
            step /= 2.0;
        }
    }
    (best, height)
}
