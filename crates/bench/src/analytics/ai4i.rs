//! AI4I 2020: parts, the machine that made them, and whether it failed.

use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::data;

/// The columns that a machine knows while it works; the flags of the failure modes are left out on purpose.
pub(super) struct Parts {
    /// Type (0 L, 1 M, 2 H), air and process temperature in K, speed in rpm, torque in Nm, tool wear in min.
    pub(super) columns: [Vec<f64>; 6],
    /// 1 where the machine failed.
    pub(super) failed: Vec<f64>,
}

pub(super) fn path(data: &Path) -> PathBuf {
    data.join("ai4i/ai4i2020.csv")
}

pub(super) fn read(data: &Path) -> anyhow::Result<Parts> {
    let path = path(data);
    let text = data::text(&path)?;
    let mut parts = Parts { columns: Default::default(), failed: Vec::new() };
    for (line_idx, line) in text.lines().enumerate().skip(1) {
        let at = || format!("{} line {}", path.display(), line_idx + 1);
        let cells: Vec<&str> = line.trim().split(',').collect();
        anyhow::ensure!(cells.len() == 14, "{}: 14 cells", at());
        let kind = "LMH".find(cells[2]).with_context(at)? as f64;
        parts.columns[0].push(kind);
        for (column, cell) in parts.columns[1..].iter_mut().zip(&cells[3..8]) {
            column.push(cell.parse().with_context(at)?);
        }
        parts.failed.push(cells[8].parse().with_context(at)?);
    }
    Ok(parts)
}

/// Mean precision over all failures as the threshold falls; rows of equal score count together.
pub(super) fn average_precision(scores: &[f64], labels: &[f64]) -> f64 {
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_unstable_by(|&a, &b| scores[b].total_cmp(&scores[a]));
    let n_positive: f64 = labels.iter().sum();
    let (mut found, mut seen, mut area) = (0.0, 0.0, 0.0);
    for equals in order.chunk_by(|&a, &b| scores[a] == scores[b]) {
        let positives: f64 = equals.iter().map(|&i| labels[i]).sum();
        seen += equals.len() as f64;
        found += positives;
        area += positives / n_positive * found / seen;
    }
    area
}
