//! A house without cleaning, tables and screens, for tests and for measuring a door alone.
//!
//! Every unknown address becomes a signal at once (`…/state` a state, words a text signal), and rows end in
//! memory or in a file that is synced before the answer, as the log does it.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use signal::model::SignalKind;
use signal::{Rows, SampleColumns, SignalId};
use tokio::sync::mpsc;

use crate::{
    Balance, Delivery, Directory, Fate, Inlet, InletError, InletQueue, LooksLike, Target, Wanted,
    inlet,
};

/// What happens to rows.
#[derive(Default)]
pub struct Store {
    /// Kept for [`House::wait_for_rows`]; else only counted.
    pub keep: bool,
    /// Rows are written here and synced before they are acknowledged.
    pub file: Option<File>,
}

#[derive(Default)]
struct Shelf {
    n_rows: usize,
    rows: Rows,
    refuse: Option<InletError>,
    hold: bool,
}

/// An inlet with somebody behind it.
pub struct House {
    /// The door.
    pub inlet: Inlet,
    /// Addresses, answered by a task of this house.
    pub directory: Arc<Directory>,
    names: Arc<Mutex<Vec<String>>>,
    shelf: Arc<(Mutex<Shelf>, Condvar)>,
}

impl House {
    /// Opens a house; must be called within a tokio runtime.
    pub fn open(max_rows: usize, store: Store) -> House {
        let (directory, wanted) = Directory::new();
        let (inlet, queue) = inlet(max_rows, Arc::new(Balance::default()));
        let names = Arc::default();
        let shelf = Arc::new((Mutex::default(), Condvar::new()));
        tokio::spawn(register(directory.clone(), wanted, Arc::clone(&names)));
        let kept = Arc::clone(&shelf);
        std::thread::spawn(move || consume(queue, store, &kept));
        House { inlet, directory, names, shelf }
    }

    /// From now on everything is refused with this, or nothing.
    pub fn refuse(&self, error: Option<InletError>) {
        lock(&self.shelf.0).refuse = error;
    }

    /// Stops answering, or goes on: rows that come meanwhile wait.
    pub fn hold(&self, hold: bool) {
        lock(&self.shelf.0).hold = hold;
        self.shelf.1.notify_all();
    }

    /// Waits until `n_rows` rows are stored; false after ten seconds.
    pub async fn wait_for_rows(&self, n_rows: usize) -> bool {
        for _ in 0..2_000 {
            if self.n_rows() >= n_rows {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        false
    }

    /// Rows stored so far.
    pub fn n_rows(&self) -> usize {
        lock(&self.shelf.0).n_rows
    }

    /// What was kept: samples as (address, value, time in µs) in the order in which they were stored.
    pub fn samples(&self) -> Vec<(String, f64, i64)> {
        let names = lock(&self.names).clone();
        let shelf = lock(&self.shelf.0);
        let named = shelf.rows.samples.iter().map(|sample| {
            let name = names.get(sample.signal.idx()).cloned().unwrap_or_default();
            (name, sample.value, sample.time_us)
        });
        named.collect()
    }

    /// What was kept: texts.
    pub fn texts(&self) -> Vec<String> {
        lock(&self.shelf.0).rows.events.iter().map(|event| event.body.clone()).collect()
    }
}

async fn register(
    directory: Arc<Directory>,
    mut wanted: mpsc::Receiver<Wanted>,
    names: Arc<Mutex<Vec<String>>>,
) {
    let mut states: Vec<(SignalId, Vec<String>)> = Vec::new();
    while let Some(question) = wanted.recv().await {
        match question {
            Wanted::Address { source, address, looks, answer } => {
                // Two connections may have asked at once.
                let target = directory.get(source, &address).unwrap_or_else(|| {
                    let mut names = lock(&names);
                    let kind = match looks {
                        _ if address.rsplit('/').next() == Some("state") => SignalKind::State,
                        LooksLike::Text => SignalKind::Text,
                        LooksLike::Number | LooksLike::Bool => SignalKind::Gauge,
                    };
                    let signal = SignalId(names.len() as u32);
                    let target = Target { signal, a: 1.0, b: 0.0, kind };
                    directory.insert(source, &address, target);
                    names.push(address);
                    target
                });
                let _ = answer.send(Some(target));
            }
            Wanted::State { signal, text, answer } => {
                let at = states.iter().position(|(other, _)| *other == signal);
                let at = at.unwrap_or_else(|| {
                    states.push((signal, Vec::new()));
                    states.len() - 1
                });
                let known = &mut states[at].1;
                let code = known.iter().position(|state| *state == text).unwrap_or_else(|| {
                    known.push(text);
                    known.len() - 1
                });
                directory.set_states(signal, known.clone());
                let _ = answer.send(Some(code as f64));
            }
        }
    }
}

fn consume(mut queue: InletQueue, mut store: Store, shelf: &(Mutex<Shelf>, Condvar)) {
    let mut deliveries: Vec<Delivery> = Vec::new();
    let mut bytes = Vec::new();
    while queue.wait(&mut deliveries, 65_536, Duration::from_millis(100)) {
        if deliveries.is_empty() {
            continue;
        }
        let held = shelf.1.wait_while(lock(&shelf.0), |shelf| shelf.hold);
        let mut shelf = held.unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = shelf.refuse.clone() {
            deliveries.drain(..).for_each(|delivery| delivery.answer(Err(error.clone())));
            continue;
        }
        if let Err(error) = sync(store.file.as_mut(), &deliveries, &mut bytes) {
            let refusal = InletError::ReadOnly { reason: error.to_string(), retry_after_s: 1 };
            deliveries.drain(..).for_each(|delivery| delivery.answer(Err(refusal.clone())));
            continue;
        }
        for delivery in deliveries.drain(..) {
            let n_rows = delivery.rows.len();
            shelf.n_rows += n_rows;
            if store.keep {
                shelf.rows.samples.extend_from(&delivery.rows.samples);
                shelf.rows.events.extend(delivery.rows.events.iter().cloned());
            }
            delivery.answer(Ok(Fate { stored: n_rows as u64, duplicates: 0 }));
        }
    }
}

/// One write and one fsync for everything that waits.
fn sync(
    file: Option<&mut File>,
    deliveries: &[Delivery],
    bytes: &mut Vec<u8>,
) -> std::io::Result<()> {
    let Some(file) = file else { return Ok(()) };
    bytes.clear();
    for delivery in deliveries {
        push_columns(bytes, &delivery.rows.samples);
    }
    file.write_all(bytes)?;
    file.sync_data()
}

fn push_columns(bytes: &mut Vec<u8>, samples: &SampleColumns) {
    for sample in samples.iter() {
        bytes.extend_from_slice(&sample.signal.0.to_le_bytes());
        bytes.extend_from_slice(&sample.time_us.to_le_bytes());
        bytes.extend_from_slice(&sample.value.to_le_bytes());
        bytes.extend_from_slice(&sample.quality.0.to_le_bytes());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
