//! Why no plan is possible: a smallest set of conditions that cannot hold together.

use super::super::Error;
use super::Problem;
use super::model::Model;
use super::solve::{Found, search};
use crate::Control;

/// What may be given up to make a plan possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    Grid,
    Charging,
    Discharging,
    Capacity,
    End,
    Tier,
    Carbon,
    Work(usize),
}

/// The error for a problem that has no plan.
///
/// Each condition in turn is left out, for good if there still is no plan without it (deletion filter, Chinneck &
/// Dravnieks 1991): of those that stay, any one left out makes a plan possible. Where a search ends before it knows,
/// its condition stays.
pub(super) fn conflict(problem: &Problem, control: &Control) -> Error {
    let all = conditions(problem);
    if !is_impossible(problem, &[], control) || is_impossible(problem, &all, control) {
        let conflict = "power that comes in can be neither used, stored nor sold, or nothing was proven in time; \
                        allow a sale, or raise the limit of the search";
        return Error::Infeasible { conflict: conflict.into() };
    }
    let mut dropped = Vec::new();
    for condition in &all {
        dropped.push(*condition);
        if !is_impossible(problem, &dropped, control) {
            dropped.pop();
        }
    }
    let kept = all.iter().filter(|condition| !dropped.contains(condition));
    let words: Vec<String> = kept.map(|condition| words(problem, *condition)).collect();
    let conflict =
        format!("the load and {} cannot all hold; relax one of them", words.join(" and "));
    Error::Infeasible { conflict }
}

fn conditions(problem: &Problem) -> Vec<Condition> {
    let mut all: Vec<Condition> = (0..problem.shiftable.len()).map(Condition::Work).collect();
    if let Some(battery) = problem.battery {
        all.extend([Condition::Charging, Condition::Discharging, Condition::Capacity]);
        all.extend(battery.end_kwh.map(|_| Condition::End));
    }
    all.extend(problem.co2.and_then(|co2| co2.most_kg).map(|_| Condition::Carbon));
    all.extend(problem.top_kw().map(|_| Condition::Tier));
    all.push(Condition::Grid);
    all
}

fn is_impossible(problem: &Problem, dropped: &[Condition], control: &Control) -> bool {
    let mut model = Model::new(problem, dropped);
    // Any plan will do.
    model.cost = good_lp::Expression::default();
    matches!(search(model, control), Ok(Found::Impossible))
}

fn words(problem: &Problem, condition: Condition) -> String {
    let battery = |value: fn(&super::Battery) -> f64| problem.battery.as_ref().map_or(0.0, value);
    match condition {
        Condition::Grid => format!("the connection of {:.1} kW", problem.grid_kw),
        Condition::Charging => format!("charging with {:.1} kW", battery(|b| b.charge_kw)),
        Condition::Discharging => format!("discharging with {:.1} kW", battery(|b| b.discharge_kw)),
        Condition::Capacity => format!("the battery of {:.1} kWh", battery(|b| b.capacity_kwh)),
        Condition::End => {
            format!("{:.1} kWh in the battery at the end", battery(|b| b.end_kwh.unwrap_or(0.0)))
        }
        Condition::Tier => format!("the highest tier of {:.1} kW", problem.top_kw().unwrap_or(0.0)),
        Condition::Carbon => {
            let most_kg = problem.co2.and_then(|co2| co2.most_kg).unwrap_or(0.0);
            format!("the cap of {most_kg:.1} kg of CO₂")
        }
        Condition::Work(idx) => {
            let work = &problem.shiftable[idx];
            format!("{} of {:.1} kW", work.name, work.power_kw)
        }
    }
}
