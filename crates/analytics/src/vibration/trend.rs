//! A machine against its own quietest time: the slow rise that says when a part begins to fail.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::scratch::Scratch;

/// When a rise is an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TrendSettings {
    /// Snapshots to learn from before the first verdict, at least 1.
    pub learn: usize,
    /// The median of so many last snapshots is judged, at least 1: one odd snapshot is no alarm.
    pub window: usize,
    /// Rise of the level above the quietest time that is an alarm, as a factor: 2 is a doubling.
    #[serde(with = "crate::saved")]
    pub factor: f64,
}

/// Follows the levels of one machine, snapshot by snapshot. Saved and read again it goes on as if never stopped.
///
/// New bearings run in and get quieter, so the reference is not the first level but the lowest smoothed one so far.
/// Source: change of magnitude, criterion II of ISO 20816-1:2016, §6.4; departure: a factor of the quietest time instead
/// of a share of a zone boundary, and medians instead of single readings.
/// Cost: O(window · channels) per snapshot, no allocation once the window is full.
///
/// ```
/// use analytics::vibration::{Trend, TrendSettings};
/// let mut trend = Trend::new(TrendSettings { learn: 2, window: 1, factor: 2.0 });
/// let rises: Vec<f64> = [4.0, 3.0, 2.0, 3.0, 5.0].iter().map(|level| trend.push(&[*level])).collect();
/// // learning, learning, a new quietest time, then 3 / 2 and 5 / 2
/// assert!(rises[0].is_nan() && rises[1].is_nan());
/// assert!((rises[2] - 2.0 / 3.0).abs() < 1e-12 && (rises[3] - 1.5).abs() < 1e-12);
/// assert!((rises[4] - 2.5).abs() < 1e-12 && trend.is_alarm());
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    settings: TrendSettings,
    n_seen: usize,
    /// Per channel, the last levels.
    #[serde(with = "crate::saved")]
    recent: Vec<VecDeque<f64>>,
    /// Per channel, the lowest smoothed level so far; `None` before there was one.
    #[serde(with = "crate::saved")]
    quietest: Vec<Option<f64>>,
    is_alarm: bool,
    #[serde(skip)]
    sorted: Scratch<Vec<f64>>,
}

impl Trend {
    /// A trend that has seen nothing; settings below 1 count as 1.
    pub fn new(settings: TrendSettings) -> Trend {
        Trend {
            settings,
            n_seen: 0,
            recent: Vec::new(),
            quietest: Vec::new(),
            is_alarm: false,
            sorted: Scratch::default(),
        }
    }

    /// Takes the levels of one snapshot, one per channel, above 0, any unit, always the same channels.
    ///
    /// Gives the largest rise of a channel as a factor of its quietest time; NaN while learning. A level that is
    /// NaN or not above 0 is left out of its channel.
    pub fn push(&mut self, levels: &[f64]) -> f64 {
        self.n_seen += 1;
        if self.recent.len() < levels.len() {
            self.recent.resize(levels.len(), VecDeque::new());
            self.quietest.resize(levels.len(), None);
        }
        let is_learning = self.n_seen <= self.settings.learn.max(1);
        let mut rise = f64::NAN;
        for (channel, level) in levels.iter().enumerate() {
            let Some(smooth) = self.smoothed(channel, *level) else { continue };
            if let (false, Some(quietest)) = (is_learning, self.quietest[channel]) {
                rise = rise.max(smooth / quietest);
            }
            let lowest = self.quietest[channel].map_or(smooth, |known| known.min(smooth));
            self.quietest[channel] = Some(lowest);
        }
        self.is_alarm = rise >= self.settings.factor;
        rise
    }

    /// Whether the last snapshot is an alarm.
    pub fn is_alarm(&self) -> bool {
        self.is_alarm
    }

    /// The median of the last levels of a channel, once there are enough of them.
    fn smoothed(&mut self, channel: usize, level: f64) -> Option<f64> {
        let window = self.settings.window.max(1);
        let recent = &mut self.recent[channel];
        if level.is_finite() && level > 0.0 {
            super::remember(recent, level, window);
        }
        (recent.len() == window).then(|| super::median_of(recent, &mut self.sorted))
    }
}
