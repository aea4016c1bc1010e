//! A running `fettler serve` in an empty directory, on free ports.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A busy machine takes its time.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ends with its owner.
pub(crate) struct House {
    _child: Child,
    _dir: TempDir,
    /// Address of the screens.
    pub(crate) web: String,
    /// Address of the broker.
    pub(crate) mqtt: String,
    cookie: String,
}

impl House {
    /// Returns when it is ready and the first user is logged in.
    pub(crate) async fn start() -> House {
        let dir = tempfile::tempdir().expect("a folder");
        // A full disk is what other tests are about.
        let config = dir.path().join("fettler.toml");
        std::fs::write(&config, "[log]\nkeep_free_mb = 10\nkeep_free_percent = 0\n")
            .expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_fettler"));
        command.args(["--log", "warn", "--listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"]);
        command
            .arg("--config")
            .arg(config)
            .arg("--data-dir")
            .arg(dir.path().join("data"))
            .arg("serve");
        let mut child = command.stdout(Stdio::piped()).kill_on_drop(true).spawn().expect("starts");
        let stdout = child.stdout.take().expect("piped");
        let said = tokio::time::timeout(PATIENCE, listen(BufReader::new(stdout)));
        let [web, mqtt, password] = said.await.expect("fettler is ready in time");
        let mut house = House { _child: child, _dir: dir, web, mqtt, cookie: String::new() };
        house.log_in(&password).await;
        house
    }

    async fn log_in(&mut self, password: &str) {
        let body = json!({"user": "admin", "password": password});
        let answer = self.post("login", &body).await;
        let cookie = answer.headers()["set-cookie"].to_str().expect("text");
        self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
    }

    /// The rows of an answer as JSON.
    pub(crate) async fn sql(&self, query: &str) -> String {
        let body = json!({"query": query, "format": "json", "max_rows": 1000});
        let answer = self.post("sql", &body).await.text().await.expect("an answer");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        answer["rows"].to_string()
    }

    async fn post(&self, path: &str, body: &Value) -> reqwest::Response {
        let request = reqwest::Client::new().post(format!("http://{}/api/v1/{path}", self.web));
        let answer = request.header("cookie", &self.cookie).json(body).send().await;
        let answer = answer.expect("fettler answers");
        assert!(answer.status().is_success(), "{path}: {answer:?}");
        answer
    }
}

/// Reads what `serve` announces: addresses of web and MQTT, and the first password.
async fn listen(mut stdout: BufReader<tokio::process::ChildStdout>) -> [String; 3] {
    let mut found = [const { String::new() }; 3];
    let mut line = String::new();
    while found.iter().any(String::is_empty) {
        line.clear();
        let n_bytes = stdout.read_line(&mut line).await.expect("readable");
        assert!(n_bytes > 0, "fettler ended early");
        let mut words = line.split_whitespace();
        let (name, value) = (words.next(), words.next().unwrap_or_default());
        match name {
            Some("screens") => found[0] = value.trim_start_matches("http://").to_owned(),
            Some("MQTT") => found[1] = value.to_owned(),
            Some("password") => found[2] = value.to_owned(),
            _ => {}
        }
    }
    found
}
