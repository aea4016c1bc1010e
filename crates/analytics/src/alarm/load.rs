//! How much the alarms ask of one operator.

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

/// Measures the load of `rings`: (time µs, tag) in time order, over `[from_us, to_us)`.
pub fn load(rings: &[(i64, usize)], from_us: i64, to_us: i64) -> Load {
    const PERIOD_US: i64 = 600_000_000;
    const MINUTE_US: i64 = 60_000_000;
    let n_periods = ((to_us - from_us).max(0) as usize).div_ceil(PERIOD_US as usize);
    let mut per_period = vec![0usize; n_periods];
    let mut by_tag: std::collections::BTreeMap<usize, Vec<i64>> = std::collections::BTreeMap::new();
    for &(time_us, tag) in rings.iter().filter(|(time_us, _)| (from_us..to_us).contains(time_us)) {
        per_period[((time_us - from_us) / PERIOD_US) as usize] += 1;
        by_tag.entry(tag).or_default().push(time_us);
    }
    let chatters =
        |times_us: &Vec<i64>| times_us.windows(3).any(|three| three[2] - three[0] <= MINUTE_US);
    let floods = per_period.iter().filter(|count| **count > 10).count();
    Load {
        most_in_10_min: per_period.iter().copied().max().unwrap_or(0),
        flood_share: if n_periods == 0 { 0.0 } else { floods as f64 / n_periods as f64 },
        chattering: by_tag
            .iter()
            .filter(|(_, times_us)| chatters(times_us))
            .map(|(tag, _)| *tag)
            .collect(),
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
}
