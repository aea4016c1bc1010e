//! How each instance of the reference is put to us. The networks are not in the reference; their numbers are those
//! of the book.

use optimize::stock::{Demand, lot, min_max, newsvendor, reorder, serial, tree};
use serde_json::Value;

use super::coarse;

type Figures = Vec<(&'static str, f64)>;
type Solve = fn(&Value) -> anyhow::Result<Figures>;

pub(super) const ALL: &[(&str, Solve)] = &[
    ("example_3_1", |inputs| {
        let lot = lot::eoq(
            at(inputs, "fixed_cost"),
            at(inputs, "holding_cost"),
            at(inputs, "demand_rate"),
        )?;
        Ok(vec![("cost", lot.cost), ("Q", lot.quantity)])
    }),
    ("example_3_8", |inputs| {
        let [k, h, p, d] = ["fixed_cost", "holding_cost", "stockout_cost", "demand_rate"]
            .map(|key| at(inputs, key));
        let lot = lot::eoq_late(k, h, p, d)?;
        Ok(vec![("cost", lot.cost), ("Q", lot.quantity), ("x", lot.late_share)])
    }),
    ("problem_3_22", |inputs| {
        let [k, h, d, rate] = ["fixed_cost", "holding_cost", "demand_rate", "production_rate"]
            .map(|key| at(inputs, key));
        let lot = lot::epq(k, h, d, rate)?;
        Ok(vec![("cost", lot.cost), ("Q", lot.quantity)])
    }),
    ("example_3_9", |inputs| {
        let demand: Vec<f64> =
            inputs["demand"].as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        let plan =
            lot::wagner_whitin(at(inputs, "fixed_cost"), at(inputs, "holding_cost"), &demand)?;
        Ok(vec![("cost", plan.cost), ("Q.1", plan.orders[0]), ("Q.3", plan.orders[2])])
    }),
    ("example_4_1", newsboy),
    ("example_4_3", newsboy),
    ("problem_4_8a", newsboy),
    ("example_4_7", |inputs| {
        let [k, h, p, d] = ["fixed_cost", "holding_cost", "stockout_cost", "demand_mean"]
            .map(|key| at(inputs, key));
        let best = min_max::poisson(k, h, p, d)?;
        Ok(vec![("cost", best.cost.unwrap_or(f64::NAN)), ("s", best.min), ("S", best.max)])
    }),
    ("example_4_8", |inputs| {
        let [k, h, p] = ["fixed_cost", "holding_cost", "stockout_cost"].map(|key| at(inputs, key));
        let good = min_max::power_approximation(k, h, p, demand(inputs), 0.0)?;
        Ok(vec![("s", good.min), ("S", good.max)])
    }),
    ("example_5_1", |inputs| {
        let part = part(inputs);
        let level = reorder::inventory_level(&part)?;
        let late = reorder::late_quantity(&part)?;
        let safety = reorder::safety_stock(&part)?;
        Ok(vec![
            ("exact_cost_of_eil", reorder::cost_of(&part, level.point, level.quantity)?),
            ("eil.0", level.point),
            ("eil.1", level.quantity),
            ("eil.2", level.cost.unwrap_or(f64::NAN)),
            ("eoqb.0", late.point),
            ("eoqb.1", late.quantity),
            ("eoqss.0", safety.point),
            ("eoqss.1", safety.quantity),
        ])
    }),
    ("example_5_8", poisson_reorder),
    ("problem_5_2", poisson_reorder),
    ("example_6_1", |_| Serial::example_6_1().exact()),
    ("problem_6_1", |_| Serial::problem_6_1().exact()),
    ("shang_song_1", |_| Serial::shang_song([0.25; 4], 9.0).exact()),
    ("shang_song_9", |_| Serial::shang_song([0.25, 2.5, 2.5, 0.25], 9.0).exact()),
    ("shang_song_17", |_| Serial::shang_song([0.25; 4], 99.0).exact()),
    ("shang_song_25", |_| Serial::shang_song([0.25, 2.5, 2.5, 0.25], 99.0).exact()),
    ("example_6_3", |_| {
        let stages = [
            stage(7.0, 1, &[1], Some(1), 1.0),
            stage(4.0, 0, &[2], None, 0.0),
            tree::Stage { supplier_time: 1, ..stage(2.0, 1, &[], None, 0.0) },
        ];
        tree_figures(&stages, 1.0, &["cst.1"])
    }),
    ("example_6_5", |_| {
        let stages = [
            tree::Stage { supplier_time: 1, ..stage(1.0, 2, &[], None, 0.0) },
            stage(3.0, 1, &[2], Some(0), 1.0),
            stage(2.0, 1, &[0], None, 0.0),
            stage(3.0, 1, &[2], Some(1), 1.0),
        ];
        tree_figures(&stages, 1.0, &["cst.1", "cst.2", "cst.3", "cst.4"])
    }),
    ("figure_6_14", |_| {
        let stages = [
            stage(0.01, 2, &[], None, 0.0),
            stage(0.03, 3, &[0], None, 0.0),
            stage(0.04, 2, &[1], None, 0.0),
            stage(0.06, 4, &[], None, 0.0),
            stage(0.12, 2, &[2, 3], None, 0.0),
            stage(0.13, 3, &[4], None, 0.0),
            stage(0.20, 6, &[], None, 0.0),
            stage(0.08, 4, &[], None, 0.0),
            stage(0.04, 3, &[], None, 0.0),
            stage(0.50, 2, &[6, 5, 7, 8], Some(2), 10.0),
        ];
        tree_figures(
            &stages,
            1.644_853_626_951_472_2,
            &["cst.1", "cst.2", "cst.3", "cst.4", "cst.5"],
        )
    }),
    ("problem_6_9", |_| {
        let per_day = |yearly: f64| yearly / 365.0;
        let stages = [
            stage(per_day(44.0), 7, &[2], Some(3), 4.1),
            stage(per_day(28.0), 7, &[2], Some(3), 6.2),
            stage(per_day(18.0), 21, &[3, 4], None, 0.0),
            stage(per_day(1.0), 3, &[], None, 0.0),
            stage(per_day(4.0), 8, &[5], None, 0.0),
            stage(per_day(1.5), 2, &[], None, 0.0),
        ];
        tree_figures(&stages, 4.0, &["cst.1", "cst.2", "cst.3"])
    }),
];

fn at(inputs: &Value, key: &str) -> f64 {
    inputs[key].as_f64().unwrap_or(f64::NAN)
}

fn demand(inputs: &Value) -> Demand {
    let mean = at(inputs, "demand_mean");
    match inputs["demand_sd"].as_f64() {
        Some(sd) => Demand::Normal { mean, sd },
        None => Demand::Poisson { mean },
    }
}

fn part(inputs: &Value) -> reorder::Part {
    reorder::Part {
        fixed_cost: at(inputs, "fixed_cost"),
        holding_cost: at(inputs, "holding_cost"),
        shortage_cost: at(inputs, "stockout_cost"),
        lead_time: at(inputs, "lead_time"),
        demand: demand(inputs),
    }
}

fn newsboy(inputs: &Value) -> anyhow::Result<Figures> {
    let best = newsvendor::newsvendor(
        at(inputs, "holding_cost"),
        at(inputs, "stockout_cost"),
        demand(inputs),
    )?;
    Ok(vec![("cost", best.cost), ("S", best.level)])
}

fn poisson_reorder(inputs: &Value) -> anyhow::Result<Figures> {
    let best = reorder::poisson(&part(inputs))?;
    Ok(vec![("cost", best.cost.unwrap_or(f64::NAN)), ("r", best.point), ("Q", best.quantity)])
}

/// A serial system computed as the reference was, where that is coarser than ours; nothing for other instances.
pub(super) fn as_there(name: &str) -> Option<Figures> {
    let system = Serial::by_name(name)?;
    let (cost, levels) = system.computed(coarse::AS_SAVED, &[]);
    Some(system.figures(cost, levels))
}

/// Cost of any levels of a serial system by neither our recursion nor the reference's grid; nothing for other instances.
pub(super) fn on_a_fine_grid(name: &str, levels: &[f64]) -> Option<f64> {
    Some(Serial::by_name(name)?.computed(coarse::FINE, levels).0)
}

struct Serial {
    /// Echelon holding cost and lead time, from the stage that serves the customer upwards.
    stages: Vec<(f64, f64)>,
    shortage_cost: f64,
    demand: Demand,
}

impl Serial {
    fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "example_6_1" => Self::example_6_1(),
            "problem_6_1" => Self::problem_6_1(),
            "shang_song_1" => Self::shang_song([0.25; 4], 9.0),
            "shang_song_9" => Self::shang_song([0.25, 2.5, 2.5, 0.25], 9.0),
            "shang_song_17" => Self::shang_song([0.25; 4], 99.0),
            "shang_song_25" => Self::shang_song([0.25, 2.5, 2.5, 0.25], 99.0),
            _ => return None,
        })
    }

    fn computed(&self, fineness: coarse::Fineness, levels: &[f64]) -> (f64, Vec<f64>) {
        coarse::base_stock(&self.stages, self.shortage_cost, self.demand, fineness, levels)
    }

    fn example_6_1() -> Self {
        let demand = Demand::Normal { mean: 5.0, sd: 1.0 };
        Self { stages: vec![(3.0, 1.0), (2.0, 1.0), (2.0, 2.0)], shortage_cost: 37.12, demand }
    }

    fn problem_6_1() -> Self {
        let demand = Demand::Normal { mean: 100.0, sd: 15.0 };
        Self { stages: vec![(1.0, 1.0), (1.0, 1.0)], shortage_cost: 15.0, demand }
    }

    /// Four stages of a quarter of a period each, Poisson demand of 16 (Shang & Song 2003).
    fn shang_song(echelon: [f64; 4], shortage_cost: f64) -> Self {
        let demand = Demand::Poisson { mean: 16.0 };
        Self { stages: echelon.map(|h| (h, 0.25)).to_vec(), shortage_cost, demand }
    }

    fn exact(&self) -> anyhow::Result<Figures> {
        let stage = |&(echelon_holding_cost, lead_time): &(f64, f64)| serial::Stage {
            echelon_holding_cost,
            lead_time,
        };
        let stages: Vec<serial::Stage> = self.stages.iter().map(stage).collect();
        let best = serial::base_stock(&stages, self.shortage_cost, self.demand)?;
        Ok(self.figures(best.cost, best.echelon))
    }

    fn figures(&self, cost: f64, levels: Vec<f64>) -> Figures {
        let mut figures = vec![("cost", cost)];
        figures.extend(["S.1", "S.2", "S.3", "S.4"].into_iter().zip(levels));
        figures
    }
}

fn stage(
    h: f64,
    processing_time: usize,
    suppliers: &[usize],
    customer_time: Option<usize>,
    sd: f64,
) -> tree::Stage {
    tree::Stage {
        name: String::new(),
        suppliers: suppliers.to_vec(),
        holding_cost: h,
        processing_time,
        supplier_time: 0,
        customer_time,
        demand_sd: sd,
    }
}

/// Names are numbered from 1; the first stage is "cst.1".
fn tree_figures(stages: &[tree::Stage], z: f64, names: &[&'static str]) -> anyhow::Result<Figures> {
    let plan = tree::service_times(stages, z)?;
    let mut figures = vec![("cost", plan.cost)];
    figures.extend(names.iter().zip(&plan.service_times).map(|(name, time)| (*name, *time as f64)));
    Ok(figures)
}
