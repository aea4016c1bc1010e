//! What a profile shows: repeated shapes, shapes of their own, and shapes that drift.

use super::prepare::{Kind, Prepared};
use super::{Error, MatrixProfile};

/// A shape that comes back.
#[derive(Clone, Debug, PartialEq)]
pub struct Motif {
    /// Where it occurs, nearest to the first one first; the first two are the pair that found it.
    pub starts: Vec<usize>,
    /// Distance of that pair.
    pub distance: f64,
}

/// The `k` best motifs of the series that `profile` was made of.
///
/// A motif is the closest pair of stretches and all other stretches within `reach` times its distance (or within
/// √m / 10, if that is more) of its first; occurrences do not overlap by more than three quarters, and what overlaps
/// a motif is in no further one. Cost: O(n·m) per motif.
///
/// Source: Yeh et al. (2016), definition 8, with the range motif of Mueen et al. (2009).
///
/// ```
/// use analytics::profile::{matrix_profile, motifs};
/// // The same parabola begins at 0, 20 and 40.
/// let mut series: Vec<f64> = (0..60).map(|i| f64::from(i * i * i % 101)).collect();
/// for start in [0, 20, 40] {
///     (0..8).for_each(|i| series[start + i] = (i * i) as f64);
/// }
/// let profile = matrix_profile(&series, 8, 1).unwrap();
/// let mut starts = motifs(&series, &profile, 1, 2.0).unwrap()[0].starts.clone();
/// starts.sort_unstable();
/// assert_eq!(starts, [0, 20, 40]);
/// ```
///
/// # Errors
/// If the profile has another number of stretches than this series, or a window that does not fit it.
pub fn motifs(
    series: &[f64],
    profile: &MatrixProfile,
    k: usize,
    reach: f64,
) -> Result<Vec<Motif>, Error> {
    super::check(series.len(), profile.window)?;
    let expected = series.len() + 1 - profile.window;
    if let Some(found) =
        [profile.left.len(), profile.right.len()].into_iter().find(|n| *n != expected)
    {
        return Err(Error::OtherSeries { found, expected });
    }
    let prepared = Prepared::new(series, profile.window);
    let nearest = profile.nearest();
    let mut is_free = vec![true; expected];
    let mut found = Vec::new();
    while found.len() < k {
        let free = (0..is_free.len()).filter(|&i| is_free[i]);
        let pairs = free.filter_map(|i| Some((i, nearest[i].start?, nearest[i].distance)));
        let best = pairs
            .filter(|pair| is_free.get(pair.1) == Some(&true))
            .min_by(|a, b| a.2.total_cmp(&b.2));
        let Some((first, second, distance)) = best else { break };
        let radius = (reach * distance).max((profile.window as f64).sqrt() / 10.0);
        let starts = occurrences(&prepared, (first, second), radius, &is_free);
        for start in &starts {
            block(&mut is_free, *start, profile.window);
        }
        found.push(Motif { starts, distance });
    }
    Ok(found)
}

fn occurrences(
    prepared: &Prepared,
    (first, second): (usize, usize),
    radius: f64,
    is_free: &[bool],
) -> Vec<usize> {
    let gap = super::least_gap(prepared.window);
    let distance = |i: usize| match (prepared.kinds[first], prepared.kinds[i]) {
        (Kind::Shape, Kind::Shape) => prepared.distance(first, i),
        (Kind::Constant, Kind::Constant) => 0.0,
        _ => f64::INFINITY,
    };
    let mut near: Vec<(f64, usize)> = (0..is_free.len())
        .filter(|&i| is_free[i])
        .map(|i| (distance(i), i))
        .filter(|(distance, _)| *distance <= radius)
        .collect();
    near.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let mut starts = vec![first, second];
    for (_, start) in near {
        if starts.iter().all(|taken| taken.abs_diff(start) >= gap) {
            starts.push(start);
        }
    }
    starts
}

/// The `k` stretches that are least like any other: start and distance to the nearest neighbor, largest first.
///
/// They do not overlap. Stretches without any neighbor (those with a hole) are none. Cost: O(k·n).
/// Source: Yeh et al. (2016), definition 9.
///
/// ```
/// use analytics::profile::{discords, matrix_profile};
/// let mut series: Vec<f64> = (0..80).map(|i| f64::from(i % 8)).collect();
/// series[43] = 9.0; // in the stretches that begin at 36 to 43
/// let found = discords(&matrix_profile(&series, 8, 1).unwrap(), 1);
/// assert!((36..=43).contains(&found[0].0) && found[0].1 > 1.0);
/// ```
pub fn discords(profile: &MatrixProfile, k: usize) -> Vec<(usize, f64)> {
    let nearest = profile.nearest();
    let mut is_free: Vec<bool> = nearest.iter().map(|near| near.start.is_some()).collect();
    let mut found = Vec::new();
    while found.len() < k {
        let free = (0..nearest.len()).filter(|&i| is_free[i]);
        let best = free.max_by(|&a, &b| nearest[a].distance.total_cmp(&nearest[b].distance));
        let Some(start) = best else { break };
        found.push((start, nearest[start].distance));
        block(&mut is_free, start, profile.window);
    }
    found
}

/// The longest chain: stretches each of which is the left neighbor of the next and has it as its right neighbor.
///
/// Starts in time order; fewer than two mean that there is none. Of several the one that ends first. Cost: O(n).
/// Source: Zhu et al. (2017), "Matrix profile VII: time series chains", definitions 8 and 9.
///
/// ```
/// use analytics::profile::{MatrixProfile, Neighbor, chain};
/// let none = Neighbor { distance: f64::INFINITY, start: None };
/// let near = |start| Neighbor { distance: 1.0, start: Some(start) };
/// // 0, 2 and 4 are each other's nearest; 3 is near 1, but 1 has no later neighbor.
/// let left = vec![none, none, near(0), near(1), near(2)];
/// let right = vec![near(2), none, near(4), none, none];
/// assert_eq!(chain(&MatrixProfile { window: 3, left, right }), [0, 2, 4]);
/// ```
pub fn chain(profile: &MatrixProfile) -> Vec<usize> {
    let n = profile.left.len();
    let mut length = vec![1usize; n];
    let before = |i: usize| {
        let start = profile.left[i].start?;
        (profile.right[start].start == Some(i)).then_some(start)
    };
    let mut end = 0;
    for i in 0..n {
        if let Some(start) = before(i) {
            length[i] = length[start] + 1;
        }
        if length[i] > length[end] {
            end = i;
        }
    }
    let last = (n > 0).then_some(end);
    let mut links: Vec<usize> = std::iter::successors(last, |&i| before(i)).collect();
    links.reverse();
    links
}

/// Marks all starts nearer than `gap` to `start`.
fn block(is_free: &mut [bool], start: usize, gap: usize) {
    let end = (start + gap).min(is_free.len());
    is_free[(start + 1).saturating_sub(gap)..end].fill(false);
}
