//! The C-MAPSS turbofan records as runs of machines.

use std::path::{Path, PathBuf};

use analytics::rul::Run;
use anyhow::Context;

use crate::data;

/// Settings and sensors of a row, after machine number and cycle.
const SETTINGS: std::ops::Range<usize> = 2..5;
const SENSORS: std::ops::Range<usize> = 5..26;

/// The folder that holds the files: `cmapss` below the data folder, or that folder itself.
pub(super) fn folder(data: &Path) -> PathBuf {
    let below = data.join("cmapss");
    if below.is_dir() { below } else { data.to_owned() }
}

/// The file of a part (`train`, `test`) of a subset: CSV with a header, or NASA's columns of text.
pub(super) fn path(folder: &Path, part: &str, subset: &str) -> PathBuf {
    let csv = folder.join(format!("{part}_{subset}.csv"));
    if csv.is_file() { csv } else { csv.with_extension("txt") }
}

/// The machines of `<part>_<subset>`.
pub(super) fn runs(folder: &Path, part: &str, subset: &str) -> anyhow::Result<Vec<Run>> {
    let path = path(folder, part, subset);
    let text = data::text(&path)?;
    let mut runs: Vec<(f64, Run)> = Vec::new();
    for (line_idx, line) in text.lines().enumerate() {
        if line.starts_with(char::is_alphabetic) || line.trim().is_empty() {
            continue;
        }
        let row = numbers(line).filter(|row| row.len() == SENSORS.end);
        let row = row
            .with_context(|| format!("{} line {}: not 26 numbers", path.display(), line_idx + 1))?;
        if runs.last().is_none_or(|(machine, _)| *machine != row[0]) {
            runs.push((row[0], empty_run(part == "train")));
        }
        if let Some((_, run)) = runs.last_mut() {
            push(&mut run.settings, &row[SETTINGS]);
            push(&mut run.sensors, &row[SENSORS]);
        }
    }
    Ok(runs.into_iter().map(|(_, run)| run).collect())
}

/// True remaining lives of the test machines, where the folder has them.
pub(super) fn labels(folder: &Path, subset: &str) -> anyhow::Result<Option<Vec<f64>>> {
    let path = labels_path(folder, subset);
    if !path.is_file() {
        return Ok(None);
    }
    let labels = numbers(&data::text(&path)?).with_context(|| format!("{}", path.display()))?;
    Ok(Some(labels))
}

/// The file of the true remaining lives.
pub(super) fn labels_path(folder: &Path, subset: &str) -> PathBuf {
    folder.join(format!("RUL_{subset}.txt"))
}

fn numbers(text: &str) -> Option<Vec<f64>> {
    let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok()).collect()
}

fn empty_run(has_failed: bool) -> Run {
    Run {
        settings: vec![Vec::new(); SETTINGS.len()],
        sensors: vec![Vec::new(); SENSORS.len()],
        has_failed,
    }
}

fn push(columns: &mut [Vec<f64>], row: &[f64]) {
    columns.iter_mut().zip(row).for_each(|(column, &x)| column.push(x));
}
