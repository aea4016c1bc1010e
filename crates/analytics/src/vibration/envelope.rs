//! Impulses repeated: what modulates a vibration, which is where rolling bearings show their damage.

use realfft::num_complex::Complex64;

use super::spectrum::transform;
use super::{Error, Plans, Spectrum, checked, mean, smooth_at_least};

/// Gives every frequency the same weight: gear tones and resonances vanish, impulses stay. The result has RMS near 1.
///
/// Cepstral pre-whitening sets the whole real cepstrum to zero, X(f) / |X(f)|.
/// Source: Borghesani, Pennacchi, Randall, Sawalhi & Ricci (2013), "Application of cepstrum pre-whitening for the
/// diagnosis of bearing faults under variable speed conditions", eq. 9. Cost: two Fourier transforms.
///
/// The last samples are left out until the length has only the factors 2, 3 and 5.
///
/// ```
/// use analytics::vibration::{Plans, levels, prewhiten};
/// // A tone a hundred times as strong as the rest is no stronger than any other line afterwards.
/// let samples: Vec<f64> =
///     (0..2000).map(|i| f64::from(i * i % 97) / 50.0 + 100.0 * (0.3 * f64::from(i)).sin()).collect();
/// let white = levels(&prewhiten(&mut Plans::default(), &samples).unwrap()).unwrap();
/// assert!((white.rms - 1.0).abs() < 0.01);
/// ```
///
/// # Errors
/// If there are fewer than 64 samples, one is not finite.
pub fn prewhiten(plans: &mut Plans, samples: &[f64]) -> Result<Vec<f64>, Error> {
    let samples = checked(samples, 1.0)?;
    let mut bins = whitened(plans, samples);
    let plan = plans.real.plan_fft_inverse(samples.len());
    let mut output = plan.make_output_vec();
    // The two ends of a real transform are real numbers.
    let last = bins.len() - 1;
    (bins[0].im, bins[last].im) = (0.0, 0.0);
    plan.process(&mut bins, &mut output).expect("both buffers were made for this plan");
    let scale = 1.0 / (samples.len() as f64).sqrt();
    output.iter_mut().for_each(|x| *x *= scale);
    Ok(output)
}

/// Spectrum of the squared envelope of `samples` in a band, amplitudes in the squared unit of the samples.
///
/// Lines at a fault frequency and its multiples mean that something strikes at that rate. Amplitude 0 Hz is the mean.
/// The band's lower end is above 0 and its upper end at most half the rate.
/// Source: Randall & Antoni (2011), "Rolling element bearing diagnostics – a tutorial", §4.3: squared, not plain,
/// envelope, by the one-sided spectrum of the band. Cost: O(n log n).
///
/// # Errors
/// If there are fewer than 64 samples, one is not finite, or the band is not within 0 and half the rate.
///
/// ```
/// use analytics::vibration::{Plans, squared_envelope_spectrum};
/// use std::f64::consts::TAU;
/// // 400 Hz, modulated fully at 30 Hz: (1 + cos)² = 1.5 + 2 cos(30 Hz) + 0.5 cos(60 Hz)
/// let wave: Vec<f64> = (0..2000)
///     .map(|i| i as f64 / 2000.0)
///     .map(|t| (1.0 + (TAU * 30.0 * t).cos()) * (TAU * 400.0 * t).sin())
///     .collect();
/// let shown = squared_envelope_spectrum(&mut Plans::default(), &wave, 2000.0, (200.0, 600.0)).unwrap();
/// assert!((shown.amplitudes[30] - 2.0).abs() < 1e-9 && (shown.amplitudes[60] - 0.5).abs() < 1e-9);
/// ```
pub fn squared_envelope_spectrum(
    plans: &mut Plans,
    samples: &[f64],
    rate_hz: f64,
    (low_hz, high_hz): (f64, f64),
) -> Result<Spectrum, Error> {
    let samples = checked(samples, rate_hz)?;
    super::positive("low_hz", low_hz)?;
    if !(high_hz > low_hz && high_hz <= rate_hz / 2.0) {
        let range = "the frequencies between low_hz and half the rate";
        return Err(Error::OutOfRange { name: "high_hz", value: high_hz, range });
    }
    let step = rate_hz / samples.len() as f64;
    let bins = transform(plans, samples);
    let (first, last) = ((low_hz / step).ceil() as usize, (high_hz / step).floor() as usize);
    let band = &bins[first.min(last)..=last.min(bins.len() - 1)];
    let powers = envelope_powers(plans, band, band.len());
    let scale = 2.0 * (2.0 / samples.len() as f64).powi(2);
    let mut amplitudes: Vec<f64> = powers.iter().map(|power| power.sqrt() * scale).collect();
    amplitudes[0] /= 2.0;
    Ok(Spectrum { step, amplitudes })
}

/// One-sided spectrum with all magnitudes 1, the mean taken off; bins without any content stay 0.
pub(super) fn whitened(plans: &mut Plans, samples: &[f64]) -> Vec<Complex64> {
    let center = mean(samples);
    let level: Vec<f64> = samples.iter().map(|x| x - center).collect();
    let mut bins = transform(plans, &level);
    let largest = bins.iter().map(|bin| bin.norm()).fold(0.0, f64::max);
    bins[0] = Complex64::default();
    for bin in &mut bins {
        let size = bin.norm();
        // Below this there is nothing but the rounding of the transform.
        *bin = if size > largest * 1e-14 { *bin / size } else { Complex64::default() };
    }
    bins
}

/// |correlation of the band with itself|² at the first `n_lags` lags (at most the band's length): the powers of the
/// squared envelope, in squared units of `band`².
pub(super) fn envelope_powers(plans: &mut Plans, band: &[Complex64], n_lags: usize) -> Vec<f64> {
    let n_lags = n_lags.min(band.len());
    // Long enough that no lag that is asked for wraps around.
    let size = smooth_at_least(band.len() + n_lags);
    let mut wave = vec![Complex64::default(); size];
    wave[..band.len()].copy_from_slice(band);
    plans.complex.plan_fft_inverse(size).process(&mut wave);
    let scale = 1.0 / size as f64;
    let envelope: Vec<f64> = wave.iter().map(|z| z.norm_sqr() * scale).collect();
    let spectrum = transform(plans, &envelope);
    spectrum[..n_lags.min(spectrum.len())].iter().map(|bin| bin.norm_sqr()).collect()
}
