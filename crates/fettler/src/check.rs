//! `fettler check`: would it start, and if not, why.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, bail};

use crate::config::Config;
use crate::serve::print;

/// 2024-01-01; an earlier clock was never set.
const EARLIEST_US: i64 = 1_704_067_200_000_000;

pub(crate) fn command(config: &Config) -> anyhow::Result<()> {
    let checks: [(&str, anyhow::Result<String>); 5] = [
        ("configuration", Ok("can be used".to_owned())),
        ("screens", port(config.web.listen)),
        ("MQTT", port(config.mqtt.listen)),
        ("data directory", disk(config)),
        ("clock", clock()),
    ];
    let mut failed = 0;
    for (name, result) in checks {
        match result {
            Ok(what) => print(&format!("ok      {name}: {what}\n")),
            Err(error) => {
                failed += 1;
                print(&format!("failed  {name}: {error:#}\n"));
            }
        }
    }
    if failed > 0 {
        bail!("{failed} checks failed");
    }
    Ok(())
}

fn port(address: SocketAddr) -> anyhow::Result<String> {
    TcpListener::bind(address).with_context(|| {
        format!("{address} is taken; stop what listens there or choose another address")
    })?;
    let reach =
        if address.ip().is_loopback() { "this machine only" } else { "reachable from the network" };
    Ok(format!("{address} is free ({reach})"))
}

fn disk(config: &Config) -> anyhow::Result<String> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let probe = dir.join(".check");
    std::fs::write(&probe, b"x").with_context(|| format!("cannot write into {}", dir.display()))?;
    std::fs::remove_file(&probe).with_context(|| format!("cannot delete {}", probe.display()))?;
    Ok(format!("{} can be written", dir.display()))
}

fn clock() -> anyhow::Result<String> {
    let now_us = connect::now_us();
    if now_us < EARLIEST_US {
        bail!("the clock says it is before 2024; set it, or every time stamp will be wrong");
    }
    let now = jiff::Timestamp::from_microsecond(now_us).context("cannot read the clock")?;
    Ok(format!("{now:.0}"))
}
