//! Process maps of a real event log, and of the same log many times over.

use anyhow::Context;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use optimize::process::{Event, Log, ProcessMap, Row, map};

use crate::seeds::NO_SEED;
use crate::{Bench, CpuClock, Options, Table, data, peer};

/// How many copies of the log make the large one.
const N_COPIES: usize = 400;

pub(crate) const BENCH: Bench =
    Bench { name: "process", about: "process map: a real event log, and speed", run };

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    let path = options.folder()?.join("production_event_log/production.csv");
    let text = data::text(&path)?;
    let rows = read(&text)?;
    let log = Log::new(rows.iter().map(Line::row))?;
    let one = map(&log);
    let mut table = Table::new(
        format!("Process map: \"Production Analysis\" (Levy 2014), {} events", rows.len()),
        &["", "cases", "activities", "edges", "variants", "events/s", "CPU s"],
    );
    let (cpu_s, n_events) = time_large(&log, &rows);
    for (name, cpu_s) in
        [("ours, from numbered columns", cpu_s[0]), ("ours, from text rows", cpu_s[1])]
    {
        table.row(cells(name, &one, n_events as f64 / cpu_s, cpu_s));
    }
    if options.peers {
        let answer =
            peer::run("optimize-process", &[&path.to_string_lossy(), &N_COPIES.to_string()])?;
        let number = |key: &str| answer[key].as_f64().unwrap_or(f64::NAN);
        let rate = number("n_events") / number("dfg_cpu_s");
        let mut cells =
            vec![format!("peer: pm4py {}, DFG alone", answer["version"].as_str().unwrap_or("?"))];
        cells.extend(
            ["cases", "activities", "edges", "variants"].map(|key| format!("{}", number(key))),
        );
        cells.extend([format!("{rate:.0}"), format!("{:.3}", number("dfg_cpu_s"))]);
        table.row(cells);
    }
    table.note(format!(
        "speed on {N_COPIES} copies, {n_events} events; target 3 M events/s; {NO_SEED}"
    ));
    Ok(vec![table, waits(&one)])
}

fn cells(name: &str, map: &ProcessMap, rate: f64, cpu_s: f64) -> Vec<String> {
    let counts = [map.n_cases, map.activities.len(), map.edges.len(), map.variants.len()];
    let mut cells = vec![name.to_owned()];
    cells.extend(counts.map(|n| n.to_string()));
    cells.extend([format!("{rate:.0}"), format!("{cpu_s:.3}")]);
    cells
}

struct Line<'a> {
    case: &'a str,
    activity: &'a str,
    start_us: i64,
    end_us: i64,
}

impl Line<'_> {
    fn row(&self) -> Row<'_> {
        Row {
            case: self.case,
            activity: self.activity,
            start_us: self.start_us,
            end_us: self.end_us,
        }
    }
}

/// case, activity, resource, start, end. A start after its end, which the log has, is taken as the end.
fn read(text: &str) -> anyhow::Result<Vec<Line<'_>>> {
    let mut lines = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [case, activity, _, start, end] = fields[..] else {
            anyhow::bail!("production.csv has a row that is not five fields: {line}");
        };
        let (start_us, end_us) = (micros(start)?, micros(end)?);
        lines.push(Line { case, activity, start_us: start_us.min(end_us), end_us });
    }
    Ok(lines)
}

fn micros(text: &str) -> anyhow::Result<i64> {
    let time = DateTime::strptime("%Y/%m/%d %H:%M:%S", text)
        .with_context(|| format!("reading the time {text}"))?;
    Ok(time.to_zoned(TimeZone::UTC)?.timestamp().as_microsecond())
}

/// CPU seconds for many copies of the log from numbers and from text, and how many events they have.
fn time_large(log: &Log, rows: &[Line]) -> ([f64; 2], usize) {
    let n_cases = log.case_names().len();
    let names: Vec<String> = (0..n_cases * N_COPIES).map(|idx| format!("case {idx}")).collect();
    let one: Vec<Event> = log.cases().flatten().copied().collect();
    let copies = (0..N_COPIES).flat_map(|copy| {
        let shift = (copy * n_cases) as u32;
        one.iter().map(move |event| Event { case: event.case + shift, ..*event })
    });
    let events: Vec<Event> = copies.collect();
    let n_events = events.len();
    let texts: Vec<Line> = events
        .iter()
        .map(|event| Line {
            case: &names[event.case as usize],
            activity: &log.activities()[event.activity as usize],
            start_us: event.start_us,
            end_us: event.end_us,
        })
        .collect();
    assert_eq!(rows.len() * N_COPIES, n_events);
    let activities = log.activities().to_vec();
    let clock = CpuClock::start();
    let large =
        Log::from_events(names.clone(), activities, events).map(|log| map(&log).edges.len());
    let numbered_s = clock.seconds();
    let clock = CpuClock::start();
    let again = Log::new(texts.iter().map(Line::row)).map(|log| map(&log).edges.len());
    assert_eq!(large, again);
    ([numbered_s, clock.seconds()], n_events)
}

fn waits(map: &ProcessMap) -> Table {
    let mut table = Table::new(
        "Process map: where cases wait",
        &["from → to", "times", "median h", "total days"],
    );
    for edge in map.longest_waits().into_iter().take(5) {
        let name = |idx: usize| map.activities[idx].name.as_str();
        table.row([
            format!("{} → {}", name(edge.from), name(edge.to)),
            edge.n.to_string(),
            format!("{:.1}", edge.median_wait_us as f64 / 3.6e9),
            format!("{:.0}", edge.total_wait_us as f64 / 8.64e10),
        ]);
    }
    table.note(format!(
        "{} of {} edges carry 80 % of the transitions",
        map.busiest(80.0).len(),
        map.edges.len()
    ));
    table
}
