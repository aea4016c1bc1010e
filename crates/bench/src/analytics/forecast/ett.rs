//! ETTh1: seven hourly signals of a transformer, 96 hours ahead; the standard split of 12, 4 and 4 months.

use std::ops::Range;
use std::path::{Path, PathBuf};

use analytics::forecast::{Adaptive, Ridge, select};

use crate::{CpuClock, Split, Table, data};

const MONTH: usize = 30 * 24;
const TRAIN: usize = 12 * MONTH;
const VALIDATION: usize = 16 * MONTH;
const TEST: usize = 20 * MONTH;
const LENGTHS: [usize; 5] = [96, 168, 336, 512, 720];
const PENALTIES: [f64; 3] = [0.01, 0.1, 0.5];
/// Members of the mean of models, and hours between the origins on which they are selected.
const ROUNDS: usize = 12;
const STRIDE: usize = 5;
const LEVEL: f64 = 0.9;
/// Errors that an interval remembers: one month.
const MEMORY: usize = MONTH;

pub(super) fn table(folder: &Path) -> anyhow::Result<Table> {
    let channels = read(folder)?;
    let columns =
        ["method", "MSE 24", "MSE 96", "MAE 96", "90 % cover", "mean width", "µs CPU per forecast"];
    let mut table =
        Table::new("ETTh1, seven signals, standardized by the training months", &columns);
    let clock = CpuClock::start();
    let (short, long) = (Chosen::new(&channels, 24)?, Chosen::new(&channels, 96)?);
    let forecasts = CpuClock::start();
    let all = long.tally(&channels, &(VALIDATION..TEST))?;
    let n_forecasts = channels.len() * (TEST - VALIDATION + 1 - long.horizon);
    let each_us = forecasts.seconds() * 1e6 / n_forecasts as f64;
    let (mut covered, mut width) = (0.0, 0.0);
    for channel in channels.iter().map(Vec::as_slice).enumerate() {
        let found = intervals(&long, channel)?;
        covered += found.0 / channels.len() as f64;
        width += found.1 / channels.len() as f64;
    }
    let seconds = clock.seconds();
    table.row([
        "ridge, mean of selected models".into(),
        format!("{:.4}", short.tally(&channels, &(VALIDATION..TEST))?.mse()),
        format!("{:.4}", all.mse()),
        format!("{:.4}", all.mae()),
        format!("{covered:.1} %"),
        format!("{width:.2}"),
        format!("{each_us:.0}"),
    ]);
    let trivial = trivial(&channels);
    let cells = [trivial.mse(), trivial.mae()].map(|x| format!("{x:.4}"));
    table.row(["trivial: the last day again".to_owned(), String::new()].into_iter().chain(cells));
    for (name, mse) in [("PatchTST", "0.370"), ("DLinear", "0.375")] {
        table.row([format!("published: {name}"), String::new(), mse.into()]);
    }
    table.note("goal: MSE ≤ 0.366 at 96 hours, 90 % intervals covering 88 to 92 %");
    for chosen in [&short, &long] {
        table.note(format!(
            "{} hours, selected on the 4 validation months (MSE there {:.4}): {}",
            chosen.horizon,
            chosen.tally(&channels, &(TRAIN..VALIDATION))?.mse(),
            chosen.names()
        ));
    }
    table.note(format!(
        "learned from 12 months; intervals adapt from the next 4 on; {seconds:.1} s CPU in all"
    ));
    let split = Split::default().file(&path(folder))?.rows("train", 0..TRAIN);
    let split = split.rows("validation", TRAIN..VALIDATION).rows("test", VALIDATION..TEST);
    table.note(format!("split at hours {TRAIN}, {VALIDATION}, {TEST}: {split}"));
    Ok(table)
}

/// One linear map per signal, or the same for all.
struct Model {
    n_lags: usize,
    is_shared: bool,
    penalty: f64,
    of_channel: Vec<Ridge>,
}

impl Model {
    fn name(&self) -> String {
        let kind = if self.is_shared { "one for all" } else { "one per signal" };
        format!("{} lags, {kind}, penalty {}", self.n_lags, self.penalty)
    }

    fn predict(&self, index: usize, channel: &[f64], origin: usize) -> anyhow::Result<Vec<f64>> {
        Ok(self.of_channel[index].predict(&channel[origin - self.n_lags..origin])?)
    }
}

/// Models whose weighted mean is the forecast, selected on the validation months.
struct Chosen {
    horizon: usize,
    models: Vec<(f64, Model)>,
}

impl Chosen {
    fn new(channels: &[Vec<f64>], horizon: usize) -> anyhow::Result<Chosen> {
        let models = library(channels, horizon)?;
        let origins: Vec<usize> = (TRAIN..=VALIDATION - horizon).step_by(STRIDE).collect();
        let places = || (0..channels.len()).flat_map(|i| origins.iter().map(move |at| (i, *at)));
        let actual: Vec<f64> =
            places().flat_map(|(i, at)| channels[i][at..at + horizon].iter().copied()).collect();
        let mut forecasts = Vec::with_capacity(models.len());
        for model in &models {
            let mut all = Vec::with_capacity(actual.len());
            for (i, at) in places() {
                all.extend(model.predict(i, &channels[i], at)?);
            }
            forecasts.push(all);
        }
        let shares = select(&forecasts, &actual, ROUNDS)?;
        let models = shares.into_iter().zip(models).filter(|(share, _)| *share > 0.0).collect();
        Ok(Chosen { horizon, models })
    }

    fn names(&self) -> String {
        let names: Vec<String> = self
            .models
            .iter()
            .map(|(share, model)| format!("{:.0} % {}", 100.0 * share, model.name()))
            .collect();
        names.join("; ")
    }

    /// Actual values and forecasts from every hour whose next `horizon` hours lie in `hours`.
    fn pairs<'a>(
        &self,
        (index, channel): (usize, &'a [f64]),
        hours: Range<usize>,
    ) -> anyhow::Result<Vec<(&'a [f64], Vec<f64>)>> {
        let mut pairs = Vec::with_capacity(hours.len());
        for origin in hours.start..=hours.end - self.horizon {
            let mut sum = vec![0.0; self.horizon];
            for (share, model) in &self.models {
                let found = model.predict(index, channel, origin)?;
                sum.iter_mut().zip(found).for_each(|(sum, x)| *sum += share * x);
            }
            pairs.push((&channel[origin..origin + self.horizon], sum));
        }
        Ok(pairs)
    }

    fn tally(&self, channels: &[Vec<f64>], hours: &Range<usize>) -> anyhow::Result<Tally> {
        let mut tally = Tally::default();
        for channel in channels.iter().map(Vec::as_slice).enumerate() {
            for (actual, forecast) in self.pairs(channel, hours.clone())? {
                tally.add(actual, &forecast);
            }
        }
        Ok(tally)
    }
}

/// All models that may be selected, learned from the training months.
fn library(channels: &[Vec<f64>], horizon: usize) -> anyhow::Result<Vec<Model>> {
    let training: Vec<&[f64]> = channels.iter().map(|of| &of[..TRAIN]).collect();
    let mut models = Vec::new();
    for n_lags in LENGTHS {
        let shared = Ridge::fit_each(&training, n_lags, horizon, &PENALTIES)?;
        let own: Vec<Vec<Ridge>> = training
            .iter()
            .map(|of| Ridge::fit_each(&[*of], n_lags, horizon, &PENALTIES))
            .collect::<Result<_, _>>()?;
        for (i, (model, penalty)) in shared.into_iter().zip(PENALTIES).enumerate() {
            let of_channel = vec![model; channels.len()];
            models.push(Model { n_lags, is_shared: true, penalty, of_channel });
            let of_channel = own.iter().map(|each| each[i].clone()).collect();
            models.push(Model { n_lags, is_shared: false, penalty, of_channel });
        }
    }
    Ok(models)
}

/// Share of values inside adaptive intervals in percent, and their mean width, over the test hours.
///
/// There is one interval per hour ahead. It knows the errors of the validation months, and then each error as soon as
/// its hour has passed.
fn intervals(long: &Chosen, channel: (usize, &[f64])) -> anyhow::Result<(f64, f64)> {
    let before = long.pairs(channel, TRAIN..VALIDATION)?;
    let pairs = long.pairs(channel, VALIDATION..TEST)?;
    let (mut covered, mut width, mut n) = (0.0, 0.0, 0.0);
    for step in 0..long.horizon {
        let error = |pair: &(&[f64], Vec<f64>)| pair.0[step] - pair.1[step];
        let mut interval = Adaptive::new(LEVEL, MEMORY, 0.01)?;
        before[before.len() - MEMORY..].iter().for_each(|pair| interval.push(error(pair)));
        for (i, pair) in pairs.iter().enumerate() {
            if let Some(known) = i.checked_sub(step + 1) {
                interval.push(error(&pairs[known]));
            }
            let half = interval.half_width();
            covered += if error(pair).abs() <= half { 100.0 } else { 0.0 };
            width += 2.0 * half;
            n += 1.0;
        }
    }
    Ok((covered / n, width / n))
}

fn trivial(channels: &[Vec<f64>]) -> Tally {
    let mut tally = Tally::default();
    for channel in channels {
        for origin in VALIDATION..=TEST - 96 {
            let again: Vec<f64> = (0..96).map(|step| channel[origin - 24 + step % 24]).collect();
            tally.add(&channel[origin..origin + 96], &again);
        }
    }
    tally
}

#[derive(Default)]
struct Tally {
    squares: f64,
    sizes: f64,
    n: f64,
}

impl Tally {
    fn add(&mut self, actual: &[f64], forecast: &[f64]) {
        for (y, f) in actual.iter().zip(forecast) {
            self.squares += (y - f).powi(2);
            self.sizes += (y - f).abs();
            self.n += 1.0;
        }
    }

    fn mse(&self) -> f64 {
        self.squares / self.n
    }

    fn mae(&self) -> f64 {
        self.sizes / self.n
    }
}

fn path(folder: &Path) -> PathBuf {
    folder.join("ett/ETT-small/ETTh1.csv")
}

fn read(folder: &Path) -> anyhow::Result<Vec<Vec<f64>>> {
    let text = data::text(&path(folder))?;
    let mut channels = vec![Vec::new(); 7];
    for line in text.lines().skip(1) {
        for (channel, word) in channels.iter_mut().zip(line.split(',').skip(1)) {
            channel.push(word.parse::<f64>()?);
        }
    }
    for channel in &mut channels {
        let mean = channel[..TRAIN].iter().sum::<f64>() / TRAIN as f64;
        let square = channel[..TRAIN].iter().map(|x| (x - mean).powi(2)).sum::<f64>();
        let sigma = (square / TRAIN as f64).sqrt();
        channel.iter_mut().for_each(|x| *x = (*x - mean) / sigma);
    }
    Ok(channels)
}
