//! From the plant's week to the shifts of a span of time.

use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::TimeZone;

use super::facts::{Error, Shift, State, StateChange};

/// The week as a plant writes it down, in local time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Calendar {
    /// Shifts of a week; they must not overlap.
    pub shifts: Vec<WeeklyShift>,
    /// Days on which no shift begins: holidays, shutdowns.
    pub closed: Vec<Date>,
}

/// One shift, on some days of every week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeeklyShift {
    /// Its name in the plant: "early", "night".
    pub name: String,
    /// Days on which it begins.
    pub days: Vec<Weekday>,
    /// When it begins.
    pub from: Time,
    /// When it ends; on the next day unless later than `from`, so that 22:00 to 06:00 and 06:00 to 06:00 are possible.
    pub to: Time,
    /// Begin and end of breaks within the shift.
    pub breaks: Vec<(Time, Time)>,
}

/// A planned break.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Break {
    /// Begin in microseconds since 1970.
    pub from_us: i64,
    /// End in microseconds since 1970, exclusive.
    pub to_us: i64,
}

/// What a [`Calendar`] means for one span of time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Planned {
    /// Shifts in time order, named by date and shift, cut at the ends of the span.
    pub shifts: Vec<Shift>,
    /// Breaks in time order, as long as the calendar says.
    pub breaks: Vec<Break>,
}

impl Calendar {
    /// Shifts and breaks from `from_us` to `to_us`, microseconds since 1970; none if the span is empty.
    ///
    /// Clocks that are put forward or back make a shift shorter or longer. Cost: O(days · shifts).
    ///
    /// # Errors
    /// If shifts overlap, a break is not within its shift, or a time is beyond what a calendar can tell.
    ///
    /// In the night of 29 March 2026 clocks in Berlin go from 02:00 to 03:00:
    ///
    /// ```
    /// use jiff::civil::{Weekday, date, time};
    /// use optimize::oee::{Calendar, WeeklyShift};
    ///
    /// let night = WeeklyShift {
    ///     name: "night".into(),
    ///     days: vec![Weekday::Saturday],
    ///     from: time(22, 0, 0, 0),
    ///     to: time(6, 0, 0, 0),
    ///     breaks: vec![(time(3, 30, 0, 0), time(4, 0, 0, 0))],
    /// };
    /// let berlin = jiff::tz::TimeZone::get("Europe/Berlin")?;
    /// let at = |day: jiff::civil::Date| day.to_zoned(berlin.clone()).map(|noon| noon.timestamp().as_microsecond());
    /// let calendar = Calendar { shifts: vec![night], closed: vec![] };
    /// let planned = calendar.between(&berlin, at(date(2026, 3, 27))?, at(date(2026, 4, 1))?)?;
    /// let shift = &planned.shifts[0];
    /// assert_eq!((planned.shifts.len(), shift.name.as_str()), (1, "2026-03-28 night"));
    /// assert_eq!((shift.to_us - shift.from_us) / 3_600_000_000, 7); // not 8
    /// assert_eq!((planned.breaks[0].from_us - shift.from_us) / 60_000_000, 4 * 60 + 30);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn between(&self, zone: &TimeZone, from_us: i64, to_us: i64) -> Result<Planned, Error> {
        let mut planned = Planned::default();
        if to_us <= from_us {
            return Ok(planned);
        }
        let first = day_of(zone, from_us)?;
        let last = day_of(zone, to_us)?;
        // A shift may have begun on the day before.
        let days = first.yesterday().unwrap_or(first).series(jiff::Span::new().days(1));
        for day in days.take_while(|day| *day <= last).filter(|day| !self.closed.contains(day)) {
            for shift in self.shifts.iter().filter(|shift| shift.days.contains(&day.weekday())) {
                shift.plan(zone, day, &mut planned)?;
            }
        }
        planned.shifts.sort_by_key(|shift| shift.from_us);
        planned.breaks.sort_by_key(|pause| pause.from_us);
        super::facts::check_shifts(&planned.shifts)?;
        planned.shifts.retain(|shift| shift.to_us > from_us && shift.from_us < to_us);
        planned.breaks.retain(|pause| pause.to_us > from_us && pause.from_us < to_us);
        for shift in &mut planned.shifts {
            (shift.from_us, shift.to_us) = (shift.from_us.max(from_us), shift.to_us.min(to_us));
        }
        Ok(planned)
    }
}

impl WeeklyShift {
    fn plan(&self, zone: &TimeZone, day: Date, planned: &mut Planned) -> Result<(), Error> {
        let name = format!("{day} {}", self.name);
        let at = |time: Time, is_next_day: bool| -> Result<i64, Error> {
            let day = if is_next_day { day.tomorrow() } else { Ok(day) };
            let moment = day.and_then(|day| zone.to_timestamp(day.to_datetime(time)));
            moment.map(Timestamp::as_microsecond).map_err(|_| Error::Date { date: name.clone() })
        };
        let from_us = at(self.from, false)?;
        let to_us = at(self.to, self.to <= self.from)?;
        for &(from, to) in &self.breaks {
            let begins_next_day = from < self.from;
            let pause = Break {
                from_us: at(from, begins_next_day)?,
                to_us: at(to, begins_next_day || to <= from)?,
            };
            if pause.from_us < from_us || pause.to_us > to_us {
                let pause = format!("{} to {}", from.strftime("%H:%M"), to.strftime("%H:%M"));
                return Err(Error::Break { shift: self.name.clone(), pause });
            }
            planned.breaks.push(pause);
        }
        planned.shifts.push(Shift { name, from_us, to_us });
        Ok(())
    }
}

fn day_of(zone: &TimeZone, at_us: i64) -> Result<Date, Error> {
    let moment = Timestamp::from_microsecond(at_us)
        .map_err(|_| Error::Date { date: format!("{at_us} µs since 1970") })?;
    Ok(zone.to_datetime(moment).date())
}

/// The same states, but where the machine stands within a break that was planned.
///
/// Breaks are in time order. A stop that goes on after the break is a second stop. A machine that runs through its break,
/// is set up in it or of which nobody knows anything stays what it was. Cost: O(states + breaks).
///
/// ```
/// use optimize::oee::{Break, State, StateChange, with_breaks};
/// let states = [StateChange::new(0, State::Running), StateChange::new(10, State::Down)];
/// let told = with_breaks(&states, &[Break { from_us: 5, to_us: 30 }]);
/// let told: Vec<(i64, State)> = told.iter().map(|change| (change.at_us, change.state)).collect();
/// assert_eq!(told, [(0, State::Running), (10, State::PlannedStop), (30, State::Down)]);
/// ```
pub fn with_breaks(states: &[StateChange], breaks: &[Break]) -> Vec<StateChange> {
    let mut told = Vec::with_capacity(states.len());
    let mut next_break = 0;
    for (idx, change) in states.iter().enumerate() {
        let end_us = states.get(idx + 1).map_or(i64::MAX, |next| next.at_us);
        if change.state != State::Down || end_us <= change.at_us {
            told.push(change.clone());
            continue;
        }
        while breaks.get(next_break).is_some_and(|pause| pause.to_us <= change.at_us) {
            next_break += 1;
        }
        let mut at_us = change.at_us;
        for pause in breaks[next_break..].iter().take_while(|pause| pause.from_us < end_us) {
            if pause.from_us > at_us {
                told.push(StateChange { at_us, ..change.clone() });
            }
            let from_us = pause.from_us.max(at_us);
            let reason = Some("break".to_owned());
            told.push(StateChange { at_us: from_us, state: State::PlannedStop, reason });
            at_us = pause.to_us.min(end_us);
        }
        if at_us < end_us {
            told.push(StateChange { at_us, ..change.clone() });
        }
    }
    told
}
