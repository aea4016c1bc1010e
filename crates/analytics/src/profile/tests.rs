use proptest::prelude::*;

use super::*;
use crate::testing::Noise;

fn walk(n: usize, seed: u64) -> Vec<f64> {
    let mut noise = Noise::new(seed);
    let mut level = 0.0;
    (0..n)
        .map(|_| {
            level += noise.normal();
            level
        })
        .collect()
}

/// The definition, pair by pair.
fn by_definition(series: &[f64], m: usize, i: usize, j: usize) -> f64 {
    let z = |at: usize| -> Option<Vec<f64>> {
        let stretch = &series[at..at + m];
        if stretch.iter().any(|x| !x.is_finite()) {
            return None;
        }
        let mean = stretch.iter().sum::<f64>() / m as f64;
        let sigma = (stretch.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / m as f64).sqrt();
        let is_constant = stretch.iter().all(|x| *x == stretch[0]);
        Some(stretch.iter().map(|x| if is_constant { 0.0 } else { (x - mean) / sigma }).collect())
    };
    let (Some(a), Some(b)) = (z(i), z(j)) else { return f64::INFINITY };
    a.iter().zip(&b).map(|(x, y)| (x - y).powi(2)).sum::<f64>().sqrt()
}

fn check(series: &[f64], m: usize) {
    let profile = matrix_profile(series, m, 1).unwrap();
    let n = series.len() - m + 1;
    for i in 0..n {
        let nearest = |others: &mut dyn Iterator<Item = usize>| {
            others.map(|j| by_definition(series, m, i, j)).fold(f64::INFINITY, f64::min)
        };
        let gap = profile.least_gap();
        let left = nearest(&mut (0..(i + 1).saturating_sub(gap)));
        let right = nearest(&mut (i + gap..n));
        for (expected, found) in [(left, profile.left[i]), (right, profile.right[i])] {
            let is_same = expected == found.distance || (expected - found.distance).abs() < 1e-7;
            assert!(is_same, "stretch {i}: {expected} {found:?}");
            let at = found.start.map(|j| by_definition(series, m, i, j));
            assert!(
                at.is_none_or(|at| (at - found.distance).abs() < 1e-7),
                "stretch {i} {found:?}"
            );
        }
    }
}

#[test]
fn every_distance_is_that_of_the_definition() {
    check(&walk(300, 1), 20);
    check(&walk(37, 2), 5);
    check(&walk(12, 3).iter().map(|x| x + 1e6).collect::<Vec<f64>>(), 3);
}

#[test]
fn holes_and_constants_are_treated_as_in_stumpy() {
    let mut series = walk(200, 4);
    series[50] = f64::NAN;
    series[51] = f64::INFINITY;
    series[90..120].fill(3.0);
    series[150..170].fill(-1.0);
    check(&series, 10);
    check(&[2.0; 40], 8);
    assert!(
        matrix_profile(&[f64::NAN; 40], 8, 1).unwrap().nearest().iter().all(|x| x.start.is_none())
    );
}

#[test]
fn threads_do_not_change_distances() {
    let series = walk(3000, 5);
    let (one, four) =
        (matrix_profile(&series, 50, 1).unwrap(), matrix_profile(&series, 50, 4).unwrap());
    let distances = |of: &MatrixProfile| -> Vec<u64> {
        of.left.iter().chain(&of.right).map(|near| near.distance.to_bits()).collect()
    };
    assert_eq!(distances(&one), distances(&four));
}

#[test]
fn too_little_is_an_error() {
    assert_eq!(matrix_profile(&[1.0; 9], 2, 1), Err(Error::Window { window: 2 }));
    let too_short = Error::TooShort { window: 8, found: 10, least: 11 };
    assert_eq!(matrix_profile(&[1.0; 10], 8, 1), Err(too_short));
    assert_eq!(matrix_profile(&[], 8, 1), Err(Error::TooShort { window: 8, found: 0, least: 11 }));
    assert!(matrix_profile(&walk(11, 1), 8, 1).unwrap().nearest()[0].start.is_some());
}

/// Noise with the same wave planted at some places.
fn planted(places: &[usize]) -> Vec<f64> {
    let mut noise = Noise::new(9);
    let mut series: Vec<f64> = (0..1000).map(|_| noise.normal()).collect();
    for (count, place) in places.iter().enumerate() {
        for i in 0..40 {
            series[place + i] =
                5.0 * (i as f64 * 0.4).sin() * (1.0 + count as f64) + 0.1 * noise.normal();
        }
    }
    series
}

#[test]
fn a_planted_shape_is_the_first_motif_with_all_its_occurrences() {
    let series = planted(&[100, 400, 800]);
    let profile = matrix_profile(&series, 40, 1).unwrap();
    let found = motifs(&series, &profile, 2, 3.0).unwrap();
    let mut starts = found[0].starts.clone();
    starts.sort_unstable();
    assert_eq!(starts, [100, 400, 800]);
    assert!(found[0].distance < 0.5 && found[1].distance > 3.0, "{found:?}");
    assert!(found[1].starts.iter().all(|start| !starts.contains(start)));
}

#[test]
fn a_shape_that_drifts_is_a_chain() {
    let mut noise = Noise::new(3);
    let mut series: Vec<f64> = (0..1500).map(|_| noise.normal()).collect();
    for step in 0..10 {
        for i in 0..50 {
            let x = f64::from(i) / 50.0;
            let tone = 1.0 + 0.15 * f64::from(step);
            series[(100 + step * 130 + i) as usize] =
                10.0 * (std::f64::consts::TAU * tone * x).sin();
        }
    }
    let links = chain(&matrix_profile(&series, 50, 1).unwrap());
    assert!(links.len() >= 8, "{links:?}");
    assert!(links.windows(2).all(|pair| (125..=135).contains(&(pair[1] - pair[0]))), "{links:?}");
}

#[test]
fn a_stream_of_a_million_values_stays_exact() {
    let mut stream = Stream::new(16, 64).unwrap();
    let mut noise = Noise::new(8);
    let mut tail = Vec::new();
    let mut last = None;
    for _ in 0..1_000_000 {
        let value = 1000.0 + noise.normal();
        tail.push(value);
        last = stream.push(value);
        if tail.len() > 2 * 64 {
            tail.drain(..64);
        }
    }
    let last = last.unwrap();
    let newest = tail.len() - 16;
    let back = 1_000_000 - 16 - last.start.unwrap();
    let expected = by_definition(&tail, 16, newest, newest - back);
    assert!((last.distance - expected).abs() < 1e-9, "{last:?} {expected}");
    let nearest = (newest - (64 - 16)..=newest - 5)
        .map(|j| by_definition(&tail, 16, newest, j))
        .fold(f64::INFINITY, f64::min);
    assert!(last.distance <= nearest + 1e-9);
}

fn values() -> impl Strategy<Value = Vec<f64>> {
    let value = prop_oneof![
        10 => -5.0..5.0f64,
        4 => Just(1.0),
        1 => Just(f64::NAN),
    ];
    proptest::collection::vec(value, 20..120)
}

/// The profile of a series that has been cut since used to end in an index out of bounds.
#[test]
fn motifs_of_another_series_are_refused() {
    let series: Vec<f64> = (0..100).map(|n| f64::from(n * n % 17)).collect();
    let profile = matrix_profile(&series, 8, 1).unwrap();
    for n in [40, 99] {
        let other = Error::OtherSeries { found: 93, expected: n - 7 };
        assert_eq!(motifs(&series[..n], &profile, 2, 2.0), Err(other));
    }
    assert_eq!(motifs(&series, &profile, 1, 2.0).map(|found| found.len()), Ok(1));
}

proptest! {
    #[test]
    fn the_profile_is_that_of_the_definition(series in values(), m in 3usize..12) {
        check(&series, m);
    }

    #[test]
    fn a_stream_gives_the_left_profile_of_the_batch(series in values(), m in 3usize..12) {
        let batch = matrix_profile(&series, m, 1).unwrap();
        let mut stream = Stream::new(m, 1000).unwrap();
        let found: Vec<Neighbor> = series.iter().filter_map(|value| stream.push(*value)).collect();
        let sides = stream.profile();
        for (i, (start, left, right)) in sides.enumerate() {
            prop_assert_eq!(start as usize, i);
            let pairs = [(left, batch.left[i]), (right, batch.right[i]), (found[i], batch.left[i])];
            for (a, b) in pairs {
                let is_same = a.distance == b.distance || (a.distance - b.distance).abs() < 1e-5;
                prop_assert!(is_same, "{} {:?} {:?}", i, a, b);
            }
        }
    }

    #[test]
    fn a_stream_that_is_saved_goes_on_as_if_never_stopped(
        series in values(), stop in 0usize..120, capacity in 20usize..60,
    ) {
        let mut whole = Stream::new(5, capacity).unwrap();
        let mut parts = whole.clone();
        for (i, value) in series.iter().enumerate() {
            if i == stop {
                parts = serde_json::from_str(&serde_json::to_string(&parts).unwrap()).unwrap();
            }
            prop_assert_eq!(whole.push(*value), parts.push(*value));
        }
        prop_assert_eq!(whole, parts);
    }
}
