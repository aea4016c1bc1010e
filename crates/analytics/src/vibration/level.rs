//! How strong a vibration is, in single numbers.

use super::{Error, Plans, checked, mean};

/// Strength and shape of a recording, about its mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Levels {
    /// Root of the mean square, in the unit of the samples.
    pub rms: f64,
    /// Largest deviation from the mean, in the unit of the samples.
    pub peak: f64,
    /// Peak over RMS, no unit: 1.41 for a sine, 4 to 5 for noise of a second, more where something knocks.
    pub crest: f64,
    /// Fourth moment over squared variance, no unit: 1.5 for a sine, 3 for noise, more where something knocks.
    pub kurtosis: f64,
}

/// Levels of `samples`, in any order and unit. NaN is left out.
///
/// `None` without a finite sample; crest and kurtosis of a constant are NaN, for they have no meaning there. Cost: O(n).
/// Source: Dyer & Stewart (1978), "Detection of rolling element bearing damage by statistical vibration analysis".
///
/// ```
/// use analytics::vibration::levels;
/// let square = levels(&[2.0, -2.0, 2.0, -2.0]).unwrap();
/// assert_eq!((square.rms, square.peak, square.crest, square.kurtosis), (2.0, 2.0, 1.0, 1.0));
/// assert!(levels(&[f64::NAN]).is_none());
/// ```
pub fn levels(samples: &[f64]) -> Option<Levels> {
    let good: Vec<f64> = samples.iter().copied().filter(|x| x.is_finite()).collect();
    if good.is_empty() {
        return None;
    }
    let center = mean(&good);
    let (mut second, mut fourth, mut peak) = (0.0, 0.0, 0.0f64);
    for x in &good {
        let square = (x - center).powi(2);
        second += square;
        fourth += square * square;
        peak = peak.max((x - center).abs());
    }
    let n = good.len() as f64;
    let variance = second / n;
    let rms = variance.sqrt();
    Some(Levels { rms, peak, crest: peak / rms, kurtosis: fourth / n / variance.powi(2) })
}

/// Velocity RMS in mm/s of an acceleration in m/s², between `low_hz` and `high_hz`.
///
/// This is the quantity of ISO 20816, whose band is 10 to 1000 Hz (2 to 1000 Hz below 600 turns per minute).
/// Integrated in the frequency domain, V(f) = A(f) / (2πf), so nothing drifts. Cost: one Fourier transform.
///
/// # Errors
/// If the recording is too short or not finite, or the band is empty or not above 0.
///
/// ```
/// use analytics::vibration::{Plans, velocity_rms};
/// // 50 Hz, 10 m/s² peak: velocity peak 10 / (2π·50) m/s = 31.83 mm/s, RMS 22.51 mm/s.
/// let wave: Vec<f64> = (0..5000).map(|i| 10.0 * (i as f64 * 0.01 * std::f64::consts::TAU).sin()).collect();
/// let speed = velocity_rms(&mut Plans::default(), &wave, 5000.0, (10.0, 1000.0)).unwrap();
/// assert!((speed - 22.508).abs() < 0.001);
/// ```
pub fn velocity_rms(
    plans: &mut Plans,
    acceleration: &[f64],
    rate_hz: f64,
    (low_hz, high_hz): (f64, f64),
) -> Result<f64, Error> {
    let samples = checked(acceleration, rate_hz)?;
    super::positive("low_hz", low_hz)?;
    if high_hz.is_nan() || high_hz <= low_hz {
        let range = "the frequencies above low_hz";
        return Err(Error::OutOfRange { name: "high_hz", value: high_hz, range });
    }
    let bins = super::spectrum::transform(plans, samples);
    let step_hz = rate_hz / samples.len() as f64;
    let mut square = 0.0;
    for (bin, x) in bins.iter().enumerate() {
        let frequency_hz = bin as f64 * step_hz;
        if (low_hz..=high_hz).contains(&frequency_hz) {
            square += x.norm_sqr() / (std::f64::consts::TAU * frequency_hz).powi(2);
        }
    }
    Ok(1000.0 * (2.0 * square).sqrt() / samples.len() as f64)
}
