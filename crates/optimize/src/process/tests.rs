use proptest::prelude::*;

use super::*;
use crate::Basis;
use crate::statistics::tests::{hostile, hostile_us};

const BASIS: Basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };

fn row<'a>(case: &'a str, activity: &'a str, start_us: i64, end_us: i64) -> Row<'a> {
    Row { case, activity, start_us, end_us }
}

fn check(rows: &[Row], expected: &str) {
    let found = match Log::new(rows.iter().copied()) {
        Ok(log) => describe(&map(&log)),
        Err(error) => error.to_string(),
    };
    assert_eq!(found, expected);
}

fn describe(map: &ProcessMap) -> String {
    let name = |idx: usize| map.activities[idx].name.as_str();
    let edges = map.edges.iter().map(|edge| {
        format!(
            "{}>{} {}x median {} max {}",
            name(edge.from),
            name(edge.to),
            edge.n,
            edge.median_wait_us,
            edge.max_wait_us
        )
    });
    let variants = map.variants.iter().map(|variant| {
        let path: Vec<&str> = variant.activities.iter().map(|idx| name(*idx)).collect();
        format!("{} {}x {}", path.join("-"), variant.n_cases, variant.median_duration_us)
    });
    edges.chain(variants).collect::<Vec<_>>().join("; ")
}

#[test]
fn edges_waits_and_variants_are_counted_by_hand() {
    check(&[], "");
    check(&[row("1", "a", 0, 1)], "a 1x 1");
    // Rows out of order; b of case 2 begins before a ends.
    check(
        &[
            row("1", "b", 5, 6),
            row("2", "a", 0, 4),
            row("1", "a", 0, 1),
            row("2", "b", 3, 9),
            row("3", "b", 0, 1),
        ],
        "a>b 2x median 0 max 4; a-b 2x 6; b 1x 1",
    );
    check(
        &[row("1", "a", 3, 2)],
        "row 0: a of 1 ends at 2 µs before its begin at 3 µs; correct its times",
    );
}

#[test]
fn a_number_without_a_name_is_refused() {
    let event = Event { case: 0, activity: 1, start_us: 0, end_us: 0 };
    let error = Log::from_events(vec!["1".into()], vec!["a".into()], vec![event])
        .expect_err("no activity 1");
    assert_eq!(
        error.to_string(),
        "event 0 names activity 1, but there are 1; number them from 0 in the order of the list"
    );
}

#[test]
fn the_busiest_edges_carry_the_share_asked_for() {
    let rows = [
        row("1", "a", 0, 0),
        row("1", "a", 1, 1),
        row("1", "a", 2, 2),
        row("1", "a", 3, 3),
        row("1", "b", 4, 4),
    ];
    let map = map(&Log::new(rows).expect("sound"));
    assert_eq!(map.busiest(0.0).len(), 0);
    assert_eq!(map.busiest(75.0).len(), 1);
    assert_eq!(map.busiest(76.0).len(), 2);
    assert_eq!(map.busiest(100.0).len(), 2);
    assert_eq!(map.longest_waits()[0].total_wait_us, 3);
}

proptest! {
    #[test]
    fn any_times_give_a_map_or_an_error(
        events in prop::collection::vec((0_u32..3, 0_u32..3, hostile_us(), hostile_us()), 0..12),
        share in hostile(),
    ) {
        let events: Vec<Event> = events.into_iter()
            .map(|(case, activity, a, b)| Event { case, activity, start_us: a.min(b), end_us: a.max(b) }).collect();
        let near: Vec<Event> = events.iter().copied().filter(|e| e.start_us.unsigned_abs().max(e.end_us.unsigned_abs()) < 10).collect();
        for events in [events, near] {
            if let Ok(log) = Log::from_events(vec!["c".into(); 3], vec!["a".into(); 2], events) {
                let map = map(&log);
                let _ = (map.busiest(share), recommend(&log, share, &BASIS));
            }
        }
    }

    #[test]
    fn sums_agree_whatever_the_order_of_the_rows(
        events in prop::collection::vec((0_u32..9, 0_u32..5, 0_i64..1000, 0_i64..50), 0..200),
        seed in any::<u64>(),
    ) {
        // Distinct ends, so that the order is the same however the rows lie.
        let events: Vec<Event> = events.iter().enumerate().map(|(idx, (case, activity, start, length))| {
            let start_us = start * 1000;
            Event { case: *case, activity: *activity, start_us, end_us: start_us + length * 1000 + idx as i64 }
        }).collect();
        let names = |n: u32| (0..n).map(|idx| idx.to_string()).collect::<Vec<_>>();
        let mut mixed = events.clone();
        mixed.sort_by_key(|event| (event.end_us as u64).wrapping_mul(seed | 1));
        let of = |events| map(&Log::from_events(names(9), names(5), events).expect("sound"));
        let (first, second) = (of(events.clone()), of(mixed));
        prop_assert_eq!(&first, &second);
        let n_edges: usize = first.edges.iter().map(|edge| edge.n).sum();
        prop_assert_eq!(n_edges + first.n_cases, events.len());
        prop_assert_eq!(first.variants.iter().map(|v| v.n_cases).sum::<usize>(), first.n_cases);
        for (idx, activity) in first.activities.iter().enumerate() {
            let out: usize = first.edges.iter().filter(|edge| edge.from == idx).map(|edge| edge.n).sum();
            prop_assert_eq!(out + activity.n_last, activity.n_events);
            let into: usize = first.edges.iter().filter(|edge| edge.to == idx).map(|edge| edge.n).sum();
            prop_assert_eq!(into + activity.n_first, activity.n_events);
        }
    }
}
