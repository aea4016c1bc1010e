//! What was acknowledged against what SQL finds.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;

use super::writer::{CHUNK, Tally, Writer};
use crate::bench::program::Life;

/// The reader asks so often while values come.
const COUNT_EVERY: Duration = Duration::from_millis(50);

/// All in values, not in rows that were sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) acked: u64,
    pub(crate) stored: u64,
    /// Acknowledged and not found.
    pub(crate) lost: u64,
    /// Found more than once, counted beyond the first.
    pub(crate) doubled: u64,
    /// Found, and never sent.
    pub(crate) invented: u64,
}

impl Balance {
    /// Whether every acknowledged value is there once, and nothing else.
    pub(crate) fn is_exact(&self) -> bool {
        self.lost == 0 && self.doubled == 0 && self.invented == 0 && self.acked == self.stored
    }

    /// `found`: how often each number was found; all below `acked` were acknowledged.
    pub(crate) fn of(acked: u64, found: &BTreeMap<u64, u64>) -> Balance {
        let known = || found.range(..acked);
        Balance {
            acked,
            stored: found.values().sum(),
            lost: acked - known().count() as u64,
            doubled: known().map(|(_, times)| times - 1).sum(),
            invented: found.range(acked..).map(|(_, times)| times).sum(),
        }
    }

    fn add(&mut self, other: Balance) {
        self.acked += other.acked;
        self.stored += other.stored;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.invented += other.invented;
    }
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Balance { acked, stored, lost, doubled, invented } = self;
        write!(
            f,
            "{acked} acknowledged = {stored} stored; {lost} lost, {doubled} doubled, {invented} never sent"
        )
    }
}

/// Compares every value of every writer, of which all must have been acknowledged.
pub(crate) async fn audit(life: &Life, writers: &[Writer]) -> anyhow::Result<Balance> {
    let mut balance = Balance::default();
    for writer in writers {
        let (sent, acked) = (writer.tally().sent(), writer.tally().acked());
        ensure!(sent == acked, "writer {} still waits for acknowledgements", writer.number());
        balance.add(Balance::of(acked, &numbers_of(life, writer.number(), acked).await?));
    }
    let n_rows = count(life).await?;
    ensure!(n_rows == balance.stored, "{n_rows} rows are in the table, {}", balance.stored);
    Ok(balance)
}

/// How often each number of a writer is in the table, asked signal by signal.
async fn numbers_of(life: &Life, writer: usize, n: u64) -> anyhow::Result<BTreeMap<u64, u64>> {
    let mut found = BTreeMap::new();
    // One signal more than there should be.
    for chunk in 0..=n.div_ceil(CHUNK) {
        let query = format!(
            "SELECT value, count(*) FROM readings WHERE path LIKE '\\_raw/%/w{writer}/s{chunk}' \
             OR path LIKE '\\_raw/%/w{writer}/s{chunk}/v' GROUP BY value"
        );
        for row in life.sql(&query).await? {
            let [value, times] = &row[..] else { anyhow::bail!("`{query}` has two columns") };
            let value = value.as_f64().context("a value is no number")?;
            *found.entry(value as u64).or_default() += number(times)?;
        }
    }
    Ok(found)
}

/// Counts all rows again and again: what was acknowledged before must be in it, what comes later not.
pub(crate) async fn count_while_loading(
    life: &Life,
    tallies: &[Arc<Tally>],
    n_counted: &mut usize,
) -> anyhow::Result<()> {
    loop {
        let acked: u64 = tallies.iter().map(|tally| tally.acked()).sum();
        let found = count(life).await?;
        let sent: u64 = tallies.iter().map(|tally| tally.sent()).sum();
        ensure!(
            (acked..=sent).contains(&found),
            "{found} rows were counted, {acked} were acknowledged before and {sent} sent after it"
        );
        *n_counted += 1;
        tokio::time::sleep(COUNT_EVERY).await;
    }
}

async fn count(life: &Life) -> anyhow::Result<u64> {
    let rows = life.sql("SELECT count(*) FROM samples").await?;
    number(rows.first().and_then(|row| row.first()).context("a count has one row")?)
}

pub(crate) fn number(value: &Value) -> anyhow::Result<u64> {
    value.as_u64().with_context(|| format!("{value} is no count"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(acked: u64, found: &[(u64, u64)], expected: (u64, u64, u64)) {
        let balance = Balance::of(acked, &found.iter().copied().collect());
        let seen = (balance.lost, balance.doubled, balance.invented);
        assert_eq!(seen, expected, "{acked} acknowledged, found {found:?}");
        assert_eq!(balance.is_exact(), expected == (0, 0, 0));
    }

    /// A control: an audit that cannot see a loss proves nothing.
    #[test]
    fn the_audit_sees_what_is_lost_doubled_or_invented() {
        check(0, &[], (0, 0, 0));
        check(3, &[(0, 1), (1, 1), (2, 1)], (0, 0, 0));
        check(3, &[(0, 1), (2, 1)], (1, 0, 0));
        check(3, &[], (3, 0, 0));
        check(3, &[(0, 1), (1, 3), (2, 1)], (0, 2, 0));
        check(2, &[(0, 1), (1, 1), (7, 2)], (0, 0, 2));
        check(3, &[(0, 2), (2, 1), (3, 1)], (1, 1, 1));
    }
}
