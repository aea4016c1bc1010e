//! One planted problem, solved by us and by the peer.

use optimize::{Control, Progress, route as routing, schedule as scheduling};
use serde_json::Value;

use super::{describe, routes, schedules};
use crate::{CpuClock, Options, peer};

/// Threads for a schedule; a route has one.
pub(super) const N_THREADS: usize = 4;

/// What one solver made of one problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// Infinite where it has no plan.
    pub(super) gap_percent: f64,
    /// Processor time until the optimum.
    pub(super) reached_s: Option<f64>,
}

/// What both made of it.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) ours: Outcome,
    pub(super) theirs: Option<Outcome>,
    /// How far our bound is below the optimum; `None` where it is that of other jobs.
    pub(super) bound_gap: Option<f64>,
    /// What the judge finds wrong with our plan.
    pub(super) violations: Vec<String>,
}

pub(super) fn schedule(
    name: &str,
    planted: &schedules::Planted,
    options: &Options,
    seconds: f64,
) -> anyhow::Result<Run> {
    let least = planted.least;
    check_planted(name, &scheduling::violations(&planted.problem, &planted.plan))?;
    let seconds = seconds * N_THREADS as f64;
    let clock = CpuClock::start();
    let plan = until(least, seconds, options.seed, N_THREADS, clock, |control| {
        scheduling::solve(&planted.problem, control)
    });
    let cpu_s = clock.seconds();
    let (plan, violations) = match plan {
        Ok(plan) => {
            let violations = scheduling::violations(&planted.problem, &plan);
            (Some(plan), violations)
        }
        Err(error) => (None, vec![error.to_string()]),
    };
    let cost = plan.as_ref().map_or(f64::INFINITY, |plan| plan.cost.total);
    let bound = plan.map(|plan| plan.bound);
    let theirs = options.peers.then(|| {
        let text = describe::schedule(&planted.problem).to_string();
        let (limit, threads, seed) =
            (seconds.to_string(), N_THREADS.to_string(), options.seed.to_string());
        let arguments = [&limit, &threads, &seed, &(least + tolerance(least)).to_string()];
        peer_outcome("optimize-plant-schedule", name, &text, &arguments.map(String::as_str), least)
    });
    Ok(Run {
        ours: outcome(cost, least, cpu_s),
        theirs: theirs.transpose()?,
        bound_gap: bound.map(|bound| gap_percent(least, least - bound)),
        violations,
    })
}

pub(super) fn route(
    name: &str,
    planted: &routes::Planted,
    options: &Options,
    seconds: f64,
) -> anyhow::Result<Run> {
    let least = planted.least;
    check_planted(name, &routing::violations(&planted.problem, &planted.plan))?;
    let clock = CpuClock::start();
    let plan = until(least, seconds, options.seed, 1, clock, |control| {
        routing::solve(&planted.problem, control)
    })?;
    let cpu_s = clock.seconds();
    let cost = routes::total(&planted.problem, &plan);
    let is_same = plan.unserved == planted.plan.unserved;
    let tours = planted.plan.cost;
    let theirs = options.peers.then(|| {
        let text = describe::route(&planted.problem).to_string();
        let (limit, seed) = (seconds.to_string(), options.seed.to_string());
        let arguments = [&limit, &seed, &(least + tolerance(least)).to_string()];
        peer_outcome("optimize-plant-route", name, &text, &arguments.map(String::as_str), least)
    });
    let mut violations = routing::violations(&planted.problem, &plan);
    // The best plan leaves out these jobs, for these reasons.
    if is_least(cost, least) && !is_same {
        violations.push("other reasons than those planted".to_owned());
    }
    Ok(Run {
        ours: outcome(cost, least, cpu_s),
        theirs: theirs.transpose()?,
        bound_gap: is_same.then(|| gap_percent(tours, tours - plan.bound)),
        violations,
    })
}

/// What is planted must be allowed, or the optimum is none.
fn check_planted(name: &str, violations: &[String]) -> anyhow::Result<()> {
    anyhow::ensure!(violations.is_empty(), "planted {name}: {}", violations.join("; "));
    Ok(())
}

/// Solves with so much processor time of all threads, no longer than until `least` is reached.
fn until<T>(
    least: f64,
    seconds: f64,
    seed: u64,
    n_threads: usize,
    clock: CpuClock,
    solve: impl FnOnce(&Control<'_>) -> T,
) -> T {
    let used = || clock.seconds() / seconds;
    let watch = |seen: Progress| !is_least(seen.best, least);
    let control = Control {
        n_threads,
        budget: Some(&used),
        watch: &watch,
        ..Control::iterations(seed, u64::MAX)
    };
    solve(&control)
}

fn peer_outcome(
    script: &str,
    name: &str,
    text: &str,
    arguments: &[&str],
    least: f64,
) -> anyhow::Result<Outcome> {
    let answer: Value = peer::run_on(script, &format!("{name}.json"), text, arguments)?;
    let cost = answer["cost"].as_f64().unwrap_or(f64::INFINITY);
    anyhow::ensure!(
        cost >= least - tolerance(least),
        "{script}: {cost} is below the least {least}"
    );
    Ok(Outcome {
        gap_percent: gap_percent(least, cost - least),
        reached_s: answer["reached_s"].as_f64(),
    })
}

fn outcome(cost: f64, least: f64, cpu_s: f64) -> Outcome {
    let reached_s = is_least(cost, least).then_some(cpu_s);
    Outcome { gap_percent: gap_percent(least, cost - least), reached_s }
}

/// `above` in percent of `least`; exactly zero where sums of floats differ.
fn gap_percent(least: f64, above: f64) -> f64 {
    if above.abs() <= tolerance(least) { 0.0 } else { 100.0 * above / least }
}

/// Costs are sums of products of floats.
pub(super) fn tolerance(least: f64) -> f64 {
    1e-6 * (1.0 + least.abs())
}

pub(super) fn is_least(cost: f64, least: f64) -> bool {
    cost <= least + tolerance(least)
}
