//! From a replay, or from states alone, to a decision.

use super::observed::Observed;
use super::trace::{Trace, TraceError};
use super::walk::critical_path;
use super::{WhatIf, largest};
use crate::statistics::half_width_of_mean;
use crate::{Basis, Gain, Recommendation};

/// Proposes `percent` less work per part on that machine which brings most parts per hour.
///
/// The 90 % interval of the gain is Student's t over ten stretches of the trace. The bound is the rate of the slowest
/// machine left alone, which no buffer can beat. `None` below 20 parts or if no machine brings anything.
///
/// # Errors
/// If the percentage is not between 0 and 95.
///
/// ```
/// use optimize::{Basis, bottleneck::{Service, Trace, recommend}};
/// // 1,000 parts, 10 s on the saw and 8 s on the press: 360 an hour, 400 with the saw at 9 s.
/// let part = [10_000_000, 8_000_000].map(|work_us| Service { work_us, down_us: 0 }).to_vec();
/// let names = vec!["saw".to_owned(), "press".to_owned()];
/// let trace = Trace::new(names, &vec![part; 1000], vec![2], vec![])?;
/// let basis = Basis { window_us: Some((0, 10_000_000_000)), currency: "EUR", valid_until_us: 0 };
/// let advice = recommend(&trace, 10.0, &basis)?.expect("the saw holds the line back");
/// assert_eq!((advice.steps[0].now.as_deref(), advice.steps[0].proposed.as_str()), (Some("10.0 s"), "9.0 s"));
/// assert!((advice.gain.expected - 40.0).abs() < 0.2);
/// # Ok::<(), optimize::bottleneck::TraceError>(())
/// ```
pub fn recommend(
    trace: &Trace,
    percent: f64,
    basis: &Basis,
) -> Result<Option<Recommendation>, TraceError> {
    let what_if = trace.what_if(percent)?;
    let best = largest(what_if.iter().map(WhatIf::gain_per_hour)).map(|best| &what_if[best]);
    let Some(best) = best.filter(|best| trace.n_parts() >= 20 && best.gain_per_hour() > 0.0) else {
        return Ok(None);
    };
    let Some(half) = half_width_of_mean(&best.gain_by_tenth) else { return Ok(None) };
    let (name, gain) = (&trace.names()[best.machine], best.gain_per_hour());
    let limit = alone_per_hour(trace, best.machine, percent);
    let work_s = mean_work_s(trace, best.machine);
    let summary =
        format!("{percent} % less work per part at {name} brings {gain:.1} parts per hour more");
    let gain = Gain::likely(gain, gain - half, gain + half, "{piece}/h");
    Ok(Some(
        Recommendation::new(summary, gain, basis.valid_until_us)
            .step(
                format!("working time per part at {name}"),
                Some(format!("{work_s:.1} s")),
                format!("{:.1} s", work_s * (1.0 - percent / 100.0)),
            )
            .constraint(
                "the new rate stays below that of every machine alone, in parts per hour",
                limit - best.then_per_hour,
            )
            .window(basis.window_us)
            .input("parts replayed", trace.n_parts())
            .input("buffers", format!("{:?}", trace.buffers))
            .bounds(3600.0 / best.then_per_hour, Some(3600.0 / limit)),
    ))
}

/// Proposes `percent` less work on the machine that the line waited for most, from states alone.
///
/// The gain is the share by which the observed time would shrink: percent × the machine's share of the critical
/// walk. Output is concave in working times, so no more than that is possible, and hardly less for some percent;
/// its 90 % interval is Student's t over ten stretches of the time. `None` if no machine is on the walk, less than
/// two stretches show one, or the percentage is not between 0 and 95.
///
/// ```
/// use optimize::{Basis, bottleneck::{Activity::Working, Interval, Observed, recommend_from_states}};
/// // The saw works without a pause: 10 % less work there is 10 % less time.
/// let saw = [Interval { machine: 0, from_us: 0, to_us: 1000, activity: Working }];
/// let line = Observed::new(vec!["saw".to_owned()], &saw, 0)?;
/// let basis = Basis { window_us: None, currency: "EUR", valid_until_us: 0 };
/// let advice = recommend_from_states(&line, 10.0, &basis).expect("it works");
/// assert!((advice.gain.expected - 10.0).abs() < 1e-9);
/// assert_eq!(advice.evidence.window_us, Some((0, 1000)));
/// # Ok::<(), optimize::bottleneck::Error>(())
/// ```
pub fn recommend_from_states(
    line: &Observed,
    percent: f64,
    basis: &Basis,
) -> Option<Recommendation> {
    let machine = critical_path(line).machine().filter(|_| (0.0..=95.0).contains(&percent))?;
    let (from_us, to_us) = line.span_us()?;
    let share = |from_us: i64, to_us: i64| {
        let path = critical_path(&line.between(from_us, to_us));
        path.working_us[machine] as f64 / (to_us - from_us) as f64
    };
    let tenth_us = (to_us - from_us) / 10;
    let tenths: Vec<f64> = (0..10)
        .map(|tenth| (from_us + tenth * tenth_us, from_us + (tenth + 1) * tenth_us))
        .filter(|(from_us, to_us)| to_us > from_us)
        .map(|(from_us, to_us)| percent * share(from_us, to_us))
        .collect();
    let (gain, half) = (percent * share(from_us, to_us), half_width_of_mean(&tenths)?);
    let name = &line.names()[machine];
    let summary = format!(
        "the line waits for {name}: {percent} % less work there saves up to {gain:.1} % of the time"
    );
    let most = gain + half;
    Some(
        Recommendation::new(
            summary,
            Gain::likely(gain, (gain - half).max(0.0), most.min(percent), "%"),
            basis.valid_until_us,
        )
        .step(format!("work at {name}"), Some("100 %".into()), format!("{:.0} %", 100.0 - percent))
        .constraint(
            "share of the time in which the line waits for it, in percent",
            gain / percent * 100.0,
        )
        .window(Some((from_us, to_us)))
        .input("machines", line.names().len())
        .input("pause that is none, µs", line.gap_us())
        .bounds(100.0 - gain, Some(100.0 - gain)),
    )
}

fn mean_work_s(trace: &Trace, machine: usize) -> f64 {
    let own = trace.services.iter().skip(machine).step_by(trace.names().len());
    own.map(|service| service.work_us as f64 / 1e6).sum::<f64>() / trace.n_parts() as f64
}

/// Parts per hour of the slowest machine if none had to wait, with `faster` faster.
fn alone_per_hour(trace: &Trace, faster: usize, percent: f64) -> f64 {
    let n_machines = trace.names().len();
    let slowest_us = (0..n_machines).map(|machine| {
        let factor = if machine == faster { 1.0 - percent / 100.0 } else { 1.0 };
        let own = trace.services.iter().skip(machine).step_by(n_machines);
        own.map(|service| service.work_us as f64 * factor + service.down_us as f64).sum::<f64>()
    });
    trace.n_parts() as f64 / (slowest_us.fold(0.0, f64::max) / 3.6e9)
}
