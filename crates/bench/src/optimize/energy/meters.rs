//! Sample meters of OpenEEmeter, which save 10 % after a blackout date.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::Context;
use flate2::read::GzDecoder;
use jiff::ToSpan;
use jiff::civil::Date;
use optimize::energy::baseline::{Period, fit};
use optimize::energy::savings;

use crate::{CpuClock, Options, Table, peer};

const SAMPLES: [&str; 4] = [
    "il-electricity-cdd-hdd-daily",
    "il-electricity-cdd-only-daily",
    "il-gas-hdd-only-daily",
    "il-gas-intercept-only-daily",
];
/// What the samples save, by their documentation.
const KNOWN_PERCENT: f64 = 10.0;

pub(super) fn table(options: &Options) -> anyhow::Result<Table> {
    let folder = options.data.join("eemeter_samples");
    let peer = if options.peers {
        Some(peer::run("optimize-energy", &[&folder.to_string_lossy()])?)
    } else {
        None
    };
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
        let meter = Meter::read(&folder, name)?;
        let clock = CpuClock::start();
        let baseline = fit(&meter.periods(&meter.before))?;
        let after = meter.periods(&meter.after);
        let expected: Vec<f64> = after.iter().map(|day| baseline.expected(day)).collect();
        let actual: Vec<f64> = after.iter().map(|day| day.energy).collect();
        let saved =
            savings(&actual, &expected, &baseline.quality).context("no day after the blackout")?;
        let cpu_s = clock.seconds();
        ours_off += (saved.percent - KNOWN_PERCENT).abs() / SAMPLES.len() as f64;
        let theirs = |key: &str| peer.as_ref().and_then(|peer| peer[name][key].as_f64());
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
        if options.peers { format!("{peers_off:.2}") } else { String::new() },
    ]);
    table.note("baseline: the 365 days before the blackout; saving: the 365 days after it; targets: 1.5 points, CV(RMSE) within 1 point of OpenDSM");
    Ok(table)
}

/// Days of one meter with its hourly temperatures.
struct Meter {
    days: BTreeMap<Date, (f64, Vec<f64>)>,
    before: std::ops::Range<Date>,
    after: std::ops::Range<Date>,
}

impl Meter {
    fn read(folder: &Path, name: &str) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(folder.join("metadata.json"))
            .context("reading metadata.json")?;
        let metadata: serde_json::Value = serde_json::from_str(&text)?;
        let word = |key: &str| {
            metadata[name][key].as_str().with_context(|| format!("{name} has no {key}"))
        };
        let date = |key: &str| -> anyhow::Result<Date> { Ok(word(key)?.parse()?) };
        let (begin, end) = (date("blackout_start_date")?, date("blackout_end_date")?);
        let mut days: BTreeMap<Date, (f64, Vec<f64>)> = BTreeMap::new();
        for (day, energy) in rows(&folder.join(word("meter_data_filename")?))? {
            days.insert(day, (energy, Vec::new()));
        }
        for (day, temperature) in rows(&folder.join(word("temperature_filename")?))? {
            if let Some((_, temperatures)) = days.get_mut(&day) {
                temperatures.push(temperature);
            }
        }
        let next = end.tomorrow()?;
        let before = begin.checked_sub(365.days())?..begin;
        Ok(Self { days, before, after: next..next.checked_add(365.days())? })
    }

    fn periods(&self, span: &std::ops::Range<Date>) -> Vec<Period<'_>> {
        let days = self.days.range(span.clone());
        days.map(|(_, (energy, temperatures))| Period {
            energy: *energy,
            temperatures,
            drivers: &[],
        })
        .collect()
    }
}

/// Local day and value of each row; an empty value is NaN.
fn rows(path: &Path) -> anyhow::Result<Vec<(Date, f64)>> {
    let file =
        std::fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text)?;
    let mut found = Vec::new();
    for line in text.lines().skip(1) {
        let (time, value) =
            line.split_once(',').with_context(|| format!("no two fields: {line}"))?;
        let day: Date = time.get(..10).unwrap_or_default().parse()?;
        found.push((day, value.parse().unwrap_or(f64::NAN)));
    }
    Ok(found)
}
