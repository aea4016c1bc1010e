//! M3 competition, the 1,428 monthly series: 18 months ahead.

use std::path::Path;

use analytics::forecast::accuracy::{mae, mase, smape_percent};
use analytics::forecast::{Ridge, combine, dynamic_theta, ets, half_widths, theta};
use anyhow::Context;

use crate::{CpuClock, Options, Split, Table, data, peer};

const PERIOD: usize = 12;
const HORIZON: usize = 18;
/// A past forecast counts for the intervals if it knew so many months: two seasons, which ridge looks back at, and a half.
const LEAST_MONTHS: usize = 30;
/// Months before the test from which the errors for the intervals are forecast: whole years, since January is not as hard as
/// July. Chosen on the 18 months before the test; see docs/benchmarks.md.
const ORIGINS: [usize; 2] = [2 * PERIOD, 3 * PERIOD];
/// The peer takes seconds per dozen series, so it gets every other one.
const PEER_STEP: usize = 2;

struct Series {
    name: String,
    training: Vec<f64>,
    test: Vec<f64>,
}

/// Forecasts for all series at once, since one of the methods learns from all of them.
type Method = (&'static str, fn(&[&[f64]]) -> anyhow::Result<Vec<Vec<f64>>>);

const METHODS: [Method; 5] = [
    ("seasonal naive (trivial)", |all| each(all, |y| Ok(seasonal_naive(y)))),
    ("ETS", |all| each(all, |y| Ok(ets(y, PERIOD)?.forecast(HORIZON)))),
    ("theta", |all| each(all, |y| Ok(theta(y, PERIOD, HORIZON)?))),
    ("dynamic theta", |all| each(all, |y| Ok(dynamic_theta(y, PERIOD, HORIZON)?))),
    ("ridge on all series", ridge),
];

/// Medians of these methods are tried, by their numbers in [`METHODS`].
const COMBINATIONS: [(&str, &[usize]); 4] = [
    ("median of ETS, both thetas", &[1, 2, 3]),
    ("median of ETS, dynamic theta, ridge", &[1, 3, 4]),
    ("median of ETS, both thetas, ridge", &[1, 2, 3, 4]),
    ("mean of dynamic theta, ridge", &[3, 4]),
];

fn each(
    all: &[&[f64]],
    method: fn(&[f64]) -> anyhow::Result<Vec<f64>>,
) -> anyhow::Result<Vec<Vec<f64>>> {
    all.iter().map(|y| method(y)).collect()
}

fn seasonal_naive(y: &[f64]) -> Vec<f64> {
    (0..HORIZON).map(|step| y[y.len() - PERIOD + step % PERIOD]).collect()
}

/// One linear map of the logarithms of the last two years, learned from all series together.
fn ridge(all: &[&[f64]]) -> anyhow::Result<Vec<Vec<f64>>> {
    let logs: Vec<Vec<f64>> = all.iter().map(|y| y.iter().map(|x| x.ln()).collect()).collect();
    let slices: Vec<&[f64]> = logs.iter().map(Vec::as_slice).collect();
    let model = Ridge::fit(&slices, 2 * PERIOD, HORIZON, 1e-4)?;
    let ahead = |log: &Vec<f64>| -> anyhow::Result<Vec<f64>> {
        Ok(model.predict(log)?.iter().map(|x| x.exp()).collect())
    };
    logs.iter().map(ahead).collect()
}

/// What a method foresees at one origin, and how long it took.
struct Found {
    name: &'static str,
    forecasts: Vec<Vec<f64>>,
    seconds: f64,
}

fn all_methods(training: &[&[f64]]) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for (name, method) in METHODS {
        let clock = CpuClock::start();
        let forecasts = method(training)?;
        found.push(Found { name, forecasts, seconds: clock.seconds() });
    }
    for (name, members) in COMBINATIONS {
        let of_series = |i: usize| {
            let of: Vec<Vec<f64>> =
                members.iter().map(|m| found[*m].forecasts[i].clone()).collect();
            combine(&of)
        };
        let forecasts = (0..training.len()).map(of_series).collect();
        let seconds = members.iter().map(|m| found[*m].seconds).sum();
        found.push(Found { name, forecasts, seconds });
    }
    Ok(found)
}

pub(super) fn tables(options: &Options) -> anyhow::Result<Vec<Table>> {
    let path = options.folder()?.join("m3/m3.csv");
    let series = read(&path)?;
    let columns = ["method", "18 months before %", "sMAPE %", "MASE", "series/s"];
    let title = format!("M3 monthly, {} series, 18 months ahead", series.len());
    let mut table = Table::new(title, &columns);
    // The same 18 months earlier, for series that are then still four years long: this chooses.
    let earlier: Vec<Series> =
        series.iter().filter_map(|of| of.earlier(HORIZON, 4 * PERIOD)).collect();
    let before = all_methods(&trainings(&earlier))?;
    let now = all_methods(&trainings(&series))?;
    let mut chosen = (f64::INFINITY, "");
    for (before, now) in before.iter().zip(&now) {
        let (smape_before, _) = judge(earlier.iter(), &before.forecasts);
        if smape_before < chosen.0 {
            chosen = (smape_before, now.name);
        }
        let (smape, mase) = judge(series.iter(), &now.forecasts);
        let per_s = series.len() as f64 / now.seconds;
        table.row([
            now.name.into(),
            format!("{smape_before:.2}"),
            format!("{smape:.2}"),
            format!("{mase:.3}"),
            format!("{per_s:.0}"),
        ]);
    }
    for (name, smape) in PUBLISHED {
        table.row([format!("published: {name}"), String::new(), format!("{smape:.2}")]);
    }
    table.note(format!(
        "chosen by the 18 months before the test, on {} series: {}",
        earlier.len(),
        chosen.1
    ));
    table.note("goal: sMAPE ≤ 13.6 or MASE ≤ 0.84; nothing was learned from the test months");
    table.note(
        "MASE: mean over series, scaled by the seasonal naive error inside the training months",
    );
    table.note(format!("split {}", split(&path, &series, 1)?));
    let mut tables = vec![table];
    tables.extend(coverage(&series, &now, &split(&path, &series, 1)?)?);
    if options.peers {
        tables.push(beside_peer(&path, &series)?);
    }
    Ok(tables)
}

/// The file, the series that are taken from it, and the months of each that are learned from and foreseen.
fn split(path: &Path, series: &[Series], step: usize) -> anyhow::Result<Split> {
    let taken = (0..series.len()).step_by(step);
    Ok(taken.fold(Split::default().file(path)?, |split, i| {
        let n = series[i].training.len();
        split.rows(&series[i].name, 0..n).rows("test", n..n + series[i].test.len())
    }))
}

/// Errors of every method per past forecast and month ahead.
fn past_errors(series: &[Series]) -> anyhow::Result<Vec<Vec<Vec<f64>>>> {
    let mut errors = vec![Vec::new(); METHODS.len() + COMBINATIONS.len()];
    for back in ORIGINS {
        let earlier: Vec<Series> =
            series.iter().filter_map(|of| of.earlier(back, LEAST_MONTHS)).collect();
        for (errors, found) in errors.iter_mut().zip(all_methods(&trainings(&earlier))?) {
            errors.extend(scaled_errors(&earlier, &found.forecasts));
        }
    }
    Ok(errors)
}

/// Shares of the test months inside intervals whose widths are errors of forecasts in the training months.
///
/// Errors are compared over each series' own seasonal naive error, so that all series tell each month's width.
fn coverage(series: &[Series], now: &[Found], split: &Split) -> anyhow::Result<[Table; 2]> {
    const LEVELS: [f64; 3] = [0.8, 0.9, 0.95];
    let title =
        "M3 monthly: intervals from errors in the training months, share of the test months inside";
    let mut table = Table::new(title, &["method", "80 %", "90 %", "95 %", "width, 90 %"]);
    let months: Vec<String> = (1..=HORIZON).map(|month| month.to_string()).collect();
    let columns: Vec<&str> =
        ["method"].into_iter().chain(months.iter().map(String::as_str)).collect();
    let mut by_month =
        Table::new("The same by month ahead, in % of the series, where 90 % is promised", &columns);
    for (past, now) in past_errors(series)?.iter().zip(now) {
        let errors = scaled_errors(series, &now.forecasts);
        let inside = |widths: &[f64], steps: std::ops::Range<usize>| {
            let pairs =
                errors.iter().flat_map(|of| steps.clone().map(|step| (of[step], widths[step])));
            let known: Vec<bool> =
                pairs.filter(|pair| pair.0.is_finite()).map(|(e, w)| e.abs() <= w).collect();
            100.0 * known.iter().filter(|is| **is).count() as f64 / known.len() as f64
        };
        let mut cells = vec![now.name.to_owned()];
        for level in LEVELS {
            let share = inside(&half_widths(past, level)?, 0..HORIZON);
            cells.push(format!("{share:.1} %"));
        }
        let widths = half_widths(past, LEVELS[1])?;
        cells.push(format!("{:.2}", 2.0 * widths.iter().sum::<f64>() / HORIZON as f64));
        table.row(cells);
        let shares = (0..HORIZON).map(|step| format!("{:.1}", inside(&widths, step..step + 1)));
        by_month.row([now.name.to_owned()].into_iter().chain(shares));
    }
    table.row(["trivial: no interval", "0.0 %", "0.0 %", "0.0 %", "0.00"]);
    table.note(format!("errors of forecasts from {} and {} months before the test, so that each month ahead is the same month of the year, wherever {LEAST_MONTHS} months are known by then; widths in seasonal naive errors of the series", ORIGINS[0], ORIGINS[1]));
    for table in [&mut table, &mut by_month] {
        table.note(format!("goal: 88 to 92 % where 90 % is promised; split {split}"));
    }
    Ok([table, by_month])
}

/// Errors per series and month in units of the seasonal naive error of its training months; NaN where that is 0.
fn scaled_errors(series: &[Series], forecasts: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let of_series = |(of, ahead): (&Series, &Vec<f64>)| {
        let lagged = &of.training[PERIOD..];
        let scale = mae(lagged, &of.training[..lagged.len()]);
        let scaled = |(y, f): (&f64, &f64)| if scale > 0.0 { (y - f) / scale } else { f64::NAN };
        of.test.iter().zip(ahead).map(scaled).collect()
    };
    series.iter().zip(forecasts).map(of_series).collect()
}

fn trainings(series: &[Series]) -> Vec<&[f64]> {
    series.iter().map(|of| of.training.as_slice()).collect()
}

impl Series {
    /// The same question, asked `back` months earlier, if `least` months are known by then.
    fn earlier(&self, back: usize, least: usize) -> Option<Series> {
        let split = self.training.len().checked_sub(back).filter(|n| *n >= least)?;
        let (training, rest) = self.training.split_at(split);
        let test = rest[..HORIZON].to_vec();
        Some(Series { name: self.name.clone(), training: training.into(), test })
    }
}

/// Makridakis & Hibon (2000), table 8.
const PUBLISHED: [(&str, f64); 3] = [("Theta", 13.85), ("ForecastPro", 13.86), ("Naive2", 16.91)];

fn beside_peer(path: &Path, series: &[Series]) -> anyhow::Result<Table> {
    let answer =
        peer::run("analytics-forecast", &["m3", &path.to_string_lossy(), &PEER_STEP.to_string()])?;
    let sample = || series.iter().step_by(PEER_STEP);
    let training: Vec<&[f64]> = sample().map(|of| of.training.as_slice()).collect();
    let n = training.len();
    let title = format!("M3 monthly, every second series ({n}), beside statsforecast");
    let mut table = Table::new(title, &["method", "sMAPE %", "MASE", "series/s"]);
    let pairs: [(Method, &str); 2] =
        [(METHODS[1], "AutoETS"), (METHODS[3], "DynamicOptimizedTheta")];
    for ((name, method), theirs) in pairs {
        let clock = CpuClock::start();
        let found = method(&training)?;
        let ours_s = clock.seconds();
        let of_peer = &answer[theirs];
        let theirs_s = of_peer["cpu_s"].as_f64().context("the peer gave no cpu_s")?;
        let of_peer: Vec<Vec<f64>> = serde_json::from_value(of_peer["forecasts"].clone())?;
        for (label, forecasts, seconds) in [
            (name.to_owned(), found, ours_s),
            (format!("statsforecast {theirs}"), of_peer, theirs_s),
        ] {
            let (smape, mase) = judge(sample(), &forecasts);
            let per_s = format!("{:.1}", n as f64 / seconds);
            table.row([label, format!("{smape:.2}"), format!("{mase:.3}"), per_s]);
        }
        table.note(format!("{name}: {:.0} times as fast as {theirs}", theirs_s / ours_s));
    }
    table.note("goal: 20 times AutoETS at an accuracy within 1 %; CPU time of one thread");
    table.note(format!("split {}", split(path, series, PEER_STEP)?));
    Ok(table)
}

fn judge<'a>(series: impl Iterator<Item = &'a Series>, forecasts: &[Vec<f64>]) -> (f64, f64) {
    let (mut smapes, mut mases, mut n, mut n_scaled) = (0.0, 0.0, 0.0, 0.0);
    for (of, forecast) in series.zip(forecasts) {
        smapes += smape_percent(&of.test, forecast);
        n += 1.0;
        let scaled = mase(&of.test, forecast, &of.training, PERIOD);
        if scaled.is_finite() {
            mases += scaled;
            n_scaled += 1.0;
        }
    }
    (smapes / n, mases / n_scaled)
}

fn read(path: &Path) -> anyhow::Result<Vec<Series>> {
    let mut series: Vec<Series> = Vec::new();
    for line in data::text(path)?.lines() {
        let words: Vec<&str> = line.split(',').collect();
        if words.get(1) != Some(&"MONTHLY") {
            continue;
        }
        let values = words[5..].iter().filter(|word| !word.is_empty());
        let values: Vec<f64> = values.map(|word| word.parse()).collect::<Result<_, _>>()?;
        match words[4] {
            "train" => {
                let name = words[0].to_owned();
                series.push(Series { name, training: values, test: Vec::new() });
            }
            _ => series.last_mut().context("a test row without training row")?.test = values,
        }
    }
    Ok(series)
}
