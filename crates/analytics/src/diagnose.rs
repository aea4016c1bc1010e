//! Which known fault looks like what is seen.

/// Contributions weaker than this many standard deviations say nothing.
const NOTICEABLE: f64 = 1.0;
/// A pattern counts as strong as this at most, so that one huge deviation does not drown the rest.
const SATURATED: f64 = 6.0;

/// How a fault shows itself.
#[derive(Clone, Copy, Debug)]
pub struct Signature<'a> {
    /// Its name.
    pub name: &'a str,
    /// Signal and expected direction with weight; positive when the fault makes it rise.
    pub signs: &'a [(String, f64)],
}

/// Ranks signatures by their likeness to what is seen.
///
/// `seen`: signal name and its signed deviation in standard deviations. Returns index and confidence (0 to 1),
/// best first, without those that do not fit at all; empty means an unknown fault.
///
/// Likeness is the cosine between the deviations (saturated at 6 σ) and the signature's weights, over the
/// signals that either of them names; a signal that deviates and is not part of the signature speaks against it.
/// Source: Salton, Wong & Yang (1975), "A vector space model for automatic indexing": Σ sᵢwᵢ / (|s| · |w|).
///
/// ```
/// use analytics::diagnose::{Signature, rank};
/// let leak = [("pressure".to_string(), -1.0), ("flow".to_string(), 1.0)];
/// let wear = [("vibration".to_string(), 1.0)];
/// let known = [Signature { name: "wear", signs: &wear }, Signature { name: "leak", signs: &leak }];
/// let ranked = rank(&[("pressure", -5.0), ("flow", 5.0), ("vibration", 0.2)], &known);
/// assert_eq!(ranked[0].0, 1);
/// assert!(ranked[0].1 > 0.99 && ranked.len() == 1);
/// assert!(rank(&[], &known).is_empty());
/// ```
pub fn rank(seen: &[(&str, f64)], signatures: &[Signature<'_>]) -> Vec<(usize, f64)> {
    let strength = |deviation: f64| {
        if deviation.abs() < NOTICEABLE { 0.0 } else { deviation.clamp(-SATURATED, SATURATED) }
    };
    let seen: Vec<(&str, f64)> =
        seen.iter().map(|(name, deviation)| (*name, strength(*deviation))).collect();
    let norm = seen.iter().map(|(_, deviation)| deviation * deviation).sum::<f64>().sqrt();
    let mut ranked: Vec<(usize, f64)> = signatures
        .iter()
        .enumerate()
        .map(|(idx, signature)| (idx, likeness(&seen, norm, signature.signs)))
        .filter(|(_, confidence)| *confidence > 0.3)
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    ranked
}

fn likeness(seen: &[(&str, f64)], norm: f64, signs: &[(String, f64)]) -> f64 {
    let weight = |name: &str| {
        signs.iter().find(|(other, _)| other == name).map_or(0.0, |(_, weight)| *weight)
    };
    // Signals that this machine does not send cannot speak for or against.
    let signature_norm = seen.iter().map(|(name, _)| weight(name).powi(2)).sum::<f64>().sqrt();
    if norm == 0.0 || signature_norm == 0.0 {
        return 0.0;
    }
    let along: f64 = seen.iter().map(|(name, deviation)| deviation * weight(name)).sum();
    along / (norm * signature_norm)
}
