//! Peers: scripts in `bench/` that run another program on the same data and print one JSON object.

use std::fs;
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

/// Like [`run`], with `text` in a temporary file whose path is the first argument and whose name ends in `name`.
///
/// # Errors
/// If the file cannot be written, or as [`run`].
pub fn run_on(script: &str, name: &str, text: &str, arguments: &[&str]) -> anyhow::Result<Value> {
    let path = std::env::temp_dir().join(format!("fettler-bench-{}-{name}", std::process::id()));
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let file = path.to_string_lossy();
    let all: Vec<&str> = std::iter::once(&*file).chain(arguments.iter().copied()).collect();
    let answer = run(script, &all);
    fs::remove_file(&path)?;
    answer
}

fn find(script: &str) -> anyhow::Result<PathBuf> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../bench");
    let places = [PathBuf::from("bench"), source];
    let found = places.iter().map(|folder| folder.join(script)).find(|path| path.is_file());
    found.with_context(|| format!("there is no bench/{script}; run this in the source tree"))
}
