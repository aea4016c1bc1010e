//! Expected energy from the time of the week and temperature, for hourly and quarter-hourly meters.

use super::regression::eliminate;
use super::{Error, Quality};
use crate::statistics::dot;

/// Knots at which the effect of temperature may bend, as shares of the readings.
const KNOTS: [f64; 4] = [0.1, 0.35, 0.65, 0.9];
/// Weight that holds the temperature slopes against noise, in rows.
const RIDGE: f64 = 1.0;

/// Most slots of a calendar: a year of minutes has fewer.
const MAX_SLOTS: usize = 1_000_000;

/// A fitted model.
#[derive(Debug, Clone, PartialEq)]
pub struct Week {
    /// Level of each slot of the week at the mean temperature effect; NaN for a slot never seen.
    slots: Vec<f64>,
    knots: Vec<f64>,
    slopes: Vec<f64>,
    /// Fit on the data of the baseline time.
    pub quality: Quality,
}

/// Fits energy = level of the slot + a bent line of temperature.
///
/// `slots`: slot of the week of each row, from 0 (168 of them for hours, 672 for quarters, or any other calendar).
/// `temperatures`: one per row, or empty for none. Rows with a NaN are left out. Cost: O(rows).
/// Source: Mathieu, Price, Kiliccote, Piette (2011), "time of week and temperature".
///
/// # Errors
/// If columns differ in length, fewer than 20 rows are usable, or a slot is not below a million.
///
/// ```
/// // Two slots, day and night, of 9 and 1 kWh.
/// let slots: Vec<usize> = (0..40).map(|row| row % 2).collect();
/// let energy: Vec<f64> = slots.iter().map(|slot| if *slot == 0 { 9.0 } else { 1.0 }).collect();
/// let model = optimize::energy::week::fit(&energy, &slots, &[])?;
/// assert_eq!((model.expected(0, None), model.expected(1, None)), (9.0, 1.0));
/// # Ok::<(), optimize::energy::Error>(())
/// ```
pub fn fit(energy: &[f64], slots: &[usize], temperatures: &[f64]) -> Result<Week, Error> {
    let expected = energy.len();
    if slots.len() != expected {
        return Err(Error::Length { what: "slots", n: slots.len(), expected });
    }
    if let Some(slot) = slots.iter().find(|slot| **slot >= MAX_SLOTS) {
        let must_be = "below a million; number the slots of the week from 0";
        return Err(Error::Number { what: "slot", value: *slot as f64, must_be });
    }
    if !temperatures.is_empty() && temperatures.len() != expected {
        return Err(Error::Length { what: "temperatures", n: temperatures.len(), expected });
    }
    let temperature = |row: usize| temperatures.get(row).copied();
    let is_usable =
        |row: &usize| energy[*row].is_finite() && temperature(*row).is_none_or(f64::is_finite);
    let rows: Vec<usize> = (0..expected).filter(is_usable).collect();
    if rows.len() < 20 {
        return Err(Error::TooFew { what: "a model of the week", n: rows.len(), needed: 20 });
    }
    let mut model = Week {
        slots: Vec::new(),
        knots: Vec::new(),
        slopes: Vec::new(),
        quality: Quality::of(&[], &[], 0),
    };
    model.knots = knots(rows.iter().filter_map(|row| temperature(*row)).collect());
    let features: Vec<Vec<f64>> =
        rows.iter().map(|row| model.features(temperature(*row))).collect();
    let own_slots: Vec<usize> = rows.iter().map(|row| slots[*row]).collect();
    let own_energy: Vec<f64> = rows.iter().map(|row| energy[*row]).collect();
    model.slopes = slopes(&own_energy, &own_slots, &features);
    let effect =
        |features: &[f64]| features.iter().zip(&model.slopes).map(|(f, s)| f * s).sum::<f64>();
    let levels: Vec<f64> = own_energy.iter().zip(&features).map(|(e, f)| e - effect(f)).collect();
    model.slots = slot_means(&levels, &own_slots);
    let fitted: Vec<f64> =
        rows.iter().map(|row| model.expected(slots[*row], temperature(*row))).collect();
    let n_slots = model.slots.iter().filter(|level| !level.is_nan()).count();
    model.quality = Quality::of(&own_energy, &fitted, n_slots + model.slopes.len());
    Ok(model)
}

impl Week {
    /// Expected energy of a row; NaN for a slot never seen, or where the temperature is needed and missing.
    pub fn expected(&self, slot: usize, temperature: Option<f64>) -> f64 {
        let level = self.slots.get(slot).copied().unwrap_or(f64::NAN);
        if self.slopes.is_empty() {
            return level;
        }
        let features = self.features(Some(temperature.unwrap_or(f64::NAN)));
        level + features.iter().zip(&self.slopes).map(|(f, s)| f * s).sum::<f64>()
    }

    /// The temperature, and how far it is above each knot.
    fn features(&self, temperature: Option<f64>) -> Vec<f64> {
        let Some(t) = temperature else { return Vec::new() };
        let above = self.knots.iter().map(|knot| if t.is_nan() { t } else { (t - knot).max(0.0) });
        std::iter::once(t).chain(above).collect()
    }
}

fn knots(mut temperatures: Vec<f64>) -> Vec<f64> {
    temperatures.sort_by(f64::total_cmp);
    let Some(last) = temperatures.len().checked_sub(1) else {
        return Vec::new();
    };
    KNOTS.iter().map(|share| temperatures[(last as f64 * share) as usize]).collect()
}

/// Mean per slot; NaN where there is none.
fn slot_means(values: &[f64], slots: &[usize]) -> Vec<f64> {
    let n_slots = slots.iter().max().map_or(0, |most| most + 1);
    let (mut sums, mut counts) = (vec![0.0; n_slots], vec![0.0; n_slots]);
    for (value, slot) in values.iter().zip(slots) {
        sums[*slot] += value;
        counts[*slot] += 1.0;
    }
    sums.iter().zip(&counts).map(|(sum, count)| sum / count).collect()
}

/// Ridge regression of what is left of energy after its slot's mean on what is left of each feature.
fn slopes(energy: &[f64], slots: &[usize], features: &[Vec<f64>]) -> Vec<f64> {
    let n_features = features.first().map_or(0, Vec::len);
    let within = |values: &[f64]| -> Vec<f64> {
        let means = slot_means(values, slots);
        values.iter().zip(slots).map(|(value, slot)| value - means[*slot]).collect()
    };
    let y = within(energy);
    let column = |idx: usize| within(&features.iter().map(|row| row[idx]).collect::<Vec<_>>());
    let columns: Vec<Vec<f64>> = (0..n_features).map(column).collect();
    let scale = columns.iter().map(|c| dot(c, c)).fold(0.0, f64::max) / energy.len() as f64;
    let mut system: Vec<Vec<f64>> = (0..n_features)
        .map(|i| {
            let own =
                |j: usize| dot(&columns[i], &columns[j]) + if i == j { RIDGE * scale } else { 0.0 };
            (0..n_features).map(own).chain([dot(&columns[i], &y)]).collect()
        })
        .collect();
    eliminate(&mut system)
}
