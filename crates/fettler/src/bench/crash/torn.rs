//! The log cut at every byte of its last frames: what lies before the cut is there, once, and life goes on.

use std::path::Path;

use anyhow::{Context, ensure};
use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

use super::audit::{Balance, number};
use crate::bench::program::{Life, Program, newest_segment};
use crate::serve::print;

/// Nothing leaves the log.
const CONFIG: &str = "[log]\nkeep_free_mb = 64\nkeep_free_percent = 0\n\
    [buffer]\nflush_after_s = 3600\n";
/// Values that are written one by one, each with its own fsync.
const VALUES: usize = 8;
/// Frames at whose bytes the log is cut.
const FRAMES: usize = 3;
/// Length of the garbage after a cut, as file systems leave it.
const TAIL_BYTES: usize = 4096;

/// What lies behind the cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Tail {
    Nothing,
    Zeros,
    Noise,
}

/// Cuts at every `cut_every`th byte.
pub(super) async fn run(cut_every: u64, seed: u64) -> anyhow::Result<()> {
    let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
    let program = Program::new(&dir.path().join("whole"), CONFIG).await?;
    let life = program.start().await?;
    let mut ends = vec![newest_segment(&program.log_dir())?.1];
    for n in 0..VALUES as u64 {
        write(&life, n).await?;
        ends.push(newest_segment(&program.log_dir())?.1);
    }
    life.kill()?;

    let mut random = StdRng::seed_from_u64(seed);
    let (first, last) = (ends[VALUES - FRAMES], ends[VALUES]);
    let (mut n_cuts, mut lost) = (0, 0);
    for at in (first..=last).step_by(cut_every as usize) {
        // A cut inside a frame takes that frame and those behind it.
        let n_whole = ends.iter().filter(|end| **end <= at).count() as u64 - 1;
        let tail = [Tail::Nothing, Tail::Zeros, Tail::Noise][n_cuts % 3];
        let copy = program.copy_to(&dir.path().join(format!("cut-{at}")))?;
        cut(&copy.log_dir(), at, tail, &mut random)?;
        check(&copy, n_whole).await.with_context(|| {
            format!("the log cut at byte {at} of {last}, followed by {tail:?}, seed {seed}")
        })?;
        n_cuts += 1;
        lost += VALUES as u64 - n_whole;
    }
    print(&format!(
        "torn log    cut at {n_cuts} places in its last {FRAMES} frames, a third each followed by nothing, zeros and noise: \
         all whole frames were there once, none of the {lost} cut values, and the next write held\n"
    ));
    Ok(())
}

async fn check(program: &Program, n_whole: u64) -> anyhow::Result<()> {
    let life = program.start().await?;
    compare(&life, n_whole).await?;
    // The number that was cut first is written again: over the tear, and for good.
    write(&life, n_whole).await?;
    compare(&life, n_whole + 1).await?;
    life.kill()?;
    let life = program.start().await?;
    compare(&life, n_whole + 1).await
}

async fn write(life: &Life, n: u64) -> anyhow::Result<()> {
    let url = format!("http://{}/write?precision=s", life.web);
    let line = format!("torn v={n} {}", 1_767_225_600 + n);
    let answer = reqwest::Client::new().post(url).body(line).send().await?;
    ensure!(answer.status() == 204, "value {n} was answered with {}", answer.status());
    Ok(())
}

async fn compare(life: &Life, n_expected: u64) -> anyhow::Result<()> {
    let mut found = std::collections::BTreeMap::new();
    for row in life.sql("SELECT CAST(value AS BIGINT) FROM readings").await? {
        *found.entry(number(row.first().context("a row has a value")?)?).or_default() += 1;
    }
    let balance = Balance::of(n_expected, &found);
    ensure!(balance.is_exact(), "{balance}");
    Ok(())
}

fn cut(log_dir: &Path, at: u64, tail: Tail, random: &mut StdRng) -> anyhow::Result<()> {
    let (segment, _) = newest_segment(log_dir)?;
    let mut bytes = std::fs::read(&segment)?;
    bytes.truncate(at as usize);
    let mut garbage = vec![0; TAIL_BYTES];
    match tail {
        Tail::Nothing => garbage.clear(),
        Tail::Zeros => {}
        Tail::Noise => random.fill_bytes(&mut garbage),
    }
    bytes.extend(garbage);
    std::fs::write(&segment, bytes).context("cannot cut the log")
}
