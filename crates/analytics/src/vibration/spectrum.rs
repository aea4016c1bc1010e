//! What a vibration is made of, by frequency or by shaft order.

use realfft::num_complex::Complex64;

use super::{Error, Plans, checked, mean};

/// Amplitudes at evenly spaced frequencies or orders, from 0 upwards.
#[derive(Debug, Clone, PartialEq)]
pub struct Spectrum {
    /// From one amplitude to the next: Hz, or orders (multiples of the shaft speed).
    pub step: f64,
    /// Peak amplitude of the sine at each step, in the unit of the samples (squared for a squared envelope).
    pub amplitudes: Vec<f64>,
}

impl Spectrum {
    /// The largest amplitude within `tolerance` of `place`, and where it is; both in the unit of `step`.
    ///
    /// `None` where the spectrum does not reach.
    pub fn peak_near(&self, place: f64, tolerance: f64) -> Option<(f64, f64)> {
        let first = ((place - tolerance) / self.step).ceil().max(0.0) as usize;
        let last = ((place + tolerance) / self.step).floor().max(0.0) as usize;
        let bins = self.amplitudes.get(first..=last.min(self.amplitudes.len().checked_sub(1)?))?;
        let best = (0..bins.len()).max_by(|&a, &b| bins[a].total_cmp(&bins[b]))?;
        Some(((first + best) as f64 * self.step, bins[best]))
    }
}

/// Amplitude spectrum under a Hann window, corrected so that a sine of amplitude 1 that falls on a step shows as 1.
///
/// The mean is taken off first. The last samples are left out until the length has only the factors 2, 3 and 5.
/// Cost: O(n log n). Source: Harris (1978), "On the use of windows for harmonic analysis with the discrete Fourier transform",
/// §V.C (Hann).
///
/// # Errors
/// If there are fewer than 64 samples, one is not finite, or the rate is not positive.
///
/// ```
/// use analytics::vibration::{Plans, spectrum};
/// let wave: Vec<f64> = (0..1000).map(|i| 3.0 * (i as f64 * 0.05 * std::f64::consts::TAU).cos()).collect();
/// let shown = spectrum(&mut Plans::default(), &wave, 1000.0).unwrap();
/// assert_eq!(shown.step, 1.0); // Hz
/// assert!((shown.amplitudes[50] - 3.0).abs() < 1e-9 && shown.amplitudes[60] < 1e-9);
/// ```
pub fn spectrum(plans: &mut Plans, samples: &[f64], rate_hz: f64) -> Result<Spectrum, Error> {
    let samples = checked(samples, rate_hz)?;
    let n = samples.len() as f64;
    let center = mean(samples);
    let windowed: Vec<f64> = samples
        .iter()
        .enumerate()
        .map(|(i, x)| (x - center) * (1.0 - (std::f64::consts::TAU * i as f64 / n).cos()))
        .collect();
    // The window has mean 1, so the sum over n samples of a unit sine is n / 2.
    let amplitudes =
        transform(plans, &windowed).iter().map(|bin| bin.norm() * 2.0 / n).collect::<Vec<f64>>();
    Ok(Spectrum { step: rate_hz / n, amplitudes })
}

/// Spectrum over shaft orders of a recording at changing speed: the samples are taken anew at equal shaft angles.
///
/// `turns_s`: when each turn was completed, seconds after the first sample, rising. `per_turn`: samples per turn;
/// orders up to half of it are seen. What lies before the first and after the last mark is left out. Speed is
/// taken as constant within a turn; samples are interpolated by cubic Hermite polynomials.
/// Source: Fyfe & Munck (1997), "Analysis of computed order tracking", §2; departure: linear instead of quadratic
/// angle within a turn.
///
/// ```
/// use analytics::vibration::{Plans, order_spectrum};
/// // Ten turns a second, and three waves of amplitude 2 per turn.
/// let wave: Vec<f64> = (0..5000).map(|i| 2.0 * (0.03 * std::f64::consts::TAU * f64::from(i)).sin()).collect();
/// let turns_s: Vec<f64> = (0..49).map(|turn| f64::from(turn) / 10.0).collect();
/// let shown = order_spectrum(&mut Plans::default(), &wave, 1000.0, &turns_s, 32).unwrap();
/// let (order, amplitude) = shown.peak_near(3.0, 0.1).unwrap();
/// assert!((order - 3.0).abs() < 0.02 && (amplitude - 2.0).abs() < 0.05);
/// ```
///
/// # Errors
/// As for [`spectrum`], and if the marks do not rise, leave the recording or span too little, or a turn has no
/// sample or more than the recording.
pub fn order_spectrum(
    plans: &mut Plans,
    samples: &[f64],
    rate_hz: f64,
    turns_s: &[f64],
    per_turn: usize,
) -> Result<Spectrum, Error> {
    checked(samples, rate_hz)?;
    if !(1..=samples.len()).contains(&per_turn) {
        let range = "1 to the number of samples";
        return Err(Error::OutOfRange { name: "per_turn", value: per_turn as f64, range });
    }
    let last_place = (samples.len() - 1) as f64;
    if let Some(&value) = turns_s.iter().find(|mark| **mark * rate_hz > last_place) {
        let range = "the times of the recording";
        return Err(Error::OutOfRange { name: "turns_s", value, range });
    }
    let mut even = Vec::new();
    for (turn, pair) in turns_s.windows(2).enumerate() {
        if !(pair[1] - pair[0] > 0.0 && pair[0] >= 0.0) {
            let range = "the times after the mark before it";
            return Err(Error::OutOfRange { name: "turns_s", value: turns_s[turn + 1], range });
        }
        for step in 0..per_turn {
            let time_s = pair[0] + (pair[1] - pair[0]) * step as f64 / per_turn as f64;
            even.push(at_time(samples, time_s * rate_hz));
        }
    }
    spectrum(plans, &even, per_turn as f64)
}

/// The value at a fractional sample number, which is not beyond the last one; its neighbors beyond are taken as the last.
fn at_time(samples: &[f64], place: f64) -> f64 {
    let before = place.floor() as usize;
    let share = place - place.floor();
    let at = |i: usize| samples[i.min(samples.len() - 1)];
    let (a, b, c, d) = (at(before.saturating_sub(1)), at(before), at(before + 1), at(before + 2));
    let (slope_b, slope_c) = ((c - a) / 2.0, (d - b) / 2.0);
    let (curve, bend) =
        (3.0 * (c - b) - 2.0 * slope_b - slope_c, slope_b + slope_c - 2.0 * (c - b));
    b + share * (slope_b + share * (curve + share * bend))
}

/// The n/2 + 1 complex values of a real Fourier transform; `samples` has an even length.
pub(super) fn transform(plans: &mut Plans, samples: &[f64]) -> Vec<Complex64> {
    let plan = plans.real.plan_fft_forward(samples.len());
    let mut input = samples.to_vec();
    let mut output = plan.make_output_vec();
    plan.process(&mut input, &mut output).expect("both buffers were made for this plan");
    output
}
