//! The asset-type library that ships with Fettler: what is known about kinds of machines.
//!
//! Each type is one TOML file in `library/`. A plant that needs another one adds a file; the tests hold
//! every file to the same rules (units are UCUM, every limit has a response, faults name signals that exist).

use std::sync::OnceLock;

use signal::model::AssetType;

const FILES: [&str; 4] = [
    include_str!("library/hydraulic_press.toml"),
    include_str!("library/cnc_spindle.toml"),
    include_str!("library/screw_compressor.toml"),
    include_str!("library/filling_line.toml"),
];

/// Every asset type that ships with Fettler.
pub fn library() -> &'static [AssetType] {
    static LIBRARY: OnceLock<Vec<AssetType>> = OnceLock::new();
    LIBRARY.get_or_init(|| {
        let read =
            |text: &&str| toml::from_str(text).expect("the tests read every file of the library");
        FILES.iter().map(read).collect()
    })
}

/// The type of that name, if it ships with Fettler.
pub(crate) fn find(name: &str) -> Option<&'static AssetType> {
    library().iter().find(|kind| kind.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check_unit;
    use signal::model::SignalKind;

    const FAULTS: [&str; 6] = [
        "bearing_wear",
        "hydraulic_leak",
        "filter_clogging",
        "cavitation",
        "sensor_drift",
        "misalignment",
    ];

    #[test]
    fn every_type_can_be_used_as_it_is() {
        assert_eq!(library().len(), 4);
        for kind in library() {
            let known = |name: &str| kind.signals.iter().find(|signal| signal.name == name);
            let state = known("state").unwrap_or_else(|| panic!("{} has no state", kind.name));
            assert_eq!(state.spec.states, ["stopped", "idle", "running", "fault"]);
            for signal in &kind.signals {
                check_unit(&signal.spec.unit)
                    .unwrap_or_else(|error| panic!("{}/{}: {error}", kind.name, signal.name));
                if let (Some(range), Some(normal)) = (signal.spec.range, signal.spec.normal) {
                    assert!(
                        range.0 <= normal.0 && normal.0 < normal.1 && normal.1 <= range.1,
                        "{}/{}",
                        kind.name,
                        signal.name
                    );
                }
                assert!(
                    signal.spec.kind != SignalKind::Gauge || signal.spec.range.is_some(),
                    "{}/{} has no range",
                    kind.name,
                    signal.name
                );
            }
        }
    }

    #[test]
    fn every_limit_may_ring_and_lies_outside_the_normal_band() {
        for kind in library() {
            assert!(kind.limits.len() >= 5, "{}", kind.name);
            for limit in &kind.limits {
                let place = format!("{}/{}", kind.name, limit.signal);
                let signal = kind.signals.iter().find(|signal| signal.name == limit.signal);
                let signal = signal.unwrap_or_else(|| panic!("{place} does not exist"));
                let rule = &limit.rule;
                assert!(
                    rule.above.is_some() != rule.below.is_some(),
                    "{place}: one side per limit"
                );
                assert!(
                    (1..=4).contains(&rule.priority) && rule.deadband > 0.0 && rule.on_delay_ms > 0,
                    "{place}"
                );
                assert!(rule.minutes_to_respond > 0, "{place}");
                for text in [&rule.cause, &rule.consequence, &rule.response] {
                    assert!(text.len() > 20 && text.ends_with('.'), "{place}: `{text}`");
                }
                let normal =
                    signal.spec.normal.unwrap_or_else(|| panic!("{place} has no normal band"));
                assert!(
                    rule.above.is_none_or(|above| above - rule.deadband >= normal.1),
                    "{place}"
                );
                assert!(
                    rule.below.is_none_or(|below| below + rule.deadband <= normal.0),
                    "{place}"
                );
                for state in &rule.only_in_states {
                    assert!(
                        ["stopped", "idle", "running", "fault"].contains(&state.as_str()),
                        "{place}: {state}"
                    );
                }
            }
        }
    }

    #[test]
    fn every_fault_is_told_from_the_others_of_its_type() {
        for kind in library() {
            assert!(kind.faults.len() >= 4, "{}", kind.name);
            for fault in &kind.faults {
                assert!(FAULTS.contains(&fault.name.as_str()), "{}", fault.name);
                assert!(
                    fault.signs.len() >= 2 && fault.minutes_to_respond > 0,
                    "{}/{}",
                    kind.name,
                    fault.name
                );
                for (name, weight) in &fault.signs {
                    let known = kind.signals.iter().any(|signal| signal.name == *name);
                    assert!(known && *weight != 0.0, "{}/{}: {name}", kind.name, fault.name);
                }
                for text in [&fault.cause, &fault.consequence, &fault.response] {
                    assert!(
                        text.len() > 20 && text.ends_with('.'),
                        "{}/{}: `{text}`",
                        kind.name,
                        fault.name
                    );
                }
            }
            for (n, fault) in kind.faults.iter().enumerate() {
                for other in &kind.faults[n + 1..] {
                    let alike = likeness(&fault.signs, &other.signs);
                    assert!(
                        alike < 0.8,
                        "{}: {} and {} are {alike:.2} alike",
                        kind.name,
                        fault.name,
                        other.name
                    );
                }
            }
        }
        for fault in FAULTS {
            assert!(
                library().iter().any(|kind| kind.faults.iter().any(|known| known.name == fault)),
                "{fault}"
            );
        }
    }

    /// Cosine between two signatures.
    fn likeness(one: &[(String, f64)], two: &[(String, f64)]) -> f64 {
        let norm = |signs: &[(String, f64)]| {
            signs.iter().map(|(_, weight)| weight * weight).sum::<f64>().sqrt()
        };
        let weight = |name: &str| {
            two.iter().find(|(known, _)| known == name).map_or(0.0, |(_, weight)| *weight)
        };
        let dot: f64 = one.iter().map(|(name, own)| own * weight(name)).sum();
        dot / (norm(one) * norm(two))
    }
}
