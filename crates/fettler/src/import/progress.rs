//! How far an import got, in a file beside the imported one.

use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use super::Mapping;
use crate::serve::print;

/// Version 1 of the file.
#[derive(Serialize, Deserialize)]
struct Note {
    version: u32,
    /// Rows that are stored, from the first on.
    rows: usize,
    /// Length of the imported file.
    file_bytes: u64,
    mapping: Mapping,
}

/// The note of one import.
pub(super) struct Progress {
    path: PathBuf,
    note: Note,
    is_writable: bool,
}

impl Progress {
    /// What is noted for a file, unless the file or the meaning of its columns has changed since.
    pub(super) fn of(file: &Path, mapping: &Mapping) -> anyhow::Result<Progress> {
        let path = PathBuf::from(format!("{}.fettler-import", file.display()));
        let metadata =
            std::fs::metadata(file).with_context(|| format!("cannot open {}", file.display()))?;
        let file_bytes = metadata.len();
        let mut note = Note { version: 1, rows: 0, file_bytes, mapping: mapping.clone() };
        if let Ok(text) = std::fs::read_to_string(&path) {
            match serde_json::from_str::<Note>(&text) {
                Ok(old)
                    if (old.version, old.file_bytes) == (1, file_bytes)
                        && old.mapping == *mapping =>
                {
                    note = old;
                }
                _ => print(
                    "  the file or its mapping has changed since its import was broken off: begins anew\n",
                ),
            }
        }
        Ok(Progress { path, note, is_writable: true })
    }

    /// Rows that need not be sent again.
    pub(super) fn rows(&self) -> usize {
        self.note.rows
    }

    /// The first `n_rows` rows are stored.
    pub(super) fn note(&mut self, n_rows: usize) {
        self.note.rows = n_rows;
        if !self.is_writable {
            return;
        }
        // Written beside and renamed, so that a note is never half there.
        let beside = self.path.with_extension("fettler-import-new");
        let text = serde_json::to_string(&self.note).unwrap_or_default();
        let written =
            std::fs::write(&beside, text).and_then(|()| std::fs::rename(&beside, &self.path));
        if let Err(error) = written {
            self.is_writable = false;
            let path = self.path.display();
            tracing::warn!(%path, %error, "cannot note how far the import got; if it is broken off it begins anew");
        }
    }

    /// Everything is stored.
    pub(super) fn end(self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_goes_on_unless_file_or_mapping_has_changed() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("a.csv");
        std::fs::write(&file, "t,x\n1,2\n").expect("written");
        let mapping = Mapping { time: "t".to_owned(), ..Mapping::default() };
        let rows = |mapping: &Mapping| Progress::of(&file, mapping).expect("readable").rows();
        Progress::of(&file, &mapping).expect("readable").note(7);
        assert_eq!(rows(&mapping), 7);
        assert_eq!(rows(&Mapping { prefix: "other".to_owned(), ..mapping.clone() }), 0);
        std::fs::write(&file, "t,x\n1,2\n3,4\n").expect("written");
        assert_eq!(rows(&mapping), 0);
        let mut progress = Progress::of(&file, &mapping).expect("readable");
        progress.note(3);
        progress.end();
        assert_eq!(rows(&mapping), 0);
    }
}
