//! Operating conditions: what a sensor reads depends on what is asked of the machine.

use serde::{Deserialize, Serialize};

use super::Run;

/// Most conditions that are told apart.
const MAX_CONDITIONS: usize = 32;
/// Rows that the conditions are found from.
const FIT_ROWS: usize = 6000;
/// A sensor further than so many standard deviations from its mean says no more than one there.
const MOST: f64 = 1e9;
/// Fewest of these rows that make a condition.
const MIN_ROWS: usize = 60;
/// A split of the settings counts if it explains this share of what some sensor still varies.
const WORTHWHILE: f64 = 0.5;

/// Conditions as ranges of the settings, and what is normal for each sensor in each of them.
///
/// The ranges are the leaves of a regression tree on the settings that predicts all sensors at once (Breiman et
/// al. (1984), "Classification and regression trees"; variances relative to each sensor's own in the node, so
/// that no sensor's unit matters). Settings that only jitter explain no sensor and make no conditions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Conditions {
    n_settings: usize,
    nodes: Vec<Node>,
    /// For each condition, mean and 1 / standard deviation of each sensor; 0 where it never changes.
    #[serde(with = "crate::saved")]
    normal: Vec<Vec<(f64, f64)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf {
        condition: usize,
    },
    /// Goes to `left` where the setting is at most the threshold, else (or where it is missing) to `left + 1`.
    Split {
        setting: usize,
        #[serde(with = "crate::saved")]
        threshold: f64,
        left: usize,
    },
}

/// Row-major values of all machines, one after the other.
pub(super) struct Rows {
    pub(super) settings: Vec<Vec<f64>>,
    pub(super) sensors: Vec<Vec<f64>>,
}

impl Rows {
    pub(super) fn of(runs: &[Run]) -> Rows {
        let row = |columns: &[Vec<f64>], i: usize| columns.iter().map(|column| column[i]).collect();
        let mut rows = Rows { settings: Vec::new(), sensors: Vec::new() };
        for run in runs {
            rows.settings.extend((0..run.n_rows()).map(|i| row(&run.settings, i)));
            rows.sensors.extend((0..run.n_rows()).map(|i| row(&run.sensors, i)));
        }
        rows
    }
}

impl Conditions {
    pub(super) fn fit(rows: &Rows) -> Conditions {
        let n_settings = rows.settings.first().map_or(0, Vec::len);
        let n_sensors = rows.sensors.first().map_or(0, Vec::len);
        let nodes = grow(rows, n_settings, n_sensors);
        let mut conditions = Conditions { n_settings, nodes, normal: Vec::new() };
        conditions.normal = conditions.normal_of(rows, n_sensors);
        conditions
    }

    /// How many there are.
    pub(super) fn count(&self) -> usize {
        self.normal.len()
    }

    pub(super) fn n_settings(&self) -> usize {
        self.n_settings
    }

    pub(super) fn n_sensors(&self) -> usize {
        self.normal.first().map_or(0, Vec::len)
    }

    /// Whether what was read from a file fits together.
    pub(super) fn is_good(&self) -> bool {
        let points_on = |(i, node): (usize, &Node)| match *node {
            Node::Leaf { condition } => condition < self.count(),
            Node::Split { setting, left, .. } => {
                setting < self.n_settings && left > i && left + 1 < self.nodes.len()
            }
        };
        !self.nodes.is_empty()
            && self.nodes.iter().enumerate().all(points_on)
            && self.normal.iter().all(|normal| normal.len() == self.n_sensors())
    }

    /// The condition of a row with these settings.
    pub(super) fn of(&self, settings: &[f64]) -> usize {
        let mut node = 0;
        loop {
            match self.nodes[node] {
                Node::Leaf { condition } => return condition,
                Node::Split { setting, threshold, left } => {
                    let is_left = settings[setting] <= threshold;
                    node = if is_left { left } else { left + 1 };
                }
            }
        }
    }

    /// Sensors whose values change within some condition.
    pub(super) fn telling_sensors(&self) -> Vec<usize> {
        let changes = |i: &usize| self.normal.iter().any(|normal| normal[*i].1 > 0.0);
        (0..self.n_sensors()).filter(changes).collect()
    }

    /// A sensor's value as deviations from the mean of its condition; NaN where it is missing, infinite
    /// or never changes.
    pub(super) fn normalize(&self, condition: usize, sensor: usize, value: f64) -> f64 {
        let (mean, per_deviation) = self.normal[condition][sensor];
        let is_known = per_deviation > 0.0 && value.is_finite();
        if is_known { ((value - mean) * per_deviation).clamp(-MOST, MOST) } else { f64::NAN }
    }

    fn normal_of(&self, rows: &Rows, n_sensors: usize) -> Vec<Vec<(f64, f64)>> {
        let leaves = self.nodes.iter().filter(|node| matches!(node, Node::Leaf { .. })).count();
        let mut moments = vec![vec![Moments::default(); n_sensors]; leaves];
        for (settings, sensors) in rows.settings.iter().zip(&rows.sensors) {
            let moments = &mut moments[self.of(settings)];
            moments.iter_mut().zip(sensors).for_each(|(moments, &x)| moments.push(x));
        }
        moments.iter().map(|sensors| sensors.iter().map(Moments::normal).collect()).collect()
    }
}

/// Count, mean and sum of squares about it (Welford (1962)).
#[derive(Clone, Copy, Default)]
struct Moments {
    n: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Takes a value; leaves missing and infinite ones out.
    fn push(&mut self, x: f64) {
        if x.is_finite() {
            self.n += 1.0;
            let d = x - self.mean;
            self.mean += d / self.n;
            self.squares += d * (x - self.mean);
        }
    }

    /// Mean and 1 / standard deviation; (0, 0) without values, (mean, 0) where nothing changes.
    fn normal(&self) -> (f64, f64) {
        let deviation = if self.n > 1.0 { (self.squares / self.n).sqrt() } else { 0.0 };
        let per_deviation = 1.0 / deviation;
        let changes = deviation > 1e-9 * self.mean.abs() && deviation.is_finite();
        // Sums of the largest numbers there are overflow, and say nothing.
        let mean = if self.mean.is_finite() { self.mean } else { 0.0 };
        (mean, if changes && per_deviation.is_finite() { per_deviation } else { 0.0 })
    }
}

/// Splits the settings as long as that explains sensors, widest first.
fn grow(rows: &Rows, n_settings: usize, n_sensors: usize) -> Vec<Node> {
    let step = rows.settings.len().div_ceil(FIT_ROWS).max(1);
    let mut nodes = vec![Node::Leaf { condition: 0 }];
    let mut n_leaves = 1;
    let all: Vec<usize> = (0..rows.settings.len()).step_by(step).collect();
    let mut open = std::collections::VecDeque::from([(0, all)]);
    while let Some((node, members)) = open.pop_front() {
        let splits = (0..n_settings).filter_map(|i| best_split(rows, &members, i, n_sensors));
        let best = splits.reduce(|a, b| if b.score > a.score { b } else { a });
        let Some(best) = best.filter(|_| n_leaves < MAX_CONDITIONS) else { continue };
        let is_left = |&i: &usize| rows.settings[i][best.setting] <= best.threshold;
        let (left, right) = members.into_iter().partition(is_left);
        let child = nodes.len();
        nodes[node] = Node::Split { setting: best.setting, threshold: best.threshold, left: child };
        nodes.extend([Node::Leaf { condition: 0 }; 2]);
        open.extend([(child, left), (child + 1, right)]);
        n_leaves += 1;
    }
    number_leaves(&mut nodes);
    nodes
}

fn number_leaves(nodes: &mut [Node]) {
    let mut n_before = 0;
    for node in nodes {
        if let Node::Leaf { condition } = node {
            *condition = n_before;
            n_before += 1;
        }
    }
}

struct Split {
    setting: usize,
    threshold: f64,
    /// Sum over the sensors of the share of variance that it explains.
    score: f64,
}

/// The threshold of one setting that explains most; `None` if that is little.
fn best_split(rows: &Rows, members: &[usize], setting: usize, n_sensors: usize) -> Option<Split> {
    let mut sorted: Vec<usize> = members.to_vec();
    sorted.sort_unstable_by(|&a, &b| {
        rows.settings[a][setting].total_cmp(&rows.settings[b][setting]).then(a.cmp(&b))
    });
    let value = |position: usize| rows.settings[sorted[position]][setting];
    let whole = moments(rows, sorted.iter(), n_sensors);
    let mut best: Option<Split> = None;
    let mut left = vec![Moments::default(); n_sensors];
    for position in 0..sorted.len() {
        let row = &rows.sensors[sorted[position]];
        left.iter_mut().zip(row).for_each(|(moments, &x)| moments.push(x));
        let n_left = position + 1;
        if n_left < MIN_ROWS
            || sorted.len() - n_left < MIN_ROWS
            || value(n_left).is_nan()
            || value(position) >= value(n_left)
        {
            continue;
        }
        let shares = left.iter().zip(&whole).map(|(left, whole)| explained(left, whole));
        let (score, most) = shares.fold((0.0, 0.0), |(sum, most), x| (sum + x, f64::max(most, x)));
        if most >= WORTHWHILE && best.as_ref().is_none_or(|best| score > best.score) {
            let threshold = f64::midpoint(value(position), value(n_left));
            best = Some(Split { setting, threshold, score });
        }
    }
    best
}

fn moments<'a>(
    rows: &Rows,
    members: impl Iterator<Item = &'a usize>,
    n_sensors: usize,
) -> Vec<Moments> {
    let mut moments = vec![Moments::default(); n_sensors];
    for &i in members {
        moments.iter_mut().zip(&rows.sensors[i]).for_each(|(moments, &x)| moments.push(x));
    }
    moments
}

/// Share of the variance of the whole that lies between its left part and the rest.
fn explained(left: &Moments, whole: &Moments) -> f64 {
    let n_right = whole.n - left.n;
    if whole.normal().1 == 0.0 || left.n < 1.0 || n_right < 1.0 {
        return 0.0;
    }
    let apart = left.mean - whole.mean;
    left.n * whole.n / n_right * apart * apart / whole.squares
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Noise;

    /// `n_levels` loads that shift two sensors; the third setting jitters.
    fn rows(n_levels: usize, shift: f64) -> Rows {
        let mut noise = Noise::new(1);
        let mut rows = Rows { settings: Vec::new(), sensors: Vec::new() };
        for i in 0..3000 {
            let level = (i * 7 % n_levels) as f64;
            rows.settings.push(vec![level + 0.001 * noise.normal(), 100.0, noise.uniform()]);
            rows.sensors.push(vec![shift * level + noise.normal(), noise.normal(), 5.0]);
        }
        rows
    }

    #[test]
    fn loads_that_matter_are_conditions() {
        let conditions = Conditions::fit(&rows(6, 20.0));
        assert_eq!(conditions.count(), 6);
        assert_eq!(conditions.telling_sensors(), [0, 1]);
        let condition = conditions.of(&[4.0, 100.0, 0.5]);
        assert!(conditions.normalize(condition, 0, 80.0).abs() < 0.2);
        assert!((conditions.normalize(condition, 0, 81.0) - 1.0).abs() < 0.3);
        assert!(conditions.normalize(condition, 2, 5.0).is_nan());
    }

    #[test]
    fn settings_that_only_jitter_are_one_condition() {
        assert_eq!(Conditions::fit(&rows(6, 0.0)).count(), 1);
    }

    #[test]
    fn no_settings_and_missing_ones_are_allowed() {
        let rows = Rows { settings: vec![vec![]; 9], sensors: vec![vec![1.0]; 9] };
        let conditions = Conditions::fit(&rows);
        assert_eq!((conditions.count(), conditions.of(&[])), (1, 0));
        assert!(conditions.telling_sensors().is_empty());
        let missing = Rows { settings: vec![vec![f64::NAN]; 9], sensors: vec![vec![f64::NAN]; 9] };
        assert_eq!(Conditions::fit(&missing).count(), 1);
    }
}
