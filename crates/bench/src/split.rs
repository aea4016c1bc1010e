//! Which bytes were read, and which rows of them were learned from and judged, as one short hash.

use std::fmt;
use std::fs;
use std::path::Path;

use analytics::trees::Fold;
use anyhow::Context;
use sha2::{Digest, Sha256};

/// The data of a table and how they were split: two tables with the same hash were made from the same rows.
///
/// Shown as the first eight hexadecimal digits of the SHA-256 of all parts in the order in which they were added. Each
/// part begins with its name and its length, so that none runs into the next.
#[derive(Clone, Debug, Default)]
pub struct Split(Sha256);

impl Split {
    /// Adds a file by name and bytes; the folder that it lies in does not count.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn file(self, path: &Path) -> anyhow::Result<Split> {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Ok(self.bytes(&name, &bytes))
    }

    /// Adds files in the order given; as [`Split::file`].
    ///
    /// # Errors
    /// If one of them cannot be read.
    pub fn files<P: AsRef<Path>>(
        self,
        paths: impl IntoIterator<Item = P>,
    ) -> anyhow::Result<Split> {
        paths.into_iter().try_fold(self, |split, path| split.file(path.as_ref()))
    }

    /// Adds bytes that were read or made.
    #[must_use]
    pub fn bytes(mut self, name: &str, bytes: &[u8]) -> Split {
        self.0.update(name.as_bytes());
        self.0.update([0]);
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds values that were made up, bit for bit.
    #[must_use]
    pub fn values<'a>(self, name: &str, values: impl IntoIterator<Item = &'a f64>) -> Split {
        let bytes: Vec<u8> = values.into_iter().flat_map(|value| value.to_le_bytes()).collect();
        self.bytes(name, &bytes)
    }

    /// Adds the rows (or machines, or files) that are used for `name`, such as `train` or `test`.
    #[must_use]
    pub fn rows(self, name: &str, rows: impl IntoIterator<Item = usize>) -> Split {
        let bytes: Vec<u8> = rows.into_iter().flat_map(|row| (row as u64).to_le_bytes()).collect();
        self.bytes(name, &bytes)
    }

    /// Adds the rows that each fold learns from and judges.
    #[must_use]
    pub fn folds(self, folds: &[Fold]) -> Split {
        folds.iter().fold(self, |split, fold| {
            let train = split.rows("train", fold.train.iter().copied());
            train.rows("test", fold.test.iter().copied())
        })
    }
}

impl fmt::Display for Split {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = self.0.clone().finalize();
        hash[..4].iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(split: &Split, expected: &str) {
        assert_eq!(split.to_string(), expected);
    }

    #[test]
    fn the_hash_is_the_one_of_names_lengths_and_bytes() {
        // printf '' | sha256sum; printf 'a\0\1\0\0\0\0\0\0\0x' | sha256sum
        check(&Split::default(), "e3b0c442");
        check(&Split::default().bytes("a", b"x"), "c4f76f51");
    }

    #[test]
    fn every_row_value_and_byte_counts() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("rows.csv");
        let mut seen = std::collections::BTreeSet::new();
        for text in ["1,2\n", "1,3\n"] {
            fs::write(&path, text)?;
            for rows in [0..2, 0..3, 1..3] {
                for values in [[1.0, 2.0], [2.0, 1.0]] {
                    let split = Split::default().file(&path)?.rows("train", rows.clone());
                    assert!(seen.insert(split.values("made up", &values).to_string()));
                }
            }
        }
        let moved = folder.path().join("elsewhere");
        fs::create_dir(&moved)?;
        fs::copy(&path, moved.join("rows.csv"))?;
        let [here, there] =
            [&path, &moved.join("rows.csv")].map(|path| Split::default().file(path));
        assert_eq!(here?.to_string(), there?.to_string());
        Ok(())
    }
}
