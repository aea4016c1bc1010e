//! `fettler demo`: a whole Fettler with a simulated plant that speaks to it over TCP.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args as ClapArgs;
use metastore::{OeeSettings, WorkShift};
use plant::{Fault, FaultPlan, Progress};
use signal::TenantId;
use signal::model::MappingRule;

use crate::config::Config;
use crate::serve::{self, print, until_stopped};

/// Seconds after the live data begins until the demo's own fault starts, and until it is at its full size.
const FAULT_AFTER_S: f64 = 20.0;
const FAULT_GROWS_S: f64 = 90.0;
/// A file of this name says that a directory was made by a demo and may be made anew.
const MARKER: &str = "made-by-fettler-demo";

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// Start this fault as well (with --machine), such as filter_clogging.
    #[arg(long, requires = "machine")]
    fault: Option<String>,
    /// The machine that gets it, such as press01.
    #[arg(long, requires = "fault")]
    machine: Option<String>,
    /// Days of history.
    #[arg(long, default_value_t = 30)]
    history_days: u32,
    /// Milliseconds between live values.
    #[arg(long, default_value_t = 500)]
    period_ms: u32,
    /// Another seed gives another plant.
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

pub(crate) async fn command(mut config: Config, own_dir: bool, args: Args) -> anyhow::Result<()> {
    let faults = faults(&args)?;
    if !own_dir {
        config.data_dir = std::env::temp_dir().join("fettler-demo");
    }
    begin_anew(&config.data_dir)?;
    let running = serve::start(&config).await?;
    map_topics(&running).await?;
    tell_shifts(&running).await?;
    running.announce();
    print(&format!("  data      {}\n", config.data_dir.display()));

    let options = plant::Options {
        broker: running.mqtt,
        site: "hamburg".to_owned(),
        seed: args.seed,
        history_days: args.history_days,
        history_step_s: 60,
        live_period_ms: args.period_ms,
        faults,
    };
    let stop = tokio_util::sync::CancellationToken::new();
    let started = std::time::Instant::now();
    let plant = tokio::spawn(plant::run(options, stop.clone(), move |progress| match progress {
        Progress::History { sent, total } if sent == total => {
            print(&format!(
                "  history   {total} samples sent over MQTT in {:.0} s\n",
                started.elapsed().as_secs_f64()
            ));
        }
        Progress::History { .. } => {}
        Progress::Live => {
            let elapsed_s = started.elapsed().as_secs_f64();
            print(&format!(
                "  live      after {elapsed_s:.0} s; spindle02 begins to wear out in {FAULT_AFTER_S:.0} s\n"
            ));
        }
    }));
    until_stopped().await;
    stop.cancel();
    if let Ok(Err(error)) = plant.await {
        tracing::warn!(%error, "the simulated plant ended early");
    }
    running.stop().await;
    Ok(())
}

fn faults(args: &Args) -> anyhow::Result<Vec<FaultPlan>> {
    let plan = |fault: &str, machine: &str, starts_after_s| -> anyhow::Result<FaultPlan> {
        let (machine, fault) = Fault::find(fault, machine)?;
        Ok(FaultPlan { machine, fault, starts_after_s, full_after_s: FAULT_GROWS_S })
    };
    let mut faults = Vec::new();
    if let (Some(fault), Some(machine)) = (&args.fault, &args.machine) {
        faults.push(plan(fault, machine, 5.0)?);
    }
    let own = plan("bearing_wear", "spindle02", FAULT_AFTER_S)?;
    if faults.iter().all(|plan| plan.machine != own.machine) {
        faults.push(own);
    }
    Ok(faults)
}

/// A demo always begins with an empty directory, but never empties one that it did not make.
fn begin_anew(dir: &PathBuf) -> anyhow::Result<()> {
    let is_used = dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_used {
        if !dir.join(MARKER).is_file() {
            bail!(
                "{} is in use and was not made by a demo; name another --data-dir",
                dir.display()
            );
        }
        // Refuses when another demo runs on it: its log is locked.
        let lock = dir.join("wal/LOCK");
        if let Ok(file) = std::fs::File::open(&lock)
            && file.try_lock().is_err()
        {
            bail!("another demo runs on {}; stop it first", dir.display());
        }
        std::fs::remove_dir_all(dir).with_context(|| format!("cannot empty {}", dir.display()))?;
    }
    std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    std::fs::write(dir.join(MARKER), "")
        .with_context(|| format!("cannot write into {}", dir.display()))
}

/// What an engineer would click together on the Data page: topics are places, names tell the type.
async fn map_topics(running: &serve::Running) -> anyhow::Result<()> {
    let rule = MappingRule {
        id: 0,
        source: "mqtt".to_owned(),
        pattern: "{site}/{line}/{machine}/{signal...}".to_owned(),
        asset: "{site}/{line}/{machine}".to_owned(),
        signal: "{signal}".to_owned(),
        asset_types: [
            ("press*", "hydraulic_press"),
            ("spindle*", "cnc_spindle"),
            ("compressor*", "screw_compressor"),
            ("filler*", "filling_line"),
        ]
        .map(|(glob, kind)| (glob.to_owned(), kind.to_owned()))
        .to_vec(),
        payload: None,
    };
    running
        .metastore
        .create_mapping_rule(TenantId::FIRST, &rule)
        .await
        .context("cannot map the plant's topics")?;
    running.house.ingest.reload_model().await?;
    Ok(())
}

/// The plant works around the clock, an hour ahead of universal time; its machines pause one after another.
async fn tell_shifts(running: &serve::Running) -> anyhow::Result<()> {
    let mut settings = OeeSettings { time_zone: "Etc/GMT-1".to_owned(), ..OeeSettings::default() };
    let breaks = [("09:30", "10:30"), ("17:30", "18:30"), ("01:30", "02:30")];
    for (shift, (from, to)) in settings.shifts.iter_mut().zip(breaks) {
        *shift = WorkShift { breaks: vec![(from.to_owned(), to.to_owned())], ..shift.clone() };
    }
    running
        .metastore
        .set_oee_settings(TenantId::FIRST, &settings)
        .await
        .context("cannot keep the plant's shifts")
}
