//! What both sides learn: failures, energy, remaining life.

use std::path::Path;

use analytics::rul;
use analytics::trees::{Objective, Params, grouped_folds};
use anyhow::Context;

use crate::analytics::{ai4i, cmapss};
use crate::data;

/// A table to learn from, with the rows that judge.
pub(super) struct Task {
    pub(super) name: String,
    /// What is predicted from what, and how it is split.
    pub(super) about: &'static str,
    pub(super) columns: Vec<Vec<f64>>,
    pub(super) target: Vec<f64>,
    /// The fold that judges each row; 255 for rows that are only learnt from.
    pub(super) folds: Vec<u8>,
    pub(super) params: Params,
}

/// A loss of all judged rows together.
type Judge = fn(&Task, &[f64]) -> f64;

pub(super) fn all(data: &Path, seed: u64) -> anyhow::Result<Vec<Task>> {
    let (energy, load) = steel(data, seed)?;
    Ok(vec![failures(data, seed)?, energy, load, life(data, seed)?])
}

/// The tasks with random folds, dealt anew with `n` seeds: task by task, seed by seed.
pub(super) fn dealt(data: &Path, seed: u64, n: u64) -> anyhow::Result<Vec<Task>> {
    let mut tasks = Vec::new();
    for make in [failures, |data: &Path, seed| Ok(steel(data, seed)?.1)] {
        for seed in seed..seed + n {
            let mut task = make(data, seed)?;
            task.name = format!("{}-{seed}", task.name);
            tasks.push(task);
        }
    }
    Ok(tasks)
}

impl Task {
    pub(super) fn n_outputs(&self) -> usize {
        if let Objective::Softmax(n_classes) = self.params.objective { n_classes } else { 1 }
    }

    pub(super) fn n_folds(&self) -> u8 {
        1 + self.folds.iter().copied().filter(|&fold| fold != 255).max().unwrap_or(0)
    }

    /// Rows to learn from and rows to judge by.
    pub(super) fn split(&self, fold: u8) -> (Vec<usize>, Vec<usize>) {
        (0..self.target.len()).partition(|&i| self.folds[i] != fold)
    }

    pub(super) fn take(&self, rows: &[usize]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let take = |values: &[f64]| rows.iter().map(|&i| values[i]).collect::<Vec<f64>>();
        (self.columns.iter().map(|column| take(column)).collect(), take(&self.target))
    }

    pub(super) fn row(&self, row_idx: usize) -> Vec<f64> {
        self.columns.iter().map(|column| column[row_idx]).collect()
    }

    /// The best constant answer of the rows that are learnt from, for every row.
    pub(super) fn trivial(&self) -> Vec<f64> {
        let n = self.target.len() as f64;
        let answer = match self.params.objective {
            Objective::Softmax(n_classes) => (0..n_classes)
                .map(|k| self.target.iter().filter(|&&y| y == k as f64).count() as f64 / n)
                .collect(),
            Objective::L1 => {
                let mut sorted = self.target.clone();
                sorted.sort_unstable_by(f64::total_cmp);
                vec![sorted[sorted.len() / 2]]
            }
            _ => vec![self.target.iter().sum::<f64>() / n],
        };
        answer.repeat(self.target.len())
    }

    pub(super) fn losses(&self) -> Vec<(&'static str, Judge)> {
        match self.params.objective {
            Objective::Logistic => vec![("log loss", log_loss), ("1 - AP", missed_precision)],
            Objective::Softmax(_) => vec![("log loss", log_loss), ("error rate", error_rate)],
            Objective::L1 | Objective::Quantile(_) => vec![("MAE", mae)],
            Objective::L2 => vec![("RMSE", rmse)],
        }
    }

    fn judged(&self) -> impl Iterator<Item = usize> {
        (0..self.target.len()).filter(|&i| self.folds[i] != 255)
    }

    fn mean(&self, loss: impl Fn(usize) -> f64) -> f64 {
        let (sum, n) = self.judged().fold((0.0, 0.0), |(sum, n), i| (sum + loss(i), n + 1.0));
        sum / n
    }
}

fn mae(task: &Task, predicted: &[f64]) -> f64 {
    task.mean(|i| (predicted[i] - task.target[i]).abs())
}

fn rmse(task: &Task, predicted: &[f64]) -> f64 {
    task.mean(|i| (predicted[i] - task.target[i]).powi(2)).sqrt()
}

fn log_loss(task: &Task, predicted: &[f64]) -> f64 {
    task.mean(|i| {
        let p = match task.n_outputs() {
            1 if task.target[i] == 1.0 => predicted[i],
            1 => 1.0 - predicted[i],
            n => predicted[i * n + task.target[i] as usize],
        };
        -p.clamp(1e-15, 1.0).ln()
    })
}

fn error_rate(task: &Task, predicted: &[f64]) -> f64 {
    let n = task.n_outputs();
    task.mean(|i| {
        let row = &predicted[i * n..][..n];
        let best = (0..n).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap_or(0);
        f64::from(u8::from(best as f64 != task.target[i]))
    })
}

fn missed_precision(task: &Task, predicted: &[f64]) -> f64 {
    let rows: Vec<usize> = task.judged().collect();
    let take = |values: &[f64]| rows.iter().map(|&i| values[i]).collect::<Vec<f64>>();
    1.0 - ai4i::average_precision(&take(predicted), &take(&task.target))
}

fn deal(groups: &[u64], n_folds: usize, seed: u64) -> Vec<u8> {
    let mut folds = vec![255; groups.len()];
    for (fold, number) in grouped_folds(groups, n_folds, seed).iter().zip(0..) {
        fold.test.iter().for_each(|&i| folds[i] = number);
    }
    folds
}

fn failures(data: &Path, seed: u64) -> anyhow::Result<Task> {
    let parts = ai4i::read(data)?;
    let rows: Vec<u64> = (0..parts.failed.len() as u64).collect();
    Ok(Task {
        name: "ai4i".to_owned(),
        about: "machine failure from type, temperatures, speed, torque and wear; 5 folds of rows",
        columns: parts.columns.to_vec(),
        target: parts.failed,
        folds: deal(&rows, 5, seed),
        params: Params {
            objective: Objective::Logistic,
            n_trees: 200,
            learning_rate: 0.05,
            ..Params::default()
        },
    })
}

/// Quarter hours of a day and a week.
const DAY: usize = 96;
const WEEK: usize = 7 * DAY;

/// Day-ahead energy, and the kind of load from the electrical quantities of the same moment.
fn steel(data: &Path, seed: u64) -> anyhow::Result<(Task, Task)> {
    let path = data.join("steel_energy/Steel_industry_data.csv");
    let text = data::text(&path)?;
    let mut usage = Vec::new();
    let mut second = Vec::new();
    let mut electrical: Vec<Vec<f64>> = vec![Vec::new(); 7];
    let mut load = Vec::new();
    for (line_idx, line) in text.lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.trim().split(',').collect();
        let at = || format!("{} line {}", path.display(), line_idx + 1);
        anyhow::ensure!(cells.len() == 11, "{}: 11 cells", at());
        for (column, cell) in electrical.iter_mut().zip(&cells[1..8]) {
            column.push(cell.parse().with_context(at)?);
        }
        usage.push(cells[1].parse::<f64>().with_context(at)?);
        second.push(cells[7].parse::<f64>().with_context(at)?);
        let kinds = ["Light_Load", "Medium_Load", "Maximum_Load"];
        load.push(kinds.iter().position(|kind| *kind == cells[10]).with_context(at)? as f64);
    }
    let groups: Vec<u64> = (0..load.len()).map(|i| (i / DAY) as u64).collect();
    let load = Task {
        name: "steel_load".to_owned(),
        about: "kind of load (3 classes) from power, reactive power, CO2 and time of day; 5 folds of days",
        columns: electrical,
        folds: deal(&groups, 5, seed),
        target: load,
        params: Params { objective: Objective::Softmax(3), ..Params::default() },
    };
    Ok((day_ahead(&usage, &second), load))
}

fn day_ahead(usage: &[f64], second: &[f64]) -> Task {
    let rows = 4 * WEEK..usage.len();
    let lag = |n: usize| rows.clone().map(|i| usage[i - n]).collect::<Vec<f64>>();
    let mean = |n: usize, step: usize| -> Vec<f64> {
        rows.clone().map(|i| (1..=n).map(|k| usage[i - k * step]).sum::<f64>() / n as f64).collect()
    };
    let past_day: Vec<f64> = rows
        .clone()
        .map(|i| usage[i - 2 * DAY..i - DAY].iter().sum::<f64>() / DAY as f64)
        .collect();
    let mut columns = vec![
        rows.clone().map(|i| second[i]).collect(),
        // 2018 began on a Monday.
        rows.clone().map(|i| ((i / DAY) % 7) as f64).collect(),
        past_day,
        mean(4, WEEK),
        mean(7, DAY),
    ];
    columns.extend([DAY, 2 * DAY, WEEK - 1, WEEK, WEEK + 1, 2 * WEEK].map(lag));
    let test_from = usage.len() - 60 * DAY;
    Task {
        name: "steel_energy".to_owned(),
        about: "energy of a quarter hour a day ahead from calendar and lags; the last 60 days judge",
        columns,
        target: rows.clone().map(|i| usage[i]).collect(),
        folds: rows.map(|i| if i >= test_from { 0 } else { 255 }).collect(),
        params: Params {
            objective: Objective::L1,
            n_trees: 300,
            learning_rate: 0.05,
            ..Params::default()
        },
    }
}

fn life(data: &Path, seed: u64) -> anyhow::Result<Task> {
    let runs = cmapss::runs(&cmapss::folder(data), "train", "FD001")?;
    let table = rul::learning_table(&runs, &rul::Params { seed, ..rul::Params::default() })?;
    Ok(Task {
        name: "cmapss".to_owned(),
        about: "capped remaining life of FD001 from whole-record features; 5 folds of engines",
        folds: deal(&table.machines, 5, seed),
        columns: table.columns,
        target: table.target,
        params: Params {
            n_trees: 250,
            learning_rate: 0.05,
            min_leaf_rows: 100,
            ..Params::default()
        },
    })
}
