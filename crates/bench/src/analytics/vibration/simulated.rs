//! Made-up recordings of gears and bearings whose fault is known: order spectra, kurtogram, evidence.

use analytics::vibration::{
    Bearing, Candidate, GearPair, Plans, Search, evidence, kurtogram, order_spectrum, spectrum,
};
use anyhow::Context;

use crate::random::Random;
use crate::{CpuClock, Options, Split, Table};

const RATE_HZ: f64 = 12_000.0;
const SECONDS: f64 = 10.0;
const SHAFT_HZ: f64 = 25.0;
/// What a strike makes ring, and how fast that dies away.
const RESONANCE_HZ: f64 = 3200.0;
const DECAY_S: f64 = 0.001;
const RECORDS: u64 = 30;
/// Evidence above this is called proof, as for the recorded files.
const PROOF: f64 = 3.0;
const PER_TURN: usize = 64;
const DEPTH: u32 = 5;
/// Height of a strike in standard deviations of the noise.
const HEIGHTS: [f64; 4] = [0.5, 1.0, 2.0, 4.0];

pub(super) fn tables(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![orders(options.seed)?, bands(options.seed)?, faults(options.seed)?])
}

/// Strikes `order` times a turn, each off by up to 1 % of the interval, that make a resonance ring in noise of σ 1.
fn strikes(order: f64, height: f64, noise: &mut Random) -> Vec<f64> {
    let n = (RATE_HZ * SECONDS) as usize;
    let mut samples: Vec<f64> = (0..n).map(|_| noise.normal()).collect();
    if height == 0.0 {
        return samples;
    }
    // Real rates lie within 1 % of the geometric ones, since elements slip.
    let rate_hz = order * SHAFT_HZ * (1.0 + 0.02 * (noise.uniform() - 0.5));
    let mut at_s = noise.uniform() / rate_hz;
    while at_s < SECONDS {
        let first = (at_s * RATE_HZ).ceil() as usize;
        for (i, sample) in samples.iter_mut().enumerate().skip(first).take(120) {
            let since_s = i as f64 / RATE_HZ - at_s;
            let ring = (std::f64::consts::TAU * RESONANCE_HZ * since_s).sin();
            *sample += height * ring * (-since_s / DECAY_S).exp();
        }
        at_s += (1.0 + 0.01 * noise.normal()) / rate_hz;
    }
    samples
}

/// A line at an order of a shaft that speeds up: smeared over frequency, sharp over orders.
fn orders(seed: u64) -> anyhow::Result<Table> {
    const ORDER: f64 = 3.5;
    let title = format!(
        "Simulated: a line of amplitude 1 at order {ORDER} in noise of σ 1, while the shaft speeds up from 20 Hz"
    );
    let columns = [
        "to",
        "largest line, Hz",
        "its amplitude",
        "largest line, orders",
        "its amplitude",
        "ms CPU",
    ];
    let mut table = Table::new(title, &columns);
    let plans = &mut Plans::default();
    let mut split = Split::default();
    for last_hz in [20.0, 22.0, 30.0, 40.0] {
        let mut noise = Random::new(seed);
        let turned = |t: f64| 20.0 * t + (last_hz - 20.0) * t * t / (2.0 * SECONDS);
        let n = (RATE_HZ * SECONDS) as usize;
        let sample = |i: usize| {
            let angle = std::f64::consts::TAU * ORDER * turned(i as f64 / RATE_HZ);
            angle.cos() + noise.normal()
        };
        let samples: Vec<f64> = (0..n).map(sample).collect();
        let marks = marks(turned);
        let plain = spectrum(plans, &samples, RATE_HZ)?;
        let clock = CpuClock::start();
        let by_order = order_spectrum(plans, &samples, RATE_HZ, &marks, PER_TURN)?;
        let ms = clock.seconds() * 1e3;
        let largest = |amplitudes: &[f64], step: f64| {
            let best =
                (1..amplitudes.len()).max_by(|&a, &b| amplitudes[a].total_cmp(&amplitudes[b]));
            best.map_or((f64::NAN, f64::NAN), |i| (i as f64 * step, amplitudes[i]))
        };
        let (hz, of_hz) = largest(&plain.amplitudes, plain.step);
        let (order, of_order) = largest(&by_order.amplitudes, by_order.step);
        table.row([
            format!("{last_hz} Hz"),
            format!("{hz:.1}"),
            format!("{of_hz:.2}"),
            format!("{order:.2}"),
            format!("{of_order:.2}"),
            format!("{ms:.1}"),
        ]);
        split = split.values("samples", &samples);
    }
    table
        .note(format!("true: order {ORDER}, amplitude 1; trivial: the plain spectrum on the left"));
    table.note(format!("{SECONDS} s at {RATE_HZ} Hz, seed {seed}, samples {split}"));
    Ok(table)
}

/// When each turn is completed until the last sample, by bisection of the turns made.
fn marks(turned: impl Fn(f64) -> f64) -> Vec<f64> {
    let when = |turn: usize| {
        let (mut low, mut high) = (0.0, SECONDS);
        for _ in 0..50 {
            let middle = f64::midpoint(low, high);
            *(if turned(middle) < turn as f64 { &mut low } else { &mut high }) = middle;
        }
        high
    };
    let last_s = SECONDS - 1.0 / RATE_HZ;
    (0..=turned(last_s) as usize).map(when).collect()
}

/// Whether the most impulsive band is where strikes ring.
fn bands(seed: u64) -> anyhow::Result<Table> {
    let title = format!(
        "Simulated: kurtogram of strikes that make {RESONANCE_HZ} Hz ring, {RECORDS} recordings a row"
    );
    let columns = [
        "height of a strike, σ",
        "best band holds the resonance",
        "median width of it, Hz",
        "median kurtosis",
        "ms CPU",
    ];
    let mut table = Table::new(title, &columns);
    let plans = &mut Plans::default();
    for height in [0.0, 1.0, 2.0, 4.0, 8.0] {
        let (mut n_right, mut widths, mut kurtoses) = (0, Vec::new(), Vec::new());
        let mut seconds = 0.0;
        for record in 0..RECORDS {
            let mut noise = Random::new(seed * 1000 + record);
            let samples = strikes(3.585, height, &mut noise);
            let clock = CpuClock::start();
            let found = kurtogram(plans, &samples, RATE_HZ, DEPTH)?;
            seconds += clock.seconds();
            let best = found.first().context("noise has bands")?;
            n_right += usize::from((best.low_hz..best.high_hz).contains(&RESONANCE_HZ));
            widths.push(best.high_hz - best.low_hz);
            kurtoses.push(best.kurtosis);
        }
        table.row([
            height.to_string(),
            format!("{:.0} %", 100.0 * n_right as f64 / RECORDS as f64),
            format!("{:.0}", median(&mut widths)),
            format!("{:.2}", median(&mut kurtoses)),
            format!("{:.1}", 1e3 * seconds / RECORDS as f64),
        ]);
    }
    table.note("trivial: height 0, where nothing rings and a band is right by its width alone");
    table.note(format!("seeds from {}; simulated, no data are read", seed * 1000));
    Ok(table)
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// A bearing and a pair of gears on one shaft; each strikes at its own rate.
fn parts() -> anyhow::Result<Vec<Candidate>> {
    let bearing = Bearing {
        n_elements: 9,
        element_diameter: 0.3126,
        pitch_diameter: 1.537,
        contact_degrees: 0.0,
    };
    let orders = bearing.orders().context("the bearing's geometry")?;
    let gears = GearPair { driving_teeth: 23, driven_teeth: 37 };
    let named = [
        ("inner race", orders.inner),
        ("outer race", orders.outer),
        ("ball", 2.0 * orders.element),
        ("driven gear, one tooth", gears.driven()),
    ];
    Ok(named.map(|(name, order)| Candidate { name: name.to_owned(), order }).into())
}

/// Named right and proven, for each part that may be damaged and for a healthy machine.
fn faults(seed: u64) -> anyhow::Result<Table> {
    let parts = parts()?;
    let title = format!(
        "Simulated: which of {} parts strikes, named right / proven right / proven wrong of {RECORDS} recordings",
        parts.len()
    );
    let names = HEIGHTS.map(|height| format!("height {height} σ"));
    let mut columns = vec!["damaged"];
    columns.extend(names.iter().map(String::as_str));
    columns.push("ms CPU");
    let mut table = Table::new(title, &columns);
    let plans = &mut Plans::default();
    let search = Search { n_harmonics: 6, ..Search::at(SHAFT_HZ) };
    for (truth, part) in parts.iter().enumerate() {
        let mut cells = vec![format!("{} (order {:.3})", part.name, part.order)];
        let mut seconds = 0.0;
        for height in HEIGHTS {
            let mut counts = [0; 3];
            for record in 0..RECORDS {
                let samples = strikes(part.order, height, &mut Random::new(seed * 1000 + record));
                let clock = CpuClock::start();
                let found = evidence(plans, &samples, RATE_HZ, &parts, &search)?;
                seconds += clock.seconds();
                let best = found.first().context("noise has evidence")?;
                let (is_right, is_proven) = (best.candidate == truth, best.score >= PROOF);
                counts[0] += usize::from(is_right);
                counts[1] += usize::from(is_right && is_proven);
                counts[2] += usize::from(!is_right && is_proven);
            }
            cells.push(counts.map(|n| n.to_string()).join(" / "));
        }
        cells.push(format!("{:.1}", 1e3 * seconds / (RECORDS as f64 * HEIGHTS.len() as f64)));
        table.row(cells);
    }
    let mut n_wrong = 0;
    for record in 0..RECORDS {
        let samples = strikes(1.0, 0.0, &mut Random::new(seed * 1000 + record));
        let found = evidence(plans, &samples, RATE_HZ, &parts, &search)?;
        n_wrong += usize::from(found.first().is_some_and(|best| best.score >= PROOF));
    }
    table.row(["none: proven wrong".to_owned(), n_wrong.to_string()]);
    let by_chance = format!("{:.1}", RECORDS as f64 / parts.len() as f64);
    table.row(["trivial: named at random".to_owned(), by_chance]);
    table.note(format!("gears of 23 and 37 teeth; strikes ring at {RESONANCE_HZ} Hz, slip up to 1 %, jitter 1 %; proof: {PROOF} σ over decoys"));
    table.note(format!("seeds from {}; simulated, no data are read", seed * 1000));
    Ok(table)
}
