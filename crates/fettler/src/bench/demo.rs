//! `fettler demo` as somebody sees it who starts it for the first time: history, false alarms in it, and the fault.

use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args as ClapArgs;
use ingest::Record as AlarmRecord;
use metastore::{Metastore, Scope};
use signal::TenantId;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

use super::program;
use crate::serve::print;

/// What the issue of a demo promises.
const HISTORY_S: f64 = 60.0;
const ALARM_S: f64 = 120.0;
/// History that does not come in this time is an error.
const LIVE_WITHIN: Duration = Duration::from_secs(300);
/// The machine that the demo lets fail by itself.
const FAILING: &str = "spindle02";
/// What a demo brings when it is not told otherwise.
const HISTORY_DAYS: f64 = 30.0;
const DAY_S: f64 = 86_400.0;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Another seed gives another plant.
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// How many seeds, counted on from the first.
    #[arg(long, default_value_t = 3)]
    seeds: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let mut table = bench::Table::new(
        "fettler demo: 30 days of history over MQTT, then a fault".to_owned(),
        &["seed", "history s", "false alarms", "first 2 d", "allowed", "alarm after s", "it says"],
    );
    for seed in args.seed..args.seed + args.seeds {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let mut demo = Demo::start(&dir.path().join("data"), seed).await?;
        let history_s = demo.live_s;
        let fault = demo.first_alarm_of(FAILING).await?;
        let raised = demo.raised().await?;
        let false_alarms: Vec<_> =
            raised.iter().filter(|raised| raised.day < demo.live_day).collect();
        let first_day = demo.live_day - HISTORY_DAYS;
        let young = false_alarms.iter().filter(|raised| raised.day < first_day + 2.0).count();
        for raised in &false_alarms {
            tracing::info!(day = raised.day - first_day, machine = raised.asset, "false alarm");
        }
        let (after, says) = fault.map_or_else(
            || ("none".to_owned(), String::new()),
            |(after_s, says)| (format!("{after_s:.0}"), says),
        );
        table.row([
            seed.to_string(),
            format!("{history_s:.0}"),
            false_alarms.len().to_string(),
            young.to_string(),
            plant::MACHINES.len().to_string(),
            after,
            says,
        ]);
        demo.child.kill().await.context("cannot end the demo")?;
    }
    table.note(format!(
        "targets: history within {HISTORY_S} s, the fault's alarm within {ALARM_S} s of the live data; \
         one false alarm per machine in 30 days is allowed"
    ));
    print(&format!("{table}\n"));
    Ok(())
}

/// A demo that has sent its history.
struct Demo {
    child: Child,
    url: String,
    token: String,
    /// Seconds from its start until the live data began.
    live_s: f64,
    live_since: Instant,
    /// Days since 1970 when the live data began.
    live_day: f64,
    /// Kept open: a demo that cannot print would end.
    _lines: Lines<BufReader<ChildStdout>>,
}

/// An alarm that began.
struct Raised {
    day: f64,
    asset: String,
    says: String,
}

impl Demo {
    async fn start(data_dir: &Path, seed: u64) -> anyhow::Result<Demo> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let started = Instant::now();
        let mut child = Command::new(program)
            .args(["--log", "error", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
            .arg("--data-dir")
            .arg(data_dir)
            .args(["demo", "--seed", &seed.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start this program again")?;
        let stdout = child.stdout.take().context("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let url = tokio::time::timeout(LIVE_WITHIN, until_live(&mut lines))
            .await
            .context("the live data did not begin in time")??;
        let metastore = Metastore::open(&data_dir.join("metastore.db")).await?;
        let token = metastore.create_token(TenantId::FIRST, "bench", Scope::Read).await?.secret;
        metastore.close().await;
        Ok(Demo {
            child,
            url,
            token,
            live_s: started.elapsed().as_secs_f64(),
            live_since: Instant::now(),
            live_day: connect::now_us() as f64 / 1e6 / DAY_S,
            _lines: lines,
        })
    }

    /// Every alarm that began, oldest first.
    async fn raised(&self) -> anyhow::Result<Vec<Raised>> {
        let query = "SELECT CAST(time AS BIGINT) AS us, body FROM events WHERE kind = 'alarm' ORDER BY time";
        let rows = program::sql(&self.url, &self.token, query).await?;
        let begun = rows.into_iter().map(|row| {
            let (time_us, body): (i64, String) =
                serde_json::from_value(row.into()).context("an alarm event has another shape")?;
            let record = AlarmRecord::parse(&body).context("an alarm event cannot be read")?;
            Ok((record.from == "normal").then(|| Raised {
                day: time_us as f64 / 1e6 / DAY_S,
                asset: record.alarm.asset_path.clone(),
                says: record.alarm.title.clone(),
            }))
        });
        begun.filter_map(Result::transpose).collect()
    }

    /// Seconds from the begin of the live data to the first alarm of a machine, and its title; none when it stays away.
    async fn first_alarm_of(&mut self, machine: &str) -> anyhow::Result<Option<(f64, String)>> {
        while self.live_since.elapsed().as_secs_f64() < ALARM_S {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let is_it =
                |raised: &Raised| raised.day >= self.live_day && raised.asset.ends_with(machine);
            if let Some(raised) = self.raised().await?.into_iter().find(is_it) {
                return Ok(Some((self.live_since.elapsed().as_secs_f64(), raised.says)));
            }
        }
        Ok(None)
    }
}

/// Reads what a demo prints until its live data begins; gives the address of its screens.
async fn until_live(lines: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<String> {
    let mut url = None;
    while let Some(line) = lines.next_line().await.context("its output cannot be read")? {
        if let Some(text) = line.trim().strip_prefix("screens") {
            url = Some(text.trim().to_owned());
        } else if line.trim().starts_with("live") {
            return url.context("it named no address");
        }
    }
    anyhow::bail!("the demo ended before its live data began")
}
