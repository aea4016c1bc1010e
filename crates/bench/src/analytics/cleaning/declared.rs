//! Rules that a person declares (range, rate) and those that judge time stamps: false flags and finds.

use analytics::clean::{Rules, Track, Verdict};

use super::{N_DEFECTS, NOW_US, S, Signal, split};
use crate::random::Random;
use crate::{Split, Table};

/// A declared range reaches so far beyond what was seen, as a share of its span.
const RANGE_MARGIN: f64 = 0.2;
/// A declared rate is so many times the fastest change seen.
const RATE_FACTOR: f64 = 1.5;
/// Intervals that a silence lasts.
const SILENCE: i64 = 30;

/// Range and rate, declared from the first half of each signal, judge the second half.
pub(super) fn range_and_rate(signals: &[Signal]) -> Table {
    let columns = [
        "clean signal",
        "rows",
        "range, false",
        "rate, false",
        "found: half a span outside",
        "found: step of twice the fastest change",
    ];
    let title = "Range and rate, declared from the first half of a record, on its second half";
    let mut table = Table::new(title, &columns);
    for Signal { name, values } in signals {
        let (before, after) = values.split_at(values.len() / 2);
        let (rules, span, fastest) = declare(before);
        let verdicts = judge(&rules, after);
        let share = |flag: Verdict| {
            let n = verdicts.iter().filter(|verdict| verdict.has(flag)).count();
            format!("{:.3} %", 100.0 * n as f64 / after.len() as f64)
        };
        let high = rules.range.map_or(0.0, |range| range.1);
        let outside = found(&rules, after, |values, row| values[row] = high + 0.5 * span);
        let jump = found(&rules, after, |values, row| {
            // Toward the middle, so that it stays in range.
            let sign = if values[row - 1] > high - 0.5 * span { -1.0 } else { 1.0 };
            values[row] = values[row - 1] + sign * 2.0 * fastest;
        });
        table.row([
            name.clone(),
            after.len().to_string(),
            share(Verdict::RANGE),
            share(Verdict::RATE),
            outside,
            jump,
        ]);
    }
    table.note(format!(
        "range: lowest and highest value seen and {RANGE_MARGIN} of the span more; rate: {RATE_FACTOR} times the fastest change seen"
    ));
    table.note(format!("signals {}, declared from the first half of each", split(signals)));
    table
}

fn declare(seen: &[f64]) -> (Rules, f64, f64) {
    let low = seen.iter().copied().fold(f64::INFINITY, f64::min);
    let high = seen.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let span = high - low;
    let fastest = seen.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f64::max);
    let rules = Rules {
        range: Some((low - RANGE_MARGIN * span, high + RANGE_MARGIN * span)),
        max_rate_per_s: Some(RATE_FACTOR * fastest),
        ..Rules::default()
    };
    (rules, span, fastest)
}

fn judge(rules: &Rules, values: &[f64]) -> Vec<Verdict> {
    let mut track = Track::default();
    let rows = values.iter().enumerate();
    rows.map(|(row, value)| track.judge(rules, NOW_US, row as i64 * S, *value)).collect()
}

fn found(rules: &Rules, values: &[f64], defect: impl Fn(&mut [f64], usize)) -> String {
    let is_found = |n: &usize| {
        let row = 1 + n * (values.len() - 2) / N_DEFECTS;
        let mut values = values[..=row].to_vec();
        defect(&mut values, row);
        judge(rules, &values)[row].0 & (Verdict::RANGE.0 | Verdict::RATE.0) != 0
    };
    format!("{:.0} %", 100.0 * (0..N_DEFECTS).filter(is_found).count() as f64 / N_DEFECTS as f64)
}

/// Gap, late, duplicate and future, on time stamps as machines send them.
pub(super) fn times(stamps: &[(&str, Vec<i64>)], seed: u64) -> Table {
    let columns = [
        "clean time stamps",
        "rows",
        "gap, false",
        "any other, false",
        "found: silence of 30 intervals",
        "two swapped",
        "sent twice",
        "an hour ahead",
    ];
    let title = "Time stamps: false flags, and 20 defects of each kind put in";
    let mut table = Table::new(title, &columns);
    let mut noise = Random::new(seed);
    for (name, times) in stamps {
        let row =
            |time_us: &i64| Row { came_us: *time_us, time_us: *time_us, value: noise.normal() };
        let rows: Vec<Row> = times.iter().map(row).collect();
        let verdicts = judge_times(&rows);
        let timely =
            Verdict::LATE.0 | Verdict::REPLACED.0 | Verdict::FUTURE.0 | Verdict::DUPLICATE.0;
        let share = |bits: u16| {
            let n = verdicts.iter().filter(|verdict| verdict.0 & bits != 0).count();
            format!("{:.3} %", 100.0 * n as f64 / rows.len() as f64)
        };
        let usual = (times[times.len() - 1] - times[0]) / times.len() as i64;
        table.row([
            (*name).to_owned(),
            rows.len().to_string(),
            share(Verdict::AFTER_GAP.0),
            share(timely),
            found_time(&rows, Verdict::AFTER_GAP, 0, |rows, at| {
                for row in &mut rows[at..] {
                    row.time_us += SILENCE * usual;
                    row.came_us = row.time_us;
                }
            }),
            found_time(&rows, Verdict::LATE, 1, |rows, at| {
                rows.swap(at, at + 1);
                rows[at + 1].came_us = rows[at].came_us;
            }),
            found_time(&rows, Verdict::DUPLICATE, 1, |rows, at| {
                rows[at + 1] = Row { came_us: rows[at + 1].came_us, ..rows[at] };
            }),
            found_time(&rows, Verdict::FUTURE, 0, |rows, at| rows[at].time_us += 3600 * S),
        ]);
    }
    table.note("default rules: a gap is ten usual intervals and at least 5 s");
    let stamps = stamps.iter().fold(Split::default(), |split, (name, times)| {
        split.rows(name, times.iter().map(|time| *time as usize))
    });
    table.note(format!("seed {seed}, time stamps {stamps}"));
    table
}

#[derive(Clone, Copy)]
struct Row {
    /// The clock when it came.
    came_us: i64,
    time_us: i64,
    value: f64,
}

fn judge_times(rows: &[Row]) -> Vec<Verdict> {
    let (mut track, rules) = (Track::default(), Rules::default());
    rows.iter().map(|row| track.judge(&rules, row.came_us, row.time_us, row.value)).collect()
}

/// Share of defects at row `at` that get the flag `behind` rows later.
fn found_time(
    rows: &[Row],
    flag: Verdict,
    behind: usize,
    defect: impl Fn(&mut [Row], usize),
) -> String {
    let is_found = |n: &usize| {
        let at = rows.len() / 2 + n * (rows.len() / 2 - 3) / N_DEFECTS;
        let mut rows = rows.to_vec();
        defect(&mut rows, at);
        judge_times(&rows)[at + behind].has(flag)
    };
    format!("{:.0} %", 100.0 * (0..N_DEFECTS).filter(is_found).count() as f64 / N_DEFECTS as f64)
}
