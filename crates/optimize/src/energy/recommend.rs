//! What to do about energy that brings nothing.
//!
//! Gains that were measured over days or stretches of data have a 90 % interval by Student's t over these. Every
//! function gives `None` where nothing is to be gained.

use super::waste::{Leak, PeakWarning, PowerFactor, Standby};
use crate::statistics::{half_width_of_mean, mean};
use crate::{Basis, Gain, Recommendation};

/// Proposes to switch a machine off instead of leaving it in standby.
///
/// `possible_percent`: share of standby that can be switched off. The gain is per year, its interval that of the mean
/// day. No switching can save more than what is possible, so the bound is what the proposal leaves. `None` below two
/// days too.
///
/// ```
/// use optimize::{Basis, energy::{recommend, waste::{Interval, standby}}};
/// // 10 kWh of standby each night at 0.25, of which 80 % can go: 2.00 a day, 730 a year.
/// let night = |day: i64| Interval { from_us: day * 86_400_000_000, energy_kwh: 10.0, is_running: false, hour: 22, price: 0.25 };
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };
/// let advice = recommend::standby("furnace 2", &standby(&[night(0), night(1), night(2)]), 80.0, &basis);
/// let advice = advice.expect("worth it");
/// assert_eq!((advice.gain.expected, advice.gain.low, advice.gain.high), (730.0, 730.0, 730.0)); // every day the same
/// assert_eq!(advice.evidence.window_us, Some((0, 2 * 86_400_000_000)));
/// ```
pub fn standby(
    machine: &str,
    found: &Standby,
    possible_percent: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let usable = possible_percent.clamp(0.0, 100.0) / 100.0;
    let costs: Vec<f64> = found.per_day.iter().map(|(_, cost)| 365.0 * usable * cost).collect();
    let (gain, half) = (mean(&costs), half_width_of_mean(&costs)?);
    let n_days = costs.len() as f64;
    let (day_kwh, left_kwh) =
        (found.energy_kwh / n_days, found.energy_kwh / n_days * (1.0 - usable));
    let hours = found.by_hour_kwh;
    let worst = (0..24).max_by(|a, b| hours[*a].total_cmp(&hours[*b])).unwrap_or(0);
    let summary = format!(
        "{machine} used {:.0} kWh ({:.0} %) while it did not run, most at {worst}:00",
        found.energy_kwh, found.share_percent
    );
    let left = 365.0 * found.cost / n_days - gain;
    let advice = yearly(summary, gain, half, basis)?
        .step(
            format!("standby of {machine}, kWh per day"),
            Some(format!("{day_kwh:.1}")),
            format!("{left_kwh:.1}"),
        )
        .constraint("standby that must stay on, kWh per day", left_kwh)
        .input("days", costs.len())
        .input("possible share, %", possible_percent)
        .bounds(left, Some(left));
    Some(advice.window(found.window_us))
}

/// Proposes to mend the leaks of a compressed-air net.
///
/// `price` per kWh; `possible_percent`: share of the leak that repairs take away. The gain is per year of 8,760 h
/// under pressure, its interval that of the flow.
///
/// ```
/// use optimize::{Basis, energy::{recommend, waste::Leak}};
/// let found = Leak { flow_m3_min: 3.0, interval_m3_min: (2.0, 4.0), power_kw: 18.0, share_percent: 30.0 };
/// let basis = Basis { window_us: Some((0, 9)), currency: "EUR", valid_until_us: 0 };
/// // 18 kW × 8,760 h × 0.10 = 15,768 a year, of which half can be mended.
/// let advice = recommend::leak("hall 1", &found, 0.1, 50.0, &basis).expect("it leaks");
/// assert_eq!((advice.gain.expected, advice.gain.low, advice.gain.high), (7884.0, 5256.0, 10512.0));
/// ```
pub fn leak(
    net: &str,
    found: &Leak,
    price: f64,
    possible_percent: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let usable = possible_percent.clamp(0.0, 100.0) / 100.0;
    let per_flow = 8760.0 * price * found.power_kw / found.flow_m3_min;
    let all = per_flow * found.flow_m3_min;
    let (low, high) = found.interval_m3_min;
    let [low, expected, high] = [low, found.flow_m3_min, high].map(|flow| per_flow * flow * usable);
    if !(expected > 0.0 && high.is_finite() && low.is_finite()) {
        return None;
    }
    let flow = found.flow_m3_min;
    let summary = format!(
        "{net} loses {flow:.1} m³/min ({:.0} % of the flow in production) day and night: mend it",
        found.share_percent
    );
    let gain = Gain::likely(expected, low, high, &format!("{}/a", basis.currency));
    Some(
        Recommendation::new(summary, gain, basis.valid_until_us)
            .step(
                format!("flow outside production in {net}, m³/min"),
                Some(format!("{flow:.2}")),
                format!("{:.2}", flow * (1.0 - usable)),
            )
            .constraint("leak that repairs cannot reach, in m³/min", flow * (1.0 - usable))
            .window(basis.window_us)
            .input("power of the leak, kW", format!("{:.2}", found.power_kw))
            .input("price per kWh", price)
            .input("share that can be mended, %", possible_percent)
            .bounds(all - expected, Some(all - expected)),
    )
}

/// Proposes compensation where reactive energy beyond the limit is charged at `price` per kvarh.
///
/// The gain is that of one year, `n_days` being the length of the data. More compensation would avoid all of the
/// excess, so the bound is that nothing is charged.
///
/// ```
/// use optimize::{Basis, energy::{recommend, waste::power_factor}};
/// // 20 hours of 100 kW and 100 kvar: 51.6 kvar too much in each.
/// let found = power_factor(&[100.0; 20], &[100.0; 20], 1.0, 0.9)?;
/// let basis = Basis { window_us: Some((0, 9)), currency: "EUR", valid_until_us: 0 };
/// let advice = recommend::power_factor("hall 1", &found, 0.01, 1.0, &basis).expect("it is below");
/// assert!((advice.gain.expected - 365.0 * 20.0 * 0.5157).abs() < 0.5);
/// assert_eq!(advice.bounds.gap_percent(), Some(0.0));
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn power_factor(
    supply: &str,
    found: &PowerFactor,
    price: f64,
    n_days: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let n = found.avoided_kvarh.len() as f64;
    let years = 365.0 * n * price / n_days;
    let avoided: Vec<f64> = found.avoided_kvarh.iter().map(|kvarh| kvarh * years).collect();
    let (gain, half) = (mean(&avoided), half_width_of_mean(&avoided)?);
    let excess = years * mean(&found.excess_kvarh);
    let kvar = found.needed_kvar;
    let summary = format!(
        "{supply} is below its power factor in {:.0} % of the intervals: {kvar:.0} kvar cure 95 % of them",
        found.below_percent
    );
    // A rounding error of a sum is no saving that was missed.
    let left = if excess - gain > 1e-9 * excess { excess - gain } else { 0.0 };
    let advice = yearly(summary, gain, half, basis)?
        .step(format!("compensation of {supply}, kvar"), Some("+0".into()), format!("+{kvar:.0}"))
        .constraint(
            "intervals below the limit that stay below 5 %, in percent",
            5.0 - 5.0_f64.min(found.below_percent),
        )
        .input("price per kvarh", price)
        .input("days", n_days)
        .bounds(left, Some(0.0));
    Some(advice.window(basis.window_us))
}

/// Proposes what to shed until the end of a demand interval, a kW of the peak costing `price`.
///
/// If nothing can hold the limit any more, everything is to be shed. The gain is that of power that stays as it is,
/// without chance. The bound is the limit, below which the bill does not fall, or the least that is possible.
///
/// ```
/// use optimize::{Basis, energy::{recommend, waste::peak_warning}};
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };
/// let warning = peak_warning(80.0, 600.0, 480.0, 900.0, 450.0)?;
/// let advice = recommend::peak("supply", &warning, 450.0, 10.0, &basis).expect("480 kW are coming");
/// assert_eq!(advice.summary, "supply is about to reach 480 kW where 450 are allowed: shed 90 kW");
/// assert_eq!((advice.gain.expected, advice.bounds.gap_percent()), (300.0, Some(0.0)));
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn peak(
    supply: &str,
    warning: &PeakWarning,
    limit_kw: f64,
    price: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let shed_kw = warning.shed_kw.min(warning.power_kw);
    let reached_kw = warning.least_kw.max(limit_kw);
    let gain = price * (warning.expected_kw - reached_kw);
    if !(gain > 0.0 && gain.is_finite() && shed_kw > 0.0) {
        return None;
    }
    let summary = format!(
        "{supply} is about to reach {:.0} kW where {limit_kw:.0} are allowed: shed {shed_kw:.0} kW",
        warning.expected_kw
    );
    let (now, then) = (warning.power_kw, warning.power_kw - shed_kw);
    Some(
        Recommendation::new(summary, Gain::certain(gain, basis.currency), basis.valid_until_us)
            .step(
                format!("power of {supply} until the interval ends, kW"),
                Some(format!("{now:.0}")),
                format!("{then:.0}"),
            )
            .constraint("limit, in kW", limit_kw - reached_kw)
            .constraint("power that is left to shed, in kW", then)
            .window(basis.window_us)
            .input("mean power if nothing is done, kW", format!("{:.1}", warning.expected_kw))
            .input("price per kW", price)
            .bounds(price * reached_kw, Some(price * reached_kw)),
    )
}

/// A gain per year; `None` if there is none.
fn yearly(summary: String, gain: f64, half: f64, basis: &Basis) -> Option<Recommendation> {
    if !(gain > 0.0 && (gain + half).is_finite()) {
        return None;
    }
    let unit = format!("{}/a", basis.currency);
    let gain = Gain::likely(gain, gain - half, gain + half, &unit);
    Some(Recommendation::new(summary, gain, basis.valid_until_us))
}
