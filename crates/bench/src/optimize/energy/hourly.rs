//! Hourly sample meters of OpenEEmeter, by the time of the week and temperature.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;

use anyhow::Context;
use jiff::civil::{Date, DateTime};
use optimize::energy::{Quality, savings, week};
use serde_json::Value;

use super::meters::{About, rows};
use crate::seeds::NO_SEED;
use crate::{CpuClock, Table};

const SAMPLES: [&str; 4] = [
    "il-electricity-cdd-hdd-hourly",
    "il-electricity-cdd-only-hourly",
    "il-gas-hdd-only-hourly",
    "il-gas-intercept-only-hourly",
];
/// What the samples save, by their documentation.
const KNOWN_PERCENT: f64 = 10.0;

/// `peer`: what OpenDSM says of each meter, if it was asked.
pub(super) fn table(folder: &Path, peer: Option<&Value>) -> anyhow::Result<Table> {
    let columns = [
        "meter",
        "hour of the week (trivial): CV(RMSE) %",
        "the year after %",
        "saving %",
        "ours: CV(RMSE) %",
        "the year after %",
        "saving %",
        "CPU s",
        "OpenDSM: CV(RMSE) %",
        "the year after %",
        "saving %",
        "CPU s",
    ];
    let title = "Energy baseline: hourly meters with a known saving of 10 %, by time of week and temperature";
    let mut table = Table::new(title, &columns);
    let mut off = [0.0; 3];
    for name in SAMPLES {
        let meter = Meter::read(folder, name)?;
        let trivial = meter.judge(false)?;
        let ours = meter.judge(true)?;
        let theirs = |key: &str| {
            let figure = peer.and_then(|peer| peer[name][key].as_f64());
            figure.unwrap_or(f64::NAN)
        };
        let savings = [trivial.saving_percent, ours.saving_percent, theirs("saving_percent")];
        for (off, saving) in off.iter_mut().zip(savings) {
            *off += (saving - KNOWN_PERCENT).abs() / SAMPLES.len() as f64;
        }
        let mut cells = vec![name.to_owned()];
        cells.extend(trivial.figures().map(two_places));
        cells.extend(ours.figures().map(two_places));
        cells.push(format!("{:.4}", ours.cpu_s));
        if peer.is_some() {
            let figures = ["cv_rmse_percent", "after_percent", "saving_percent", "cpu_s"];
            cells.extend(figures.map(|key| two_places(theirs(key))));
        }
        table.row(cells);
    }
    let [trivial, ours, theirs] = off.map(two_places);
    let theirs = peer.map_or_else(String::new, |_| theirs);
    let mut cells = vec!["mean error of the saving, points".to_owned()];
    for (saving, n_behind) in [(trivial, 0), (ours, 1), (theirs, 0)] {
        cells.extend([String::new(), String::new(), saving]);
        cells.resize(cells.len() + n_behind, String::new());
    }
    table.row(cells);
    table.note("baseline: the 365 days before the blackout; saving: the 365 days after it; CV(RMSE) over the hours of the baseline, and of the year after against nine tenths of what is expected, as all of the load was made a tenth smaller");
    table.note(NO_SEED);
    Ok(table)
}

fn two_places(value: f64) -> String {
    format!("{value:.2}")
}

/// Energy and temperature of the hours of one meter, in time order.
struct Meter {
    hours: BTreeMap<DateTime, (f64, f64)>,
    before: Range<Date>,
    after: Range<Date>,
}

struct Judged {
    cv_rmse_percent: f64,
    /// Of the year after, with the known saving taken off.
    after_percent: f64,
    saving_percent: f64,
    cpu_s: f64,
}

impl Judged {
    fn figures(&self) -> [f64; 3] {
        [self.cv_rmse_percent, self.after_percent, self.saving_percent]
    }
}

/// Columns of a span of hours.
#[derive(Default)]
struct Columns {
    energy: Vec<f64>,
    slots: Vec<usize>,
    temperatures: Vec<f64>,
}

impl Meter {
    fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let about = About::read(folder, name)?;
        let temperatures: BTreeMap<DateTime, f64> = rows(&about.temperature)?.into_iter().collect();
        let joined = rows(&about.meter)?
            .into_iter()
            .filter_map(|(time, energy)| Some((time, (energy, *temperatures.get(&time)?))));
        Ok(Self { hours: joined.collect(), before: about.before, after: about.after })
    }

    fn columns(&self, span: &Range<Date>) -> Columns {
        let mut columns = Columns::default();
        let span = span.start.at(0, 0, 0, 0)..span.end.at(0, 0, 0, 0);
        for (time, (energy, temperature)) in self.hours.range(span) {
            let day = time.weekday().to_monday_zero_offset() as usize;
            columns.energy.push(*energy);
            columns.slots.push(24 * day + time.hour() as usize);
            columns.temperatures.push(*temperature);
        }
        columns
    }

    fn judge(&self, with_temperature: bool) -> anyhow::Result<Judged> {
        let (before, after) = (self.columns(&self.before), self.columns(&self.after));
        let clock = CpuClock::start();
        let known: &[f64] = if with_temperature { &before.temperatures } else { &[] };
        let model = week::fit(&before.energy, &before.slots, known)?;
        let pairs = after.slots.iter().zip(&after.temperatures);
        let expected: Vec<f64> = pairs
            .map(|(slot, temperature)| {
                model.expected(*slot, with_temperature.then_some(*temperature))
            })
            .collect();
        let saved = savings(&after.energy, &expected, &model.quality)
            .context("no hour after the blackout")?;
        let cpu_s = clock.seconds();
        let kept = 1.0 - KNOWN_PERCENT / 100.0;
        let saving_off: Vec<f64> = expected.iter().map(|energy| kept * energy).collect();
        Ok(Judged {
            cv_rmse_percent: model.quality.cv_rmse_percent,
            after_percent: Quality::of(&after.energy, &saving_off, 0).cv_rmse_percent,
            saving_percent: saved.percent,
            cpu_s,
        })
    }
}
