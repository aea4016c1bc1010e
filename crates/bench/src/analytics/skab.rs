//! SKAB (Katser & Kozitsin (2020)): rows of a water circuit while valves close, each file judged by what its first rows taught.

mod fused;

use std::fs;
use std::path::Path;

use analytics::detect::budget::Call;
use analytics::stream::{AssetMonitor, Settings};
use anyhow::{Context, bail};

use super::budget::adaptive;
use crate::{Bench, CpuClock, Options, Split, Table, data};

/// Rows at the start of each file that may be learned from; only the rows after them are scored.
pub const TRAINING_ROWS: usize = 400;

/// What others have published for all 34 files: name, F1, false-alarm rate, missed-alarm rate in percent.
pub const PUBLISHED: [(&str, &str, &str, &str); 6] = [
    ("published: Conv-AE", "0.78", "13.6", "28.0"),
    ("published: MSET", "0.78", "39.7", "14.1"),
    ("published: PCA T² + Q", "0.76", "26.6", "24.9"),
    ("published: LSTM-AE", "0.74", "30.0", "25.9"),
    ("published: T²", "0.66", "19.2", "42.6"),
    ("published: isolation forest", "0.29", "2.6", "82.9"),
];

/// The budgets from which the groups that are not judged choose, in days per false alarm at one row a second.
const BUDGETS_DAYS: [f64; 6] = [0.01, 0.1, 0.3, 1.0, 7.0, 30.0];
/// The goal: no more false and missed alarms than these shares of the normal and the anomalous rows.
const MOST_FALSE: f64 = 0.20;
const MOST_MISSED: f64 = 0.18;
const ROWS_PER_DAY: f64 = 86_400.0;
/// The budget at which an adapted limit is tried.
const ADAPTED_DAYS: f64 = 1.0;
const SPEED_ROWS: usize = 1_000_000;

/// One recorded experiment.
pub struct Experiment {
    /// The folder it lies in, such as `valve1`.
    pub group: String,
    /// The name of its file without ending.
    pub name: String,
    /// Time of each row, as the file spells it.
    pub times: Vec<String>,
    /// Names of the sensors.
    pub sensors: Vec<String>,
    /// One list of values per row, in the order of `sensors`.
    pub rows: Vec<Vec<f64>>,
    /// Whether each row is anomalous; read by nothing but [`Outcome`].
    pub is_anomalous: Vec<bool>,
    text: String,
}

/// Rows by verdict and label.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Outcome {
    /// Anomalous and called so.
    pub found: usize,
    /// Anomalous, not called so.
    pub missed: usize,
    /// Normal, but called anomalous.
    pub false_alarms: usize,
    /// Normal and called so.
    pub quiet: usize,
}

impl Outcome {
    /// Counts the rows after the first [`TRAINING_ROWS`]; `verdicts`: one per row of the experiment.
    pub fn of(experiment: &Experiment, verdicts: &[bool]) -> Outcome {
        let mut outcome = Outcome::default();
        for (verdict, label) in verdicts.iter().zip(&experiment.is_anomalous).skip(TRAINING_ROWS) {
            match (verdict, label) {
                (true, true) => outcome.found += 1,
                (false, true) => outcome.missed += 1,
                (true, false) => outcome.false_alarms += 1,
                (false, false) => outcome.quiet += 1,
            }
        }
        outcome
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Outcome) -> Outcome {
        Outcome {
            found: self.found + other.found,
            missed: self.missed + other.missed,
            false_alarms: self.false_alarms + other.false_alarms,
            quiet: self.quiet + other.quiet,
        }
    }

    /// Harmonic mean of precision and recall; 0 when there is nothing to find and nothing was found.
    pub fn f1(self) -> f64 {
        let found = 2.0 * self.found as f64;
        found / (found + (self.false_alarms + self.missed) as f64).max(1.0)
    }

    /// Share of normal rows that were called anomalous, 0 to 1.
    pub fn false_alarm_rate(self) -> f64 {
        self.false_alarms as f64 / ((self.false_alarms + self.quiet) as f64).max(1.0)
    }

    /// Share of anomalous rows that were not, 0 to 1.
    pub fn missed_alarm_rate(self) -> f64 {
        self.missed as f64 / ((self.missed + self.found) as f64).max(1.0)
    }

    /// F1, false-alarm rate and missed-alarm rate as table cells, the rates in percent.
    pub fn cells(self) -> [String; 3] {
        let percent = |share: f64| format!("{:.1}", 100.0 * share);
        [
            format!("{:.3}", self.f1()),
            percent(self.false_alarm_rate()),
            percent(self.missed_alarm_rate()),
        ]
    }
}

/// Every experiment in the group folders below `folder`, by group and name; the anomaly-free run is left out.
///
/// # Errors
/// When the folder holds no experiments, or one of them cannot be read.
pub fn read_all(folder: &Path) -> anyhow::Result<Vec<Experiment>> {
    let groups = fs::read_dir(folder).with_context(|| {
        format!("cannot read {}; name the data set with FETTLER_DATA", folder.display())
    })?;
    let mut experiments = Vec::new();
    for group in groups {
        let group = group?;
        let name = group.file_name().to_string_lossy().into_owned();
        if name != "anomaly-free" && group.file_type()?.is_dir() {
            for path in data::files(&group.path(), ".csv")? {
                experiments.push(read(&name, &path)?);
            }
        }
    }
    if experiments.is_empty() {
        bail!("{} holds no experiments", folder.display());
    }
    experiments.sort_by(|a, b| (&a.group, &a.name).cmp(&(&b.group, &b.name)));
    Ok(experiments)
}

/// What a detector that looks at nothing would get.
pub fn trivial_rows(experiments: &[Experiment], table: &mut Table) {
    let always = total(experiments, |experiment| vec![true; experiment.rows.len()]);
    let second_half = total(experiments, |experiment| {
        let n_rows = experiment.rows.len();
        (0..n_rows).map(|row| 2 * row >= n_rows).collect()
    });
    row(table, "trivial: always", always);
    row(table, "trivial: second half of each file", second_half);
}

/// The published rows, of all 34 files.
pub fn published_rows(table: &mut Table) {
    for (name, f1, false_alarms, missed) in PUBLISHED {
        table.row([name, f1, false_alarms, missed]);
    }
}

/// An empty table with the columns of all these rows.
pub fn table(experiments: &[Experiment], judge: &str) -> Table {
    let n_rows: usize = experiments.iter().map(|experiment| experiment.rows.len()).sum();
    let n_scored = n_rows - experiments.len() * TRAINING_ROWS;
    let title = format!(
        "SKAB, {judge}: {} files; first {TRAINING_ROWS} rows of each for training, {n_scored} rows scored",
        experiments.len()
    );
    let mut table = Table::new(title, &["", "F1", "false alarms %", "missed %"]);
    table.note(format!("split {}; no label is read before the verdict", split(experiments)));
    table
}

/// The bytes of all files, by group, with the rows of each that are learned from and scored.
fn split(experiments: &[Experiment]) -> Split {
    experiments.iter().fold(Split::default(), |split, one| {
        let name = format!("{}/{}", one.group, one.name);
        let n_rows = one.rows.len();
        let learned = split.bytes(&name, one.text.as_bytes()).rows("train", 0..TRAINING_ROWS);
        learned.rows("test", TRAINING_ROWS..n_rows)
    })
}

/// Adds a line of outcomes.
pub fn row(table: &mut Table, name: &str, outcome: Outcome) {
    let [f1, false_alarms, missed] = outcome.cells();
    table.row([name.to_owned(), f1, false_alarms, missed]);
}

pub(crate) const BENCH: Bench = Bench {
    name: "skab",
    about: "SKAB: outlier F1, false- and missed-alarm rates of the product's detector",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let folder = options.folder()?.join("skab/data");
    let experiments = read_all(&folder)?;
    let mut table = table(&experiments, "the detector of the product alone");
    let clock = CpuClock::start();
    let by_budget: Vec<Vec<Outcome>> = BUDGETS_DAYS
        .iter()
        .map(|days| {
            experiments
                .iter()
                .map(|one| Outcome::of(one, &alarms(&one.rows, *days, false)))
                .collect()
        })
        .collect();
    let n_rows: usize = experiments.iter().map(|experiment| experiment.rows.len()).sum();
    let per_row_us = clock.seconds() * 1e6 / (n_rows * BUDGETS_DAYS.len()) as f64;
    chosen_elsewhere(&experiments, &by_budget, &mut table)?;
    for (days, outcomes) in BUDGETS_DAYS.iter().zip(&by_budget) {
        row(&mut table, &format!("  one false alarm in {days} d"), sum(outcomes));
    }
    let adapted = total(&experiments, |one| adapted_alarms(&one.rows, ADAPTED_DAYS));
    row(&mut table, &format!("  one in {ADAPTED_DAYS} d, limit adapted to the budget"), adapted);
    let fused = total(&experiments, |one| fused::alarms(&one.rows));
    row(&mut table, "ranks of three plain detectors fused, rule fixed beforehand", fused);
    trivial_rows(&experiments, &mut table);
    published_rows(&mut table);
    table.note(format!("{per_row_us:.2} µs of processor time per row, learning included"));
    quiet_run(&folder, &mut table)?;
    Ok(vec![table])
}

/// How a budget is chosen on the groups that are not judged: from their outcomes by budget to its index.
type Choice = fn(&[Outcome]) -> Option<usize>;

/// F1 alone is no criterion: it rewards alarming always, as most scored rows are anomalous.
const CHOICES: [(&str, Choice); 3] = [
    ("fewest errors", fewest_errors),
    ("fewest missed within the goal", fewest_missed),
    ("middle of those within the goal", middle_of_good),
];

fn fewest_errors(outcomes: &[Outcome]) -> Option<usize> {
    let error = |of: &Outcome| of.false_alarm_rate() + of.missed_alarm_rate();
    (0..outcomes.len()).min_by(|&a, &b| error(&outcomes[a]).total_cmp(&error(&outcomes[b])))
}

/// As Neyman and Pearson (1933) have it.
fn fewest_missed(outcomes: &[Outcome]) -> Option<usize> {
    let good = (0..outcomes.len()).filter(|&i| outcomes[i].false_alarm_rate() <= MOST_FALSE);
    good.min_by_key(|&i| outcomes[i].missed)
}

/// As far as can be from both limits of the goal; the budgets are in order.
fn middle_of_good(outcomes: &[Outcome]) -> Option<usize> {
    let is_good =
        |of: &Outcome| of.false_alarm_rate() <= MOST_FALSE && of.missed_alarm_rate() <= MOST_MISSED;
    let good: Vec<usize> = (0..outcomes.len()).filter(|&i| is_good(&outcomes[i])).collect();
    good.get(good.len() / 2).copied()
}

/// Each group is judged with the budget that is chosen on the other groups.
fn chosen_elsewhere(
    experiments: &[Experiment],
    by_budget: &[Vec<Outcome>],
    table: &mut Table,
) -> anyhow::Result<()> {
    let mut groups: Vec<&str> = experiments.iter().map(|one| one.group.as_str()).collect();
    groups.dedup();
    let pooled = |outcomes: &[Outcome], group: &str, inside: bool| {
        let of = experiments.iter().zip(outcomes);
        of.filter(|(one, _)| (one.group == group) == inside)
            .fold(Outcome::default(), |sum, (_, outcome)| sum.plus(*outcome))
    };
    for (name, choice) in CHOICES {
        let mut all = Outcome::default();
        let mut budgets = Vec::new();
        for group in &groups {
            let others: Vec<Outcome> =
                by_budget.iter().map(|outcomes| pooled(outcomes, group, false)).collect();
            // A group that is left out of the sum would make it look better.
            let chosen = choice(&others)
                .with_context(|| format!("no budget is {name} on the groups beside {group}"))?;
            all = all.plus(pooled(&by_budget[chosen], group, true));
            budgets.push(format!("{group} {} d", BUDGETS_DAYS[chosen]));
        }
        row(table, &format!("ours, {name} on the others: {}", budgets.join(", ")), all);
    }
    Ok(())
}

/// Episodes in the run without anomalies at each budget, and what judging its rows costs.
fn quiet_run(folder: &Path, table: &mut Table) -> anyhow::Result<()> {
    let path = folder.join("anomaly-free/anomaly-free.csv");
    if !path.is_file() {
        return Ok(());
    }
    let run = read("anomaly-free", &path)?;
    let n_rows = run.rows.len();
    for (refit, how) in [(false, "frozen after its first rows"), (true, "learning on")] {
        let of_budget = |days: f64| {
            let alarms = alarms(&run.rows, days, refit);
            let n_begun = alarms.windows(2).filter(|pair| !pair[0] && pair[1]).count();
            let n_alarmed = alarms.iter().filter(|alarm| **alarm).count();
            let allowed = n_rows as f64 / (days * ROWS_PER_DAY);
            format!("{n_begun} of {allowed:.2} for {n_alarmed} rows")
        };
        let counts = BUDGETS_DAYS.map(of_budget).join("; ");
        table.note(format!(
            "anomaly-free run of {n_rows} rows, {how}, alarms of those allowed by these budgets: {counts}"
        ));
    }
    let [frozen, refit] = [false, true].map(|refit| million_rows_per_s(&run.rows, refit));
    table.note(format!(
        "once learned, {frozen:.2} million rows of 8 sensors per processor second frozen, {refit:.2} million learning on (goal 1)"
    ));
    Ok(())
}

fn million_rows_per_s(rows: &[Vec<f64>], refit: bool) -> f64 {
    let mut monitor = monitor(rows, 1.0, refit);
    rows.iter().for_each(|row| _ = monitor.push(row, 0));
    let clock = CpuClock::start();
    for row in rows.iter().cycle().take(SPEED_ROWS) {
        monitor.push(row, 0);
    }
    SPEED_ROWS as f64 / clock.seconds() / 1e6
}

fn total(experiments: &[Experiment], judge: impl Fn(&Experiment) -> Vec<bool>) -> Outcome {
    let outcomes: Vec<Outcome> =
        experiments.iter().map(|experiment| Outcome::of(experiment, &judge(experiment))).collect();
    sum(&outcomes)
}

fn sum(outcomes: &[Outcome]) -> Outcome {
    outcomes.iter().fold(Outcome::default(), |sum, outcome| sum.plus(*outcome))
}

/// In alarm or not after each row.
fn alarms(rows: &[Vec<f64>], days_per_false_alarm: f64, refit: bool) -> Vec<bool> {
    let mut monitor = monitor(rows, days_per_false_alarm, refit);
    rows.iter().map(|row| monitor.push(row, 0).alarm).collect()
}

/// The same detector under a limit that follows the budget instead of its own, which takes it as an upper bound.
fn adapted_alarms(rows: &[Vec<f64>], days_per_false_alarm: f64) -> Vec<bool> {
    let (training, judged) = rows.split_at(TRAINING_ROWS.min(rows.len()));
    let mut monitor = monitor(rows, days_per_false_alarm, false);
    training.iter().for_each(|row| _ = monitor.push(row, 0));
    let mut again = monitor.clone();
    let known: Vec<f64> = training.iter().map(|row| again.push(row, 0).score).collect();
    let mut limit = adaptive(&known, days_per_false_alarm * ROWS_PER_DAY);
    let verdicts = judged.iter().map(|row| limit.push(monitor.push(row, 0).score) != Call::Quiet);
    training.iter().map(|_| false).chain(verdicts).collect()
}

/// The product's detector: it will learn from the first rows, and is then frozen unless it may `refit`.
fn monitor(rows: &[Vec<f64>], days_per_false_alarm: f64, refit: bool) -> AssetMonitor {
    let settings = Settings {
        learn_rows: TRAINING_ROWS,
        rows_per_false_alarm: days_per_false_alarm * ROWS_PER_DAY,
        refit,
        seed: 1,
    };
    AssetMonitor::new(rows.first().map_or(0, Vec::len), settings)
}

fn read(group: &str, path: &Path) -> anyhow::Result<Experiment> {
    let text = data::text(path)?;
    let mut reader = csv::ReaderBuilder::new().delimiter(b';').from_reader(text.as_bytes());
    let header: Vec<String> = reader.headers()?.iter().map(str::to_owned).collect();
    let is_sensor = |name: &str| !matches!(name, "datetime" | "anomaly" | "changepoint");
    let sensors = header.iter().filter(|name| is_sensor(name)).cloned().collect();
    let (mut times, mut rows, mut is_anomalous) = (Vec::new(), Vec::new(), Vec::new());
    for record in reader.records() {
        let record = record.with_context(|| format!("cannot read {}", path.display()))?;
        let mut row = Vec::with_capacity(header.len());
        times.push(record.get(0).unwrap_or_default().to_owned());
        for (name, cell) in header.iter().zip(&record).skip(1) {
            let value: f64 =
                cell.parse().with_context(|| format!("{}: {cell} is no number", path.display()))?;
            if is_sensor(name) {
                row.push(value);
            } else if name == "anomaly" {
                is_anomalous.push(value > 0.5);
            }
        }
        rows.push(row);
    }
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Experiment { group: group.to_owned(), name, times, sensors, rows, is_anomalous, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_counted_after_the_training_rows() {
        let n_rows = TRAINING_ROWS + 4;
        let mut is_anomalous = vec![true; n_rows];
        is_anomalous[TRAINING_ROWS + 2] = false;
        is_anomalous[TRAINING_ROWS + 3] = false;
        let experiment = Experiment {
            group: String::new(),
            name: String::new(),
            times: Vec::new(),
            sensors: Vec::new(),
            rows: vec![Vec::new(); n_rows],
            is_anomalous,
            text: String::new(),
        };
        let mut verdicts = vec![true; n_rows];
        verdicts[TRAINING_ROWS] = false;
        verdicts[TRAINING_ROWS + 3] = false;
        let outcome = Outcome::of(&experiment, &verdicts);
        assert_eq!(outcome, Outcome { found: 1, missed: 1, false_alarms: 1, quiet: 1 });
        assert_eq!(outcome.cells(), ["0.500", "50.0", "50.0"]);
    }
}
