//! What an episode is called, which signals speak for it, and which known fault it looks like.

use analytics::diagnose::{self, Signature};
use signal::{AssetId, Quality, SECOND_US};

use super::detector::Detector;
use crate::alarm::Words;
use crate::health::{Contribution, Diagnosis};
use crate::model::Model;

/// A diagnosis below this is not named.
const SURE: f64 = 0.5;

impl Detector {
    pub(super) fn contributions(&self) -> Vec<Contribution> {
        let one = |part: &analytics::stream::Contribution| {
            let (signal, name) = self.columns.get(part.column)?;
            Some(Contribution {
                signal: *signal,
                name: name.clone(),
                share: part.share,
                direction: part.direction,
            })
        };
        self.monitor.contributions().iter().filter_map(one).take(8).collect()
    }

    pub(super) fn diagnosis(&self) -> Vec<Diagnosis> {
        let seen: Vec<(&str, f64)> = self
            .monitor
            .contributions()
            .iter()
            .filter_map(|part| Some((self.columns.get(part.column)?.1.as_str(), part.direction)))
            .collect();
        let known: Vec<Signature<'_>> = self
            .signatures
            .iter()
            .map(|(signs, fault)| Signature { name: &fault.fault, signs })
            .collect();
        let ranked = diagnose::rank(&seen, &known);
        let with = |(idx, confidence): (usize, f64)| Diagnosis {
            confidence,
            ..self.signatures[idx].1.clone()
        };
        ranked.into_iter().map(with).take(3).collect()
    }

    pub(super) fn words(&mut self) -> Words {
        let contributions = self.contributions();
        let diagnosis = self.diagnosis();
        if self.named.is_none() {
            self.named =
                diagnosis.first().filter(|diagnosis| diagnosis.confidence >= SURE).cloned();
        }
        let likely = self.named.as_ref();
        let speaks: Vec<String> = contributions
            .iter()
            .take(3)
            .map(|part| {
                let side = if part.direction >= 0.0 { "high" } else { "low" };
                format!("{} {side} ({:+.1} σ)", part.name, part.direction)
            })
            .collect();
        Words {
            title: likely.map_or_else(|| "Unusual behavior".to_owned(), |fault| fault.title.clone()),
            priority: 2,
            value: self.judgement.map(|judgement| judgement.health.round()),
            limit: None,
            unit: String::new(),
            quality: Quality::GOOD,
            message: speaks.join(", "),
            cause: likely.map_or_else(
                || "The signals do not fit together as they did while this machine was learned.".to_owned(),
                |fault| fault.cause.clone(),
            ),
            consequence: likely.map_or_else(
                || "A developing fault, or an operation that was never seen before.".to_owned(),
                |fault| fault.consequence.clone(),
            ),
            response: likely.map_or_else(
                || "Look at the signals named first; if this is a new way of working, let the machine be learned anew.".to_owned(),
                |fault| fault.response.clone(),
            ),
            minutes_to_respond: likely.map_or(60, |fault| fault.minutes_to_respond),
            contributions,
            diagnosis,
        }
    }
}

/// The words of "nothing is heard of this machine any more".
pub(crate) fn lost_words(model: &Model, asset: AssetId, heard_us: i64, wall_us: i64) -> Words {
    let name = model.asset(asset).map_or_else(|| asset.to_string(), |asset| asset.name.clone());
    Words {
        title: "No data".to_owned(),
        priority: 3,
        message: format!("nothing heard of {name} for {} s", (wall_us - heard_us) / SECOND_US),
        cause: "The machine is switched off, its gateway is down, or the network is cut.".to_owned(),
        consequence: "Faults of this machine are not seen while it is silent.".to_owned(),
        response: "Check power and network of the machine and its gateway, then the source on the Data page.".to_owned(),
        minutes_to_respond: 30,
        ..Words::default()
    }
}
