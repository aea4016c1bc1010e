//! Inputs, before the solver sees them.

use super::super::Error;
use super::judge::TOLERANCE;
use super::{DemandCharge, Problem};

/// Largest power, energy or price; sums of a year of quarter hours stay exact enough.
const MOST: f64 = 1e9;
/// Meters show so little below 0 at night.
const NIGHT_KW: f64 = -0.1;

impl Problem<'_> {
    /// Steps of the horizon.
    pub fn n_steps(&self) -> usize {
        self.load_kw.len()
    }

    /// Photovoltaics of a step, never negative.
    pub(super) fn solar(&self, step: usize) -> f64 {
        self.solar_kw.get(step).map_or(0.0, |kw| kw.max(0.0))
    }

    /// CO₂ of a step in kilograms per kWh.
    pub(super) fn kg_per_kwh(&self, step: usize) -> f64 {
        self.co2.and_then(|co2| co2.kg_per_kwh.get(step).copied()).unwrap_or(0.0)
    }

    /// Steps of each billing month, in order.
    pub(super) fn months(&self) -> Vec<Vec<usize>> {
        let steps: Vec<usize> = (0..self.n_steps()).collect();
        steps.chunk_by(|a, b| self.month[*a] == self.month[*b]).map(<[usize]>::to_vec).collect()
    }

    /// Whether the numbers fit together, each work fits into its own window, and each load alone can be met.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.check_numbers()?;
        self.check_work()?;
        self.check_connection()
    }

    /// Whether lengths and ranges are right.
    pub(super) fn check_numbers(&self) -> Result<(), Error> {
        let expected = self.n_steps();
        let kg_per_kwh = self.co2.map_or(&[][..], |co2| co2.kg_per_kwh);
        let (any, zero) = (-MOST, 0.0);
        let columns = [
            ("load", self.load_kw, false, any),
            ("price", self.price, false, any),
            ("photovoltaics", self.solar_kw, true, NIGHT_KW),
            ("feed-in price", self.feed_in, true, any),
            ("CO₂ per kWh", kg_per_kwh, self.co2.is_none(), zero),
        ];
        for (what, values, may_be_empty, least) in columns {
            let n = values.len();
            if n != expected && !(may_be_empty && n == 0) {
                return Err(Error::Length { what, n, expected });
            }
            values.iter().try_for_each(|value| within(what, *value, least))?;
        }
        let past = self.past_peaks_kw.iter();
        past.copied().try_for_each(|kw| within("daily peak of the past", kw, zero))?;
        self.check_order("billing month", self.month, 0)?;
        self.check_order("day", self.day, self.day.first().copied().unwrap_or(0))?;
        within("length of a step", self.step_h, f64::MIN_POSITIVE)?;
        within("highest draw today", self.peak_today_kw, zero)?;
        // An unlimited connection is one of a gigawatt.
        within("grid connection", self.grid_kw, zero)?;
        let co2 = self.co2.map_or([0.0; 2], |co2| [co2.price_per_kg, co2.most_kg.unwrap_or(0.0)]);
        within("price of CO₂", co2[0], zero)?;
        within("cap of CO₂", co2[1], zero)?;
        self.check_demand()?;
        self.check_battery()
    }

    fn check_order(
        &self,
        what: &'static str,
        numbers: &[usize],
        first: usize,
    ) -> Result<(), Error> {
        let (n, expected) = (numbers.len(), self.n_steps());
        if n != expected {
            return Err(Error::Length { what, n, expected });
        }
        let mut last = first;
        for number in numbers {
            if *number < last || *number > last.saturating_add(1) || numbers[0] != first {
                let must_be = "0 at first, and then as before or one more";
                return Err(Error::Number { what, value: *number as f64, must_be });
            }
            last = *number;
        }
        Ok(())
    }

    fn check_demand(&self) -> Result<(), Error> {
        let (tiers, n_days, caution) = match &self.demand {
            DemandCharge::None => return Ok(()),
            DemandCharge::PerKw(price) => return within("price per kW of peak", *price, 0.0),
            DemandCharge::Tiered { tiers, n_days, caution } => (tiers, *n_days, *caution),
        };
        within("caution", caution, 0.0)?;
        let n_tiers = tiers.len() as f64;
        within("number of tiers", n_tiers, 1.0)?;
        within("number of days that count", n_days as f64, 1.0)?;
        let mut last = (0.0, 0.0);
        for &(limit_kw, fee) in tiers {
            within("limit of a tier, which must rise", limit_kw, last.0)?;
            within("fee of a tier, which must rise", fee, last.1)?;
            last = (limit_kw, fee);
        }
        Ok(())
    }

    fn check_battery(&self) -> Result<(), Error> {
        let Some(battery) = self.battery else { return Ok(()) };
        for (what, value) in [
            ("capacity", battery.capacity_kwh),
            ("charging power", battery.charge_kw),
            ("discharging power", battery.discharge_kw),
        ] {
            within(what, value, 0.0)?;
        }
        within("worth of energy at the end", battery.end_value, -MOST)?;
        for (what, value) in [
            ("charge efficiency", battery.charge_efficiency),
            ("discharge efficiency", battery.discharge_efficiency),
            ("share kept per hour", battery.kept_per_h),
        ] {
            if !(value > 1e-6 && value <= 1.0) {
                return Err(Error::Number { what, value, must_be: "above 0 and at most 1" });
            }
        }
        for (what, value) in [
            ("charge at the begin", Some(battery.start_kwh)),
            ("charge at the end", battery.end_kwh),
        ] {
            if let Some(value) = value.filter(|value| !(0.0..=battery.capacity_kwh).contains(value))
            {
                return Err(Error::Number { what, value, must_be: "between 0 and the capacity" });
            }
        }
        Ok(())
    }

    fn check_work(&self) -> Result<(), Error> {
        for work in self.shiftable {
            within("power of a work", work.power_kw, 0.0)?;
            let latest = work.latest.min(self.n_steps());
            if work.n_steps == 0 || work.earliest.saturating_add(work.n_steps) > latest {
                let conflict = format!(
                    "{} takes {} steps, but may run only from step {} to {latest}; widen its window",
                    work.name, work.n_steps, work.earliest
                );
                return Err(Error::Infeasible { conflict });
            }
        }
        Ok(())
    }

    fn check_connection(&self) -> Result<(), Error> {
        let discharge = self.battery.map_or(0.0, |battery| battery.discharge_kw);
        for (step, load) in self.load_kw.iter().enumerate() {
            let most = self.grid_kw + discharge + self.solar(step);
            if *load > most + TOLERANCE {
                let conflict = format!(
                    "the load of step {step} is {load:.1} kW, but connection, battery and sun give at most {most:.1} kW; shed load or raise the connection"
                );
                return Err(Error::Infeasible { conflict });
            }
        }
        Ok(())
    }
}

/// That `value` is from `least` to a billion; NaN never is.
fn within(what: &'static str, value: f64, least: f64) -> Result<(), Error> {
    if (least..=MOST).contains(&value) {
        return Ok(());
    }
    let must_be = if least < 0.0 {
        "a number that is not too far below 0, and at most a billion"
    } else if least > 0.0 {
        "above 0, rising where there are several, and at most a billion"
    } else {
        "not negative and at most a billion"
    };
    Err(Error::Number { what, value, must_be })
}
