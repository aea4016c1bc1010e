//! Spare parts and other demand that is mostly zero.
//!
//! Each function gives the expected demand per step from here on; a plan multiplies it by its lead time. `demand`: one value
//! per step, in time order, not below 0; NaN counts as a step that was not seen and is left out. No demand at all
//! gives 0, and no step at all NaN. `alpha`: weight of news, 0 to 1, usually 0.05 to 0.2.

/// Size and interval smoothed apart: size / interval.
///
/// Source: Croston (1972), in the form of Syntetos & Boylan (2005), eq. 1. It is biased upwards; see [`sba`].
///
/// ```
/// use analytics::forecast::intermittent::{croston, sba};
/// // Four pieces every second step.
/// let demand = [0.0, 4.0, 0.0, 4.0, 0.0, 4.0];
/// assert_eq!(croston(&demand, 0.1), 2.0);
/// assert_eq!(sba(&demand, 0.1), 1.9);
/// ```
pub fn croston(demand: &[f64], alpha: f64) -> f64 {
    let (mut state, mut since, mut n_seen) = (None::<(f64, f64)>, 0.0, 0usize);
    for value in demand.iter().filter(|value| !value.is_nan()) {
        n_seen += 1;
        since += 1.0;
        if *value > 0.0 {
            state = Some(state.map_or((*value, since), |(size, interval)| {
                (size + alpha * (value - size), interval + alpha * (since - interval))
            }));
            since = 0.0;
        }
    }
    match state {
        Some((size, interval)) => size / interval,
        None if n_seen > 0 => 0.0,
        None => f64::NAN,
    }
}

/// [`croston`] without most of its bias: times 1 − α/2.
///
/// Source: Syntetos & Boylan (2005), "The accuracy of intermittent demand estimates", eq. 3.
///
/// ```
/// use analytics::forecast::intermittent::sba;
/// // Four pieces every second step are 2 a step, times 1 − 0.2 / 2.
/// assert_eq!(sba(&[0.0, 4.0, 0.0, 4.0], 0.2), 1.8);
/// ```
pub fn sba(demand: &[f64], alpha: f64) -> f64 {
    (1.0 - alpha / 2.0) * croston(demand, alpha)
}

/// Probability and size smoothed apart, the probability at every step: it fades when a part is no longer asked for.
///
/// `alpha` smooths sizes, `alpha_probability` the probability.
/// Source: Teunter, Syntetos & Babai (2011), "Intermittent demand: linking forecasting to inventory obsolescence", §3.
///
/// ```
/// use analytics::forecast::intermittent::tsb;
/// // Probability 1, then twice 10 % less of it: 0.81; size 5.
/// assert!((tsb(&[5.0, 0.0, 0.0], 0.1, 0.1) - 4.05).abs() < 1e-12);
/// ```
pub fn tsb(demand: &[f64], alpha: f64, alpha_probability: f64) -> f64 {
    let (mut size, mut probability) = (None::<f64>, f64::NAN);
    for value in demand.iter().filter(|value| !value.is_nan()) {
        let is_demand = *value > 0.0;
        let hit = if is_demand { 1.0 } else { 0.0 };
        let moved = probability + alpha_probability * (hit - probability);
        probability = if probability.is_nan() { hit } else { moved };
        if is_demand {
            size = Some(size.map_or(*value, |size| size + alpha * (value - size)));
        }
    }
    if probability.is_nan() { f64::NAN } else { probability * size.unwrap_or(0.0) }
}

/// Demand summed over blocks as long as the mean interval, smoothed, and spread evenly again.
///
/// Blocks are counted back from the end; an incomplete first one is left out.
/// Source: Nikolopoulos et al. (2011), "An aggregate–disaggregate intermittent demand approach (ADIDA)", §3.
///
/// ```
/// use analytics::forecast::intermittent::adida;
/// assert_eq!(adida(&[0.0, 4.0, 0.0, 4.0], 0.1), 2.0);
/// ```
pub fn adida(demand: &[f64], alpha: f64) -> f64 {
    match block_sums(demand) {
        Err(answer) => answer,
        Ok((sums, length)) => smooth(&sums, alpha).0 / length as f64,
    }
}

/// [`adida`] with the weight of news from 0.1 to 0.3 that foretold each block from those before with the least squared
/// error; of 21 weights, the smallest of those that do.
///
/// The band is the one in which statsforecast looks: beyond it, weights of intermittent demand follow chance.
/// Cost: O(21 · steps).
///
/// ```
/// use analytics::forecast::intermittent::{adida, adida_fitted};
/// // Demand fades: the newest weight is the best of the band.
/// let demand = [8.0, 7.0, 6.0, 5.0, 4.0, 3.0];
/// assert!((adida_fitted(&demand) - adida(&demand, 0.3)).abs() < 1e-12);
/// ```
pub fn adida_fitted(demand: &[f64]) -> f64 {
    match block_sums(demand) {
        Err(answer) => answer,
        Ok((sums, length)) => {
            let weights = (0..=20).map(|step| 0.1 + 0.01 * f64::from(step));
            let fits = weights.map(|alpha| smooth(&sums, alpha));
            let best = fits.reduce(|best, fit| if fit.1 < best.1 { fit } else { best });
            best.map_or(f64::NAN, |(level, _)| level / length as f64)
        }
    }
}

/// Sums of whole blocks, counted back from the end, and their length; the answer where there is nothing to sum.
fn block_sums(demand: &[f64]) -> Result<(Vec<f64>, usize), f64> {
    let seen: Vec<f64> = demand.iter().copied().filter(|value| !value.is_nan()).collect();
    let n_demands = seen.iter().filter(|value| **value > 0.0).count();
    if seen.is_empty() {
        return Err(f64::NAN);
    }
    if n_demands == 0 {
        return Err(0.0);
    }
    let length = ((seen.len() as f64 / n_demands as f64).round() as usize).clamp(1, seen.len());
    let blocks = seen[seen.len() % length..].chunks_exact(length);
    Ok((blocks.map(|block| block.iter().sum::<f64>()).collect(), length))
}

/// The level at the end, and the sum of squared errors on the way.
fn smooth(sums: &[f64], alpha: f64) -> (f64, f64) {
    let mut sums = sums.iter();
    let mut level = sums.next().copied().unwrap_or(0.0);
    let mut squares = 0.0;
    for sum in sums {
        squares += (sum - level).powi(2);
        level += alpha * (sum - level);
    }
    (level, squares)
}
