//! Shewhart's chart with the Western Electric and Nelson rules.

use serde::{Deserialize, Serialize};

use super::arl::Chart;

/// A pattern that a process in control shows rarely.
///
/// Source: Western Electric, "Statistical Quality Control Handbook" (1956), pp. 23–28; Nelson (1984), "The Shewhart
/// control chart: tests for special causes", fig. 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rule {
    /// One value beyond 3 σ (Western Electric 1, Nelson 1).
    Beyond3,
    /// Two of three values beyond 2 σ on one side (Western Electric 2, Nelson 5).
    TwoOfThreeBeyond2,
    /// Four of five values beyond 1 σ on one side (Western Electric 3, Nelson 6).
    FourOfFiveBeyond1,
    /// Eight values in a row on one side (Western Electric 4).
    EightOnOneSide,
    /// Nine values in a row on one side (Nelson 2).
    NineOnOneSide,
    /// Six values in a row, each above or each below the one before (Nelson 3).
    SixInTrend,
    /// Fourteen values in a row, alternately up and down (Nelson 4).
    FourteenAlternating,
    /// Fifteen values in a row within 1 σ (Nelson 7).
    FifteenWithin1,
    /// Eight values in a row beyond 1 σ, on either side (Nelson 8).
    EightBeyond1,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Rule; 9] = [
        Rule::Beyond3,
        Rule::TwoOfThreeBeyond2,
        Rule::FourOfFiveBeyond1,
        Rule::EightOnOneSide,
        Rule::NineOnOneSide,
        Rule::SixInTrend,
        Rule::FourteenAlternating,
        Rule::FifteenWithin1,
        Rule::EightBeyond1,
    ];
}

/// A set of rules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules(u16);

impl Rules {
    /// Shewhart's single rule: 3 σ.
    pub const SHEWHART: Rules = Rules::of(&[Rule::Beyond3]);
    /// The four rules of Western Electric.
    pub const WESTERN_ELECTRIC: Rules = Rules::of(&[
        Rule::Beyond3,
        Rule::TwoOfThreeBeyond2,
        Rule::FourOfFiveBeyond1,
        Rule::EightOnOneSide,
    ]);
    /// The eight rules of Nelson.
    pub const NELSON: Rules = Rules::of(&[
        Rule::Beyond3,
        Rule::NineOnOneSide,
        Rule::SixInTrend,
        Rule::FourteenAlternating,
        Rule::TwoOfThreeBeyond2,
        Rule::FourOfFiveBeyond1,
        Rule::FifteenWithin1,
        Rule::EightBeyond1,
    ]);

    /// These rules.
    pub const fn of(rules: &[Rule]) -> Rules {
        let mut set = 0;
        let mut i = 0;
        while i < rules.len() {
            set |= 1 << rules[i] as u16;
            i += 1;
        }
        Rules(set)
    }

    /// Whether the rule is one of them.
    pub fn has(self, rule: Rule) -> bool {
        self.0 >> rule as u16 & 1 == 1
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The rules in it.
    pub fn iter(self) -> impl Iterator<Item = Rule> {
        Rule::ALL.into_iter().filter(move |rule| self.has(*rule))
    }

    fn insert_if(&mut self, is_broken: bool, rule: Rule) {
        self.0 |= u16::from(is_broken) << rule as u16;
    }
}

/// A chart that looks for patterns in standardized values.
///
/// ```
/// use analytics::quality::{Rule, RuleChart, Rules};
/// let mut chart = RuleChart::new(Rules::WESTERN_ELECTRIC);
/// assert!(chart.push(2.5).is_empty());
/// assert!(chart.push(0.1).is_empty());
/// assert_eq!(chart.push(2.1), Rules::of(&[Rule::TwoOfThreeBeyond2]));
/// assert_eq!(chart.push(-3.2), Rules::of(&[Rule::Beyond3]));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RuleChart {
    rules: Rules,
    /// The last values as bits, latest lowest: above 1 σ, above 2 σ, and the same below.
    above: [u32; 2],
    below: [u32; 2],
    /// Values in a row on one side, positive above.
    side: i32,
    /// Steps in a row in one direction, positive up.
    trend: i32,
    /// Steps in a row of which each turned back the one before.
    turns: u32,
    within_1: u32,
    beyond_1: u32,
    n_seen: u32,
    #[serde(with = "crate::saved")]
    last: Option<f64>,
}

impl RuleChart {
    /// A chart with these rules that has seen nothing yet.
    pub fn new(rules: Rules) -> RuleChart {
        RuleChart {
            rules,
            above: [0; 2],
            below: [0; 2],
            side: 0,
            trend: 0,
            turns: 0,
            within_1: 0,
            beyond_1: 0,
            n_seen: 0,
            last: None,
        }
    }

    /// Takes the next value, `(x − center) / sigma`, and gives the rules that it completes.
    ///
    /// A value exactly on the center line is on no side. NaN breaks no rule and ends every pattern. "Two of three" and
    /// "four of five" need three and five values since the start: Champ & Woodall (1987) let two and four do, which
    /// shortens their run length at a shift of 2 σ from 3.3 to 3.13.
    pub fn push(&mut self, z: f64) -> Rules {
        if z.is_nan() {
            *self = RuleChart::new(self.rules);
            return Rules::default();
        }
        self.count(z.clamp(f64::MIN, f64::MAX));
        let mut broken = Rules::default();
        // The value that completes a pattern is part of it, but for the first full window.
        let one_side = |bits: u32, window: u32, n: u32| {
            let is_due = self.n_seen == window || (self.n_seen > window && bits & 1 == 1);
            is_due && (bits & ((1 << window) - 1)).count_ones() >= n
        };
        let either = |level: usize, window, n| {
            one_side(self.above[level], window, n) || one_side(self.below[level], window, n)
        };
        broken.insert_if(z.abs() > 3.0, Rule::Beyond3);
        broken.insert_if(either(1, 3, 2), Rule::TwoOfThreeBeyond2);
        broken.insert_if(either(0, 5, 4), Rule::FourOfFiveBeyond1);
        broken.insert_if(self.side.abs() >= 8, Rule::EightOnOneSide);
        broken.insert_if(self.side.abs() >= 9, Rule::NineOnOneSide);
        broken.insert_if(self.trend.abs() >= 5, Rule::SixInTrend);
        broken.insert_if(self.turns >= 13, Rule::FourteenAlternating);
        broken.insert_if(self.within_1 >= 15, Rule::FifteenWithin1);
        broken.insert_if(self.beyond_1 >= 8, Rule::EightBeyond1);
        Rules(broken.0 & self.rules.0)
    }

    fn count(&mut self, z: f64) {
        for level in 0..2 {
            let limit = (level + 1) as f64;
            self.above[level] = self.above[level] << 1 | u32::from(z > limit);
            self.below[level] = self.below[level] << 1 | u32::from(z < -limit);
        }
        self.n_seen = self.n_seen.saturating_add(1);
        self.side = longer(self.side, z);
        let is_within_1 = z.abs() < 1.0;
        self.within_1 = if is_within_1 { self.within_1.saturating_add(1) } else { 0 };
        self.beyond_1 = if z.abs() > 1.0 { self.beyond_1.saturating_add(1) } else { 0 };
        if let Some(last) = self.last {
            let before = self.trend;
            self.trend = longer(before, z - last);
            let turned = self.trend.signum() * before.signum() == -1;
            self.turns = match self.trend {
                0 => 0,
                _ if turned => self.turns.saturating_add(1),
                _ => 1,
            };
        }
        self.last = Some(z);
    }
}

/// A run of one sign, one longer if `x` has it too; 0 ends it.
fn longer(run: i32, x: f64) -> i32 {
    let sign = if x > 0.0 { 1 } else { -i32::from(x < 0.0) };
    if sign == run.signum() { run.saturating_add(sign) } else { sign }
}

impl Chart for RuleChart {
    fn signals(&mut self, z: f64) -> bool {
        !self.push(z).is_empty()
    }
}
