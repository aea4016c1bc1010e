//! From a plan to a decision.

use super::super::Error;
use super::{Plan, Problem};
use crate::{Basis, Gain, Recommendation};

/// Proposes `plan` instead of `now`, which is how the same horizon would be run.
///
/// Both are priced by [`Problem::cost_of`], and compared by what the plan makes small: cost, plus caution, less the worth
/// of what is left in the battery. The gain has no chance in it, as loads and prices are given; the uncertainty of
/// forecasts is the caller's to add. `None` if the plan is not better.
///
/// # Errors
/// If one of the plans breaks a condition.
///
/// ```
/// use optimize::{Basis, Control, energy::dispatch::{DemandCharge, Plan, Problem, Shiftable, plan, recommend}};
/// // An hour of 2 kW moves from 3.00 to 1.00 a kWh.
/// let bake = Shiftable { name: "bake".into(), power_kw: 2.0, n_steps: 1, earliest: 0, latest: 2 };
/// let problem = Problem { step_h: 1.0, load_kw: &[1.0, 1.0], solar_kw: &[], price: &[3.0, 1.0], feed_in: &[],
///     grid_kw: 10.0, month: &[0, 0], day: &[0, 0], demand: DemandCharge::None, past_peaks_kw: &[],
///     peak_today_kw: 0.0, battery: None, shiftable: &[bake], co2: None };
/// let now = Plan { grid_kw: vec![3.0, 1.0], sold_kw: vec![0.0; 2], starts: vec![0], ..Plan::default() };
/// let best = plan(&problem, &Control::iterations(1, 1000))?;
/// let basis = Basis { window_us: Some((0, 7_200_000_000)), currency: "EUR", valid_until_us: 0 };
/// let advice = recommend(&problem, &best, &now, &basis)?.expect("it pays");
/// assert_eq!((advice.gain.expected, advice.bounds.gap_percent()), (4.0, Some(0.0)));
/// assert_eq!((advice.steps[0].now.as_deref(), advice.steps[0].proposed.as_str()), (Some("step 0"), "step 1"));
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn recommend(
    problem: &Problem,
    plan: &Plan,
    now: &Plan,
    basis: &Basis,
) -> Result<Option<Recommendation>, Error> {
    let objective = problem.objective_of(plan)?;
    let gain = problem.objective_of(now)? - objective;
    if gain <= 0.0 {
        return Ok(None);
    }
    let peak = plan.grid_kw.iter().copied().fold(0.0, f64::max);
    let summary = format!(
        "{gain:.2} {} less over {} steps, highest draw {peak:.1} kW",
        basis.currency,
        plan.grid_kw.len()
    );
    let mut advice =
        Recommendation::new(summary, Gain::certain(gain, basis.currency), basis.valid_until_us);
    for (work, (then, before)) in problem.shiftable.iter().zip(plan.starts.iter().zip(&now.starts))
    {
        let words = [before, then].map(|step| format!("step {step}"));
        let [before, then] = words;
        advice = advice.step(format!("begin of {}", work.name), Some(before), then);
    }
    let battery_kw = |plan: &Plan| {
        let flows = plan.charge_kw.first().zip(plan.discharge_kw.first());
        flows.map(|(charge, discharge)| format!("{:.1} kW", charge - discharge))
    };
    if let Some(then) = battery_kw(plan).filter(|_| problem.battery.is_some()) {
        advice = advice.step("battery, charging positive", battery_kw(now), then);
    }
    let (_, demand) = problem.cost_of(plan)?;
    Ok(Some(
        with_conditions(advice, problem, plan)
            .window(basis.window_us)
            .input("steps", plan.grid_kw.len())
            .input("demand cost", format!("{demand:.2}"))
            .input("CO₂, kg", format!("{:.3}", problem.co2_kg_of(plan)))
            .bounds(objective, plan.bound.is_finite().then_some(plan.bound)),
    ))
}

/// Every limit with what is left of it.
fn with_conditions(advice: Recommendation, problem: &Problem, plan: &Plan) -> Recommendation {
    let highest = |list: &[f64]| list.iter().copied().fold(0.0, f64::max);
    let mut advice =
        advice.constraint("grid connection, kW", problem.grid_kw - highest(&plan.grid_kw));
    if let Some(battery) = problem.battery {
        let stored = problem.stored(plan);
        let least = stored.iter().copied().fold(f64::INFINITY, f64::min);
        advice = advice
            .constraint("charging power, kW", battery.charge_kw - highest(&plan.charge_kw))
            .constraint("discharging power, kW", battery.discharge_kw - highest(&plan.discharge_kw))
            .constraint("room in the battery, kWh", battery.capacity_kwh - highest(&stored))
            .constraint("charge in the battery, kWh", least);
    }
    for (work, start) in problem.shiftable.iter().zip(&plan.starts) {
        let left = work.latest.min(problem.n_steps()).saturating_sub(start + work.n_steps);
        advice =
            advice.constraint(format!("end of the window of {}, steps", work.name), left as f64);
    }
    if let Some(top_kw) = problem.top_kw() {
        let mean_kw = highest(&problem.means_of_highest(&plan.grid_kw));
        advice = advice.constraint("highest tier, kW", top_kw - mean_kw);
    }
    if let Some(most_kg) = problem.co2.and_then(|co2| co2.most_kg) {
        advice = advice.constraint("cap of CO₂, kg", most_kg - problem.co2_kg_of(plan));
    }
    advice
}
