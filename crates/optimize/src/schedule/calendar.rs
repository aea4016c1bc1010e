//! When something is off, and when a piece of work fits between.

/// Times when something is off: apart from each other and in time order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calendar(Vec<(i64, i64)>);

impl Calendar {
    /// The union of closed times; empty ones count as none.
    pub(super) fn new<'a>(closed: impl IntoIterator<Item = &'a (i64, i64)>) -> Self {
        let mut spans: Vec<(i64, i64)> =
            closed.into_iter().copied().filter(|(from, to)| from < to).collect();
        spans.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (from, to) in spans {
            match merged.last_mut() {
                Some(last) if from <= last.1 => last.1 = last.1.max(to),
                _ => merged.push((from, to)),
            }
        }
        Self(merged)
    }

    pub(super) fn union(&self, other: &Self) -> Self {
        Self::new(self.0.iter().chain(&other.0))
    }

    /// Start and end of a piece of work that begins at `from` or later. Where it can pause it only has to begin
    /// while this is on; else it is on all the time.
    pub(super) fn fit(&self, from: i64, length: i64, can_pause: bool) -> (i64, i64) {
        let mut next = self.0.partition_point(|&(_, to)| to <= from);
        let mut start = from;
        while let Some(&(closed, open)) = self.0.get(next) {
            let is_off = closed <= start && start < open;
            if !is_off && (can_pause || start + length <= closed) {
                break;
            }
            start = open;
            next += 1;
        }
        let mut end = start + length;
        if can_pause {
            for &(closed, open) in &self.0[next..] {
                if end <= closed {
                    break;
                }
                end += open - closed;
            }
        }
        (start, end)
    }

    /// The parts of a time in which this is on.
    pub(super) fn open_parts(&self, start: i64, end: i64) -> Vec<(i64, i64)> {
        let first = self.0.partition_point(|&(_, to)| to <= start);
        let mut parts = Vec::new();
        let mut from = start;
        for &(closed, open) in &self.0[first..] {
            if closed >= end {
                break;
            }
            if closed > from {
                parts.push((from, closed));
            }
            from = open;
        }
        if from < end {
            parts.push((from, end));
        }
        parts
    }

    /// The longest time in a row that this is on between two moments.
    pub(super) fn longest_open(&self, start: i64, end: i64) -> i64 {
        self.open_parts(start, end).iter().map(|(from, to)| to - from).max().unwrap_or(0)
    }

    /// All the time that this is on between two moments.
    pub(super) fn total_open(&self, start: i64, end: i64) -> i64 {
        self.open_parts(start, end).iter().map(|(from, to)| to - from).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_fits_between_closed_times_or_pauses_over_them() {
        let calendar = Calendar::new(&[(20, 30), (10, 12), (11, 14), (5, 5)]);
        assert_eq!(calendar, Calendar(vec![(10, 14), (20, 30)]));
        assert_eq!(calendar.fit(0, 10, false), (0, 10));
        assert_eq!(calendar.fit(1, 10, false), (30, 40));
        assert_eq!(calendar.fit(1, 6, false), (1, 7));
        assert_eq!(calendar.fit(11, 6, false), (14, 20));
        assert_eq!(calendar.fit(1, 10, true), (1, 15));
        assert_eq!(calendar.fit(1, 16, true), (1, 31));
        assert_eq!(calendar.fit(12, 7, true), (14, 31));
        assert_eq!(calendar.fit(12, 0, true), (14, 14));
    }

    #[test]
    fn open_time_is_counted() {
        let calendar = Calendar::new(&[(10, 14), (20, 30)]);
        assert_eq!(calendar.open_parts(5, 25), [(5, 10), (14, 20)]);
        assert_eq!(calendar.total_open(0, 40), 26);
        assert_eq!(calendar.longest_open(0, 40), 10);
        assert_eq!(calendar.longest_open(11, 13), 0);
    }
}
