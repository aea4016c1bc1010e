//! Judges samples as they come in: range, rate, spike, stuck, gap, late, non-finite, duplicate.
//!
//! The raw value is never changed; the verdict says why it should not be trusted. Every rule but range and
//! rate adapts to the signal, so that a signal about which nothing is declared is judged well enough.
//!
//! Source of the rules: the tests of gap, gross range, rate of change and flat line of IOOS QARTOD (2020), "Manual for
//! real-time quality control of in-situ temperature and salinity data", tests 1, 4, 7 and 8; departure: what counts as a gap
//! or as flat follows from the signal's own rhythm and rests. Source of the spike rule: Hampel (1974), "The influence curve and its role in robust estimation"; as a
//! causal filter in Pearson et al. (2016), "Generalized Hampel filters", eq. 2.

mod estimate;
mod fill;
mod redundant;
mod regime;
mod resample;

use serde::{Deserialize, Serialize};

pub use estimate::{Basis, Estimate, estimate};
pub use fill::{Fill, fill};
pub use redundant::{Direction, Redundant};
pub use regime::Regimes;
pub use resample::{Aggregate, align};

use crate::stats::MAD_TO_SIGMA;

/// Values kept per signal for the spike rule, the present one included.
const WINDOW: usize = 7;
/// So many changes must have been seen before "it does not move" means anything.
const MIN_CHANGES: u16 = 20;
/// A gap is at least so many usual intervals, when no maximum is declared …
const GAP_INTERVALS: f64 = 10.0;
/// … and at least this long.
const MIN_GAP_US: f64 = 5_000_000.0;

/// What the numbers mean over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A quantity that moves freely.
    #[default]
    Gauge,
    /// Only grows, apart from resets.
    Counter,
    /// Index of a named state.
    State,
    /// Anything else: only range and time are judged.
    Other,
}

/// How one signal is judged. The default works for a signal about which nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// What the numbers mean.
    pub kind: Kind,
    /// Lowest and highest value the sensor can report.
    #[serde(default, with = "crate::saved")]
    pub range: Option<(f64, f64)>,
    /// Fastest believable change, in units per second.
    #[serde(default, with = "crate::saved")]
    pub max_rate_per_s: Option<f64>,
    /// Silence longer than this is a gap; none: ten usual intervals, at least 5 s.
    pub max_gap_us: Option<i64>,
    /// A gauge that normally moves and repeats one value this long is stuck; 0: never.
    pub stuck_after_us: i64,
    /// Hampel threshold in robust standard deviations; 0: never.
    #[serde(with = "crate::saved")]
    pub spike_sigmas: f64,
    /// How far ahead of the clock a time stamp may be.
    pub max_future_us: i64,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            kind: Kind::Gauge,
            range: None,
            max_rate_per_s: None,
            max_gap_us: None,
            stuck_after_us: 600_000_000,
            spike_sigmas: 8.0,
            max_future_us: 60_000_000,
        }
    }
}

/// Why a sample should not be trusted; 0 is good. The bits are stored, so their meaning never changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdict(pub u16);

impl Verdict {
    /// Outside the range.
    pub const RANGE: Verdict = Verdict(1 << 0);
    /// Changed too fast.
    pub const RATE: Verdict = Verdict(1 << 1);
    /// A lone outlier.
    pub const SPIKE: Verdict = Verdict(1 << 2);
    /// Has not moved for too long.
    pub const STUCK: Verdict = Verdict(1 << 3);
    /// First after a silence.
    pub const AFTER_GAP: Verdict = Verdict(1 << 4);
    /// Older than the newest.
    pub const LATE: Verdict = Verdict(1 << 5);
    /// NaN or infinite.
    pub const NON_FINITE: Verdict = Verdict(1 << 6);
    /// Same time as the newest, another value.
    pub const REPLACED: Verdict = Verdict(1 << 7);
    /// Time stamp ahead of the clock.
    pub const FUTURE: Verdict = Verdict(1 << 9);
    /// Same time and value as the newest: nothing new, need not be stored again.
    pub const DUPLICATE: Verdict = Verdict(1 << 15);

    /// Whether all bits of `other` are set.
    pub fn has(self, other: Verdict) -> bool {
        self.0 & other.0 == other.0
    }

    fn add(&mut self, other: Verdict) {
        self.0 |= other.0;
    }
}

/// What is remembered of one signal. Small, and saved and restored bit for bit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Track {
    last_time_us: i64,
    #[serde(with = "crate::saved")]
    last_value: f64,
    /// Since when the value is the same.
    same_since_us: i64,
    /// Usual time between samples, µs.
    #[serde(with = "crate::saved")]
    interval_us: f64,
    /// Recent values that were finite and in range; a spike takes a place too, so that a step is believed in time.
    #[serde(with = "crate::saved")]
    window: [f64; WINDOW - 1],
    /// Typical step between neighbors, for signals whose window is flat.
    #[serde(with = "crate::saved")]
    step: f64,
    n_window: u8,
    next: u8,
    n_changes: u16,
    /// Longest time the value has honestly stayed the same, µs.
    #[serde(with = "crate::saved")]
    longest_same_us: f64,
}

impl Default for Track {
    fn default() -> Track {
        Track {
            last_time_us: i64::MIN,
            last_value: f64::NAN,
            same_since_us: i64::MIN,
            interval_us: f64::NAN,
            window: [0.0; WINDOW - 1],
            step: 0.0,
            n_window: 0,
            next: 0,
            n_changes: 0,
            longest_same_us: 0.0,
        }
    }
}

impl Track {
    /// Judges one sample and remembers it. `now_us` is the clock's time, for stamps from the future.
    ///
    /// Late samples are judged by range only and remembered not at all. Cost: O(1), no allocation.
    ///
    /// ```
    /// use analytics::clean::{Rules, Track, Verdict};
    /// let rules = Rules { range: Some((0.0, 100.0)), ..Rules::default() };
    /// let mut track = Track::default();
    /// for n in 0..10 {
    ///     assert_eq!(track.judge(&rules, 0, n, 20.0 + (n % 3) as f64), Verdict(0));
    /// }
    /// assert_eq!(track.judge(&rules, 0, 10, 80.0), Verdict::SPIKE);
    /// assert_eq!(track.judge(&rules, 0, 11, 101.0), Verdict::RANGE);
    /// assert_eq!(track.judge(&rules, 0, 11, 101.0), Verdict::DUPLICATE);
    /// ```
    #[inline]
    pub fn judge(&mut self, rules: &Rules, now_us: i64, time_us: i64, value: f64) -> Verdict {
        if time_us <= self.last_time_us {
            return self.judge_late(rules, time_us, value);
        }
        let mut verdict = Verdict(0);
        if time_us.saturating_sub(now_us) > rules.max_future_us {
            // Not remembered: one wrong clock must not make everything after it late.
            verdict.add(Verdict::FUTURE);
            if is_out_of_range(rules, value) {
                verdict.add(Verdict::RANGE);
            }
            return verdict;
        }
        let is_first = self.last_time_us == i64::MIN;
        let elapsed_us = if is_first { 0 } else { time_us - self.last_time_us };
        if !is_first {
            self.judge_gap(rules, elapsed_us as f64, &mut verdict);
        }
        if !value.is_finite() {
            verdict.add(Verdict::NON_FINITE);
        } else if is_out_of_range(rules, value) {
            verdict.add(Verdict::RANGE);
        } else {
            if let Some(max_rate_per_s) = rules.max_rate_per_s
                && self.last_value.is_finite()
                && (value - self.last_value).abs() * 1e6 > max_rate_per_s * elapsed_us as f64
                && rules.kind != Kind::Counter
            {
                verdict.add(Verdict::RATE);
            }
            if rules.kind == Kind::Gauge {
                self.judge_gauge(
                    rules,
                    time_us,
                    value,
                    verdict.has(Verdict::AFTER_GAP),
                    &mut verdict,
                );
            }
        }
        self.last_time_us = time_us;
        self.last_value = value;
        verdict
    }

    fn judge_late(&self, rules: &Rules, time_us: i64, value: f64) -> Verdict {
        let mut verdict = Verdict(0);
        if time_us == self.last_time_us {
            if value.to_bits() == self.last_value.to_bits() {
                return Verdict::DUPLICATE;
            }
            verdict.add(Verdict::REPLACED);
        } else {
            verdict.add(Verdict::LATE);
        }
        if !value.is_finite() {
            verdict.add(Verdict::NON_FINITE);
        } else if is_out_of_range(rules, value) {
            verdict.add(Verdict::RANGE);
        }
        verdict
    }

    fn judge_gap(&mut self, rules: &Rules, elapsed_us: f64, verdict: &mut Verdict) {
        let limit_us = match rules.max_gap_us {
            Some(max_gap_us) => max_gap_us as f64,
            None => (self.interval_us * GAP_INTERVALS).max(MIN_GAP_US),
        };
        if self.interval_us.is_nan() {
            self.interval_us = elapsed_us;
            return;
        }
        if elapsed_us > limit_us {
            verdict.add(Verdict::AFTER_GAP);
            // A slower rhythm is believed after a few samples, a pause is not a rhythm.
            self.interval_us += 0.2 * (elapsed_us - self.interval_us);
        } else {
            self.interval_us += 0.05 * (elapsed_us - self.interval_us);
        }
    }

    fn judge_gauge(
        &mut self,
        rules: &Rules,
        time_us: i64,
        value: f64,
        after_gap: bool,
        verdict: &mut Verdict,
    ) {
        if after_gap {
            // What was before the silence says nothing about what comes after it.
            self.n_window = 0;
        }
        if rules.spike_sigmas > 0.0 && self.is_spike(rules.spike_sigmas, value) {
            verdict.add(Verdict::SPIKE);
        }
        self.window[usize::from(self.next)] = value;
        self.next = (self.next + 1) % (WINDOW as u8 - 1);
        self.n_window = (self.n_window + 1).min(WINDOW as u8 - 1);

        if value.to_bits() == self.last_value.to_bits() {
            let same_us = time_us.saturating_sub(self.same_since_us) as f64;
            // Also a lively signal rests now and then: twice its longest honest rest is the least we ask for.
            let limit_us = (rules.stuck_after_us as f64).max(2.0 * self.longest_same_us);
            if rules.stuck_after_us > 0 && self.n_changes >= MIN_CHANGES && same_us >= limit_us {
                verdict.add(Verdict::STUCK);
            }
        } else {
            if self.last_value.is_finite() {
                let step = (value - self.last_value).abs();
                // From one end of the numbers to the other is no step that others should be held against.
                if step.is_finite() {
                    self.step += 0.05 * (step - self.step);
                }
                self.n_changes = self.n_changes.saturating_add(1);
                let same_us = self.last_time_us.saturating_sub(self.same_since_us) as f64;
                if self.same_since_us != i64::MIN && !after_gap {
                    self.longest_same_us = self.longest_same_us.max(same_us);
                }
            }
            self.same_since_us = time_us;
        }
    }

    /// Whether `value` is far from the median of its predecessors, measured in their own spread.
    #[inline]
    fn is_spike(&self, sigmas: f64, value: f64) -> bool {
        if usize::from(self.n_window) < WINDOW - 1 {
            return false;
        }
        // Nearly all values lie within a few typical steps of the last one: no sorting needed for them.
        if (value - self.last_value).abs() <= 3.0 * self.step {
            return false;
        }
        let mut sorted = self.window;
        sorted.sort_unstable_by(f64::total_cmp);
        let median = 0.5 * (sorted[WINDOW / 2 - 1] + sorted[WINDOW / 2]);
        let mut deviations = sorted.map(|other| (other - median).abs());
        deviations.sort_unstable_by(f64::total_cmp);
        let mad = 0.5 * (deviations[WINDOW / 2 - 1] + deviations[WINDOW / 2]);
        // A quantized or resting signal has no spread in its window; its typical step stands in for it.
        let sigma = (MAD_TO_SIGMA * mad).max(self.step);
        sigma > 0.0 && (value - median).abs() > sigmas * sigma
    }
}

#[inline]
fn is_out_of_range(rules: &Rules, value: f64) -> bool {
    rules.range.is_some_and(|(low, high)| value < low || value > high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Noise, wild_value};
    use proptest::prelude::*;

    const S: i64 = 1_000_000;

    fn count(rules: &Rules, values: impl IntoIterator<Item = f64>, what: Verdict) -> usize {
        let mut track = Track::default();
        let verdicts = values
            .into_iter()
            .enumerate()
            .map(|(n, value)| track.judge(rules, i64::MAX / 2, n as i64 * S, value));
        verdicts.filter(|verdict| verdict.has(what)).count()
    }

    #[test]
    fn clean_signals_are_hardly_ever_called_spiky() {
        let rules = Rules::default();
        let mut noise = Noise::new(1);
        let n = 100_000;
        let white: Vec<f64> = (0..n).map(|_| noise.normal()).collect();
        let walk: Vec<f64> = white
            .iter()
            .scan(0.0, |sum, x| {
                *sum += x;
                Some(*sum)
            })
            .collect();
        let quantized: Vec<f64> = walk.iter().map(|x| (x / 5.0).round() * 5.0).collect();
        let steps: Vec<f64> = (0..n)
            .map(|n| f64::from(u8::from((n / 500) % 2 == 0)) * 50.0 + white[n] * 0.1)
            .collect();
        for (name, values, most) in [
            ("white", &white, 2e-3),
            ("walk", &walk, 2e-3),
            ("quantized", &quantized, 5e-3),
            ("steps", &steps, 1e-2),
        ] {
            let share = count(&rules, values.iter().copied(), Verdict::SPIKE) as f64 / n as f64;
            assert!(share <= most, "{name}: {share}");
        }
    }

    #[test]
    fn spikes_are_found_and_steps_are_believed() {
        let rules = Rules::default();
        let mut noise = Noise::new(2);
        let values: Vec<f64> =
            (0..10_000).map(|n| noise.normal() + if n % 100 == 50 { 40.0 } else { 0.0 }).collect();
        let found = count(&rules, values, Verdict::SPIKE);
        assert!((95..=130).contains(&found), "{found}");
        let step = (0..200).map(|n| noise.normal() + if n >= 100 { 500.0 } else { 0.0 });
        assert!(
            count(&rules, step, Verdict::SPIKE) <= 4,
            "a new level is believed within half a window"
        );
    }

    #[test]
    fn only_a_signal_that_used_to_move_can_be_stuck() {
        let rules = Rules { stuck_after_us: 60 * S, ..Rules::default() };
        let mut noise = Noise::new(3);
        let frozen = (0..1000).map(|n| if n < 500 { noise.normal() } else { 0.25 });
        assert_eq!(count(&rules, frozen.collect::<Vec<_>>(), Verdict::STUCK), 440);
        assert_eq!(
            count(&rules, std::iter::repeat_n(7.0, 1000), Verdict::STUCK),
            0,
            "a constant was never lively"
        );
        let slow = (0..5000).map(|n| f64::from(n / 100));
        assert_eq!(
            count(&rules, slow.collect::<Vec<_>>(), Verdict::STUCK),
            0,
            "it always rests that long"
        );
    }

    #[test]
    fn silence_repetition_and_wrong_clocks_are_told_apart() {
        let rules = Rules::default();
        let mut track = Track::default();
        for n in 0..20 {
            track.judge(&rules, 20 * S, n * S, n as f64);
        }
        assert_eq!(track.judge(&rules, 20 * S, 19 * S, 19.0), Verdict::DUPLICATE);
        assert_eq!(track.judge(&rules, 20 * S, 19 * S, 3.0), Verdict::REPLACED);
        assert_eq!(track.judge(&rules, 20 * S, 5 * S, 3.0), Verdict::LATE);
        assert_eq!(track.judge(&rules, 20 * S, 9_000 * S, 3.0), Verdict::FUTURE);
        assert_eq!(track.judge(&rules, 60 * S, 60 * S, 20.0), Verdict::AFTER_GAP);
        assert_eq!(track.judge(&rules, 61 * S, 61 * S, f64::NAN), Verdict::NON_FINITE);
    }

    #[test]
    fn too_fast_is_seen_only_where_a_rate_is_declared() {
        let rules = Rules { max_rate_per_s: Some(1.0), spike_sigmas: 0.0, ..Rules::default() };
        assert_eq!(count(&rules, [0.0, 0.9, 3.0, 3.5], Verdict::RATE), 1);
        let counter = Rules { kind: Kind::Counter, ..rules };
        assert_eq!(count(&counter, [0.0, 100.0], Verdict::RATE), 0);
    }

    #[test]
    fn gaps_at_the_ends_and_all_missing_are_survived() {
        let nan = f64::NAN;
        let check = |mut values: Vec<f64>, how: Fill, expected: &[f64]| {
            fill(&mut values, how, 9);
            assert_eq!(format!("{values:?}"), format!("{expected:?}"));
        };
        check(vec![nan, 2.0, nan], Fill::Linear, &[2.0, 2.0, 2.0]);
        check(vec![nan, 2.0, nan, 4.0], Fill::Hold, &[nan, 2.0, 2.0, 4.0]);
        check(vec![nan, nan], Fill::Seasonal { period: 7 }, &[nan, nan]);
        check(vec![], Fill::Linear, &[]);
    }

    #[test]
    fn a_signal_without_levels_has_one_state() {
        let mut noise = Noise::new(4);
        let broad: Vec<f64> = (0..5000).map(|_| noise.normal()).collect();
        assert_eq!(Regimes::learn(&broad, 3).n_states(), 1);
        assert_eq!(Regimes::learn(&[], 3).n_states(), 1);
        assert_eq!(Regimes::learn(&[7.0; 50], 3).n_states(), 1);
        let three: Vec<f64> =
            (0..3000).map(|n| f64::from(n / 200 % 3) * 20.0 + noise.normal()).collect();
        assert_eq!(Regimes::learn(&three, 3).n_states(), 3);
    }

    proptest! {
        #[test]
        fn any_input_is_judged_and_saving_changes_nothing(
            samples in prop::collection::vec((0i64..1000, wild_value()), 1..200),
            cut in any::<prop::sample::Index>(),
        ) {
            let rules = Rules { range: Some((-1e9, 1e9)), ..Rules::default() };
            let mut track = Track::default();
            let mut restored = Track::default();
            let cut = cut.index(samples.len());
            for (n, (time, value)) in samples.iter().enumerate() {
                if n == cut {
                    let text = serde_json::to_string(&track).expect("serializes");
                    restored = serde_json::from_str(&text).expect("parses");
                }
                let verdict = track.judge(&rules, 0, time * S, *value);
                if n >= cut {
                    prop_assert_eq!(restored.judge(&rules, 0, time * S, *value), verdict);
                }
                prop_assert_eq!(verdict.has(Verdict::NON_FINITE), !value.is_finite() && !verdict.has(Verdict::DUPLICATE) && !verdict.has(Verdict::FUTURE));
            }
            prop_assert!(std::mem::size_of::<Track>() <= 128);
        }
    }
}
