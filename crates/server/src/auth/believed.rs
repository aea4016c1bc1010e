//! Credentials that need no second look for some seconds.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Caller;

/// How long a checked password or token is believed without looking again.
const BELIEVED_US: i64 = 10 * signal::SECOND_US;
/// Most credentials that are believed at the same time.
const MAX_BELIEVED: usize = 1_000;

/// Credentials that were checked a moment ago: a password costs 20 ms of computing, a client sends it each time.
#[derive(Default)]
pub(crate) struct Believed {
    callers: Mutex<HashMap<[u8; 32], (Caller, i64)>>,
}

impl Believed {
    pub(super) fn get(&self, digest: &[u8; 32], now_us: i64) -> Option<Caller> {
        let callers = self.lock();
        callers
            .get(digest)
            .filter(|(_, until_us)| *until_us > now_us)
            .map(|(caller, _)| caller.clone())
    }

    pub(super) fn put(&self, digest: [u8; 32], caller: Caller, now_us: i64) {
        let mut callers = self.lock();
        if callers.len() >= MAX_BELIEVED {
            callers.clear();
        }
        callers.insert(digest, (caller, now_us + BELIEVED_US));
    }

    /// After a token, a user or a password was changed.
    pub(crate) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], (Caller, i64)>> {
        self.callers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
