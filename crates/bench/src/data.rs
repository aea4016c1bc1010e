//! Reading the public data sets where they lie.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

/// Files of a folder whose names end in `ending`, sorted by name.
///
/// # Errors
/// If the folder cannot be read, with the step that makes it.
pub fn files(folder: &Path, ending: &str) -> anyhow::Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| missing(folder))?;
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.to_string_lossy().ends_with(ending))
        .collect();
    found.sort();
    Ok(found)
}

/// The text of a file.
///
/// # Errors
/// If it cannot be read, with the step that makes it.
pub fn text(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| missing(path))
}

fn missing(path: &Path) -> String {
    format!(
        "cannot read {}; unpack the data sets and name their folder in FETTLER_DATA",
        path.display()
    )
}
