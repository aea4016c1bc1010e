//! Finding the lowest point of a function of a few variables without derivatives.

/// The lowest point found by Nelder & Mead (1965) in the unit cube, from `start` and steps of `step`, with at most
/// `n_evaluations`; gives the point and its value.
///
/// Reflection 1, expansion 2, contraction and shrinkage ½; points are clamped into the cube. It stops when the values of
/// the simplex agree to `tolerance` relative to the lowest.
pub(super) fn lowest<const D: usize>(
    start: [f64; D],
    step: f64,
    tolerance: f64,
    n_evaluations: usize,
    mut value: impl FnMut(&[f64; D]) -> f64,
) -> ([f64; D], f64) {
    let mut evaluate = |mut point: [f64; D]| {
        point.iter_mut().for_each(|x| *x = x.clamp(0.0, 1.0));
        let found = value(&point);
        (point, if found.is_nan() { f64::INFINITY } else { found })
    };
    let mut simplex = vec![evaluate(start)];
    for axis in 0..D {
        let mut point = start;
        point[axis] += if point[axis] + step <= 1.0 { step } else { -step };
        simplex.push(evaluate(point));
    }
    let mut left = n_evaluations.saturating_sub(D + 1);
    while left > 0 && D > 0 {
        simplex.sort_by(|a, b| a.1.total_cmp(&b.1));
        let (best, worst, second) = (simplex[0].1, simplex[D], simplex[D - 1].1);
        if worst.1 - best <= tolerance * (best.abs() + tolerance) {
            break;
        }
        let mut center = [0.0; D];
        for (point, _) in &simplex[..D] {
            (0..D).for_each(|i| center[i] += point[i] / D as f64);
        }
        let along =
            |factor: f64| std::array::from_fn(|i| center[i] + factor * (worst.0[i] - center[i]));
        let reflected = evaluate(along(-1.0));
        left -= 1;
        simplex[D] = if reflected.1 < best {
            left = left.saturating_sub(1);
            nearer(evaluate(along(-2.0)), reflected)
        } else if reflected.1 < second {
            reflected
        } else {
            left = left.saturating_sub(1);
            let inside = if reflected.1 < worst.1 { -0.5 } else { 0.5 };
            nearer(evaluate(along(inside)), nearer(reflected, worst))
        };
        if simplex[D].1 >= worst.1 {
            let best = simplex[0].0;
            for (point, found) in &mut simplex[1..] {
                (*point, *found) = evaluate(std::array::from_fn(|i| (point[i] + best[i]) / 2.0));
            }
            left = left.saturating_sub(D);
        }
    }
    simplex.into_iter().min_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((start, f64::INFINITY))
}

fn nearer<const D: usize>(a: ([f64; D], f64), b: ([f64; D], f64)) -> ([f64; D], f64) {
    if a.1 <= b.1 { a } else { b }
}
