//! Wrong passwords are slowed down.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Wrong tries before a name must wait …
pub(super) const MAX_TRIES: u32 = 5;
/// … for so long.
const WAIT_US: i64 = 30 * signal::SECOND_US;
/// Most names whose wrong tries are remembered.
const MAX_NAMES: usize = 10_000;

/// Wrong passwords in a row, by name.
#[derive(Default)]
pub(crate) struct Tries {
    names: Mutex<HashMap<String, (u32, i64)>>,
}

impl Tries {
    /// Seconds to wait, when there were too many.
    pub(super) fn may_try(&self, name: &str, now_us: i64) -> std::result::Result<(), u32> {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        match names.get(name) {
            Some((n_wrong, last_us)) if *n_wrong >= MAX_TRIES && now_us < last_us + WAIT_US => {
                Err(((last_us + WAIT_US - now_us) as u64).div_ceil(signal::SECOND_US as u64) as u32)
            }
            _ => Ok(()),
        }
    }

    pub(super) fn tried(&self, name: &str, is_right: bool, now_us: i64) {
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        names.retain(|_, (_, last_us)| now_us < *last_us + WAIT_US);
        if is_right {
            names.remove(name);
        } else if names.len() < MAX_NAMES || names.contains_key(name) {
            let (n_wrong, last_us) = names.entry(name.to_owned()).or_default();
            *n_wrong += 1;
            *last_us = now_us;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_wrong_passwords_wait_thirty_seconds() {
        let tries = Tries::default();
        for n in 0..5 {
            assert_eq!(tries.may_try("anna", n), Ok(()));
            tries.tried("anna", false, n);
        }
        assert_eq!(tries.may_try("anna", signal::SECOND_US), Err(30));
        assert_eq!(tries.may_try("bert", signal::SECOND_US), Ok(()), "others do not wait");
        assert_eq!(tries.may_try("anna", 31 * signal::SECOND_US), Ok(()));
        tries.tried("anna", true, 31 * signal::SECOND_US);
        tries.tried("anna", false, 32 * signal::SECOND_US);
        assert_eq!(
            tries.may_try("anna", 33 * signal::SECOND_US),
            Ok(()),
            "a right one begins anew"
        );
    }
}
