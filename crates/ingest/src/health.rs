//! How well a machine is, and why we think so.

use serde::{Deserialize, Serialize};
use signal::SignalId;

/// Health of one asset, as screens show it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Health {
    /// 0 (worst) to 100; none while learning.
    pub score: Option<f64>,
    /// The score in words.
    pub level: Level,
    /// Whether the detector does not judge yet.
    pub learning: bool,
    /// How much of what it must see it has seen, 0 to 1.
    pub learned_share: f64,
    /// When the present level began.
    pub since_us: i64,
    /// Which signals speak for it, largest first; empty while all is well.
    pub contributions: Vec<Contribution>,
    /// Known faults that look like it, most likely first.
    pub diagnosis: Vec<Diagnosis>,
}

/// Health in four words, and one for "not yet".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// The detector still learns what is normal.
    Learning,
    /// As it should be.
    Acceptable,
    /// Worth an eye.
    Monitor,
    /// Needs somebody.
    Alarm,
    /// Needs somebody now.
    Danger,
}

impl Level {
    /// The level of a score: 80 and more is acceptable, 50 monitor, 20 alarm.
    pub fn of(score: f64) -> Level {
        if score >= 80.0 {
            Level::Acceptable
        } else if score >= 50.0 {
            Level::Monitor
        } else if score >= 20.0 {
            Level::Alarm
        } else {
            Level::Danger
        }
    }
}

/// What one signal has to do with a finding.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Contribution {
    /// The signal.
    pub signal: SignalId,
    /// Its name below the asset.
    pub name: String,
    /// Its share of all contributions, 0 to 1.
    pub share: f64,
    /// How far it is from where it should be, in robust standard deviations; positive is high.
    pub direction: f64,
}

/// A known fault that looks like what is seen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diagnosis {
    /// Such as `bearing_wear`.
    pub fault: String,
    /// Such as `Bearing wear`.
    pub title: String,
    /// 0 to 1.
    pub confidence: f64,
    /// What makes it happen.
    pub cause: String,
    /// What happens if nobody acts.
    pub consequence: String,
    /// What to do.
    pub response: String,
    /// How long there is to do it.
    pub minutes_to_respond: u32,
}
