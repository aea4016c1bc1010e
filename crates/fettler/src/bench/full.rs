//! A full disk: writes are refused with a reason, what was refused is never seen, and all goes on when there is room.
//!
//! The disk is a small tmpfs in mounts of its own, which needs no root where user namespaces are allowed. It fills up
//! twice: to the reserve that Fettler keeps free, and, without a reserve, to the last byte.

mod disk;

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use reqwest::{StatusCode, header};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::disk::Disk;
use super::device;
use super::program::{Life, Program};
use crate::serve::print;

const DISK_MB: u64 = 48;
const RESERVE_MB: u64 = 8;
/// Free while it starts.
const NEARLY_FULL_BYTES: u64 = 1 << 20;
/// So much may still fit into blocks that are already ours.
const MOST_WRITES: u64 = 2000;
/// A broker that stores nothing hangs up or is silent so long.
const NO_PUBACK_FOR: Duration = Duration::from_secs(2);
const RECOVERS_WITHIN: Duration = Duration::from_secs(20);

/// Which numbers were sent, and which of them were promised to be there.
#[derive(Default)]
struct Books {
    next: u64,
    stored: BTreeSet<u64>,
    refused: BTreeSet<u64>,
}

/// An answer to a write.
#[derive(Debug, PartialEq)]
enum Answer {
    Stored,
    Refused { retry_after: String, reason: String },
}

pub(crate) async fn run() -> anyhow::Result<()> {
    for reserve_mb in [RESERVE_MB, 0] {
        let dir = tempfile::tempdir().context("cannot make a temporary directory")?;
        let program = Program::new(dir.path(), &config(reserve_mb)).await?;
        let Some(disk) = Disk::mount(dir.path(), DISK_MB)? else {
            print(
                "user namespaces are not allowed here: no small disk can be mounted, nothing was checked\n",
            );
            return Ok(());
        };
        let program = program.with_mounts_of(disk.keeper());
        let told = fill_and_relieve(&program, &disk, reserve_mb).await;
        let told = told.with_context(|| {
            format!("{reserve_mb} MB reserved; Fettler said:\n{}", program.logged())
        })?;
        print(&format!("{told}\n"));
    }
    Ok(())
}

fn config(reserve_mb: u64) -> String {
    format!(
        "[log]\nsegment_mb = 1\nkeep_free_mb = {reserve_mb}\nkeep_free_percent = 0\n\
         [buffer]\nflush_after_s = 1\n[lake]\ncompact_every_s = 1\n"
    )
}

async fn fill_and_relieve(
    program: &Program,
    disk: &Disk,
    reserve_mb: u64,
) -> anyhow::Result<String> {
    let mut books = Books::default();
    let life = program.start().await?;
    for _ in 0..100 {
        ensure!(books.write(&life).await? == Answer::Stored, "there is room");
    }
    ensure!(publish(&life, &mut books).await?, "there is room");

    disk.fill()?;
    let (n_fitted, refused) = write_until_refused(&life, &mut books).await?;
    let Answer::Refused { retry_after, reason } = refused else { bail!("nothing was refused") };
    ensure!(!publish(&life, &mut books).await?, "a PUBACK came from a full disk");
    wait_for_health(&life, StatusCode::SERVICE_UNAVAILABLE).await?;
    new_signal_is_refused(&life, &mut books).await?;
    books.check(&life).await.context("reading while the disk is full")?;

    // Killed on a full disk, started on a nearly full one: SQLite needs a few pages to recover the metastore.
    life.kill()?;
    disk.leave(NEARLY_FULL_BYTES)?;
    let life = program.start().await.context("a start on a nearly full disk")?;
    books.check(&life).await.context("reading after a start on a nearly full disk")?;
    disk.fill()?;
    let (_, refused) = write_until_refused(&life, &mut books).await?;
    ensure!(refused != Answer::Stored, "nothing was refused");

    disk.relieve()?;
    let waited = wait_for_room(&life, &mut books).await?;
    ensure!(publish(&life, &mut books).await?, "there is room again");
    wait_for_health(&life, StatusCode::OK).await?;
    books.check(&life).await.context("after there was room again")?;
    life.kill()?;
    books.check(&program.start().await?).await.context("after another start")?;

    let until = match reserve_mb {
        0 => "filled to the last byte".to_owned(),
        _ => format!("filled to the {reserve_mb} MB that are kept free"),
    };
    Ok(format!(
        "{until}: {n_fitted} writes still fitted, then 503 with Retry-After {retry_after} s (\"{reason}\"), no PUBACK, \
         /health 503; reading worked, and a restart with 1 MB free; {} ms after there was room the next write was stored; \
         {} stored = {} found, none of {} refused values was ever seen",
        waited.as_millis(),
        books.stored.len(),
        books.stored.len(),
        books.refused.len(),
    ))
}

async fn write_until_refused(life: &Life, books: &mut Books) -> anyhow::Result<(u64, Answer)> {
    for n_fitted in 0..MOST_WRITES {
        let answer = books.write(life).await?;
        if answer != Answer::Stored {
            return Ok((n_fitted, answer));
        }
    }
    bail!("{MOST_WRITES} writes fitted on a full disk")
}

async fn wait_for_room(life: &Life, books: &mut Books) -> anyhow::Result<Duration> {
    let relieved = Instant::now();
    while books.write(life).await? != Answer::Stored {
        ensure!(relieved.elapsed() < RECOVERS_WITHIN, "writes are refused although there is room");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(relieved.elapsed())
}

/// Registering it may fail before its value does; the sender must be told to try again either way.
async fn new_signal_is_refused(life: &Life, books: &mut Books) -> anyhow::Result<()> {
    let n = books.begin();
    let answer = write(life, &format!("another v={n} {}", 1_767_225_600 + n)).await?;
    ensure!(answer != Answer::Stored, "a value of a new signal was stored on a full disk");
    books.refused.insert(n);
    Ok(())
}

impl Books {
    fn begin(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    /// Sends the next number in a line of its own.
    async fn write(&mut self, life: &Life) -> anyhow::Result<Answer> {
        let n = self.begin();
        let answer = write(life, &format!("full v={n} {}", 1_767_225_600 + n)).await?;
        let book = if answer == Answer::Stored { &mut self.stored } else { &mut self.refused };
        book.insert(n);
        Ok(answer)
    }

    /// What is found is what was promised: no number less, none more, none twice.
    async fn check(&self, life: &Life) -> anyhow::Result<()> {
        let mut found: BTreeMap<u64, usize> = BTreeMap::new();
        for row in life.sql("SELECT CAST(value AS BIGINT) FROM readings").await? {
            let n = row.first().and_then(serde_json::Value::as_u64).context("a row is a number")?;
            *found.entry(n).or_default() += 1;
        }
        let ghosts: Vec<&u64> = found.keys().filter(|n| !self.stored.contains(n)).collect();
        let lost: Vec<&u64> = self.stored.iter().filter(|n| !found.contains_key(n)).collect();
        let doubled = found.values().filter(|times| **times > 1).count();
        ensure!(
            ghosts.is_empty() && lost.is_empty() && doubled == 0,
            "refused and seen: {ghosts:?}; lost: {lost:?}; {doubled} doubled"
        );
        Ok(())
    }
}

async fn write(life: &Life, line: &str) -> anyhow::Result<Answer> {
    let url = format!("http://{}/write?precision=s", life.web);
    let request = reqwest::Client::new().post(url).body(line.to_owned());
    let answer = tokio::time::timeout(RECOVERS_WITHIN, request.send());
    let answer = answer.await.context("a write was not answered")??;
    if answer.status() == StatusCode::NO_CONTENT {
        return Ok(Answer::Stored);
    }
    let retry_after = answer.headers().get(header::RETRY_AFTER);
    let retry_after = retry_after.and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(
        matches!(status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::INSUFFICIENT_STORAGE),
        "a write was answered with {status}: {text}"
    );
    let body: serde_json::Value = serde_json::from_str(&text).context("the refusal is not JSON")?;
    let reason = body["error"].as_str().context("the refusal has no reason")?.to_owned();
    let retry_after = retry_after.context("the refusal does not say when to try again")?;
    Ok(Answer::Refused { retry_after, reason })
}

/// Sends the next number at QoS 1; whether a PUBACK came. None comes late: the connection ends here.
async fn publish(life: &Life, books: &mut Books) -> anyhow::Result<bool> {
    let n = books.begin();
    let payload = format!("{{\"t\":{},\"v\":{n}}}", (1_767_225_600 + n) * 1000);
    let mut socket = device::connect(life.mqtt, "full").await?;
    socket.write_all(&device::publish("full", payload, 1)?).await?;
    let mut puback = [0; 4];
    let answer = tokio::time::timeout(NO_PUBACK_FOR, socket.read_exact(&mut puback)).await;
    let is_stored = matches!(answer, Ok(Ok(_)));
    ensure!(!is_stored || puback == [0x40, 2, 0, 1], "expected PUBACK, got {puback:?}");
    let book = if is_stored { &mut books.stored } else { &mut books.refused };
    book.insert(n);
    Ok(is_stored)
}

/// Its board is renewed a few times a second.
async fn wait_for_health(life: &Life, wanted: StatusCode) -> anyhow::Result<()> {
    let asked = Instant::now();
    while reqwest::get(format!("http://{}/health", life.web)).await?.status() != wanted {
        ensure!(asked.elapsed() < RECOVERS_WITHIN, "/health does not become {wanted}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
