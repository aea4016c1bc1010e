//! The same benchmark with several seeds, shown as medians.

use std::ops::Range;

use crate::Options;

impl Options {
    /// Every seed to run with, in order.
    pub(crate) fn seeds(&self) -> Range<u64> {
        self.seed..self.seed.saturating_add(self.n_seeds.max(1))
    }

    /// Runs `work` once with each seed.
    ///
    /// # Errors
    /// The first of `work`; seeds after it are not run.
    pub(crate) fn per_seed<T>(
        &self,
        work: impl FnMut(u64) -> anyhow::Result<T>,
    ) -> anyhow::Result<Vec<T>> {
        self.seeds().map(work).collect()
    }

    /// What a table says of its seeds.
    pub(crate) fn seeds_note(&self) -> String {
        let Range { start, end } = self.seeds();
        if end - start == 1 {
            return format!("seed {start}");
        }
        format!(
            "medians over seeds {start} to {}, in brackets the least and the most where they differ",
            end - 1
        )
    }
}

/// What a table says that has nothing random in it.
pub(crate) const NO_SEED: &str = "no seed: nothing here is random";

/// What one figure came to with each seed, in their order.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    /// A figure of each of `runs`.
    pub(crate) fn of<T>(runs: &[T], figure: impl Fn(&T) -> f64) -> Self {
        Self(runs.iter().map(figure).collect())
    }

    /// The middle one, or the mean of the two in the middle; NaN without any.
    pub(crate) fn median(&self) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        match (sorted.len(), sorted.len() / 2) {
            (0, _) => f64::NAN,
            (n, middle) if n % 2 == 1 => sorted[middle],
            (_, middle) => 0.5 * (sorted[middle - 1] + sorted[middle]),
        }
    }

    /// The smallest; infinite without any.
    pub(crate) fn least(&self) -> f64 {
        self.0.iter().copied().fold(f64::INFINITY, f64::min)
    }

    /// The largest; negative infinity without any.
    pub(crate) fn most(&self) -> f64 {
        self.0.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    /// The median, followed by least and most in brackets where they differ at so many places.
    pub(crate) fn show(&self, places: usize) -> String {
        let [middle, least, most] =
            [self.median(), self.least(), self.most()].map(|value| format!("{value:.places$}"));
        if least == most { middle } else { format!("{middle} ({least}–{most})") }
    }

    /// The same of another figure.
    pub(crate) fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self(self.0.iter().copied().map(change).collect())
    }

    /// The mean over rows of a table, for each seed; nothing without rows.
    pub(crate) fn mean(rows: &[Self]) -> Self {
        let n_seeds = rows.iter().map(|row| row.0.len()).min().unwrap_or(0);
        let mean =
            |seed: usize| rows.iter().map(|row| row.0[seed]).sum::<f64>() / rows.len() as f64;
        Self((0..n_seeds).map(mean).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values, |value| *value)
    }

    #[test]
    fn a_spread_shows_its_median_and_its_range_only_where_they_differ() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]).show(1), "2.0 (1.0–3.0)");
        assert_eq!(spread(&[1.0, 2.0]).show(1), "1.5 (1.0–2.0)");
        assert_eq!(spread(&[1.004, 1.001, 0.999]).show(2), "1.00");
        assert_eq!(spread(&[7.0]).show(0), "7");
        assert!(spread(&[]).median().is_nan());
    }

    #[test]
    fn a_mean_over_rows_is_taken_for_each_seed() {
        let rows = [spread(&[1.0, 5.0, 3.0]), spread(&[3.0, 1.0, 3.0])];
        assert_eq!(Spread::mean(&rows), spread(&[2.0, 3.0, 3.0]));
        assert_eq!(Spread::mean(&rows).map(|x| 2.0 * x).show(0), "6 (4–6)");
        assert_eq!(Spread::mean(&[]), spread(&[]));
    }

    #[test]
    fn seeds_follow_one_another_and_are_named() {
        let mut options = Options { data: None, seed: 4, n_seeds: 1, seconds: None, peers: false };
        assert_eq!(options.seeds_note(), "seed 4");
        options.n_seeds = 3;
        assert_eq!(options.per_seed(Ok).expect("nothing fails"), [4, 5, 6]);
        assert!(options.seeds_note().starts_with("medians over seeds 4 to 6,"));
    }
}
