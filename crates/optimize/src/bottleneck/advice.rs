//! From a replay to a decision.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::largest;
use super::trace::Trace;
use crate::{Bounds, Constraint, Evidence, Gain, Recommendation, Step};

/// Proposes to make that machine `percent` faster which brings most parts per hour.
///
/// The 90 % interval of the gain is Student's t over ten stretches of the trace. The bound is the rate of the slowest
/// machine left alone, which no buffer can beat. `None` below 20 parts or if no machine brings anything.
pub fn recommend(trace: &Trace, percent: f64, valid_until_us: i64) -> Option<Recommendation> {
    let what_if = trace.what_if(percent);
    let best = &what_if[largest(what_if.iter().map(super::WhatIf::gain_per_hour))?];
    if trace.n_parts() < 20 || best.gain_per_hour() <= 0.0 {
        return None;
    }
    let name = &trace.names()[best.machine];
    let half = half_width(&best.gain_by_tenth)?;
    let gain = best.gain_per_hour();
    let limit = alone_per_hour(trace, best.machine, percent);
    Some(Recommendation {
        summary: format!("{percent} % faster at {name} brings {gain:.1} parts per hour more"),
        steps: vec![Step {
            what: format!("working time per part at {name}"),
            now: Some(format!("{:.1} s", mean_work_s(trace, best.machine))),
            proposed: format!(
                "{:.1} s",
                mean_work_s(trace, best.machine) * (1.0 - percent / 100.0)
            ),
        }],
        gain: Gain {
            expected: gain,
            low: gain - half,
            high: gain + half,
            confidence_percent: 90.0,
            unit: "{piece}/h".into(),
        },
        constraints: vec![Constraint {
            what: "the new rate stays below that of every machine alone, in parts per hour".into(),
            slack: limit - best.then_per_hour,
        }],
        evidence: Evidence {
            window_us: None,
            inputs: vec![
                ("parts replayed".into(), trace.n_parts().to_string()),
                ("buffers".into(), format!("{:?}", trace.buffers)),
            ],
            seed: 0,
        },
        valid_until_us,
        bounds: Bounds { objective: 3600.0 / best.then_per_hour, bound: Some(3600.0 / limit) },
    })
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

/// Half the width of the 90 % interval of the mean; `None` below two values.
fn half_width(values: &[f64]) -> Option<f64> {
    let n = values.len() as f64;
    let t = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.95);
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    Some(t * (variance / n).sqrt())
}
