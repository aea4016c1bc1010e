//! Fettler: from sensor data to a digital product, in one program.
//!
//! Start reading at [`serve`], which is the table of contents of a running Fettler.

mod backup;
mod bench;
mod check;
mod config;
mod demo;
mod import;
mod inspect;
mod notify;
mod replay;
mod serve;
mod sql;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, Subcommand};
use config::Config;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// From sensor data to a digital product, in one program.
#[derive(Parser)]
#[command(version, about, disable_help_subcommand = true)]
struct Cli {
    /// Configuration file; Fettler runs without one.
    #[arg(long, global = true, env = "FETTLER_CONFIG")]
    config: Option<PathBuf>,
    /// Where everything is kept.
    #[arg(long, global = true)]
    data_dir: Option<PathBuf>,
    /// Address of the screens, such as 0.0.0.0:8080.
    #[arg(long, global = true)]
    listen: Option<SocketAddr>,
    /// Address of the MQTT broker.
    #[arg(long, global = true)]
    mqtt_listen: Option<SocketAddr>,
    /// Log filter, such as info or debug,datafusion=warn.
    #[arg(
        long,
        global = true,
        env = "FETTLER_LOG",
        default_value = "warn,fettler=info,server=info,ingest=info,jobs=info,lake=info,connect=info,metastore=info,wal=info"
    )]
    log: String,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Run (the default).
    Serve,
    /// Run with a simulated plant, 30 days of history and a developing fault.
    Demo(demo::Args),
    /// Bring in CSV or Parquet files.
    Import(import::Args),
    /// Publish a recorded file over MQTT in time order.
    Replay(replay::Args),
    /// Ask a running Fettler a question in SQL.
    Sql(sql::Args),
    /// Measure; without a name, list what can be measured.
    Bench(bench::Args),
    /// Show what lies on the disk: log, tables.
    Inspect,
    /// Check configuration, ports, disk and clock without starting.
    Check,
    /// Copy everything to a folder, also while Fettler runs.
    Backup(backup::BackupArgs),
    /// Put a backup back into an empty data directory.
    Restore(backup::RestoreArgs),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_new(&cli.log).context("cannot use --log")?,
        )
        .with_writer(std::io::stderr)
        .init();
    let mut config = Config::load(cli.config.as_deref())?;
    if let Some(dir) = cli.data_dir.clone() {
        config.data_dir = dir;
    }
    config.web.listen = cli.listen.unwrap_or(config.web.listen);
    config.mqtt.listen = cli.mqtt_listen.unwrap_or(config.mqtt.listen);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("io")
        .build()
        .context("cannot start the threads")?;
    runtime.block_on(run(cli, config))
}

async fn run(cli: Cli, config: Config) -> anyhow::Result<()> {
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::command(&config).await,
        Command::Demo(args) => demo::command(config, cli.data_dir.is_some(), args).await,
        Command::Import(args) => import::command(&config, args).await,
        Command::Replay(args) => replay::command(&config, args).await,
        Command::Sql(args) => sql::command(&config, args).await,
        Command::Bench(args) => bench::command(args).await,
        Command::Inspect => inspect::command(&config).await,
        Command::Check => check::command(&config),
        Command::Backup(args) => backup::backup(&config, &args).await,
        Command::Restore(args) => backup::restore(&config, &args),
    }
}
