use proptest::prelude::*;

use super::*;

fn limit(most: f64) -> Vec<Limit> {
    vec![Limit { name: "waste".into(), most }]
}

/// A hill at (0.7, 0.3) of the cube whose waste rises with the first knob.
fn hill(settings: &[f64]) -> Trial {
    let (x, y) = (settings[0] / 10.0, settings[1]);
    let objective = -(x - 0.7).powi(2) - (y - 0.3).powi(2);
    Trial { settings: settings.to_vec(), objective, outcomes: vec![x] }
}

fn knobs() -> Vec<Knob> {
    vec![Knob::new("x", 0.0, 10.0), Knob::new("y", 0.0, 1.0)]
}

#[test]
fn a_study_finds_the_top_where_the_limit_allows() {
    let mut study = Study::new(knobs(), limit(0.5), Mode::Free, 3).expect("sound");
    for _ in 0..18 {
        let settings = study.ask().expect("free studies always answer");
        study.tell(hill(&settings)).expect("finite");
    }
    let best = study.best().expect("half of the range is allowed");
    assert!(best.objective > -0.0405, "{best:?}: the best allowed is -0.04 at (5, 0.3)");
    let advice = study.recommend(&hill(&[1.0, 0.9]), "EUR/h", 0).expect("it is better");
    assert!(advice.constraints[0].slack >= 0.0 && advice.gain.expected > 0.6, "{advice:?}");
}

#[test]
fn inputs_that_cannot_be_are_named() {
    let error = |knobs| Study::new(knobs, vec![], Mode::Free, 0).expect_err("refused").to_string();
    assert_eq!(error(vec![]), "no set-point may be moved; name at least one with its limits");
    assert_eq!(
        error(vec![Knob::new("x", 2.0, 1.0)]),
        "x has the range 2 to 1; give finite limits, the lower first"
    );
    let mut study = Study::new(knobs(), limit(0.5), Mode::Safe, 0).expect("sound");
    assert_eq!(study.ask(), Err(Error::NoSafePoint));
    let refused =
        study.tell(Trial { settings: vec![1.0, f64::NAN], objective: 0.0, outcomes: vec![0.0] });
    assert_eq!(refused, Err(Error::Row { what: "settings", expected: 2 }));
    assert!(matches!(History::new(knobs(), &[], &[], 0).err(), Some(Error::TooFew { n: 0, .. })));
}

#[test]
fn a_proposal_from_history_stays_where_the_plant_has_been() {
    // The plant ran only at low x; the hill's top is far outside of that.
    let rows: Vec<Trial> =
        (0..120).map(|idx| hill(&[f64::from(idx % 12) * 0.3, f64::from(idx / 12) * 0.1])).collect();
    let history = History::new(knobs(), &limit(5.0), &rows, 1).expect("enough rows");
    let found = history.propose(&[1.0, 0.5]).expect("sound").expect("there is room");
    assert!(found.settings[0] < 4.0 && found.settings[0] > 3.0, "{found:?}");
    assert!(found.distance_share <= 1.0 && (found.settings[1] - 0.3).abs() < 0.1, "{found:?}");
    let careful: Vec<Knob> =
        knobs().into_iter().map(|knob| Knob { max_step: Some(0.2), ..knob }).collect();
    let history = History::new(careful, &limit(5.0), &rows, 1).expect("enough rows");
    let near = history.propose(&[1.0, 0.5]).expect("sound").expect("there is room");
    assert!((near.settings[0] - 1.0).abs() <= 0.2 + 1e-9, "{near:?}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn questions_keep_range_and_step_and_repeat_by_seed(seed in any::<u64>(), step in 0.05..3.0_f64) {
        let knobs: Vec<Knob> = knobs().into_iter().map(|knob| Knob { max_step: Some(step), ..knob }).collect();
        let mut study = Study::new(knobs, limit(0.6), Mode::Free, seed).expect("sound");
        let mut last: Option<Vec<f64>> = None;
        for _ in 0..9 {
            let settings = study.ask().expect("free");
            prop_assert_eq!(&study.ask().expect("free"), &settings);
            prop_assert!((0.0..=10.0).contains(&settings[0]) && (0.0..=1.0).contains(&settings[1]));
            if let Some(last) = last {
                prop_assert!(settings.iter().zip(&last).all(|(a, b)| (a - b).abs() <= step + 1e-9));
            }
            study.tell(hill(&settings)).expect("finite");
            last = Some(settings);
        }
    }

    #[test]
    fn a_safe_study_keeps_a_smooth_limit(seed in any::<u64>()) {
        let mut study = Study::new(knobs(), limit(0.5), Mode::Safe, seed).expect("sound");
        for start in [[2.0, 0.5], [2.5, 0.6], [3.0, 0.4]] {
            study.tell(hill(&start)).expect("finite");
        }
        for _ in 0..10 {
            let settings = study.ask().expect("there is a safe point");
            study.tell(hill(&settings)).expect("finite");
        }
        prop_assert!(study.trials().iter().all(|trial| trial.outcomes[0] <= 0.5));
    }
}
