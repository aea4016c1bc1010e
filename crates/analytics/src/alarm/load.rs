//! How much the alarms ask of one operator.

use std::collections::{BTreeMap, VecDeque};

use super::flood::{BEGINS_ABOVE, Chatter, PERIOD_US};

/// Alarm load of one operator in a window (ISA-18.2-2016 Table 7; EEMUA 191).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Load {
    /// Most alarms in any ten minutes.
    pub most_in_10_min: usize,
    /// Share of ten-minute periods with more than ten alarms.
    pub flood_share: f64,
    /// Alarms that rang three times or more within one minute, by index of their tag.
    pub chattering: Vec<usize>,
}

/// Measures the load of `rings`: (time µs, tag) in time order, over `[from_us, to_us)`. Cost: O(n log n).
///
/// ```
/// use analytics::alarm::load;
/// let minute = 60_000_000;
/// // Three alarms before the full ten minutes and three after: six within four minutes, whatever the clock says.
/// let rings: Vec<(i64, usize)> = [7, 8, 9, 10, 10, 11].iter().map(|at| (at * minute, 0)).collect();
/// assert_eq!(load(&rings, 0, 20 * minute).most_in_10_min, 6);
/// ```
pub fn load(rings: &[(i64, usize)], from_us: i64, to_us: i64) -> Load {
    let n_periods = (to_us.saturating_sub(from_us).max(0) as usize).div_ceil(PERIOD_US as usize);
    let mut per_period = vec![0usize; n_periods];
    let mut by_tag: BTreeMap<usize, (Chatter, bool)> = BTreeMap::new();
    let mut window: VecDeque<i64> = VecDeque::new();
    let mut most_in_10_min = 0;
    for &(time_us, tag) in rings.iter().filter(|(time_us, _)| (from_us..to_us).contains(time_us)) {
        per_period[((time_us - from_us) / PERIOD_US) as usize] += 1;
        window.push_back(time_us);
        while window.front().is_some_and(|ring_us| time_us.saturating_sub(*ring_us) >= PERIOD_US) {
            window.pop_front();
        }
        most_in_10_min = most_in_10_min.max(window.len());
        let (chatter, has_chattered) = by_tag.entry(tag).or_default();
        *has_chattered |= chatter.ring(time_us);
    }
    let floods = per_period.iter().filter(|count| **count > BEGINS_ABOVE).count();
    let chattering = by_tag.iter().filter(|(_, (_, has_chattered))| *has_chattered);
    Load {
        most_in_10_min,
        flood_share: if n_periods == 0 { 0.0 } else { floods as f64 / n_periods as f64 },
        chattering: chattering.map(|(tag, _)| *tag).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floods_and_chatter_are_measured() {
        let rings: Vec<(i64, usize)> =
            (0..12).map(|n| (n * 10_000_000, (n % 2) as usize)).collect();
        let load = load(&rings, 0, 1_200_000_000);
        assert_eq!((load.most_in_10_min, load.flood_share, load.chattering), (12, 0.5, vec![0, 1]));
    }

    #[test]
    fn nothing_and_rings_outside_are_no_load() {
        assert_eq!(load(&[], 0, 0), Load::default());
        assert_eq!(load(&[(5, 0), (-1, 1)], 0, 5), Load { ..load(&[], 0, 5) });
        assert_eq!(load(&[(0, 0); 3], i64::MIN, i64::MIN), Load::default());
    }
}
