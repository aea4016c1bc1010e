//! kill -9 at random moments under load: every acknowledged value is there once, and none that nobody sent.
//!
//! Writers send numbered values by MQTT (QoS 1) and by line protocol and note what was acknowledged. Fettler flushes
//! and merges all the time and is killed: at any moment, while it starts, or as soon as a certain file appears on its
//! disk. What was not acknowledged is sent again after the restart, as devices do. While values come, a reader counts
//! them: never fewer than were acknowledged before its query, never more than were sent after it.

mod audit;
mod moment;
mod torn;
mod writer;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use clap::Args as ClapArgs;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio_util::sync::CancellationToken;

use self::audit::Balance;
use self::moment::Moment;
use self::writer::{Door, Tally, Writer};
use super::program::{Life, Program};
use crate::serve::print;

/// Small segments, and flushes and merges as often as the schedule can.
const CONFIG: &str = "[log]\nsegment_mb = 1\nkeep_free_mb = 64\nkeep_free_percent = 0\n\
    [buffer]\nflush_rows = 4000\nflush_after_s = 1\n[lake]\ncompact_every_s = 1\n";
/// Half of them send by MQTT.
const WRITERS: usize = 8;
/// How long the last values may take to be acknowledged.
const SETTLE_WITHIN: Duration = Duration::from_secs(60);

#[derive(ClapArgs)]
pub(crate) struct Args {
    /// How often to kill.
    #[arg(long, default_value_t = 50)]
    kills: usize,
    /// Decides the moments; another one each time when left out.
    #[arg(long)]
    seed: Option<u64>,
    /// Values per second in all.
    #[arg(long, default_value_t = 20_000)]
    rate: u32,
    /// Cut the log only at every so many bytes of its last frames.
    #[arg(long, default_value_t = 1)]
    cut_every: u64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let seed = args.seed.unwrap_or_else(|| rand::rng().random_range(0..1_000_000));
    print(&format!("seed {seed}\n"));
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let result = killed(dir.path(), &args, &mut StdRng::seed_from_u64(seed)).await;
    let result = match result {
        Ok(()) => torn::run(args.cut_every.max(1), seed).await,
        Err(error) => Err(error),
    };
    result.with_context(|| {
        // Whoever looks for the cause needs what is on the disk.
        format!("failed with --seed {seed}; its data is kept in {}", dir.keep().display())
    })
}

/// What was seen on the way.
#[derive(Default)]
struct Seen {
    by_moment: BTreeMap<&'static str, usize>,
    slowest_ready: Duration,
    n_counted: usize,
}

async fn killed(dir: &std::path::Path, args: &Args, random: &mut StdRng) -> anyhow::Result<()> {
    let program = Program::new(dir, CONFIG).await?;
    let each = f64::from(args.rate) / WRITERS as f64;
    let door = |number| if number % 2 == 0 { Door::Mqtt } else { Door::LineProtocol };
    let mut writers: Vec<Writer> =
        (0..WRITERS).map(|number| Writer::new(number, door(number), each)).collect();
    let mut seen = Seen::default();
    for _ in 0..args.kills {
        let moment = Moment::any(random);
        *seen.by_moment.entry(moment.name()).or_default() += 1;
        if let Moment::Starting(after) = moment {
            let mut child = program.spawn()?;
            tokio::time::sleep(after).await;
            super::program::end(&mut child)?;
            continue;
        }
        let life = start(&program, &mut seen).await?;
        writers = live(life, &program, moment, writers, &mut seen).await?;
    }
    let life = start(&program, &mut seen).await?;
    let writers = settle(&life, writers).await?;
    let balance = audit::audit(&life, &writers).await?;
    report(&seen, &writers, &balance);
    complain(&program);
    ensure!(balance.is_exact(), "the balance is wrong");
    drop(life);
    reopened(&program, &writers).await
}

async fn start(program: &Program, seen: &mut Seen) -> anyhow::Result<Life> {
    let life = program.start().await?;
    seen.slowest_ready = seen.slowest_ready.max(life.ready);
    Ok(life)
}

/// Lets the writers write and the reader count until the moment has come, then kills.
async fn live(
    life: Life,
    program: &Program,
    moment: Moment,
    writers: Vec<Writer>,
    seen: &mut Seen,
) -> anyhow::Result<Vec<Writer>> {
    let stop = CancellationToken::new();
    let tallies: Vec<Arc<Tally>> = writers.iter().map(Writer::tally).collect();
    let tasks: Vec<_> = writers
        .into_iter()
        .map(|writer| tokio::spawn(writer.write(life.web, life.mqtt, stop.clone())))
        .collect();
    let lake_dir = program.data_dir().join("lake");
    let (log_dir, mut n_counted) = (program.log_dir(), 0);
    tokio::select! {
        () = moment.come(&lake_dir, &log_dir) => {}
        counted = audit::count_while_loading(&life, &tallies, &mut n_counted) => counted?,
    }
    seen.n_counted += n_counted;
    life.kill()?;
    stop.cancel();
    let mut back = Vec::with_capacity(tasks.len());
    for task in tasks {
        back.push(task.await.context("a writer ended early")??);
    }
    Ok(back)
}

/// Has everything acknowledged that was sent.
async fn settle(life: &Life, writers: Vec<Writer>) -> anyhow::Result<Vec<Writer>> {
    let mut settled = Vec::with_capacity(writers.len());
    for writer in writers {
        let writing = writer.settle(life.web, life.mqtt);
        let writer = tokio::time::timeout(SETTLE_WITHIN, writing).await;
        settled.push(writer.context("the last values were not acknowledged in time")??);
    }
    Ok(settled)
}

/// After one more start, with all in the lake or read back from the log, the balance is the same.
async fn reopened(program: &Program, writers: &[Writer]) -> anyhow::Result<()> {
    let life = program.start().await?;
    let balance = audit::audit(&life, writers).await?;
    ensure!(balance.is_exact(), "after another start the balance is wrong: {balance}");
    Ok(())
}

fn report(seen: &Seen, writers: &[Writer], balance: &Balance) {
    let moments: Vec<String> =
        seen.by_moment.iter().map(|(name, count)| format!("{count} {name}")).collect();
    let n_again: u64 = writers.iter().map(Writer::n_again).sum();
    print(&format!(
        "kill -9     {} times: {}; slowest start {} ms\n\
         balance     {balance}; {n_again} were sent again after a kill\n\
         reader      {} counts while values came: none below what was acknowledged, none above what was sent\n",
        seen.by_moment.values().sum::<usize>(),
        moments.join(", "),
        seen.slowest_ready.as_millis(),
        seen.n_counted,
    ));
}

/// What the killed ones said about themselves is shown; it decides nothing.
fn complain(program: &Program) {
    let logged = program.logged();
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for line in logged.lines().filter(|line| line.contains("ERROR") || line.contains("panicked")) {
        let plain: String = line.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        *kinds.entry(plain).or_default() += 1;
    }
    for (line, count) in kinds {
        print(&format!("log         {count} × {line}\n"));
    }
}

/// The time left until `deadline`.
fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
