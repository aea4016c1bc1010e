//! In which band impulses stand out from noise and tones.

use realfft::num_complex::Complex64;

use super::spectrum::transform;
use super::{Error, Plans, checked};

/// Fewest bins of a band: fewer points of its envelope say nothing about its fourth moment.
const LEAST_BINS: usize = 64;

/// A band and how impulsive it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BandKurtosis {
    /// Lower end.
    pub low_hz: f64,
    /// Upper end.
    pub high_hz: f64,
    /// Kurtosis of the complex envelope: 0 for noise, −1 for a tone, large for rare impulses.
    pub kurtosis: f64,
}

/// Spectral kurtosis of bands that halve and third the spectrum, most impulsive first.
///
/// Level k holds 2ᵏ bands, and between two such levels 3·2ᵏ⁻¹ bands, down to `depth` halvings. Bands of fewer than
/// 64 steps of the spectrum, or without content, are left out. Cost: O(depth · n log n).
///
/// Source: Antoni (2007), "Fast computation of the kurtogram for the detection of transient faults", eq. 3 and
/// figure 5; departure: exact bands cut from one Fourier transform instead of a filter bank.
///
/// ```
/// use analytics::vibration::{Plans, kurtogram};
/// // Thirty times a second something rings at 3 kHz, in the noise of a seeded generator.
/// let mut state = 1u64;
/// let mut noise = || {
///     state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
///     (state >> 40) as f64 / f64::from(1 << 24) - 0.5
/// };
/// let samples: Vec<f64> = (0..24_000)
///     .map(|i| {
///         let since_s = f64::from(i % 400) / 12_000.0;
///         4.0 * (-800.0 * since_s).exp() * (std::f64::consts::TAU * 3000.0 * since_s).sin() + noise()
///     })
///     .collect();
/// let best = kurtogram(&mut Plans::default(), &samples, 12_000.0, 4).unwrap()[0];
/// assert!(best.low_hz <= 3000.0 && best.high_hz >= 3000.0 && best.kurtosis > 1.0);
/// ```
///
/// # Errors
/// If there are fewer than 64 samples, one is not finite, or the rate is not positive.
pub fn kurtogram(
    plans: &mut Plans,
    samples: &[f64],
    rate_hz: f64,
    depth: u32,
) -> Result<Vec<BandKurtosis>, Error> {
    let samples = checked(samples, rate_hz)?;
    let mut bins = transform(plans, samples);
    bins[0] = Complex64::default();
    let half_hz = rate_hz / 2.0;
    let mut found = Vec::new();
    for n_bands in levels(depth) {
        let width = (bins.len() - 1) / n_bands;
        if width < LEAST_BINS {
            break;
        }
        for i in 0..n_bands {
            let band = &bins[i * width + 1..=(i + 1) * width];
            if let Some(kurtosis) = envelope_kurtosis(plans, band) {
                let share = |i: usize| half_hz * (i * width) as f64 / (bins.len() - 1) as f64;
                found.push(BandKurtosis { low_hz: share(i), high_hz: share(i + 1), kurtosis });
            }
        }
    }
    found.sort_by(|a, b| b.kurtosis.total_cmp(&a.kurtosis));
    Ok(found)
}

/// 1, 2, 3, 4, 6, 8, 12, …
fn levels(depth: u32) -> impl Iterator<Item = usize> {
    let at = |level: u32| [Some(1usize << level), (level > 0).then(|| 3 << (level - 1))];
    (0..=depth.min(20)).flat_map(at).flatten()
}

/// E|z|⁴ / (E|z|²)² − 2 of the band's complex envelope; `None` without content.
fn envelope_kurtosis(plans: &mut Plans, band: &[Complex64]) -> Option<f64> {
    let mut wave = band.to_vec();
    plans.complex.plan_fft_inverse(wave.len()).process(&mut wave);
    let n = wave.len() as f64;
    let second = wave.iter().map(|z| z.norm_sqr()).sum::<f64>() / n;
    let fourth = wave.iter().map(|z| z.norm_sqr().powi(2)).sum::<f64>() / n;
    (second > 0.0).then(|| fourth / second.powi(2) - 2.0)
}
