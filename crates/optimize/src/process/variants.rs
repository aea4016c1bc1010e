//! Ways through the process.

use std::collections::HashMap;

use super::log::{Event, Log};

/// Cases that did the same activities in the same order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Indices of the activities in order.
    pub activities: Vec<usize>,
    /// How many cases went this way.
    pub n_cases: usize,
    /// Name of one of them, the first.
    pub example: String,
    /// Median time from first begin to last end, in microseconds; the lower of the two middle ones.
    pub median_duration_us: i64,
}

/// Every way, most frequent first, equals in the order of their first case.
pub(super) fn variants(log: &Log) -> Vec<Variant> {
    let paths: Vec<u32> = log.cases().flatten().map(|event| event.activity).collect();
    let mut places: HashMap<&[u32], usize> = HashMap::new();
    let mut found: Vec<(&[u32], u32, Vec<i64>)> = Vec::new();
    let mut from = 0;
    for case in log.cases() {
        let path = &paths[from..from + case.len()];
        from += case.len();
        let place = *places.entry(path).or_insert_with(|| {
            found.push((path, case[0].case, Vec::new()));
            found.len() - 1
        });
        found[place].2.push(duration_us(case));
    }
    let mut variants: Vec<Variant> = found
        .into_iter()
        .map(|(path, first, mut durations_us)| {
            let middle = (durations_us.len() - 1) / 2;
            Variant {
                activities: path.iter().map(|activity| *activity as usize).collect(),
                n_cases: durations_us.len(),
                example: log.case_names()[first as usize].clone(),
                median_duration_us: *durations_us.select_nth_unstable(middle).1,
            }
        })
        .collect();
    variants.sort_by_key(|variant| std::cmp::Reverse(variant.n_cases));
    variants
}

fn duration_us(case: &[Event]) -> i64 {
    let begin_us = case.iter().map(|event| event.start_us).min().unwrap_or(0);
    let end_us = case.iter().map(|event| event.end_us).max().unwrap_or(0);
    end_us - begin_us
}
