//! Peers: scripts in `bench/` that run another program on the same data and print one JSON object.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;

/// Runs `bench/<script>` with `arguments` and gives the JSON object on the last line of its output.
///
/// The script is looked for in `bench/` below the working directory, or in the source tree. It makes its own
/// Python environment.
///
/// # Errors
/// If there is no such script, it fails, or its last line is not JSON.
pub fn run(script: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let path = find(script)?;
    let output = Command::new(&path)
        .args(arguments)
        .output()
        .with_context(|| format!("cannot start {}", path.display()))?;
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        bail!("{script} failed: {}", words.trim().lines().last().unwrap_or("it said nothing"));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.trim().lines().last().unwrap_or_default();
    serde_json::from_str(last).with_context(|| format!("{script} printed no JSON: {last}"))
}

fn find(script: &str) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench");
    let places = [PathBuf::from("bench"), source];
    let found = places.iter().map(|folder| folder.join(script)).find(|path| path.is_file());
    found.with_context(|| format!("there is no bench/{script}; run this in the source tree"))
}
