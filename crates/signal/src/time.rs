//! Time is `i64` microseconds since 1970-01-01 UTC, in names that end in `_us`.

/// One second in microseconds.
pub const SECOND_US: i64 = 1_000_000;
/// One minute in microseconds.
pub const MINUTE_US: i64 = 60 * SECOND_US;
/// One hour in microseconds.
pub const HOUR_US: i64 = 60 * MINUTE_US;
/// One day in microseconds.
pub const DAY_US: i64 = 24 * HOUR_US;

/// Days since 1970-01-01 UTC of the day that holds `time_us`; also right before 1970.
///
/// ```
/// assert_eq!(signal::day_of(0), 0);
/// assert_eq!(signal::day_of(-1), -1);
/// assert_eq!(signal::day_of(86_400_000_000), 1);
/// ```
pub fn day_of(time_us: i64) -> i32 {
    time_us.div_euclid(DAY_US) as i32
}

/// A half-open span of time, `start_us ≤ t < end_us`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeRange {
    /// First microsecond inside.
    pub start_us: i64,
    /// First microsecond after.
    pub end_us: i64,
}

impl TimeRange {
    /// Whether `time_us` lies inside.
    pub fn contains(&self, time_us: i64) -> bool {
        self.start_us <= time_us && time_us < self.end_us
    }

    /// Length in microseconds; 0 when the end is not after the start.
    pub fn len_us(&self) -> i64 {
        (self.end_us.saturating_sub(self.start_us)).max(0)
    }
}
