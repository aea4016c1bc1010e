//! Shifts, nights, weekends and maintenance, and work that fits between them.

use crate::random::Random;

const DAY: i64 = 1_440;
/// Length of the one shift of a day.
const SHIFT: i64 = 480;
const MAINTENANCE: i64 = 60;

/// Closed times, apart from each other or touching, in time order.
#[derive(Debug, Clone, Default)]
pub(super) struct Hours(pub(super) Vec<(i64, i64)>);

impl Hours {
    /// One shift a day on five days of seven, from time 0 on, with maintenance in about one shift of three, until there
    /// are so many open minutes.
    pub(super) fn shifts(open: i64, random: &mut Random) -> Self {
        let mut closed = Vec::new();
        let (mut left, mut day) = (open, 0);
        while left > 0 {
            let start = day * DAY;
            day += 1;
            if day % 7 == 6 || day % 7 == 0 {
                closed.push((start, start + DAY));
                continue;
            }
            left -= SHIFT;
            if random.below(3) == 0 {
                let from = start + random.whole(60, SHIFT - MAINTENANCE - 60);
                closed.push((from, from + MAINTENANCE));
                left += MAINTENANCE;
            }
            closed.push((start + SHIFT, start + DAY));
        }
        Self(closed)
    }

    /// Times in which one of two or both are closed.
    pub(super) fn and(&self, other: &Self) -> Self {
        let mut closed: Vec<(i64, i64)> = self.0.iter().chain(&other.0).copied().collect();
        closed.sort_unstable();
        Self(closed)
    }

    /// The first open moment from `time` on.
    pub(super) fn next_open(&self, time: i64) -> i64 {
        let mut open = time;
        for &(from, to) in &self.0 {
            if from <= open && open < to {
                open = to;
            }
        }
        open
    }

    /// When so many open minutes have gone since `start`, which is open.
    pub(super) fn end_of(&self, start: i64, minutes: i64) -> i64 {
        let mut end = start + minutes;
        let mut behind = start;
        for &(from, to) in &self.0 {
            if to > behind && from < end {
                end += to - from.max(behind);
                behind = to;
            }
        }
        end
    }

    /// Start and end of work that begins at `ready` or later, and goes on over closed times only if it can pause.
    pub(super) fn fit(&self, ready: i64, minutes: i64, can_pause: bool) -> (i64, i64) {
        let mut start = self.next_open(ready);
        if can_pause {
            return (start, self.end_of(start, minutes));
        }
        while self.end_of(start, minutes) > start + minutes {
            start += 1;
            start = self.next_open(start);
        }
        (start, start + minutes)
    }

    /// The open times until the last closed one.
    pub(super) fn spans(&self) -> Vec<(i64, i64)> {
        let mut spans = Vec::new();
        let mut free = 0;
        for &(from, to) in &self.0 {
            if free < from {
                spans.push((free, from));
            }
            free = free.max(to);
        }
        spans
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_pauses_over_closed_times_or_waits_for_room() {
        let hours = Hours(vec![(10, 20), (15, 25), (25, 30), (40, 50)]);
        assert_eq!(hours.next_open(12), 30);
        assert_eq!([hours.end_of(0, 10), hours.end_of(0, 11), hours.end_of(5, 16)], [10, 31, 51]);
        assert_eq!(hours.fit(3, 8, false), (30, 38));
        assert_eq!(hours.fit(3, 8, true), (3, 31));
        assert_eq!(hours.spans(), [(0, 10), (30, 40)]);
    }
}
