use proptest::prelude::*;

use super::*;
use crate::testing::{Noise, wild};

fn plant(seed: u64, n_rows: usize) -> Frame {
    let mut noise = Noise::new(seed);
    let (mut slow, mut values) = (0.0, Vec::new());
    for _ in 0..n_rows {
        slow = 0.9 * slow + noise.normal();
        values.extend([slow, -slow + 0.2 * noise.normal(), noise.normal(), 5.0]);
    }
    Frame::from_rows(4, &values)
}

const METHODS: [Method; 4] = [
    Method::Pca { lags: 0, components: 2 },
    Method::Pca { lags: 2, components: 3 },
    Method::Cva { past: 3, future: 3, states: 2, outputs: None, rest: Rest::Variates },
    Method::Cva { past: 2, future: 2, states: 2, outputs: Some(3), rest: Rest::Residual },
];

fn options(method: Method) -> Options {
    Options { method, shrinkage: 0.01, smoothing: 0.3 }
}

#[test]
fn a_broken_relation_is_seen_and_blamed_on_its_columns() {
    for method in METHODS {
        let normal = plant(1, 1000);
        let monitor = Monitor::fit(&normal, options(method)).expect("fits");
        let limits = blocked_limits(&normal, options(method), 10, [0.005; 2], 0.9).expect("fits");
        let mut track = Track::default();
        let (mut false_alarms, mut row) = (0, Vec::new());
        let fresh = plant(2, 1000);
        for row_idx in 0..1000 {
            fresh.copy_row(row_idx, &mut row);
            let point = monitor.push(&mut track, &row);
            false_alarms += usize::from(point.is_some_and(|point| limits.are_passed(point)));
        }
        assert!(false_alarms <= 40, "{method:?}: {false_alarms}");
        let mut point = None;
        for _ in 0..20 {
            row[2] = 8.0;
            point = monitor.push(&mut track, &row);
        }
        assert!(point.is_some_and(|point| limits.are_passed(point)), "{method:?}");
        let blamed = [Statistic::T2, Statistic::Spe]
            .iter()
            .any(|statistic| monitor.contributions(&track, *statistic)[2] > 0.5);
        assert!(blamed, "{method:?}");
    }
}

/// Nothing but normal rows is known: the method that uses the relation between the columns is chosen.
#[test]
fn what_sees_made_up_faults_is_chosen() {
    let normal = plant(5, 600);
    let blind = options(Method::Pca { lags: 0, components: 4 });
    let seeing = options(METHODS[2]);
    let choice = choose(&normal, &[blind, seeing], 5, 0.01, 0.5).expect("fits");
    assert_eq!(choice.options, seeing);
    assert!(choice.missed < 0.9 && choice.limits.spe > 0.0);
    assert_eq!(choose(&normal, &[blind], 5, 0.01, 0.5).map(|choice| choice.options), Some(blind));
    assert_eq!(choose(&Frame::default(), &[blind], 5, 0.01, 0.5), None);
}

#[test]
fn what_cannot_be_fitted_says_why() {
    let method = options(METHODS[0]);
    let check = |frame: &Frame, expected: FitError| {
        assert_eq!(Monitor::fit(frame, method), Err(expected));
    };
    check(&Frame::default(), FitError::TooSmall { dimensions: 0, rows: 0, components: 2 });
    check(&plant(1, 1), FitError::TooSmall { dimensions: 4, rows: 1, components: 2 });
    check(&Frame::from_rows(2, &[3.0; 100]), FitError::NothingMoves);
}

#[test]
fn missing_values_count_as_usual_ones() {
    let mut frame = plant(3, 500);
    for row_idx in (0..500).step_by(7) {
        frame.columns[row_idx % 3][row_idx] = f64::NAN;
    }
    for method in METHODS {
        let monitor = Monitor::fit(&frame, options(method)).expect("fits");
        let points = monitor.points(&frame);
        assert!(points[10..].iter().all(|point| point.t2.is_finite() && point.spe.is_finite()));
        let nothing = monitor.points(&Frame::from_rows(4, &[f64::NAN; 40]));
        assert!(nothing[9].t2 < 1e-12 && nothing[9].spe < 1e-12);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    #[test]
    fn any_rows_are_survived_and_saving_changes_nothing(
        values in wild(0..400),
        method in prop::sample::select(METHODS.to_vec()),
        cut in 1usize..40,
    ) {
        let Ok(monitor) = Monitor::fit(&Frame::from_rows(2, &values), options(method)) else { return Ok(()) };
        let text = serde_json::to_string(&monitor).expect("serializes");
        prop_assert_eq!(&serde_json::from_str::<Monitor>(&text).expect("parses"), &monitor);
        let (mut track, mut restored) = (Track::default(), Track::default());
        for (row_idx, row) in plant(4, 50).columns[0].chunks(2).enumerate() {
            if row_idx == cut.min(20) {
                let text = serde_json::to_string(&track).expect("serializes");
                restored = serde_json::from_str(&text).expect("parses");
            }
            let point = monitor.push(&mut track, row);
            if row_idx >= cut.min(20) {
                prop_assert_eq!(monitor.push(&mut restored, row), point);
            }
        }
    }
}
