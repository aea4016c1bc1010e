//! `fettler backup` and `restore`: everything, in one folder.
//!
//! The order makes a copy of a running Fettler consistent: the tables first, then the log, which still holds what
//! was flushed meanwhile (a copy taken between flush and shortening holds it twice, and the log position tells),
//! then the metastore through SQLite's own backup.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args as ClapArgs;

use crate::config::Config;
use crate::serve::{RETAINED_FILE, print};

#[derive(ClapArgs)]
pub(crate) struct BackupArgs {
    /// Folder to make; must not exist.
    to: PathBuf,
}

#[derive(ClapArgs)]
pub(crate) struct RestoreArgs {
    /// Folder that a backup made.
    from: PathBuf,
}

pub(crate) async fn backup(config: &Config, args: &BackupArgs) -> anyhow::Result<()> {
    if args.to.exists() {
        bail!("{} exists already; name a new folder", args.to.display());
    }
    // The log first and last: what is flushed and dropped from the log between is in one of the copies.
    let log = config.data_dir.join("wal");
    copy_dir(&log, &args.to.join("wal"))?;
    copy_dir(&config.data_dir.join("lake"), &args.to.join("lake"))?;
    copy_dir(&log, &args.to.join("wal"))?;
    metastore::backup(&config.data_dir.join("metastore.db"), &args.to.join("metastore.db"))
        .await
        .context("cannot copy the metastore")?;
    let retained = config.data_dir.join(RETAINED_FILE);
    if retained.is_file() {
        // A copy that ends within a message is read up to it.
        std::fs::copy(&retained, args.to.join(RETAINED_FILE))
            .context("cannot copy the retained MQTT messages")?;
    }
    print(&format!("everything is in {}\n", args.to.display()));
    Ok(())
}

pub(crate) fn restore(config: &Config, args: &RestoreArgs) -> anyhow::Result<()> {
    let is_used = config.data_dir.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    if is_used {
        bail!(
            "{} is not empty; name another --data-dir or move it away",
            config.data_dir.display()
        );
    }
    if !args.from.join("metastore.db").is_file() {
        bail!("{} is not a backup: it has no metastore.db", args.from.display());
    }
    copy_dir(&args.from, &config.data_dir)?;
    print(&format!("restored into {}\n", config.data_dir.display()));
    Ok(())
}

pub(crate) fn copy_dir(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to).with_context(|| format!("cannot make {}", to.display()))?;
    if !from.is_dir() {
        return Ok(());
    }
    for entry in
        std::fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))?
    {
        let entry = entry.with_context(|| format!("cannot read {}", from.display()))?;
        let target = to.join(entry.file_name());
        if entry.file_name() == "LOCK" {
            continue;
        }
        let copied = match entry.file_type() {
            Ok(kind) if kind.is_dir() => copy_dir(&entry.path(), &target),
            _ => std::fs::copy(entry.path(), &target).map(drop).map_err(Into::into),
        };
        match copied {
            Ok(()) => {}
            // Shortened or merged away while we looked; its rows are in the files that replaced it.
            Err(_) if !entry.path().exists() => {}
            Err(error) => {
                return Err(error.context(format!("cannot copy {}", entry.path().display())));
            }
        }
    }
    Ok(())
}
