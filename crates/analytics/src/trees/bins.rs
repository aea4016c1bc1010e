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
    /// `min_rows`: fewest rows of a bin.
    pub(super) fn new(columns: &[Vec<f64>], max_bins: usize, min_rows: usize) -> Binned {
        let cuts: Vec<Vec<f64>> =
            columns.iter().map(|column| cuts(column, max_bins, min_rows)).collect();
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

/// Cut points halfway between neighboring distinct values, at most `max_bins - 1`, so that bins hold about equally many
/// rows and at least `min_rows`.
///
/// Values that alone would fill a bin get their own, and the others share the bins that are left.
fn cuts(column: &[f64], max_bins: usize, min_rows: usize) -> Vec<f64> {
    let mut sorted: Vec<f64> = column.iter().copied().filter(|x| !x.is_nan()).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let distinct = run_lengths(&sorted);
    let n_bins = max_bins.min(sorted.len() / min_rows.max(1)).max(1);
    let even = sorted.len() as f64 / n_bins as f64;
    let is_big = |n_equal: usize| n_equal as f64 >= even;
    let n_big = distinct.iter().filter(|run| is_big(run.1)).count();
    let mut rows_left: usize = distinct.iter().map(|run| run.1).filter(|n| !is_big(*n)).sum();
    let mut bins_left = n_bins.saturating_sub(n_big);
    let every_value = distinct.len() <= max_bins;
    let (mut cuts, mut n_in_bin, mut n_small) = (Vec::new(), 0, 0);
    for pair in distinct.windows(2) {
        let ((value, n_equal), (next, n_next)) = (pair[0], pair[1]);
        n_in_bin += n_equal;
        n_small += if is_big(n_equal) { 0 } else { n_equal };
        let wanted = rows_left as f64 / bins_left.max(1) as f64;
        let is_full = if every_value {
            n_in_bin >= min_rows
        } else {
            let before_big = is_big(n_next) && n_in_bin as f64 >= wanted / 2.0;
            is_big(n_equal) || before_big || n_in_bin as f64 >= wanted
        };
        if is_full && cuts.len() + 1 < max_bins {
            cuts.push(between(value, next));
            rows_left -= n_small;
            bins_left = bins_left.saturating_sub(usize::from(!is_big(n_equal)));
            (n_in_bin, n_small) = (0, 0);
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
        let binned = Binned::new(std::slice::from_ref(&column), 255, 1);
        assert_eq!(binned.cuts[0], [1.5, 2.5]);
        assert_eq!(binned.columns[0], [3, 1, 0, 1, 2]);
        assert_eq!(binned.threshold(0, 3), f64::MAX);
    }

    #[test]
    fn many_values_share_bins_evenly() {
        let column: Vec<f64> = (0..10_000).map(f64::from).collect();
        let binned = Binned::new(std::slice::from_ref(&column), 100, 3);
        assert_eq!(binned.cuts[0].len(), 99);
        let mut sizes = [0; 101];
        for &bin in &binned.columns[0] {
            sizes[usize::from(bin)] += 1;
        }
        assert!(sizes[1..].iter().all(|&size| (95..=105).contains(&size)), "{sizes:?}");
    }

    /// Speeds come in whole numbers: some values fill a bin alone, and must not take the room of the rare ones.
    #[test]
    fn frequent_values_leave_the_other_bins_to_the_rare_ones() {
        let frequent = (0..9000).map(|i| f64::from(i % 9));
        let column: Vec<f64> = frequent.chain((0..1000).map(|i| 100.0 + f64::from(i))).collect();
        let binned = Binned::new(std::slice::from_ref(&column), 59, 3);
        assert_eq!(binned.cuts[0].len(), 58);
        let of_rare = binned.cuts[0].iter().filter(|cut| **cut > 100.0).count();
        assert_eq!(of_rare, 49);
    }

    #[test]
    fn infinities_and_constants_do_no_harm() {
        let binned =
            Binned::new(&[vec![f64::NEG_INFINITY, 0.0, f64::INFINITY], vec![7.0; 3]], 255, 1);
        assert_eq!(binned.columns, [[1, 2, 3], [1, 1, 1]]);
        assert!(binned.cuts[0].iter().all(|cut| cut.is_finite()) && binned.cuts[1].is_empty());
    }
}
