use proptest::prelude::*;

use super::*;
use crate::Basis;
use crate::statistics::tests::hostile;

const BASIS: Basis = Basis { window_us: Some((1, 9)), currency: "EUR/h", valid_until_us: 0 };

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
    let advice = study.recommend(&hill(&[1.0, 0.9]), &BASIS).expect("sound").expect("it is better");
    let kept = advice
        .constraints
        .iter()
        .filter(|one| one.what != "limits along the way, in standard deviations");
    assert!(
        kept.into_iter().all(|one| one.slack >= 0.0) && advice.gain.expected > 0.6,
        "{advice:?}"
    );
    assert_eq!((study.unmet().len(), advice.evidence.window_us), (0, Some((1, 9))));
}

/// A jump from 0 to 9 was once proposed where steps of 0.5 were allowed.
#[test]
fn advice_comes_in_moves_of_the_largest_step() {
    let knob = |name: &str| Knob { max_step: Some(0.5), ..Knob::new(name, 0.0, 10.0) };
    let mut study =
        Study::new(vec![knob("x"), knob("y")], limit(5.0), Mode::Free, 3).expect("sound");
    for x in [0.0, 4.0, 9.0] {
        let trial = Trial { settings: vec![x, 1.0], objective: x, outcomes: vec![x / 3.0] };
        study.tell(trial).expect("finite");
    }
    let now = study.trials()[0].clone();
    let advice = study.recommend(&now, &BASIS).expect("sound").expect("9 is better");
    let words: Vec<&str> = advice.steps.iter().map(|step| step.proposed.as_str()).collect();
    assert_eq!(words, ["9.0000 in 18 moves of 0.5000", "1.0000"]);
    let slack =
        |what: &str| advice.constraints.iter().find(|one| one.what == what).map(|one| one.slack);
    assert_eq!(slack("engineering limits of x"), Some(1.0));
    assert_eq!((slack("largest step of x"), slack("largest step of y")), (Some(0.0), Some(0.5)));
    assert_eq!(slack("waste"), Some(2.0));
}

#[test]
fn inputs_that_cannot_be_are_named() {
    let error = |knobs| Study::new(knobs, vec![], Mode::Free, 0).expect_err("refused").to_string();
    assert_eq!(error(vec![]), "no set-point may be moved; name at least one with its limits");
    assert_eq!(
        error(vec![Knob::new("x", 2.0, 1.0)]),
        "x has the range 2 to 1; give finite limits, the lower first"
    );
    for step in [f64::NAN, -1.0, 0.0] {
        let knob = Knob { max_step: Some(step), ..Knob::new("x", 0.0, 1.0) };
        assert!(error(vec![knob]).starts_with("the largest step of x is "), "{step}");
    }
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

/// Knobs that were moved together once came apart, as the region was taken to be as thick as it is long.
#[test]
fn knobs_that_were_moved_together_stay_together() {
    // Ten times y is x, but for 0.1; away from that line the objective rises by 100 per range.
    let rows: Vec<Trial> = (0..100)
        .map(|idx| {
            let y = 0.3 + f64::from(idx % 50) * 0.008;
            let x = 10.0 * y + if idx < 50 { 0.1 } else { -0.1 };
            Trial { settings: vec![x, y], objective: 10.0 * x - 100.0 * y, outcomes: vec![] }
        })
        .collect();
    let history = History::new(knobs(), &[], &rows, 1).expect("enough rows");
    let found = history.propose(&[5.0, 0.5]).expect("sound").expect("there is room");
    let apart = (found.settings[0] - 10.0 * found.settings[1]).abs();
    assert!(apart < 0.15, "{found:?}");
}

#[test]
fn what_leaves_no_settings_is_named() {
    let rows: Vec<Trial> =
        (0..120).map(|idx| hill(&[f64::from(idx % 12) * 0.3, f64::from(idx / 12) * 0.1])).collect();
    let conflict = |knobs: Vec<Knob>, most: f64, now: [f64; 2]| {
        let history = History::new(knobs, &limit(most), &rows, 1).expect("enough rows");
        let conflict = history.conflict(&now).expect("sound");
        assert_eq!(history.propose(&now).expect("sound").is_none(), !conflict.is_empty());
        conflict
    };
    let careful: Vec<Knob> =
        knobs().into_iter().map(|knob| Knob { max_step: Some(0.2), ..knob }).collect();
    assert!(conflict(knobs(), 5.0, [1.0, 0.5]).is_empty());
    // Waste is x ÷ 10 and never below 0.
    assert_eq!(conflict(knobs(), -1.0, [1.0, 0.5]), ["waste"]);
    // From x = 9 no step of 0.2 leads back to where the plant has been.
    assert_eq!(
        conflict(careful, 5.0, [9.0, 0.5]),
        ["the largest step from the present settings", "the region that the plant has seen"]
    );
}

#[test]
fn a_golden_batch_is_the_median_of_the_best_and_its_band_their_spread() {
    let batch =
        |kpi, level: f64| Batch { kpi, phases: vec![vec![vec![level], vec![level + 10.0]]] };
    // An unknown KPI once sorted before all others.
    let batches = [
        batch(1.0, 90.0),
        batch(5.0, 1.0),
        batch(f64::NAN, 70.0),
        batch(6.0, 2.0),
        batch(7.0, 4.0),
    ];
    let golden = Golden::new(&batches, 3).expect("three are known and good");
    // Medians 2 at the begin and 12 at the end, median deviation 1, so half a band is 2 × 1.4826.
    let (low, high) = golden.band(0, 0.0, 0).expect("there is one");
    assert!((low - (2.0 - 2.9652)).abs() < 1e-9 && (high - (2.0 + 2.9652)).abs() < 1e-9);
    let deviation = golden.deviation(0, 1.0, &[12.0 + 2.0 * 2.9652]).expect("sound");
    assert!((deviation.score - 2.0).abs() < 1e-9 && deviation.contributions == [1.0]);
    assert_eq!(golden.recommend(0, 1.0, &[12.0], &["level"], &BASIS), Ok(None));
    assert!(
        golden.deviation(0, f64::NAN, &[1.0]).is_err()
            && golden.deviation(usize::MAX, 0.0, &[1.0]).is_err()
    );
    let few = Golden::new(&batches[1..4], 3).expect_err("two are known");
    assert_eq!(few.to_string(), "2 rows are too few for a golden batch; give at least 3");
}

#[test]
fn phases_of_any_length_are_compared_at_the_same_progress() {
    // Two signals rise by 30 and 6 in the first phase, whether it takes 3, 5 or 6 rows; the second phase is one row.
    let batch = |n: u32, shift: f64| {
        let row = |idx: u32| {
            let progress = f64::from(idx) / f64::from(n - 1);
            vec![30.0 * progress + shift, 6.0 * progress + 0.5 * shift]
        };
        Batch { kpi: 1.0, phases: vec![(0..n).map(row).collect(), vec![vec![7.0, shift]]] }
    };
    let golden = Golden::new(&[batch(3, 0.0), batch(5, 1.0), batch(6, -1.0)], 3).expect("sound");
    // A third of the way: medians 10 and 2, median deviations 1 and 1/2, half bands 2.9652 and 1.4826.
    let third = 1.0 / 3.0;
    let (low, high) = golden.band(0, third, 1).expect("there is one");
    assert!((low - (2.0 - 1.4826)).abs() < 1e-9 && (high - (2.0 + 1.4826)).abs() < 1e-9);
    let off =
        golden.deviation(0, third, &[10.0 + 3.0 * 2.9652, 2.0 - 4.0 * 1.4826]).expect("sound");
    // Three and four half bands off: 9 and 16 of 25, and the root of their mean.
    assert!((off.score - 12.5_f64.sqrt()).abs() < 1e-9, "{off:?}");
    assert!(
        (off.contributions[0] - 0.36).abs() < 1e-9 && (off.contributions[1] - 0.64).abs() < 1e-9
    );
    let same = golden.deviation(1, 0.7, &[7.0, 0.0]).expect("sound");
    assert_eq!((same.score, same.contributions), (0.0, vec![0.0, 0.0]));
    assert_eq!(golden.deviation(0, 0.5, &[1.0]), Err(Error::Row { what: "signals", expected: 2 }));
    assert_eq!((golden.band(2, 0.0, 0), golden.band(0, 0.0, 2)), (None, None));
}

#[test]
fn batches_that_cannot_be_compared_are_named() {
    let sound = || Batch { kpi: 1.0, phases: vec![vec![vec![1.0]]] };
    let error = |other: Vec<Vec<Vec<f64>>>| {
        let other = Batch { kpi: 0.5, phases: other };
        Golden::new(&[sound(), sound(), other], 3).expect_err("refused")
    };
    assert_eq!(error(vec![]), Error::Row { what: "phases", expected: 1 });
    assert_eq!(error(vec![vec![]]), Error::TooFew { what: "a phase", n: 0, needed: 1 });
    for row in [vec![], vec![1.0, 2.0], vec![f64::NAN], vec![f64::INFINITY]] {
        assert_eq!(error(vec![vec![row]]), Error::Row { what: "signals", expected: 1 });
    }
}

#[test]
fn rows_of_a_historian_that_cannot_be_are_left_out() {
    let good: Vec<Trial> =
        (0..30).map(|idx| hill(&[f64::from(idx % 6), f64::from(idx / 6) * 0.2])).collect();
    let bad = [f64::NAN, f64::INFINITY, 1e300].map(|value| {
        let row =
            |settings, objective, outcome| Trial { settings, objective, outcomes: vec![outcome] };
        [
            row(vec![value, 0.5], 9.0, 0.0),
            row(vec![1.0, 0.5], value, 0.0),
            row(vec![1.0, 0.5], 9.0, value),
        ]
    });
    let mut rows = good.clone();
    rows.extend(bad.into_iter().flatten());
    // Far from every engineering range, and one value short.
    rows.push(hill(&[500.0, 0.5]));
    rows.push(Trial { settings: vec![1.0], objective: 9.0, outcomes: vec![0.0] });
    let propose = |rows: &[Trial]| {
        let history = History::new(knobs(), &limit(0.4), rows, 1).expect("30 rows are sound");
        history.propose(&[1.0, 0.5]).expect("sound")
    };
    assert_eq!(propose(&rows), propose(&good));
    let history = History::new(knobs(), &limit(0.4), &rows, 1).expect("30 rows are sound");
    for now in [vec![1.0], vec![1.0, f64::NAN], vec![f64::INFINITY, 0.5]] {
        assert_eq!(history.propose(&now), Err(Error::Row { what: "settings", expected: 2 }));
        assert_eq!(history.conflict(&now), Err(Error::Row { what: "settings", expected: 2 }));
    }
    let few = History::new(knobs(), &limit(0.4), &rows[11..], 1).err();
    assert_eq!(few, Some(Error::TooFew { what: "a model of the plant", n: 19, needed: 20 }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_numbers_give_settings_or_an_error(
        range in (hostile(), hostile()),
        step in prop::option::of(hostile()),
        rows in prop::collection::vec((hostile(), hostile(), hostile()), 0..26),
        most in hostile(),
        seed in any::<u64>(),
    ) {
        let knobs = vec![Knob { max_step: step, ..Knob::new("x", range.0, range.1) }];
        let trials: Vec<Trial> = rows.iter()
            .map(|(x, objective, outcome)| Trial { settings: vec![*x], objective: *objective, outcomes: vec![*outcome] }).collect();
        for mode in [Mode::Free, Mode::Safe] {
            let Ok(mut study) = Study::new(knobs.clone(), limit(most), mode, seed) else { continue };
            for trial in trials.iter().take(6) { let _ = study.tell(trial.clone()); }
            if let Ok(settings) = study.ask() { prop_assert!(settings[0] >= range.0 && settings[0] <= range.1); }
            if let Some(now) = trials.first() { let _ = (study.unmet().len(), study.recommend(now, &BASIS)); }
        }
        if let (Ok(history), Some(row)) = (History::new(knobs, &limit(most), &trials, seed), rows.first()) {
            let _ = (history.propose(&[row.0]), history.recommend(&[row.0], &BASIS), history.conflict(&[row.0]));
        }
        let batches: Vec<Batch> = rows.iter().map(|(kpi, a, b)| Batch { kpi: *kpi, phases: vec![vec![vec![*a], vec![*b]]] }).collect();
        if let Ok(golden) = Golden::new(&batches, rows.len()) {
            let _ = (golden.deviation(0, most, &[range.0]), golden.recommend(0, most, &[range.0], &["x"], &BASIS), golden.band(1, most, 0));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    /// A proposal keeps the ranges, the largest step, the region seen and the limit, and is the same for a seed.
    #[test]
    fn a_proposal_from_history_keeps_every_condition(seed in any::<u64>(), step in 0.05..3.0_f64, x in 0.0..3.3_f64, most in 0.05..0.5_f64) {
        let rows: Vec<Trial> =
            (0..60).map(|idx| hill(&[f64::from(idx % 12) * 0.3, f64::from(idx / 12) * 0.2])).collect();
        let knobs: Vec<Knob> = knobs().into_iter().map(|knob| Knob { max_step: Some(step), ..knob }).collect();
        let history = History::new(knobs.clone(), &limit(most), &rows, seed).expect("enough rows");
        let found = history.propose(&[x, 0.5]).expect("sound");
        prop_assert_eq!(&found, &History::new(knobs, &limit(most), &rows, seed).expect("again").propose(&[x, 0.5]).expect("sound"));
        if let Some(found) = found {
            prop_assert!((0.0..=10.0).contains(&found.settings[0]) && (0.0..=1.0).contains(&found.settings[1]));
            prop_assert!((found.settings[0] - x).abs() <= step + 1e-6 && (found.settings[1] - 0.5).abs() <= step + 1e-6);
            prop_assert!(found.distance_share <= 1.0 && found.settings[0] <= 4.5, "{:?}", found);
            prop_assert!(hill(&found.settings).outcomes[0] <= most + 0.01, "{:?} {most}", found);
        }
    }

    /// However the plant was run, a proposal is no farther from the middle of the rows than the farthest of them.
    #[test]
    fn a_proposal_never_leaves_what_was_seen(seed in any::<u64>(), seen in prop::collection::vec((0.0..10.0_f64, 0.0..1.0_f64), 20..60), now in (0.0..10.0_f64, 0.0..1.0_f64)) {
        let rows: Vec<Trial> = seen.iter().map(|(x, y)| hill(&[*x, *y])).collect();
        let history = History::new(knobs(), &limit(2.0), &rows, seed).expect("enough rows");
        let found = history.propose(&[now.0, now.1]).expect("sound").expect("every place that was seen is allowed");
        let n = seen.len() as f64;
        let points: Vec<(f64, f64)> = seen.iter().map(|(x, y)| (x / 10.0, *y)).collect();
        let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
        let (x, y) = (mean(|at| at.0), mean(|at| at.1));
        let sum = |f: &dyn Fn(f64, f64) -> f64| points.iter().map(|at| f(at.0 - x, at.1 - y)).sum::<f64>() / n;
        let (a, b, c) = (sum(&|x, _| x * x) + 1e-6, sum(&|x, y| x * y), sum(&|_, y| y * y) + 1e-6);
        let square = |u: f64, v: f64| (c * u * u - 2.0 * b * u * v + a * v * v) / (a * c - b * b);
        let farthest = points.iter().map(|at| square(at.0 - x, at.1 - y)).fold(0.0, f64::max);
        let away = square(found.settings[0] / 10.0 - x, found.settings[1] - y);
        prop_assert!(away <= farthest * (1.0 + 1e-6) && found.distance_share <= 1.0 + 1e-9, "{:?}", found);
    }

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
