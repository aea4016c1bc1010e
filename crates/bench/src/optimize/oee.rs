//! OEE against the worked example of InfluxDB Flux, and the speed of time accounting.

use anyhow::Context;
use optimize::oee::{Count, Facts, Reading, Report, Shift, State, StateChange, counts, oee};

use crate::{Bench, CpuClock, Options, Table, data};

const HOUR_US: i64 = 3_600_000_000;

pub(crate) const BENCH: Bench = Bench {
    name: "oee",
    about: "OEE: the worked example of InfluxDB Flux, and time accounting at scale",
    run,
};

fn run(options: &Options) -> anyhow::Result<Vec<Table>> {
    Ok(vec![worked_example(options)?, at_scale()?])
}

/// influxdata/flux, stdlib/experimental/oee/apq_test.flux: 8 planned hours, data for 4, an ideal cycle of 30 s.
fn worked_example(options: &Options) -> anyhow::Result<Table> {
    let text = data::text(&options.data.join("oee_flux_example/oee.csv"))?;
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
    Ok(example_table(&oee(&facts)?))
}

fn example_table(report: &Report) -> Table {
    let shift = &report.shifts[0];
    let mut table = Table::new(
        "OEE: worked example of InfluxDB Flux",
        &["figure", "ours", "published", "difference"],
    );
    let rows = [
        ("availability", shift.availability(), 0.375),
        ("performance", shift.performance(), 2.0 / 3.0),
        ("quality", shift.quality(), 59.0 / 60.0),
        ("OEE", Some(shift.oee().value), 0.245_833_333_333_333_33),
        ("running, h", Some(shift.buckets.running_us() as f64 / HOUR_US as f64), 3.0),
    ];
    for (name, ours, published) in rows {
        let ours = ours.unwrap_or(f64::NAN);
        let difference = (ours - published).abs();
        table.row([
            name.into(),
            format!("{ours:.10}"),
            format!("{published:.10}"),
            format!("{difference:.0e}"),
        ]);
    }
    let left_us = 8 * HOUR_US - shift.buckets.total_us();
    table.note(format!("target: 1e-9; time in no bucket: {left_us} µs"));
    table
}

/// A year of one machine: 1,095 shifts, a state change every 30 s, a count a minute.
fn at_scale() -> anyhow::Result<Table> {
    let order = [
        State::Running,
        State::Down,
        State::Running,
        State::Setup,
        State::Running,
        State::PlannedStop,
    ];
    let states: Vec<StateChange> = (0..1_051_200)
        .map(|idx| StateChange::new(idx * 30_000_000, order[idx as usize % order.len()]))
        .collect();
    let counts: Vec<Count> = (1..=525_600)
        .map(|idx| Count { good: 1.0, ideal_cycle_s: Some(20.0), ..Count::at(idx * 60_000_000) })
        .collect();
    let shifts: Vec<Shift> = (0..1095)
        .map(|idx| Shift {
            name: idx.to_string(),
            from_us: idx * 8 * HOUR_US,
            to_us: (idx + 1) * 8 * HOUR_US,
        })
        .collect();
    let known_until_us = 1095 * 8 * HOUR_US;
    let facts = Facts {
        shifts: &shifts,
        states: &states,
        known_until_us,
        counts: &counts,
        minor_stop_us: 60_000_000,
    };
    let clock = CpuClock::start();
    let report = oee(&facts)?;
    let cpu_s = clock.seconds();
    let in_buckets_us: i64 = report.shifts.iter().map(|shift| shift.buckets.total_us()).sum();
    let mut table = Table::new("OEE: a year of one machine", &["figure", "value"]);
    table.row(["state changes and counts".into(), (states.len() + counts.len()).to_string()]);
    table.row(["CPU s".into(), format!("{cpu_s:.3}")]);
    table.row(["µs of the year in no bucket".into(), (known_until_us - in_buckets_us).to_string()]);
    Ok(table)
}
