use proptest::prelude::*;

use super::*;
use crate::statistics::tests::{hostile, hostile_us};

const MINUTE_US: i64 = 60_000_000;

fn shift(from_min: i64, to_min: i64) -> Shift {
    Shift { name: format!("{from_min}"), from_us: from_min * MINUTE_US, to_us: to_min * MINUTE_US }
}

fn change(at_min: i64, state: State, reason: Option<&str>) -> StateChange {
    StateChange { at_us: at_min * MINUTE_US, state, reason: reason.map(Into::into) }
}

fn check(facts: &Facts, expected: &str) {
    let found = match oee(facts) {
        Ok(report) => report.shifts.iter().map(describe).collect::<Vec<_>>().join(" | "),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected);
}

fn describe(shift: &ShiftOee) -> String {
    let show = |value: Option<f64>| value.map_or("-".into(), |v| format!("{v:.3}"));
    let b = shift.buckets;
    let minutes = [
        b.planned_stop_us,
        b.breakdown_us,
        b.setup_us,
        b.minor_stop_us,
        b.reduced_speed_us,
        b.startup_reject_us,
        b.production_reject_us,
        b.productive_us,
        b.undivided_us,
        b.unknown_us,
    ];
    let minutes: Vec<String> = minutes.iter().map(|us| (us / MINUTE_US).to_string()).collect();
    let factors = [shift.availability(), shift.performance(), shift.quality()].map(show).join(" ");
    format!("{factors} [{}]", minutes.join(" "))
}

const NOTHING: Facts =
    Facts { shifts: &[], states: &[], known_until_us: 0, counts: &[], minor_stop_us: 0 };

#[test]
fn every_bucket_is_filled_by_hand() {
    let states = [
        change(0, State::Setup, None),
        change(10, State::Running, None),
        change(50, State::Down, Some("jam")),
        change(53, State::Running, None),
        change(60, State::Down, Some("motor")),
        change(64, State::Down, Some("waiting for fitter")),
        change(80, State::PlannedStop, None),
        change(90, State::Running, None),
    ];
    let count = |at_min: i64, good, scrap, is_startup| Count {
        good,
        scrap,
        is_startup,
        ideal_cycle_s: Some(60.0),
        ..Count::at(at_min * MINUTE_US)
    };
    let facts = Facts {
        shifts: &[shift(0, 120)],
        states: &states,
        known_until_us: 110 * MINUTE_US,
        counts: &[count(20, 3.0, 2.0, true), count(110, 46.0, 1.0, false)],
        minor_stop_us: 5 * MINUTE_US,
    };
    // Running 10–50, 53–60, 90–110 = 67 min; 52 pieces of 1 min; the stop of 4 + 16 min is one breakdown.
    check(&facts, "0.636 0.743 0.942 [10 20 10 3 15 2 1 49 0 10]");
    let report = oee(&facts).expect("facts are sound");
    let only = &report.shifts[0];
    assert_eq!((only.n_breakdowns, only.mttr_h()), (1, Some(20.0 / 60.0)));
    assert_eq!(report.reasons[0].reason, "waiting for fitter");
    let oee = only.oee();
    assert!((oee.value - 49.0 / 110.0).abs() < 1e-12 && oee.missing.is_empty());
}

/// Every ratio of ISO 22400-2 on numbers of an hour, by hand.
#[test]
fn the_ratios_of_the_standard_have_the_values_worked_by_hand() {
    let min = |minutes: i64| minutes * MINUTE_US;
    // 60 min planned: 30 running, 6 minor stops, 12 down in 2 breakdowns, 12 set-up; 10 more were a break.
    let buckets = Buckets {
        planned_stop_us: min(10),
        breakdown_us: min(12),
        setup_us: min(12),
        minor_stop_us: min(6),
        reduced_speed_us: min(6),
        startup_reject_us: min(1),
        production_reject_us: min(3),
        productive_us: min(20),
        ..Buckets::default()
    };
    // 24 pieces of 1 min: 20 good, 3 scrap, 1 to rework.
    let pieces =
        Pieces { good: 20.0, scrap: 3.0, rework: 1.0, ideal_s: Some(1440.0), ..Pieces::default() };
    let shift = ShiftOee { name: String::new(), buckets, pieces: Some(pieces), n_breakdowns: 2 };
    let expected = [
        (shift.availability(), 36.0 / 60.0),
        (shift.performance(), 24.0 / 36.0),
        (shift.quality(), 20.0 / 24.0),
        (Some(shift.oee().value), 20.0 / 60.0),
        (Some(shift.nee().value), 48.0 / 60.0 * 24.0 / 36.0 * 20.0 / 24.0),
        (shift.utilization(), 36.0 / 60.0),
        (shift.setup_ratio(), 12.0 / 48.0),
        (shift.technical_efficiency(), 36.0 / 48.0),
        (shift.throughput_per_hour(), 24.0),
        (shift.scrap_ratio(), 3.0 / 24.0),
        (shift.rework_ratio(), 1.0 / 24.0),
        (shift.mtbf_h(), 0.25),
        (shift.mttr_h(), 0.1),
    ];
    for (row, (found, value)) in expected.into_iter().enumerate() {
        assert!(
            (found.expect("known") - value).abs() < 1e-12,
            "row {row}: {found:?} is not {value}"
        );
    }
    assert_eq!(buckets.total_us(), min(70));
    let idle = ShiftOee { buckets: Buckets::default(), pieces: None, n_breakdowns: 0, ..shift };
    let unknown = [
        idle.utilization(),
        idle.setup_ratio(),
        idle.technical_efficiency(),
        idle.throughput_per_hour(),
        idle.scrap_ratio(),
        idle.rework_ratio(),
        idle.mtbf_h(),
        idle.mttr_h(),
    ];
    assert_eq!((unknown, idle.nee().missing.len()), ([None; 8], 3));
}

#[test]
fn a_missing_factor_is_missing_and_not_zero() {
    let states = [change(0, State::Running, None)];
    let facts = Facts {
        shifts: &[shift(0, 60), shift(60, 120)],
        states: &states,
        known_until_us: 60 * MINUTE_US,
        ..NOTHING
    };
    check(&facts, "1.000 - - [0 0 0 0 0 0 0 0 60 0] | - - - [0 0 0 0 0 0 0 0 0 60]");
    let report = oee(&facts).expect("facts are sound");
    assert_eq!(report.shifts[0].oee().missing, [Factor::Performance, Factor::Quality]);
    let counts = [Count { good: 9.0, scrap: 1.0, ..Count::at(30 * MINUTE_US) }];
    check(
        &Facts { counts: &counts, ..facts },
        "1.000 - 0.900 [0 0 0 0 0 0 0 0 60 0] | - - - [0 0 0 0 0 0 0 0 0 60]",
    );
}

#[test]
fn a_cycle_faster_than_ideal_shows_in_performance_and_time_still_adds_up() {
    let states = [change(0, State::Running, None)];
    let counts = [Count { good: 120.0, ideal_cycle_s: Some(60.0), ..Count::at(60 * MINUTE_US) }];
    let facts = Facts {
        shifts: &[shift(0, 60)],
        states: &states,
        known_until_us: 60 * MINUTE_US,
        counts: &counts,
        ..NOTHING
    };
    check(&facts, "1.000 2.000 1.000 [0 0 0 0 0 0 0 60 0 0]");
}

#[test]
fn facts_that_contradict_themselves_are_named() {
    check(&NOTHING, "");
    check(
        &Facts { shifts: &[shift(5, 5)], ..NOTHING },
        "shift 5 ends at 300000000 µs, not after its begin at 300000000 µs; correct the calendar",
    );
    check(
        &Facts { shifts: &[shift(0, 5), shift(4, 9)], ..NOTHING },
        "shift 4 begins before shift 0 ends; sort the calendar and remove the overlap",
    );
    check(
        &Facts { states: &[change(2, State::Down, None), change(1, State::Down, None)], ..NOTHING },
        "state change 1 at 60000000 µs is earlier than the one before; sort them by time",
    );
    check(
        &Facts { counts: &[Count { scrap: f64::NAN, ..Count::at(7) }], ..NOTHING },
        "count 0 at 7 µs has NaN as scrap; pieces and cycles are finite, and not negative",
    );
}

#[test]
fn the_costliest_reason_is_priced_in_pieces() {
    let states = [
        change(0, State::Running, None),
        change(45, State::Down, Some("glue")),
        change(60, State::Running, None),
        change(105, State::Down, Some("glue")),
    ];
    let counts = [Count { good: 90.0, ideal_cycle_s: Some(60.0), ..Count::at(100 * MINUTE_US) }];
    let facts = Facts {
        shifts: &[shift(0, 60), shift(60, 120)],
        states: &states,
        known_until_us: 120 * MINUTE_US,
        counts: &counts,
        minor_stop_us: 0,
    };
    let report = oee(&facts).expect("facts are sound");
    let advice = recommend(&report, 50.0, 0).expect("time was lost");
    assert_eq!(
        advice.summary,
        "0.5 h in 2 shifts went to glue: 50 % less would bring 15 good pieces"
    );
    assert_eq!((advice.gain.low, advice.gain.high), (15.0, 15.0), "both shifts lost the same");
    assert_eq!(advice.evidence.window_us, Some((0, 120 * MINUTE_US)));
    // Of 2 h, 0.75 were productive; half an hour less of glue leaves 1 h, and 0.75 h would be left without glue.
    assert_eq!((advice.bounds.objective, advice.bounds.bound), (1.0, Some(0.75)));
    for share_percent in [f64::NAN, -1.0, 0.0, 101.0] {
        assert!(recommend(&report, share_percent, 0).is_none());
    }
    assert!(recommend(&oee(&NOTHING).expect("empty is sound"), 50.0, 0).is_none());
}

#[test]
fn shifts_together_have_the_ratios_of_their_sums() {
    let states = [change(0, State::Running, None), change(30, State::Down, None)];
    let count = |at_min: i64, good| Count {
        good,
        scrap: 1.0,
        ideal_cycle_s: Some(60.0),
        ..Count::at(at_min * MINUTE_US)
    };
    let facts = Facts {
        shifts: &[shift(0, 20), shift(20, 60)],
        states: &states,
        known_until_us: 60 * MINUTE_US,
        counts: &[count(10, 9.0), count(30, 4.0)],
        minor_stop_us: 0,
    };
    let shifts = oee(&facts).expect("facts are sound").shifts;
    let total = ShiftOee::total("both", &shifts);
    // 30 of 60 minutes; 15 pieces of a minute in them; 13 of 15 are good.
    assert_eq!(describe(&total), "0.500 0.500 0.867 [0 30 0 0 15 0 2 13 0 0]");
    let uncounted = oee(&Facts { counts: &facts.counts[..1], ..facts }).expect("facts are sound");
    assert_eq!(ShiftOee::total("both", &uncounted.shifts).performance(), None);
    assert_eq!(describe(&ShiftOee::total("none", &[])), "- - - [0 0 0 0 0 0 0 0 0 0]");
}

fn weekly(from: i8, to: i8, breaks: &[(i8, i8)]) -> WeeklyShift {
    let at = |hour| jiff::civil::time(hour, 0, 0, 0);
    WeeklyShift {
        name: format!("from {from}"),
        days: vec![jiff::civil::Weekday::Monday, jiff::civil::Weekday::Tuesday],
        from: at(from),
        to: at(to),
        breaks: breaks.iter().map(|&(from, to)| (at(from), at(to))).collect(),
    }
}

fn check_calendar(shifts: &[WeeklyShift], closed: &[jiff::civil::Date], expected: &str) {
    // Monday, 5 January 1970, 12:00 to Wednesday, 12:00.
    const NOON_US: i64 = (4 * 24 + 12) * 60 * MINUTE_US;
    let calendar = Calendar { shifts: shifts.to_vec(), closed: closed.to_vec() };
    let hour = |us: i64| us / MINUTE_US / 60 - 4 * 24;
    let found =
        match calendar.between(&jiff::tz::TimeZone::UTC, NOON_US, NOON_US + 48 * 60 * MINUTE_US) {
            Ok(planned) => {
                let shifts = planned
                    .shifts
                    .iter()
                    .map(|s| format!("{} {}-{}", s.name, hour(s.from_us), hour(s.to_us)));
                let breaks = planned
                    .breaks
                    .iter()
                    .map(|b| format!("break {}-{}", hour(b.from_us), hour(b.to_us)));
                shifts.chain(breaks).collect::<Vec<_>>().join(", ")
            }
            Err(error) => error.to_string(),
        };
    assert_eq!(found, expected);
}

#[test]
fn a_week_becomes_shifts_and_breaks() {
    let holiday = jiff::civil::date(1970, 1, 6);
    check_calendar(&[], &[], "");
    check_calendar(
        &[weekly(6, 14, &[(9, 10)]), weekly(22, 6, &[(23, 0), (2, 3)])],
        &[],
        "1970-01-05 from 6 12-14, 1970-01-05 from 22 22-30, 1970-01-06 from 6 30-38, \
         1970-01-06 from 22 46-54, break 23-24, break 26-27, break 33-34, break 47-48, break 50-51",
    );
    check_calendar(&[weekly(6, 6, &[])], &[holiday], "1970-01-05 from 6 12-30");
    check_calendar(
        &[weekly(6, 14, &[]), weekly(13, 15, &[])],
        &[],
        "shift 1970-01-05 from 13 begins before shift 1970-01-05 from 6 ends; sort the calendar and remove the overlap",
    );
    check_calendar(
        &[weekly(6, 14, &[(13, 15)])],
        &[],
        "the break 13:00 to 15:00 is not within shift from 6; correct the calendar",
    );
}

fn state() -> impl Strategy<Value = State> {
    prop_oneof![
        Just(State::Running),
        Just(State::PlannedStop),
        Just(State::Setup),
        Just(State::Down),
        Just(State::Unknown)
    ]
}

proptest! {
    #[test]
    fn any_numbers_give_a_report_or_an_error(
        shifts in prop::collection::vec((hostile_us(), hostile_us()), 0..3),
        states in prop::collection::vec((hostile_us(), state()), 0..5),
        pieces in prop::collection::vec((hostile_us(), hostile(), hostile(), hostile()), 0..4),
        ends in (hostile_us(), hostile_us()),
        share in hostile(),
    ) {
        let mut shifts: Vec<Shift> = shifts.into_iter()
            .map(|(a, b)| Shift { name: String::new(), from_us: a.min(b), to_us: a.max(b) }).collect();
        shifts.sort_by_key(|shift| shift.from_us);
        let mut states: Vec<StateChange> = states.into_iter().map(|(at, state)| StateChange::new(at, state)).collect();
        states.sort_by_key(|change| change.at_us);
        let mut counted: Vec<Count> = pieces.iter().map(|(at, good, scrap, cycle)| Count {
            good: *good, scrap: *scrap, ideal_cycle_s: Some(*cycle), ..Count::at(*at)
        }).collect();
        counted.sort_by_key(|count| count.at_us);
        let told = with_breaks(&states, &[Break { from_us: ends.0, to_us: ends.1 }]);
        for counts in [&[][..], &counted[..]] {
            let facts = Facts { shifts: &shifts, states: &told, known_until_us: ends.0, counts, minor_stop_us: ends.1 };
            let _ = demonstrated_cycle_s(&facts, share);
            if let Ok(report) = oee(&facts) {
                let total = ShiftOee::total("", &report.shifts);
                prop_assert!(total.buckets.total_us() >= 0);
                let _ = (total.oee(), total.nee(), total.mtbf_h(), recommend(&report, share, ends.0));
            }
        }
        let readings: Vec<Reading> = pieces.iter().map(|(at_us, produced, bad, _)| Reading { at_us: *at_us, produced: *produced, bad: *bad }).collect();
        let _ = counts(&readings, Some(share));
        let calendar = Calendar { shifts: vec![weekly(6, 14, &[])], closed: vec![] };
        if ends.1.saturating_sub(ends.0) < 365 * 24 * 60 * MINUTE_US {
            let _ = calendar.between(&jiff::tz::TimeZone::UTC, ends.0, ends.1);
        }
    }

    #[test]
    fn the_buckets_fill_every_shift_exactly(
        states in prop::collection::vec((0_i64..1_000_000, state()), 0..60),
        gaps in prop::collection::vec((0_i64..10_000, 1_i64..90_000), 0..12),
        pieces in prop::collection::vec((0_i64..1_000_000, 0.0..50.0_f64, 0.0..9.0_f64, prop::option::of(1e-6..0.01_f64), any::<bool>()), 0..40),
        known_until_us in 0_i64..1_200_000,
        minor_stop_us in 0_i64..40_000,
    ) {
        let mut states: Vec<StateChange> = states.into_iter().map(|(at, state)| StateChange::new(at, state)).collect();
        states.sort_by_key(|change| change.at_us);
        let mut end = 0;
        let shifts: Vec<Shift> = gaps.into_iter().map(|(gap, length)| {
            let from_us = end + gap;
            end = from_us + length;
            Shift { name: String::new(), from_us, to_us: end }
        }).collect();
        let mut counts: Vec<Count> = pieces.into_iter().map(|(at, good, scrap, ideal_cycle_s, is_startup)| Count {
            good, scrap, ideal_cycle_s, is_startup, ..Count::at(at)
        }).collect();
        counts.sort_by_key(|count| count.at_us);
        let facts = Facts { shifts: &shifts, states: &states, known_until_us, counts: &counts, minor_stop_us };
        let report = oee(&facts).expect("sorted facts are sound");
        for (shift, found) in shifts.iter().zip(&report.shifts) {
            prop_assert_eq!(found.buckets.total_us(), shift.to_us - shift.from_us);
            let b = found.buckets;
            let all = [b.planned_stop_us, b.breakdown_us, b.setup_us, b.minor_stop_us, b.reduced_speed_us,
                b.startup_reject_us, b.production_reject_us, b.productive_us, b.undivided_us, b.unknown_us];
            prop_assert!(all.iter().all(|us| *us >= 0));
            prop_assert!(found.quality().is_none_or(|q| (0.0..=1.0).contains(&q)));
            prop_assert!(found.availability().is_none_or(|a| (0.0..=1.0).contains(&a)));
        }
        let total = ShiftOee::total("", &report.shifts);
        prop_assert_eq!(total.buckets.total_us(), shifts.iter().map(|shift| shift.to_us - shift.from_us).sum::<i64>());
        let by_reason: i64 = report.reasons.iter().map(ReasonLoss::total_us).sum();
        let by_bucket: i64 = report.shifts.iter().map(|s| s.buckets.breakdown_us + s.buckets.setup_us + s.buckets.minor_stop_us).sum();
        prop_assert_eq!(by_reason, by_bucket);
    }

    #[test]
    fn a_break_takes_only_standing_time(
        states in prop::collection::vec((0_i64..1_000, state()), 0..40),
        breaks in prop::collection::vec((1_i64..200, 1_i64..90), 0..8),
    ) {
        let mut states: Vec<StateChange> = states.into_iter().map(|(at, state)| StateChange::new(at, state)).collect();
        states.sort_by_key(|change| change.at_us);
        let mut end = 0;
        let breaks: Vec<Break> = breaks.into_iter().map(|(gap, length)| {
            let from_us = end + gap;
            end = from_us + length;
            Break { from_us, to_us: end }
        }).collect();
        let told = with_breaks(&states, &breaks);
        prop_assert!(told.windows(2).all(|pair| pair[0].at_us <= pair[1].at_us));
        let at = |states: &[StateChange], at_us: i64| {
            states.iter().rev().find(|change| change.at_us <= at_us).map(|change| change.state)
        };
        for at_us in 0..1_200 {
            let is_break = breaks.iter().any(|pause| (pause.from_us..pause.to_us).contains(&at_us));
            let expected = match at(&states, at_us) {
                Some(State::Down) if is_break => Some(State::PlannedStop),
                other => other,
            };
            prop_assert_eq!(at(&told, at_us), expected);
        }
    }
}
