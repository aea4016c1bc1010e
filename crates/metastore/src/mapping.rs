//! From an address to a place in the plant: the pure part of mapping rules.
//!
//! A pattern is matched level by level, see [`signal::pattern`]; what a rule can say is
//! [`signal::model::MappingRule`]. A rule with a payload takes the addresses that its declared values have: the topic
//! that its pattern describes, and behind it the value's name, which its templates know as `{field}`.

use std::collections::BTreeMap;

use signal::model::{MappingRule, Payload};
use signal::pattern::{capture_name, captures};

pub use signal::pattern::glob;

use crate::payload;

/// Most levels of an address that a rule looks at; deeper ones do not match.
pub const MAX_LEVELS: usize = 32;
/// Longest address or path, in bytes.
pub const MAX_BYTES: usize = 1024;
/// What templates call the name of a value within its message.
const FIELD: &str = "field";

/// Where a rule puts an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Path of the asset, `hamburg/line1/press01`.
    pub asset: String,
    /// Kind per level of that path where the rule names it: `{machine}` makes a `machine`.
    pub kinds: Vec<Option<String>>,
    /// Name of the signal below the asset.
    pub signal: String,
    /// Type of the asset by the rule's globs.
    pub asset_type: Option<String>,
}

/// Why a rule cannot work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RuleError {
    /// Which field: `pattern`, `asset`, `signal`, `asset_types`, `payload`.
    pub field: &'static str,
    /// What is wrong with it.
    pub message: String,
}

/// The first of `rules` that takes `address` of the source named `source`; those that declare a payload come first,
/// as they know what their values are called.
///
/// None when no rule matches, or the address is longer than [`MAX_BYTES`] or deeper than [`MAX_LEVELS`].
///
/// ```
/// use signal::model::MappingRule;
/// let rule = MappingRule {
///     id: 0,
///     source: String::new(),
///     pattern: "{site}/{line}/{machine}/{signal...}".into(),
///     asset: "{site}/{line}/{machine}".into(),
///     signal: "{signal}".into(),
///     asset_types: vec![("press*".into(), "hydraulic_press".into())],
///     payload: None,
/// };
/// let place = metastore::mapping::apply(&[rule], "mqtt", "hamburg/line1/press01/hydraulics/pressure").unwrap();
/// assert_eq!(place.asset, "hamburg/line1/press01");
/// assert_eq!(place.signal, "hydraulics/pressure");
/// assert_eq!(place.asset_type.as_deref(), Some("hydraulic_press"));
/// ```
pub fn apply(rules: &[MappingRule], source: &str, address: &str) -> Option<Place> {
    if address.len() > MAX_BYTES {
        return None;
    }
    let levels: Vec<&str> = address.split('/').collect();
    if levels.len() > MAX_LEVELS || levels.iter().any(|level| level.is_empty()) {
        return None;
    }
    let (declaring, plain): (Vec<&MappingRule>, Vec<&MappingRule>) = rules
        .iter()
        .filter(|rule| rule.source.is_empty() || rule.source == source)
        .partition(|rule| rule.payload.is_some());
    declaring.into_iter().chain(plain).find_map(|rule| place(rule, address))
}

/// Checks that a rule can be used: its pattern is well formed, its templates use only what it captures, and what it
/// declares of the payload fits together.
///
/// # Errors
/// With the field and the reason.
pub fn check(rule: &MappingRule) -> Result<(), RuleError> {
    let mut names = check_pattern(&rule.pattern)?;
    if let Some(payload) = &rule.payload {
        check_payload(rule, payload, &names)?;
        names.push(FIELD.to_owned());
    }
    check_template("asset", &rule.asset, &names)?;
    check_template("signal", &rule.signal, &names)?;
    for (glob, kind) in &rule.asset_types {
        if glob.is_empty() || kind.is_empty() {
            return Err(error("asset_types", "a glob and a type name are needed".into()));
        }
    }
    Ok(())
}

fn place(rule: &MappingRule, address: &str) -> Option<Place> {
    let captured = match &rule.payload {
        Some(payload) => captures_of_value(rule, payload, address)?,
        None => captures(&rule.pattern, address)?,
    };
    let asset = fill(&rule.asset, &captured)?;
    let signal = fill(&rule.signal, &captured)?;
    if !is_path(&asset) || !is_path(&signal) || asset.len() + signal.len() > MAX_BYTES {
        return None;
    }
    let last = asset.rsplit('/').next().unwrap_or_default();
    let asset_type = rule
        .asset_types
        .iter()
        .find(|(pattern, _)| glob(pattern, last))
        .map(|(_, kind)| kind.clone());
    Some(Place { kinds: kinds(&rule.asset, &captured), asset, signal, asset_type })
}

/// Levels joined with `/`, none of them empty.
pub(crate) fn is_path(path: &str) -> bool {
    !path.is_empty() && path.split('/').all(|level| !level.is_empty() && level.trim() == level)
}

/// The captures of the topic, and the value's name as `{field}`; none when no such value is declared.
fn captures_of_value<'a>(
    rule: &'a MappingRule,
    payload: &Payload,
    address: &str,
) -> Option<BTreeMap<&'a str, String>> {
    let n_levels = rule.pattern.split('/').count();
    let (topic, field) = match address.match_indices('/').nth(n_levels - 1) {
        Some((at, _)) => (&address[..at], &address[at + 1..]),
        None => (address, ""),
    };
    let mut captured = captures(&rule.pattern, topic)?;
    if !payload::declares(payload, field) {
        return None;
    }
    captured.insert(FIELD, field.to_owned());
    Some(captured)
}

/// Replaces every `{name}`; none when a name was not captured.
fn fill(template: &str, captured: &BTreeMap<&str, String>) -> Option<String> {
    let mut filled = String::with_capacity(template.len() + 32);
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        let close = open + rest[open..].find('}')?;
        filled.push_str(&rest[..open]);
        filled.push_str(captured.get(&rest[open + 1..close])?);
        rest = &rest[close + 1..];
    }
    filled.push_str(rest);
    Some(filled)
}

/// The kind of each level of the asset path: the capture's name where a level is exactly one capture.
fn kinds(template: &str, captured: &BTreeMap<&str, String>) -> Vec<Option<String>> {
    let mut kinds = Vec::new();
    for part in template.split('/') {
        let name = capture_name(part).map(|(name, _)| name);
        let n_levels =
            name.and_then(|name| captured.get(name)).map_or(1, |value| value.split('/').count());
        for level in 0..n_levels {
            let single = n_levels == 1 && level == 0;
            kinds.push(name.filter(|_| single).map(str::to_owned));
        }
    }
    kinds
}

fn check_pattern(pattern: &str) -> Result<Vec<String>, RuleError> {
    if !is_path(pattern) || pattern.len() > MAX_BYTES {
        return Err(error("pattern", format!("`{pattern}` has empty levels or is too long")));
    }
    let parts: Vec<&str> = pattern.split('/').collect();
    if parts.len() > MAX_LEVELS {
        return Err(error("pattern", format!("more than {MAX_LEVELS} levels")));
    }
    let mut names: Vec<String> = Vec::new();
    for (part_idx, part) in parts.iter().enumerate() {
        let Some((name, takes_rest)) = capture_name(part) else {
            if part.contains(['{', '}']) {
                return Err(error(
                    "pattern",
                    format!("`{part}`: a capture is a whole level, `{{name}}`"),
                ));
            }
            continue;
        };
        if name.is_empty() || !name.chars().all(|c| c.is_alphanumeric() || c == '_') {
            return Err(error("pattern", format!("`{part}`: a name is letters, digits and `_`")));
        }
        if takes_rest && part_idx + 1 != parts.len() {
            return Err(error("pattern", format!("`{part}` takes the rest, so it must be last")));
        }
        if names.iter().any(|known| known == name) {
            return Err(error("pattern", format!("`{name}` is captured twice")));
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

fn check_payload(rule: &MappingRule, payload: &Payload, names: &[String]) -> Result<(), RuleError> {
    payload::check(payload).map_err(|message| error("payload", message))?;
    if rule.pattern.ends_with("...}") {
        let message = "with a payload, the pattern has a level for each level of the topic: write `{a}/{b}` for `{a...}`";
        return Err(error("pattern", message.into()));
    }
    if names.iter().any(|name| name == FIELD) {
        let message = "with a payload, `{field}` is the value's name: capture under another name";
        return Err(error("pattern", message.into()));
    }
    let is_nameless = payload.values.iter().all(|value| value.name.is_empty());
    if is_nameless && rule.signal.contains("{field}") && !payload::has_objects(payload) {
        let message =
            "`{field}` is empty, as the payload's value has no name: name the signal otherwise";
        return Err(error("signal", message.into()));
    }
    if payload.values.len() > 1 && !rule.signal.contains("{field}") {
        let message = format!(
            "`{}` would be the same for all values of the payload: use `{{field}}`",
            rule.signal
        );
        return Err(error("signal", message));
    }
    Ok(())
}

fn check_template(field: &'static str, template: &str, names: &[String]) -> Result<(), RuleError> {
    let filler: BTreeMap<&str, String> =
        names.iter().map(|name| (name.as_str(), "x".to_owned())).collect();
    match fill(template, &filler) {
        Some(filled) if is_path(&filled) => Ok(()),
        Some(_) => Err(error(field, format!("`{template}` has empty levels"))),
        None => {
            Err(error(field, format!("`{template}` uses a name that the pattern does not capture")))
        }
    }
}

fn error(field: &'static str, message: String) -> RuleError {
    RuleError { field, message }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(pattern: &str, asset: &str, signal: &str) -> MappingRule {
        MappingRule {
            id: 0,
            source: String::new(),
            pattern: pattern.into(),
            asset: asset.into(),
            signal: signal.into(),
            asset_types: vec![
                ("press*".into(), "hydraulic_press".into()),
                ("*".into(), "thing".into()),
            ],
            payload: None,
        }
    }

    fn check_apply(
        pattern: &str,
        asset: &str,
        signal: &str,
        address: &str,
        expected: Option<(&str, &str)>,
    ) {
        let rule = rule(pattern, asset, signal);
        let place = apply(&[rule], "mqtt", address);
        let found = place.as_ref().map(|place| (place.asset.as_str(), place.signal.as_str()));
        assert_eq!(found, expected, "{pattern} on {address}");
    }

    #[test]
    fn addresses_find_their_place() {
        check_apply("{s}/{m}/{x...}", "{s}/{m}", "{x}", "a/b/c/d", Some(("a/b", "c/d")));
        check_apply("{s}/{m}/{x...}", "{s}/{m}", "{x}", "a/b", None);
        check_apply("{s}/{m}/{x}", "{s}/{m}", "{x}", "a/b/c/d", None);
        check_apply(
            "plant/*/{m}/{x}",
            "hall/{m}",
            "{x}",
            "plant/zone9/m1/temp",
            Some(("hall/m1", "temp")),
        );
        check_apply(
            "plant/z*9/{m}/{x}",
            "hall-{m}",
            "raw/{x}",
            "plant/zone9/m1/t",
            Some(("hall-m1", "raw/t")),
        );
        check_apply("plant/{m}/{x}", "{m}", "{x}", "plant//t", None);
        check_apply("{x}", "fixed", "{x}", "temp", Some(("fixed", "temp")));
    }

    #[test]
    fn the_first_rule_that_matches_wins_and_sources_are_kept_apart() {
        let mut only_http = rule("{m}/{x}", "http/{m}", "{x}");
        only_http.source = "http".into();
        let rules = [only_http, rule("{m}/{x}", "any/{m}", "{x}")];
        assert_eq!(apply(&rules, "http", "m1/t").map(|place| place.asset), Some("http/m1".into()));
        assert_eq!(apply(&rules, "mqtt", "m1/t").map(|place| place.asset), Some("any/m1".into()));
    }

    #[test]
    fn captures_name_the_kinds_of_the_levels() {
        let place = apply(
            &[rule("{site}/{machine}/{x}", "{site}/hall/{machine}", "{x}")],
            "",
            "a/press1/t",
        );
        let place = place.expect("matches");
        assert_eq!(place.kinds, [Some("site".into()), None, Some("machine".into())]);
        assert_eq!(place.asset_type.as_deref(), Some("hydraulic_press"));
    }

    #[test]
    fn bad_rules_are_told_with_their_field() {
        let field = |pattern, asset, signal| {
            check(&rule(pattern, asset, signal)).err().map(|error| error.field)
        };
        assert_eq!(field("{a}/{b...}", "{a}", "{b}"), None);
        assert_eq!(field("{a...}/{b}", "{a}", "{b}"), Some("pattern"));
        assert_eq!(field("{a}/{a}", "{a}", "{a}"), Some("pattern"));
        assert_eq!(field("x{a}/{b}", "{a}", "{b}"), Some("pattern"));
        assert_eq!(field("{a}//{b}", "{a}", "{b}"), Some("pattern"));
        assert_eq!(field("{a}/{b}", "{c}", "{b}"), Some("asset"));
        assert_eq!(field("{a}/{b}", "{a}", "{b}/"), Some("signal"));
    }

    proptest! {
        /// Whatever comes over the wire, matching ends and never panics, and what it gives is a path.
        #[test]
        fn any_address_and_rule_are_survived(pattern in "[a-z{}.*/]{0,20}", asset in "[a-z{}/]{0,12}", address in "\\PC{0,40}") {
            if let Some(place) = apply(&[rule(&pattern, &asset, "{x}")], "s", &address) {
                prop_assert!(is_path(&place.asset));
                prop_assert_eq!(place.kinds.len(), place.asset.split('/').count());
            }
        }

        /// The default rule loses nothing: asset and signal together are the address.
        #[test]
        fn the_default_rule_keeps_every_level(levels in prop::collection::vec("[a-z0-9_]{1,8}", 4..9)) {
            let address = levels.join("/");
            let rule = rule("{site}/{line}/{machine}/{signal...}", "{site}/{line}/{machine}", "{signal}");
            let place = apply(&[rule], "mqtt", &address).expect("four levels or more");
            prop_assert_eq!(format!("{}/{}", place.asset, place.signal), address);
        }

        /// A glob without a star is equality; a star at both ends is "contains".
        #[test]
        fn globs_mean_what_they_say(text in "[a-c]{0,6}", part in "[a-c]{0,3}") {
            prop_assert_eq!(glob(&part, &text), part == text);
            let both_ends = format!("*{part}*");
            prop_assert_eq!(glob(&both_ends, &text), text.contains(&part));
            let prefix = format!("{part}*");
            prop_assert_eq!(glob(&prefix, &text), text.starts_with(&part));
        }
    }
}
