//! Fixed limits on single signals: those of the asset types and those that people made.

use std::collections::HashMap;

use analytics::alarm::{self, BackTest, Limit, LimitSpec};
use signal::model::{AssetType, LimitRule, Signal};
use signal::{AssetId, Quality, Sample, SignalId};

use crate::alarm::Words;
use crate::model::Model;

/// One limit on one signal, with its delay timers.
pub(crate) struct Watch {
    pub(crate) asset: AssetId,
    pub(crate) signal: SignalId,
    /// `limit:<id>` or `limit:<type>/<signal>/<n>`.
    pub(crate) rule: String,
    spec: LimitRule,
    name: String,
    unit: String,
    limit: Limit,
    condition: bool,
    /// Codes of the states in which it is evaluated; empty means always.
    states: Vec<u32>,
}

/// What a limit has to say after a value.
pub(crate) enum Verdict {
    /// Nothing new.
    Same,
    /// Broken.
    Raise(Box<Words>),
    /// Back.
    Clear,
}

/// All limits, found by signal.
#[derive(Default)]
pub(crate) struct Limits {
    watches: Vec<Watch>,
    by_signal: HashMap<SignalId, Vec<usize>>,
    /// Whether a signal has a limit, without hashing.
    has: Vec<bool>,
}

impl Limits {
    /// Compiles the limits of `model`; timers of limits that have not changed go on.
    pub(crate) fn compile(model: &Model, before: Limits) -> Limits {
        let mut old: HashMap<(String, SignalId), Watch> = before
            .watches
            .into_iter()
            .map(|watch| ((watch.rule.clone(), watch.signal), watch))
            .collect();
        let mut limits = Limits::default();
        for signal in model.all_signals() {
            let Some(asset) = signal.asset else { continue };
            for (rule, spec) in rules_of(model, asset, signal) {
                let mut watch = new_watch(model, asset, signal, rule, spec);
                if let Some(old) = old.remove(&(watch.rule.clone(), watch.signal))
                    && old.spec == watch.spec
                {
                    watch.limit = old.limit;
                    watch.condition = old.condition;
                }
                limits.add(watch);
            }
        }
        limits
    }

    fn add(&mut self, watch: Watch) {
        let idx = watch.signal.idx();
        if self.has.len() <= idx {
            self.has.resize(idx + 1, false);
        }
        self.has[idx] = true;
        self.by_signal.entry(watch.signal).or_default().push(self.watches.len());
        self.watches.push(watch);
    }

    /// Judges one value of a complete row against the limits that depend on the machine state.
    pub(crate) fn judge_in_state(
        &mut self,
        sample: Sample,
        state: Option<u32>,
        on: impl FnMut(&Watch, Verdict),
    ) {
        self.judge_some(sample, state, |watch| !watch.states.is_empty(), on);
    }

    pub(crate) fn watches(&self, signal: SignalId) -> bool {
        self.has.get(signal.idx()).copied().unwrap_or(false)
    }

    /// Judges one sample against the limits of its signal that hold in every state.
    pub(crate) fn judge(&mut self, sample: Sample, on: impl FnMut(&Watch, Verdict)) {
        self.judge_some(sample, None, |watch| watch.states.is_empty(), on);
    }

    fn judge_some(
        &mut self,
        sample: Sample,
        state: Option<u32>,
        wanted: impl Fn(&Watch) -> bool,
        mut on: impl FnMut(&Watch, Verdict),
    ) {
        let Some(idxs) = self.by_signal.get(&sample.signal) else { return };
        for &idx in idxs {
            let watch = &mut self.watches[idx];
            if wanted(watch) {
                let verdict = watch.judge(sample, state);
                on(watch, verdict);
            }
        }
    }

    /// Lets the delays run out of limits whose signal is silent.
    pub(crate) fn tick(&mut self, now_us: i64, mut on: impl FnMut(&Watch, Verdict)) {
        for watch in &mut self.watches {
            let condition = watch.limit.tick(now_us);
            if condition != watch.condition {
                let verdict = watch.turn(condition, None);
                on(watch, verdict);
            }
        }
    }
}

impl Watch {
    fn judge(&mut self, sample: Sample, state: Option<u32>) -> Verdict {
        let applies =
            self.states.is_empty() || state.is_none_or(|state| self.states.contains(&state));
        let condition = if !applies {
            // Suppressed by design: outside its machine states the limit means nothing.
            self.limit = Limit::new(limit_spec(&self.spec));
            false
        } else if sample.quality.is_good() {
            self.limit.update(sample.time_us, sample.value)
        } else {
            self.limit.tick(sample.time_us)
        };
        self.turn(condition, Some(sample))
    }

    fn turn(&mut self, condition: bool, sample: Option<Sample>) -> Verdict {
        if condition == self.condition {
            return Verdict::Same;
        }
        self.condition = condition;
        if condition { Verdict::Raise(Box::new(self.words(sample))) } else { Verdict::Clear }
    }

    fn words(&self, sample: Option<Sample>) -> Words {
        let value = sample.map(|sample| sample.value);
        let high = match (self.spec.above, self.spec.below) {
            (Some(above), Some(_)) => value.is_none_or(|value| value >= above - self.spec.deadband),
            (above, _) => above.is_some(),
        };
        let limit = if high { self.spec.above } else { self.spec.below };
        let side = if high { "high" } else { "low" };
        let message = match (value, limit) {
            (Some(value), Some(limit)) => {
                let sign = if high { ">" } else { "<" };
                format!(
                    "{} is {side}: {} {sign} {} {}",
                    self.name,
                    short(value),
                    short(limit),
                    self.unit
                )
            }
            _ => format!("{} is {side}", self.name),
        };
        Words {
            title: format!("{} {side}", self.name),
            priority: self.spec.priority.clamp(1, 4),
            value,
            limit,
            unit: self.unit.clone(),
            quality: sample.map_or(Quality::GOOD, |sample| sample.quality),
            message: message.trim_end().to_owned(),
            cause: self.spec.cause.clone(),
            consequence: self.spec.consequence.clone(),
            response: self.spec.response.clone(),
            minutes_to_respond: self.spec.minutes_to_respond,
            contributions: Vec::new(),
            diagnosis: Vec::new(),
        }
    }
}

/// Three significant digits are what a person reads off a gauge.
pub(crate) fn short(value: f64) -> String {
    let digits =
        if value == 0.0 { 0 } else { (2 - value.abs().log10().floor() as i32).clamp(0, 6) };
    format!("{value:.*}", digits as usize)
}

fn rules_of(model: &Model, asset: AssetId, signal: &Signal) -> Vec<(String, LimitRule)> {
    let of_type = model.type_of(asset).into_iter().flat_map(|kind: &AssetType| {
        let named = kind.limits.iter().enumerate().filter(|(_, limit)| limit.signal == signal.name);
        named.map(|(n, limit)| {
            (format!("limit:{}/{}/{n}", kind.name, limit.signal), limit.rule.clone())
        })
    });
    let own = model.limit_rules.iter().filter(|rule| rule.enabled && rule.signal == signal.id);
    let own = own.map(|rule| (format!("limit:{}", rule.id), rule.rule.clone()));
    // Without a response it is an alert: kept in the rule list, never rings (ISA-18.2 rationalization).
    of_type.chain(own).filter(|(_, rule)| !rule.response.trim().is_empty()).collect()
}

/// What a limit would have done with recorded samples of its signal, as it would have done it live.
///
/// `samples`: time order; those of bad quality only let delays run. `spans`: half-open, in order and apart, when the
/// machine was in a state in which the limit holds; outside nothing rings and delays begin anew. `events`: half-open
/// spans in which it should have rung.
pub fn back_test(
    rule: &LimitRule,
    samples: &[Sample],
    spans: &[(i64, i64)],
    events: &[(i64, i64)],
) -> BackTest {
    let value = |sample: &Sample| if sample.quality.is_good() { sample.value } else { f64::NAN };
    let mut whole = BackTest { rings: 0, active_us: 0, missed: (0..events.len()).collect() };
    for (from_us, to_us) in spans {
        let start = samples.partition_point(|sample| sample.time_us < *from_us);
        let end = samples.partition_point(|sample| sample.time_us < *to_us);
        let times_us: Vec<i64> = samples[start..end].iter().map(|sample| sample.time_us).collect();
        let values: Vec<f64> = samples[start..end].iter().map(value).collect();
        let part = alarm::back_test(limit_spec(rule), &times_us, &values, events);
        whole.rings += part.rings;
        whole.active_us += part.active_us;
        // What still is active when the machine leaves the state is not active later.
        let is_outside =
            |(start_us, stop_us): (i64, i64)| start_us >= *to_us || stop_us <= *from_us;
        whole.missed.retain(|event| part.missed.contains(event) || is_outside(events[*event]));
    }
    whole
}

fn new_watch(
    model: &Model,
    asset: AssetId,
    signal: &Signal,
    rule: String,
    spec: LimitRule,
) -> Watch {
    Watch {
        asset,
        signal: signal.id,
        rule,
        limit: Limit::new(limit_spec(&spec)),
        name: signal.name.clone(),
        unit: signal.spec.unit.clone(),
        condition: false,
        states: state_codes(model, asset, &spec.only_in_states),
        spec,
    }
}

fn limit_spec(rule: &LimitRule) -> LimitSpec {
    LimitSpec {
        above: rule.above,
        below: rule.below,
        deadband: rule.deadband,
        on_delay_us: rule.on_delay_ms as i64 * 1000,
        off_delay_us: rule.off_delay_ms as i64 * 1000,
    }
}

fn state_codes(model: &Model, asset: AssetId, names: &[String]) -> Vec<u32> {
    let Some(state) = state_signal(model, asset) else { return Vec::new() };
    let code = |name: &String| state.spec.states.iter().position(|state| state == name);
    names.iter().filter_map(code).map(|code| code as u32).collect()
}

/// The signal that tells the machine state of an asset: `state`, or the first of that kind.
pub(crate) fn state_signal(model: &Model, asset: AssetId) -> Option<&Signal> {
    let mut states: Vec<&Signal> = model
        .signals_of(asset)
        .into_iter()
        .map(AsRef::as_ref)
        .filter(|signal| signal.spec.kind == signal::model::SignalKind::State)
        .collect();
    states.sort_by_key(|signal| (signal.name != "state", signal.id));
    states.first().copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_back_test_rings_as_live_would_have() {
        let at =
            |time_us, value| Sample { signal: SignalId(1), time_us, value, quality: Quality::GOOD };
        // Above 10 at 2, 3 and 6, 7; the second time the machine is in another state from 7 on.
        let samples: Vec<Sample> = [1.0, 1.0, 12.0, 12.0, 1.0, 1.0, 12.0, 12.0, 1.0]
            .into_iter()
            .enumerate()
            .map(|(time, value)| at(time as i64, value))
            .collect();
        let rule = LimitRule { above: Some(10.0), ..LimitRule::default() };
        let all = back_test(&rule, &samples, &[(0, 9)], &[(2, 4), (4, 6), (6, 8)]);
        assert_eq!((all.rings, all.active_us, all.missed), (2, 4, vec![1]));
        let some = back_test(&rule, &samples, &[(0, 4), (8, 9)], &[(6, 8)]);
        assert_eq!((some.rings, some.active_us, some.missed), (1, 1, vec![0]));
        assert_eq!(back_test(&rule, &[], &[(0, 9)], &[]).rings, 0);
    }
}
