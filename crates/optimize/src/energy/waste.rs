//! Energy that brings nothing: standby, leaks, reactive power, and peaks that were seen coming. What to do about each
//! says [`recommend`](super::recommend).

use std::collections::BTreeMap;

use super::Error;

/// Length of a day in microseconds.
const DAY_US: i64 = 86_400_000_000;

/// Energy used while a machine did not run.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Standby {
    /// In kWh.
    pub energy_kwh: f64,
    /// In the currency of the prices.
    pub cost: f64,
    /// Share of all energy.
    pub share_percent: f64,
    /// kWh by hour of the day, 0 to 23.
    pub by_hour_kwh: [f64; 24],
    /// Energy and cost of standby on each day (UTC) that was seen, in time order.
    pub per_day: Vec<(f64, f64)>,
    /// First begin and last begin of the intervals used; `None` without any.
    pub window_us: Option<(i64, i64)>,
}

/// One interval of a machine's meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Its begin in microseconds since 1970.
    pub from_us: i64,
    /// Energy in kWh; NaN where it is not known.
    pub energy_kwh: f64,
    /// Whether it ran.
    pub is_running: bool,
    /// Hour of the day in the plant's zone, 0 to 23.
    pub hour: usize,
    /// Price per kWh.
    pub price: f64,
}

/// Sums the energy of intervals in which the machine did not run.
///
/// Intervals without a finite energy and price are left out.
///
/// ```
/// use optimize::energy::waste::{Interval, standby};
/// let at = |hour, energy_kwh, is_running| Interval {
///     from_us: hour as i64 * 3_600_000_000, energy_kwh, is_running, hour, price: 0.2 };
/// let found = standby(&[at(10, 9.0, true), at(23, 1.0, false)]);
/// assert_eq!((found.energy_kwh, found.cost, found.share_percent), (1.0, 0.2, 10.0));
/// assert_eq!(found.per_day, [(1.0, 0.2)]);
/// ```
pub fn standby(intervals: &[Interval]) -> Standby {
    let mut found = Standby::default();
    let mut days: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    let mut all_kwh = 0.0;
    let is_known = |interval: &&Interval| (interval.energy_kwh * interval.price).is_finite();
    for interval in intervals.iter().filter(is_known) {
        all_kwh += interval.energy_kwh;
        let (first_us, last_us) = found.window_us.unwrap_or((interval.from_us, interval.from_us));
        found.window_us = Some((first_us.min(interval.from_us), last_us.max(interval.from_us)));
        let day = days.entry(interval.from_us.div_euclid(DAY_US)).or_default();
        if !interval.is_running {
            let cost = interval.energy_kwh * interval.price;
            found.energy_kwh += interval.energy_kwh;
            found.cost += cost;
            found.by_hour_kwh[interval.hour % 24] += interval.energy_kwh;
            *day = (day.0 + interval.energy_kwh, day.1 + cost);
        }
    }
    found.per_day = days.into_values().collect();
    found.share_percent = if all_kwh > 0.0 { 100.0 * found.energy_kwh / all_kwh } else { 0.0 };
    found
}

/// Leakage of a compressed-air net.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// Flow that never stops, in m³/min.
    pub flow_m3_min: f64,
    /// 90 % interval of that flow, as far as the readings are independent.
    pub interval_m3_min: (f64, f64),
    /// Power that it takes.
    pub power_kw: f64,
    /// Share of the mean flow in production.
    pub share_percent: f64,
}

/// The flow that is left when nobody produces: the lower tenth of readings outside production.
///
/// `specific_power`: kW per m³/min of the compressors. Readings that are not finite are left out. The interval is
/// that of the tenth part of a sample: the readings whose ranks are n ÷ 10 ± 1.645 √(0.09 n).
///
/// # Errors
/// If columns differ in length, fewer than 20 readings are outside production, or the specific power is not above 0.
///
/// ```
/// // 50 quiet hours of 3 m³/min and 50 busy ones of 10: 30 % leak, at 6 kW per m³/min 18 kW.
/// let flow: Vec<f64> = (0..100).map(|hour| if hour < 50 { 3.0 } else { 10.0 }).collect();
/// let is_production: Vec<bool> = (0..100).map(|hour| hour >= 50).collect();
/// let found = optimize::energy::waste::leak(&flow, &is_production, 6.0)?;
/// assert_eq!((found.flow_m3_min, found.power_kw, found.share_percent), (3.0, 18.0, 30.0));
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn leak(
    flow_m3_min: &[f64],
    is_production: &[bool],
    specific_power: f64,
) -> Result<Leak, Error> {
    if is_production.len() != flow_m3_min.len() {
        let (n, expected) = (is_production.len(), flow_m3_min.len());
        return Err(Error::Length { what: "production marks", n, expected });
    }
    if !(specific_power > 0.0 && specific_power.is_finite()) {
        let must_be = "finite and above 0 kW per m³/min";
        return Err(Error::Number { what: "specific power", value: specific_power, must_be });
    }
    let side = |is_on: bool| -> Vec<f64> {
        let rows = flow_m3_min.iter().zip(is_production);
        rows.filter(|(flow, on)| flow.is_finite() && **on == is_on).map(|(flow, _)| *flow).collect()
    };
    let (mut quiet, busy) = (side(false), side(true));
    if quiet.len() < 20 {
        return Err(Error::TooFew { what: "a leak", n: quiet.len(), needed: 20 });
    }
    quiet.sort_by(f64::total_cmp);
    let flow_m3_min = quiet[quiet.len() / 10].max(0.0);
    let (rank, spread) = (quiet.len() as f64 / 10.0, 1.645 * (0.09 * quiet.len() as f64).sqrt());
    let at = |rank: f64| quiet[(rank.max(0.0) as usize).min(quiet.len() - 1)].max(0.0);
    let interval_m3_min = (at((rank - spread).floor()), at((rank + spread).ceil()));
    let mean = busy.iter().sum::<f64>() / busy.len() as f64;
    let share_percent = if mean > 0.0 { 100.0 * flow_m3_min / mean } else { f64::NAN };
    let power_kw = flow_m3_min * specific_power;
    Ok(Leak { flow_m3_min, interval_m3_min, power_kw, share_percent })
}

/// Power factor of a supply.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerFactor {
    /// Share of intervals with load whose power factor is below the limit.
    pub below_percent: f64,
    /// Compensation that lifts 95 % of them to the limit, in kvar.
    pub needed_kvar: f64,
    /// Reactive energy beyond the limit, in kvarh, in each of ten equal stretches of the intervals.
    pub excess_kvarh: Vec<f64>,
    /// What of it that compensation takes away.
    pub avoided_kvarh: Vec<f64>,
}

/// Judges pairs of active and (lagging) reactive energy per interval of `interval_h` hours.
///
/// Intervals that are not finite or without active energy are left out.
///
/// # Errors
/// If columns differ in length, the limit is not between 0 and 1, or intervals have no length.
///
/// ```
/// use optimize::energy::waste::power_factor;
/// // 100 kW and 100 kvar have a power factor of 0.71; 0.9 allows 48.4 kvar.
/// let found = power_factor(&[100.0], &[100.0], 1.0, 0.9)?;
/// assert_eq!(found.below_percent, 100.0);
/// assert!((found.needed_kvar - 51.6).abs() < 0.1);
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn power_factor(
    kwh: &[f64],
    kvarh: &[f64],
    interval_h: f64,
    limit: f64,
) -> Result<PowerFactor, Error> {
    if kwh.len() != kvarh.len() {
        return Err(Error::Length { what: "reactive energy", n: kvarh.len(), expected: kwh.len() });
    }
    if !(limit > 0.0 && limit < 1.0) {
        return Err(Error::Number {
            what: "power-factor limit",
            value: limit,
            must_be: "between 0 and 1",
        });
    }
    if !(interval_h > 0.0 && interval_h.is_finite()) {
        let must_be = "finite and above 0 hours";
        return Err(Error::Number { what: "length of an interval", value: interval_h, must_be });
    }
    let allowed = (1.0 - limit * limit).sqrt() / limit;
    let excess = |(active, reactive): (&f64, &f64)| (reactive - active * allowed) / interval_h;
    let used = kwh.iter().zip(kvarh).filter(|(active, _)| **active > 0.0).map(excess);
    let excess: Vec<f64> = used.filter(|kvar| kvar.is_finite()).collect();
    let mut sorted = excess.clone();
    sorted.sort_by(f64::total_cmp);
    let n_below = sorted.iter().filter(|kvar| **kvar > 1e-9).count();
    let at_95 = sorted.get((sorted.len() * 95).div_ceil(100).saturating_sub(1));
    let needed_kvar = at_95.copied().unwrap_or(0.0).max(0.0);
    let tenths = |most_kvar: f64| {
        let sum = |part: &[f64]| part.iter().map(|kvar| kvar.clamp(0.0, most_kvar)).sum::<f64>();
        let parts = (0..10)
            .map(|tenth| &excess[tenth * excess.len() / 10..(tenth + 1) * excess.len() / 10]);
        parts.map(|part| interval_h * sum(part)).collect()
    };
    Ok(PowerFactor {
        below_percent: 100.0 * n_below as f64 / excess.len().max(1) as f64,
        needed_kvar,
        excess_kvarh: tenths(f64::INFINITY),
        avoided_kvarh: tenths(needed_kvar),
    })
}

/// What a demand interval will come to, and what has to be shed to stay below the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakWarning {
    /// Mean power over the whole interval if power stays as it is, in kW.
    pub expected_kw: f64,
    /// The same if everything is shed at once.
    pub least_kw: f64,
    /// Power now, in kW.
    pub power_kw: f64,
    /// Power to shed for the rest of the interval, in kW; 0 if none, infinite when nothing can help any more.
    pub shed_kw: f64,
}

/// Looks ahead to the end of a demand interval.
///
/// `used_kwh` in the `elapsed_s` seconds since it began, `power_kw` now.
///
/// # Errors
/// If a number is negative or not finite, or the interval has no length or is over.
///
/// ```
/// use optimize::energy::waste::peak_warning;
/// // 10 of 15 minutes at 480 kW; the limit is 450 kW over 15 minutes.
/// let warning = peak_warning(80.0, 600.0, 480.0, 900.0, 450.0)?;
/// assert_eq!((warning.expected_kw, warning.least_kw), (480.0, 320.0));
/// assert_eq!(warning.shed_kw, 90.0); // 5 minutes at 390 kW make up for 10 at 480
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn peak_warning(
    used_kwh: f64,
    elapsed_s: f64,
    power_kw: f64,
    interval_s: f64,
    limit_kw: f64,
) -> Result<PeakWarning, Error> {
    let numbers = [
        ("energy used", used_kwh, 0.0),
        ("time since the interval began", elapsed_s, 0.0),
        ("power", power_kw, 0.0),
        ("limit", limit_kw, 0.0),
        ("length of the interval", interval_s, elapsed_s.max(1e-3)),
    ];
    for (what, value, least) in numbers {
        // Beyond 1e12 nothing is a plant, and products would run out of numbers.
        if !(value >= least && value <= 1e12) {
            let must_be = "not negative, and the interval not over";
            return Err(Error::Number { what, value, must_be });
        }
    }
    let left_s = interval_s - elapsed_s;
    let least_kw = used_kwh * 3600.0 / interval_s;
    let expected_kw = least_kw + power_kw * left_s / interval_s;
    let shed_kw = if expected_kw <= limit_kw {
        0.0
    } else if left_s == 0.0 || least_kw > limit_kw {
        f64::INFINITY
    } else {
        power_kw - (limit_kw - least_kw) * interval_s / left_s
    };
    Ok(PeakWarning { expected_kw, least_kw, power_kw, shed_kw })
}
