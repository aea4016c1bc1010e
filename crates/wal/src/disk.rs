//! What the log asks of a disk, so that tests can put a faulty one under it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

/// A folder of append-only files.
pub(crate) trait Disk: Send {
    /// Names of all files.
    fn list(&self) -> io::Result<Vec<String>>;
    /// The whole content of a file.
    fn read(&self, name: &str) -> io::Result<Vec<u8>>;
    /// Makes an empty file the one that is written. Its name is durable after [`sync_folder`](Self::sync_folder);
    /// after an error the file that was written before still is.
    fn create(&mut self, name: &str) -> io::Result<()>;
    /// Makes an existing file the one that is written.
    fn reopen(&mut self, name: &str) -> io::Result<()>;
    /// Writes into the open file.
    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes what was written to the open file durable.
    fn sync(&mut self) -> io::Result<()>;
    /// Cuts the open file, durably.
    fn truncate(&mut self, len: u64) -> io::Result<()>;
    /// Deletes a file; durable after [`sync_folder`](Self::sync_folder).
    fn remove(&mut self, name: &str) -> io::Result<()>;
    /// Makes durable which files there are.
    fn sync_folder(&mut self) -> io::Result<()>;
    /// Free and total bytes.
    fn space(&self) -> io::Result<(u64, u64)>;
}

/// A folder of the file system.
pub(crate) struct Folder {
    path: PathBuf,
    handle: File,
    open: Option<File>,
    /// Held for as long as we write, so that no second process does.
    _lock: File,
}

impl Folder {
    /// Opens or makes the folder and locks it.
    pub(crate) fn open(path: &Path) -> io::Result<Folder> {
        std::fs::create_dir_all(path)?;
        sync_parents(path)?;
        let lock =
            OpenOptions::new().create(true).truncate(false).write(true).open(path.join("LOCK"))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => io::Error::new(
                io::ErrorKind::WouldBlock,
                "another Fettler is running on this directory; stop it first",
            ),
            TryLockError::Error(error) => error,
        })?;
        Ok(Folder { path: path.to_owned(), handle: File::open(path)?, open: None, _lock: lock })
    }

    fn file(&self) -> io::Result<&File> {
        self.open.as_ref().ok_or_else(|| io::Error::other("no segment is open"))
    }
}

/// Makes the names of a new folder and of the new folders above it durable, up to the mount point.
fn sync_parents(path: &Path) -> io::Result<()> {
    let path = path.canonicalize()?;
    let device = path.metadata()?.dev();
    for parent in path.ancestors().skip(1) {
        if parent.metadata()?.dev() != device {
            return Ok(());
        }
        match File::open(parent) {
            Ok(parent) => parent.sync_all()?,
            // What we may not even list, we have not made.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Ok(()),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Disk for Folder {
    fn list(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        std::fs::read(self.path.join(name))
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .open(self.path.join(name))?;
        self.open = Some(file);
        Ok(())
    }

    fn reopen(&mut self, name: &str) -> io::Result<()> {
        self.open = Some(OpenOptions::new().write(true).open(self.path.join(name))?);
        Ok(())
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file()?.write_all_at(bytes, offset)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.file()?.sync_data()
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.file()?.set_len(len)?;
        self.file()?.sync_all()
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        std::fs::remove_file(self.path.join(name))
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.handle.sync_all()
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        let stat = rustix::fs::fstatvfs(&self.handle)?;
        Ok((stat.f_bavail * stat.f_frsize, stat.f_blocks * stat.f_frsize))
    }
}
