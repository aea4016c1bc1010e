use proptest::prelude::*;

use super::*;
use crate::testing::Noise;

/// Three sensors that see one wandering quantity, and one that sees nothing of it.
fn related(n_rows: usize, seed: u64) -> Frame {
    let mut noise = Noise::new(seed);
    let mut level = 0.0;
    let mut rows = Vec::with_capacity(4 * n_rows);
    for _ in 0..n_rows {
        level = 0.98 * level + noise.normal();
        let mut seen = |scale: f64| scale * level + 0.1 * noise.normal();
        rows.extend([seen(1.0), seen(-2.0), seen(0.5)]);
        rows.push(noise.normal());
    }
    Frame::from_rows(4, &rows)
}

/// Root mean squares over holes of `length` rows in column 0: of the error, of the line's error, of the stated sigma.
fn errors(frame: &Frame, length: usize, also_without: &[usize]) -> [f64; 3] {
    let (mut sums, mut n) = ([0.0; 3], 0.0);
    for start in (500..frame.n_rows() - length - 1).step_by(length + 400) {
        let mut cut = frame.clone();
        for column in [0].iter().chain(also_without) {
            cut.columns[*column][start..start + length].fill(f64::NAN);
        }
        let truth = &frame.columns[0];
        for of in estimate(&mut cut, None, length).iter().filter(|of| of.column == 0) {
            let share = (of.row_idx + 1 - start) as f64 / (length + 1) as f64;
            let line = truth[start - 1] * (1.0 - share) + truth[start + length] * share;
            sums[0] += (of.value - truth[of.row_idx]).powi(2);
            sums[1] += (line - truth[of.row_idx]).powi(2);
            sums[2] += of.sigma.powi(2);
            n += 1.0;
        }
    }
    sums.map(|sum| (sum / n).sqrt())
}

#[test]
fn what_others_see_is_better_than_a_line_and_says_how_sure_it_is() {
    let frame = related(6000, 1);
    for length in [1, 10, 60] {
        let [error, line, sigma] = errors(&frame, length, &[]);
        // Two sensors with a noise of 0.05 and 0.2 in units of the first one.
        assert!(error < 0.15 && error < 0.25 * line, "{length}: {error} against {line}");
        assert!((0.7..1.4).contains(&(sigma / error)), "{length}: {sigma} for {error}");
    }
}

#[test]
fn without_the_others_it_is_no_worse_than_a_line() {
    let frame = related(6000, 2);
    for length in [1, 10, 60] {
        let [error, line, sigma] = errors(&frame, length, &[1, 2, 3]);
        assert!(error < 1.05 * line, "{length}: {error} against {line}");
        assert!((0.6..1.6).contains(&(sigma / error)), "{length}: {sigma} for {error}");
    }
}

#[test]
fn a_season_is_used_where_there_is_one() {
    let mut noise = Noise::new(3);
    let day = |n: usize| 10.0 * (n as f64 * std::f64::consts::TAU / 24.0).sin();
    let truth: Vec<f64> = (0..2400).map(|n| day(n) + 0.1 * noise.normal()).collect();
    let mut frame = Frame::from_rows(1, &truth);
    frame.columns[0][1205..1223].fill(f64::NAN);
    let found = estimate(&mut frame, Some(24), 48);
    assert_eq!(found.len(), 18);
    for of in found {
        assert_eq!(of.basis, Basis::Own);
        assert!((of.value - truth[of.row_idx]).abs() < 0.6, "{of:?}");
    }
}

#[test]
fn ends_constants_and_short_frames_get_what_can_be_said() {
    let nan = f64::NAN;
    let check = |column: Vec<f64>, expected: &[f64]| {
        let mut frame = Frame::from_rows(1, &column);
        let found = estimate(&mut frame, Some(2), 3);
        assert_eq!(format!("{:?}", frame.columns[0]), format!("{expected:?}"));
        assert!(found.iter().all(|of| of.basis == Basis::Line));
    };
    check(vec![], &[]);
    check(vec![nan], &[nan]);
    check(vec![nan, nan, 3.0], &[3.0, 3.0, 3.0]);
    check(vec![1.0, nan, 3.0, nan], &[1.0, 2.0, 3.0, 3.0]);
    check(vec![1.0, nan, nan, nan, nan, 3.0], &[1.0, nan, nan, nan, nan, 3.0]);
    check(vec![f64::INFINITY, nan, 5.0], &[f64::INFINITY, 5.0, 5.0]);
    let mut constant = Frame::from_rows(2, &[7.0; 400]);
    constant.columns[0][100] = nan;
    let found = estimate(&mut constant, None, 10);
    assert_eq!((found[0].value, found[0].sigma), (7.0, 0.0));
}

#[test]
fn a_million_rows_are_no_trouble() {
    let mut noise = Noise::new(4);
    let rows: Vec<f64> = (0..2_000_000).map(|_| noise.normal()).collect();
    let mut frame = Frame::from_rows(2, &rows);
    for start in (1000..990_000).step_by(1000) {
        frame.columns[0][start..start + 10].fill(f64::NAN);
    }
    let found = estimate(&mut frame, None, 10);
    assert_eq!(found.len(), 9890);
    assert!(frame.columns[0].iter().all(|value| value.is_finite()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_frame_is_survived_and_measured_values_stay(
        values in crate::testing::wild(0..600),
        n_columns in 1usize..4,
        max_rows in 0usize..20,
    ) {
        let before = Frame::from_rows(n_columns, &values);
        let mut after = before.clone();
        let found = estimate(&mut after, Some(5), max_rows);
        let mut again = before.clone();
        prop_assert_eq!(format!("{:?}", estimate(&mut again, Some(5), max_rows)), format!("{found:?}"));
        for (column, (old, new)) in before.columns.iter().zip(&after.columns).enumerate() {
            for (row_idx, (old, new)) in old.iter().zip(new).enumerate() {
                let mark = found.iter().find(|of| (of.column, of.row_idx) == (column, row_idx));
                match mark {
                    Some(of) => prop_assert!(old.is_nan() && new.is_finite() && *new == of.value),
                    None => prop_assert_eq!(old.to_bits(), new.to_bits()),
                }
            }
        }
    }

    /// Where the columns stand in the frame and in which unit they are makes no difference.
    #[test]
    fn order_and_units_of_columns_do_not_matter(seed in 0u64..1000, scale in 0.01..100.0) {
        let mut frame = related(600, seed);
        frame.columns[0][300..305].fill(f64::NAN);
        let mut turned = frame.clone();
        turned.columns.reverse();
        turned.columns[2].iter_mut().for_each(|x| *x = scale * *x + 3.0);
        let (found, other) = (estimate(&mut frame, None, 5), estimate(&mut turned, None, 5));
        for (a, b) in found.iter().zip(&other) {
            prop_assert_eq!(a.basis, b.basis);
            prop_assert!((a.value - b.value).abs() < 1e-6 * (1.0 + a.value.abs()), "{a:?} {b:?}");
        }
    }
}
