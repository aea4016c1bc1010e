//! This program as a child process on a directory that outlives it, so that it can be killed and started again.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use metastore::{Metastore, Scope};
use serde_json::Value;
use signal::TenantId;

/// A start that takes longer has failed.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// Most rows of an answer.
const MAX_ROWS: usize = 100_000;

/// A data directory, and how Fettler is started on it.
pub(crate) struct Program {
    dir: PathBuf,
    token: String,
    /// The process in whose mounts it runs.
    mounts_of: Option<u32>,
}

/// Fettler from one start to its end. It is killed (SIGKILL) with its owner.
pub(crate) struct Life {
    child: Child,
    token: String,
    /// Where its screens are.
    pub(crate) web: SocketAddr,
    /// Where its broker is.
    pub(crate) mqtt: SocketAddr,
    /// From start to "ready".
    pub(crate) ready: Duration,
}

impl Program {
    /// Prepares `dir`: `config` as TOML without addresses and directory, and a token that may read.
    pub(crate) async fn new(dir: &Path, config: &str) -> anyhow::Result<Program> {
        let program = Program::empty(dir)?;
        program.configure(config)?;
        let metastore = Metastore::open(&program.data_dir().join("metastore.db")).await?;
        let token = metastore.create_token(TenantId::FIRST, "bench", Scope::Read).await?.secret;
        metastore.close().await;
        Ok(Program { token, ..program })
    }

    /// An empty data directory in `dir`, nobody who may ask, configured as it comes.
    pub(crate) fn empty(dir: &Path) -> anyhow::Result<Program> {
        let program = Program { dir: dir.to_owned(), token: String::new(), mounts_of: None };
        std::fs::create_dir_all(program.data_dir()).context("cannot make the directory")?;
        // A nearly full disk is no reason not to measure.
        program.configure("[log]\nkeep_free_mb = 64\nkeep_free_percent = 0\n")?;
        Ok(program)
    }

    /// The same, on a copy of its data; not while it runs.
    pub(crate) fn copy_to(&self, dir: &Path) -> anyhow::Result<Program> {
        crate::backup::copy_dir(&self.dir, dir)?;
        Ok(Program { dir: dir.to_owned(), token: self.token.clone(), mounts_of: None })
    }

    /// The same, with the mounts of another process: its data directory may be another disk there.
    pub(crate) fn with_mounts_of(self, process: u32) -> Program {
        Program { mounts_of: Some(process), ..self }
    }

    /// Changes how the next life is configured.
    fn configure(&self, config: &str) -> anyhow::Result<()> {
        std::fs::write(self.dir.join("fettler.toml"), config)
            .context("cannot write a configuration")
    }

    /// The data directory.
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.dir.join("data")
    }

    /// The folder of the log.
    pub(crate) fn log_dir(&self) -> PathBuf {
        crate::serve::log_dir(&self.data_dir())
    }

    /// What all its lives have logged.
    pub(crate) fn logged(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Starts it without waiting.
    pub(crate) fn spawn(&self) -> anyhow::Result<Child> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let log = OpenOptions::new().create(true).append(true).open(self.dir.join("log"));
        let mut command = match self.mounts_of {
            None => Command::new(program),
            Some(process) => {
                let mut command = Command::new("nsenter");
                command.args(["--user", "--mount", "--preserve-credentials", "--target"]);
                command.arg(process.to_string()).arg(program);
                command
            }
        };
        command
            .args(["--log", "warn", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"])
            .arg("--config")
            .arg(self.dir.join("fettler.toml"))
            .arg("--data-dir")
            .arg(self.data_dir())
            .arg("serve")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log.context("cannot open a log")?)
            .spawn()
            .context("cannot start this program again")
    }

    /// Starts it and waits until it is ready.
    pub(crate) async fn start(&self) -> anyhow::Result<Life> {
        let started = Instant::now();
        let mut child = self.spawn()?;
        let stdout = child.stdout.take().context("no standard output")?;
        let addresses = tokio::task::spawn_blocking(move || announced(stdout)).await?;
        match addresses {
            Ok((web, mqtt)) => {
                Ok(Life { child, token: self.token.clone(), web, mqtt, ready: started.elapsed() })
            }
            Err(error) => {
                let _ = child.kill();
                let _ = child.wait();
                Err(error.context(format!("Fettler did not start; it said:\n{}", self.logged())))
            }
        }
    }
}

/// Reads the addresses that a ready Fettler prints.
fn announced(stdout: ChildStdout) -> anyhow::Result<(SocketAddr, SocketAddr)> {
    let (told, lines) = mpsc::channel();
    // Ends with the child, whose output it goes on reading.
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = told.send(line);
        }
    });
    let deadline = Instant::now() + READY_WITHIN;
    let mut web = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = lines.recv_timeout(left).context("it was not ready in time")?;
        let address = |text: &str| text.trim().trim_start_matches("http://").parse();
        if let Some(text) = line.trim().strip_prefix("screens") {
            web = Some(address(text).context("its address cannot be read")?);
        } else if let (Some(text), Some(web)) = (line.trim().strip_prefix("MQTT"), web) {
            return Ok((web, address(text).context("its address cannot be read")?));
        }
    }
}

impl Life {
    /// Its process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it at once, as SIGKILL does.
    pub(crate) fn kill(mut self) -> anyhow::Result<()> {
        if let Some(status) = self.child.try_wait().context("cannot look at the process")? {
            bail!("Fettler had ended by itself: {status}");
        }
        end(&mut self.child)
    }

    /// Rows of a query, as JSON values.
    pub(crate) async fn sql(&self, query: &str) -> anyhow::Result<Vec<Vec<Value>>> {
        sql(&format!("http://{}", self.web), &self.token, query).await
    }
}

/// Rows of a query that the Fettler at `url` answers, as JSON values.
pub(crate) async fn sql(url: &str, token: &str, query: &str) -> anyhow::Result<Vec<Vec<Value>>> {
    let body = serde_json::json!({ "query": query, "max_rows": MAX_ROWS });
    let request =
        reqwest::Client::new().post(format!("{url}/api/v1/sql")).bearer_auth(token).json(&body);
    let answer = request.send().await.context("cannot ask")?;
    let is_ok = answer.status().is_success();
    let text = answer.text().await.context("the answer was cut off")?;
    ensure!(is_ok, "`{query}` was refused: {text}");
    let mut answer: Value = serde_json::from_str(&text).context("the answer is not JSON")?;
    ensure!(answer["truncated"] == false, "`{query}` has more than {MAX_ROWS} rows");
    serde_json::from_value(answer["rows"].take()).context("the answer has no rows")
}

impl Drop for Life {
    fn drop(&mut self) {
        let _ = end(&mut self.child);
    }
}

/// Kills a child and waits for its end.
pub(crate) fn end(child: &mut Child) -> anyhow::Result<()> {
    child.kill().context("cannot kill the process")?;
    child.wait().context("cannot wait for the process")?;
    Ok(())
}

/// Length of the log's newest segment, with its path.
pub(crate) fn newest_segment(log_dir: &Path) -> anyhow::Result<(PathBuf, u64)> {
    let mut segments = Vec::new();
    for entry in std::fs::read_dir(log_dir).context("cannot read the log's folder")? {
        let path = entry.context("cannot read the log's folder")?.path();
        if path.extension().is_some_and(|extension| extension == "wal") {
            segments.push(path);
        }
    }
    let newest = segments.into_iter().max().context("the log has no segment")?;
    let n_bytes = File::open(&newest).and_then(|file| file.metadata())?.len();
    Ok((newest, n_bytes))
}
