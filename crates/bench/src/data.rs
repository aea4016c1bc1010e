//! Reading the public data sets where they lie.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use sha2::{Digest, Sha256};

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

/// The first eight hexadecimal digits of the SHA-256 of `parts`: which rows or files were train and test.
pub fn split_hash<P: AsRef<[u8]>>(parts: impl IntoIterator<Item = P>) -> String {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.as_ref());
        hasher.update([0]);
    }
    hasher.finalize()[..4].iter().map(|byte| format!("{byte:02x}")).collect()
}

fn missing(path: &Path) -> String {
    format!(
        "cannot read {}; unpack the data sets and name their folder in FETTLER_DATA",
        path.display()
    )
}
