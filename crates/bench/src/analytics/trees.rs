//! Gradient boosting beside LightGBM: accuracy, training time, single rows, and the ONNX file in onnxruntime.

mod tasks;

use std::fs;
use std::path::Path;
use std::time::Instant;

use analytics::trees::{Data, Forest, Objective, Params, train};
use anyhow::Context;
use serde_json::{Value, json};

use crate::{Bench, CpuClock, Options, Split, Table, peer};
use tasks::Task;

/// Threads of the second timing.
const N_THREADS: usize = 4;
/// Deals of random folds over which differences are averaged.
const N_DEALS: u64 = 10;
/// Rows of the single-row timing and of the comparison with onnxruntime.
const N_SINGLE: usize = 2000;

pub(crate) const BENCH: Bench =
    Bench { name: "trees", about: "gradient boosting beside LightGBM, ONNX in onnxruntime", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let tasks = tasks::all(options.folder()?, options.seed)?;
    let folder = std::env::temp_dir().join(format!("fettler-trees-{}", std::process::id()));
    fs::create_dir_all(&folder).context("cannot make a folder for the peer")?;
    let tables = compare(&tasks, &folder, options).and_then(|mut tables| {
        if options.peers {
            let tasks = tasks::dealt(options.folder()?, options.seed, N_DEALS)?;
            tables.insert(1, over_deals(&tasks, &folder, options.seed)?);
        }
        Ok(tables)
    });
    fs::remove_dir_all(&folder).context("cannot remove the peer's folder")?;
    tables
}

fn compare(tasks: &[Task], folder: &Path, options: &Options) -> anyhow::Result<Vec<Table>> {
    let ours =
        tasks.iter().map(|task| measure(task, folder)).collect::<anyhow::Result<Vec<_>>>()?;
    let peer = if options.peers { Some(run_peer(tasks, folder)?) } else { None };
    let mut tables = vec![accuracy(tasks, &ours, peer.is_some(), folder)?];
    tables.push(speed(tasks, &ours, peer.as_ref()));
    Ok(tables)
}

fn run_peer(tasks: &[Task], folder: &Path) -> anyhow::Result<Value> {
    let plan: Vec<Value> = tasks.iter().map(plan_of).collect();
    let plan = json!({"n_threads": N_THREADS, "tasks": plan});
    fs::write(folder.join("tasks.json"), plan.to_string()).context("cannot write the tasks")?;
    peer::run("analytics-trees", &[&folder.to_string_lossy()])
}

/// What the chance of the folds does to the difference: the same comparison over several deals.
fn over_deals(tasks: &[Task], folder: &Path, seed: u64) -> anyhow::Result<Table> {
    let ours =
        tasks.iter().map(|task| measure(task, folder)).collect::<anyhow::Result<Vec<_>>>()?;
    run_peer(tasks, folder)?;
    let title =
        format!("The same with {N_DEALS} deals of folds: mean, and standard error of the mean");
    let columns =
        ["task", "loss", "ours", "LightGBM 4.7", "ours less theirs", "from … to …", "better in"];
    let mut table = Table::new(title, &columns);
    for (tasks, ours) in tasks.chunks(N_DEALS as usize).zip(ours.chunks(N_DEALS as usize)) {
        let (loss, judge) = tasks[0].losses()[0];
        let mut pairs = Vec::with_capacity(tasks.len());
        for (task, measured) in tasks.iter().zip(ours) {
            let theirs = read(&folder.join(format!("{}.lightgbm", task.name)))?;
            pairs.push((judge(task, &measured.predicted), judge(task, &theirs)));
        }
        let n = pairs.len() as f64;
        let apart: Vec<f64> =
            pairs.iter().map(|(own, other)| 100.0 * (own / other - 1.0)).collect();
        let mean = apart.iter().sum::<f64>() / n;
        let variance = apart.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let (low, high) =
            apart.iter().fold((f64::MAX, f64::MIN), |(a, b), x| (a.min(*x), b.max(*x)));
        table.row([
            tasks[0].name.split('-').next().unwrap_or_default().to_owned(),
            loss.to_owned(),
            format!("{:.4}", pairs.iter().map(|pair| pair.0).sum::<f64>() / n),
            format!("{:.4}", pairs.iter().map(|pair| pair.1).sum::<f64>() / n),
            format!("{mean:+.2} % ± {:.2}", (variance / n).sqrt()),
            format!("{low:+.2} … {high:+.2} %"),
            format!("{} of {n}", apart.iter().filter(|x| **x < 0.0).count()),
        ]);
    }
    let all = tasks.iter().fold(Split::default(), |split, task| {
        split.bytes(&task.name, self::split(task).to_string().as_bytes())
    });
    let last = seed + N_DEALS - 1;
    table.note(format!("seeds {seed} to {last}, split {all}; goal: within 1 %"));
    Ok(table)
}

/// What our forests did on one task.
struct Measured {
    /// Answers to the judged rows by the forest that had not seen them; NaN elsewhere.
    predicted: Vec<f64>,
    cpu_s: f64,
    wall_s: f64,
    row_us: f64,
}

fn measure(task: &Task, folder: &Path) -> anyhow::Result<Measured> {
    let n_outputs = task.n_outputs();
    let mut measured = Measured {
        predicted: vec![f64::NAN; task.target.len() * n_outputs],
        cpu_s: 0.0,
        wall_s: 0.0,
        row_us: f64::NAN,
    };
    write(&folder.join(format!("{}.x", task.name)), task.columns.iter().flatten())?;
    write(&folder.join(format!("{}.y", task.name)), &task.target)?;
    fs::write(folder.join(format!("{}.fold", task.name)), &task.folds)?;
    for fold in 0..task.n_folds() {
        let (train_rows, test_rows) = task.split(fold);
        let (columns, target) = task.take(&train_rows);
        let data = Data { columns: &columns, target: &target, weights: None };
        let clock = CpuClock::start();
        let forest = train(&data, &Params { n_threads: 1, ..task.params.clone() })?;
        measured.cpu_s += clock.seconds();
        let rows: Vec<Vec<f64>> = test_rows.iter().map(|&i| task.row(i)).collect();
        for (&i, row) in test_rows.iter().zip(&rows) {
            forest.predict_into(row, &mut measured.predicted[i * n_outputs..][..n_outputs]);
        }
        if fold == 0 {
            let clock = Instant::now();
            train(&data, &Params { n_threads: N_THREADS, ..task.params.clone() })?;
            measured.wall_s = clock.elapsed().as_secs_f64();
            measured.row_us = single_row_us(&forest, &rows[..rows.len().min(N_SINGLE)]);
            write_onnx(&forest, &rows[..rows.len().min(N_SINGLE)], folder, &task.name)?;
        }
    }
    Ok(measured)
}

/// Processor time of one row on one thread, best of five rounds over different rows.
fn single_row_us(forest: &Forest, rows: &[Vec<f64>]) -> f64 {
    let mut out = vec![0.0; forest.n_outputs()];
    let mut round = || {
        let clock = CpuClock::start();
        for row in rows {
            forest.predict_into(std::hint::black_box(row), &mut out);
            std::hint::black_box(&out);
        }
        clock.seconds() * 1e6 / rows.len() as f64
    };
    (0..5).map(|_| round()).fold(f64::INFINITY, f64::min)
}

fn write_onnx(forest: &Forest, rows: &[Vec<f64>], folder: &Path, name: &str) -> anyhow::Result<()> {
    let single: Vec<f32> = rows.iter().flatten().map(|&x| x as f32).collect();
    let mut out = vec![0.0; forest.n_outputs()];
    let mut answers = Vec::new();
    for row in single.chunks(forest.n_columns()) {
        let row: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        forest.predict_into(&row, &mut out);
        answers.extend_from_slice(&out);
    }
    let bytes: Vec<u8> = single.iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(folder.join(format!("{name}.rows")), bytes)?;
    fs::write(folder.join(format!("{name}.onnx")), forest.to_onnx())?;
    write(&folder.join(format!("{name}.out")), &answers)
}

fn write<'a>(path: &Path, values: impl IntoIterator<Item = &'a f64>) -> anyhow::Result<()> {
    let bytes: Vec<u8> = values.into_iter().flat_map(|x| x.to_le_bytes()).collect();
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}

/// The same parameters in LightGBM's words.
fn plan_of(task: &Task) -> Value {
    let params = &task.params;
    let mut words = json!({
        "num_leaves": params.n_leaves, "learning_rate": params.learning_rate,
        "min_data_in_leaf": params.min_leaf_rows, "min_sum_hessian_in_leaf": params.min_leaf_hessian,
        "lambda_l2": params.l2, "max_bin": params.max_bins,
    });
    match params.objective {
        Objective::L2 => words["objective"] = json!("regression"),
        Objective::L1 => words["objective"] = json!("regression_l1"),
        Objective::Logistic => words["objective"] = json!("binary"),
        Objective::Quantile(level) => {
            words["objective"] = json!("quantile");
            words["alpha"] = json!(level);
        }
        Objective::Softmax(n_classes) => {
            words["objective"] = json!("multiclass");
            words["num_class"] = json!(n_classes);
        }
    }
    json!({
        "name": task.name, "n_columns": task.columns.len(), "n_outputs": task.n_outputs(),
        "n_trees": params.n_trees, "params": words,
    })
}

fn accuracy(
    tasks: &[Task],
    ours: &[Measured],
    has_peer: bool,
    folder: &Path,
) -> anyhow::Result<Table> {
    let mut table = Table::new(
        "Gradient boosting: losses on rows that no forest has seen, the same parameters on both sides",
        &["task", "rows", "columns", "loss", "ours", "LightGBM 4.7", "ours less theirs", "trivial"],
    );
    for (task, measured) in tasks.iter().zip(ours) {
        let peer = match has_peer {
            true => Some(read(&folder.join(format!("{}.lightgbm", task.name)))?),
            false => None,
        };
        for (loss, judge) in task.losses() {
            let own = judge(task, &measured.predicted);
            let theirs = peer.as_ref().map(|predicted| judge(task, predicted));
            let apart = theirs.map(|theirs| format!("{:+.2} %", 100.0 * (own / theirs - 1.0)));
            table.row([
                task.name.clone(),
                task.target.len().to_string(),
                task.columns.len().to_string(),
                loss.to_owned(),
                format!("{own:.4}"),
                theirs.map_or(String::new(), |x| format!("{x:.4}")),
                apart.unwrap_or_default(),
                format!("{:.4}", judge(task, &task.trivial())),
            ]);
        }
        table.note(format!("{}: {}; split {}", task.name, task.about, split(task)));
    }
    Ok(table)
}

/// All values of a task and the fold that judges each row.
fn split(task: &Task) -> Split {
    let split = Split::default().values("columns", task.columns.iter().flatten());
    split.values("target", &task.target).bytes("folds", &task.folds)
}

fn read(path: &Path) -> anyhow::Result<Vec<f64>> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let (words, _) = bytes.as_chunks::<8>();
    Ok(words.iter().map(|word| f64::from_le_bytes(*word)).collect())
}

fn speed(tasks: &[Task], ours: &[Measured], peer: Option<&Value>) -> Table {
    let mut table = Table::new(
        "Gradient boosting: time beside LightGBM, and the ONNX file in onnxruntime",
        &[
            "task",
            "training, 1 thread (CPU s)",
            "LightGBM",
            "ratio",
            "4 threads (wall s)",
            "LightGBM",
            "ratio",
            "one row (µs)",
            "LightGBM in C",
            "from Python",
            "ONNX differs by",
        ],
    );
    for (task, measured) in tasks.iter().zip(ours) {
        let theirs = |key: &str| peer.and_then(|peer| peer[&task.name][key].as_f64());
        let show =
            |x: Option<f64>, digits: usize| x.map_or(String::new(), |x| format!("{x:.digits$}"));
        table.row([
            task.name.clone(),
            format!("{:.2}", measured.cpu_s),
            show(theirs("cpu_s"), 2),
            show(theirs("cpu_s").map(|x| measured.cpu_s / x), 2),
            format!("{:.2}", measured.wall_s),
            show(theirs("wall_s"), 2),
            show(theirs("wall_s").map(|x| measured.wall_s / x), 2),
            format!("{:.2}", measured.row_us),
            show(theirs("row_us"), 2),
            show(theirs("python_row_us"), 1),
            theirs("onnx_difference").map_or(String::new(), |x| format!("{x:.1e}")),
        ]);
    }
    table.note("training with bins, on 1 thread all folds, on 4 threads the first; one row: LightGBM's C function for single rows less the cost of its call");
    table.note(format!("ONNX: largest difference to our answers in units of the largest, {N_SINGLE} rows of 32 bits"));
    table
}
