//! `fettler import`: CSV and Parquet files, through the same front door as everything else.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args as ClapArgs;
use serde::{Deserialize, Serialize};

use crate::config::Config;
use crate::serve::print;

/// Rows that are sent together and remembered as done.
const BATCH_ROWS: usize = 5_000;
/// Rows that are looked at to guess columns.
const GUESS_ROWS: usize = 100;
const TIME_NAMES: [&str; 7] = ["time", "timestamp", "datetime", "date", "ts", "t", "zeit"];

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// CSV or Parquet files.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Mapping file (TOML); without one the columns are guessed and shown.
    #[arg(long)]
    mapping: Option<PathBuf>,
    /// Where the columns belong, such as hamburg/line1/press01; the file name when left out.
    #[arg(long)]
    prefix: Option<String>,
    /// Do not ask before writing.
    #[arg(long)]
    yes: bool,
    /// Show what would be done and stop.
    #[arg(long)]
    dry_run: bool,
    /// An API token that may write; not needed on the same machine by default.
    #[arg(long, env = "FETTLER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Address of the running Fettler.
    #[arg(long, env = "FETTLER_URL")]
    url: Option<String>,
}

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

/// Rows of a file as text, whatever its format.
pub(crate) struct Table {
    pub(crate) header: Vec<String>,
    rows: Box<dyn Iterator<Item = anyhow::Result<Vec<String>>>>,
}

impl Iterator for Table {
    type Item = anyhow::Result<Vec<String>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.rows.next()
    }
}

pub(crate) async fn command(config: &Config, args: Args) -> anyhow::Result<()> {
    let url = args.url.clone().unwrap_or_else(|| format!("http://{}", config.web.listen));
    for file in &args.files {
        let mapping = mapping_for(file, args.mapping.as_deref(), args.prefix.as_deref())?;
        print(&describe(file, &mapping)?);
        if args.dry_run {
            continue;
        }
        if !args.yes && !agreed()? {
            bail!("nothing was written; use --mapping to say what the columns mean");
        }
        import(file, &mapping, &url, args.token.as_deref()).await?;
    }
    Ok(())
}

fn agreed() -> anyhow::Result<bool> {
    print("Import it like this? [y/N] ");
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).context("cannot read the answer; use --yes")?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes" | "j" | "ja"))
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

fn is_parquet(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"))
}

/// Opens a file; its rows come as text in the order of `header`.
pub(crate) fn open(file: &Path, mapping: &Mapping) -> anyhow::Result<Table> {
    if is_parquet(file) {
        let (header, rows) = lake::read_parquet(file)?;
        return Ok(Table { header, rows: Box::new(rows.map(|row| row.map_err(Into::into))) });
    }
    let delimiter = mapping.delimiter.bytes().next().unwrap_or(b',');
    let handle = File::open(file).with_context(|| format!("cannot open {}", file.display()))?;
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(handle);
    let header = reader
        .headers()
        .with_context(|| format!("cannot read the header of {}", file.display()))?;
    let header: Vec<String> = header.iter().map(str::to_owned).collect();
    let name = file.display().to_string();
    let rows = reader.into_records().map(move |record| {
        let record = record.with_context(|| format!("{name}: a row cannot be read"))?;
        Ok(record.iter().map(str::to_owned).collect())
    });
    Ok(Table { header, rows: Box::new(rows) })
}

fn describe(file: &Path, mapping: &Mapping) -> anyhow::Result<String> {
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

async fn import(
    file: &Path,
    mapping: &Mapping,
    url: &str,
    token: Option<&str>,
) -> anyhow::Result<()> {
    let table = open(file, mapping)?;
    let plan = Plan::new(&table.header, mapping)?;
    let progress_file = PathBuf::from(format!("{}.fettler-import", file.display()));
    let done: usize = std::fs::read_to_string(&progress_file)
        .ok()
        .and_then(|text| text.trim().parse().ok())
        .unwrap_or(0);
    if done > 0 {
        print(&format!("  goes on after row {done}\n"));
    }
    let bar = indicatif::ProgressBar::new_spinner();
    bar.set_style(
        indicatif::ProgressStyle::with_template("  {spinner} {human_pos} rows, {per_sec}")
            .expect("a valid template"),
    );
    let http = reqwest::Client::new();
    let mut body = String::new();
    let (mut n_rows, mut n_bad, mut first_bad) = (0, 0, None);
    let measurement = escape(&mapping.prefix, &[',', ' ']);
    for row in table {
        n_rows += 1;
        if n_rows <= done {
            continue;
        }
        match row.ok().and_then(|row| plan.row(&row).map(|row| line(&measurement, &row))) {
            Some(line) => body.push_str(&line),
            None => {
                n_bad += 1;
                first_bad.get_or_insert(n_rows);
            }
        }
        if n_rows % BATCH_ROWS == 0 {
            n_bad += send(&http, url, token, std::mem::take(&mut body)).await?;
            std::fs::write(&progress_file, n_rows.to_string())
                .context("cannot note how far the import got")?;
            bar.set_position(n_rows as u64);
        }
    }
    n_bad += send(&http, url, token, body).await?;
    bar.finish_and_clear();
    let _ = std::fs::remove_file(&progress_file);
    print(&format!("  {} rows imported\n", n_rows - done - n_bad.min(n_rows - done)));
    if n_bad > 0 {
        print(&format!(
            "  {n_bad} rows could not be read, the first is row {}\n",
            first_bad.unwrap_or(0)
        ));
    }
    Ok(())
}

fn line(measurement: &str, (time_us, values): &(i64, Vec<(&str, String)>)) -> String {
    let mut line = String::new();
    for (n, (signal, text)) in values.iter().enumerate() {
        line.push_str(if n == 0 { measurement } else { "" });
        line.push(if n == 0 { ' ' } else { ',' });
        line.push_str(&escape(signal, &[',', ' ', '=']));
        line.push('=');
        match text.as_str() {
            "true" | "false" | "True" | "False" => line.push_str(text),
            number if number.parse::<f64>().is_ok_and(f64::is_finite) => line.push_str(number),
            text => {
                line.push_str(&format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")));
            }
        }
    }
    if !line.is_empty() {
        line.push_str(&format!(" {time_us}\n"));
    }
    line
}

fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// Returns how many lines were refused.
async fn send(
    http: &reqwest::Client,
    url: &str,
    token: Option<&str>,
    body: String,
) -> anyhow::Result<usize> {
    if body.is_empty() {
        return Ok(0);
    }
    let mut request = http.post(format!("{url}/api/v2/write?precision=us")).body(body);
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request
        .send()
        .await
        .with_context(|| format!("cannot reach Fettler on {url}; is it running?"))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    match status.as_u16() {
        204 => Ok(0),
        400 => {
            tracing::warn!(answer = text, "some lines were refused");
            Ok(text.matches("line ").count().max(1))
        }
        _ => bail!("Fettler answered {status}: {text}; run the same command again to go on"),
    }
}

#[cfg(test)]
mod tests {
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
