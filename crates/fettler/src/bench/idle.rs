//! What an idle Fettler costs: memory, and the time from start to ready on an empty directory.

use std::time::Duration;

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;

use super::program::Program;
use crate::serve::print;

/// Ready on an empty directory.
const READY_MS: u128 = 1000;
/// Resident, after a while.
const RESIDENT_MB: f64 = 150.0;

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How often to start, each time on an empty directory.
    #[arg(long, default_value_t = 5)]
    starts: usize,
    /// Seconds until memory is looked at, long enough for every job to have run.
    #[arg(long, default_value_t = 20)]
    seconds: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    ensure!(args.starts > 0, "--starts must be at least 1");
    let (mut ready_ms, mut memory) = (Vec::new(), None);
    for start in 0..args.starts {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let life = Program::empty(dir.path())?.start().await?;
        ready_ms.push(life.ready.as_millis());
        if start + 1 == args.starts {
            tokio::time::sleep(Duration::from_secs(args.seconds)).await;
            memory = Some(Memory::of(life.pid())?);
        }
        life.kill()?;
    }
    ready_ms.sort_unstable();
    let (median, slowest) = (ready_ms[ready_ms.len() / 2], ready_ms[ready_ms.len() - 1]);
    let memory = memory.context("no start was measured")?;
    print(&format!(
        "ready       median {median} ms, slowest {slowest} ms of {} starts on an empty directory; target {READY_MS} ms: {}\n\
         memory      {:.0} MB resident after {} s ({:.0} MB of it the program's own file, {:.0} MB at most so far); \
         target {RESIDENT_MB} MB: {}\n",
        args.starts,
        verdict(slowest <= READY_MS),
        memory.resident_mb,
        args.seconds,
        memory.file_mb,
        memory.peak_mb,
        verdict(memory.resident_mb <= RESIDENT_MB),
    ));
    Ok(())
}

fn verdict(is_reached: bool) -> &'static str {
    if is_reached { "reached" } else { "missed" }
}

/// Of a process, in MB of 10⁶ bytes.
struct Memory {
    resident_mb: f64,
    file_mb: f64,
    peak_mb: f64,
}

impl Memory {
    fn of(process: u32) -> anyhow::Result<Memory> {
        let status = std::fs::read_to_string(format!("/proc/{process}/status"))
            .context("cannot read the memory of the process")?;
        let mb = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
            kib.map(|kib| kib * 1024.0 / 1e6).with_context(|| format!("no {name} of the process"))
        };
        Ok(Memory { resident_mb: mb("VmRSS:")?, file_mb: mb("RssFile:")?, peak_mb: mb("VmHWM:")? })
    }
}
