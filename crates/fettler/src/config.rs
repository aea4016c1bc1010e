//! Configuration: one TOML file, and Fettler runs with none.
//!
//! Defaults < file < `FETTLER_…` environment < command line. A misspelt key is an error that shows the
//! line; `fettler.example.toml` lists every key, and a test holds it equal to the defaults here.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

/// Everything that can be set from outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the log, the tables and the metastore lie.
    pub(crate) data_dir: PathBuf,
    pub(crate) web: Web,
    pub(crate) mqtt: Mqtt,
    pub(crate) log: Log,
    pub(crate) buffer: Buffer,
    pub(crate) lake: Lake,
    pub(crate) sql: Sql,
    pub(crate) detection: Detection,
    pub(crate) alarms: Alarms,
}

/// The web server: screens, API, line protocol.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    pub(crate) listen: SocketAddr,
    /// Names under which browsers reach it, such as fettler.example.com; addresses and local names always pass.
    pub(crate) hosts: Vec<String>,
    /// Whether inlets (`/write`, `/api/v2/write`) take data without a token from this machine itself.
    pub(crate) anonymous_writes_from_loopback: bool,
}

/// The MQTT broker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Mqtt {
    pub(crate) listen: SocketAddr,
    /// Whether clients may connect without user and password.
    pub(crate) allow_anonymous: bool,
    /// Topic filters whose messages are routed to subscribers but not stored.
    pub(crate) not_stored: Vec<String>,
    /// Topic filters whose messages are stored but passed on to nobody.
    pub(crate) not_readable: Vec<String>,
}

/// The write-ahead log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) segment_mb: u64,
    /// Writes are refused while less than this is free on the disk.
    pub(crate) keep_free_mb: u64,
    /// … or less than this share of it, whichever is more.
    pub(crate) keep_free_percent: u8,
}

/// Rows that are in the log but not yet in the lake.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Buffer {
    /// Flushed to the lake when a tenant holds more rows than this …
    pub(crate) flush_rows: u64,
    /// … or when its oldest row is older than this.
    pub(crate) flush_after_s: u64,
    /// Senders wait while more rows than this are in memory.
    pub(crate) max_rows: u64,
}

/// The Delta tables.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lake {
    /// Rows older than this are deleted; 0 keeps everything.
    pub(crate) keep_days: u32,
    pub(crate) compact_every_s: u64,
}

/// Limits on one query.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Sql {
    pub(crate) timeout_s: u64,
    pub(crate) memory_mb: u64,
    pub(crate) max_rows: usize,
}

/// What the detectors do until somebody sets it per machine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Detection {
    /// The false-alarm budget: at most about one false alarm per machine in so many days.
    pub(crate) days_per_false_alarm: f64,
    /// How many good rows a new machine is watched before its detector judges.
    pub(crate) learn_rows: usize,
    /// Whether detectors go on learning after that.
    pub(crate) refit: bool,
    /// At this hour (UTC) every model is fitted again to all good rows remembered.
    pub(crate) refine_hour_utc: u8,
}

/// How alarms behave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alarms {
    /// Alarms in data older than this are recorded but nobody is called.
    pub(crate) history_after_s: u64,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data_dir: PathBuf::from("data"),
            web: Web::default(),
            mqtt: Mqtt::default(),
            log: Log::default(),
            buffer: Buffer::default(),
            lake: Lake::default(),
            sql: Sql::default(),
            detection: Detection::default(),
            alarms: Alarms::default(),
        }
    }
}

impl Default for Web {
    fn default() -> Web {
        Web {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            hosts: Vec::new(),
            anonymous_writes_from_loopback: true,
        }
    }
}

impl Default for Mqtt {
    fn default() -> Mqtt {
        Mqtt {
            listen: SocketAddr::from(([127, 0, 0, 1], 1883)),
            allow_anonymous: true,
            not_stored: vec!["fettler/#".to_owned()],
            not_readable: Vec::new(),
        }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { segment_mb: 64, keep_free_mb: 1024, keep_free_percent: 5 }
    }
}

impl Default for Buffer {
    fn default() -> Buffer {
        Buffer { flush_rows: 2_000_000, flush_after_s: 30, max_rows: 20_000_000 }
    }
}

impl Default for Lake {
    fn default() -> Lake {
        Lake { keep_days: 0, compact_every_s: 300 }
    }
}

impl Default for Sql {
    fn default() -> Sql {
        Sql { timeout_s: 60, memory_mb: 512, max_rows: 100_000 }
    }
}

impl Default for Detection {
    fn default() -> Detection {
        Detection { days_per_false_alarm: 30.0, learn_rows: 600, refit: true, refine_hour_utc: 2 }
    }
}

impl Default for Alarms {
    fn default() -> Alarms {
        Alarms { history_after_s: 600 }
    }
}

impl Config {
    /// Reads the file (if any), then the environment.
    ///
    /// # Errors
    /// When the file cannot be read, holds an unknown key or a value of the wrong kind (with its line),
    /// or when a value makes no sense.
    pub(crate) fn load(file: Option<&Path>) -> anyhow::Result<Config> {
        let mut config = match file {
            Some(path) => Config::from_file(path)?,
            None => Config::default(),
        };
        if let Some(dir) = std::env::var_os("FETTLER_DATA_DIR") {
            config.data_dir = PathBuf::from(dir);
        }
        config.web.listen = from_env("FETTLER_WEB_LISTEN", config.web.listen)?;
        config.mqtt.listen = from_env("FETTLER_MQTT_LISTEN", config.mqtt.listen)?;
        config.check()?;
        Ok(config)
    }

    fn from_file(path: &Path) -> anyhow::Result<Config> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the configuration {}", path.display()))?;
        toml::from_str(&text)
            .with_context(|| format!("cannot use the configuration {}", path.display()))
    }

    fn check(&self) -> anyhow::Result<()> {
        let days = self.detection.days_per_false_alarm;
        if days.is_nan() || days <= 0.0 {
            bail!(
                "detection.days_per_false_alarm must be above 0, it is {}",
                self.detection.days_per_false_alarm
            );
        }
        if self.detection.refine_hour_utc > 23 {
            bail!(
                "detection.refine_hour_utc must be 0 to 23, it is {}",
                self.detection.refine_hour_utc
            );
        }
        if self.buffer.max_rows < self.buffer.flush_rows {
            bail!(
                "buffer.max_rows ({}) must not be below buffer.flush_rows ({}), or senders wait for ever",
                self.buffer.max_rows,
                self.buffer.flush_rows
            );
        }
        if self.log.keep_free_percent >= 100 {
            bail!("log.keep_free_percent must be below 100, it is {}", self.log.keep_free_percent);
        }
        Ok(())
    }
}

fn from_env<T>(name: &str, present: T) -> anyhow::Result<T>
where
    T: std::str::FromStr,
    T::Err: std::error::Error + Send + Sync + 'static,
{
    match std::env::var(name) {
        Ok(text) => text.parse().with_context(|| format!("cannot use {name}={text}")),
        Err(_) => Ok(present),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_file_shows_the_defaults() {
        let text = include_str!("../../../fettler.example.toml");
        let example: Config = toml::from_str(text).expect("the example parses");
        assert_eq!(example, Config::default());
        let keys = |text: &str| {
            let mut keys: Vec<String> = text
                .lines()
                .filter(|line| !line.starts_with('#'))
                .filter_map(|line| line.split_once('=').map(|(key, _)| key.trim().to_owned()))
                .collect();
            keys.sort();
            keys
        };
        assert_eq!(keys(text), keys(&toml::to_string(&Config::default()).expect("serializes")));
    }

    #[test]
    fn a_misspelt_key_is_shown_with_its_line() {
        let message = toml::from_str::<Config>("[web]\nlisten = \"127.0.0.1:1\"\nlissten = 2\n")
            .expect_err("unknown key")
            .to_string();
        assert!(message.contains("line 3") && message.contains("lissten"), "{message}");
    }
}
