//! OEE against the worked example of InfluxDB Flux, and a year of one machine, both beside pandas.

mod peer;

use anyhow::Context;
use optimize::oee::{
    Buckets, Count, Facts, Reading, Report, Shift, ShiftOee, State, StateChange, counts, oee,
};

use crate::random::Random;
use crate::seeds::{NO_SEED, Spread};
use crate::{Bench, CpuClock, Options, Table, data};

const HOUR_US: i64 = 3_600_000_000;
const SECOND_US: i64 = 1_000_000;

pub(crate) const BENCH: Bench = Bench {
    name: "oee",
    about: "OEE: the worked example of InfluxDB Flux, and time accounting at scale, beside pandas",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![worked_example(options)?, at_scale(options)?])
}

/// influxdata/flux, stdlib/experimental/oee/apq_test.flux: 8 planned hours, data for 4, an ideal cycle of 30 s.
fn worked_example(options: &Options) -> anyhow::Result<Table> {
    let text = data::text(&options.folder()?.join("oee_flux_example/oee.csv"))?;
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let (mut states, mut readings) = (Vec::new(), Vec::new());
    for row in reader.deserialize() {
        let (time, state, produced, bad): (String, String, f64, f64) = row?;
        let at_us =
            time.parse::<jiff::Timestamp>().context("reading a time of oee.csv")?.as_microsecond();
        let state = if state == "running" { State::Running } else { State::Down };
        states.push(StateChange::new(at_us, state));
        readings.push(Reading { at_us, produced, bad });
    }
    let from_us = states.first().context("oee.csv has no rows")?.at_us;
    let facts = Facts {
        shifts: &[Shift { name: "planned 8 h".into(), from_us, to_us: from_us + 8 * HOUR_US }],
        states: &states,
        known_until_us: from_us + 4 * HOUR_US,
        counts: &counts(&readings, Some(30.0)),
        minor_stop_us: 0,
    };
    let peer = if options.peers { Some(peer::ask(&facts, 30.0)?) } else { None };
    Ok(example_table(&oee(&facts)?, peer.as_ref()))
}

fn example_table(report: &Report, peer: Option<&peer::Answer>) -> Table {
    let shift = &report.shifts[0];
    let name = peer.map_or("peer".to_owned(), |peer| format!("peer: pandas {}", peer.version));
    let mut table = Table::new(
        "OEE: worked example of InfluxDB Flux",
        &["figure", "ours", "published", "difference", &name],
    );
    let theirs = peer.and_then(|peer| peer.shifts.first());
    let rows = [
        ("availability", shift.availability(), 0.375, theirs.map(|shift| shift.factors[0])),
        ("performance", shift.performance(), 2.0 / 3.0, theirs.map(|shift| shift.factors[1])),
        ("quality", shift.quality(), 59.0 / 60.0, theirs.map(|shift| shift.factors[2])),
        (
            "OEE",
            Some(shift.oee().value),
            0.245_833_333_333_333_33,
            theirs.map(|shift| shift.factors.iter().product()),
        ),
        (
            "running, h",
            Some(hours(shift.buckets.running_us())),
            3.0,
            theirs.map(|shift| hours(shift.running_us())),
        ),
    ];
    for (name, ours, published, theirs) in rows {
        let ours = ours.unwrap_or(f64::NAN);
        let difference = (ours - published).abs();
        table.row([
            name.into(),
            format!("{ours:.10}"),
            format!("{published:.10}"),
            format!("{difference:.0e}"),
            theirs.map_or_else(String::new, |theirs| format!("{theirs:.10}")),
        ]);
    }
    let left_us = 8 * HOUR_US - shift.buckets.total_us();
    table.note(format!("target: 1e-9; time in no bucket: {left_us} µs"));
    table.note(NO_SEED);
    table
}

fn hours(us: i64) -> f64 {
    us as f64 / HOUR_US as f64
}

/// A year of one machine: 1,095 shifts, a state change every 30 s on average, a count a minute.
struct Year {
    shifts: Vec<Shift>,
    states: Vec<StateChange>,
    counts: Vec<Count>,
}

const N_SHIFTS: i64 = 1095;
const END_US: i64 = N_SHIFTS * 8 * HOUR_US;
const IDEAL_S: f64 = 20.0;

impl Year {
    fn random(seed: u64) -> Self {
        use State::{Down, PlannedStop, Running, Setup, Unknown};
        let mut random = Random::new(seed);
        // An unplanned stop may follow another, and both are then one.
        let all = [Running, Running, Running, Running, Down, Down, Setup, PlannedStop, Unknown];
        let (mut states, mut at_us) = (Vec::new(), 0);
        while at_us < END_US {
            states.push(StateChange::new(at_us, all[random.below(all.len())]));
            at_us += (1 + random.below(59) as i64) * SECOND_US;
        }
        let count = |minute: i64| Count {
            good: random.below(3) as f64,
            scrap: (random.below(10) / 9) as f64,
            is_startup: random.below(20) == 0,
            ideal_cycle_s: Some(IDEAL_S),
            ..Count::at(minute * 60 * SECOND_US)
        };
        let counts = (1..=END_US / (60 * SECOND_US)).map(count).collect();
        let shift = |idx: i64| Shift {
            name: idx.to_string(),
            from_us: idx * 8 * HOUR_US,
            to_us: (idx + 1) * 8 * HOUR_US,
        };
        Self { shifts: (0..N_SHIFTS).map(shift).collect(), states, counts }
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            shifts: &self.shifts,
            states: &self.states,
            known_until_us: END_US,
            counts: &self.counts,
            minor_stop_us: 60 * SECOND_US,
        }
    }
}

/// One seed.
struct Run {
    n_events: f64,
    cpu_s: f64,
    /// Time of the year in no bucket.
    left_us: f64,
    peer: Option<Beside>,
}

struct Beside {
    version: String,
    cpu_s: f64,
    /// Largest difference of a bucket of a shift.
    apart_us: f64,
}

fn at_scale(options: &Options) -> anyhow::Result<Table> {
    let runs = options.per_seed(|seed| Run::new(seed, options.peers))?;
    let columns = [
        "",
        "events/s",
        "CPU s",
        "µs of the year in no bucket",
        "largest difference of a bucket, µs",
    ];
    let mut table = Table::new("OEE: a year of one machine, state changes and counts", &columns);
    let median = |figure: &dyn Fn(&Run) -> f64| Spread::of(&runs, figure).median();
    table.row([
        "ours".to_owned(),
        format!("{:.0}", median(&|run| run.n_events / run.cpu_s)),
        format!("{:.3}", median(&|run| run.cpu_s)),
        Spread::of(&runs, |run| run.left_us).show(0),
    ]);
    let peers: Option<Vec<&Beside>> = runs.iter().map(|run| run.peer.as_ref()).collect();
    if let Some(peers) = peers {
        let cpu_s = Spread::of(&peers, |peer| peer.cpu_s).median();
        table.row([
            format!("peer: pandas {}", peers[0].version),
            format!("{:.0}", median(&|run| run.n_events) / cpu_s),
            format!("{cpu_s:.3}"),
            String::new(),
            Spread::of(&peers, |peer| peer.apart_us).show(0),
        ]);
    }
    table.note(format!("{:.0} events in {N_SHIFTS} shifts; five states, unplanned stops that change their reason, start-ups, rejects; reading is not counted", median(&|run| run.n_events)));
    table.note(options.seeds_note());
    Ok(table)
}

impl Run {
    fn new(seed: u64, peers: bool) -> anyhow::Result<Self> {
        let year = Year::random(seed);
        let facts = year.facts();
        let clock = CpuClock::start();
        let report = oee(&facts)?;
        let cpu_s = clock.seconds();
        let in_buckets_us: i64 = report.shifts.iter().map(|shift| shift.buckets.total_us()).sum();
        let peer = if peers { Some(Beside::new(&facts, &report.shifts)?) } else { None };
        let n_events = (year.states.len() + year.counts.len()) as f64;
        Ok(Self { n_events, cpu_s, left_us: (END_US - in_buckets_us) as f64, peer })
    }
}

impl Beside {
    fn new(facts: &Facts, ours: &[ShiftOee]) -> anyhow::Result<Self> {
        let answer = peer::ask(facts, IDEAL_S)?;
        anyhow::ensure!(answer.shifts.len() == ours.len(), "pandas left shifts out");
        let pairs = ours.iter().zip(&answer.shifts);
        let apart = pairs.flat_map(|(ours, theirs)| {
            let pairs = listed(&ours.buckets).into_iter().zip(theirs.buckets);
            pairs.map(|(ours, theirs)| (ours - theirs).abs())
        });
        let apart_us = apart.max().unwrap_or(0) as f64;
        Ok(Self { version: answer.version, cpu_s: answer.cpu_s, apart_us })
    }
}

/// The buckets in the order of the peer's.
fn listed(buckets: &Buckets) -> [i64; 10] {
    [
        buckets.planned_stop_us,
        buckets.breakdown_us,
        buckets.setup_us,
        buckets.minor_stop_us,
        buckets.reduced_speed_us,
        buckets.startup_reject_us,
        buckets.production_reject_us,
        buckets.productive_us,
        buckets.undivided_us,
        buckets.unknown_us,
    ]
}
