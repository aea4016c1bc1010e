//! A disk in memory that fails as a test or a seed decides.
//!
//! It is meaner than a file system has to be: of what was not synced any part may survive a power cut, pages
//! whose fsync failed are clean and gone, names are lost when the folder was not synced, and writes into a
//! deleted file succeed.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;
use std::sync::{Arc, Mutex};

use crate::disk::Disk;

/// What survives a power cut or does not; small, as the frames of tests are.
const UNIT_BYTES: usize = 32;

/// Numbers that a seed repeats: xorshift64 (Marsaglia 2003), plus a constant so that small seeds differ soon.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// A number below `n`; 0 when `n` is 0.
    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }

    fn coin(&mut self) -> bool {
        self.below(2) == 1
    }
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It does nothing and says so.
    Refused,
    /// It does half of its work and says that it failed.
    Halfway,
    /// As [`Halfway`](Self::Halfway), because there is no room.
    Full,
    /// It does nothing, and neither does any other until the machine starts again.
    Dead,
}

impl Fault {
    pub(crate) const ALL: [Fault; 4] = [Fault::Refused, Fault::Halfway, Fault::Full, Fault::Dead];

    fn error(self) -> io::Error {
        match self {
            Fault::Full => io::ErrorKind::StorageFull.into(),
            _ => io::Error::other("input/output error"),
        }
    }
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Name {
    #[default]
    Unsynced,
    Durable,
    /// The sync of the folder failed; the next one will not know of it.
    Lost,
}

/// What a power cut leaves of a file, and what a process sees.
#[derive(Clone, Default)]
struct SimFile {
    durable: Vec<u8>,
    visible: Vec<u8>,
    dirty: Vec<Range<usize>>,
    name: Name,
}

#[derive(Clone, Default)]
struct State {
    files: BTreeMap<String, SimFile>,
    /// Deleted, but the folder was not synced since.
    gone: BTreeMap<String, SimFile>,
    open: Option<String>,
    capacity: usize,
    n_ops: usize,
    planned: Option<(usize, Fault)>,
    is_dead: bool,
}

/// The disk. Clones are the same disk.
#[derive(Clone)]
pub(crate) struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    pub(crate) fn new(capacity: usize) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State { capacity, ..State::default() })))
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.0.lock().expect("tests do not panic while holding it"))
    }

    /// Another disk with the same content.
    pub(crate) fn copy(&self) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(self.with(|state| state.clone()))))
    }

    /// Operation `nth` from now fails; 0 is the next one.
    pub(crate) fn plan(&self, nth: usize, fault: Fault) {
        self.with(|state| state.planned = Some((state.n_ops + nth, fault)));
    }

    /// Whether a planned fault has not happened yet.
    pub(crate) fn is_waiting(&self) -> bool {
        self.with(|state| state.planned.is_some())
    }

    /// Changes how much fits.
    pub(crate) fn grow(&self, n_bytes: usize) {
        self.with(|state| state.capacity += n_bytes);
    }

    /// The process is killed and starts again: what it saw is what it sees.
    pub(crate) fn restart(&self) {
        self.with(State::restart);
    }

    /// The power fails; what was not synced may survive in any part.
    pub(crate) fn cut_power(&self, seed: u64) {
        let mut random = Random(seed);
        self.with(|state| {
            let names = state.files.iter().map(|(name, file)| (name.clone(), file.name));
            let lost: Vec<String> = names
                .filter(|(_, name)| *name != Name::Durable && random.coin())
                .map(|(name, _)| name)
                .collect();
            lost.iter().for_each(|name| drop(state.files.remove(name)));
            for (name, file) in std::mem::take(&mut state.gone) {
                if random.coin() {
                    state.files.entry(name).or_insert(file);
                }
            }
            state.files.values_mut().for_each(|file| file.cut_power(&mut random));
            state.restart();
        });
    }

    /// The files with their bytes.
    pub(crate) fn files(&self) -> Vec<(String, Vec<u8>)> {
        self.with(|state| {
            let files = state.files.iter();
            files.map(|(name, file)| (name.clone(), file.visible.clone())).collect()
        })
    }

    /// Puts a file there, durably.
    pub(crate) fn put(&self, name: &str, bytes: Vec<u8>) {
        let (durable, dirty) = (bytes.clone(), Vec::new());
        let file = SimFile { durable, visible: bytes, dirty, name: Name::Durable };
        self.with(|state| state.files.insert(name.to_owned(), file));
    }
}

impl State {
    fn restart(&mut self) {
        self.open = None;
        self.is_dead = false;
    }

    /// Begins an operation; the fault that was planned for it.
    fn fault(&mut self) -> Option<Fault> {
        let op = self.n_ops;
        self.n_ops += 1;
        if self.is_dead {
            return Some(Fault::Dead);
        }
        let (_, fault) = self.planned.take_if(|(at, _)| *at == op)?;
        self.is_dead = fault == Fault::Dead;
        Some(fault)
    }

    /// The file that is open, unless it was deleted.
    fn file(&mut self) -> Option<&mut SimFile> {
        self.files.get_mut(self.open.as_ref().expect("the log opens before it writes"))
    }

    fn room(&self) -> usize {
        let used: usize = self.files.values().map(|file| file.visible.len()).sum();
        self.capacity.saturating_sub(used)
    }
}

impl SimFile {
    fn write(&mut self, bytes: &[u8]) {
        let start = self.visible.len();
        self.visible.extend_from_slice(bytes);
        self.dirty.push(start..self.visible.len());
    }

    /// Makes durable what `keeps` says of the dirty bytes; the others are clean from now on, too.
    fn sync(&mut self, mut keeps: impl FnMut(usize) -> bool) {
        self.durable.resize(self.visible.len(), 0);
        for at in std::mem::take(&mut self.dirty).into_iter().flatten() {
            if at < self.visible.len() && keeps(at) {
                self.durable[at] = self.visible[at];
            }
        }
    }

    fn cut_power(&mut self, random: &mut Random) {
        let before = self.durable.clone();
        let n_news = self.visible.len().saturating_sub(before.len());
        let units: Vec<bool> =
            (0..=self.visible.len() / UNIT_BYTES).map(|_| random.coin()).collect();
        let (is_prefix, n_kept) = (random.coin(), random.below(self.visible.len() + 2));
        self.sync(|at| if is_prefix { at < n_kept } else { units[at / UNIT_BYTES] });
        if n_news > 0 {
            self.durable.truncate(before.len() + random.below(n_news + 1));
        } else if before.len() > self.visible.len() && random.coin() {
            self.durable = before;
        }
        self.visible = self.durable.clone();
        self.name = Name::Durable;
    }
}

impl Disk for SimDisk {
    fn list(&self) -> io::Result<Vec<String>> {
        self.with(|state| match state.fault() {
            Some(fault) => Err(fault.error()),
            None => Ok(state.files.keys().cloned().collect()),
        })
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        self.with(|state| match state.fault() {
            Some(fault) => Err(fault.error()),
            None => Ok(state.files[name].visible.clone()),
        })
    }

    fn create(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| {
            let fault = state.fault();
            if !matches!(fault, Some(Fault::Refused | Fault::Dead)) {
                let file = state.files.entry(name.to_owned()).or_default();
                file.visible.clear();
                file.dirty.clear();
            }
            if let Some(fault) = fault {
                return Err(fault.error());
            }
            state.open = Some(name.to_owned());
            Ok(())
        })
    }

    fn reopen(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| {
            if let Some(fault) = state.fault() {
                return Err(fault.error());
            }
            assert!(state.files.contains_key(name), "{name} is there");
            state.open = Some(name.to_owned());
            Ok(())
        })
    }

    fn write_at(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|state| {
            let fault = match state.fault() {
                None if state.room() < bytes.len() => Some(Fault::Full),
                fault => fault,
            };
            let n_written = match fault {
                None => bytes.len(),
                Some(Fault::Halfway) => bytes.len() / 2,
                Some(Fault::Full) => state.room().min(bytes.len() / 2),
                Some(Fault::Refused | Fault::Dead) => 0,
            };
            if let Some(file) = state.file() {
                assert_eq!(file.visible.len() as u64, offset, "the log only appends");
                file.write(&bytes[..n_written]);
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn sync(&mut self) -> io::Result<()> {
        self.with(|state| {
            let fault = state.fault();
            if let Some(file) = state.file() {
                let half = file.visible.len() / 2;
                match fault {
                    None => file.sync(|_| true),
                    Some(Fault::Halfway) => file.sync(|at| at < half),
                    Some(Fault::Refused | Fault::Full) => file.dirty.clear(),
                    Some(Fault::Dead) => {}
                }
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn truncate(&mut self, len: u64) -> io::Result<()> {
        self.with(|state| {
            let fault = state.fault();
            if let Some(file) = state.file()
                && !matches!(fault, Some(Fault::Refused | Fault::Dead))
            {
                file.visible.truncate(len as usize);
                if fault.is_none() {
                    file.sync(|_| true);
                }
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn remove(&mut self, name: &str) -> io::Result<()> {
        self.with(|state| {
            let fault = state.fault();
            if !matches!(fault, Some(Fault::Refused | Fault::Dead))
                && let Some(file) = state.files.remove(name)
            {
                state.gone.insert(name.to_owned(), file);
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn sync_folder(&mut self) -> io::Result<()> {
        self.with(|state| {
            let fault = state.fault();
            let name = if fault.is_none() { Name::Durable } else { Name::Lost };
            for file in state.files.values_mut().filter(|file| file.name == Name::Unsynced) {
                file.name = name;
            }
            if fault.is_none() {
                state.gone.clear();
            }
            fault.map_or(Ok(()), |fault| Err(fault.error()))
        })
    }

    fn space(&self) -> io::Result<(u64, u64)> {
        self.with(|state| match state.fault() {
            Some(fault) => Err(fault.error()),
            None => Ok((state.room() as u64, 1 << 40)),
        })
    }
}
