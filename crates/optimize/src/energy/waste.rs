//! Energy that brings nothing: standby, leaks, reactive power, and peaks that were seen coming.

use super::Error;
use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

/// Energy used while a machine did not run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standby {
    /// In kWh.
    pub energy_kwh: f64,
    /// In the currency of the prices.
    pub cost: f64,
    /// Share of all energy.
    pub share_percent: f64,
    /// kWh by hour of the day, 0 to 23.
    pub by_hour_kwh: [f64; 24],
}

/// One interval of a machine's meter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
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
/// ```
/// use optimize::energy::waste::{Interval, standby};
/// let at = |hour, energy_kwh, is_running| Interval { energy_kwh, is_running, hour, price: 0.2 };
/// let found = standby(&[at(10, 9.0, true), at(23, 1.0, false)]);
/// assert_eq!((found.energy_kwh, found.cost, found.share_percent), (1.0, 0.2, 10.0));
/// ```
pub fn standby(intervals: &[Interval]) -> Standby {
    let mut found =
        Standby { energy_kwh: 0.0, cost: 0.0, share_percent: 0.0, by_hour_kwh: [0.0; 24] };
    let mut all_kwh = 0.0;
    for interval in intervals.iter().filter(|interval| !interval.energy_kwh.is_nan()) {
        all_kwh += interval.energy_kwh;
        if !interval.is_running {
            found.energy_kwh += interval.energy_kwh;
            found.cost += interval.energy_kwh * interval.price;
            found.by_hour_kwh[interval.hour % 24] += interval.energy_kwh;
        }
    }
    found.share_percent = if all_kwh > 0.0 { 100.0 * found.energy_kwh / all_kwh } else { 0.0 };
    found
}

/// Leakage of a compressed-air net.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Leak {
    /// Flow that never stops, in m³/min.
    pub flow_m3_min: f64,
    /// Power that it takes.
    pub power_kw: f64,
    /// Share of the mean flow in production.
    pub share_percent: f64,
}

/// The flow that is left when nobody produces: the lower tenth of readings outside production.
///
/// `specific_power`: kW per m³/min of the compressors. NaN readings are left out.
///
/// # Errors
/// If columns differ in length, fewer than 20 readings are outside production, or the specific power is not above 0.
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
        rows.filter(|(flow, on)| !flow.is_nan() && **on == is_on).map(|(flow, _)| *flow).collect()
    };
    let (mut quiet, busy) = (side(false), side(true));
    if quiet.len() < 20 {
        return Err(Error::TooFew { what: "a leak", n: quiet.len(), needed: 20 });
    }
    quiet.sort_by(f64::total_cmp);
    let flow_m3_min = quiet[quiet.len() / 10].max(0.0);
    let mean = busy.iter().sum::<f64>() / busy.len() as f64;
    let share_percent = if mean > 0.0 { 100.0 * flow_m3_min / mean } else { f64::NAN };
    Ok(Leak { flow_m3_min, power_kw: flow_m3_min * specific_power, share_percent })
}

/// Power factor of a supply.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerFactor {
    /// Share of intervals with load whose power factor is below the limit.
    pub below_percent: f64,
    /// Compensation that lifts 95 % of them to the limit, in kvar.
    pub needed_kvar: f64,
}

/// Judges pairs of active and (lagging) reactive energy per interval of `interval_h` hours.
///
/// Intervals with a NaN or without active energy are left out.
///
/// # Errors
/// If columns differ in length, or the limit is not between 0 and 1.
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
    let allowed = (1.0 - limit * limit).sqrt() / limit;
    let excess =
        kwh.iter().zip(kvarh).filter(|(active, reactive)| **active > 0.0 && !reactive.is_nan());
    let mut excess: Vec<f64> =
        excess.map(|(active, reactive)| (reactive - active * allowed) / interval_h).collect();
    excess.sort_by(f64::total_cmp);
    let n_below = excess.iter().filter(|kvar| **kvar > 1e-9).count();
    let at_95 =
        excess.get((excess.len() * 95).div_ceil(100).saturating_sub(1)).copied().unwrap_or(0.0);
    let below_percent =
        if excess.is_empty() { 0.0 } else { 100.0 * n_below as f64 / excess.len() as f64 };
    Ok(PowerFactor { below_percent, needed_kvar: at_95.max(0.0) })
}

/// What a demand interval will come to, and what has to be shed to stay below the limit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeakWarning {
    /// Mean power over the whole interval if power stays as it is, in kW.
    pub expected_kw: f64,
    /// Power to shed for the rest of the interval, in kW; 0 if none, infinite when nothing can help any more.
    pub shed_kw: f64,
}

/// Looks ahead to the end of a demand interval.
///
/// `used_kwh` in the `elapsed_s` seconds since it began, `power_kw` now.
///
/// ```
/// use optimize::energy::waste::peak_warning;
/// // 10 of 15 minutes at 480 kW; the limit is 450 kW over 15 minutes.
/// let warning = peak_warning(80.0, 600.0, 480.0, 900.0, 450.0);
/// assert_eq!(warning.expected_kw, 480.0);
/// assert_eq!(warning.shed_kw, 90.0); // 5 minutes at 390 kW make up for 10 at 480
/// ```
pub fn peak_warning(
    used_kwh: f64,
    elapsed_s: f64,
    power_kw: f64,
    interval_s: f64,
    limit_kw: f64,
) -> PeakWarning {
    let left_s = (interval_s - elapsed_s).max(0.0);
    let expected_kw = (used_kwh * 3600.0 + power_kw * left_s) / interval_s;
    let allowed_kw = (limit_kw * interval_s - used_kwh * 3600.0) / left_s;
    let shed_kw = if expected_kw <= limit_kw {
        0.0
    } else if left_s == 0.0 || allowed_kw < 0.0 {
        f64::INFINITY
    } else {
        power_kw - allowed_kw
    };
    PeakWarning { expected_kw, shed_kw }
}

/// Proposes to switch a machine off instead of leaving it in standby, if that is worth anything.
///
/// `days`: length of the data. `possible_percent`: share of standby that can be switched off. The gain is per year,
/// its interval from half of the possible share to all of standby.
pub fn recommend(
    machine: &str,
    found: &Standby,
    days: f64,
    possible_percent: f64,
    currency: &str,
    valid_until_us: i64,
) -> Option<Recommendation> {
    let per_year = found.cost * 365.0 / days;
    let usable = possible_percent.clamp(0.0, 100.0) / 100.0;
    if !(per_year * usable > 0.0 && per_year.is_finite()) {
        return None;
    }
    let hours = found.by_hour_kwh;
    let worst = (0..24).max_by(|a, b| hours[*a].total_cmp(&hours[*b])).unwrap_or(0);
    Some(Recommendation {
        summary: format!(
            "{machine} used {:.0} kWh ({:.0} %) while it did not run, most at {worst}:00",
            found.energy_kwh, found.share_percent
        ),
        steps: vec![Step {
            what: format!("standby of {machine}, kWh per day"),
            now: Some(format!("{:.1}", found.energy_kwh / days)),
            proposed: format!("{:.1}", found.energy_kwh / days * (1.0 - usable)),
        }],
        gain: Gain {
            expected: per_year * usable,
            low: per_year * usable / 2.0,
            high: per_year,
            confidence_percent: 90.0,
            unit: format!("{currency}/a"),
        },
        constraints: vec![Constraint {
            what: "standby that must stay on, kWh per day".into(),
            slack: found.energy_kwh / days * (1.0 - usable),
        }],
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("days".into(), days.to_string()),
                ("possible share, %".into(), possible_percent.to_string()),
            ],
            seed: 0,
        },
        valid_until_us,
        bounds: Bounds { objective: per_year * (1.0 - usable), bound: Some(0.0) },
    })
}
