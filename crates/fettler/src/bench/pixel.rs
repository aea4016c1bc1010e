//! From a machine's PUBLISH to a painted number in Chromium; the browser's side is `tests/ui/pixel.mjs`.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;
use metastore::Metastore;
use signal::TenantId;
use signal::model::MappingRule;
use tokio::process::Command;

use super::program::Program;

/// Needs Node and the repository: the screens' tests bring the browser's driver.
const SCRIPT: &str = "tests/ui/pixel.mjs";

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Values per second in all.
    #[arg(long, default_value_t = 10_000)]
    rate: u32,
    /// For how long.
    #[arg(long, default_value_t = 30)]
    seconds: u32,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    ensure!(Path::new(SCRIPT).is_file(), "run it in the repository: {SCRIPT} is not here");
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let program = Program::empty(dir.path())?;
    let password = prepare(&program).await?;
    let life = program.start().await?;
    let status = Command::new("node")
        .arg(SCRIPT)
        .args([args.rate.to_string(), args.seconds.to_string()])
        .env("FETTLER_URL", format!("http://{}", life.web))
        .env("FETTLER_MQTT", life.mqtt.to_string())
        .env("FETTLER_PASSWORD", password)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .status()
        .await
        .context("cannot run node")?;
    ensure!(status.success(), "a target was missed");
    Ok(())
}

/// Topics are places, as an engineer would say once; returns the admin's password.
async fn prepare(program: &Program) -> anyhow::Result<String> {
    let metastore = Metastore::open(&program.data_dir().join("metastore.db")).await?;
    let password = metastore.first_run().await?.context("somebody was here before")?;
    let rule = MappingRule {
        id: 0,
        source: "mqtt".to_owned(),
        pattern: "{site}/{line}/{machine}/{signal...}".to_owned(),
        asset: "{site}/{line}/{machine}".to_owned(),
        signal: "{signal}".to_owned(),
        asset_types: Vec::new(),
        payload: None,
    };
    metastore.create_mapping_rule(TenantId::FIRST, &rule).await?;
    metastore.close().await;
    Ok(password)
}
