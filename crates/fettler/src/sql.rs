//! `fettler sql`: a question to a running Fettler, the answer as a table.

use anyhow::{Context, bail};
use clap::Args as ClapArgs;

use crate::config::Config;
use crate::serve::print;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// The query, such as "SELECT * FROM latest".
    query: String,
    /// An API token; needed unless FETTLER_TOKEN is set.
    #[arg(long, env = "FETTLER_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Address of the running Fettler.
    #[arg(long, env = "FETTLER_URL")]
    url: Option<String>,
    /// Print CSV instead of a table.
    #[arg(long)]
    csv: bool,
    /// At most so many rows.
    #[arg(long, default_value_t = 1000)]
    max_rows: usize,
}

pub(crate) async fn command(config: &Config, args: Args) -> anyhow::Result<()> {
    let url = args.url.unwrap_or_else(|| format!("http://{}", config.web.listen));
    let Some(token) = args.token else {
        bail!(
            "a token is needed: make one under Settings in the browser ({url}) and set FETTLER_TOKEN"
        );
    };
    let format = if args.csv { "csv" } else { "json" };
    let body =
        serde_json::json!({"query": args.query, "format": format, "max_rows": args.max_rows});
    let answer = reqwest::Client::new()
        .post(format!("{url}/api/v1/sql"))
        .bearer_auth(token)
        .json(&body)
        .send()
        .await
        .with_context(|| format!("cannot reach Fettler on {url}; is it running?"))?;
    let is_ok = answer.status().is_success();
    let text = answer.text().await.context("the answer was cut off")?;
    if !is_ok {
        let error: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
        bail!("{}", error["error"]["message"].as_str().unwrap_or(&text));
    }
    if args.csv {
        print(&text);
        return Ok(());
    }
    let answer: serde_json::Value =
        serde_json::from_str(&text).context("the answer is not JSON")?;
    print(&table(&answer));
    Ok(())
}

/// Columns under their names, numbers to the right.
fn table(answer: &serde_json::Value) -> String {
    let empty = Vec::new();
    let columns = answer["columns"].as_array().unwrap_or(&empty);
    let rows = answer["rows"].as_array().unwrap_or(&empty);
    let names: Vec<String> = columns.iter().map(|column| text_of(&column["name"])).collect();
    let cells: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.as_array().unwrap_or(&empty).iter().map(text_of).collect())
        .collect();
    let widths: Vec<usize> = (0..names.len())
        .map(|idx| {
            let cells = cells.iter().filter_map(|row| row.get(idx));
            cells.chain([&names[idx]]).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    let line = |text: &mut String, row: &[String], right: &dyn Fn(usize) -> bool| {
        for (idx, cell) in row.iter().enumerate() {
            let pad = " ".repeat(widths[idx].saturating_sub(cell.chars().count()));
            let (before, after) = if right(idx) { (pad.as_str(), "") } else { ("", pad.as_str()) };
            text.push_str(&format!("{before}{cell}{after}  "));
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    };
    let is_number = |idx: usize| rows.first().is_some_and(|row| row[idx].is_number());
    line(&mut text, &names, &is_number);
    line(&mut text, &widths.iter().map(|width| "─".repeat(*width)).collect::<Vec<_>>(), &|_| {
        false
    });
    for row in &cells {
        line(&mut text, row, &is_number);
    }
    let more = if answer["truncated"].as_bool() == Some(true) { ", there are more" } else { "" };
    text.push_str(&format!("{} rows{more}, {} ms\n", rows.len(), answer["elapsed_ms"]));
    text
}

fn text_of(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => "–".to_owned(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
