//! Sample meters of OpenEEmeter, which save 10 % after a blackout date.

use std::collections::BTreeMap;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use anyhow::Context;
use flate2::read::GzDecoder;
use jiff::ToSpan;
use jiff::civil::{Date, DateTime};
use optimize::energy::baseline::{Period, fit};
use optimize::energy::savings;
use serde_json::Value;

use crate::seeds::NO_SEED;
use crate::{CpuClock, Table};

const SAMPLES: [&str; 4] = [
    "il-electricity-cdd-hdd-daily",
    "il-electricity-cdd-only-daily",
    "il-gas-hdd-only-daily",
    "il-gas-intercept-only-daily",
];
/// What the samples save, by their documentation.
const KNOWN_PERCENT: f64 = 10.0;

/// `peer`: what OpenDSM says of each meter, if it was asked.
pub(super) fn table(folder: &Path, peer: Option<&Value>) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Energy baseline: daily meters with a known saving of 10 %",
        &[
            "meter",
            "CV(RMSE) %",
            "saving %",
            "90 % interval",
            "CPU s",
            "OpenDSM CV(RMSE) %",
            "saving %",
            "CPU s",
        ],
    );
    let (mut ours_off, mut peers_off) = (0.0, 0.0);
    for name in SAMPLES {
        let meter = Meter::read(folder, name)?;
        let clock = CpuClock::start();
        let baseline = fit(&meter.periods(&meter.before))?;
        let after = meter.periods(&meter.after);
        let expected: Vec<f64> = after.iter().map(|day| baseline.expected(day)).collect();
        let actual: Vec<f64> = after.iter().map(|day| day.energy).collect();
        let saved =
            savings(&actual, &expected, &baseline.quality).context("no day after the blackout")?;
        let cpu_s = clock.seconds();
        ours_off += (saved.percent - KNOWN_PERCENT).abs() / SAMPLES.len() as f64;
        let theirs = |key: &str| peer.and_then(|peer| peer[name][key].as_f64());
        peers_off += (theirs("saving_percent").unwrap_or(f64::NAN) - KNOWN_PERCENT).abs()
            / SAMPLES.len() as f64;
        let show = |value: Option<f64>, n: usize| {
            value.map_or(String::new(), |value| format!("{value:.n$}"))
        };
        table.row([
            name.to_owned(),
            format!("{:.2}", baseline.quality.cv_rmse_percent),
            format!("{:.2}", saved.percent),
            format!("{:.1} to {:.1}", saved.low_percent, saved.high_percent),
            format!("{cpu_s:.3}"),
            show(theirs("cv_rmse_percent"), 2),
            show(theirs("saving_percent"), 2),
            show(theirs("cpu_s"), 2),
        ]);
    }
    table.row([
        "mean error of the saving, points".to_owned(),
        String::new(),
        format!("{ours_off:.2}"),
        String::new(),
        String::new(),
        String::new(),
        peer.map_or_else(String::new, |_| format!("{peers_off:.2}")),
    ]);
    table.note("baseline: the 365 days before the blackout; saving: the 365 days after it; targets: 1.5 points, CV(RMSE) within 1 point of OpenDSM");
    table.note(NO_SEED);
    Ok(table)
}

/// Days of one meter with its hourly temperatures.
struct Meter {
    days: BTreeMap<Date, (f64, Vec<f64>)>,
    before: Range<Date>,
    after: Range<Date>,
}

impl Meter {
    fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let about = About::read(folder, name)?;
        let mut days: BTreeMap<Date, (f64, Vec<f64>)> = BTreeMap::new();
        for (time, energy) in rows(&about.meter)? {
            days.insert(time.date(), (energy, Vec::new()));
        }
        for (time, temperature) in rows(&about.temperature)? {
            if let Some((_, temperatures)) = days.get_mut(&time.date()) {
                temperatures.push(temperature);
            }
        }
        Ok(Self { days, before: about.before, after: about.after })
    }

    fn periods(&self, span: &Range<Date>) -> Vec<Period<'_>> {
        let days = self.days.range(span.clone());
        days.map(|(_, (energy, temperatures))| Period {
            energy: *energy,
            temperatures,
            drivers: &[],
        })
        .collect()
    }
}

/// Where a meter's data are, and the years before and after its blackout.
pub(super) struct About {
    pub(super) meter: PathBuf,
    pub(super) temperature: PathBuf,
    pub(super) before: Range<Date>,
    pub(super) after: Range<Date>,
}

impl About {
    pub(super) fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(folder.join("metadata.json"))
            .context("reading metadata.json")?;
        let metadata: Value = serde_json::from_str(&text)?;
        let word = |key: &str| {
            metadata[name][key].as_str().with_context(|| format!("{name} has no {key}"))
        };
        let date = |key: &str| -> anyhow::Result<Date> { Ok(word(key)?.parse()?) };
        let begin = date("blackout_start_date")?;
        let next = date("blackout_end_date")?.tomorrow()?;
        Ok(Self {
            meter: folder.join(word("meter_data_filename")?),
            temperature: folder.join(word("temperature_filename")?),
            before: begin.checked_sub(365.days())?..begin,
            after: next..next.checked_add(365.days())?,
        })
    }
}

/// Local time and value of each row; an empty value is NaN.
pub(super) fn rows(path: &Path) -> anyhow::Result<Vec<(DateTime, f64)>> {
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let (time, value) =
            line.split_once(',').with_context(|| format!("no two fields: {line}"))?;
        // The offset behind the local time is left out.
        let time: DateTime = time.get(..19).unwrap_or(time).parse()?;
        found.push((time, value.parse().unwrap_or(f64::NAN)));
    }
    Ok(found)
}
