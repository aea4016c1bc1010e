//! Which fault frequency a vibration carries, with the harmonics that prove it.
//!
//! A damaged part strikes at a known multiple of the shaft speed. The recording is pre-whitened, cut into
//! overlapping bands, and in the squared envelope spectrum of each band the lines at the multiples of every
//! possible rate are added up. The same sum at rates at which nothing is expected (decoys) shows how large it gets
//! by chance in this very recording, so that no threshold has to be learned from another machine.

use super::envelope::{envelope_powers, whitened};
use super::{Error, Plans, checked, median};
use crate::stats::MAD_TO_SIGMA;

/// Half the width in Hz of the stretch of spectrum whose median is taken as background.
const BACKGROUND_HZ: f64 = 15.0;
/// One line counts at most so much, in the logarithm of its power over the background: one line is no proof.
const LINE_CAP: f64 = 4.0;
/// Envelope spectra are looked at up to this frequency.
const HIGHEST_ENVELOPE_HZ: f64 = 1000.0;
/// Decoys are taken from this share of the lowest candidate to this multiple of the highest one.
const DECOYS_REACH: (f64, f64) = (0.65, 1.65);
/// Decoys this close to a whole order are left out: shafts and misalignment are at home there.
const WHOLE_ORDER: f64 = 0.03;
/// Share of the decoys' median that counts as scatter beside their own.
const SCATTER_FLOOR: f64 = 0.05;
/// Fewest decoys to judge by.
const LEAST_DECOYS: usize = 5;

/// A rate at which a fault would strike, in multiples of the shaft speed.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// What would be at fault.
    pub name: String,
    /// Strikes per turn of the shaft, from [`super::Bearing::orders`] or [`super::GearPair`].
    pub order: f64,
}

/// How evidence is looked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    /// Turns per second.
    pub shaft_hz: f64,
    /// How far rates may lie from the geometric ones, as a share: rolling elements slip by 1 to 2 %.
    pub slip: f64,
    /// How many harmonics are added up.
    pub n_harmonics: usize,
    /// Nothing above this is looked at; above half the rate means all.
    pub highest_hz: f64,
    /// Bands are halved so often, with overlap: 2 makes 1 + 3 + 7 bands.
    pub depth: u32,
}

impl Search {
    /// The usual search at this shaft speed: 1.2 % slip, six harmonics, eleven bands over the whole spectrum.
    pub fn at(shaft_hz: f64) -> Search {
        Search { shaft_hz, slip: 0.012, n_harmonics: 6, highest_hz: f64::INFINITY, depth: 2 }
    }
}

/// One line of the envelope spectrum.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Harmonic {
    /// Where it is.
    pub frequency_hz: f64,
    /// Its power over that of the background, no unit; noise exceeds 10 in one line of 20,000.
    pub over_background: f64,
}

/// What speaks for one candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Evidence {
    /// Its index.
    pub candidate: usize,
    /// How far the sum of its lines lies above that of the decoys, in their scatter (no unit). Above 3 is proof.
    pub score: f64,
    /// The rate at which the lines were found, in orders.
    pub order: f64,
    /// The band in which they stand out most.
    pub band_hz: (f64, f64),
    /// The lines, from the first harmonic upwards, as far as the band's envelope reaches.
    pub harmonics: Vec<Harmonic>,
}

/// What speaks for each of `candidates`, strongest first.
///
/// `samples` span at least 20 turns of the shaft. A recording without any content, such as a constant, has no
/// findings. Candidates whose rate or half of whose harmonics the recording cannot show are left out.
/// Cost: about 4 n log n per level of `depth`; 10 s at 12 kHz take some 15 ms.
///
/// Sources: pre-whitening and squared envelope as in [`super::prewhiten`] and [`super::squared_envelope_spectrum`];
/// the sum of log-powers over local background follows the harmonic product spectrum of Noll (1969).
///
/// ```
/// use analytics::vibration::{Candidate, Plans, Search, evidence};
/// // A shaft turns 20 times a second; about 3.6 times a turn something strikes and rings at 3 kHz, in seeded noise.
/// let mut state = 1u64;
/// let mut noise = || {
///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
///     (state >> 40) as f64 / f64::from(1 << 24) - 0.5
/// };
/// let mut samples: Vec<f64> = (0..48_000).map(|_| noise()).collect();
/// for strike in 1..287 {
///     let start = ((f64::from(strike) + 0.05 * noise()) / 72.0 * 12_000.0) as usize;
///     for (sample, age) in samples[start..].iter_mut().zip(0..100).map(|(x, n)| (x, f64::from(n) / 12_000.0)) {
///         *sample += 2.0 * (-800.0 * age).exp() * (std::f64::consts::TAU * 3000.0 * age).sin();
///     }
/// }
/// let parts = [("inner race", 5.2), ("outer race", 3.6)];
/// let parts = parts.map(|(name, order)| Candidate { name: name.into(), order });
/// let found = evidence(&mut Plans::default(), &samples, 12_000.0, &parts, &Search::at(20.0)).unwrap();
/// assert!(found[0].candidate == 1 && found[0].score > 3.0 && found[1].score < 3.0, "{found:?}");
/// // 3.6 strikes a turn, 20 turns a second: 72 Hz, and its double.
/// assert!((found[0].harmonics[0].frequency_hz - 72.0).abs() < 1.0);
/// assert!((found[0].harmonics[1].frequency_hz - 144.0).abs() < 2.0);
/// ```
///
/// # Errors
/// If the recording is too short or not finite, or a setting is out of its range.
pub fn evidence(
    plans: &mut Plans,
    samples: &[f64],
    rate_hz: f64,
    candidates: &[Candidate],
    search: &Search,
) -> Result<Vec<Evidence>, Error> {
    let samples = checked(samples, rate_hz)?;
    check(search, candidates, samples.len(), rate_hz)?;
    let bins = whitened(plans, samples);
    let step_hz = rate_hz / samples.len() as f64;
    let top = ((search.highest_hz.min(rate_hz / 2.0) / step_hz) as usize).min(bins.len() - 1);
    let mut best: Vec<Option<Evidence>> = vec![None; candidates.len()];
    for (first, last) in bands(top, search.depth) {
        let reach = (HIGHEST_ENVELOPE_HZ / step_hz).min((last - first) as f64 * 0.9) as usize;
        let powers = envelope_powers(plans, &bins[first.max(1)..last], reach);
        let lines = Lines::new(&powers, step_hz);
        let band_hz = (first as f64 * step_hz, last as f64 * step_hz);
        for finding in findings_in(&lines, band_hz, candidates, search) {
            let slot = &mut best[finding.candidate];
            if slot.as_ref().is_none_or(|known| finding.score > known.score) {
                *slot = Some(finding);
            }
        }
    }
    let mut found: Vec<Evidence> = best.into_iter().flatten().collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    Ok(found)
}

fn check(search: &Search, of: &[Candidate], n: usize, rate_hz: f64) -> Result<(), Error> {
    super::positive("shaft_hz", search.shaft_hz)?;
    super::positive("highest_hz", search.highest_hz.min(f64::MAX))?;
    let refuse = |name, value, range| Err(Error::OutOfRange { name, value, range });
    if !(0.001..=0.05).contains(&search.slip) {
        return refuse("slip", search.slip, "0.001 to 0.05");
    }
    if !(1..=50).contains(&search.n_harmonics) {
        return refuse("n_harmonics", search.n_harmonics as f64, "1 to 50");
    }
    if search.depth > 6 {
        return refuse("depth", f64::from(search.depth), "0 to 6");
    }
    for candidate in of {
        super::positive("order", candidate.order)?;
    }
    let least = (20.0 * rate_hz / search.shaft_hz).ceil() as usize;
    if n < least {
        return Err(Error::TooShort { found: n, least });
    }
    Ok(())
}

/// Bands of bins 0 to `top`: the whole, halves, quarters, …, each level also shifted by half a band.
fn bands(top: usize, depth: u32) -> Vec<(usize, usize)> {
    let mut all = Vec::new();
    for level in 0..=depth {
        let width = top >> level;
        let n_shifts = (1usize << (level + 1)) - 1;
        let starts = (0..n_shifts).map(|shift| shift * width / 2);
        all.extend(starts.map(|start| (start, start + width)).filter(|band| band.1 - band.0 > 64));
    }
    all
}

/// An envelope spectrum relative to its background.
struct Lines {
    step_hz: f64,
    over_background: Vec<f64>,
    /// What a harmonic at each bin adds to the sum: its log-power or that of a neighbor, capped.
    worth: Vec<f64>,
}

impl Lines {
    fn new(powers: &[f64], step_hz: f64) -> Lines {
        let background = background(powers, ((BACKGROUND_HZ / step_hz) as usize).max(8));
        let over_background: Vec<f64> = powers
            .iter()
            .zip(&background)
            .map(|(power, level)| if *level > 0.0 { power / level } else { 0.0 })
            .collect();
        let n = over_background.len();
        let near = |bin: usize| {
            let around = &over_background[bin.saturating_sub(1)..(bin + 2).min(n)];
            around.iter().copied().fold(0.0, f64::max)
        };
        let worth = (0..n).map(|bin| near(bin).ln_1p().min(LINE_CAP)).collect();
        Lines { step_hz, over_background, worth }
    }

    /// The sum over harmonics of a rate given in steps.
    fn sum(&self, rate: f64, n_harmonics: usize) -> f64 {
        let bins = (1..=n_harmonics).map(|harmonic| (harmonic as f64 * rate + 0.5) as usize);
        bins.filter_map(|bin| self.worth.get(bin)).sum()
    }

    /// The largest sum of all rates within `slip` of `order`, and its order.
    fn best_near(&self, order: f64, search: &Search) -> (f64, f64) {
        let center = order * search.shaft_hz / self.step_hz;
        let (low, high) = (center * (1.0 - search.slip), center * (1.0 + search.slip));
        let grid = 1.0 / search.n_harmonics as f64;
        let n_rates = ((high - low) / grid) as usize + 1;
        let mut best = (f64::NEG_INFINITY, order);
        for i in 0..n_rates {
            let rate = low + i as f64 * grid;
            let sum = self.sum(rate, search.n_harmonics);
            if sum > best.0 {
                best = (sum, rate * self.step_hz / search.shaft_hz);
            }
        }
        best
    }

    fn harmonics(&self, order: f64, search: &Search) -> Vec<Harmonic> {
        let rate = order * search.shaft_hz / self.step_hz;
        let n = self.over_background.len();
        let at = |harmonic: usize| {
            let center = (harmonic as f64 * rate + 0.5) as usize;
            let bin = (center.saturating_sub(1)..(center + 2).min(n))
                .max_by(|&a, &b| self.over_background[a].total_cmp(&self.over_background[b]))?;
            let over_background = self.over_background[bin];
            Some(Harmonic { frequency_hz: bin as f64 * self.step_hz, over_background })
        };
        (1..=search.n_harmonics).map_while(at).collect()
    }
}

/// Mean level of noise at every bin: from the median of the powers around it, which for noise is ln 2 of the mean.
fn background(powers: &[f64], half_width: usize) -> Vec<f64> {
    let n = powers.len();
    let centers: Vec<usize> = (half_width / 2..n + half_width / 2).step_by(half_width).collect();
    let mut scratch = Vec::new();
    let mut levels = Vec::with_capacity(centers.len());
    for center in &centers {
        scratch.clear();
        let (from, to) =
            (center.saturating_sub(half_width).min(n - 1), (center + half_width).min(n));
        scratch.extend_from_slice(&powers[from..to]);
        levels.push(median(&mut scratch) / std::f64::consts::LN_2);
    }
    let at = |bin: usize| {
        let place = (bin as f64 - centers[0] as f64) / half_width as f64;
        let before = (place.max(0.0) as usize).min(levels.len() - 1);
        let after = (before + 1).min(levels.len() - 1);
        let share = (place - before as f64).clamp(0.0, 1.0);
        levels[before] + share * (levels[after] - levels[before])
    };
    (0..n).map(at).collect()
}

fn findings_in(
    lines: &Lines,
    band_hz: (f64, f64),
    candidates: &[Candidate],
    search: &Search,
) -> Vec<Evidence> {
    let Some((center, scatter)) = chance(lines, candidates, search) else {
        return Vec::new();
    };
    let reach_hz = lines.worth.len() as f64 * lines.step_hz;
    let is_seen =
        |order: f64| order * search.shaft_hz * search.n_harmonics as f64 / 2.0 <= reach_hz;
    let judge = |(index, candidate): (usize, &Candidate)| {
        let (sum, order) = lines.best_near(candidate.order, search);
        let harmonics = lines.harmonics(order, search);
        Evidence { candidate: index, score: (sum - center) / scatter, order, band_hz, harmonics }
    };
    candidates.iter().enumerate().filter(|(_, of)| is_seen(of.order)).map(judge).collect()
}

/// Median and scatter of the sums at decoy rates; `None` where there is nothing to tell apart.
fn chance(lines: &Lines, candidates: &[Candidate], search: &Search) -> Option<(f64, f64)> {
    let orders = candidates.iter().map(|candidate| candidate.order);
    let (lowest, highest) =
        orders.fold((f64::MAX, 0.0f64), |(low, high), order| (low.min(order), high.max(order)));
    let widening = (1.0 + search.slip) / (1.0 - search.slip);
    let mut sums = Vec::new();
    let mut order = lowest * DECOYS_REACH.0;
    while order < highest * DECOYS_REACH.1 {
        if is_decoy(order, candidates, search.slip) {
            sums.push(lines.best_near(order, search).0);
        }
        order *= widening;
    }
    if sums.len() < LEAST_DECOYS {
        return None;
    }
    let center = median(&mut sums);
    sums.iter_mut().for_each(|sum| *sum = (*sum - center).abs());
    let scatter = MAD_TO_SIGMA * median(&mut sums) + SCATTER_FLOOR * center;
    (scatter > 0.0).then_some((center, scatter))
}

fn is_decoy(order: f64, candidates: &[Candidate], slip: f64) -> bool {
    let near_whole = (order - order.round()).abs() < WHOLE_ORDER;
    !near_whole && candidates.iter().all(|of| (order / of.order - 1.0).abs() > 2.5 * slip)
}
