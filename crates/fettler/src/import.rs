//! `fettler import`: CSV and Parquet files, through the same front door as everything else.
//!
//! What the columns mean is shown before anything is written. Rows are sent in batches, and how far they are stored is
//! noted beside the file, so that the same command goes on after whatever ended it. The batch that was on its way then
//! is sent again; a sample that is stored twice with one time counts once.

mod lines;
mod mapping;
mod progress;
mod table;

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;
use indicatif::{ProgressBar, ProgressStyle};

use crate::config::Config;
use crate::serve::print;
use lines::{escape, line};
pub(crate) use mapping::{Mapping, Plan, describe, mapping_for};
use progress::Progress;
pub(crate) use table::{Table, open};

/// Rows that are sent together and remembered as done.
const BATCH_ROWS: usize = 5_000;

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

async fn import(
    file: &Path,
    mapping: &Mapping,
    url: &str,
    token: Option<&str>,
) -> anyhow::Result<()> {
    let table = open(file, mapping)?;
    let plan = Plan::new(&table.header, mapping)?;
    let mut progress = Progress::of(file, mapping)?;
    let done = progress.rows();
    if done > 0 {
        print(&format!("  goes on after row {done}\n"));
    }
    let bar = bar(file, &table);
    let read_bytes = table.read_bytes.clone();
    let door = Door { http: reqwest::Client::new(), url, token };
    let measurement = escape(&mapping.prefix, &[',', ' ']);
    let mut body = String::new();
    let (mut n_rows, mut n_bad, mut first_bad) = (0, 0, None);
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
            n_bad += door.send(std::mem::take(&mut body)).await?;
            progress.note(n_rows);
            bar.set_position(
                read_bytes.as_ref().map_or(n_rows as u64, |bytes| bytes.load(Ordering::Relaxed)),
            );
        }
    }
    n_bad += door.send(body).await?;
    bar.finish_and_clear();
    progress.end();
    print(&format!("  {} rows imported\n", (n_rows - done).saturating_sub(n_bad)));
    if n_bad > 0 {
        let first = first_bad.map_or(String::new(), |row| format!(", the first is row {row}"));
        print(&format!("  {n_bad} rows could not be read{first}\n"));
    }
    Ok(())
}

/// By bytes where the format tells them, else only a count of rows.
fn bar(file: &Path, table: &Table) -> ProgressBar {
    let length = std::fs::metadata(file).map(|metadata| metadata.len());
    let (bar, template) = match (length, &table.read_bytes) {
        (Ok(length), Some(_)) => (
            ProgressBar::new(length),
            "  {wide_bar} {percent:>3} %  {bytes} of {total_bytes}, {eta} left",
        ),
        _ => (ProgressBar::new_spinner(), "  {spinner} {human_pos} rows, {per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(template).expect("a valid template"))
}

/// Where rows go in.
struct Door<'a> {
    http: reqwest::Client,
    url: &'a str,
    token: Option<&'a str>,
}

impl Door<'_> {
    /// Returns how many lines were refused.
    async fn send(&self, body: String) -> anyhow::Result<usize> {
        if body.is_empty() {
            return Ok(0);
        }
        let url = self.url;
        let mut request = self.http.post(format!("{url}/api/v2/write?precision=us")).body(body);
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        let answer = request.send().await.with_context(|| {
            format!(
                "cannot reach Fettler on {url}; is it running? Run the same command again to go on"
            )
        })?;
        let status = answer.status();
        let text = answer.text().await.unwrap_or_default();
        match status.as_u16() {
            204 => Ok(0),
            400 => {
                tracing::warn!(answer = text, "some lines were refused");
                Ok(n_dropped(&text))
            }
            _ => bail!("Fettler answered {status}: {text}; run the same command again to go on"),
        }
    }
}

/// `partial write: … dropped=3` → 3.
fn n_dropped(answer: &str) -> usize {
    let (_, after) = answer.rsplit_once("dropped=").unwrap_or_default();
    let digits = after.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default();
    digits.parse().unwrap_or(1)
}
