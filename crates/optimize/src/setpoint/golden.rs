//! The golden batch: how the best batches ran, and how a running one differs.

use super::{Error, check_row};

/// Places per phase at which batches are compared.
const N_PLACES: usize = 40;
/// Narrowest half band, as a share of the range of the profile, so that a constant signal does not cry.
const LEAST_BAND: f64 = 0.02;

/// A finished batch.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// What made it good; larger is better.
    pub kpi: f64,
    /// For each phase its rows in time order, each with one value per signal.
    pub phases: Vec<Vec<Vec<f64>>>,
}

/// Profile of the best batches.
#[derive(Debug, Clone, PartialEq)]
pub struct Golden {
    n_signals: usize,
    /// Phase × place × signal: median, and half the width of the band.
    profile: Vec<Vec<Vec<(f64, f64)>>>,
}

/// How far a running batch is from the profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Deviation {
    /// Root mean square over the signals, in half bands: below 1 it runs like the best.
    pub score: f64,
    /// Per signal: its share of the squared deviation, 0 to 1.
    pub contributions: Vec<f64>,
}

impl Golden {
    /// Takes the `n_best` batches with the largest KPI and makes median and band of each signal by phase and progress.
    ///
    /// Phases are stretched to a common length, so that a slow heating is compared with a fast one at the same
    /// progress. The half band is 1.4826 times the median absolute deviation, twice, and at least 2 % of the range.
    ///
    /// Batches whose KPI nobody knows (NaN) are left out.
    ///
    /// # Errors
    /// If fewer than 3 batches are at hand, or one has other phases or signals, or values that are not finite.
    ///
    /// ```
    /// use optimize::setpoint::{Batch, Golden};
    /// let batch = |kpi, rise: f64| Batch { kpi, phases: vec![(0..=10).map(|t| vec![rise * f64::from(t), 5.0]).collect()] };
    /// let golden = Golden::new(&[batch(9.0, 1.0), batch(9.1, 1.1), batch(9.2, 0.9), batch(1.0, 7.0)], 3)?;
    /// let good = golden.deviation(0, 0.5, &[5.0, 5.0])?;
    /// let hot = golden.deviation(0, 0.5, &[9.0, 5.0])?;
    /// assert!(good.score < 0.5 && hot.score > 1.5);
    /// assert_eq!(hot.contributions, [1.0, 0.0]); // the first signal alone is off
    /// # Ok::<(), optimize::setpoint::Error>(())
    /// ```
    pub fn new(batches: &[Batch], n_best: usize) -> Result<Self, Error> {
        let mut order: Vec<&Batch> = batches.iter().filter(|batch| !batch.kpi.is_nan()).collect();
        let n = order.len().min(n_best);
        if n < 3 {
            return Err(Error::TooFew { what: "a golden batch", n, needed: 3 });
        }
        order.sort_by(|a, b| b.kpi.total_cmp(&a.kpi));
        order.truncate(n_best);
        let first = order[0];
        let n_signals = first.phases.first().and_then(|phase| phase.first()).map_or(0, Vec::len);
        for batch in &order {
            check_batch(batch, first.phases.len(), n_signals)?;
        }
        let profile =
            (0..first.phases.len()).map(|phase| phase_profile(&order, phase, n_signals)).collect();
        Ok(Self { n_signals, profile })
    }

    /// Median and band of one signal at a place.
    pub fn band(&self, phase: usize, progress: f64, signal: usize) -> Option<(f64, f64)> {
        let (middle, half) = *self.profile.get(phase)?.get(place(progress))?.get(signal)?;
        Some((middle - half, middle + half))
    }

    /// Deviation of the present `values` at `progress` (0 to 1) of a phase.
    ///
    /// # Errors
    /// If there is no such phase, the progress is NaN, or there is not one finite value per signal.
    pub fn deviation(
        &self,
        phase: usize,
        progress: f64,
        values: &[f64],
    ) -> Result<Deviation, Error> {
        check_row("signals", values, self.n_signals)?;
        check_row("progress", &[progress], 1)?;
        let Some(profile) = self.profile.get(phase) else {
            return Err(Error::TooFew {
                what: "this phase",
                n: self.profile.len(),
                needed: phase.saturating_add(1),
            });
        };
        let bands = &profile[place(progress)];
        let squares: Vec<f64> = values
            .iter()
            .zip(bands)
            .map(|(value, (middle, half))| ((value - middle) / half).powi(2))
            .collect();
        let sum: f64 = squares.iter().sum();
        let share = |square: &f64| if sum > 0.0 { square / sum } else { 0.0 };
        let score = (sum / self.n_signals.max(1) as f64).sqrt();
        Ok(Deviation { score, contributions: squares.iter().map(share).collect() })
    }
}

fn place(progress: f64) -> usize {
    (progress.clamp(0.0, 1.0) * (N_PLACES - 1) as f64).round() as usize
}

fn check_batch(batch: &Batch, n_phases: usize, n_signals: usize) -> Result<(), Error> {
    if batch.phases.len() != n_phases {
        return Err(Error::Row { what: "phases", expected: n_phases });
    }
    for phase in &batch.phases {
        if phase.is_empty() {
            return Err(Error::TooFew { what: "a phase", n: 0, needed: 1 });
        }
        phase.iter().try_for_each(|row| check_row("signals", row, n_signals))?;
    }
    Ok(())
}

fn phase_profile(batches: &[&Batch], phase: usize, n_signals: usize) -> Vec<Vec<(f64, f64)>> {
    let mut profile = vec![vec![(0.0, 0.0); n_signals]; N_PLACES];
    for signal in 0..n_signals {
        for (idx, place) in profile.iter_mut().enumerate() {
            let progress = idx as f64 / (N_PLACES - 1) as f64;
            let values: Vec<f64> = batches
                .iter()
                .map(|batch| stretched(&batch.phases[phase], progress, signal))
                .collect();
            let middle = median(values.clone());
            let spread = median(values.iter().map(|value| (value - middle).abs()).collect());
            place[signal] = (middle, 2.0 * 1.4826 * spread);
        }
        let middles = profile.iter().map(|place| place[signal].0);
        let (low, high) =
            middles.fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), x| (l.min(x), h.max(x)));
        let least = (LEAST_BAND * (high - low)).max(1e-9 * high.abs().max(1.0));
        profile.iter_mut().for_each(|place| place[signal].1 = place[signal].1.max(least));
    }
    profile
}

/// Value at a progress between 0 and 1, between the rows in a straight line.
fn stretched(rows: &[Vec<f64>], progress: f64, signal: usize) -> f64 {
    let at = progress * (rows.len() - 1) as f64;
    let before = (at.floor() as usize).min(rows.len() - 1);
    let after = (before + 1).min(rows.len() - 1);
    let share = at - before as f64;
    rows[before][signal] * (1.0 - share) + rows[after][signal] * share
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { 0.5 * (values[middle - 1] + values[middle]) }
}
