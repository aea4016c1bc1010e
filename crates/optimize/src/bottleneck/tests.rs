use proptest::prelude::*;

use super::*;
use crate::Basis;
use crate::statistics::tests::{hostile, hostile_us};

const BASIS: Basis = Basis { window_us: Some((3, 7)), currency: "EUR", valid_until_us: 0 };

fn names(n: usize) -> Vec<String> {
    (1..=n).map(|idx| format!("P{idx}")).collect()
}

fn work(times: &[i64]) -> Vec<Service> {
    times.iter().map(|work_us| Service { work_us: *work_us, down_us: 0 }).collect()
}

/// Every method on one trace: momentary, average, least waiting, turning point, walk, replay.
fn check(trace: &Trace, expected: [usize; 6]) {
    let line = trace.replay(None).observed(trace.names());
    let waits = waiting(&line);
    let gains = trace.what_if(5.0).expect("5 % are possible");
    let found = [
        momentary(&line).machine(),
        largest(average_active_us(&line)),
        least_waiting(&waits),
        turning_point(&waits),
        critical_path(&line).machine(),
        largest(gains.iter().map(WhatIf::gain_per_hour)),
    ];
    assert_eq!(found, expected.map(Some));
}

#[test]
fn the_slowest_machine_of_a_steady_line_is_named_by_every_method() {
    for slowest in 0..5 {
        let mut times = [7_000; 5];
        times[slowest] = 9_000;
        let trace =
            Trace::new(names(5), &vec![work(&times); 400], vec![2; 4], vec![]).expect("sound");
        check(&trace, [slowest; 6]);
    }
}

#[test]
fn a_bottleneck_that_moves_is_followed() {
    // allaboutlean.com, "failed bottleneck detection methods": P1 takes 10 at first, later P3 does.
    let mut parts = vec![work(&[10, 5, 5]); 100];
    parts.extend(vec![work(&[5, 5, 10]); 100]);
    let trace = Trace::new(names(3), &parts, vec![1; 2], vec![]).expect("sound");
    let line = trace.replay(None).observed(trace.names());
    let found = momentary(&line);
    let sole: Vec<usize> =
        found.segments.iter().filter(|s| s.shifts_to.is_none()).map(|s| s.machine).collect();
    assert_eq!(sole, [0, 2]);
    assert!((found.sole[0] - 0.5).abs() < 0.03 && (found.sole[2] - 0.5).abs() < 0.03);
    let path = critical_path(&line);
    assert_eq!(path.unexplained_us, 0);
    assert!(path.working_us[1] < 30 && (path.working_us[0] - path.working_us[2]).abs() < 30);
}

#[test]
fn observations_that_contradict_themselves_are_named() {
    let interval =
        |machine, from_us, to_us| Interval { machine, from_us, to_us, activity: Activity::Working };
    let fails = |intervals: &[Interval], words: &str| {
        let error = Observed::new(names(2), intervals, 0).expect_err("must be refused");
        assert_eq!(error.to_string(), words);
    };
    fails(
        &[interval(2, 0, 1)],
        "interval 0 is of machine 2, but the line has 2; add the machine or drop it",
    );
    fails(
        &[interval(1, 5, 1)],
        "an interval of P2 ends at 1 µs before its begin at 5 µs; correct its times",
    );
    fails(
        &[interval(0, 0, 5), interval(0, 4, 9)],
        "P1 does two things at 4 µs; end the first before the second begins",
    );
    let error = Trace::new(names(2), &[work(&[1])], vec![1], vec![]).expect_err("must be refused");
    assert_eq!(
        error.to_string(),
        "part 0 has 1 services on 2 machines; give one for each, 0 if skipped"
    );
}

#[test]
fn nothing_observed_is_nothing_found() {
    let line = Observed::new(vec![], &[], 0).expect("empty is sound");
    assert_eq!(momentary(&line).machine(), None);
    assert_eq!(critical_path(&line).machine(), None);
    assert_eq!(turning_point(&waiting(&line)), None);
    let idle = Observed::new(names(3), &[], 0).expect("idle is sound");
    assert_eq!(momentary(&idle).machine(), None);
    assert_eq!(critical_path(&idle).machine(), None);
}

#[test]
fn clocks_that_disagree_do_not_trap_the_walk() {
    let interval =
        |machine, from_us, to_us, activity| Interval { machine, from_us, to_us, activity };
    let seen = [
        interval(0, 0, 50, Activity::Working),
        interval(0, 50, 90, Activity::Blocked),
        interval(1, 0, 80, Activity::Starved),
        interval(1, 85, 100, Activity::Working),
    ];
    let path = critical_path(&Observed::new(names(2), &seen, 0).expect("sound"));
    let total = path.working_us.iter().sum::<i64>() + path.unexplained_us;
    assert_eq!((total, path.working_us), (100, vec![50, 15]));
}

#[test]
fn the_advice_names_the_machine_and_the_gain() {
    let trace = Trace::new(names(2), &vec![work(&[10_000_000, 8_000_000]); 1000], vec![2], vec![])
        .expect("sound");
    let advice = recommend(&trace, 10.0, &BASIS)
        .expect("10 % are possible")
        .expect("P1 holds the line back");
    assert_eq!(advice.summary, "10 % less work per part at P1 brings 39.9 parts per hour more");
    assert!(advice.bounds.gap_percent().expect("bound") < 0.2, "{:?}", advice.bounds);
    assert_eq!(advice.evidence.window_us, Some((3, 7)));
    // 150 % less work once proposed -5.0 s per part.
    for percent in [150.0, 100.0, -1.0, f64::NAN] {
        let refused = recommend(&trace, percent, &BASIS).expect_err("no machine can do that");
        assert!(refused.to_string().contains("0 to 95 %"), "{refused}");
    }
    assert!(advice.gain.low > 39.0 && advice.gain.high < 41.0, "{:?}", advice.gain);
}

fn line() -> impl Strategy<Value = Trace> {
    (1_usize..6).prop_flat_map(|n| {
        let service = (0_i64..50, prop_oneof![9 => Just(0_i64), 1 => 0_i64..200]);
        let service = service.prop_map(|(work_us, down_us)| Service { work_us, down_us });
        let parts = prop::collection::vec(prop::collection::vec(service, n), 0..60);
        let buffers = prop::collection::vec(0_usize..4, n - 1);
        (parts, buffers).prop_map(move |(parts, buffers)| {
            Trace::new(names(n), &parts, buffers, vec![]).expect("the strategy makes sound traces")
        })
    })
}

/// States alone name the machine, and what they promise is what the replay finds.
#[test]
fn the_advice_from_states_agrees_with_the_replay() {
    let trace = Trace::new(names(2), &vec![work(&[10_000_000, 8_000_000]); 1000], vec![2], vec![])
        .expect("sound");
    let line = trace.replay(None).observed(trace.names());
    let advice = recommend_from_states(&line, 10.0, &BASIS).expect("P1 holds the line back");
    assert_eq!(
        advice.summary,
        "the line waits for P1: 10 % less work there saves up to 10.0 % of the time"
    );
    assert_eq!(advice.evidence.window_us, line.span_us());
    let gain = &trace.what_if(10.0).expect("possible")[0];
    let shorter = 100.0 * (1.0 - gain.now_per_hour / gain.then_per_hour);
    assert!(advice.gain.expected >= shorter && advice.gain.expected < shorter + 0.1, "{shorter}");
    assert!(line.stretches(9).is_empty());
}

fn activity() -> impl Strategy<Value = Activity> {
    prop_oneof![
        Just(Activity::Working),
        Just(Activity::Down),
        Just(Activity::Blocked),
        Just(Activity::Starved)
    ]
}

proptest! {
    #[test]
    fn any_numbers_give_a_line_or_an_error(
        seen in prop::collection::vec((0_usize..3, hostile_us(), hostile_us(), activity()), 0..8),
        gap_us in hostile_us(),
        percent in hostile(),
    ) {
        let seen: Vec<Interval> = seen.into_iter()
            .map(|(machine, a, b, activity)| Interval { machine, from_us: a.min(b), to_us: a.max(b), activity }).collect();
        // With the far times, which are refused, and without them.
        let near = seen.iter().copied().filter(|i| i.from_us.unsigned_abs() < 10 && i.to_us.unsigned_abs() < 10);
        for seen in [seen.clone(), near.take(1).collect()] {
            let Ok(line) = Observed::new(names(3), &seen, gap_us) else { continue };
            let waits = waiting(&line);
            let _ = (momentary(&line), average_active_us(&line), turning_point(&waits), least_waiting(&waits));
            let _ = (critical_path(&line), recommend_from_states(&line, percent, &BASIS));
        }
    }

    #[test]
    fn any_times_give_a_replay_or_an_error(
        parts in prop::collection::vec((hostile_us(), hostile_us()), 0..30),
        arrivals in prop::collection::vec(hostile_us(), 0..2),
        buffer in any::<usize>(),
        percent in hostile(),
        machine in any::<usize>(),
    ) {
        let rows: Vec<Vec<Service>> = parts.iter()
            .map(|(work_us, down_us)| vec![Service { work_us: *work_us, down_us: *down_us }; 2]).collect();
        let small: Vec<Vec<Service>> = rows.iter().map(|row| row.iter()
            .map(|own| Service { work_us: own.work_us.rem_euclid(9), down_us: own.down_us.rem_euclid(9) }).collect()).collect();
        for rows in [rows, small] {
            let Ok(trace) = Trace::new(names(2), &rows, vec![buffer], if rows.len() == arrivals.len() { arrivals.clone() } else { vec![] }) else { continue };
            if let Ok(faster) = trace.faster(machine, percent) {
                let _ = trace.replay(Some(faster)).observed(trace.names());
            }
            let _ = (trace.what_if(percent), recommend(&trace, percent, &BASIS));
        }
    }

    #[test]
    fn the_walk_explains_all_time_of_a_replay(trace in line()) {
        let replay = trace.replay(None);
        let path = critical_path(&replay.observed(trace.names()));
        let total = path.working_us.iter().chain(&path.down_us).sum::<i64>() + path.supply_us + path.demand_us;
        let end = trace.n_parts().checked_sub(1).map_or(0, |part| replay.left_us(part));
        prop_assert_eq!((path.unexplained_us, total), (0, end));
    }

    #[test]
    fn a_faster_machine_never_slows_the_line(trace in line(), percent in 0.0..60.0_f64) {
        let now = trace.replay(None);
        for machine in 0..trace.names().len() {
            let then = trace.replay(Some(trace.faster(machine, percent).expect("in range")));
            for part in 0..trace.n_parts() {
                prop_assert!(then.left_us(part) <= now.left_us(part));
            }
        }
    }

    #[test]
    fn buffers_hold_no_more_than_their_places(trace in line()) {
        let replay = trace.replay(None);
        let n = trace.names().len();
        for (machine, places) in trace.buffers.iter().enumerate() {
            let start = |part: usize| replay.times(part, machine + 1)[0];
            for part in 0..trace.n_parts() {
                let left = replay.times(part, machine)[2];
                let waiting = (0..part).filter(|ahead| start(*ahead) > left).count();
                prop_assert!(waiting < (*places).max(1), "{} of {} machines", machine, n);
            }
        }
    }

    #[test]
    fn momentary_segments_are_in_order_and_never_overlap(trace in line()) {
        let found = momentary(&trace.replay(None).observed(trace.names()));
        prop_assert!(found.segments.windows(2).all(|pair| pair[0].to_us <= pair[1].from_us));
        let total: f64 = found.sole.iter().sum::<f64>() + found.shifting.iter().sum::<f64>() / 2.0;
        prop_assert!(total <= 1.0 + 1e-9);
    }
}
