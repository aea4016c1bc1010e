//! Whether engines live on as often as the survival curve says.

use analytics::rul::{Estimate, Model};

use crate::{CpuClock, Split, Table};

/// Cycles ahead at which every curve is read; beyond the cap it says nothing.
const HORIZONS: [f64; 5] = [10.0, 25.0, 50.0, 75.0, 100.0];
/// Upper ends of the bands of probability.
const BANDS: [f64; 6] = [0.1, 0.3, 0.5, 0.7, 0.9, 1.0];

/// Probabilities that were given beside what happened.
#[derive(Default)]
pub(super) struct Survival {
    /// Index of the horizon, probability, 1 where the engine lived longer.
    told: Vec<(usize, f64, f64)>,
    cpu_s: f64,
}

impl Survival {
    pub(super) fn add(&mut self, model: &Model, estimate: &Estimate, truth: f64) {
        let clock = CpuClock::start();
        let curve = HORIZONS.map(|horizon| model.survival(estimate, horizon));
        self.cpu_s += clock.seconds();
        for (i, (horizon, probability)) in HORIZONS.into_iter().zip(curve).enumerate() {
            self.told.push((i, probability, if truth > horizon { 1.0 } else { 0.0 }));
        }
    }

    /// `split`: of all subsets.
    pub(super) fn table(&self, split: &Split) -> Table {
        let title = format!(
            "C-MAPSS training engines, held out: survival curves at {} cuts, {} cycles ahead",
            self.told.len() / HORIZONS.len(),
            HORIZONS.map(|horizon| horizon.to_string()).join(", ")
        );
        let columns = ["probability given", "how often", "mean of it", "lived on", "difference"];
        let mut table = Table::new(title, &columns);
        let mut low = 0.0;
        for high in BANDS {
            let is_in = |p: f64| p >= low && (p < high || high == 1.0);
            let of_band: Vec<_> = self.told.iter().filter(|(_, p, _)| is_in(*p)).collect();
            let n = of_band.len().max(1) as f64;
            let told = of_band.iter().map(|(_, p, _)| p).sum::<f64>() / n;
            let lived = of_band.iter().map(|(_, _, lived)| lived).sum::<f64>() / n;
            table.row([
                format!("{:.0} to {:.0} %", 100.0 * low, 100.0 * high),
                of_band.len().to_string(),
                format!("{:.1} %", 100.0 * told),
                format!("{:.1} %", 100.0 * lived),
                format!("{:+.1}", 100.0 * (lived - told)),
            ]);
            low = high;
        }
        let [ours, trivial] = self.brier();
        table.note(format!(
            "Brier score {ours:.4}; trivial, the share that lived on at each horizon: {trivial:.4}"
        ));
        table.note(format!("all cuts of the table above, of all subsets; no engine is in the model that judges it; split {split}"));
        let each_us = self.cpu_s * 1e6 / self.told.len().max(1) as f64;
        table.note(format!("{each_us:.2} µs of processor time per probability"));
        table
    }

    /// Mean squared error (Brier (1950)) of the probabilities, and of each horizon's share.
    fn brier(&self) -> [f64; 2] {
        let n = self.told.len().max(1) as f64;
        let share = |of: usize| {
            let of_horizon = self.told.iter().filter(|(i, ..)| *i == of);
            let (sum, n) = of_horizon.fold((0.0, 0.0), |(sum, n), told| (sum + told.2, n + 1.0));
            sum / n
        };
        let shares: Vec<f64> = (0..HORIZONS.len()).map(share).collect();
        let ours = self.told.iter().map(|(_, p, lived)| (p - lived).powi(2)).sum::<f64>() / n;
        let trivial =
            self.told.iter().map(|(i, _, lived)| (shares[*i] - lived).powi(2)).sum::<f64>() / n;
        [ours, trivial]
    }
}
