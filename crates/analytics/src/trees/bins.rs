//! Values to bytes: the few hundred cut points of each column between which a split can lie.

/// The bin of a missing value; values begin at bin 1.
pub(super) const MISSING: u8 = 0;

/// All columns as bin numbers, with what the bins mean.
pub(super) struct Binned {
    /// d columns of n bin numbers.
    pub(super) columns: Vec<Vec<u8>>,
    /// Ascending cut points: bin b holds the values above `cuts[b - 2]` up to and with `cuts[b - 1]`.
    pub(super) cuts: Vec<Vec<f64>>,
}

impl Binned {
    pub(super) fn new(columns: &[Vec<f64>], max_bins: usize) -> Binned {
        let cuts: Vec<Vec<f64>> = columns.iter().map(|column| cuts(column, max_bins)).collect();
        let columns = columns.iter().zip(&cuts).map(|(column, cuts)| bins(column, cuts)).collect();
        Binned { columns, cuts }
    }

    pub(super) fn n_rows(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    /// The threshold of "bin ≤ `bin`".
    pub(super) fn threshold(&self, column: usize, bin: u8) -> f64 {
        self.cuts[column].get(usize::from(bin) - 1).copied().unwrap_or(f64::MAX)
    }
}

fn bins(column: &[f64], cuts: &[f64]) -> Vec<u8> {
    let bin = |x: &f64| {
        if x.is_nan() { MISSING } else { 1 + cuts.partition_point(|cut| cut < x) as u8 }
    };
    column.iter().map(bin).collect()
}

/// Cut points halfway between neighboring distinct values, so that bins hold about equally many rows.
///
/// A value that alone fills a bin gets its own. At most `max_bins - 1` cuts.
fn cuts(column: &[f64], max_bins: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = column.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let distinct = run_lengths(&sorted);
    let mut n_rows_left = sorted.len();
    let mut n_bins_left = max_bins;
    let every_value = distinct.len() <= max_bins;
    let mut cuts = Vec::new();
    let mut n_in_bin = 0;
    for (i, &(value, n_equal)) in distinct.iter().enumerate() {
        n_in_bin += n_equal;
        let Some(&(next, n_next)) = distinct.get(i + 1) else { break };
        let wanted = n_rows_left as f64 / n_bins_left as f64;
        let is_full = n_in_bin as f64 >= wanted
            || (n_next as f64 >= wanted && n_in_bin as f64 >= wanted / 2.0);
        if every_value || (is_full && n_bins_left > 1) {
            cuts.push(between(value, next));
            n_rows_left -= n_in_bin;
            n_bins_left -= 1;
            n_in_bin = 0;
        }
    }
    cuts
}

fn run_lengths(sorted: &[f64]) -> Vec<(f64, usize)> {
    let mut runs: Vec<(f64, usize)> = Vec::new();
    for &x in sorted {
        match runs.last_mut() {
            Some((value, n)) if *value == x => *n += 1,
            _ => runs.push((x, 1)),
        }
    }
    runs
}

/// A number not below `low` and below `high`.
fn between(low: f64, high: f64) -> f64 {
    let middle = low + (high - low) / 2.0;
    if middle.is_finite() && middle < high { middle } else { low.max(f64::MIN) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_values_have_a_bin_each() {
        let column = vec![3.0, 1.0, f64::NAN, 1.0, 2.0];
        let binned = Binned::new(std::slice::from_ref(&column), 255);
        assert_eq!(binned.cuts[0], [1.5, 2.5]);
        assert_eq!(binned.columns[0], [3, 1, 0, 1, 2]);
        assert_eq!(binned.threshold(0, 3), f64::MAX);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let column: Vec<f64> = (0..10_000).map(f64::from).collect();
        let binned = Binned::new(std::slice::from_ref(&column), 100);
        assert_eq!(binned.cuts[0].len(), 99);
        let mut sizes = [0; 101];
        for &bin in &binned.columns[0] {
            sizes[usize::from(bin)] += 1;
        }
        assert!(sizes[1..].iter().all(|&size| (95..=105).contains(&size)), "{sizes:?}");
    }

    #[test]
    fn infinities_and_constants_do_no_harm() {
        let binned = Binned::new(&[vec![f64::NEG_INFINITY, 0.0, f64::INFINITY], vec![7.0; 3]], 255);
        assert_eq!(binned.columns, [[1, 2, 3], [1, 1, 1]]);
        assert!(binned.cuts[0].iter().all(|cut| cut.is_finite()) && binned.cuts[1].is_empty());
    }
}
