//! Samples and events, one by one and in columns.

use serde::{Deserialize, Serialize};

use crate::{AssetId, Quality, SignalId, SourceId, TenantId};

/// One value of one signal.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Which signal.
    pub signal: SignalId,
    /// When it was measured.
    pub time_us: i64,
    /// In the signal's unit. State signals hold the index of the state.
    pub value: f64,
    /// How far to trust it.
    pub quality: Quality,
}

/// Many samples, one vector per field, all of the same length. No order is promised.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleColumns {
    signals: Vec<SignalId>,
    times_us: Vec<i64>,
    values: Vec<f64>,
    qualities: Vec<Quality>,
}

impl SampleColumns {
    /// Columns with room for `n_rows` samples.
    pub fn with_capacity(n_rows: usize) -> SampleColumns {
        SampleColumns {
            signals: Vec::with_capacity(n_rows),
            times_us: Vec::with_capacity(n_rows),
            values: Vec::with_capacity(n_rows),
            qualities: Vec::with_capacity(n_rows),
        }
    }

    /// Appends one sample.
    #[inline]
    pub fn push(&mut self, sample: Sample) {
        self.signals.push(sample.signal);
        self.times_us.push(sample.time_us);
        self.values.push(sample.value);
        self.qualities.push(sample.quality);
    }

    /// Appends all samples of `other`.
    pub fn extend_from(&mut self, other: &SampleColumns) {
        self.signals.extend_from_slice(&other.signals);
        self.times_us.extend_from_slice(&other.times_us);
        self.values.extend_from_slice(&other.values);
        self.qualities.extend_from_slice(&other.qualities);
    }

    /// Builds columns from vectors that came from a file.
    ///
    /// # Panics
    /// When the vectors differ in length.
    pub fn from_vecs(
        signals: Vec<SignalId>,
        times_us: Vec<i64>,
        values: Vec<f64>,
        qualities: Vec<Quality>,
    ) -> SampleColumns {
        assert_eq!(signals.len(), times_us.len());
        assert_eq!(signals.len(), values.len());
        assert_eq!(signals.len(), qualities.len());
        SampleColumns { signals, times_us, values, qualities }
    }

    /// Forgets all rows from `len` on.
    pub fn truncate(&mut self, len: usize) {
        self.signals.truncate(len);
        self.times_us.truncate(len);
        self.values.truncate(len);
        self.qualities.truncate(len);
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.signals.len()
    }

    /// Whether there is no sample.
    pub fn is_empty(&self) -> bool {
        self.signals.is_empty()
    }

    /// The sample at `row_idx`.
    ///
    /// # Panics
    /// When `row_idx` is not below [`len`](Self::len).
    #[inline]
    pub fn get(&self, row_idx: usize) -> Sample {
        Sample {
            signal: self.signals[row_idx],
            time_us: self.times_us[row_idx],
            value: self.values[row_idx],
            quality: self.qualities[row_idx],
        }
    }

    /// All samples in the order in which they were pushed.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Sample> + '_ {
        (0..self.len()).map(|row_idx| self.get(row_idx))
    }

    /// The signal of each row.
    pub fn signals(&self) -> &[SignalId] {
        &self.signals
    }

    /// The time of each row.
    pub fn times_us(&self) -> &[i64] {
        &self.times_us
    }

    /// The value of each row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The quality of each row.
    pub fn qualities(&self) -> &[Quality] {
        &self.qualities
    }

    /// The quality of each row, to be judged in place.
    pub fn qualities_mut(&mut self) -> &mut [Quality] {
        &mut self.qualities
    }

    /// Keeps the rows for which `keep[row_idx]` is true; returns how many were removed.
    ///
    /// # Panics
    /// When `keep` is not as long as the columns.
    pub fn retain(&mut self, keep: &[bool]) -> usize {
        assert_eq!(keep.len(), self.len());
        let before = self.len();
        let mut write = 0;
        for (row_idx, &kept) in keep.iter().enumerate() {
            if kept {
                self.signals[write] = self.signals[row_idx];
                self.times_us[write] = self.times_us[row_idx];
                self.values[write] = self.values[row_idx];
                self.qualities[write] = self.qualities[row_idx];
                write += 1;
            }
        }
        self.truncate(write);
        before - write
    }
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A text value of a signal (recipe name, state name, operator message).
    Text,
    /// An alarm went from one ISA-18.2 state to another; `body` is the transition as JSON.
    Alarm,
    /// A source connected, was lost, or sent something that could not be read.
    Source,
    /// A person wrote a note.
    Note,
}

impl EventKind {
    /// The name used in SQL and in the API.
    pub fn name(self) -> &'static str {
        match self {
            EventKind::Text => "text",
            EventKind::Alarm => "alarm",
            EventKind::Source => "source",
            EventKind::Note => "note",
        }
    }
}

/// Something that happened, told in words: texts, alarm transitions, notes.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When it happened.
    pub time_us: i64,
    /// What kind of thing.
    pub kind: EventKind,
    /// The asset it concerns, if one.
    pub asset: Option<AssetId>,
    /// The signal it concerns, if one.
    pub signal: Option<SignalId>,
    /// The text itself, or JSON where `kind` says so.
    pub body: String,
}

/// What a source hands over at once and is told about at once: stored all together, or not at all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rows {
    /// Whose rows.
    pub tenant: TenantId,
    /// Through which door they came.
    pub source: SourceId,
    /// Numbers.
    pub samples: SampleColumns,
    /// Words.
    pub events: Vec<Event>,
}

impl Rows {
    /// Samples and events together.
    pub fn len(&self) -> usize {
        self.samples.len() + self.events.len()
    }

    /// Whether there is nothing to store.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retain_keeps_rows_whole() {
        let mut columns = SampleColumns::default();
        for n in 0..5 {
            columns.push(Sample {
                signal: SignalId(n),
                time_us: i64::from(n) * 10,
                value: f64::from(n),
                quality: Quality(n),
            });
        }
        assert_eq!(columns.retain(&[true, false, true, false, true]), 2);
        let kept: Vec<u32> = columns.iter().map(|s| s.signal.0).collect();
        assert_eq!(kept, [0, 2, 4]);
        assert_eq!(
            columns.get(1),
            Sample { signal: SignalId(2), time_us: 20, value: 2.0, quality: Quality(2) }
        );
    }
}
