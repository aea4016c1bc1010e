//! Patterns of addresses and topics, level by level.
//!
//! Levels are joined with `/`. `{name}` takes one level, `{name...}` the rest (at least one level, last in the
//! pattern), and `*` in any other level stands for any characters of it.

use std::collections::BTreeMap;

/// What a pattern captures from an address, by name; none when the address is not what the pattern describes.
///
/// ```
/// use signal::pattern::captures;
/// let captured = captures("{site}/{m}/{rest...}", "hamburg/press01/oil/pressure").unwrap();
/// assert_eq!(captured["m"], "press01");
/// assert_eq!(captured["rest"], "oil/pressure");
/// assert!(captures("{site}/press*", "hamburg/spindle1").is_none());
/// ```
pub fn captures<'a>(pattern: &'a str, address: &str) -> Option<BTreeMap<&'a str, String>> {
    let mut captured = BTreeMap::new();
    let mut rest = Some(address);
    for part in pattern.split('/') {
        let left = rest?;
        let (level, deeper) = match left.split_once('/') {
            Some((level, deeper)) => (level, Some(deeper)),
            None => (left, None),
        };
        match capture_name(part) {
            Some((name, true)) => {
                captured.insert(name, left.to_owned());
                return Some(captured);
            }
            Some((name, false)) => {
                captured.insert(name, level.to_owned());
            }
            None if glob(part, level) => {}
            None => return None,
        }
        rest = deeper;
    }
    rest.is_none().then_some(captured)
}

/// The name that a level of a pattern captures, and whether it takes the rest: `{name}`, `{name...}`.
pub fn capture_name(part: &str) -> Option<(&str, bool)> {
    let inner = part.strip_prefix('{')?.strip_suffix('}')?;
    match inner.strip_suffix("...") {
        Some(name) => Some((name, true)),
        None => Some((inner, false)),
    }
}

/// Whether `text` is what `glob` describes; `*` stands for any number of characters.
///
/// ```
/// assert!(signal::pattern::glob("press*", "press01"));
/// assert!(!signal::pattern::glob("press*", "xpress"));
/// ```
pub fn glob(glob: &str, text: &str) -> bool {
    let mut parts = glob.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let Some(last) = glob.rfind('*').map(|at| &glob[at + 1..]) else { return rest.is_empty() };
    let middle: Vec<&str> = parts.collect();
    for part in &middle[..middle.len() - 1] {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}
