//! What the columns of a file mean: read from a mapping file, or guessed from the first rows.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use super::table::{is_parquet, open};

/// Rows that are looked at to guess columns.
const GUESS_ROWS: usize = 100;
const TIME_NAMES: [&str; 7] = ["time", "timestamp", "datetime", "date", "ts", "t", "zeit"];

/// What a file's columns mean.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Mapping {
    /// The column that holds the time.
    pub(crate) time: String,
    /// Between columns of CSV: one character.
    pub(crate) delimiter: String,
    /// Whether numbers are written with a comma.
    pub(crate) decimal_comma: bool,
    /// Where the columns belong.
    pub(crate) prefix: String,
    /// Column → signal name; columns that are not named here are left out, unless this is empty.
    pub(crate) columns: BTreeMap<String, String>,
}

/// The mapping of a file: read, or guessed from its first rows.
pub(crate) fn mapping_for(
    file: &Path,
    mapping: Option<&Path>,
    prefix: Option<&str>,
) -> anyhow::Result<Mapping> {
    let mut mapping = match mapping {
        Some(path) => {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read {}", path.display()))?;
            toml::from_str(&text)
                .with_context(|| format!("cannot use the mapping {}", path.display()))?
        }
        None => guess(file)?,
    };
    if let Some(prefix) = prefix {
        mapping.prefix = prefix.to_owned();
    }
    Ok(mapping)
}

fn guess(file: &Path) -> anyhow::Result<Mapping> {
    let mut mapping = Mapping {
        prefix: file
            .file_stem()
            .map(|stem| stem.to_string_lossy().into_owned())
            .unwrap_or_default(),
        ..Mapping::default()
    };
    if !is_parquet(file) {
        let text =
            std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        let first = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let count = |wanted: u8| first.iter().filter(|byte| **byte == wanted).count();
        let delimiter =
            [b',', b';', b'\t', b'|'].into_iter().max_by_key(|byte| count(*byte)).unwrap_or(b',');
        mapping.delimiter = char::from(delimiter).to_string();
    }
    let table = open(file, &mapping)?;
    let header = table.header.clone();
    let rows: Vec<Vec<String>> = table.take(GUESS_ROWS).collect::<anyhow::Result<_>>()?;
    let by_name =
        header.iter().position(|name| TIME_NAMES.contains(&name.trim().to_lowercase().as_str()));
    let by_value = || {
        (0..header.len()).find(|idx| {
            !rows.is_empty()
                && rows.iter().all(|row| row.get(*idx).is_some_and(|text| looks_like_time(text)))
        })
    };
    let Some(time) = by_name.or_else(by_value) else {
        bail!(
            "{}: no column looks like a time; name it in a mapping file (columns: {})",
            file.display(),
            header.join(", ")
        );
    };
    mapping.time = header[time].clone();
    mapping.decimal_comma = mapping.delimiter != ","
        && rows
            .iter()
            .flatten()
            .any(|text| text.contains(',') && text.replace(',', ".").parse::<f64>().is_ok());
    for (idx, name) in header.iter().enumerate().filter(|(idx, _)| *idx != time) {
        let texts =
            rows.iter().filter_map(|row| row.get(idx)).filter(|text| !text.trim().is_empty());
        if texts.clone().next().is_some() {
            mapping.columns.insert(name.clone(), name.trim().replace([' ', '/'], "_"));
        }
    }
    Ok(mapping)
}

fn looks_like_time(text: &str) -> bool {
    text.len() >= 8 && text.contains(['-', ':', 'T']) && connect::parse_time(text).is_some()
}

/// What would be done, for a person to agree to.
pub(crate) fn describe(file: &Path, mapping: &Mapping) -> anyhow::Result<String> {
    let table = open(file, mapping)?;
    let mut text = format!("{}\n  time     {}\n", file.display(), mapping.time);
    for name in table.header.iter().filter(|name| **name != mapping.time) {
        match mapping.columns.get(name) {
            Some(signal) => text.push_str(&format!("  {name}  →  {}/{signal}\n", mapping.prefix)),
            None => text.push_str(&format!("  {name}  (left out)\n")),
        }
    }
    Ok(text)
}

/// A row in numbers: its time, and signal with value for what is not empty.
pub(crate) struct Plan {
    time: usize,
    columns: Vec<(usize, String)>,
    decimal_comma: bool,
}

impl Plan {
    pub(crate) fn new(header: &[String], mapping: &Mapping) -> anyhow::Result<Plan> {
        let at = |name: &str| header.iter().position(|other| other == name);
        let time = at(&mapping.time).with_context(|| {
            format!("there is no column '{}' (columns: {})", mapping.time, header.join(", "))
        })?;
        let mut columns = Vec::new();
        for (name, signal) in &mapping.columns {
            let idx = at(name).with_context(|| format!("there is no column '{name}'"))?;
            columns.push((idx, signal.clone()));
        }
        Ok(Plan { time, columns, decimal_comma: mapping.decimal_comma })
    }

    /// None when the row has no readable time.
    pub(crate) fn row<'a>(&'a self, row: &'a [String]) -> Option<(i64, Vec<(&'a str, String)>)> {
        let time_us = connect::parse_time(row.get(self.time)?)?;
        let mut values = Vec::new();
        for (idx, signal) in &self.columns {
            let Some(text) = row.get(*idx).map(|text| text.trim()).filter(|text| !text.is_empty())
            else {
                continue;
            };
            let text = if self.decimal_comma { text.replace(',', ".") } else { text.to_owned() };
            values.push((signal.as_str(), text));
        }
        Some((time_us, values))
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::line;
    use super::*;

    #[test]
    fn a_german_export_is_understood() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("presse.csv");
        std::fs::write(&file, "Zeit;Druck bar;Zustand\n2026-01-01 00:00:00;201,5;ok\nkaputt;1;ok\n2026-01-01 00:00:01;;ok\n")
            .expect("written");
        let mapping = mapping_for(&file, None, Some("hh/l1/p1")).expect("guessed");
        assert_eq!(
            (mapping.time.as_str(), mapping.delimiter.as_str(), mapping.decimal_comma),
            ("Zeit", ";", true)
        );
        let table = open(&file, &mapping).expect("opens");
        let plan = Plan::new(&table.header, &mapping).expect("fits");
        let rows: Vec<Vec<String>> = table.collect::<anyhow::Result<_>>().expect("readable");
        let lines: Vec<Option<String>> =
            rows.iter().map(|row| plan.row(row).map(|row| line("hh/l1/p1", &row))).collect();
        assert_eq!(
            lines[0].as_deref(),
            Some("hh/l1/p1 Druck_bar=201.5,Zustand=\"ok\" 1767225600000000\n")
        );
        assert_eq!(lines[1], None);
        assert_eq!(lines[2].as_deref(), Some("hh/l1/p1 Zustand=\"ok\" 1767225601000000\n"));
    }
}
