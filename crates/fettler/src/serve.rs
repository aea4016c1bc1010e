//! A running Fettler, opened bottom-up and stopped in reverse.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use ingest::Learning;
use jobs::House;
use metastore::Metastore;
use signal::TenantId;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::notify;

/// Whose data a single-tenant Fettler holds.
const TENANT: TenantId = TenantId::FIRST;

/// Where retained MQTT messages survive a restart, in the data directory.
pub(crate) const RETAINED_FILE: &str = "retained.mqtt";

/// Everything that runs.
pub(crate) struct Running {
    pub(crate) web: SocketAddr,
    pub(crate) mqtt: SocketAddr,
    /// The admin's password, if this was the first start.
    pub(crate) first_password: Option<String>,
    pub(crate) metastore: Metastore,
    pub(crate) house: House,
    stop: CancellationToken,
    tasks: Vec<(&'static str, JoinHandle<()>)>,
}

/// `fettler serve`.
pub(crate) async fn command(config: &Config) -> anyhow::Result<()> {
    let running = start(config).await?;
    running.announce();
    until_stopped().await;
    tracing::info!("stopping");
    running.stop().await;
    Ok(())
}

/// Opens everything; returns when it is ready.
pub(crate) async fn start(config: &Config) -> anyhow::Result<Running> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot make the data directory {}", dir.display()))?;
    let stop = CancellationToken::new();
    let mut tasks = Vec::new();

    let (log, replay) = open_log(config)?;
    let metastore =
        Metastore::open(&dir.join("metastore.db")).await.context("cannot open the metastore")?;
    let first_password = metastore.first_run().await.context("cannot make the first user")?;
    let buffer = Arc::new(wal::Buffer::default());
    let lake = Arc::new(lake::Lake::open(&dir.join("lake"), buffer.clone(), lake_options(config))?);
    let start = recover(log, replay, &buffer, &lake, config).await?;
    let ingest = ingest::start(start, metastore.clone(), ingest_options(config)).await?;

    name_tables(&lake, &ingest);

    let broker = connect::mqtt::bind(
        broker_options(config, &ingest, &metastore).await?,
        ingest.inlet(),
        ingest.directory(),
    )
    .await
    .with_context(|| {
        format!("cannot start the MQTT broker on {}; is another one running?", config.mqtt.listen)
    })?;
    let mqtt = broker.local_addr()?;
    let broker_handle = broker.handle();
    let mqtt_source = ingest.source("mqtt", "mqtt").await?;
    spawn(&mut tasks, "mqtt", broker.run(stop.clone()));

    let notifier = notify::Notifier::new(metastore.clone(), TENANT, broker_handle.clone())?;
    spawn(&mut tasks, "notifications", notifier.clone().run(ingest.live().alarms(), stop.clone()));

    let counts = broker_handle.clone();
    let state = server::AppState {
        ingest: ingest.clone(),
        lake: lake.clone(),
        buffer: buffer.clone(),
        metastore: metastore.clone(),
        clients: Arc::new(move |source| {
            (source == mqtt_source).then(|| counts.stats().clients as u32)
        }),
        test_notification: Arc::new(move |notification| {
            let notifier = notifier.clone();
            Box::pin(async move {
                notifier.test(&notification).await.map_err(|error| format!("{error:#}"))
            })
        }),
    };
    let server = server::bind(server_options(config), state)
        .await
        .with_context(|| format!("cannot listen for browsers on {}", config.web.listen))?;
    let web = server.local_addr()?;
    let stop_web = stop.clone();
    spawn(&mut tasks, "web", async move {
        if let Err(error) = server.run(stop_web).await {
            tracing::error!(%error, "the web server ended");
        }
    });

    let house = House { ingest, lake, buffer, tenant: TENANT };
    spawn(&mut tasks, "jobs", jobs::run(house.clone(), schedule(config), stop.clone()));
    Ok(Running { web, mqtt, first_password, metastore, house, stop, tasks })
}

impl Running {
    /// Says where it is, on standard output.
    pub(crate) fn announce(&self) {
        let mut text = format!(
            "Fettler is ready\n  screens   http://{}\n  MQTT      {}\n",
            self.web, self.mqtt
        );
        if let Some(password) = &self.first_password {
            text.push_str(&format!("  user      admin\n  password  {password}   (shown only once; change it after logging in)\n"));
        }
        print(&text);
    }

    /// Stops in reverse: doors first, then the rows that are inside are made safe.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        for (name, task) in self.tasks {
            if tokio::time::timeout(Duration::from_secs(15), task).await.is_err() {
                tracing::warn!(name, "did not end in time");
            }
        }
        self.house.ingest.stop().await;
        jobs::flush_all(&self.house).await;
        self.metastore.close().await;
    }
}

/// Standard output is for people and pipes; everything else goes to the log.
pub(crate) fn print(text: &str) {
    use std::io::Write;
    // A closed pipe is the reader's business.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let _ = std::io::stdout().flush();
}

/// Waits for Ctrl-C or SIGTERM.
pub(crate) async fn until_stopped() {
    let mut terminate =
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(terminate) => terminate,
            Err(error) => {
                tracing::warn!(%error, "SIGTERM will not stop Fettler cleanly");
                let _ = tokio::signal::ctrl_c().await;
                return;
            }
        };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

fn spawn(
    tasks: &mut Vec<(&'static str, JoinHandle<()>)>,
    name: &'static str,
    task: impl Future<Output = ()> + Send + 'static,
) {
    tasks.push((name, tokio::spawn(task)));
}

pub(crate) fn log_dir(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("wal")
}

fn open_log(config: &Config) -> anyhow::Result<(wal::Log, wal::Replay)> {
    let options = wal::Options {
        segment_bytes: config.log.segment_mb << 20,
        keep_free_bytes: config.log.keep_free_mb << 20,
        keep_free_percent: config.log.keep_free_percent,
    };
    let (log, replay) = wal::Log::open(&log_dir(&config.data_dir), options)?;
    for damage in replay.damage.iter().filter(|damage| !damage.at_end) {
        tracing::error!(
            segment = damage.segment,
            from = damage.bytes.start,
            to = damage.bytes.end,
            "part of the log cannot be read: check the disk; the rows around it are safe"
        );
    }
    Ok((log, replay))
}

/// Puts what the log holds beyond the tables back into the buffer.
async fn recover(
    mut log: wal::Log,
    replay: wal::Replay,
    buffer: &Arc<wal::Buffer>,
    lake: &lake::Lake,
    config: &Config,
) -> anyhow::Result<ingest::Start> {
    let committed = lake.committed(TENANT).await.context("cannot open the tables")?;
    log.skip_beyond(committed.samples_lsn.max(committed.events_lsn))
        .context("cannot continue the log")?;
    let is_new = |lsn: u64, rows: &signal::Rows| {
        (!rows.samples.is_empty() && lsn > committed.samples_lsn)
            || (!rows.events.is_empty() && lsn > committed.events_lsn)
    };
    let replay: Vec<(u64, signal::Rows)> =
        replay.entries.into_iter().filter(|(lsn, rows)| is_new(*lsn, rows)).collect();
    let now_us = connect::now_us();
    for (lsn, rows) in &replay {
        buffer.push(*lsn, rows, now_us);
    }
    if !replay.is_empty() {
        tracing::info!(
            entries = replay.len(),
            rows = buffer.rows(TENANT),
            "read back from the log"
        );
    }
    let last_values = lake.last_values(TENANT).await.context("cannot read the newest values")?;
    Ok(ingest::Start {
        log,
        buffer: buffer.clone(),
        replay,
        last_values,
        max_waiting_rows: (config.buffer.max_rows / 10).max(1) as usize,
    })
}

/// Lets SQL ask ingest what signals are called.
fn name_tables(lake: &lake::Lake, ingest: &ingest::Handle) {
    let ingest = ingest.clone();
    let source = move |known: Option<u64>| {
        let model = ingest.model();
        (known != Some(model.version)).then(|| lake::Plant {
            version: model.version,
            assets: model.assets.values().cloned().collect(),
            signals: model.all_signals().cloned().collect(),
        })
    };
    lake.set_model(TENANT, Arc::new(source));
}

fn lake_options(config: &Config) -> lake::Options {
    lake::Options {
        sql_memory_bytes: (config.sql.memory_mb as usize) << 20,
        timeout: Duration::from_secs(config.sql.timeout_s),
        ..lake::Options::default()
    }
}

fn ingest_options(config: &Config) -> ingest::Options {
    ingest::Options {
        tenant: TENANT,
        days_per_false_alarm: config.detection.days_per_false_alarm,
        learning: Learning { rows: config.detection.learn_rows, refit: config.detection.refit },
        history_after_us: config.alarms.history_after_s as i64 * signal::SECOND_US,
    }
}

async fn broker_options(
    config: &Config,
    ingest: &ingest::Handle,
    metastore: &Metastore,
) -> anyhow::Result<connect::mqtt::Options> {
    let metastore = metastore.clone();
    let auth = move |user: &str, password: &[u8]| {
        let (metastore, user) = (metastore.clone(), user.to_owned());
        let password = String::from_utf8_lossy(password).into_owned();
        // Once per connection; the worker thread may wait that long.
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current().block_on(async {
                let by_token =
                    metastore.verify_token(&password).await.is_ok_and(|token| token.is_some());
                by_token
                    || metastore
                        .verify_password(&user, &password)
                        .await
                        .is_ok_and(|user| user.is_some())
            })
        })
    };
    let source = ingest.source("mqtt", "mqtt").await?;
    Ok(connect::mqtt::Options {
        allow_anonymous: config.mqtt.allow_anonymous,
        not_stored: config.mqtt.not_stored.clone(),
        not_readable: config.mqtt.not_readable.clone(),
        retained_file: Some(config.data_dir.join(RETAINED_FILE)),
        auth: Some(Arc::new(auth)),
        ..connect::mqtt::Options::new(config.mqtt.listen, TENANT, source)
    })
}

fn server_options(config: &Config) -> server::Options {
    server::Options {
        listen: config.web.listen,
        hosts: config.web.hosts.clone(),
        anonymous_writes_from_loopback: config.web.anonymous_writes_from_loopback,
        max_sql_rows: config.sql.max_rows,
        days_per_false_alarm: config.detection.days_per_false_alarm,
        ..server::Options::default()
    }
}

fn schedule(config: &Config) -> jobs::Schedule {
    jobs::Schedule {
        flush_rows: config.buffer.flush_rows,
        flush_after: Duration::from_secs(config.buffer.flush_after_s),
        compact_every: Duration::from_secs(config.lake.compact_every_s.max(1)),
        keep_days: config.lake.keep_days,
        refine_hour_utc: config.detection.refine_hour_utc,
    }
}
