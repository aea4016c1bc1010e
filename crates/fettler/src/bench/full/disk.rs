//! A small disk that can be filled: a tmpfs in the mounts of a process that does nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::Context;

/// Makes the disk, copies the data onto it, and lays it over the data directory; `$0`: directory, `$1`: megabytes.
const MOUNT: &str = r#"set -e
mkdir "$0/disk"
mount -t tmpfs -o "size=$1m" none "$0/disk"
cp -a "$0/data/." "$0/disk/"
mount --bind "$0/disk" "$0/data"
echo mounted
exec sleep 3600"#;

/// Unmounted with its owner.
pub(super) struct Disk {
    keeper: Child,
    ballast: PathBuf,
}

impl Disk {
    /// A disk of `n_mb` at `data` in `dir`; none where that is not allowed.
    pub(super) fn mount(dir: &Path, n_mb: u64) -> anyhow::Result<Option<Disk>> {
        let keeper = Command::new("unshare")
            .args(["--map-root-user", "--mount", "sh", "-c", MOUNT])
            .arg(dir)
            .arg(n_mb.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let Ok(mut keeper) = keeper else { return Ok(None) };
        let stdout = keeper.stdout.take().context("no standard output")?;
        let dir = dir.strip_prefix("/").context("the directory must be absolute")?;
        let root = PathBuf::from(format!("/proc/{}/root", keeper.id()));
        let disk = Disk { keeper, ballast: root.join(dir).join("disk/ballast") };
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).context("cannot mount a disk")?;
        Ok((line.trim() == "mounted").then_some(disk))
    }

    /// The process that has it.
    pub(super) fn keeper(&self) -> u32 {
        self.keeper.id()
    }

    /// Takes every byte that is left.
    pub(super) fn fill(&self) -> anyhow::Result<()> {
        let open = OpenOptions::new().create(true).append(true).open(&self.ballast);
        let mut ballast = open.context("cannot make the ballast")?;
        let block = [b'.'; 4096];
        loop {
            match ballast.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => return Err(error).context("cannot fill the disk"),
            }
        }
    }

    /// Gives some of it back.
    pub(super) fn leave(&self, n_bytes: u64) -> anyhow::Result<()> {
        let ballast = OpenOptions::new().write(true).open(&self.ballast)?;
        let len = ballast.metadata()?.len();
        ballast.set_len(len.saturating_sub(n_bytes)).context("cannot shorten the ballast")
    }

    /// Gives it all back.
    pub(super) fn relieve(&self) -> anyhow::Result<()> {
        File::create(&self.ballast).map(drop).context("cannot empty the ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = self.keeper.kill();
        let _ = self.keeper.wait();
    }
}
