//! Brings the samples of one machine, which arrive one by one and not quite in order, into rows for its detector.
//!
//! A row is one tick of event time. It is complete when every signal that is still talking has got past it
//! (a watermark, as in Akidau et al. (2015), "The Dataflow Model", §2.3), so that signals may come in blocks,
//! as they do when a history is imported. A signal that has been silent on the wall clock is not waited for.

use std::collections::VecDeque;

/// A signal that has sent nothing for so long is not waited for.
const SILENT_US: i64 = 3_000_000;
/// Most rows that wait for a slow signal; beyond that the oldest goes out incomplete.
const MAX_WAITING: usize = 200_000;
/// A value is held for so many of its own usual intervals.
const HOLD_INTERVALS: f64 = 3.5;
/// … but at least for so long.
const MIN_HOLD_US: i64 = 2_000_000;

#[derive(Clone, Copy)]
struct Column {
    last_time_us: i64,
    last_wall_us: i64,
    interval_us: f64,
    held: f64,
    held_time_us: i64,
}

/// The row assembler of one machine.
pub(crate) struct Assembler {
    tick_us: i64,
    columns: Vec<Column>,
    /// Rows by tick, oldest first, each `columns` wide and then the machine state; NaN where nothing came.
    waiting: VecDeque<(i64, Vec<f64>)>,
    spare: Vec<Vec<f64>>,
    state: f64,
    last_out_us: i64,
}

/// A complete row.
pub(crate) struct Row<'a> {
    /// Its tick in event time.
    pub(crate) time_us: i64,
    /// One value per column, NaN where the signal is silent or bad.
    pub(crate) values: &'a [f64],
    /// The machine state's code; NaN when it has none.
    pub(crate) state: f64,
    /// Time since the row before, 0 for the first.
    pub(crate) step_us: i64,
}

impl Assembler {
    pub(crate) fn new(n_columns: usize, tick_us: i64) -> Assembler {
        let column = Column {
            last_time_us: i64::MIN,
            last_wall_us: i64::MIN,
            interval_us: f64::NAN,
            held: f64::NAN,
            held_time_us: i64::MIN,
        };
        Assembler {
            tick_us,
            columns: vec![column; n_columns],
            waiting: VecDeque::new(),
            spare: Vec::new(),
            state: f64::NAN,
            last_out_us: i64::MIN,
        }
    }

    /// Takes one value; `column` = the number of columns means the machine state.
    pub(crate) fn put(&mut self, column: usize, time_us: i64, value: f64, wall_us: i64) {
        if column < self.columns.len() {
            let column = &mut self.columns[column];
            if column.last_time_us != i64::MIN && time_us > column.last_time_us {
                let gap_us = (time_us - column.last_time_us) as f64;
                // Quick to shrink, slow to grow: a pause is not a new rhythm.
                column.interval_us = match column.interval_us {
                    old if old.is_nan() || gap_us < old => gap_us.max(0.8 * old.min(gap_us)),
                    old => old + 0.02 * (gap_us.min(8.0 * old) - old),
                };
            }
            column.last_time_us = column.last_time_us.max(time_us);
            column.last_wall_us = wall_us;
        }
        let tick_us = time_us.div_euclid(self.tick_us) * self.tick_us;
        if tick_us <= self.last_out_us {
            return;
        }
        let at = self.waiting.partition_point(|(time_us, _)| *time_us < tick_us);
        if self.waiting.get(at).is_none_or(|(time_us, _)| *time_us != tick_us) {
            let mut row = self.spare.pop().unwrap_or_default();
            row.clear();
            row.resize(self.columns.len() + 1, f64::NAN);
            self.waiting.insert(at, (tick_us, row));
        }
        self.waiting[at].1[column] = value;
    }

    /// Hands out the rows that are complete, oldest first.
    pub(crate) fn take(&mut self, wall_us: i64, mut on_row: impl FnMut(Row<'_>)) {
        let watermark_us = self.watermark(wall_us);
        while self
            .waiting
            .front()
            .is_some_and(|(time_us, _)| *time_us + self.tick_us <= watermark_us)
            || self.waiting.len() > MAX_WAITING
        {
            let Some((time_us, mut row)) = self.waiting.pop_front() else { return };
            self.hold(time_us, &mut row);
            let step_us = if self.last_out_us == i64::MIN { 0 } else { time_us - self.last_out_us };
            on_row(Row { time_us, values: &row[..self.columns.len()], state: self.state, step_us });
            self.last_out_us = time_us;
            self.spare.push(row);
        }
        self.spare.truncate(64);
    }

    /// Fills what is missing with the value before it, unless that is too old.
    fn hold(&mut self, time_us: i64, row: &mut [f64]) {
        for (column, value) in self.columns.iter_mut().zip(row.iter_mut()) {
            if value.is_nan() {
                let hold_us = (column.interval_us * HOLD_INTERVALS).max(MIN_HOLD_US as f64);
                let age_us = time_us.saturating_sub(column.held_time_us) as f64;
                *value = if age_us <= hold_us { column.held } else { f64::NAN };
            } else {
                column.held = *value;
                column.held_time_us = time_us;
            }
        }
        let state = row[row.len() - 1];
        if !state.is_nan() {
            self.state = state;
        }
    }

    /// Everything before this time is complete.
    fn watermark(&self, wall_us: i64) -> i64 {
        let talking = self
            .columns
            .iter()
            .filter(|column| column.last_wall_us > wall_us.saturating_sub(SILENT_US));
        talking.map(|column| column.last_time_us).min().unwrap_or(i64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: i64 = signal::SECOND_US;

    fn drain(assembler: &mut Assembler, wall_us: i64) -> Vec<(i64, Vec<f64>, f64)> {
        let mut rows = Vec::new();
        assembler.take(wall_us, |row| rows.push((row.time_us / S, row.values.to_vec(), row.state)));
        rows
    }

    #[test]
    fn a_row_waits_until_every_talking_signal_is_past_it() {
        let mut assembler = Assembler::new(2, S);
        assembler.put(0, 0, 1.0, 0);
        assembler.put(2, 0, 7.0, 0);
        assembler.put(0, S, 2.0, 0);
        assembler.put(1, 0, 10.0, 0);
        assert_eq!(drain(&mut assembler, 0), []);
        assembler.put(1, S, 20.0, 0);
        assert_eq!(drain(&mut assembler, 0), [(0, vec![1.0, 10.0], 7.0)]);
    }

    #[test]
    fn signals_that_come_in_blocks_meet_in_their_rows() {
        let mut assembler = Assembler::new(2, S);
        for n in 0..5 {
            assembler.put(0, n * S, n as f64, 0);
        }
        for n in 0..5 {
            assembler.put(1, n * S, 10.0 * n as f64, 0);
        }
        let rows = drain(&mut assembler, 0);
        assert_eq!(rows.len(), 4);
        assert_eq!(rows[3].1, [3.0, 30.0]);
    }

    #[test]
    fn a_silent_signal_is_not_waited_for_and_goes_missing() {
        let mut assembler = Assembler::new(2, S);
        for n in 0..20 {
            assembler.put(0, n * S, 1.0, n * S);
            if n < 5 {
                assembler.put(1, n * S, 2.0, n * S);
            }
        }
        let rows = drain(&mut assembler, 19 * S);
        assert_eq!(rows.len(), 19);
        assert_eq!(rows[5].1[1], 2.0, "held for a few intervals");
        assert!(rows[12].1[1].is_nan(), "then missing");
    }
}
