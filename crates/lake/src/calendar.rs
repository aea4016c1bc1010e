//! Days as partitions are named after them.

use signal::{DAY_US, SECOND_US, day_of};

/// 0001-01-01, the first day that has a name in every reader of Delta tables.
const FIRST_DAY: i32 = -719_162;
/// 9999-12-31, the last one.
const LAST_DAY: i32 = 2_932_896;

/// The partition of a time: its day, or the first or last day that has a name.
pub(crate) fn partition_of(time_us: i64) -> i32 {
    day_of(time_us).clamp(FIRST_DAY, LAST_DAY)
}

/// Days since 1970 as `2026-03-01` (proleptic Gregorian; Hinnant (2013), "chrono-compatible low-level date
/// algorithms", `civil_from_days`).
pub(crate) fn day_name(day: i32) -> String {
    let shifted = i64::from(day) + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day_of_month = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// `2026-03-01` as days since 1970 (`days_from_civil` of the same source); none when it is no such name.
pub(crate) fn day_number(name: &str) -> Option<i32> {
    let mut parts = name.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (parts.next()??, parts.next()??, parts.next()??);
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    i32::try_from(era * 146_097 + day_of_era - 719_468).ok()
}

/// A time as ISO 8601; none where years have no four digits.
pub(crate) fn iso(time_us: i64) -> Option<String> {
    let day = day_of(time_us);
    if day != partition_of(time_us) {
        return None;
    }
    let in_day_us = time_us.rem_euclid(DAY_US);
    let seconds = in_day_us / SECOND_US;
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    Some(format!(
        "{}T{hour:02}:{minute:02}:{second:02}.{:06}Z",
        day_name(day),
        in_day_us % SECOND_US
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn days_have_the_names_of_the_calendar() {
        for (day, name) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (19_782, "2024-02-29"),
            (20_513, "2026-03-01"),
            (FIRST_DAY, "0001-01-01"),
            (LAST_DAY, "9999-12-31"),
        ] {
            assert_eq!(day_name(day), name);
            assert_eq!(day_number(name), Some(day));
        }
        assert_eq!(iso(1_767_225_600_000_001).as_deref(), Some("2026-01-01T00:00:00.000001Z"));
        assert_eq!(iso(i64::MAX), None);
    }

    proptest! {
        #[test]
        fn every_day_finds_back_from_its_name(day in FIRST_DAY..=LAST_DAY) {
            prop_assert_eq!(day_number(&day_name(day)), Some(day));
        }

        #[test]
        fn every_time_has_a_partition_with_a_name(time_us in any::<i64>()) {
            prop_assert_eq!(day_name(partition_of(time_us)).len(), 10);
        }
    }
}
