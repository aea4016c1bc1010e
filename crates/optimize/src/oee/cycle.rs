//! The cycle that a machine has shown it can keep, where nobody has declared one.

use super::facts::{Error, Facts, State, StateChange};

/// Stretches needed before a cycle is told.
const FEWEST: usize = 20;
/// Pieces in each, so that one more or less does not decide.
const PIECES: f64 = 20.0;

/// Seconds per piece that the machine keeps in the fastest `share` (0 to 1) of its running time.
///
/// Looks at those of [`Facts::counts`] before which the machine ran all the time since the count before, in stretches of
/// at least 20 pieces. "Best demonstrated performance" is what plants compare with when the nameplate says nothing; it
/// cannot show a loss that was always there. `None` below 20 such stretches, or if `share` is not within 0 to 1.
/// Cost: O(counts · log).
///
/// # Errors
/// If the facts contradict themselves, as for [`oee`](super::oee).
///
/// 100 minutes at 10 s a piece, 100 at 12 s:
///
/// ```
/// use optimize::oee::{Count, Facts, State, StateChange, demonstrated_cycle_s};
/// const MINUTE_US: i64 = 60_000_000;
/// let counts: Vec<Count> =
///     (0..=200).map(|at| Count { good: if at <= 100 { 6.0 } else { 5.0 }, ..Count::at(at * MINUTE_US) }).collect();
/// let facts = Facts {
///     shifts: &[],
///     states: &[StateChange::new(0, State::Running)],
///     known_until_us: 200 * MINUTE_US,
///     counts: &counts,
///     minor_stop_us: 0,
/// };
/// assert_eq!(demonstrated_cycle_s(&facts, 0.05)?, Some(10.0));
/// assert_eq!(demonstrated_cycle_s(&facts, 0.8)?, Some(12.0));
/// # Ok::<(), optimize::oee::Error>(())
/// ```
pub fn demonstrated_cycle_s(facts: &Facts, share: f64) -> Result<Option<f64>, Error> {
    facts.check()?;
    let mut cycles: Vec<(f64, f64)> = Vec::new();
    let mut running = Running { states: facts.states, until_us: facts.known_until_us, at: 0 };
    let (mut pieces, mut length_s) = (0.0, 0.0);
    for pair in facts.counts.windows(2) {
        let (from_us, to_us) = (pair[0].at_us, pair[1].at_us);
        if !running.covers(from_us, to_us) {
            (pieces, length_s) = (0.0, 0.0);
            continue;
        }
        pieces += pair[1].produced();
        length_s += (to_us - from_us) as f64 / 1e6;
        if pieces >= PIECES && length_s > 0.0 {
            cycles.push((length_s / pieces, length_s));
            (pieces, length_s) = (0.0, 0.0);
        }
    }
    if cycles.len() < FEWEST || !(0.0..=1.0).contains(&share) {
        return Ok(None);
    }
    cycles.sort_by(|one, two| one.0.total_cmp(&two.0));
    let all_s: f64 = cycles.iter().map(|(_, length_s)| length_s).sum();
    let mut left_s = share * all_s;
    let reached = cycles.iter().find(|(_, length_s)| {
        left_s -= length_s;
        left_s <= 0.0
    });
    Ok(reached.or(cycles.last()).map(|(cycle_s, _)| *cycle_s))
}

/// Looks for running time, from early to late.
struct Running<'a> {
    states: &'a [StateChange],
    until_us: i64,
    at: usize,
}

impl Running<'_> {
    /// Whether the machine ran from `from_us` to `to_us`; each call asks no earlier than the one before.
    fn covers(&mut self, from_us: i64, to_us: i64) -> bool {
        while self.states.get(self.at + 1).is_some_and(|next| next.at_us <= from_us) {
            self.at += 1;
        }
        let inside = self.states[self.at.min(self.states.len())..].iter();
        let mut inside = inside.take_while(|change| change.at_us < to_us);
        let begins = self.states.get(self.at).is_some_and(|change| change.at_us <= from_us);
        begins && to_us <= self.until_us && inside.all(|change| change.state == State::Running)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oee::Count;

    #[test]
    fn intervals_with_a_stop_or_an_unknown_end_are_left_out() {
        let second = 1_000_000;
        let count = |at_s: i64, good| Count { good, ..Count::at(at_s * second) };
        // Counted every 10 s; the stop from 2,000 to 2,005 s would halve the rate of one interval.
        let counts: Vec<Count> = (0..=450).map(|n| count(10 * n, 2.0)).collect();
        let states = [(0, State::Running), (2000, State::Down), (2005, State::Running)]
            .map(|(at_s, state)| StateChange::new(at_s * second, state));
        let facts = Facts {
            shifts: &[],
            states: &states,
            known_until_us: 4495 * second,
            counts: &counts,
            minor_stop_us: 0,
        };
        let slowest = demonstrated_cycle_s(&facts, 1.0).expect("facts are sound");
        assert_eq!(slowest, Some(5.0));
        // A piece now and then: intervals without any belong to the time of the next.
        let rare: Vec<Count> = (0..=3000).map(|n| count(10 * n, f64::from(n % 3 == 0))).collect();
        let states = [StateChange::new(0, State::Running)];
        let rare = Facts { counts: &rare, states: &states, known_until_us: i64::MAX, ..facts };
        assert_eq!(demonstrated_cycle_s(&rare, 0.5), Ok(Some(30.0)));
        let none = Facts { states: &[], ..facts };
        assert_eq!(demonstrated_cycle_s(&none, 0.05), Ok(None));
        assert_eq!(demonstrated_cycle_s(&facts, f64::NAN), Ok(None));
        assert_eq!(
            demonstrated_cycle_s(&Facts { counts: &counts[..190], ..facts }, 0.05),
            Ok(None)
        );
    }
}
