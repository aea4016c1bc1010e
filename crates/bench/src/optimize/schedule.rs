//! Job shops and flexible job shops of JSPLIB and ScheduleOpt, beside OR-Tools CP-SAT.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use optimize::Control;
use optimize::schedule::{Choice, Shop, solve_shop};
use serde_json::Value;

use crate::seeds::Spread;
use crate::{Bench, CpuClock, Options, Table, data, peer};

/// Fourteen open or hard job shops, best plan within the limit.
pub(super) const JOB_SHOP: Bench = Bench {
    name: "jobshop",
    about: "job shops of JSPLIB and ScheduleOpt: gap to best known, beside CP-SAT",
    run: job_shop,
};

/// Forty-two classic job shops, how many are proven optimal.
pub(super) const PROOFS: Bench = Bench {
    name: "jobshop-proofs",
    about: "ft06, ft10, la01-la40: proven optimal within the limit, beside CP-SAT",
    run: proofs,
};

/// Brandimarte's flexible job shops.
pub(super) const FLEXIBLE: Bench = Bench {
    name: "flexible-jobshop",
    about: "flexible job shops mk01-mk10: gap to best known, beside CP-SAT",
    run: flexible,
};

const N_THREADS: usize = 4;

type Jobs = Vec<Vec<Vec<Choice>>>;

struct Instance {
    name: String,
    jobs: Jobs,
    /// Lower and upper bound that somebody has published.
    known: (i64, i64),
}

fn job_shop(options: &Options) -> anyhow::Result<Vec<Table>> {
    let names = "la29 la38 abz8 swv06 swv15 yn1 ta11 ta21 ta31 ta41 ta61 dmu06 dmu41 dmu56";
    let instances = classic(options, names.split(' ').map(str::to_owned))?;
    let title = "Job shops, makespan; gap to the best known plan in percent";
    Ok(vec![compare(title, &instances, options, 30.0)?])
}

fn proofs(options: &Options) -> anyhow::Result<Vec<Table>> {
    let lawrence = (1..=40).map(|number| format!("la{number:02}"));
    let names = ["ft06", "ft10"].map(str::to_owned).into_iter().chain(lawrence);
    let instances = classic(options, names)?;
    let title = "Classic job shops, makespan and bound; equal where it is proven optimal";
    Ok(vec![compare(title, &instances, options, 60.0)?])
}

fn flexible(options: &Options) -> anyhow::Result<Vec<Table>> {
    let folder = options.folder()?.join("scheduleopt_jobshop/flexible-jobshop");
    let readme = data::text(&folder.join("README.md"))?;
    let mut instances = Vec::new();
    for number in 1..=10 {
        let name = format!("mk{number:02}");
        let path = folder.join(format!("instances/fjsp/Brandimarte1993/{name}.txt"));
        let jobs =
            flexible_jobs(&data::text(&path)?).with_context(|| format!("cannot read {name}"))?;
        let known =
            known_in_table(&readme, &name).with_context(|| format!("no bounds of {name}"))?;
        instances.push(Instance { name, jobs, known });
    }
    let title =
        "Flexible job shops of Brandimarte, makespan; gap to the best known plan in percent";
    Ok(vec![compare(title, &instances, options, 30.0)?])
}

/// Runs ours and the peer on every instance, one after the other.
fn compare(
    title: &str,
    instances: &[Instance],
    options: &Options,
    seconds: f64,
) -> anyhow::Result<Table> {
    let seconds = options.seconds.unwrap_or(seconds);
    let columns = [
        "instance", "known", "ours", "bound", "gap %", "CPU s", "Mmoves", "CP-SAT", "bound",
        "gap %", "CPU s",
    ];
    let mut table = Table::new(title, &columns);
    let (mut ours, mut theirs) = (Score::default(), Score::default());
    let mut n_not_worse = 0;
    for instance in instances {
        let shop = Shop::new(&instance.jobs)?;
        let runs = options.per_seed(|seed| our_answer(instance, &shop, seconds, seed))?;
        let mut cells = vec![instance.name.clone(), instance.known_text()];
        cells.extend(ours.add(instance, &runs));
        cells.push(format!("{:.1}", Spread::of(&runs, |run| run.n_moves as f64 / 1e6).median()));
        if options.peers {
            let peers = options.per_seed(|seed| peer_answer(instance, seconds, seed))?;
            cells.extend(theirs.add(instance, &peers));
            let median = |runs: &[Answer]| Spread::of(runs, |run| run.makespan).median();
            n_not_worse += usize::from(median(&runs) <= median(&peers));
        }
        eprintln!("{}", cells.join(" "));
        table.row(cells);
    }
    table.note(format!("ours: {}", ours.summary()));
    if options.peers {
        table.note(format!("CP-SAT: {}", theirs.summary()));
        table.note(format!("ours is no worse on {n_not_worse} of {}", instances.len()));
    }
    table.note(format!("{seconds} s and {N_THREADS} threads each, {}", options.seeds_note()));
    Ok(table)
}

/// What a solver came to with one seed.
struct Answer {
    /// Infinite where it found no plan.
    makespan: f64,
    bound: f64,
    cpu_s: f64,
    /// Moves tried; 0 where the solver does not say.
    n_moves: u64,
}

/// Per instance, with each seed: the gap in percent, and 1 where the plan is proven optimal.
#[derive(Default)]
struct Score {
    gaps: Vec<Spread>,
    proven: Vec<Spread>,
}

impl Score {
    /// Takes the answers to one instance, and gives makespan, bound, gap and CPU time as cells.
    fn add(&mut self, instance: &Instance, runs: &[Answer]) -> [String; 4] {
        let best = instance.known.1 as f64;
        let gap = Spread::of(runs, |run| 100.0 * (run.makespan - best) / best);
        let median = |figure: fn(&Answer) -> f64| Spread::of(runs, figure).median();
        let cells = [
            median(|run| run.makespan).to_string(),
            median(|run| run.bound).to_string(),
            gap.show(2),
            format!("{:.0}", median(|run| run.cpu_s)),
        ];
        self.gaps.push(gap);
        self.proven.push(Spread::of(runs, |run| f64::from(u8::from(run.makespan == run.bound))));
        cells
    }

    fn summary(&self) -> String {
        let n = self.proven.len();
        let n_proven = Spread::mean(&self.proven).map(|share| share * n as f64);
        let gap = Spread::mean(&self.gaps);
        format!("mean gap {} %, {} of {n} proven optimal", gap.show(2), n_proven.show(0))
    }
}

impl Instance {
    fn known_text(&self) -> String {
        let (low, high) = self.known;
        if low == high { high.to_string() } else { format!("{low}–{high}") }
    }
}

fn our_answer(instance: &Instance, shop: &Shop, seconds: f64, seed: u64) -> anyhow::Result<Answer> {
    let clock = CpuClock::start();
    let control = Control::time(seed, Duration::from_secs_f64(seconds), N_THREADS);
    let plan = solve_shop(shop, &control);
    let cpu_s = clock.seconds();
    let violations = plan.violations(shop);
    anyhow::ensure!(violations.is_empty(), "{}: {}", instance.name, violations.join("; "));
    let (makespan, bound) = (plan.makespan as f64, plan.bound as f64);
    Ok(Answer { makespan, bound, cpu_s, n_moves: plan.n_iterations })
}

fn peer_answer(instance: &Instance, seconds: f64, seed: u64) -> anyhow::Result<Answer> {
    let name = format!("{}.txt", instance.name);
    let (seconds, threads, seed) = (seconds.to_string(), N_THREADS.to_string(), seed.to_string());
    let arguments = [seconds.as_str(), &threads, &seed];
    let answer = peer::run_on("optimize-schedule", &name, &peer_text(&instance.jobs), &arguments)?;
    let number = |name: &str| answer[name].as_f64();
    Ok(Answer {
        makespan: number("makespan").unwrap_or(f64::INFINITY),
        bound: number("bound").unwrap_or(0.0),
        cpu_s: number("cpu_s").unwrap_or(f64::NAN),
        n_moves: 0,
    })
}

/// One line per job: the number of operations, then for each the number of choices and their pairs.
fn peer_text(jobs: &Jobs) -> String {
    let pair = |choice: &Choice| format!("{} {}", choice.machine, choice.duration);
    let operation = |choices: &Vec<Choice>| {
        let pairs: Vec<String> = choices.iter().map(pair).collect();
        format!("{} {}", choices.len(), pairs.join(" "))
    };
    let job = |operations: &Vec<Vec<Choice>>| {
        let words: Vec<String> = operations.iter().map(operation).collect();
        format!("{} {}\n", operations.len(), words.join(" "))
    };
    jobs.iter().map(job).collect()
}

/// The named classic job shops, wherever they lie, with their published bounds.
fn classic(
    options: &Options,
    names: impl Iterator<Item = String>,
) -> anyhow::Result<Vec<Instance>> {
    let bounds = published(options.folder()?)?;
    let mut instances = Vec::new();
    for name in names {
        let jobs = classic_jobs(&data::text(&find(options.folder()?, &name)?)?);
        let jobs = jobs.with_context(|| format!("cannot read job shop {name}"))?;
        let known = *bounds.get(&name).with_context(|| format!("no bounds of {name}"))?;
        instances.push(Instance { name, jobs, known });
    }
    Ok(instances)
}

fn find(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let classic = folder.join("jsplib/instances").join(name);
    if classic.is_file() {
        return Ok(classic);
    }
    let texts = folder.join("scheduleopt_jobshop/jobshop/instances/text");
    let file = format!("{name}.txt");
    let families =
        fs::read_dir(&texts).with_context(|| format!("cannot read {}", texts.display()))?;
    let mut paths =
        families.filter_map(|family| family.ok().map(|family| family.path().join(&file)));
    paths.find(|path| path.is_file()).with_context(|| format!("there is no instance {name}"))
}

/// Lower and upper bounds by instance.
fn published(folder: &Path) -> anyhow::Result<HashMap<String, (i64, i64)>> {
    let text = data::text(&folder.join("scheduleopt_jobshop/jobshop/solutions/bks.json"))?;
    let all: Vec<Value> = serde_json::from_str(&text).context("cannot read bks.json")?;
    let entry = |one: &Value| {
        let bounds = (one["lower_bound"].as_i64()?, one["upper_bound"].as_i64()?);
        // Taillard's job shops are called ta11js there, to tell them from his flow shops.
        Some((one["instance"].as_str()?.trim_end_matches("js").to_owned(), bounds))
    };
    Ok(all.iter().filter_map(entry).collect())
}

/// Bounds from a row `<td>name</td><td>size</td><td>problem</td><td>lower</td><td>upper</td>…`.
fn known_in_table(readme: &str, name: &str) -> Option<(i64, i64)> {
    let row = readme.lines().find(|line| line.contains(&format!("<td>{name}</td>")))?;
    let cells: Vec<&str> = row.split("<td>").filter_map(|cell| cell.split('<').next()).collect();
    Some((cells.get(4)?.parse().ok()?, cells.get(5)?.parse().ok()?))
}

/// `#` comments, then the number of jobs and machines, then pairs of machine and duration, machines from 0.
fn classic_jobs(text: &str) -> Option<Jobs> {
    let rows: Vec<Vec<i64>> = numbers(text);
    let (first, rows) = rows.split_first()?;
    let operation = |pair: &[i64]| vec![Choice { machine: pair[0] as usize, duration: pair[1] }];
    let jobs: Jobs = rows.iter().map(|row| row.chunks_exact(2).map(operation).collect()).collect();
    (jobs.len() == *first.first()? as usize).then_some(jobs)
}

/// The number of jobs and machines, then per job the number of operations, and for each the number of choices and
/// their pairs of machine and duration, machines from 1.
fn flexible_jobs(text: &str) -> Option<Jobs> {
    let rows: Vec<Vec<i64>> = numbers(text);
    let (_, rows) = rows.split_first()?;
    rows.iter().map(|row| flexible_job(row)).collect()
}

fn flexible_job(row: &[i64]) -> Option<Vec<Vec<Choice>>> {
    let mut at = 1;
    let mut job = Vec::new();
    for _ in 0..*row.first()? {
        let n_choices = *row.get(at)? as usize;
        let pairs = row.get(at + 1..at + 1 + 2 * n_choices)?;
        let choice = |pair: &[i64]| Choice { machine: pair[0] as usize - 1, duration: pair[1] };
        job.push(pairs.chunks_exact(2).map(choice).collect());
        at += 1 + 2 * n_choices;
    }
    Some(job)
}

fn numbers(text: &str) -> Vec<Vec<i64>> {
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines
        .map(|line| {
            let words = line.split_whitespace();
            words.filter_map(|word| word.parse::<f64>().ok()).map(|number| number as i64).collect()
        })
        .collect()
}
