//! A lake in a temporary directory with its buffer, and rows to put into it.

use std::collections::BTreeMap;
use std::sync::Arc;

use lake::{Lake, Options};
use signal::{
    AssetId, Event, EventKind, Quality, Rows, Sample, SampleColumns, SignalId, SourceId, TenantId,
    TimeRange,
};

pub(crate) const T0: i64 = 1_767_225_600_000_000;
pub(crate) const ONE: TenantId = TenantId(1);
pub(crate) const ALL: TimeRange = TimeRange { start_us: 0, end_us: i64::MAX / 2 };

pub(crate) struct House {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) buffer: Arc<wal::Buffer>,
    pub(crate) lake: Arc<Lake>,
    pub(crate) lsn: u64,
}

impl House {
    pub(crate) fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let buffer = Arc::new(wal::Buffer::default());
        let lake = Arc::new(Lake::open(dir.path(), buffer.clone(), Options::default()).unwrap());
        House { dir, buffer, lake, lsn: 0 }
    }

    /// As after a crash: the buffer is gone, the directory stays.
    pub(crate) fn restart(mut self) -> House {
        self.buffer = Arc::new(wal::Buffer::default());
        self.lake =
            Arc::new(Lake::open(self.dir.path(), self.buffer.clone(), Options::default()).unwrap());
        self
    }

    pub(crate) fn push(&mut self, rows: &Rows) -> u64 {
        self.lsn += 1;
        self.buffer.push(self.lsn, rows, T0);
        self.lsn
    }

    pub(crate) async fn sums(&self) -> BTreeMap<u32, (usize, f64)> {
        let signals: Vec<SignalId> = (0..20).map(SignalId).collect();
        let mut sums = BTreeMap::new();
        for sample in self.lake.samples(ONE, &signals, ALL, 1_000_000).await.unwrap() {
            let sum: &mut (usize, f64) = sums.entry(sample.signal.0).or_default();
            sum.0 += 1;
            sum.1 += sample.value;
        }
        sums
    }

    pub(crate) async fn sql(&self, query: &str) -> String {
        match self.lake.sql(ONE, query, 1000).await {
            Ok(answer) => answer.rows_json().unwrap(),
            Err(error) => format!("error: {error}"),
        }
    }
}

pub(crate) fn rows(samples: &[(u32, i64, f64, Quality)]) -> Rows {
    let mut columns = SampleColumns::default();
    for &(signal, time_us, value, quality) in samples {
        columns.push(Sample { signal: SignalId(signal), time_us, value, quality });
    }
    Rows { tenant: ONE, source: SourceId(1), samples: columns, events: Vec::new() }
}

pub(crate) fn ramp(signal: u32, from: i64, n_rows: i64) -> Rows {
    let samples: Vec<_> = (from..from + n_rows)
        .map(|n| (signal, T0 + n * 60_000_000, n as f64, Quality::GOOD))
        .collect();
    rows(&samples)
}

pub(crate) fn note(body: &str) -> Event {
    Event {
        time_us: T0,
        kind: EventKind::Note,
        asset: Some(AssetId(9)),
        signal: None,
        body: body.to_owned(),
    }
}
