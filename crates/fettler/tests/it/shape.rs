//! The shape report: printed, and failing only for an edge that points upward or a stale crate graph.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Bottom-up: a crate may use those before it.
const ORDER: [&str; 13] = [
    "signal",
    "analytics",
    "optimize",
    "wal",
    "connect",
    "metastore",
    "lake",
    "ingest",
    "jobs",
    "plant",
    "bench",
    "server",
    "fettler",
];
const BEGIN: &str =
    "<!-- crate graph, written by `UPDATE=1 cargo test -p fettler --test it shape` -->";
const END: &str = "<!-- end of crate graph -->";

struct Crate {
    uses: BTreeSet<String>,
    files: Vec<(PathBuf, String)>,
    names_engine: bool,
}

#[test]
fn shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let crates = read_all(&root);
    let mut report = String::from("crate        uses\n");
    for name in ORDER {
        let uses: Vec<&str> = crates[name].uses.iter().map(String::as_str).collect();
        report.push_str(&format!(
            "{name:<12} {}\n",
            if uses.is_empty() { "–".to_owned() } else { uses.join(", ") }
        ));
    }
    println!("{report}");
    print_figures(&crates);
    for (at, name) in ORDER.iter().enumerate() {
        for used in &crates[*name].uses {
            assert!(
                ORDER[..at].contains(&used.as_str()),
                "{name} uses {used}, which lies above or beside it"
            );
        }
    }
    assert_eq!(crates.len(), ORDER.len(), "a crate is missing in the order");
    keep_graph(&root.join("ARCHITECTURE.md"), &report);
}

fn read_all(root: &Path) -> BTreeMap<String, Crate> {
    let mut crates = BTreeMap::new();
    for entry in fs::read_dir(root.join("crates")).expect("crates are there").flatten() {
        let manifest = fs::read_to_string(entry.path().join("Cargo.toml")).expect("a manifest");
        let manifest: toml::Table = manifest.parse().expect("valid TOML");
        let dependencies: Vec<String> = manifest["dependencies"]
            .as_table()
            .map(|table| table.keys().cloned().collect())
            .unwrap_or_default();
        let mut files = Vec::new();
        collect(&entry.path().join("src"), &mut files);
        let name = entry.file_name().to_string_lossy().into_owned();
        let uses =
            dependencies.iter().filter(|name| ORDER.contains(&name.as_str())).cloned().collect();
        let names_engine =
            dependencies.iter().any(|name| name == "datafusion" || name == "deltalake");
        crates.insert(name, Crate { uses, files, names_engine });
    }
    crates
}

fn collect(dir: &Path, files: &mut Vec<(PathBuf, String)>) {
    for entry in fs::read_dir(dir).expect("a source folder").flatten() {
        if entry.path().is_dir() {
            collect(&entry.path(), files);
        } else if entry.path().extension().is_some_and(|extension| extension == "rs") {
            files.push((entry.path(), fs::read_to_string(entry.path()).expect("UTF-8")));
        }
    }
}

fn print_figures(crates: &BTreeMap<String, Crate>) {
    let lines = |one: &Crate| one.files.iter().map(|(_, text)| text.lines().count()).sum::<usize>();
    let all: usize = crates.values().map(lines).sum();
    let behind = |name: &str| reaches(crates, name, &|one| one.names_engine);
    let engine: usize =
        crates.iter().filter(|(name, _)| behind(name)).map(|(_, one)| lines(one)).sum();
    println!("lines {all}; behind DataFusion {} %", engine * 100 / all.max(1));
    for (name, one) in crates {
        let rebuilt: usize = crates
            .iter()
            .filter(|(other, _)| *other == name || uses(crates, other, name))
            .map(|(_, one)| lines(one))
            .sum();
        println!(
            "{name:<12} {:>6} lines; touching it rebuilds {} %",
            lines(one),
            rebuilt * 100 / all.max(1)
        );
    }
    let mut long: Vec<(usize, &Path)> = crates
        .values()
        .flat_map(|one| &one.files)
        .map(|(path, text)| (text.lines().count(), path.as_path()))
        .collect();
    long.sort();
    for (count, path) in long.iter().rev().take(5) {
        println!(
            "longest files: {count} {}",
            path.display().to_string().rsplit_once("crates/").map_or("", |(_, rest)| rest)
        );
    }
    let unwraps: usize = crates
        .values()
        .flat_map(|one| &one.files)
        .map(|(_, text)| {
            text.split("#[cfg(test)]").next().unwrap_or_default().matches(".unwrap()").count()
        })
        .sum();
    println!(
        "unwraps per thousand lines outside tests: {:.2}",
        unwraps as f64 * 1000.0 / all.max(1) as f64
    );
    println!("public items without documentation: 0 (the lint missing_docs is an error)");
}

fn uses(crates: &BTreeMap<String, Crate>, from: &str, to: &str) -> bool {
    crates[from].uses.iter().any(|used| used == to || uses(crates, used, to))
}

fn reaches(crates: &BTreeMap<String, Crate>, from: &str, what: &dyn Fn(&Crate) -> bool) -> bool {
    what(&crates[from]) || crates[from].uses.iter().any(|used| reaches(crates, used, what))
}

/// The graph in ARCHITECTURE.md is the one that is there.
fn keep_graph(path: &Path, report: &str) {
    let text = fs::read_to_string(path).expect("ARCHITECTURE.md is there");
    let (before, rest) = text.split_once(BEGIN).expect("the graph has its place");
    let (_, after) = rest.split_once(END).expect("the graph has its end");
    let fresh = format!("{before}{BEGIN}\n```\n{report}```\n{END}{after}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(path, fresh).expect("ARCHITECTURE.md can be written");
    } else {
        assert!(
            text == fresh,
            "the crate graph has changed: UPDATE=1 cargo test -p fettler --test it shape"
        );
    }
}
