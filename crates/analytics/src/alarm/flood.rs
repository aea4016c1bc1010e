//! Too many alarms at once, the same one again and again, and those that nobody clears.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

/// Ten minutes.
pub(super) const PERIOD_US: i64 = 600_000_000;
const MINUTE_US: i64 = 60_000_000;
/// A flood begins above so many alarms in ten minutes (ISA-18.2-2016 §16.5.4) …
pub(super) const BEGINS_ABOVE: usize = 10;
/// … and ends below so many.
const ENDS_BELOW: usize = 5;
/// An alarm that rings so often within a minute chatters.
const CHATTERS_FROM: usize = 3;
/// An alarm active for longer than this is stale (ISA-18.2-2016 §16.5.7), µs.
pub const STALE_US: i64 = 86_400_000_000;

/// Whether an alarm active since `since_us` is stale: for more than 24 hours.
///
/// ```
/// use analytics::alarm::{STALE_US, is_stale};
/// assert!(!is_stale(7, 7 + STALE_US) && is_stale(7, 8 + STALE_US));
/// ```
pub fn is_stale(since_us: i64, now_us: i64) -> bool {
    now_us.saturating_sub(since_us) > STALE_US
}

/// Follows the rings of one operator position. Remembers at most the rings that it takes to decide.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Flood {
    recent: VecDeque<i64>,
    is_flood: bool,
}

impl Flood {
    /// An alarm rings; says whether there is a flood. Times are µs and do not decrease.
    ///
    /// ```
    /// use analytics::alarm::Flood;
    /// let mut flood = Flood::default();
    /// assert!((0..10).all(|n| !flood.ring(n * 1_000_000)));
    /// assert!(flood.ring(10_000_000)); // the eleventh within ten minutes
    /// assert!(!flood.tick(606_500_000)); // four are left within ten minutes
    /// ```
    pub fn ring(&mut self, time_us: i64) -> bool {
        self.recent.push_back(time_us);
        if self.recent.len() > BEGINS_ABOVE + 1 {
            self.recent.pop_front();
        }
        self.tick(time_us)
    }

    /// Time passes; says whether there still is a flood.
    pub fn tick(&mut self, now_us: i64) -> bool {
        while self.recent.front().is_some_and(|ring_us| now_us.saturating_sub(*ring_us) > PERIOD_US)
        {
            self.recent.pop_front();
        }
        let n = self.recent.len();
        self.is_flood = if self.is_flood { n >= ENDS_BELOW } else { n > BEGINS_ABOVE };
        self.is_flood
    }
}

/// Follows the rings of one alarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Chatter {
    last: [Option<i64>; CHATTERS_FROM - 1],
}

impl Chatter {
    /// The alarm rings; says whether it has rung three times or more within a minute.
    ///
    /// ```
    /// use analytics::alarm::Chatter;
    /// let mut chatter = Chatter::default();
    /// assert_eq!([0, 20, 60, 90].map(|s| chatter.ring(s * 1_000_000)), [false, false, true, false]);
    /// ```
    pub fn ring(&mut self, time_us: i64) -> bool {
        let oldest = self.last[0];
        self.last.rotate_left(1);
        self.last[CHATTERS_FROM - 2] = Some(time_us);
        oldest.is_some_and(|ring_us| time_us.saturating_sub(ring_us) <= MINUTE_US)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alarm_is_stale_after_a_day_and_never_before_it_began() {
        let hour_us = STALE_US / 24;
        for (since_us, now_us, expected) in [
            (0, 23 * hour_us, false),
            (0, STALE_US, false),
            (0, STALE_US + 1, true),
            (-hour_us, 24 * hour_us, true),
            (10, 0, false), // a clock that was set back
            (i64::MIN, i64::MAX, true),
            (i64::MAX, i64::MIN, false),
        ] {
            assert_eq!(is_stale(since_us, now_us), expected, "{since_us} {now_us}");
        }
    }

    #[test]
    fn a_flood_begins_above_ten_and_ends_below_five() {
        let mut flood = Flood::default();
        let rings: Vec<bool> = (0..12).map(|n| flood.ring(n * MINUTE_US / 2)).collect();
        assert_eq!(rings.iter().filter(|is| **is).count(), 2, "the eleventh and the twelfth");
        // The last five came from 3.5 to 5.5 minutes.
        let last = |minutes: i64| minutes * MINUTE_US + 1;
        assert!(flood.tick(last(13)) && !flood.tick(last(14)) && !flood.tick(last(15)));
    }
}
